"""The data behind a figure, read from the figure itself: one row for each point of a line and each cell of a map."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

COLUMNS = ("panel", "title", "x_label", "y_label", "item", "series", "kind", "x", "y", "low", "high", "value")
NEUTRAL = (to_rgb("#555555"), to_rgb("black"))  # of legend entries for a line style or a marker in whatever colour

Row = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """How something is drawn, with its name."""

    name: str
    color: tuple[float, float, float]
    line: str  # "" for points
    marker: str


def data_of(fig: Figure) -> list[Row]:
    """What `fig` shows, in tidy form: a dict by `COLUMNS` for each point, in the order in which they were drawn.

    - panel, title, x_label, y_label: number of the panel in reading order, its title and the labels of its axes (those
      of the outer panels where they are shared)
    - item, series: number of the line, band or map within its panel, and its name: its own label, or those of the
      legend's entries that look like it
    - kind: "line", "points", "band", "cells" (a map or an image), or "reference" (a line across the whole panel)
    - x, y: coordinates; for a map with named rows and columns, the names
    - low, high: ends of the error bar or of the band; value: of a cell, with the label of the colour bar as its series

    Contours and annotations are left out: they say again what the rest says.

    Examples
    --------
    >>> fig = Figure()
    >>> _ = fig.add_subplot(xlabel="time").plot([0.0, 1.0], [1.0, 0.5], label="loss")
    >>> [(row["series"], row["kind"], row["x_label"], float(row["x"]), float(row["y"])) for row in data_of(fig)]
    [('loss', 'line', 'time', 0.0, 1.0), ('loss', 'line', 'time', 1.0, 0.5)]
    """
    axes = [ax for ax in fig.axes if ax.get_label() != "<colorbar>"]
    places = [_place(ax) for ax in axes]
    found = []
    for panel, (ax, (row, column)) in enumerate(zip(axes, places, strict=True), start=1):
        in_column = [other for other, place in zip(axes, places, strict=True) if place[1] == column]
        in_row = [other for other, place in zip(axes, places, strict=True) if place[0] == row]
        head = {
            "panel": panel,
            "title": _title(ax) or _title(in_column[0]),
            "x_label": ax.get_xlabel() or in_column[-1].get_xlabel(),
            "y_label": ax.get_ylabel() or in_row[0].get_ylabel(),
        }
        for item, rows in enumerate(_items(ax, fig), start=1):
            found += [dict.fromkeys(COLUMNS) | head | {"item": item} | row for row in rows]
    return found


def csv_of(fig: Figure) -> str:
    """`data_of(fig)` as CSV with a header; numbers have six digits, the values of cells four.

    Examples
    --------
    >>> print(csv_of(Figure()))
    panel,title,x_label,y_label,item,series,kind,x,y,low,high,value
    <BLANKLINE>
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in data_of(fig):
        table.writerow({key: _written(value, 4 if key == "value" else 6) for key, value in row.items()})
    return text.getvalue()


def packed_csv(fig: Figure) -> bytes:
    """`csv_of(fig)`, compressed: the form in which a notebook carries it.

    Examples
    --------
    >>> gzip.decompress(packed_csv(Figure())).startswith(b"panel,title")
    True
    """
    return gzip.compress(csv_of(fig).encode(), mtime=0)


def _written(value: object, digits: int) -> object:
    if isinstance(value, (float, np.floating)):
        return f"{value:.{digits}g}" if np.isfinite(value) else ""
    return value


def _place(ax: Axes) -> tuple[int, int]:
    grid = ax.get_subplotspec()
    return (grid.rowspan.start, grid.colspan.start) if grid else (0, 0)


def _title(ax: Axes) -> str:
    return ax.get_title() or ax.get_title(loc="left")


def _items(ax: Axes, fig: Figure) -> Iterator[list[Row]]:
    """The rows of each line with its error bars, each band and each map of a panel."""
    bars = [one for one in ax.containers if isinstance(one, ErrorbarContainer)]
    ends: dict[Line2D, ErrorbarContainer] = {one.lines[0]: one for one in bars if one.lines[0]}
    caps = {cap for one in bars for cap in one.lines[1]}
    keys = _legend_entries(ax, fig)
    for line in ax.lines:
        if line not in caps and len(np.atleast_1d(line.get_xdata())):
            yield [_named(row, ax) for row in _line(ax, line, ends.get(line), keys)]
    for band in ax.collections:
        if isinstance(band, FillBetweenPolyCollection):
            yield _band(band, keys)
        elif isinstance(band, QuadMesh):
            yield _mesh(band, fig)
    for image in ax.images:
        yield _image(ax, image, fig)


