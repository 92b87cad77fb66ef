"""Two tasks in a row in the rich regime: the tasks of each figure, images, training, and the law of preactivations."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from ptft.checks import rich_transfer as checks
from ptft.infinite_width import Particles, Task, rich_transfer, train, transfer, weight_particles
from ptft.infinite_width.rich_transfer import EDGES, GAUSSIAN, KINDS, STARTS, TransferSetting

TINY = replace(GAUSSIAN["3a"], D=12, P1=30, P2=(6, 10), n_test=20, t_end=30.0)


# --- settings and synthetic tasks -----------------------------------------------------------------------------------


def test_settings_are_the_published_ones_where_those_are_known():
    a, b, four, five = (rich_transfer.setting(f, "cifar-10") for f in rich_transfer.FIGURES)
    assert (a.D, a.P1, a.P2, b.P1, b.P2) == (100, 1000, (100,), 1000, (600,))
    assert (four.P1, four.P2, four.classes) == (10_000, (200,), ((1, 2), (8, 9)))
    assert (five.P1, five.classes, five.dataset) == (1000, ((0, 1), (0, 9)), "cifar-10")
    assert {s.gamma_1 for s in (a, b, four, five)} == {1.0}
    assert rich_transfer.setting("4", "fashion-mnist", P1=500) == replace(four, dataset="fashion-mnist", P1=500)


def test_times_are_recorded_in_equal_ratios_however_long_training_may_last():
    short, long = (replace(TINY, t_end=t_end).times for t_end in (30.0, 3e4))
    assert (short[0], short[1], short[-1], long[-1]) == (0.0, 0.5, 30.0, 3e4)
    steps = [np.diff(np.log10(times[1:])) for times in (short, long)]
    assert all(one == pytest.approx(one[0]) and 0.08 < one[0] <= 1 / 11 for one in steps)
    with pytest.raises(ValueError, match=r"t_end = 0.5 is not allowed: it must be above 0.5, the first recorded time"):
        replace(TINY, t_end=0.5)


def test_hermite_polynomials_are_orthonormal():
    u, weight = hermegauss(20)
    table = np.array([rich_transfer.hermite(k, u) for k in range(6)])
    assert table * weight @ table.T / np.sqrt(2 * np.pi) == pytest.approx(np.eye(6), abs=1e-12)


def test_labels_of_figure_3():
    X = np.random.default_rng(0).standard_normal((200_000, 3))
    linear, square = rich_transfer.linear_and_square(X)
    assert np.array_equal(square, linear**2) and np.mean(linear**2) == pytest.approx(1, abs=0.02)
    quintic, quadratic = rich_transfer.quintic_and_quadratic(X)
    u = X[:, 0]
    assert quintic == pytest.approx((u**5 - 10 * u**3 + 15 * u) / np.sqrt(120))
    # E He_2(u) He_2(v) is the square of the overlap for normalised polynomials
    assert np.mean(rich_transfer.hermite(2, u) * quadratic) == pytest.approx(0.64, abs=0.02)
    assert np.var(quadratic) == pytest.approx(1, abs=0.03)


def test_draws_are_repeatable_and_differ():
    (source, target), (same, _), (other, _) = (rich_transfer.tasks(TINY, draw) for draw in (0, 0, 1))
    assert np.array_equal(source.X, same.X) and not np.allclose(source.X, other.X)
    assert (source.X.shape, target.X.shape, target.X_test.shape) == ((30, 12), (10, 12), (20, 12))
    assert np.array_equal(rich_transfer.first_examples(target, 6).X, target.X[:6])
    assert np.array_equal(rich_transfer.first_examples(target, 6).X_test, target.X_test)


# --- images ---------------------------------------------------------------------------------------------------------


def digits(source=(3, 9), target=(3, 8), P1=60, P2=20, n_test=100, **options):
    pytest.importorskip("torch")
    from ptft.infinite_width.images import class_pair_tasks

    return class_pair_tasks(source, target, P1, P2, n_test, **options)


def rows_of(*arrays):
    return {x.tobytes() for X in arrays for x in X}


def test_images_of_two_tasks_are_balanced_and_never_shared():
    source, target = digits()
    for y in (source.y, target.y[:6], source.y_test, target.y_test):
        assert y.sum() == 0 and set(y) == {-1.0, 1.0}
    assert len(rows_of(source.X, target.X)) == 60 + 20
    assert not rows_of(source.X, target.X) & rows_of(source.X_test, target.X_test)
    assert source.X.shape[1] == 64 and np.mean(source.X**2) == pytest.approx(1, abs=0.1)


def test_images_carry_the_label_of_their_class():
    from sklearn.datasets import load_digits

    data = load_digits()
    bytes_ = np.rint(data.images.reshape(-1, 64) * (255 / 16)) / 255
    label = {x.tobytes(): c for x, c in zip(bytes_.round(6), data.target, strict=True)}
    source, target = digits()
    for task, classes in ((source, (3, 9)), (target, (3, 8))):
        pixels = (task.X * bytes_.std(ddof=1) + bytes_.mean()).round(6) + 0.0
        nearest = [min(label, key=lambda k, x=x: np.abs(np.frombuffer(k) - x).max()) for x in pixels[:6]]
        assert [label[k] for k in nearest] == [classes[int(y > 0)] for y in task.y[:6]]


def test_a_smaller_source_leaves_the_test_images_as_they_are():
    (_, one), (_, other), (_, fresh) = digits(), digits(P1=20, P2=10), digits(seed=1)
    assert np.array_equal(one.X_test, other.X_test) and not np.array_equal(one.X_test, fresh.X_test)
    assert len(digits(n_test=None)[0].X_test) > 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P1": 31}, "P1 = 31 is not allowed: it must be even"),
        ({"P2": 0}, "P2 = 0 is not allowed: it must be at least 2"),
        ({"source": (3, 3)}, "source = 3 is not allowed: it must be two classes of digits"),
        ({"target": (3, 10)}, "target = 10 is not allowed"),
        ({"P1": 300}, "P1 = 300, P2 = 20 and n_test = 100 are not allowed: digits has 183 of class 3"),
        ({"n_test": 400}, "n_test = 400 are not allowed"),
        ({"name": "letters"}, "name = 'letters' is not allowed"),
    ],
)
def test_bad_choices_of_images_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        digits(**change)


# --- training -------------------------------------------------------------------------------------------------------


def test_theory_and_network_have_neurons_of_their_own():
    theory, network = (rich_transfer.neurons(5, 40, kind, 0) for kind in KINDS)
    X = np.ones((1, 5))
    assert abs(theory.output(X)[0]) < 1e-6 < abs(network.output(X)[0])
    assert not np.isin(theory.state, network.state).any()
    assert not np.array_equal(theory.state, rich_transfer.neurons(5, 40, "theory", 1).state)
    with pytest.raises(ValueError, match="kind = 'guess'"):
        rich_transfer.neurons(5, 40, "guess", 0)


@pytest.mark.parametrize("exponential", [False, True])
def test_runs_are_those_of_train_and_transfer(exponential):
    setting = replace(TINY, exponential=exponential)
    source, target = rich_transfer.tasks(setting)
    start = rich_transfer.neurons(12, 60, "theory", 0)
    options = {"tolerance": setting.tolerance, "exponential": exponential}
    first = rich_transfer.source_run(setting, source, start)
    assert np.array_equal(first.test_loss, train(start, source, 1.0, setting.times, **options).test_loss)
    scratch = rich_transfer.target_run(setting, target, 0.5, start, "scratch")
    assert np.array_equal(scratch.test_loss, train(start, target, 0.5, setting.times, **options).test_loss)
    after = {carry: rich_transfer.target_run(setting, target, 0.5, first, carry) for carry in STARTS[1:]}
    plain = transfer(first, target, 0.5, setting.times, **options)
    assert np.array_equal(after["centred"].test_loss, plain.test_loss)
    assert len({run.test_loss[-1] for run in after.values()}) == 3
    again = {kind: rich_transfer.target_run(setting, target, 0.5, first, "reset", kind=kind) for kind in KINDS}
    assert np.array_equal(again["theory"].test_loss, after["reset"].test_loss)
    assert again["network"].test_loss[-1] != after["reset"].test_loss[-1]  # another readout


def test_large_tasks_take_longer_exponential_steps_and_devices_ordinary_ones(monkeypatch):
    taken = []
    monkeypatch.setattr(
        rich_transfer, "train", lambda *args, exponential, pace, **options: taken.append((exponential, pace))
    )
    source, target = rich_transfer.tasks(TINY)
    start = rich_transfer.neurons(12, 60, "theory", 0)
    monkeypatch.setattr(rich_transfer, "MOST", 20)
    setting = replace(TINY, exponential=True)
    rich_transfer.source_run(setting, source, start)  # of 30 examples
    rich_transfer.target_run(setting, target, 0.5, start, "scratch")  # of 10
    rich_transfer.target_run(setting, target, 0.5, start, "scratch", device="cpu")
    pace, coarse = rich_transfer.PACE, rich_transfer.COARSE
    assert taken == [(True, coarse), (True, pace), (False, pace)] and coarse > pace


# --- preactivations -------------------------------------------------------------------------------------------------


def test_moments_and_density_of_a_known_law():
    """h takes the values -1, -1, -1 and 3, with moments 0, 3, 6 and 21."""
    law = rich_transfer.preactivations(Particles(np.array([[-1.0], [-1.0], [-1.0], [3.0]]), np.ones(4)), [[1.0]])
    assert (law.mean, law.deviation) == pytest.approx((0, np.sqrt(3)))
    assert (law.skewness, law.kurtosis) == pytest.approx((6 / np.sqrt(27), 21 / 9 - 3))
    assert np.sum(law.density * np.diff(EDGES)) == pytest.approx(1)
    assert np.sum(law.density > 0) == 2


def test_untrained_neurons_have_the_law_of_a_gaussian_mixture():
    X = np.random.default_rng(0).standard_normal((6, 4)) * np.arange(1, 7)[:, None] / 3
    drawn = rich_transfer.preactivations(weight_particles(4, 60_000), X)
    exact = rich_transfer.untrained_preactivations(X)
    assert exact.kurtosis > 0.5
    assert (drawn.mean, drawn.skewness) == pytest.approx((0, 0), abs=0.05)
    assert drawn.deviation == pytest.approx(exact.deviation, rel=0.01)
    assert drawn.kurtosis == pytest.approx(exact.kurtosis, rel=0.1)
    assert drawn.density == pytest.approx(exact.density, abs=0.02)
    with pytest.raises(ValueError, match=r"\|x\|\^2/D = 0. is not allowed"):
        rich_transfer.untrained_preactivations([[0.0, 0.0]])


# --- the published setting of Figure 3a, in minutes -----------------------------------------------------------------


@pytest.mark.slow
def test_theory_predicts_a_network_of_8000_neurons_in_the_setting_of_figure_3a():
    setting: TransferSetting = rich_transfer.setting("3a")
    source, target = rich_transfer.tasks(setting)
    assert isinstance(source, Task)
    starts = [rich_transfer.neurons(100, 8000, kind, 0) for kind in KINDS]
    firsts = [rich_transfer.source_run(setting, source, start) for start in starts]
    runs = [[rich_transfer.target_run(setting, target, 1.0, first) for first in firsts]]
    runs += [[rich_transfer.target_run(setting, target, 1.0, start) for start in starts]]
    for theory, network in runs:
        n = min(len(theory.time), len(network.time))
        assert n > 20 and network.test_loss[:n] == pytest.approx(theory.test_loss[:n], rel=0.02)


# --- checks ---------------------------------------------------------------------------------------------------------


def test_checks_of_runs_hold_for_theory_and_network_of_one_task_and_fail_for_others():
    small = replace(TINY, t_end=20.0)
    source, _ = rich_transfer.tasks(small)
    starts = [rich_transfer.neurons(small.D, 2000, kind, draw=0) for kind in KINDS]
    theory, network = (rich_transfer.source_run(small, source, start) for start in starts)
    check = checks.losses_over_time(theory, network)
    assert check.holds and np.all(check.theory == theory.test_loss[: len(check.theory)])
    assert not checks.losses_over_time(theory, replace(network, test_loss=1.5 * network.test_loss)).holds
    with pytest.raises(ValueError, match="the recorded times of theory and network differ"):
        checks.losses_over_time(theory, replace(network, time=network.time + 1))
    assert checks.balance(starts[1], network).holds
    assert not checks.balance(starts[0], network).holds
