"""The sweep of Figures 3 to 5: its plan, what is stored and read again, kills, bad input, and its table."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import ptft
from ptft.infinite_width import __main__ as command_line
from ptft.infinite_width import rich_tables, rich_transfer, sweep
from ptft.infinite_width.rich_tables import curves, disagreements, ends, ratios, read_table, spread
from ptft.infinite_width.rich_transfer import GAUSSIAN, STARTS, setting
from ptft.sweeps import engine
from ptft.sweeps import table as stored_table

TINY = replace(
    GAUSSIAN["3a"], D=6, P1=12, P2=(4,), gamma_2=(0.5, 1.0), starts=STARTS[:3], n_test=5, t_end=4.0, tolerance=1e-9
)
COMMAND = ("3a", "--draws", "2", "--width", "10")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Figure 3a in milliseconds."""
    monkeypatch.setitem(GAUSSIAN, "3a", TINY)


@pytest.fixture
def solved(monkeypatch):
    """The points that are computed in this process."""
    points, solve = [], sweep.solve

    def counted(task, key):
        points.append(task.point)
        return solve(task, key)

    monkeypatch.setattr(sweep, "solve", counted)
    return points


def command(folder, *options):
    return [*COMMAND, "--work", str(folder / "work"), "--out", str(folder / "table.parquet"), *options]


def small_plan(**options):
    return sweep.plan([setting("3a")], **{"draws": [0], "width": 10, "kinds": ["theory"], **options})


# ------------------------------------------------------------------------------------------------------------- plan


def test_a_plan_has_each_source_once_and_every_target():
    points = sweep.plan([setting("3a")], range(2), 10)
    assert len(points) == 2 * 2 * (1 + 2 * 3)
    assert sum(point.start == "source" for point in points) == 4
    assert not sweep.identity(points).duplicated().any()
    digits = sweep.plan([setting("5")], [0], 10, ["network"])
    assert len(digits) == 1 + 4 * 4 * 2 and {point.P2 for point in digits} == {0, 8, 16, 32, 64}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": []}, "the number of draws = 0 is not allowed"),
        ({"draws": [-1]}, "draw = -1 is not allowed"),
        ({"width": 11}, "width = 11 is not allowed: it must be even"),
        ({"kinds": ["guess"]}, "kind = 'guess' is not allowed: it must be one of theory, network"),
    ],
)
def test_bad_plans_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        small_plan(**change)


def test_the_key_changes_with_the_version_and_the_settings(monkeypatch):
    keys = {sweep.key()}
    monkeypatch.setitem(GAUSSIAN, "3b", replace(GAUSSIAN["3b"], t_end=1.0))
    keys.add(sweep.key())
    monkeypatch.setattr(ptft, "__version__", "99")
    assert len(keys | {sweep.key()}) == 3


# ------------------------------------------------------------------------------------------------------------ points


def test_points_are_those_of_the_functions(tmp_path):
    table, provenance = sweep.run(small_plan(), tmp_path)
    source, target = rich_transfer.tasks(TINY)
    start = rich_transfer.neurons(6, 10, "theory", 0)
    first = rich_transfer.source_run(TINY, source, start)
    runs = {carry: rich_transfer.target_run(TINY, target, 0.5, first, carry) for carry in STARTS[1:3]}
    runs["scratch"] = rich_transfer.target_run(TINY, target, 0.5, start)
    for name, run in runs.items():
        for quantity in ("test_loss", "train_loss"):
            found = curves(table, quantity, start=name, gamma_2=0.5)[0]
            assert np.array_equal(found.index, run.time)
            assert found.to_numpy() == pytest.approx(getattr(run, quantity), rel=1e-6)
    law = rich_transfer.preactivations(runs["centred"].end, target.X_test)
    assert ends(table, "skewness", start="centred", gamma_2=0.5)[0] == pytest.approx(law.skewness, rel=1e-6)
    forgotten = ends(table, "source_loss", start="reset", gamma_2=0.5)[0]
    assert forgotten == pytest.approx(runs["reset"].source_loss[-1], rel=1e-6)
    with pytest.raises(ValueError, match="in the table"):
        curves(table, "source_loss", start="scratch")
    assert set(provenance) == {"made by", "format", "ptft", "key", "date", "machine"}


