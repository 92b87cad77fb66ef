"""Regression on a user's own data, with scikit-learn's interface: where fine-tuning ends, with a ridge (Theorem 4.1).

Both estimators minimise half the mean of (y - X beta - intercept)^2 plus ``ridge_`` times the sum of q_k(beta), and the
first task enters through the scales k = init.k(coef_pt) alone. This is ``ptft.min_penalty(X, y, k, ridge=d * ridge_)``
on centred data, with the same certificate. The module needs the extra ``ptft[learn]``.

Everything is in the units of the data. A column in other units has other coefficients and so another k, in effect: a
column of variance v is one of variance 1 with scale k v and weight v^(-1/2) on its penalty, so that columns of large
variance are cheap. Where units mean nothing, standardise the columns, of both tasks by the same numbers, since coef_pt
belongs to them; where all columns have one unit, as the channels of a spectrum do, leave their variances as they are.
The labels of both tasks should have one unit, or be standardised: sizes of coefficients are compared.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ptft.end_point import EndPoint, min_penalty, ridge_path
from ptft.extras import needs_extra
from ptft.generalization import replica_curve
from ptft.initialization import Initialization, scalar_initialization
from ptft.penalties import penalty_grad
from ptft.regimes import STARTS
from ptft.replica import ReplicaCurve
from ptft.teachers import GaussianMixture
from ptft.validation import (
    listed,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    refuse,
    require,
    truth_value,
)

with needs_extra("learn", __name__):
    from sklearn.base import BaseEstimator, RegressorMixin, clone
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import check_cv
    from sklearn.utils.validation import check_is_fitted, validate_data

RIDGE = 0.5
RIDGES = np.geomspace(10.0, 1e-3, 9)
BASE = "start II"  # of `ptft.regimes.STARTS`, that of the published sweeps
_NO_NUMBERS = (str, bytes, datetime.date, datetime.timedelta, np.datetime64, np.timedelta64, complex)
_LARGEST = int(np.finfo(np.float64).max)


def initializations_at(scale: float) -> dict[str, Initialization]:
    """The four initializations of Figure 5 for coefficients of size `scale`, where `ptft.regimes.STARTS` has 1.

    They lie near the corners of the triangle of Proposition 5.1, rich (I), lazy with memory of pretraining (II), lazy
    without (III), and on the edge between the first two (IV).

    Parameters
    ----------
    scale : float, positive
        In units of beta.

    Raises
    ------
    ValueError
        If the scale is not positive.

    Examples
    --------
    >>> initializations_at(10.0)["start II"].c_pt
    0.01
    """
    scale = positive_number(scale, "scale")
    return {
        name: Initialization.at_distance(
            np.multiply(init.c_pt, scale), init.c_plus_lambda / init.c_pt, np.multiply(init.gamma_ft, np.sqrt(scale))
        )
        for name, init in STARTS.items()
    }


class _FineTuned(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share: the first task, centred data, and the answer."""

    coef_pt: ArrayLike | Mapping[str, float] | None
    fit_intercept: bool

    def fit_pretrained(self, X_pt: ArrayLike, y_pt: ArrayLike) -> Self:
        """Learn the first task alone, by the same estimator, and make its coefficients the parameter `coef_pt`.

        A clone keeps them, as in a grid search. If the columns of X_pt have names, so have the coefficients, and `fit`
        puts them in the order of its own columns. In a pipeline it is the last step whose method is called, with
        columns as the steps before it leave them.

        Parameters
        ----------
        X_pt : array_like or DataFrame, shape (samples, features)
        y_pt : array_like, shape (samples,)

        Warns
        -----
        UserWarning
            If all coefficients are 0, as where all labels are the same: there is nothing to remember.
        """
        first = clone(self).set_params(coef_pt=None).fit(X_pt, y_pt)
        if not np.any(first.coef_):
            same = "all its labels are the same" if np.ptp(np.asarray(y_pt)) == 0 else "its labels follow no column"
            warnings.warn(
                f"the first task has left every coefficient 0, as {same}: there is nothing to remember",
                UserWarning,
                stacklevel=2,
            )
        names = getattr(first, "feature_names_in_", None)
        self.coef_pt = first.coef_ if names is None else dict(zip(names, first.coef_.tolist(), strict=True))
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predicted labels, shape (samples,), of inputs of shape (samples, features)."""
        check_is_fitted(self)
        _require_numbers(X, "X")
        inputs = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(inputs @ self.coef_ + self.intercept_)

    def _data(self, X: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        truth_value(self.fit_intercept, "fit_intercept")
        _require_numbers(X, "X")
        _require_numbers(y, "y")
        inputs, labels = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        return inputs, real_array(labels.astype(np.float64), "y")  # of objects, scikit-learn lets missing ones through

    def _centred(self, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """X and y minus their means, and these."""
        if not self.fit_intercept:
            return X, y, np.zeros(X.shape[1]), 0.0
        (inputs, means), (labels, mean) = _minus_mean(X), _minus_mean(y)
        return inputs, labels, means, float(mean)

    def _first_task(self) -> np.ndarray | None:
        """coef_pt, one number for each column."""
        if self.coef_pt is None:
            return None
        given, d = self.coef_pt, self.n_features_in_
        if isinstance(given, Mapping):
            names = list(getattr(self, "feature_names_in_", []))
            if set(names) != set(given):
                raise ValueError(f"coef_pt names {list(given)}: X must be a table with these columns, and has {names}")
            given = [given[name] for name in names]
        coef_pt = real_array(given, "coef_pt", ndim=1)
        if coef_pt.size != d:
            raise ValueError(f"coef_pt has {coef_pt.size} coefficients: it must have one for each of the {d} features")
        return coef_pt

    def _answer(self, point: EndPoint, means: np.ndarray, mean: float, certified: bool = True) -> Self:
        self.coef_ = point.beta
        self.intercept_ = mean - float(means @ point.beta)
        self.n_iter_ = max(point.iterations, 1)
        self.residual_ = max(point.kkt_residual, point.interpolation_residual)
        self.converged_ = point.converged and certified
        if not self.converged_:
            warnings.warn(
                f"the coefficients are not certified: residual {self.residual_:.1e}, bound on their error "
                f"{point.forward_error:.1e}; a larger ridge or a larger c_pt makes the problem easier",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self


class FineTunedRegression(_FineTuned):
    """Linear regression with the bias of fine-tuning a diagonal network that was pretrained on another task.

    Parameters
    ----------
    init : Initialization, optional
        In the units of the coefficients. By default start II of the paper, at the size of the coefficients:
        `initializations_at` the largest size in coef_pt, or without one the largest coefficient of a single feature.
    coef_pt : array_like, shape (features,), or a mapping from names of features to numbers, optional
        Coefficients of the first task, for the same columns; `fit_pretrained` finds them. Only their sizes matter. By
        default there is no first task, and k = (2 c_pt)^2 everywhere.
    ridge : float, default 0.5
        Without units: at 1 the penalty pulls as strongly at the coefficients that the features would have one by one as
        the data pull at 0, in root mean square. 0 interpolates, which is where gradient flow ends, and refuses labels
        that no beta interpolates. The noise decides what is best: the default is a compromise, which chapter 13 of the
        book compares with others on real tables, and `FineTunedRegressionCV` asks the data.
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : ndarray, shape (features,)
    intercept_ : float
    penalty_scale_ : ndarray, shape (features,)
        k, in squared units of the coefficients.
    ridge_ : float
        Weight of the penalty in the objective, in its units; 0 where `ridge` is.
    n_iter_ : int
        Steps of the method that gave the answer.
    residual_ : float
        The larger residual of the certificate, see `ptft.EndPoint`.
    converged_ : bool
        Whether the certificate holds; otherwise `fit` warns with scikit-learn's ConvergenceWarning.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        On `fit`, if a parameter is outside its range, there are fewer than two samples, something does not match, or
        data are no numbers, such as words, dates and entries under a mask, even where scikit-learn converts them.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((20, 30))
    >>> y = X[:, 0] - X[:, 1]
    >>> alone = FineTunedRegression(Initialization(c_pt=1.0)).fit(X, y)
    >>> both = FineTunedRegression(coef_pt=[1.0] * 3 + [0.0] * 27).fit(X, y)
    >>> alone.coef_[:3].round(1), both.coef_[:3].round(1), both.converged_
    (array([ 0.5, -0.5, -0.1]), array([ 1., -1.,  0.]), True)
    """

    def __init__(
        self,
        init: Initialization | None = None,
        coef_pt: ArrayLike | Mapping[str, float] | None = None,
        ridge: float = RIDGE,
        fit_intercept: bool = True,
    ) -> None:
        self.init = init
        self.coef_pt = coef_pt
        self.ridge = ridge
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn the second task.

        Parameters
        ----------
        X : array_like or DataFrame, shape (samples, features)
        y : array_like, shape (samples,)
        """
        ridge = nonnegative_number(self.ridge, "ridge")
        inputs, labels, means, mean = self._centred(*self._data(X, y))
        coef_pt = self._first_task()
        init = initializations_at(_scale(inputs, labels, coef_pt))[BASE] if self.init is None else self.init
        self.penalty_scale_ = _penalty_scale(init, coef_pt, inputs.shape[1])
        self.ridge_ = ridge * _unit_of_ridge(inputs, labels, self.penalty_scale_)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the certificate: there is one of our own
            point = min_penalty(inputs, labels, self.penalty_scale_, ridge=self.ridge_ * inputs.shape[1])
        return self._answer(point, means, mean)


