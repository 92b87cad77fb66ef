"""Both stages from finite and noisy data: the theory's limits and closed forms, Monte Carlo, and exact simulation."""

from dataclasses import replace

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

import ptft
from ptft import agreement, experiments, replica, simulation, two_stages
from ptft.experiments import FiniteSetting, Setting
from ptft.figures import two_stages as pictures
from ptft.limits import minimum_norm_error, noisy_pretraining_peak
from ptft.replica import TOLERANCE, scalar_moments
from ptft.simulation import sampled_inputs, sampled_teacher
from ptft.teachers import GROUPS, group_of

ALPHA = np.array([0.05, 0.2, 0.4])
TEACHER, INIT = ptft.SpikeSlab(0.1, 0.1, 0.5), ptft.Initialization(1e-3)


class Decoupled:
    """Teachers whose beta_pt was sampled from the scalar channel of pretraining, by the proximal map."""

    def __init__(self, teacher, init, alpha_pt, noise_pt):
        self.teacher, self.init = teacher, init
        groups = teacher.groups
        self.curve = ptft.replica_curve(alpha_pt, groups.mixture_pt(init), noise_var=noise_pt)

    def sample(self, d, seed):
        rng = np.random.default_rng(seed)
        true_pt, beta_ft = self.teacher.sample(d, rng)
        z = true_pt + np.sqrt(self.curve.tau2) * rng.standard_normal(d)
        if self.curve.theta == 0:
            return z, beta_ft
        return ptft.prox(z, self.init.k_single_task, self.curve.theta), beta_ft

    def penalty_scale(self, init, beta_pt):
        return init.k(beta_pt)


# --- limits with known answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("slab", ["gaussian", "signs"])
@pytest.mark.parametrize("noise_ft", [0.0, 0.1])
def test_perfect_pretraining_is_the_solver_with_its_mixture(slab, noise_ft):
    teacher = ptft.SpikeSlab(0.1, 0.1, 0.5, slab=slab)
    curve = ptft.two_stage_curve(ALPHA, teacher, INIT, alpha_pt=1.0, noise_ft=noise_ft)
    assert curve.mse == pytest.approx(ptft.replica_curve(ALPHA, teacher, INIT, noise_ft).mse, rel=1e-11)
    assert curve.pretraining.mse == curve.pretraining.tau2 == 0


def test_perfect_pretraining_is_a_limit_of_the_data_scale_and_of_the_noise():
    """beta_pt -> beta*_pt above the transition to recovery, as c_pt -> 0 at alpha_pt < 1, and as noise_pt -> 0."""
    perfect = ptft.two_stage_curve(ALPHA, TEACHER, INIT, 2.0).mse
    off = [
        np.max(np.abs(ptft.two_stage_curve(ALPHA, TEACHER, INIT, 2.0, noise).mse / perfect - 1))
        for noise in (1e-4, 1e-8, 1e-12)
    ]
    assert off[0] > 1e-2 > off[1] > 1e-5 > off[2]
    rich = ptft.Initialization(1e-9, gamma_ft=0.1)
    recovered, perfect = (ptft.two_stage_curve(ALPHA, TEACHER, rich, a) for a in (0.9, 1.0))
    assert 0 < recovered.pretraining.mse < 1e-15
    assert recovered.mse == pytest.approx(perfect.mse, rel=1e-4)


def test_no_pretraining_data_leave_one_penalty_scale():
    curve = ptft.two_stage_curve(ALPHA, TEACHER, INIT, alpha_pt=0.0)
    alone = ptft.GaussianMixture([0.1, 0.9], 0.0, [10.0, 0.0], INIT.k(0.0))
    assert curve.mse == pytest.approx(ptft.replica_curve(ALPHA, alone).mse, rel=1e-11)
    assert curve.pretraining.mse == pytest.approx(0.1) and curve.converged.all()
    few = ptft.two_stage_curve(ALPHA, TEACHER, INIT, alpha_pt=1e-9)
    assert few.mse == pytest.approx(curve.mse, rel=1e-3) and np.all(few.mse != curve.mse)