def _line(ax: Axes, line: Line2D, bar: ErrorbarContainer | None, keys: Sequence[Look]) -> list[Row]:
    own = [str(one.get_label()) for one in (bar, line) if one and str(one.get_label())[:1] not in ("", "_")]
    x, y = (np.atleast_1d(np.asarray(values, dtype=float)) for values in line.get_data(orig=False))
    across = {"x": ax.get_xaxis_transform(which="grid"), "y": ax.get_yaxis_transform(which="grid")}
    for name, at in (("x", x), ("y", y)):
        if line.get_transform() == across[name]:
            return [{"series": own[0] if own else "", "kind": "reference", name: float(at[0])}]
    look = _look(line, "")
    known = {"series": own[0] if own else _looks_like(look, keys), "kind": "line" if look.line else "points"}
    rows: list[Row] = [known | {"x": float(a), "y": float(b)} for a, b in zip(x, y, strict=True)]
    if bar and bar.has_yerr:
        ends: Any = [path.vertices for path in bar.lines[2][-1].get_paths()]
        for row, end in zip(rows, ends, strict=True):
            row["low"], row["high"] = (float(y) for y in end[:, 1])
    return rows


def _band(band: FillBetweenPolyCollection, keys: Sequence[Look]) -> list[Row]:
    """The ends of a band at each of its abscissae, which its outline passes twice."""
    corners: Any = np.concatenate([path.vertices for path in band.get_paths()])
    ends = {x: corners[corners[:, 0] == x, 1] for x in dict.fromkeys(corners[:, 0].tolist())}
    color: Any = band.get_facecolor()
    series = _looks_like(Look("", to_rgb(color[0]), "-", ""), keys)
    return [
        {"series": series, "kind": "band", "x": x, "low": float(y.min()), "high": float(y.max())}
        for x, y in ends.items()
    ]


def _mesh(mesh: QuadMesh, fig: Figure) -> list[Row]:
    corners: Any = mesh.get_coordinates()
    return _cells(mesh, _centres(corners[0, :, 0]), _centres(corners[:, 0, 1]), fig)


def _image(ax: Axes, image: AxesImage, fig: Figure) -> list[Row]:
    shown: Any = image.get_array()
    rows, columns = shown.shape[:2]
    return _cells(image, _names(ax.xaxis, columns), _names(ax.yaxis, rows), fig)


def _cells(shown: ScalarMappable, x: Sequence[Any], y: Sequence[Any], fig: Figure) -> list[Row]:
    bars = [ax for ax in fig.axes if ax.get_label() == "<colorbar>"]
    alike = [
        ax.get_ylabel()
        for ax in bars
        if (of := ax._colorbar.mappable).get_cmap() == shown.get_cmap() and of.get_clim() == shown.get_clim()  # type: ignore[attr-defined]
    ]
    values: Any = np.ma.filled(np.ma.asarray(shown.get_array(), dtype=float), np.nan)
    return [
        {"series": " ".join(alike[:1]).replace("\n", " "), "kind": "cells", "x": x[j], "y": y[i], "value": float(value)}
        for (i, j), value in np.ndenumerate(values.reshape(len(y), len(x)))
    ]


def _centres(edges: np.ndarray) -> list[float]:
    """The abscissae between which matplotlib put the edges of cells half way (`shading="nearest"`)."""
    centres = [(edges[0] + edges[1]) / 2]
    for edge in edges[1:-1]:
        centres.append(2 * edge - centres[-1])
    return [float(x) for x in centres]


def _named(row: Row, ax: Axes) -> Row:
    """The row of a mark on an image whose rows or columns have names: by these names."""
    for image in ax.images:
        shown: Any = image.get_array()
        for key, axis, count in (("y", ax.yaxis, shown.shape[0]), ("x", ax.xaxis, shown.shape[1])):
            if key in row:
                row |= {key: _names(axis, count)[round(row[key])]}
    return row


def _names(axis: Axis, count: int) -> list[Any]:
    """What the axis says of each of `count` rows or columns, or their numbers."""
    locator = axis.get_major_locator()
    ticks = locator.tick_values(0, 0) if isinstance(locator, FixedLocator) else ()
    return axis.get_major_formatter().format_ticks(list(ticks)) if len(ticks) == count else list(range(count))


def _looks_like(look: Look, keys: Sequence[Look]) -> str:
    """The names of the legend's entries for the colour of `look` and, in a neutral colour, for its line or marker."""
    if look.color in NEUTRAL:
        alike = [key for key in keys if (key.color, key.line, key.marker) == (look.color, look.line, look.marker)]
        return alike[0].name if alike else ""
    color = [key for key in keys if key.color == look.color]
    style = [
        key
        for key in keys
        if key.color in NEUTRAL and (key.marker == look.marker if look.marker else key.line == look.line)
    ]
    return ", ".join(key.name for key in (*color[:1], *style[:1]))


def _legend_entries(ax: Axes, fig: Figure) -> list[Look]:
    """What the legends of the panel, of the figure and of the other panels explain, in this order."""
    others = [other.get_legend() for other in fig.axes if other is not ax]
    return [
        _look(handle, text.get_text())
        for legend in (ax.get_legend(), *fig.legends, *others)
        if legend
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
        if isinstance(handle, (Line2D, LineCollection))
    ]


def _look(shown: Any, name: str) -> Look:
    if isinstance(shown, LineCollection):  # the entry of points with error bars
        return Look(name, to_rgb(shown.get_edgecolor()[0]), "", "")  # type: ignore[arg-type,index]
    line, marker = (
        "" if str(one) in ("None", "none", " ") else str(one) for one in (shown.get_linestyle(), shown.get_marker())
    )
    return Look(name, to_rgb(shown.get_color()), line, marker)
