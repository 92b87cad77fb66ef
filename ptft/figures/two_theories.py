"""Figures of the page that compares the two theories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ptft.figures.page_style import COLORS, figure, ordered_colors
from ptft.two_theories import BothLosses
from ptft.validation import checked


@dataclass(frozen=True, eq=False)
class BothCurves:
    """Predictions of both theories along alpha, and simulations of both networks on the same data."""

    diagonal: np.ndarray  # at the abscissae of the figure
    dense: np.ndarray
    simulated: Sequence[BothLosses] = ()  # one for each seed, at the same alpha of shape (points,)


@checked
def both_losses(alpha: np.ndarray, panels: Mapping[str, Mapping[str, BothCurves]]) -> Figure:
    """Loss against data, a panel for each kind of task and a colour for each label; points are means +- 2 s.e.

    Parameters
    ----------
    alpha : ndarray, shape (m,)
    panels : mapping from the title of a panel to its curves by label

    Examples
    --------
    >>> alpha = np.linspace(0, 1, 11)
    >>> both = BothCurves(diagonal=1 - alpha, dense=1 - alpha**2)
    >>> fig = both_losses(alpha, {"sparse": {"no overlap": both}, "dense": {"no overlap": both}})
    >>> [ax.get_title() for ax in fig.axes]
    ['sparse', 'dense']
    """
    fig, axes = figure(1, len(panels), height=3.2, sharey=True)
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        ax.plot(alpha, 1 - alpha, color="black", linestyle=":", linewidth=1.0)
        for both, color in zip(curves.values(), ordered_colors(len(curves)), strict=True):
            for name, line, marker in (("diagonal", "-", "o"), ("dense", "--", "s")):
                ax.plot(alpha, getattr(both, name), color=color, linestyle=line)
                losses = np.array([getattr(one, name) for one in both.simulated])
                if losses.size:
                    se = losses.std(axis=0, ddof=1) / np.sqrt(len(losses))
                    look = {"fmt": marker, "color": color, "markersize": 3.5, "elinewidth": 0.8}
                    ax.errorbar(both.simulated[0].alpha, losses.mean(axis=0), 2 * se, **look)
        ax.set_title(title)
        ax.set_xlabel(r"target data $\alpha = \nu_2$")
    axes[0, 0].set_ylabel(r"loss on the target, relative to $|\beta|^2$")
    axes[0, 0].set_ylim(bottom=-0.04)
    labels = next(iter(panels.values()))
    keys = [
        *(Line2D([], [], color=c, label=label) for label, c in zip(labels, ordered_colors(len(labels)), strict=True)),
        Line2D([], [], color="#555555", marker="o", label="diagonal"),
        Line2D([], [], color="#555555", linestyle="--", marker="s", label="dense"),
        Line2D([], [], color="black", linestyle=":", linewidth=1.0, label=r"$1 - \alpha$"),
    ]
    fig.legend(handles=keys, loc="outside upper center", ncols=len(keys), columnspacing=1.2, handlelength=1.8)
    return fig


@checked
def lazy_limit(scales: np.ndarray, distance: Mapping[str, np.ndarray]) -> Figure:
    """Distance of each end point from that of its limit, as fine-tuning of the diagonal network becomes lazier.

    The second panel shows it times the square of the scale, which tells lines apart that the first cannot.

    Parameters
    ----------
    scales : ndarray, shape (m,)
    distance : mapping from a label to an ndarray, shape (m,)

    Examples
    --------
    >>> fig = lazy_limit(np.array([1.0, 10.0]), {"diagonal": np.array([1e-2, 1e-4])})
    >>> [ax.get_yscale() for ax in fig.axes]
    ['log', 'linear']
    """
    fig, axes = figure(1, 2, height=2.9)
    left, right = axes[0]
    for i, ((label, values), color, marker) in enumerate(zip(distance.items(), COLORS, "os^", strict=False)):
        look = {"color": color, "marker": marker, "markersize": 11 - 4 * i, "label": label}  # they may coincide
        left.loglog(scales, values, **look)
        right.semilogx(scales, scales**2 * values, **look)
    for ax in axes[0]:
        ax.set_xlabel(r"scale $c_{\mathrm{PT}}$, at fixed $\beta_{\mathrm{PT}}/c_{\mathrm{PT}}$")
    left.set_ylabel("relative distance of end points")
    right.set_ylabel(r"the same times $c_{\mathrm{PT}}^2$")
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(distance))
    return fig
