"""The figures, drawn from real results, and their common style."""

import io
import itertools

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from scipy import stats

import ptft
from ptft import Initialization, figures
from ptft.figures import curves, narrow, optimal_initialization, tour
from ptft.optimal_initialization import landscape
from ptft.regimes import measures, phase_portrait
from ptft.stopping_rule import StoppedPoint


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        figures.style()
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def stages():
    """Both stages of training of a small network, the teacher of the first and the minimiser of the second."""
    rng = np.random.default_rng(0)
    d, init = 8, Initialization(0.1, -0.05)
    beta_pt = np.array([1.0, -1, 1, 0, 0, 0, 0, 0])
    X_pt, X_ft = rng.standard_normal((d + 2, d)), rng.standard_normal((4, d))
    pretraining = ptft.train(X_pt, X_pt @ beta_pt, ptft.pretraining_weights(init, d), tolerance=1e-6)
    y = X_ft @ np.array([2.0, 0, 0, 1, 0, 0, 0, 0])
    fine_tuning = ptft.train(X_ft, y, ptft.fine_tuning_weights(pretraining.weights, 0.0), tolerance=1e-6)
    return pretraining, fine_tuning, beta_pt, ptft.min_penalty(X_ft, y, init.k(beta_pt))


def test_the_style_is_all_that_there_is():
    before = matplotlib.rcParams.copy()
    matplotlib.rcParams.update({"text.usetex": True, "axes.xmargin": 0.3, "font.size": 30, "lines.marker": "x"})
    figures.style()
    assert dict(matplotlib.rcParams) == dict(before)


def draw_shapes():
    z = np.geomspace(1e-2, 1, 100)
    return figures.penalty_shapes(z, {root: ptft.penalty(z, root**2) for root in (0.1, 1.0)})


def draw_scales():
    beta_pt = np.geomspace(1e-2, 1, 20)
    scales = {f"{c:g}": Initialization(c).sqrt_k(beta_pt) for c in (0.01, 0.1, 1.0)}
    return figures.penalty_scales(beta_pt, {"one": scales, "two": scales})


def draw_measures():
    ratio = np.geomspace(0.1, 10, 20)
    return figures.measure_curves(ratio, {"curve": (ratio, Initialization(1.0).kappa(ratio))})


def draw_triangle():
    c = np.geomspace(1e-3, 1e2, 20)
    return figures.triangle({f"at {b:g}": measures(1.0, b, Initialization(c)) for b in (1.0, 0.0)})


def portraits(gammas=(0.0, 1.0)):
    c, relative = np.geomspace(1e-3, 10, 9), np.linspace(-0.9, 1, 7)
    return [phase_portrait(c, relative, gamma, 1.0, beta_pt) for gamma in gammas for beta_pt in (1.0, 0.0)]


def draw_portraits():
    return figures.phase_portraits(portraits())


DRAWN = [draw_shapes, draw_scales, draw_measures, draw_triangle, draw_portraits]


@pytest.mark.parametrize("draw", DRAWN)
def test_outer_axes_are_labelled(draw):
    fig = draw()
    for ax in fig.axes:
        grid = ax.get_subplotspec()
        if grid is None or ax.get_label() == "<colorbar>":
            assert ax.get_ylabel()
            continue
        assert ax.get_xlabel() or not grid.is_last_row()
        shared = bool(ax.get_shared_y_axes().get_siblings(ax)[1:])
        assert ax.get_ylabel() or (shared and not grid.is_first_col())


@pytest.mark.parametrize("draw", DRAWN)
def test_the_same_figure_has_the_same_bytes(draw):
    first, second = io.BytesIO(), io.BytesIO()
    for file in (first, second):
        draw().savefig(file, format="svg", metadata={"Date": None})
    assert first.getvalue() == second.getvalue()
    assert b"<text" not in first.getvalue()  # letters are paths, which look the same everywhere


def test_penalties_are_drawn_between_their_limits_and_collapse():
    left, right = draw_shapes().axes
    quadratic, absolute, *between = (line.get_ydata() for line in left.lines)
    assert len(between) == 2
    for q in between:
        assert np.all(q >= quadratic - 1e-12) and np.all(q <= absolute + 1e-12)
    (x0, q0), (x1, q1) = (line.get_data() for line in right.lines[:2])
    assert np.interp(0.5, x0, q0) == pytest.approx(np.interp(0.5, x1, q1), rel=0.005)


