"""Figures of the chapter on modular arithmetic; they need torch, so import this module explicitly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ptft.extras import needs_extra
from ptft.figures.page_style import COLORS, beside, figure, ordered_colors
from ptft.modular.protocol import PROTOCOLS
from ptft.modular.trends import errors_by_size, order_agreement, pretraining_steps, runs
from ptft.trends import UNTRAINED, curve, effect, sizes_of, trend, values_of
from ptft.validation import checked, one_of

with needs_extra("vision", __name__):
    import pandas as pd

SYMBOLS = {"kappa": r"$\kappa$", "embedding": r"$\kappa_E$", "c": "$c$", "gamma": r"$\gamma$"}
NAMES = {"quadratic": "quadratic", "transformer": "Transformer", "classifier": "with classes"}
MARKERS = "osD^v"
TASKS = ("nested", "reuse", "new")
LOOKS = {  # of the tasks
    "nested": {"color": COLORS[0], "marker": "o"},
    "reuse": {"color": COLORS[2], "marker": "s"},
    "new": {"color": COLORS[1], "marker": "D"},
    "random": {"color": "#777777", "marker": "x"},
}
PLACES = {  # of the frequencies of fine-tuning, see `ptft.modular.trends.PLACES`
    "inside": LOOKS["nested"],
    "half": {"color": COLORS[2], "marker": "s"},
    "beside": LOOKS["new"],
    "all": {"color": "#777777", "marker": "x"},
}
SHADES = {"pretraining": "#9ecae1", "both": COLORS[0], "fine-tuning": COLORS[1], "neither": "#bbbbbb"}


@checked
def features(tasks: Mapping[str, tuple[Sequence[int], Sequence[int]]], count: int) -> Figure:
    """Which frequencies the tasks of pretraining and of fine-tuning hold, a row for each pair of tasks.

    Parameters
    ----------
    tasks : mapping from a name to the frequencies of both tasks
    count : int
        Of all frequencies above 0.

    Examples
    --------
    >>> fig = features({"nested": ((1, 2, 4), (2,)), "new": ((1, 2, 4), (3,))}, 5)
    >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
    ['nested', 'new']
    """
    fig, axes = figure(height=0.6 + 0.28 * len(tasks))
    ax = axes[0, 0]
    drawn: dict[str, list[tuple[int, int]]] = {}
    for row, (first, second) in enumerate(tasks.values()):
        for k in range(1, count + 1):
            kind = _kind(k, first, second)
            drawn.setdefault(kind, []).append((k, row))
    for kind, shade in SHADES.items():
        if kind in drawn:
            x, y = np.array(drawn[kind]).T
            ax.plot(x, y, "s", ms=11, color=shade, label=kind)
    ax.set(xlabel="frequency $k$", xticks=range(1, count + 1), ylim=(len(tasks) - 0.4, -0.6))
    ax.set_yticks(range(len(tasks)), labels=list(tasks))
    ax.grid(False)
    fig.legend(loc="outside upper center", ncols=len(SHADES), handletextpad=0.3)
    return fig


def _kind(k: int, first: Sequence[int], second: Sequence[int]) -> str:
    """Whose frequency it is."""
    if k in first:
        return "both" if k in second else "pretraining"
    return "fine-tuning" if k in second else "neither"


@checked
def spectra(powers: Mapping[str, np.ndarray], first: Sequence[int], second: Mapping[str, Sequence[int]]) -> Figure:
    """Share of an embedding's power at each frequency above 0, a panel for each moment.

    Parameters
    ----------
    powers : mapping from a title to the power, shape (p // 2 + 1,), as of `ptft.modular.power_by_frequency`
    first : sequence of int
        The frequencies of pretraining.
    second : mapping from a title to the frequencies of fine-tuning
        Empty where it has none yet.

    Examples
    --------
    >>> powers = {"before": np.array([1.0, 2.0, 2.0]), "after": np.array([1.0, 1.0, 3.0])}
    >>> fig = spectra(powers, [1], {"before": [], "after": [2]})
    >>> [ax.get_title() for ax in fig.axes]
    ['before', 'after']
    """
    fig, axes = figure(1, len(powers), height=2.6, sharey=True)
    names: dict[str, Any] = {}
    for ax, (title, power) in zip(axes[0], powers.items(), strict=True):
        shares = power[1:] / power[1:].sum()
        kinds = [_kind(k, first, second[title]) for k in range(1, len(power))]
        for kind, shade in SHADES.items():
            at = [i for i, one in enumerate(kinds) if one == kind]
            if at:
                x = np.repeat(np.array(at) + 1.0, 3)
                y = np.stack([np.zeros(len(at)), shares[at], np.full(len(at), np.nan)], axis=1).ravel()
                (names[kind],) = ax.plot(x, y, color=shade, label=kind, lw=8, solid_capstyle="butt")
        ax.set_title(title, fontsize="small")
        ax.set(xlabel="frequency $k$", xticks=range(1, len(power), 2))
    axes[0, 0].set_ylabel("share of the power")
    axes[0, 0].set_ylim(bottom=0)
    fig.legend(handles=[names[kind] for kind in SHADES if kind in names], loc="outside upper center", ncols=4)
    return fig


@checked
def reuse(
    powers: Mapping[str, Mapping[str, np.ndarray]], first: Sequence[int], second: Mapping[str, Sequence[int]]
) -> Figure:
    """Share of an embedding's power by setting and frequency above 0, a map for each moment.

    The frequencies of pretraining come first, left of the line; those of fine-tuning are written in colour.

    Parameters
    ----------
    powers : mapping from a title to one from the name of a setting to the power, shape (p // 2 + 1,)
        As of `ptft.modular.power_by_frequency`; each title with the same settings.
    first : sequence of int
        The frequencies of pretraining.
    second : mapping from a title to the frequencies of fine-tuning
        Empty where it has none yet.

    Raises
    ------
    ValueError
        If there is no map, or one has other settings.

    Examples
    --------
    >>> power = {"kappa": np.array([1.0, 2.0, 2.0, 0.0]), "c": np.array([1.0, 1.0, 3.0, 0.0])}
    >>> fig = reuse({"before": power, "after": power}, [2], {"before": [], "after": [3]})
    >>> [label.get_text() for label in fig.axes[1].get_xticklabels()]
    ['2', '3', '1']
    """
    settings = [list(one) for one in powers.values()]
    if not settings or any(one != settings[0] for one in settings):
        raise ValueError(f"powers has the settings {settings}: they must be the same for each of at least one title")
    shares = {t: np.array([power[1:] / power[1:].sum() for power in one.values()]) for t, one in powers.items()}
    every = range(1, next(iter(shares.values())).shape[1] + 1)
    later = {k for of_title in second.values() for k in of_title}
    order = sorted(every, key=lambda k: (k not in first, k not in later, k))
    fig, axes = figure(1, len(powers), height=1.3 + 0.2 * len(settings[0]), sharey=True)
    most = max(float(one.max()) for one in shares.values())
    for ax, (title, values) in zip(axes[0], shares.items(), strict=True):
        image = ax.imshow(values[:, np.array(order) - 1], cmap="cividis", vmin=0, vmax=most, aspect="auto")
        ends = {"xy": (len(first) - 0.5, 0), "xytext": (len(first) - 0.5, 1), "xycoords": ("data", "axes fraction")}
        ax.annotate("", **ends, arrowprops={"arrowstyle": "-", "color": "white", "lw": 1.5, "shrinkA": 0, "shrinkB": 0})
        ax.set_title(title, fontsize="small")
        ax.set_xticks(range(len(order)), labels=[str(k) for k in order], fontsize="x-small")
        for label, k in zip(ax.get_xticklabels(), order, strict=True):
            if k in second[title]:
                label.set(color=SHADES["fine-tuning"], fontweight="bold")
        ax.set_xlabel("frequency $k$")
        ax.grid(False)
    axes[0, 0].set_yticks(range(len(settings[0])), labels=settings[0])
    fig.colorbar(image, ax=axes, label="share of the power")
    return fig


@checked
def sparsity(table: pd.DataFrame, n: int) -> Figure:
    """Test error by the number of frequencies of fine-tuning and where they lie, from the baseline.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it
    n : int
        Number of pairs of fine-tuning.

    Raises
    ------
    ValueError
        If the table lacks a column, the networks with scalar tasks, or the number.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> fig = sparsity(pd.read_parquet(results_file("modular.parquet")), 240)
    >>> [ax.get_title() for ax in fig.axes]
    ['Transformer', 'quadratic network', 'diagonal theory']
    """
    panels = {
        "Transformer": ("transformer", "error"),
        "quadratic network": ("quadratic", "error"),
        "diagonal theory": ("quadratic", "diagonal"),
    }
    fig, axes = figure(1, len(panels), height=2.9, sharex=True)
    for ax, (title, (network, column)) in zip(axes[0], panels.items(), strict=True):
        for where, look in PLACES.items():
            found = errors_by_size(table, network, where, n, column)
            logs = [np.array(list(one.values())) for one in found.values()]  # of the seeds, by size
            middle = np.array([one.mean() for one in logs])
            error = np.array([one.std(ddof=1) / np.sqrt(len(one)) if len(one) > 1 else np.nan for one in logs])
            bars = [2**middle - 2 ** (middle - error), 2 ** (middle + error) - 2**middle]
            ax.errorbar(list(found), 2**middle, bars, label=where, capsize=2, lw=1, **look)
        ax.axhline(1, color="black", lw=0.8, ls="--")
        ax.set(yscale="log", title=title, xlabel=r"frequencies $|K_{\mathrm{FT}}|$", xticks=[1, 3, 5, 11])
        ax.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1.0, 2.0, 5.0) if column == "error" else (1.0,)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    low, high = zip(*(ax.get_ylim() for ax in axes[0, :2]), strict=True)
    for ax in axes[0, :2]:
        ax.set_ylim(min(low), max(high))
    axes[0, 0].set_ylabel("test error")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(PLACES))
    return fig


@checked
def errors(table: pd.DataFrame, knob: str) -> Figure:
    """Test error against the number of pairs by the value of a knob, of networks and of the diagonal theory.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it
    knob : str
        One of `SYMBOLS`.

    Raises
    ------
    ValueError
        If the knob is none of these, or not in the table.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("modular.parquet"))
    >>> len(errors(table, "kappa").axes)
    9
    """
    one_of(knob, "knob", tuple(SYMBOLS))
    rows = [("Transformer", "transformer", "error"), ("quadratic", "quadratic", "error")]
    rows = [row for row in rows if knob in dict(PROTOCOLS[row[1]].knobs)]
    rows += [("diagonal theory", network, "diagonal") for _, network, _ in rows if network == "quadratic"]
    fig, axes = figure(len(rows), len(TASKS), height=2.2, sharex=True, sharey="row")
    for (i, (label, network, column)), (j, task) in ((r, t) for r in enumerate(rows) for t in enumerate(TASKS)):
        ax, chosen = axes[i, j], runs(table, network, task)
        lines = [(f"{SYMBOLS[knob]} × {v:g}", knob, v) for v in values_of(chosen, knob)]
        if column == "error":
            lines.append(("not pretrained", UNTRAINED, 1.0))
        colors = [*ordered_colors(len(lines) - (column == "error")), "#777777"]
        for place, (name, kind, value) in enumerate(lines):
            n, mean, error = curve(chosen, kind, value, column)
            look = {"color": colors[place], "label": name, "lw": 1.2, "ms": 3}
            look |= {"ls": ":"} if kind == UNTRAINED else {"marker": MARKERS[place]}
            middle = 2**mean
            bars = ax.errorbar(n, middle, [middle - 2 ** (mean - error), 2 ** (mean + error) - middle], **look)
            beside(bars.get_children(), place, len(lines), 1.0)
        _errors_axis(ax, sizes_of(chosen))
        if i == 0:
            ax.set_title(f"{task}: {int(chosen['size'].iloc[0])} of {PROTOCOLS[network].size_pt}", fontsize="small")
        if j == 0:
            ax.set_ylabel(f"{label}:\ntest error")
            ax.legend(fontsize="x-small", handlelength=1.2, borderpad=0, labelspacing=0.2, loc="lower left")
    axes[0, 2].set_title("new: 1 beside", fontsize="small")
    for ax in axes[-1]:
        ax.set_xlabel("pairs $n$")
    return fig


def _errors_axis(ax: Axes, sizes: Sequence[int]) -> None:
    """Logarithmic errors, with the one of predicting 0, against numbers of pairs."""
    ax.axhline(1, color="black", lw=0.8, ls="--")
    ax.set(yscale="log", xticks=[n for n in sizes if n != 180])
    ax.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())


@checked
def slopes_by_size(table: pd.DataFrame) -> Figure:
    """Change of the logarithm of the error per doubling of each knob, by network, task and number of pairs.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> fig = slopes_by_size(pd.read_parquet(results_file("modular.parquet")))
    >>> [ax.get_title() for ax in fig.axes[:2]]
    ['$\\\\kappa$: all before the readout', '$c$: all weights']
    """
    titles = {
        "kappa": f"{SYMBOLS['kappa']}: all before the readout",
        "c": f"{SYMBOLS['c']}: all weights",
        "gamma": f"{SYMBOLS['gamma']}: the new readout",
        "embedding": f"{SYMBOLS['embedding']}: the embedding",
    }
    networks = [network for network in PROTOCOLS if (table["network"] == network).any()]
    fig, axes = figure(len(networks), len(titles), height=1.9, sharex=True, sharey="row")
    for (i, network), (j, knob) in ((r, k) for r in enumerate(networks) for k in enumerate(titles)):
        ax = axes[i, j]
        ax.axhline(0, color="black", lw=0.8)
        tasks = [task for task in LOOKS if task in dict(PROTOCOLS[network].cells)]
        for place, task in enumerate(tasks if knob in dict(PROTOCOLS[network].knobs) else []):
            found = trend(runs(table, network, task), knob, "error", 1)
            mean, half = (np.array([getattr(one, name) for one in found.values()]) for name in ("mean", "half"))
            look = {**LOOKS[task], "ls": "", "label": task, "ms": 3, "elinewidth": 1}
            beside(ax.errorbar(list(found), mean, half, **look).get_children(), place, len(tasks), 2.5)
        if knob not in dict(PROTOCOLS[network].knobs):
            ax.text(0.5, 0.6, f"$=$ {SYMBOLS['kappa']} here", transform=ax.transAxes, ha="center", fontsize="small")
        axes[i, 0].set_ylabel(f"{NAMES[network]}:\nchange per doubling")
    for ax, title in zip(axes[0], titles.values(), strict=True):
        ax.set_title(title, fontsize="small")
    for ax in axes[-1]:
        ax.set(xlabel="pairs $n$", xticks=[60, 240, 420])
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(LOOKS))
    return fig


@checked
def orders(table: pd.DataFrame) -> Figure:
    """Rank correlation of the quadratic network's errors with both predictions over its pretrained settings.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> len(orders(pd.read_parquet(results_file("modular.parquet"))).axes)
    3
    """
    fig, axes = figure(1, len(TASKS), height=2.6, sharey=True)
    looks = {"diagonal": ("o", COLORS[0], "diagonal network"), "tangent": ("s", COLORS[1], "tangent kernel")}
    for ax, task in zip(axes[0], TASKS, strict=True):
        chosen = runs(table, "quadratic", task)
        for place, (theory, (marker, color, label)) in enumerate(looks.items()):
            sizes = sizes_of(chosen)
            found = [effect(order_agreement(chosen, theory, n)) for n in sizes]
            mean, half = (np.array([getattr(one, name) for one in found]) for name in ("mean", "half"))
            bars = ax.errorbar(sizes, mean, half, marker=marker, color=color, label=label, lw=1, capsize=2)
            beside(bars.get_children(), place, len(looks), 3)
        ax.axhline(0, color="black", lw=0.8)
        ax.set_title(task, fontsize="small")
        ax.set(xlabel="pairs $n$", ylim=(-1.05, 1.05), xticks=[n for n in sizes if n != 180])
    axes[0, 0].set_ylabel("rank correlation")
    axes[0, 0].legend(loc="lower right")
    return fig


@checked
def shares(table: pd.DataFrame, kappa: np.ndarray, theory: np.ndarray, least: np.ndarray, n: int) -> Figure:
    """Share of the embedding's power: at K_PT after pretraining, and at a new task's after fine-tuning, by kappa.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it
    kappa : ndarray, shape (m,)
        Factors of the baseline.
    theory : ndarray, shape (m,)
        Share at K_PT in a closed quadratic network.
    least : ndarray, shape (m,)
        What it is at least.
    n : int
        Number of pairs of fine-tuning.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("modular.parquet"))
    >>> len(shares(table, np.array([0.1, 1.0]), np.array([0.99, 0.8]), np.array([0.98, 0.5]), 240).axes)
    2
    """
    fig, axes = figure(1, 2, height=2.9)
    axes[0, 0].plot(kappa, theory, color="black", lw=1, label="quadratic, equations")
    axes[0, 0].plot(kappa, least, color="black", lw=1, ls="--", label="quadratic, at least")
    for (network, name), color, marker in zip(NAMES.items(), COLORS, MARKERS, strict=False):
        chosen = runs(table, network, "new")
        chosen = chosen[chosen["n"] == n]
        values = values_of(chosen, "kappa")
        look = {"color": color, "marker": marker, "capsize": 2, "lw": 1}
        for ax, column, label, line in (
            (axes[0, 0], "on_pt_before", name, "" if network == "quadratic" else "-"),
            (axes[0, 1], "on_ft_before", f"{name}, before", ":"),
            (axes[0, 1], "on_ft_after", f"{name}, after", "-"),
        ):
            found = [curve(chosen, "kappa", value, column) for value in values]
            mean, error = (np.array([one[i][0] for one in found]) for i in (1, 2))
            ax.errorbar(values, mean, error, label=label, **look | {"ls": line})
    titles = r"at $K_{\mathrm{PT}}$, after pretraining", r"at $K_{\mathrm{FT}}$ of a new task"
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set(xscale="log", xlabel=r"$\kappa$, factor of the baseline", ylim=(0, None), title=title)
    axes[0, 0].legend(fontsize="x-small")
    looks = {"before": ":", "after fine-tuning": "-"}
    keys = [Line2D([], [], color="#555555", ls=line, label=label) for label, line in looks.items()]
    axes[0, 1].legend(handles=keys, fontsize="x-small", loc="lower right")
    axes[0, 0].set_ylabel("share of the embedding's power")
    return fig


@checked
def pretraining_lengths(table: pd.DataFrame, losses: Mapping[str, np.ndarray]) -> Figure:
    """How long networks stay near the saddle at 0: losses of pretraining, and steps until it ends, by kappa.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it
    losses : mapping from a label to losses of pretraining, shape (steps + 1,)

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("modular.parquet"))
    >>> len(pretraining_lengths(table, {"one": np.array([0.5, 0.1])}).axes)
    2
    """
    fig, axes = figure(1, 2, height=2.8)
    for (label, loss), color in zip(losses.items(), ordered_colors(len(losses)), strict=True):
        axes[0, 0].plot(np.arange(1, len(loss) + 1), loss, color=color, label=label, lw=1.2)
    axes[0, 0].set(xscale="log", yscale="log", xlabel="step", ylabel="loss of pretraining", title="quadratic network")
    axes[0, 0].legend(loc="lower left")
    for (network, name), color, marker in zip(NAMES.items(), COLORS, MARKERS, strict=False):
        found = pretraining_steps(table, network, "kappa")
        axes[0, 1].plot(list(found), [one[0] for one in found.values()], color=color, marker=marker, lw=1, label=name)
    axes[0, 1].set(xscale="log", yscale="log", xlabel=r"$\kappa$, factor of the baseline", title="all networks")
    axes[0, 1].set_ylabel("steps of pretraining")
    axes[0, 1].yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes[0, 1].set_yticks([100, 200, 500, 1000], labels=["100", "200", "500", "1000"])
    axes[0, 1].legend(fontsize="x-small")
    return fig


@checked
def attention(points: Mapping[str, Mapping[float, tuple[float, float]]]) -> Figure:
    """At how many of its three places a head of the Transformer looks, and how far its scores are apart, by kappa.

    Parameters
    ----------
    points : mapping from a label to one from kappa to what `ptft.modular.attention_of` returns

    Examples
    --------
    >>> fig = attention({"at the start": {1.0: (2.9, 0.1), 2.0: (1.2, 1.6)}})
    >>> len(fig.axes)
    2
    """
    fig, axes = figure(1, 2, height=2.6)
    every = sorted({kappa for one in points.values() for kappa in one})
    for (label, one), color, marker in zip(points.items(), COLORS, MARKERS, strict=False):
        for ax, values in zip(axes[0], np.array(list(one.values())).T, strict=True):
            ax.plot(list(one), values, color=color, marker=marker, label=label)
    axes[0, 0].set(ylabel="places that a head looks at", ylim=(1, 3.1))
    axes[0, 1].set(yscale="log", ylabel="spread of the scores")
    axes[0, 0].legend(loc="lower left")
    for ax in axes[0]:
        ax.set(xscale="log", xlabel=r"$\kappa$, factor of the baseline")
        ax.set_xticks(every, labels=[f"{kappa:g}" for kappa in every])
        ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    return fig
