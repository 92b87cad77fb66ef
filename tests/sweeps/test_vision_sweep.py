"""The sweep of fine-tuning runs: its grid, what is stored and read again, kills, bad input, and its two tables."""

import dataclasses
import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

import ptft  # noqa: E402
from ptft import vision  # noqa: E402
from ptft.sweeps import engine  # noqa: E402
from ptft.vision import Point, checkpoints, protocol, sweep, tables  # noqa: E402
from ptft.vision import __main__ as command_line  # noqa: E402


def changed(protocol, **fields):
    """A protocol with other fields, in the names of its record."""
    return vision.Protocol.of_record({**protocol.record, **fields})


TINY = changed(vision.DIGITS, size=8, n_test=10, pretraining_images=40, pretraining_cap=1, fine_tuning_cap=1)
FIRST, SECOND, SCALED = Point("baseline", 1.0, 10), Point("gamma", 0.1, 10), Point("c", 2.0, 10)
# the command for TINY; one point takes a tenth of a second, a checkpoint 45 MB
TINY_COMMAND = ("--pretraining-images", "40", "--pretraining-cap", "1", "--fine-tuning-cap", "1")


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def calls(monkeypatch):
    """Counts the trainings in this process; a name put into `calls.killed` is interrupted instead."""
    counted = {"pretrain_point": 0, "fine_tune_point": 0}
    counted_or_killed = {"killed": set(), **counted}

    def counting(name):
        original = getattr(sweep, name)

        def call(*args, **kwargs):
            if name in counted_or_killed["killed"]:
                raise KeyboardInterrupt
            counted_or_killed[name] += 1
            return original(*args, **kwargs)

        return call

    for name in counted:
        monkeypatch.setattr(sweep, name, counting(name))
    return counted_or_killed


def command(folder, *options):
    """One class split, three settings, one size; the last of an option counts."""
    places = ("--out-folder", str(folder), "--work", str(folder / "work"))
    return ["--seeds", "1", "--sizes", "10", "--knobs", "gamma=0.1", *TINY_COMMAND, *places, *options]


# ------------------------------------------------------------------------------------------------------------- grid


def test_grid_runs_the_baseline_once_and_every_knob_at_scales_other_than_one():
    points = vision.grid((10, 20))
    assert len(points) == len(set(points)) == 2 * (2 + sum(map(len, vision.KNOBS.values())))
    assert all(p.value != 1 for p in points if p.knob in vision.KNOBS)
    assert [p.n for p in points if p.knob == "baseline"] == [10, 20]
    assert vision.SAMPLE_SIZES == (10, 20, 50, 100, 200, 500, 1000)
    assert all(len(values) >= 3 for values in vision.KNOBS.values())  # and the baseline makes four


def test_knobs_after_pretraining_share_the_pretraining_of_the_baseline():
    starts = {knob: protocol.start_of(Point(knob, 0.5, 10)) for knob in vision.KNOBS}
    assert starts["gamma"] == starts["weights"] == vision.BASELINE
    assert starts["kappa"] == ("kappa", 0.5) and starts["c"] == ("c", 0.5)


AFTER_PRETRAINING = {"n_test", "n_measured"} | {
    f"fine_tuning_{name}" for name in ("loss", "cap", "lr", "batch", "bf16")
}


@pytest.mark.parametrize("field", sorted(TINY.record.keys() | AFTER_PRETRAINING))
def test_every_field_of_the_protocol_changes_its_key(field):
    value = TINY.record.get(field, TINY.record.get(field.removeprefix("fine_tuning_")))
    other = changed(
        TINY, **{field: not value if value is False else value + "2" if field == "dataset" else value * 2 + 1}
    )
    assert sweep.key_of(other) != sweep.key_of(TINY) == sweep.key_of(dataclasses.replace(TINY))
    assert (sweep.pretraining_key_of(other) == sweep.pretraining_key_of(TINY)) == (field in AFTER_PRETRAINING)


def test_another_version_has_another_key(monkeypatch):
    before = sweep.key_of(TINY)
    monkeypatch.setattr(ptft, "__version__", "99")
    assert sweep.key_of(TINY) != before


# ------------------------------------------------------------------------------------------------------------ points


def test_untrained_control_starts_from_the_initialization():
    start = vision.pretrain_point(TINY, TINY.split(0), 0, vision.UNTRAINED)
    assert start.epochs == 0 and torch.equal(start.model.fc.weight, vision.new_model(10, 0).fc.weight)


