"""Figures of the chapter on residual networks; they need torch, so import this module explicitly."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptft.figures.style import COLORS, figure, ordered_colors
from ptft.vision.sweep import KNOBS, UNTRAINED
from ptft.vision.trends import by_seed, curve, slopes_table, values_of

TITLES = {
    "kappa": r"$\kappa$: early layers, at the start",
    "c": "$c$: all parameters, at the start",
    "gamma": r"$\gamma$: readout, after pretraining",
    "weights": "$s$: all parameters, after pretraining",
}
SHORT_TITLES = {
    "kappa": r"$\kappa$ (early layers)",
    "c": "$c$ (all)",
    "gamma": r"$\gamma$ (readout)",
    "weights": "$s$ (all, after)",
}
MARKERS = "osD^v"
SYMBOLS = {"kappa": r"$\kappa$", "c": "$c$", "gamma": r"$\gamma$", "weights": "$s$"}


def examples(images: np.ndarray, labels: np.ndarray, marked: Sequence[int]) -> Figure:
    """The first image of each class, with those of the `marked` classes in a frame.

    Parameters
    ----------
    images : ndarray (N, H, W), grey
    labels : ndarray (N,)
    marked : classes to frame
    """
    classes = np.unique(labels)
    fig, axes = figure(1, len(classes), height=1.0)
    for ax, c in zip(axes[0], classes, strict=True):
        ax.imshow(images[np.flatnonzero(labels == c)[0]], cmap="gray", interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set(visible=c in marked, color=COLORS[1], linewidth=4)
    return fig


def accuracy_curves(table: pd.DataFrame, column: str = "accuracy") -> Figure:
    """Accuracy against the number of fine-tuning images, one panel per knob and one line per value (Figure 4).

    Parameters
    ----------
    table : DataFrame, as `ptft.vision.read_table` returns it
    column : "accuracy" or "accuracy_recalibrated"
    """
    fig, axes = figure(2, 2, height=2.7, sharex=True, sharey=True)
    for ax, knob in zip(axes.flat, KNOBS, strict=True):
        n, mean, error = curve(table, *UNTRAINED, column)
        ax.errorbar(n, mean, error, color="#777777", ls=":", marker="", label="not pretrained")
        values = values_of(table, knob)
        shifts = 1.03 ** np.linspace(-1, 1, len(values))  # so that error bars do not cover each other
        looks = zip(ordered_colors(len(values)), MARKERS, shifts, strict=False)
        for value, (color, marker, shift) in zip(values, looks, strict=True):
            n, mean, error = curve(table, knob, value, column)
            label = f"{SYMBOLS[knob]} = {value:g}"
            ax.errorbar(n * shift, mean, error, color=color, marker=marker, capsize=2, label=label)
        ax.axhline(0.5, color="black", lw=0.8, ls="--")
        ax.set(title=TITLES[knob], xscale="log", xticks=n)
        ax.xaxis.set_major_formatter(matplotlib.ticker.ScalarFormatter())
        ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        ax.legend(loc="lower right")
    for ax in axes[-1]:
        ax.set_xlabel("fine-tuning images $n$")
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy on two new classes")
    return fig


def trends(table: pd.DataFrame) -> Figure:
    """Change of accuracy per doubling of each knob, with its 95 % interval over class splits, for each n."""
    fig, axes = figure(1, len(KNOBS), height=2.6, sharex=True, sharey=True)
    columns = {"accuracy": ("o", COLORS[0], "as trained"), "accuracy_recalibrated": ("s", COLORS[1], "recalibrated")}
    for ax, knob in zip(axes[0], KNOBS, strict=True):
        for shift, (column, (marker, color, label)) in zip((-0.12, 0.12), columns.items(), strict=True):
            sizes, effects = zip(*slopes_table(table, knob, column), strict=True)
            x = np.arange(len(sizes)) + shift
            mean = np.array([e.mean for e in effects])
            reach = np.array([[e.mean - e.low, e.high - e.mean] for e in effects]).T
            ax.errorbar(x, mean, reach, color=color, marker=marker, ls="", capsize=3, label=label)
        ax.axhline(0, color="black", lw=0.8)
        ax.set(title=SHORT_TITLES[knob], xticks=range(len(sizes)), xticklabels=sizes, xlabel="images $n$")
    axes[0, 0].set_ylabel("accuracy per doubling")
    axes[0, 2].legend(loc="lower right")
    return fig


def dimensions(table: pd.DataFrame, n: int) -> Figure:
    """Participation ratio before and after fine-tuning and shared dimensions, by stage, for each knob (Figures 6-9).

    Parameters
    ----------
    table : DataFrame of the representations, as `ptft.vision.read_table` returns it
    n : int
        Number of fine-tuning images.
    """
    stages = list(dict.fromkeys(table["stage"].tolist()))
    rows = {"pr_before": "PR before", "pr_after": "PR after", "ensd": "ENSD"}
    fig, axes = figure(len(rows), len(KNOBS), height=1.7, sharex=True, sharey="row")
    for (i, (column, name)), (j, knob) in ((r, k) for r in enumerate(rows.items()) for k in enumerate(KNOBS)):
        values = values_of(table, knob)
        for value, color, marker in zip(values, ordered_colors(len(values)), MARKERS, strict=False):
            look = {"color": color, "marker": marker, "label": f"{SYMBOLS[knob]} = {value:g}"}
            _by_stage(axes[i, j], table, stages, (knob, value, n, column), look)
        axes[i, j].set(yscale="log", xticks=range(len(stages)))
        axes[i, j].set_yticks([2, 5, 10, 20, 50], labels=["2", "5", "10", "20", "50"])
        axes[i, j].yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes[i, 0].set_ylabel(name)
    for ax, knob in zip(axes[0], KNOBS, strict=True):
        ax.set_title(SHORT_TITLES[knob])
    for ax in axes[-1]:
        ax.set_xticklabels(["stem", *"1234"])
        ax.set_xlabel("stage")
    for ax in axes[1]:
        ax.legend(fontsize="x-small", handlelength=1, borderpad=0, labelspacing=0.2)
    return fig


def _by_stage(ax: Axes, table: pd.DataFrame, stages: list[str], point: tuple[str, float, int, str], look: dict) -> None:
    """Mean over seeds with its standard error, along the stages."""
    knob, value, n, column = point
    samples = [list(by_seed(table[table["stage"] == s], knob, value, n, column).values()) for s in stages]
    mean = np.nanmean(samples, axis=1)
    error = np.nanstd(samples, axis=1, ddof=1) / np.sqrt(len(samples[0]))
    ax.errorbar(range(len(stages)), mean, error, ms=3, lw=1.2, **look)
