"""The replica equations (Proposition 4.2): the quadrature, its solver, and the limits with known answers."""

import functools
import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

import ptft
from ptft.limits import recovery_threshold
from ptft.penalties import prox_angle
from ptft.replica import TOLERANCE, _Problem, scalar_moments

ALPHA = np.linspace(0.01, 0.5, 11)


def decades(low, high):
    return st.floats(low, high).map(lambda e: 10.0**e)


# --- the quadrature -------------------------------------------------------------------------------------------------


def moments_over_z(tau2, theta, mean, variance, k):
    """MSE and response of one component by Gauss's rule over z in pieces, with the proximal map solved at every z."""
    s, V = np.sqrt(k), variance + tau2
    knots = mean + np.sqrt(V) * np.linspace(-9, 9, 721)
    at, weight = np.polynomial.legendre.leggauss(40)
    half = np.diff(knots)[:, None] / 2
    z, weight = (knots[:-1, None] + half * (1 + at)).ravel(), (half * weight).ravel()
    t = np.sign(z) * prox_angle(np.abs(z), s, theta)
    error = ((s / 2) * np.sinh(t) - (mean + variance / V * (z - mean))) ** 2
    response = s * np.cosh(t) / (s * np.cosh(t) + theta)
    density = stats.norm(mean, np.sqrt(V)).pdf(z)
    return weight @ (error * density) + variance * tau2 / V, weight @ (response * density)


@pytest.mark.parametrize(
    ("tau2", "theta", "mean", "variance", "k"),
    [
        (0.5, 0.3, 0.0, 10.0, 1e-6),
        (0.5, 0.3, 0.0, 0.0, 1e-6),
        (1e-3, 5.0, 0.0, 1.0, 4.0),
        (0.2, 0.1, 1.5, 0.0, 1e-4),
        (0.2, 0.1, 1.5, 0.3, 1e-12),
        (1e-6, 1e-4, 0.0, 1.0, 1e-4),
    ],
)
def test_quadrature_agrees_with_integration_over_z(tau2, theta, mean, variance, k):
    mixture = ptft.GaussianMixture([1.0], mean, variance, k)
    moments = scalar_moments(np.array([tau2]), np.array([theta]), mixture)
    mse, response = moments_over_z(tau2, theta, mean, variance, k)
    assert moments.mse[0] == pytest.approx(mse, rel=1e-8)
    assert moments.response[0] == pytest.approx(response, rel=1e-8)


@settings(max_examples=60)
@given(
    decades(-14, 3),
    decades(-8, 3),
    decades(-14, 4),
    st.sampled_from([0.0, 1e-3, 1.0, 10.0]),
    decades(-3, 2) | st.just(0.0),
)
def test_doubling_the_nodes_changes_nothing(tau2, theta, k, mean, variance):
    mixture = ptft.GaussianMixture([0.3, 0.7], [mean, 0.0], [variance, 0.0], [k, 2 * k])
    coarse, fine = (scalar_moments(np.array([tau2]), np.array([theta]), mixture, refine) for refine in (1.0, 2.0))
    for name in ("mse", "response"):
        assert getattr(coarse, name) == pytest.approx(getattr(fine, name), rel=1e-11)


@settings(max_examples=40)
@given(decades(-4, 2), decades(-4, 2), decades(-8, 2), st.sampled_from([0.0, 0.7]), st.sampled_from([0.0, 2.0]))
def test_derivatives_of_the_moments(tau2, theta, k, mean, variance):
    mixture = ptft.GaussianMixture([0.4, 0.6], [mean, 0.0], [variance, 0.0], [k, 3 * k])
    moments = scalar_moments(np.array([tau2]), np.array([theta]), mixture)
    h = 1e-5
    for name, tau2_h, theta_h, width in (("tau2", h * tau2, 0, h * tau2), ("theta", 0, h * theta, h * theta)):
        up, down = (
            scalar_moments(np.array([tau2 + e * tau2_h]), np.array([theta + e * theta_h]), mixture) for e in (1, -1)
        )
        for moment in ("mse", "response"):
            difference = (getattr(up, moment)[0] - getattr(down, moment)[0]) / (2 * width)
            rounding = 1e-9 * getattr(moments, moment)[0] / width
            assert getattr(moments, f"{moment}_{name}")[0] == pytest.approx(difference, rel=1e-5, abs=rounding * 1e-1)