@pytest.mark.parametrize("n", [1, 10**6])
def test_sample_size_outside_the_pool_is_refused(tmp_path, n):
    network = vision.new_model(10, 0)
    with pytest.raises(ValueError, match=f"n = {n}"):
        vision.fine_tune_point(TINY, TINY.split(0), 0, network, Point("baseline", 1.0, n))
    with pytest.raises(ValueError, match=f"n = {n}"):
        vision.run(TINY, [0], [Point("baseline", 1.0, n)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_control_scales_the_early_layers_of_the_pretrained_network(monkeypatch):
    scaled = []

    def spy(model, kappa):
        scaled.append((model, kappa))
        return vision.scale_early_layers(model, kappa)

    monkeypatch.setattr(protocol, "scale_early_layers", spy)
    network = vision.new_model(10, 0)
    assert protocol.start_of(Point("kappa_ft", 0.5, 10)) == vision.BASELINE
    vision.fine_tune_point(TINY, TINY.split(0), 0, network, Point("kappa_ft", 0.5, 10))
    assert scaled == [(network, 0.5)]


def test_dead_activations_have_no_dimension():
    dead = np.zeros((4, 3))
    assert all(np.isnan(x) for x in protocol._dimensions(dead, dead).values())


def test_a_point_of_the_sweep_is_that_of_its_functions_and_a_checkpoint_is_the_network(tmp_path):
    accuracies, representations, provenance = vision.run(TINY, [3], [SECOND], tmp_path)
    split = TINY.split(3)
    alone = vision.fine_tune_point(TINY, split, 3, vision.pretrain_point(TINY, split, 3).model, SECOND)
    (row,) = accuracies.to_dict("records")
    assert all(row[c] == alone[c] for c in ("accuracy", "accuracy_recalibrated", "loss", "stopped_by", "epochs"))
    assert (row["seed"], row["knob"], row["value"], row["n"], row["pretraining_images"]) == (3, *SECOND, 40)
    stages = [{c: stage[c] for c in stage} for stage in alone["stages"]]
    assert representations[["stage", "pr_before", "pr_after", "ensd"]].to_dict("records") == stages
    (record,) = provenance["pretrainings"]
    assert (record["pretraining_epochs"], record["pretraining_stopped_by"]) == (1, "cap")


# ------------------------------------------------------------------------------------------- resuming, checkpoints


def test_no_pretraining_and_no_point_is_computed_twice(tmp_path, calls):
    vision.run(TINY, [0], [FIRST, SECOND], tmp_path)
    assert (calls["pretrain_point"], calls["fine_tune_point"]) == (1, 2)  # both start from one checkpoint
    first = vision.run(TINY, [0], [FIRST, SECOND, SCALED], tmp_path)
    assert (calls["pretrain_point"], calls["fine_tune_point"]) == (2, 3)
    calls["killed"] |= {"pretrain_point", "fine_tune_point"}
    again = vision.run(TINY, [0], [FIRST, SECOND, SCALED], tmp_path)
    for one, other in zip(first[:2], again[:2], strict=True):
        pd.testing.assert_frame_equal(one, other)
    with pytest.raises(KeyboardInterrupt):
        vision.run(changed(TINY, lr=0.1), [0], [FIRST], tmp_path)
    assert len(list(tmp_path.iterdir())) == 4  # for each protocol a folder of points and one of pretrainings
    assert not list(tmp_path.rglob(".*"))  # no temporary file


def test_protocols_that_differ_in_fine_tuning_alone_share_their_pretrainings(tmp_path, calls):
    vision.run(TINY, [0], [FIRST], tmp_path)
    stricter = changed(TINY, fine_tuning_loss=1e-9, fine_tuning_cap=2, n_measured=20)
    accuracies, _, _ = vision.run(stricter, [0], [FIRST], tmp_path)
    assert (calls["pretrain_point"], calls["fine_tune_point"]) == (1, 2)
    assert accuracies["epochs"].tolist() == [2]


def test_an_interrupted_sweep_goes_on_from_its_checkpoint(tmp_path, calls):
    calls["killed"] = {"fine_tune_point"}
    with pytest.raises(KeyboardInterrupt):
        vision.run(TINY, [0], [FIRST], tmp_path)
    assert calls["pretrain_point"] == 1
    calls["killed"] = {"pretrain_point"}
    accuracies, *_ = vision.run(TINY, [0], [FIRST], tmp_path)
    assert len(accuracies) == 1 and calls["fine_tune_point"] == 1


def test_damaged_files_are_made_again(tmp_path, calls):
    before, *_ = vision.run(TINY, [0], [FIRST], tmp_path)
    (point,) = tmp_path.rglob("point_*.json")
    (checkpoint,) = tmp_path.rglob("*.safetensors")
    point.write_text(point.read_text()[:100])
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=r"point_.* is damaged"):
        after, *_ = vision.run(TINY, [0], [FIRST], tmp_path)
    assert (calls["pretrain_point"], calls["fine_tune_point"]) == (2, 2)
    pd.testing.assert_frame_equal(before.drop(columns="seconds"), after.drop(columns="seconds"))
    for key, value in {"key": "0" * 12, "accuracy": None, "stages": []}.items():
        row = json.loads(point.read_text())
        if value is None:
            del row[key]
        else:
            row[key] = value
        point.write_text(json.dumps(row))
        with pytest.warns(UserWarning, match=r"point_.* is damaged"):
            vision.run(TINY, [0], [FIRST], tmp_path)
    assert calls["pretrain_point"] == 2


def test_a_checkpoint_returns_what_was_saved_and_is_no_pickle(tmp_path):
    path, model = tmp_path / "a.safetensors", vision.new_model(4, 1)
    checkpoints.save_checkpoint(path, model, {"epochs": 3})
    other = vision.new_model(4, 2)
    assert checkpoints.load_checkpoint(path, other) == {"epochs": 3}
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    with pytest.raises(ValueError, match="holds another network"):
        checkpoints.load_checkpoint(path, vision.new_model(5, 0))
    torch.save(model.state_dict(), path)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        checkpoints.load_checkpoint(path, other)


def test_a_worker_of_another_version_or_without_the_folder_is_refused(tmp_path):
    task = sweep.Task(TINY, 0, FIRST, tmp_path / "elsewhere", None, "cpu")
    with pytest.raises(ValueError, match=r"a worker runs ptft .* but key abc is asked for"):
        sweep.solve(task, "abc")
    with pytest.raises(OSError, match=r"a worker does not see .*elsewhere"):
        sweep.solve(task, sweep.key_of(TINY))


def test_a_training_that_fails_names_its_point_and_keeps_what_was_finished(tmp_path, monkeypatch):
    original = protocol.train

    def failing(model, images, *args):
        if len(images) == 12:
            raise RuntimeError("out of memory")
        return original(model, images, *args)

    monkeypatch.setattr(protocol, "train", failing)
    with pytest.raises(RuntimeError, match=r"training failed for seed 0, .*gamma.*n=12.*: out of memory"):
        vision.run(TINY, [0], [FIRST, SECOND._replace(n=12)], tmp_path)
    assert len(list(tmp_path.rglob("point_*.json"))) == 1


def test_the_number_of_threads_is_restored(tmp_path):
    torch.set_num_threads(2)
    vision.run(TINY, [0], [Point("untrained", 0.0, 10)], tmp_path)
    assert torch.get_num_threads() == 2


# -------------------------------------------------------------------------------------------------------- the command


def test_a_killed_command_goes_on_and_gives_the_tables_of_one_that_was_not(tmp_path, capsys):
    killed, alone = tmp_path / "killed", tmp_path / "alone"
    killed.mkdir(), alone.mkdir()
    grid = ("--sizes", "4", "6", "8", "10", "--seeds", "2")
    argv = command(killed, *grid)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "ptft.vision", *argv], stdout=log, stderr=log)
    deadline = time.monotonic() + 300
    while len(list(killed.rglob("point_*.json"))) < 3:
        assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
        time.sleep(0.005)
    process.kill()
    process.wait()
    kept = {path: path.read_bytes() for path in killed.rglob("p*_*") if path.is_file()}
    assert 5 <= len(kept) < 26 and not (killed / "vision.parquet").exists()  # 2 checkpoints and 24 points
    assert command_line.main(argv) == 0
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert command_line.main(command(alone, *grid)) == 0
    assert "24 points" in capsys.readouterr().out
    for name, columns in (
        ("vision.parquet", tables.ACCURACY_COLUMNS),
        ("representations.parquet", tables.REPRESENTATION_COLUMNS),
    ):
        (one, provenance), (other, _) = (vision.read_table(folder / name) for folder in (killed, alone))
        assert tuple(one.columns) == columns
        one, other = (frame.drop(columns="seconds", errors="ignore") for frame in (one, other))
        pd.testing.assert_frame_equal(one, other)
        assert not one.duplicated([*tables.KEYS, *(["stage"] if "stage" in one else [])]).any()
        assert {"made by", "format", "ptft", "key", "date", "machine", "protocol", "pretrainings"} == set(provenance)
        assert len(provenance["pretrainings"]) == 2  # one for each seed


def test_tables_grow_and_are_never_overwritten_by_less(tmp_path, capsys):
    assert command_line.main(command(tmp_path)) == 0
    assert command_line.main(command(tmp_path, "--knobs", "gamma=0.1,3")) == 0
    table, _ = vision.read_table(tmp_path / "vision.parquet")
    assert sorted(set(table["value"])) == [0.0, 0.1, 1.0, 3.0]
    content = (tmp_path / "vision.parquet").read_bytes()
    assert command_line.main(command(tmp_path)) == 2
    assert "vision.parquet has 1 rows that this sweep lacks: move it away" in capsys.readouterr().err
    assert command_line.main(command(tmp_path, "--pretraining-cap", "2")) == 2
    assert "vision.parquet was made by ptft" in capsys.readouterr().err
    (tmp_path / "vision.parquet").write_text("mine")
    assert command_line.main(command(tmp_path)) == 2
    assert "is not a table of python -m ptft.vision: move it away" in capsys.readouterr().err
    (tmp_path / "vision.parquet").write_bytes(content)
    assert (tmp_path / "vision.parquet").read_bytes() == content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--dataset", "cifar-7"], "--dataset = 'cifar-7' is not allowed: it must be one of digits, fashion-mnist"),
        (["--dataset", "cifar-10", "--root", "{folder}/none"], "cifar-10 is not in {folder}/none"),
        (["--pretraining-images", "5000"], "pretraining_images = 5000 is not allowed: there are"),
        (["--seeds", "0"], "--seeds = 0 is not allowed: it must be at least 1"),
        (["--first-seed", "-1"], "seed = -1 is not allowed: it must be at least 0"),
        (["--knobs", "delta"], "--knobs = 'delta' is not allowed: it must be one of kappa, c, gamma, weights"),
        (["--knobs", "c=2,1"], "--knobs c=2,1 is not allowed: its values must be positive numbers other than 1"),
        (["--knobs", "c=two"], "--knobs c=two is not allowed"),
        (["--sizes", "10", "100000"], "n = 100000 is not allowed: it must be between 2 and"),
        (["--pretraining-loss", "-1"], "--pretraining-loss = -1. is not allowed: it must be positive"),
        (["--fine-tuning-cap", "-1"], "--fine-tuning-cap = -1 is not allowed: it must be at least 0"),
        (["--precision", "float8"], "--precision = 'float8' is not allowed"),
        (["--device", "abacus"], "device = 'abacus' is not allowed"),
        (["--jobs", "0"], "jobs = 0 is not allowed: it must be at least 1"),
        (["--scheduler", "carrier-pigeon://x"], "the scheduler carrier-pigeon://x does not answer"),
        (["--out-folder", "{folder}/none"], "none cannot be written: No such file or directory"),
        (["--work", "{folder}/file"], "file cannot be made: Not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_explained_and_no_table_is_written(tmp_path, capsys, monkeypatch, change, message):
    def refused(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(vision.data.datasets.CIFAR10, "download", refused)
    monkeypatch.setattr(protocol, "train", refused)
    (tmp_path / "file").write_text("mine")
    assert command_line.main(command(tmp_path, *(part.format(folder=tmp_path) for part in change))) == 2
    said = capsys.readouterr().err
    assert said.count("ptft.vision: ") == 1 and message.format(folder=tmp_path) in said
    assert not list(tmp_path.rglob("*.parquet")) and (tmp_path / "file").read_text() == "mine"


def test_lost_workers_are_explained_with_a_way_to_go_on(tmp_path, capsys, monkeypatch):
    def lost(*args, **kwargs):
        raise engine.WorkersLost("a worker process was killed")

    monkeypatch.setattr(engine, "solved", lost)
    assert command_line.main(command(tmp_path)) == 1
    assert "a worker process was killed\nWhat was finished is kept" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------------------- Dask


def test_a_dask_cluster_gives_the_same_tables(tmp_path):
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    points = [FIRST, SECOND, Point("untrained", 0.0, 10)]
    alone = vision.run(TINY, [0], points, tmp_path / "alone")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "local_directory": str(tmp_path)}
    with LocalCluster(host="127.0.0.1", **options) as cluster:
        remote = vision.run(TINY, [0], points, tmp_path / "remote", scheduler=cluster.scheduler_address)
    for one, other in zip(alone[:2], remote[:2], strict=True):
        one, other = (frame.drop(columns="seconds", errors="ignore") for frame in (one, other))
        pd.testing.assert_frame_equal(one, other)
