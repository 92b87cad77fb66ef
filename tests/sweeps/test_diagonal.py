"""The sweep over the published experiments, its grid and its table; with it as example, processes that are lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import psutil
import pytest
from conftest import family, left_of
from sweep_cases import dying

import ptft
from ptft import agreement, experiments, simulate
from ptft.experiments import Setting
from ptft.sweeps import diagonal, engine
from ptft.sweeps.__main__ import main
from ptft.sweeps.diagonal import SWEEP, DiagonalPoint
from ptft.sweeps.engine import WorkersLost

GRID = ("--d", "60", "--seeds", "2", "--alphas", "3")


def small(name="experiment-4", seeds=range(6, 8), alpha=(0.1, 0.5)):
    """A plan of a second or less."""
    return diagonal.plan(name, 60, seeds, alpha)


def points_of(rows):
    return list(dict.fromkeys(map(SWEEP.point_of, rows)))


def command(name, folder, *options):
    """The command line of a sweep whose table and work folder lie in `folder`."""
    return ["diagonal", name, *options, "--out", str(folder / "table.parquet"), "--work", str(folder / "work")]


def start(arguments, folder):
    """The sweep as a process that leads its own group."""
    with (folder / "log").open("w") as log:
        argv = [sys.executable, "-m", "ptft.sweeps", *arguments]
        return subprocess.Popen(argv, stderr=log, stdout=log, start_new_session=True)


def units_in(folder):
    return sorted((folder / "work").glob("*/points_*.json"))


def until(condition, seconds=600):
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

    monkeypatch.setattr(diagonal, "simulate_many", counting)
    return calls


# the grid


def test_a_sweep_has_every_setting_of_its_experiment_at_every_alpha_and_seed():
    counts = {1: 21, 2: 14, 3: 28, 4: 12}
    for number, count in counts.items():
        assert len(small(f"experiment-{number}")) == count * 2 * 2
    published = diagonal.plan("all", 5000, range(6, 20))
    assert len(published) == (21 + 14 + 28 + 12 + 12) * 11 * 14
    assert {label for label, *_ in published} == {"1", "2", "3", "4", "figure-5"}
    assert sorted({SWEEP.point_of(row).n for row in published}) == np.round(experiments.ALPHA * 5000).tolist()


def test_a_point_has_the_setting_of_its_row():
    for settings in experiments.settings_of("all").values():
        for setting in settings:
            assert DiagonalPoint(*setting.numbers, 60, 0.5, 0).setting == setting


def test_units_hold_every_point_once_seed_by_seed_from_the_largest_n():
    points = points_of(small("all"))
    assert len(points) < len(small("all"))
    tasks = engine.units(replace(SWEEP, batch=5), points)
    held = [point for unit in tasks for point in unit]
    assert len(held) == len(set(held)) and set(held) == set(points)
    assert all(1 <= len(unit) <= 5 and len({point[-3:] for point in unit}) == 1 for unit in tasks)
    order = [(unit[0].seed, -unit[0].n) for unit in tasks]
    assert order == sorted(order) and len(set(order)) == 4


# results


def test_a_sweep_gives_what_simulate_gives(tmp_path):
    rows = small()
    tables, _ = engine.run(SWEEP, rows, tmp_path)
    for row, result in zip(rows, tables["simulations"].to_dict("records"), strict=True):
        point = SWEEP.point_of(row)
        alone = simulate(point.setting.teacher, point.setting.init, point.n / point.d, point.d, point.seed)
        assert result["mse"] == pytest.approx(alone.mse, rel=1e-7)
        assert result["converged"] and result["kkt_residual"] <= 1e-10 and result["seconds"] > 0


def test_what_experiments_share_is_simulated_once_and_never_again(tmp_path, solved):
    small_one, large_one = small("experiment-1", seeds=[6]), small("all")
    engine.run(SWEEP, small_one, tmp_path)
    assert sum(call[0] for call in solved) == len(points_of(small_one))
    solved.clear()
    engine.run(SWEEP, large_one, tmp_path)
    assert sum(call[0] for call in solved) == len(set(points_of(large_one)) - set(points_of(small_one)))
    assert len(points_of(large_one)) < len(large_one)


def test_other_parameters_never_share_results(tmp_path, solved, monkeypatch):
    one = small(seeds=[6], alpha=[0.5])
    found = engine.run(SWEEP, one, tmp_path)[0]["simulations"]
    for column, value in {"d": 80, "alpha": 20 / 60, "seed": 9}.items():
        solved.clear()
        other = [(label, *SWEEP.point_of((label, *point))._replace(**{column: value})) for label, *point in one]
        results = engine.run(SWEEP, other, tmp_path)[0]["simulations"]
        assert sum(call[0] for call in solved) == len(one)
        assert (results["mse"] != found["mse"]).all()
    solved.clear()
    monkeypatch.setattr(ptft, "__version__", "99")
    engine.run(SWEEP, one, tmp_path)
    assert sum(call[0] for call in solved) == len(one)
    assert len(list(tmp_path.iterdir())) == 2  # a folder for each version


def test_what_is_not_certified_is_marked(tmp_path, monkeypatch):
    def uncertified(settings, *arguments):
        done = ptft.simulation.simulate_many(settings, *arguments)
        return [ptft.SimulatedPoint(**{**vars(point), "converged": False}) for point in done]

    monkeypatch.setattr(diagonal, "simulate_many", uncertified)
    assert not engine.run(SWEEP, small(seeds=[6]), tmp_path)[0]["simulations"]["converged"].any()


# the table


def test_the_table_is_tidy_and_says_how_it_was_made(tmp_path, capsys):
    assert main(command("all", tmp_path, *GRID)) == 0
    table, provenance = SWEEP.read_table(tmp_path / "table.parquet")
    identity = ["experiment", *DiagonalPoint._fields]
    assert not table.duplicated(identity).any()
    assert set(provenance) == {"made by", "format", "ptft", "key", "date", "machine"}
    assert provenance["ptft"] == ptft.__version__
    assert len(table) == 87 * 3 * 2 and table["converged"].all()
    assert f"{len(table)} rows" in capsys.readouterr().out

    single = table["experiment"] == "4"  # what needs pretraining is missing there, and only there
    for column in ("rho_pt", "omega", "lambda_pt", "gamma_ft"):
        assert (table[column].isna() == single).all()
    assert table.drop(columns=["rho_pt", "omega", "lambda_pt", "gamma_ft"]).notna().all(axis=None)

    shared = table.merge(table, on=identity[1:]).query("experiment_x != experiment_y")
    assert len(shared) > 0 and (shared["mse_x"] == shared["mse_y"]).all()

    setting = Setting(0.1, 1.0, gamma_ft=10.0)
    row = table.query("experiment == '1' and omega == 1 and gamma_ft == 10 and seed == 7 and alpha == 0.5").iloc[0]
    assert row["mse"] == pytest.approx(simulate(setting.teacher, setting.init, 0.5, 60, 7).mse, rel=1e-7)


def test_a_table_gives_the_comparisons_that_simulating_again_gives(tmp_path):
    settings = experiments.experiment(2) + experiments.experiment(4)
    rows = small("experiment-2") + small("experiment-4") + diagonal.plan("experiment-4", 40, [6, 7], [0.1, 0.5])
    stored = engine.run(SWEEP, rows, tmp_path)[0]["simulations"]
    found = agreement.stored_comparisons(stored, 60)
    again = agreement.compare(settings, [0.1, 0.5], 60, [6, 7])
    assert list(found) == list(again)
    for setting in settings:
        for field in ("alpha", "theory", "given_teacher", "certified"):
            assert np.array_equal(getattr(found[setting], field), getattr(again[setting], field))
        assert found[setting].mse == pytest.approx(again[setting].mse, rel=1e-6)
    with pytest.raises(ValueError, match=r"d = 50 is not allowed: it must be one of \[40, 60\]"):
        agreement.stored_comparisons(stored, 50)
    lacking = stored.drop(stored.query("experiment == '4' and d == 60").index[0])
    with pytest.raises(ValueError, match="complete: every seed at every alpha"):
        agreement.stored_comparisons(lacking, 60)
    for bad, said in (
        (stored.assign(converged="no"), r"stored\['converged'\] = 'a column of kind string' is not allowed"),
        (stored.assign(converged=1.0), r"stored\['converged'\] = 'a column of kind floating' is not allowed"),
        (stored.assign(mse="0.1"), r"stored\['mse'\] = 'a column of kind string' is not allowed: .* numbers"),
        (stored.assign(d=["all", *stored["d"][1:]]), r"stored\['d'\] = 'a column of kind mixed.* is not allowed"),
        (stored.assign(rho_pt=True), r"stored\['rho_pt'\] = 'a column of kind boolean' is not allowed"),
        (pd.concat([stored, stored.assign(mse=2.0)]), "rows of points that are there' is not allowed"),
        (pd.concat([stored, stored[["mse"]]], axis=1), "stored = 'a table with two columns mse' is not allowed"),
    ):
        with pytest.raises(ValueError, match=said):
            agreement.stored_comparisons(bad, 60)


def test_the_stored_table_goes_on_with_the_key_of_its_version(monkeypatch):
    from ptft.book.results import results_file

    _, made = SWEEP.read_table(results_file("simulations.parquet"))
    monkeypatch.setattr(ptft, "__version__", made["ptft"])
    assert SWEEP.key == made["key"]


# processes


@pytest.mark.slow  # `test_sweeps.py` does it for every sweep, with fewer processes
def test_a_killed_sweep_goes_on_and_two_processes_give_the_table_of_one(tmp_path):
    parallel, alone = tmp_path / "parallel", tmp_path / "alone"
    parallel.mkdir(), alone.mkdir()
    grid = ("--d", "60", "--seeds", "3", "--alphas", "3", "--batch", "3")
    total = 3 * 3 * 4  # 12 settings in batches of 3
    process = start(command("experiment-4", parallel, *grid, "--jobs", "2"), parallel)
    until(lambda: len(units_in(parallel)) >= 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.read_bytes() for path in units_in(parallel)}
    assert 5 <= len(kept) < total and not (parallel / "table.parquet").exists()

    assert main(command("experiment-4", parallel, *grid, "--jobs", "2")) == 0
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert len(units_in(parallel)) == total
    assert main(command("experiment-4", alone, *grid)) == 0
    (one, provenance), (other, expected) = (SWEEP.read_table(f / "table.parquet") for f in (parallel, alone))
    assert_same_results(one, other)
    assert {**provenance, "date": None} == {**expected, "date": None}


def test_a_killed_worker_process_loses_nothing_that_was_finished(tmp_path):
    plan = small()
    engine.run(SWEEP, plan[::2], tmp_path / "work")
    kept = units_in(tmp_path)
    lost = replace(SWEEP, solve=partial(dying, SWEEP.solve, os.getpid()))
    with pytest.raises(WorkersLost, match="a worker process was killed"):
        engine.run(lost, plan, tmp_path / "work", jobs=2)
    assert units_in(tmp_path) == kept
    tables, _ = engine.run(SWEEP, plan, tmp_path / "work")
    assert set(kept) < set(units_in(tmp_path)) and len(tables["simulations"]) == len(plan)


@pytest.mark.slow
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


@pytest.mark.parametrize("ending", [pytest.param("SIGTERM", marks=pytest.mark.slow), "SIGKILL"])
def test_no_worker_process_outlives_a_sweep_that_is_ended(tmp_path, ending):
    process = start(command("experiment-4", tmp_path, "--d", "300", "--seeds", "99", "--jobs", "2"), tmp_path)
    until(lambda: process.poll() is not None or len(units_in(tmp_path)) >= 1)
    processes = family(process.pid)
    assert len(processes) >= 3, (tmp_path / "log").read_text()
    process.send_signal(getattr(signal, ending))
    assert left_of(processes, seconds=10) == []
    if ending == "SIGTERM":
        said = (tmp_path / "log").read_text()
        assert process.wait() == 1 and "interrupted\nWhat was finished is kept: the same command goes on." in said
        assert "Traceback" not in said
    assert len(units_in(tmp_path)) >= 1  # a half-written one, whose name starts with a dot, is never read


@pytest.mark.parametrize(("missing", "extra"), [("joblib", "sweep"), ("pyarrow", "sweep"), ("distributed", "cluster")])
def test_a_missing_extra_is_named(tmp_path, missing, extra):
    arguments = command("experiment-4", tmp_path, *GRID, "--scheduler", "tcp://127.0.0.1:9")
    code = f"import sys; sys.modules[{missing!r}] = None; from ptft.sweeps.__main__ import main as run; "
    code += f"sys.exit(run({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and f"pip install 'ptft[{extra}]'" in done.stderr


# Dask


@pytest.mark.parametrize("listens", [False, True], ids=["nobody listens", "nobody answers"])
def test_a_scheduler_that_does_not_answer_is_reported(tmp_path, capsys, monkeypatch, listens):
    monkeypatch.setattr(engine, "SCHEDULER_TIMEOUT", 1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert main(command("experiment-4", tmp_path, *GRID, "--scheduler", address)) == 2
    assert f"the scheduler {address} does not answer" in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


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


@pytest.mark.slow  # `test_sweeps.py` does it for every sweep, with fewer processes
def test_a_dask_cluster_that_loses_a_worker_half_way_gives_the_same_table(tmp_path, cluster):
    from distributed import Client

    address, _, worker, other = cluster
    remote, alone = tmp_path / "remote", tmp_path / "alone"
    remote.mkdir(), alone.mkdir()
    grid = ("--d", "60", "--seeds", "24", "--alphas", "3", "--batch", "3")  # long enough to be caught at work
    total = 24 * 3 * 4
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
    assert main(command("experiment-4", alone, *grid)) == 0
    (one, _), (other, _) = (SWEEP.read_table(folder / "table.parquet") for folder in (remote, alone))
    assert_same_results(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("illness", "said"),
    [
        ("scheduler killed", "was lost"),
        ("scheduler stopped", "said nothing for 5 s"),
        ("workers killed", "had no workers for 5 s"),
        ("workers without ptft", "had no workers for 5 s; those without ptft stop at once"),
    ],
)
def test_a_cluster_that_falls_ill_is_given_up_and_what_was_finished_is_kept(
    tmp_path, cluster, monkeypatch, illness, said
):
    address, scheduler, *workers = cluster
    monkeypatch.setattr(engine, "PATIENCE", 5)
    sweep, plan = replace(SWEEP, batch=3), small(seeds=range(3), alpha=(0.1, 0.2, 0.5))

    def fall_ill():
        until(lambda: len(units_in(tmp_path)) >= 3)
        for process in workers if illness == "workers killed" else [scheduler]:
            process.send_signal(signal.SIGSTOP if illness == "scheduler stopped" else signal.SIGKILL)

    if illness == "workers without ptft":
        for process in workers:
            process.kill()
        code = "import sys; sys.modules['ptft'] = None; from distributed.cli.dask_worker import main; main()"
        options = ("--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path))
        workers.append(subprocess.Popen([sys.executable, "-c", code, address, *options], stderr=subprocess.DEVNULL))
    else:
        threading.Thread(target=fall_ill, daemon=True).start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(WorkersLost, match=f"the scheduler {address} {said}"):
            engine.run(sweep, plan, tmp_path / "work", scheduler=address)
    workers[-1].kill(), workers[-1].wait()
    kept = {path: path.read_bytes() for path in units_in(tmp_path)}
    total = 3 * 3 * 4
    assert len(kept) == 0 if illness == "workers without ptft" else 3 <= len(kept) < total
    engine.run(sweep, plan, tmp_path / "work")
    assert len(units_in(tmp_path)) == total and all(path.read_bytes() == data for path, data in kept.items())


def test_a_scheduler_without_workers_is_given_up_and_that_it_is_waited_for_is_said(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(engine, "PATIENCE", 1.5)
    options = {"n_workers": 0, "processes": False, "dashboard_address": None, "protocol": "tcp"}
    with distributed.LocalCluster(**options) as local:
        address = local.scheduler_address
        with (
            pytest.warns(UserWarning, match=f"{address} has no workers: waiting for one, at most 1.5 s"),
            pytest.raises(WorkersLost, match=f"{address} had no workers for 1.5 s"),
        ):
            engine.run(SWEEP, small(), tmp_path, scheduler=address)


WORDS = {"none": b"", "HTTP": b"HTTP/1.1 400 Bad Request", "SSH": b"SSH-2.0-OpenSSH", "zeros": bytes(64)}
WORDS |= {"many": b"\xff" * 64, "few": b"\3" + bytes(7) + b"abc"}  # the first eight bytes are a length


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_a_peer_that_is_no_scheduler_is_reported(tmp_path, monkeypatch, word):
    pytest.importorskip("distributed")
    monkeypatch.setattr(engine, "SCHEDULER_TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = []

        def answer():
            heard.append(server.accept()[0])
            heard[0].sendall(word)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"the scheduler {address} does not answer: "):
            engine.run(SWEEP, small(), tmp_path, scheduler=address)
        heard[0].close()
    assert units_in(tmp_path) == []
