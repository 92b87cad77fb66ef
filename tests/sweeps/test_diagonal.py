"""Sweeps: the grid, what is stored and read again, kills, versions, bad input, and the same table from every engine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import psutil
import pytest
from pyarrow import parquet
from threadpoolctl import threadpool_info, threadpool_limits

import ptft
from ptft import agreement, experiments, simulate, sweep, sweep_table
from ptft.experiments import Setting
from ptft.files import require_writable
from ptft.sweep_table import COLUMNS, IDENTITY, Point
from ptft.sweeps import engine

GRID = ("--d", "60", "--seeds", "2", "--alphas", "3")


def small(name="experiment-4", seeds=range(6, 8), alpha=(0.1, 0.5)):
    """A plan of a second or less."""
    return sweep_table.plan(name, 60, seeds, alpha)


def points_of(rows):
    return [point for _, point in rows]


def command(name, folder, *options):
    """The command line of a sweep whose table and work folder lie in `folder`."""
    return [name, *options, "--out", str(folder / "table.parquet"), "--work", str(folder / "work")]


def start(arguments, folder):
    """The sweep as a process that leads its own group."""
    with (folder / "log").open("w") as log:
        argv = [sys.executable, "-m", "ptft.sweep", *arguments]
        return subprocess.Popen(argv, stderr=log, stdout=log, start_new_session=True)


def units_in(folder):
    return sorted((folder / "work").glob("*/d-*.json"))


def until(condition, seconds=180):
    """Wait for `condition` to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def assert_same_results(one, other):
    """Both tables agree to the last bit, the time taken aside."""
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"), check_exact=True)


@pytest.fixture
def solved(monkeypatch):
    """Collects (settings, d, n, seed) of what is simulated in this process."""
    calls = []

    def counting(settings, alpha, d, seed):
        calls.append((len(settings), d, round(alpha * d), seed))
        return ptft.simulation.simulate_many(settings, alpha, d, seed)

    monkeypatch.setattr(sweep, "simulate_many", counting)
    return calls


# the grid


def test_a_sweep_has_every_setting_of_its_experiment_at_every_alpha_and_seed():
    counts = {1: 21, 2: 14, 3: 28, 4: 12}
    for number, count in counts.items():
        assert len(small(f"experiment-{number}")) == count * 2 * 2
    published = sweep_table.plan("all", 5000, range(6, 20))
    assert len(published) == (21 + 14 + 28 + 12 + 12) * 11 * 14
    assert {label for label, _ in published} == {"1", "2", "3", "4", "figure-5"}
    assert sorted({point.n for _, point in published}) == np.round(experiments.ALPHA * 5000).tolist()


def test_units_hold_every_point_once_seed_by_seed_from_the_largest_n():
    points = points_of(small("all"))
    tasks = sweep.units(points, batch=5)
    held = [Point(setting, unit.d, unit.n, unit.seed) for unit in tasks for setting in unit.settings]
    assert len(held) == len(set(held)) < len(points)
    assert set(held) == set(points)
    assert all(1 <= len(unit.settings) <= 5 for unit in tasks)
    order = [(unit.seed, -unit.n) for unit in tasks]
    assert order == sorted(order) and len(set(order)) == 4


# results


def test_a_sweep_gives_what_simulate_gives(tmp_path):
    points = points_of(small())
    found = sweep.run(points, tmp_path)
    assert list(found) == points
    for point, result in found.items():
        alone = simulate(point.setting.teacher, point.setting.init, point.n / point.d, point.d, point.seed)
        assert result["mse"] == pytest.approx(alone.mse, rel=1e-7)
        assert result["converged"] and result["kkt_residual"] <= 1e-10 and result["seconds"] > 0


def test_a_sweep_that_grows_computes_only_what_is_missing(tmp_path, solved):
    small_one, large_one = points_of(small("experiment-1", seeds=[6])), points_of(small("all"))
    first = sweep.run(small_one, tmp_path)
    assert sum(call[0] for call in solved) == len(set(small_one))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    solved.clear()
    grown = sweep.run(large_one, tmp_path)
    assert sum(call[0] for call in solved) == len(set(large_one) - set(small_one))
    assert all(path.read_bytes() == data for path, data in before.items())
    assert {point: grown[point] for point in first} == first
    solved.clear()
    assert sweep.run(large_one, tmp_path) == grown and solved == []


