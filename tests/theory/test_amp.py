"""Message passing and its state evolution: twins of the replica equations."""

import itertools

import numpy as np
import pytest

import ptft
from ptft.amp import iterates


@pytest.mark.parametrize(
    ("teacher", "init", "alpha"),
    [
        (ptft.SpikeSlab(0.1, 0.1, 1.0), ptft.Initialization(1e-3), 0.25),
        (ptft.SpikeSlab(0.1, 0.1, 0.0), ptft.Initialization(1e-3, 0.0, 1.0), 0.4),
        (ptft.SingleTask(0.1), ptft.Initialization(1e-2), 0.5),
    ],
)
def test_state_evolution_predicts_every_iteration(teacher, init, alpha):
    d, steps, seeds = 2000, 12, 6
    mse = np.empty((seeds, steps))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        beta_pt, beta = teacher.sample(d, rng)
        X = rng.standard_normal((round(alpha * d), d)) / np.sqrt(d)
        iterates = ptft.message_passing(X, X @ beta, teacher.penalty_scale(init, beta_pt))
        mse[seed] = [np.mean((m.beta - beta) ** 2) for m in itertools.islice(iterates, 1, steps + 1)]
    theory = ptft.state_evolution(alpha, teacher.mixture(init), steps).mse
    error = mse.std(axis=0, ddof=1) / np.sqrt(seeds)
    assert np.all(np.abs(mse.mean(axis=0) - theory) < 5 * error + 0.02 * theory)


@pytest.mark.parametrize("omega", [0.0, 0.5, 1.0])
def test_state_evolution_ends_at_the_replica_solution(omega):
    teacher, init = ptft.SpikeSlab(0.1, 0.1, omega), ptft.Initialization(1e-2)
    end = ptft.replica_curve(0.4, teacher, init)
    evolution = ptft.state_evolution(0.4, teacher.mixture(init), steps=400)
    assert evolution.mse[-1] == pytest.approx(float(end.mse), rel=1e-8)
    assert evolution.tau2[-1] == pytest.approx(float(end.tau2), rel=1e-8)
    assert evolution.theta[-1] == pytest.approx(float(end.theta), rel=1e-6)


def test_the_fixed_point_is_the_end_point():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 150)) / np.sqrt(150)
    y, k = X @ rng.standard_normal(150), np.geomspace(1e-2, 1.0, 150)
    message = next(itertools.islice(ptft.message_passing(X, y, k), 300, None))
    assert message.beta == pytest.approx(ptft.min_penalty(X, y, k, method="newton").beta, abs=1e-9)
    assert message.slope == pytest.approx(X.T @ message.dual, abs=1e-12)
    assert message.slope == pytest.approx(ptft.penalty_grad(message.beta, k), abs=1e-8)


def test_single_precision_is_six_digits_off():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 150)) / np.sqrt(150)
    data = X @ rng.standard_normal(150), np.full(150, 1e-2)
    for one, other in zip(*(itertools.islice(iterates(A, *data), 40) for A in (X, X.astype(np.float32))), strict=True):
        assert other.beta.dtype == other.slope.dtype == np.float64
        assert other.beta == pytest.approx(one.beta, abs=1e-5) and (one.beta != other.beta).any() == one.beta.any()
        assert other.mismatch == pytest.approx(one.mismatch, abs=1e-4)
        assert other.noise == pytest.approx(one.noise, rel=1e-5)


def test_every_iterate_brings_the_gap_of_its_certificate():
    rng = np.random.default_rng(1)
    X, K = rng.standard_normal((30, 80)) / np.sqrt(80), np.geomspace(1e-8, 1.0, 160).reshape(80, 2)
    for message in itertools.islice(ptft.message_passing(X, X @ rng.standard_normal((80, 2)), K), 40):
        step = (message.slope - ptft.penalty_grad(message.beta, K)) / ptft.penalty_hess(message.beta, K)
        size = np.max(np.abs(message.beta), axis=0)
        gap = np.max(np.abs(step), axis=0) / np.where(size > 0, size, 1)
        assert message.gap == pytest.approx(gap, rel=1e-9, abs=1e-14)
        slope = ptft.penalty_grad(message.beta, K)
        assert message.mismatch == pytest.approx(np.max(np.abs(message.slope - slope), axis=0), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 1.0, "steps": 3}, r"alpha = 1\. is not allowed: it must be below 1"),
        ({"alpha": 0.0, "steps": 3}, "alpha = 0. is not allowed"),
        ({"alpha": 0.3, "steps": 0}, "steps = 0 is not allowed"),
        ({"alpha": 0.3, "steps": 3, "noise_var": -1.0}, "noise_var = -1. is not allowed"),
    ],
)
def test_bad_input_is_named(arguments, message):
    mixture = ptft.SingleTask().mixture(ptft.Initialization(1.0))
    with pytest.raises(ValueError, match=message):
        ptft.state_evolution(mixture=mixture, **arguments)


def test_nothing_to_learn_has_no_evolution():
    nothing = ptft.GaussianMixture([1.0], 0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="nothing to learn"):
        ptft.state_evolution(0.3, nothing, steps=3)
    assert ptft.state_evolution(0.3, nothing, steps=3, noise_var=0.1).mse[0] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(3), np.ones(3), np.ones(3)), r"the shape of X = \(3, 3\) is not allowed"),
        ((np.ones((2, 3)), np.ones(3), np.ones(3)), r"y has shape \(3,\): it must be \(2,\)"),
        ((np.ones((2, 3)), np.ones(2), np.ones(2)), r"k has shape \(2,\): it must be \(3,\)"),
        ((np.ones((2, 3)), np.ones((2, 4)), np.ones(3)), r"k has shape \(3,\): it must be \(3, 4\)"),
        ((np.ones((2, 3)), np.ones(2), np.zeros(3)), "k = 0. is not allowed"),
    ],
)
def test_message_passing_refuses_before_the_first_step(arguments, message):
    with pytest.raises(ValueError, match=message):
        ptft.message_passing(*arguments)


def test_message_passing_takes_lists():
    assert next(ptft.message_passing([[1.0, 0.5]], [1.0], [1.0, 1.0])).beta.tolist() == [0.0, 0.0]


def test_messages_that_diverge_end():
    """Columns of very different sizes: messages grow until float64 has no such numbers."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 15)) * 10.0 ** rng.uniform(-8, 8, 15)
    with np.errstate(all="ignore"):
        messages = list(itertools.islice(ptft.message_passing(X, X @ rng.standard_normal(15), np.ones(15)), 400))
    assert 100 < len(messages) < 400 and messages[-1].noise > 1e100
    assert ptft.min_penalty(X, X @ np.ones(15), 1.0).converged
