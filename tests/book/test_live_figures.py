"""The sliders of the live figures, what the script is given, and the pictures that take its place."""

import importlib.util
import sys

import numpy as np
import pytest
from conftest import ROOT

from ptft import SpikeSlab
from ptft.book import sliders
from ptft.book.sliders import SLIDERS
from ptft.figures.live import errors
from ptft.optimal_initialization import USUAL

CHAPTERS = {"02_ell_order_and_pretraining_dependence": "plane", "03_replica_solver": "error"} | {
    "11_which_initialization": "best",
    "12_scaling_laws_of_transfer": "scaling",
}


@pytest.fixture(scope="module")
def extension():
    """The extension that makes the live figures."""
    sys.path.insert(0, str(ROOT / "book" / "_ext"))  # it imports another one
    spec = importlib.util.spec_from_file_location("live_figures", ROOT / "book" / "_ext" / "live_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "book" / "_ext"))


def exact(text):
    """The number that a slider shows as `text`."""
    return sum(float(part) for part in text.split("+"))


def test_sliders_show_their_values_in_order():
    for name, slider in SLIDERS.items():
        shift = 1.0 if name == "relative" else 0.0
        assert slider.values == pytest.approx([exact(text) + shift for text in slider.texts], rel=1e-9), name
        assert np.all(np.diff(slider.values) > 0), name
    assert exact(SLIDERS["relative"].texts[-1]) == 1 and exact(SLIDERS["relative"].texts[0]) == -1 + 1e-6


def test_every_view_begins_at_positions_of_its_sliders():
    for view, start in sliders.VIEWS.items():
        assert [text in SLIDERS[name].texts for name, text in start.items()] == [True] * len(start), view
    for name, texts in sliders.BEST_OF.items():
        assert set(texts) <= set(SLIDERS[name].texts)


def test_every_overlap_is_possible_and_nearly_its_share_of_the_largest():
    for rho, row in zip(SLIDERS["rho_ft"].texts, sliders.overlaps(), strict=True):
        for share, omega in zip(SLIDERS["overlap"].texts, row, strict=True):
            SpikeSlab(sliders.RHO_PT, float(rho), float(omega))
            assert float(omega) == pytest.approx(float(share) * min(1, sliders.RHO_PT / float(rho)), abs=1e-4)


def test_the_script_is_given_the_initializations_of_the_package(extension):
    usual = extension.specification("best")["usual"]
    for name, init in USUAL.items():
        given = usual[name]
        scale = 2 * given["c_pt"] * given["distance"] * (1 + np.hypot(1, 1 / given["c_pt"])) + given["gamma_ft"] ** 2
        assert scale == pytest.approx(float(init.sqrt_k(1.0)), rel=1e-12), name


def test_the_page_says_at_how_many_data_scales_the_best_is_computed(extension):
    given = extension.specification("error")["best_at"]
    assert len(set(given)) == len(given) and given == sorted(given)
    assert f"and at {len(given)} others" in (ROOT / "book" / "explorers.md").read_text(encoding="utf-8")


def test_the_picture_shows_every_curve_down_to_the_floor():
    alpha = np.array([0.1, 0.2, 0.3])
    ax = errors(alpha, {"a": 10.0**-alpha, "b": np.zeros(3)}, floor=1e-4).axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.lines[0].get_ydata() == pytest.approx(10.0**-alpha) and ax.get_ylim() == (1e-4, 10)


@pytest.mark.parametrize(("chapter", "view"), CHAPTERS.items())
def test_the_figures_stand_where_they_are_needed(chapter, view):
    assert f"```{{explorer}} {view}\n" in (ROOT / "notebooks" / f"{chapter}.md").read_text(encoding="utf-8")
    assert f"```{{explorer}} {view}\n" in (ROOT / "book" / "explorers.md").read_text(encoding="utf-8")
