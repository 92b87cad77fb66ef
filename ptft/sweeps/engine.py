"""Runs any `Sweep`: in parallel on one machine or several, and so that a kill loses no more than what was in flight.

The points of a plan are solved in units: those that are solved together. Each unit is one task of the parallel run and
one file of the work folder, which the process that was started writes as soon as the unit is solved. What is there is
never computed again. The files lie in a folder named by the key of the sweep, so results of two versions never mix.
Preparations (`ptft.sweeps.sweep.Preparation`) come first; their files are large, and the tasks themselves write and
read them, so workers on other machines must see the same work folder.

Tasks are run with joblib here or on the workers of a Dask cluster. This module needs the extra ``ptft[sweep]``, and
``ptft[cluster]`` for a scheduler.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import ptft
from ptft.extras import needs_extra
from ptft.files import require_writable, write_whole
from ptft.sweeps import table
from ptft.sweeps.sweep import Preparation, Sweep
from ptft.validation import whole_number

with needs_extra("sweep", __name__):
    import pandas as pd
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm

SCHEDULER_TIMEOUT = 10  # seconds

Plan = Iterable[tuple[Any, ...]]  # rows, see `Sweep`
Unit = tuple[Any, ...]  # points that are solved together


class WorkersLost(RuntimeError):
    """Worker processes were killed more often than the engine puts up with, or their scheduler was."""


# --- a sweep ----------------------------------------------------------------------------------------------------------


def store(
    sweep: Sweep,
    plan: Plan,
    out: Path,
    work: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = False,
) -> dict[str, pd.DataFrame]:
    """`run`, and write the tables with their provenance; a table that is there is replaced by one that says more.

    Parameters
    ----------
    sweep, plan, work, jobs, scheduler, progress
        As in `run`.
    out : Path
        A file that ends in .parquet, or a folder if the sweep has several tables.

    Raises
    ------
    ValueError, OSError, RuntimeError
        As `run` and, before anything is computed, as `ptft.sweeps.table.check_out`.

    Examples
    --------
    >>> import tempfile
    >>> from ptft.sweeps import diagonal
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = Path(folder, "table.parquet")
    ...     _ = store(diagonal.SWEEP, diagonal.plan("experiment-4", 50, [0], [0.4]), out, folder)
    ...     print(len(diagonal.SWEEP.read_table(out)[0]))
    12
    """
    plan = list(plan)
    rows, files = sweep.identity(plan), sweep.files(out)
    for file in files.values():
        table.check_out(file, rows, sweep.provenance(), sweep.formerly)
    tables, provenance = run(sweep, plan, work, jobs, scheduler, progress)
    for name, file in files.items():
        table.write_table(file, tables[name], rows, provenance, sweep.formerly)
    return tables


def run(
    sweep: Sweep, plan: Plan, work: str | Path, jobs: int = 1, scheduler: str | None = None, progress: bool = False
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The results of a plan: those in the work folder are read, what is missing is computed.

    Parameters
    ----------
    sweep : Sweep
    plan : iterable of tuples, see `Sweep`
        Rows that are there twice count once.
    work : path
        Folder of folders, one for the points of each key and one for the files of its preparations.
    jobs : int, default 1
        Processes on this machine, with one thread each.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``, whose workers are used instead.
    progress : bool, default False
        Show bars with an estimate of the time left on standard error.

    Returns
    -------
    tables : dict of str to DataFrame
        By name, in the order of the plan: the columns of its rows, and those of the table.
    provenance : dict

    Raises
    ------
    ValueError
        If `jobs` is not allowed, or a worker runs another version.
    OSError
        If the work folder cannot be written, a worker does not see it, or the scheduler does not answer
        (ConnectionError).
    RuntimeError
        If something cannot be solved; the message names the sweep and the point.
    WorkersLost
        If workers or their scheduler were killed; what was finished is kept.

    Examples
    --------
    >>> import tempfile
    >>> from ptft.sweeps import diagonal
    >>> plan = diagonal.plan("experiment-4", 50, seeds=[0], alpha=[0.4])
    >>> with tempfile.TemporaryDirectory() as work:
    ...     first, _ = run(diagonal.SWEEP, plan, work)
    ...     again, made = run(diagonal.SWEEP, plan, work)  # read from its file
    >>> first["simulations"].equals(again["simulations"]), made["made by"]
    (True, 'python -m ptft.sweeps diagonal')
    """
    whole_number(jobs, "jobs", at_least=1)
    whole_number(sweep.batch, "batch", at_least=1)
    rows = list(dict.fromkeys(plan))
    points = list(dict.fromkeys(map(sweep.point_of, rows)))
    key, first = sweep.key, sweep.preparation
    folder = work_folder(work, key)
    found = read_points(sweep, folder)
    missing = [point for point in points if point not in found]
    solve = partial(_solve, sweep, None)
    if first is not None:
        home = work_folder(work, first.folder)
        solve = partial(_solve, sweep, home)
        pieces = _pieces(first, missing)
        fresh = [piece for piece in pieces if not _is_whole(first, home / first.file(piece))]
        with progress_bar(len(pieces), len(pieces) - len(fresh), progress, first.kind) as bar:
            for _ in solved(partial(_prepare, sweep, home), fresh, key, jobs, scheduler):
                bar.update()
    with progress_bar(len(points), len(points) - len(missing), progress) as bar:
        for text in solved(solve, units(sweep, missing), key, jobs, scheduler):
            done = _points(sweep, text, key)
            write_whole(folder / f"points_{table.digest(list(done))}.json", text.encode())
            found |= done
            bar.update(len(done))
    return _tables(sweep, rows, found)


