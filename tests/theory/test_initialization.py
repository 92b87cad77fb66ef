"""Initial weights and the number k through which pretraining enters (Theorem 4.1)."""

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
