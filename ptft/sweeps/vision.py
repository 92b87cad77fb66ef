"""Figures 4 and 6 to 9: a residual network pretrained and fine-tuned on images, for each seed, knob, value and n.

Pretrainings are preparations: each leaves a checkpoint of 45 MB, from which several points start, and protocols that
differ in fine-tuning alone share them. This module needs the extra ``ptft[vision]``.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import ptft
from ptft import vision
from ptft.extras import needs_extra
from ptft.sweeps.options import add_images, add_range, given_range
from ptft.sweeps.sweep import Preparation, Rows, Sweep, machine
from ptft.validation import one_of, positive_array, whole_number
from ptft.vision import DIGITS, Point, Protocol, Split
from ptft.vision.checkpoints import checkpoint_bytes, load_checkpoint, read_record
from ptft.vision.compaction import check_device
from ptft.vision.protocol import check_sample_size, knob_values, start_of

with needs_extra("vision", __name__):
    import pandas as pd
    import torch
    import torchvision

FORMAT = 1
PRECISIONS = ("auto", "bfloat16", "float32")

ACCURACIES = {"accuracy": float, "accuracy_recalibrated": float, "loss": float, "stopped_by": str}
ACCURACIES |= {"pretraining_images": int, "epochs": int, "seconds": float}
REPRESENTATIONS = {"stage": str, "pr_before": float, "pr_after": float, "ensd": float}


class VisionPoint(NamedTuple):
    """A seed of one data set, a knob, its value and the number of fine-tuning images; n = 0 is a pretraining."""

    dataset: str
    seed: int
    knob: str
    value: float
    n: int


def plan(
    protocol: Protocol, seeds: Iterable[int], points: Iterable[Point], root: str | Path | None = None
) -> list[VisionPoint]:
    """The points, as `ptft.vision.grid` gives them, of each seed.

    Raises
    ------
    ValueError
        If a seed is not a whole number, or there are fewer images than n.
    OSError
        If there are no images.

    Examples
    --------
    >>> plan(DIGITS, [0], [Point("kappa", 0.5, 10)])
    [VisionPoint(dataset='digits', seed=0, knob='kappa', value=0.5, n=10)]
    """
    seeds, points = [whole_number(seed, "seed") for seed in seeds], list(points)
    for seed, n in itertools.product(seeds, {point.n for point in points}):
        check_sample_size(n, _split(protocol, seed, root))
    return [VisionPoint(protocol.dataset, seed, *point) for seed, point in itertools.product(seeds, points)]


def pretraining_of(point: VisionPoint) -> VisionPoint | None:
    """The pretraining from which a point starts; knobs after pretraining share the baseline's.

    Examples
    --------
    >>> pretraining_of(VisionPoint("digits", 0, "gamma", 0.1, 10))
    VisionPoint(dataset='digits', seed=0, knob='baseline', value=1.0, n=0)
    """
    start = start_of(Point(point.knob, point.value, point.n))
    return None if start == vision.UNTRAINED else point._replace(knob=start[0], value=start[1], n=0)


def prepare(point: VisionPoint, protocol: Protocol, root: str | Path | None = None, device: str = "cpu") -> bytes:
    """Pretrain: the content of a checkpoint.

    Examples
    --------
    >>> quick = Protocol.of_record({**DIGITS.record, "size": 8, "pretraining_images": 32, "pretraining_cap": 1})
    >>> len(prepare(VisionPoint("digits", 0, "baseline", 1.0, 0), quick)) // 10**6  # MB
    44
    """
    split = _split(protocol, point.seed, root)
    done = vision.pretrain_point(protocol, split, point.seed, (point.knob, point.value), device)
    record = {
        "seed": point.seed,
        "knob": point.knob,
        "value": point.value,
        "pretraining_images": len(split.pretraining_images),
        "pretraining_epochs": done.epochs,
        "pretraining_loss": done.loss if done.epochs else None,
        "pretraining_stopped_by": done.stopped_by,
        "pretraining_seconds": round(done.seconds, 2),
    }
    return checkpoint_bytes(done.model, record)


def solve(
    points: Sequence[VisionPoint],
    prepared: Path | None,
    protocol: Protocol,
    root: str | Path | None = None,
    device: str = "cpu",
) -> list[Rows]:
    """Fine-tune from the checkpoint `prepared`, or from the initialization, and measure.

    Examples
    --------
    >>> quick = Protocol.of_record({**DIGITS.record, "size": 8, "n_measured": 10, "fine_tuning_cap": 1})
    >>> (rows,) = solve(plan(quick, [0], [Point("untrained", 0.0, 4)]), None, quick)
    >>> len(rows["vision"]), len(rows["representations"])
    (1, 5)
    """
    (point,) = points
    split = _split(protocol, point.seed, root)
    model = vision.new_model(split.n_classes, point.seed).eval()
    images = 0 if prepared is None else load_checkpoint(prepared, model)["pretraining_images"]
    knob = Point(point.knob, point.value, point.n)
    found = {"pretraining_images": images, **vision.fine_tune_point(protocol, split, point.seed, model, knob, device)}
    return [{"vision": [{name: found[name] for name in ACCURACIES}], "representations": found["stages"]}]


@functools.lru_cache(maxsize=1)
def _split(protocol: Protocol, seed: int, root: str | Path | None) -> Split:
    return protocol.split(seed, root)


def depends_on(protocol: Protocol) -> list[Any]:
    """What a result depends on besides its point.

    Examples
    --------
    >>> depends_on(DIGITS)[0]["dataset"]
    'digits'
    """
    return [protocol.record, FORMAT, ptft.__version__, torch.__version__]


def pretraining_depends_on(protocol: Protocol) -> list[Any]:
    """The same of a pretraining, without what acts after it.

    Examples
    --------
    >>> "fine_tuning_loss" in pretraining_depends_on(DIGITS)[0]
    False
    """
    record, *versions = depends_on(protocol)
    later = [name for name in record if name in ("n_test", "n_measured") or name.startswith("fine_tuning_")]
    return [{name: value for name, value in record.items() if name not in later}, *versions]


def _machine(device: str) -> str:
    place = "" if device == "cpu" else f", {torch.cuda.get_device_name(device)}"
    return f"{machine()}, torch {torch.__version__}, torchvision {torchvision.__version__}{place}"


def _summary(table: pd.DataFrame) -> str:
    return f"fine-tuning stopped by {table['stopped_by'].value_counts().to_dict()}"


def sweep(protocol: Protocol = DIGITS, root: str | Path | None = None, device: str = "cpu") -> Sweep:
    """The sweep with a protocol, on images in a folder (see `ptft.vision.load`), and on a device such as "cuda".

    Raises
    ------
    ValueError
        If there is no such device.

    Examples
    --------
    >>> sweep().key == sweep(Protocol("cifar-100")).key
    False
    """
    check_device(device)
    where: dict[str, Any] = {"protocol": protocol, "root": root, "device": device}
    needs = partial(pretraining_depends_on, protocol)
    make = partial(prepare, **where)
    return Sweep(
        name="vision",
        format=FORMAT,
        depends_on=partial(depends_on, protocol),
        point=VisionPoint,
        solve=partial(solve, **where),
        tables={"vision": ACCURACIES, "representations": REPRESENTATIONS},
        preparation=Preparation(
            "pretraining", pretraining_of, make, read_record, ".safetensors", needs, "pretrainings"
        ),
        formerly=("python -m ptft.vision",),
        machine=partial(_machine, device),
        notes={"protocol": protocol.record},
        summary=_summary,
    )


SWEEP = sweep()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args([]).knobs
    ['kappa', 'c', 'gamma', 'weights']
    """
    parser.epilog = "For the digits, size, thresholds and caps are weaker by default: ptft.vision.DIGITS."
    add_images(parser, ", ".join(vision.DATASETS))
    parser.add_argument("--pretraining-images", type=int, help="number of them (default: all)")
    parser.add_argument("--test-images", type=int, dest="n_test", help="number of them (default: all)")
    add_range(parser, "seed", number=10)
    some = f"some of {', '.join(vision.KNOBS | vision.CONTROLS)}"
    parser.add_argument("--knobs", nargs="*", default=list(vision.KNOBS), metavar="KNOB[=VALUE,...]", help=some)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(vision.SAMPLE_SIZES), help="fine-tuning sizes n")
    for name, stage in (("pretraining", vision.PRETRAINING), ("fine-tuning", vision.FINE_TUNING)):
        ends = f"{name} ends below it (published: {stage.loss_below:g})"
        parser.add_argument(f"--{name}-loss", type=float, help=ends)
        parser.add_argument(f"--{name}-cap", type=int, help=f"or after so many epochs (default {stage.max_epochs})")
    parser.add_argument("--precision", default="auto", help="auto (default), bfloat16 or float32")
    parser.add_argument("--device", default="cpu", help="where to train (default cpu)")