def test_lazy_stages_are_two_minimum_norm_interpolations_with_noise():
    """Ridgeless least squares with isotropic inputs, whose error is known on both sides of alpha = 1."""
    a_pt, noise_pt, noise_ft = 2.0, 0.3, 0.2
    power = 0.1 * a_pt**2
    teacher = ptft.SpikeSlab(0.1, 0.1, 0.5, a_pt=a_pt)
    for alpha_pt in (0.3, 0.8, 1.5):
        curve = ptft.two_stage_curve(ALPHA, teacher, ptft.Initialization(1e6), alpha_pt, noise_pt, noise_ft)
        below = (1 - alpha_pt) * power + noise_pt * alpha_pt / (1 - alpha_pt)
        assert curve.pretraining.mse == pytest.approx(below if alpha_pt < 1 else noise_pt / (alpha_pt - 1), rel=1e-8)
        assert curve.mse == pytest.approx((1 - ALPHA) + noise_ft * ALPHA / (1 - ALPHA), rel=1e-8)


@pytest.mark.parametrize("alpha_pt", [0.5, 1.5])
def test_noisy_scales_weight_a_minimum_norm_interpolation(alpha_pt):
    """beta_pt and c_pt far above beta*_ft: quadratic penalties whose weights are random, here sampled."""
    teacher, noise_pt = ptft.SpikeSlab(0.1, 0.1, 1.0, a_pt=1e6), 1e10
    init = ptft.Initialization(1e5)
    curve = ptft.two_stage_curve(ALPHA, teacher, init, alpha_pt, noise_pt, noise_ft=0.1)
    assert curve.mse == pytest.approx(minimum_norm_error(ALPHA, curve.mixture, 0.1), rel=1e-6)
    beta_pt, beta_ft = Decoupled(teacher, init, alpha_pt, noise_pt).sample(400_000, 0)
    sampled = ptft.GaussianMixture(np.full(beta_pt.size, 1 / beta_pt.size), beta_ft, 0.0, init.k(beta_pt))
    assert curve.mse == pytest.approx(minimum_norm_error(ALPHA, sampled, 0.1), rel=0.02)


@pytest.mark.parametrize(("omega", "noise_pt"), [(0.0, 0.1), (1.0, 0.1), (1.0, 1e-3)])
def test_noisy_pretraining_has_one_peak_for_all(omega, noise_pt):
    """As alpha_pt -> 1 neither the noise nor the overlap nor the initialization matter, but the noise for how soon."""
    teacher, peak = ptft.SpikeSlab(0.1, 0.1, omega), noisy_pretraining_peak(ALPHA, noise_var=0.1)
    for init, off in ((ptft.Initialization(1e-3), 1e-8), (ptft.Initialization(0.1, 0.05), -1e-4)):
        curve = ptft.two_stage_curve(ALPHA, teacher, init, 1 + off, noise_pt, noise_ft=0.1)
        assert curve.mse == pytest.approx(peak, rel=0.1 if off < 0 else 1e-3)


@pytest.mark.parametrize(("rho", "init"), [(0.1, INIT), (0.9, INIT), (0.04, ptft.Initialization(1e-3, -0.9e-3))])
def test_noisy_pretraining_at_its_peak_is_worse_than_none_above_the_turning_point_alone(rho, init):
    teacher = ptft.SpikeSlab(0.1, rho, 0.1)
    turn = two_stages.peak_harms_from(teacher, init)
    around = turn * np.array([0.5, 0.98, 1.02, 1.5])
    at_peak, without = (ptft.two_stage_curve(around, teacher, init, *data).mse for data in ((1 + 1e-8, 0.1), (0.0,)))
    assert (at_peak > without).tolist() == [False, False, True, True]


