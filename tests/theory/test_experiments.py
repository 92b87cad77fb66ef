"""The published settings, and theory beside simulation."""

from dataclasses import replace

import numpy as np
import pytest

import ptft
from ptft import agreement, experiments
from ptft.experiments import Setting
from ptft.simulation import sampled_teacher


def test_the_settings_are_the_published_ones():
    counts = {number: len(experiments.experiment(number)) for number in (1, 2, 3, 4)}
    assert counts == {1: 21, 2: 14, 3: 28, 4: 12}
    for number in (1, 2, 3):
        for s in experiments.experiment(number):
            moved = (s.c_pt != 1e-3) + (s.lambda_pt != 0) + (s.gamma_ft != 0)
            assert moved <= 1 and s.rho_pt == 0.1 and s.pretrained
    assert experiments.ALPHA == pytest.approx([0.01 + 0.049 * i for i in range(11)])


def test_figure_3_shows_the_experiments():
    panels = experiments.figure_3()
    known = {s for number in (1, 2, 3) for s in experiments.experiment(number)}
    assert list(panels) == list("abcdef")
    for panel in panels.values():
        assert set(panel.settings) <= known and len(panel.settings) in (6, 9)
        fixed = {tuple(v for k, v in vars(s).items() if k not in (panel.color, panel.style)) for s in panel.settings}
        assert len(fixed) == 1  # only the two named parameters vary


def test_figure_5_compares_four_initializations_on_three_tasks():
    tasks = experiments.figure_5()
    assert list(tasks) == [(0.0, 0.1), (1.0, 0.1), (1.0, 0.01)]
    assert all(list(starts) == ["start I", "start II", "start III", "start IV"] for starts in tasks.values())


def test_every_setting_is_feasible():
    for number in (1, 2, 3, 4):
        for setting in experiments.experiment(number):
            assert setting.teacher.mixture(setting.init).power == pytest.approx(1)


def test_a_comparison_holds_theory_and_simulation():
    settings = [Setting(omega=1.0), Setting(omega=0.0)]
    found = agreement.compare(settings, [0.2, 0.4], d=200, seeds=range(4))
    result = found[settings[0]]
    assert list(found) == settings and found[settings[1]].mse.shape == (2, 4)
    assert result.mse.shape == result.certified.shape == (2, 4) and result.certified.all()
    assert result.theory == pytest.approx(experiments.predict(Setting(omega=1.0), result.alpha).mse)
    assert result.half_width == pytest.approx(3.182 * result.standard_error, rel=1e-3)  # Student's t, 3 degrees
    assert result.covered.shape == (2,)
    assert np.all(np.abs(result.mean - result.theory) < 8 * result.standard_error + 0.1 * result.theory)


def test_given_the_teachers_only_the_data_vary():
    result = agreement.compare([Setting(omega=1.0)], [0.2, 0.4], d=200, seeds=range(4))[Setting(omega=1.0)]
    given = result.given_teachers
    assert given.theory == pytest.approx(result.theory)
    assert given.given_teacher == pytest.approx(np.repeat(result.theory[:, None], 4, axis=1))
    difference = result.mse - result.given_teacher
    assert given.mean - given.theory == pytest.approx(difference.mean(axis=1))
    assert given.deviation == pytest.approx(difference.mean(axis=1) / (difference.std(axis=1, ddof=1) / 2))


def test_the_relative_deviation_is_the_mean_over_points_and_seeds():
    alpha, theory = np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.2, 1e-5])
    given = np.array([[0.5, 0.6], [0.2, 0.3], [1.0, 1.0]])
    mse = given + theory[:, None] * np.array([0.1, 0.3])
    certified = np.ones((3, 2), dtype=bool)
    result = agreement.Comparison(Setting(), 10, alpha, mse, certified, theory, given)
    mean, half_width = agreement.relative_deviation([result])
    assert (mean, half_width) == pytest.approx((0.2, 12.7062 * 0.1), rel=1e-5)  # Student's t, one degree of freedom
    assert np.isnan(agreement.relative_deviation([result], seen=1.0)).all()