class FineTunedRegressionCV(_FineTuned):
    """`FineTunedRegression` whose ridge and initialization are chosen by cross-validation.

    Parameters
    ----------
    inits : sequence of Initialization, optional
        By default the four starts of Figure 5, `initializations_at` the largest size in coef_pt: places near
        the corners of the triangle of Proposition 5.1 and on its edge. Without a first task, where nothing can be
        remembered, c_pt from rich to lazy: 1e-3, 0.1 and 10 times the size of the coefficients.
    coef_pt
        As in `FineTunedRegression`.
    ridges : array_like, positive, shape (ridges,), optional
        As in `FineTunedRegression`, by default 9 from 10 to 0.001. They are turned into weights of the penalty on all
        samples, and the folds share these.
    cv : int, splitter or iterable, optional
        As in scikit-learn, by default 5 folds.
    fit_intercept : bool, default True

    Attributes
    ----------
    inits_ : list of Initialization
        Those that were compared.
    init_, best_ridge_
        The choice, which `FineTunedRegression` takes.
    mse_path_ : ndarray, shape (inits, ridges, folds)
        Mean squared error on what a fold leaves out; ridges in the order given.
    coef_, intercept_, penalty_scale_, ridge_, n_iter_, residual_, n_features_in_, feature_names_in_
        As in `FineTunedRegression`, of the fit to all samples.
    converged_ : bool
        Whether that fit and all fits of the folds are certified.

    Raises
    ------
    ValueError
        As there; also if there are fewer samples than folds, of which there are five by default.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((20, 30))
    >>> found = FineTunedRegressionCV(coef_pt=[1.0] * 3 + [0.0] * 27).fit(X, X[:, 0] - X[:, 1])
    >>> found.coef_[:3].round(2), found.mse_path_.shape
    (array([ 1., -1.,  0.]), (4, 9, 5))
    """

    def __init__(
        self,
        inits: Iterable[Initialization] | None = None,
        coef_pt: ArrayLike | Mapping[str, float] | None = None,
        ridges: ArrayLike | None = None,
        cv: Any = None,
        fit_intercept: bool = True,
    ) -> None:
        self.inits = inits
        self.coef_pt = coef_pt
        self.ridges = ridges
        self.cv = cv
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn the second task, from an initialization and with a ridge that cross-validation chooses.

        Parameters
        ----------
        X : array_like or DataFrame, shape (samples, features)
        y : array_like, shape (samples,)
        """
        ridges = positive_array(RIDGES if self.ridges is None else self.ridges, "ridges", ndim=1)
        all_inputs, all_labels = self._data(X, y)
        inputs, labels, means, mean = self._centred(all_inputs, all_labels)
        coef_pt, d = self._first_task(), inputs.shape[1]
        self.inits_ = inits = self._grid(inputs, labels, coef_pt)
        scales = [_penalty_scale(init, coef_pt, d) for init in inits]
        weights = [ridges * _unit_of_ridge(inputs, labels, k) for k in scales]
        folds = self._folds(all_inputs, all_labels)
        self.mse_path_ = np.empty((len(inits), ridges.size, len(folds)))
        certified = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the certificates: there is one of our own
            for f, (kept, left) in enumerate(folds):
                part, its_labels, its_means, its_mean = self._centred(all_inputs[kept], all_labels[kept])
                for i, (k, weight) in enumerate(zip(scales, weights, strict=True)):
                    path = ridge_path(part, its_labels, k, weight * d)
                    beta = np.array([point.beta for point in path])
                    predicted = its_mean + (all_inputs[left] - its_means) @ beta.T
                    self.mse_path_[i, :, f] = np.mean((all_labels[left, None] - predicted) ** 2, axis=0)
                    certified &= all(point.converged for point in path)
            mse = self.mse_path_.mean(axis=2)
            i, j = divmod(int(np.argmin(np.where(np.isfinite(mse), mse, np.inf))), ridges.size)
            self.init_, self.best_ridge_ = inits[i], float(ridges[j])
            self.penalty_scale_, self.ridge_ = scales[i], float(weights[i][j])
            point = min_penalty(inputs, labels, self.penalty_scale_, ridge=self.ridge_ * d)
        return self._answer(point, means, mean, certified)

    def _folds(self, X: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows to learn from and rows to test on, of every fold."""
        usual = check_cv(None).get_n_splits()
        if self.cv is None and len(X) < usual:
            raise ValueError(
                f"X has {len(X)} samples: cross-validation needs one for each of its {usual} folds, which is the "
                f"default; cv={len(X)} or less makes fewer"
            )
        try:
            folds = [(np.arange(len(X))[kept], np.arange(len(X))[left]) for kept, left in check_cv(self.cv).split(X, y)]
        except (TypeError, IndexError, ValueError) as error:
            raise ValueError(f"cv = {self.cv!r:.80} does not split the samples: {error}") from error
        if not folds or any(not kept.size or not left.size for kept, left in folds):
            raise ValueError(f"cv = {self.cv!r:.80} is not allowed: it must have folds with samples on both sides")
        return folds

    def _grid(self, X: np.ndarray, y: np.ndarray, coef_pt: np.ndarray | None) -> list[Initialization]:
        if self.inits is not None:
            return [scalar_initialization(init) for init in listed(self.inits, "inits")]
        scale = _scale(X, y, coef_pt)
        if coef_pt is not None:
            return list(initializations_at(scale).values())
        return [Initialization(c_pt=c * scale) for c in (1e-3, 0.1, 10.0)]


