"""The figures of the chapter on scaling laws show what they are given."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ptft import figures
from ptft.figures.scaling import Curve, best_scales, learning_curves, slopes, worth

N = np.array([10.0, 100.0, 1000.0])


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        figures.style()
        yield
    plt.close("all")


def rows(fig, panel, series):
    return [row for row in figures.data_of(fig) if row["panel"] == panel and row["series"] == series]


def test_a_learner_has_one_colour_in_all_panels_and_its_closed_form_too():
    curves = {"lazy": Curve(N, 1 / N, 1.1 / N), "rich": Curve(N, 1 / N**2)}
    fig = learning_curves({"gentle": curves, "steep": {"rich": curves["rich"]}})
    lines = [{line.get_label(): line.get_color() for line in ax.lines} for ax in fig.axes]
    assert lines[0]["lazy"] == lines[0]["lazy: closed form"] != lines[0]["rich"] == lines[1]["rich"]
    assert [row["y"] for row in rows(fig, 1, "lazy")] == pytest.approx(1 / N)


def test_simulations_stand_beside_the_curve_with_their_intervals():
    points = N[:2], np.array([0.2, 0.02]), np.array([0.1, 0.01]), np.array([0.4, 0.04])
    fig = learning_curves({"a": {"lazy": Curve(N, 1 / N, points=points)}})
    drawn = [row for row in figures.data_of(fig) if row["kind"] == "points"]
    for name, values in zip(("y", "low", "high"), points[1:], strict=True):
        assert [row[name] for row in drawn] == pytest.approx(values), name
    assert "exact end points" in [text.get_text() for text in fig.legends[0].get_texts()]


def test_exponents_have_a_linear_axis():
    fig = slopes({"a": {"lazy": Curve(N, np.ones(3))}}, expected=[1.5])
    assert fig.axes[0].get_yscale() == "linear" and fig.axes[0].lines[1].get_ydata() == [1.5, 1.5]


def test_data_that_are_lost_are_not_drawn_on_a_logarithmic_axis():
    fig = worth(N, {"memory": np.array([30.0, 50.0, np.nan])})
    assert [row["y"] for row in rows(fig, 1, "memory")][:2] == pytest.approx([3.0, 0.5])
    difference = fig.axes[1].lines[0].get_ydata()
    assert difference[0] == 20 and np.isnan(difference[1:]).all()


def test_every_number_of_examples_has_its_line():
    fig = best_scales(N, {"alone": [N, 2 * N], "pretrained": [N, N]}, [10.0, 1000.0])
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["$n = 10$", r"$n = 1{,}000$"]
    assert [line.get_ydata().tolist() for line in fig.axes[0].lines] == [N.tolist(), (2 * N).tolist()]
