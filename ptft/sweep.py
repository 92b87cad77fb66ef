"""``python -m ptft.sweep experiment-1 --d 5000 --seeds 14 --jobs 2 --out TABLE.parquet``: simulate the experiments.

Points that share d, n and seed share their inputs, so they are solved together, up to `BATCH` settings in one unit: a
unit is one task of the parallel run and one file of the work folder, written as soon as it is solved. A sweep that was
stopped, or that grows, computes only what no file holds. The files lie in a folder named by `key`, so that results of
two versions never mix.

Tasks are run by joblib on one machine and Dask on several; only the process that was started writes
files. This module needs the extra ``ptft[sweep]``, and ``ptft[cluster]`` for ``--scheduler``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptft import experiments
from ptft.experiments import Setting
from ptft.files import write_whole
from ptft.simulation import simulate_many
from ptft.sweep_table import MEASURED, NAMES, Point, check_out, key, plan, write_table
from ptft.sweeps.engine import add_options, command, machine, progress_bar, read_files, solved, start_task, work_folder
from ptft.sweeps.table import digest
from ptft.validation import whole_number

BATCH = 16  # settings in a unit


@dataclass(frozen=True)
class Unit:
    """Points with the same inputs, solved together."""

    d: int
    n: int
    seed: int
    settings: tuple[Setting, ...]


def units(points: Iterable[Point], batch: int = BATCH) -> list[Unit]:
    """The tasks that solve `points`, each with at most `batch` settings: seed after seed, the largest n first.

    Examples
    --------
    >>> points = [Point(Setting(omega=omega), 100, n, 0) for omega in (0.0, 1.0) for n in (10, 20)]
    >>> [(unit.n, len(unit.settings)) for unit in units(points)]
    [(20, 2), (10, 2)]
    """
    groups: dict[tuple[int, int, int], dict[Setting, None]] = {}
    for setting, d, n, seed in points:
        groups.setdefault((seed, -n, d), {})[setting] = None
    tasks = []
    for group in sorted(groups):
        seed, minus_n, d = group
        settings = tuple(groups[group])
        tasks += [Unit(d, -minus_n, seed, settings[i : i + batch]) for i in range(0, len(settings), batch)]
    return tasks


def solve(unit: Unit, expected_key: str) -> dict[str, Any]:
    """Simulate a unit on one BLAS thread: what its file holds.

    Of a point: the fields of `SimulatedPoint` named in `MEASURED`, and an equal share of the unit's wall time, in
    seconds. The process keeps the limit of one thread.

    Raises
    ------
    ValueError
        If this process runs another version than the one that asks.
    RuntimeError
        If the simulation fails; the message names the unit.

    Examples
    --------
    >>> done = solve(Unit(d=50, n=20, seed=0, settings=(Setting(), Setting(omega=1.0))), key())
    >>> [point["converged"] for point in done["points"]]
    [True, True]
    """
    start_task(key(), expected_key)
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the column `converged` says it
            done = simulate_many([(s.teacher, s.init) for s in unit.settings], unit.n / unit.d, unit.d, unit.seed)
    except Exception as error:
        point = f"d = {unit.d}, n = {unit.n}, seed = {unit.seed}"
        raise RuntimeError(f"the simulation failed for {point}: {error!r}") from error
    seconds = (time.perf_counter() - start) / len(done)
    points = [
        {"setting": asdict(setting), **{c: getattr(point, c) for c in MEASURED[:-1]}, "seconds": seconds}
        for setting, point in zip(unit.settings, done, strict=True)
    ]
    return {"key": expected_key, "d": unit.d, "n": unit.n, "seed": unit.seed, "machine": machine(), "points": points}


def read_units(folder: Path) -> dict[Point, dict[str, Any]]:
    """The points of all finished units in a folder: columns `MEASURED` and ``machine``.

    Warns
    -----
    UserWarning
        For each file that is not a finished unit of this `key`; its points count as missing.

    Examples
    --------
    >>> read_units(Path("no such folder"))
    {}
    """
    return read_files(folder.glob("d-*.json"), _read_unit)


def _read_unit(path: Path) -> dict[Point, dict[str, Any]]:
    unit = json.loads(path.read_text(encoding="utf-8"))
    if unit["key"] != key():
        raise ValueError(f"its key is {unit['key']}")
    return {
        Point(Setting(**point["setting"]), unit["d"], unit["n"], unit["seed"]): {
            "machine": unit["machine"],
            **{column: point[column] for column in MEASURED},
        }
        for point in unit["points"]
    }


def run(
    points: Iterable[Point],
    work: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    batch: int = BATCH,
    progress: bool = False,
) -> dict[Point, dict[str, Any]]:
    """The results of `points`: those in the work folder are read, what is missing is computed.

    Parameters
    ----------
    points : iterable of Point
    work : path
        Folder of folders, one per `key`, with a file per unit.
    jobs : int, default 1
        Processes on this machine, with one BLAS thread each.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``, whose workers are used instead.
    batch : int, default `BATCH`
        Settings in a unit: a kill loses at most the units in flight.
    progress : bool, default False
        Show a bar with an estimate of the time left on standard error.

    Returns
    -------
    dict of Point to dict with the keys `MEASURED` and ``machine``

    Raises
    ------
    ValueError
        If an argument is outside its range, or a worker runs another version.
    OSError
        If the work folder cannot be written, or the scheduler does not answer (ConnectionError).
    WorkersLost
        If workers or their scheduler were killed; what was finished is kept.

    Examples
    --------
    >>> import tempfile
    >>> point = Point(Setting(omega=1.0), d=50, n=20, seed=0)
    >>> with tempfile.TemporaryDirectory() as work:
    ...     first = run([point], work)
    ...     again = run([point], work)  # read from its file
    >>> first == again, first[point]["converged"]
    (True, True)
    """
    whole_number(jobs, "jobs", at_least=1)
    whole_number(batch, "batch", at_least=1)
    wanted = list(dict.fromkeys(points))
    folder = work_folder(work, key())
    found = read_units(folder)
    tasks = units([point for point in wanted if point not in found], batch)
    missing = sum(len(unit.settings) for unit in tasks)
    with progress_bar(len(wanted), len(wanted) - missing, progress) as bar:
        for unit in solved(solve, tasks, key(), jobs, scheduler):
            text = json.dumps(unit)
            name = digest([point["setting"] for point in unit["points"]])
            file = folder / f"d-{unit['d']}_seed-{unit['seed']:03d}_n-{unit['n']:05d}_{name}.json"
            write_whole(file, text.encode())
            bar.update(len(unit["points"]))
    found = read_units(folder) if tasks else found
    return {point: found[point] for point in wanted}


@command("ptft.sweep")
def main(arguments: list[str] | None = None) -> None:
    """Run a sweep and write its table; the exit status is that of `ptft.sweeps.engine.command`.

    Examples
    --------
    >>> main(["experiment-5", "--d", "100", "--out", "table.parquet"])  # there is no such experiment
    2
    """
    parser = argparse.ArgumentParser(
        prog="python -m ptft.sweep", description="Simulate a published experiment, or go on with a sweep, and store it."
    )
    parser.add_argument("name", help=", ".join(NAMES))
    parser.add_argument("--d", type=int, nargs="+", required=True, help="one dimension or several (published: 5000)")
    parser.add_argument("--out", type=Path, required=True, help="the table, a .parquet file")
    parser.add_argument("--seeds", type=int, default=14, help="number of seeds (default 14)")
    parser.add_argument("--first-seed", type=int, default=6, help="the first seed (default 6)")
    parser.add_argument("--alphas", type=int, default=len(experiments.ALPHA), help="number of alphas (default 11)")
    add_options(parser, "_build/sweep")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"settings solved together (default {BATCH})")
    args = parser.parse_args(arguments)
    first, last = experiments.ALPHA[[0, -1]].tolist()
    alpha = np.linspace(first, last, whole_number(args.alphas, "--alphas", at_least=1))
    seeds = range(args.first_seed, args.first_seed + whole_number(args.seeds, "--seeds", at_least=1))
    rows = [row for d in dict.fromkeys(args.d) for row in plan(args.name, d, seeds, alpha)]
    check_out(args.out, rows)
    points = [point for _, point in rows]
    found = run(points, args.work, args.jobs, args.scheduler, args.batch, progress=True)
    write_table(args.out, rows, found)
    failed = sum(not result["converged"] for result in found.values())
    print(f"{len(rows)} rows, {len(found)} points in {args.out}; not certified: {failed}")


if __name__ == "__main__":
    from ptft.sweep import main as imported_main  # worker processes find its functions by the name of the module

    sys.exit(imported_main())
