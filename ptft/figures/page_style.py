"""The style of all figures: sizes, fonts, and colours that colour-blind readers can tell apart."""

from __future__ import annotations

import gzip
import io
import os
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from ptft.extras import needs_extra
from ptft.figures.data import packed_csv
from ptft.figures.narrow import NARROW_TYPE, packed_svg
from ptft.files import write_whole
from ptft.validation import checked

# Okabe and Ito's palette, without the yellow that is illegible on white
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DATA_TYPE = "application/gzip"  # of the CSV beside SVG and PDF in the output of a cell
WIDTH = 7.2  # inches, of a full-width figure
DRAFT = "PTFT_DRAFT"  # environment variable: where it is set, a notebook draws the SVG of a figure alone

_PARAMETERS: Any = {
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "figure.figsize": (WIDTH, 3.2),
    "font.size": 9.5,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "mathtext.fontset": "dejavusans",
    "savefig.facecolor": "white",
    # the same figure gives the same bytes
    "svg.hashsalt": "ptft",
    "svg.fonttype": "path",
}


def style() -> None:
    """Use this style and nothing else from now on, whatever matplotlib's own files of settings say.

    In a notebook, figures become SVG on the page, PDF on paper, and carry their data and a picture for narrow screens:
    each once, below its cell. In a draft (`DRAFT`), which is run for what it prints, PDF and narrow picture are empty.

    Examples
    --------
    >>> style()
    >>> mpl.rcParams["axes.grid"]
    True
    """
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    try:
        from IPython import get_ipython
    except ImportError:
        pass
    else:
        if (shell := get_ipython()) is not None:
            _notebook_style(shell)
    mpl.rcdefaults()  # last: IPython's support of figures brings settings of its own
    mpl.rcParams.update(_PARAMETERS)


def _notebook_style(shell: Any) -> None:
    with needs_extra("book", "style"):
        from IPython.core.formatters import BaseFormatter
        from matplotlib_inline.backend_inline import set_matplotlib_formats
        from matplotlib_inline.config import InlineBackend

    draft = bool(os.environ.get(DRAFT))
    if hasattr(shell, "kernel"):  # elsewhere, a window shows a figure
        shell.ast_node_interactivity = "last_expr"  # a figure that a statement returns is not shown besides
        backend = InlineBackend.instance(parent=shell)
        backend.rc, backend.close_figures = {}, True
        trimmed: Any = None if draft else "tight"  # which draws it twice
        backend.print_figure_kwargs = {"bbox_inches": trimmed}
        shell.enable_matplotlib("inline")
    set_matplotlib_formats("svg", "pdf")  # type: ignore[no-untyped-call]
    carry = BaseFormatter(parent=shell.display_formatter, format_type=DATA_TYPE, print_method="_repr_data_")
    carry.for_type(Figure, lambda fig: b64encode(packed_csv(fig)).decode())  # type: ignore[no-untyped-call]
    shell.display_formatter.formatters[DATA_TYPE] = carry
    narrow = BaseFormatter(parent=shell.display_formatter, format_type=NARROW_TYPE, print_method="_repr_narrow_")
    narrow.for_type(Figure, packed_svg)  # type: ignore[no-untyped-call]
    shell.display_formatter.formatters[NARROW_TYPE] = narrow  # the last, since it changes the figure
    if draft:
        empty = b64encode(gzip.compress(b"", mtime=0)).decode()
        narrow.for_type(Figure, lambda fig: empty)  # type: ignore[no-untyped-call]
        shell.display_formatter.formatters["application/pdf"].for_type(Figure, lambda fig: b"%PDF-")


@checked
def figure(rows: int = 1, columns: int = 1, height: float = 2.6, **options: Any) -> tuple[Figure, np.ndarray]:
    """A full-width figure and its (rows, columns) array of axes; `height` in inches of one row.

    Examples
    --------
    >>> fig, axes = figure(2, 3)
    >>> axes.shape, float(fig.get_size_inches()[0]) == WIDTH
    ((2, 3), True)
    """
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=(WIDTH, height * rows), squeeze=False, **options)


@checked
def beside(artists: Iterable[Artist], i: int, count: int, points: float = 3.0) -> None:
    """Move the i-th of `count` series at the same abscissae, so that their error bars do not cover each other.

    They are drawn `points` apart from one series to the next; their coordinates stay those of the data. Axes whose
    limits follow the data get margins at least as wide as a tenth, so that what is moved does not end on the frame.

    Examples
    --------
    >>> fig, axes = figure()
    >>> line, = axes[0, 0].plot([1.0, 2.0], [3.0, 4.0])
    >>> beside([line], 1, 2)  # the second of two
    >>> line.get_xdata().tolist()
    [1.0, 2.0]
    """
    for artist in artists:
        fig: Any = artist.get_figure(root=True)
        shift = ScaledTranslation(points / 72 * (i - (count - 1) / 2), 0, fig.dpi_scale_trans)
        artist.set_transform(artist.get_transform() + shift)
        ax: Any = artist.axes
        if ax is not None:
            ax.margins(x=max(ax.margins()[0], 0.1))


@checked
def ordered_colors(count: int) -> list[Any]:
    """`count` colours from dark to light for values with an order (viridis, which is even in lightness).

    Examples
    --------
    >>> dark, middle, light = (sum(color[:3]) for color in ordered_colors(3))
    >>> bool(dark < middle < light)
    True
    """
    return [mpl.colormaps["viridis"](x) for x in np.linspace(0.0, 0.85, count)]


@checked
def save(fig: Figure, path: str | Path) -> None:
    """Write `fig` in the format of the suffix of `path`, whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> fig, _ = figure()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(fig, Path(folder, "empty.svg"))
    ...     print([file.name for file in Path(folder).iterdir()])
    ['empty.svg']
    """
    path, image = Path(path), io.BytesIO()
    fig.savefig(image, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else None)
    write_whole(path, image.getvalue())
