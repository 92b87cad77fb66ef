"""Figures of chapters 3 and 4: the replica solution, its solvers and limits, and error against the data scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ptft.agreement import Comparison
from ptft.amp import StateEvolution
from ptft.experiments import Panel, Setting
from ptft.figures.page_style import COLORS, beside, figure, ordered_colors
from ptft.initialization import Initialization
from ptft.monte_carlo import MonteCarloCurve
from ptft.penalties import prox
from ptft.replica import ReplicaCurve
from ptft.stopping_rule import StoppedPoint
from ptft.trends import effect
from ptft.validation import checked

ALPHA_LABEL = r"data scale $\alpha = n/d$"
MSE_LABEL = r"error $\mathbb{E}(\hat\beta - \beta^*)^2$"
SYMBOLS = {
    "c_pt": r"$c_{\mathrm{PT}}$",
    "gamma_ft": r"$\gamma_{\mathrm{FT}}$",
    "lambda_pt": r"$\lambda_{\mathrm{PT}}/c_{\mathrm{PT}}$",
    "omega": r"$\omega$",
    "rho_ft": r"$\rho_{\mathrm{FT}}$",
}
LINES: Any = ("-", "--", ":")
MARKERS = ("o", "s", "^")


@checked
def shrinkage(z: np.ndarray, k: Sequence[float], theta: float) -> Figure:
    """The scalar estimator x_hat(z) at one theta for several penalty scales k.

    Parameters
    ----------
    z : ndarray, shape (m,)
    k : sequence of float
    theta : float

    Examples
    --------
    >>> fig = shrinkage(np.linspace(-2, 2, 50), k=[1e-4, 1.0], theta=0.5)
    >>> len(fig.axes[0].lines)  # two estimators, and none
    3
    """
    fig, axes = figure(1, 1, height=2.9)
    ax = axes[0, 0]
    ax.plot(z, z, color="#999999", linewidth=0.8, linestyle="--", label="no shrinkage")
    for value, color in zip(k, ordered_colors(len(k)), strict=True):
        ax.plot(z, prox(z, value, theta), color=color, label=rf"$\sqrt{{k}} = {_power(np.sqrt(value))}$")
    ax.set_xlabel("observation $z$")
    ax.set_ylabel(r"estimate $\hat x(z)$")
    ax.set_title(rf"effective regularisation $\theta$ = {number(theta)}")
    ax.legend()
    return fig


@checked
def quadrature_error(refinement: np.ndarray, errors: Mapping[str, np.ndarray]) -> Figure:
    """Relative quadrature error of the MSE against the number of nodes, as a share of the number in use.

    Parameters
    ----------
    refinement : ndarray, shape (m,)
    errors : mapping from a label to an ndarray, shape (m,)

    Examples
    --------
    >>> fig = quadrature_error(np.array([0.5, 1.0]), {"rich": np.array([1e-8, 1e-15])})
    >>> fig.axes[0].get_yscale()
    'log'
    """
    fig, axes = figure(1, 1, height=2.9)
    ax = axes[0, 0]
    for (label, error), color, marker in zip(errors.items(), COLORS, "osD^v", strict=False):
        ax.semilogy(refinement, np.maximum(error, 1e-17), marker=marker, color=color, label=label)
    ax.axhline(2.2e-16, color="#999999", linewidth=0.8, linestyle="--")
    ax.annotate("rounding", (refinement[0], 2.2e-16), ha="left", va="bottom", color="#555555", fontsize="small")
    ax.set_xlabel("number of nodes, relative to the number in use")
    ax.set_ylabel("relative error of the MSE")
    ax.legend()
    return fig


@checked
def solvers(curve: ReplicaCurve, exact: ReplicaCurve, sampled: MonteCarloCurve) -> Figure:
    """Quadrature on a curve, Monte Carlo at some of its points, and their difference there in standard errors.

    Examples
    --------
    >>> from ptft import Initialization, SingleTask, replica_curve
    >>> task, init, alpha = SingleTask(0.5), Initialization(1.0), np.array([0.2, 0.5])
    >>> curve = replica_curve(alpha, task, init)
    >>> sampled = replica_curve(alpha, task, init, method="monte-carlo", samples=1000)
    >>> len(solvers(curve, curve, sampled).axes)
    2
    """
    fig, axes = figure(1, 2, height=2.8)
    left, right = axes[0]
    left.semilogy(curve.alpha, curve.mse, color=COLORS[0], label="quadrature")
    left.errorbar(
        sampled.alpha, sampled.mse, 2 * sampled.mse_se, fmt="o", color=COLORS[1], label=r"Monte Carlo $\pm$ 2 s.e."
    )
    left.set_ylabel(MSE_LABEL)
    left.legend()
    right.axhspan(-2, 2, color="#eeeeee")
    right.plot(sampled.alpha, (sampled.mse - exact.mse) / sampled.mse_se, "o-", color=COLORS[1])
    right.set_ylabel("difference in standard errors")
    for ax in (left, right):
        ax.set_xlabel(ALPHA_LABEL)
    return fig


@checked
def state_evolution(mse: Mapping[str, np.ndarray], theory: Mapping[str, StateEvolution]) -> Figure:
    """Error of message passing by iteration: runs (steps, seeds) as points, state evolution as lines.

    Examples
    --------
    >>> theory = StateEvolution(np.array([0.5, 0.2]), np.array([1.0, 0.5]), np.array([0.1, 0.1]))
    >>> fig = state_evolution({"task": np.array([[0.5, 0.6], [0.2, 0.3]])}, {"task": theory})
    >>> fig.axes[0].get_xlabel()
    'iteration'
    """
    fig, axes = figure(1, 1, height=3.0)
    ax = axes[0, 0]
    for (label, runs), color, marker in zip(mse.items(), COLORS, "os^Dv", strict=False):
        steps = np.arange(1, len(runs) + 1)
        ax.semilogy(steps, theory[label].mse, color=color, label=label)
        spread = 2 * runs.std(axis=1, ddof=1) / np.sqrt(runs.shape[1])
        ax.errorbar(steps, runs.mean(axis=1), spread, fmt=marker, color=color)
    ax.set_xlabel("iteration")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(MSE_LABEL)
    handles, _ = ax.get_legend_handles_labels()
    handles.append(Line2D([], [], color="#555555", marker="o", linestyle="", label=r"message passing $\pm$ 2 s.e."))
    ax.legend(handles=handles)
    return fig


@checked
def limits(curves: Mapping[float, ReplicaCurve], l2: np.ndarray, l1: np.ndarray, threshold: float) -> Figure:
    """Replica curves from lazy to rich (keys are sqrt(k)) between the closed forms of l2 and l1.

    Parameters
    ----------
    curves : mapping from sqrt(k) to a ReplicaCurve; all have the same alpha, shape (m,)
    l2, l1 : ndarray, shape (m,)
    threshold : float
        Where the second reaches zero.

    Examples
    --------
    >>> from ptft import Initialization, SingleTask, replica_curve
    >>> alpha = np.array([0.1, 0.2])
    >>> curves = {2 * c: replica_curve(alpha, SingleTask(0.1), Initialization(c)) for c in (1e-3, 1.0)}
    >>> fig = limits(curves, l2=1 - alpha, l1=np.array([0.8, 0.4]), threshold=0.33)
    >>> len(fig.legends[0].get_texts())
    4
    """
    fig, axes = figure(1, 1, height=3.5)
    ax = axes[0, 0]
    colors = ordered_colors(len(curves))
    for (scale, curve), color in zip(curves.items(), colors, strict=True):
        ax.plot(curve.alpha, curve.mse, color=color, label=rf"$\sqrt{{k}} = {_power(scale)}$")
    alpha = next(iter(curves.values())).alpha
    ax.plot(alpha, l2, color=COLORS[1], linestyle="--", label=r"$\ell_2$ limit, $1 - \alpha$")
    ax.plot(alpha, l1, color=COLORS[6], linestyle=":", label=r"$\ell_1$ limit, basis pursuit")
    ax.axvline(threshold, color=COLORS[6], linewidth=0.8)
    ax.annotate(
        " exact recovery\n by basis pursuit",
        (threshold, 0.98),
        xycoords=("data", "axes fraction"),
        va="top",
        fontsize="small",
    )
    ax.set_xlabel(ALPHA_LABEL)
    ax.set_ylabel(MSE_LABEL)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


@checked
def figure_3(
    panels: Mapping[str, Panel], curves: Mapping[Setting, ReplicaCurve], points: Mapping[Setting, Comparison]
) -> Figure:
    """Figure 3: error against the data scale; lines are theory, points are simulations with 95 % intervals.

    Examples
    --------
    >>> from ptft import experiments
    >>> panels = experiments.figure_3()
    >>> curves = {s: experiments.predict(s, [0.1, 0.3]) for panel in panels.values() for s in panel.settings}
    >>> len(figure_3(panels, curves, {}).axes)
    6
    """
    fig, axes = figure(3, 2, height=3.1, sharex=True, sharey="row")
    for ax, (letter, panel) in zip(axes.ravel(), panels.items(), strict=True):
        hues = sorted({_value(s, panel.color) for s in panel.settings})
        styles = sorted({_value(s, panel.style) for s in panel.settings})
        colors = dict(zip(hues, ordered_colors(len(hues)), strict=True))
        for setting in panel.settings:
            color, rank = colors[_value(setting, panel.color)], styles.index(_value(setting, panel.style))
            _theory_and_points(ax, curves[setting], points.get(setting), color, LINES[rank], MARKERS[rank])
        keys = [Line2D([], [], color=colors[v], label=f"{SYMBOLS[panel.color]} = {number(v)}") for v in hues]
        keys += [
            Line2D(
                [],
                [],
                color="#555555",
                linestyle=LINES[i],
                marker=MARKERS[i],
                label=f"{SYMBOLS[panel.style]} = {number(v)}",
            )
            for i, v in enumerate(styles)
        ]
        ax.legend(
            handles=keys,
            fontsize="small",
            handlelength=2.2,
            ncols=2,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            borderpad=0,
        )
        ax.annotate(f"({letter})", (0.97, 0.95), xycoords="axes fraction", ha="right", va="top", weight="bold")
    _error_axes(axes)
    return fig


@checked
def figure_5(
    tasks: Mapping[tuple[float, float], Mapping[str, Setting]],
    curves: Mapping[Setting, ReplicaCurve],
    points: Mapping[Setting, Comparison],
) -> Figure:
    """Figure 5: four initializations on three tasks; lines are theory, points are simulations with 95 % intervals.

    Examples
    --------
    >>> from ptft import experiments
    >>> tasks = experiments.figure_5()
    >>> curves = {s: experiments.predict(s, [0.1, 0.3]) for task in tasks.values() for s in task.values()}
    >>> [text.get_text() for text in figure_5(tasks, curves, {}).axes[0].get_legend().get_texts()]
    ['start I', 'start II', 'start III', 'start IV']
    """
    fig, axes = figure(1, len(tasks), height=3.0, sharey=True)
    for ax, ((omega, rho), starts) in zip(axes[0], tasks.items(), strict=True):
        for (name, setting), color, line, marker in zip(
            starts.items(), COLORS, ("-", "--", ":", "-."), "os^D", strict=False
        ):
            _theory_and_points(ax, curves[setting], points.get(setting), color, line, marker, name)
        ax.set_title(f"{SYMBOLS['omega']} = {omega:g}, {SYMBOLS['rho_ft']} = {rho:g}")
    axes[0, 0].legend(title="initialization", loc="lower left")
    _error_axes(axes)
    return fig


@checked
def single_task(curves: Mapping[Setting, ReplicaCurve], points: Mapping[Setting, Comparison]) -> Figure:
    """Experiment 4: learning without pretraining, one panel per sparsity, one colour per scale c.

    Examples
    --------
    >>> from ptft import experiments
    >>> curves = {s: experiments.predict(s, [0.1, 0.3]) for s in experiments.experiment(4)}
    >>> len(single_task(curves, {}).axes)  # one for each sparsity
    4
    """
    rhos, scales = (sorted({getattr(s, name) for s in curves}) for name in ("rho_ft", "c_pt"))
    fig, axes = figure(1, len(rhos), height=2.7, sharey=True)
    colors = dict(zip(scales, ordered_colors(len(scales)), strict=True))
    for setting, curve in curves.items():
        ax = axes[0, rhos.index(setting.rho_ft)]
        marker = MARKERS[scales.index(setting.c_pt)]
        label = f"$c$ = {number(setting.c_pt)}" if ax is axes[0, -1] else ""
        _theory_and_points(ax, curve, points.get(setting), colors[setting.c_pt], "-", marker, label)
        ax.set_title(rf"$\rho$ = {number(setting.rho_ft)}")
    axes[0, -1].legend(loc="lower left")
    _error_axes(axes)
    return fig


@checked
def finite_size(deviations: Mapping[str, Mapping[int, tuple[float, float]]]) -> Figure:
    """Relative deviation of the simulated error from its prediction, with its interval, against d; a line a label.

    Examples
    --------
    >>> fig = finite_size({"base point": {250: (0.1, 0.05), 1000: (0.02, 0.01)}})
    >>> [tick.get_text() for tick in fig.axes[0].get_xticklabels()]
    ['250', '1000']
    """
    fig, axes = figure(1, 1, height=3.0)
    ax = axes[0, 0]
    ax.axhline(0, color="#999999", linewidth=0.8)
    for i, ((label, by_d), color, marker) in enumerate(zip(deviations.items(), COLORS, "os^Dv", strict=False)):
        d, values = np.array(list(by_d)), np.array(list(by_d.values()))
        bars = ax.errorbar(
            d, 100 * values[:, 0], 100 * values[:, 1], fmt=marker, color=color, markersize=4, label=label
        )
        beside(bars.get_children(), i, len(deviations), 6)
    ax.set_xscale("log")
    sizes = sorted({d for by_d in deviations.values() for d in by_d})
    ax.set_xticks(sizes, [str(d) for d in sizes], minor=False)
    ax.set_xticks([], minor=True)
    ax.set_xlabel("number of coordinates $d$")
    ax.set_ylabel("deviation from the prediction (%)")
    ax.legend(ncols=len(deviations), loc="lower left", bbox_to_anchor=(0, 1), borderpad=0, columnspacing=1.2)
    return fig


@checked
def on_designs(ratios: Mapping[str, np.ndarray], labels: Sequence[str]) -> Figure:
    """Simulated over predicted errors, a place for each design: means and 95 % intervals over seeds, where 1 agrees.

    Parameters
    ----------
    ratios : mapping from a design to the ratios, shape (labels, seeds), as of `ptft.agreement.ratio_to_theory`
    labels : sequence of str

    Examples
    --------
    >>> fig = on_designs({"Gaussian": np.array([[0.9, 1.1]]), "blocks": np.array([[0.4, 0.6]])}, ["rich"])
    >>> [tick.get_text() for tick in fig.axes[0].get_xticklabels()]
    ['Gaussian', 'blocks']
    """
    fig, axes = figure(1, 1, height=3.8)
    ax = axes[0, 0]
    ax.axhline(1, color="#999999", linewidth=0.8)
    at = np.arange(len(ratios))
    for i, (label, color, marker) in enumerate(zip(labels, COLORS, "os^Dv", strict=False)):
        found = [effect(of_design[i]) for of_design in ratios.values()]
        mean, half = (np.array([getattr(one, name) for one in found]) for name in ("mean", "half"))
        bars = ax.errorbar(at, mean, half, fmt=marker, color=color, label=label)
        beside(bars.get_children(), i, len(labels), 7)
    ax.set_xticks(at, list(ratios), rotation=60, ha="right", rotation_mode="anchor")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("simulated / predicted risk")
    ax.legend(ncols=len(labels), loc="lower left", bbox_to_anchor=(0, 1), borderpad=0, columnspacing=1.2)
    return fig


@checked
def stopping_rule(runs: Mapping[float, Sequence[Sequence[Sequence[StoppedPoint]]]], alpha: np.ndarray) -> Figure:
    """Gradient descent at thresholds on its loss; `runs` is by omega, then alpha, seed and threshold.

    One panel for each omega shows the mean errors, and the last one the median numbers of epochs.

    Parameters
    ----------
    runs : mapping
    alpha : ndarray, shape (m,)

    Examples
    --------
    >>> point = StoppedPoint(1e-4, True, 100, 0.02, 0.1, 0.01, "amp", 50)
    >>> fig = stopping_rule({0.0: [[[point]]], 1.0: [[[point]]]}, np.array([0.1]))
    >>> len(fig.axes)  # two overlaps, and the epochs
    3
    """
    fig, axes = figure(1, len(runs) + 1, height=3.0)
    losses = [point.loss for point in next(iter(runs.values()))[0][0]]
    colors = ordered_colors(len(losses))
    for ax, (omega, by_alpha) in zip(axes[0], runs.items(), strict=False):
        end = [np.mean([seed[0].end_mse for seed in seeds]) for seeds in by_alpha]
        ax.semilogy(alpha, end, color="black", label="end point")
        for i, (loss, color, marker) in enumerate(zip(losses, colors, MARKERS, strict=False)):
            stopped = [np.mean([seed[i].mse for seed in seeds]) for seeds in by_alpha]
            ax.semilogy(alpha, stopped, linestyle="", marker=marker, color=color, label=f"loss {number(loss)}")
        ax.set_title(f"{SYMBOLS['omega']} = {omega:g}")
        ax.set_ylabel(MSE_LABEL if ax is axes[0, 0] else "")
    axes[0, 0].legend(loc="lower left")
    last = axes[0, -1]
    for i, (color, marker) in enumerate(zip(colors, MARKERS, strict=False)):
        for by_alpha, line in zip(runs.values(), LINES, strict=False):
            epochs = [np.median([seed[i].epochs for seed in seeds]) for seeds in by_alpha]
            last.semilogy(alpha, epochs, line, marker=marker, color=color)
    last.set_title("both")
    last.set_ylabel("epochs")
    looks = zip(runs, LINES, strict=False)
    last.legend(
        handles=[Line2D([], [], color="#555555", ls=line, label=f"{SYMBOLS['omega']} = {o:g}") for o, line in looks]
    )
    for ax in axes[0]:
        ax.set_xlabel(ALPHA_LABEL)
    return fig


def _theory_and_points(
    ax: Axes, curve: ReplicaCurve, points: Comparison | None, color: object, line: str, marker: str, label: str = ""
) -> None:
    ax.plot(curve.alpha, curve.mse, color=color, linestyle=line, label=label or None)
    if points is not None:
        ax.errorbar(points.alpha, points.mean, points.half_width, fmt=marker, color=color, markersize=3, elinewidth=0.8)


def _error_axes(axes: np.ndarray) -> None:
    """Logarithmic error, cut at 1e-5 where recovery is as good as exact."""
    for ax in axes.ravel():
        ax.set_yscale("log")
        ax.set_ylim(1e-5, 5)
    for ax in axes[-1]:
        ax.set_xlabel(ALPHA_LABEL)
    for ax in axes[:, 0]:
        ax.set_ylabel(MSE_LABEL)


def _value(setting: Setting, name: str) -> float:
    return setting.lambda_pt / setting.c_pt if name == "lambda_pt" else float(getattr(setting, name))


@checked
def number(value: float) -> str:
    """A parameter value as mathematics: powers of ten from 0.001 down, and what would be written with an e, as such.

    It stands beside other mathematics, not in it, where 1e-06 would become a difference.

    Examples
    --------
    >>> number(1e-6), number(0.5), number(-0.5), number(-2.5e-7)
    ('$10^{-6}$', '0.5', '−0.5', '$-2.5 \\\\cdot 10^{-7}$')
    """
    exponent = np.log10(abs(value)) if value else 0.0
    if value > 0 and exponent <= -3 and np.isclose(exponent, round(exponent)):
        return f"$10^{{{round(exponent)}}}$"
    mantissa, e, power = f"{value:g}".partition("e")
    return rf"${mantissa} \cdot 10^{{{int(power)}}}$" if e else mantissa.replace("-", "−")


@checked
def relative_scale(init: Initialization) -> str:
    """lambda_pt/c_pt as text, or its distance from -1 where that is too small to be seen in it.

    Examples
    --------
    >>> relative_scale(Initialization(1e-3, -0.99e-3)), relative_scale(Initialization(1.0, -1 + 1e-8))
    ('−0.99', '−1 + $10^{-8}$')
    """
    distance = float(init.c_plus_lambda / np.asarray(init.c_pt))
    return number(round(distance - 1, 6)) if distance >= 1e-3 else f"−1 + {number(float(f'{distance:.3g}'))}"


def _power(value: float) -> str:
    exponent = round(np.log10(value), 6)
    return f"10^{{{exponent:g}}}" if abs(exponent) > 1 else f"{value:g}"
