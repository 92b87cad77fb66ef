"""The picture of the front page: initialization to penalty to measures to error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ptft.figures.curves import ALPHA_LABEL, MSE_LABEL, number, relative_scale
from ptft.figures.page_style import COLORS, figure
from ptft.initialization import Initialization
from ptft.penalties import ell_order, penalty, pretraining_dependence
from ptft.replica import ReplicaCurve
from ptft.validation import checked


@checked
def overview(inits: Mapping[str, Initialization], curves: Mapping[str, ReplicaCurve]) -> Figure:
    """Penalties, (l-order, PD) of an active coordinate at beta = 1, and errors of the same named initializations.

    Examples
    --------
    >>> from ptft import SingleTask, replica_curve
    >>> inits = {"rich": Initialization(1e-3, -0.9e-3), "lazy": Initialization(1.0)}
    >>> curves = {name: replica_curve([0.1, 0.3], SingleTask(0.1), init) for name, init in inits.items()}
    >>> [ax.get_title() for ax in overview(inits, curves).axes]
    ['the penalty', 'its two measures', 'the error it causes']
    """
    fig, axes = figure(1, 3, height=3.1)
    left, middle, right = axes[0]
    z = np.linspace(-1, 1, 201)
    middle.plot([1, 2, 2, 1], [0, -1, 0, 0], color="#999999", linewidth=0.8)
    for (name, init), color, line in zip(inits.items(), COLORS, ("-", "--", ":", "-."), strict=False):
        k = init.k(1.0)
        left.plot(z, penalty(z, k) / penalty(1.0, k), color=color, linestyle=line, label=_described(name, init))
        middle.plot(ell_order(1.0, k), pretraining_dependence(1.0, 1.0, init), "o", color=color, markersize=6)
        right.semilogy(curves[name].alpha, curves[name].mse, color=color, linestyle=line)
    left.set_xlabel(r"coefficient $\beta_{\mathrm{FT}}$")
    left.set_ylabel("penalty, scaled")
    middle.set_xlabel(r"$\ell$-order (2: lazy, 1: rich)")
    middle.set_ylabel("pretraining dependence")
    right.set_xlabel(ALPHA_LABEL)
    right.set_ylabel(MSE_LABEL)
    right.set_ylim(1e-5, 3)
    for ax, title in zip(axes[0], ("the penalty", "its two measures", "the error it causes"), strict=True):
        ax.set_title(title)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig


def _described(name: str, init: Initialization) -> str:
    scales = zip(
        (r"$c_{\mathrm{PT}}$", r"$\lambda_{\mathrm{PT}}/c_{\mathrm{PT}}$", r"$\gamma_{\mathrm{FT}}$"),
        (number(np.asarray(init.c_pt).item()), relative_scale(init), number(np.asarray(init.gamma_ft).item())),
        strict=True,
    )
    return f"{name}: " + ", ".join(f"{symbol} = {value}" for symbol, value in scales)
