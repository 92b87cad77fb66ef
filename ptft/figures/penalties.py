"""Figures of the penalty, of the training that minimises it, and of the two measures of its shape (Figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptft.end_point import EndPoint, min_penalty
from ptft.figures.curves import number
from ptft.figures.page_style import COLORS, figure, ordered_colors
from ptft.network import TrainingRun
from ptft.penalties import ell_order, penalty
from ptft.regimes import CORNERS, Measures, PhasePortrait
from ptft.validation import checked, require

# even in lightness; light stands for lazy in one measure, for dependence on pretraining in the other
MAP = "cividis"


@checked
def level_sets(example: np.ndarray, label: float, scales: Mapping[str, np.ndarray]) -> Figure:
    """Level sets of the penalty of two coefficients, one of which touches the coefficients that fit an example.

    Parameters
    ----------
    example : ndarray, shape (2,)
        Its entries must not be 0.
    label : float
        Not 0.
    scales : mapping from the title of a panel to k, shape (2,)

    Raises
    ------
    ValueError
        If the example or its label has a zero, or another shape.

    Examples
    --------
    >>> fig = level_sets(np.array([1.0, 0.5]), 1.0, {"lazy": np.full(2, 1e4), "rich": np.full(2, 1e-12)})
    >>> [ax.get_title() for ax in fig.axes]
    ['lazy', 'rich']
    >>> lazy, rich = (ax.lines[-1].get_xydata()[0] for ax in fig.axes)
    >>> lazy.round(2).tolist(), bool(abs(rich[1]) < 0.05)
    ([0.8, 0.4], True)
    """
    require(example.shape == (2,) and bool(np.all(example != 0)), "example", example, "two numbers other than 0")
    require(label != 0, "label", label, "other than 0")
    fig, axes = figure(1, len(scales), height=2.5, sharex=True, sharey=True)
    crossings = label / example  # of the line of interpolators with the axes
    reach = np.max(np.abs(crossings))
    z = np.linspace(-0.45, 1.25, 171) * reach
    for ax, (title, k) in zip(axes[0], scales.items(), strict=True):
        end = min_penalty(example[None], np.array([label]), k).beta
        first, second = np.sign(crossings)[:, None] * z
        values = penalty(first, k[0])[None, :] + penalty(second, k[1])[:, None]
        touching = float(np.sum(penalty(end, k)))
        contours = ax.contour(first, second, values, levels=touching * np.array([0.2, 0.6, 1.0, 1.6]))
        contours.remove()  # lines carry their data
        for i, pieces in enumerate(contours.allsegs):
            for piece in pieces:
                touches = i == 2
                look = {"color": COLORS[0], "lw": 1.8} if touches else {"color": "#999999", "lw": 0.8}
                ax.plot(*np.transpose(piece), label="level set that touches it" if touches else None, **look)
        ax.plot(first, (label - example[0] * first) / example[1], color="black", lw=1.2, label=r"$X\beta = y$")
        ax.plot(*end, "o", color=COLORS[1], ms=7, label="where training ends")
        ax.set(title=title, xlabel=r"$\beta_1$", aspect="equal", xlim=(min(first), max(first)))
        ax.set_ylim(min(second), max(second))
    axes[0, 0].set_ylabel(r"$\beta_2$")
    keys = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels()), strict=True))  # a level set may have many pieces
    names = (r"$X\beta = y$", "level set that touches it", "where training ends")
    fig.legend([keys[name] for name in names], names, loc="outside lower center", ncols=3)
    return fig


@checked
def penalty_shapes(z: np.ndarray, penalties: Mapping[float, np.ndarray]) -> Figure:
    """The penalty against the coefficient for several scales, and the one function that they all are.

    Parameters
    ----------
    z : ndarray, shape (m,)
        Positive coefficients, in increasing order; the left panel ends at the last.
    penalties : mapping from sqrt(k) to q_k(z), shape (m,)

    Examples
    --------
    >>> from ptft import penalty
    >>> z = np.geomspace(1e-2, 1, 50)
    >>> fig = penalty_shapes(z, {root: penalty(z, root**2) for root in (1e-6, 1.0)})
    >>> [ax.get_title() for ax in fig.axes]
    ['Shape', 'One function']
    """
    fig, axes = figure(1, 2, height=3.0)
    left, right = axes[0]
    both = np.concatenate([-z[::-1], z])
    unit = both / z[-1]
    left.plot(both, unit**2, "--", color="black", lw=1, label="quadratic")
    left.plot(both, np.abs(unit), ":", color="black", lw=1, label="absolute value")
    for (root, q), color in zip(penalties.items(), ordered_colors(len(penalties)), strict=True):
        left.plot(both, np.concatenate([q[::-1], q]) / q[-1], color=color, label=rf"$\sqrt{{k}}$ = {number(root)}")
        right.loglog(z / root, q / root, color=color, lw=2.4)
    left.set(xlabel=r"coefficient $z$", ylabel=rf"$q_k(z)\,/\,q_k({z[-1]:g})$", title="Shape")
    left.legend(loc="upper center")

    x = np.geomspace(z[0] / max(penalties), z[-1] / min(penalties), 200)
    right.loglog(x, x**2 / 2, "--", color="black", lw=1, label="limit within the scale")
    far = x[x > 1]
    right.loglog(far, far / 2 * (np.log(4 * far) - 1) + 1 / 4, ":", color="black", lw=1, label="limit beyond it")
    right.set(xlabel=r"coefficient over scale $|z|/\sqrt{k}$", ylabel=r"$q_k(z)/\sqrt{k}$", title="One function")
    right.legend()
    return fig


@checked
def training(pretraining: TrainingRun, fine_tuning: TrainingRun, beta_pt: np.ndarray, end: EndPoint) -> Figure:
    """Coefficients along both stages of training, with where the theory says that they end.

    Parameters
    ----------
    pretraining, fine_tuning : TrainingRun
        Gradient flow of d coefficients.
    beta_pt : ndarray, shape (d,)
        Teacher of pretraining: the coordinates at which it is zero are drawn in another colour.
    end : EndPoint
        Minimiser of the penalty on the fine-tuning data.

    Examples
    --------
    >>> from ptft import Initialization, fine_tuning_weights, min_penalty, pretraining_weights, train
    >>> init, beta_pt = Initialization(0.1), np.array([1.0, 0.0])
    >>> first = train(np.eye(2), beta_pt, pretraining_weights(init, 2), tolerance=1e-4)
    >>> X, y = np.array([[1.0, 0.5]]), np.ones(1)
    >>> second = train(X, y, fine_tuning_weights(first.weights, 0.0), tolerance=1e-4)
    >>> fig = training(first, second, beta_pt, min_penalty(X, y, init.k(beta_pt)))
    >>> [ax.get_title() for ax in fig.axes]
    ['Pretraining', 'Fine-tuning']
    """
    fig, axes = figure(1, 2, height=3.0)
    active = beta_pt != 0
    stages = zip(axes[0], (pretraining, fine_tuning), (beta_pt, end.beta), ("Pretraining", "Fine-tuning"), strict=True)
    for ax, run, target, title in stages:
        time, beta = _thinned(run)
        for group, color, label in (
            (active, COLORS[0], "active in pretraining"),
            (~active, COLORS[1], "inactive in pretraining"),
        ):
            lines = ax.semilogx(time, beta[:, group], color=color, lw=0.9, alpha=0.8)
            if lines:
                lines[0].set_label(label)
        ax.plot(np.full(target.size, 2 * time[-1]), target, "x", color="black", ms=5, clip_on=False)
        ax.set(xlabel="time $t$", title=title)
    axes[0, 0].set_ylabel(r"coefficients $\beta_i(t)$")
    axes[0, 1].plot([], [], "x", color="black", ms=5, label="where the theory says that it ends")
    fig.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


def _thinned(run: TrainingRun, points: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Times and coefficients at about `points` recorded times, evenly spaced in log time, once anything has moved."""
    if run.time.size == 1:  # nothing to learn
        return np.ones(1), run.beta
    size = np.max(np.abs(run.beta), axis=1)
    first = max(1, int(np.argmax(size > 1e-3 * size[-1])))
    index = np.searchsorted(run.time, np.geomspace(run.time[first], run.time[-1], points))
    index = np.unique(np.minimum(index, run.time.size - 1))
    return run.time[index], run.beta[index]


