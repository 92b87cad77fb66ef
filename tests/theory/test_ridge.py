"""End points with a ridge: optimality, both methods, limits with known answers, theory, and early stopping."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import ptft
from ptft import end_point
from ptft.end_point import newton, ridge_path
from ptft.stopping_rule import beside_ridge

TEACHER, INIT = ptft.SpikeSlab(0.1, 0.2, 0.5), ptft.Initialization(1e-2)


def data(n, d, seed, scale=1.0):
    """Inputs, and labels that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) / np.sqrt(d), scale * rng.standard_normal(n), 10.0 ** rng.uniform(-4, 0, d)


def objective(beta, X, y, k, ridge):
    alpha = X.shape[0] / X.shape[1]
    misfit = y - X @ beta
    value = misfit @ misfit / (2 * alpha) + ridge * ptft.penalty(beta, k).sum()
    return value, ridge * ptft.penalty_grad(beta, k) - X.T @ misfit / alpha


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 30), st.integers(0, 10**6), st.floats(-8, 3), st.floats(-12, 4), st.floats(0, 6),
    st.sampled_from(["auto", "newton"]),
)  # fmt: skip
def test_the_gradient_of_the_objective_is_zero(n, d, seed, log_ridge, log_k, spread, method):
    X, y, _ = data(n, d, seed)
    k, ridge = 10.0 ** (log_k + spread * np.random.default_rng(seed).uniform(-0.5, 0.5, d)), 10.0**log_ridge
    point = ptft.min_penalty(X, y, k, method, ridge=ridge)
    assert point.converged and point.dual.shape == (n,)
    slack = ridge * n / d
    assert X @ point.beta + slack * point.dual == pytest.approx(y, abs=1e-9 * np.linalg.norm(y))
    gap = (X.T @ point.dual - ptft.penalty_grad(point.beta, k)) / ptft.penalty_hess(point.beta, k)
    rounding = 1e-15 * np.sum(np.abs(X.T) * np.abs(point.dual), axis=1) / ptft.penalty_hess(point.beta, k)
    assert np.all(np.abs(gap) <= 1.1e-10 * np.max(np.abs(point.beta)) + 10 * rounding)


@pytest.mark.parametrize(("n", "d"), [(8, 20), (12, 12), (30, 10)])
@pytest.mark.parametrize("ridge", [1e-3, 1e-1, 10.0])
def test_a_general_solver_finds_the_same_point(n, d, ridge):
    X, y, k = data(n, d, 3)
    found = ptft.min_penalty(X, y, k, ridge=ridge)
    options = {"gtol": 1e-11, "maxiter": 100_000}
    other = optimize.minimize(objective, np.zeros(d), (X, y, k, ridge), jac=True, method="BFGS", options=options)
    assert found.converged and found.beta == pytest.approx(other.x, abs=1e-4 * np.abs(other.x).max())
    assert objective(found.beta, X, y, k, ridge)[0] <= other.fun * (1 + 1e-12)


@pytest.mark.parametrize(("n", "d"), [(60, 150), (150, 150), (300, 150)])
@pytest.mark.parametrize("ridge", [1e-1, 3.0])
def test_message_passing_and_newton_agree(n, d, ridge):
    X, y, k = data(n, d, 5)
    amp, exact = (ptft.min_penalty(X, y, k, method, ridge=ridge) for method in ("amp", "newton"))
    assert (amp.method, exact.method) == ("amp", "newton") and amp.converged and exact.converged
    assert amp.beta == pytest.approx(exact.beta, abs=1e-9 * np.abs(exact.beta).max())
    assert amp.dual == pytest.approx(exact.dual, abs=1e-9 * np.abs(exact.dual).max())


def test_messages_tend_to_the_end_point_with_ridge():
    X, y, k = data(100, 150, 6)
    messages = ptft.message_passing(X, y, k, ridge=0.5)
    last = [next(messages) for _ in range(100)][-1]
    end = ptft.min_penalty(X, y, k, "newton", ridge=0.5)
    assert last.beta == pytest.approx(end.beta, abs=1e-10) and last.dual == pytest.approx(end.dual, abs=1e-10)


def test_a_small_ridge_tends_to_interpolation():
    X, y, k = data(20, 50, 7)
    interpolator = ptft.min_penalty(X, y, k).beta
    off = [np.abs(ptft.min_penalty(X, y, k, ridge=r).beta - interpolator).max() for r in (1e-2, 1e-4, 1e-6, 1e-20)]
    assert off[1] < 0.02 * off[0] and off[2] == pytest.approx(off[1] / 100, rel=0.02) and off[3] < 1e-10


def test_a_small_ridge_tends_to_least_squares_where_labels_contradict_each_other():
    X, y, k = data(50, 20, 8)
    fitted = np.linalg.lstsq(X, y)[0]
    with pytest.raises(ValueError, match="no beta interpolates"):
        ptft.min_penalty(X, y, k)
    assert ptft.min_penalty(X, y, k, ridge=1e-12).beta == pytest.approx(fitted, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(10, 30), (60, 30)])