def test_other_parameters_never_share_results(tmp_path, solved, monkeypatch):
    one = points_of(small(seeds=[6], alpha=[0.5]))
    found = sweep.run(one, tmp_path)
    for changed in ({"d": 80}, {"n": 20}, {"seed": 9}):
        solved.clear()
        other = [point._replace(**changed) for point in one]
        results = sweep.run(other, tmp_path)
        assert sum(call[0] for call in solved) == len(one)
        assert all(results[b]["mse"] != found[a]["mse"] for a, b in zip(one, other, strict=True))
    solved.clear()
    monkeypatch.setattr(ptft, "__version__", "99")
    sweep.run(one, tmp_path)
    assert sum(call[0] for call in solved) == len(one)
    assert len(list(tmp_path.iterdir())) == 2  # a folder for each version


def test_each_unit_is_solved_on_one_thread_and_the_limit_is_lifted_after(tmp_path, monkeypatch):
    threads = []

    def looking(*arguments):
        threads.extend(pool["num_threads"] for pool in threadpool_info())
        return ptft.simulation.simulate_many(*arguments)

    monkeypatch.setattr(sweep, "simulate_many", looking)
    with threadpool_limits(2):
        before = threadpool_info()
        sweep.run(points_of(small(seeds=[6])), tmp_path)
        assert threadpool_info() == before
    assert set(threads) == {1}


def test_a_simulation_that_fails_names_its_unit_and_keeps_what_was_finished(tmp_path, monkeypatch):
    def failing(settings, alpha, d, seed):
        if seed == 7:
            raise np.linalg.LinAlgError("no such matrix")
        return ptft.simulation.simulate_many(settings, alpha, d, seed)

    monkeypatch.setattr(sweep, "simulate_many", failing)
    with pytest.raises(RuntimeError, match="the simulation failed for d = 60, n = 30, seed = 7"):
        sweep.run(points_of(small()), tmp_path)
    assert {json.loads(path.read_text())["seed"] for path in tmp_path.rglob("*.json")} == {6}


def test_what_is_not_certified_is_marked_without_a_warning(tmp_path, monkeypatch):
    def uncertified(settings, *arguments):
        warnings.warn("the end point is not certified", stacklevel=2)
        done = ptft.simulation.simulate_many(settings, *arguments)
        return [ptft.SimulatedPoint(**{**vars(point), "converged": False}) for point in done]

    monkeypatch.setattr(sweep, "simulate_many", uncertified)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sweep.run(points_of(small(seeds=[6])), tmp_path)
    assert not any(result["converged"] for result in found.values())


# damage and kills


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: text.replace('"mse"', '"msf"', 1),
        lambda text: text.replace(sweep_table.key(), "0" * 12),
        lambda text: text.replace('"rho_ft"', '"rho_tf"', 1),
    ],
    ids=["half", "empty", "no record", "no error", "another key", "another setting"],
)
def test_a_damaged_file_is_reported_and_its_points_are_computed_again(tmp_path, solved, damage):
    points = points_of(small())
    found = sweep.run(points, tmp_path)
    victim = min(tmp_path.rglob("*.json"))
    victim.write_text(damage(victim.read_text()))
    solved.clear()
    with pytest.warns(UserWarning, match=f"{victim.name} is damaged .*: its points are computed again"):
        again = sweep.run(points, tmp_path)
    assert len(solved) == 1
    assert all(again[point]["mse"] == found[point]["mse"] for point in points)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep.run(points, tmp_path)


def test_a_half_written_file_is_never_read(tmp_path, solved):
    points = points_of(small())
    sweep.run(points, tmp_path)
    whole = min(tmp_path.rglob("*.json"))
    whole.rename(whole.with_name(f".{whole.name}.a1b2"))  # the name under which a file is written
    solved.clear()
    sweep.run(points, tmp_path)
    assert len(solved) == 1 and whole.exists()


