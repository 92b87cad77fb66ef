"""Figures of the chapters on residual networks; they need torch, so import this module explicitly."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptft.extras import needs_extra
from ptft.figures.page_style import COLORS, beside, figure, ordered_colors
from ptft.trends import BASELINE, curve, sizes_of, trend, values_of
from ptft.validation import checked, one_of, require
from ptft.vision.protocol import SAMPLE_SIZES, UNTRAINED
from ptft.vision.representation import CONVENTIONS, columns_of
from ptft.vision.trends import ACCURACIES, PUBLISHED_SCALING, PUBLISHED_UNTRAINED, knobs_of

with needs_extra("vision", __name__):
    import pandas as pd

TITLES = {
    "kappa": r"$\kappa$: early layers, at the start",
    "c": "$c$: all, at the start",
    "gamma": r"$\gamma$: readout, after pretraining",
    "weights": "$s$: all, after pretraining",
    "baseline": "baseline",
}
SYMBOLS = {"kappa": r"$\kappa$", "c": "$c$", "gamma": r"$\gamma$", "weights": "$s$", "baseline": "baseline"}
MARKERS = "osD^vP<X>"
ENOUGH = 5  # class splits for an interval: with two, Student's factor is 12.7
CHANGES = dict.fromkeys(ACCURACIES, "change of accuracy\nper doubling, in per cent") | {
    "change": "log(PR after / before)\nper doubling",
    "inherited": "ENSD / PR after\nper doubling",
}


@checked
def examples(images: np.ndarray, labels: np.ndarray, marked: Sequence[int]) -> Figure:
    """The first image of each class, with those of the `marked` classes in a frame.

    Parameters
    ----------
    images : ndarray (N, H, W), grey
    labels : ndarray (N,)
    marked : classes to frame

    Examples
    --------
    >>> from ptft.vision import load
    >>> digits = load("digits")
    >>> fig = examples(digits.train_images[:, 0].numpy(), digits.train_labels.numpy(), marked=[3, 8])
    >>> len(fig.axes)
    10
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


@checked
def accuracy_curves(table: pd.DataFrame, knobs: Sequence[str], column: str = "accuracy") -> Figure:
    """Accuracy against the number of fine-tuning images, one panel per knob and one line per value (Figure 4).

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.vision` stores it
    knobs : those to show, of which the table may lack some
    column : one of `ptft.vision.ACCURACIES`

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("vision.parquet"))
    >>> len(accuracy_curves(table, ("kappa", "c")).axes)
    2
    """
    shown = [knob for knob in knobs if knob in _panels(table)] or [BASELINE[0]]
    fig, axes = figure(1, len(shown), height=3.7, sharey=True)
    for ax, knob in zip(axes[0], shown, strict=True):
        _accuracy(ax, {value: curve(table, knob, value, column) for value in values_of(table, knob)}, SYMBOLS[knob])
        _untrained(ax, *curve(table, *UNTRAINED, column))
        ax.set_title(TITLES[knob], fontsize="small")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, columnspacing=1, handlelength=1.6)
    axes[0, 0].set_ylabel("accuracy on two new classes")
    return fig


@checked
def beside_published(table: pd.DataFrame) -> Figure:
    """Accuracy by the factor of all parameters after pretraining: as trained, recalibrated, and as published.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> fig = beside_published(pd.read_parquet(results_file("vision.parquet")))
    >>> [ax.get_title() for ax in fig.axes]
    ['here, as trained', 'here, recalibrated', 'CIFAR-100, published']
    """
    values = values_of(table, "weights") if "weights" in knobs_of(table) else [1.0]
    every = sorted({*values, *PUBLISHED_SCALING})
    fig, axes = figure(1, 3, height=3.2, sharey=True)
    for ax, column in zip(axes[0], ("accuracy", "accuracy_recalibrated"), strict=False):
        curves = {value: curve(table, "weights", value, column) for value in values}
        _accuracy(ax, curves, SYMBOLS["weights"], every)
        _untrained(ax, *curve(table, *UNTRAINED, column))
        ax.set_title(f"here, {ACCURACIES[column]}")
    n, no_error = np.array(SAMPLE_SIZES), np.full(len(SAMPLE_SIZES), np.nan)
    published = {value: (n, np.array(means), no_error) for value, means in PUBLISHED_SCALING.items()}
    _accuracy(axes[0, 2], published, SYMBOLS["weights"], every)
    _untrained(axes[0, 2], n, np.array(PUBLISHED_UNTRAINED), no_error)
    axes[0, 2].set_title("CIFAR-100, published")
    fig.legend(*axes[0, 2].get_legend_handles_labels(), loc="outside lower center", ncols=len(published) + 1)
    axes[0, 0].set_ylabel("accuracy on two new classes")
    return fig


