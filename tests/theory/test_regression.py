"""Regression with scikit-learn's interface: its checks, the minimiser by other means, the first task, and bad input."""

import re
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import ptft
from ptft import regression
from ptft.penalties import penalty
from ptft.regression import FineTunedRegression, FineTunedRegressionCV, initializations_at

INIT = ptft.Initialization(0.1)
QUICK = {"ridges": (1.0, 0.1), "cv": 2}


def data(n=20, d=30, seed=0, noise=0.3):
    """Inputs with means, and labels of three coefficients with an intercept."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + rng.standard_normal(d)
    return X, 3.0 + X[:, 0] - X[:, 1] + 0.5 * X[:, 2] + noise * rng.standard_normal(n)


# --- what scikit-learn asks -------------------------------------------------------------------------------------------


# One check, of arrays other than numpy's, is skipped by scikit-learn itself where a variable of the environment was not
# set before the import; the slow test below sets it, and passes all.
@parametrize_with_checks([FineTunedRegression(), FineTunedRegressionCV(**QUICK)])
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


EVERY_CHECK = """
from sklearn.utils.estimator_checks import check_estimator
import ptft

for estimator in (ptft.FineTunedRegression(), ptft.FineTunedRegressionCV()):
    found = check_estimator(estimator)
    print(len(found), {one["status"] for one in found})