def test_training_ends_at_the_crosses(stages):
    fig = figures.training(*stages)
    assert len(fig.axes) == 2
    for ax in fig.axes:
        *traces, crosses = [line for line in ax.lines if len(line.get_xdata())]
        assert len(traces) == 8
        ends = sorted(line.get_ydata()[-1] for line in traces)
        assert ends == pytest.approx(sorted(crosses.get_ydata()), abs=1e-5)
        assert crosses.get_xdata()[0] > max(line.get_xdata()[-1] for line in traces)
    assert [text.get_text() for text in fig.legends[0].get_texts()][:2] == [
        "active in pretraining",
        "inactive in pretraining",
    ]


def test_training_is_thinned_for_the_page_but_keeps_its_end(stages):
    fig = figures.training(*stages)
    curve = fig.axes[1].lines[0]
    assert len(curve.get_xdata()) <= 160
    assert curve.get_xdata()[-1] == stages[1].time[-1]


def test_training_that_has_nothing_to_learn_is_drawn_at_its_start():
    zero = np.zeros(2)
    run = ptft.train(np.eye(2), zero, ptft.pretraining_weights(Initialization(0.1), 2))
    fig = figures.training(run, run, zero, ptft.min_penalty(np.eye(2), zero, 1.0))
    assert all(np.all(line.get_ydata() == 0) for ax in fig.axes for line in ax.lines)


@pytest.mark.parametrize("share", [1.0, 0.0, -0.99, -0.9999, -1 + 1e-7])
def test_a_relative_scale_and_one_closer_to_the_end_have_two_names(share):
    one, closer = (Initialization(1e-3, (1 + share) / factor * 1e-3 - 1e-3) for factor in (1, 100))
    assert curves.relative_scale(one) != curves.relative_scale(closer)


def test_numbers_on_figures_have_a_minus_and_powers_of_ten():
    assert curves.number(-0.9) == "−0.9" and curves.number(-2e-7) == r"$-2 \cdot 10^{-7}$"
    assert curves.relative_scale(Initialization.at_distance(1.0, 0.01)) == "−0.99"
    assert curves.relative_scale(Initialization.at_distance(1.0, 1e-6)) == "−1 + $10^{-6}$"


def test_the_names_on_a_landscape_do_not_cover_each_other():
    task = ptft.SpikeSlab(0.1, 0.1, 0.5)
    field = landscape(task, 0.1, np.geomspace(1e-12, 1e3, 4), np.geomspace(1, 1e8, 4))
    best = ptft.best_initialization(task, 0.1)
    fig = optimal_initialization.landscapes(dict.fromkeys("abc", (field, best)))
    fig.draw_without_rendering()
    for ax in fig.axes[:3]:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) == len(best.usual) and not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_a_narrow_figure_has_the_labels_of_its_row_and_column_at_each_panel():
    fig, axes = figures.figure(2, 2)
    for row, ax in enumerate(axes[:, 0]):
        ax.set_ylabel(f"row {row}")
    for column, ax in enumerate(axes[1]):
        ax.set_xlabel(f"column {column}")
    axes[0, 1].set_ylabel("another")
    narrow.stack(fig)
    assert [ax.get_ylabel() for ax in fig.axes] == ["row 0", "another", "row 1", "row 1"]
    assert [ax.get_xlabel() for ax in fig.axes] == ["column 0", "column 1"] * 2


def test_each_family_of_scales_has_its_panel_and_each_curve_its_name():
    fig = draw_scales()
    assert [ax.get_title() for ax in fig.axes] == ["one", "two"]
    assert all(len(ax.lines) == 3 == len(ax.get_legend().get_texts()) for ax in fig.axes)


def test_titles_of_many_initializations_are_broken_to_fit_their_panels():
    names = [f"number {i}, which has a long name" for i in range(5)]
    fig = tour.penalties({name: Initialization(1.0) for name in names}, 1.0, 2.0)
    titles = [ax.get_title() for ax in fig.axes]
    assert [" ".join(title.split("\n")) for title in titles] == names
    assert max(len(line) for title in titles for line in title.split("\n")) <= 16