def units(sweep: Sweep, points: Sequence[Any]) -> list[Unit]:
    """The points in the units in which they are solved, each with at most ``sweep.batch`` of them.

    Examples
    --------
    >>> from ptft.sweeps import diagonal
    >>> plan = diagonal.plan("experiment-4", 100, seeds=[0, 1], alpha=[0.1, 0.2])  # 12 settings
    >>> points = [diagonal.SWEEP.point_of(row) for row in plan]
    >>> [(unit[0].seed, unit[0].n, len(unit)) for unit in units(diagonal.SWEEP, points)]
    [(0, 20, 12), (0, 10, 12), (1, 20, 12), (1, 10, 12)]
    """
    if sweep.together is None:
        return [(point,) for point in points]
    groups: dict[Any, list[Any]] = {}
    for point in points:
        groups.setdefault(sweep.together(point), []).append(point)
    size = sweep.batch
    return [tuple(g[i : i + size]) for _, g in sorted(groups.items()) for i in range(0, len(g), size)]


def read_points(sweep: Sweep, folder: Path) -> dict[Any, dict[str, Any]]:
    """The finished points in a folder: of each the rows of every table, the machine, and its preparation's record.

    Warns
    -----
    UserWarning
        For each file that is not a whole unit of this sweep and its key; its points count as missing.

    Examples
    --------
    >>> from ptft.sweeps import diagonal
    >>> read_points(diagonal.SWEEP, Path("no such folder"))
    {}
    """
    found: dict[Any, dict[str, Any]] = {}
    key = sweep.key
    for path in sorted(folder.glob("points_*.json")):
        try:
            found |= _points(sweep, path.read_text(encoding="utf-8"), key)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            warnings.warn(f"{path} is damaged ({error!r}): its points are computed again", stacklevel=3)
    return found


def _points(sweep: Sweep, text: str, key: str) -> dict[Any, dict[str, Any]]:
    """What `_solve` returned, or the file of it."""
    unit = json.loads(text)
    if unit["key"] != key:
        raise ValueError(f"its key is {unit['key']}")
    found = {}
    for one in unit["points"]:
        for name, columns in sweep.tables.items():
            rows = one["rows"][name]
            if not rows or any(row.keys() != columns.keys() for row in rows):
                raise ValueError(f"its rows of {name} have not the columns {', '.join(columns)}")
            for row in rows:
                for column, kind in columns.items():
                    if type(row[column]) not in {int: (int,), str: (str,), bool: (bool,)}.get(kind, (float, int)):
                        raise TypeError(f"{column} = {row[column]!r}")
        kept = {"machine": str(unit["machine"]), "prepared": unit["prepared"]}
        found[sweep.point(**one["point"])] = {**kept, "rows": one["rows"]}
    return found


