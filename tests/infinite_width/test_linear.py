"""The infinitely wide linear network: adapted features, the loss of fine-tuning on them, training of all weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import solve_ivp

from ptft.checks import adapted_kernels as checks
from ptft.infinite_width import (
    KINDS,
    budgeted_loss,
    feature_moment,
    fine_tuning_loss,
    optimal_gamma_1,
    regression_loss,
    rich_limit_loss,
    simulate_fine_tuning,
    source_coefficients,
    spike_size,
    train_linear,
)

NU = np.linspace(0.01, 0.99, 50)
HARMFUL = (-1.5, 3.0, 0.0)  # c1^2 > c2 c3

richness = st.floats(0, 1e3)
data = st.floats(0, 3)
share = st.floats(0.01, 0.99)
ridges = st.just(0.0) | st.floats(-6, 1).map(lambda e: 10.0**e)


@st.composite
def alignments(draw):
    size, angle = draw(st.floats(0, 1)), draw(st.floats(0, 2 * np.pi))
    return size * np.cos(angle), size * np.sin(angle)


def unit_vector(nu_1):
    return np.array([np.sqrt(min(nu_1, 1)), np.sqrt(1 - min(nu_1, 1))])


def matrix(c1, c2, c3):
    return np.array([[c2, c1], [c1, c3]])


# --- the adapted kernel ---------------------------------------------------------------------------------------------


@given(richness, data, st.sampled_from(KINDS))
def test_coefficients_are_a_spike_along_the_learned_predictor(gamma, nu, kind):
    u, spike = unit_vector(nu), spike_size(gamma, nu, kind)
    assert spike >= 0
    np.testing.assert_allclose(matrix(*source_coefficients(gamma, nu, kind)), spike * np.outer(u, u), rtol=1e-12)


def test_the_two_kinds_as_formulas():
    gamma, nu = 3.0, 0.3
    c1, c2, c3 = source_coefficients(gamma, nu)
    spike = np.sqrt(1 + gamma**2 * nu) - 1
    assert (c1, c2, c3) == pytest.approx((np.sqrt(nu * (1 - nu)) * spike, nu * spike, (1 - nu) * spike), rel=1e-14)
    c1, c2, c3 = source_coefficients(gamma, nu, kind="caption")
    chi = np.sqrt(1 + gamma**2) - 1
    expected = (nu * np.sqrt(nu * (1 - nu)) * chi, nu**2 * chi, nu * (1 - nu) * chi)
    assert (c1, c2, c3) == pytest.approx(expected, rel=1e-14)


@given(richness, st.floats(1, 5))
def test_enough_source_data_end_at_result_2_for_both_kinds(gamma, nu):
    for kind in KINDS:
        c1, c2, c3 = source_coefficients(gamma, nu, kind)
        assert (c1, c3) == (0, 0) and c2 == pytest.approx(np.sqrt(1 + gamma**2) - 1, rel=1e-9, abs=1e-12)


@given(richness, share)
def test_the_kinds_agree_for_lazy_pretraining_and_the_exact_spike_is_the_larger(gamma, nu):
    exact, caption = (spike_size(gamma, nu, kind) for kind in KINDS)
    assert exact >= caption * (1 - 1e-12)
    lazy = 1e-4
    assert [spike_size(lazy, nu, kind) for kind in KINDS] == pytest.approx([nu * lazy**2 / 2] * 2, rel=1e-7)


def test_spikes_in_numbers():
    assert spike_size([1.0, 4.0], 0.5, "caption") == pytest.approx([0.207, 1.562], abs=1e-3)
    assert spike_size([1.0, 4.0], 0.5) == pytest.approx([np.sqrt(1.5) - 1, 2.0], rel=1e-12)
    assert spike_size(2.0, 2.0) == pytest.approx(1.236, abs=1e-3)


# --- the loss of fine-tuning ----------------------------------------------------------------------------------------


def written_out(nu, alphas, coefficients, ridge):
    """The general formula through kappa and linear algebra."""
    kappa = ((1 + ridge - nu) + np.sqrt((1 + ridge - nu) ** 2 + 4 * nu * ridge)) / (2 * nu)
    q, a = 1 / (1 + kappa), np.array(alphas)
    learned = np.linalg.solve(np.eye(2) + q * matrix(*coefficients), a)
    return (1 - q) ** 2 / (1 - q**2 / nu) * (1 - a @ a + learned @ learned)


@given(share, alignments(), st.tuples(st.floats(-0.9, 0.9), st.floats(0, 9), st.floats(0, 9)), ridges)
def test_the_loss_is_the_deterministic_equivalent(nu, alphas, coefficients, ridge):
    loss = fine_tuning_loss(nu, alphas, coefficients, ridge)
    assert loss == pytest.approx(written_out(nu, alphas, coefficients, ridge), rel=1e-9)


def test_the_loss_keeps_its_precision_where_the_formula_cancels():
    """Small ridge next to nu_2 = 1: L = sqrt(ridge) at nu_2 = 1, and ridge^2 nu/(nu - 1)^3 above, to leading order."""
    ridge = 1e-12
    loss = fine_tuning_loss([1.0, 1.5, 3.0], (0.0, 0.0), ridge=ridge)
    expected = [np.sqrt(ridge) / 2, ridge**2 * 1.5 / 0.5**3, ridge**2 * 3 / 2**3]
    assert loss == pytest.approx(expected, rel=1e-5)


def test_result_2():
    assert fine_tuning_loss(0.3, (0.7, 0.0), (0.0, 1.0, 0.0)) == pytest.approx(0.559958, abs=1e-6)
    assert fine_tuning_loss(0.8, (0.9, 0.0), (0.0, 5.0, 0.0)) == pytest.approx(0.044480, abs=1e-6)


@given(richness, st.floats(0, 1), share)
def test_result_2_for_all_arguments(gamma, alpha_s, nu):
    chi = np.sqrt(1 + gamma**2) - 1
    learned = chi * nu / (1 + chi * nu)
    expected = (1 - nu) * (1 - 2 * alpha_s**2 * learned + alpha_s**2 * learned**2)
    loss = fine_tuning_loss(nu, (alpha_s, 0.0), source_coefficients(gamma, 1.0))
    assert loss == pytest.approx(expected, rel=1e-9, abs=1e-14)
    assert loss <= (1 - nu) * (1 + 1e-12)


@given(data, alignments(), richness, data, st.sampled_from(KINDS), ridges)
def test_pretraining_of_either_kind_never_harms(nu, alphas, gamma, nu_1, kind, ridge):
    loss = fine_tuning_loss(nu, alphas, source_coefficients(gamma, nu_1, kind), ridge)
    assert loss <= fine_tuning_loss(nu, alphas, ridge=ridge) * (1 + 1e-9) + 1e-15


@given(data, alignments(), st.floats(0, 20), st.floats(0, 20), st.floats(-1, 1), ridges)
def test_no_positive_semi_definite_spike_harms(nu, alphas, c2, c3, correlation, ridge):
    loss = fine_tuning_loss(nu, alphas, (correlation * np.sqrt(c2 * c3), c2, c3), ridge)
    assert loss <= fine_tuning_loss(nu, alphas, ridge=ridge) * (1 + 1e-9) + 1e-15


def test_an_indefinite_spike_harms_where_much_target_data_meet_the_noise_direction():
    assert 1 + np.linalg.eigvalsh(matrix(*HARMFUL))[0] == pytest.approx(0.38, abs=0.005)
    ratio = fine_tuning_loss(NU, (0.9, 0.1), HARMFUL) / (1 - NU)
    assert NU[np.argmax(ratio > 1)] == pytest.approx(0.82, abs=0.02) and np.all(np.diff(ratio > 1).astype(int) >= 0)
    assert ratio.min() == pytest.approx(0.61, abs=0.01)
    assert fine_tuning_loss(0.98, (0.9, 0.1), HARMFUL) / 0.02 == pytest.approx(1.46, abs=0.01)
    centre = fine_tuning_loss(NU, (0.9, 0.0), HARMFUL) / (1 - NU)  # without alignment with g, only at the very end
    assert NU[np.argmax(centre > 1)] == pytest.approx(0.98, abs=0.02)
    for alpha_g, c1 in ((-0.1, -1.5), (0.1, 1.5)):  # c1 alpha_g > 0
        assert np.all(fine_tuning_loss(NU, (0.9, alpha_g), (c1, 3.0, 0.0)) < 1 - NU)
    milder = (-1.2, 2.0, 0.1)
    assert np.all(fine_tuning_loss(NU, (0.9, 0.0), milder) < 1 - NU)
    assert fine_tuning_loss(0.98, (0.9, 0.1), milder) / 0.02 == pytest.approx(1.06, abs=0.01)
    assert fine_tuning_loss(0.8, (0.5, 0.1), (-0.9, 0.6, 0.1)) == pytest.approx(0.2565, abs=1e-4)


@given(share, alignments(), st.floats(-0.9, 0.9), st.floats(0, 9), st.floats(0, 9), ridges)
def test_symmetries(nu, alphas, c1, c2, c3, ridge):
    a_s, a_g = alphas
    loss = fine_tuning_loss(nu, alphas, (c1, c2, c3), ridge)
    assert fine_tuning_loss(nu, (-a_s, -a_g), (c1, c2, c3), ridge) == pytest.approx(loss, rel=1e-12)
    assert fine_tuning_loss(nu, (a_s, -a_g), (-c1, c2, c3), ridge) == pytest.approx(loss, rel=1e-12)
    assert fine_tuning_loss(nu, (a_g, a_s), (c1, c3, c2), ridge) == pytest.approx(loss, rel=1e-12)


@given(share, alignments(), share, st.sampled_from(KINDS))
def test_monotone_in_richness_target_data_and_alignment(nu, alphas, nu_1, kind):
    """In particular there is no optimal gamma_1 without a budget, whatever the caption of Figure 2 says."""
    gamma = np.geomspace(1e-3, 1e3, 60)
    assert np.all(np.diff(fine_tuning_loss(nu, alphas, source_coefficients(gamma, nu_1, kind))) <= 1e-12)
    assert np.all(np.diff(fine_tuning_loss(NU, alphas, source_coefficients(2.0, nu_1, kind))) < 0)
    alpha_s = np.linspace(0, 1, 20)
    assert np.all(np.diff(fine_tuning_loss(nu, (alpha_s, 0.0), source_coefficients(2.0, 1.0, kind))) < 0)


@given(share, alignments(), share, st.sampled_from(KINDS))
def test_limits(nu, alphas, nu_1, kind):
    rich, lazy = source_coefficients(1e7, nu_1, kind), source_coefficients(1e-7, nu_1, kind)
    assert fine_tuning_loss(nu, alphas, lazy) == pytest.approx(1 - nu, rel=1e-9)
    assert fine_tuning_loss(1e-12, alphas, source_coefficients(3.0, nu_1, kind)) == pytest.approx(1, abs=1e-9)
    assert fine_tuning_loss([0.0, 1.0, 2.0], alphas, rich) == pytest.approx([1, 0, 0], abs=1e-15)
    assert fine_tuning_loss(nu, alphas, rich) == pytest.approx((1 - nu) * rich_limit_loss(nu_1, alphas), abs=1e-6)


def test_result_4():
    assert rich_limit_loss([0.3, 0.7, 2.0], ([0.8, 0.5, 0.8], 0.0)) == pytest.approx([0.808, 0.825, 0.36], abs=1e-12)
    rng = np.random.default_rng(0)
    D, nu_1, alpha_s = 1000, 0.3, 0.8
    u, t = np.zeros(D), np.zeros(D)
    u[:2], t[[0, 2]] = unit_vector(nu_1), (alpha_s, np.sqrt(1 - alpha_s**2))
    for nu_2 in (0.2, 0.5, 0.9):  # a single number is fitted
        X = rng.standard_normal((round(nu_2 * D), D))
        beta_hat = u * ((X @ u) @ (X @ t)) / ((X @ u) @ (X @ u))
        assert np.sum((beta_hat - t) ** 2) == pytest.approx(rich_limit_loss(nu_1, (alpha_s, 0.0)), abs=0.02)


# --- the variant with a budget --------------------------------------------------------------------------------------


def test_a_budget_gives_an_optimal_gamma_1_that_falls_with_target_data():
    nu, alphas, nu_1 = np.array([0.2, 0.4, 0.6, 0.8, 0.95]), (0.8, 0.0), 0.5
    optimal = optimal_gamma_1(nu, alphas, nu_1)
    assert optimal == pytest.approx([29, 13, 6.8, 3.4, 1.4], rel=0.05)
    at_optimum = budgeted_loss(nu, alphas, optimal, nu_1)
    for factor in (0.97, 1.03):
        assert np.all(at_optimum < budgeted_loss(nu, alphas, factor * optimal, nu_1))
    losses = budgeted_loss(0.8, alphas, [0.0, 3.4, 200.0], nu_1)
    assert losses == pytest.approx([0.213, 0.180, 0.477], abs=5e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_of_zero_is_no_budget(kind):
    nu, alphas = np.array([0.0, 0.3, 0.9]), (0.8, 0.1)
    without = fine_tuning_loss(nu, alphas, source_coefficients(2.0, 0.5, kind))
    assert np.array_equal(budgeted_loss(nu, alphas, 2.0, 0.5, 0.0, kind), without)
    assert optimal_gamma_1(0.5, alphas, 0.5, 0.0, kind) == np.inf


@given(share, alignments(), share, st.sampled_from(KINDS))
def test_the_rich_limit_of_the_budgeted_loss(nu, alphas, nu_1, kind):
    r = 0.02
    expected = 1 - (1 - rich_limit_loss(nu_1, alphas)) * (1 - (r / (r + nu)) ** 2)
    assert budgeted_loss(nu, alphas, 1e8, nu_1, r, kind) == pytest.approx(expected, abs=1e-3)
    small = budgeted_loss(0.5, alphas, 1e11, nu_1, 1e-5, kind)  # Result 4
    assert small == pytest.approx(rich_limit_loss(nu_1, alphas), abs=1e-2)


def test_optimal_gamma_1_at_the_ends_of_its_range():
    assert optimal_gamma_1(0.9, (0.0, 0.0), 0.5) == 0  # nothing to gain
    assert optimal_gamma_1(0.5, (1.0, 0.0), 1.0) == np.inf  # nothing to lose


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("relative_ridge", [0.0, 1e-4, 0.02, 1.0])
def test_no_pretraining_is_the_best_where_all_richnesses_are_as_good(relative_ridge, kind):
    """Without target data every readout is zero, and its loss 1; rounding must not choose a richness."""
    for alphas in ((0.8, 0.0), (0.9, 0.1), (0.0, 0.0)):
        assert np.ptp(budgeted_loss(0.0, alphas, np.geomspace(1e-3, 1e4, 50), 0.5, relative_ridge, kind)) < 1e-14
        assert optimal_gamma_1(0.0, alphas, 0.5, relative_ridge, kind) == 0
        assert optimal_gamma_1(0.5, alphas, 0.0, relative_ridge, kind) == 0  # nor without source data
    assert optimal_gamma_1(1.5, (0.8, 0.0), 0.5, 0.0, kind) == 0  # all is learned
    assert optimal_gamma_1(1e-9, (0.8, 0.0), 0.5, relative_ridge, kind) > 0  # the least data make a difference
    with pytest.raises(ValueError, match=r"nu_2 = -0\.1 is not allowed"):
        optimal_gamma_1(-0.1, (0.8, 0.0), 0.5, relative_ridge, kind)


# --- the same loss, measured ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize(
    ("coefficients", "alphas"),
    [
        ((0.0, 0.0, 0.0), (0.3, 0.3)),
        ((0.0, 2.0, 0.0), (0.8, 0.0)),
        ((1.0, 1.0, 1.0), (0.8, 0.3)),
        (HARMFUL, (0.9, 0.1)),
        ((-0.9, 0.6, 0.1), (0.5, 0.1)),
    ],
)
def test_kernel_regression_has_the_predicted_loss(coefficients, alphas, ridge):
    measured = simulate_fine_tuning([0.1, 0.4, 0.8], alphas, coefficients, ridge, D=300, draws=16, seed=0)
    expected = fine_tuning_loss(measured.nu_2, alphas, coefficients, ridge)
    assert np.all(measured.se < 0.06 * measured.mean)
    assert np.all(np.abs(measured.mean - expected) < 3.5 * measured.se)


@pytest.mark.parametrize("draws", [2, 20])
def test_intervals_of_measured_losses_are_those_of_student(draws):
    measured = simulate_fine_tuning([0.3], D=20, draws=draws, seed=0)
    low, high = stats.ttest_1samp(measured.losses[0], 0.0).confidence_interval(0.95)
    assert measured.half_width == pytest.approx((high - low) / 2, rel=1e-9)


def test_regression_above_one_example_per_dimension():
    rng = np.random.default_rng(0)
    M, X, t = feature_moment(rng.standard_normal(40)), rng.standard_normal((80, 40)), rng.standard_normal(40)
    assert regression_loss(M, X, t) < 1e-20
    inside = M @ X.T @ np.linalg.solve(X @ M @ X.T + 0.3 * 40 * np.eye(80), X @ t)
    assert regression_loss(M, X, t, 0.3) == pytest.approx(np.sum((inside - t) ** 2), rel=1e-9)


# --- training of all weights ----------------------------------------------------------------------------------------


def source_task(D, nu_1, seed=0):
    rng = np.random.default_rng(seed)
    X, s = rng.standard_normal((round(nu_1 * D), D)), rng.standard_normal(D)
    return X, s / np.linalg.norm(s)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("nu_1", [0.3, 0.6, 1.5])
def test_training_learns_the_projection_and_leaves_the_predicted_features(nu_1, gamma):
    X, s = source_task(60, nu_1)
    run = train_linear(X, X @ s, gamma)
    projection = np.linalg.pinv(X) @ X @ s
    assert run.converged and run.residual < 1.1e-8
    assert run.predictor[-1] == pytest.approx(projection, abs=1e-5)
    # in the basis of s and of the direction g of this draw, with nu_1 = |P_X s|^2
    nu = min(projection @ projection, 1.0)
    g = projection - nu * s
    g = g / np.linalg.norm(g) if nu < 1 - 1e-9 else 0 * s
    c1, c2, c3 = source_coefficients(gamma, nu)
    M = np.eye(60) + c2 * np.outer(s, s) + c1 * (np.outer(s, g) + np.outer(g, s)) + c3 * np.outer(g, g)
    assert feature_moment(run.b[-1]) == pytest.approx(M, abs=1e-5)


def test_the_closed_equation_is_that_of_the_second_moment_in_both_stages():
    """Against the linear equation of all (D + 1)^2 second moments of (w, z), for which nothing is assumed."""
    rng = np.random.default_rng(1)
    D = 7
    tasks = [(rng.standard_normal((P, D)), rng.standard_normal(P), gamma) for P, gamma in ((5, 2.0), (9, 0.7))]
    times, S, b = np.linspace(0, 1.5, 6), np.eye(D + 1), np.zeros(D)
    for X, y, gamma in tasks:
        origin = S[:D, D].copy()

        def velocity(_, flat, X=X, y=y, gamma=gamma, origin=origin):
            S = flat.reshape(D + 1, D + 1)
            A = np.zeros_like(S)
            A[:D, D] = A[D, :D] = gamma * X.T @ (y - X @ (S[:D, D] - origin) / gamma) / len(y)
            return (A @ S + S @ A).ravel()

        full = solve_ivp(velocity, (0, 1.5), S.ravel(), t_eval=times, rtol=1e-10, atol=1e-12).y.T
        run = train_linear(X, y, gamma, start=b, times=times)
        for row, state in zip(full.reshape(-1, D + 1, D + 1), run.b, strict=True):
            assert row[:D, :D] == pytest.approx(feature_moment(state), abs=1e-7)
            assert row[:D, D] == pytest.approx(state, abs=1e-7)
            assert row[D, D] == pytest.approx(np.sqrt(1 + state @ state), abs=1e-7)
        assert run.predictor == pytest.approx((full.reshape(-1, D + 1, D + 1)[:, :D, D] - origin) / gamma, abs=1e-7)
        assert run.train_loss[0] == pytest.approx(np.mean(y**2))
        S, b = full[-1].reshape(D + 1, D + 1), run.b[-1]


def test_lazy_training_of_all_weights_is_regression_with_the_tangent_kernel_that_pretraining_left():
    """For gamma_2 to 0 that kernel is x^T (M + <z^2>) x': readout and first layer both move, both by a little."""
    X, s = source_task(40, 0.6)
    b = train_linear(X, X @ s, 30.0).b[-1]
    X2, t = source_task(40, 0.5, seed=2)[0], s
    run = train_linear(X2, X2 @ t, 1e-4, start=b)
    tangent = feature_moment(b) + np.sqrt(1 + b @ b) * np.eye(40)
    assert run.converged and run.predictor[0] == pytest.approx(np.zeros(40))
    loss = np.sum((run.predictor[-1] - t) ** 2)
    assert loss == pytest.approx(regression_loss(tangent, X2, t), rel=1e-4)
    assert loss > 1.2 * regression_loss(feature_moment(b), X2, t)  # the readout alone, on the richest features