def test_triangle_shows_its_corners_and_the_ends_of_every_path():
    ax = draw_triangle().axes[0]
    assert [text.get_text() for text in ax.texts] == ["I", "II", "III", "IV"]
    corners = ax.patches[0].get_path().vertices[:3]
    assert corners.tolist() == [[1, 0], [2, -1], [2, 0]]
    path, start, end, *rest = ax.lines
    assert len(rest) == 3
    assert start.get_xydata()[0].tolist() == path.get_xydata()[0].tolist()
    assert end.get_xydata()[0].tolist() == path.get_xydata()[-1].tolist()


def test_phase_portraits_share_their_colours_and_leave_out_the_empty_row():
    fig = draw_portraits()
    panels = [
        ax for ax in fig.axes if any(isinstance(c, QuadMesh) for c in ax.collections) and ax.get_xscale() == "log"
    ]
    assert len(panels) == 6  # two rows for the active coordinate, one for the inactive, in two columns
    limits = [ax.collections[0].get_clim() for ax in panels]
    assert limits == [(1, 2), (1, 2), (-1, 0), (-1, 0), (1, 2), (1, 2)]
    drawn = panels[0].collections[0].get_array()
    assert np.array_equal(np.asarray(drawn).reshape(7, 9), portraits()[0].measures.ell_order)
    assert [ax.get_title() for ax in panels[:2]] == [
        r"$\gamma_{\mathrm{FT}}$ = 0",
        r"$\gamma_{\mathrm{FT}}$ = 1",
    ]


def test_colours_of_ordered_values_grow_lighter_and_are_distinct():
    lightness = [np.dot(color[:3], [0.2126, 0.7152, 0.0722]) for color in figures.ordered_colors(6)]
    assert np.all(np.diff(lightness) > 0.05)
    assert len(set(figures.COLORS)) == len(figures.COLORS)