def test_the_turning_point_comes_later_for_denser_teachers_and_more_negative_relative_scales():
    teachers = [ptft.SpikeSlab(0.1, rho, 0.1) for rho in (0.01, 0.1, 0.9)]
    starts = [ptft.Initialization(1e-3, share * 1e-3) for share in (0.0, -0.9, -0.99)]
    turns = np.array([[two_stages.peak_harms_from(teacher, init) for init in starts] for teacher in teachers])
    assert np.all(np.diff(turns, axis=0) > 0) and np.all(np.diff(turns, axis=1) > 0)


def test_a_lazy_network_is_never_better_at_the_peak_and_one_without_memory_has_none():
    assert two_stages.peak_harms_from(TEACHER, ptft.Initialization(10.0)) == 1e-3
    with pytest.raises(ValueError, match="c_plus_lambda"):
        two_stages.peak_harms_from(TEACHER, ptft.Initialization(1e-3, -1e-3, 1.0))


def test_a_large_readout_hides_pretraining():
    init = ptft.Initialization(1e-3, gamma_ft=1e3)
    curves = [ptft.two_stage_curve(ALPHA, TEACHER, init, a, 0.1) for a in (0.0, 0.5, 0.9, 2.0)]
    assert all(curve.mse == pytest.approx(1 - ALPHA, rel=1e-3) for curve in curves)


def test_data_that_determine_fine_tuning_need_no_bias():
    curve = ptft.two_stage_curve([2.0], TEACHER, INIT, 0.5, 0.1, noise_ft=0.3)
    groups = TEACHER.groups
    assert curve.error == pytest.approx(0.3)  # noise_ft/(alpha - 1) in every group
    assert curve.forgetting[0] == pytest.approx(groups.beta_pt**2 + groups.variance + 0.3)


# --- the law of the penalty scale -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha_pt", "noise_pt"), [(0.1, 0.0), (0.3, 0.01), (0.9, 0.1), (1.2, 0.1)])
def test_the_law_of_the_scale_is_that_of_sampled_proximal_points(alpha_pt, noise_pt):
    curve = ptft.two_stage_curve([0.3], TEACHER, INIT, alpha_pt, noise_pt)
    beta_pt, _ = Decoupled(TEACHER, INIT, alpha_pt, noise_pt).sample(200_000, 1)
    for power in (0.25, 0.5):
        sampled = INIT.k(beta_pt) ** power
        mean = np.sum(curve.mixture.weight * curve.mixture.k**power)
        assert abs(mean - sampled.mean()) < 4 * sampled.std() / np.sqrt(sampled.size)


@pytest.mark.parametrize(
    ("c", "share", "gamma", "alpha_pt", "noise_pt"),
    [(1e-6, -0.99, 0.0, 0.1, 0.0), (1e-3, 0.0, 0.0, 0.45, 0.0), (1.0, 0.9, 1.0, 0.95, 0.5), (1e-3, 0.0, 0.0, 3.0, 0.1)],
)
def test_doubling_the_nodes_changes_nothing(monkeypatch, c, share, gamma, alpha_pt, noise_pt):
    arguments = (ALPHA[1:2], TEACHER, ptft.Initialization(c, share * c, gamma), alpha_pt, noise_pt)
    curve = ptft.two_stage_curve(*arguments)
    scales = two_stages._penalty_scales
    monkeypatch.setattr(two_stages, "_penalty_scales", lambda *a: scales(*a[:4], refine=2.0))
    finer = ptft.two_stage_curve(*arguments)
    assert finer.mixture.k.size > 1.9 * curve.mixture.k.size
    assert curve.mse == pytest.approx(finer.mse, rel=1e-10)