def test_atoms_far_out_keep_their_precision():
    """(x_hat - m)^2 near 1e-16 for a coefficient of size 9: no cancellation of z against m."""
    tau2, theta, k, m = 1e-16, 1e-9, 1e-14, 9.0
    moments = scalar_moments(np.array([tau2]), np.array([theta]), ptft.GaussianMixture([1.0], m, 0.0, k))
    bias = theta / 2 * np.arcsinh(2 * m / np.sqrt(k))
    assert moments.mse[0] == pytest.approx(tau2 + bias**2, rel=1e-6)


# --- the solver -----------------------------------------------------------------------------------------------------


def published_settings():
    for rho_ft, omega, c, share, gamma in itertools.product(
        (0.01, 0.04, 0.1, 0.9), (0.0, 0.5, 1.0), (1e-6, 1e-3, 1.0), (-0.99, 0.0, 0.99), (0.0, 1.0, 10.0)
    ):
        if omega * rho_ft <= 0.1 and 0.1 + (1 - omega) * rho_ft <= 1:
            yield ptft.SpikeSlab(0.1, rho_ft, omega), ptft.Initialization(c, share * c, gamma)
    for rho, c in itertools.product((0.01, 0.04, 0.1, 0.9), (1e-6, 1e-3, 1.0)):
        yield ptft.SingleTask(rho), ptft.Initialization(c)
    for omega, rho_ft in ((0.0, 0.1), (1.0, 0.1), (1.0, 0.01)):
        yield ptft.SpikeSlab(0.1, rho_ft, omega), ptft.Initialization(1e-3, -0.999999e-3, 1e-6)  # regime I of Figure 5


@pytest.mark.parametrize("slab", ["gaussian", "signs"])
def test_the_whole_published_range_is_solved_from_both_starts(slab):
    count = 0
    for teacher, init in published_settings():
        teacher = type(teacher)(**{**vars(teacher), "slab": slab})
        curve = ptft.replica_curve(ALPHA if slab == "gaussian" else ALPHA[::2], teacher, init)
        assert curve.converged.all() and np.all(curve.residual <= TOLERANCE)
        assert np.all(curve.mismatch_db < 1e-7)  # the residual, amplified near the transition to recovery
        assert np.all(curve.mse > 0) and np.all(np.isfinite(curve.mse))
        count += 1
    assert count > 250


@pytest.mark.parametrize(("alpha", "noise_var", "k"), [(0.3, 0.0, 1e-4), (0.7, 0.2, 1e-2), (0.5, 0.05, 4.0)])
def test_the_solution_minimises_the_penalty_among_the_estimators_that_gaussian_comparison_admits(alpha, noise_var, k):
    """Proposition `prop-unique`: of the proximal estimators at other tau, each with the theta that makes it admissible
    without slack, none has a smaller mean penalty."""
    sizes, shares = np.array([0.0, 1.5]), np.array([0.7, 0.3])
    solved = ptft.replica_curve(alpha, ptft.GaussianMixture(shares, sizes, 0.0, k), noise_var=noise_var)
    xi, weight = np.polynomial.hermite_e.hermegauss(200)
    weight = np.outer(shares, weight / weight.sum())

    def estimate(tau, theta):
        return ptft.prox(sizes[:, None] + tau * xi, k, theta)

    def slack(log_theta, tau):
        x = estimate(tau, np.exp(log_theta))
        error = np.sum(weight * (x - sizes[:, None]) ** 2)
        return np.sqrt(alpha * (noise_var + error)) - np.sum(weight * xi * x)

    def mean_penalty(tau):
        theta = np.exp(brentq(slack, np.log(solved.theta / 30), np.log(solved.theta * 30), (tau,), xtol=1e-13))
        return np.sum(weight * ptft.penalty(estimate(tau, theta), k)), theta

    tau = float(np.sqrt(solved.tau2))
    least, theta = mean_penalty(tau)
    assert theta == pytest.approx(float(solved.theta), rel=1e-5)
    others = [mean_penalty(tau * factor)[0] for factor in (0.9, 0.97, 1.03, 1.1)]
    assert min(others) > least
    assert others[1] < others[0] and others[2] < others[3]