@checked
def trends(table: pd.DataFrame) -> Figure:
    """Change of the `ACCURACIES` per doubling of each knob, in per cent, with 95 % intervals over class splits, by n.

    Slopes of fewer than `ENOUGH` class splits have no interval.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("vision.parquet"))
    >>> len(trends(table).axes) == len(knobs_of(table))
    True
    """
    series = {label: (table, column) for column, label in ACCURACIES.items()}
    return _trends([(CHANGES["accuracy"], series)], _panels(table))


@checked
def trends_of_sets(tables: Mapping[str, pd.DataFrame], columns: Sequence[str] = ("accuracy",)) -> Figure:
    """`trends` of the same measures beside each other for several tables, such as those of several sets of images.

    Slopes of fewer than `ENOUGH` seeds have no interval.

    Parameters
    ----------
    tables : mapping from names to DataFrames, as `ptft.sweeps.vision` stores them or `ptft.vision.signature` returns
        Some of their knobs may be missing in others.
    columns : sequence of str, default ("accuracy",)
        What is measured, a row of panels for each: of `ptft.vision.ACCURACIES`, in per cent, ``"change"`` and
        ``"inherited"``.

    Raises
    ------
    ValueError
        If there is no table or no measure, a table lacks one, or a measure is none of these.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("vision.parquet"))
    >>> fig = trends_of_sets({"all": table, "few": table[table["n"] < 100]})
    >>> [len(ax.containers) for ax in fig.axes]
    [2, 2, 2, 2]
    """
    require(len(tables) > 0, "tables", dict(tables), "one at least")
    require(len(columns) > 0, "columns", list(columns), "one at least")
    rows = [
        (CHANGES[one_of(column, "columns", tuple(CHANGES))], {name: (one, column) for name, one in tables.items()})
        for column in columns
    ]
    return _trends(rows, _panels(pd.concat(tables.values())))


def _trends(rows: Sequence[tuple[str, Mapping[str, tuple[pd.DataFrame, str]]]], knobs: Sequence[str]) -> Figure:
    """A panel for each knob in a row for each label, and in it the slopes of one column of each table, by n."""
    fig, axes = figure(len(rows), len(knobs), height=3.0 if len(rows) == 1 else 2.3, sharex=True)
    sizes = sorted({n for _, series in rows for table, _ in series.values() for n in sizes_of(table)})
    for row, (label, series) in zip(axes, rows, strict=True):
        for ax, knob in zip(row, knobs, strict=True):
            for i, (name, (table, column)) in enumerate(series.items()):
                effects = trend(table, knob, column) if knob in knobs_of(table) else {}
                unit = 100 if column in ACCURACIES else 1
                mean = unit * np.array([e.mean for e in effects.values()])
                reach = unit * np.array([[e.mean - e.low, e.high - e.mean] for e in effects.values()]).reshape(-1, 2).T
                seeds = min((one.seeds for one in effects.values()), default=0)
                bars = ax.errorbar(
                    list(effects),
                    mean,
                    reach if seeds >= ENOUGH else None,
                    color=COLORS[i],
                    marker="o^sD"[i],
                    ls="",
                    label=name,
                )
                beside(bars.get_children(), i, len(series), 4)
            ax.axhline(0, color="black", lw=0.8)
            ax.locator_params(axis="y", nbins=4)
        row[0].set_ylabel(label)
    for ax, knob in zip(axes[0], knobs, strict=True):
        ax.set_title(SYMBOLS[knob])
    for ax in axes[-1]:
        _sizes(ax, sizes)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), handletextpad=0.1)
    return fig


@checked
def dimensions(representations: pd.DataFrame, n: int, convention: str = CONVENTIONS[0]) -> Figure:
    """Participation ratio before and after fine-tuning and shared dimensions, by stage, for each knob (Figures 6-9).

    Parameters
    ----------
    representations : DataFrame, as `ptft.sweeps.vision` stores it
    n : int
        Number of fine-tuning images.
    convention : str, default "evaluation"
        One of `ptft.vision.CONVENTIONS`, by which the test images were measured.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("representations.parquet"))
    >>> len(dimensions(table, n=100).axes) == 3 * len(knobs_of(table))
    True
    """
    knobs = _panels(representations)
    stages = list(dict.fromkeys(representations["stage"].tolist()))
    by_stage = [representations[(representations["stage"] == s) & (representations["n"] == n)] for s in stages]
    rows = dict(zip(columns_of(convention), ("PR before", "PR after", "ENSD"), strict=True))
    fig, axes = figure(len(rows), len(knobs), height=1.7, sharex=True, sharey="row")
    for (i, (column, name)), (j, knob) in ((r, k) for r in enumerate(rows.items()) for k in enumerate(knobs)):
        for value, look in _looks(values_of(representations, knob), SYMBOLS[knob]):
            parts = [curve(t, knob, value, column) for t in by_stage]
            mean, error = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
            axes[i, j].errorbar(range(len(stages)), mean, error, **look | {"ms": 3, "lw": 1.2})
        axes[i, j].set(yscale="log", xticks=range(len(stages)))
        axes[i, j].set_yticks([2, 5, 10, 20, 50], labels=["2", "5", "10", "20", "50"])
        axes[i, j].yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes[i, 0].set_ylabel(name)
    for ax, knob in zip(axes[0], knobs, strict=True):
        ax.set_title(TITLES[knob], fontsize="small")
    for ax in axes[-1]:
        ax.set_xticklabels(["stem", *"1234"])
        ax.set_xlabel("stage")
    for ax in axes[0]:
        ax.legend(fontsize="x-small", handlelength=1, borderpad=0, labelspacing=0.2)
    return fig


