"""Runs any `Sweep`: in parallel on one machine or several, and so that a kill loses no more than what was in flight.

The points of a plan are solved in units: those that are solved together. Each unit is one task of the parallel run and
one file of the work folder, which the process that was started writes as soon as the unit is solved. What is there is
never computed again. The files lie in a folder named by the key of the sweep, so results of two versions never mix.
Preparations (`ptft.sweeps.sweep.Preparation`) come first; their files are large, and the tasks themselves write and
read them, so workers on other machines must see the same work folder. The name of each file ends in a digest of its
content: one that is damaged gets another name, is reported, and counts as missing.

Tasks are run with joblib here or on the workers of a Dask cluster. This module needs the extra ``ptft[sweep]``, and
``ptft[cluster]`` for a scheduler.
"""

from __future__ import annotations

import asyncio
import functools
import glob
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import ptft
from ptft.extras import needs_extra
from ptft.files import DIGITS, read_sealed, require_writable, write_sealed
from ptft.sweeps import table
from ptft.sweeps.sweep import Preparation, Sweep, first_type, fits, machine
from ptft.validation import require, whole_number

with needs_extra("sweep", __name__):
    import pandas as pd
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm

SCHEDULER_TIMEOUT = 10  # seconds in which a scheduler must answer
PATIENCE = 60  # seconds without a worker, or without a word of the scheduler, after which a sweep is given up
LOOK = 1  # seconds between questions to a scheduler

Plan = Iterable[tuple[Any, ...]]  # rows, see `Sweep`
Unit = tuple[Any, ...]  # points that are solved together


class WorkersLost(RuntimeError):
    """Worker processes were killed more often than the engine puts up with, or they or their scheduler are gone."""


# --- a sweep ----------------------------------------------------------------------------------------------------------


def store(
    sweep: Sweep,
    plan: Plan,
    out: Path,
    work: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = False,
    extend: bool = False,
) -> dict[str, pd.DataFrame]:
    """`run`, and write the tables with their provenance; a table that is there is replaced by one that says more.

    Parameters
    ----------
    sweep, plan, work, jobs, scheduler, progress
        As in `run`.
    out : Path
        A file that ends in .parquet, or a folder if the sweep has several tables.
    extend : bool, default False
        Keep all rows of the tables that are there, whatever the plan, and run only what they lack of it: no work folder
        of theirs is needed.

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
    plan = list(dict.fromkeys(plan))
    require(len(plan) > 0, "number of points", 0, "at least 1")
    rows, files = sweep.identity(plan), sweep.files(out)
    there: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {}
    if extend and any(file.exists() for file in files.values()):
        for file in files.values():
            if not file.exists():
                raise FileNotFoundError(f"{file} is missing, and the tables beside it cannot be extended alone")
        there = {name: sweep.read_table(file) for name, file in files.items()}
        old = next(iter(there.values()))[0]
        rows = pd.concat([old.reindex(columns=rows.columns), rows], ignore_index=True).drop_duplicates()
    for name, file in files.items():
        table.check_out(file, rows, sweep.provenance(), sweep.formerly, sweep.tables[name])
    if there:
        known = old[list(rows)].drop_duplicates()
        new = sweep.identity(plan).merge(known, how="left", indicator=True)["_merge"] == "left_only"
        plan = [row for row, lacking in zip(plan, new, strict=True) if lacking]
    tables, provenance = run(sweep, plan, work, jobs, scheduler, progress)
    for name, (old, made) in there.items():
        tables[name] = pd.concat([old, tables[name]], ignore_index=True) if plan else old
        provenance |= {entry: _union(made[entry], provenance[entry]) for entry in _listed(sweep)}
    for name, file in files.items():
        table.write_table(file, tables[name], rows, provenance, sweep.formerly)
    return tables


def _listed(sweep: Sweep) -> list[str]:
    """The entries of a provenance that list what holds for some of the rows."""
    listed = None if sweep.preparation is None else sweep.preparation.listed
    return ["machine", *([] if listed is None else [listed])]


def _union(old: list[Any], new: list[Any]) -> list[Any]:
    """The old entries, and those of the new that are not among them."""
    return [*old, *(entry for entry in new if entry not in old)]


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
    tasks: list[tuple[Unit, Path | None]] = [(unit, None) for unit in units(sweep, missing)]
    if first is not None:
        home = work_folder(work, first.folder)
        pieces = _pieces(first, missing)
        files = {piece: path for piece in pieces if (path := _file_of(first, home, piece)) is not None}
        fresh = [piece for piece in pieces if piece not in files]
        with progress_bar(len(pieces), len(files), progress, first.kind) as bar:
            for piece, path in solved(partial(_prepare, sweep, home), fresh, key, jobs, scheduler):
                files[piece] = path
                bar.update()
        tasks = [(unit, files.get(first.needed_by(unit[0]))) for unit, _ in tasks]
    with progress_bar(len(points), len(points) - len(missing), progress) as bar:
        for content in solved(partial(_solve, sweep), tasks, key, jobs, scheduler):
            done = _points(sweep, content, key)
            write_sealed(folder, "points", ".json", content)
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
        For each file that is not a whole unit of this sweep and its key. It is renamed, and its points count as
        missing.

    Examples
    --------
    >>> from ptft.sweeps import diagonal
    >>> read_points(diagonal.SWEEP, Path("no such folder"))
    {}
    """
    found: dict[Any, dict[str, Any]] = {}
    key = sweep.key
    for path in sorted(folder.glob("points_*.json")):
        with _put_aside_if_damaged(path, "its points are computed again"):
            found |= _points(sweep, read_sealed(path), key)
    return found