@pytest.mark.parametrize(("alpha_pt", "noise_pt"), [(0.2, 0.0), (0.5, 0.02), (1.5, 0.02)])
def test_monte_carlo_agrees_within_its_error(alpha_pt, noise_pt):
    """Independent of both quadratures: beta_pt from the proximal map, then the solver of Appendix E.2."""
    alpha, teacher = [0.3], Decoupled(TEACHER, INIT, alpha_pt, noise_pt)
    exact, noisier = (ptft.two_stage_curve(alpha, TEACHER, INIT, alpha_pt, noise_pt, noise) for noise in (0.0, 1e-5))
    sampled = ptft.replica_curve(alpha, teacher, INIT, method="monte-carlo", samples=20_000, seed=3)
    amplification = 1 + (noisier.mse - exact.mse) / 1e-5
    assert np.all(np.abs(sampled.mse - exact.mse) < 4 * amplification * sampled.mse_se)
    assert np.all(amplification * sampled.mse_se < 0.1 * exact.mse)  # so that the comparison can fail


# --- groups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slab", ["gaussian", "signs"])
@pytest.mark.parametrize("omega", [0.0, 0.5, 1.0])
def test_groups_add_up(slab, omega):
    teacher = ptft.SpikeSlab(0.1, 0.1, omega, a_pt=1.5, slab=slab)
    curve = ptft.two_stage_curve(ALPHA, teacher, INIT, 0.3, 0.01, 0.05)
    assert curve.error @ teacher.group_probabilities == pytest.approx(curve.mse, rel=1e-10)
    groups = teacher.groups
    zero = (groups.mean == 0) & (groups.variance == 0)  # there beta_ft is the error
    assert curve.forgetting[:, zero] == pytest.approx((groups.beta_pt**2 + curve.error)[:, zero], rel=1e-12)
    assert np.all(curve.forgetting >= groups.beta_pt**2)
    assert curve.converged.all() and np.all(curve.residual <= TOLERANCE)


def test_power_follows_from_gaussian_integration_by_parts():
    """E x_hat^2 = MSE + 2 v R - v for a coefficient that is N(0, v)."""
    tau2, theta, v = np.array([0.3]), np.array([0.2]), 4.0
    moments = scalar_moments(tau2, theta, ptft.GaussianMixture([1.0], 0.0, v, 1e-4))
    assert moments.power == pytest.approx(moments.mse + 2 * v * moments.response - v, rel=1e-12)


def test_groups_of_a_sample_are_its_shares_and_mean_squares():
    beta_pt, beta_ft = TEACHER.sample(100_000, 0)
    found, law = ptft.TeacherGroups.of_sample(beta_pt, beta_ft), TEACHER.groups
    assert found.weight == pytest.approx(law.weight, abs=0.005) and found.variance == pytest.approx(
        law.variance, rel=0.1
    )
    assert found.beta_pt.tolist() == law.beta_pt.tolist() and len(GROUPS) == len(found.weight)
    with pytest.raises(ValueError, match="beta_ft"):
        ptft.TeacherGroups.of_sample(beta_pt, beta_ft[:3])


# --- simulation -----------------------------------------------------------------------------------------------------


FINITE = [
    FiniteSetting(Setting(omega=0.5), *data)
    for data in ((0.2, 0.0, 0.0), (0.5, 0.01, 0.0), (1.5, 0.02, 0.05), (0.0, 0.0, 0.05))
]


@pytest.fixture(scope="module")
def simulated():
    return agreement.compare_two_stages(FINITE, [0.1, 0.3], d=300, seeds=range(12))


@pytest.mark.parametrize("setting", FINITE, ids=lambda one: f"{one.alpha_pt}-{one.noise_pt}-{one.noise_ft}")
def test_simulation_agrees_with_the_prediction_for_its_teachers(simulated, setting):
    both = simulated[setting]
    assert both.fine_tuning.certified.all()
    for one in (both.fine_tuning, both.pretraining):
        relative = one.mse / one.given_teacher - 1
        mean, error = relative.mean(axis=1), relative.std(axis=1, ddof=1) / np.sqrt(12)
        assert np.all(np.abs(mean) < 4 * error + 0.08)  # the second term for the finite dimension
        assert np.all(error < 0.15)  # so that the comparison can fail
    shifts = np.nanmean([one.mse - one.given_teacher for one in both.forgetting.values()], axis=0)
    assert np.all(np.abs(shifts.mean(axis=1)) < 4 * shifts.std(axis=1, ddof=1) / np.sqrt(12) + 0.2)


