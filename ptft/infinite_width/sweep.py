"""The experiments of Figures 3 to 5, one training run at a time: they can be stopped, resumed and spread over machines.

A point is a run of one draw, for one figure, of theory or network. The work goes in two rounds of tasks: first the
runs on the source tasks, each of which leaves its neurons in a file, then those on the target tasks, which begin with
them. Every finished point is a small file, and what is there is never computed again: a kill loses the runs in flight.
The files lie in a folder named by `key`. Workers write and read them, so those on other machines must see the same
folder. This module needs the extra ``ptft[sweep]``.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import ptft
from ptft.files import write_whole
from ptft.infinite_width import rich_transfer
from ptft.infinite_width.dmft import Run
from ptft.infinite_width.particles import Particles
from ptft.infinite_width.particles import Task as Data
from ptft.infinite_width.rich_tables import COLUMNS, FORMAT, MADE_BY, POINT
from ptft.infinite_width.rich_transfer import EDGES, KINDS, Setting
from ptft.sweeps import engine
from ptft.sweeps import table as stored_table
from ptft.validation import one_of, whole_number

SOURCE = "source"
_CURVES = ("time", "train_loss", "test_loss", "source_loss", "steps")


class Point(NamedTuple):
    """One training run; P2 = 0, gamma_2 = 0 and start "source" for the source task."""

    figure: str
    dataset: str
    P1: int
    P2: int
    draw: int
    kind: str
    width: int
    gamma_2: float
    start: str


class Task(NamedTuple):
    """A point, the numbers of its figure, and where its files are."""

    setting: Setting
    point: Point
    folder: Path
    root: str | Path | None
    device: str | None


def plan(
    settings: Iterable[Setting], draws: Iterable[int], width: int, kinds: Sequence[str] = KINDS
) -> dict[Point, Setting]:
    """The points of some figures, in the order of settings, draws and kinds: the source first, then the targets.

    Raises
    ------
    ValueError
        If there is no draw, or a number or a name is not allowed.

    Examples
    --------
    >>> points = plan([rich_transfer.setting("3a")], draws=[0], width=100)
    >>> len(points), next(iter(points)).start  # theory and network, 16 targets each
    (34, 'source')
    """
    draws = list(dict.fromkeys(whole_number(draw, "draw") for draw in draws))
    whole_number(len(draws), "the number of draws", 1)
    if whole_number(width, "width", 2) % 2:
        raise ValueError(f"width = {width} is not allowed: it must be even, as particles come in mirrored pairs")
    points = {}
    for setting, draw, kind in itertools.product(settings, draws, [one_of(kind, "kind", KINDS) for kind in kinds]):
        targets = itertools.product(setting.P2, setting.gamma_2, setting.starts)
        for P2, gamma_2, start in [(0, 0.0, SOURCE), *targets]:
            given = (setting.figure, setting.dataset, setting.P1, P2, draw, kind, width, gamma_2, start)
            points[Point(*given)] = setting
    return points


def key() -> str:
    """Hash of what a result depends on besides its point: the version of the package, `FORMAT` and the settings.

    Examples
    --------
    >>> len(key())
    12
    """
    figures = [rich_transfer.GAUSSIAN, rich_transfer.DIGITS, rich_transfer.PHOTOGRAPHS]
    numbers = [dataclasses.asdict(setting) for group in figures for setting in group.values()]
    return stored_table.digest([numbers, rich_transfer.RECORDS, EDGES.tolist(), FORMAT, ptft.__version__])


def identity(points: Iterable[Point]) -> pd.DataFrame:
    """The columns `POINT` of a plan; a table has many rows for each.

    Examples
    --------
    >>> points = plan([rich_transfer.setting("3a")], draws=[0], width=100)
    >>> identity(points)[["figure", "kind", "gamma_2", "start"]].head(2)
      figure    kind  gamma_2    start
    0     3a  theory      0.0   source
    1     3a  theory      0.1  scratch
    """
    return pd.DataFrame(list(points), columns=list(POINT))


def provenance_of() -> dict[str, Any]:
    """What the provenance of a table holds before there are results.

    Examples
    --------
    >>> provenance_of()["made by"]
    'python -m ptft.infinite_width'
    """
    return stored_table.provenance(MADE_BY, FORMAT, key())


def run(
    points: dict[Point, Setting],
    work: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    root: str | Path | None = None,
    device: str | None = None,
    progress: bool = False,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The results of a plan: those in the work folder are read, what is missing is computed.

    Parameters
    ----------
    points : dict of Point to Setting, see `plan`
    work : path
        Folder of folders, one per `key`, with the neurons of every source run (8 MB for 20,000 of 100 dimensions) and
        a small file per point.
    jobs : int, default 1
        Processes on this machine, with one thread each.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers are used instead; they must see the work folder under its path.
    root : path, optional
        Folder of the images, see `ptft.vision.load`.
    device : str, optional
        Train by PyTorch there, such as ``"cuda"``; by default numpy.
    progress : bool, default False
        Show bars with an estimate of the time left on standard error.

    Returns
    -------
    table : DataFrame with the columns `rich_tables.COLUMNS`, in the order of the points
    provenance : dict

    Raises
    ------
    ValueError
        If an argument is outside its range, or a worker runs another version.
    OSError
        If the images are not found, the work folder cannot be written, or the scheduler does not answer.
    RuntimeError
        If a run fails; the message names the point.
    WorkersLost
        If workers or their scheduler were killed; what was finished is kept.

    Examples
    --------
    >>> import tempfile
    >>> small = dataclasses.replace(rich_transfer.setting("3a"), D=4, P1=8, P2=(4,), n_test=6, t_end=1.0)
    >>> small = dataclasses.replace(small, gamma_2=(1.0,), starts=("scratch", "centred"))
    >>> with tempfile.TemporaryDirectory() as work:
    ...     table, made = run(plan([small], [0], width=10), work)
    >>> list(table["start"].unique())
    ['source', 'scratch', 'centred']
    """
    whole_number(jobs, "jobs", at_least=1)
    for setting in dict.fromkeys(points.values()):
        rich_transfer.tasks(setting, 0, root)  # are there images, and enough of them?
    folder = engine.work_folder(work, key()).resolve()
    found = engine.read_files(folder.glob("point_*.json"), _read_point)
    wanted = [Task(setting, point, folder, root, device) for point, setting in points.items()]
    targets = [task for task in wanted if task.point.start != SOURCE and task.point not in found]
    needed = {_source_of(task.point) for task in targets if task.point.start != "scratch"}
    sources = [
        task
        for task in wanted
        if task.point.start == SOURCE
        and (task.point not in found or (task.point in needed and not _neurons_file(task).is_file()))
    ]
    total = sum(point.start == SOURCE for point in points)
    for unit, tasks, of in (("source", sources, total), ("target", targets, len(points) - total)):
        with engine.progress_bar(of, of - len(tasks), progress, unit) as bar:
            for _ in engine.solved(solve, tasks, key(), jobs, scheduler):
                bar.update()
    if sources or targets:
        found = engine.read_files(folder.glob("point_*.json"), _read_point)
    rows = [(*point, *row) for point in points for row in found[point]["rows"]]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"x": float, "value": np.float32})
    return table, {**provenance_of(), "machine": sorted({found[point]["machine"] for point in points})}


