"""The best initialization: what initialization can reach, the search against grids, and limits with known answers."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import ptft
from ptft import experiments
from ptft.figures import optimal_initialization as drawn
from ptft.generalization import replica_curve
from ptft.limits import minimum_norm_error
from ptft.optimal_initialization import USUAL, Bounds, alpha_needed, landscape, rows_of_scales
from ptft.replica import MixtureRows, errors_by_rows, solutions_by_rows
from ptft.teachers import GaussianMixture, SingleTask, SpikeSlab

HALF = SpikeSlab(rho_pt=0.1, rho_ft=0.1, omega=0.5)  # its optimum at alpha = 0.1 lies inside the bounds


@pytest.fixture(scope="module")
def half():
    return ptft.best_initialization(HALF, 0.1)


# --- many problems at once ------------------------------------------------------------------------------------------


def test_rows_are_solved_as_one_by_one():
    inits = [ptft.Initialization(c, share * c, g) for c, share, g in ((1e-6, -0.999, 0), (1e-3, 0, 0.3), (1, 0.9, 2))]
    alpha = np.array([0.1, 0.3, 0.6])
    active, inactive = (np.array([float(init.sqrt_k(b)) for init in inits]) for b in (1.0, 0.0))
    rows = rows_of_scales(HALF, active - inactive, inactive)
    alone = [float(replica_curve(a, HALF, init, 0.05).mse) for a, init in zip(alpha, inits, strict=True)]
    assert errors_by_rows(alpha, rows, 0.05, refine=1.0) == pytest.approx(alone, rel=1e-9)
    assert errors_by_rows(alpha, rows, 0.05) == pytest.approx(alone, rel=1e-6)
    near = replica_curve(alpha, HALF, inits[1], 0.1)  # of one of the problems, with other noise
    found = solutions_by_rows(alpha, rows, 0.05, refine=1.0, start=(near.tau2, near.theta))
    assert found[0] == pytest.approx(alone, rel=1e-9)
    assert found[1] == pytest.approx((0.05 + found[0]) / alpha, rel=1e-9)
    again = solutions_by_rows(alpha, rows, 0.05, refine=1.0, start=found[1:])
    assert again == pytest.approx(found, rel=1e-9)
    with pytest.raises(ValueError, match="the shape of start"):
        errors_by_rows(alpha, rows, start=[near.tau2])
    many = rows.rows(np.arange(300) % 3)  # more than are solved together
    assert errors_by_rows(np.tile(alpha, 100), many, 0.05) == pytest.approx(np.tile(alone, 100), rel=1e-6)


def test_rows_of_atoms():
    teacher = SpikeSlab(0.2, 0.1, 0.5, slab="signs")
    init = ptft.Initialization(1e-2, -5e-3, 0.1)
    inactive = np.array([float(init.sqrt_k(0.0))])
    rows = rows_of_scales(teacher, init.sqrt_k(1.0) - inactive, inactive)
    assert isinstance(rows, MixtureRows) and rows.power == pytest.approx([1.0])
    assert errors_by_rows(np.array([0.2]), rows) == pytest.approx(replica_curve([0.2], teacher, init).mse, rel=1e-6)


# --- what initialization can reach ----------------------------------------------------------------------------------


@pytest.mark.parametrize("a_pt", [1.0, 30.0])
def test_places_are_initializations_within_the_bounds(a_pt):
    bounds, rng = Bounds(relative=(-0.999999, 1.0)), np.random.default_rng(0)  # nearer to -1, lambda_pt rounds s away
    places = np.vstack([rng.random((60, 2)), list(itertools.product((0.0, 1.0), repeat=2))])
    for difference, inactive in zip(*bounds.scales(places, a_pt), strict=True):
        alike = bounds.initializations(difference, inactive, a_pt, 5)
        assert alike.sqrt_k(0.0) == pytest.approx(np.full(5, inactive), rel=1e-9)
        assert alike.sqrt_k(a_pt) == pytest.approx(np.full(5, inactive + difference), rel=1e-9)
        for value, (low, high) in zip(
            (alike.c_pt, alike.lambda_pt / alike.c_pt, alike.gamma_ft),
            (bounds.c_pt, bounds.relative, bounds.gamma_ft),
            strict=True,
        ):
            assert np.all((value >= low - 1e-9 * abs(low)) & (value <= high + 1e-9 * abs(high)))
        assert np.all(np.diff(np.log(alike.c_pt)) <= 1e-12) and np.all(np.diff(alike.gamma_ft) >= -1e-9)


def test_every_initialization_within_the_bounds_has_its_place():
    bounds, rng = Bounds((1e-4, 10.0), (-0.99, 0.5), (0.1, 3.0)), np.random.default_rng(1)
    c, relative = 10 ** rng.uniform(-4, 1, 500), rng.uniform(-0.99, 0.5, 500)
    init = ptft.Initialization(c, relative * c, rng.uniform(0.1, 3.0, 500))
    inactive = init.sqrt_k(0.0)
    difference = init.sqrt_k(1.0) - inactive
    edges = [bounds.scales(np.array([[x, y]]), 1.0) for x, y in ((0, 0), (1, 0))]
    assert np.all((difference >= 0.999999 * edges[0][0]) & (difference <= 1.000001 * edges[1][0]))
    x = np.log(difference / edges[0][0]) / np.log(edges[1][0] / edges[0][0])
    low, high = (bounds.scales(np.column_stack([x, np.full(500, y)]), 1.0)[1] for y in (0.0, 1.0))
    assert np.all((inactive >= 0.9999 * low) & (inactive <= 1.0001 * high))


@pytest.mark.parametrize("a_pt", [1.0, 30.0])
def test_what_is_reached_without_drawing_the_readout_again(a_pt):
    """Proposition `prop-single-parameters`: the difference of the scales times the larger one is at most 16 a^2."""
    rng, bounds = np.random.default_rng(2), Bounds((1e-9, 1e9), (-1 + 1e-12, 1.0), (0.0, 0.0))
    c, distance = a_pt * 10 ** rng.uniform(-4, 3, 400), np.append(2 * rng.random(399), 2.0)
    init = ptft.Initialization.at_distance(c, distance)
    used, unused = init.sqrt_k(a_pt), init.sqrt_k(0.0)
    assert (used - unused)[c < a_pt] * used[c < a_pt] == pytest.approx((2 * a_pt * distance[c < a_pt]) ** 2, rel=1e-6)
    difference, unused = a_pt * 10 ** rng.uniform(-3, 0.6, 400), a_pt * 10 ** rng.uniform(-4, 4, 400)
    within = difference * (difference + unused) / (16 * a_pt**2)
    reached = np.array([bounds.allow(*pair, a_pt) for pair in zip(difference, unused, strict=True)])
    clear = np.abs(np.log(within)) > 1e-6
    assert np.array_equal(reached[clear], within[clear] <= 1) and 50 < reached.sum() < 350


def test_equivalents_have_the_same_error_at_every_data_scale(half):
    alike = half.equivalents(4)
    errors = [
        replica_curve([0.05, 0.3], HALF, ptft.Initialization(*one)).mse
        for one in zip(alike.c_pt, alike.lambda_pt, alike.gamma_ft, strict=True)
    ]
    assert alike.c_pt[0] / alike.c_pt[-1] > 10
    assert np.ptp(errors, axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert (alike.c_pt[0], alike.gamma_ft[0]) == (half.init.c_pt, half.init.gamma_ft)


# --- the optimum ----------------------------------------------------------------------------------------------------


def test_no_point_of_a_fine_grid_is_better(half):
    assert half.converged and half.on_bound == () and half.residual < 1e-12
    used, unused = half.scales
    near = landscape(HALF, 0.1, unused * np.geomspace(0.5, 2, 13), used / unused * np.geomspace(0.5, 2, 13))
    assert half.mse <= near.mse.min() * (1 + 1e-6)
    assert near.mse.min() == pytest.approx(near.mse[6, 6], rel=1e-6)
    assert near.mse[0, 0] > 1.001 * half.mse
    everywhere = landscape(HALF, 0.1, np.geomspace(1e-11, 400, 20), np.geomspace(1, 1e6, 15))
    assert half.mse <= np.nanmin(everywhere.mse) * (1 + 1e-6)
    assert np.isnan(everywhere.mse).any()


@pytest.mark.parametrize(
    ("teacher", "alpha", "noise_var"), [(SpikeSlab(0.1, 0.01, 1.0), 0.03, 0.0), (SpikeSlab(0.3, 0.2, 0.8), 0.3, 0.2)]
)
def test_no_initialization_of_a_grid_of_the_parameters_is_better(teacher, alpha, noise_var):
    bounds = Bounds((1e-5, 1.0), (-0.9999, 0.9), (0.0, 2.0))
    best = ptft.best_initialization(teacher, alpha, noise_var, bounds, usual={})
    c, off, gamma = np.meshgrid(
        np.geomspace(1e-5, 1, 7), np.geomspace(1e-4, 1.9, 7), [0, 1e-3, 1e-2, 0.1, 0.5, 2.0], indexing="ij"
    )
    init = ptft.Initialization(c.ravel(), (off.ravel() - 1) * c.ravel(), gamma.ravel())
    inactive = init.sqrt_k(0.0)
    errors = errors_by_rows(
        np.full(c.size, alpha), rows_of_scales(teacher, init.sqrt_k(1.0) - inactive, inactive), noise_var
    )
    assert best.mse <= errors.min() * (1 + 1e-6)
    assert best.mse >= 0.7 * errors.min()


def test_the_best_lazy_ratio_is_that_of_the_mean_squares():
    teacher = SpikeSlab(0.1, 0.1, 0.5, a_pt=1e4)
    best = ptft.best_initialization(teacher, 0.2, bounds=Bounds((1e2, 1e6), (0.0, 1.0), (0.0, 0.0)), usual={})
    assert best.scales[0] / best.scales[1] == pytest.approx(9.0, rel=0.05)
    weights = GaussianMixture([0.05, 0.05, 0.05, 0.85], 0.0, [10.0, 10.0, 0.0, 0.0], [81.0, 1.0, 81.0, 1.0])
    assert best.mse == pytest.approx(float(minimum_norm_error(0.2, weights)), rel=1e-3)


def test_a_dense_task_without_relation_to_pretraining_wants_no_bias():
    best = ptft.best_initialization(SpikeSlab(0.1, 1.0, 0.1), 0.4, usual={})
    assert best.mse == pytest.approx(0.6, rel=1e-4)  # least l2 norm: no estimator is better for Gaussian coefficients
    assert str(best.measures.regime) == "III" and best.measures.cost_ratio == pytest.approx(1, abs=0.02)


def test_without_pretrained_features_it_is_a_single_task():
    best = ptft.best_initialization(SpikeSlab(0.0, 0.2, 0.0), 0.3, usual={})
    assert best.mse == pytest.approx(best.single_task.mse, rel=1e-4)
    assert best.scales[1] == pytest.approx(2 * best.single_task.init.c_pt, rel=0.1)


@pytest.mark.parametrize(("rho_ft", "alpha"), [(0.1, 0.2), (0.1, 0.05)])
def test_pretraining_that_is_of_no_use_is_forgotten(rho_ft, alpha):
    best = ptft.best_initialization(SpikeSlab(0.1, rho_ft, 0.0), alpha, usual={})
    assert best.mse == pytest.approx(best.single_task.mse, rel=0.02)
    assert best.savings == pytest.approx({"single task": 0.0}, abs=1e-6)  # the accuracy of the search
    assert best.measures.cost_ratio == pytest.approx(1, abs=0.03) and "relative" in best.on_bound


def test_no_choice_is_better_and_savings_are_those_of_the_curves(half):
    assert USUAL.keys() == half.usual.keys()
    for name, choice in {**half.usual, "single task": half.single_task}.items():
        assert half.mse < choice.mse and 0 < half.savings[name] < 1
        teacher = SingleTask(0.1) if name == "single task" else HALF
        again = replica_curve(choice.alpha_needed, teacher, choice.init_needed)
        assert float(again.mse) == pytest.approx(half.mse, rel=1e-5)
        assert choice.init_needed is choice.init or name == "single task"
        assert half.savings[name] == half.saving(choice) == pytest.approx(1 - 0.1 / choice.alpha_needed)
    c = half.single_task.init.c_pt * np.array([0.5, 2.0])
    assert all(half.single_task.mse < replica_curve(0.1, SingleTask(0.1), ptft.Initialization(one)).mse for one in c)


@pytest.mark.parametrize(
    ("rho_ft", "omega", "alpha", "noise_var"), [(0.1, 1.0, 0.05, 0.0), (0.1, 0.5, 0.1, 0.0), (0.1, 1.0, 0.05, 0.05)]
)
def test_learning_alone_needs_what_the_best_scale_for_that_many_examples_needs(rho_ft, omega, alpha, noise_var):
    """Not the scale that is best at alpha: no c_pt of a grid reaches the error with fewer examples."""
    best = ptft.best_initialization(SpikeSlab(0.1, rho_ft, omega), alpha, noise_var, usual={})
    one, task = best.single_task, SingleTask(rho_ft)
    assert alpha < one.alpha_needed < 1
    kept = alpha_needed(best.target, task, one.init, noise_var)
    assert one.alpha_needed < 0.99 * kept
    c = np.geomspace(*best.bounds.single_task, 34)
    k = np.repeat((2 * c[:, None]) ** 2, 2, axis=1)
    law = task.mixture(one.init)
    rows = MixtureRows(law.weight[None], law.mean[None], law.variance[None], k, law.input_variance[None])
    at = errors_by_rows(np.full(c.size, one.alpha_needed * (1 - 1e-4)), rows, noise_var)
    assert at.min() > best.target * (1 - 1e-6)
    at = errors_by_rows(np.full(c.size, one.alpha_needed), rows, noise_var)
    assert at.min() == pytest.approx(best.target, rel=0.01)


def test_errors_below_the_resolution_count_as_equal():
    best = ptft.best_initialization(SpikeSlab(0.1, 0.01, 1.0), 0.3, usual={"start IV": USUAL["start IV"]})
    assert best.mse < best.target == 1e-4
    assert best.usual["start IV"].mse < 1e-4 and best.savings["start IV"] == 0
    assert best.on_bound  # without noise, smaller scales recover better still


def test_the_usual_choices_are_those_of_figure_5():
    for task in experiments.figure_5().values():
        for name, setting in task.items():
            assert vars(USUAL[name]) == vars(setting.init)


# --- the data scale that is needed ----------------------------------------------------------------------------------


def test_alpha_needed_inverts_the_lazy_error():
    init = ptft.Initialization(1e5)
    assert alpha_needed(0.25, SingleTask(0.3), init) == pytest.approx(0.75, abs=1e-4)
    assert alpha_needed(1e-3, SingleTask(0.3), init) == 1  # 0.999 of the coordinates, or all
    assert alpha_needed(2.0, SingleTask(0.3), init) == 1e-3
    # with noise the error is smallest in between, and falls to 0.1 again only as least squares
    assert alpha_needed(0.1, SingleTask(0.3), init, noise_var=0.5) == pytest.approx(6)
    assert alpha_needed(0.1, SingleTask(0.3).mixture(init), noise_var=0.5) == pytest.approx(6)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"teacher = .* must be a SpikeSlab"):
        ptft.best_initialization(SingleTask(0.1), 0.1)
    with pytest.raises(ValueError, match=r"alpha = 1.* between 0 and 1"):
        ptft.best_initialization(HALF, 1.0)
    with pytest.raises(ValueError, match=r"resolution = .* positive"):
        ptft.best_initialization(HALF, 0.1, resolution=0.0)
    with pytest.raises(ValueError, match=r"bounds\.relative = .* above -1 to 1"):
        Bounds(relative=(-1.0, 0.0))
    with pytest.raises(ValueError, match=r"bounds\.c_pt"):
        Bounds(c_pt=(1.0, 0.1))
    with pytest.raises(ValueError, match=r"ratio = 0\.5"):
        landscape(HALF, 0.1, [1.0], [0.5])
    for alpha in (1.5, 1.0, 0.0, -1.0):
        with pytest.raises(ValueError, match=f"alpha = {alpha:g}"):
            landscape(HALF, alpha, [1.0], [1.0])
    with pytest.raises(ValueError, match=r"noise_var = -1. is not allowed"):
        landscape(HALF, 0.1, [1.0], [1.0], noise_var=-1.0)
    for refuses in (lambda t: landscape(t, 0.1, [1.0], [1.0]), lambda t: ptft.best_initialization(t, 0.1)):
        with pytest.raises(ValueError, match=r"teacher = SingleTask.* is not allowed: it must be a SpikeSlab"):
            refuses(SingleTask())
    with pytest.raises(ValueError, match=r"init = None"):
        alpha_needed(0.1, HALF)


def test_a_landscape_that_nothing_reaches_is_empty():
    assert np.isnan(landscape(HALF, 0.1, [10.0], [2.0]).mse).all()


# --- figures --------------------------------------------------------------------------------------------------------


def test_figures_show_the_results(half):
    matplotlib.use("agg")
    field = landscape(HALF, 0.1, np.geomspace(1e-6, 10, 8), np.geomspace(1, 1e4, 8))
    ax = drawn.landscapes({"half": (field, half)}).axes[0]
    used, unused = half.scales
    assert ax.lines[-1].get_xydata()[0] == pytest.approx([unused, used / unused])
    assert sorted(text.get_text() for text in ax.texts if text.get_text() in USUAL) == sorted(USUAL)

    grid = {0.5: [[half, None]], 1.0: [[None, half]]}
    top = drawn.regime_map(grid, [0.1, 0.2], [0.1]).axes
    assert [[text.get_text() for text in ax.texts] for ax in top[:2]] == [[str(half.measures.regime)]] * 2
    saved = drawn.savings_map(grid, [0.1, 0.2], [0.1], {"start II": "base", "single task": "none"}).axes[:4]
    wanted = [f"{100 * half.savings[name]:.0f}" for name in ("start II", "start II", "single task", "single task")]
    assert [ax.texts[0].get_text() for ax in saved] == wanted
    assert saved[0].texts[0].get_position() == (0, 0) and saved[1].texts[0].get_position() == (1, 0)

    x, places = np.geomspace(1e-3, 1, 9), np.array([1e-3, 1.0])
    simulated = np.array([[1.5, 1.2], [1.4, 1.1], [1.7, 1.4]])
    ax = drawn.confirmation({"half": (x, 1 + x, places, simulated, unused)}).axes[0]
    (bars,) = ax.containers
    assert bars.lines[0].get_ydata().tolist() == [1.5, 1.2]
    assert np.ravel([line[:, 1] for line in bars.lines[2][0].get_segments()]) == pytest.approx([1.4, 1.7, 1.1, 1.4])
    plt.close("all")


# --- against exact end points ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_exact_end_points_confirm_the_optimum(half):
    """Paired over seeds: smaller and larger scales are worse on sampled data too, as is the base point."""
    bounds, (used, unused) = Bounds((1e-12, 1e6), (-1 + 1e-9, 1.0), (0.0, 1e3)), half.scales
    inits = [
        half.init,
        *(bounds.initializations(used - unused, k0 * unused, 1.0) for k0 in (1e-3, 1e3)),
        USUAL["start II"],
    ]
    mse = np.array(
        [
            [one.mse for one in ptft.simulation.simulate_many([(HALF, init) for init in inits], 0.1, 2000, seed)]
            for seed in range(10)
        ]
    )
    excess = mse[:, 1:] - mse[:, :1]
    assert np.all(excess.mean(axis=0) > 3 * excess.std(axis=0, ddof=1) / np.sqrt(10))
    assert mse[:, 0].mean() == pytest.approx(half.mse, rel=0.05)


@pytest.mark.parametrize("n", [3, 10, 19])
def test_of_the_lazy_initializations_the_ratio_of_the_mean_squares_is_the_best_for_every_design(n):
    """Proposition `prop-best-lazy`, by the exact mean error of least weighted l2 norm on given inputs."""
    rng, d, rho_pt, omega = np.random.default_rng(n), 20, 0.3, 0.6
    X, used = rng.standard_normal((n, d)), np.arange(d) < rho_pt * d
    best = omega / (1 - omega) * (1 - rho_pt) / rho_pt
    power = np.where(used, omega / rho_pt, (1 - omega) / (1 - rho_pt))  # E (beta*)^2, 1 on average

    def error(ratio):
        scale = np.where(used, ratio, 1.0)
        missed = np.eye(d) - scale[:, None] * X.T @ np.linalg.solve((X * scale) @ X.T, X)
        return np.sum(missed**2 * power)

    errors = [error(best * factor) for factor in (0.5, 0.9, 1.0, 1.1, 2.0)]
    assert int(np.argmin(errors)) == 2