def predicted_curve(
    fitted: FineTunedRegression | FineTunedRegressionCV,
    n: ArrayLike,
    coef: ArrayLike,
    variance: ArrayLike,
    noise: float,
) -> ReplicaCurve:
    """The error of an estimator with the penalty of a fitted one on n new samples, if columns were independent.

    This is Proposition 4.2 in the units of the data: its inputs have variance v/d, its coefficients a factor sqrt(d).

    Parameters
    ----------
    fitted : FineTunedRegression or FineTunedRegressionCV
        Its `penalty_scale_` and `ridge_` are taken.
    n : array_like of positive numbers, any shape
    coef : array_like, shape (features,)
        The coefficients from which the labels come.
    variance : array_like, positive, shape (features,)
        Of the columns.
    noise : float
        Variance of the labels around them.

    Returns
    -------
    ReplicaCurve
        `.mse` is the mean squared error of the predictions without the noise of new labels.

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 30))
    >>> fitted = FineTunedRegression().fit(X, X[:, 0])
    >>> predicted_curve(fitted, [10, 20], coef=[1.0] + [0.0] * 29, variance=[1.0] * 30, noise=0.1).mse.round(2)
    array([0.19, 0.07])
    """
    if not isinstance(fitted, _FineTuned):
        refuse("fitted", fitted, "a FineTunedRegression or a FineTunedRegressionCV")
    check_is_fitted(fitted)
    coef, variance, d = (
        real_array(coef, "coef", ndim=1),
        positive_array(variance, "variance", ndim=1),
        len(fitted.coef_),
    )
    if not coef.size == variance.size == d:
        raise ValueError(f"coef and variance have {coef.size} and {variance.size} numbers: there are {d} features")
    law = GaussianMixture(np.full(d, 1 / d), np.sqrt(d) * coef, np.zeros(1), d * fitted.penalty_scale_, variance)
    alpha = positive_array(n, "n") / d
    return replica_curve(alpha, law, noise_var=noise, ridge=np.sqrt(d) * fitted.ridge_)


