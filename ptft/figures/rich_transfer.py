"""Figures of the chapter on transfer in the rich regime; each takes a table of `ptft.infinite_width.outcomes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from ptft.extras import needs_extra
from ptft.figures.curves import number
from ptft.figures.page_style import COLORS, beside, figure, ordered_colors
from ptft.infinite_width.dmft import Run
from ptft.infinite_width.outcomes import COLUMNS, by_gamma, curves, ends, gammas, ratios
from ptft.infinite_width.rich_transfer import KINDS, setting
from ptft.validation import checked, one_of, require, require_table

with needs_extra("sweep", __name__):
    import pandas as pd

_PLAIN = ("centred", "scratch")
TITLES = {"scratch": "from scratch", "centred": "after pretraining"}
GAUSSIAN_TITLES = {"3a": "3a: linear, then square", "3b": "3b: degree 5, then degree 2"}
LOOKS = {"centred": ("o", COLORS[0]), "reset": ("s", COLORS[1]), "raw": ("^", COLORS[2])}
STYLES: dict[str, dict[str, Any]] = {
    "network": {"ls": "-", "lw": 1.2, "alpha": 0.8},
    "theory": {"ls": (0, (4, 2)), "lw": 1.6},
}
KIND_HANDLES = [Line2D([], [], color="black", label=label, **STYLES[label]) for label in STYLES]


@checked
def title(name: str, dataset: str = "digits") -> str:
    """The title of a figure: its number and its two tasks.

    Parameters
    ----------
    name : str
        One of `ptft.infinite_width.rich_transfer.FIGURES`.
    dataset : str, default "digits"
        Of Figures 4 and 5, as in `ptft.infinite_width.rich_transfer.setting`.

    Raises
    ------
    ValueError
        If there is no such figure.

    Examples
    --------
    >>> title("3a"), title("4")
    ('3a: linear, then square', '4: classes 1/2, then 8/9')
    """
    pairs = setting(name, dataset).classes
    if pairs is None:
        return GAUSSIAN_TITLES[name]
    source, target = ("/".join(map(str, pair)) for pair in pairs)
    return f"{name}: classes {source}, then {target}"


@checked
def loss_curves(table: pd.DataFrame, names: tuple[str, ...] = ("3a", "3b"), draw: int = 0) -> Figure:
    """Test loss of the target against time for one draw, without and with pretraining, one row per figure (Figure 3).

    Solid: the finite network; dashed: the mean-field theory. One colour for each gamma_2.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> len(loss_curves(pd.read_parquet(results_file("rich_transfer.parquet"))).axes)
    4
    """
    require_table(table, "table", COLUMNS)
    require(draw in set(table["draw"]), "draw", draw, "in the table")
    fig, axes = figure(len(names), 2, height=2.5, sharex="row", sharey="row")
    for row, name in zip(axes, names, strict=True):
        for ax, start in zip(row, ("scratch", "centred"), strict=True):
            _losses(ax, table, name, start, draw)
            ax.set_title(f"{name}: {TITLES[start]}")
        row[0].set_ylabel("target test loss")
        row[1].legend(handles=[*_gamma_handles(table, name), *KIND_HANDLES], fontsize="x-small")
    for ax in axes[-1]:
        ax.set_xlabel("time $t$")
    return fig


@checked
def images(table: pd.DataFrame, draw: int = 0) -> Figure:
    """Loss curves on images with and without pretraining, and the density of preactivations after it (Figure 4).

    Dotted is the density before any training, at infinite width: the ``limit_density`` of the table.

    Raises
    ------
    ValueError
        If the table lacks a column or the density before training, or another argument is not allowed.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> fig = images(pd.read_parquet(results_file("rich_transfer.parquet")))
    >>> [ax.get_title() for ax in fig.axes]
    ['after pretraining', 'from scratch', 'preactivations']
    """
    require_table(table, "table", COLUMNS)
    require(draw in set(table["draw"]), "draw", draw, "in the table")
    fig, axes = figure(1, 3, height=2.8)
    axes[0, 1].sharey(axes[0, 0])
    for ax, start in zip(axes[0], _PLAIN, strict=False):
        _losses(ax, table, "4", start, draw)
        ax.set(title=TITLES[start], xlabel="time $t$", yscale="log")
    axes[0, 0].set_ylabel("target test loss")
    axes[0, 0].legend(handles=KIND_HANDLES, fontsize="x-small")
    axes[0, 1].legend(handles=_gamma_handles(table, "4"), fontsize="x-small", loc="upper right")
    density = axes[0, 2]
    before = curves(table, "limit_density", figure="4", kind=KINDS[0])[draw]  # the same with the runs of all kinds
    density.plot(before.index, before, color="black", lw=1, ls=":", label="untrained")
    for kind, look in STYLES.items():
        values = gammas(table, "4")
        for gamma_2, color in zip(values, ordered_colors(len(values)), strict=True):
            found = curves(table, "density", figure="4", start="centred", gamma_2=gamma_2, kind=kind)[draw]
            density.plot(found.index, found.where(found > 0), color=color, **look)
    density.set(title="preactivations", xlabel="preactivation $h$", ylabel="density $p(h)$", yscale="log")
    density.set_ylim(1e-5, 10)
    density.legend(fontsize="x-small", loc="upper right")
    return fig


@checked
def gains(table: pd.DataFrame, names: tuple[str, ...] = ("3a", "3b", "4"), kind: str = "network") -> Figure:
    """Test loss after pretraining over that from random neurons, where runs end, draw by draw, against gamma_2.

    One panel per figure; lines join geometric means over draws. Below 1, pretraining helps.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> fig = gains(pd.read_parquet(results_file("rich_transfer.parquet")))
    >>> [ax.get_title() for ax in fig.axes]
    ['3a: linear, then square', '3b: degree 5, then degree 2', '4: classes 1/2, then 8/9']
    """
    one_of(kind, "kind", KINDS)
    fig, axes = figure(1, len(names), height=2.7, sharey=True)
    for ax, name in zip(axes[0], names, strict=True):
        values = gammas(table, name)
        starts = [s for s in LOOKS if ((table["figure"] == name) & (table["start"] == s)).any()]
        for i, start in enumerate(starts):
            marker, color = LOOKS[start]
            ratio = ratios(table, figure=name, start=start, kind=kind).to_numpy()
            drawn = ax.plot(np.repeat(values, ratio.shape[1]), ratio.ravel(), marker, color=color, ms=3, alpha=0.6)
            drawn += ax.plot(values, np.exp(np.log(ratio).mean(axis=1)), color=color, label=start)
            beside(drawn, i, len(starts))
        ax.axhline(1, color="black", lw=0.8, ls="--")
        (dataset,) = table.loc[table["figure"] == name, "dataset"].unique()
        ax.set(title=title(name, dataset), xscale="log", xlabel=r"richness $\gamma_2$")
        ax.set_xticks(values, labels=[f"{v:g}" for v in values])
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    axes[0, 0].set_ylabel("target loss, over scratch")
    axes[0, 0].legend(fontsize="x-small")
    return fig


@checked
def sample_sizes(table: pd.DataFrame) -> Figure:
    """Test loss of the target where its runs end against the number of its examples, over draws (Figure 5).

    Left and middle: after pretraining and from random neurons, means and standard deviations over draws of networks,
    and (dashed) means of the mean-field theory. Right: the ratio of the two for each draw of networks, and geometric
    means over draws of networks and (dashed) of the theory.

    Raises
    ------
    ValueError
        If the table lacks a column, or the runs of networks or of the theory.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> fig = sample_sizes(pd.read_parquet(results_file("rich_transfer.parquet")))
    >>> [ax.get_title() for ax in fig.axes]
    ['after pretraining', 'from scratch', 'ratio']
    """
    require_table(table, "table", COLUMNS)
    fig, (axes,) = figure(1, 3, height=2.8)
    values = gammas(table, "5")
    sizes = sorted(table.loc[(table["figure"] == "5") & (table["P2"] > 0), "P2"].unique().tolist())
    ratio = {(kind, P2): ratios(table, figure="5", kind=kind, P2=P2) for kind in KINDS for P2 in sizes}
    for (i, gamma_2), color in zip(enumerate(values), ordered_colors(len(values)), strict=True):
        for kind, look in STYLES.items():
            for ax, start in zip(axes, _PLAIN, strict=False):
                point: dict[str, Any] = {"figure": "5", "start": start, "gamma_2": gamma_2, "kind": kind}
                last = pd.DataFrame([ends(table, P2=P2, **point) for P2 in sizes])
                if kind == "theory":
                    drawn = ax.plot(sizes, last.mean(axis=1), color=color, **look)
                else:
                    bars: dict[str, Any] = {"fmt": "o", "ms": 3, "capsize": 2, "color": color}
                    drawn = ax.errorbar(sizes, last.mean(axis=1), last.std(axis=1), **bars).get_children()
                beside(drawn, i, len(values))
            gain = np.array([ratio[kind, P2].loc[gamma_2] for P2 in sizes])
            drawn = axes[2].plot(sizes, np.exp(np.log(gain).mean(axis=1)), color=color, **look)
            if kind == "network":
                each = np.repeat(sizes, gain.shape[1]), gain.ravel()
                drawn += axes[2].plot(*each, "o", color=color, ms=3, alpha=0.6)
            beside(drawn, i, len(values))
    axes[1].sharey(axes[0])
    axes[2].axhline(1, color="black", lw=0.8, ls="--")
    for ax, title in zip(axes, (*map(TITLES.get, _PLAIN), "ratio"), strict=True):
        ax.set(title=title, xscale="log", xlabel="target examples $P_2$")
        ax.set_xticks(sizes, labels=sizes)
        ax.tick_params(axis="x", labelsize="medium" if len(sizes) < 5 else "small")
        ax.minorticks_off()
    axes[0].set_ylabel("target test loss")
    axes[2].set_ylabel("target loss, over scratch")
    points = Line2D([], [], color="black", marker="o", ms=3, ls="", label="network")
    axes[0].legend(handles=[points, KIND_HANDLES[1]], fontsize="x-small")
    axes[2].legend(handles=_gamma_handles(table, "5"), fontsize="x-small")
    return fig


@checked
def forgetting(table: pd.DataFrame, P2: Mapping[str, int], kind: str = "network") -> Figure:
    """Test loss on the source task after the target task against gamma_2, draw by draw; dashed: before it.

    Parameters
    ----------
    table : DataFrame
    P2 : mapping
        Number of target examples for each figure that is shown.
    kind : str

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> fig = forgetting(pd.read_parquet(results_file("rich_transfer.parquet")), {"3a": 100})
    >>> fig.axes[0].get_title()
    '3a'
    """
    one_of(kind, "kind", KINDS)
    fig, axes = figure(1, len(P2), height=2.6)
    for ax, (name, size) in zip(axes[0], P2.items(), strict=True):
        values = gammas(table, name)
        point: dict[str, Any] = {"figure": name, "start": "centred", "kind": kind, "P2": size}
        after = by_gamma(table, "source_loss", **point).to_numpy()
        for i, color in zip(range(after.shape[1]), COLORS * after.shape[1], strict=False):
            ax.plot(values, after[:, i], "o-", color=color, ms=3, lw=1, label=f"draw {i + 1}")
            before = ends(table, figure=name, start="source", kind=kind).iloc[i]
            ax.axhline(before, color=color, lw=0.8, ls="--", label=f"draw {i + 1}, before")
        ax.set(title=name, xscale="log", yscale="log", xlabel=r"richness $\gamma_2$")
        ax.set_xticks(values, labels=[f"{v:g}" for v in values])
        low, high = ax.get_ylim()
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 30 * low else (1.0,)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    axes[0, 0].set_ylabel("source test loss afterwards")
    return fig


@checked
def live(pairs: Mapping[str, tuple[Run, Run]]) -> Figure:
    """Train and test losses of theory (dashed) and network (solid), one panel for each pair of runs.

    Examples
    --------
    >>> from ptft.infinite_width import Task, train, weight_particles
    >>> X = np.random.default_rng(0).standard_normal((20, 4))
    >>> run = train(weight_particles(4, 100), Task(X[:10], X[:10, 0], X[10:], X[10:, 0]), 1.0, [0.0, 1.0, 10.0])
    >>> len(live({"one task": (run, run)}).axes[0].lines)  # train and test, of theory and network
    4
    """
    fig, axes = figure(1, len(pairs), height=2.5)
    for ax, (title, runs) in zip(axes[0], pairs.items(), strict=True):
        for (kind, look), run in zip(STYLES.items(), runs[::-1], strict=True):
            for name, color in (("test", COLORS[0]), ("train", COLORS[1])):
                label = f"{name}, {kind}"
                ax.plot(run.time[1:], getattr(run, f"{name}_loss")[1:], color=color, label=label, **look)
        ax.set(title=title, xlabel="time $t$", xscale="log", yscale="log")
    axes[0, 0].set_ylabel("loss")
    axes[0, -1].legend(fontsize="x-small")
    return fig


def _losses(ax: Axes, table: pd.DataFrame, name: str, start: str, draw: int) -> None:
    values = gammas(table, name)
    for kind, look in STYLES.items():
        for gamma_2, color in zip(values, ordered_colors(len(values)), strict=True):
            found = curves(table, figure=name, start=start, gamma_2=gamma_2, kind=kind)[draw]
            ax.plot(found.index[1:], found.iloc[1:], color=color, **look)
    ax.set_xscale("log")


def _gamma_handles(table: pd.DataFrame, name: str) -> list[Line2D]:
    values = gammas(table, name)
    looks = zip(values, ordered_colors(len(values)), strict=True)
    return [Line2D([], [], color=color, label=rf"$\gamma_2$ = {number(gamma_2)}") for gamma_2, color in looks]
