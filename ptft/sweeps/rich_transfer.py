"""Figures 3 to 5 of arXiv:2507.04448: networks trained on two tasks in a row, by theory and with finite width.

A point is a training run of one draw, for one figure, of theory or network. Runs on the source tasks come first: each
is a preparation that leaves its curves and neurons in a file (8 MB for 20,000 neurons of 100 dimensions). The points
on the source task measure such a file, and those on the target task begin with it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ptft
from ptft.extras import needs_extra
from ptft.infinite_width import rich_transfer
from ptft.infinite_width.outcomes import SOURCE, RichTransferPoint, outcome
from ptft.infinite_width.rich_transfer import FIGURES, KINDS
from ptft.infinite_width.stored_runs import read_arrays, read_run, run_bytes
from ptft.sweeps.options import add_images, add_range, given_images, given_range, on_images
from ptft.sweeps.sweep import Preparation, Rows, Sweep
from ptft.validation import checked, one_of, require, whole_number

with needs_extra("sweep", __name__):
    import pandas as pd

FORMAT = 1
COLUMNS = {"quantity": str, "x": float | None, "value": np.float32 | None}


@checked
def plan(
    figures: Iterable[str],
    draws: Iterable[int],
    width: int,
    kinds: Sequence[str] = KINDS,
    dataset: str = "digits",
    P1: int | None = None,
) -> list[RichTransferPoint]:
    """The points of some figures, in the order of figures, draws and kinds: the source first, then the targets.

    Parameters
    ----------
    figures : iterable of str
        Some of `ptft.infinite_width.rich_transfer.FIGURES`.
    draws : iterable of int
        Draws of data and neurons.
    width : int, even
        Neurons, and particles.
    kinds : sequence of str, default both
    dataset, P1
        Of Figures 4 and 5, as in `ptft.infinite_width.rich_transfer.setting`.

    Raises
    ------
    ValueError
        If there is no draw, or a number or a name is not allowed.

    Examples
    --------
    >>> points = plan(["3a"], draws=[0], width=100)
    >>> len(points), points[0].start  # theory and network, 16 targets each
    (34, 'source')
    """
    draws = [whole_number(draw, "draws") for draw in draws]
    require(len(draws) > 0, "draws", draws, "at least one")
    require(whole_number(width, "width", 2) % 2 == 0, "width", width, "even, as particles come in mirrored pairs")
    settings = [rich_transfer.setting(figure, dataset, P1) for figure in figures]
    kinds = [one_of(kind, "kinds", KINDS) for kind in kinds]
    return [
        RichTransferPoint(s.figure, s.dataset, s.P1, P2, draw, kind, width, gamma_2, start)
        for s, draw, kind in itertools.product(settings, draws, kinds)
        for P2, gamma_2, start in [(0, 0.0, SOURCE), *itertools.product(s.P2, s.gamma_2, s.starts)]
    ]


def source_of(point: RichTransferPoint) -> RichTransferPoint | None:
    """The run on the source task that a point measures or begins with.

    Examples
    --------
    >>> points = plan(["3a"], draws=[0], width=100)
    >>> source_of(points[0]) == points[0], source_of(points[1])  # the second begins with random neurons
    (True, None)
    """
    return None if point.start == "scratch" else point._replace(P2=0, gamma_2=0.0, start=SOURCE)


def prepare(point: RichTransferPoint, root: str | Path | None = None, device: str | None = None) -> bytes:
    """Train on a source task: the content of the file of the run.

    Parameters
    ----------
    point : RichTransferPoint
    root : path, optional
        Folder of the images, see `ptft.vision.load`.
    device : str, optional
        Train by PyTorch there, such as ``"cuda"``; by default numpy.

    Examples
    --------
    >>> point = plan(["4"], [0], 10, ["theory"], P1=20)[0]
    >>> (rows,) = solve([point], prepare(point))
    >>> rows["rich_transfer"][-1]["quantity"]
    'complete'
    """
    setting = rich_transfer.setting(point.figure, point.dataset, point.P1)
    (source, _), random = rich_transfer.drawn(setting, point.draw, point.kind, point.width, root)
    begun = time.perf_counter()
    run = rich_transfer.source_run(setting, source, random, device)
    return run_bytes(run, time.perf_counter() - begun)


def solve(
    points: Sequence[RichTransferPoint],
    prepared: bytes | None,
    root: str | Path | None = None,
    device: str | None = None,
) -> list[Rows]:
    """Solve a point; `prepared` is what the run on its source task left, root and device are as in `prepare`.

    Examples
    --------
    >>> point = plan(["4"], [0], 10, ["theory"], P1=20)[1]
    >>> (rows,) = solve([point], None)  # it begins with random neurons
    >>> rows["rich_transfer"][0]["quantity"]
    'train_loss'
    """
    (point,) = points
    setting = rich_transfer.setting(point.figure, point.dataset, point.P1)
    (source, target), random = rich_transfer.drawn(setting, point.draw, point.kind, point.width, root)
    before = None if prepared is None else read_run(prepared, source, setting.gamma_1)
    if before is not None and prepared is not None and point.start == SOURCE:
        untrained = rich_transfer.preactivations(random, target.X_test)
        return [{"rich_transfer": outcome(setting, before, target, SOURCE, **_record(prepared), untrained=untrained)}]
    examples, begun = rich_transfer.first_examples(target, point.P2), time.perf_counter()
    run = rich_transfer.target_run(
        setting, examples, point.gamma_2, before or random, point.start, point.draw, point.kind, device
    )
    return [{"rich_transfer": outcome(setting, run, target, point.start, time.perf_counter() - begun)}]


def _record(content: bytes) -> dict[str, Any]:
    return {"seconds": float(read_arrays(content)["seconds"])}


def depends_on(digest: str | None = None) -> list[Any]:
    """What a result depends on besides its point: the numbers of all figures, and the digest of a user's images.

    Examples
    --------
    >>> depends_on()[-1] == ptft.__version__
    True
    """
    return [*rich_transfer.numbers(), FORMAT, ptft.__version__, *([] if digest is None else [digest])]


def _summary(table: pd.DataFrame) -> str:
    return f"not to the end: {(table.loc[table['quantity'] == 'complete', 'value'] == 0).sum()}"


SWEEP = Sweep(
    name="rich-transfer",
    format=FORMAT,
    depends_on=depends_on,
    point=RichTransferPoint,
    solve=solve,
    tables={"rich_transfer": COLUMNS},
    preparation=Preparation("source", source_of, prepare, _record, ".npz", depends_on),
    formerly=("python -m ptft.infinite_width",),
    summary=_summary,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args(["3a", "3b"]).width
    20000
    """
    parser.add_argument("figures", nargs="+", metavar="FIGURE", help=f"some of {', '.join(FIGURES)}")
    add_range(parser, "draw", number=5)
    parser.add_argument("--width", type=int, default=20_000, help="neurons, and particles (default 20000, published)")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), help=f"some of {', '.join(KINDS)} (default both)")
    add_images(parser, "images of Figures 4 and 5")
    parser.add_argument("--source-examples", type=int, help="P1 of Figures 4 and 5 (default: that of the data set)")
    parser.add_argument("--device", help="train by PyTorch there, such as cuda (default: by numpy)")


def planned(args: argparse.Namespace) -> tuple[Sweep, list[RichTransferPoint]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`, of too few images and no device.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> len(planned(parser.parse_args(["3a", "--draws", "1"]))[1])
    34
    """
    if args.device is not None:
        from ptft.vision.compaction import check_device

        check_device(args.device)
    dataset, root, images = given_images(args)
    points = plan(args.figures, given_range(args, "draw"), args.width, args.kinds, dataset, args.source_examples)
    for figure, name, P1 in dict.fromkeys((point.figure, point.dataset, point.P1) for point in points):
        rich_transfer.tasks(rich_transfer.setting(figure, name, P1), 0, root)  # are there enough images?
    return on_images(SWEEP, images, root=root, device=args.device), points
