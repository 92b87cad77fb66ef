"""Initial weights and the number k through which pretraining enters (Theorem 4.1)."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ptft

relative = st.floats(-1, 1)


@given(st.floats(-6, 3), relative, st.floats(0, 20), st.floats(-1e3, 1e3))
def test_sqrt_k_is_twice_the_absolute_scale_at_the_start_of_fine_tuning(log_c, share, gamma, beta_pt):
    if share == -1 and gamma == 0:
        return
    c = 10.0**log_c
    init = ptft.Initialization(c, share * c, gamma)
    weights = ptft.fine_tuning_weights(ptft.pretrained_weights([beta_pt], init), gamma)
    assert init.sqrt_k(beta_pt) == pytest.approx(2 * weights.absolute_scale[0], rel=1e-7)


def test_k_by_hand():
    init = ptft.Initialization(c_pt=3.0, lambda_pt=1.0, gamma_ft=2.0)
    assert init.sqrt_k(4.0) == pytest.approx(2 * 4 * (1 + 5 / 3) + 4)
    assert init.k(4.0) == pytest.approx((2 * 4 * (1 + 5 / 3) + 4) ** 2)
    assert init.k_single_task == pytest.approx(36.0)


@given(relative, st.floats(0, 10))
def test_single_task_learning_ignores_lambda_and_gamma(share, gamma):
    assert ptft.Initialization(2.0, 2.0 * share, gamma).k_single_task == 16.0


def test_nearly_degenerate_lambda_loses_no_precision():
    init = ptft.Initialization(1.0, -1 + 2.0**-40)
    assert init.sqrt_k(0.0) == 4 * 2.0**-40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"c_pt": 0.0}, "c_pt = 0. is not allowed: it must be positive"),
        ({"c_pt": -1.0}, "c_pt = -1. is not allowed"),
        ({"c_pt": np.nan}, "c_pt = nan is not allowed: it must be finite"),
        ({"c_pt": 1.0, "lambda_pt": 1.5}, "lambda_pt = 1.5 is not allowed: it must be between -c_pt and c_pt"),
        ({"c_pt": 1.0, "lambda_pt": -np.inf}, "lambda_pt = -inf is not allowed"),
        ({"c_pt": 1.0, "gamma_ft": -0.1}, "gamma_ft = -0.1 is not allowed: it must be zero or positive"),
        ({"c_pt": np.ones(2), "lambda_pt": np.zeros(3)}, "do not broadcast"),
        ({"c_pt": "big"}, "c_pt = 'big' is not allowed: it must be real numbers"),
    ],
)
def test_bad_initializations_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ptft.Initialization(**arguments)


def test_the_degenerate_corner_is_refused_for_fine_tuning_only():
    corner = ptft.Initialization(1.0, -1.0, 0.0)
    assert corner.k_single_task == 4.0
    for call in (corner.k, corner.sqrt_k, corner.kappa):
        with pytest.raises(
            ValueError, match=r"lambda_pt = -1\. is not allowed: it must be above -c_pt where gamma_ft = 0"
        ):
            call(1.0)
    assert ptft.Initialization(1.0, -1.0, 1e-3).k(5.0) == pytest.approx(1e-12)


def test_k_that_leaves_float64_is_refused():
    with pytest.raises(ValueError, match="sqrt"):
        _ = ptft.Initialization(1e-200).k_single_task


def test_a_distance_from_the_degenerate_corner_is_exact():
    distance = 10.0 ** -np.arange(0, 300, 7)
    init = ptft.Initialization.at_distance(1e-3, distance)
    assert init.c_plus_lambda / distance == pytest.approx(1e-3, rel=1e-15)
    assert init.sqrt_k(1.0) / distance == pytest.approx(2e-3 * (1 + np.hypot(1e-3, 1) / 1e-3), rel=1e-15)
    assert init.kappa(1.0) == pytest.approx(np.full(distance.size, 1 - 1e-3 / np.hypot(1e-3, 1)), rel=1e-12)
    assert init.lambda_pt == pytest.approx((distance - 1) * 1e-3, rel=1e-15)
    rounded = ptft.Initialization(1e-3, (1e-16 - 1) * 1e-3)
    assert rounded.c_plus_lambda > 2e-19  # which lambda_pt can't say


def test_the_distance_reaches_the_weights():
    init = ptft.Initialization.at_distance(1e-3, 1e-20, 0.0)
    start = ptft.pretraining_weights(init, 1)
    assert start.w1_plus**2 / 1e-23 == pytest.approx(0.5, rel=1e-14)
    unused = ptft.fine_tuning_weights(ptft.pretrained_weights([0.0], init), 0.0)
    assert 2 * unused.absolute_scale / init.sqrt_k([0.0]) == pytest.approx(1.0, rel=1e-14)


def test_a_distance_survives_a_replacement_and_contradictions_are_named():
    init = ptft.Initialization.at_distance(1e-3, 1e-20)
    assert float(replace(init, gamma_ft=1.0).c_plus_lambda) == 1e-23
    assert float(replace(ptft.Initialization(1e-3, 1e-4), c_pt=1.0).c_plus_lambda) == 1.0001
    for call in (
        lambda: replace(init, lambda_pt=0.0),
        lambda: replace(init, c_pt=1.0),
        lambda: ptft.Initialization(1.0, -0.5, distance=0.4),
        lambda: ptft.Initialization.at_distance(1.0, -1e-9),
        lambda: ptft.Initialization.at_distance(1.0, 2.1),
    ):
        with pytest.raises(ValueError, match=r"^distance = .* is not allowed: it must be"):
            call()
    with pytest.raises(ValueError, match="do not broadcast"):
        ptft.Initialization.at_distance(np.ones(2), np.ones(3))


@given(st.floats(-6, 3), relative, st.floats(0, 20), st.floats(-1e3, 1e3))
def test_a_distance_that_is_not_small_changes_nothing(log_c, share, gamma, beta_pt):
    if share < -0.9:
        return
    c = 10.0**log_c
    one, other = ptft.Initialization(c, share * c, gamma), ptft.Initialization.at_distance(c, 1 + share, gamma)
    assert other.sqrt_k(beta_pt) == pytest.approx(one.sqrt_k(beta_pt), rel=1e-14)
