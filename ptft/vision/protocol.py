"""One point of Figures 4 and 6-9: what a network is pretrained and fine-tuned on, how, and what is measured of it.

A point is a (knob, value, n), run for each seed. The knobs `kappa` and `c` act at initialization, so each of their
values has its own pretraining; `gamma` and `weights` act after pretraining and share the baseline's. At scale 1 all
four are the same baseline, which is run once.

`CONTROLS` are knobs that the paper does not have, which help to explain its own. ``kappa_ft`` scales what kappa scales,
but after pretraining. ``kappa_rate`` rescales nothing: its value stands for a kappa by whose square the learning rate
of the same layers is divided, in both stages. ``epochs`` is the number of epochs of the baseline's pretraining, which
it has whatever its loss. Fine-tuning from the initialization is the control `UNTRAINED`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from ptft import trends
from ptft.validation import check_fields, checked, one_of, require, whole_number
from ptft.vision.data import Dataset, Split, load, normalize, split_dataset
from ptft.vision.representation import CONVENTIONS, MEASURED_ON, STAGES, activations, columns_of, dimensions
from ptft.vision.training import (
    FINE_TUNING,
    PRETRAINING,
    Stage,
    Training,
    accuracy,
    new_model,
    recalibrate,
    scale_early_layers,
    scale_parameters,
    scale_readout,
    train,
)

if TYPE_CHECKING:
    from torchvision.models import ResNet

# what `fine_tune_point` finds, with its types, once and for each stage
MEASURED: dict[str, Any] = {
    "accuracy": float,
    "accuracy_recalibrated": float,
    "accuracy_maximum": float | None,
    "loss": float | None,
    "stopped_by": str,
    "pretraining_images": int,
    "epochs": int,
    "seconds": float,
}
MEASURED_BY_STAGE: dict[str, Any] = {"stage": str} | {
    column: np.float32 | None
    for convention, measured_on in itertools.product(CONVENTIONS, MEASURED_ON)
    for column in columns_of(convention, measured_on)
}


@dataclass(frozen=True)
class Protocol:
    """What a stored result depends on besides its point; the defaults are the published ones.

    Parameters
    ----------
    dataset : str
        A name that `ptft.vision.load` knows, or that of a folder of images.
    pretraining_images, images_per_class : int, optional
        How many, altogether and of each pretraining class; all by default.
    size : int, optional
        Pixels to which images are resized; by default they stay as they are.
    n_ft, n_pt : int, optional
        Numbers of fine-tuning classes and of pretraining classes, by default all others; `split_classes` draws them.
    n_test, held_out : int, optional
        Number of test images, by default all of the fine-tuning classes; of each of these, training images that are
        held out for testing as well. See `split_dataset`.
    n_measured : int, default 500
        The representations are measured on so many of the test images and of the fine-tuning pool, the first ones.
    pretraining, fine_tuning : Stage
    label, digest : str, optional
        Of a folder of images, the column of labels and the hash of its files, see `ptft.vision.image_folders`.

    Examples
    --------
    >>> protocol = Protocol("cifar-100")
    >>> protocol.pretraining.loss_below, protocol.fine_tuning.loss_below
    (0.01, 0.0001)
    """

    dataset: str
    pretraining_images: int | None = None
    size: int | None = None
    n_ft: int = 2
    n_test: int | None = None
    n_measured: int = 500
    pretraining: Stage = PRETRAINING
    fine_tuning: Stage = FINE_TUNING
    n_pt: int | None = None
    images_per_class: int | None = None
    held_out: int | None = None
    label: str | None = None
    digest: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        whole_number(self.n_measured, "n_measured", 2)
        if self.size is not None:
            whole_number(self.size, "size", 1)

    @classmethod
    def of_folder(cls, path: str | Path, label: str | None = None, size: int | None = None, **fields: Any) -> Protocol:
        """The protocol for a folder of images, which has the folder's name and the hash of its files.

        Raises
        ------
        ValueError, FileNotFoundError
            As `ptft.vision.load`.
        """
        images = _images(Path(path), None, label, size)
        return cls(Path(path).resolve().name, size=size, label=label, digest=images.digest, **fields)

    @property
    def record(self) -> dict[str, Any]:
        """The protocol in JSON types, as stored tables hold it and keys are made of it.

        It is flat: ``pretraining_loss``, ``pretraining_cap`` and the like of fine-tuning; ``lr``, ``momentum``,
        ``batch`` and ``bf16`` of pretraining, and ``fine_tuning_lr`` and so on only where fine-tuning differs in them.
        What chooses classes and the images of a folder stands there only where it is not None.
        """
        record = {
            name: value
            for name, value in vars(self).items()
            if not isinstance(value, Stage) and (value is not None or name not in LATER)
        }
        for stage, name in ((self.pretraining, "pretraining"), (self.fine_tuning, "fine_tuning")):
            for field, value in vars(stage).items():
                if field in OWN:
                    record[f"{name}_{OWN[field]}"] = value
                elif record.setdefault(field, value) != value:
                    record[f"{name}_{field}"] = value
        return record

    @property
    def pretraining_record(self) -> dict[str, Any]:
        """The part of the record that pretraining depends on."""
        later = ("n_test", "n_measured", "held_out", "fine_tuning_")
        return {name: value for name, value in self.record.items() if not name.startswith(later)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Protocol:
        """The protocol whose `record` is given, such as that in the provenance of a stored table.

        Raises
        ------
        ValueError
            If it is no record of a protocol.
        """
        fields: dict[str, Any] = {field.name: record.get(field.name) for field in dataclasses.fields(cls)}
        for name in ("pretraining", "fine_tuning"):
            stage: dict[str, Any] = {}
            for field in dataclasses.fields(Stage):
                own = f"{name}_{OWN.get(field.name, field.name)}"
                stage[field.name] = record.get(own, record.get(field.name))
            fields[name] = Stage(**stage)
        protocol = cls(**fields)
        if protocol.record != record:
            raise ValueError(f"record = {record} is not allowed: it must be that of a protocol")
        return protocol

    def images(self, root: str | Path | None = None) -> Dataset:
        """The images, of which the last ones are kept: those of a folder lie in `root`.

        Raises
        ------
        ValueError
            If the folder holds other files than those that the protocol was made for, or none is given.
        ValueError, FileNotFoundError
            As `ptft.vision.load`.
        """
        if self.digest is None:
            return _images(self.dataset, root, None, None)
        if root is None:
            raise ValueError(f"root = None is not allowed: it must be the folder of the images {self.dataset}")
        found = _images(Path(root), None, self.label, self.size)
        if found.digest != self.digest:
            raise ValueError(f"the files in {root} have the hash {found.digest}: the protocol is of {self.digest}")
        return found

    def split(self, seed: int, root: str | Path | None = None) -> Split:
        """The images, split into pretraining, fine-tuning pool and test set by `seed`; the last one is kept."""
        return _split(self, seed, root)

    def prepare(self, images: Tensor, device: str = "cpu") -> Tensor:
        """What the network sees of images of a split."""
        return normalize(images.to(device), self.size)


@functools.lru_cache(maxsize=1)
def _images(name: str | Path, root: str | Path | None, label: str | None, size: int | None) -> Dataset:
    return load(name, root, label, size)


@functools.lru_cache(maxsize=1)
def _split(protocol: Protocol, seed: int, root: str | Path | None) -> Split:
    p = protocol
    counts = p.pretraining_images, p.n_test, p.n_pt, p.images_per_class, p.held_out
    return split_dataset(p.images(root), p.n_ft, seed, *counts)


LATER = ("n_pt", "images_per_class", "held_out", "label", "digest")  # fields that records of format 1 lack
OWN = {"loss_below": "loss", "max_epochs": "cap"}  # fields of a stage that each stage has of its own in a record

# the digits in minutes: small images, weaker thresholds than the published ones, and caps
DIGITS = Protocol(
    "digits",
    size=16,
    n_test=150,
    pretraining=dataclasses.replace(PRETRAINING, loss_below=2e-2, max_epochs=12),
    fine_tuning=dataclasses.replace(FINE_TUNING, loss_below=1e-3, max_epochs=100),
)


class Point(NamedTuple):
    """A knob, its value and the number of fine-tuning images."""

    knob: str
    value: float
    n: int


Start = tuple[str, float]  # the knob and value of a pretraining
UNTRAINED: Start = (trends.UNTRAINED, 0.0)  # fine-tuning from the initialization, a control
KNOBS: dict[str, tuple[float, ...]] = {
    "kappa": (0.25, 0.5, 2.0),
    "c": (0.5, 2.0, 4.0),
    "gamma": (0.1, 0.3, 3.0),
    "weights": (0.25, 0.5, 2.0),
}
CONTROLS: dict[str, tuple[float, ...]] = {
    "kappa_ft": (0.25, 0.5, 2.0),  # the early layers, as by kappa, but after pretraining
    "kappa_rate": (0.25,),  # their learning rate is divided by its square, and nothing is rescaled
    "epochs": (30,),  # of the baseline's pretraining, whatever its loss
}
SAMPLE_SIZES = (10, 20, 50, 100, 200, 500, 1000)
OWN_PRETRAINING = ("kappa", "c", "kappa_rate", "epochs", UNTRAINED[0])


@checked
def grid(sample_sizes: Sequence[int] = SAMPLE_SIZES, knobs: Mapping[str, Sequence[float]] = KNOBS) -> list[Point]:
    """All points of one seed: the baseline, the untrained control, and each knob's values, at each sample size.

    Examples
    --------
    >>> points = grid([10, 20], {"kappa": (0.5, 2.0)})
    >>> len(points), points[0]
    (8, Point(knob='baseline', value=1.0, n=10))
    """
    settings = [trends.BASELINE, UNTRAINED, *((knob, value) for knob, values in knobs.items() for value in values)]
    return [Point(knob, value, n) for (knob, value), n in itertools.product(settings, sample_sizes)]


@checked
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


@checked
def knob_values(text: str) -> tuple[str, tuple[float, ...]]:
    """A knob and its values other than 1 from text, KNOB or KNOB=VALUE,VALUE.

    Raises
    ------
    ValueError
        If there is no such knob, or a value is not allowed.

    Examples
    --------
    >>> knob_values("gamma=0.1,3")
    ('gamma', (0.1, 3.0))
    """
    name, _, values = text.partition("=")
    one_of(name, "--knobs", tuple(KNOBS | CONTROLS))
    if not values:
        return name, part(name)[name]
    try:
        numbers = tuple(float(value) for value in values.split(","))
    except ValueError:
        numbers = (0.0,)
    if not all(0 < number < float("inf") and number != 1 for number in numbers):
        raise ValueError(f"--knobs {text} is not allowed: its values must be positive numbers other than 1")
    if name == "epochs" and not all(number.is_integer() for number in numbers):
        raise ValueError(f"--knobs {text} is not allowed: numbers of epochs must be whole")
    return name, numbers


@checked
def start_of(point: Point) -> Start:
    """The setting of the pretraining from which a point starts: knobs after pretraining share the baseline's.

    Examples
    --------
    >>> start_of(Point("kappa", 0.5, 10)), start_of(Point("gamma", 0.1, 10))
    (('kappa', 0.5), ('baseline', 1.0))
    """
    return (point.knob, point.value) if point.knob in OWN_PRETRAINING else trends.BASELINE


@checked
def pretrain_point(
    protocol: Protocol, split: Split, seed: int, start: Start = trends.BASELINE, device: str = "cpu"
) -> Training:
    """Pretrain from the initialization that `start` = (knob, value) scales; the untrained control takes no step.

    Parameters
    ----------
    protocol : Protocol
    split : Split
        As of `Protocol.split`.
    seed : int
        Of the weights and of the order of the images.
    start : (str, float), default the baseline
        As of `start_of`: a knob that acts from pretraining on, and its value; others are the baseline.
    device : str, default "cpu"

    Raises
    ------
    ValueError
        If a number of epochs is not whole.

    Examples
    --------
    >>> epoch = dataclasses.replace(DIGITS.pretraining, max_epochs=1)
    >>> quick = dataclasses.replace(DIGITS, size=8, pretraining_images=32, pretraining=epoch)
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
    stage = protocol.pretraining
    if knob == UNTRAINED[0]:
        stage = dataclasses.replace(stage, max_epochs=0)
    elif knob == "epochs":
        require(float(value).is_integer(), "epochs", value, "a whole number")
        stage = dataclasses.replace(stage, max_epochs=int(value), loss_below=0.0)
    images, labels = protocol.prepare(split.pretraining_images, device), split.pretraining_labels.to(device)
    return train(model, images, labels, split.pretraining_classes, seed, stage, early_rate=_early_rate(knob, value))


