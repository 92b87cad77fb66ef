"""Figures of the chapter on transfer with adaptive kernels: losses of fine-tuning on features that pretraining left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from numpy.typing import ArrayLike

from ptft.figures.curves import number
from ptft.figures.page_style import COLORS, figure, ordered_colors
from ptft.infinite_width import MeasuredLoss
from ptft.trends import effect
from ptft.validation import checked, require

if TYPE_CHECKING:
    import pandas as pd

NU_2_LABEL = r"target data $\nu_2 = P_2/D$"
LOSS_LABEL = r"loss on the target $\mathcal{L}$"
GAMMA_1_LABEL = r"richness of pretraining $\gamma_1$"
LINES: Any = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^")
NARROW = 3  # losses whose range is below this factor have a linear axis, on which more than one number stands


@dataclass(frozen=True, eq=False)
class Line:
    """A predicted loss and what was measured of it."""

    loss: np.ndarray  # at the abscissae of its panel
    measured: tuple[MeasuredLoss | None, ...] = ()  # one for each kind of measurement, with a marker of its own


@checked
def lines(
    labels: Sequence[str],
    losses: Sequence[np.ndarray] | np.ndarray,
    *measured: MeasuredLoss | Sequence[MeasuredLoss | None],
) -> dict[str, Line]:
    """A line for each of several settings.

    Parameters
    ----------
    labels : sequence of k str
    losses : array_like, shape (k, m)
        Predictions at the abscissae.
    *measured : MeasuredLoss of k settings, or sequence of k of one setting each or None
        One for each kind of measurement.

    Raises
    ------
    ValueError
        If there are not as many losses as labels, or labels are not distinct.

    Examples
    --------
    >>> one = lines(["nothing", "some"], np.ones((2, 3)), [None, None])["some"]
    >>> one.loss, one.measured
    (array([1., 1., 1.]), (None,))
    """
    require(np.ndim(losses) > 0, "losses", losses, "one array for each label")
    require(len(set(labels)) == len(labels) == len(losses), "labels", labels, f"{len(losses)} different ones")
    return {label: Line(losses[i], tuple(one[i] for one in measured)) for i, label in enumerate(labels)}


@checked
def losses(
    nu_2: np.ndarray,
    panels: Mapping[str, Mapping[str, Line]],
    kinds: Sequence[str] = (),
    ratio: Sequence[str] = (),
    legends: Sequence[str] = (),
    columns: int = 2,
) -> Figure:
    """Loss of fine-tuning against target data; lines are theory, points are means with 95 % intervals.

    Parameters
    ----------
    nu_2 : ndarray, shape (m,), where lines are drawn
    panels : mapping from each title to its lines by label; from dark to light
    kinds : names of the kinds of measurement, for the legend
    ratio : titles of panels that show losses relative to that without pretraining
    legends : where the legend of each panel is placed, "upper right" by default
    columns : int, default 2

    Examples
    --------
    >>> nu = np.linspace(0, 1, 11)
    >>> fig = losses(nu, {"(a)": {"nothing": Line(1 - nu)}, "(b)": {"nothing": Line(1 - nu)}}, ratio=["(b)"])
    >>> [ax.get_title(loc="left") for ax in fig.axes]
    ['(a)', '(b)']
    """
    rows = -(-len(panels) // columns)
    fig, axes = figure(rows, columns, height=2.9)
    places = legends or ["upper right"] * len(panels)
    for ax, (title, lines), place in zip(axes.ravel(), panels.items(), places, strict=True):
        relative = title in ratio
        baseline = 1 - nu_2
        ax.plot(nu_2, np.ones_like(nu_2) if relative else baseline, color="black", linestyle="--", linewidth=1.0)
        for (label, line), color in zip(lines.items(), ordered_colors(len(lines)), strict=True):
            inside = nu_2 < 1 if relative else np.full(nu_2.shape, True)
            ax.plot(nu_2[inside], line.loss[inside] / (baseline[inside] if relative else 1.0), color=color, label=label)
            for measured, marker in zip(line.measured, MARKERS, strict=False):
                if measured is not None:
                    scale = 1 / (1 - measured.nu_2) if relative else 1.0
                    _points(ax, measured.nu_2, measured.mean * scale, measured.half_width * scale, marker, color)
        ax.set_title(title, loc="left")
        ax.set_xlabel(NU_2_LABEL)
        ax.set_ylabel(r"loss relative to $1 - \nu_2$" if relative else LOSS_LABEL)
        ax.legend(loc=place, handlelength=1.5, labelspacing=0.3, ncols=2 if len(lines) > 4 else 1)
    keys = [Line2D([], [], color="black", linestyle="--", linewidth=1.0, label="no pretraining")]
    keys += [
        Line2D([], [], color="#555555", marker=marker, linestyle="", label=kind)
        for kind, marker in zip(kinds, MARKERS, strict=False)
    ]
    fig.legend(handles=keys, loc="outside upper center", ncols=len(keys))
    return fig


@checked
def spikes(
    left: Mapping[str, tuple[ArrayLike, ArrayLike]],
    right: Mapping[str, tuple[ArrayLike, ArrayLike]],
    measured_left: Mapping[str, tuple[ArrayLike, ArrayLike]],
    measured_right: Mapping[str, tuple[ArrayLike, ArrayLike]],
    titles: tuple[str, str],
) -> Figure:
    """Spike of the features against richness (left) and against source data (right), formulas and trained networks.

    Every mapping is from a label to abscissae and spikes, lines for the formulas and points for the networks.

    Parameters
    ----------
    left, right : mapping from a label to (abscissae, spikes), two ndarrays of shape (m,)
    measured_left, measured_right : the same of what was measured
    titles : pair of str

    Examples
    --------
    >>> from ptft.infinite_width import spike_size
    >>> gamma = np.linspace(0, 5, 11)
    >>> lines = {"formula": (gamma, spike_size(gamma, 0.5))}
    >>> points = {"network": (np.array([1.0]), np.array([0.22]))}
    >>> len(spikes(lines, lines, points, points, ("one", "two")).axes)
    2
    """
    fig, axes = figure(1, 2, height=2.9)
    labels = (GAMMA_1_LABEL, r"source data, $|\hat\beta|^2 \approx \nu_1$")
    for ax, lines, points, title, x_label in zip(
        axes[0], (left, right), (measured_left, measured_right), titles, labels, strict=True
    ):
        for (label, (x, y)), color, line in zip(lines.items(), COLORS, LINES, strict=False):
            ax.plot(x, y, color=color, linestyle=line, label=label)
        for i, (label, (x, y)) in enumerate(points.items()):
            ring = {"markersize": 8, "fillstyle": "none"} if i == 0 else {}  # the others are seen in it
            ax.plot(x, y, color="black", marker=MARKERS[i], linestyle="", label=label, **ring)
        ax.set_title(title, loc="left")
        ax.set_xlabel(x_label)
        ax.set_ylabel("size of the spike")
        ax.legend(loc="upper left" if ax is axes[0, 0] else "lower right")
    return fig


@checked
def budget(
    gamma_1: np.ndarray,
    losses_by_nu: Mapping[float, Line],
    optimal: Mapping[float, tuple[float, float]],
    nu_2: np.ndarray,
    optimum: np.ndarray,
    measured_gamma_1: np.ndarray,
) -> Figure:
    """The loss with a budget against gamma_1, with its optimum (left), and the optimal gamma_1 (right).

    Parameters
    ----------
    gamma_1 : ndarray, of the lines
    losses_by_nu : mapping from nu_2 to its line; measurements, if any, are one `MeasuredLoss` at `measured_gamma_1`
    optimal : mapping from nu_2 to (gamma_1, loss) of the optimum
    nu_2, optimum : ndarrays, the optimal gamma_1 against target data; shown where it is neither 0 nor infinite
    measured_gamma_1 : ndarray

    Examples
    --------
    >>> from ptft.infinite_width import budgeted_loss, optimal_gamma_1
    >>> gamma, nu = np.geomspace(0.1, 100, 20), np.array([0.2, 0.8])
    >>> optimum = optimal_gamma_1(nu, (0.8, 0.0), 0.5)
    >>> lines = {x: Line(budgeted_loss(x, (0.8, 0.0), gamma, 0.5)) for x in (0.2, 0.8)}
    >>> best = dict(zip(lines, zip(optimum, (0.5, 0.3))))
    >>> len(budget(gamma, lines, best, nu, optimum, np.empty(0)).axes)
    2
    """
    fig, axes = figure(1, 2, height=3.0)
    left, right = axes[0]
    for (nu, line), color in zip(losses_by_nu.items(), ordered_colors(len(losses_by_nu)), strict=True):
        left.semilogx(gamma_1, line.loss, color=color, label=rf"$\nu_2$ = {number(nu)}")
        for measured in filter(None, line.measured):
            _points(left, measured_gamma_1, measured.mean, measured.half_width, "o", color)
        if 0 < optimal[nu][0] < np.inf:
            left.plot(*optimal[nu], marker="*", color=color, markersize=11, markeredgecolor="black", linestyle="")
            right.plot(nu, optimal[nu][0], marker="*", color=color, markersize=11, markeredgecolor="black", zorder=3)
    left.set_xlabel(GAMMA_1_LABEL)
    left.set_ylabel(LOSS_LABEL)
    left.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0, columnspacing=1.2, handlelength=1.5)
    inside = (optimum > 0) & np.isfinite(optimum)
    right.plot(nu_2, np.where(inside, optimum, np.nan), color="#555555", label="optimum")
    if inside.any():  # an axis without data has no logarithm
        right.set_yscale("log")
    right.set_xlabel(NU_2_LABEL)
    right.set_ylabel(r"optimal richness $\gamma_1^*$")
    return fig


@checked
def kernel_transfer(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Figures 2b and 2c: loss on images against target data, a panel for each P_1 and a colour for each gamma_1.

    Lines are the mean-field theory and points finite networks, both means over draws with their 95 % intervals. The
    axis of losses is logarithmic unless they are within a factor of `NARROW`.

    Parameters
    ----------
    rows : sequence of mappings with features, P_1, gamma_1, P_2 and loss
        One for each of the draws, which count as independent: as from
        `ptft.infinite_width.kernel_transfer.transfer_losses`, or from `mean_over_targets` there.

    Examples
    --------
    >>> names = ("features", "P_1", "gamma_1", "P_2")
    >>> points = [(f, 20, g, P) for f in ("mean field", "network") for g in (0.0, 2.0) for P in (4, 16)]
    >>> rows = [dict(zip(names, p)) | {"loss": (1 + i) / p[3]} for p in points for i in range(2)]
    >>> fig = kernel_transfer(rows)
    >>> fig.axes[0].get_title(), fig.axes[0].get_xscale()
    ('$P_1$ = 20', 'log')
    """
    sources, gammas, sizes = (sorted({row[name] for row in rows}) for name in ("P_1", "gamma_1", "P_2"))
    fig, axes = figure(1, len(sources), height=3.0, sharey=True)
    for ax, P_1 in zip(axes[0], sources, strict=True):
        for k, (gamma, color) in enumerate(zip(gammas, ordered_colors(len(gammas)), strict=True)):
            beside = 1.03 ** (k - (len(gammas) - 1) / 2)  # else the intervals of the points cover each other
            for features, look in (("mean field", "-"), ("network", "o")):
                found = [
                    [
                        r["loss"]
                        for r in rows
                        if (r["features"], r["P_1"], r["gamma_1"], r["P_2"]) == (features, P_1, gamma, P)
                    ]
                    for P in sizes
                ]
                mean = np.array([np.mean(one) for one in found])
                half = None  # of one draw there is none
                if all(len(one) > 1 for one in found):
                    half = np.array([effect(one).half for one in found])
                if look == "-":
                    ax.plot(sizes, mean, color=color, label=rf"$\gamma_1$ = {number(gamma)}")
                    if half is not None:
                        ax.fill_between(sizes, mean - half, mean + half, color=color, alpha=0.15, linewidth=0)
                else:
                    _points(ax, beside * np.array(sizes), mean, half, look, color)
        ax.set(xscale="log", xticks=sizes, title=rf"$P_1$ = {P_1}", xlabel="target examples $P_2$")
        _plain_ticks(ax.xaxis)
    low, high = axes[0, 0].get_ylim()
    if low <= 0 or high > NARROW * low:
        for ax in axes[0]:
            _log_losses(ax)
    axes[0, 0].set_ylabel(LOSS_LABEL)
    axes[0, 0].legend(
        loc="upper right",
        handles=[
            *axes[0, 0].get_legend_handles_labels()[0],
            Line2D([], [], color="#555555", marker="o", linestyle="", label="finite network"),
        ],
    )
    return fig