def test_a_pretrained_network_ends_where_the_penalties_say():
    """Gradient flow of the network itself through both stages, with too few and noisy labels in the first."""
    rng, d = np.random.default_rng(0), 16
    init = ptft.Initialization(0.1, -0.05, 0.2)
    X_pt, X_ft = rng.standard_normal((2, 6, d)) / np.sqrt(d)
    beta_pt, beta_ft = rng.standard_normal((2, d))
    y_pt, y_ft = X_pt @ beta_pt + 0.3 * rng.standard_normal(6), X_ft @ beta_ft
    first = ptft.train(X_pt, y_pt, ptft.pretraining_weights(init, d), tolerance=1e-12)
    found = ptft.min_penalty(X_pt, y_pt, init.k_single_task).beta
    assert first.weights.beta == pytest.approx(found, abs=1e-6)
    second = ptft.train(X_ft, y_ft, ptft.fine_tuning_weights(first.weights, init.gamma_ft), tolerance=1e-12)
    assert second.weights.beta == pytest.approx(ptft.min_penalty(X_ft, y_ft, init.k(found)).beta, abs=1e-6)


@pytest.mark.parametrize("alpha_pt", [1.0, 1.3])
def test_after_perfect_pretraining_a_point_is_that_of_simulate(alpha_pt):
    (point,) = ptft.simulate_two_stages(TEACHER, INIT, [0.3], alpha_pt, 120, 4, noise_ft=0.1)
    assert point.mse == pytest.approx(ptft.simulate(TEACHER, INIT, 0.3, 120, 4, noise_var=0.1).mse, rel=1e-6)
    assert point.mse_pt < 1e-20 and point.alpha_pt == round(alpha_pt * 120) / 120


def test_noisy_pretraining_above_one_example_for_each_coordinate_is_least_squares():
    d, noise = 200, 0.5
    errors = [ptft.simulate_two_stages(TEACHER, INIT, [0.1], 2.0, d, s, noise)[0].mse_pt for s in range(10)]
    assert np.mean(errors) == pytest.approx(noise / (1 - 1 / d), rel=0.1)  # noise d/(n - d - 1)
    assert sampled_inputs(0.1, d, 0).shape == (20, d)


def test_turning_the_pretraining_teacher_around_leaves_fine_tuning_as_it_is_for_inputs_without_symmetry():
    rng, d = np.random.default_rng(7), 12
    X_pt, X_ft = rng.exponential(size=(6, d)), rng.exponential(size=(4, d))
    beta_pt, beta_ft = TEACHER.groups.sample(d, rng)
    beta_pt[:3], beta_ft[2:5], noise = 1.0, 2.0, 0.1 * rng.standard_normal(6)
    ends = []
    for sign in (1, -1):
        first = ptft.min_penalty(X_pt, sign * (X_pt @ beta_pt + noise), INIT.k_single_task).beta
        ends.append(ptft.min_penalty(X_ft, X_ft @ beta_ft, INIT.k(first)).beta)
    assert ends[0] == pytest.approx(ends[1], rel=1e-8)
    assert np.mean([end * sign * beta_pt for end, sign in zip(ends, (1, -1), strict=True)], axis=0) == pytest.approx(0)


def test_a_seed_repeats_and_groups_without_coordinates_are_not_numbers():
    arguments = (ptft.SpikeSlab(0.1, 0.1, 1.0), INIT, [0.2, 0.4], 0.3, 80)
    (one, _), (same, _), (other, _) = (ptft.simulate_two_stages(*arguments, seed=s, noise_pt=0.1) for s in (4, 4, 5))
    assert one.mse == same.mse != other.mse and one.mse_pt == same.mse_pt != other.mse_pt
    assert np.isnan(one.error[1]) and np.isfinite(one.error[[0, 3]]).all()


