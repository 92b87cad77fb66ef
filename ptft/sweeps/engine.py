"""What sweeps have in common: tasks in parallel on one machine or several, and results that survive a kill.

A sweep is a function of a task, such as `ptft.sweep.solve`, and a folder with a file per finished task. The folder is
named by a key, a hash of everything else that a result depends on, so results of two versions never mix. `solved` runs
the tasks with joblib here or on the workers of a Dask cluster. This module needs the extra ``ptft[sweep]``, and
``ptft[cluster]`` for a scheduler.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np
import scipy

import ptft
from ptft.files import require_writable

try:
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm
except ImportError as error:
    raise ImportError(f"ptft.sweeps.engine needs {error.name}: pip install ptft[sweep]") from error

SCHEDULER_TIMEOUT = 10  # seconds

P = ParamSpec("P")


class WorkersLost(RuntimeError):
    """Worker processes were killed more often than the engine puts up with, or their scheduler was."""


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
    folder = Path(work) / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"the work folder {work} cannot be made: {error.strerror}") from error
    require_writable(folder, "the work folder")
    return folder


def read_files(files: Iterable[Path], read: Callable[[Path], dict]) -> dict:
    """The union of what `read` returns for each file of finished points.

    Warns
    -----
    UserWarning
        For each file of which `read` raises a ValueError, KeyError or TypeError; its points count as missing.

    Examples
    --------
    >>> import json, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(2):
    ...         _ = Path(folder, f"{i}.json").write_text(json.dumps({f"point {i}": i}))
    ...     print(read_files(Path(folder).glob("*.json"), lambda path: json.loads(path.read_text())))
    {'point 0': 0, 'point 1': 1}
    """
    found: dict = {}
    for path in sorted(files):
        try:
            found |= read(path)
        except (ValueError, KeyError, TypeError) as error:
            warnings.warn(f"{path} is damaged ({error!r}): its points are computed again", stacklevel=3)
    return found


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


def add_options(parser: argparse.ArgumentParser, work: str) -> None:
    """Add --jobs, --scheduler and --work, whose default is given, to the command line of a sweep.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser, "_build/example")
    >>> vars(parser.parse_args(["--jobs", "2"]))
    {'jobs': 2, 'scheduler': None, 'work': PosixPath('_build/example')}
    """
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each (default 1)")
    parser.add_argument("--scheduler", help="tcp://HOST:PORT of a Dask scheduler, to use its workers instead")
    parser.add_argument("--work", type=Path, default=Path(work), help=f"folder of finished points (default {work})")


def command(name: str) -> Callable[[Callable[P, None]], Callable[P, int]]:
    """Decorator of a sweep's command line, which then returns an exit status and says on one line what went wrong.

    The status is 0, 2 for what cannot be done as it was asked for (ValueError, OSError, ImportError), or 1 for what
    went wrong on the way (RuntimeError, among them `WorkersLost`, and KeyboardInterrupt).

    Examples
    --------
    >>> @command("example")
    ... def main(seeds):
    ...     if seeds < 1:
    ...         raise ValueError(f"seeds = {seeds} is not allowed")
    >>> main(1), main(0)  # the second says why on standard error
    (0, 2)
    """

    def decorate(work: Callable[P, None]) -> Callable[P, int]:
        @functools.wraps(work)
        def main(*args: P.args, **kwargs: P.kwargs) -> int:
            try:
                work(*args, **kwargs)
            except (ValueError, OSError, ImportError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 2
            except (RuntimeError, KeyboardInterrupt) as error:
                reason = str(error) or "interrupted"
                print(f"{name}: {reason}\nWhat was finished is kept: the same command goes on.", file=sys.stderr)
                return 1
            return 0

        return main

    return decorate


def machine() -> str:
    """What this process runs on.

    Examples
    --------
    >>> machine().startswith(platform.system())
    True
    """
    software = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {software}"


def _by_joblib(solve: Callable, tasks: Sequence, key: str, jobs: int) -> Iterator[Any]:
    parallel = Parallel(n_jobs=min(jobs, len(tasks) or 1), return_as="generator_unordered", batch_size=1)
    try:
        yield from parallel(delayed(solve)(task, key) for task in tasks)
    except BrokenExecutor as error:
        raise WorkersLost("a worker process was killed; was there memory for this many --jobs?") from error


async def _greet(scheduler: str) -> None:
    """Exchange greetings with a scheduler: `Client` would wait for ever for one that accepts and keeps silent."""
    from distributed.comm import connect

    comm = await connect(scheduler, timeout=SCHEDULER_TIMEOUT)
    await comm.close()


def _by_dask(solve: Callable, tasks: Sequence, key: str, scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as error:
        raise ImportError(f"--scheduler needs {error.name}: pip install ptft[cluster]") from error
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
