"""The lazy and the rich end of the penalty: closed forms, and the replica solution that approaches them."""

import numpy as np
import pytest
from scipy.optimize import linprog

import ptft
from ptft.limits import basis_pursuit_error, minimum_norm_error, recovery_threshold

ALPHA = np.linspace(0.01, 0.5, 11)


def sparse(rho, k):
    return ptft.GaussianMixture([rho, 1 - rho], 0.0, [1 / rho, 0.0], k)


def test_minimum_norm_of_one_scale_in_closed_form():
    assert minimum_norm_error(ALPHA, sparse(0.1, 4.0)) == pytest.approx(1 - ALPHA, rel=1e-12)
    noisy = (1 - ALPHA) + 0.3 * ALPHA / (1 - ALPHA)  # Hastie et al. (2022)
    assert minimum_norm_error(ALPHA, sparse(0.1, 4.0), noise_var=0.3) == pytest.approx(noisy, rel=1e-12)


def test_l2_is_the_lazy_limit():
    curve = ptft.replica_curve(ALPHA, ptft.SpikeSlab(), ptft.Initialization(1e6))
    assert curve.mse == pytest.approx(1 - ALPHA, rel=1e-9)


@pytest.mark.parametrize("noise_var", [0.0, 0.2])
def test_weighted_l2_is_the_lazy_limit_of_two_groups(noise_var):
    mixture = ptft.GaussianMixture([0.25, 0.75], 0.0, [4.0, 0.5], [9e12, 1e12])
    curve = ptft.replica_curve(ALPHA, mixture, noise_var=noise_var)
    assert curve.mse == pytest.approx(minimum_norm_error(ALPHA, mixture, noise_var), rel=1e-8)


def test_regime_two_is_weighted_l2_where_coefficients_stay_small():
    teacher, init = ptft.SpikeSlab(0.3, 0.3, 1.0, a_pt=1e4), ptft.Initialization(10.0)
    mixture = teacher.mixture(init)
    assert mixture.k.max() / mixture.k.min() > 1e4
    big = ptft.GaussianMixture(mixture.weight, mixture.mean, mixture.variance * 1e-8, mixture.k)
    assert ptft.replica_curve(ALPHA, big).mse == pytest.approx(minimum_norm_error(ALPHA, big), rel=1e-6)


def test_the_recovery_threshold_is_that_of_donoho_and_tanner():
    """Their weak threshold at half as many examples as unknowns: 0.3848 non-zeros per example."""
    assert recovery_threshold(sparse(0.5 * 0.3848, 1.0)) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("rho", [0.02, 0.1, 0.3])
def test_basis_pursuit_error_vanishes_at_its_threshold(rho):
    threshold = recovery_threshold(sparse(rho, 1.0))
    error = basis_pursuit_error(threshold * np.array([0.5, 0.9, 0.999, 1.001]), sparse(rho, 1.0))
    assert error[0] > error[1] > error[2] > 0 == error[3] and error[2] < 0.01


@pytest.mark.parametrize("rho", [0.02, 0.1, 0.3])
def test_the_rich_limit_has_the_phase_transition_of_basis_pursuit(rho):
    mixture = sparse(rho, 1e-120)
    curve = ptft.replica_curve(recovery_threshold(mixture) * np.array([0.9, 1.1]), mixture)
    assert curve.converged.all() and curve.mse[0] > 1e-2 and curve.mse[1] < 1e-8


def test_least_l1_norm_recovers_sampled_teachers_above_the_threshold_and_not_below():
    rng, d, rho = np.random.default_rng(0), 300, 0.1
    threshold = recovery_threshold(ptft.GaussianMixture([rho, 1 - rho], 0.0, [10.0, 0.0], 1.0))
    for share, recovered in ((0.75, False), (1.3, True)):
        X, beta = rng.standard_normal((round(share * threshold * d), d)), np.zeros(d)
        beta[: round(rho * d)] = rng.standard_normal(round(rho * d))
        both = linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=X @ beta).x
        assert np.allclose(both[:d] - both[d:], beta, atol=1e-6) == recovered


def test_below_its_threshold_basis_pursuit_is_approached_logarithmically():
    limit = basis_pursuit_error(0.2, sparse(0.1, 1.0))
    distance = [
        abs(float(ptft.replica_curve(0.2, sparse(0.1, k)).mse / limit - 1)) for k in (1e-6, 1e-80, 1e-120, 1e-200)
    ]
    assert distance[0] > 0.01 > 1e-3 > distance[1] > distance[2] > distance[3]


def test_weighted_l1_is_the_rich_limit_of_two_groups():
    """k = 10^-100 and 10^-200 weigh the l1 norm 1 : 2 to leading order; error and transition move accordingly."""
    weights = np.array([1.0, 2.0, 1.0, 2.0])
    mixture = ptft.GaussianMixture([0.1, 0.05, 0.05, 0.8], 0.0, [5.0, 5.0, 0.0, 0.0], 10.0 ** (-100 * weights))
    threshold = recovery_threshold(mixture, weights)
    assert threshold < 0.9 * recovery_threshold(mixture)
    alpha = threshold * np.array([0.5, 0.9, 1.1])
    curve = ptft.replica_curve(alpha, mixture)
    limit = basis_pursuit_error(alpha, mixture, weights)
    assert curve.mse[0] == pytest.approx(limit[0], rel=0.02)
    assert curve.mse[1] == pytest.approx(limit[1], rel=0.15)  # nearer the transition the logarithm matters more
    assert curve.mse[2] < 1e-20


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minimum_norm_error(1.0, sparse(0.1, 1.0)), "alpha = 1. is not allowed: it must be below 1"),
        (lambda: minimum_norm_error(0.5, sparse(0.1, 1.0), -1.0), "noise_var = -1. is not allowed"),
        (lambda: basis_pursuit_error(0.0, sparse(0.1, 1.0)), "alpha = 0. is not allowed"),
        (lambda: basis_pursuit_error(0.5, sparse(0.1, 1.0), 0.0), "weights = 0. is not allowed"),
        (
            lambda: basis_pursuit_error(0.5, ptft.GaussianMixture([1.0], 1.0, 0.0, 1.0)),
            "mixture.mean = 1. is not allowed",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