# --- experiments and figures ----------------------------------------------------------------------------------------

SETTING = FiniteSetting(Setting(omega=1.0), alpha_pt=0.3, noise_pt=0.01)


@pytest.fixture(scope="module")
def compared():
    return agreement.compare_two_stages([SETTING], [0.2, 0.4], d=120, seeds=range(3))[SETTING]


def test_a_comparison_holds_the_simulations_and_their_predictions(compared):
    points = ptft.simulate_two_stages(SETTING.teacher, SETTING.init, [0.2, 0.4], 0.3, 120, 1, noise_pt=0.01)
    given = ptft.TeacherGroups.of_sample(*sampled_teacher(SETTING.teacher, 120, 1))
    curve = ptft.two_stage_curve([0.2, 0.4], given, SETTING.init, 0.3, 0.01)
    ft, pt = compared.fine_tuning, compared.pretraining
    assert ft.mse[:, 1].tolist() == [point.mse for point in points] and ft.certified.all()
    assert ft.given_teacher[:, 1] == pytest.approx(curve.mse) and pt.mse[0, 1] == points[0].mse_pt
    assert ft.theory == pytest.approx(experiments.predict_two_stages(SETTING, [0.2, 0.4]).mse)
    assert pt.alpha == [0.3] and pt.given_teacher[0, 1] == pytest.approx(float(curve.pretraining.mse))
    assert list(compared.kept) == ["shared"]  # where pretraining is active
    assert compared.kept["shared"][:, 1].tolist() == [point.kept[0] for point in points]
    assert list(compared.forgetting) == ["shared", "none"]  # with omega = 1 and rho_ft = rho_pt there are no others
    for g, name in ((0, "shared"), (3, "none")):
        assert compared.forgetting[name].mse[:, 1].tolist() == [point.forgetting[g] for point in points]
        assert compared.forgetting[name].given_teacher[:, 1] == pytest.approx(curve.forgetting[:, g])


def test_settings_compared_together_are_those_compared_alone(compared):
    noisy = FiniteSetting(Setting(omega=0.5), alpha_pt=1.5, noise_pt=0.1, noise_ft=0.1)
    together = agreement.compare_two_stages([noisy, SETTING], [0.2, 0.4], d=120, seeds=range(3))
    assert together[SETTING].fine_tuning.mse == pytest.approx(compared.fine_tuning.mse, rel=1e-8)
    assert together[SETTING].pretraining.mse == pytest.approx(compared.pretraining.mse, rel=1e-8)
    (alone,) = agreement.compare_two_stages([noisy], [0.2, 0.4], d=120, seeds=range(3)).values()
    assert together[noisy].fine_tuning.mse == pytest.approx(alone.fine_tuning.mse, rel=1e-8)
    assert together[noisy].forgetting["new"].mse == pytest.approx(alone.forgetting["new"].mse, rel=1e-8)


def test_a_curve_from_a_nearby_one_is_that_from_the_start():
    law = experiments.predict_two_stages(SETTING, [0.2, 0.4])
    sample = ptft.TeacherGroups.of_sample(*sampled_teacher(SETTING.teacher, 120, 1))
    arguments = ([0.2, 0.4], sample, SETTING.init, 0.3, 0.01)
    near, alone = ptft.two_stage_curve(*arguments, nearby=law), ptft.two_stage_curve(*arguments)
    assert near.mse == pytest.approx(alone.mse, rel=1e-10) and near.converged.all() and not np.all(near.mse == law.mse)
    assert near.forgetting == pytest.approx(alone.forgetting, rel=1e-10)
    with pytest.raises(ValueError, match=r"nearby\.alpha"):
        ptft.two_stage_curve([0.2, 0.3], *arguments[1:], nearby=law)


