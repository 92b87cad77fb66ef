"""The data behind a figure, read from the figure itself: one row for each point of a line and each cell of a map."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection, FillBetweenPolyCollection, LineCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon, Rectangle
from matplotlib.spines import Spine
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Transform

from ptft.validation import checked

COLUMNS = ("panel", "title", "x_label", "y_label", "item", "series", "kind", "x", "y", "low", "high", "value")
TEXTS = ("title", "x_label", "y_label", "series")
# say what the rest says, or frame it; texts include annotations with their arrows
DECORATION = (Axis, Spine, Text, Legend)
NEUTRAL = (to_rgb("#555555"), to_rgb("black"))  # of legend entries for a line style or a marker in whatever colour

Row = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """How something is drawn, with its name."""

    name: str
    color: tuple[float, float, float]
    line: str  # "" for points
    marker: str


@checked
def data_of(fig: Figure) -> list[Row]:
    """What `fig` shows, in tidy form: a dict by `COLUMNS` for each point, in the order in which they were drawn.

    - panel, title, x_label, y_label: number of the panel in reading order, its title and the labels of its axes (those
      of the outer panels where they are shared)
    - item, series: number of the line, band or map within its panel, and its name: its own label, or those of the
      legend's entries that look like it
    - kind: "line", "points", "band", "area" (the corners of a polygon), "cells" (a map or an image), or "reference" (a
      line across the whole panel, or the two edges of a stripe across it)
    - x, y: coordinates; for a map with named rows and columns, the names
    - low, high: ends of the error bar or of the band; value: of a cell, with the label of the colour bar as its series

    Contours of a map, texts and annotations are left out: they say again what the rest says.

    Raises
    ------
    ValueError
        If something in the figure can be neither read nor left out, such as bars; the message names it and its panel.

    Examples
    --------
    >>> fig = Figure()
    >>> _ = fig.add_subplot(xlabel="time").plot([0.0, 1.0], [1.0, 0.5], label="loss")
    >>> [(row["series"], row["kind"], row["x_label"], float(row["x"]), float(row["y"])) for row in data_of(fig)]
    [('loss', 'line', 'time', 0.0, 1.0), ('loss', 'line', 'time', 1.0, 0.5)]
    """
    axes = [ax for ax in fig.axes if ax.get_label() != "<colorbar>"]
    for child in fig.get_children():
        if child is not fig.patch and not isinstance(child, (Axes, Legend, Text)):
            raise _unreadable(child)
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
        try:
            items = list(_items(ax, fig))
        except ValueError as error:
            raise ValueError(f"panel {panel}, {head['title']!r}: {error}") from None
        for item, rows in enumerate(items, start=1):
            found += [dict.fromkeys(COLUMNS) | head | {"item": item} | row for row in rows]
    return found


@checked
def csv_of(fig: Figure) -> str:
    """`data_of(fig)` as CSV with a header; numbers have six digits, the values of cells four.

    A map of thousands of cells says the texts of its panel and its series in its first row only: they hold for all
    rows of that panel and item.

    Examples
    --------
    >>> print(csv_of(Figure()))
    panel,title,x_label,y_label,item,series,kind,x,y,low,high,value
    <BLANKLINE>
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    before = None
    for row in data_of(fig):
        item = row["panel"], row["item"]
        if item == before and row["kind"] == "cells":
            row |= dict.fromkeys(TEXTS)
        before = item
        table.writerow({key: _written(value, 4 if key == "value" else 6) for key, value in row.items()})
    return text.getvalue()


@checked
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


def _unreadable(artist: Any, why: str = "") -> ValueError:
    name = " ".join([type(artist).__name__, *(repr(label) for label in (_label(artist),) if label)])
    return ValueError(f"a figure with a {name} is not allowed: its data cannot be read{why and f' ({why})'}")


