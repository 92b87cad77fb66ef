"""The estimators of `ptft.regression` beside others, on few examples of tasks from real tables, and the prediction.

A point is one table with one number of examples, for one random split of the second task, or for the theory: see
`ptft.few_examples`.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import ptft
from ptft.extras import needs_extra
from ptft.few_examples import check_examples, measured_errors, predicted_errors
from ptft.real_tasks import TABLES
from ptft.regression import RIDGES
from ptft.sweeps.options import add_range, given_range
from ptft.sweeps.sweep import Rows, Sweep
from ptft.validation import checked, listed, one_of, whole_number

with needs_extra("learn", __name__):
    import sklearn

FORMAT = 2  # 1 began the fits with a given ridge from a first task that cross-validation had learned
KINDS = ("measured", "theory")
SIZES = (15, 30, 60)
COLUMNS = {"method": str, "error": float, "choice": str, "certified": bool}


class DataPoint(NamedTuple):
    """A table, a number of examples, and the seed of a split of kind "measured", or 0 of kind "theory"."""

    table: str
    n: int
    kind: str
    seed: int
    ridges: int  # of cross-validation and of the prediction


@checked
def plan(
    tables: Iterable[str], sizes: Iterable[int], seeds: Iterable[int], kinds: Iterable[str], ridges: int = len(RIDGES)
) -> list[DataPoint]:
    """Every table with every number of examples: the theory, and every split.

    Parameters
    ----------
    tables : iterable of str
        Some of `ptft.real_tasks.TABLES`.
    sizes : iterable of int
        Numbers of examples, 10 or more, such that 20 are left for the test.
    seeds : iterable of int
        Of the splits.
    kinds : iterable of str
        Some of `KINDS`.
    ridges : int, at least 2, default 9
        Number of them, between those of `ptft.regression.RIDGES`.

    Raises
    ------
    ValueError
        If a name or a number is not allowed.

    Examples
    --------
    >>> len(plan(["wine"], [15, 30], range(5), KINDS))
    12
    """
    whole_number(ridges, "ridges", at_least=2)
    kinds, seeds = [one_of(kind, "kinds", KINDS) for kind in kinds], [whole_number(seed, "seeds") for seed in seeds]
    tables, points = [one_of(name, "tables", TABLES) for name in listed(tables, "tables")], []
    for name, n in itertools.product(tables, listed(sizes, "sizes")):
        check_examples(name, n)
        for kind in kinds:
            points += [DataPoint(name, n, kind, seed, ridges) for seed in (seeds if kind == "measured" else [0])]
    return points


def solve(points: Sequence[DataPoint], prepared: bytes | None = None) -> list[Rows]:
    """The test errors of all methods on a split, or the predicted ones of all starts.

    Examples
    --------
    >>> (rows,) = solve(plan(["wine"], [15], [0], ["measured"], ridges=2))
    >>> [row["method"] for row in rows["your_own_data"]][:4]
    ['start I', 'start II', 'start III', 'start IV']
    """
    (point,) = points
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers that stop early; ours are in the table
        if point.kind == "theory":
            rows = predicted_errors(point.table, point.n, point.ridges)
        else:
            rows = measured_errors(point.table, point.n, point.seed, point.ridges)
    return [{"your_own_data": rows}]


def depends_on() -> list[Any]:
    """What a result depends on besides its point.

    Examples
    --------
    >>> depends_on() == [FORMAT, ptft.__version__, sklearn.__version__]
    True
    """
    return [FORMAT, ptft.__version__, sklearn.__version__]


SWEEP = Sweep(
    name="your-own-data",
    format=FORMAT,
    depends_on=depends_on,
    point=DataPoint,
    solve=solve,
    tables={"your_own_data": COLUMNS},
    notes={"scikit-learn": sklearn.__version__},
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args([]).sizes
    [15, 30, 60]
    """
    parser.add_argument("--tables", nargs="+", default=list(TABLES), help=f"some of {', '.join(TABLES)} (default all)")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="numbers of examples")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), help=f"some of {', '.join(KINDS)} (default all)")
    parser.add_argument("--ridges", type=int, default=len(RIDGES), help="number of them (default %(default)s)")
    add_range(parser, "seed", number=50)


def planned(args: argparse.Namespace) -> tuple[Sweep, list[DataPoint]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> len(planned(parser.parse_args([]))[1])
    918
    """
    return SWEEP, plan(args.tables, args.sizes, given_range(args, "seed"), args.kinds, args.ridges)
