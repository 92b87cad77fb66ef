"""The experiment of Figures 4 and 6-9, one point at a time: it can be stopped, resumed and run in several processes.

A point is a (seed, knob, value, n). The knobs `kappa` and `c` act at initialization, so each of their values has its
own pretraining; `gamma` and `weights` act after pretraining and share the baseline's. At scale 1 all four are the same
baseline, which is run once. Each finished point is one file in a folder named by a hash of the protocol, so that
results of two protocols never mix.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import math
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torchvision.models import ResNet

from ptft.files import write_whole
from ptft.validation import whole_number
from ptft.vision.data import Split, load, normalize, split_dataset
from ptft.vision.representation import STAGES, activations, ensd, participation_ratio
from ptft.vision.tables import ACCURACY_COLUMNS, REPRESENTATION_COLUMNS, ROOT, as_table
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


@dataclass(frozen=True)
class Protocol:
    """What a stored result depends on besides its point; the defaults are those of the book.

    Learning rate, momentum and batch are the published ones. The two loss thresholds and the caps are weaker than the
    published ones (0.01 and 0.0001, no cap stated), so that the sweep takes minutes without an accelerator.
    """

    dataset: str = "digits"
    size: int = 16
    n_ft: int = 2
    n_test: int = 150
    lr: float = 1e-3
    momentum: float = 0.9
    batch: int = 128
    pretraining_loss: float = 2e-2
    pretraining_cap: int = 12
    fine_tuning_loss: float = 1e-3
    fine_tuning_cap: int = 100

    @property
    def key(self) -> str:
        """Hash of the protocol and of the version of torch."""
        text = json.dumps([dataclasses.asdict(self), torch.__version__], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def split(self, seed: int) -> Split:
        """The normalized images, split into pretraining, fine-tuning pool and test set by `seed`."""
        images, labels = load(self.dataset)
        return split_dataset(normalize(images, self.size), labels, self.n_ft, self.n_test, seed)


class Point(NamedTuple):
    """A knob, its value and the number of fine-tuning images."""

    knob: str
    value: float
    n: int


BASELINE = ("baseline", 1.0)
UNTRAINED = ("untrained", 0.0)  # fine-tuning from the initialization, a control
KNOBS = {"kappa": (0.25, 0.5, 2.0), "c": (0.5, 2.0, 4.0), "gamma": (0.1, 0.3, 3.0), "weights": (0.25, 0.5, 2.0)}
SAMPLE_SIZES = (10, 20, 50)
AT_INITIALIZATION = ("kappa", "c")


def grid(sample_sizes: Sequence[int] = SAMPLE_SIZES) -> list[Point]:
    """All points of one seed: the baseline, the untrained control, and each knob's values, at each sample size."""
    settings = [BASELINE, UNTRAINED, *((knob, value) for knob, values in KNOBS.items() for value in values)]
    return [Point(knob, value, n) for (knob, value), n in itertools.product(settings, sample_sizes)]


def start_of(point: Point) -> tuple[str, float]:
    """The setting of the pretraining from which a point starts: knobs after pretraining share the baseline's."""
    return (point.knob, point.value) if point.knob in (*AT_INITIALIZATION, UNTRAINED[0]) else BASELINE


def pretrain_point(protocol: Protocol, split: Split, seed: int, start: tuple[str, float] = BASELINE) -> Training:
    """Pretrain from the initialization that `start` = (knob, value) scales; the untrained control takes no step."""
    model = new_model(split.n_classes, seed)
    knob, value = start
    if knob == "kappa":
        model = scale_early_layers(model, value)
    elif knob == "c":
        model = scale_parameters(model, value)
    return pretrain(
        model,
        split.pretraining_images,
        split.pretraining_labels,
        split.pretraining_classes,
        seed,
        lr=protocol.lr,
        momentum=protocol.momentum,
        batch=protocol.batch,
        loss_below=protocol.pretraining_loss,
        max_epochs=0 if knob == UNTRAINED[0] else protocol.pretraining_cap,
    )


