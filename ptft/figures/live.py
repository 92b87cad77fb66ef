"""What the live figures show before anything is moved, for readers on paper or without scripts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ptft.figures.curves import ALPHA_LABEL, MSE_LABEL
from ptft.figures.page_style import COLORS, figure
from ptft.validation import checked


@checked
def errors(alpha: np.ndarray, curves: Mapping[str, np.ndarray], floor: float) -> Figure:
    """Named errors along the data scale, each an array of the shape of `alpha`, down to the least that is shown.

    Examples
    --------
    >>> alpha = np.array([0.1, 0.3])
    >>> fig = errors(alpha, {"rich": np.array([0.5, 1e-4]), "lazy": 1 - alpha}, floor=1e-6)
    >>> len(fig.axes[0].lines)
    2
    """
    fig, axes = figure(1, 1, height=3.4)
    ax = axes[0, 0]
    for (label, mse), color, line in zip(curves.items(), COLORS, ("-", "--", ":", "-."), strict=False):
        ax.semilogy(alpha, mse, color=color, linestyle=line, label=label)
    ax.set(xlabel=ALPHA_LABEL, ylabel=MSE_LABEL, ylim=(floor, 10))
    ax.legend()
    return fig