def test_figures_are_saved_whole(tmp_path):
    path = tmp_path / "figure.svg"
    figures.save(draw_measures(), path)
    first = path.read_bytes()
    figures.save(draw_measures(), path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["figure.svg"]


def test_designs_show_mean_ratios_with_their_intervals():
    fig = curves.on_designs({"one": np.array([[0.9, 1.1], [0.4, 0.6]]), "two": np.ones((2, 2))}, ["lazy", "rich"])
    bars = fig.axes[0].containers
    assert [b.lines[0].get_ydata().tolist() for b in bars] == [[1.0, 1.0], [0.5, 1.0]]
    (low, high), _ = bars[1].lines[2][0].get_segments()
    half = stats.t.ppf(0.975, 1) * 0.1  # of two seeds, a standard error of 0.1
    assert [low[1], high[1]] == pytest.approx([0.5 - half, 0.5 + half])


def test_finite_size_shows_each_deviation_in_per_cent_with_its_interval():
    fig = curves.finite_size({"one": {250: (0.1, 0.05), 1000: (0.02, 0.01)}, "two": {250: (0.0, 0.2)}})
    bars = [container for container in fig.axes[0].containers]
    assert bars[0].lines[0].get_ydata().tolist() == [10.0, 2.0]
    (lower, upper), _ = bars[0].lines[2][0].get_segments()
    assert [lower[1], upper[1]] == pytest.approx([5.0, 15.0])
    assert [tick.get_text() for tick in fig.axes[0].get_xticklabels()] == ["250", "1000"]


def test_the_stopping_rule_shows_mean_errors_and_median_epochs():
    def point(mse, epochs, loss):
        return StoppedPoint(loss, True, epochs, mse, 0.1, 0.01, "amp", 50)

    seeds = [[point(0.1, 10, 1e-2), point(0.02, 100, 1e-4)], [point(0.3, 30, 1e-2), point(0.04, 300, 1e-4)]]
    fig = curves.stopping_rule({0.0: [seeds, seeds], 1.0: [seeds, seeds]}, np.array([0.1, 0.2]))
    end, first, second = (line.get_ydata() for line in fig.axes[0].lines)
    assert np.allclose(end, 0.01) and np.allclose(first, 0.2) and np.allclose(second, 0.03)
    assert [line.get_ydata()[0] for line in fig.axes[2].lines] == [20, 20, 200, 200]


def test_a_table_without_knobs_shows_its_baseline():
    from ptft.book.results import results_file
    from ptft.figures import vision as drawn
    from ptft.sweeps import vision as vision_sweep
    from ptft.vision import scaling_order, signature

    tables = [
        vision_sweep.SWEEP.read_table(results_file(f"{name}.parquet"))[0] for name in ("vision", "representations")
    ]
    accuracies, representations = (table[table["knob"].isin(["baseline", "untrained"])] for table in tables)
    figs = (
        drawn.accuracy_curves(accuracies, ["kappa"]),
        drawn.trends(accuracies),
        drawn.signature_curves(signature(representations)),
    )
    assert [fig.axes[0].get_title() for fig in figs] == ["baseline"] * 3
    assert [len(fig.axes) for fig in figs] == [1, 1, 2] and len(drawn.dimensions(representations, 100).axes) == 3
    assert len(figs[0].axes[0].containers) == 2
    slopes = [bars.lines[0].get_xdata() for bars in figs[1].axes[0].containers]
    assert [len(x) for x in slopes] == [0, 0, 0]  # there is none without a second value
    assert scaling_order(accuracies)["trained"] == [1.0] and scaling_order(tables[0])["recalibrated"][0] == 0.25


def test_trends_of_several_sets_stand_in_the_panels_of_their_knobs():
    from ptft.book.results import results_file
    from ptft.figures import vision as drawn
    from ptft.sweeps import vision as vision_sweep
    from ptft.trends import trend

    table, _ = vision_sweep.SWEEP.read_table(results_file("vision.parquet"))
    other = table[table["n"].isin([20, 100]) & ~table["knob"].isin(["kappa", "weights"])]
    other = other.assign(accuracy=other["accuracy"] * 2)
    fig = drawn.trends_of_sets({"all": table, "few": other})
    assert [ax.get_title() for ax in fig.axes] == [drawn.SYMBOLS[knob] for knob in ("kappa", "c", "gamma", "weights")]
    first, second = fig.axes[1].containers
    assert (first.get_label(), second.get_label()) == ("all", "few")
    assert np.allclose(second.lines[0].get_ydata(), [200 * trend(table, "c")[n].mean for n in (20, 100)])
    assert [len(ax.containers[1].lines[0].get_xdata()) for ax in fig.axes] == [0, 2, 2, 0]
    both = drawn.trends_of_sets({"all": table}, ("accuracy", "accuracy_recalibrated"))
    upper, lower = (both.axes[i].containers[0].lines[0].get_ydata() for i in (0, len(both.axes) // 2))
    for drawn_row, column in ((upper, "accuracy"), (lower, "accuracy_recalibrated")):
        assert np.allclose(drawn_row, [100 * one.mean for one in trend(table, "kappa", column).values()])
    (shares,) = drawn.trends_of_sets({"all": table.assign(inherited=table["accuracy"])}, ["inherited"]).axes[:1]
    assert np.allclose(100 * shares.containers[0].lines[0].get_ydata(), upper)  # only accuracies are in per cent
    with pytest.raises(ValueError, match=r"tables = \{\} is not allowed: it must be one at least"):
        drawn.trends_of_sets({})
    with pytest.raises(ValueError, match="columns = 'loss' is not allowed: it must be one of accuracy"):
        drawn.trends_of_sets({"all": table}, ["loss"])


def test_a_panel_on_a_telephone_has_the_label_of_its_own_row():
    fig = draw_portraits()
    narrow.stack(fig)
    panels = [ax for ax in fig.axes if ax.get_subplotspec() is not None]
    found = [ax.get_ylabel().split("\n")[0] for ax in panels]
    active, inactive = (rf"$\beta_{{\mathrm{{PT}}}}$ = {beta}" for beta in (1, 0))
    assert found == [active] * (2 * len(found) // 3) + [inactive] * (len(found) // 3)
