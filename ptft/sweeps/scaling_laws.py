"""Exact end points on tasks with power laws: one row for each setting, d, number of examples and seed.

Settings of the same d, n and seed share their inputs and are solved together.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import ptft
from ptft.initialization import Initialization
from ptft.scaling import LARGEST_D, PowerLawTasks
from ptft.simulation import simulate_many
from ptft.sweeps.options import add_range, given_range
from ptft.sweeps.sweep import Rows, Sweep
from ptft.validation import checked, one_of, require, whole_number

FORMAT = 1
COLUMNS = {"mse": float, "kkt_residual": float | None, "method": str, "converged": bool}
SPARSE: dict[str, Any] = {"rho_pt": 0.3, "rho_ft": 0.3}
SETTINGS: dict[str, tuple[dict[str, Any], Initialization]] = {  # what is not said is as in `PowerLawTasks`
    "lazy, alone": ({"pretrained": False}, Initialization(1e3)),
    "lazy, memory": ({"size_pt": 10.0}, Initialization(1e-6)),
    "memory": ({}, Initialization(1e-6)),
    "steep: lazy, alone": ({"a": 4.0, "pretrained": False}, Initialization(1e3)),
    "steep: memory": ({"a": 4.0}, Initialization(1e-9)),
    "sparse: lazy, alone": ({**SPARSE, "pretrained": False}, Initialization(1e3)),
    "sparse: rich, alone": ({**SPARSE, "pretrained": False}, Initialization(1e-6)),
    "sparse: memory": (SPARSE, Initialization(1e-6)),
    "sparse: memory of 100 ranks": ({**SPARSE, "known_ranks": 100}, Initialization(1e-6)),
}


class ScalingPoint(NamedTuple):
    """One setting on n sampled examples of d features."""

    setting: str
    d: int
    n: int
    seed: int


@checked
def setting(name: str, d: int) -> tuple[PowerLawTasks, Initialization]:
    """The tasks and the initialization of one of `SETTINGS`.

    Raises
    ------
    ValueError
        If there is none of the name, or d is no number of features.

    Examples
    --------
    >>> setting("sparse: memory", d=100)[0].rho_ft
    0.3
    """
    tasks, init = SETTINGS[one_of(name, "name", SETTINGS)]
    return PowerLawTasks(d, **tasks), init


@checked
def plan(d: int, sizes: Iterable[int], seeds: Iterable[int]) -> list[ScalingPoint]:
    """The points of a table: every setting, number of examples and seed.

    Raises
    ------
    ValueError
        If a number is outside its range, or there are not more features than examples.

    Examples
    --------
    >>> len(plan(d=100, sizes=[10, 20], seeds=[0]))
    18
    """
    d = whole_number(d, "d", at_least=2, at_most=LARGEST_D)
    sizes = [whole_number(n, "sizes", at_least=1, at_most=d - 1) for n in sizes]
    seeds = [whole_number(seed, "seeds") for seed in seeds]
    require(len(seeds) > 0, "seeds", seeds, "at least one")
    rows = itertools.product(seeds, sizes, SETTINGS)
    return [ScalingPoint(name, d, n, seed) for seed, n, name in rows]


def solve(points: Sequence[ScalingPoint], prepared: bytes | None = None) -> list[Rows]:
    """Simulate points of the same d, n and seed.

    Examples
    --------
    >>> [rows["scaling_laws"][0]["converged"] for rows in solve(plan(50, [5], [0])[:2])]
    [True, True]
    """
    _, d, n, seed = points[0]
    done = simulate_many([setting(one.setting, d) for one in points], n / d, d, seed)
    return [{"scaling_laws": [{column: getattr(one, column) for column in COLUMNS}]} for one in done]


def depends_on() -> list[Any]:
    """What a result depends on besides its point.

    Examples
    --------
    >>> depends_on()[0] == FORMAT
    True
    """
    of_names = {name: [tasks, init.c_pt] for name, (tasks, init) in SETTINGS.items()}
    return [FORMAT, ptft.__version__, of_names]


def _inputs(point: ScalingPoint) -> tuple[int, int, int]:
    return point.seed, point.n, point.d


SWEEP = Sweep(
    name="scaling-laws",
    format=FORMAT,
    depends_on=depends_on,
    point=ScalingPoint,
    solve=solve,
    tables={"scaling_laws": COLUMNS},
    together=_inputs,
    batch=len(SETTINGS),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args([]).d
    5000
    """
    parser.add_argument("--d", type=int, default=5000, help="number of features (default 5000)")
    sizes = [20, 60, 200, 600]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, help="numbers of examples")
    add_range(parser, "seed", number=40)


def planned(args: argparse.Namespace) -> tuple[Sweep, list[ScalingPoint]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> len(planned(parser.parse_args(["--seeds", "2"]))[1])
    72
    """
    return SWEEP, plan(args.d, args.sizes, given_range(args, "seed"))
