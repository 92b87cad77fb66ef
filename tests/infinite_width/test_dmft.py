"""Two-layer networks on two tasks: particles of the mean-field theory, and finite networks trained by descent."""

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import linalg

from ptft import infinite_width
from ptft.infinite_width import (
    CARRY,
    Particles,
    Task,
    arccosine_kernel,
    dmft,
    feature_kernel,
    feature_moment,
    finite_network,
    function_particles,
    kernel_regression,
    train,
    train_linear,
    transfer,
    weight_particles,
)

TIMES = np.concatenate([[0.0], np.geomspace(0.5, 2000, 25)])


def tasks(D=20, P1=40, P2=15, T=100, seed=0):
    """A linear source, and the square of it as a target."""
    rng = np.random.default_rng(seed)
    beta = rng.standard_normal(D)
    beta /= np.linalg.norm(beta)
    X1, X2, T1, T2 = (rng.standard_normal((n, D)) for n in (P1, P2, T, T))
    return Task(X1, X1 @ beta, T1, T1 @ beta), Task(X2, (X2 @ beta) ** 2, T2, (T2 @ beta) ** 2)


def points(*given):
    return np.concatenate([X for task in given for X in (task.X, task.X_test)])


def tangent_kernel(particles, X, X_other):
    """Phi + G K_x, by its definition."""
    slopes = [(particles.preactivations(A) > 0) * particles.z[:, None] for A in (X, X_other)]
    G = slopes[0].T @ slopes[1] / len(particles.z)
    return feature_kernel(particles, X, X_other) + G * (X @ X_other.T / X.shape[1])


def same_losses(run, other, **tolerance):
    assert np.array_equal(run.time, other.time)
    for name in ("train_loss", "test_loss", "source_loss"):
        np.testing.assert_allclose(getattr(run, name), getattr(other, name), **tolerance)


# --- random features ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["weights", "functions"])
def test_random_features_have_the_arccosine_kernel(kind):
    S, X = 40_000, np.random.default_rng(0).standard_normal((12, 8))
    X[3] = -2 * X[2]  # opposite inputs
    particles = weight_particles(8, S, seed=1) if kind == "weights" else function_particles(X, S, seed=1)
    kernel = arccosine_kernel(X)
    assert kernel[2, 3] == pytest.approx(0, abs=1e-12)
    assert np.diag(kernel) == pytest.approx(np.sum(X**2, axis=1) / 16)
    scale = np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
    assert np.all(np.abs(feature_kernel(particles, X) - kernel) < 6 / np.sqrt(S) * scale)
    assert feature_kernel(particles, X[:2], X) == pytest.approx(feature_kernel(particles, X)[:2], rel=1e-4)


def test_particles_come_in_mirrored_pairs_so_that_the_function_starts_at_zero():
    X = np.random.default_rng(0).standard_normal((5, 4))
    for particles in (weight_particles(4, 100), function_particles(X, 100)):
        assert np.abs(particles.output(X)).max() < 1e-7
        assert particles.z.std() == pytest.approx(1, abs=0.3)
    assert np.abs(finite_network(4, 100).output(X)).max() > 1e-3


def test_functions_are_read_at_any_of_their_points():
    X = np.random.default_rng(0).standard_normal((6, 4))
    particles = function_particles(X, 10)
    for rows in ([1, 2, 3], [4, 0, 2]):
        assert np.array_equal(particles.preactivations(X[rows]), particles.state[:, rows])


def test_a_draw_does_not_depend_on_the_signs_of_a_decomposition(monkeypatch):
    """They differ between processors, and with the number of threads."""
    X = np.random.default_rng(0).standard_normal((12, 8))  # more points than dimensions, then fewer
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=12)

    def turned(matrix):
        values, vectors = linalg.eigh(matrix)
        return values, vectors * signs[: values.size]

    before = [function_particles(points, 10, dtype=np.float64) for points in (X, X[:5])]
    monkeypatch.setattr(infinite_width.particles, "eigh", turned)
    for one, points in zip(before, (X, X[:5]), strict=True):
        other = function_particles(points, 10, dtype=np.float64)
        assert other.state == pytest.approx(one.state, abs=1e-12) and np.array_equal(other.z, one.z)