@checked
def fine_tune_point(
    protocol: Protocol, split: Split, seed: int, pretrained: ResNet, point: Point, device: str = "cpu"
) -> dict[str, Any]:
    """Fine-tune on the first n images of the pool and measure the result on the test set.

    Parameters
    ----------
    protocol, split, seed, device
        As in `pretrain_point`.
    pretrained : ResNet
        The network that `pretrain_point` left.
    point : Point
        What is rescaled now if it is not before, and n.

    Returns
    -------
    dict
        ``accuracy`` after the last epoch; ``accuracy_recalibrated``, the same with the batch-norm statistics of the n
        images (`recalibrate`); ``accuracy_maximum`` over the epochs, which is the published measure (None without any
        epoch); ``loss`` (likewise), ``stopped_by``, ``epochs``, ``seconds``; and ``stages``, a list with one dict per
        stage of ``stage`` and all that `columns_of` names: participation ratios of the network as pretraining left it
        and after fine-tuning, and the dimensions that they share.

    Raises
    ------
    ValueError
        If n exceeds the pool, or its images of a class do not suffice.

    Examples
    --------
    >>> epoch = dataclasses.replace(DIGITS.fine_tuning, max_epochs=1)
    >>> quick = dataclasses.replace(DIGITS, size=8, n_measured=10, fine_tuning=epoch)
    >>> found = fine_tune_point(quick, quick.split(0), 0, new_model(10, seed=0), Point("gamma", 0.1, 4))
    >>> found["epochs"], [one["stage"] for one in found["stages"]][:2]
    (1, ['stem', 'stage 1'])
    """
    check_sample_size(point.n, split)
    model = pretrained.to(device)
    if point.knob == "kappa_ft":
        model = scale_early_layers(model, point.value)
    elif point.knob == "gamma":
        model = scale_readout(model, point.value)
    elif point.knob == "weights":
        model = scale_parameters(model, point.value)
    images, labels = protocol.prepare(split.pool_images[: point.n], device), split.pool_labels[: point.n].to(device)
    tested = protocol.prepare(split.test_images, device), split.test_labels.to(device)
    given = images, labels, split.fine_tuning_classes, seed, protocol.fine_tuning, tested
    result = train(model, *given, early_rate=_early_rate(point.knob, point.value))
    recalibrated = recalibrate(result.model, images)

    def right(model: ResNet) -> float:
        return accuracy(model, *tested, split.fine_tuning_classes, bf16=protocol.fine_tuning.bf16)

    networks = {
        "evaluation": (pretrained, result.model),
        "recalibrated": (recalibrate(pretrained, images), recalibrated),
    }
    measured = tested[0][: protocol.n_measured], protocol.prepare(split.pool_images[: protocol.n_measured], device)
    stages: list[dict[str, Any]] = [{"stage": stage} for stage in STAGES]
    for name, on in zip(MEASURED_ON, measured, strict=True):
        for row, found in zip(stages, _dimensions(networks, on), strict=True):
            for convention, values in found.items():
                row |= dict(zip(columns_of(convention, name), values, strict=True))
    return {
        "accuracy": right(result.model),
        "accuracy_recalibrated": right(recalibrated),
        "accuracy_maximum": max(result.accuracies.tolist(), default=None),
        **result.record,
        "stages": stages,
    }