def _label(*artists: Any) -> str:
    """The first label that somebody chose."""
    labels = (artist.get_label() for artist in artists if artist)
    return next((str(label) for label in labels if label and str(label)[0] != "_"), "")


def _items(ax: Axes, fig: Figure) -> Iterator[list[Row]]:
    """The rows of each line with its error bars, each band, each map and each patch of a panel."""
    bars = [one for one in ax.containers if isinstance(one, ErrorbarContainer)]
    ends = {one.lines[0]: one for one in bars}
    caps = {cap for one in bars for cap in one.lines[1]}
    segments = {segment for one in bars for segment in one.lines[2]}
    maps = [one for one in (*ax.collections, *ax.images) if isinstance(one, (QuadMesh, AxesImage))]
    keys = _legend_entries(ax, fig)
    for bar in bars:
        if bar.has_xerr or bar.lines[0] is None:
            raise _unreadable(bar, "only those of vertical error bars with a line or points can")
    for line in ax.lines:
        if line not in caps and len(np.atleast_1d(line.get_xdata())):  # a line of no point is an entry of the legend
            yield _named(ax, line, _line(ax, line, ends.get(line), keys))
    for one in ax.collections:
        if isinstance(one, FillBetweenPolyCollection):
            yield _band(ax, one, keys)
        elif isinstance(one, QuadMesh):
            yield _mesh(one, fig)
        elif not (one in segments or (isinstance(one, ContourSet) and maps)):  # contours of a map say what it says
            raise _unreadable(one)
    for image in ax.images:
        yield _image(ax, image, fig)
    for patch in ax.patches:
        yield _patch(ax, patch)
    for other in ax.get_children():
        read = isinstance(other, (Line2D, Collection, AxesImage)) or other is ax.patch or other in ax.patches
        if not (read or isinstance(other, DECORATION)):
            raise _unreadable(other)


def _across(ax: Axes, transform: Transform) -> str:
    """The name of the one coordinate of something that lies across the whole panel, "" of anything else."""
    across = {"x": ax.get_xaxis_transform(which="grid"), "y": ax.get_yaxis_transform(which="grid")}
    return next((name for name, one in across.items() if transform == one), "")


def _in_data(ax: Axes, artist: Artist, transform: Transform) -> None:
    """Raise unless an artist is where its coordinates say, but for a shift (as by `ptft.figures.page_style.beside`)."""
    corners = np.column_stack([ax.get_xlim(), ax.get_ylim()])
    shift = transform.transform(corners) - ax.transData.transform(corners)
    if not np.allclose(shift[0], shift[1]):
        raise _unreadable(artist, "they are in other coordinates than those of its panel")


def _line(ax: Axes, line: Line2D, bar: ErrorbarContainer | None, keys: Sequence[Look]) -> list[Row]:
    own = _label(bar, line)
    x, y = (np.atleast_1d(np.asarray(values, dtype=float)) for values in line.get_data(orig=False))
    if name := _across(ax, line.get_transform()):
        return [{"series": own, "kind": "reference", name: float({"x": x, "y": y}[name][0])}]
    _in_data(ax, line, line.get_transform())
    look = _look(line, "")
    known = {"series": own or _looks_like(look, keys), "kind": "line" if look.line else "points"}
    rows: list[Row] = [known | {"x": float(a), "y": float(b)} for a, b in zip(x, y, strict=True)]
    if bar and bar.has_yerr:
        ends: Any = [path.vertices for path in bar.lines[2][-1].get_paths()]
        for row, end in zip(rows, ends, strict=True):
            row["low"], row["high"] = (float(y) for y in end[:, 1])
    return rows