def test_the_solution_satisfies_both_equations():
    teacher, init = ptft.SpikeSlab(0.2, 0.3, 0.4), ptft.Initialization(1e-2, -5e-3, 0.1)
    curve = ptft.replica_curve([0.2, 0.9, 2.0], teacher, init, noise_var=0.1, ridge=0.05)
    moments = scalar_moments(curve.tau2, curve.theta, teacher.mixture(init), refine=2.0)
    assert curve.tau2 == pytest.approx((0.1 + moments.mse) / curve.alpha, rel=1e-11)
    assert curve.theta == pytest.approx(0.05 + curve.theta * moments.response / curve.alpha, rel=1e-11)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0, 1), decades(-2, 0), st.floats(0, 1), decades(-6, 2), st.floats(-0.999, 1), st.floats(0, 10),
    st.sampled_from([0.0, 1e-3, 1.0]), st.sampled_from([0.0, 1e-3, 1.0]),
)  # fmt: skip
def test_any_teacher_and_initialization(rho_pt, rho_ft, omega, c, share, gamma, noise_var, ridge):
    try:
        teacher = ptft.SpikeSlab(rho_pt, rho_ft, omega)
    except ValueError:
        return
    curve = ptft.replica_curve(
        [0.01, 0.2, 0.6, 0.95], teacher, ptft.Initialization(c, share * c, gamma), noise_var, ridge
    )
    assert curve.converged.all() and np.all(curve.mismatch_db < 1e-6)
    assert np.all(curve.tau2 * curve.alpha >= noise_var)


def legal_problem(seed):
    """A random teacher with an initialization, noise, ridge and data scales, some of them next to the threshold."""
    rng = np.random.default_rng([13, seed])

    def decade(low, high):
        return 10 ** rng.uniform(low, high)

    c, gamma = decade(-8, 3), rng.choice([0.0, decade(-6, 2)])
    share = rng.choice([rng.uniform(-1, 1), decade(-12, 0) - 1, 0.0, 1.0])
    init = ptft.Initialization(c, share * c, gamma)
    kind, slab = rng.choice(4), rng.choice(["gaussian", "signs"])
    if kind == 0:
        teacher = ptft.SingleTask(decade(-4, 0), str(slab))
    elif kind == 1:
        size = rng.integers(1, 6)
        beta_pt, mean, variance = (
            np.where(rng.random(size) < 0.5, 0, 10 ** rng.uniform(-3, 3, size)) for _ in range(3)
        )
        mean[0] = 1.0  # there is something to learn
        teacher = ptft.TeacherGroups(rng.dirichlet(np.ones(size)), beta_pt, mean, variance)
    else:
        rho_pt, omega = rng.choice([rng.random(), decade(-4, 0), 1.0]), rng.choice([0.0, 1.0, rng.random()])
        largest = min(1.0, rho_pt / max(omega, 1e-9), (1 - rho_pt) / max(1 - omega, 1e-9))
        rho_ft = max(largest * rng.choice([1.0, rng.random()]), 1e-4)
        if omega * rho_ft > rho_pt or rho_pt + (1 - omega) * rho_ft > 1:
            rho_pt, omega = 0.5, 0.5
        teacher = ptft.SpikeSlab(rho_pt, min(rho_ft, 1.0), omega, decade(-6, 6), str(slab))
    mixture = teacher.mixture(init)
    noise_var, ridge = rng.choice([0.0, decade(-8, 2)]), rng.choice([0.0, 0.0, decade(-8, 2)])
    threshold = recovery_threshold(mixture)
    alpha = [decade(-3, 0), rng.uniform(0, 1), 1 - decade(-3, -0.3), 1e-3, 0.999]
    alpha += [threshold * (1 + sign * decade(-5, -0.5)) for sign in (1, -1)]
    alpha = np.minimum(alpha, 0.999) if ridge == 0 else np.array([*alpha, 1.0, decade(0, 1)])
    return mixture, noise_var, ridge, alpha