@checked
def penalty_scales(beta_pt: np.ndarray, panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """The scale sqrt(k) of the penalty against the pretrained coefficient; one panel per family of curves.

    Parameters
    ----------
    beta_pt : ndarray, shape (m,)
    panels : mapping from the title of a panel to its curves, {label: sqrt(k) of shape (m,)}

    Examples
    --------
    >>> from ptft import Initialization
    >>> beta_pt = np.geomspace(1e-2, 1, 20)
    >>> scales = {f"{c:g}": Initialization(c).sqrt_k(beta_pt) for c in (0.1, 1.0)}
    >>> fig = penalty_scales(beta_pt, {"absolute scale": scales})
    >>> len(fig.axes[0].lines)
    2
    """
    fig, axes = figure(1, len(panels), height=3.0, sharey=True)
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        for (label, root), color in zip(curves.items(), ordered_colors(len(curves)), strict=True):
            ax.loglog(beta_pt, root, color=color, label=label)
        ax.set(xlabel=r"pretrained coefficient $|\beta_{\mathrm{PT}}|$", title=title)
        ax.legend()
    axes[0, 0].set_ylabel(r"scale of the penalty $\sqrt{k}$")
    return fig


@checked
def measure_curves(x: np.ndarray, elasticity: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """The ell-order as a function of |beta_ft|/sqrt(k), and the elasticity kappa of sqrt(k) in beta_pt.

    Parameters
    ----------
    x : ndarray, shape (m,)
        Values of |beta_ft|/sqrt(k).
    elasticity : mapping from a label to (|beta_pt|/c_pt, kappa), two arrays of one shape

    Examples
    --------
    >>> from ptft import Initialization
    >>> x = np.geomspace(0.1, 10, 20)
    >>> fig = measure_curves(x, {"lambda = 0": (x, Initialization(1.0).kappa(x))})
    >>> len(fig.axes)
    2
    """
    fig, axes = figure(1, 2, height=2.7)
    left, right = axes[0]
    left.semilogx(x, ell_order(x, 1.0), color=COLORS[0])
    left.set(
        xlabel=r"coefficient over scale $|\beta_{\mathrm{FT}}|/\sqrt{k}$", ylabel=r"$\ell$-order", ylim=(0.97, 2.03)
    )
    for (label, (ratio, kappa)), color in zip(elasticity.items(), ordered_colors(len(elasticity)), strict=True):
        right.semilogx(ratio, kappa, color=color, label=label)
    right.set(
        xlabel=r"pretrained coefficient $|\beta_{\mathrm{PT}}|/c_{\mathrm{PT}}$",
        ylabel=r"elasticity $\kappa$",
        ylim=(-0.03, 1.03),
    )
    right.legend()
    return fig


@checked
def triangle(paths: Mapping[str, Measures]) -> Figure:
    """Paths through the plane of ell-order and pretraining dependence, in the triangle that holds them (Figure 2a).

    Parameters
    ----------
    paths : mapping from a label to `Measures` of shape (m,), in the order of the path
        The first point of each path is marked with a disc, the last with a square.

    Examples
    --------
    >>> from ptft import Initialization
    >>> from ptft.regimes import measures
    >>> fig = triangle({"from rich to lazy": measures(1.0, 1.0, Initialization(np.geomspace(1e-3, 1e2, 20)))})
    >>> [text.get_text() for text in fig.axes[0].texts]
    ['I', 'II', 'III', 'IV']
    """
    fig, axes = figure(1, 1, height=4.2)
    ax = axes[0, 0]
    corners = np.array(list(CORNERS.values()))
    ax.fill(*corners.T, color="#f0f0f0", ec="#999999", lw=0.8, zorder=0, label="possible pairs")
    for (name, corner), shift in zip(CORNERS.items(), ((-14, 6), (8, -10), (8, 6)), strict=True):
        ax.annotate(name, corner, xytext=shift, textcoords="offset points", fontsize=13, weight="bold")
    ax.annotate("IV", (1.38, -0.38), xytext=(-22, -12), textcoords="offset points", fontsize=13, weight="bold")
    styles = (":", "-", (0, (6, 2)), "--", "-.")
    keys = []
    for i, (label, path) in enumerate(paths.items()):
        ell, pd = path.ell_order, path.pretraining_dependence
        # the paths meet on the edges: wider lines lie below narrower ones, so that each remains visible
        color = COLORS[i % len(COLORS)]
        keys += ax.plot(ell, pd, color=color, ls=styles[i % len(styles)], lw=4.5 - 0.7 * i, label=label, zorder=2 + i)
        ax.plot(ell[:1], pd[:1], "o", color=color, ms=7, zorder=10)
        ax.plot(ell[-1:], pd[-1:], "s", color=color, ms=6, zorder=10)
    ax.set(xlabel=r"$\ell$-order", ylabel="pretraining dependence PD", xlim=(0.93, 2.07), ylim=(-1.07, 0.09))
    fig.legend(handles=keys, loc="outside lower center", ncols=2, handlelength=4)
    return fig


@checked
def phase_portraits(portraits: Sequence[PhasePortrait]) -> Figure:
    """Heat maps of both measures over the initializations, one column for each gamma_ft (Figure 2b).

    Parameters
    ----------
    portraits : sequence of PhasePortrait
        Those with beta_pt = 0 fill one row, as their pretraining dependence is zero; the others fill two.

    Examples
    --------
    >>> from ptft.regimes import phase_portrait
    >>> c, relative = np.geomspace(1e-3, 10, 9), np.linspace(-0.9, 1, 7)
    >>> fig = phase_portraits([phase_portrait(c, relative, gamma) for gamma in (0.0, 1.0)])
    >>> len(fig.axes)  # two measures, two values of gamma_ft, and two scales of colour
    6
    """
    gammas = sorted({portrait.gamma_ft for portrait in portraits})
    coordinates = sorted({portrait.beta_pt for portrait in portraits}, reverse=True)
    rows = [(beta_pt, name) for beta_pt in coordinates for name in ("ell", "pd") if beta_pt != 0 or name == "ell"]
    fig, axes = figure(len(rows), len(gammas), height=2.1, sharex=True, sharey=True)
    for portrait in portraits:
        column = gammas.index(portrait.gamma_ft)
        for row, (beta_pt, name) in enumerate(rows):
            if beta_pt == portrait.beta_pt:
                _portrait(axes[row, column], portrait, name)
    for ax, gamma in zip(axes[0], gammas, strict=True):
        ax.set_title(rf"$\gamma_{{\mathrm{{FT}}}}$ = {number(gamma)}")
    for ax in axes[-1]:
        ax.set_xlabel(r"absolute scale $c_{\mathrm{PT}}$")
    for (beta_pt, _), ax in zip(rows, axes[:, 0], strict=True):
        ax.set_ylabel(
            rf"$\beta_{{\mathrm{{PT}}}}$ = {number(beta_pt)}"
            "\n"
            r"relative scale $\lambda_{\mathrm{PT}}/c_{\mathrm{PT}}$"
        )
    for name, label in (("ell", r"$\ell$-order"), ("pd", "pretraining dependence")):
        mine = [row for row, (_, which) in enumerate(rows) if which == name]
        for row in mine:
            fig.colorbar(axes[row, -1].collections[0], ax=list(axes[row]), label=label, pad=0.02, aspect=14)
    return fig


def _portrait(ax: Axes, portrait: PhasePortrait, name: str) -> None:
    measures = portrait.measures
    values, low = (measures.ell_order, 1.0) if name == "ell" else (measures.pretraining_dependence, -1.0)
    colors = MAP if name == "ell" else MAP + "_r"
    ax.pcolormesh(
        portrait.c_pt,
        portrait.relative,
        values,
        cmap=colors,
        vmin=low,
        vmax=low + 1,
        shading="nearest",
        rasterized=True,
    )
    levels = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    light = levels if name == "ell" else 1 - levels  # how light the map is there
    shades = ["black" if value > 0.5 else "white" for value in light]
    ax.set_xscale("log")
    lines = ax.contour(
        portrait.c_pt, portrait.relative, values, levels=low + levels, colors=shades, linewidths=0.8, linestyles="-"
    )
    ax.clabel(lines, fmt=number, fontsize=6.5)
    ax.grid(False)
