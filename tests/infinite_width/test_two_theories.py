"""One experiment for two theories of transfer: predictions, simulations, and the limit in which they are the same."""

import numpy as np
import pytest

import ptft
from ptft import Initialization, two_theories
from ptft.checks.two_theories import lazy_distances
from ptft.infinite_width import feature_moment, kernel_end_point, source_coefficients, train_linear
from ptft.two_theories import (
    TwoTasks,
    dense_loss,
    diagonal_loss,
    equivalent_richness,
    simulate_both,
)

ALPHA = np.array([0.1, 0.3, 0.5, 0.8])
EVERY = [
    TwoTasks(omega=o, signs=s, rotated=r)
    for o in (0.0, 0.5, 1.0)
    for s in ("equal", "independent")
    for r in (False, True)
]


@pytest.mark.parametrize(
    ("used", "unlike"), [(0, 0), (1, 1), (2, 2), (4, 4), (6, 2), (7, 1), (8, 0)], ids=lambda number: str(number)
)
def test_two_used_and_two_unused_coordinates_are_more_than_one_direction(used, unlike):
    """Proposition `prop-same-theory`: in how many directions the kernels differ from a multiple of the identity."""
    beta_pt, init = np.where(np.arange(8) < used, 2.0, 0.0), Initialization(0.5, 0.1, 0.2)
    _, counts = np.unique(init.sqrt_k(beta_pt), return_counts=True)
    assert 8 - counts.max() == unlike
    dense = feature_moment(3.0 * np.ones(8))
    assert np.linalg.matrix_rank(dense - np.eye(8), tol=1e-9) == 1
    without_memory = Initialization(0.5, -0.5, 0.2).sqrt_k(beta_pt)
    assert np.ptp(without_memory) == 0


@pytest.mark.parametrize("tasks", EVERY, ids=str)
def test_sampled_teachers_have_the_angle_sizes_and_signs_of_their_law(tasks):
    d = 100_000
    beta_pt, beta_ft = tasks.sample(d, 0)
    cosine = beta_pt @ beta_ft / np.linalg.norm(beta_pt) / np.linalg.norm(beta_ft)
    assert cosine == pytest.approx(tasks.alpha_s, abs=0.02)
    assert [np.mean(beta_pt**2), np.mean(beta_ft**2)] == pytest.approx([0.1, 1.0], rel=0.03)
    assert np.mean(beta_ft != 0) == (1.0 if tasks.rotated else pytest.approx(0.1, abs=0.005))
    if not tasks.rotated:
        assert np.mean(beta_pt[beta_ft != 0] != 0) == pytest.approx(tasks.omega, abs=0.03)


def test_the_mixture_of_rotated_tasks_is_that_of_a_sample():
    tasks, init = TwoTasks(omega=0.5, rotated=True), Initialization(0.05)
    mixture = tasks.mixture(init)
    assert mixture.power == pytest.approx(1, abs=0.01)
    sampled = ptft.replica_curve([0.2, 0.6], tasks, init, method="monte-carlo", samples=40_000)
    assert np.abs(diagonal_loss([0.2, 0.6], tasks, init) - sampled.mse) == pytest.approx(
        0, abs=4 * sampled.mse_se.max()
    )


def test_the_diagonal_network_ignores_signs_and_the_dense_one_everything_but_the_angle():
    init = Initialization(1e-3)
    equal, independent, rotated = TwoTasks(), TwoTasks(signs="independent"), TwoTasks(rotated=True)
    assert np.array_equal(diagonal_loss(ALPHA, equal, init), diagonal_loss(ALPHA, independent, init))
    assert np.all(diagonal_loss(ALPHA, rotated, init) > 2 * diagonal_loss(ALPHA, equal, init))
    assert dense_loss(ALPHA, independent, 5.0) == pytest.approx(1 - ALPHA, abs=1e-14)
    assert np.array_equal(dense_loss(ALPHA, equal, 5.0), dense_loss(ALPHA, rotated, 5.0))
    assert np.all(dense_loss(ALPHA, equal, 5.0) < 1 - ALPHA)


@pytest.mark.parametrize("tasks", [TwoTasks(rho=0.3, omega=0.5), TwoTasks(rotated=True)], ids=str)
def test_simulations_have_the_predicted_losses(tasks):
    init, d, seeds = Initialization(0.3), 150, 10
    results = [simulate_both(0.5, [tasks], init, 3.0, d, seed)[0] for seed in range(seeds)]
    for name, expected in (("diagonal", diagonal_loss(0.5, tasks, init)), ("dense", dense_loss(0.5, tasks, 3.0))):
        losses = np.array([getattr(one, name) for one in results])
        assert losses.mean() == pytest.approx(float(expected), abs=4 * losses.std(ddof=1) / np.sqrt(seeds))
    assert {float(one.alpha) for one in results} == {0.5}