def test_training_on_labels_without_signal_does_nothing():
    run = train_linear(np.ones((2, 3)), np.zeros(2), 1.0, times=[0.0, 1.0])
    assert run.converged and np.all(run.b == 0)


def test_a_run_that_stops_early_says_so():
    X, s = source_task(30, 0.5)
    run = train_linear(X, X @ s, 1.0, times=[0.0, 0.1])
    assert not run.converged and run.residual > 0.1 and run.train_loss[1] < run.train_loss[0]


def test_a_run_out_of_evaluations_warns():
    X, s = source_task(30, 0.9)
    with pytest.warns(UserWarning, match="raise max_evaluations"):
        run = train_linear(X, X @ s, 1.0, max_evaluations=50)
    assert not run.converged and np.all(np.isfinite(run.b))


@pytest.mark.parametrize(("gamma", "nu_1"), [(0.5, 0.5), (20.0, 0.4), (3.0, 1.6)])
def test_second_moments_without_the_conservation_law_are_those_with_it(gamma, nu_1):
    X, s = source_task(20, nu_1)
    R, b = checks.second_moments(X, X @ s, gamma, tolerance=1e-9), train_linear(X, X @ s, gamma).b[-1]
    assert R[:-1, :-1] == pytest.approx(feature_moment(b), abs=1e-6)
    assert R[:-1, -1] == pytest.approx(b, abs=1e-6) and R[-1, -1] == pytest.approx(np.sqrt(1 + b @ b), abs=1e-6)
    assert np.linalg.eigvalsh(R[:-1, :-1])[0] == pytest.approx(1, abs=1e-9)