def test_a_killed_sweep_goes_on_and_two_processes_give_the_table_of_one(tmp_path):
    parallel, alone = tmp_path / "parallel", tmp_path / "alone"
    parallel.mkdir(), alone.mkdir()
    grid = ("--d", "60", "--seeds", "6", "--alphas", "3", "--batch", "3")
    total = 6 * 3 * 4  # 12 settings in batches of 3
    process = start(command("experiment-4", parallel, *grid, "--jobs", "2"), parallel)
    until(lambda: len(units_in(parallel)) >= 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.read_bytes() for path in units_in(parallel)}
    assert 5 <= len(kept) < total and not (parallel / "table.parquet").exists()

    assert sweep.main(command("experiment-4", parallel, *grid, "--jobs", "2")) == 0
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert len(units_in(parallel)) == total
    assert sweep.main(command("experiment-4", alone, *grid)) == 0
    (one, provenance), (other, expected) = (sweep_table.read_table(f / "table.parquet") for f in (parallel, alone))
    assert_same_results(one, other)
    assert {**provenance, "date": None} == {**expected, "date": None}


def test_a_killed_worker_process_is_explained_and_what_was_finished_is_kept(tmp_path):
    process = start(command("experiment-4", tmp_path, "--d", "100", "--seeds", "40", "--jobs", "2"), tmp_path)
    try:
        until(lambda: len(units_in(tmp_path)) >= 3)
        workers = [
            child for child in psutil.Process(process.pid).children() if "popen_loky" in " ".join(child.cmdline())
        ]
        workers[0].kill()
        assert process.wait(60) == 1
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    said = (tmp_path / "log").read_text()
    assert "a worker process was killed" in said and "the same command goes on" in said and "Traceback" not in said
    assert len(units_in(tmp_path)) >= 3 and not (tmp_path / "table.parquet").exists()


# the table


def test_the_table_is_tidy_and_says_how_it_was_made(tmp_path, capsys):
    assert sweep.main(command("all", tmp_path, *GRID)) == 0
    table, provenance = sweep_table.read_table(tmp_path / "table.parquet")
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(list(IDENTITY)).any()
    assert set(provenance) == {"made by", "format", "ptft", "key", "date", "machine"}
    assert provenance["ptft"] == ptft.__version__ and provenance["machine"] == [sweep.machine()]
    assert len(table) == 87 * 3 * 2 and table["converged"].all()
    assert f"{len(table)} rows" in capsys.readouterr().out

    single = table["experiment"] == "4"  # what needs pretraining is missing there, and only there
    for column in ("rho_pt", "omega", "lambda_pt", "gamma_ft"):
        assert (table[column].isna() == single).all()
    assert table.drop(columns=["rho_pt", "omega", "lambda_pt", "gamma_ft"]).notna().all(axis=None)

    shared = table.merge(table, on=list(IDENTITY[1:])).query("experiment_x != experiment_y")
    assert len(shared) > 0 and (shared["mse_x"] == shared["mse_y"]).all()

    setting = Setting(0.1, 1.0, gamma_ft=10.0)
    row = table.query("experiment == '1' and omega == 1 and gamma_ft == 10 and seed == 7 and alpha == 0.5").iloc[0]
    assert row["mse"] == pytest.approx(simulate(setting.teacher, setting.init, 0.5, 60, 7).mse, rel=1e-7)


def test_a_table_is_replaced_only_by_one_that_has_all_its_rows(tmp_path, capsys):
    out = tmp_path / "table.parquet"
    assert sweep.main(command("experiment-4", tmp_path, *GRID)) == 0
    small_table, _ = sweep_table.read_table(out)
    assert sweep.main(command("all", tmp_path, *GRID)) == 0
    large_table, _ = sweep_table.read_table(out)
    assert len(large_table) > len(small_table)
    data = out.read_bytes()
    assert sweep.main(command("experiment-4", tmp_path, *GRID)) == 2
    assert f"{out} has {75 * 6} rows that this sweep lacks: move it away" in capsys.readouterr().err
    assert out.read_bytes() == data


