"""The penalty of Theorem 4.1 and the measures of Proposition B.1, as identities, bounds and limits."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ptft
from ptft.penalties import prox_point

scales = st.floats(-8, 8).map(lambda e: 10.0**e)
coefficients = st.floats(-10, 10).map(lambda e: 10.0**e) | st.just(0.0)
signs = st.sampled_from([-1.0, 1.0])


@st.composite
def initializations(draw):
    c = draw(st.floats(-8, 4).map(lambda e: 10.0**e))
    lam = draw(st.floats(-1, 1, exclude_min=True))
    gamma = draw(st.floats(0, 100))
    return ptft.Initialization(c, lam * c, gamma)


def exact_penalty(beta, k):
    """q_k by its definition in Theorem 4.1, to 60 digits."""
    with mpmath.workdps(60):
        z, s = mpmath.mpf(float(beta)), mpmath.sqrt(mpmath.mpf(float(k)))
        return s / 4 * (1 - mpmath.sqrt(1 + 4 * z**2 / s**2) + 2 * z / s * mpmath.asinh(2 * z / s))


@given(coefficients, scales, signs)
def test_penalty_has_full_relative_precision(beta, k, sign):
    exact = exact_penalty(sign * beta, k)
    assert abs(ptft.penalty(sign * beta, k) - exact) <= 1e-14 * exact


@given(coefficients, scales)
def test_gradient_is_the_derivative_of_the_penalty(beta, k):
    with mpmath.workdps(60):
        exact = mpmath.diff(lambda b: exact_penalty_mp(b, k), mpmath.mpf(beta), h=mpmath.mpf(10) ** -25)
    assert ptft.penalty_grad(beta, k) == pytest.approx(float(exact), rel=1e-12, abs=1e-18)


def exact_penalty_mp(z, k):
    s = mpmath.sqrt(mpmath.mpf(float(k)))
    return s / 4 * (1 - mpmath.sqrt(1 + 4 * z**2 / s**2) + 2 * z / s * mpmath.asinh(2 * z / s))


@given(st.floats(-5, 5), st.floats(-3, 3).map(lambda e: 10.0**e))
def test_hessian_is_the_derivative_of_the_gradient(beta, k):
    h = 1e-5 * np.sqrt(k + beta**2)
    slope = (ptft.penalty_grad(beta + h, k) - ptft.penalty_grad(beta - h, k)) / (2 * h)
    assert ptft.penalty_hess(beta, k) == pytest.approx(slope, rel=1e-6)


@given(coefficients, scales)
def test_penalty_is_even_convex_and_falls_with_k(beta, k):
    assert ptft.penalty(-beta, k) == ptft.penalty(beta, k) >= 0
    assert ptft.penalty_grad(-beta, k) == -ptft.penalty_grad(beta, k)
    assert ptft.penalty_hess(beta, k) > 0
    assert ptft.penalty(beta, 2 * k) <= ptft.penalty(beta, k)


@given(coefficients, scales)
def test_ell_order_lies_between_one_and_two(beta, k):
    assert 1 <= ptft.ell_order(beta, k) <= 2


@given(coefficients, coefficients, initializations())
def test_bounds_of_proposition_b1(beta, beta_pt, init):
    ell, pd, kappa = (
        ptft.ell_order(beta, init.k(beta_pt)),
        ptft.pretraining_dependence(beta, beta_pt, init),
        init.kappa(beta_pt),
    )
    rounding = 1e-14
    assert 0 <= kappa <= 1 + rounding
    assert -1 - rounding <= pd <= 0
    assert 1 - rounding <= ell + pd <= 2 + rounding
    assert ell + pd == pytest.approx(kappa + (1 - kappa) * ell, rel=1e-12)


@given(st.floats(-3, 3).map(lambda e: 10.0**e), st.floats(-4, 4).map(lambda e: 10.0**e))
def test_ell_order_is_the_elasticity_of_the_penalty(beta, k):
    with mpmath.workdps(50):
        elasticity = mpmath.diff(lambda u: mpmath.log(exact_penalty_mp(mpmath.exp(u), k)), mpmath.log(beta))
    assert ptft.ell_order(beta, k) == pytest.approx(float(elasticity), rel=1e-12)


@given(st.floats(-3, 3).map(lambda e: 10.0**e), st.floats(-3, 3).map(lambda e: 10.0**e), initializations())
def test_pretraining_dependence_is_the_elasticity_in_the_pretrained_coefficient(beta, beta_pt, init):
    with mpmath.workdps(80):
        c, lam, gamma = (mpmath.mpf(float(v)) for v in (init.c_pt, init.lambda_pt, init.gamma_ft))

        def log_penalty(u):
            sqrt_k = 2 * (lam + c) * (1 + mpmath.sqrt(1 + (mpmath.exp(u) / c) ** 2)) + gamma**2
            z = mpmath.mpf(float(beta))
            root = mpmath.sqrt(1 + 4 * z**2 / sqrt_k**2)
            return mpmath.log(sqrt_k / 4 * (1 - root + 2 * z / sqrt_k * mpmath.asinh(2 * z / sqrt_k)))

        elasticity = mpmath.diff(log_penalty, mpmath.log(mpmath.mpf(float(beta_pt))))
    assert ptft.pretraining_dependence(beta, beta_pt, init) == pytest.approx(float(elasticity), rel=1e-11, abs=1e-14)


def test_lazy_and_rich_limits_of_the_ell_order():
    t = np.array([1e-6, 1e-3, 1e-2])
    assert ptft.ell_order(0.5 * np.sinh(t), 1.0) == pytest.approx(2 - t**2 / 6, abs=1e-9)
    assert ptft.ell_order(0.0, 1.0) == 2
    assert ptft.ell_order(1e300, 1e-290) == pytest.approx(1, abs=2e-3)


def test_the_four_regimes_of_the_triangle():
    one, rich = 1.0, ptft.Initialization(1e-3, -(1 - 1e-9) * 1e-3, 1e-9)
    assert ptft.ell_order(one, rich.k(one)) == pytest.approx(1, abs=0.06)  # I: like l1, without pretraining
    assert ptft.ell_order(one, rich.k(0.0)) == pytest.approx(1, abs=0.06)
    reuse = ptft.Initialization(1e-9)
    assert ptft.ell_order(1e-4, reuse.k(one)) == pytest.approx(2, abs=1e-6)  # II: lazy, with pretraining
    assert ptft.pretraining_dependence(1e-4, one, reuse) == pytest.approx(-1, abs=1e-6)
    for lazy in (ptft.Initialization(1e6), ptft.Initialization(1e-3, 0.0, 1e3)):  # III: lazy, without pretraining
        assert ptft.ell_order(one, lazy.k(one)) == pytest.approx(2, abs=1e-6)
        assert ptft.pretraining_dependence(one, one, lazy) == pytest.approx(0, abs=1e-5)
    both = ptft.Initialization(1e-3, -0.99e-3)  # IV: rich, with pretraining
    assert 1.1 < ptft.ell_order(one, both.k(one)) < 1.5
    assert ptft.pretraining_dependence(one, one, both) < -0.1


def test_weighted_l2_limit_of_regime_two():
    init, beta_pt = ptft.Initialization(1e-9), np.array([0.5, 1.0, 4.0])
    assert ptft.penalty(1e-4, init.k(beta_pt)) == pytest.approx(1e-8 / (2 * 2 * beta_pt), rel=1e-6)


@given(st.floats(-20, 20), st.floats(-12, 6).map(lambda e: 10.0**e), st.floats(-8, 8).map(lambda e: 10.0**e))
def test_prox_solves_its_equation(z, k, theta):
    x = ptft.prox(z, k, theta)
    assert x + theta * ptft.penalty_grad(x, k) == pytest.approx(z, rel=1e-13)
    assert x * z >= 0 and abs(x) <= abs(z)


@pytest.mark.parametrize("theta", [1e-6, 0.3, 1e5])
def test_the_proximal_point_comes_with_its_angle_and_curvature(theta):
    z, sqrt_k = np.geomspace(1e-9, 1e3, 400), np.geomspace(1e-8, 1e2, 5)[:, None]
    for guess in (None, np.full((5, 400), 1.0)):
        t, x, c = prox_point(z, sqrt_k, theta, guess)
        np.testing.assert_allclose(x + theta / 2 * t, np.broadcast_to(z, x.shape), rtol=1e-14)
        np.testing.assert_allclose(x, sqrt_k / 2 * np.sinh(t), rtol=2e-14)
        np.testing.assert_allclose(c, sqrt_k * np.cosh(t), rtol=2e-14)


def test_prox_covers_the_extremes_of_float64():
    rng = np.random.default_rng(0)
    z, k, theta = (10.0 ** rng.uniform(low, high, 20_000) for low, high in ((-20, 6), (-24, 8), (-16, 8)))
    x = ptft.prox(z, k, theta)
    assert np.max(np.abs(x + theta * ptft.penalty_grad(x, k) - z) / z) < 1e-14


@pytest.mark.filterwarnings("error")
def test_prox_solves_its_equation_wherever_float64_has_the_numbers():
    rng = np.random.default_rng(0)
    z, k, theta = 10.0 ** rng.uniform(-307, 308, (3, 100))
    theta[::2] = np.minimum(z * 10.0 ** rng.uniform(-5, 3, 100), 1e307)[::2]
    z[:3], k[:3], theta[:3] = [1e308, 1e308, 1e200], [1e300, 1e-300, 1e-300], [1e308, 1e308, 1e-300]
    found = ptft.prox(z, k, theta)
    with mpmath.workdps(60):
        for x, *numbers in zip(found, z, k, theta, strict=True):
            z_, root, theta_ = mpmath.mpf(numbers[0]), mpmath.sqrt(numbers[1]), mpmath.mpf(numbers[2])
            low, high = mpmath.mpf(0), 2 * min(mpmath.asinh(2 * z_ / root), 2 * z_ / (root + theta_))
            for _ in range(120):
                middle = (low + high) / 2
                above = root / 2 * mpmath.sinh(middle) + theta_ / 2 * middle > z_
                low, high = (low, middle) if above else (middle, high)
            exact = root / 2 * mpmath.sinh(low)
            assert exact < 1e-300 or abs(x / exact - 1) < 1e-12, numbers
    assert np.array_equal(ptft.prox(-z, k, theta), -found)


def test_arrays_broadcast():
    init = ptft.Initialization(np.array([1e-3, 1.0])[:, None], 0.0, np.array([0.0, 1.0, 2.0]))
    assert ptft.pretraining_dependence(np.ones((4, 1, 1)), 1.0, init).shape == (4, 2, 3)
    assert ptft.penalty(np.ones((5, 1)), np.ones(3)).shape == (5, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ptft.penalty(1.0, 0.0), "k = 0. is not allowed: it must be positive"),
        (lambda: ptft.penalty(1.0, [1.0, -2.0]), "k = -2. is not allowed"),
        (lambda: ptft.penalty(np.nan, 1.0), "beta = nan is not allowed: it must be finite"),
        (lambda: ptft.penalty(np.ones(2), np.ones(3)), r"the shapes beta \(2,\), k \(3,\) do not broadcast"),
        (lambda: ptft.penalty("one", 1.0), "beta = 'one' is not allowed"),
        (lambda: ptft.prox(1.0, 1.0, 0.0), "theta = 0. is not allowed"),
        (lambda: ptft.prox(np.inf, 1.0, 1.0), "z = inf is not allowed"),
        (lambda: ptft.ell_order(1.0, np.inf), "k = inf is not allowed"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