def test_a_nearby_curve_that_is_no_help_is_not_used():
    lazy, other = (ptft.GaussianMixture([1.0], 0.0, v, 1e8) for v in (1.0, 2.0))
    for alpha in (0.5, 1.5):  # above 1 the data determine the answer
        start = replica.solve_by_quadrature(np.array([alpha]), lazy, 0.1, 0.0)
        alone = replica.solve_by_quadrature(np.array([alpha]), other, 0.1, 0.0)
        assert replica.solve_nearby(start, other, 0.1).mse == pytest.approx(alone.mse, rel=1e-10)


def test_groups_without_a_coordinate_are_left_out_of_a_deviation(compared):
    one = compared.fine_tuning
    gap = replace(one, mse=np.where(np.arange(2)[:, None] == 1, np.nan, one.mse))
    first = replace(one, **{k: getattr(one, k)[:1] for k in ("alpha", "mse", "certified", "theory", "given_teacher")})
    assert agreement.relative_deviation([gap]) == agreement.relative_deviation([first])


def test_figures_show_theory_as_lines_and_simulations_as_points(compared):
    curve = experiments.predict_two_stages(SETTING, [0.2, 0.3, 0.4])
    line = [experiments.predict_two_stages(SETTING, [0.2]) for _ in range(2)]
    one = agreement.compare_two_stages([SETTING], [0.2], d=60, seeds=range(2))[SETTING]
    fig = pictures.errors(
        {
            "along": pictures.along_alpha({"a": curve}, {"a": compared}),
            "pretraining": pictures.along_alpha_pt(np.array([0.3, 0.4]), {"a": line}, 0.5, {"a": [one, one]}),
        }
    )
    left, right = fig.axes
    assert left.lines[0].get_ydata().tolist() == curve.mse.tolist()
    assert left.containers[0].lines[0].get_ydata() == pytest.approx(compared.fine_tuning.given_teachers.mean)
    assert right.lines[0].get_ydata() == pytest.approx([line[0].mse[0]] * 2) and right.lines[-1].get_ydata()[0] == 0.5
    assert [ax.get_title() for ax in fig.axes] == ["along", "pretraining"]
    fig = pictures.errors(dict.fromkeys("abc", pictures.along_alpha({"a": curve})))
    assert [ax.get_title() for ax in fig.axes] == ["a", "b", "c"]  # and no fourth in the grid of two columns
    fig = pictures.forgetting({"a": curve}, SETTING.teacher.groups.beta_pt**2, {"a": compared})
    assert [ax.get_title() for ax in fig.axes] == list(GROUPS)
    assert fig.axes[0].lines[0].get_ydata().tolist() == curve.forgetting[:, 0].tolist()
    assert [len(ax.containers) for ax in fig.axes] == [1, 0, 0, 1]
    assert [ax.lines[-1].get_ydata()[0] for ax in fig.axes] == [1, 0, 1, 0]
    plt.close("all")


# --- bad input ------------------------------------------------------------------------------------------------------

GOOD = {"alpha": [0.3], "teacher": TEACHER, "init": INIT, "alpha_pt": 0.5}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha": [0.0]}, "alpha = 0. is not allowed"),
        ({"alpha_pt": -0.1}, "alpha_pt = -0.1 is not allowed: it must be zero or positive"),
        ({"noise_pt": -1.0}, "noise_pt = -1. is not allowed"),
        ({"noise_ft": np.inf}, "noise_ft = inf is not allowed"),
        ({"alpha_pt": 1.0, "noise_pt": 0.1}, "other than 1 where noise_pt > 0: beta_pt diverges"),
        ({"teacher": ptft.SingleTask()}, "it must be a SpikeSlab or TeacherGroups"),
        ({"init": None}, "init = None is not allowed"),
        ({"init": ptft.Initialization([1.0, 2.0])}, "init.c_pt has shape"),
        ({"init": ptft.Initialization(1.0, -1.0)}, "fine-tuning starts on a saddle"),
    ],
)
def test_bad_input_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        ptft.two_stage_curve(**{**GOOD, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha": [1.2]}, "alpha = 1.2 is not allowed"),
        ({"alpha_pt": -0.1}, "alpha_pt = -0.1 is not allowed"),
        ({"noise_pt": -1.0}, "noise_pt = -1. is not allowed"),
        ({"d": 0}, "d = 0 is not allowed"),
    ],
)
def test_bad_input_of_a_simulation_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        ptft.simulate_two_stages(**{**GOOD, "d": 50, "seed": 0, **changed})


