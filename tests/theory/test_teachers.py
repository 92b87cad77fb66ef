"""Teachers: group probabilities, sampling, and the Gaussian mixture that the replica theory sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ptft
from ptft.optimal_initialization import alpha_needed
from ptft.two_theories import TwoTasks

unit = st.floats(0, 1)


def feasible(rho_pt, rho_ft, omega):
    return rho_ft > 0 and omega * rho_ft <= rho_pt and rho_pt + (1 - omega) * rho_ft <= 1


@given(unit, unit, unit)
def test_a_teacher_exists_exactly_where_its_probabilities_do(rho_pt, rho_ft, omega):
    if feasible(rho_pt, rho_ft, omega):
        p = ptft.SpikeSlab(rho_pt, rho_ft, omega).group_probabilities
        assert np.all(p >= 0) and p.sum() == pytest.approx(1)
        assert p[0] + p[2] == pytest.approx(rho_pt) and p[0] + p[1] == pytest.approx(rho_ft)
        assert p[0] == pytest.approx(omega * rho_ft)
    elif rho_ft > 0 and (omega * rho_ft > rho_pt + 1e-9 or rho_pt + (1 - omega) * rho_ft > 1 + 1e-9):
        with pytest.raises(ValueError, match="such that"):
            ptft.SpikeSlab(rho_pt, rho_ft, omega)


def test_feasibility_may_hold_with_equality():
    ptft.SpikeSlab(rho_pt=0.1, rho_ft=0.9, omega=0.0)
    ptft.SpikeSlab(rho_pt=0.1, rho_ft=0.1, omega=1.0)
    ptft.SpikeSlab(rho_pt=0.3, rho_ft=0.7, omega=0.0)  # 0.3 + 0.7 rounds to 1 or above


@given(unit, st.floats(1e-3, 1, exclude_min=True), unit, st.sampled_from(["gaussian", "signs"]))
def test_the_fine_tuning_teacher_has_unit_power(share, rho_ft, omega, slab):
    least, most = omega * rho_ft, 1 - (1 - omega) * rho_ft
    rho_pt = least + share * (most - least)  # any that the two others allow
    mixture = ptft.SpikeSlab(rho_pt, rho_ft, omega, slab=slab).mixture(ptft.Initialization(1.0))
    assert mixture.power == pytest.approx(1)


@pytest.mark.parametrize("slab", ["gaussian", "signs"])
def test_samples_have_the_stated_law(slab):
    teacher = ptft.SpikeSlab(rho_pt=0.2, rho_ft=0.3, omega=0.5, a_pt=2.0, slab=slab)
    d = 400_000
    beta_pt, beta_ft = teacher.sample(d, seed=0)
    error = 4 / np.sqrt(d)
    assert set(np.unique(np.abs(beta_pt))) == {0.0, 2.0}
    assert np.mean(beta_pt != 0) == pytest.approx(0.2, abs=error)
    assert np.mean(beta_ft != 0) == pytest.approx(0.3, abs=error)
    assert np.mean((beta_pt != 0) & (beta_ft != 0)) == pytest.approx(0.15, abs=error)
    assert np.mean(beta_ft**2) == pytest.approx(1, abs=4 * error)
    assert np.mean(np.sign(beta_pt)) == pytest.approx(0, abs=error)
    if slab == "signs":
        assert np.allclose(np.abs(beta_ft[beta_ft != 0]), 1 / np.sqrt(0.3))


def test_a_mixture_samples_its_own_law():
    mixture = ptft.GaussianMixture([0.25, 0.75, 0.0], [1.0, -2.0, 9.0], [0.0, 4.0, 1.0], [1.0, 2.0, 3.0])
    beta, k = mixture.sample(200_000, seed=1)
    assert mixture.weight.shape == (2,)  # the impossible component is gone
    assert np.all(beta[k == 1.0] == 1.0)
    assert np.mean(k == 1.0) == pytest.approx(0.25, abs=0.005)
    assert beta[k == 2.0].std() == pytest.approx(2, rel=0.02)
    assert np.mean(beta**2) == pytest.approx(mixture.power, rel=0.02)


def test_single_task_has_one_scale_and_no_pretraining():
    task, init = ptft.SingleTask(rho=0.3), ptft.Initialization(0.5, 0.2, 7.0)
    beta_pt, beta_ft = task.sample(1000, seed=0)
    assert not beta_pt.any() and 0.2 < np.mean(beta_ft != 0) < 0.4
    assert np.all(task.penalty_scale(init, beta_pt) == 1.0)
    assert np.all(task.mixture(init).k == 1.0)


def test_a_seed_gives_the_same_teacher_and_a_generator_moves_on():
    teacher, rng = ptft.SpikeSlab(), np.random.default_rng(3)
    assert np.array_equal(teacher.sample(50, 3), teacher.sample(50, rng))
    assert not np.array_equal(teacher.sample(50, 3), teacher.sample(50, rng))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ptft.SpikeSlab(rho_pt=1.2), "rho_pt = 1.2 is not allowed: it must be between 0 and 1"),
        (lambda: ptft.SpikeSlab(rho_ft=0.0), "rho_ft = 0. is not allowed: it must be positive"),
        (lambda: ptft.SpikeSlab(omega=-0.1), "omega = -0.1 is not allowed"),
        (lambda: ptft.SpikeSlab(a_pt=0.0), "a_pt = 0. is not allowed"),
        (lambda: ptft.SpikeSlab(slab="laplace"), "slab = 'laplace' is not allowed: it must be one of gaussian, signs"),
        (lambda: ptft.SpikeSlab(rho_pt=0.1, rho_ft=0.5, omega=1.0), "omega rho_ft <= rho_pt"),
        (lambda: ptft.SpikeSlab(rho_pt=0.5, rho_ft=0.9, omega=0.0), "<= 1"),
        (lambda: ptft.SpikeSlab().sample(0, 0), "d = 0 is not allowed: it must be at least 1"),
        (lambda: ptft.SpikeSlab().sample(2.5, 0), "d = 2.5 is not allowed: it must be a whole number"),
        (lambda: ptft.SingleTask(rho=0.0), "rho = 0. is not allowed"),
        (lambda: ptft.SingleTask(rho=np.nan), "rho = nan is not allowed"),
        (
            lambda: ptft.GaussianMixture([0.5, 0.4], 0.0, 1.0, 1.0),
            "the sum of weight = 0.9 is not allowed: it must be 1",
        ),
        (lambda: ptft.GaussianMixture([1.0], 0.0, -1.0, 1.0), "variance = -1. is not allowed"),
        (lambda: ptft.GaussianMixture([1.0], 0.0, 1.0, 0.0), "k = 0. is not allowed"),
        (lambda: ptft.GaussianMixture([0.5, 0.5], [1.0, 2.0, 3.0], 1.0, 1.0), "do not broadcast"),
    ],
)
def test_bad_teachers_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_mixture_of_a_sample_has_its_shares_and_power():
    teacher, init = ptft.SpikeSlab(0.2, 0.3, 0.5), ptft.Initialization(1e-3)
    beta_pt, beta_ft = teacher.sample(500, seed=2)
    mixture = ptft.GaussianMixture.of_sample(beta_ft, init.k(beta_pt))
    assert mixture.weight.shape == (4,) and mixture.weight.sum() == pytest.approx(1)
    assert mixture.power == pytest.approx(np.mean(beta_ft**2))
    shared = (mixture.variance > 0) & (mixture.k == init.k(1.0))
    assert mixture.weight[shared] == pytest.approx(np.mean((beta_ft != 0) & (beta_pt != 0)))
    large, _ = np.histogram(mixture.variance, [0, 1e-9, np.inf])
    assert list(large) == [2, 2]
    pairs, counts = np.unique(np.column_stack([init.k(beta_pt), beta_ft != 0]), axis=0, return_counts=True)
    assert np.array_equal(mixture.k, pairs[:, 0]) and np.array_equal(mixture.weight, counts / 500)
    assert ptft.GaussianMixture.of_sample(np.zeros(3), np.array([1.0, 2.0, 1.0])).k.tolist() == [1.0, 2.0]


# --- one notion of a teacher ------------------------------------------------------------------------------------------

INIT = ptft.Initialization(1e-2)
HALF = ptft.SpikeSlab(rho_ft=0.1, omega=0.5)
EVERY = [HALF, HALF.groups, ptft.SingleTask(), TwoTasks(omega=0.5), TwoTasks(omega=0.5, rotated=True)]


class Sampled:
    """A teacher without a law: that of `HALF`, and penalty scales that nothing but the teacher knows."""

    def sample(self, d, seed):
        return HALF.sample(d, seed)

    def penalty_scale(self, init, beta_pt):
        return np.full(len(beta_pt), 4.0)


@pytest.mark.parametrize("teacher", EVERY, ids=str)
def test_whoever_takes_a_teacher_takes_all(teacher):
    exact = ptft.replica_curve(0.3, teacher, INIT)
    assert ptft.replica_curve(0.3, teacher.mixture(INIT)).mse == exact.mse
    sampled = ptft.replica_curve([0.3], teacher, INIT, method="monte-carlo", samples=20_000)
    assert sampled.mse == pytest.approx(float(exact.mse), rel=0.2)
    assert alpha_needed(float(exact.mse), teacher, INIT) == pytest.approx(0.3, abs=1e-4)
    mse = [ptft.simulate(teacher, INIT, 0.3, 1000, seed).mse for seed in range(4)]
    assert np.mean(mse) == pytest.approx(float(exact.mse), rel=0.3)


def test_a_mixture_is_simulated_with_its_own_scales():
    mixture = HALF.mixture(INIT)
    mse = [ptft.simulate(mixture, None, 0.3, 1000, seed).mse for seed in range(4)]
    assert np.mean(mse) == pytest.approx(float(ptft.replica_curve(0.3, mixture).mse), rel=0.3)
    for takes in (
        lambda: ptft.replica_curve(0.3, mixture, INIT),
        lambda: ptft.replica_curve(0.3, mixture, INIT, method="monte-carlo"),
        lambda: ptft.simulate(mixture, INIT, 0.3, 100, 0),
        lambda: alpha_needed(0.1, mixture, INIT),
    ):
        with pytest.raises(ValueError, match=r"init = Initialization.* is not allowed: it must be None"):
            takes()


@pytest.mark.parametrize("teacher", [HALF, HALF.groups], ids=["SpikeSlab", "TeacherGroups"])
def test_both_stages_take_teachers_of_two_tasks(teacher):
    exact = float(ptft.two_stage_curve(0.3, teacher, INIT, 0.5).mse)
    mse = [ptft.simulate_two_stages(teacher, INIT, [0.3], 0.5, 1000, seed)[0].mse for seed in range(4)]
    assert np.mean(mse) == pytest.approx(exact, rel=0.3)


def test_both_stages_ask_the_teacher_for_its_scales():
    known = ptft.simulate_two_stages(Sampled(), INIT, [0.3], 1.0, 200, 0)[0]
    assert known.mse == pytest.approx(ptft.simulate(Sampled(), INIT, 0.3, 200, 0).mse, rel=1e-6)


@pytest.mark.parametrize("teacher", [ptft.SingleTask(), HALF.mixture(INIT), ptft.SpikeSlab, "half", None])
def test_who_has_no_pretraining_is_refused_by_both_stages(teacher):
    for takes in (
        lambda: ptft.simulate_two_stages(teacher, INIT, [0.3], 0.5, 100, 0),
        lambda: ptft.two_stage_curve(0.3, teacher, INIT, 0.5),
    ):
        with pytest.raises(ValueError, match=r"teacher = .* is not allowed: it must be"):
            takes()


def test_whoever_has_no_law_is_refused_where_one_is_needed():
    for takes in (
        lambda: ptft.replica_curve(0.3, Sampled(), INIT),
        lambda: alpha_needed(0.1, Sampled(), INIT),
        lambda: ptft.two_stage_curve(0.3, Sampled(), INIT, 0.5),
        lambda: ptft.best_initialization(Sampled(), 0.3),
    ):
        with pytest.raises(ValueError, match=r"teacher = .* is not allowed: it must be"):
            takes()


def test_a_missing_initialization_is_named():
    for takes in (
        lambda: ptft.simulate(HALF, None, 0.3, 100, 0),
        lambda: ptft.simulate_two_stages(HALF, None, [0.3], 0.5, 100, 0),
        lambda: ptft.replica_curve(0.3, HALF),
    ):
        with pytest.raises(ValueError, match="init = None is not allowed: it must be an Initialization"):
            takes()


def test_groups_sample_their_law():
    beta_pt, beta_ft = HALF.groups.sample(200_000, 0)
    found = ptft.TeacherGroups.of_sample(beta_pt, beta_ft)
    assert found.weight == pytest.approx(HALF.groups.weight, abs=0.005)
    assert found.beta_pt == pytest.approx(HALF.groups.beta_pt) and np.mean(beta_ft**2) == pytest.approx(1, abs=0.03)
    assert abs(np.mean(beta_pt)) < 0.005  # both signs


def test_what_is_infeasible_is_shown_whole():
    with pytest.raises(ValueError, match=r"\(rho_pt, rho_ft, omega\) = \(0\.1, 0\.5, 1\.0\) is not allowed"):
        ptft.SpikeSlab(0.1, 0.5, 1)


@pytest.mark.parametrize("numbers", [(0.1, 0.5, 0.05), (0.3, 0.0, 0.4), (0.5, 1.0, 0.0), (0.2, 0.3, 0.3)])
def test_conditional_probabilities_and_overlap_say_the_same(numbers):
    rho_pt, one, zero = numbers
    teacher = ptft.SpikeSlab.of_conditional(*numbers)
    assert teacher.conditional == pytest.approx((one, zero), abs=1e-14)
    assert (one > zero) == (teacher.omega > rho_pt + 1e-12)
    beta_pt, beta_ft = teacher.sample(200_000, 0)
    for active, probability in ((beta_pt != 0, one), (beta_pt == 0, zero)):
        error = np.sqrt(probability * (1 - probability) / active.sum())
        assert np.mean(beta_ft[active] != 0) == pytest.approx(probability, abs=4 * error + 1e-12)


def test_every_teacher_with_overlap_is_one_with_conditional_probabilities():
    for teacher in (ptft.SpikeSlab(0.1, 0.04, 0.5), ptft.SpikeSlab(0.1, 0.9, 0.0), ptft.SpikeSlab(0.3, 0.3, 1.0)):
        again = ptft.SpikeSlab.of_conditional(teacher.rho_pt, *teacher.conditional)
        assert (again.rho_ft, again.omega) == pytest.approx((teacher.rho_ft, teacher.omega), abs=1e-14)
    assert np.isnan(ptft.SpikeSlab(0.0, 0.1, 0.0).conditional[0]) and np.isnan(
        ptft.SpikeSlab(1.0, 0.1, 1.0).conditional[1]
    )
    with pytest.raises(ValueError, match="rho_ft > 0"):
        ptft.SpikeSlab.of_conditional(0.1, 0.0, 0.0)


def test_general_groups_are_mixtures_to_the_equations():
    """Definition C.1 with five groups, two of which share |beta_pt|: the exact error against one from samples."""
    groups = ptft.TeacherGroups(
        [0.05, 0.1, 0.15, 0.2, 0.5], [2.0, 0.5, 0.5, 0.0, 0.0], [1.0, 0.0, -2.0, 0.0, 0.0], [0, 4, 0, 0.2, 0]
    )
    init = ptft.Initialization(0.1, -0.05, 0.2)
    exact = ptft.replica_curve([0.3, 0.6], groups, init)
    sampled = ptft.replica_curve([0.3, 0.6], groups, init, method="monte-carlo", samples=20_000)
    factor = 1 + (ptft.replica_curve([0.3, 0.6], groups, init, noise_var=1e-4).mse - exact.mse) / 1e-4
    assert np.all(np.abs(sampled.mse - exact.mse) < 4 * factor * sampled.mse_se)
    assert groups.mixture(init).k[1] == groups.mixture(init).k[2]
