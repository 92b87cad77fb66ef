"""The measures of the penalty's shape and their triangle: Propositions 5.1 and B.1, and the limits of Section 5.1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ptft
from ptft import Initialization
from ptft.checks.penalty_shape import corner, derivatives_of_definition, moves, random_settings
from ptft.regimes import CORNERS, NAMES, STARTS, measures, measures_around, phase_portrait


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


@given(
    beta_ft=log_uniform(-12, 12),
    beta_pt=st.one_of(st.just(0.0), log_uniform(-12, 12)),
    c_pt=log_uniform(-8, 8),
    relative=st.one_of(st.floats(-0.999, 1.0), log_uniform(-12, 0).map(lambda gap: gap - 1)),
    gamma_ft=st.one_of(st.just(0.0), log_uniform(-8, 8)),
)
def test_both_measures_stay_in_the_triangle(beta_ft, beta_pt, c_pt, relative, gamma_ft):
    at = measures(beta_ft, beta_pt, Initialization(c_pt, relative * c_pt, gamma_ft))
    assert np.all(at.shares >= -1e-15)
    assert at.shares.sum() == pytest.approx(1)
    assert 1 <= at.ell_order <= 2 and -1 <= at.pretraining_dependence <= 0


def test_the_pretraining_dependence_is_never_rounded_below_its_bound():
    at = measures(1.0, np.geomspace(1e2, 1e16, 50_000), Initialization(1e-5))
    assert at.pretraining_dependence.min() >= -1


def test_bounds_are_strict_away_from_the_limits():
    at = measures([1e-3, 1.0, 1e3], [[0.1], [1.0], [10.0]], Initialization(0.5, 0.1, 0.3))
    assert np.all(at.shares > 0)


def test_every_pair_in_the_triangle_occurs():
    ell, kappa = np.meshgrid(np.linspace(1.1, 1.9, 9), np.linspace(0.0, 0.99, 7))
    init = Initialization(1.0)
    beta_pt = np.sqrt(1 / (1 - kappa) ** 2 - 1)  # from kappa = 1 - c/s with c = 1
    low, high = np.full(ell.shape, 1e-6), np.full(ell.shape, 100.0)
    for _ in range(100):  # the ell-order falls in t
        t = (low + high) / 2
        lower = t / (t - np.tanh(t / 2)) < ell
        low, high = np.where(lower, low, t), np.where(lower, t, high)
    at = measures(init.sqrt_k(beta_pt) / 2 * np.sinh(t), beta_pt, init)
    assert at.ell_order == pytest.approx(ell, rel=1e-10)
    assert at.pretraining_dependence == pytest.approx((1 - ell) * kappa, rel=1e-9, abs=1e-12)


def test_shares_recover_the_point_from_the_corners():
    beta_ft, beta_pt, init = random_settings(200, seed=1)
    at = measures(beta_ft, beta_pt, init)
    ell, pd = np.array(list(CORNERS.values())).T @ at.shares
    assert ell == pytest.approx(at.ell_order, rel=1e-14)
    assert pd == pytest.approx(at.pretraining_dependence, abs=1e-14)


def test_closed_forms_are_the_derivatives_of_the_definition():
    beta_ft, beta_pt, init = random_settings(60, seed=2)
    exact = derivatives_of_definition(beta_ft, beta_pt, init)
    k = init.k(beta_pt)
    at = measures(beta_ft, beta_pt, init)
    assert ptft.penalty_grad(beta_ft, k) == pytest.approx(exact.first, rel=1e-12, abs=0)
    assert ptft.penalty_hess(beta_ft, k) == pytest.approx(exact.second, rel=1e-12, abs=0)
    assert at.ell_order == pytest.approx(exact.ell_order, rel=1e-12, abs=0)
    assert at.pretraining_dependence == pytest.approx(exact.pretraining_dependence, rel=1e-12, abs=0)


def test_elasticity_is_the_share_of_the_first_layer_times_the_share_that_was_learned():
    _, beta_pt, init = random_settings(500, seed=4, decades=3.0)
    first_layer = 1 - init.gamma_ft**2 / init.sqrt_k(beta_pt)
    learned = 1 - init.c_pt / np.hypot(init.c_pt, beta_pt)
    assert init.kappa(beta_pt) == pytest.approx(first_layer * learned, abs=1e-12)


def test_the_differentiated_definition_is_the_textbook_derivative_where_it_is_known():
    # k = 4 and beta = sinh(1): the slope is 1/2, and the exponent 1/(1 - tanh(1/2))
    init = Initialization(1e-3, -1e-3, np.sqrt(2.0))
    exact = derivatives_of_definition([np.sinh(1.0)], [1.0], init)
    assert exact.first == pytest.approx([0.5], rel=1e-15)
    assert exact.second == pytest.approx([1 / (2 * np.cosh(1.0))], rel=1e-15)
    assert exact.ell_order == pytest.approx([1 / (1 - np.tanh(0.5))], rel=1e-15)
    assert exact.pretraining_dependence == pytest.approx([0.0], abs=1e-15)


def test_rich_corner_is_approached_logarithmically():
    gap = np.array([1e-6, 1e-9, 1e-12])
    init = Initialization.at_distance(1e-3, gap)
    excess = measures(1.0, 1.0, init).ell_order - 1
    assert excess == pytest.approx(1 / (np.log(4 / init.sqrt_k(1.0)) - 1), rel=1e-4)
    assert excess[-1] > 0.03


def test_reused_coordinates_stay_on_the_edge_between_the_first_two_corners_as_c_vanishes():
    for relative in (-0.9, 0.0, 1.0):
        at = measures([1.0, 1e-3], 1.0, Initialization(1e-12, relative * 1e-12))
        assert at.shares[2] == pytest.approx(0, abs=1e-11)
        t = np.arcsinh(1 / (1 + relative))
        assert at.ell_order[0] == pytest.approx(t / (t - np.tanh(t / 2)), rel=1e-9)
    assert at.ell_order[0] < 1.964  # not the corner, even with lambda = c ...
    assert at.ell_order[1] == pytest.approx(2, abs=1e-6)  # ... which takes a small coefficient


@pytest.mark.parametrize(
    "init", [Initialization(1e-3, 0.0, 1e5), Initialization(1e5, -0.9e5), Initialization(1e5, 1e5)]
)
def test_lazy_corner_without_memory_is_reached_by_a_large_scale(init):
    at = measures(1.0, 1.0, init)
    assert at.shares == pytest.approx([0, 0, 1], abs=1e-6)
    assert at.regime == "III"


def test_changing_lambda_moves_on_a_straight_line_through_the_rich_corner():
    c = 0.2
    at = measures(1.0, 1.0, Initialization(c, c * np.linspace(-0.999, 1, 50)))
    assert at.pretraining_dependence == pytest.approx(-Initialization(c).kappa(1.0) * (at.ell_order - 1), rel=1e-13)
    assert np.ptp(at.ell_order) > 0.5


def test_larger_scales_make_lazier_at_a_fixed_ratio_of_the_layers():
    c = np.geomspace(1e-3, 1e2, 60)
    for relative, gamma in ((-0.99, 0.0), (0.0, 0.3), (1.0, 0.0)):
        assert np.all(np.diff(measures(1.0, 1.0, Initialization(c, relative * c, gamma)).ell_order) > 0)
    assert np.all(np.diff(measures(1.0, 1.0, Initialization(0.1, 0.0, c)).ell_order) > 0)


def test_a_larger_scale_can_make_richer_at_a_fixed_lambda():
    at = measures(1.0, 1.0, Initialization([0.01, 0.1], 0.01))
    assert at.ell_order[1] < at.ell_order[0] - 0.04


def test_inactive_coordinates_do_not_depend_on_pretraining():
    beta_ft, _, init = random_settings(100, seed=3)
    at = measures(beta_ft, 0.0, init)
    assert np.all(at.pretraining_dependence == 0)
    assert not np.any(np.signbit(at.pretraining_dependence))


@pytest.mark.parametrize(
    ("name", "beta_pt", "init"),
    [
        ("I", 0.0, Initialization(1e-4)),
        ("II", 1.0, Initialization(1e-3)),
        ("III", 0.0, Initialization(10.0)),
        ("IV", 1.0, Initialization(1e-3, -0.9e-3)),
        ("I-w", 1.0, Initialization(1e-3, -0.99e-3)),
        ("I", 1.0, Initialization(1e-3, -0.999999e-3, 1e-6)),
        ("between", 1.0, Initialization(0.7)),
    ],
)
def test_regimes_are_named_by_their_shares(name, beta_pt, init):
    assert measures(1.0, beta_pt, init).regime == name


def test_names_are_those_that_a_place_can_have_and_labels_show_both_measures():
    at = measures(*random_settings(3000, seed=6))
    assert set(at.regime) == set(NAMES)
    one = measures(1.0, 1.0, Initialization(1e-3))
    assert str(one.label) == "II (1.89, -0.89)"
    assert str(measures(1.0, 1e-4, Initialization(1e-2)).label).endswith(" 0.00)")
    assert measures([0.5, 1.0], 1.0, Initialization(1e-3)).label.shape == (2,)


def test_the_cost_ratio_is_that_of_the_penalties_and_has_its_limits():
    beta_ft, beta_pt, init = random_settings(300, seed=7)
    at = measures(beta_ft, beta_pt, init)
    ratio = ptft.penalty(beta_ft, init.k(0.0)) / ptft.penalty(beta_ft, init.k(beta_pt))
    assert at.cost_ratio == pytest.approx(ratio, rel=1e-10) and np.all(at.cost_ratio >= 1 - 1e-14)
    start = Initialization(1e-3, -0.5e-3, 0.1)
    assert measures(0.0, 2.0, start).cost_ratio == pytest.approx(start.sqrt_k(2.0) / start.sqrt_k(0.0))
    assert measures(1e-200, 2.0, start).cost_ratio == measures(0.0, 2.0, start).cost_ratio
    assert measures(1.0, 0.0, start).cost_ratio == 1
    # the pretraining dependence adds up to it: log q(0) - log q(a) is minus the integral of PD over log|beta_pt|
    size = np.geomspace(1e-12, 2.0, 20_001)
    total = -np.trapezoid(measures(1.0, size, start).pretraining_dependence, np.log(size))
    assert np.log(measures(1.0, 2.0, start).cost_ratio) == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("init", [*STARTS.values(), Initialization(0.3, 0.2, 0.5)], ids=str)
def test_measures_around_a_coefficient_are_means_over_its_decades(init):
    for decades in (0.1, 1.0, 3.0):
        mean = measures_around(2.0, 1.5, init, decades)
        each = measures(2.0 * 10 ** np.linspace(-decades / 2, decades / 2, 4001), 1.5, init)
        assert mean.ell_order == pytest.approx(np.trapezoid(each.ell_order) / 4000, rel=1e-6)
        dependence = np.trapezoid(each.pretraining_dependence) / 4000
        assert mean.pretraining_dependence == pytest.approx(dependence, rel=1e-6, abs=1e-15)
        assert mean.cost_ratio == measures(2.0, 1.5, init).cost_ratio
    close = measures_around(2.0, 1.5, init, 1e-4)
    assert close.ell_order == pytest.approx(measures(2.0, 1.5, init).ell_order, rel=1e-7)


def test_a_published_label_is_that_of_a_start_and_not_of_the_place_it_leads_to():
    typical = np.sqrt(10.0)  # of the tasks with rho_ft = 0.1
    places = {name: str(measures_around(typical, 1.0, init).regime) for name, init in STARTS.items()}
    assert places == {"start I": "I", "start II": "IV", "start III": "III", "start IV": "I-w"}


def test_phase_portrait_holds_the_measures_of_each_cell():
    portrait = phase_portrait([0.1, 1.0, 10.0], [-0.5, 1.0], gamma_ft=0.3, beta_ft=2.0, beta_pt=0.5)
    assert portrait.measures.ell_order.shape == (2, 3)
    cell = measures(2.0, 0.5, Initialization(10.0, -5.0, 0.3))
    assert portrait.measures.ell_order[0, 2] == cell.ell_order
    assert portrait.measures.pretraining_dependence[0, 2] == cell.pretraining_dependence


def test_random_settings_are_reproducible_and_wide():
    beta_ft, beta_pt, init = random_settings(4000, seed=5)
    again = random_settings(4000, seed=5)
    assert np.array_equal(beta_ft, again[0]) and np.array_equal(init.lambda_pt, again[2].lambda_pt)
    assert np.log10(np.abs(beta_pt)).min() < -5.5 and np.log10(np.abs(beta_pt)).max() > 5.5
    assert (init.lambda_pt / init.c_pt).min() < -1 + 1e-5 and np.mean(init.gamma_ft == 0) == pytest.approx(
        1 / 3, abs=0.05
    )


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: phase_portrait([1.0], [-1.0]), "lambda_pt"),
        (lambda: phase_portrait([1.0], [1.5]), "relative = 1.5"),
        (lambda: phase_portrait([0.0], [0.5]), "c_pt = 0"),
        (lambda: phase_portrait([1.0], [0.5], gamma_ft=-1.0), "gamma_ft = -1"),
        (lambda: random_settings(0), "size = 0"),
        (lambda: random_settings(10, decades=-1.0), "decades = -1"),
        (lambda: derivatives_of_definition([0.0], [1.0], Initialization(1.0)), "beta_ft = 0"),
        (lambda: derivatives_of_definition([1.0], [0.0], Initialization(1.0)), "beta_pt = 0"),
        (lambda: measures(np.nan, 1.0, Initialization(1.0)), "beta"),
        (lambda: measures_around(0.0, 1.0, Initialization(1.0)), "beta_ft = 0"),
        (lambda: measures_around(1.0, 1.0, Initialization(1.0), 0.0), "decades = 0"),
        (lambda: measures([1.0, 2.0], [1.0, 2.0, 3.0], Initialization(1.0)), "do not broadcast"),
    ],
)
def test_bad_input_is_refused_by_name(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


def test_a_corner_is_reached_within_its_bound_and_is_no_other():
    near = measures(1.0, 1.0, Initialization(1e-3, 0.0, 30.0))
    assert [name for name in CORNERS if corner(name, near).holds] == ["III"]
    on_the_way = measures(1.0, 1.0, Initialization(1e-12))  # to II, but beta_ft is as large as beta_pt
    assert corner("II", on_the_way).error == pytest.approx([-0.113, 0.113], abs=1e-3)
    assert not corner("II", on_the_way).holds


def test_each_step_of_a_path_is_judged_by_both_measures():
    up = measures(1.0, 1.0, Initialization([1e-3, 0.1, 10.0]))
    assert (moves(up, ell_order=1, pretraining_dependence=1) > 0).all()
    back = measures(1.0, 1.0, Initialization([1e-3, 10.0, 0.1]))
    assert (moves(back, ell_order=1, pretraining_dependence=1) > 0).tolist() == [True, False]
    assert (moves(up, ell_order=1, pretraining_dependence=0) < 0).all()
    inactive = measures(1.0, 0.0, Initialization([1e-3, 0.1]))
    assert (moves(inactive, ell_order=1, pretraining_dependence=0) == 0).all()
    with pytest.raises(ValueError, match="ell_order = 2 is not allowed"):
        moves(up, ell_order=2, pretraining_dependence=1)


def test_both_measures_are_exact_next_to_the_degenerate_corner():
    distance = np.array([1e-12, 1e-16, 1e-30])
    init = Initialization.at_distance(1e-3, distance, 1e-8)
    exact = derivatives_of_definition(np.ones(3), np.ones(3), init)
    at = measures(1.0, 1.0, init)
    assert at.ell_order == pytest.approx(exact.ell_order, rel=1e-14)
    assert at.pretraining_dependence == pytest.approx(exact.pretraining_dependence, rel=1e-12)
    assert at.pretraining_dependence[1] == pytest.approx(-0.01844, abs=1e-5)  # lambda_pt rounds it to -0.023
