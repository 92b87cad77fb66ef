"""Power laws: ranks summed by Gauss rules, the exponents of both ends, and what one more decade of examples changes."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest

import ptft
from ptft import Initialization, scaling
from ptft.limits import minimum_norm_error
from ptft.scaling import (
    PowerLawTasks,
    carried_along,
    examples_needed,
    exponent,
    lazy_error,
    lazy_exponent,
    learning_curves,
    local_slopes,
    rank_rule,
)
from ptft.simulation import simulate_many

LAZY, RICH = Initialization(1e6), Initialization(1e-9)
MEMORY = Initialization(1e-9)  # sqrt(k) = 2 |beta_pt|
SPARSE = {"rho_pt": 0.2, "rho_ft": 0.1, "omega": 0.5}


def every_rank(tasks, init):
    """The law with one component for each rank and group: what the rules of `rank_rule` stand for."""
    rank = np.arange(1.0, tasks.d + 1)
    shares, beta_pt, variance, v = tasks._at(rank)
    used, active = np.array([1, 0, 1, 0]), np.array([1, 1, 0, 0])
    k = tasks.penalty_scale(init, (beta_pt[:, None] * used).ravel())
    return ptft.GaussianMixture(
        (shares / tasks.d).ravel(), 0.0, (variance[:, None] * active).ravel(), k, np.repeat(v, 4)
    )


# --- sums over ranks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 3, 7, 100, 12_345])
def test_a_rule_sums_polynomials_in_log_rank_and_powers(d):
    rank, count = rank_rule(d)
    every = np.arange(1.0, d + 1)
    assert np.all(count > 0) and np.all((rank >= 1) & (rank <= d * (1 + 1e-12)))
    for power in range(8):
        assert count @ np.log(rank) ** power == pytest.approx(np.sum(np.log(every) ** power), rel=1e-11)
    for decay in (0.5, 1.5, 4.0):
        assert count @ rank**-decay == pytest.approx(np.sum(every**-decay), rel=1e-7)


def test_no_bin_reaches_across_what_pretraining_knows():
    rank, count = rank_rule(1000, known_ranks=300)
    assert count[rank <= 300].sum() == pytest.approx(300) and count[rank > 300].sum() == pytest.approx(700)
    for known in (0, 1000, 5000):
        assert rank_rule(1000, known_ranks=known)[1].sum() == pytest.approx(1000)


@pytest.mark.parametrize(("a", "b", "error"), [(1.0, 1.5, 2e-6), (0.5, 1.2, 1e-7), (1.0, 3.0, 3e-4), (3.0, 1.5, 1e-4)])
def test_the_curve_of_the_rule_is_that_of_all_ranks(a, b, error):
    """`rank_rule` states these errors; they grow with the decay, as what is resolved ends within fewer octaves."""
    n = np.array([5.0, 30.0, 200.0])
    for tasks in (PowerLawTasks(300, a, b), PowerLawTasks(300, a, b, known_ranks=50, **SPARSE)):
        for init in (Initialization(1e-4, -0.9e-4), Initialization(0.1, 0.0, 0.5)):
            exact = ptft.replica_curve(n / tasks.d, every_rank(tasks, init))
            assert learning_curves(tasks, [init], n)[0] == pytest.approx(exact.mse, rel=error, abs=0)


def test_four_decades_of_alpha_at_a_hundred_thousand_features():
    tasks = PowerLawTasks(10**5)
    curve = ptft.replica_curve(np.geomspace(1e-4, 0.999, 25), tasks, MEMORY)
    assert curve.converged.all() and np.all(np.diff(curve.mse) < 0)
    fast = learning_curves(tasks, [MEMORY], 1e5 * curve.alpha)[0]
    assert fast == pytest.approx(curve.mse, rel=1e-7)


def test_predicting_zero_has_the_error_one():
    for tasks in (PowerLawTasks(5000, 2.0, 1.1, **SPARSE), PowerLawTasks(5000, pretrained=False, known_ranks=7)):
        assert tasks.mixture(MEMORY).power == pytest.approx(1, rel=1e-9)


# --- exponents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.5), (0.5, 2.0), (4.0, 1.5), (4.0, 2.0)])
def test_the_lazy_power_law_is_that_of_the_least_norm(a, b):
    """By the exact error of weighted least squares, which knows nothing of power laws; 1 % in the middle of the range.

    At its ends the power law misses terms of relative size 1/n and (n/d)^(b - 1).
    """
    alone = PowerLawTasks(10**6, a, b, pretrained=False)
    for tasks, init, B in ((alone, LAZY, b), (replace(alone, pretrained=True, size_pt=1e6), MEMORY, b + a / 2)):
        n = np.array([300.0, 1000.0, 3000.0])
        exact = minimum_norm_error(n / tasks.d, tasks.mixture(init))
        away = (n / tasks.d) ** (B - 1) + 3 / n  # n + 1/2 stands for n, and the exponent is at most 5
        assert np.all(np.abs(exact / lazy_error(n, a + b, B) - 1) < 3 * away)
        assert learning_curves(tasks, [init], n)[0] == pytest.approx(exact, rel=1e-6)
        found = exponent(n, exact)
        assert found.value == pytest.approx(lazy_exponent(a + b, B), abs=0.1 if B < 2 else 0.01)


def test_the_lazy_level_is_continuous_and_least_for_the_best_spectrum():
    assert lazy_error(100.0, 3.0, 2.0) == pytest.approx(lazy_error(100.0, 3.0, 2.0 + 1e-7), rel=1e-5)  # p = 1
    levels = [float(lazy_error(100.0, 2.5, B)) for B in np.linspace(1.3, 5.0, 75)]  # 2.5 among them
    assert np.linspace(1.3, 5.0, 75)[np.argmin(levels)] == pytest.approx(2.5, abs=0.05)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.5), (3.0, 2.0)])
def test_memory_of_a_task_with_the_same_law_has_one_exponent_whatever_the_l_order(a, b):
    """Scale-free: a + b - 1, for a quadratic penalty, one in between, and an almost linear one."""
    n = np.geomspace(300, 3000, 5)
    for size_pt, distance in ((1e3, 1.0), (1.0, 1.0), (1.0, 1e-4)):
        tasks = PowerLawTasks(10**6, a, b, size_pt=size_pt)
        found = exponent(n, learning_curves(tasks, [Initialization.at_distance(1e-9, distance)], n)[0])
        assert found.value == pytest.approx(a + b - 1, abs=0.005) and found.error < 0.005


def test_a_task_that_is_saturated_when_lazy_is_not_when_rich():
    n, a, b = np.geomspace(300, 3000, 5), 4.0, 2.0
    alone = PowerLawTasks(10**6, a, b, pretrained=False)
    lazy, rich = (exponent(n, one).value for one in learning_curves(alone, [LAZY, Initialization(1e-12)], n))
    assert lazy == pytest.approx(2 * b, abs=0.02) and rich == pytest.approx(a + b - 1, abs=0.02)


@pytest.mark.parametrize("a", [0.5, 2.0])
@pytest.mark.parametrize("pretrained", [True, False])
def test_ten_times_the_examples_are_the_same_problem_with_other_weights(a, pretrained):
    tasks = PowerLawTasks(10**6, a, 2.0, pretrained=pretrained, **SPARSE)
    inits = [Initialization(1e-2, -0.5e-2, 0.1), Initialization(1.0), Initialization(1e-4)]
    first = learning_curves(tasks, inits, [200.0])[:, 0]
    then = learning_curves(tasks, [carried_along(one, 10.0, a) for one in inits], [2000.0])[:, 0]
    assert then / first == pytest.approx(10 ** -(a + 1.0) * np.ones(3), rel=0.02)  # 1/n at 200


@pytest.mark.parametrize("pretrained", [True, False])
def test_so_it_is_for_steep_tasks_unless_the_first_ranks_are_learned_lazily(pretrained):
    """Proposition `prop-scale-free` and its exception, in which the first ranks dominate and the exponent is 2b."""
    a, b = 4.0, 2.0
    tasks = PowerLawTasks(10**6, a, b, pretrained=pretrained, **SPARSE)
    inits = [Initialization(1e-2, -0.5e-2, 0.1), Initialization(1e-6), Initialization(1e5)]
    first = learning_curves(tasks, inits, [200.0])[:, 0]
    then = learning_curves(tasks, [carried_along(one, 10.0, a) for one in inits], [2000.0])[:, 0]
    assert then / first == pytest.approx([10 ** (1 - a - b)] * 2 + [10 ** (-2 * b)], rel=0.02)


def test_the_exponent_of_a_power_law_with_a_correction_lies_within_its_error():
    n = np.geomspace(10, 1000, 9)
    found = exponent(n, 3 * n**-1.5 * (1 + 2 / n))
    assert found.interval[0] < 1.5 < found.interval[1] and found.error < 0.2
    middle, slope = local_slopes(n, n**-2.0)
    assert slope == pytest.approx(2 * np.ones(8)) and middle == pytest.approx(np.sqrt(n[1:] * n[:-1]))


@pytest.mark.parametrize("C", [1 + 1e-12, 1.001, 2.0, 4.5, 9.0])
@pytest.mark.parametrize("B", [1 + 1e-12, 1.01, 1.7, 3.0, 1e9])
def test_the_lazy_level_has_all_digits_at_the_ends_of_its_range(C, B):
    with mpmath.workdps(40):
        C_, B_ = mpmath.mpf(C), mpmath.mpf(B)
        p, per_example = (C_ - 1) / B_, mpmath.pi / B_ / mpmath.sin(mpmath.pi / B_) / 50
        if p < 2:
            exact = (1 - p) * mpmath.pi / mpmath.sin(mpmath.pi * p) / mpmath.zeta(C_) * per_example ** (C_ - 1)
        else:
            exact = B_ * mpmath.zeta(C_ - 2 * B_) / mpmath.zeta(C_) * per_example ** (2 * B_)
    assert lazy_error(50.0, C, B) == pytest.approx(float(exact), rel=1e-12)


def test_an_exponent_of_numbers_at_the_ends_of_float64():
    assert exponent([1e-300, 1e300], [1e300, 1e-300]).value == 1


# --- what pretraining is worth ----------------------------------------------------------------------------------------


def test_the_examples_needed_for_an_error_are_those_that_have_it():
    tasks = PowerLawTasks(10**4, pretrained=False, rho_ft=0.3)
    n = np.array([1.5, 20.0, 333.0, 9000.0])
    assert examples_needed(learning_curves(tasks, [RICH], n)[0], tasks, RICH) == pytest.approx(n, rel=1e-6)


def test_beyond_its_ends_the_number_of_examples_is_that_of_an_end():
    tasks = PowerLawTasks(1000, pretrained=False)
    assert examples_needed([10.0, 1e-30], tasks, LAZY).tolist() == [1.0, 1000.0]


def test_a_number_of_examples_is_not_given_where_the_error_is_unknown(monkeypatch):
    """The iteration fails at less than a hundred examples: an error that is reached there, or after, has no answer."""
    tasks, found = PowerLawTasks(1000, pretrained=False), scaling._solutions

    def failing(groups, k, alpha, start=None):
        solutions = found(groups, k, alpha, start)
        solutions[0, (alpha > 0.02) & (alpha < 0.1)] = np.inf
        return solutions

    usual = examples_needed([0.5, 1e-3, 1e-30], tasks, LAZY)
    monkeypatch.setattr(scaling, "_solutions", failing)
    assert usual[0] < 20 < 100 < usual[1]
    assert examples_needed([0.5, 1e-3, 1e-30], tasks, LAZY) == pytest.approx([usual[0], np.nan, np.nan], nan_ok=True)


def test_a_lazy_memory_multiplies_the_examples_by_the_ratio_of_the_levels():
    """With the support known, each of n examples is worth 1/rho_pt; the steeper spectrum does the rest."""
    a, b, n, rho = 1.0, 2.0, np.array([300.0, 1000.0]), 0.1
    tasks = PowerLawTasks(10**6, a, b, rho_pt=rho, rho_ft=rho, size_pt=1e6)
    alone = replace(tasks, pretrained=False)
    worth = examples_needed(learning_curves(tasks, [MEMORY], n)[0], alone, LAZY) / n
    levels = lazy_error(1.0, a + b, b) / lazy_error(1.0, a + b, b + a / 2)
    assert worth == pytest.approx(levels ** (1 / (a + b - 1)) / rho, rel=0.03)


def test_pretraining_that_knows_few_ranks_is_worth_little_where_there_are_many_examples():
    tasks = PowerLawTasks(10**5, rho_pt=0.1, rho_ft=0.1, known_ranks=100)
    n = np.array([10.0, 3000.0])
    worth = examples_needed(learning_curves(tasks, [RICH], n)[0], replace(tasks, pretrained=False), RICH) / n
    assert worth[0] > 3 and worth[1] == pytest.approx(1, abs=0.02)


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_a_sample_has_the_law_of_its_ranks():
    tasks = PowerLawTasks(4000, 1.0, 1.5, size_pt=2.0, decay_pt=0.5, known_ranks=2000, **SPARSE)
    drawn = [tasks.sample_with_variance(4000, seed) for seed in range(40)]
    _, size, variance, v = tasks._at(np.arange(1.0, 4001))
    beta_pt, beta_ft = (np.array([one[i] for one in drawn]) for i in (0, 1))
    assert np.all([one[2] == v for one in drawn]) and v == pytest.approx(4000 * np.arange(1.0, 4001) ** -1.5)
    assert set(np.unique(np.abs(beta_pt / size)).round(12)) == {0.0, 1.0} and not beta_pt[:, 2000:].any()
    assert size[0] == pytest.approx(2 * np.sqrt(variance[0])) and size[15] == pytest.approx(size[0] / 2)
    for part, share in ((slice(0, 2000), (0.05, 0.2)), (slice(2000, 4000), (0.0, 0.0))):
        assert np.mean((beta_pt[:, part] != 0) & (beta_ft[:, part] != 0)) == pytest.approx(share[0], abs=0.005)
        assert np.mean(beta_pt[:, part] != 0) == pytest.approx(share[1], abs=0.01)
        assert np.mean(beta_ft[:, part] != 0) == pytest.approx(0.1, abs=0.005)
    assert np.mean(beta_ft**2 / variance) == pytest.approx(0.1, rel=0.05)
    assert np.mean(beta_ft**2 * v) == pytest.approx(1, rel=0.3)  # most of it in the first ranks


def test_a_sample_has_as_many_features_as_the_tasks():
    with pytest.raises(ValueError, match="d = 50 is not allowed: it must be 60, that of the tasks"):
        PowerLawTasks(60).sample(50, 0)


def test_exact_end_points_have_the_predicted_error():
    """A small case of what the sweep of the chapter does; the mean of 12 data sets, each of two settings."""
    tasks = PowerLawTasks(600, 1.0, 1.5, rho_pt=0.3, rho_ft=0.3)
    pairs = [(tasks, Initialization(1e-3)), (replace(tasks, pretrained=False), LAZY)]
    found = np.log([[one.mse for one in simulate_many(pairs, 0.1, 600, seed)] for seed in range(12)])
    predicted = [float(ptft.replica_curve(0.1, *pair).mse) for pair in pairs]
    error = found.std(axis=0, ddof=1) / np.sqrt(12)
    assert np.all(np.abs(found.mean(axis=0) - np.log(predicted)) < 3 * error + 0.05) and np.all(error < 0.15)


# --- bad arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"d": 0}, "d = 0 is not allowed: it must be at least 1"),
        ({"d": 10**8}, "d = 100000000 is not allowed"),
        ({"a": -1.0}, "a = -1. is not allowed: it must be zero or positive"),
        ({"b": np.nan}, "b "),
        ({"b": 200.0}, r"b = 200\. is not allowed: it must be so small that d\^-b is a normal"),
        ({"size_pt": 0.0}, "size_pt = 0. is not allowed: it must be positive"),
        ({"decay_pt": -1.0}, "decay_pt = -1. is not allowed"),
        ({"known_ranks": -1}, "known_ranks = -1 is not allowed"),
        ({"omega": 1.0, "rho_pt": 0.1}, "omega rho_ft <= rho_pt"),
    ],
)
def test_tasks_that_cannot_be_are_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        PowerLawTasks(**{"d": 100, **bad})


def test_numbers_without_a_meaning_are_refused():
    with pytest.raises(ValueError, match=r"n = 100\. is not allowed: it must be below d = 100"):
        learning_curves(PowerLawTasks(100), [LAZY], [100])
    with pytest.raises(ValueError, match=r"tasks\.d = 1 is not allowed: it must be at least 2"):
        examples_needed([0.5], PowerLawTasks(1), LAZY)
    with pytest.raises(ValueError, match=r"power_decay = 1\. is not allowed: it must be above 1"):
        lazy_exponent(1.0, 2.0)
    with pytest.raises(ValueError, match=r"spectrum_decay = 1\. is not allowed: it must be above 1"):
        lazy_error(10.0, 2.0, 1.0)
    with pytest.raises(ValueError, match=r"power_decay = 4\. is not allowed: it must be other than"):
        lazy_error(10.0, 4.0, 1.5)
    with pytest.raises(ValueError, match="it must be at least two increasing numbers"):
        exponent([2.0, 1.0], [1.0, 1.0])