def test_an_advantage_grows_where_each_ratio_exceeds_the_one_before():
    a, b, c, d = (Setting(c_pt=value) for value in (1.0, 2.0, 3.0, 4.0))
    errors = {a: np.array([1.0, 1.0, 1.0]), b: np.array([1.0, 1.0, 2.0]), c: np.array([3.0, 1.0, 1.0]), d: np.ones(3)}
    assert (agreement.advantage_growth(errors, [(a, b), (c, d)]) > 0).tolist() == [True, False, True]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="number = 5 is not allowed"):
        experiments.experiment(5)
    with pytest.raises(ValueError, match="the number of seeds = 1 is not allowed: it must be at least 2"):
        agreement.compare([Setting()], [0.2], d=50, seeds=[0])


def test_relative_errors_are_paired():
    rng = np.random.default_rng(0)
    reference = np.exp(3 * rng.standard_normal(6))
    mean, low, high = agreement.relative_errors(np.array([2.0, 0.5])[:, None] * reference, reference)
    assert mean == pytest.approx([2, 0.5]) and low == pytest.approx(mean) and high == pytest.approx(mean)
    ratio = np.array([1.0, 2.0, 4.0])
    mean, low, high = agreement.relative_errors(ratio, np.ones(3))
    assert mean == pytest.approx(2)
    assert np.log(high / mean) == pytest.approx(4.302653 * np.log(2) / np.sqrt(3), rel=1e-6)
    assert low * high == pytest.approx(mean**2)


def test_teachers_without_anything_to_learn_have_no_error_and_errors_that_do_not_vary_no_deviation():
    alone, alpha, seeds = Setting(0.01, pretrained=False), np.array([0.2, 1.0]), range(30)
    zero = [not sampled_teacher(alone.teacher, 60, seed)[1].any() for seed in seeds]
    one = agreement.comparison(alone, 60, alpha, seeds, np.zeros((2, 30)), np.full((2, 30), True))
    assert any(zero) and np.array_equal(one.given_teacher[0] == 0, zero) and np.all(one.given_teacher[1] < 1e-12)
    assert np.isnan(one.deviation).all() and np.isnan(agreement.deviation_summary(one.deviation)).all()


def test_teachers_predicted_together_are_those_predicted_alone():
    setting, alpha = Setting(omega=0.5), np.array([0.1, 0.3])
    one = agreement.comparison(setting, 80, alpha, range(4), np.ones((2, 4)), np.full((2, 4), True))
    for seed in range(4):
        pt, ft = sampled_teacher(setting.teacher, 80, seed)
        alone = ptft.replica_curve(alpha, ptft.GaussianMixture.of_sample(ft, setting.init.k(pt)))
        assert one.given_teacher[:, seed] == pytest.approx(alone.mse, rel=1e-9)


def test_trends_move_one_parameter_of_both_settings():
    trends = experiments.trends()
    for key in "abcdef":
        panel = experiments.figure_3()[key]
        for pair in trends[key]:
            assert set(pair) <= {*panel.settings, *(replace(s, omega=0.0) for s in panel.settings)}
        moved = [getattr(better, panel.color) for _, better in trends[key]]
        assert len(set(moved)) == 3 and moved == sorted(moved, reverse=key != "c")
    for key in ("f, all features needed", "f, few needed"):
        assert {base for _, base in trends[key]} == {Setting(0.1, 1.0)}


def test_a_trend_of_simulations_needs_the_same_data_scales():
    pairs = [(Setting(0.1), Setting(0.1)), (Setting(0.1), Setting(0.01))]
    points = agreement.compare([Setting(0.1), Setting(0.01)], [0.2, 0.4], d=200, seeds=[0, 1])
    means = {setting: one.mean for setting, one in points.items()}
    assert np.array_equal(agreement.advantage_seen(points, pairs), agreement.advantage_growth(means, pairs))
    points |= agreement.compare([Setting(0.01)], [0.2], d=200, seeds=[0, 1])
    assert agreement.advantage_seen(points, pairs) is None


def test_the_best_start_has_the_smallest_error():
    every = [s for task in experiments.figure_5().values() for s in task.values()]
    errors = {setting: np.array([1.0, 1.0]) for setting in every}
    errors[experiments.figure_5()[1.0, 0.01]["start IV"]] = np.array([2.0, 0.5])
    assert experiments.best_starts(errors)[1.0, 0.01].tolist() == ["start I", "start IV"]
