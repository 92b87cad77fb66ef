"""Both stages of training simulated, where pretraining has few or noisy data, beside the predictions for the teachers.

A point is one setting of `ptft.experiments.both_stages` at one data scale of fine-tuning, d and seed. Points of the
same d, data scale and seed are simulated together.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

import ptft
from ptft import agreement, experiments
from ptft.experiments import COLUMNS, FiniteSetting, Setting
from ptft.sweeps.options import add_range, given_range
from ptft.sweeps.sweep import Rows, Sweep, not_certified
from ptft.two_stages import TwoStageCurve
from ptft.validation import listed, require, whole_number

FORMAT = 1
ALPHA = (0.05, 0.1, 0.2, 0.3, 0.4)
ALPHA_NOISY = (0.2,)  # where the labels of pretraining are noisy and its amount varies


class TwoStagesPoint(NamedTuple):
    """One setting, data scale of fine-tuning, d and seed."""

    rho_pt: float
    rho_ft: float
    omega: float
    c_pt: float
    lambda_pt: float
    gamma_ft: float
    alpha_pt: float
    noise_pt: float
    noise_ft: float
    d: int
    alpha: float
    seed: int

    @property
    def setting(self) -> FiniteSetting:
        """Teacher, initialization and data of both stages."""
        stages = len(agreement.STAGES)
        return FiniteSetting(Setting.of_numbers(self[: len(COLUMNS)]), *self[len(COLUMNS) : len(COLUMNS) + stages])


def plan(d: int, seeds: Iterable[int]) -> list[tuple[Any, ...]]:
    """The rows of a table, label and point.

    Parameters
    ----------
    d : int, at least 20
        So many that the smallest data scale of fine-tuning has an example.
    seeds : iterable of int, at least one

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> rows = plan(100, [0])
    >>> len(rows), SWEEP.point_of(rows[0]).setting == FiniteSetting(Setting(omega=1.0), alpha_pt=0.0)
    (54, True)
    """
    d = whole_number(d, "d", at_least=20)
    seeds = list(dict.fromkeys(whole_number(seed, "seeds") for seed in listed(seeds, "seeds")))
    require(len(seeds) > 0, "seeds", seeds, "at least one")
    return [
        (label, *one.base.numbers, one.alpha_pt, one.noise_pt, one.noise_ft, d, alpha, seed)
        for label, settings in experiments.both_stages().items()
        for one in settings
        for alpha in (ALPHA_NOISY if label == "noisy labels" else ALPHA)
        for seed in seeds
    ]


@functools.cache
def _law(setting: FiniteSetting, alpha: float) -> TwoStageCurve:
    return experiments.predict_two_stages(setting, [alpha])


def solve(points: Sequence[TwoStagesPoint], prepared: bytes | None = None) -> list[Rows]:
    """Simulate points of the same d, data scale and seed.

    Examples
    --------
    >>> (rows,) = solve([SWEEP.point_of(plan(100, [0])[0])])
    >>> rows["two_stages"][0]["converged"]
    True
    """
    settings, (d, alpha, seed) = [point.setting for point in points], points[0][-3:]
    laws = [_law(setting, round(alpha * d) / d) for setting in settings]
    return [{"two_stages": rows} for rows in agreement.stage_rows(settings, np.array([alpha]), d, seed, laws)]


def depends_on() -> list[Any]:
    """What a result depends on besides its point.

    Examples
    --------
    >>> depends_on() == [FORMAT, ptft.__version__]
    True
    """
    return [FORMAT, ptft.__version__]


def _inputs(point: TwoStagesPoint) -> tuple[int, float, int]:
    return point.seed, -point.alpha, point.d


SWEEP = Sweep(
    name="two-stages",
    format=FORMAT,
    depends_on=depends_on,
    point=TwoStagesPoint,
    solve=solve,
    tables={"two_stages": agreement.STAGE_COLUMNS},
    labels=("group",),
    together=_inputs,
    batch=32,
    summary=not_certified,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args(["--d", "100"]).seeds
    40
    """
    parser.add_argument("--d", type=int, nargs="+", default=[500], help="one dimension or several (default 500)")
    add_range(parser, "seed", number=40)


def planned(args: argparse.Namespace) -> tuple[Sweep, list[tuple[Any, ...]]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> len(planned(parser.parse_args(["--d", "100", "--seeds", "2"]))[1])
    108
    """
    return SWEEP, [row for d in args.d for row in plan(d, given_range(args, "seed"))]