def _require_numbers(values: object, name: str) -> None:
    """Refuse what scikit-learn makes numbers of: words, bytes, dates, what a mask hides, numbers beyond float64.

    Truth values and arrays of objects that are numbers stay allowed, as its estimators take them; what else is none,
    it refuses itself.
    """
    parts = values if isinstance(values, (list, tuple)) else [values]
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        raise ValueError(f"{name} has a mask: it must be numbers that are all there")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):  # ragged
        return
    entries = array.flat if array.dtype.kind == "O" else array.flat[:1] if array.dtype.kind in "SUMm" else ()
    for one in entries:
        if isinstance(one, _NO_NUMBERS) or (isinstance(one, int) and abs(one) > _LARGEST):
            refuse(name, one, "numbers")


def _minus_mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is constant becomes 0: rounding errors would count as independent of all else."""
    mean = values.mean(axis=0)
    return np.where(np.ptp(values, axis=0) > 0, values - mean, 0.0), mean


def _alone(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The coefficient that each feature would have by itself."""
    (X, size), (y, size_y) = _of_size_1(X, axis=0), _of_size_1(y)
    squares = np.sum(X**2, axis=0)
    with np.errstate(over="ignore", under="ignore"):
        alone = np.ldexp(X.T @ y / np.where(squares > 0, squares, 1.0), size_y - size)
    largest = np.max(np.abs(alone))
    known = 1e-290 < largest < 1e290 or not np.any(X.T @ y)
    require(known, "the size of y/X", largest, "between 1e-290 and 1e290: change the units of y or X")
    return np.asarray(alone)


