"""Figures of the chapter on the best initialization: landscapes, maps of the best choice, simulations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from ptft.figures.curves import ALPHA_LABEL, SYMBOLS, number
from ptft.figures.page_style import COLORS, figure
from ptft.optimal_initialization import BestInitialization, Landscape
from ptft.validation import checked

REGIME_COLORS = {  # in the order of `ptft.regimes.NAMES`
    "I": COLORS[0],
    "I-w": COLORS[5],
    "II": COLORS[1],
    "III": "#bbbbbb",
    "IV": COLORS[3],
    "between": "#ffffff",
}
NAME_PLACES: Mapping[str, tuple[float, float, Literal["left", "center", "right"]]] = {
    "start I": (0, 5, "center"),  # points from its disc: three lie beside each other
    "start IV": (0, -12, "center"),
    "start II": (5, -3, "left"),
}
INACTIVE_LABEL = r"$\sqrt{k}$ of unused coordinates"

Grid = Sequence[Sequence[BestInitialization | None]]  # a row for each rho_ft, a column for each alpha


@checked
def landscapes(panels: Mapping[str, tuple[Landscape, BestInitialization]]) -> Figure:
    """Error over the plane of penalty scales, relative to the smallest, with the best choice and the usual ones.

    Examples
    --------
    >>> from ptft import SpikeSlab, best_initialization
    >>> from ptft.optimal_initialization import landscape
    >>> task = SpikeSlab(omega=1.0)
    >>> field = landscape(task, 0.2, np.geomspace(1e-4, 1, 5), np.geomspace(1, 1e4, 5))
    >>> fig = landscapes({"a task": (field, best_initialization(task, 0.2))})
    >>> fig.axes[0].get_title()
    'a task'
    """
    fig, axes = figure(1, len(panels), height=3.0, sharex=True, sharey=True)
    for ax, (title, (landscape, best)) in zip(axes[0], panels.items(), strict=True):
        excess = np.ma.masked_invalid(landscape.mse / best.mse)
        image = ax.pcolormesh(
            landscape.inactive,
            landscape.ratio,
            excess,
            norm=LogNorm(1, 10),
            cmap="viridis_r",
            shading="nearest",
            rasterized=True,
        )
        ax.contour(
            landscape.inactive, landscape.ratio, excess, levels=[1.1, 1.5, 3.0], colors=["k", "k", "w"], linewidths=0.8
        )
        ax.set_facecolor("#dddddd")
        for name, choice in best.usual.items():
            active, inactive = (float(choice.init.sqrt_k(b)) for b in (best.teacher.a_pt, 0.0))
            ax.plot(inactive, active / inactive, "o", color="white", mec="black", ms=5, zorder=6, label=name)
            x, y, ha = NAME_PLACES.get(name, (5, 3, "left"))
            ax.annotate(
                name,
                (inactive, active / inactive),
                xytext=(x, y),
                ha=ha,
                textcoords="offset points",
                fontsize=8,
                weight="bold",
                zorder=6,
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
            )
        active, inactive = best.scales
        ax.plot(
            inactive, active / inactive, "*", color=COLORS[1], mec="white", ms=13, clip_on=False, zorder=7, label="best"
        )
        ax.set(xscale="log", yscale="log", xlabel=INACTIVE_LABEL, title=title)
        ax.grid(False)
    axes[0, 0].set_ylabel(r"ratio of $\sqrt{k}$, used to unused")
    bar = fig.colorbar(image, ax=list(axes[0]), label="error relative to the best", extend="max", pad=0.02, aspect=18)
    _plain_ticks(bar, (1, 2, 3, 5, 10))
    return fig


@checked
def regime_map(results: Mapping[float, Grid], alpha: Sequence[float], rho_ft: Sequence[float]) -> Figure:
    """Regime of the best initialization, and how far it prefers what pretraining used; a column for each omega.

    Examples
    --------
    >>> from ptft import SpikeSlab, best_initialization
    >>> found = [[best_initialization(SpikeSlab(rho_ft=0.1, omega=1.0), 0.1), None]]  # None: no such task
    >>> fig = regime_map({1.0: found}, [0.1, 0.2], [0.1])
    >>> len(fig.axes)  # two maps, and a scale of colour
    3
    """
    fig, axes = figure(2, len(results), height=2.7, sharex=True, sharey=True)
    names = list(REGIME_COLORS)
    for (top, bottom), grid in zip(axes.T, results.values(), strict=True):
        codes = _cells(grid, lambda best: names.index(str(best.measures.regime)))
        _heat(top, codes, ListedColormap(list(REGIME_COLORS.values())), Normalize(-0.5, len(names) - 0.5))
        for i, row in enumerate(grid):
            for j, best in enumerate(row):
                if best:
                    name = str(best.measures.regime).replace("between", "–")
                    dark = name in ("I", "II", "IV")
                    top.text(j, i, name, ha="center", va="center", fontsize=7.5, color="white" if dark else "black")
                    if best.mse < best.target:  # below the resolution
                        bottom.plot(j, i, "o", ms=3, color="white", mec="black", mew=0.7, label="below resolution")
        image = _heat(bottom, _cells(grid, lambda best: float(best.measures.cost_ratio)), "cividis", LogNorm(1, 20))
    _label(axes, results, alpha, rho_ft)
    bar = fig.colorbar(image, ax=list(axes[1]), label="cost of an unused\nover a used feature", extend="max", pad=0.02)
    _plain_ticks(bar, (1, 2, 5, 10, 20))
    return fig


@checked
def savings_map(
    results: Mapping[float, Grid], alpha: Sequence[float], rho_ft: Sequence[float], against: Mapping[str, str]
) -> Figure:
    """Share of the examples that the best choice saves; `against`: name of a choice to label, one row each.

    Examples
    --------
    >>> from ptft import SpikeSlab, best_initialization
    >>> found = [[best_initialization(SpikeSlab(rho_ft=0.1, omega=1.0), 0.1), None]]
    >>> fig = savings_map({1.0: found}, [0.1, 0.2], [0.1], {"single task": "no pretraining"})
    >>> len(fig.axes[0].texts)  # None has no number
    1
    """
    fig, axes = figure(len(against), len(results), height=2.5, sharex=True, sharey=True)
    for row, (name, label) in zip(axes, against.items(), strict=True):
        for ax, grid in zip(row, results.values(), strict=True):
            saved = _cells(grid, lambda best, name=name: 100 * best.savings[name])  # type: ignore[misc]
            image = _heat(ax, saved, "cividis", Normalize(0, 100))
            for (i, j), value in np.ndenumerate(saved):
                if np.isfinite(value):
                    ink = "white" if value < 50 else "black"
                    ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=6.5, color=ink)
        fig.colorbar(image, ax=list(row), label=f"% saved against\n{label}", pad=0.02)
    _label(axes, results, alpha, rho_ft)
    return fig


@checked
def confirmation(panels: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]]) -> Figure:
    """Error along a line of initializations, relative to that of the best on the same data: prediction and simulation.

    Parameters
    ----------
    panels : mapping from a title to (inactive, theory, places, mse, best)
        sqrt(k) of the unused coordinates along the line and the predicted errors relative to the best, both of shape
        (m,); sqrt(k) at the simulated places, shape (p,), and the simulated errors there relative to the best, as their
        means and the ends of their intervals, shape (3, p); and sqrt(k) of the best.

    Examples
    --------
    >>> x, places = np.geomspace(0.1, 10, 20), np.array([0.1, 1.0])
    >>> simulated = np.array([[1.5, 1.0], [1.4, 0.9], [1.6, 1.1]])
    >>> fig = confirmation({"a task": (x, 1 + np.log10(x) ** 2, places, simulated, 1.0)})
    >>> fig.axes[0].get_xscale()
    'log'
    """
    fig, axes = figure(1, len(panels), height=2.8)
    for ax, (title, (inactive, theory, places, simulated, best)) in zip(axes[0], panels.items(), strict=True):
        mean, low, high = simulated
        ax.semilogx(inactive, theory, color=COLORS[0])
        ax.errorbar(places, mean, (mean - low, high - mean), fmt="o", color=COLORS[1])
        ax.axvline(best, color="#555555", linewidth=0.8, linestyle="--")
        ax.set(xlabel=INACTIVE_LABEL, title=title)
    axes[0, 0].set_ylabel("error relative to the best")
    handles = [
        Line2D([], [], color=COLORS[0], label="prediction"),
        Line2D([], [], color=COLORS[1], marker="o", linestyle="", label="exact end points, 95 %"),
        Line2D([], [], color="#555555", linewidth=0.8, linestyle="--", label="best predicted"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    return fig


def _cells(grid: Grid, value: Callable[[BestInitialization], float]) -> np.ndarray:
    return np.array([[np.nan if best is None else value(best) for best in row] for row in grid], dtype=np.float64)


def _heat(ax: Axes, values: np.ndarray, cmap: str | ListedColormap, norm: Normalize) -> AxesImage:
    ax.set_facecolor("#f0f0f0")
    ax.grid(False)
    image = ax.imshow(np.ma.masked_invalid(values), origin="lower", aspect="auto", cmap=cmap, norm=norm)
    ax.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    ax.grid(True, which="minor", color="white", linewidth=0.8)
    ax.tick_params(which="minor", length=0)
    return image


def _plain_ticks(bar: Colorbar, ticks: Sequence[float]) -> None:
    bar.set_ticks(list(ticks), labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()


def _label(axes: np.ndarray, results: Mapping[float, Grid], alpha: Sequence[float], rho_ft: Sequence[float]) -> None:
    for ax, omega in zip(axes[0], results, strict=True):
        ax.set_title(rf"overlap $\omega$ = {number(omega)}")
    for ax in axes[-1]:
        ax.set_xlabel(ALPHA_LABEL)
        ax.set_xticks(range(len(alpha)), [f"{a:g}" for a in alpha], fontsize=7.5)
    for ax in axes[:, 0]:
        ax.set_ylabel(f"sparsity {SYMBOLS['rho_ft']}")
        ax.set_yticks(range(len(rho_ft)), [f"{r:g}" for r in rho_ft], fontsize=7.5)
