"""Figures of transfer in the rich regime, drawn from a table of tiny runs."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from ptft.figures import rich_transfer as figures
from ptft.infinite_width import rich_transfer
from ptft.infinite_width.outcomes import curves, ends
from ptft.infinite_width.rich_transfer import DIGITS, FIGURES, GAUSSIAN, KINDS, STARTS
from ptft.sweeps import engine
from ptft.sweeps import rich_transfer as rich_sweep

TINY = replace(GAUSSIAN["3a"], D=4, P1=8, P2=(4,), gamma_2=(0.5, 1.0), n_test=6, t_end=1.0)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two draws of every figure, on Gaussian inputs, with two sizes of target in Figure 5."""
    plain = replace(TINY, starts=STARTS[:2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GAUSSIAN, "3a", TINY)
        patch.setitem(GAUSSIAN, "3b", replace(plain, figure="3b"))
        patch.setitem(DIGITS, "4", replace(plain, figure="4", dataset="digits"))
        patch.setitem(DIGITS, "5", replace(plain, figure="5", dataset="digits", P2=(2, 4)))
        plan = rich_sweep.plan(FIGURES, range(2), 10)
        found, _ = engine.run(rich_sweep.SWEEP, plan, tmp_path_factory.mktemp("work"))
    return found["rich_transfer"]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_loss_curves_are_those_of_the_table(table):
    axes = figures.loss_curves(table, draw=1).axes
    assert len(axes) == 4 and all(len(ax.lines) == 2 * 2 for ax in axes)
    drawn = [line.get_ydata() for line in axes[1].lines]
    for kind in KINDS:
        wanted = curves(table, figure="3a", start="centred", gamma_2=0.5, kind=kind)[1].iloc[1:]
        assert sum(np.array_equal(one, wanted) for one in drawn) == 1


def test_images_show_losses_and_densities_beside_the_law_before_training(table):
    axes = figures.images(table, draw=1).axes
    assert [len(ax.lines) for ax in axes] == [4, 4, 5]
    target = rich_transfer.tasks(TINY, 1)[1]  # inputs of Figure 4 too
    untrained = rich_transfer.untrained_preactivations(target.X_test).density
    assert axes[2].lines[0].get_ydata() == pytest.approx(untrained, rel=1e-6)


def test_gains_have_a_line_for_each_start(table):
    axes = figures.gains(table).axes
    assert len(axes[0].get_legend().get_texts()) == 3  # centred, reset, raw
    assert [len(ax.lines) for ax in axes] == [7, 3, 3]  # points and a line for each, and the line at one


def test_forgetting_and_sample_sizes(table):
    axes = figures.forgetting(table, {"3a": 4, "5": 4}).axes
    assert [len(ax.lines) for ax in axes] == [4, 4]  # two draws, each after and before
    after, scratch, ratio = figures.sample_sizes(table).axes
    assert len(after.containers) == len(scratch.containers) == 2  # networks, with one dashed line of theory for each
    assert len(ratio.lines) == 2 * (2 + 1) + 1  # means of both kinds and points of networks, and the line at one
    assert after.get_ylim() == scratch.get_ylim() and ratio.get_xlabel()
    drawn = [line.get_ydata() for line in scratch.lines if line.get_linestyle() == "--"]
    for gamma_2 in (0.5, 1.0):
        points = [{"figure": "5", "start": "scratch", "gamma_2": gamma_2, "kind": "theory", "P2": P2} for P2 in (2, 4)]
        wanted = [ends(table, **point).mean() for point in points]
        assert sum(np.array_equal(one, wanted) for one in drawn) == 1


def test_live_runs():
    source, _ = rich_transfer.tasks(TINY)
    runs = [rich_transfer.source_run(TINY, source, rich_transfer.neurons(4, 10, kind, 0)) for kind in KINDS]
    (ax,) = figures.live({"one": tuple(runs)}).axes
    assert len(ax.lines) == 4 and np.array_equal(ax.lines[0].get_ydata(), runs[1].test_loss[1:])


def test_every_figure_of_the_paper_has_a_title_and_every_start_a_look():
    assert [figures.title(name)[: len(name) + 2] for name in FIGURES] == [f"{name}: " for name in FIGURES]
    assert figures.title("5", "cifar-10") == "5: classes 0/1, then 0/9"
    assert {"scratch", *figures.LOOKS} == set(STARTS) > set(figures.TITLES)
