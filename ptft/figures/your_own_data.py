"""Figures of the chapter on real tables: cross-validation, errors beside other methods, starts and their prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ptft.figures.page_style import COLORS, beside, figure
from ptft.validation import checked

MARKERS = "osD^vP*X"
ERROR = "test error"
WORST = 60  # per cent above the best, from which on a map has its darkest colour


@checked
def cross_validation(ridges: np.ndarray, paths: Mapping[str, np.ndarray]) -> Figure:
    """Error on what the folds leave out along the ridge: means with standard errors over folds, the least as a star.

    Parameters
    ----------
    ridges : ndarray, shape (ridges,)
    paths : mapping from the name of an initialization to an ndarray, shape (ridges, folds)

    Examples
    --------
    >>> fig = cross_validation(np.array([1.0, 0.1]), {"start I": np.array([[0.5, 0.6], [0.4, 0.6]])})
    >>> fig.axes[0].get_xscale()
    'log'
    """
    fig, axes = figure(1, 1, height=2.9)
    ax = axes[0, 0]
    best = min(paths, key=lambda name: float(paths[name].mean(axis=1).min()))
    for i, ((name, path), color, marker) in enumerate(zip(paths.items(), COLORS, MARKERS, strict=False)):
        mean, error = path.mean(axis=1), path.std(axis=1, ddof=1) / np.sqrt(path.shape[1])
        drawn = ax.errorbar(ridges, mean, error, fmt=f"{marker}-", color=color, elinewidth=0.8, label=name)
        beside([*drawn.lines[2], drawn.lines[0]], i, len(paths), 2.0)
        if name == best:
            j = int(mean.argmin())
            beside(ax.plot(ridges[j], mean[j], "k*", mec="white", ms=13, zorder=5, label="chosen"), i, len(paths), 2.0)
    ax.set(xscale="log", yscale="log", xlabel="ridge", ylabel="squared error\non what is left out")
    ax.legend(ncols=2)
    return fig


@checked
def errors(sizes: Sequence[int], panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Test error against the number of examples, a panel for each table: means with 95 % intervals.

    Parameters
    ----------
    sizes : sequence of int
    panels : mapping from the title of a panel to arrays by the name of a method, each of shape (2, sizes)
        The means, and half the widths of their intervals.

    Examples
    --------
    >>> one = {"lasso": np.array([[0.5, 0.4], [0.05, 0.03]])}
    >>> fig = errors([15, 30], {"wine": one, "digits": one})
    >>> [ax.get_title() for ax in fig.axes]
    ['wine', 'digits']
    """
    columns = min(len(panels), 3)
    fig, axes = figure(-(-len(panels) // columns), columns, height=2.4, sharex=True)
    methods = list(dict.fromkeys(name for found in panels.values() for name in found))
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    for place, (ax, (title, found)) in enumerate(zip(axes.flat, panels.items(), strict=False)):
        for name, (mean, half) in found.items():
            i = methods.index(name)
            look = {"fmt": f"{MARKERS[i]}-", "color": COLORS[i], "elinewidth": 0.8, "markersize": 3.5, "linewidth": 1.0}
            drawn = ax.errorbar(sizes, mean, half, label=name, **look)
            beside([*drawn.lines[2], drawn.lines[0]], i, len(methods), 2.0)
        ax.set_title(title)
        ax.set_xscale("log")
        ax.set_xticks(list(sizes), [str(n) for n in sizes])
        ax.minorticks_off()
        if place + columns >= len(panels):
            ax.set_xlabel("examples $n$")
            ax.tick_params(labelbottom=True)
    for row in axes:
        row[0].set_ylabel(ERROR)
    handles = {label: key for ax in fig.axes for key, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(handles.values(), handles, loc="outside lower center", ncols=3)
    return fig


@checked
def starts(names: Sequence[str], sizes: Sequence[int], maps: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """How far each initialization's error lies above that of the best, in per cent: a row for each kind of error.

    Parameters
    ----------
    names : sequence of str
        Of the initializations.
    sizes : sequence of int
    maps : mapping from a kind of error to arrays by table, each of shape (names, sizes)

    Examples
    --------
    >>> fig = starts(["I", "II"], [15], {"measured": {"wine": np.array([[0.5], [0.4]])}})
    >>> [text.get_text() for text in fig.axes[0].texts]
    ['25', '0']
    """
    tables = list(next(iter(maps.values())))
    fig, axes = figure(len(maps), len(tables), height=2.2, sharex="col", sharey="row")
    for row, (kind, found) in zip(axes, maps.items(), strict=True):
        for ax, error in zip(row, found.values(), strict=True):
            above = 100 * (error / error.min(axis=0) - 1)
            ax.grid(False)
            image = ax.imshow(above, aspect="auto", cmap="cividis_r", norm=Normalize(0, WORST))
            for (i, j), value in np.ndenumerate(above):
                ink = "white" if value > WORST / 2 else "black"
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7, color=ink)
            ax.set_yticks(range(len(names)), list(names), fontsize=8)
            ax.set_xticks(range(len(sizes)), [str(n) for n in sizes], fontsize=8)
        row[0].set_ylabel(kind)
    for top, bottom, table in zip(axes[0], axes[-1], tables, strict=True):
        top.set_title(table)
        bottom.set_xlabel("examples $n$")
    fig.colorbar(image, ax=list(axes.flat), label="% above the best", extend="max", pad=0.02)
    return fig


@checked
def predicted_and_measured(points: Mapping[str, np.ndarray]) -> Figure:
    """Measured against predicted errors of initializations, in a colour for each table: means with 95 % intervals.

    Parameters
    ----------
    points : mapping from the name of a table to an ndarray, shape (3, initializations)
        Predicted errors, means of the measured ones, and half the widths of their intervals.

    Examples
    --------
    >>> fig = predicted_and_measured({"wine": np.array([[0.3, 0.2], [0.5, 0.3], [0.02, 0.01]])})
    >>> fig.axes[0].get_xlabel()
    'predicted error'
    """
    fig, axes = figure(1, 1, height=3.4)
    ax = axes[0, 0]
    for (name, (predicted, mean, half)), color, marker in zip(points.items(), COLORS, MARKERS, strict=False):
        ax.errorbar(predicted, mean, half, fmt=marker, color=color, elinewidth=0.8, markersize=3.5, label=name)
    ends = [min(found[:2].min() for found in points.values()), max(found[:2].max() for found in points.values())]
    ax.plot(ends, ends, color="#999999", linewidth=0.8, linestyle="--", label="equal")
    ax.set(xscale="log", yscale="log", xlabel="predicted error", ylabel=ERROR)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig
