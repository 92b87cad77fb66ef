"""Figures of pretraining with few and noisy data: errors and forgetting of both stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure

from ptft.agreement import Comparison, TwoStageComparison
from ptft.figures.curves import ALPHA_LABEL, LINES, MSE_LABEL
from ptft.figures.page_style import figure, ordered_colors
from ptft.teachers import GROUPS
from ptft.two_stages import TwoStageCurve
from ptft.validation import checked

ALPHA_PT_LABEL = r"data scale of pretraining $\alpha_{\mathrm{PT}}$"
FORGETTING_LABEL = r"forgetting $\mathbb{E}(\beta_{\mathrm{FT}} - \beta^*_{\mathrm{PT}})^2$"
MARKERS = "os^Dv"


@dataclass(frozen=True, eq=False)
class ErrorPanel:
    """One panel of errors: lines of theory by label, points of simulation by the same labels."""

    x_label: str
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]]  # abscissae and errors
    points: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)  # and half widths
    reference: float | None = None  # error without pretraining
    peak: float | None = None  # error next to one pretraining example for each coordinate, with noise


@checked
def along_alpha(
    curves: Mapping[str, TwoStageCurve], points: Mapping[str, TwoStageComparison] | None = None
) -> ErrorPanel:
    """Errors against the data scale of fine-tuning.

    Examples
    --------
    >>> from ptft.experiments import FiniteSetting, Setting, predict_two_stages
    >>> panel = along_alpha({"a little pretraining": predict_two_stages(FiniteSetting(alpha_pt=0.2), [0.1, 0.3])})
    >>> [values.shape for values in panel.lines["a little pretraining"]]
    [(2,), (2,)]
    """
    simulated = {label: _points(one.fine_tuning.given_teachers) for label, one in (points or {}).items()}
    return ErrorPanel(ALPHA_LABEL, {label: (c.alpha, c.mse) for label, c in curves.items()}, simulated)


@checked
def along_alpha_pt(
    alpha_pt: np.ndarray,
    curves: Mapping[str, list[TwoStageCurve]],
    reference: float,
    points: Mapping[str, list[TwoStageComparison]] | None = None,
    peak: float | None = None,
) -> ErrorPanel:
    """Errors at one data scale of fine-tuning against that of pretraining.

    Parameters
    ----------
    alpha_pt : ndarray, shape (m,)
    curves : mapping from a label to m curves at one alpha
    reference : float
        The error without pretraining.
    points : mapping from the same labels to simulations, one for each of some alpha_pt
    peak : float, optional
        `ptft.limits.noisy_pretraining_peak`, to which curves with noise rise at 1 between the points of any grid.

    Examples
    --------
    >>> from ptft.experiments import FiniteSetting, Setting, predict_two_stages
    >>> curves = [predict_two_stages(FiniteSetting(Setting(omega=1.0), a), 0.1) for a in (0.2, 1.0)]
    >>> at, mse = along_alpha_pt(np.array([0.2, 1.0]), {"base point": curves}, reference=0.83).lines["base point"]
    >>> bool(mse[1] < mse[0])
    True
    """
    lines = {label: (alpha_pt, np.array([c.mse.item() for c in line])) for label, line in curves.items()}
    simulated = {}
    for label, line in (points or {}).items():
        given = [one.fine_tuning.given_teachers for one in line]
        at = np.concatenate([one.pretraining.alpha for one in line])
        simulated[label] = (at, np.concatenate([g.mean for g in given]), np.concatenate([g.half_width for g in given]))
    return ErrorPanel(ALPHA_PT_LABEL, lines, simulated, reference, peak)


@checked
def next_to_the_peak(away: np.ndarray, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], peak: float) -> Figure:
    """Errors on both sides of alpha_pt = 1 against the distance from it; the dotted line is their common limit.

    Parameters
    ----------
    away : ndarray, positive, shape (m,)
        |alpha_pt - 1|.
    curves : mapping from a label to the errors below and above, two arrays of shape (m,)
    peak : float

    Examples
    --------
    >>> away = np.array([1e-4, 1e-2])
    >>> fig = next_to_the_peak(away, {"noise 0.1": (np.array([0.9, 0.8]), np.array([0.9, 0.7]))}, 0.9)
    >>> len(fig.axes[0].lines)
    3
    """
    fig, ((ax,),) = figure(height=2.9)
    for color, (label, (below, above)) in zip(ordered_colors(len(curves)), curves.items(), strict=True):
        ax.plot(away, below, color=color, label=f"{label}, below 1")
        ax.plot(away, above, color=color, linestyle="--", label=f"{label}, above 1")
    ax.axhline(peak, color="#777777", linewidth=1.0, linestyle=":", label="limit")
    ax.set_xscale("log")
    ax.set_xlabel(r"distance of $\alpha_{\mathrm{PT}}$ from 1")
    ax.set_ylabel(MSE_LABEL)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize="x-small", handlelength=2.4)
    return fig


@checked
def errors(panels: Mapping[str, ErrorPanel], columns: int = 2, lowest: float = 1e-4) -> Figure:
    """A panel for each title; lines are theory, points simulations with 95 % intervals, dashed: no pretraining.

    Examples
    --------
    >>> x = np.array([0.1, 0.3])
    >>> panel = ErrorPanel(ALPHA_LABEL, {"theory": (x, 1 - x)})
    >>> fig = errors({"one": panel, "two": panel})
    >>> [ax.get_title() for ax in fig.axes]
    ['one', 'two']
    """
    rows = -(-len(panels) // columns)
    fig, axes = figure(rows, columns, height=2.9, sharey="row")
    for empty in axes.flat[len(panels) :]:
        empty.remove()
    for ax, (title, panel) in zip(axes.flat, panels.items(), strict=False):
        for i, (color, (label, (x, y))) in enumerate(
            zip(ordered_colors(len(panel.lines)), panel.lines.items(), strict=True)
        ):
            ax.plot(x, y, color=color, linestyle=LINES[i % 3], label=label)
            if label in panel.points:
                ax.errorbar(*panel.points[label], fmt=MARKERS[i], color=color, markersize=3.5, elinewidth=0.8)
        if panel.reference is not None:
            ax.axhline(panel.reference, color="#777777", linewidth=1.0, linestyle="-.", label="none")
        if panel.peak is not None:
            ax.axhline(panel.peak, color="#777777", linewidth=1.0, linestyle=":", label="noise, at 1")
        if panel.x_label == ALPHA_PT_LABEL:
            ax.set_xscale("log")
            ax.set_xticks([0.03, 0.1, 0.3, 1, 3, 10], ["0.03", "0.1", "0.3", "1", "3", "10"])
            ax.set_xticks([], minor=True)
        ax.set_yscale("log")
        ax.set_xlabel(panel.x_label)
        ax.set_title(title)
        ax.legend(fontsize="x-small", handlelength=2.4)
    for ax in axes[:, 0]:
        ax.set_ylim(bottom=max(lowest, ax.get_ylim()[0]))
        ax.set_ylabel(MSE_LABEL)
    return fig


@checked
def forgetting(
    curves: Mapping[str, TwoStageCurve],
    erased: np.ndarray,
    points: Mapping[str, TwoStageComparison] | None = None,
) -> Figure:
    """E (beta_ft - beta*_pt)^2 by group, a panel each; `erased` (groups,) is its value where beta_ft = 0.

    Examples
    --------
    >>> from ptft.experiments import FiniteSetting, Setting, predict_two_stages
    >>> curve = predict_two_stages(FiniteSetting(Setting(omega=0.5), alpha_pt=0.5), [0.1, 0.3])
    >>> [ax.get_title() for ax in forgetting({"base point": curve}, np.array([1.0, 0.0, 1.0, 0.0])).axes]
    ['shared', 'new', 'pretraining only', 'none']
    """
    fig, axes = figure(1, len(GROUPS), height=2.9)
    colors = ordered_colors(len(curves))
    for g, (ax, name) in enumerate(zip(axes[0], GROUPS, strict=True)):
        for i, ((label, curve), color) in enumerate(zip(curves.items(), colors, strict=True)):
            ax.plot(curve.alpha, curve.forgetting[:, g], color=color, linestyle=LINES[i % 3], label=label)
            if points and name in points[label].forgetting:
                simulated = _points(points[label].forgetting[name].given_teachers)
                ax.errorbar(*simulated, fmt=MARKERS[i], color=color, markersize=3.5, elinewidth=0.8)
        ax.axhline(erased[g], color="#777777", linewidth=1.0, linestyle="-.", label="erased")
        ax.set_title(name)
        ax.set_xlabel(ALPHA_LABEL)
        ax.set_ylim(bottom=0)
    axes[0, 0].set_ylabel(FORGETTING_LABEL)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=len(labels), loc="outside lower center")
    return fig


def _points(one: Comparison) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return one.alpha, one.mean, one.half_width
