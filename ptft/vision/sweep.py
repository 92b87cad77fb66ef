"""The experiment of Figures 4 and 6-9, one point at a time: it can be stopped, resumed and run on several machines.

A point is a (seed, knob, value, n). The knobs `kappa` and `c` act at initialization, so each of their values has its
own pretraining; `gamma` and `weights` act after pretraining and share the baseline's. At scale 1 all four are the same
baseline, which is run once. `CONTROLS` are knobs that the paper does not have, which help to explain its own.

The work goes in two rounds of tasks: first the pretrainings, each of which becomes a checkpoint, then
the points, each of which becomes a small file. What is there is never computed again: a kill loses the pretrainings or
points in flight, one per process. The files lie in folders named by a hash of what they depend on, so that results of
two protocols never mix, while protocols that differ in fine-tuning alone share their pretrainings. Workers write the
checkpoints and read them, so those on other machines must see the same folders.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torchvision
from torch import Tensor
from torchvision.models import ResNet

import ptft
from ptft.files import write_whole
from ptft.sweeps import engine
from ptft.sweeps import table as stored_table
from ptft.validation import one_of, positive_array, whole_number
from ptft.vision.checkpoints import load_checkpoint, read_record, save_checkpoint
from ptft.vision.compaction import check_device
from ptft.vision.data import Split, load, normalize, split_dataset
from ptft.vision.representation import STAGES, activations, ensd, participation_ratio
from ptft.vision.tables import ACCURACY_COLUMNS, FORMAT, KEYS, MADE_BY, REPRESENTATION_COLUMNS
from ptft.vision.training import (
    Training,
    accuracy,
    fine_tune,
    new_model,
    pretrain,
    recalibrate,
    scale_early_layers,
    scale_parameters,
    scale_readout,
)

AFTER_PRETRAINING = ("n_test", "n_measured", "fine_tuning_loss", "fine_tuning_cap")  # fields of the protocol


@dataclass(frozen=True)
class Protocol:
    """What a stored result depends on besides its point; the numbers are the published ones, which state no caps.

    `pretraining_images`, `size` and `n_test` are None for all images, for images as they are, and for all test images
    of the fine-tuning classes. The representations are measured on the first `n_measured` test images.
    """

    dataset: str
    pretraining_images: int | None = None
    size: int | None = None
    n_ft: int = 2
    n_test: int | None = None
    n_measured: int = 500
    lr: float = 1e-3
    momentum: float = 0.9
    batch: int = 128
    pretraining_loss: float = 1e-2
    pretraining_cap: int = 200
    fine_tuning_loss: float = 1e-4
    fine_tuning_cap: int = 2000
    bf16: bool = False

    def __post_init__(self) -> None:
        for name in ("lr", "momentum", "pretraining_loss", "fine_tuning_loss"):
            positive_array(getattr(self, name), name, ndim=0)
        for name, least in {"n_measured": 2, "batch": 2, "pretraining_cap": 0, "fine_tuning_cap": 0}.items():
            whole_number(getattr(self, name), name, least)

    @property
    def key(self) -> str:
        """Hash of the protocol, of the versions of ptft and torch, and of the format of the files."""
        return stored_table.digest([dataclasses.asdict(self), FORMAT, ptft.__version__, torch.__version__])

    @property
    def pretraining_key(self) -> str:
        """The same of the part of the protocol that a pretraining depends on."""
        fields = {name: value for name, value in dataclasses.asdict(self).items() if name not in AFTER_PRETRAINING}
        return stored_table.digest([fields, FORMAT, ptft.__version__, torch.__version__])

    def split(self, seed: int, root: str | Path | None = None) -> Split:
        """The images, split into pretraining, fine-tuning pool and test set by `seed`."""
        return split_dataset(load(self.dataset, root), self.n_ft, seed, self.pretraining_images, self.n_test)

    def prepare(self, images: Tensor, device: str = "cpu") -> Tensor:
        """What the network sees of images of a split."""
        return normalize(images.to(device), self.size)


# the digits in minutes: small images, weaker thresholds than the published ones, and caps
DIGITS = Protocol(
    "digits",
    size=16,
    n_test=150,
    pretraining_loss=2e-2,
    pretraining_cap=12,
    fine_tuning_loss=1e-3,
    fine_tuning_cap=100,
)


class Point(NamedTuple):
    """A knob, its value and the number of fine-tuning images."""

    knob: str
    value: float
    n: int


Start = tuple[str, float]  # the knob and value of a pretraining
BASELINE: Start = ("baseline", 1.0)
UNTRAINED: Start = ("untrained", 0.0)  # fine-tuning from the initialization, a control
KNOBS: dict[str, tuple[float, ...]] = {
    "kappa": (0.25, 0.5, 2.0),
    "c": (0.5, 2.0, 4.0),
    "gamma": (0.1, 0.3, 3.0),
    "weights": (0.25, 0.5, 2.0),
}
# the early layers, as by kappa, but after pretraining
CONTROLS: dict[str, tuple[float, ...]] = {"kappa_ft": (0.25, 0.5, 2.0)}
SAMPLE_SIZES = (10, 20, 50, 100, 200, 500, 1000)
AT_INITIALIZATION = ("kappa", "c")


def grid(sample_sizes: Sequence[int] = SAMPLE_SIZES, knobs: Mapping[str, Sequence[float]] = KNOBS) -> list[Point]:
    """All points of one seed: the baseline, the untrained control, and each knob's values, at each sample size.

    Examples
    --------
    >>> points = grid([10, 20], {"kappa": (0.5, 2.0)})
    >>> len(points), points[0]
    (8, Point(knob='baseline', value=1.0, n=10))
    """
    settings = [BASELINE, UNTRAINED, *((knob, value) for knob, values in knobs.items() for value in values)]
    return [Point(knob, value, n) for (knob, value), n in itertools.product(settings, sample_sizes)]


def part(name: str) -> dict[str, tuple[float, ...]]:
    """The knobs of a part of the experiment, for `grid`: one of them with its values, or "all", controls included.

    Raises
    ------
    ValueError
        If there is no such knob.

    Examples
    --------
    >>> part("kappa")
    {'kappa': (0.25, 0.5, 2.0)}
    """
    knobs = KNOBS | CONTROLS
    one_of(name, "part", ("all", *knobs))
    return knobs if name == "all" else {name: knobs[name]}


def start_of(point: Point) -> Start:
    """The setting of the pretraining from which a point starts: knobs after pretraining share the baseline's.

    Examples
    --------
    >>> start_of(Point("kappa", 0.5, 10)), start_of(Point("gamma", 0.1, 10))
    (('kappa', 0.5), ('baseline', 1.0))
    """
    return (point.knob, point.value) if point.knob in (*AT_INITIALIZATION, UNTRAINED[0]) else BASELINE


def pretrain_point(
    protocol: Protocol, split: Split, seed: int, start: Start = BASELINE, device: str = "cpu"
) -> Training:
    """Pretrain from the initialization that `start` = (knob, value) scales; the untrained control takes no step.

    Examples
    --------
    >>> quick = dataclasses.replace(DIGITS, size=8, pretraining_images=32, pretraining_cap=1)
    >>> trained = pretrain_point(quick, quick.split(0), 0, start=("kappa", 0.5))
    >>> trained.epochs, trained.stopped_by
    (1, 'cap')
    """
    model = new_model(split.n_classes, seed)
    knob, value = start
    if knob == "kappa":
        model = scale_early_layers(model, value)
    elif knob == "c":
        model = scale_parameters(model, value)
    return pretrain(
        model,
        protocol.prepare(split.pretraining_images, device),
        split.pretraining_labels.to(device),
        split.pretraining_classes,
        seed,
        lr=protocol.lr,
        momentum=protocol.momentum,
        batch=protocol.batch,
        loss_below=protocol.pretraining_loss,
        max_epochs=0 if knob == UNTRAINED[0] else protocol.pretraining_cap,
        bf16=protocol.bf16,
    )


def fine_tune_point(
    protocol: Protocol, split: Split, seed: int, pretrained: ResNet, point: Point, device: str = "cpu"
) -> dict[str, Any]:
    """Fine-tune on the first n images of the pool and measure the result on the test set.

    Returns
    -------
    dict
        ``accuracy``; ``accuracy_recalibrated``, with the batch-norm statistics of the n images (`recalibrate`);
        ``loss``, ``stopped_by``, ``epochs``, ``seconds``; and ``stages``, a list with one dict per stage of ``stage``,
        ``pr_before`` (the network as pretraining left it), ``pr_after`` and ``ensd``.

    Raises
    ------
    ValueError
        If n exceeds the pool.

    Examples
    --------
    >>> quick = dataclasses.replace(DIGITS, size=8, n_measured=10, fine_tuning_cap=1)
    >>> found = fine_tune_point(quick, quick.split(0), 0, new_model(10, seed=0), Point("gamma", 0.1, 4))
    >>> found["epochs"], [one["stage"] for one in found["stages"]][:2]
    (1, ['stem', 'stage 1'])
    """
    _check_size(point.n, split)
    model = pretrained.to(device)
    if point.knob == "kappa_ft":
        model = scale_early_layers(model, point.value)
    elif point.knob == "gamma":
        model = scale_readout(model, point.value)
    elif point.knob == "weights":
        model = scale_parameters(model, point.value)
    images = protocol.prepare(split.pool_images[: point.n], device)
    result = fine_tune(
        model,
        images,
        split.pool_labels[: point.n].to(device),
        split.fine_tuning_classes,
        seed,
        lr=protocol.lr,
        momentum=protocol.momentum,
        batch=protocol.batch,
        loss_below=protocol.fine_tuning_loss,
        max_epochs=protocol.fine_tuning_cap,
        bf16=protocol.bf16,
    )
    test_images, test_labels = protocol.prepare(split.test_images, device), split.test_labels.to(device)
    measured = test_images[: protocol.n_measured]
    before, after = activations(pretrained, measured), activations(result.model, measured)

    def right(model: ResNet) -> float:
        return accuracy(model, test_images, test_labels, split.fine_tuning_classes, bf16=protocol.bf16)

    return {
        "accuracy": right(result.model),
        "accuracy_recalibrated": right(recalibrate(result.model, images, protocol.batch)),
        "loss": result.loss,
        "stopped_by": result.stopped_by,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 2),
        "stages": [{"stage": stage, **_dimensions(before[stage], after[stage])} for stage in STAGES],
    }


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
    >>> quick = dataclasses.replace(DIGITS, size=8, n_measured=10, fine_tuning_cap=1)
    >>> with tempfile.TemporaryDirectory() as work:
    ...     accuracies, representations, made = run(quick, [0], [Point("untrained", 0.0, 4)], work)
    >>> len(accuracies), len(representations), made["pretrainings"]
    (1, 5, [])
    """
    whole_number(jobs, "jobs", at_least=1)
    check_device(device)
    seeds, points = list(dict.fromkeys(whole_number(seed, "seed") for seed in seeds)), list(dict.fromkeys(points))
    for seed, n in itertools.product(seeds, {point.n for point in points}):
        _check_size(n, _split(protocol, seed, root))
    folder = engine.work_folder(work, protocol.key).resolve()
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
                for _ in engine.solved(solve, tasks, protocol.key, jobs, scheduler):
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
    >>> provenance_of(DIGITS)["made by"], provenance_of(DIGITS)["protocol"]["lr"]
    ('python -m ptft.vision', 0.001)
    """
    return {**stored_table.provenance(MADE_BY, FORMAT, protocol.key), "protocol": dataclasses.asdict(protocol)}


def identity(protocol: Protocol, seeds: Iterable[int], points: Sequence[Point]) -> pd.DataFrame:
    """The columns `tables.KEYS` of the accuracies that `run` returns.

    Examples
    --------
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
    >>> solve(Task(DIGITS, 0, Point("untrained", 0.0, 4), Path("absent"), None, "cpu"), DIGITS.key)
    Traceback (most recent call last):
        ...
    FileNotFoundError: a worker does not see the work folder absent: all machines must share it
    """
    engine.start_task(task.protocol.key, expected_key, task.folder)
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
    >>> read_points(Path("no such folder"), DIGITS)
    {}
    """

    def read(path: Path) -> dict[tuple[int, Point], dict[str, Any]]:
        row = json.loads(path.read_text(encoding="utf-8"))
        if row["key"] != protocol.key:
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
        "key": task.protocol.key,
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
    return folder.with_name(f"pretraining-{protocol.pretraining_key}")


def _checkpoint_file(task: Task) -> Path:
    knob, value = start_of(task.point)
    folder = _checkpoints(task.folder, task.protocol)
    return folder / f"pretraining_seed-{task.seed:03d}_{knob}-{value}.safetensors"


def _is_checkpoint(path: Path) -> bool:
    try:
        return bool(read_record(path))
    except (OSError, ValueError):
        return False


def _check_size(n: int, split: Split) -> None:
    pool = len(split.pool_images)
    if not 2 <= whole_number(n, "n") <= pool:
        raise ValueError(f"n = {n} is not allowed: it must be between 2 and {pool}, the fine-tuning pool")


def _dimensions(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    try:
        return {
            "pr_before": participation_ratio(before),
            "pr_after": participation_ratio(after),
            "ensd": ensd(before, after),
        }
    except ValueError:  # activations that diverged or died out have no dimension
        return {"pr_before": math.nan, "pr_after": math.nan, "ensd": math.nan}