def test_second_moments_of_training_that_does_nothing_or_does_not_end():
    assert np.array_equal(checks.second_moments(np.ones((2, 3)), np.zeros(2), 1.0), np.eye(4))
    X, s = source_task(12, 0.5)
    with pytest.raises(RuntimeError, match="gamma = 2 on 6 examples in D = 12 did not converge"):
        checks.second_moments(X, X @ s, 2.0, max_evaluations=20)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: source_coefficients(-1.0, 0.5), "gamma_1 = -1. is not allowed"),
        (lambda: source_coefficients(1.0, -0.5), "nu_1 = -0.5 is not allowed"),
        (lambda: source_coefficients(1.0, 0.5, "paper"), "kind = 'paper' is not allowed: it must be one of exact"),
        (lambda: source_coefficients([1.0, 2.0], [0.1, 0.2, 0.3]), "do not broadcast"),
        (lambda: fine_tuning_loss(-0.1), "nu_2 = -0.1 is not allowed"),
        (lambda: fine_tuning_loss(0.1, (0.9, 0.9)), r"alpha_s\^2 \+ alpha_g\^2 = 1.62 is not allowed"),
        (lambda: fine_tuning_loss(0.1, coefficients=(-2.0, 0.5, 0.0)), "smallest eigenvalue of M"),
        (lambda: fine_tuning_loss(0.1, coefficients=(0.0, np.nan, 0.0)), "c2 = nan is not allowed"),
        (lambda: fine_tuning_loss(0.1, ridge=-1.0), "ridge = -1. is not allowed"),
        (lambda: budgeted_loss(0.1, (0.5, 0.0), 1.0, 0.5, relative_ridge=-0.1), "relative_ridge = -0.1 is not allowed"),
        (lambda: simulate_fine_tuning(0.5, D=2), "D = 2 is not allowed"),
        (lambda: simulate_fine_tuning(0.5, draws=1), "draws = 1 is not allowed"),
        (lambda: train_linear(np.ones((2, 3)), np.ones(2), 0.0), "gamma = 0. is not allowed"),
        (lambda: train_linear(np.ones((2, 3)), np.ones(3), 1.0), "y has shape"),
        (lambda: train_linear(np.ones((2, 3)), np.ones(2), 1.0, start=np.ones(2)), "start has shape"),
        (lambda: train_linear(np.ones((2, 3)), np.ones(2), 1.0, times=[1.0, 2.0]), "increasing from 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- several settings on the same data, and checks ------------------------------------------------------------------


@pytest.mark.parametrize("nu_2", [[0.3, 0.8], [1.5]])
def test_settings_that_are_measured_together_have_the_losses_that_they_have_alone(nu_2):
    a_s, c2, ridge = np.array([[0.2], [0.9]]), np.array([0.5, 3.0, 30.0]), np.array([0.0, 0.1, 0.1])
    options = {"D": 30, "draws": 3, "seed": 5}
    together = simulate_fine_tuning(nu_2, (a_s, 0.1), (0.2, c2, 0.4), ridge, **options)
    assert together.mean.shape == together.se.shape == (2, 3, len(nu_2))
    for i, j in np.ndindex(2, 3):
        alone = simulate_fine_tuning(nu_2, (a_s[i, 0], 0.1), (0.2, c2[j], 0.4), ridge[j], **options)
        assert together[i].mean[j] == pytest.approx(alone.mean, rel=1e-9, abs=1e-20)
        assert together[i].se[j] == pytest.approx(alone.se, rel=1e-7, abs=1e-20)


def test_training_that_begins_almost_in_the_row_space_moves_in_all_directions_it_should():
    rng = np.random.default_rng(2)
    X, inside = rng.standard_normal((3, 6)), rng.standard_normal(3)
    begin = X.T @ inside
    aside = np.linalg.svd(X)[2][-1]
    runs = [train_linear(X, X[:, 0], 2.0, start=begin + far * aside, times=[0.0, 1.0]) for far in (0.0, 1e-9, 1e-3)]
    assert runs[1].b[-1] == pytest.approx(runs[0].b[-1], abs=1e-8)
    assert np.max(np.abs(runs[2].b[-1] - runs[0].b[-1])) > 1e-4


def test_checks_of_losses_fail_where_theory_and_measurement_are_of_different_things():
    pretrained, nu_2 = source_coefficients(3.0, 1.0), np.array([0.3, 0.6])
    alphas = (np.array([0.3, 0.9]), 0.0)
    measured = simulate_fine_tuning(nu_2, alphas, pretrained, 0.1, D=200, draws=12)
    assert checks.losses(measured, alphas, pretrained, 0.1).holds
    assert checks.losses(measured, alphas, pretrained, 0.1).error.shape == (2, 2)
    assert not checks.losses(measured, alphas, pretrained).holds
    assert not checks.losses(measured, alphas, source_coefficients(1.0, 1.0), 0.1).holds


@pytest.mark.parametrize("kind", ["exact", "caption"])
def test_what_pretraining_leaves_does_no_harm_and_richer_is_better_without_a_budget(kind):
    nu_2, gamma_1 = np.array([0.05, 0.5, 0.98]), np.geomspace(0.05, 300, 20)
    for nu_1 in (0.1, 0.5, 1.0):
        coefficients = source_coefficients(gamma_1[:, None], nu_1, kind)
        assert checks.no_harm(nu_2, (0.9, 0.1), coefficients).holds
        assert np.all(np.diff(budgeted_loss(nu_2[:, None], (0.8, 0.0), gamma_1, nu_1, 0.0, kind)) <= 0)
    assert not checks.no_harm(nu_2, (0.9, 0.1), (-1.2, 2.0, 0.1)).holds
    assert np.any(np.diff(budgeted_loss(nu_2[:, None], (0.8, 0.0), gamma_1, 0.5, 0.02, kind)) > 0)