def _points(sweep: Sweep, content: bytes, key: str) -> dict[Any, dict[str, Any]]:
    """What `_solve` returned, or the file of it; ValueError unless it is a whole unit of this sweep and key."""
    unit = _fields(json.loads(content), UNIT)
    if unit["key"] != key:
        raise ValueError(f"its key is {unit['key']}")
    found, kept = {}, {name: unit[name] for name in ("machine", "prepared")}
    for one in unit["points"] or [None]:
        point, rows = _fields(one, {"point": dict, "rows": dict}).values()
        for name, of in _fields(rows, dict.fromkeys(sweep.tables, list)).items():
            for row in of or [None]:
                _fields(row, sweep.tables[name])
        found[sweep.point(**_fields(point, get_type_hints(sweep.point)))] = {**kept, "rows": rows}
    return found


UNIT = {"key": str, "machine": str, "prepared": dict | None, "points": list}


def _fields(record: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The record, in the order of `kinds`; ValueError unless it has these entries, of these types, and no others."""
    if type(record) is not dict or record.keys() != kinds.keys():
        raise ValueError(f"it lacks one of {', '.join(kinds)}, or has more")
    for name, kind in kinds.items():
        if not fits(record[name], kind):
            raise ValueError(f"{name} = {record[name]!r:.50} is not allowed")
    return {name: record[name] for name in kinds}


@contextmanager
def _put_aside_if_damaged(path: Path, remedy: str) -> Iterator[None]:
    """What cannot be read here is reported and renamed, so that it is neither read again nor lost."""
    try:
        yield
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        aside = path.with_name(f"damaged_{path.name}")
        path.replace(aside)
        warnings.warn(f"{path} is damaged ({error}): it is renamed to {aside.name}, and {remedy}", stacklevel=4)


def _tables(
    sweep: Sweep, rows: list[tuple[Any, ...]], found: dict[Any, dict[str, Any]]
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    of = [found[sweep.point_of(row)] for row in rows]
    tables = {}
    for name, columns in sweep.tables.items():
        counts = [len(one["rows"][name]) for one in of]
        plan = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
        values = pd.DataFrame([row for one in of for row in one["rows"][name]], columns=list(columns))
        types = {column: first_type(kind) for column, kind in columns.items()}
        tables[name] = pd.concat([sweep.identity(plan), values.astype(types)], axis=1)
    provenance = {**sweep.provenance(), "machine": sorted({one["machine"] for one in of})}
    if sweep.preparation is not None and sweep.preparation.listed is not None:
        pieces = [sweep.preparation.needed_by(sweep.point_of(row)) for row in rows]
        records = {p: one["prepared"] for p, one in zip(pieces, of, strict=True) if p is not None}
        provenance[sweep.preparation.listed] = list(records.values())
    return tables, provenance


def _pieces(preparation: Preparation, points: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [piece for piece in dict.fromkeys(map(preparation.needed_by, points)) if piece is not None]


def _file_of(preparation: Preparation, home: Path, piece: tuple[Any, ...]) -> Path | None:
    """The whole file of a piece, if there is one."""
    name = preparation.name(piece)
    for path in sorted(home.glob(f"{glob.escape(name)}_{'?' * DIGITS}{preparation.suffix}")):
        with _put_aside_if_damaged(path, "it is made again"):
            read_sealed(path)
            return path
    return None


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
    folder = Path(os.path.realpath(work)) / key
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


def _solve(sweep: Sweep, task: tuple[Unit, Path | None], expected_key: str) -> bytes:
    """The content of the file of a unit; with it comes the file of its preparation, if it has one."""
    unit, path = task
    start_task(sweep.key, expected_key, None if path is None else path.parent)
    with _named(sweep, unit[0], len(unit) - 1):
        prepared = record = None
        if path is not None and sweep.preparation is not None:
            prepared = read_sealed(path)
            record = sweep.preparation.record(prepared)
        rows = sweep.solve(unit, prepared, **sweep.where)
        points = [{"point": point._asdict(), "rows": of} for point, of in zip(unit, rows, strict=True)]
        made_on = machine(sweep.where.get("device"))
        done = {"key": expected_key, "machine": made_on, "prepared": record, "points": points}
        content = json.dumps(done).encode()
        _points(sweep, content, expected_key)
        return content


def _prepare(sweep: Sweep, home: Path, piece: tuple[Any, ...], expected_key: str) -> tuple[tuple[Any, ...], Path]:
    """Write the file of a preparation."""
    start_task(sweep.key, expected_key, home)
    assert sweep.preparation is not None
    with _named(sweep, piece):
        content = sweep.preparation.make(piece, **sweep.where)
    return piece, write_sealed(home, sweep.preparation.name(piece), sweep.preparation.suffix, content)


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
    if "torch" in sys.modules:  # whose MKL is out of sight there, and obeys MKL_NUM_THREADS
        sys.modules["torch"].set_num_threads(1)


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
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    with threadpool_limits(None):  # restores the number of threads
        try:
            yield from _by_dask(solve, tasks, key, scheduler) if scheduler else _by_joblib(solve, tasks, key, jobs)
        finally:
            if torch:
                torch.set_num_threads(before)


def _by_joblib(solve: Callable[[Any, str], Any], tasks: Sequence[Any], key: str, jobs: int) -> Iterator[Any]:
    parallel = Parallel(n_jobs=min(jobs, len(tasks) or 1), return_as="generator_unordered", batch_size=1)
    try:
        yield from parallel(delayed(_in_worker)(solve, task, key, os.getpid()) for task in tasks)
    except BrokenExecutor as error:
        raise WorkersLost("a worker process was killed; was there memory for this many --jobs?") from error


def _in_worker(solve: Callable[[Any, str], Any], task: Any, key: str, parent: int) -> Any:
    if os.getpid() != parent:
        _end_with(parent)
    return solve(task, key)


@functools.cache  # one thread a process
def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone: killed, it can tell its workers nothing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _by_dask(solve: Callable[[Any, str], Any], tasks: Sequence[Any], key: str, scheduler: str) -> Iterator[Any]:
    with needs_extra("cluster", "--scheduler"):
        from distributed import Client, KilledWorker, as_completed
        from distributed.comm import connect

    async def greet() -> None:
        """Exchange greetings: `Client` would wait for ever for a scheduler that accepts and keeps silent."""
        comm = await connect(scheduler, timeout=SCHEDULER_TIMEOUT)
        await comm.close()

    try:
        with ThreadPoolExecutor(1) as thread:  # a thread of its own, as a notebook already runs an event loop
            thread.submit(asyncio.run, asyncio.wait_for(greet(), SCHEDULER_TIMEOUT)).result()
        client = Client(scheduler, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except Exception as error:  # what listens there may be no scheduler, and whatever it says is read as a message
        reason = str(error) or f"nothing heard in {SCHEDULER_TIMEOUT} s"
        raise ConnectionError(f"the scheduler {scheduler} does not answer: {reason}") from error
    try:
        # a result is a function of its task, yet two sweeps on one cluster must not share futures: pure=False
        futures = [client.submit(solve, task, key, pure=False, priority=-i) for i, task in enumerate(tasks)]
        completed = as_completed(futures, client.loop, with_results=True)
        seen = looked = time.monotonic()  # when there was a worker, and when the scheduler was asked
        while not completed.is_empty():
            if completed.has_ready():
                _, result = next(completed)
                if isinstance(result, BaseException):  # the way in which a cancelled future arrives
                    raise WorkersLost(f"the scheduler {scheduler} was lost")
                yield result
                continue
            time.sleep(0.02)
            if time.monotonic() > looked + LOOK:
                looked = time.monotonic()
                seen = _seen(client, scheduler, seen)
    except KilledWorker as error:
        said = "Dask gave up on a task whose workers were killed several times; was there memory, and ptft?"
        raise WorkersLost(said) from error
    finally:
        with suppress(TimeoutError):  # a scheduler that was lost says no goodbye
            client.close(timeout=SCHEDULER_TIMEOUT)


def _seen(client: Any, scheduler: str, before: float) -> float:
    """When there last was a worker, so the scheduler; WorkersLost if that is long ago, or it says nothing."""
    try:
        there = client.sync(client.scheduler.identity, callback_timeout=PATIENCE)["workers"]
    except (TimeoutError, OSError) as error:
        raise WorkersLost(f"the scheduler {scheduler} said nothing for {PATIENCE} s") from error
    missed = time.monotonic() - before
    if not there and missed > PATIENCE:
        raise WorkersLost(f"the scheduler {scheduler} had no workers for {PATIENCE} s; those without ptft stop at once")
    if not there and missed < 2 * LOOK:
        warnings.warn(f"{scheduler} has no workers: waiting for one, at most {PATIENCE} s", stacklevel=3)
    return time.monotonic() if there else before
