"""Figures 4 and 6 to 9: a residual network pretrained and fine-tuned on images, for each seed, knob, value and n.

Pretrainings are preparations: each leaves a checkpoint of 45 MB, from which several points start, and protocols that
differ in fine-tuning alone share them. This module needs the extra ``ptft[vision]``.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import ptft
from ptft import vision
from ptft.extras import needs_extra
from ptft.sweeps.options import add_images, add_protocol, add_range, given_protocol, given_range
from ptft.sweeps.sweep import Preparation, Rows, Sweep
from ptft.sweeps.table import endings
from ptft.validation import checked, whole_number
from ptft.vision import DIGITS, Point, Protocol
from ptft.vision.checkpoints import checkpoint_bytes, load_checkpoint, read_record
from ptft.vision.compaction import check_device
from ptft.vision.protocol import MEASURED, MEASURED_BY_STAGE, check_sample_size, knob_values, start_of

with needs_extra("vision", __name__):
    import torch

FORMAT = 2  # 1 had neither the maximum over epochs nor any convention but the first, and drew classes independently


class VisionPoint(NamedTuple):
    """A seed of one data set, a knob, its value and the number of fine-tuning images; n = 0 is a pretraining."""

    dataset: str
    seed: int
    knob: str
    value: float
    n: int


@checked
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
        check_sample_size(n, protocol.split(seed, root))
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
    split = protocol.split(point.seed, root)
    done = vision.pretrain_point(protocol, split, point.seed, (point.knob, point.value), device)
    record = {"images": len(split.pretraining_images), **done.record}
    named = {f"pretraining_{name}": value for name, value in record.items()}
    return checkpoint_bytes(done.model, {"seed": point.seed, "knob": point.knob, "value": point.value, **named})


def solve(
    points: Sequence[VisionPoint],
    prepared: bytes | None,
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
    split = protocol.split(point.seed, root)
    model = vision.new_model(split.n_classes, point.seed).eval()
    images = 0 if prepared is None else load_checkpoint(prepared, model)["pretraining_images"]
    knob = Point(point.knob, point.value, point.n)
    found = {"pretraining_images": images, **vision.fine_tune_point(protocol, split, point.seed, model, knob, device)}
    return [{"vision": [{name: found[name] for name in MEASURED}], "representations": found["stages"]}]


def depends_on(record: dict[str, Any]) -> list[Any]:
    """What a result depends on besides its point: the record of the protocol, or for pretrainings that part of it.

    Examples
    --------
    >>> depends_on(DIGITS.record)[0]["dataset"]
    'digits'
    """
    return [record, FORMAT, ptft.__version__, torch.__version__]


@checked
def sweep(protocol: Protocol = DIGITS, root: str | Path | None = None, device: str = "cpu") -> Sweep:
    """The sweep with a protocol, on images in a folder (see `ptft.vision.load`), and on a device such as "cuda".

    The provenance of its tables names the classes of a user's folder, with their counts and a hash of the files.

    Raises
    ------
    ValueError
        If there is no such device, or the folder holds other images.

    Examples
    --------
    >>> sweep().key == sweep(Protocol("cifar-100")).key
    False
    """
    check_device(device)
    first = partial(depends_on, protocol.pretraining_record)
    return Sweep(
        name="vision",
        format=FORMAT,
        depends_on=partial(depends_on, protocol.record),
        point=VisionPoint,
        solve=solve,
        tables={"vision": MEASURED, "representations": MEASURED_BY_STAGE},
        preparation=Preparation(
            "pretraining", pretraining_of, prepare, read_record, ".safetensors", first, "pretrainings"
        ),
        formerly=("python -m ptft.vision",),
        former_formats=(1,),
        where={"protocol": protocol, "root": root, "device": device},
        notes={"protocol": protocol.record} | ({"images": protocol.images(root).record} if protocol.digest else {}),
        summary=endings,
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
    add_images(parser, ", ".join(vision.DATASETS))
    add_range(parser, "seed", number=10)
    some = f"some of {', '.join(vision.KNOBS | vision.CONTROLS)}"
    parser.add_argument("--knobs", nargs="*", default=list(vision.KNOBS), metavar="KNOB[=VALUE,...]", help=some)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(vision.SAMPLE_SIZES), help="fine-tuning sizes n")
    add_protocol(parser)
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
    protocol, seeds, root = given_protocol(args), given_range(args, "seed"), args.images or args.root
    points = vision.grid(args.sizes, dict(map(knob_values, args.knobs)))
    if args.images:
        print(f"{protocol.dataset}: {protocol.images(root)}")
    return sweep(protocol, root, args.device), plan(protocol, seeds, points, root)