def test_the_lazy_limit_is_ridge_regression(n, d):
    X, y, _ = data(n, d, 9)
    ridge, root = 1e6, np.geomspace(1e6, 1e7, d)
    normal = X.T @ X * d / n + np.diag(ridge / root)
    point = ptft.min_penalty(X, y, root**2, ridge=ridge)
    assert point.beta == pytest.approx(np.linalg.solve(normal, X.T @ y * d / n), abs=1e-9)


def test_the_units_of_the_data_are_free():
    X, y, k = data(10, 25, 10)
    one = ptft.min_penalty(X, y, k, ridge=0.1)
    for x, unit in ((1.0, 1e60), (1e20, 1.0), (1e-30, 1e-60)):
        ridge = 0.1 * x**2 * unit
        other = ptft.min_penalty(x * X, x * unit * y, k * unit**2, ridge=ridge)
        assert other.converged and other.beta / unit == pytest.approx(one.beta, abs=1e-9)
    with pytest.raises(ValueError, match=r"ridge = 1.e-300 is not allowed: it must be so large and so small"):
        ptft.min_penalty(X * 1e100, y, k, ridge=1e-300)


@pytest.mark.parametrize("n", [25, 200])
def test_rows_and_columns_that_repeat_and_zero_labels(n):
    X, y, _ = data(n, 50, 11)
    X[1], X[:, 30:] = X[0], X[:, :20]
    point = ptft.min_penalty(X, y, 1e-2, ridge=1e-2)
    assert point.converged and point.rank == n
    assert point.beta[30:] == pytest.approx(point.beta[:20], abs=1e-9)  # the penalty shares among equals
    zero = ptft.min_penalty(X, np.zeros(n), 1e-2, ridge=1e-2)
    assert zero.converged and not zero.beta.any() and not zero.dual.any()


def test_where_the_factor_of_cholesky_fails_orthogonal_ones_solve():
    X, y, k = data(8, 12, 12)
    X[1] = X[0]
    y[1] = y[0]
    with pytest.raises(np.linalg.LinAlgError):
        newton(X * 1e6, y, np.sqrt(k), 1e-10, slack=1e-12)
    twice = ptft.min_penalty(X * 1e6, y, k, ridge=1e-12 * 12 / 8)
    assert twice.beta == pytest.approx(ptft.min_penalty(X * 1e6, y, k).beta, abs=1e-9 * np.abs(twice.beta).max())


@pytest.mark.parametrize(("n", "d"), [(30, 60), (90, 40)])
def test_the_path_shares_its_work(n, d):
    X, y, k = data(n, d, 13)
    ridges = np.geomspace(10, 1e-6, 15)
    path = ridge_path(X, y, k, ridges)
    alone = [ptft.min_penalty(X, y, k, "newton", ridge=ridge) for ridge in ridges]
    for one, other in zip(path, alone, strict=True):
        assert one.converged and one.beta == pytest.approx(other.beta, abs=1e-8 * np.abs(other.beta).max())
    assert sum(point.iterations for point in path) < 0.8 * sum(point.iterations for point in alone)
    assert np.all(np.diff([ptft.penalty(point.beta, k).sum() for point in path]) > 0)
    back = ridge_path(X, y, k, ridges[::-1])
    assert all(np.array_equal(one.beta, other.beta) for one, other in zip(path, back[::-1], strict=True))


@pytest.mark.parametrize(
    ("noise_var", "ridge", "alpha"),
    [(0.0, 0.1, 0.4), (0.2, 0.1, 0.4), (0.05, 0.3, 0.4), (0.2, 0.3, 1.0), (0.2, 0.3, 2.5)],
)
def test_simulation_agrees_with_the_replica_prediction(noise_var, ridge, alpha):
    simulated = [ptft.simulate(TEACHER, INIT, alpha, 500, seed, noise_var, ridge) for seed in range(12)]
    assert all(point.converged for point in simulated)
    mse = np.array([point.mse for point in simulated])
    theory = float(ptft.replica_curve(alpha, TEACHER, INIT, noise_var=noise_var, ridge=ridge).mse)
    error = mse.std(ddof=1) / np.sqrt(12)
    assert abs(mse.mean() - theory) < 4 * error + 0.03 * theory and error < 0.2 * theory
    if alpha < 1 and noise_var != 0.05:  # and this can fail: the ridge matters
        assert abs(theory / float(ptft.replica_curve(alpha, TEACHER, INIT, noise_var=noise_var).mse) - 1) > 0.1


def test_state_evolution_with_a_ridge_ends_at_the_replica_solution():
    for alpha in (0.4, 1.5):
        end = ptft.replica_curve(alpha, TEACHER, INIT, noise_var=0.1, ridge=0.2)
        evolution = ptft.state_evolution(alpha, TEACHER.mixture(INIT), steps=200, noise_var=0.1, ridge=0.2)
        assert evolution.mse[-1] == pytest.approx(float(end.mse), rel=1e-8)
        assert evolution.theta[-1] == pytest.approx(float(end.theta), rel=1e-8)