def solve(task: Task, expected_key: str) -> None:
    """Write the file of a point, and of a source the neurons, on one thread.

    Raises
    ------
    ValueError
        If this process runs another version than the one that asks.
    OSError
        If it does not see the work folder or the images.
    RuntimeError
        If training fails; the message names the point.

    Examples
    --------
    >>> import tempfile
    >>> small = dataclasses.replace(rich_transfer.setting("3a"), D=4, P1=8, P2=(4,), n_test=6, t_end=1.0)
    >>> point = next(iter(plan([small], [0], width=10)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     solve(Task(small, point, Path(folder), None, None), key())
    ...     print(len(list(Path(folder).iterdir())))  # its losses, and its neurons
    2
    """
    engine.start_task(key(), expected_key, task.folder)
    source, target = rich_transfer.tasks(task.setting, task.point.draw, task.root)
    try:
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the quantity "complete" says it
            done = _trained(task, source, target)
        seconds = time.perf_counter() - begun
    except Exception as error:
        raise RuntimeError(f"{task.point} failed: {type(error).__name__}: {error}") from error
    content = {
        "key": expected_key,
        "machine": engine.machine() + ("" if task.device is None else f", torch on {task.device}"),
        "point": task.point._asdict(),
        "rows": _measured(task, done, target, seconds),
    }
    write_whole(task.folder / f"point_{_name(task.point)}.json", json.dumps(content).encode())


