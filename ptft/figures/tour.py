"""Figures of the tour: the penalties of a few named initializations, and the errors that they lead to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ptft.figures.curves import ALPHA_LABEL, MSE_LABEL
from ptft.figures.page_style import COLORS, figure
from ptft.initialization import Initialization
from ptft.penalties import penalty
from ptft.replica import ReplicaCurve
from ptft.simulation import SimulatedPoint
from ptft.validation import checked

LINES = ("-", "--", "-.", ":")
MARKERS = "os^D"
BESIDE = 0.006  # distance in alpha of points that share a data scale


@checked
def penalties(inits: Mapping[str, Initialization], a_pt: float, size: float) -> Figure:
    """The penalty of a coefficient that pretraining found to be a_pt, and of one that it found to be 0.

    Parameters
    ----------
    inits : mapping from a name to an Initialization, one panel each
    a_pt : float
    size : float
        Coefficients are drawn up to here; the penalties are in units of that of the second coefficient there.

    Examples
    --------
    >>> fig = penalties({"small": Initialization(1e-3), "large": Initialization(1.0)}, a_pt=1.0, size=3.0)
    >>> [ax.get_title() for ax in fig.axes]
    ['small', 'large']
    """
    fig, axes = figure(1, len(inits), height=2.6, sharey=True)
    z = np.linspace(-size, size, 201)
    for ax, (name, init) in zip(axes[0], inits.items(), strict=True):
        unit = penalty(size, init.k(0.0))
        ax.plot(z, penalty(z, init.k(a_pt)) / unit, color=COLORS[0], label="used in pretraining")
        ax.plot(z, penalty(z, init.k(0.0)) / unit, color=COLORS[1], linestyle="--", label="not used")
        ax.set(xlabel=r"coefficient $\beta_{\mathrm{FT}}$", title=fill(name, 80 // len(inits)))
    axes[0, 0].set_ylabel("penalty, scaled")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


@checked
def errors(
    curves: Mapping[str, ReplicaCurve],
    points: Mapping[str, Sequence[SimulatedPoint]],
    given: Mapping[str, ArrayLike] | None = None,
) -> Figure:
    """Predicted error against the data scale (lines), and every simulated error (points), by the same names.

    Parameters
    ----------
    curves : mapping from a name to a ReplicaCurve
    points : mapping from a name to simulated points
        Those at one data scale are drawn side by side.
    given : mapping from a name to array_like, shape (points,), optional
        Predictions for the teachers that were sampled (dashes).

    Examples
    --------
    >>> from ptft import SpikeSlab, replica_curve, simulate
    >>> task, init = SpikeSlab(), Initialization(1e-3)
    >>> curve, point = replica_curve([0.1, 0.3], task, init), simulate(task, init, 0.2, 50, 0)
    >>> fig = errors({"small": curve}, {"small": [point]})
    >>> len(fig.axes[0].lines)  # the prediction, and the simulations
    2
    """
    fig, axes = figure(1, 1, height=3.2)
    ax = axes[0, 0]
    for i, (name, curve) in enumerate(curves.items()):
        color = COLORS[i % len(COLORS)]
        ax.semilogy(curve.alpha, curve.mse, color=color, linestyle=LINES[i % len(LINES)], label=name)
        runs = points.get(name, ())
        seen = Counter(p.alpha for p in runs)
        beside = {a: iter(BESIDE * (np.arange(number) - (number - 1) / 2)) for a, number in seen.items()}
        at = [p.alpha + next(beside[p.alpha]) for p in runs]
        ax.plot(at, [p.mse for p in runs], MARKERS[i % len(MARKERS)], color=color, alpha=0.6, markersize=4)
        if given and name in given:
            ax.plot(at, given[name], "_", color=color, markersize=7, markeredgewidth=1.5)
    ax.set(xlabel=ALPHA_LABEL, ylabel=MSE_LABEL, ylim=(1e-5, None))
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig
