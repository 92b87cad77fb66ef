"""Figures 2b and 2c of arXiv:2507.04448 on images, at several widths and for several draws.

A point is one call of `ptft.infinite_width.kernel_transfer.solve_point`: pretraining once by mean-field theory and once
in a finite network, and kernel regression with the features of either on a number of target tasks. Its numbers are
`SETTING`. Solving needs the extra ``ptft[vision]``.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ptft
from ptft.infinite_width.kernel_transfer import solve_point
from ptft.sweeps.options import add_images, add_range, given_images, given_range, on_images
from ptft.sweeps.sweep import Rows, Sweep
from ptft.validation import checked, require, whole_number

FORMAT = 2  # 1 drew the particles with signs that depend on the processor
SETTING: dict[str, Any] = {"source": (0, 1), "target": (0, 9), "P_2": (4, 8, 16, 32, 64), "pool": 128, "draws": 32}
P_1 = (20, 100)
GAMMA_1 = (0.0, 1.0, 4.0)
COLUMNS = {"features": str, "P_2": int, "draw": int, "loss": float, "source_loss": float}


class AdaptedKernelPoint(NamedTuple):
    """One draw of images and weights, at one width, for one number of source images and one richness."""

    dataset: str
    P_1: int
    gamma_1: float
    width: int
    seed: int


@checked
def plan(widths: Iterable[int], seeds: Iterable[int], dataset: str = "digits") -> list[AdaptedKernelPoint]:
    """Every point of the given widths and seeds, the narrow ones first.

    Raises
    ------
    ValueError
        If a width is not even or a seed is not a whole number.

    Examples
    --------
    >>> points = plan([4000, 1000], range(5))
    >>> len(points), [points[0].width, points[-1].width]
    (60, [1000, 4000])
    """
    widths = sorted(whole_number(width, "widths", 2) for width in widths)
    for width in widths:
        require(width % 2 == 0, "widths", width, "even, as particles come in mirrored pairs")
    seeds = [whole_number(seed, "seeds") for seed in seeds]
    return [AdaptedKernelPoint(dataset, p, g, w, s) for w, s, p, g in itertools.product(widths, seeds, P_1, GAMMA_1)]


def solve(
    points: Sequence[AdaptedKernelPoint], prepared: bytes | None = None, root: str | Path | None = None
) -> list[Rows]:
    """Solve a point; `root` is the folder of the images, see `ptft.vision.load`.

    Examples
    --------
    >>> (rows,) = solve(plan([64], [0])[:1])
    >>> len(rows["adapted_kernels"])  # two kinds of features, five P_2, 32 draws
    320
    """
    (point,) = points
    given = {"root": root, "S": point.width, "N": point.width, "seed": point.seed, **SETTING}
    rows = solve_point(point.dataset, P_1=point.P_1, gamma_1=point.gamma_1, **given)
    return [{"adapted_kernels": [{column: row[column] for column in COLUMNS} for row in rows]}]


def depends_on(digest: str | None = None) -> list[Any]:
    """What a result depends on besides its point, the digest of a user's images among it.

    Examples
    --------
    >>> depends_on() == [SETTING, FORMAT, ptft.__version__]
    True
    """
    return [SETTING, FORMAT, ptft.__version__, *([] if digest is None else [digest])]


SWEEP = Sweep(
    name="adapted-kernels",
    format=FORMAT,
    depends_on=depends_on,
    point=AdaptedKernelPoint,
    solve=solve,
    tables={"adapted_kernels": COLUMNS},
    formerly=("python -m ptft.infinite_width.kernel_sweep",),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args([]).widths
    [1000, 4000, 16000]
    """
    parser.add_argument("--widths", type=int, nargs="+", default=[1000, 4000, 16000], help="neurons, and particles")
    add_range(parser, "draw", number=5)
    add_images(parser, "of the images")


def planned(args: argparse.Namespace) -> tuple[Sweep, list[AdaptedKernelPoint]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`, and those of too few images.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> len(planned(parser.parse_args(["--widths", "1000", "--draws", "2"]))[1])
    12
    """
    from ptft.infinite_width.images import class_pair_tasks

    dataset, root, images = given_images(args)
    points = plan(args.widths, given_range(args, "draw"), dataset)
    pairs = SETTING["source"], SETTING["target"]
    class_pair_tasks(*pairs, max(P_1), SETTING["pool"], name=dataset, root=root)  # are there images?
    return on_images(SWEEP, images, root=root), points