def assert_solved(seeds):
    for seed in seeds:
        mixture, noise_var, ridge, alpha = legal_problem(seed)
        curve = ptft.replica_curve(alpha, mixture, noise_var=noise_var, ridge=ridge)
        assert curve.converged.all(), f"seed {seed}: alpha = {alpha[~curve.converged]}"
        assert np.all(curve.residual <= TOLERANCE) and np.all(curve.mismatch_db < 1e-3), f"seed {seed}"


def test_legal_teachers_are_solved_from_both_starts():

    assert_solved(range(40))


@pytest.mark.slow
def test_thousands_of_legal_teachers_are_solved_from_both_starts():
    assert_solved(range(40, 3000))


@pytest.mark.parametrize(
    ("problem", "alpha", "ridge"),
    [
        # chapter 3 above the threshold at rho_ft = 0.3: tau^2 near 1e-41, theta near 1e-23
        (([0.3, 0.7], 0.0, [1 / 0.3, 0.0], 1e-200), 0.7101295, 0.0),
        (([0.231, 0.118, 0.651], [1.69, 1.69, 0.0], 0.0, [2.12e-15, 1.8e-34, 1.8e-34]), 0.9985, 0.0),
        # an atom so far out, in units of tau, that one float64 number is the angle of all its neighbourhood
        (([1.0], 41.6, 0.0, 1.6e-26), 0.9951, 0.000255),
        # Newton's method alone does not end from one of the starts
        (([0.000836, 0.999164], [34.6, 0.0], 0.0, 5.85e-5), 0.9122, 0.0028),
        (([0.0179, 0.541, 0.4411], [7.47, 0.0, 0.0], 0.0, [1.01e11, 1.01e11, 4320.0]), 5.139, 3.05e-5),
        # the gap of tau^2 has a slope below 1e-5
        (([0.000529, 0.999471], [43.5, 0.0], 0.0, 1.05e6), 1.0, 1.71e-8),
    ],
    ids=["rich", "two scales", "far", "knee", "small ridge", "flat"],
)
def test_problems_that_once_did_not_converge_are_solved_and_solved_rightly(problem, alpha, ridge):
    mixture = ptft.GaussianMixture(*problem)
    curve = ptft.replica_curve(alpha, mixture, ridge=ridge)
    assert curve.converged and curve.mismatch_db < 1e-6
    mse, response = moments_in_multiple_precision(mixture, curve.tau2, curve.theta)
    assert mse / alpha == pytest.approx(float(curve.tau2), rel=1e-11)
    assert ridge / curve.theta + response / alpha == pytest.approx(1, rel=1e-11)


@pytest.mark.parametrize("seed", range(2))
def test_random_solutions_satisfy_the_equations_in_multiple_precision(seed):
    mixture, noise_var, ridge, alpha = legal_problem(100 + seed)
    curve = ptft.replica_curve(alpha[1], mixture, noise_var=noise_var, ridge=ridge)
    mse, response = moments_in_multiple_precision(mixture, curve.tau2, curve.theta)
    assert (noise_var + mse) / alpha[1] == pytest.approx(float(curve.tau2), rel=1e-11)
    assert ridge / curve.theta + response / alpha[1] == pytest.approx(1, rel=1e-11)


