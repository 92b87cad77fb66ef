"""The comparison on few examples: each row is what its method gives on that split, and starts keep their names."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from ptft.few_examples import ALONE, FIXED, STARTS, check_examples, measured_errors, predicted_errors
from ptft.real_tasks import load_tasks
from ptft.regression import RIDGE, RIDGES, FineTunedRegression, FineTunedRegressionCV

N, SEED = 15, 3


@pytest.fixture(scope="module")
def measured():
    return {row["method"]: row for row in measured_errors("wine", N, SEED, ridges=3)}


def test_rows_are_errors_on_the_examples_that_were_not_learned_from(measured):
    tasks = load_tasks("wine")
    order = np.random.default_rng(SEED).permutation(len(tasks.y))
    train, test = order[:N], order[N:]
    chosen = RidgeCV(np.geomspace(1e-2, 1e4, 6)).fit(tasks.X[train], tasks.y[train]).alpha_
    again = Ridge(chosen).fit(tasks.X[train], tasks.y[train])
    assert measured["ridge"]["error"] == pytest.approx(np.mean((tasks.y[test] - again.predict(tasks.X[test])) ** 2))
    for ridge in (FIXED[0], RIDGE):
        ours = FineTunedRegression(ridge=ridge).fit_pretrained(tasks.X_pt, tasks.y_pt)
        error = np.mean((tasks.y[test] - ours.fit(tasks.X[train], tasks.y[train]).predict(tasks.X[test])) ** 2)
        assert measured[f"default, ridge {ridge:g}"]["error"] == pytest.approx(error, rel=1e-6)
    grid = np.geomspace(RIDGES[0], RIDGES[-1], 3)
    both = FineTunedRegressionCV(ridges=grid).fit_pretrained(tasks.X_pt, tasks.y_pt)
    error = np.mean((tasks.y[test] - both.fit(tasks.X[train], tasks.y[train]).predict(tasks.X[test])) ** 2)
    assert measured["any start"]["error"] == pytest.approx(error, rel=1e-6)


def test_the_chosen_start_is_one_of_those_compared(measured):
    assert measured["any start"]["choice"] in STARTS and measured["alone, any"]["choice"] in ALONE
    assert {*STARTS, *ALONE} <= set(measured)
    assert [row["method"] for row in predicted_errors("wine", N, ridges=2)] == [*STARTS, *ALONE]


def test_without_a_first_task_nothing_of_it_is_compared():
    methods = [row["method"] for row in measured_errors("diabetes-alone", N, SEED, ridges=2)]
    assert not set(methods) & {*STARTS, "adaptive lasso", "first task's coefficients"} and set(ALONE) <= set(methods)


@pytest.mark.parametrize(("n", "ends"), [(65, True), (66, False)])
def test_training_is_followed_to_its_end_where_there_are_no_more_examples_than_columns(n, ends):
    tasks = load_tasks("diabetes-alone")
    assert tasks.X.shape[1] == 65
    found = {row["method"]: row["error"] for row in measured_errors("diabetes-alone", n, SEED, ridges=2)}
    assert [name for name in found if "interpolating" in name] == ends * [f"{ALONE[i]}, interpolating" for i in (0, 2)]
    if ends:
        order = np.random.default_rng(SEED).permutation(len(tasks.y))
        train, test = order[:n], order[n:]
        rich = FineTunedRegressionCV(ridges=RIDGES[:1], cv=2).fit(tasks.X[train], tasks.y[train]).inits_[0]
        end = FineTunedRegression(rich, ridge=0.0).fit(tasks.X[train], tasks.y[train])
        assert end.predict(tasks.X[train]) == pytest.approx(tasks.y[train], abs=1e-6)
        error = np.mean((tasks.y[test] - end.predict(tasks.X[test])) ** 2)
        assert found["alone, rich, interpolating"] == pytest.approx(error, rel=1e-6)


def test_examples_are_left_for_the_test():
    check_examples("wine", len(load_tasks("wine").y) - 20)
    with pytest.raises(ValueError, match="n = 70 is not allowed"):
        check_examples("wine", 70)