def _of_size_1(values: np.ndarray, axis: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The values in units of a power of two, of every column or of all, and its exponent."""
    exponent = np.frexp(np.max(np.abs(values), axis=axis))[1]
    return np.ldexp(values, -exponent), exponent


def _scale(X: np.ndarray, y: np.ndarray, coef_pt: np.ndarray | None) -> float:
    """The size of the coefficients."""
    sizes = (float(np.max(np.abs(beta))) for beta in (coef_pt, _alone(X, y)) if beta is not None)
    return next((size for size in sizes if size > 0), 1.0)


def _penalty_scale(init: Initialization, coef_pt: np.ndarray | None, d: int) -> np.ndarray:
    init = scalar_initialization(init)
    return np.broadcast_to(init.k_single_task, d) if coef_pt is None else init.k(coef_pt)


def _unit_of_ridge(X: np.ndarray, y: np.ndarray, k: np.ndarray) -> float:
    """The weight at which penalty and data pull equally, see `FineTunedRegression`; 1 where the data do not pull."""
    (inputs, size), (labels, size_y) = _of_size_1(X), _of_size_1(y)
    data, penalty = np.linalg.norm(inputs.T @ labels) / len(y), np.linalg.norm(penalty_grad(_alone(X, y), k))
    if not (data > 0 and penalty > 0):
        return 1.0
    with np.errstate(over="ignore", under="ignore"):
        unit = float(np.ldexp(data / penalty, size + size_y))
    require(1e-290 < unit < 1e290, "the size of X^T y", unit, "between 1e-290 and 1e290: change the units of y or X")
    return unit