@checked
def check_sample_size(n: int, split: Split) -> None:
    """Raise a ValueError unless n images, at least 2, can be taken from the fine-tuning pool, as many of each class.

    Examples
    --------
    >>> check_sample_size(1, DIGITS.split(0))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: n = 1 is not allowed: it must be between 2 and ..., the fine-tuning pool
    """
    pool = len(split.pool_images)
    if not 2 <= whole_number(n, "n") <= pool:
        raise ValueError(f"n = {n} is not allowed: it must be between 2 and {pool}, the fine-tuning pool")
    classes, taken = split.fine_tuning_classes, np.bincount(split.pool_labels[:n].numpy(), minlength=split.n_classes)
    for number in classes[taken[classes] < n // len(classes)]:
        raise ValueError(f"n = {n} is not allowed: class number {number} has {taken[number]} images in the pool")


def _early_rate(knob: str, value: float) -> float:
    return value**-2 if knob == "kappa_rate" else 1.0


def _dimensions(
    networks: Mapping[str, tuple[ResNet, ResNet]], images: Tensor
) -> list[dict[str, tuple[float, float, float]]]:
    """Of each stage, by each convention, the dimensions before and after fine-tuning and those shared."""
    found: list[dict[str, tuple[float, float, float]]] = [{} for _ in STAGES]
    pairs = {name: tuple(activations(network, images) for network in pair) for name, pair in networks.items()}
    pairs["batch"] = tuple(activations(network, images, batch_statistics=True) for network in networks["evaluation"])
    pairs["published"] = pairs["batch"]
    for convention in CONVENTIONS:
        before, after = pairs[convention]
        for row, stage in zip(found, STAGES, strict=True):
            row[convention] = _of_stage(before[stage], after[stage], convention != "published")
    return found


def _of_stage(before: Tensor, after: Tensor, centred: bool) -> tuple[float, float, float]:
    try:
        return dimensions(before, after, centred)
    except ValueError:  # activations that diverged or died out have no dimension
        return math.nan, math.nan, math.nan