def test_a_draw_is_the_same_on_other_processors_and_with_more_threads(tmp_path):
    script = tmp_path / "draw.py"
    script.write_text(
        "import sys, numpy as np\n"
        "from ptft.infinite_width import function_particles\n"
        "X = np.random.default_rng(0).standard_normal((200, 40))\n"
        "np.save(sys.argv[1], function_particles(X, 100, dtype=np.float64).state)\n"
    )
    draws = []
    for kind, threads in (("Haswell", 1), ("Nehalem", 2)):  # of OpenBLAS; other libraries keep their own
        out = tmp_path / f"{kind}.npy"
        chosen = {"OPENBLAS_CORETYPE": kind, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        subprocess.run([sys.executable, script, out], env={**os.environ, **chosen}, check=True)
        draws.append(np.load(out))
    assert draws[0] == pytest.approx(draws[1], abs=1e-10)


def test_seeds():
    one, same, other = (weight_particles(3, 10, seed).state for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_kernel_regression_interpolates_and_returns_to_zero_far_away():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((10, 6)), rng.standard_normal(10)
    K = arccosine_kernel(X)
    assert kernel_regression(K, K, y) == pytest.approx(y, abs=1e-3)
    assert kernel_regression(K, np.zeros((2, 10)), y) == pytest.approx(np.zeros(2))
    assert np.linalg.norm(kernel_regression(K, K, y, 1e3)) < 0.02 * np.linalg.norm(y)


# --- the flow on one task -------------------------------------------------------------------------------------------


def test_the_lazy_limit_is_kernel_gradient_flow_with_the_first_kernel():
    task, _ = tasks()
    particles = weight_particles(20, 600, seed=3, dtype=np.float64)
    times = np.array([0.0, 1.0, 8.0, 64.0])
    run = train(particles, task, 1e-4, times, rate=0.02)
    K, K_test = (tangent_kernel(particles, X, task.X) / len(task.y) for X in (task.X, task.X_test))
    values, vectors = np.linalg.eigh(K)
    for i, t in enumerate(times):
        remaining = np.exp(-values * t)
        learned = vectors @ ((1 - remaining) / values * (vectors.T @ task.y))
        assert run.train_loss[i] == pytest.approx(
            np.mean((vectors @ (remaining * (vectors.T @ task.y))) ** 2), rel=0.01
        )
        assert run.test_loss[i] == pytest.approx(np.mean((task.y_test - K_test @ learned) ** 2), rel=0.01)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_the_step_follows_the_largest_eigenvalue_of_the_tangent_kernel(device):
    task, _ = tasks()
    particles = weight_particles(20, 600, seed=3, dtype=np.float64)
    offsets = (particles, [task.X], task.y, 1.0)
    if device is None:
        system = dmft.NumpySystem(*offsets)
    else:
        from ptft.infinite_width.network import TorchSystem

        system = TorchSystem(*offsets, device)
    largest = np.linalg.eigvalsh(tangent_kernel(particles, task.X, task.X))[-1] / len(task.y)
    assert system.top_eigenvalue(60) == pytest.approx(largest, rel=1e-3)


def test_exponential_steps_are_exact_in_the_lazy_limit():
    """One step to each recorded time would be enough there; ordinary steps of that length diverge."""
    task, _ = tasks()
    particles = weight_particles(20, 600, seed=3, dtype=np.float64)
    times = np.array([0.0, 8.0, 64.0])
    run = train(particles, task, 1e-4, times, rate=64.0, exponential=True)
    K, K_test = (tangent_kernel(particles, X, task.X) / len(task.y) for X in (task.X, task.X_test))
    values, vectors = np.linalg.eigh(K)
    learned = [vectors @ (-np.expm1(-values * t) / values * (vectors.T @ task.y)) for t in times]
    assert run.steps.tolist() == [0, 1, 2]
    assert run.train_loss == pytest.approx([np.mean((task.y - K @ c) ** 2) for c in learned], rel=1e-4, abs=1e-9)
    assert run.test_loss == pytest.approx([np.mean((task.y_test - K_test @ c) ** 2) for c in learned], rel=1e-4)


@pytest.mark.parametrize("kind", ["weights", "functions"])
def test_exponential_steps_follow_the_flow_more_closely(kind, monkeypatch):
    source, target = tasks()
    particles = weight_particles(20, 400, seed=0)
    if kind == "functions":
        X = points(source, target)
        particles = Particles(particles.preactivations(X), particles.z, X)
    first = train(particles, source, 1.0, TIMES[:12], tolerance=1e-15)

    def losses(exponential):
        run = transfer(first, target, 5.0, TIMES[:12], exponential=exponential, tolerance=1e-15)
        return np.concatenate([run.test_loss, run.source_loss])

    ordinary, exponential = losses(False), losses(True)
    monkeypatch.setattr(dmft, "STEP", (dmft.STEP[0] / 20, dmft.STEP[1] / 20))
    monkeypatch.setattr(dmft, "EARLY", dmft.EARLY / 20)
    exact = losses(False)
    off, far_off = (np.max(np.abs(one / exact - 1)) for one in (exponential, ordinary))
    assert off < 0.03 and 2 * off < far_off


def test_the_error_of_exponential_steps_falls_with_their_pace(monkeypatch):
    monkeypatch.setattr(dmft, "STEP", (dmft.STEP[0] / 20, dmft.STEP[1]))  # which bounds the first steps from below
    task, _ = tasks()
    few = replace(task, X=task.X[:30], y=task.y[:30])
    particles = weight_particles(20, 100, seed=0, dtype=np.float64)
    paces = (0.2, 0.05, 0.01)
    runs = [train(particles, few, 1.0, [0.0, 1.0, 10.0], exponential=True, pace=one, tolerance=1e-15) for one in paces]
    steps = [int(run.steps[-1]) for run in runs]
    off = [np.max(np.abs(run.test_loss / runs[-1].test_loss - 1)) for run in runs[:-1]]
    assert all(more > 2 * few for few, more in itertools.pairwise(steps))
    assert 0.06 > off[0] > 2 * off[1]


def test_a_step_that_would_move_the_readout_too_far_is_shortened_and_counted():
    task, _ = tasks()
    small = weight_particles(20, 60, seed=0, dtype=np.float64)
    particles = replace(small, z=1e-2 * small.z)  # which has to grow a hundredfold
    run = train(particles, task, 1.0, [0.0, 5.0, 20.0], exponential=True, tolerance=1e-15)
    fine = train(particles, task, 1.0, [0.0, 5.0, 20.0], rate=0.01, tolerance=1e-15)
    assert run.test_loss == pytest.approx(fine.test_loss, rel=0.05)
    growth = np.linalg.norm(run.end.z) / np.linalg.norm(particles.z)
    assert run.steps[-1] > np.log(growth) / np.log(1.01) > 100  # in one of which it grows by a hundredth
    with pytest.warns(UserWarning, match="max_steps = 50"):
        train(particles, task, 1.0, [0.0, 5.0, 20.0], exponential=True, max_steps=50)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("exponential", [False, True])
def test_neurons_that_overflow_are_reported(exponential):
    task, _ = tasks()
    particles = weight_particles(20, 10, seed=0)
    huge = replace(particles, z=particles.z * np.float32(1e15), state=particles.state * np.float32(1e15))
    with pytest.warns(UserWarning, match="diverged"):
        train(huge, task, 1.0, [0.0, 1.0], exponential=exponential)


def test_linear_particles_obey_the_closed_equation_on_two_tasks():
    """With an exact second moment the mean-field equations hold for D + 1 neurons (h = w.x/sqrt(D) here, w.x there)."""
    D, gammas = 12, (1.5, 0.6)
    source, target = tasks(D, 20, 6)
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((D + 1, D + 1)))[0] * np.sqrt(D + 1)
    particles = Particles(q[:, :D].copy(), q[:, D].copy(), activation="linear")
    times = np.linspace(0, 12, 5)
    runs = [train(particles, source, gammas[0], times, rate=0.01)]
    runs.append(transfer(runs[0], target, gammas[1], times, rate=0.01))
    b = None
    for run, gamma, task in zip(runs, gammas, (source, target), strict=True):
        exact = train_linear(task.X, task.y, gamma * np.sqrt(D), start=b, times=times / D)
        assert run.train_loss == pytest.approx(exact.train_loss, rel=0.01, abs=1e-4)
        test_loss = np.mean((exact.predictor @ task.X_test.T - task.y_test) ** 2, axis=1)
        assert run.test_loss == pytest.approx(test_loss, rel=0.01)
        b = exact.b[-1]
        w, z = run.end.state, run.end.z
        assert w.T @ w / len(z) == pytest.approx(feature_moment(b), abs=0.02)
        assert z @ z / len(z) == pytest.approx(np.sqrt(1 + b @ b), abs=0.02)


@pytest.mark.parametrize("D", [6, 60])  # fewer and more dimensions than points
def test_particles_that_hold_functions_move_as_those_that_hold_weights(D):
    source, target = tasks(D, 25, 10, T=15)
    weights = weight_particles(D, 300, seed=2, dtype=np.float64)
    X = points(source, target)
    functions = Particles(weights.preactivations(X), weights.z, X)
    pairs = [[train(p, source, 2.0, TIMES[:15]) for p in (weights, functions)]]
    pairs += [[transfer(run, target, 0.5, TIMES[:15], carry) for run in pairs[0]] for carry in CARRY]
    for one, other in pairs:
        same_losses(one, other, rtol=1e-7, atol=1e-10)
        assert other.end.preactivations(target.X) == pytest.approx(one.end.preactivations(target.X), abs=1e-7)


@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_weights_of_more_dimensions_than_examples_move_as_those_of_fewer(activation, exponential):
    """Examples that are repeated move neurons as each of them once: 90, above the 60 dimensions, as 30 of them."""
    source, target = tasks(60, 30, 10, T=15)
    few, many = source, replace(source, X=np.repeat(source.X, 3, axis=0), y=np.repeat(source.y, 3))
    start = weight_particles(60, 200, seed=2, activation=activation, dtype=np.float64)
    options = {"rate": 0.05, "exponential": exponential, "tolerance": 1e-15}
    one, other = (train(start, task, 2.0, TIMES[:12], **options) for task in (few, many))
    same_losses(one, other, rtol=1e-9, atol=1e-12)
    assert one.train_loss[-1] < 0.5 * one.train_loss[0]
    assert one.end.state == pytest.approx(other.end.state, abs=1e-9)
    many = replace(target, X=np.repeat(target.X, 7, axis=0), y=np.repeat(target.y, 7))
    again = [transfer(run, task, 0.5, TIMES[:12], **options) for run, task in ((one, target), (other, many))]
    same_losses(*again, rtol=1e-8, atol=1e-12)
    assert again[0].end.state == pytest.approx(again[1].end.state, abs=1e-8)


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_automatic_differentiation_gives_the_same_training(activation):
    source, target = tasks()
    net = finite_network(20, 200, seed=4, activation=activation, dtype=np.float64)
    times = TIMES[:15]
    runs = [train(net, source, 1.0, times, device=device) for device in (None, "cpu")]
    same_losses(*runs, rtol=0.01, atol=1e-10)  # the step sizes are estimated from other probes
    for carry in CARRY:
        same_losses(
            *(transfer(runs[0], target, 2.0, times, carry, rate=0.1, device=d) for d in (None, "cpu")), rtol=1e-9
        )


def test_training_interpolates_and_leaves_its_start_untouched():
    source, target = tasks()
    particles = weight_particles(20, 400, seed=0)
    before = particles.state.copy(), particles.z.copy()
    run = train(particles, source, 1.0, TIMES)
    assert run.converged and run.train_loss[-1] < 1e-8 and run.time[-1] < TIMES[-1]
    assert np.array_equal(particles.state, before[0]) and np.array_equal(particles.z, before[1])
    assert np.mean((run.predict(source.X_test) - source.y_test) ** 2) == pytest.approx(run.test_loss[-1], rel=1e-5)
    assert np.all(np.diff(run.train_loss) < 0) and np.all(np.diff(run.steps) > 0)
    assert run.train_loss[0] == pytest.approx(np.mean(source.y**2), rel=1e-6)
    left = run.end.state.copy()
    assert transfer(run, target, 1.0, TIMES).converged
    assert np.array_equal(run.end.state, left)


def test_steps_of_a_quarter_change_losses_by_less_than_a_hundredth(monkeypatch):
    source, target = tasks()
    particles = weight_particles(20, 400, seed=0)

    def losses():
        first = train(particles, source, 1.0, TIMES[:20], tolerance=1e-15)
        return np.concatenate([first.test_loss, transfer(first, target, 5.0, TIMES[:20], tolerance=1e-15).test_loss])

    coarse = losses()
    monkeypatch.setattr(dmft, "STEP", (dmft.STEP[0] / 4, dmft.STEP[1] / 4))
    monkeypatch.setattr(dmft, "EARLY", dmft.EARLY / 4)
    assert losses() == pytest.approx(coarse, rel=0.01)


# --- the second task ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source_run():
    source, target = tasks(30, 80, 30, T=300)
    return train(weight_particles(30, 1000, seed=0), source, 1.0, TIMES), target


def test_what_the_second_task_starts_from(source_run):
    run, target = source_run
    f1 = run.predict(target.X_test)
    first = {carry: transfer(run, target, 0.5, TIMES[:3], carry) for carry in CARRY}
    for carry in ("centred", "reset"):
        assert first[carry].test_loss[0] == pytest.approx(np.mean(target.y_test**2), rel=1e-5)
    assert first["raw"].test_loss[0] == pytest.approx(np.mean((target.y_test - 2 * f1) ** 2), rel=1e-4)
    assert first["reset"].origin.z.std() == pytest.approx(1, abs=0.1) and run.end.z.std() > 1.2
    assert np.array_equal(first["reset"].origin.state, run.end.state)
    seeds = [transfer(run, target, 0.5, TIMES[:3], "reset", seed=s).test_loss[-1] for s in (0, 0, 1)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_forgetting_starts_at_nothing_and_grows_with_the_richness_of_the_second_task(source_run):
    run, target = source_run
    after = [transfer(run, target, gamma, TIMES) for gamma in (0.1, 0.5, 1.0, 2.0)]
    for one in after:
        assert one.converged and one.source_loss[0] == pytest.approx(run.test_loss[-1], rel=1e-5)
    forgotten = np.array([one.source_loss[-1] for one in after])
    assert np.all(np.diff(forgotten) > 0) and forgotten[0] < 2 * run.test_loss[-1] < 0.1 * forgotten[-1]


def test_preactivations_leave_the_gaussian_law_the_more_the_richer_the_second_task(source_run):
    run, target = source_run
    moments = []
    for gamma in (0.3, 1.0, 3.0):
        h = transfer(run, target, gamma, TIMES).end.preactivations(target.X).astype(float).ravel()
        moments.append((h.std(), np.mean((h - h.mean()) ** 4) / h.var() ** 2 - 3))
    assert np.all(np.diff(moments, axis=0) > 0) and moments[-1][1] > 1


def test_a_lower_source_task_helps_its_square(source_run):
    run, target = source_run
    for gamma in (0.3, 1.0):
        scratch = train(weight_particles(30, 1000, seed=1), target, gamma, TIMES)
        assert transfer(run, target, gamma, TIMES).test_loss[-1] < scratch.test_loss[-1]


def test_particles_predict_a_finite_network():
    source, target = tasks(30, 60, 30, T=300)
    theory, experiment = function_particles(points(source, target), 3000), finite_network(30, 4000, seed=9)
    runs = [train(p, source, 1.0, TIMES) for p in (theory, experiment)]
    pairs = [runs, *([transfer(run, target, gamma, TIMES) for run in runs] for gamma in (0.3, 2.0))]
    for one, other in pairs:
        n = min(len(one.time), len(other.time))
        assert n > 10 and one.test_loss[:n] == pytest.approx(other.test_loss[:n], rel=0.04)


# --- the ends of training -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [60.0, 4000.0])  # the loss is large there, or not finite
def test_divergence_is_reported_and_ends_the_run(end):
    task, _ = tasks()
    with pytest.warns(UserWarning, match="diverged: take a smaller rate"):
        run = train(weight_particles(20, 100), task, 1.0, [0.0, end, 2 * end], rate=20.0)
    assert not run.converged and run.time.tolist() == [0.0] and np.all(np.isfinite(run.end.state))


def test_a_limit_on_the_steps_is_reported():
    task, _ = tasks()
    with pytest.warns(UserWarning, match="max_steps = 10 steps at time 0.5"):
        run = train(weight_particles(20, 100), task, 1.0, [0.0, 0.5, 1e4], max_steps=10)
    assert not run.converged and run.time[-1] == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, t, p: train(p, s, 0.0, TIMES), "gamma = 0. is not allowed"),
        (lambda s, t, p: train(p, s, 1.0, [1.0, 2.0]), "times = .* increasing from 0"),
        (lambda s, t, p: train(p, s, 1.0, TIMES, rate=-1.0), "rate = -1. is not allowed"),
        (lambda s, t, p: train(p, s, 1.0, TIMES, exponential=True, pace=0.0), "pace = 0. is not allowed"),
        (lambda s, t, p: train(p, s, 1.0, TIMES, max_steps=0), "max_steps = 0 is not allowed"),
        (lambda s, t, p: train(weight_particles(3, 10), s, 1.0, TIMES), "it must have 3 columns"),
        (lambda s, t, p: train(function_particles(s.X, 10), t, 1.0, TIMES), "not among the points"),
        (lambda s, t, p: train(function_particles(points(s), 10), s, 1.0, TIMES, device="cpu"), "trained by numpy"),
        (lambda s, t, p: train(p, s, 1.0, TIMES, exponential=True, device="cpu"), "exponential = True is not allowed"),
        (lambda s, t, p: transfer(train(p, s, 1.0, TIMES[:2]), t, 1.0, TIMES, "kept"), "carry = 'kept' is not allowed"),
        (lambda s, t, p: weight_particles(3, 11), "S = 11 is not allowed: it must be even"),
        (lambda s, t, p: weight_particles(3, 10, activation="tanh"), "activation = 'tanh' is not allowed"),
        (lambda s, t, p: replace(s, y_test=s.y_test[1:]), "the shape of y_test"),
        (lambda s, t, p: replace(s, X_test=s.X_test[:, 1:]), "X_test has shape"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*tasks(), weight_particles(20, 10))


def test_the_theory_does_not_need_torch():
    code = "import sys, ptft.infinite_width; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- published settings, in minutes ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("gamma_2", [0.3, 1.0, 2.0])
def test_particles_predict_a_wide_network_within_two_percent(gamma_2):
    source, target = tasks(100, 200, 60, T=1000)
    theory, experiment = function_particles(points(source, target), 4000), finite_network(100, 8000, seed=9)
    runs = [train(p, source, 1.0, TIMES) for p in (theory, experiment)]
    pairs = [runs, [transfer(run, target, gamma_2, TIMES) for run in runs]]
    for one, other in pairs:
        n = min(len(one.time), len(other.time))
        assert n > 10 and one.test_loss[:n] == pytest.approx(other.test_loss[:n], rel=0.02)


@pytest.mark.slow
def test_figure_3a_transfer_from_a_linear_task_lowers_the_loss_on_its_square():
    """Means over three draws; one draw of 100 target examples moves the ratios by a tenth."""
    found = []
    for seed in range(3):
        source, target = tasks(100, 1000, 100, T=1000, seed=seed)
        run = train(weight_particles(100, 2000), source, 1.0, [*TIMES, 4000.0])
        assert run.test_loss[-1] < 0.01
        for gamma in (0.1, 1.0):
            scratch = train(weight_particles(100, 2000, seed=1), target, gamma, TIMES)
            after = transfer(run, target, gamma, TIMES)
            found.append((after.test_loss[-1] / scratch.test_loss[-1], after.source_loss[-1]))
    ratio, forgotten = np.mean(np.reshape(found, (3, 2, 2)), axis=0).T
    assert ratio == pytest.approx([1.75 / 2.83, 2.12 / 2.91], rel=0.1)
    assert forgotten == pytest.approx([0.014, 1.44], rel=0.5)