def planned(args: argparse.Namespace) -> tuple[Sweep, list[VisionPoint]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`, and name an option.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> sweep, points = planned(parser.parse_args(["--seeds", "1", "--knobs", "gamma=0.1", "--sizes", "10"]))
    >>> [(point.knob, point.value) for point in points]
    [('baseline', 1.0), ('untrained', 0.0), ('gamma', 0.1)]
    """
    one_of(args.dataset, "--dataset", vision.DATASETS)
    one_of(args.precision, "--precision", PRECISIONS)
    base = DIGITS if args.dataset == "digits" else Protocol(args.dataset)
    given = {name: value for name, value in vars(args).items() if name in base.record and value is not None}
    for name in ("pretraining", "fine-tuning"):
        positive_array(given.get(f"{name.replace('-', '_')}_loss", 1), f"--{name}-loss")
        whole_number(given.get(f"{name.replace('-', '_')}_cap", 0), f"--{name}-cap")
    seeds, points = given_range(args, "seed"), vision.grid(args.sizes, dict(map(knob_values, args.knobs)))
    check_device(args.device)
    bf16 = vision.has_bf16(args.device) if args.precision == "auto" else args.precision == "bfloat16"
    protocol = Protocol.of_record({**base.record, **given, "bf16": bf16})
    return sweep(protocol, args.root, args.device), plan(protocol, seeds, points, args.root)
