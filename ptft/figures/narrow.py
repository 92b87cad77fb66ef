"""The same figure for a telephone: its panels under each other, with text of the same size."""

from __future__ import annotations

import gzip
import io
from base64 import b64encode
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend

from ptft.validation import checked

NARROW_TYPE = "image/svg+xml-compressed"  # of the narrow picture in the output of a cell
NARROW = 3.6  # inches, about the width of a telephone's screen
TALLEST = 3.0  # of a panel, without the legends of the figure


@checked
def stack(fig: Figure, width: float = NARROW) -> None:
    """Put the panels of a figure under each other, in reading order, and its legends into as many lines as they need.

    What stood at the edge of a grid alone then stands at each panel: the labels of rows and columns, their titles, and
    the numbers of axes that panels share.

    Parameters
    ----------
    fig : Figure
        Is changed.
    width : float
        Of the figure afterwards, in inches.

    Examples
    --------
    >>> from ptft import figures
    >>> fig, axes = figures.figure(1, 3, sharey=True)
    >>> text = axes[0, 0].set_ylabel("error")
    >>> stack(fig)
    >>> [ax.get_ylabel() for ax in fig.axes], fig.axes[2].get_subplotspec().rowspan.start
    (['error', 'error', 'error'], 2)
    """
    panels: dict[tuple[int, int], list[Axes]] = {}
    for ax in fig.axes:
        if (spec := ax.get_subplotspec()) is not None:  # colour bars have none
            panels.setdefault((spec.rowspan.start, spec.colspan.start), []).append(ax)
    order = sorted(panels)
    if all(ax.images and not ax.get_xticks().size for ax in fig.axes):  # pictures without axes stay side by side
        fig.set_size_inches(width, fig.get_figheight() * width / fig.get_figwidth())
        return
    rows = max(row for row, _ in order) + 1
    for place in order:
        for i, ax in enumerate(panels[place]):
            for axis, name in enumerate(("y", "x")):  # those in its own row have its label y, in its column its label x
                near = sorted(order, key=lambda there: there[axis] != place[axis])
                line = [panels[there][i] for there in near if there[axis] == place[axis] and len(panels[there]) > i]
                _take_labels(ax, name, [other for there in near for other in panels[there]], line)
            above = [other.get_title() for there in order if there[1] == place[1] for other in panels[there]]
            ax.set_title(ax.get_title() or next(filter(None, above), ""), fontsize=ax.title.get_fontsize())
    grid = GridSpec(len(order), 1, figure=fig)
    for i, place in enumerate(order):
        for ax in panels[place]:
            ax.set_subplotspec(grid[i])
    before = sum(_extent(fig, legend)[1] for legend in fig.legends)
    height = min(len(order) * fig.get_figheight() / rows, len(order) * TALLEST + before)
    fig.set_size_inches(width, height)
    legends = [*fig.legends, *(legend for ax in fig.axes if (legend := ax.get_legend()) is not None)]
    for legend in legends:
        while _extent(fig, legend)[0] > width - 0.1 and _narrower(legend):
            pass
    fig.set_figheight(height + sum(_extent(fig, legend)[1] for legend in fig.legends) - before)


def _take_labels(ax: Axes, name: str, others: list[Axes], line: list[Axes]) -> None:
    """The numbers of the axis `name`, and its label, or that of a panel that shares it or stands in its line."""
    grouper: Any = ax.get_shared_x_axes() if name == "x" else ax.get_shared_y_axes()
    sharing = [other for other in others if other is not ax and grouper.joined(ax, other)]
    labels = [label for other in [ax, *sharing, *line] if (label := getattr(other, f"get_{name}label")())]
    if sharing and name == "x":
        ax.xaxis.set_tick_params(labelbottom=True)
    elif sharing:
        ax.yaxis.set_tick_params(labelleft=True)
    if labels:
        getattr(ax, f"set_{name}label")(labels[0])


def _narrower(legend: Any) -> bool:
    """Arrange a legend in one column less, if it has several; matplotlib does this only when it makes one."""
    if legend._ncols < 2:
        return False
    title, texts = legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()]
    axes = legend.get_figure().axes if legend.axes is None else [legend.axes]
    drawn = {
        label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }  # what a key with an error bar was made of; others are made of themselves
    handles = [drawn.get(text, key) for text, key in zip(texts, legend.legend_handles, strict=True)]
    legend.set_ncols(legend._ncols - 1)
    legend._init_legend_box(handles, texts)
    legend._set_loc(legend._loc_real)
    legend.set_title(title or None)
    return True


def _extent(fig: Figure, legend: Legend) -> tuple[float, float]:
    """Width and height in inches."""
    renderer: Any = fig.canvas.get_renderer()  # type: ignore[attr-defined]
    box = legend.get_window_extent(renderer)
    return box.width / fig.dpi, box.height / fig.dpi


@checked
def packed_svg(fig: Figure) -> str:
    """The figure stacked, as SVG, compressed and written in base64; the figure is changed.

    Examples
    --------
    >>> from base64 import b64decode
    >>> from ptft import figures
    >>> fig, axes = figures.figure(1, 2)
    >>> gzip.decompress(b64decode(packed_svg(fig))).startswith(b"<?xml")
    True
    """
    stack(fig)
    image = io.BytesIO()
    fig.savefig(image, format="svg", bbox_inches="tight", metadata={"Date": None})
    return b64encode(gzip.compress(image.getvalue(), mtime=0)).decode()
