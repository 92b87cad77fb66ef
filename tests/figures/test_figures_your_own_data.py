"""The figures of the chapter on real tables."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from ptft import figures
from ptft.figures import your_own_data as drawn
from ptft.figures.narrow import stack


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        figures.style()
        yield
    plt.close("all")


def test_the_star_stands_at_the_least_mean_error_of_all():
    ridges = np.array([10.0, 1.0, 0.1])
    paths = {"one": np.array([[0.5, 0.7], [0.3, 0.4], [0.6, 0.6]]), "two": np.full((3, 2), 0.5)}
    ax = drawn.cross_validation(ridges, paths).axes[0]
    (star,) = [line for line in ax.lines if line.get_marker() == "*"]
    assert star.get_xdata() == [1.0] and star.get_ydata() == pytest.approx(0.35)
    rows = figures.data_of(ax.figure)
    assert {row["series"] for row in rows} == {"one", "two", "chosen"}


def test_a_method_keeps_its_colour_where_another_is_missing():
    one, two = np.array([[0.5, 0.4], [0.1, 0.1]]), np.array([[0.3, 0.2], [0.1, 0.1]])
    fig = drawn.errors([15, 30], {"a": {"first": one, "second": two}, "b": {"second": two}})
    colours = [[line.get_color() for line in ax.lines if line.get_label() != "_child0"] for ax in fig.axes]
    assert colours[0][-1] == colours[1][-1] == figures.COLORS[1]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["first", "second"]
    assert len(drawn.errors([15], {name: {"one": one[:, :1]} for name in "abcd"}).axes) == 4  # no empty panel


def test_a_map_counts_from_the_best_of_each_column():
    error = np.array([[0.5, 0.3], [0.4, 0.6]])
    maps = {"measured": {"wine": error, "digits": error}, "predicted": {"wine": error[::-1], "digits": error}}
    fig = drawn.starts(["I", "II"], [15, 30], maps)
    assert [text.get_text() for text in fig.axes[0].texts] == ["25", "0", "0", "100"]
    stack(fig)
    assert [ax.get_title() for ax in fig.axes[:4]] == ["wine", "digits"] * 2
    assert [ax.get_ylabel() for ax in fig.axes[:4]] == ["measured"] * 2 + ["predicted"] * 2


def test_equal_errors_lie_on_the_line_that_is_drawn():
    fig = drawn.predicted_and_measured({"a": np.array([[0.2, 0.4], [0.3, 0.9], [0.1, 0.1]])})
    line = fig.axes[0].lines[-1]
    assert [list(line.get_xdata()), list(line.get_ydata())] == [[0.2, 0.9]] * 2