def test_a_table_of_another_version_or_origin_is_not_overwritten(tmp_path, capsys, monkeypatch):
    out = tmp_path / "table.parquet"
    arguments = command("experiment-4", tmp_path, *GRID)
    assert sweep.main(arguments) == 0
    work = sorted(path for path in tmp_path.rglob("*"))

    def refused(message):
        data = out.read_bytes()
        assert sweep.main(arguments) == 2
        assert message in capsys.readouterr().err
        assert out.read_bytes() == data and sorted(tmp_path.rglob("*")) == work

    with monkeypatch.context() as patch:
        patch.setattr(ptft, "__version__", "99")
        refused("table.parquet was made by ptft " + provenance_version(out))
    stored = parquet.read_table(out)
    metadata = stored.schema.metadata
    foreign = {**json.loads(metadata[b"ptft"]), "format": 0}
    parquet.write_table(stored.replace_schema_metadata({**metadata, b"ptft": json.dumps(foreign)}), out)
    refused("has format 0")
    stored.to_pandas().to_parquet(out)
    refused("is not a table of python -m ptft.sweep: move it away")
    out.write_text("something else")
    refused("is not a table of python -m ptft.sweep: move it away")


def provenance_version(path):
    return sweep_table.read_table(path)[1]["ptft"]


def test_a_table_gives_the_comparisons_that_simulating_again_gives(tmp_path):
    settings = experiments.experiment(2) + experiments.experiment(4)
    rows = small("experiment-2") + small("experiment-4") + sweep_table.plan("experiment-4", 40, [6, 7], [0.1, 0.5])
    stored, _ = sweep_table.table(rows, sweep.run(points_of(rows), tmp_path))
    found = sweep_table.comparisons(stored, 60)
    again = agreement.compare(settings, [0.1, 0.5], 60, [6, 7])
    assert list(found) == list(again)
    for setting in settings:
        for field in ("alpha", "theory", "given_teacher", "certified"):
            assert np.array_equal(getattr(found[setting], field), getattr(again[setting], field))
        assert found[setting].mse == pytest.approx(again[setting].mse, rel=1e-6)
    with pytest.raises(ValueError, match=r"d = 50 is not allowed: it must be one of \[40, 60\]"):
        sweep_table.comparisons(stored, 50)
    lacking = stored.drop(stored.query("experiment == '4' and d == 60").index[0])
    with pytest.raises(ValueError, match="complete: every seed at every alpha"):
        sweep_table.comparisons(lacking, 60)


def test_a_table_is_read_only_if_it_is_one(tmp_path):
    with pytest.raises(OSError):
        sweep_table.read_table(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("experiment,mse\n")
    with pytest.raises(ValueError, match=r"text.parquet is not a table"):
        sweep_table.read_table(tmp_path / "text.parquet")


# bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["experiment-5"], "the sweep = 'experiment-5' is not allowed: it must be one of experiment-1, experiment-2"),
        (["--d", "0"], "d = 0 is not allowed: it must be at least 1"),
        (["--d", "40"], "alpha = 0.01 is not allowed: it must be such that n = round(alpha d) is between 1 and d = 40"),
        (["--seeds", "0"], "--seeds = 0 is not allowed: it must be at least 1"),
        (["--first-seed", "-1"], "seed = -1 is not allowed: it must be at least 0"),
        (["--alphas", "0"], "--alphas = 0 is not allowed: it must be at least 1"),
        (["--jobs", "0"], "jobs = 0 is not allowed: it must be at least 1"),
        (["--batch", "0"], "batch = 0 is not allowed: it must be at least 1"),
        (["--out", "{folder}/table.csv"], "its name must end in .parquet"),
        (["--out", "{folder}/none/table.parquet"], "none cannot be written: No such file or directory"),
        (["--out", "{folder}/folder.parquet"], "folder.parquet is not a file"),
        (["--work", "{folder}/file"], "file cannot be made: Not a directory"),
        (["--work", "{folder}/file/work"], "work cannot be made: Not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_explained_and_nothing_is_written(tmp_path, capsys, change, message):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.parquet").mkdir()
    arguments = command("experiment-4", tmp_path, *GRID)
    change = [part.format(folder=tmp_path) for part in change]
    arguments = [*change, *arguments[1:]] if len(change) == 1 else [*arguments, *change]
    before = sorted(tmp_path.rglob("*"))
    assert sweep.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("ptft.sweep: ") == 1 and message in said
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=r"the work folder .* cannot be written: Permission denied"):
        require_writable(tmp_path, "the work folder")


@pytest.mark.parametrize(("missing", "extra"), [("joblib", "sweep"), ("pyarrow", "sweep"), ("distributed", "cluster")])
def test_a_missing_extra_is_named(tmp_path, missing, extra):
    arguments = command("experiment-4", tmp_path, *GRID, "--scheduler", "tcp://127.0.0.1:9")
    code = f"import sys; sys.modules[{missing!r}] = None; from ptft import sweep; sys.exit(sweep.main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0 and f"pip install ptft[{extra}]" in done.stderr


