"""The estimators of `ptft.regression` beside others, on few examples of tasks from real tables, and the prediction.

A point is one table with one number of examples, for one random split of the second task, or for the theory. The first
task is learned once, from all its examples, by `FineTunedRegressionCV`. Errors are those of the standardised labels: 1
is that of the mean. The prediction of a start is that with the best ridge, for independent columns with the measured
variances, the coefficients that `FineTunedRegressionCV` finds from all examples of the second task, and what these
leave as noise.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

import ptft
from ptft.extras import needs_extra
from ptft.real_tasks import TABLES, load_tasks
from ptft.regression import RIDGES, FineTunedRegression, FineTunedRegressionCV, predicted_curve
from ptft.sweeps.options import add_range, given_range
from ptft.sweeps.sweep import Rows, Sweep
from ptft.validation import checked, listed, one_of, require, whole_number

with needs_extra("learn", __name__):
    import sklearn
    from sklearn.linear_model import ElasticNetCV, LassoCV, LinearRegression, RidgeCV

FORMAT = 1
KINDS = ("measured", "theory")
SIZES = (15, 30, 60)
STARTS = ("start I", "start II", "start III", "start IV")  # of the estimator's grid after a first task
ALONE = ("alone, rich", "alone, between", "alone, lazy")  # and without one
FIXED = (0.1, 0.25, 0.5, 1.0, 2.0)  # ridges of `FineTunedRegression`
FLOOR = 0.1  # of adaptive weights, which are the sizes of the first task's coefficients relative to the largest
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
    points = []
    for name, n in itertools.product(listed(tables, "tables"), listed(sizes, "sizes")):
        at_most = len(load_tasks(name).y) - 20
        whole_number(n, "sizes", at_least=10, at_most=at_most)
        for kind in kinds:
            points += [DataPoint(name, n, kind, seed, ridges) for seed in (seeds if kind == "measured" else [0])]
    require(len(points) > 0, "number of points", 0, "at least 1")
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
        return [{"your_own_data": _predicted(point) if point.kind == "theory" else _measured(point)}]


def _ridges(point: DataPoint) -> np.ndarray:
    return np.geomspace(RIDGES[0], RIDGES[-1], point.ridges)


@functools.cache
def _first_task(name: str, ridges: int) -> np.ndarray | None:
    """Its coefficients; None where there is none."""
    tasks = load_tasks(name)
    if not tasks.y_pt.size:
        return None
    grid = np.geomspace(RIDGES[0], RIDGES[-1], ridges)
    return np.asarray(FineTunedRegressionCV(ridges=grid).fit_pretrained(tasks.X_pt, tasks.y_pt).coef_pt)


def _starts(coef_pt: np.ndarray | None) -> list[tuple[np.ndarray | None, tuple[str, ...]]]:
    """With and without a first task, the names of the initializations that are compared."""
    return [(coef_pt, STARTS), (None, ALONE)] if coef_pt is not None else [(None, ALONE)]


def _measured(point: DataPoint) -> list[dict[str, Any]]:
    tasks, ridges, coef_pt = load_tasks(point.table), _ridges(point), _first_task(point.table, point.ridges)
    order = np.random.default_rng(point.seed).permutation(len(tasks.y))
    train, test = order[: point.n], order[point.n :]
    rows = []

    def add(method: str, estimator: Any, X: np.ndarray, choice: str = "") -> None:
        error = np.mean((tasks.y[test] - estimator.fit(X[train], tasks.y[train]).predict(X[test])) ** 2)
        certified = bool(getattr(estimator, "converged_", True))
        rows.append({"method": method, "error": float(error), "choice": choice, "certified": certified})

    for first, names in _starts(coef_pt):
        whole = FineTunedRegressionCV(coef_pt=first, ridges=ridges)
        inits = whole.fit(tasks.X[train], tasks.y[train]).inits_
        found = whole.mse_path_.mean(axis=2)
        for name, init, ridge in zip(names, inits, ridges[found.argmin(axis=1)], strict=True):
            add(name, FineTunedRegression(init, first, ridge), tasks.X)
        chosen = int(found.min(axis=1).argmin())
        which = "any start" if first is not None else "alone, any"
        add(which, FineTunedRegression(inits[chosen], first, whole.best_ridge_), tasks.X, names[chosen])
        rows[-1]["certified"] = whole.converged_
        for ridge in FIXED:
            add(
                f"{'default' if first is not None else 'alone, default'}, ridge {ridge:g}",
                FineTunedRegression(coef_pt=first, ridge=ridge),
                tasks.X,
            )
        if first is None and point.n <= tasks.X.shape[1]:
            for name, init in zip(names[::2], inits[::2], strict=True):
                add(f"{name}, interpolating", FineTunedRegression(init, ridge=0.0), tasks.X)
    few, many = max(2, point.ridges * 2), np.geomspace(1e-2, 1e4, 2 * point.ridges)
    add("lasso", LassoCV(alphas=few), tasks.X)
    add("ridge", RidgeCV(many), tasks.X)
    add("elastic net", ElasticNetCV(alphas=few), tasks.X)
    if coef_pt is not None:
        adapted = tasks.X * (np.abs(coef_pt) / np.max(np.abs(coef_pt)) + FLOOR)
        add("adaptive lasso", LassoCV(alphas=few), adapted)
        add("adaptive ridge", RidgeCV(many), adapted)
        add("first task's coefficients", LinearRegression(), (tasks.X @ coef_pt)[:, None])
    return rows


def _predicted(point: DataPoint) -> list[dict[str, Any]]:
    tasks, ridges, coef_pt = load_tasks(point.table), _ridges(point), _first_task(point.table, point.ridges)
    kept = tasks.X.std(axis=0) > 0
    X, y = tasks.X[:, kept], tasks.y
    full = FineTunedRegressionCV(ridges=ridges).fit(X, y)
    noise = float(np.mean((y - full.predict(X)) ** 2))

    rows = []
    for first, names in _starts(None if coef_pt is None else coef_pt[kept]):
        inits = FineTunedRegressionCV(coef_pt=first, ridges=ridges[:1], cv=2).fit(X, y).inits_
        for name, init in zip(names, inits, strict=True):
            fits = [FineTunedRegression(init, first, ridge).fit(X, y) for ridge in ridges]
            curves = [predicted_curve(one, point.n, full.coef_, X.var(axis=0), noise) for one in fits]
            best = min(curves, key=lambda one: float(one.mse))
            error, certified = float(best.mse) + noise, all(bool(one.converged) for one in curves)
            rows.append({"method": name, "error": error, "choice": "", "certified": certified})
    return rows


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