def moments_in_multiple_precision(mixture, tau2, theta):
    """MSE and response with 30 digits from (x_hat - E(beta*|z))^2 as it stands, by Gauss's rule in the angle."""
    from mpmath import asinh, cosh, exp, mp, mpf, pi, quad, sinh, sqrt

    def angle(z, s, theta):
        t = asinh(2 * abs(z) / s)
        t = min(t, 2 * abs(z) / theta)
        for _ in range(500):  # above or below the root, Newton's method on a function that is convex beyond 0 ends
            step = (s / 2 * sinh(t) + theta / 2 * t - abs(z)) / (s / 2 * cosh(t) + theta / 2)
            t -= step
            if abs(step) <= mpf(10) ** -25 * (mpf(10) ** -30 + abs(t)):
                return t if z > 0 else -t
        raise AssertionError(f"no angle at z = {z}")

    with mp.workdps(30):
        tau2, theta = mpf(float(tau2)), mpf(float(theta))
        response = mse = mpf(0)
        for weight, m, v, k in zip(
            *(map(mpf, a) for a in (mixture.weight, mixture.mean, mixture.variance, mixture.k)), strict=True
        ):
            V, s = v + tau2, sqrt(k)
            middle, low, high = (angle(m + i * sqrt(V), s, theta) for i in (0, -12, 12))
            low, twice = (0, 2) if m == 0 else (low, 1)  # centred integrands are even
            # pieces as wide as the Gaussian in t, or as the strip in which the integrand is analytic
            width = min(mpf(1), 4 * sqrt(V) / (s * cosh(middle) + theta))
            count = int((high - low) / width) + 1
            knots = [low + (high - low) * i / count for i in range(count + 1)]

            @functools.cache
            def both(t, m=m, v=v, V=V, s=s):
                x, c = s / 2 * sinh(t), s * cosh(t)
                z = x + theta / 2 * t
                density = exp(-((z - m) ** 2) / (2 * V)) / sqrt(2 * pi * V) * (c + theta) / 2
                return density * (x - m - v / V * (z - m)) ** 2, density * c / (c + theta)

            squared, slope = (
                twice * quad(lambda t, i=i, both=both: both(t)[i], knots, method="gauss-legendre", maxdegree=4)
                for i in (0, 1)
            )
            mse += weight * (squared + v * tau2 / V)
            response += weight * slope
        return float(mse), float(response)


def test_shapes_follow_alpha():
    teacher, init = ptft.SpikeSlab(), ptft.Initialization(1e-3)
    scalar, grid = ptft.replica_curve(0.3, teacher, init), ptft.replica_curve([[0.1, 0.3]], teacher, init)
    assert scalar.mse.shape == () and grid.mse.shape == grid.converged.shape == (1, 2)
    assert grid.mse[0, 1] == pytest.approx(float(scalar.mse), rel=1e-12)
    frame = grid.to_frame()
    assert list(frame.columns[:2]) == ["alpha", "mse"] and len(frame) == 2


def test_splitting_a_component_changes_nothing():
    whole = ptft.GaussianMixture([0.2, 0.8], [0.0, 0.0], [5.0, 0.0], [1e-4, 1e-2])
    split = ptft.GaussianMixture(
        [0.1, 0.1, 0.5, 0.3], [0.0, 0.0, 0.0, 0.0], [5.0, 5.0, 0.0, 0.0], [1e-4, 1e-4, 1e-2, 1e-2]
    )
    assert ptft.replica_curve(ALPHA, split).mse == pytest.approx(ptft.replica_curve(ALPHA, whole).mse, rel=1e-10)


def test_units_may_be_changed():
    """beta, tau and theta scale with sqrt(k): the equations have no scale of their own."""
    one = ptft.replica_curve(ALPHA, ptft.GaussianMixture([0.2, 0.8], 0.0, [5.0, 0.0], [1e-4, 1e-2]))
    other = ptft.replica_curve(ALPHA, ptft.GaussianMixture([0.2, 0.8], 0.0, [500.0, 0.0], [1e-2, 1.0]))
    assert other.mse == pytest.approx(100 * one.mse, rel=1e-10)
    assert other.theta == pytest.approx(10 * one.theta, rel=1e-10)