# Dask


@pytest.mark.parametrize("listens", [False, True], ids=["nobody listens", "nobody answers"])
def test_a_scheduler_that_does_not_answer_is_reported(tmp_path, capsys, monkeypatch, listens):
    monkeypatch.setattr(engine, "SCHEDULER_TIMEOUT", 1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert sweep.main(command("experiment-4", tmp_path, *GRID, "--scheduler", address)) == 2
    assert f"the scheduler {address} does not answer" in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_address_that_is_none_is_reported(tmp_path, capsys):
    assert sweep.main(command("experiment-4", tmp_path, *GRID, "--scheduler", "carrier-pigeon://x")) == 2
    assert "the scheduler carrier-pigeon://x does not answer" in capsys.readouterr().err


def test_a_worker_of_another_version_is_refused():
    unit = sweep.units(points_of(small()))[0]
    with pytest.raises(ValueError, match=r"a worker runs ptft .* but key abc is asked for"):
        sweep.solve(unit, "abc")


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler on loopback, its process, and those of its two workers."""
    where = tmp_path / "scheduler.json"
    local = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(where))
    dask = [sys.executable, "-m", "dask"]
    processes = []
    try:
        with (tmp_path / "cluster.log").open("w") as log:
            output = {"stdout": log, "stderr": log, "cwd": tmp_path}
            processes.append(subprocess.Popen([*dask, "scheduler", *local, "--port", "0"], **output))
            until(where.exists)
            options = ("--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path))
            processes += [subprocess.Popen([*dask, "worker", *local, *options], **output) for _ in range(2)]
        yield json.loads(where.read_text())["address"], *processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def both_work(client):
    """Both workers have tasks."""
    return len(client.processing()) == 2 and all(client.processing().values())


def test_a_dask_cluster_that_loses_a_worker_half_way_gives_the_same_table(tmp_path, cluster):
    from distributed import Client

    address, _, worker, other = cluster
    remote, alone = tmp_path / "remote", tmp_path / "alone"
    remote.mkdir(), alone.mkdir()
    grid = ("--d", "60", "--seeds", "18", "--alphas", "3", "--batch", "3")  # long enough to be caught at work
    total = 18 * 3 * 4
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        process = start(command("experiment-4", remote, *grid, "--scheduler", address), remote)
        try:
            until(lambda: process.poll() is not None or (both_work(client) and len(units_in(remote)) >= 5))
            assert process.poll() is None, (remote / "log").read_text()
            worker.kill()
            at_kill = len(units_in(remote))
            assert process.wait(180) == 0, (remote / "log").read_text()
        finally:
            process.kill()
        assert worker.wait() == -signal.SIGKILL and other.poll() is None
    assert 5 <= at_kill < total == len(units_in(remote))
    assert sweep.main(command("experiment-4", alone, *grid)) == 0
    (one, _), (other, _) = (sweep_table.read_table(folder / "table.parquet") for folder in (remote, alone))
    assert_same_results(one, other)


def test_a_lost_scheduler_is_reported_and_what_was_finished_is_kept(tmp_path, cluster):
    from distributed import Client

    address, scheduler, *_ = cluster
    grid = ("--d", "60", "--seeds", "6", "--alphas", "3", "--batch", "3")
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    process = start(command("experiment-4", tmp_path, *grid, "--scheduler", address), tmp_path)
    try:
        until(lambda: process.poll() is not None or len(units_in(tmp_path)) >= 3)
        scheduler.kill()
        assert process.wait(180) == 1, (tmp_path / "log").read_text()
    finally:
        process.kill()
    said = (tmp_path / "log").read_text()
    assert f"the scheduler {address} was lost" in said and "the same command goes on" in said
    assert not (tmp_path / "table.parquet").exists()
    kept = {path: path.read_bytes() for path in units_in(tmp_path)}
    assert 3 <= len(kept) < 6 * 3 * 4
    assert sweep.main(command("experiment-4", tmp_path, *grid)) == 0
    assert all(path.read_bytes() == data for path, data in kept.items())
