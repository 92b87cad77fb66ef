"""The exact end point in units of a product X X^T, of gradient descent, and of a general convex solver, in one run."""

import time

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import ptft
from ptft.network import fine_tuning_weights, pretrained_weights

TEACHER, INIT = ptft.SpikeSlab(0.1, 0.1, 0.5), ptft.Initialization(1e-3)


def data(d, n):
    """Inputs, labels and both teachers of one fine-tuning task."""
    rng = np.random.default_rng(0)
    beta_pt, beta_ft = TEACHER.sample(d, rng)
    X = rng.standard_normal((n, d)) / np.sqrt(d)
    return X, X @ beta_ft, beta_pt


def timed(function):
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def test_an_end_point_costs_a_few_products_of_x_with_itself():
    X, y, beta_pt = data(5000, 2500)
    k = INIT.k(beta_pt)
    ratios = []
    for _ in range(5):
        with threadpool_limits(1):  # threads that share a core with other processes wait for each other
            _, product = timed(lambda: X @ X.T)
            point, seconds = timed(lambda: ptft.min_penalty(X, y, k))
        ratios.append(seconds / product)
        assert point.converged
    print(
        f"\nend point at d = 5000, n = 2500: {np.median(ratios):.1f} times one product X X^T ({min(ratios):.1f} to "
        f"{max(ratios):.1f}), {point.iterations} iterations; in float64 it took 221 and 4.4 to 6.3 times"
    )
    assert np.median(ratios) < 2.5


def test_gradient_descent_takes_far_longer_to_the_same_accuracy():
    X, y, beta_pt = data(200, 80)
    exact = ptft.min_penalty(X, y, INIT.k(beta_pt)).beta
    point, ours = timed(lambda: ptft.min_penalty(X, y, INIT.k(beta_pt), tolerance=1e-2))
    start = fine_tuning_weights(pretrained_weights(beta_pt, INIT), INIT.gamma_ft)
    # as fast as it may be: half of what is stable where it ends
    rate = 1 / (np.linalg.norm(X, 2) ** 2 * 2 * np.abs(exact).max())
    run, theirs = timed(lambda: ptft.train(X, y, start, "descent", 1e-5, rate))
    ours_off, theirs_off = (np.linalg.norm(b - exact) / np.linalg.norm(exact) for b in (point.beta, run.weights.beta))
    print(
        f"\nd = 200, n = 80: gradient descent takes {theirs / ours:.0f} times as long as the end point "
        f"(relative distances {theirs_off:.0e} and {ours_off:.0e})"
    )
    assert run.converged and ours_off < 2 * theirs_off and theirs > 10 * ours


def test_a_general_convex_solver_takes_far_longer():
    cvxpy = pytest.importorskip("cvxpy", reason="pip install ptft[bench]")
    X, y, beta_pt = data(500, 250)
    root = INIT.sqrt_k(beta_pt)
    point, ours = timed(lambda: ptft.min_penalty(X, y, root**2))
    # the dual: its penalties are the conjugates (sqrt_k / 4)(cosh 2s - 1), sums of exponential cones
    nu = cvxpy.Variable(len(y))
    slope = 2 * X.T @ nu
    conjugate = root / 8 @ (cvxpy.exp(slope) + cvxpy.exp(-slope))
    problem = cvxpy.Problem(cvxpy.Maximize(y @ nu - conjugate))
    _, theirs = timed(lambda: problem.solve(solver=cvxpy.CLARABEL))
    beta = root / 2 * np.sinh(2 * X.T @ nu.value)
    distance = np.linalg.norm(beta - point.beta) / np.linalg.norm(point.beta)
    print(
        f"\nd = 500, n = 250: cvxpy with Clarabel takes {theirs / ours:.0f} times as long as the end point, "
        f"and is {distance:.0e} away from it"
    )
    assert point.converged and distance < 1e-3 and theirs > 3 * ours