# --- limits with known answers --------------------------------------------------------------------------------------


def test_noisy_minimum_norm_interpolation_shows_double_descent():
    """Ridgeless least squares with isotropic inputs (Hastie et al. 2022), below and above alpha = 1."""
    alpha, noise = np.array([0.2, 0.5, 0.9, 1.1, 2.0]), 0.3
    curve = ptft.replica_curve(alpha, ptft.SpikeSlab(), ptft.Initialization(1e6), noise_var=noise)
    below = (1 - alpha) + noise * alpha / (1 - alpha)
    assert curve.mse == pytest.approx(np.where(alpha < 1, below, noise / (alpha - 1)), rel=1e-8)


def test_ridge_regression_is_the_lazy_limit_with_ridge():
    """Against the Marchenko-Pastur formula: theta solves a quadratic equation."""
    alpha, noise, ridge, s = np.array([0.3, 1.0, 3.0]), 0.2, 0.4, 2e6
    curve = ptft.replica_curve(alpha, ptft.SpikeSlab(), ptft.Initialization(s / 4), noise_var=noise, ridge=ridge * s)
    b = 1 - ridge - 1 / alpha  # t = theta/s solves t = ridge + t/(alpha (1 + t))
    t = (-b + np.sqrt(b**2 + 4 * ridge)) / 2
    mse = (t**2 + noise / alpha) / (1 + t) ** 2 / (1 - 1 / (alpha * (1 + t) ** 2))
    assert curve.mse == pytest.approx(mse, rel=1e-9)


# --- the Monte-Carlo solver -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("omega", [0.0, 1.0])
def test_monte_carlo_agrees_with_quadrature_within_its_error(omega):
    teacher, init = ptft.SpikeSlab(0.1, 0.1, omega), ptft.Initialization(1e-3)
    alpha = [0.1, 0.3]
    exact = ptft.replica_curve(alpha, teacher, init)
    sampled = ptft.replica_curve(alpha, teacher, init, method="monte-carlo", samples=20_000, seed=1)
    assert sampled.converged.all()
    extra = 1e-4 * exact.mse.min()  # an error in the map moves its fixed point by 1/(1 - slope), as label noise does
    amplification = 1 + (ptft.replica_curve(alpha, teacher, init, noise_var=extra).mse - exact.mse) / extra
    assert np.all(np.abs(sampled.mse - exact.mse) < 4 * amplification * sampled.mse_se)
    assert np.all(sampled.mismatch_db < 1e-6) and np.all(np.isfinite(sampled.reliability_db))


def test_monte_carlo_takes_teachers_that_can_only_be_sampled():
    class Uniform:
        def sample(self, d, seed):
            rng = np.random.default_rng(seed)
            return rng.uniform(0, 2, d), rng.uniform(-1, 1, d)

        def penalty_scale(self, init, beta_pt):
            return init.k(beta_pt)

    lazy = ptft.Initialization(1e4)
    curve = ptft.replica_curve([0.4], Uniform(), lazy, method="monte-carlo", samples=20_000, seed=0)
    assert curve.mse == pytest.approx(0.6 / 3, rel=0.05)
    with pytest.raises(ValueError, match="use method='monte-carlo'"):
        ptft.replica_curve([0.4], Uniform(), lazy)


def test_monte_carlo_is_repeatable_by_seed():
    arguments = ([0.2], ptft.SpikeSlab(), ptft.Initialization(1e-2))
    one, same, other = (ptft.replica_curve(*arguments, method="monte-carlo", samples=2000, seed=s) for s in (5, 5, 6))
    assert one.mse == same.mse and one.mse != other.mse