def _trained(task: Task, source: Data, target: Data) -> Run:
    setting, point = task.setting, task.point
    random = rich_transfer.neurons(source.X.shape[1], point.width, point.kind, point.draw)
    if point.start == SOURCE:
        done = rich_transfer.source_run(setting, source, random, task.device)
        saved = io.BytesIO()
        arrays = {name: getattr(done, name) for name in _CURVES}
        np.savez(saved, allow_pickle=False, state=done.end.state, z=done.end.z, **arrays)
        write_whole(_neurons_file(task), saved.getvalue())
        return done
    start = random if point.start == "scratch" else _source(task, source)
    examples = rich_transfer.first_examples(target, point.P2)
    return rich_transfer.target_run(setting, examples, point.gamma_2, start, point.start, point.draw, task.device)


def _source(task: Task, data: Data) -> Run:
    """The run on the source task, from the file that it left."""
    with np.load(_neurons_file(task), allow_pickle=False) as saved:
        neurons = Particles(saved["state"], saved["z"])
        time, train_loss, test_loss, source_loss, steps = (saved[name] for name in _CURVES)
    gamma_1 = task.setting.gamma_1
    return Run(time, train_loss, test_loss, source_loss, steps, gamma_1, data, neurons, None, converged=True)


def _measured(task: Task, done: Run, target: Data, seconds: float) -> list[tuple[str, float | None, float]]:
    """The rows of a point: quantity, x and value."""
    losses = ["train_loss", "test_loss"] + ["source_loss"] * (task.point.start not in (SOURCE, "scratch"))
    rows: list[tuple[str, float | None, float]] = [
        (name, x, value) for name in losses for x, value in zip(done.time.tolist(), getattr(done, name), strict=True)
    ]
    law = rich_transfer.preactivations(done.end, target.X_test)
    if task.setting.figure == "4":
        middles = ((EDGES[1:] + EDGES[:-1]) / 2).tolist()
        rows += [("density", x, float(value)) for x, value in zip(middles, law.density, strict=True)]
    rows += [(name, None, getattr(law, name)) for name in ("mean", "deviation", "skewness", "kurtosis")]
    complete = float(done.converged or done.time[-1] == task.setting.times[-1])
    return [*rows, ("steps", None, float(done.steps[-1])), ("seconds", None, seconds), ("complete", None, complete)]


def _read_point(path: Path) -> dict[Point, dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["key"] != key():
        raise ValueError(f"its key is {content['key']}")
    return {Point(**content["point"]): {"machine": content["machine"], "rows": content["rows"]}}


def _source_of(point: Point) -> Point:
    return point._replace(P2=0, gamma_2=0.0, start=SOURCE)


def _neurons_file(task: Task) -> Path:
    return task.folder / f"neurons_{_name(_source_of(task.point))}.npz"


def _name(point: Point) -> str:
    return "_".join(map(str, point))
