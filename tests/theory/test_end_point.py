"""The exact end point: optimality conditions, limits with known answers, and refusal of bad data."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize
from test_hard_designs import end_point_in_multiple_precision

import ptft
from ptft import end_point, min_penalty, simulation
from ptft.experiments import Setting


def gaussian_data(n, d, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    beta = np.where(rng.random(d) < 0.3, rng.standard_normal(d), 0.0)
    X = rng.standard_normal((n, d)) / np.sqrt(d)
    return X, X @ beta + noise * rng.standard_normal(n), beta


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30), st.integers(0, 60), st.integers(0, 10**6), st.floats(-14, 6), st.floats(0, 6),
    st.sampled_from(["auto", "newton"]),
)  # fmt: skip
def test_end_point_is_optimal(n, extra, seed, log_k, spread, method):
    """It interpolates, and its gradient lies in the row space of X: the conditions that define the minimiser."""
    X, y, _ = gaussian_data(n, n + extra, seed, noise=0.1)
    k = 10.0 ** (log_k + spread * np.random.default_rng(seed).uniform(-0.5, 0.5, n + extra))
    point = ptft.min_penalty(X, y, k, method=method)
    assert point.converged and point.kkt_residual <= 1e-10 and point.interpolation_residual <= 1e-10
    assert X @ point.beta == pytest.approx(y, abs=1e-9 * np.linalg.norm(y))
    gap = (X.T @ point.dual - ptft.penalty_grad(point.beta, k)) / ptft.penalty_hess(point.beta, k)
    assert np.max(np.abs(gap)) <= 1.1e-10 * np.max(np.abs(point.beta))


def test_no_interpolating_neighbour_is_better():
    X, y, _ = gaussian_data(10, 25, 0)
    k = np.geomspace(1e-6, 1.0, 25)
    point = ptft.min_penalty(X, y, k)
    null_space = np.linalg.svd(X)[2][10:]
    best = ptft.penalty(point.beta, k).sum()
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-1, 10.0):
        for direction in rng.standard_normal((20, 15)) @ null_space:
            assert ptft.penalty(point.beta + size * direction, k).sum() > best


@pytest.mark.parametrize("log_k", [-4, -2, 0, 3])
def test_message_passing_and_newton_agree(log_k):
    X, y, _ = gaussian_data(120, 400, 3)
    k = 10.0**log_k * np.where(np.arange(400) < 40, 100.0, 1.0)
    amp, newton = (ptft.min_penalty(X, y, k, method=m) for m in ("amp", "newton"))
    assert amp.converged and newton.converged and (amp.method, newton.method) == ("amp", "newton")
    assert amp.beta == pytest.approx(newton.beta, abs=1e-8)


def test_a_general_solver_finds_the_same_point():
    X, y, _ = gaussian_data(6, 12, 5)
    k = np.full(12, 1e-2)
    result = optimize.minimize(
        lambda b: ptft.penalty(b, k).sum(),
        np.linalg.pinv(X) @ y,
        jac=lambda b: ptft.penalty_grad(b, k),
        constraints={"type": "eq", "fun": lambda b: X @ b - y, "jac": lambda b: X},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    assert ptft.min_penalty(X, y, k).beta == pytest.approx(result.x, abs=1e-6)


def test_lazy_limit_is_the_minimum_norm():
    X, y, _ = gaussian_data(20, 50, 1)
    assert ptft.min_penalty(X, y, 1e12).beta == pytest.approx(np.linalg.pinv(X) @ y, abs=1e-8)


def test_lazy_limit_of_two_scales_is_the_minimum_weighted_norm():
    X, y, _ = gaussian_data(20, 50, 2)
    s = np.where(np.arange(50) < 10, 1e7, 1e6)
    weighted = s * (X.T @ np.linalg.solve((X * s) @ X.T, y))
    assert ptft.min_penalty(X, y, s**2).beta == pytest.approx(weighted, abs=1e-8)


def test_rich_limit_is_basis_pursuit():
    X, y, _ = gaussian_data(30, 50, 4)
    split = optimize.linprog(np.ones(100), A_eq=np.hstack([X, -X]), b_eq=y, method="highs").x
    pursuit = split[:50] - split[50:]
    norm = np.abs(pursuit).sum()
    excess = [np.abs(ptft.min_penalty(X, y, k).beta).sum() / norm - 1 for k in (1e-2, 1e-6, 1e-24)]
    assert excess[0] > excess[1] > excess[2] > -1e-9 and excess[2] < 0.01


def test_scaling_the_data_scales_nothing_else():
    X, y, _ = gaussian_data(15, 40, 6)
    one = ptft.min_penalty(X, y, 1e-4)
    assert ptft.min_penalty(1e3 * X, 1e3 * y, 1e-4).beta == pytest.approx(one.beta, abs=1e-8)
    assert ptft.min_penalty(X, 1e3 * y, 1e-4 * 1e6).beta == pytest.approx(1e3 * one.beta, rel=1e-6, abs=1e-5)


def test_designs_that_are_not_gaussian_are_solved_and_certified():
    rng = np.random.default_rng(0)
    heavy = rng.standard_cauchy((20, 40))
    low_rank = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 40)) + 1e-2 * rng.standard_normal((20, 40))
    vandermonde = np.cos(np.outer(np.arange(20), np.arange(40)) / 7)
    for X in (heavy, low_rank, vandermonde):
        point = ptft.min_penalty(X, X @ rng.standard_normal(40), 1e-3)
        assert point.converged


def design(kind, n, d, rng):
    """A Gaussian design, or one that message passing is not made for."""
    X = rng.standard_normal((n, d)) / np.sqrt(d)
    name, _, size = kind.partition(" ")
    if name == "shifted":
        X += float(size) / np.sqrt(d)
    elif name == "scaled":
        X *= 10 ** rng.uniform(-float(size), float(size), d)
    elif name == "student":
        X = rng.standard_t(float(size), (n, d)) / np.sqrt(d)
    elif name == "autoregressive":
        X = X @ np.linalg.cholesky(float(size) ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))).T
    elif name == "spiked":
        X += float(size) * rng.standard_normal((n, 1)) * rng.standard_normal(d) / d
    elif name == "duplicated":
        X[:, -round(float(size) * d) :] = X[:, : round(float(size) * d)]
    return X


@pytest.mark.parametrize("c_pt", [1e-3, 1.0])
@pytest.mark.parametrize(
    "kind",
    [
        "Gaussian", "shifted 0.1", "shifted 1", "shifted 10", "scaled 0.3", "scaled 1", "student 5", "student 3",
        "student 1", "autoregressive 0.3", "autoregressive 0.9", "spiked 3", "duplicated 0.1", "duplicated 0.5",
    ],
)  # fmt: skip
def test_message_passing_is_certified_or_hands_over_at_once(kind, c_pt, monkeypatch):
    sent, messages = [], end_point.iterates
    monkeypatch.setattr(end_point, "iterates", lambda *data: counted(messages(*data), sent))
    rng = np.random.default_rng(0)
    X = design(kind, 150, 300, rng)
    beta_pt, beta = ptft.SpikeSlab(0.1, 0.1, 0.5).sample(300, rng)
    k = ptft.Initialization(c_pt).k(beta_pt)
    point, exact = ptft.min_penalty(X, X @ beta, k), ptft.min_penalty(X, X @ beta, k, method="newton")
    assert point.converged and point.method == ("amp" if kind == "Gaussian" else point.method)
    assert point.method == "amp" or len(sent) < 25  # of them, at 0.15 ms each
    assert point.beta == pytest.approx(exact.beta, abs=1e-8 * np.max(np.abs(exact.beta)))


def counted(generator, sent):
    """The generator, whose items are also put in the list `sent`."""
    answer = None
    while True:
        sent.append(generator.send(answer))
        answer = yield sent[-1]


def test_dependent_rows_are_no_obstacle_where_the_labels_agree():
    X, y, _ = gaussian_data(10, 30, 7)
    one = ptft.min_penalty(X, y, 1e-3)
    twice = ptft.min_penalty(np.vstack([X, X[:4]]), np.append(y, y[:4]), 1e-3)
    assert twice.converged and twice.beta == pytest.approx(one.beta, abs=1e-8)
    assert twice.dual.shape == (14,)


@pytest.mark.parametrize("n", [20, 35])
def test_determined_data_give_the_only_solution(n):
    X, y, beta = gaussian_data(n, 20, 8)
    point = ptft.min_penalty(X, y, 1e-2)
    assert point.converged and point.beta == pytest.approx(beta, abs=1e-8)


def test_zero_labels_give_zero():
    point = ptft.min_penalty(np.eye(3, 5), np.zeros(3), 1.0)
    assert point.converged and not point.beta.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ptft.min_penalty(np.ones((2, 3)), np.ones(3), 1.0), r"y has shape \(3,\): it must have one entry"),
        (lambda: ptft.min_penalty(np.ones(3), np.ones(3), 1.0), r"X has shape \(3,\): it must have 2 dimension"),
        (lambda: ptft.min_penalty(np.ones((2, 3)), np.ones(2), np.ones(2)), r"k has shape \(2,\): it must"),
        (lambda: ptft.min_penalty(np.ones((2, 3)), np.ones(2), 0.0), "k = 0. is not allowed"),
        (lambda: ptft.min_penalty(np.full((2, 3), np.nan), np.ones(2), 1.0), "X = nan is not allowed"),
        (lambda: ptft.min_penalty(np.ones((2, 3)), [1.0, np.inf], 1.0), "y = inf is not allowed"),
        (lambda: ptft.min_penalty(np.ones((2, 3)), np.ones(2), 1.0, method="cg"), "method = 'cg' is not allowed"),
        (lambda: ptft.min_penalty(np.ones((2, 3)), np.ones(2), 1.0, tolerance=0.0), "tolerance = 0. is not allowed"),
        (lambda: ptft.min_penalty(np.empty((0, 3)), np.empty(0), 1.0), r"X has shape \(0, 3\): it must not be empty"),
        (lambda: ptft.min_penalty(np.ones((2, 3)), [1.0, 2.0], 1.0), "no beta interpolates"),
        (lambda: ptft.min_penalty(np.eye(4)[:, :3], np.ones(4), 1.0), "no beta interpolates"),
        (lambda: ptft.min_penalty(np.zeros((2, 3)), [1.0, 2.0], 1.0), "no beta interpolates"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_answer_without_a_certificate_is_never_called_converged():
    X, y, _ = gaussian_data(30, 60, 9)
    with pytest.warns(UserWarning, match="the end point is not certified"):
        point = ptft.min_penalty(X, y, 1e-2, tolerance=1e-18)
    assert not point.converged and max(point.kkt_residual, point.interpolation_residual) > 1e-18


def test_message_passing_that_fails_hands_over_to_newton():
    """Near-perfect recovery, where the message-passing iteration stalls."""
    rng = np.random.default_rng(0)
    teacher, init = ptft.SpikeSlab(0.1, 0.01, 1.0), ptft.Initialization(1e-6, -0.99e-6)
    beta_pt, beta = teacher.sample(500, rng)
    X = rng.standard_normal((150, 500)) / np.sqrt(500)
    k = init.k(beta_pt)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert not ptft.min_penalty(X, X @ beta, k, method="amp").converged
    point = ptft.min_penalty(X, X @ beta, k)
    assert point.converged and point.method == "newton"


def test_newton_creeps_past_a_vertex_and_is_certified():
    """The only published setting, of 71 at 11 data scales and 14 seeds with d = 500, that took more than 200 steps."""
    setting = Setting(0.1, 0.0, lambda_pt=-0.999999e-3, gamma_ft=1e-6)
    X = simulation.sampled_inputs(0.206, 500, 12)
    beta_pt, beta_ft = simulation.sampled_teacher(setting.teacher, 500, 12)
    point = min_penalty(X, X @ beta_ft, setting.init.k(beta_pt), method="newton")
    assert point.converged and point.method == "newton" and point.iterations > 200


# --- conditioning, scales and stagnation ----------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e-60, 1e60, 1e170, 1e300])
@pytest.mark.parametrize("method", ["auto", "newton"])
def test_labels_and_scales_of_any_size_are_scaled(unit, method):
    tiny_scale = ptft.min_penalty([[1.0, 0.5]], [unit], 1e-300 if unit > 1e-140 else 1.0, method)
    assert tiny_scale.converged and tiny_scale.forward_error < 1e-9
    assert (np.array([1.0, 0.5]) @ tiny_scale.beta) / unit == pytest.approx(1.0, rel=1e-9)
    if unit < 1e-140:  # so lazy that beta is the interpolator of the smallest norm
        assert tiny_scale.beta / unit == pytest.approx([0.8, 0.4], rel=1e-9)
    with pytest.raises(ValueError, match=r"max\|beta\| = .* is not allowed: it must be a normal float64 number"):
        ptft.min_penalty([[1.0, 0.5]], [1e-320], 1.0, method)


def test_inputs_of_any_size_are_scaled():
    X, y, _ = gaussian_data(6, 15, 0)
    one = ptft.min_penalty(X, y, 1e-2)
    for unit in (1e-290, 1e-160, 1e160, 1e290):
        other = ptft.min_penalty(X * unit, y * unit, 1e-2)
        assert other.converged and other.beta == pytest.approx(one.beta, rel=1e-6, abs=1e-9)
        assert other.dual * unit == pytest.approx(one.dual, rel=1e-6, abs=1e-6)
    for unit in (1e-290, 1e290):
        with pytest.raises(ValueError, match=r"max\|beta\| = .* is not allowed"):
            ptft.min_penalty(X * unit, y / unit**0.8, 1e-2)


@pytest.mark.parametrize("method", ["auto", "newton"])
def test_no_inputs_and_no_labels_give_zero_in_silence(method, capfd):
    for X, rank in ((np.zeros((2, 3)), 0), (np.zeros((3, 2)), 0), (np.eye(3, 4) * [[1], [0], [0]], 1)):
        point = ptft.min_penalty(X, np.zeros(len(X)), 1.0, method)
        assert point.converged and not point.beta.any() and point.dual.shape == (len(X),)
        assert method == "auto" or point.rank == rank
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore:the end point is not certified")
def test_newton_ends_when_it_is_certified_or_where_nothing_is_gained(monkeypatch):
    """Where rounding is above a tenth of the tolerance, it once went on for a thousand steps."""
    factorizations, factor = [], linalg.cho_factor
    monkeypatch.setattr(linalg, "cho_factor", lambda *a, **named: factorizations.append(a) or factor(*a, **named))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 80)) / np.sqrt(80) + 50
    y = X @ np.where(rng.random(80) < 0.1, rng.standard_normal(80), 0)
    found = [ptft.min_penalty(X, y, 1e-6, "newton", tolerance) for tolerance in np.geomspace(1e-15, 1e-10, 16)]
    assert len(factorizations) < 100 * len(found)
    assert found[-1].converged and not found[0].converged
    edge = next(point for point in found if point.converged)
    assert edge.kkt_residual > 1e-15


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7, 1e-9, 1e-11])
def test_nearly_equal_rows_are_solved_or_flagged(distance):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3, 6))
    X[1] = X[0] * (1 + distance * rng.standard_normal(6))
    beta = rng.standard_normal(6)
    y, k = X @ beta, np.full(6, 1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        points = [ptft.min_penalty(X, y, k, method) for method in ("auto", "newton", "amp")]
    exact = end_point_in_multiple_precision(X, y, k)
    for point in points:
        error = np.max(np.abs(point.beta - exact)) / np.max(np.abs(exact))
        assert error <= 1.2 * point.forward_error and (error < 1e-5 or not point.converged)
    assert points[0].forward_error < 1e-15 / distance**2 + 1e-5


def test_scales_of_penalty_that_are_far_apart_are_certified():
    rng = np.random.default_rng(2)
    for _ in range(10):
        X, k = rng.standard_normal((20, 40)), 10.0 ** rng.uniform(-16, 16, 40)
        point = ptft.min_penalty(X, X @ rng.standard_normal(40), k)
        assert point.converged and point.forward_error < 1e-9


def test_rows_that_are_combinations_of_others_to_rounding_are_left_out():
    X, y, _ = gaussian_data(5, 12, 11)
    point = ptft.min_penalty(np.vstack([X, X[:2] + X[2:4] / 3]), np.append(y, y[:2] + y[2:4] / 3), 1e-2)
    assert point.converged and point.rank == 5
    assert point.beta == pytest.approx(ptft.min_penalty(X, y, 1e-2).beta, abs=1e-9)