"""


@pytest.mark.slow  # 20 seconds
def test_the_checks_of_scikit_learn_with_all_defaults_and_none_skipped(monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    done = subprocess.run([sys.executable, "-c", EVERY_CHECK], capture_output=True, text=True, cwd=ROOT, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(int(line.split()[0]) > 40 and line.endswith("{'passed'}") for line in lines)


def test_pipelines_grid_searches_and_cross_validation_take_them():
    X, y = data(40)
    inits = list(initializations_at(1.0).values())
    steps = make_pipeline(StandardScaler(), FineTunedRegression(INIT, coef_pt=np.r_[np.ones(3), np.zeros(27)]))
    grid = {"finetunedregression__init": inits, "finetunedregression__ridge": [0.1, 1.0]}
    search = GridSearchCV(steps, grid).fit(X, y)
    assert search.best_params_["finetunedregression__init"] in inits and search.best_score_ > 0.5
    assert np.all(cross_val_score(FineTunedRegressionCV(**QUICK), X, y) > 0)


def test_the_names_are_at_the_top_and_a_wrong_one_is_refused():
    assert ptft.FineTunedRegression is FineTunedRegression and ptft.FineTunedRegressionCV is FineTunedRegressionCV
    with pytest.raises(AttributeError, match="module 'ptft' has no attribute 'FineTuned'"):
        _ = ptft.FineTuned


# --- the minimiser, by other means ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n", [20, 60])
def test_the_coefficients_minimise_the_objective_that_is_stated(n, fit_intercept):
    X, y = data(n)
    coef_pt = np.linspace(-1, 1, 30)
    found = FineTunedRegression(INIT, coef_pt, ridge=0.3, fit_intercept=fit_intercept).fit(X, y)

    def objective(values):
        beta, intercept = values[:-1], values[-1] * fit_intercept
        misfit = np.sum((y - X @ beta - intercept) ** 2) / (2 * n)
        return misfit + found.ridge_ * np.sum(penalty(beta, found.penalty_scale_))

    other = minimize(objective, np.zeros(31), method="BFGS", options={"gtol": 1e-9})
    assert found.coef_ == pytest.approx(other.x[:-1], abs=1e-5)
    assert found.intercept_ == pytest.approx(other.x[-1] * fit_intercept, abs=1e-4)
    assert found.penalty_scale_ == pytest.approx(INIT.k(coef_pt)) and found.converged_ and found.residual_ < 1e-10


def test_a_lazy_start_is_ridge_regression_and_a_very_rich_one_nearly_the_lasso():
    X, y = data()
    lazy = FineTunedRegression(ptft.Initialization(1e6)).fit(X, y)
    alpha = lazy.ridge_ * len(y) / np.sqrt(lazy.penalty_scale_[0])
    assert lazy.coef_ == pytest.approx(Ridge(alpha).fit(X, y).coef_, abs=1e-6)
    rich = FineTunedRegression(ptft.Initialization(1e-150)).fit(X, y)
    slope = np.log(4 / np.sqrt(rich.penalty_scale_[0])) / 2  # at coefficients of size 1
    assert rich.coef_ == pytest.approx(Lasso(rich.ridge_ * slope, tol=1e-9).fit(X, y).coef_, abs=0.02)


def test_without_a_ridge_it_is_the_end_point_of_training():
    X, y = data(noise=0.0)
    found = FineTunedRegression(INIT, ridge=0.0).fit(X, y)
    assert found.predict(X) == pytest.approx(y, abs=1e-8) and found.ridge_ == 0
    end = ptft.min_penalty(X - X.mean(axis=0), y - y.mean(), INIT.k_single_task)
    assert found.coef_ == pytest.approx(end.beta, abs=1e-9)
    with pytest.raises(ValueError, match="no beta interpolates"):
        FineTunedRegression(INIT, ridge=0.0).fit(*data(60))


def test_constant_columns_whose_mean_is_rounded_are_none():
    X, y = data(12)
    constant = np.column_stack([X, np.outer(np.ones(12), np.linspace(0.1, 3, 40))])
    found = FineTunedRegression(INIT, ridge=0.0).fit(constant, y)
    assert found.converged_ and found.coef_[30:].tolist() == [0.0] * 40
    assert found.coef_[:30] == pytest.approx(FineTunedRegression(INIT, ridge=0.0).fit(X, y).coef_, abs=1e-8)


@pytest.mark.parametrize("coef_pt", [None, np.linspace(0, 1, 30)], ids=["alone", "pretrained"])
@pytest.mark.parametrize("estimator", [FineTunedRegression(), FineTunedRegressionCV(**QUICK)], ids=["one", "cv"])
def test_units_of_the_labels_and_of_all_inputs_do_not_matter_by_default(estimator, coef_pt):
    X, y = data()
    one = clone(estimator).set_params(coef_pt=coef_pt).fit(X, y)
    other = clone(estimator).set_params(coef_pt=None if coef_pt is None else 250.0 * coef_pt).fit(X / 5, 50.0 * y)
    assert other.coef_ == pytest.approx(250 * one.coef_, rel=1e-6, abs=1e-6)
    assert other.predict(X / 5) == pytest.approx(50 * one.predict(X), rel=1e-6)


@pytest.mark.parametrize("coef_pt", [None, np.linspace(0, 1, 30)], ids=["alone", "pretrained"])
def test_cross_validation_is_that_of_single_fits(coef_pt):
    X, y = data(24)
    ridges, folds = np.array([0.1, 3.0]), KFold(3, shuffle=True, random_state=0)
    found = FineTunedRegressionCV(coef_pt=coef_pt, ridges=ridges, cv=folds).fit(X, y)
    inits = found.inits_
    assert found.mse_path_.shape == (len(inits), 2, 3)
    for i, init in enumerate(inits):
        for j, ridge in enumerate(ridges):
            weight = FineTunedRegression(init, coef_pt, ridge).fit(X, y).ridge_
            for f, (kept, left) in enumerate(folds.split(X)):
                share = weight / FineTunedRegression(init, coef_pt, 1.0).fit(X[kept], y[kept]).ridge_
                one = FineTunedRegression(init, coef_pt, share).fit(X[kept], y[kept])
                assert found.mse_path_[i, j, f] == pytest.approx(np.mean((y[left] - one.predict(X[left])) ** 2))
    i, j = np.unravel_index(np.argmin(found.mse_path_.mean(axis=2)), (len(inits), 2))
    assert (vars(found.init_), found.best_ridge_) == (vars(inits[i]), ridges[j])
    again = FineTunedRegression(found.init_, coef_pt, found.best_ridge_).fit(X, y)
    assert found.coef_ == pytest.approx(again.coef_) and found.ridge_ == pytest.approx(again.ridge_)


@pytest.mark.parametrize("units", [(1e160, 1e60), (1e-160, 1e-60)])
def test_units_whose_squares_are_beyond_float64_do_not_matter_either(units):
    X, y = data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for estimator in (FineTunedRegression(), FineTunedRegressionCV(**QUICK)):
            one = estimator.fit(X, y).predict(X)
            other = estimator.fit(units[0] * X, units[1] * y).predict(units[0] * X)
            assert other / units[1] == pytest.approx(one, rel=1e-6)
            with pytest.raises(ValueError, match=r"the size of y/X = .* change the units of y or X"):
                estimator.fit(X * units[0], y / units[1] ** 3)
        with pytest.raises(ValueError, match=r"the size of X\^T y = .* change the units of y or X"):
            FineTunedRegression(INIT).fit(X * 1e200, y * 1e200)


def test_starts_are_those_of_the_paper_in_other_units():
    for name, init in initializations_at(7.0).items():
        assert init.sqrt_k([0.0, 7.0]) == pytest.approx(7 * ptft.regimes.STARTS[name].sqrt_k([0.0, 1.0]), rel=1e-9)


@pytest.mark.parametrize("coef_pt", [None, np.r_[np.ones(30), np.zeros(270)]], ids=["alone", "pretrained"])
def test_the_prediction_is_the_error_where_columns_are_independent(coef_pt):
    rng, d, n, noise = np.random.default_rng(0), 300, 150, 0.3
    variance, coef = np.linspace(0.5, 2.0, d), np.r_[rng.standard_normal(40), np.zeros(260)]
    init, errors, predicted = ptft.Initialization(0.3), [], []
    for _ in range(12):
        X = np.sqrt(variance) * rng.standard_normal((n, d)) + 1.0
        y = 5.0 + X @ coef + np.sqrt(noise) * rng.standard_normal(n)
        fitted = FineTunedRegression(init, coef_pt, ridge=0.1).fit(X, y)
        errors.append(np.sum(variance * (fitted.coef_ - coef) ** 2))
        predicted.append(float(regression.predicted_curve(fitted, n - 1, coef, variance, noise).mse))
    assert np.mean(errors) == pytest.approx(np.mean(predicted), rel=0.05)
    assert np.mean(predicted) < 0.8 * np.sum(variance * coef**2)


def test_a_prediction_without_a_fit_or_of_another_size_is_refused():
    with pytest.raises(NotFittedError):
        regression.predicted_curve(FineTunedRegression(), 10, [1.0], [1.0], 0.1)
    for fitted in ("fitted", None, 3, FineTunedRegression, StandardScaler()):
        with pytest.raises(ValueError, match=r"fitted = .* is not allowed: it must be a FineTunedRegression or"):
            regression.predicted_curve(fitted, 10, [1.0], [1.0], 0.1)
    fitted = FineTunedRegression().fit(*data())
    for arguments, said in (
        ((10, np.ones(3), np.ones(30), 0.1), "coef and variance have 3 and 30 numbers: there are 30 features"),
        ((0, np.ones(30), np.ones(30), 0.1), "n = 0. is not allowed: it must be positive"),
        ((10, np.ones(30), np.zeros(30), 0.1), "variance = 0. is not allowed"),
        ((10, np.ones(30), np.ones(30), -0.1), "noise_var = -0.1 is not allowed"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            regression.predicted_curve(fitted, *arguments)


# --- the first task ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [FineTunedRegression(INIT), FineTunedRegressionCV(**QUICK)], ids=["one", "cv"])
def test_the_first_task_helps_and_a_clone_keeps_it(estimator):
    X_pt, y_pt = data(200, seed=1)
    X, y = data(12)
    X_test, y_test = data(500, seed=2)
    both = clone(estimator).fit_pretrained(X_pt, 2 * y_pt)
    assert both.coef_pt == pytest.approx(clone(estimator).fit(X_pt, 2 * y_pt).coef_)
    again = clone(both)
    assert again.coef_pt == pytest.approx(both.coef_pt) and again.coef_pt is not both.coef_pt
    assert again.fit(X, y).score(X_test, y_test) > clone(estimator).fit(X, y).score(X_test, y_test) + 0.1


def test_columns_are_known_by_their_names():
    (X_pt, y_pt), (X, y), names = data(100, 4, seed=1), data(20, 4), list("abcd")
    plain = FineTunedRegression().fit_pretrained(X_pt, y_pt).fit(X, y)
    named = FineTunedRegression().fit_pretrained(pd.DataFrame(X_pt, columns=names), y_pt)
    assert list(named.coef_pt) == names
    turned = pd.DataFrame(X, columns=names)[names[::-1]]
    assert named.fit(turned, y).coef_[::-1] == pytest.approx(plain.coef_)
    assert named.feature_names_in_.tolist() == names[::-1]
    with pytest.raises(ValueError, match="feature names"):
        named.predict(turned[names])
    for other in (X, turned.rename(columns={"a": "z"})):
        with pytest.raises(ValueError, match=r"coef_pt names .* X must be a table with these columns"):
            clone(named).fit(other, y)


def test_a_first_task_that_found_nothing_and_labels_that_say_nothing_are_no_error():
    X, y = data()
    none = FineTunedRegression(coef_pt=np.zeros(30)).fit(X, y)
    assert np.ptp(none.penalty_scale_) == 0 and none.converged_
    for estimator in (FineTunedRegression(), FineTunedRegressionCV(**QUICK)):
        constant = estimator.fit(X, np.full(20, 2.0))
        assert constant.coef_ == pytest.approx(0) and constant.intercept_ == 2 and constant.converged_


@pytest.mark.parametrize("estimator", [FineTunedRegression(), FineTunedRegressionCV(**QUICK)], ids=["one", "cv"])
def test_a_first_task_that_leaves_nothing_to_remember_is_said(estimator):
    X, y = data()
    for inputs, labels, said in (
        (X, np.full(20, 0.1), "all its labels are the same"),
        (pd.DataFrame(X), [7] * 20, "all its labels are the same"),
        (np.ones((20, 30)), y, "its labels follow no column"),
    ):
        with pytest.warns(UserWarning, match=f"the first task has left every coefficient 0, as {said}: there is"):
            found = clone(estimator).fit_pretrained(inputs, labels)
        assert not np.any(found.coef_pt)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.any(clone(estimator).fit_pretrained(X, y).coef_pt)


@pytest.mark.parametrize("d", [3, 40])
@pytest.mark.parametrize("estimator", [FineTunedRegression(), FineTunedRegressionCV(**QUICK)], ids=["one", "cv"])
def test_columns_that_say_nothing_leave_the_mean_with_a_certificate(estimator, d):
    """X = 0 once it is centred: the first Newton step, which takes nu in other units, is the last."""
    y = data()[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimator.fit(np.ones((20, d)), y)
    assert found.converged_ and found.coef_.tolist() == [0.0] * d and found.intercept_ == pytest.approx(y.mean())


# --- what is refused, and what is not certified -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (FineTunedRegression(init="rich"), "init = 'rich' is not allowed: it must be an Initialization"),
        (FineTunedRegression(init=ptft.Initialization([0.1, 0.2])), "init.c_pt has shape"),
        (FineTunedRegression(ridge=-1.0), "ridge = -1. is not allowed: it must be zero or positive"),
        (FineTunedRegression(ridge=None), "ridge = None is not allowed: it must be real numbers"),
        (FineTunedRegression(coef_pt=[1.0, 2.0]), "coef_pt has 2 coefficients: it must have one for each of the 30"),
        (FineTunedRegression(coef_pt=[np.nan] * 30), "coef_pt = nan is not allowed: it must be finite"),
        (FineTunedRegression(fit_intercept="no"), "fit_intercept = 'no' is not allowed: it must be True or False"),
        (FineTunedRegressionCV(inits=[]), r"inits = \[\] is not allowed: it must be a sequence that is not empty"),
        (FineTunedRegressionCV(inits=[3]), "init = 3 is not allowed"),
        (FineTunedRegressionCV(ridges=[1.0, 0.0]), "ridges = 0. is not allowed: it must be positive"),
        (FineTunedRegressionCV(ridges=1.0), "ridges has shape"),
        (FineTunedRegressionCV(cv=21), "n_splits=21 greater than the number of samples"),
        (
            FineTunedRegressionCV(cv=[]),
            r"cv = \[\] is not allowed: it must have folds with samples on both sides",
        ),
        (FineTunedRegressionCV(cv=[([0, 1], [])]), "cv = .* is not allowed: it must have folds"),
        (FineTunedRegressionCV(cv=[([], [0, 1])]), "cv = .* is not allowed: it must have folds"),
        (FineTunedRegressionCV(cv=[None]), r"cv = \[None\] does not split the samples"),
        (FineTunedRegressionCV(cv=[([0, 99], [1])]), "cv = .* does not split the samples: index 99 is out of bounds"),
        (FineTunedRegressionCV(fit_intercept=2), "fit_intercept = 2 is not allowed"),
    ],
)
def test_bad_parameters_are_refused_by_name(estimator, said):
    with pytest.raises(ValueError, match=said):
        estimator.fit(*data())


def numbers_of_another_kind(values):
    """Arrays and tables that scikit-learn would turn into these numbers, or into others."""
    words, whole = values.astype(str), np.rint(values * 100)
    yield from (words, values.astype("S"), words.tolist(), words.astype(object), values.astype("S").astype(object))
    yield from (values + 1j, (values + 1j).astype(object), np.ma.masked_array(values, values > 1))
    yield [np.ma.masked_array(row, row > 1) for row in values]
    for dates in (whole.astype("datetime64[D]"), whole.astype("timedelta64[D]")):
        yield from (dates, dates.astype(object))
    large = values.astype(object)
    large.flat[0] = 10**400
    yield from (large, large.tolist())
    if values.ndim == 2:
        yield from (pd.DataFrame(words), pd.DataFrame(whole.astype("datetime64[s]")))
        yield pd.DataFrame(values).assign(color=words[:, 0])
    else:
        yield from (pd.Series(words), pd.Series(whole.astype("datetime64[s]")))
        yield from ([None] * len(values), pd.Series([pd.NaT] * len(values)), [np.nan] * len(values))


@pytest.mark.parametrize("estimator", [FineTunedRegression(), FineTunedRegressionCV(**QUICK)], ids=["one", "cv"])
def test_what_is_no_number_is_no_label_and_no_input(estimator):
    X, y = data(6, 3)
    fitted = clone(estimator).fit(X, y)
    for bad in numbers_of_another_kind(X):
        for call in (lambda bad=bad: estimator.fit(bad, y), lambda bad=bad: fitted.predict(bad)):
            with pytest.raises(ValueError, match=r"X = .* not allowed: it must be numbers|X has a mask|Complex data"):
                call()
    for bad in numbers_of_another_kind(y):
        with pytest.raises(
            ValueError, match=r"y = .* is not allowed: it must be|y has a mask|y contains NaN|Complex data"
        ):
            estimator.fit(X, bad)
    assert fitted.predict(X.astype(object)) == pytest.approx(fitted.predict(X))  # as scikit-learn's own estimators


@pytest.mark.parametrize("estimator", [FineTunedRegression(), FineTunedRegressionCV()], ids=["one", "cv"])
def test_too_little_is_refused_with_a_sentence(estimator):
    X, y = data()
    with pytest.raises(ValueError, match="1 sample"):
        estimator.fit(X[:1], y[:1])
    with pytest.raises(ValueError, match="1 sample"):
        estimator.fit_pretrained(X[:1], y[:1])
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(np.where(X > 2, np.nan, X), y)
    if isinstance(estimator, FineTunedRegressionCV):
        for call in (estimator.fit, estimator.fit_pretrained):
            with pytest.raises(ValueError, match=r"^X has 3 samples: .* its 5 folds, .* default; cv=3 or less makes"):
                call(X[:3], y[:3])
        assert clone(estimator).set_params(cv=3).fit(X[:3], y[:3]).mse_path_.shape[2] == 3
        assert estimator.fit(X[:5], y[:5]).mse_path_.shape[2] == 5
    with pytest.raises(ValueError, match=r"scale = 0\. is not allowed: it must be positive"):
        initializations_at(0.0)


def test_what_is_not_certified_is_said(monkeypatch):
    X, y = data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FineTunedRegression().fit(X, y)
    solve, path = regression.min_penalty, regression.ridge_path
    monkeypatch.setattr(regression, "min_penalty", lambda *args, **kw: replace(solve(*args, **kw), converged=False))
    with pytest.warns(ConvergenceWarning, match="the coefficients are not certified: residual"):
        assert not FineTunedRegression().fit(X, y).converged_
    monkeypatch.setattr(regression, "min_penalty", solve)
    monkeypatch.setattr(regression, "ridge_path", lambda *args: [replace(p, converged=False) for p in path(*args)])
    with pytest.warns(ConvergenceWarning):
        assert not FineTunedRegressionCV(**QUICK).fit(X, y).converged_


def test_what_is_no_number_is_not_chosen(monkeypatch):
    X, y = data()
    path = regression.ridge_path

    def lost(*args):
        first, *rest = path(*args)
        return [replace(first, beta=np.full(30, np.nan), converged=False), *rest]

    monkeypatch.setattr(regression, "ridge_path", lost)
    with pytest.warns(ConvergenceWarning):
        found = FineTunedRegressionCV(**QUICK).fit(X, y)
    assert found.best_ridge_ == 0.1 and np.isnan(found.mse_path_[:, 0]).all()
