"""The experiment of Figures 4 and 6-9, one point at a time: it can be stopped, resumed and run on several machines.

The work goes in two rounds of tasks: first the pretrainings, each of which becomes a checkpoint, then
the points, each of which becomes a small file. What is there is never computed again: a kill loses the pretrainings or
points in flight, one per process. The files lie in folders named by a hash of what they depend on, so that results of
two protocols never mix, while protocols that differ in fine-tuning alone share their pretrainings. Workers write the
checkpoints and read them, so those on other machines must see the same folders.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
import torchvision

import ptft
from ptft.files import write_whole
from ptft.sweeps import engine
from ptft.sweeps import table as stored_table
from ptft.validation import whole_number
from ptft.vision.checkpoints import load_checkpoint, read_record, save_checkpoint
from ptft.vision.compaction import check_device
from ptft.vision.data import Split
from ptft.vision.protocol import (
    UNTRAINED,
    Point,
    Protocol,
    check_sample_size,
    fine_tune_point,
    pretrain_point,
    start_of,
)
from ptft.vision.representation import STAGES
from ptft.vision.tables import ACCURACY_COLUMNS, FORMAT, KEYS, MADE_BY, REPRESENTATION_COLUMNS
from ptft.vision.training import new_model


def key_of(protocol: Protocol) -> str:
    """Hash of a protocol, of the versions of ptft and torch, and of the format of the files.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from ptft.vision import DIGITS
    >>> key_of(DIGITS) == key_of(replace(DIGITS, n_test=10))
    False
    """
    return stored_table.digest([protocol.record, FORMAT, ptft.__version__, torch.__version__])


def pretraining_key_of(protocol: Protocol) -> str:
    """The same of the part of the protocol that a pretraining depends on.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from ptft.vision import DIGITS
    >>> pretraining_key_of(DIGITS) == pretraining_key_of(replace(DIGITS, n_test=10))
    True
    """
    record = {
        name: value
        for name, value in protocol.record.items()
        if name not in ("n_test", "n_measured") and not name.startswith("fine_tuning_")
    }
    return stored_table.digest([record, FORMAT, ptft.__version__, torch.__version__])


class Task(NamedTuple):
    """A pretraining (n = 0) or a point, and where its files are."""

    protocol: Protocol
    seed: int
    point: Point
    folder: Path
    root: str | Path | None
    device: str


def run(
    protocol: Protocol,
    seeds: Iterable[int],
    points: Iterable[Point],
    work: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    root: str | Path | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The results of `points` for each seed: those in the work folder are read, what is missing is computed.

    Parameters
    ----------
    protocol : Protocol
    seeds : iterable of int
    points : iterable of Point
        The points of each seed, as `grid` gives them.
    work : path
        Folder of folders, one for the points of a protocol and one for its pretrainings; a checkpoint of 45 MB per
        pretraining, a small file per point.
    jobs : int, default 1
        Processes on this machine, with one thread each.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers are used instead; they must see the work folder under its path.
    root : path, optional
        Folder of the images, see `load`.
    device : str, default "cpu"
        Where to train, such as ``"cuda"``.
    progress : bool, default False
        Show bars with an estimate of the time left on standard error.

    Returns
    -------
    accuracies : DataFrame with the columns `tables.ACCURACY_COLUMNS`, in the order of seeds and points
    representations : DataFrame with the columns `tables.REPRESENTATION_COLUMNS`
    provenance : dict
        How they were made; ``pretrainings`` lists the records of the pretrainings.

    Raises
    ------
    ValueError
        If an argument is outside its range, or a worker runs another version.
    OSError
        If the images are not found, the work folder cannot be written, or the scheduler does not answer.
    RuntimeError
        If training fails; the message names the point.
    WorkersLost
        If workers or their scheduler were killed; what was finished is kept.

    Examples
    --------
    >>> import tempfile
    >>> from dataclasses import replace
    >>> from ptft.vision import DIGITS
    >>> epoch = replace(DIGITS.fine_tuning, max_epochs=1)
    >>> quick = replace(DIGITS, size=8, n_measured=10, fine_tuning=epoch)
    >>> with tempfile.TemporaryDirectory() as work:
    ...     accuracies, representations, made = run(quick, [0], [Point("untrained", 0.0, 4)], work)
    >>> len(accuracies), len(representations), made["pretrainings"]
    (1, 5, [])
    """
    whole_number(jobs, "jobs", at_least=1)
    check_device(device)
    seeds, points = list(dict.fromkeys(whole_number(seed, "seed") for seed in seeds)), list(dict.fromkeys(points))
    for seed, n in itertools.product(seeds, {point.n for point in points}):
        check_sample_size(n, _split(protocol, seed, root))
    folder = engine.work_folder(work, key_of(protocol)).resolve()
    engine.work_folder(work, _checkpoints(folder, protocol).name)
    wanted = [Task(protocol, seed, point, folder, root, device) for seed, point in itertools.product(seeds, points)]
    found = read_points(folder, protocol)
    todo = [task for task in wanted if (task.seed, task.point) not in found]
    starts = dict.fromkeys(task._replace(point=Point(*start_of(task.point), 0)) for task in wanted)
    pretrainings = [task for task in starts if (task.point.knob, task.point.value) != UNTRAINED]
    needed = {(task.seed, start_of(task.point)) for task in todo}
    fresh = [t for t in pretrainings if (t.seed, t.point[:2]) in needed and not _is_checkpoint(_checkpoint_file(t))]
    threads = torch.get_num_threads()
    try:
        for unit, tasks, total in (("pretraining", fresh, len(pretrainings)), ("point", todo, len(wanted))):
            with engine.progress_bar(total, total - len(tasks), progress, unit) as bar:
                for _ in engine.solved(solve, tasks, key_of(protocol), jobs, scheduler):
                    bar.update()
    finally:
        torch.set_num_threads(threads)
    found = read_points(folder, protocol) if todo else found
    rows = [found[task.seed, task.point] for task in wanted]
    stages = [{**row, **stage} for row in rows for stage in row["stages"]]
    provenance = {
        **provenance_of(protocol),
        "machine": sorted({row["machine"] for row in rows}),
        "pretrainings": [read_record(_checkpoint_file(task)) for task in pretrainings],
    }
    columns = list(ACCURACY_COLUMNS), list(REPRESENTATION_COLUMNS)
    return pd.DataFrame(rows)[columns[0]], pd.DataFrame(stages)[columns[1]], provenance