def small_task(c_pt):
    """Data with some noise, and gradient flow on them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 20)) / np.sqrt(20)
    y = X @ np.where(rng.random(20) < 0.3, rng.standard_normal(20), 0) + 0.1 * rng.standard_normal(8)
    init = ptft.Initialization(c_pt)
    return X, y, init.k_single_task, ptft.train(X, y, ptft.pretraining_weights(init, 20), tolerance=1e-6)


@pytest.mark.parametrize(("c_pt", "bound"), [(1e4, 0.15), (1e-3, 0.45)])
def test_early_stopping_is_close_to_a_ridge(c_pt, bound):
    """Both paths lie where q'(beta) is a combination of the inputs, and meet where they begin and end."""
    X, y, k, run = small_task(c_pt)
    both = beside_ridge(X, y, k, run, np.geomspace(0.9, 1e-4, 12))
    assert np.all(np.diff(both.time) > 0) and np.all(np.diff(both.ridge) < 0)
    for beta in (both.flow, both.end):
        assert np.linalg.norm(y - beta @ X.T, axis=1) / np.linalg.norm(y) == pytest.approx(both.residual, rel=1e-6)
        slope = ptft.penalty_grad(beta, k)
        nu = np.linalg.lstsq(X.T, slope.T)[0]
        assert (X.T @ nu).T == pytest.approx(slope, abs=1e-6 * np.abs(slope).max())
    assert 0.05 < both.distance.max() < bound and both.distance[-1] < 1e-3 < both.distance[0] < both.distance.max()


def filtered(kept, residual, singular, y):
    """Coefficients of the singular vectors, where what is kept of the misfit has the relative size `residual`."""

    def excess(log_time):
        return np.linalg.norm(kept(np.exp(log_time) * singular**2) * y) / np.linalg.norm(y) - residual

    time = np.exp(optimize.brentq(excess, -20, 20, xtol=1e-12))
    return (1 - kept(time * singular**2)) / singular * y


def test_early_stopping_of_lazy_training_is_another_filter_of_the_singular_values():
    """1 - e^(-ts) beside ts/(1 + ts), s being an eigenvalue of X X^T."""
    X, y, k, run = small_task(1e4)
    both = beside_ridge(X, y, k, run, [0.7, 0.3, 0.1])
    U, singular, V = np.linalg.svd(X, full_matrices=False)
    for residual, distance in zip(both.residual, both.distance, strict=True):
        flow, end = (
            filtered(kept, residual, singular, U.T @ y) @ V
            for kept in (lambda ts: np.exp(-ts), lambda ts: 1 / (1 + ts))
        )
        assert distance == pytest.approx(np.linalg.norm(flow - end) / np.linalg.norm(end), rel=1e-4)


def test_bad_arguments_of_the_comparison_are_named():
    X, y, k = data(3, 6, 0)
    init = ptft.Initialization(1.0)
    run = ptft.train(X, y, ptft.pretraining_weights(init, 6), tolerance=1e-3)
    with pytest.raises(ValueError, match=r"residuals = .* is not allowed: it must be between"):
        beside_ridge(X, y, k, run, [1e-6])
    with pytest.raises(ValueError, match="run has 6 coefficients"):
        beside_ridge(X[:, :5], y, k[:5], run, [0.5])
    for other in (data(9, 6, 1)[:2], (X, 2 * y), (X, np.zeros(3))):
        with pytest.raises(ValueError, match=r"run left a residual of .* it must be one on these data"):
            beside_ridge(*other, k, run, [0.5])


@pytest.mark.parametrize("ridge", [-1e-3, np.nan, np.inf])
def test_a_ridge_is_zero_or_positive(ridge):
    X, y, k = data(3, 6, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (
            lambda: ptft.min_penalty(X, y, k, ridge=ridge),
            lambda: ridge_path(X, y, k, [1.0, ridge]),
            lambda: ptft.simulate(TEACHER, INIT, 0.5, 20, 0, ridge=ridge),
            lambda: ptft.message_passing(X, y, k, ridge),
        ):
            with pytest.raises(ValueError, match=r"ridge = .* is not allowed"):
                call()


@pytest.mark.parametrize("decades", [8, 16, 24])
@pytest.mark.parametrize(("n", "d"), [(20, 30), (60, 30)])
def test_columns_of_very_different_sizes_take_few_steps(n, d, decades, monkeypatch):
    """Where rounding errors decide about a step, the penalty does not fall, and it is taken or given up at once."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-decades / 2, decades / 2, d)
    y, steps = rng.standard_normal(n), []

    def counted(*args, **kwargs):
        point = newton(*args, **kwargs)
        steps.append(point.iterations)
        return point

    monkeypatch.setattr(end_point, "newton", counted)
    alone = X.T @ y / np.sum(X**2, axis=0)
    for root in np.abs(alone).max() * np.array([1e-3, 0.1, 10.0]):
        unit = np.linalg.norm(X.T @ y) / np.linalg.norm(ptft.penalty_grad(alone, root**2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # beyond some ten decades not all are certified
            path = ridge_path(X, y, root**2, np.geomspace(10, 1e-3, 9) * unit * d / n)
        assert decades > 8 or all(point.converged for point in path)
    assert sum(steps) < 27 * 15