def fine_tune_point(protocol: Protocol, split: Split, seed: int, pretrained: ResNet, point: Point) -> dict:
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
    """
    pool = len(split.pool_images)
    if not 2 <= whole_number(point.n, "n") <= pool:
        raise ValueError(f"n = {point.n} is not allowed: it must be between 2 and {pool}, the fine-tuning pool")
    model = pretrained
    if point.knob == "gamma":
        model = scale_readout(model, point.value)
    elif point.knob == "weights":
        model = scale_parameters(model, point.value)
    images = split.pool_images[: point.n]
    result = fine_tune(
        model,
        images,
        split.pool_labels[: point.n],
        split.fine_tuning_classes,
        seed,
        lr=protocol.lr,
        momentum=protocol.momentum,
        batch=protocol.batch,
        loss_below=protocol.fine_tuning_loss,
        max_epochs=protocol.fine_tuning_cap,
    )
    test = (split.test_images, split.test_labels, split.fine_tuning_classes)
    before, after = activations(pretrained, split.test_images), activations(result.model, split.test_images)
    return {
        "accuracy": accuracy(result.model, *test),
        "accuracy_recalibrated": accuracy(recalibrate(result.model, images, protocol.batch), *test),
        "loss": result.loss,
        "stopped_by": result.stopped_by,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 2),
        "stages": [{"stage": stage, **_dimensions(before[stage], after[stage])} for stage in STAGES],
    }


def run(protocol: Protocol, seeds: Sequence[int], points: Sequence[Point], work: Path, jobs: int = 1) -> list[dict]:
    """The results of `points` for each seed: those in the work folder are read, what is missing is computed.

    Parameters
    ----------
    protocol : Protocol
    seeds : sequence of int
    points : sequence of Point
        The points of each seed, as `grid` gives them.
    work : Path
        Folder of folders, one per protocol; a checkpoint of 45 MB per pretraining, a small file per point.
    jobs : int
        Processes, with one thread each.

    Returns
    -------
    list of dict, sorted by seed, knob, value and n
    """
    folder = Path(work) / f"{protocol.dataset}-{protocol.key}"
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[tuple[int, tuple[str, float]], list[Point]] = {}
    for seed, point in itertools.product(seeds, points):
        if not _point_file(folder, seed, point).exists():
            groups.setdefault((seed, start_of(point)), []).append(point)
    tasks = [(protocol, folder, seed, start, todo) for (seed, start), todo in groups.items()]
    if whole_number(jobs, "jobs", 1) == 1:
        for task in tasks:
            _run_group(task)
    else:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            for _ in pool.imap_unordered(_run_group, tasks):
                pass
    files = [_point_file(folder, seed, point) for seed, point in itertools.product(seeds, points)]
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return sorted(found, key=lambda r: (r["seed"], r["knob"], r["value"], r["n"]))


def recompute(seeds: Sequence[int], sample_sizes: Sequence[int] = SAMPLE_SIZES) -> tuple[np.ndarray, np.ndarray]:
    """The two tables of the book, accuracies and representations, computed again on one thread (or resumed)."""
    found = run(Protocol(), seeds, grid(sample_sizes), ROOT / "_build" / "vision")
    return as_table(ACCURACY_COLUMNS, found), as_table(REPRESENTATION_COLUMNS, by_stage(found))


def by_stage(found: Sequence[dict]) -> list[dict]:
    """One row per point and stage of what `run` returns."""
    return [{**point, **stage} for point in found for stage in point["stages"]]


def _run_group(task: tuple[Protocol, Path, int, tuple[str, float], list[Point]]) -> None:
    """One pretraining and the fine-tuning runs that start from it."""
    protocol, folder, seed, start, points = task
    torch.set_num_threads(1)
    split = protocol.split(seed)
    pretrained, pretraining = _checkpoint(protocol, folder, split, seed, start)
    for point in points:
        result = fine_tune_point(protocol, split, seed, pretrained, point)
        row = {"dataset": protocol.dataset, "seed": seed, **point._asdict(), **result, **pretraining}
        write_whole(_point_file(folder, seed, point), json.dumps(row, indent=1).encode())


def _checkpoint(
    protocol: Protocol, folder: Path, split: Split, seed: int, start: tuple[str, float]
) -> tuple[ResNet, dict]:
    """The pretrained network and its record, read if they are there, else made; the record is written last."""
    stem = folder / f"pretraining_seed-{seed:03d}_{start[0]}-{start[1]:g}"
    weights, record = stem.with_name(stem.name + ".pt"), stem.with_name(stem.name + ".json")
    if not record.exists():
        done = pretrain_point(protocol, split, seed, start)
        buffer = io.BytesIO()
        torch.save(done.model.state_dict(), buffer)
        write_whole(weights, buffer.getvalue())
        summary = {
            "pretraining_images": len(split.pretraining_images),
            "pretraining_epochs": done.epochs,
            "pretraining_loss": done.loss if done.epochs else None,
            "pretraining_stopped_by": done.stopped_by,
            "pretraining_seconds": round(done.seconds, 2),
        }
        write_whole(record, json.dumps(summary, indent=1).encode())
    model = new_model(split.n_classes, seed)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval(), json.loads(record.read_text(encoding="utf-8"))


def _point_file(folder: Path, seed: int, point: Point) -> Path:
    return folder / f"seed-{seed:03d}_{point.knob}-{point.value:g}_n-{point.n}.json"


def _dimensions(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    try:
        return {
            "pr_before": participation_ratio(before),
            "pr_after": participation_ratio(after),
            "ensd": ensd(before, after),
        }
    except ValueError:  # activations that diverged or died out have no dimension
        return {"pr_before": math.nan, "pr_after": math.nan, "ensd": math.nan}