def test_tasks_and_amounts_of_data_that_are_simulated_together_have_the_losses_that_they_have_alone():
    init, alpha = Initialization(1e-2), np.array([0.3, 0.6])
    together = simulate_both(alpha, EVERY, init, 2.0, 60, seed=3)
    for tasks, one in zip(EVERY, together, strict=True):
        for i, a in enumerate(alpha):
            (alone,) = simulate_both(a, [tasks], init, 2.0, 60, seed=3)
            assert one.diagonal[i] == pytest.approx(alone.diagonal, rel=1e-6)
            assert one.dense[i] == pytest.approx(alone.dense, rel=1e-6)
    assert len({one.diagonal[0].round(9) for one in together}) > 3  # they differ


def test_pretraining_is_done_once_for_all_amounts_of_data(monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return train_linear(*arguments)

    monkeypatch.setattr(two_theories, "train_linear", counted)
    simulate_both([0.2, 0.4, 0.6], [TwoTasks(), TwoTasks(omega=0.5)], Initialization(0.1), 2.0, 40)
    assert len(calls) == 2


def test_in_the_lazy_limit_both_are_minimum_norm_interpolation():
    lazy = Initialization(1e4)
    assert diagonal_loss(ALPHA, TwoTasks(), lazy) == pytest.approx(1 - ALPHA, abs=1e-7)
    assert dense_loss(ALPHA, TwoTasks(), 1e-4) == pytest.approx(1 - ALPHA, abs=1e-7)
    (both,) = simulate_both(0.4, [TwoTasks()], lazy, 1e-4, 60)
    assert both.diagonal == pytest.approx(both.dense, rel=1e-6)


def test_kernel_regression_interpolates_with_least_norm():
    rng = np.random.default_rng(0)
    X, y, M = rng.standard_normal((4, 9)), rng.standard_normal(4), feature_moment(rng.standard_normal(9))
    beta = kernel_end_point(X, y, M)
    assert X @ beta == pytest.approx(y)
    inside = np.linalg.svd(X)[2][4:]  # the kernel of X
    assert inside @ np.linalg.solve(M, beta) == pytest.approx(np.zeros(5), abs=1e-12)


@pytest.mark.parametrize(("lambda_pt", "gamma_ft"), [(0.0, 0.0), (-0.5, 0.0), (0.3, 0.7)])
def test_a_source_of_one_coordinate_is_the_same_theory(lambda_pt, gamma_ft):
    """Lazy fine-tuning after pretraining that need not be: the end point of the matching dense network."""
    scale, rng = 1e3, np.random.default_rng(1)
    init = Initialization(scale, scale * lambda_pt, np.sqrt(scale) * gamma_ft)
    beta_pt = np.zeros(30)
    beta_pt[0] = 5 * scale
    X, target = rng.standard_normal((12, 30)), rng.standard_normal(30)
    gamma_1 = equivalent_richness(init, beta_pt[0])
    if gamma_ft == 0:
        assert np.sqrt(1 + gamma_1**2) == pytest.approx((1 + np.sqrt(26)) / 2)
    _, chi, _ = source_coefficients(gamma_1, 1.0)
    dense = kernel_end_point(X, X @ target, np.eye(30) + chi * np.diag(beta_pt > 0))
    diagonal = ptft.min_penalty(X, X @ target, init.k(beta_pt)).beta
    assert diagonal == pytest.approx(dense, abs=1e-5)
    other = kernel_end_point(X, X @ target, np.eye(30) + 1.2 * chi * np.diag(beta_pt > 0))
    assert np.max(np.abs(diagonal - other)) > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TwoTasks(signs="both"), "must be one of equal, independent"),
        (lambda: TwoTasks(rho=0.9, omega=0.0), "is not allowed"),
        (lambda: simulate_both(1.5, [TwoTasks()], Initialization(1.0), 1.0, 20), "between 1 and d = 20"),
        (lambda: simulate_both(0.5, [TwoTasks(rho=1e-6)], Initialization(1.0), 1.0, 20), "a sampled teacher is zero"),
        (lambda: kernel_end_point(np.ones((2, 3)), np.ones(3), np.eye(3)), "y has shape"),
        (lambda: kernel_end_point(np.ones((2, 3)), np.ones(2), np.eye(2)), "the shape of M"),
        (lambda: kernel_end_point(np.ones((2, 3)), np.ones(2), np.eye(3) + np.eye(3, k=1)), "M and its transpose"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_lazy_limit_is_kernel_regression_with_its_own_kernel_only():
    rng = np.random.default_rng(0)
    X, source, scales = rng.standard_normal((10, 20)), 3 * rng.standard_normal(20), np.array([1.0, 10.0, 100.0])
    y = X @ rng.standard_normal(20)
    own = np.diag(Initialization(1.0).sqrt_k(source))
    distances = lazy_distances(X, y, scales, source, 7.0 * own)  # a factor cancels
    assert np.all(distances[1:] < 0.02 * distances[:-1])  # falls with the square of the scale
    assert np.all(lazy_distances(X, y, scales, source, np.eye(20)) > 0.1)
