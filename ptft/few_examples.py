"""The estimators of `ptft.regression` beside others, on few examples of a real task, and what the theory predicts.

The first task is learned from all its examples by the estimator that goes on with the second, and for the other methods
by `FineTunedRegressionCV`. Errors are those of the standardised labels: 1 is that of the mean. The module needs the
extra ``ptft[learn]``.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ptft.extras import needs_extra
from ptft.real_tasks import load_tasks
from ptft.regression import RIDGES, FineTunedRegression, FineTunedRegressionCV, predicted_curve
from ptft.validation import checked, whole_number

with needs_extra("learn", __name__):
    from sklearn.linear_model import ElasticNetCV, LassoCV, LinearRegression, RidgeCV

STARTS = ("start I", "start II", "start III", "start IV")  # of the estimator's grid after a first task
ALONE = ("alone, rich", "alone, between", "alone, lazy")  # and without one
FIXED = (0.1, 0.25, 0.5, 1.0, 2.0)  # ridges of `FineTunedRegression`
FLOOR = 0.1  # of adaptive weights, which are the sizes of the first task's coefficients relative to the largest
AT_LEAST, TESTED = 10, 20  # examples to learn from, and to test on


@checked
def check_examples(name: str, n: int) -> None:
    """Raise a ValueError unless the second task of a table has n examples to learn from, 10 or more, and 20 more.

    Examples
    --------
    >>> check_examples("wine", 5)
    Traceback (most recent call last):
        ...
    ValueError: n = 5 is not allowed: it must be at least 10 and at most 69
    """
    whole_number(n, "n", AT_LEAST, len(load_tasks(name).y) - TESTED)


@checked
def measured_errors(name: str, n: int, seed: int, ridges: int = len(RIDGES)) -> list[dict[str, Any]]:
    """Test errors of all methods that learn from n examples of the second task; the other examples are the test.

    Parameters
    ----------
    name : str
        One of `ptft.real_tasks.TABLES`.
    n : int
        Number of examples, 10 or more, such that 20 are left.
    seed : int
        Of the choice of the examples.
    ridges : int, at least 2, default 9
        Number of them, between those of `ptft.regression.RIDGES`.

    Returns
    -------
    list of dict
        ``method``, ``error``, ``choice`` (the start that was chosen, or "") and ``certified``.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> [row["method"] for row in measured_errors("wine", 15, seed=0, ridges=2)][:5]
    ['start I', 'start II', 'start III', 'start IV', 'any start']
    """
    check_examples(name, n)
    grid, coef_pt, tasks = _grid(ridges), _first_task(name, ridges), load_tasks(name)
    order = np.random.default_rng(whole_number(seed, "seed")).permutation(len(tasks.y))
    train, test = order[:n], order[n:]
    rows = []

    def add(method: str, estimator: Any, X: np.ndarray = tasks.X, choice: str = "") -> None:
        error = np.mean((tasks.y[test] - estimator.fit(X[train], tasks.y[train]).predict(X[test])) ** 2)
        certified = bool(getattr(estimator, "converged_", True))
        rows.append({"method": method, "error": float(error), "choice": choice, "certified": certified})

    for first, starts in _starts(coef_pt):
        whole = FineTunedRegressionCV(coef_pt=first, ridges=grid)
        inits = whole.fit(tasks.X[train], tasks.y[train]).inits_
        found = whole.mse_path_.mean(axis=2)
        for start, init, ridge in zip(starts, inits, grid[found.argmin(axis=1)], strict=True):
            add(start, FineTunedRegression(init, first, ridge))
        chosen = int(found.min(axis=1).argmin())
        any_start, default = ("alone, any", "alone, default") if first is None else ("any start", "default")
        add(any_start, FineTunedRegression(inits[chosen], first, whole.best_ridge_), choice=starts[chosen])
        rows[-1]["certified"] = whole.converged_
        for ridge in FIXED:  # in both tasks
            own = None if first is None else _first_task_with(name, ridge)
            add(f"{default}, ridge {ridge:g}", FineTunedRegression(coef_pt=own, ridge=ridge))
        if first is None and n <= tasks.X.shape[1]:
            for start, init in zip(starts[::2], inits[::2], strict=True):
                add(f"{start}, interpolating", FineTunedRegression(init, ridge=0.0))
    penalties = np.geomspace(1e-2, 1e4, 2 * ridges)
    add("lasso", LassoCV(alphas=2 * ridges))
    add("ridge", RidgeCV(penalties))
    add("elastic net", ElasticNetCV(alphas=2 * ridges))
    if coef_pt is not None:
        adapted = tasks.X * (np.abs(coef_pt) / np.max(np.abs(coef_pt)) + FLOOR)
        add("adaptive lasso", LassoCV(alphas=2 * ridges), adapted)
        add("adaptive ridge", RidgeCV(penalties), adapted)
        add("first task's coefficients", LinearRegression(), (tasks.X @ coef_pt)[:, None])
    return rows


@checked
def predicted_errors(name: str, n: int, ridges: int = len(RIDGES)) -> list[dict[str, Any]]:
    """What the theory predicts for each start with its best ridge, from n examples of the second task.

    The prediction is for independent columns with the measured variances, the coefficients that
    `FineTunedRegressionCV` finds from all examples of the second task, and what these leave as noise.

    Parameters
    ----------
    name, n, ridges
        As in `measured_errors`.

    Returns
    -------
    list of dict
        The rows that `measured_errors` gives the same starts.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> [row["method"] for row in predicted_errors("diabetes-alone", 15, ridges=2)]
    ['alone, rich', 'alone, between', 'alone, lazy']
    """
    check_examples(name, n)
    grid, coef_pt, tasks = _grid(ridges), _first_task(name, ridges), load_tasks(name)
    kept = tasks.X.std(axis=0) > 0
    X, y = tasks.X[:, kept], tasks.y
    full = FineTunedRegressionCV(ridges=grid).fit(X, y)
    noise = float(np.mean((y - full.predict(X)) ** 2))
    rows = []
    for first, starts in _starts(None if coef_pt is None else coef_pt[kept]):
        inits = FineTunedRegressionCV(coef_pt=first, ridges=grid[:1], cv=2).fit(X, y).inits_
        for start, init in zip(starts, inits, strict=True):
            fits = [FineTunedRegression(init, first, ridge).fit(X, y) for ridge in grid]
            curves = [predicted_curve(one, n, full.coef_, X.var(axis=0), noise) for one in fits]
            error = min(float(one.mse) for one in curves) + noise
            certified = all(bool(one.converged) for one in curves)
            rows.append({"method": start, "error": error, "choice": "", "certified": certified})
    return rows


def _grid(ridges: int) -> np.ndarray:
    return np.geomspace(RIDGES[0], RIDGES[-1], whole_number(ridges, "ridges", at_least=2))


@functools.cache
def _first_task(name: str, ridges: int) -> np.ndarray | None:
    """Its coefficients, chosen by cross-validation; None where there is none."""
    tasks = load_tasks(name)
    if not tasks.y_pt.size:
        return None
    return np.asarray(FineTunedRegressionCV(ridges=_grid(ridges)).fit_pretrained(tasks.X_pt, tasks.y_pt).coef_pt)


@functools.cache
def _first_task_with(name: str, ridge: float) -> np.ndarray:
    """Its coefficients by `FineTunedRegression` with a given ridge, where there is a first task."""
    tasks = load_tasks(name)
    return np.asarray(FineTunedRegression(ridge=ridge).fit_pretrained(tasks.X_pt, tasks.y_pt).coef_pt)


def _starts(coef_pt: np.ndarray | None) -> list[tuple[np.ndarray | None, tuple[str, ...]]]:
    """With and without a first task, the names of the initializations that are compared."""
    return [(coef_pt, STARTS), (None, ALONE)] if coef_pt is not None else [(None, ALONE)]
