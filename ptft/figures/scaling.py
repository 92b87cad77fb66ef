"""Figures of the chapter on scaling laws: learning curves, their slopes, and what pretraining is worth along n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ptft.figures.page_style import COLORS, figure, ordered_colors
from ptft.validation import checked

EXAMPLES_LABEL = "examples $n$"
ERROR_LABEL = "prediction error"


@dataclass(frozen=True, eq=False)
class Curve:
    """Something along the numbers of examples, and what it is compared with."""

    n: np.ndarray  # (m,)
    value: np.ndarray  # (m,)
    reference: np.ndarray | None = None  # (m,) a closed form, drawn dotted
    points: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None  # n, mean, low, high of simulations


Panels = Mapping[str, Mapping[str, Curve]]  # by title and label; a label has one colour in all panels


@checked
def learning_curves(panels: Panels, reference: str = "closed form") -> Figure:
    """Errors against the numbers of examples, with closed forms (dotted) and simulations (points, 95 % intervals).

    Examples
    --------
    >>> n = np.array([10.0, 100.0])
    >>> fig = learning_curves({"a task": {"lazy": Curve(n, 1 / n, 1.1 / n)}})
    >>> fig.axes[0].get_yscale(), len(fig.axes[0].lines)
    ('log', 2)
    """
    return _drawn(panels, ERROR_LABEL, reference, log=True)


@checked
def slopes(panels: Panels, expected: Sequence[float] = ()) -> Figure:
    """Local exponents along the numbers of examples, and those that are expected somewhere, as dotted lines.

    Examples
    --------
    >>> n = np.array([10.0, 100.0])
    >>> fig = slopes({"a task": {"lazy": Curve(n, np.array([1.4, 1.5]))}}, expected=[1.5])
    >>> fig.axes[0].get_yscale()
    'linear'
    """
    fig = _drawn(panels, r"exponent $-\mathrm{d}\log$ error$/\mathrm{d}\log n$", "", log=False)
    for ax in fig.axes:
        for value in expected:
            ax.axhline(value, color="#555555", linestyle=":", linewidth=1.0)
    return fig


def _drawn(panels: Panels, y_label: str, reference: str, log: bool) -> Figure:
    fig, axes = figure(1, len(panels), height=3.0)
    labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
    colors = dict(zip(labels, [*COLORS, *ordered_colors(max(1, len(labels) - len(COLORS)))], strict=False))
    widths = dict(zip(labels, np.linspace(2.4, 1.2, len(labels)), strict=True))  # lines may coincide
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        for label, curve in curves.items():
            ax.plot(curve.n, curve.value, color=colors[label], linewidth=widths[label], label=label)
            if curve.reference is not None:
                ax.plot(curve.n, curve.reference, color=colors[label], linestyle=":", label=f"{label}: {reference}")
            if curve.points is not None:
                n, mean, low, high = curve.points
                ax.errorbar(n, mean, (mean - low, high - mean), fmt="o", color=colors[label], markersize=4)
        ax.set(xscale="log", xlabel=EXAMPLES_LABEL, title=title)
        if log:
            ax.set_yscale("log")
    axes[0, 0].set_ylabel(y_label)
    keys = [Line2D([], [], color=colors[label], linewidth=widths[label], label=label) for label in labels]
    every = [curve for curves in panels.values() for curve in curves.values()]
    if any(curve.reference is not None for curve in every):
        keys.append(Line2D([], [], color="#555555", linestyle=":", label=reference))
    if any(curve.points is not None for curve in every):
        keys.append(Line2D([], [], color="#555555", marker="o", linestyle="", label="exact end points"))
    fig.legend(handles=keys, loc="outside lower center", ncols=3)
    return fig


@checked
def worth(n: np.ndarray, needed: Mapping[str, np.ndarray]) -> Figure:
    """How many examples alone have the error of n examples after pretraining: their ratio, and the difference.

    Parameters
    ----------
    n : ndarray, shape (m,)
    needed : mapping from a label to an ndarray, shape (m,)
        Not a number where it is not known.

    Examples
    --------
    >>> n = np.array([10.0, 100.0])
    >>> fig = worth(n, {"memory": 3 * n})
    >>> [ax.get_ylabel() for ax in fig.axes]
    ["ratio $n'/n$", "data transferred $n' - n$"]
    """
    fig, axes = figure(1, 2, height=3.0)
    ratio, difference = axes[0]
    for i, ((label, values), color) in enumerate(zip(needed.items(), COLORS, strict=False)):
        style = {"color": color, "linestyle": ("-", "--", "-.", (0, (5, 1)))[i % 4], "label": label}
        ratio.loglog(n, values / n, **style)
        difference.loglog(n, np.where(values - n > 0, values - n, np.nan), **style)
    ratio.axhline(1.0, color="#555555", linewidth=0.8)
    difference.loglog(n, n, color="#555555", linestyle=":", linewidth=1.0, label="$n$")
    for ax, name in ((ratio, "ratio $n'/n$"), (difference, "data transferred $n' - n$")):
        ax.set(xlabel=EXAMPLES_LABEL, ylabel=name)
    fig.legend(*difference.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig


@checked
def best_scales(scaled: np.ndarray, panels: Mapping[str, Sequence[np.ndarray]], n: Sequence[float]) -> Figure:
    """Error over the least one against c_pt n^(a/2), a line for each number of examples.

    Parameters
    ----------
    scaled : ndarray, shape (m,)
    panels : mapping from a title to arrays of shape (m,), one for each number of examples
    n : sequence of float

    Examples
    --------
    >>> x = np.geomspace(0.1, 10, 5)
    >>> fig = best_scales(x, {"alone": [1 + np.log(x) ** 2, 1 + np.log(x) ** 2]}, [10.0, 100.0])
    >>> len(fig.axes[0].lines)
    2
    """
    fig, axes = figure(1, len(panels), height=3.0)
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        styles = zip(curves, n, ordered_colors(len(n)), strict=True)
        for i, (values, size, color) in enumerate(styles):
            look = {"color": color, "linestyle": ("-", "--", "-.", ":")[i % 4], "linewidth": 3.0 - 0.5 * (i % 4)}
            ax.semilogx(scaled, values, label=f"$n = {size:,.0f}$".replace(",", "{,}"), **look)
        ax.set(xlabel=r"$c_{\mathrm{PT}}\,n^{a/2}$", title=title)
    axes[0, 0].set_ylabel("error relative to the least")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(n))
    return fig