def test_figure_4_has_densities(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setitem(
        rich_transfer.DIGITS, "4", replace(setting("4"), P1=4, P2=(4,), n_test=4, gamma_2=(1.0,), t_end=1.0)
    )
    table, _ = sweep.run(sweep.plan([setting("4")], [0], 10, ["theory"]), tmp_path)
    density = curves(table, "density", start="centred")[0]
    assert density.sum() * (density.index[1] - density.index[0]) == pytest.approx(1, abs=0.05)


def test_what_is_there_is_not_computed_again(tmp_path, solved):
    sweep.run(small_plan(), tmp_path)
    assert len(solved) == len(set(solved)) == 7
    sweep.run(small_plan(), tmp_path)
    sweep.run(sweep.plan([replace(TINY, gamma_2=(0.5,))], [0], 10, ["theory"]), tmp_path)
    assert len(solved) == 7
    sweep.run(small_plan(draws=[0, 1]), tmp_path)
    assert len(solved) == 14


def test_a_lost_source_is_computed_again_only_where_it_is_needed(tmp_path, solved):
    sweep.run(small_plan(), tmp_path)
    (neurons,) = tmp_path.rglob("neurons_*.npz")
    neurons.unlink()
    sweep.run(small_plan(), tmp_path)
    assert len(solved) == 7
    scratch, centred = (next(tmp_path.rglob(f"point_*_0.5_{start}.json")) for start in ("scratch", "centred"))
    scratch.unlink()
    sweep.run(small_plan(), tmp_path)
    assert [point.start for point in solved[7:]] == ["scratch"]
    before = centred.read_text()
    centred.unlink()
    sweep.run(small_plan(), tmp_path)
    assert [point.start for point in solved[8:]] == ["source", "centred"]
    assert without_time(centred.read_text()) == without_time(before)


def without_time(text):
    return [row for row in json.loads(text)["rows"] if row[0] != "seconds"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "another"}'])
def test_a_damaged_point_is_reported_and_computed_again(tmp_path, solved, content):
    whole, _ = sweep.run(small_plan(), tmp_path)
    next(tmp_path.rglob("point_*_0.5_reset.json")).write_text(content)
    with pytest.warns(UserWarning, match="is damaged"):
        again, _ = sweep.run(small_plan(), tmp_path)
    assert len(solved) == 8
    clock = whole["quantity"] == "seconds"
    pd.testing.assert_frame_equal(again[~clock], whole[~clock])


def test_a_worker_of_another_version_or_without_the_folder_is_refused(tmp_path):
    point, numbers = next(iter(small_plan().items()))
    task = sweep.Task(numbers, point, tmp_path / "none", None, None)
    with pytest.raises(ValueError, match="a worker runs ptft"):
        sweep.solve(task, "another")
    with pytest.raises(FileNotFoundError, match="does not see the work folder"):
        sweep.solve(task, sweep.key())


def test_a_run_that_fails_is_named(tmp_path, monkeypatch):
    def broken(*args):
        raise FloatingPointError("too rich")

    monkeypatch.setattr(rich_transfer, "target_run", broken)
    with pytest.raises(
        RuntimeError, match=r"Point\(figure='3a'.*start='scratch'\) failed: FloatingPointError: too rich"
    ):
        sweep.run(small_plan(), tmp_path)


# ----------------------------------------------------------------------------------------------------- reading a table


def made_up(values, quantity="test_loss", **point):
    """A table of runs with the given losses at times 0, 1, ..., one run for each draw."""
    base = {"figure": "3a", "dataset": "gaussian", "P1": 1, "P2": 1, "kind": "theory", "width": 2, "gamma_2": 1.0}
    rows = [
        {**base, "start": "centred", **point, "draw": draw, "quantity": quantity, "x": float(x), "value": value}
        for draw, losses in enumerate(values)
        for x, value in enumerate(losses)
    ]
    return pd.DataFrame(rows, columns=list(rich_tables.COLUMNS))


def test_the_last_loss_of_a_run_that_converged_stands_for_later_times():
    table = made_up([[3.0, 2.0, 1.0], [4.0, 0.5]])
    assert curves(table).to_numpy().tolist() == [[3, 4], [2, 0.5], [1, 0.5]]
    assert ends(table).tolist() == [1.0, 0.5]
    assert ends(rich_tables.at_time(table, 1.9)).tolist() == [2.0, 0.5]
    assert spread(ends(table)) == r"$0.75 \pm 0.35$"
    scratch = made_up([[4.0, 4.0, 4.0], [1.0]], start="scratch")
    assert ratios(pd.concat([table, scratch]), figure="3a").to_numpy().tolist() == [[0.25, 0.5]]


def test_network_and_theory_are_compared_at_each_time_that_both_have():
    network = made_up([[2.2, 0.9, 7.0], [1.0, 1.0]], kind="network")
    found = disagreements(pd.concat([made_up([[2.0, 1.0], [1.0, 1.0, 3.0]]), network]), figure="3a")
    assert found.to_numpy() == pytest.approx([0.1, 0.0])
    with pytest.raises(ValueError, match="runs of network and theory"):
        disagreements(network)
    with pytest.raises(ValueError, match="the columns of one run of each draw"):
        curves(pd.concat([made_up([[2.0]]), network]))


# -------------------------------------------------------------------------------------------------------- the command


def test_a_killed_command_goes_on_and_gives_the_table_of_one_that_was_not(tmp_path, capsys):
    killed, alone = tmp_path / "killed", tmp_path / "alone"
    killed.mkdir(), alone.mkdir()
    code = (
        "import sys, time; from dataclasses import replace; from ptft.infinite_width import sweep\n"
        "from ptft.infinite_width.rich_transfer import GAUSSIAN\n"
        "from ptft.infinite_width.__main__ import main\n"
        f"GAUSSIAN['3a'] = replace(GAUSSIAN['3a'], D={TINY.D}, P1={TINY.P1}, P2={TINY.P2}, gamma_2={TINY.gamma_2}, "
        f"starts={TINY.starts}, n_test={TINY.n_test}, t_end={TINY.t_end}, tolerance={TINY.tolerance})\n"
        "solve = sweep.solve\n"
        "sweep.solve = lambda *task: (time.sleep(0.1), solve(*task))[1]\n"  # else it may be done before the kill
        f"main({command(killed)})"
    )
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while len(list(killed.rglob("point_*.json"))) < 6:
        assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = {path: path.read_bytes() for path in killed.rglob("[pn]*_*") if path.is_file()}
    assert 8 <= len(kept) < 32 and not (killed / "table.parquet").exists()  # 4 files of neurons and 28 points
    assert command_line.main(command(killed)) == 0
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert command_line.main(command(alone)) == 0
    assert "28 runs in" in capsys.readouterr().out
    (one, provenance), (other, _) = (read_table(folder / "table.parquet") for folder in (killed, alone))
    assert tuple(one.columns) == rich_tables.COLUMNS
    one, other = (table[table["quantity"] != "seconds"] for table in (one, other))
    pd.testing.assert_frame_equal(one, other)
    assert not one.duplicated([*rich_tables.POINT, "quantity", "x"]).any()
    assert provenance["key"] == sweep.key() and len(provenance["machine"]) == 1


def test_a_table_grows_and_is_never_overwritten_by_less(tmp_path, capsys):
    assert command_line.main(command(tmp_path)) == 0
    assert command_line.main(command(tmp_path, "--draws", "1")) == 2
    assert "rows that this sweep lacks: move it away" in capsys.readouterr().err
    assert command_line.main(command(tmp_path, "--draws", "3")) == 0
    table, _ = read_table(tmp_path / "table.parquet")
    assert sorted(table["draw"].unique()) == [0, 1, 2]
    (tmp_path / "table.parquet").write_text("mine")
    assert command_line.main(command(tmp_path)) == 2
    assert "is not a table of python -m ptft.infinite_width: move it away" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["7"], "figure = '7' is not allowed: it must be one of 3a, 3b, 4, 5"),
        (["4", "--dataset", "cifar-7"], "name = 'cifar-7' is not allowed: it must be one of digits, fashion-mnist"),
        (["4", "--source-examples", "1001"], "P1 = 1001 is not allowed: it must be even"),
        (["5", "--source-examples", "400"], "P1 = 400, P2 = 64 and n_test = 100 are not allowed: digits has"),
        (["--draws", "0"], "--draws = 0 is not allowed: it must be at least 1"),
        (["--first-draw", "-1"], "draw = -1 is not allowed"),
        (["--width", "7"], "width = 7 is not allowed: it must be even"),
        (["--kinds", "guess"], "kind = 'guess' is not allowed"),
        (["--jobs", "0"], "jobs = 0 is not allowed: it must be at least 1"),
        (["--scheduler", "carrier-pigeon://x"], "the scheduler carrier-pigeon://x does not answer"),
        (["--out", "{folder}/none/table.parquet"], "none cannot be written: No such file or directory"),
        (["--out", "{folder}/table.csv"], "its name must end in .parquet"),
        (["--work", "{folder}/file"], "file cannot be made: Not a directory"),
    ],
    ids=" ".join,
)
def test_bad_input_is_explained_and_no_table_is_written(tmp_path, capsys, monkeypatch, change, message):
    if change[0] in ("4", "5"):
        pytest.importorskip("torch")

    def refused(*args):
        raise AssertionError("training began")

    monkeypatch.setattr(rich_transfer, "source_run", refused)
    (tmp_path / "file").write_text("mine")
    given = [part.format(folder=tmp_path) for part in change]
    assert command_line.main(command(tmp_path, *given) if given[0][0] == "-" else [*given, *command(tmp_path)[1:]]) == 2
    said = capsys.readouterr().err
    assert said.count("ptft.infinite_width: ") == 1 and message in said
    assert not list(tmp_path.rglob("*.parquet")) and (tmp_path / "file").read_text() == "mine"


def test_lost_workers_are_explained_with_a_way_to_go_on(tmp_path, capsys, monkeypatch):
    def lost(*args, **kwargs):
        raise engine.WorkersLost("a worker process was killed")

    monkeypatch.setattr(engine, "solved", lost)
    assert command_line.main(command(tmp_path)) == 1
    assert "a worker process was killed\nWhat was finished is kept" in capsys.readouterr().err


def test_a_table_of_another_format_is_refused(tmp_path, monkeypatch):
    assert command_line.main(command(tmp_path, "--draws", "1", "--kinds", "theory")) == 0
    monkeypatch.setattr(rich_tables, "FORMAT", 2)
    with pytest.raises(ValueError, match="has format 1"):
        read_table(tmp_path / "table.parquet")
    assert stored_table.read_table(tmp_path / "table.parquet", rich_tables.MADE_BY, 1)[1]["format"] == 1