def _tables(
    sweep: Sweep, rows: list[tuple[Any, ...]], found: dict[Any, dict[str, Any]]
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    of = [found[sweep.point_of(row)] for row in rows]
    tables = {}
    for name, columns in sweep.tables.items():
        counts = [len(one["rows"][name]) for one in of]
        plan = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
        values = pd.DataFrame([row for one in of for row in one["rows"][name]], columns=list(columns))
        tables[name] = pd.concat([sweep.identity(plan), values.astype(dict(columns))], axis=1)
    provenance = {**sweep.provenance(), "machine": sorted({one["machine"] for one in of})}
    if sweep.preparation is not None and sweep.preparation.listed is not None:
        pieces = [sweep.preparation.needed_by(sweep.point_of(row)) for row in rows]
        records = {p: one["prepared"] for p, one in zip(pieces, of, strict=True) if p is not None}
        provenance[sweep.preparation.listed] = list(records.values())
    return tables, provenance


def _pieces(preparation: Preparation, points: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [piece for piece in dict.fromkeys(map(preparation.needed_by, points)) if piece is not None]


def _is_whole(preparation: Preparation, path: Path) -> bool:
    try:
        preparation.record(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        warnings.warn(f"{path} is damaged ({error}): it is made again", stacklevel=3)
        return False
    return True


def work_folder(work: str | Path, key: str) -> Path:
    """The folder of a key inside the work folder, made where it is missing.

    Raises
    ------
    OSError
        If it cannot be made, or files cannot be made in it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as work:
    ...     folder = work_folder(work, "0123abcd")
    ...     print(folder.name, folder.is_dir())
    0123abcd True
    """
    folder = Path(work).resolve() / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"the work folder {work} cannot be made: {error.strerror}") from error
    require_writable(folder, "the work folder")
    return folder


def progress_bar(total: int, done: int, shown: bool, unit: str = "point") -> tqdm:
    """A bar on standard error with an estimate of the time left.

    Examples
    --------
    >>> with progress_bar(total=10, done=4, shown=False) as bar:
    ...     print(bar.total, bar.disable)
    10 True
    """
    interval = 0.5 if sys.stderr.isatty() else 30  # seconds between lines of a log
    return tqdm(total=total, initial=done, unit=unit, smoothing=0, mininterval=interval, disable=not shown)


# --- in the process that solves a task --------------------------------------------------------------------------------


def _solve(sweep: Sweep, home: Path | None, unit: Unit, expected_key: str) -> str:
    """The content of the file of a unit; `home` is the folder of the preparations' files."""
    start_task(sweep.key, expected_key, home)
    piece = None if sweep.preparation is None else sweep.preparation.needed_by(unit[0])
    with _named(sweep, unit[0], len(unit) - 1):
        prepared = record = None
        if home is not None and sweep.preparation is not None and piece is not None:
            prepared = home / sweep.preparation.file(piece)
            record = sweep.preparation.record(prepared)
        rows = sweep.solve(unit, prepared)
        points = [{"point": point._asdict(), "rows": of} for point, of in zip(unit, rows, strict=True)]
        return json.dumps({"key": expected_key, "machine": sweep.machine(), "prepared": record, "points": points})


def _prepare(sweep: Sweep, home: Path, piece: tuple[Any, ...], expected_key: str) -> None:
    """Write the file of a preparation."""
    start_task(sweep.key, expected_key, home)
    assert sweep.preparation is not None
    with _named(sweep, piece):
        content = sweep.preparation.make(piece)
    write_whole(home / sweep.preparation.file(piece), content)


@contextmanager
def _named(sweep: Sweep, what: Any, others: int = 0) -> Iterator[None]:
    """Whatever goes wrong is told with the name of what was solved; warnings of solvers stand in columns instead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    except Exception as error:
        among = f", or one of {others} solved with it," if others else ""
        raise RuntimeError(f"{sweep.name}: {what}{among} failed: {type(error).__name__}: {error}") from error


def start_task(key: str, expected_key: str, folder: Path | None = None) -> None:
    """In the process that solves a task: refuse to serve another version, and use one BLAS thread from now on.

    Raises
    ------
    ValueError
        If this process has another key than the one that asks.
    FileNotFoundError
        If a work folder is given, as where tasks write their files themselves, and this process does not see it.

    Examples
    --------
    >>> with threadpool_limits(None):  # as in `solved`, which restores the number of threads
    ...     start_task(key="here", expected_key="here")
    """
    if key != expected_key:
        raise ValueError(f"a worker runs ptft {ptft.__version__} with key {key}, but key {expected_key} is asked for")
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(f"a worker does not see the work folder {folder}: all machines must share it")
    threadpool_limits(1)  # lasts: a worker process does nothing else, and `solved` undoes it in the calling process


# --- tasks in parallel ------------------------------------------------------------------------------------------------


def solved(
    solve: Callable[[Any, str], Any], tasks: Sequence[Any], key: str, jobs: int = 1, scheduler: str | None = None
) -> Iterator[Any]:
    """``solve(task, key)`` of every task, in the order in which they are done.

    Parameters
    ----------
    solve : function of a module that the workers can import; it should begin with `start_task`
    tasks : sequence
        Started in this order.
    key : str
        What `solve` compares with its own.
    jobs : int, default 1
        Processes on this machine, at least 1.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``, whose workers are used instead.

    Raises
    ------
    ConnectionError
        If the scheduler does not answer.
    WorkersLost
        If workers or their scheduler were killed.
    Exception
        What `solve` raises.

    Examples
    --------
    >>> def double(task, key):  # of a module, where there is more than one process
    ...     return 2 * task
    >>> list(solved(double, [1, 2, 3], key="any"))
    [2, 4, 6]
    """
    with threadpool_limits(None):  # restores the number of threads
        yield from _by_dask(solve, tasks, key, scheduler) if scheduler else _by_joblib(solve, tasks, key, jobs)


def _by_joblib(solve: Callable[[Any, str], Any], tasks: Sequence[Any], key: str, jobs: int) -> Iterator[Any]:
    parallel = Parallel(n_jobs=min(jobs, len(tasks) or 1), return_as="generator_unordered", batch_size=1)
    try:
        yield from parallel(delayed(solve)(task, key) for task in tasks)
    except BrokenExecutor as error:
        raise WorkersLost("a worker process was killed; was there memory for this many --jobs?") from error


async def _greet(scheduler: str) -> None:
    """Exchange greetings with a scheduler: `Client` would wait for ever for one that accepts and keeps silent."""
    with needs_extra("cluster", "--scheduler"):
        from distributed.comm import connect

    comm = await connect(scheduler, timeout=SCHEDULER_TIMEOUT)
    await comm.close()


def _by_dask(solve: Callable[[Any, str], Any], tasks: Sequence[Any], key: str, scheduler: str) -> Iterator[Any]:
    with needs_extra("cluster", "--scheduler"):
        from distributed import Client, KilledWorker, as_completed
    try:
        with ThreadPoolExecutor(1) as thread:  # a thread of its own, as a notebook already runs an event loop
            thread.submit(asyncio.run, asyncio.wait_for(_greet(scheduler), SCHEDULER_TIMEOUT)).result()
        client = Client(scheduler, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error) or f"nothing heard in {SCHEDULER_TIMEOUT} s"
        raise ConnectionError(f"the scheduler {scheduler} does not answer: {reason}") from error
    try:
        # a result is a function of its task, yet two sweeps on one cluster must not share futures: pure=False
        futures = [client.submit(solve, task, key, pure=False, priority=-i) for i, task in enumerate(tasks)]
        for _, result in as_completed(futures, client.loop, with_results=True):
            if isinstance(result, BaseException):  # the way in which a cancelled future arrives
                raise WorkersLost(f"the scheduler {scheduler} was lost")
            yield result
    except KilledWorker as error:
        raise WorkersLost("Dask gave up on a task whose workers were killed several times") from error
    finally:
        with suppress(TimeoutError):  # a scheduler that was lost says no goodbye
            client.close(timeout=SCHEDULER_TIMEOUT)