def _band(ax: Axes, band: FillBetweenPolyCollection, keys: Sequence[Look]) -> list[Row]:
    """The ends of a band at each of its abscissae, which its outline passes twice."""
    if band.t_direction != "x":  # type: ignore[attr-defined]
        raise _unreadable(band, "only those of bands between ordinates can")
    _in_data(ax, band, band.get_transform())
    corners: Any = np.concatenate([path.vertices for path in band.get_paths()])
    ends = {x: corners[corners[:, 0] == x, 1] for x in dict.fromkeys(corners[:, 0].tolist())}
    color: Any = band.get_facecolor()
    series = _label(band) or _looks_like(Look("", to_rgb(color[0]), "-", ""), keys)
    return [
        {"series": series, "kind": "band", "x": x, "low": float(y.min()), "high": float(y.max())}
        for x, y in ends.items()
    ]


def _patch(ax: Axes, patch: Patch) -> list[Row]:
    """The two edges of a stripe across the panel, or the corners of a polygon."""
    if isinstance(patch, Rectangle) and (name := _across(ax, patch.get_data_transform())):
        start, width = {"x": (patch.get_x(), patch.get_width()), "y": (patch.get_y(), patch.get_height())}[name]
        return [{"series": _label(patch), "kind": "reference", name: float(at)} for at in (start, start + width)]
    if type(patch) is not Polygon:  # arrows are polygons too
        raise _unreadable(patch)
    _in_data(ax, patch, patch.get_data_transform())
    corners = patch.get_xy()[:-1] if patch.get_closed() else patch.get_xy()
    return [{"series": _label(patch), "kind": "area", "x": float(x), "y": float(y)} for x, y in corners]


def _mesh(mesh: QuadMesh, fig: Figure) -> list[Row]:
    corners: Any = mesh.get_coordinates()
    x, y = _centres(corners[0, :, 0]), _centres(corners[:, 0, 1])
    if x is None or y is None or not (corners == np.stack(np.meshgrid(corners[0, :, 0], corners[:, 0, 1]), -1)).all():
        raise _unreadable(mesh, "only those of rectangular grids with the shading 'nearest' can")
    return _cells(mesh, x, y, fig)


def _image(ax: Axes, image: AxesImage, fig: Figure) -> list[Row]:
    shown: Any = image.get_array()
    rows, columns = shown.shape[:2]
    if shown.ndim != 2:
        raise _unreadable(image, "only those of images of one channel can")
    left, right, bottom, top = image.get_extent()
    if (left, right, *sorted((bottom, top))) != (-0.5, columns - 0.5, -0.5, rows - 0.5):
        raise _unreadable(image, "only those of images with pixels at whole numbers can")
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


def _centres(edges: np.ndarray) -> list[float] | None:
    """The abscissae between which matplotlib put the edges of cells half way (`shading="nearest"`), None elsewhere."""
    centres = [(edges[0] + edges[1]) / 2]
    for edge in edges[1:-1]:
        centres.append(2 * edge - centres[-1])
    last = centres[-1] + np.diff(centres[-2:]).sum() / 2  # where there is a single cell, its edges are its centre
    return [float(x) for x in centres] if np.isclose(last, edges[-1], 1e-6, 1e-9 * np.abs(edges).max()) else None


def _named(ax: Axes, line: Line2D, rows: list[Row]) -> list[Row]:
    """The rows of marks on an image whose rows or columns have names: by these names."""
    for image in ax.images:
        shown: Any = image.get_array()
        for key, axis, count in (("y", ax.yaxis, shown.shape[0]), ("x", ax.xaxis, shown.shape[1])):
            names = dict(enumerate(_names(axis, count)))
            try:
                rows = [row | {key: names[row[key]]} if key in row else row for row in rows]
            except KeyError:
                raise _unreadable(line, "only those of marks on the pixels of an image can") from None
    return rows


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
        return Look(name, to_rgb(shown.get_edgecolor()[0]), "", "")  # type: ignore[arg-type]
    line, marker = (
        "" if str(one) in ("None", "none", " ") else str(one) for one in (shown.get_linestyle(), shown.get_marker())
    )
    return Look(name, to_rgb(shown.get_color()), line, marker)