# --- bad input ------------------------------------------------------------------------------------------------------

GOOD = (ptft.SpikeSlab(), ptft.Initialization(1e-3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ptft.replica_curve(0.0, *GOOD), "alpha = 0. is not allowed: it must be positive"),
        (lambda: ptft.replica_curve([0.1, np.nan], *GOOD), "alpha = nan is not allowed"),
        (lambda: ptft.replica_curve(0.1, *GOOD, noise_var=-1.0), "noise_var = -1. is not allowed"),
        (lambda: ptft.replica_curve(0.1, *GOOD, ridge=np.inf), "ridge = inf is not allowed"),
        (lambda: ptft.replica_curve(0.1, *GOOD, method="annealing"), "method = 'annealing' is not allowed"),
        (lambda: ptft.replica_curve(0.1, *GOOD, method="monte-carlo", samples=10), "samples = 10 is not allowed"),
        (lambda: ptft.replica_curve(1.0, *GOOD, noise_var=0.1), "the error diverges"),
        (lambda: ptft.replica_curve(0.1, GOOD[0]), "init = None is not allowed"),
        (lambda: ptft.replica_curve(0.1, "sparse", GOOD[1]), "'sparse' is not allowed: it must be one with a mixture"),
        (lambda: ptft.replica_curve(0.1, "sparse", GOOD[1], method="monte-carlo"), "teacher = 'sparse' is not allowed"),
        (lambda: ptft.replica_curve(0.1, GOOD[0], ptft.Initialization([1.0, 2.0])), "init.c_pt has shape"),
        (lambda: ptft.replica_curve(0.1, GOOD[0], ptft.Initialization(1.0, -1.0)), "lambda_pt = -1. is not allowed"),
        (lambda: ptft.replica_curve(0.1, ptft.GaussianMixture([1.0], 0.0, 0.0, 1.0)), "nothing to learn"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_determined_data_need_no_equations():
    curve = ptft.replica_curve([1.0, 2.0], *GOOD)
    assert np.all(curve.mse == 0) and np.all(curve.theta == 0) and curve.converged.all()


def test_a_solver_that_stops_short_warns_and_says_where(monkeypatch):
    monkeypatch.setattr("ptft.monte_carlo.MAX_STEPS", 3)
    with pytest.warns(UserWarning, match=r"did not converge at alpha = \[0.2\]"):
        curve = ptft.replica_curve([0.2], *GOOD, method="monte-carlo", samples=2000)
    assert not curve.converged[0] and curve.residual[0] > 1e-10 and np.isfinite(curve.mse[0])


def test_next_to_one_the_error_is_proportional_to_the_distance():
    """The data nearly determine beta; the equations are solved in their distances from 1."""
    away = 2.0 ** -np.array([16.0, 20.0, 30.0, 43.0, 53.0])
    for mixture in (
        ptft.GaussianMixture([1.0], 0.0, 1.0, 1e8),
        ptft.GaussianMixture([1.0], 0.0, 1.0, 1e-6),
        ptft.SpikeSlab(slab="signs").mixture(ptft.Initialization(1.0)),
        ptft.SpikeSlab().mixture(ptft.Initialization(1e-3)),
    ):
        curve = ptft.replica_curve(1 - away, mixture)
        assert curve.converged.all() and np.all(curve.mismatch_db < 1e-9)
        for values in (curve.mse, curve.tau2, curve.theta):
            assert values[1:] / away[1:] == pytest.approx(np.full(4, values[-1] / away[-1]), rel=1e-3)
    lazy = ptft.replica_curve(1 - away, ptft.GaussianMixture([1.0], 0.0, 1.0, 1e14))
    assert lazy.mse / away == pytest.approx(np.ones(5), rel=1e-6)


def test_next_to_one_noise_is_amplified_as_in_least_squares():
    away = 10.0 ** -np.array([5.0, 9.0, 13.0, 15.0])
    curve = ptft.replica_curve(1 - away, ptft.GaussianMixture([1.0], 0.0, 1.0, 1e-2), noise_var=0.3)
    assert curve.converged.all() and curve.tau2 * away == pytest.approx(0.3 * np.ones(4), rel=1e-2)


@pytest.mark.parametrize("away", [1e-3, 9e-5, 1e-6, 1e-8])
def test_next_to_one_the_solution_satisfies_the_equations_in_multiple_precision(away):
    mixture = ptft.GaussianMixture([0.3, 0.7], [1.0, 0.0], [0.5, 0.0], [1e-2, 1e-4])
    curve = ptft.replica_curve(1 - away, mixture)
    mse, response = moments_in_multiple_precision(mixture, curve.tau2, curve.theta)
    alpha = float(curve.alpha)
    assert (response - alpha) / (1 - alpha) == pytest.approx(0, abs=1e-13 / away)
    assert (mse / curve.tau2 - alpha) / (1 - alpha) == pytest.approx(0, abs=1e-13 / away)


def test_two_starts_that_disagree_are_not_converged(monkeypatch):
    solve = _Problem.solve

    def apart(self, u, w, a):
        u, w, mse, residual, steps = solve(self, u, w, a)
        mse[: mse.size // 2] *= 1.001
        return u, w, mse, residual, steps

    monkeypatch.setattr(_Problem, "solve", apart)
    with pytest.warns(UserWarning, match="did not converge"):
        assert not ptft.replica_curve(0.3, *GOOD).converged


@pytest.mark.parametrize("k", [1e-150, 1e-300])
def test_a_tiny_tau2_is_solved_and_never_clipped(k):
    curve = ptft.replica_curve(0.95, ptft.GaussianMixture([0.3, 0.7], 0.0, [1 / 0.3, 0.0], k))
    assert curve.converged and curve.tau2 < 1e-100
    other = ptft.replica_curve(0.95, ptft.GaussianMixture([0.3, 0.7], 0.0, [1e10 / 0.3, 0.0], k * 1e10))
    assert other.tau2 / curve.tau2 == pytest.approx(1e10, rel=1e-9)


def test_what_lies_beyond_the_range_is_not_converged(monkeypatch):
    monkeypatch.setattr("ptft.replica._LOG_TAU2", 100.0)
    monkeypatch.setattr("ptft.replica._LOG_THETA", 50.0)
    with pytest.warns(UserWarning, match="did not converge"):
        curve = ptft.replica_curve(0.95, ptft.GaussianMixture([0.3, 0.7], 0.0, [1 / 0.3, 0.0], 1e-300))
    assert not curve.converged


def test_memory_does_not_grow_with_the_number_of_problems(monkeypatch):
    monkeypatch.setattr("ptft.replica._NODES", 2**14)
    many = ptft.GaussianMixture(np.full(200, 1 / 200), 0.0, np.linspace(0, 3, 200), np.geomspace(1e-6, 1, 200))
    calls = {
        "data scales": lambda: ptft.replica_curve(np.linspace(0.01, 0.99, 300), *GOOD),
        "components": lambda: ptft.replica_curve(np.linspace(0.1, 0.9, 6), many),
    }
    for name, call in calls.items():
        tracemalloc.start()
        curve = call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert curve.converged.all() and peak < 6e6, f"{name}: {peak / 1e6:.1f} MB"  # 22 MB as one part


def test_parts_add_up_to_the_whole(monkeypatch):
    many = ptft.GaussianMixture(np.full(40, 1 / 40), np.arange(40) % 3, np.arange(40) % 2, np.geomspace(1e-6, 1, 40))
    whole = ptft.replica_curve(ALPHA, many, noise_var=0.01)
    monkeypatch.setattr("ptft.replica._ENTRIES", 17)
    monkeypatch.setattr("ptft.replica._NODES", 1000)
    assert ptft.replica_curve(ALPHA, many, noise_var=0.01).mse == pytest.approx(whole.mse, rel=1e-12)