@checked
def signature_curves(runs: pd.DataFrame) -> Figure:
    """The signature of Appendix D in one stage, against n: the change of the dimension, and the share inherited.

    Parameters
    ----------
    runs : DataFrame, as `ptft.vision.signature` returns it

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> from ptft.vision import signature
    >>> runs = signature(pd.read_parquet(results_file("representations.parquet")))
    >>> len(signature_curves(runs).axes) == 2 * len(knobs_of(runs))
    True
    """
    knobs = _panels(runs)
    rows = {"change": "log(PR after / before)", "inherited": "ENSD / PR after"}
    fig, axes = figure(len(rows), len(knobs), height=2.2, sharex=True)
    for (i, (column, name)), (j, knob) in ((r, k) for r in enumerate(rows.items()) for k in enumerate(knobs)):
        for value, look in _looks(values_of(runs, knob), SYMBOLS[knob]):
            n, mean, error = curve(runs, knob, value, column)
            axes[i, j].errorbar(n, mean, error, **look)
        axes[i, j].axhline((0.0, 1.0)[i], color="black", lw=0.8)
        axes[i, j].locator_params(axis="y", nbins=4)
        axes[i, 0].set_ylabel(name)
    for ax, knob in zip(axes[0], knobs, strict=True):
        ax.set_title(TITLES[knob], fontsize="small")
    for ax in axes[0]:
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
        look = {"handlelength": 1, "borderpad": 0, "labelspacing": 0.2, "columnspacing": 1, "ncols": 2}
        ax.legend(loc="upper center", fontsize="x-small", **look)
    for ax in axes[-1]:
        _sizes(ax, sizes_of(runs))
    return fig


def _panels(table: pd.DataFrame) -> list[str]:
    """The knobs of a table, or its baseline alone where it holds none."""
    return knobs_of(table) or [BASELINE[0]]


def _looks(values: Sequence[float], symbol: str) -> list[tuple[float, dict[str, Any]]]:
    """The values of a knob with the colour, marker and label of their lines, dark for the smallest."""
    looks = zip(values, ordered_colors(len(values)), itertools.cycle(MARKERS), strict=False)
    return [(v, {"color": color, "marker": m, "label": f"{symbol} = {v:g}"}) for v, color, m in looks]


def _accuracy(
    ax: Axes, curves: Mapping[float, tuple[np.ndarray, ...]], symbol: str, values: Sequence[float] | None = None
) -> None:
    """Lines of accuracy against n, with the looks that they have among `values`, those of the curves by default."""
    looks = dict(_looks(values or list(curves), symbol))
    for i, (value, (n, mean, error)) in enumerate(curves.items()):
        beside(ax.errorbar(n, mean, error, **looks[value]).get_children(), i, len(curves), 1.5)
    ax.axhline(0.5, color="black", lw=0.8, ls="--")
    _sizes(ax, n)


def _untrained(ax: Axes, n: np.ndarray, mean: np.ndarray, error: np.ndarray) -> None:
    ax.errorbar(n, mean, error, color="#777777", ls=":", marker="", label="not pretrained")


def _sizes(ax: Axes, sizes: Sequence[int] | np.ndarray) -> None:
    """A logarithmic axis of sample sizes, labelled at every third one where there are many, or a factor of 4 apart."""
    few = [sizes[0], *(n for before, n in itertools.pairwise(sizes) if n >= 4 * before)]
    shown = few if len(sizes) < 5 else list(sizes)[::3]
    ax.set(xscale="log", xlabel="fine-tuning images $n$", xticks=shown)
    ax.xaxis.set_major_formatter(matplotlib.ticker.ScalarFormatter())
    ax.set_xticks(list(sizes), minor=True)
    ax.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
