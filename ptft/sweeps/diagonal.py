"""The published experiments of diagonal networks: one row for each experiment, setting, d, alpha and seed.

Points of the same d, n and seed share their inputs and are solved together. What several experiments share is
simulated once and listed under each.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

import ptft
from ptft import experiments
from ptft.experiments import Setting
from ptft.simulation import simulate_many
from ptft.sweeps.options import add_range, given_range
from ptft.sweeps.sweep import Rows, Sweep, not_certified
from ptft.validation import checked, positive_array, require, whole_number

FORMAT = 1
COLUMNS = {"mse": float, "kkt_residual": float | None, "method": str, "converged": bool, "seconds": float}


class DiagonalPoint(NamedTuple):
    """One simulated data set of n = alpha d examples; None is what has no meaning without pretraining."""

    rho_pt: float | None
    rho_ft: float
    omega: float | None
    c_pt: float
    lambda_pt: float | None
    gamma_ft: float | None
    d: int
    alpha: float
    seed: int

    @property
    def n(self) -> int:
        """The number of examples."""
        return round(self.alpha * self.d)

    @property
    def setting(self) -> Setting:
        """Teacher and initialization."""
        return Setting.of_numbers(self[: len(experiments.COLUMNS)])


@checked
def plan(name: str, d: int, seeds: Iterable[int], alpha: ArrayLike = experiments.ALPHA) -> list[tuple[Any, ...]]:
    """The rows of a table, label and point, in the order of experiments, settings, alpha and seeds.

    Parameters
    ----------
    name : str
        One of `ptft.experiments.EXPERIMENTS`.
    d : int
    seeds : iterable of int, at least one
    alpha : array_like, shape (points,), default the published `experiments.ALPHA`
        Data scales; each is rounded to a whole number of examples n = alpha d, and equal n count once.

    Raises
    ------
    ValueError
        If the name is unknown, a number is outside its range, or an alpha gives no example or more than d.

    Examples
    --------
    >>> rows = plan("experiment-4", d=100, seeds=[0, 1], alpha=[0.1, 0.2])
    >>> len(rows), SWEEP.point_of(rows[0]).n  # 12 settings, 2 data scales and 2 seeds
    (48, 10)
    """
    d, seeds = whole_number(d, "d", at_least=1), [whole_number(seed, "seeds") for seed in seeds]
    require(len(seeds) > 0, "seeds", seeds, "at least one")
    alpha = positive_array(alpha, "alpha", ndim=1)
    sizes = np.round(alpha * d).astype(int)
    require((sizes >= 1) & (sizes <= d), "alpha", alpha, f"such that n = round(alpha d) is between 1 and d = {d}")
    return [
        (label, *setting.numbers, d, n / d, seed)
        for label, settings in experiments.settings_of(name).items()
        for setting, n, seed in itertools.product(settings, dict.fromkeys(sizes.tolist()), dict.fromkeys(seeds))
    ]


def solve(points: Sequence[DiagonalPoint], prepared: bytes | None = None) -> list[Rows]:
    """Simulate points of the same d, n and seed; of the wall time, in seconds, each has an equal share.

    Examples
    --------
    >>> points = [SWEEP.point_of(row) for row in plan("experiment-1", 50, [0], [0.4])[:2]]
    >>> [rows["simulations"][0]["converged"] for rows in solve(points)]
    [True, True]
    """
    start, (d, seed, n) = time.perf_counter(), (points[0].d, points[0].seed, points[0].n)
    done = simulate_many([(p.setting.teacher, p.setting.init) for p in points], n / d, d, seed)
    seconds = (time.perf_counter() - start) / len(done)
    columns = [column for column in COLUMNS if column != "seconds"]
    return [{"simulations": [{c: getattr(one, c) for c in columns} | {"seconds": seconds}]} for one in done]


def depends_on() -> list[Any]:
    """What a result depends on besides its point.

    Examples
    --------
    >>> depends_on() == [FORMAT, ptft.__version__]
    True
    """
    return [FORMAT, ptft.__version__]


def _inputs(point: DiagonalPoint) -> tuple[int, int, int]:
    return point.seed, -point.n, point.d  # seed after seed, the largest n first


SWEEP = Sweep(
    name="diagonal",
    format=FORMAT,
    depends_on=depends_on,
    point=DiagonalPoint,
    solve=solve,
    tables={"simulations": COLUMNS},
    labels=("experiment",),
    together=_inputs,
    batch=16,
    formerly=("python -m ptft.sweep",),
    summary=not_certified,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args(["all", "--d", "100", "200"]).d
    [100, 200]
    """
    parser.add_argument("experiment", help=", ".join(experiments.EXPERIMENTS))
    parser.add_argument("--d", type=int, nargs="+", required=True, help="one dimension or several (published: 5000)")
    add_range(parser, "seed", number=14, first=6)
    parser.add_argument("--alphas", type=int, default=len(experiments.ALPHA), help="number of alphas (default 11)")
    parser.add_argument("--batch", type=int, default=SWEEP.batch, help=f"settings solved together ({SWEEP.batch})")


def planned(args: argparse.Namespace) -> tuple[Sweep, list[tuple[Any, ...]]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> sweep, rows = planned(parser.parse_args(["experiment-4", "--d", "100", "--seeds", "1", "--batch", "4"]))
    >>> sweep.batch, len(rows)
    (4, 132)
    """
    first, last = experiments.ALPHA[[0, -1]].tolist()
    alpha = np.linspace(first, last, whole_number(args.alphas, "--alphas", at_least=1))
    rows = [row for d in args.d for row in plan(args.experiment, d, given_range(args, "seed"), alpha)]
    return dataclasses.replace(SWEEP, batch=whole_number(args.batch, "--batch", at_least=1)), rows
