"""Pairs of tasks, a first one with many examples and a second one, from tables that scikit-learn ships.

Both tasks of a pair have the same columns, and no row of a table is in both. Columns are centred, and divided by their
standard deviations, in the first task; where they have one unit, all are divided by one number. The labels of each task
have mean 0 and variance 1. The module needs the extra ``ptft[learn]``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from ptft.extras import needs_extra
from ptft.validation import one_of

with needs_extra("learn", __name__):
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

TABLES = {  # the first task, and the second
    "diabetes": "progression of diabetes in the patients of one sex, and of the other; nine measurements, degree 2",
    "wine": "total phenols of half of the wines, and flavanoids of the others; the other measurements, degree 2",
    "breast-cancer": "area of the largest nuclei in half of the images, and the diagnosis; ten measurements, degree 2",
    "digits": "whether a digit is 3 or 8, and whether it is 5 or 8; pixels",
    "spectra": "total cholesterol of half of the patients, and LDL of the others; 200 channels of a synthetic spectrum",
    "diabetes-alone": "progression of diabetes in all patients, without a first task; ten measurements, degree 2",
}
CHANNELS, BANDS, NOISE = 200, 4, 0.5  # of the spectra: bands of each substance, noise in standard deviations


@dataclass(frozen=True, eq=False)
class RealTasks:
    """Two tasks with the same columns; the first is empty where there is none."""

    X_pt: np.ndarray  # (samples of the first task, features)
    y_pt: np.ndarray
    X: np.ndarray  # (samples, features)
    y: np.ndarray


def load_tasks(name: str) -> RealTasks:
    """The tasks of one of `TABLES`, as arrays that are not to be written to.

    Parameters
    ----------
    name : str
        One of `TABLES`.

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> tasks = load_tasks("wine")
    >>> tasks.X_pt.shape, tasks.X.shape
    ((89, 77), (89, 77))
    """
    return _tasks(one_of(name, "name", TABLES))


@functools.cache
def _tasks(name: str) -> RealTasks:
    X_pt, y_pt, X, y = _DRAWN[name]()
    fitted = X_pt if y_pt.size else X
    columns = np.ptp(fitted, axis=0) > 0
    mean, size = fitted[:, columns].mean(axis=0), fitted[:, columns].std(axis=0)
    if name in ("digits", "spectra"):
        size = size.mean()
    arrays = [(one[:, columns] - mean) / size for one in (X_pt, X)] + [_standardised(one) for one in (y_pt, y)]
    for one in arrays:
        one.flags.writeable = False
    return RealTasks(arrays[0], arrays[2], arrays[1], arrays[3])


Drawn = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # X_pt, y_pt, X, y


def _standardised(y: np.ndarray) -> np.ndarray:
    return np.asarray((y - y.mean()) / y.std() if y.size else y)


def _degree_2(X: np.ndarray) -> np.ndarray:
    """The columns, their squares and their products."""
    return np.asarray(PolynomialFeatures(2, include_bias=False).fit_transform(StandardScaler().fit_transform(X)))


def _halves(X: np.ndarray, y_pt: np.ndarray, y: np.ndarray) -> Drawn:
    """One half of the rows, at random, for each task."""
    order = np.random.default_rng(0).permutation(len(X))
    first, second = order[: len(X) // 2], order[len(X) // 2 :]
    return X[first], y_pt[first], X[second], y[second]


def _diabetes() -> Drawn:
    table = load_diabetes()
    sex = table.data[:, 1] > 0
    X = _degree_2(np.delete(table.data, 1, axis=1))
    return X[sex], table.target[sex], X[~sex], table.target[~sex]


def _wine() -> Drawn:
    table = load_wine()
    first, second = (table.feature_names.index(name) for name in ("total_phenols", "flavanoids"))
    X = _degree_2(np.delete(table.data, [first, second], axis=1))
    return _halves(X, table.data[:, first], table.data[:, second])


def _breast_cancer() -> Drawn:
    table = load_breast_cancer()
    largest = list(table.feature_names).index("worst area")
    return _halves(_degree_2(table.data[:, :10]), table.data[:, largest], table.target.astype(float))


def _digits() -> Drawn:
    table = load_digits()
    first, second = np.isin(table.target, (3, 8)), np.isin(table.target, (5, 8))
    first[np.flatnonzero(table.target == 8)[::2]] = False  # every other 8 to either task
    second &= ~first
    is_8 = (table.target == 8).astype(float)
    return table.data[first], is_8[first], table.data[second], is_8[second]


def _spectra() -> Drawn:
    """Spectra of blood serum: six measurements, each with random absorption bands, and noise."""
    rng, channel = np.random.default_rng(0), np.linspace(0, 1, CHANNELS)
    amounts = StandardScaler().fit_transform(load_diabetes().data[:, 4:])
    height, middle, width = (
        rng.uniform(*ends, (BANDS, amounts.shape[1], 1)) for ends in ((0.5, 1.0), (0.0, 1.0), (0.01, 0.05))
    )
    spectra = amounts @ np.sum(height * np.exp(-(((channel - middle) / width) ** 2) / 2), axis=0)
    spectra += NOISE * spectra.std() * rng.standard_normal(spectra.shape)
    return _halves(spectra, amounts[:, 0], amounts[:, 1])


def _diabetes_alone() -> Drawn:
    table = load_diabetes()
    X = _degree_2(table.data)
    return X[:0], table.target[:0], X, table.target


_DRAWN = {
    "diabetes": _diabetes,
    "wine": _wine,
    "breast-cancer": _breast_cancer,
    "digits": _digits,
    "spectra": _spectra,
    "diabetes-alone": _diabetes_alone,
}
