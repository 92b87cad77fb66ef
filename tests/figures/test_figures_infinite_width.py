"""The figures of the chapters on transfer at infinite width, drawn from results of the package."""

import io

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ptft import figures
from ptft import infinite_width as wide
from ptft.figures import adapted_kernels, two_theories
from ptft.figures.adapted_kernels import Line
from ptft.figures.two_theories import BothCurves
from ptft.two_theories import BothLosses

NU = np.linspace(0, 1, 21)


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        figures.style()
        yield
    plt.close("all")


def lines():
    coefficients = wide.source_coefficients(2.0, 0.5)
    measured = wide.simulate_fine_tuning([0.2, 0.6], (0.8, 0.0), coefficients, D=20, draws=2)
    return {
        "pretrained": Line(wide.fine_tuning_loss(NU, (0.8, 0.0), coefficients), (None, measured)),
        "nothing": Line(1 - NU),
    }


def draw_losses():
    return adapted_kernels.losses(NU, {"(a)": lines(), "(b)": lines()}, ("one kind", "another"), ratio=["(b)"])


def draw_spikes():
    gamma = np.linspace(0, 5, 11)
    curves = {kind: (gamma, wide.spike_size(gamma, 0.5, kind)) for kind in wide.KINDS}
    return adapted_kernels.spikes(curves, curves, {"network": ([1.0], [0.2])}, {"network": ([2.0], [0.7])}, ("l", "r"))


def draw_budget():
    gamma, points = np.geomspace(0.1, 100, 30), np.array([1.0, 10.0])
    measured = wide.simulate_fine_tuning(0.5, (0.8, 0.0), (0.0, points, 0.0), 0.1, D=20, draws=2)
    by_nu = {nu: Line(wide.budgeted_loss(nu, (0.8, 0.0), gamma, 0.5), (measured,)) for nu in (0.2, 0.8)}
    best = {nu: (3.0, 0.5) for nu in by_nu}
    return adapted_kernels.budget(gamma, by_nu, best, np.array([0.2, 0.5, 0.8]), np.array([30.0, 9.0, 3.0]), points)


@pytest.mark.filterwarnings("error")
def test_a_budget_of_which_nothing_is_best_has_lines_without_stars():
    gamma, nu = np.geomspace(0.1, 100, 30), np.array([0.2, 0.5])
    by_nu = {x: Line(wide.budgeted_loss(x, (0.0, 0.0), gamma, 0.5)) for x in nu}
    optimum = wide.optimal_gamma_1(nu, (0.0, 0.0), 0.5)
    assert not np.any((optimum > 0) & np.isfinite(optimum))
    fig = adapted_kernels.budget(gamma, by_nu, {x: (0.0, 1.0) for x in nu}, nu, optimum, np.empty(0))
    fig.savefig(io.BytesIO(), format="svg")
    assert not [line for ax in fig.axes for line in ax.lines if line.get_marker() == "*"]


def image_rows():
    values = [
        (f, P_1, g, P) for f in ("mean field", "network") for P_1 in (20, 50) for g in (0.0, 2.0) for P in (4, 16)
    ]
    names = ("features", "P_1", "gamma_1", "P_2")
    return [
        {**dict(zip(names, value, strict=True)), "draw": draw, "loss": (1 + draw + value[2]) / value[3]}
        for value in values
        for draw in range(3)
    ]


def draw_kernel_transfer():
    return adapted_kernels.kernel_transfer(image_rows())


def draw_both():
    alpha = np.array([0.25, 0.5])
    simulated = [BothLosses(alpha, np.full(2, loss), np.full(2, 0.4)) for loss in (0.5, 0.7)]
    both = {"some": BothCurves(1 - NU, 1 - NU**2, simulated), "none": BothCurves(1 - NU, 1 - NU)}
    return two_theories.both_losses(NU, {"left": both, "right": both})


def draw_lazy():
    return two_theories.lazy_limit(np.array([1.0, 10.0]), {"one": np.array([1e-2, 1e-4]), "two": np.array([1.0, 0.1])})


DRAWN = [draw_losses, draw_spikes, draw_budget, draw_kernel_transfer, draw_both, draw_lazy]


@pytest.mark.parametrize("draw", DRAWN)
def test_outer_axes_are_labelled_and_legends_are_clean(draw):
    fig = draw()
    for ax in fig.axes:
        grid = ax.get_subplotspec()
        assert ax.get_xlabel() or not grid.is_last_row()
        shared = bool(ax.get_shared_y_axes().get_siblings(ax)[1:])
        assert ax.get_ylabel() or (shared and not grid.is_first_col())
    legends = [*fig.legends, *(ax.get_legend() for ax in fig.axes if ax.get_legend())]
    shown = [text.get_text() for legend in legends for text in legend.get_texts()]
    assert shown and not any(text.startswith("_") for text in shown)


