"""The network itself: conservation laws, the two stages, and gradient flow ending at the minimiser of Theorem 4.1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ptft
from ptft import network

D = 12


def data(seed, n=6, d=D):
    rng = np.random.default_rng(seed)
    beta_pt, beta_ft = ptft.SpikeSlab(0.4, 0.4, 0.5).sample(d, rng)
    X_pt, X_ft = (rng.standard_normal((m, d)) / np.sqrt(d) for m in (3 * d, n))
    return X_pt, X_pt @ beta_pt, X_ft, X_ft @ beta_ft


@pytest.mark.parametrize(
    ("c", "share", "gamma"),
    [(1e-2, 0.0, 0.0), (1e-2, -0.9, 0.0), (1e-2, 0.9, 0.0), (1.0, 0.0, 0.0), (1e-2, 0.0, 1.0), (1e-1, -1.0, 0.3)],
)
def test_gradient_flow_through_both_stages_ends_at_the_minimiser(c, share, gamma):
    init = ptft.Initialization(c, share * c, gamma)
    X_pt, y_pt, X_ft, y_ft = data(seed=0)
    pretrained = ptft.train(X_pt, y_pt, ptft.pretraining_weights(init, D))
    fine_tuned = ptft.train(X_ft, y_ft, ptft.fine_tuning_weights(pretrained.weights, gamma))
    end = ptft.min_penalty(X_ft, y_ft, init.k(pretrained.weights.beta))
    assert pretrained.converged and fine_tuned.converged and end.converged
    assert fine_tuned.weights.beta == pytest.approx(end.beta, abs=1e-8)
    assert max(pretrained.conservation_error, fine_tuned.conservation_error) < 1e-10


def test_what_is_conserved_is_followed_at_all_recorded_times(monkeypatch):
    start = np.stack([START.w1_plus, START.w2_plus, START.w1_minus, START.w2_minus])
    away = start + np.array([0.1, 0.0, 0.0, 0.0])[:, None]
    monkeypatch.setattr(network, "_flow", lambda *_: (np.arange(3.0), np.stack([start, away, start])))
    run = ptft.train(np.eye(START.beta.size), np.zeros(START.beta.size), START)
    changed = (away[0] ** 2 - start[0] ** 2).max() / (away**2).max()
    assert run.conservation_error == pytest.approx(changed)  # though the end is as the start


@pytest.mark.parametrize("share", [-1.0, -0.5, 0.5, 1.0])
def test_single_task_learning_does_not_depend_on_lambda(share):
    *_, X, y = data(seed=1)
    init = ptft.Initialization(0.05, share * 0.05)
    run = ptft.train(X, y, ptft.pretraining_weights(init, D))
    assert run.weights.beta == pytest.approx(ptft.min_penalty(X, y, init.k_single_task).beta, abs=1e-8)


def test_gradient_descent_follows_the_flow_as_the_rate_falls():
    *_, X, y = data(seed=2)
    start = ptft.pretraining_weights(ptft.Initialization(0.1), D)
    flow = ptft.train(X, y, start).weights.beta
    distance = []
    for rate in (0.04, 0.01):
        run = ptft.train(X, y, start, method="descent", learning_rate=rate, tolerance=1e-8)
        assert run.converged
        distance.append(np.max(np.abs(run.weights.beta - flow)))
    assert distance[1] < 0.3 * distance[0] < 0.02


def test_pretrained_weights_are_where_gradient_flow_arrives():
    X, y, *_ = data(seed=3)
    init = ptft.Initialization(1e-2, -4e-3)
    flow = ptft.train(X, y, ptft.pretraining_weights(init, D)).weights
    exact = ptft.pretrained_weights(flow.beta, init)
    for name in vars(exact):
        assert getattr(flow, name) == pytest.approx(getattr(exact, name), abs=1e-9)


@given(st.floats(-3, 2), st.floats(-1, 1), st.floats(-50, 50))
def test_weights_are_determined_by_beta_c_and_lambda(log_c, share, beta):
    init = ptft.Initialization(10.0**log_c, share * 10.0**log_c)
    weights = ptft.pretrained_weights([beta], init)
    size = np.max(np.square(list(vars(weights).values())))
    assert weights.beta[0] == pytest.approx(beta, abs=1e-14 * size)
    assert weights.absolute_scale[0] == pytest.approx(init.c_pt, abs=1e-14 * size)
    assert weights.relative_scale[:, 0] == pytest.approx(init.lambda_pt, abs=1e-14 * size)


def test_pretraining_starts_balanced_and_fine_tuning_starts_from_zero():
    init = ptft.Initialization(2.0, 1.0, 3.0)
    start = ptft.pretraining_weights(init, 5)
    assert not start.beta.any()
    assert start.w1_plus**2 + start.w2_plus**2 == pytest.approx(2.0)
    assert start.relative_scale == pytest.approx(1.0)
    again = ptft.fine_tuning_weights(ptft.pretrained_weights(np.arange(5.0), init), 3.0)
    assert not again.beta.any() and again.w2_plus**2 == pytest.approx(9 / 2)


def test_the_saddle_of_the_degenerate_corner_is_never_left():
    *_, X, y = data(seed=4)
    init = ptft.Initialization(0.1, -0.1)
    stuck = ptft.fine_tuning_weights(ptft.pretrained_weights(np.ones(D), init), 0.0)
    with pytest.warns(UserWarning, match="training stopped at a relative residual of 1.0e"):
        run = ptft.train(X, y, stuck, method="descent", max_steps=500)
    assert not run.converged and not run.weights.beta.any()


def test_training_records_its_path():
    *_, X, y = data(seed=5)
    run = ptft.train(X, y, ptft.pretraining_weights(ptft.Initialization(0.1), D))
    assert run.beta.shape == (run.time.size, D) and run.residual.shape == run.time.shape
    assert np.all(np.diff(run.time) > 0) and not run.beta[0].any()
    assert run.residual[0] == 1 and run.residual[-1] <= 1.01e-10
    assert run.beta[-1] == pytest.approx(run.weights.beta)


def test_descent_that_diverges_says_so_and_returns_finite_weights():
    *_, X, y = data(seed=6)
    start = ptft.pretraining_weights(ptft.Initialization(1.0), D)
    with pytest.warns(UserWarning, match="change the learning rate"), np.errstate(over="ignore", invalid="ignore"):
        run = ptft.train(X, y, start, method="descent", learning_rate=1e3, max_steps=100)
    assert not run.converged and np.all(np.isfinite(run.weights.beta))


def test_flow_that_runs_out_of_evaluations_says_so():
    *_, X, y = data(seed=7)
    with pytest.warns(UserWarning, match="raise max_steps"):
        run = ptft.train(X, y, ptft.pretraining_weights(ptft.Initialization(0.1), D), max_steps=50)
    assert not run.converged and run.residual[-1] > 1e-10


START = ptft.pretraining_weights(ptft.Initialization(0.1), 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ptft.train(np.ones((2, 3)), np.ones(3), START), "y has shape"),
        (lambda: ptft.train(np.ones((2, 4)), np.ones(2), START), "weights have shape"),
        (lambda: ptft.train(np.ones((2, 3)), [1.0, np.nan], START), "y = nan is not allowed"),
        (lambda: ptft.train(np.ones((2, 3)), np.ones(2), START, method="adam"), "method = 'adam' is not allowed"),
        (lambda: ptft.train(np.ones((2, 3)), np.ones(2), START, tolerance=0.0), "tolerance"),
        (lambda: ptft.train(np.ones((2, 3)), np.ones(2), START, learning_rate=-1.0), "learning_rate"),
        (lambda: ptft.train(np.ones((2, 3)), np.ones(2), START, max_steps=0), "max_steps = 0 is not allowed"),
        (lambda: ptft.pretraining_weights(ptft.Initialization(1.0), 0), "d = 0 is not allowed"),
        (lambda: ptft.fine_tuning_weights(START, -1.0), "gamma_ft = -1. is not allowed"),
        (lambda: ptft.Weights(np.ones(2), np.ones(3), np.ones(2), np.ones(2)), "w2_plus has shape"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