@checked
def widths(differences: pd.DataFrame) -> Figure:
    """Relative difference between finite networks and mean-field theory against width, a panel for each P_1.

    Parameters
    ----------
    differences : as from `ptft.infinite_width.kernel_transfer.differences`

    Examples
    --------
    >>> import pandas as pd
    >>> columns = pd.MultiIndex.from_tuples([(20, 0.0), (20, 1.0)], names=["P_1", "gamma_1"])
    >>> fig = widths(pd.DataFrame([[0.1, 0.2], [0.05, 0.1]], index=[1000, 4000], columns=columns))
    >>> fig.axes[0].get_title()
    '$P_1$ = 20'
    """
    sources, gammas = (differences.columns.get_level_values(name).unique().tolist() for name in ("P_1", "gamma_1"))
    fig, axes = figure(1, len(sources), height=2.8, sharey=True)
    N = differences.index.to_numpy()
    guide = 100 * differences.iloc[0].mean() * np.sqrt(N[0] / N)
    for ax, P_1 in zip(axes[0], sources, strict=True):
        ax.plot(N, guide, "--", color="#555555", label="$N^{-1/2}$")
        for gamma, color, marker in zip(gammas, ordered_colors(len(gammas)), "os^Dv", strict=False):
            ax.plot(
                N, 100 * differences[P_1, gamma], marker=marker, color=color, label=rf"$\gamma_1$ = {number(gamma)}"
            )
        ax.set(xscale="log", title=rf"$P_1$ = {P_1}", xlabel="neurons $N$")
        ax.set_xticks(N, [str(n) for n in N])
        ax.xaxis.set_minor_locator(NullLocator())
        _log_losses(ax)
    axes[0, 0].set_ylabel("difference of the losses (%)")
    axes[0, 0].legend()
    return fig


def _log_losses(ax: Axes) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 times the powers of ten."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    _plain_ticks(ax.yaxis)


def _plain_ticks(axis: Axis) -> None:
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def _points(ax: Axes, x: np.ndarray, mean: np.ndarray, half: np.ndarray | None, marker: str, color: Any) -> None:
    ax.errorbar(x, mean, half, fmt=marker, color=color, markersize=3.5, elinewidth=0.8)