def provenance_of(protocol: Protocol) -> dict[str, Any]:
    """What the provenance of a table holds before there are results.

    Examples
    --------
    >>> from ptft.vision import DIGITS
    >>> provenance_of(DIGITS)["made by"], provenance_of(DIGITS)["protocol"]["lr"]
    ('python -m ptft.vision', 0.001)
    """
    return {**stored_table.provenance(MADE_BY, FORMAT, key_of(protocol)), "protocol": protocol.record}


def identity(protocol: Protocol, seeds: Iterable[int], points: Sequence[Point]) -> pd.DataFrame:
    """The columns `tables.KEYS` of the accuracies that `run` returns.

    Examples
    --------
    >>> from ptft.vision import DIGITS
    >>> identity(DIGITS, [0], [Point("kappa", 0.5, 10)]).iloc[0].to_dict()
    {'dataset': 'digits', 'seed': 0, 'knob': 'kappa', 'value': 0.5, 'n': 10}
    """
    rows = [(protocol.dataset, seed, *point) for seed, point in itertools.product(seeds, points)]
    return pd.DataFrame(rows, columns=list(KEYS))


def solve(task: Task, expected_key: str) -> None:
    """Write the file of a task, on one thread.

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
    >>> from ptft.vision import DIGITS
    >>> solve(Task(DIGITS, 0, Point("untrained", 0.0, 4), Path("absent"), None, "cpu"), key_of(DIGITS))
    Traceback (most recent call last):
        ...
    FileNotFoundError: a worker does not see the work folder absent: all machines must share it
    """
    engine.start_task(key_of(task.protocol), expected_key, task.folder)
    torch.set_num_threads(1)
    split = _split(task.protocol, task.seed, task.root)
    try:
        (_pretrain if task.point.n == 0 else _fine_tune)(task, split)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        raise RuntimeError(f"training failed for seed {task.seed}, {task.point}: {error}") from error


def read_points(folder: Path, protocol: Protocol) -> dict[tuple[int, Point], dict[str, Any]]:
    """The finished points in a folder, by seed and point: the columns of both tables.

    Warns
    -----
    UserWarning
        For each file that is not a finished point of this protocol; it counts as missing.

    Raises
    ------
    ValueError
        As of `ptft.sweeps.engine.read_files`.

    Examples
    --------
    >>> from ptft.vision import DIGITS
    >>> read_points(Path("no such folder"), DIGITS)
    {}
    """

    def read(path: Path) -> dict[tuple[int, Point], dict[str, Any]]:
        row = json.loads(path.read_text(encoding="utf-8"))
        if row["key"] != key_of(protocol):
            raise ValueError(f"its key is {row['key']}")
        stages_whole = all({*KEYS, *stage} >= set(REPRESENTATION_COLUMNS) for stage in row["stages"])
        if not (row.keys() >= {*ACCURACY_COLUMNS, "machine"} and stages_whole and len(row["stages"]) == len(STAGES)):
            raise ValueError("it lacks a column")
        return {(row["seed"], Point(row["knob"], row["value"], row["n"])): row}

    return engine.read_files(folder.glob("point_*.json"), read)


@functools.lru_cache(maxsize=1)
def _split(protocol: Protocol, seed: int, root: str | Path | None) -> Split:
    return protocol.split(seed, root)


def _pretrain(task: Task, split: Split) -> None:
    start = task.point[:2]
    done = pretrain_point(task.protocol, split, task.seed, start, task.device)
    record = {
        "seed": task.seed,
        "knob": start[0],
        "value": start[1],
        "pretraining_images": len(split.pretraining_images),
        "pretraining_epochs": done.epochs,
        "pretraining_loss": done.loss if done.epochs else None,
        "pretraining_stopped_by": done.stopped_by,
        "pretraining_seconds": round(done.seconds, 2),
    }
    save_checkpoint(_checkpoint_file(task), done.model, record)


def _fine_tune(task: Task, split: Split) -> None:
    pretrained = new_model(split.n_classes, task.seed).eval()
    images = 0
    if start_of(task.point) != UNTRAINED:
        images = load_checkpoint(_checkpoint_file(task), pretrained)["pretraining_images"]
    result = fine_tune_point(task.protocol, split, task.seed, pretrained, task.point, task.device)
    place = "" if task.device == "cpu" else f", {torch.cuda.get_device_name(task.device)}"
    row = {
        "key": key_of(task.protocol),
        "machine": f"{engine.machine()}, torch {torch.__version__}, torchvision {torchvision.__version__}{place}",
        "dataset": task.protocol.dataset,
        "seed": task.seed,
        **task.point._asdict(),
        "pretraining_images": images,
        **result,
    }
    name = f"point_seed-{task.seed:03d}_{task.point.knob}-{task.point.value}_n-{task.point.n:05d}.json"
    write_whole(task.folder / name, json.dumps(row).encode())


def _checkpoints(folder: Path, protocol: Protocol) -> Path:
    """The folder of the checkpoints beside that of the points."""
    return folder.with_name(f"pretraining-{pretraining_key_of(protocol)}")


def _checkpoint_file(task: Task) -> Path:
    knob, value = start_of(task.point)
    folder = _checkpoints(task.folder, task.protocol)
    return folder / f"pretraining_seed-{task.seed:03d}_{knob}-{value}.safetensors"


def _is_checkpoint(path: Path) -> bool:
    try:
        return bool(read_record(path))
    except (OSError, ValueError):
        return False
