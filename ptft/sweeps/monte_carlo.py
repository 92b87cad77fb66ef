"""The Monte-Carlo solver on the published settings, with the diagnostics of Appendix E.2.4 and the exact errors.

A point is one curve along a number of data scales, in both directions; a row is one data scale. Both solvers have the
ridge of the paper's.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import ptft
from ptft import experiments
from ptft.experiments import Setting
from ptft.sweeps.options import add_range, given_range
from ptft.sweeps.sweep import Rows, Sweep
from ptft.validation import checked, listed, require, whole_number

FORMAT = 1
RIDGE = 1e-6  # of the paper's solver
SAMPLED = ("alpha", "mse", "mse_se", "residual", "mismatch_db", "reliability_db", "iterations", "converged")
COLUMNS = dict.fromkeys(SAMPLED, float) | {"iterations": int, "converged": bool, "exact": float}


class MonteCarloPoint(NamedTuple):
    """One setting and one sample at `alphas` data scales; None is what has no meaning without pretraining."""

    rho_pt: float | None
    rho_ft: float
    omega: float | None
    c_pt: float
    lambda_pt: float | None
    gamma_ft: float | None
    alphas: int
    samples: int
    seed: int

    @property
    def setting(self) -> Setting:
        """Teacher and initialization."""
        return Setting.of_numbers(self[: len(experiments.COLUMNS)])


@checked
def plan(name: str, samples: int, seeds: Sequence[int], alphas: int = len(experiments.ALPHA)) -> list[MonteCarloPoint]:
    """Every setting of the experiments with every seed.

    Parameters
    ----------
    name : str
        One of `ptft.experiments.EXPERIMENTS`.
    samples : int, at least 1000
    seeds : sequence of int, at least one
    alphas : int, default 11
        Number of data scales between the published ends, 0.01 and 0.5.

    Raises
    ------
    ValueError
        If the name is unknown or a number is outside its range.

    Examples
    --------
    >>> len(plan("experiment-1", 1000, [0])), plan("experiment-1", 1000, [0])[0].setting == Setting(c_pt=1e-6)
    (21, True)
    """
    whole_number(samples, "samples", at_least=1000), whole_number(alphas, "alphas", at_least=1)
    seeds = [whole_number(seed, "seeds") for seed in listed(seeds, "seeds")]
    require(len(seeds) > 0, "seeds", seeds, "at least one")
    settings = dict.fromkeys(s for group in experiments.settings_of(name).values() for s in group)
    seeds = list(dict.fromkeys(seeds))
    return [MonteCarloPoint._make((*s.numbers, alphas, samples, seed)) for s in settings for seed in seeds]


def solve(points: Sequence[MonteCarloPoint], prepared: bytes | None = None) -> list[Rows]:
    """The curve of a point by sampling, and the errors by quadrature.

    Examples
    --------
    >>> (rows,) = solve(plan("experiment-4", 1000, [0], alphas=3)[:1])
    >>> [row["alpha"] for row in rows["monte_carlo"]]
    [0.01, 0.255, 0.5]
    """
    (point,) = points
    teacher, init = point.setting.teacher, point.setting.init
    first, last = experiments.ALPHA[[0, -1]].tolist()
    alpha = np.linspace(first, last, point.alphas)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the table says which points did not converge
        sampled = ptft.replica_curve(
            alpha, teacher, init, ridge=RIDGE, method="monte-carlo", samples=point.samples, seed=point.seed
        )
    exact = ptft.replica_curve(alpha, teacher, init, ridge=RIDGE).mse
    columns = {name: getattr(sampled, name).tolist() for name in SAMPLED} | {"exact": exact.tolist()}
    return [{"monte_carlo": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}]


def depends_on() -> list[Any]:
    """What a result depends on besides its point.

    Examples
    --------
    >>> depends_on() == [RIDGE, FORMAT, ptft.__version__]
    True
    """
    return [RIDGE, FORMAT, ptft.__version__]


SWEEP = Sweep(
    name="monte-carlo",
    format=FORMAT,
    depends_on=depends_on,
    point=MonteCarloPoint,
    solve=solve,
    tables={"monte_carlo": COLUMNS},
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args(["all"]).samples
    80000
    """
    parser.add_argument("experiments", nargs="+", metavar="experiment", help=", ".join(experiments.EXPERIMENTS))
    parser.add_argument("--samples", type=int, default=80_000, help="of the coefficients (default 80,000)")
    parser.add_argument("--alphas", type=int, default=len(experiments.ALPHA), help="number of alphas (default 11)")
    add_range(parser, "seed", number=1)


def planned(args: argparse.Namespace) -> tuple[Sweep, list[MonteCarloPoint]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> len(planned(parser.parse_args(["experiment-4", "--samples", "1000"]))[1])
    12
    """
    seeds = given_range(args, "seed")
    return SWEEP, [point for name in args.experiments for point in plan(name, args.samples, seeds, args.alphas)]