@pytest.mark.parametrize("draw", DRAWN)
def test_the_same_figure_has_the_same_bytes(draw):
    first, second = io.BytesIO(), io.BytesIO()
    for file in (first, second):
        draw().savefig(file, format="svg", metadata={"Date": None})
    assert first.getvalue() == second.getvalue()


def test_losses_and_ratios_are_drawn_where_they_belong():
    left, right = draw_losses().axes
    baseline, pretrained, *_ = left.lines
    assert np.array_equal(baseline.get_ydata(), 1 - NU)
    expected = lines()["pretrained"]
    assert np.array_equal(pretrained.get_ydata(), expected.loss)
    relative = right.lines[1]
    assert relative.get_xdata()[-1] < 1
    assert relative.get_ydata() == pytest.approx(expected.loss[:-1] / (1 - NU[:-1]))
    measured = expected.measured[1]
    for ax, scale in ((left, 1.0), (right, 1 / (1 - measured.nu_2))):
        (points,) = ax.containers
        assert points.lines[0].get_ydata() == pytest.approx(measured.mean * scale)
        assert points.lines[0].get_marker() == "s"  # the second kind, also where the first is absent


def test_images_are_averaged_over_draws_in_the_panel_of_their_source():
    left, right = draw_kernel_transfer().axes
    assert [left.get_title(), right.get_title()] == ["$P_1$ = 20", "$P_1$ = 50"]
    by_label = dict(zip(*reversed(left.get_legend_handles_labels()), strict=True))
    assert by_label[r"$\gamma_1$ = 0"].get_ydata() == pytest.approx([2 / 4, 2 / 16])
    assert by_label[r"$\gamma_1$ = 2"].get_ydata() == pytest.approx([4 / 4, 4 / 16])
    points = left.containers[0].lines[0]
    assert points.get_ydata() == pytest.approx([2 / 4, 2 / 16])


def test_differences_are_shown_in_per_cent_beside_the_law_of_large_numbers():
    pd = pytest.importorskip("pandas")
    columns = pd.MultiIndex.from_product([(20, 100), (0.0, 4.0)], names=["P_1", "gamma_1"])
    law = pd.DataFrame(np.outer([2.0, 1.0], [0.04, 0.02, 0.01, 0.03]), index=[100, 400], columns=columns)
    left, right = adapted_kernels.widths(law).axes
    assert left.lines[0].get_ydata() == pytest.approx([5, 2.5])  # of the mean over all lines
    assert [line.get_ydata()[0] for line in left.lines[1:]] == pytest.approx([8, 4])
    assert [line.get_ydata()[1] for line in right.lines[1:]] == pytest.approx([1, 3])
    low, high = left.get_ylim()
    shown = dict(zip(left.get_yticks(), [label.get_text() for label in left.get_yticklabels()], strict=True))
    assert [text for tick, text in shown.items() if low <= tick <= high] == ["1", "2", "5"]


def test_both_theories_show_means_over_seeds():
    left = draw_both().axes[0]
    diagonal, dense = (container.lines[0] for container in left.containers)
    assert diagonal.get_ydata() == pytest.approx([0.6, 0.6]) and dense.get_ydata() == pytest.approx([0.4, 0.4])
    assert diagonal.get_xdata() == pytest.approx([0.25, 0.5])


def test_one_draw_of_images_has_points_and_lines_without_intervals():
    rows = [row for row in image_rows() if row["draw"] == 0]
    fig = adapted_kernels.kernel_transfer(rows)
    assert not fig.axes[0].collections  # neither bands nor bars
    assert len(figures.data_of(fig)) == 2 * 2 * 2 * 2  # theory and network, P_1, gamma_1 and P_2


def test_losses_that_differ_little_have_a_linear_axis_and_others_a_logarithmic_one():
    assert {ax.get_yscale() for ax in draw_kernel_transfer().axes} == {"log"}
    near = [{**row, "loss": 1 + 0.01 * row["loss"]} for row in image_rows()]
    fig = adapted_kernels.kernel_transfer(near)
    assert {ax.get_yscale() for ax in fig.axes} == {"linear"}
    low, high = fig.axes[0].get_ylim()
    assert sum(low <= tick <= high for tick in fig.axes[0].get_yticks()) > 2