def test_bad_input_of_a_comparison_is_named():
    with pytest.raises(ValueError, match="pretrained = False is not allowed: it must be true"):
        FiniteSetting(Setting(pretrained=False))
    with pytest.raises(ValueError, match=r"base = 1\.0 is not allowed: it must be a Setting"):
        FiniteSetting(1.0)
    with pytest.raises(ValueError, match=r"setting = FiniteSetting.* \(predict_two_stages takes a FiniteSetting\)"):
        experiments.predict(SETTING, [0.2])
    with pytest.raises(ValueError, match=r"setting = Setting.* \(predict takes a Setting\)"):
        experiments.predict_two_stages(SETTING.base, [0.2])
    with pytest.raises(ValueError, match=r"settings = FiniteSetting.* \(compare_two_stages takes a FiniteSetting\)"):
        agreement.compare([SETTING], [0.2], d=50, seeds=[0, 1])
    with pytest.raises(ValueError, match=r"settings = Setting.* \(compare takes a Setting\)"):
        agreement.compare_two_stages([SETTING.base], [0.2], d=50, seeds=[0, 1])
    with pytest.raises(ValueError, match="the number of seeds = 1 is not allowed"):
        agreement.compare_two_stages([SETTING], [0.2], d=50, seeds=[0])
    with pytest.raises(ValueError, match=r"the sum of weight = 0\.5"):
        ptft.TeacherGroups([0.5], 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    "init", [ptft.Initialization(1e-6), ptft.Initialization(1e-3, -0.99e-3), ptft.Initialization(1.0)]
)
def test_starts_from_a_rough_mixture_change_nothing(init):
    alpha = np.array([0.05, 0.3, 0.8])
    curve = ptft.two_stage_curve(alpha, ptft.SpikeSlab(0.1, 0.1, 0.5), init, alpha_pt=0.4, noise_pt=0.1, noise_ft=0.05)
    direct = replica.solve_by_quadrature(alpha, curve.mixture, 0.05, 0.0)
    assert curve.converged.all() and direct.converged.all()
    assert curve.mse == pytest.approx(direct.mse, rel=1e-9)


def test_starts_have_the_shape_of_alpha():
    with pytest.raises(ValueError, match=r"the shape of starts = \(2, 2, 3\) is not allowed"):
        replica.solve_by_quadrature(
            [0.1, 0.2], ptft.SingleTask().mixture(ptft.Initialization(1.0)), 0.0, 0.0, np.zeros((2, 2, 3))
        )


def test_what_is_kept_of_pretraining_is_told_from_what_both_teachers_share():
    """From its definition, on a group whose two teachers are orthogonal, and on one that fine-tuning does not use."""
    truth_pt = np.array([1.0, -1.0, 1.0, -1.0, 2.0, 2.0, 0.0])
    truth_ft = np.array([3.0, 3.0, 3.0, 3.0, 0.0, 0.0, 1.0])
    group = group_of(truth_pt, truth_ft)
    kept = simulation._share_kept(0.3 * truth_pt + 0.7 * truth_ft, truth_pt, truth_ft, group)
    np.testing.assert_allclose(kept, [0.3, np.nan, 0.3, np.nan])


def test_nothing_is_kept_where_fine_tuning_finds_its_teacher():
    (point,) = ptft.simulate_two_stages(SETTING.teacher, SETTING.init, [1.0], alpha_pt=0.5, d=100, seed=0)
    active = np.isfinite(point.kept)
    assert active.any() and np.all(np.abs(point.kept[active]) < 1e-6)
