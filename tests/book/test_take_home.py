"""What a reader takes home: the data of figures, their files and calls on the page, sources and launch buttons."""

import csv
import gzip
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jupytext
import matplotlib
import nbformat
import numpy as np
import pytest
from conftest import ROOT, listed_chapters
from docutils import nodes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from nbclient import NotebookClient
from sphinx import addnodes
from sphinx.errors import ExtensionError

matplotlib.use("agg")
import matplotlib.pyplot as plt

from ptft import figures
from ptft.figures.data import COLUMNS, csv_of, data_of, packed_csv
from ptft.figures.narrow import NARROW_TYPE
from ptft.figures.page_style import DATA_TYPE, beside


def extension(name):
    """A module of book/_ext."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


take_home = extension("take_home")
paper = extension("paper")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


# ------------------------------------------------------------------------------------------------- data of a figure


def columns(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def test_a_row_for_each_point_with_its_panel_labels_and_series():
    fig, axes = figures.figure(1, 2, sharey=True)
    axes[0, 0].semilogx([1, 10], [2, 3], label="first")
    axes[0, 0].plot([1, 10], [4, 5], "o", label="second")
    axes[0, 1].plot([7], [8], "s")
    axes[0, 0].set(xlabel="abscissa", ylabel="ordinate", title="left")
    axes[0, 1].set_title("right", loc="left")
    rows = data_of(fig)
    assert all(tuple(row) == COLUMNS for row in rows)
    assert columns(rows, "panel", "title", "item", "series", "kind", "x", "y") == [
        (1, "left", 1, "first", "line", 1, 2),
        (1, "left", 1, "first", "line", 10, 3),
        (1, "left", 2, "second", "points", 1, 4),
        (1, "left", 2, "second", "points", 10, 5),
        (2, "right", 1, "", "points", 7, 8),
    ]
    assert {row["y_label"] for row in rows} == {"ordinate"}  # the right panel shares it


def test_error_bars_are_ends_and_series_drawn_beside_each_other_keep_their_abscissae():
    fig, axes = figures.figure()
    for i in range(3):
        bars = axes[0, 0].errorbar([1, 2], [3, 4], [[0.5, 1], [1, np.nan]], fmt="o-", capsize=2, label=f"s{i}")
        beside(bars.get_children(), i, 3)
    rows = data_of(fig)
    assert len(rows) == 6
    for i in range(3):
        assert columns(rows, "series", "kind", "x", "y", "low")[2 * i :][:2] == [
            (f"s{i}", "line", 1, 3, 2.5),
            (f"s{i}", "line", 2, 4, 3),
        ]
    assert rows[0]["high"] == 4 and np.isnan(rows[1]["high"])
    fig.canvas.draw()
    places = [bars[0].get_transform().transform((1, 3)) for bars in axes[0, 0].containers]
    apart = 3 / 72 * fig.dpi
    assert np.diff(places, axis=0) == pytest.approx(np.array([[apart, 0], [apart, 0]]))


def test_a_band_has_its_ends_and_the_name_of_its_colour():
    fig, axes = figures.figure()
    x, low, high = np.arange(4.0), np.array([0.0, -1, 1, 2]), np.array([1.0, 1, 1, 5])
    axes[0, 0].plot(x, x, color="C1", label="mean")
    axes[0, 0].fill_between(x, low, high, color="C1", alpha=0.2)
    axes[0, 0].legend()
    axes[0, 0].fill_between([0, 1], [0, 0], [1, 1], label="named")
    *band, named, _ = (row for row in data_of(fig) if row["kind"] == "band")
    assert named["series"] == "named"
    assert columns(band, "series", "x", "low", "high") == [("mean", *one) for one in zip(x, low, high, strict=True)]


def test_lines_across_the_panel_are_references_with_one_coordinate():
    fig, axes = figures.figure()
    axes[0, 0].axhline(0.5)
    axes[0, 0].axvline(2, label="threshold")
    assert columns(data_of(fig), "series", "kind", "x", "y") == [
        ("", "reference", None, 0.5),
        ("threshold", "reference", 2, None),
    ]


def test_a_stripe_across_the_panel_has_its_edges_and_a_polygon_its_corners():
    fig, axes = figures.figure()
    axes[0, 0].axhspan(-2, 2, label="two standard errors")
    axes[0, 0].axvspan(1, 3)
    axes[0, 0].fill([0, 1, 1], [0, 0, 2], label="possible")
    axes[0, 0].set_xscale("log")
    assert columns(data_of(fig), "item", "series", "kind", "x", "y") == [
        (1, "two standard errors", "reference", None, -2),
        (1, "two standard errors", "reference", None, 2),
        (2, "", "reference", 1, None),
        (2, "", "reference", 3, None),
        (3, "possible", "area", 0, 0),
        (3, "possible", "area", 1, 0),
        (3, "possible", "area", 1, 2),
    ]


UNREADABLE = {
    "PathCollection 'dots'": lambda ax: ax.scatter([1], [2], label="dots"),
    "Rectangle": lambda ax: ax.bar([1, 2], [3, 4]),
    "LineCollection": lambda ax: ax.vlines([1, 2], 0, 1),
    "FancyArrow": lambda ax: ax.arrow(0, 0, 1, 1),
    "ErrorbarContainer 'wide'": lambda ax: ax.errorbar([1], [2], xerr=[0.5], label="wide"),
    "ErrorbarContainer": lambda ax: ax.errorbar([1], [2], [0.5], fmt="none"),
    "FillBetweenPolyCollection": lambda ax: ax.fill_betweenx([0, 1], [0, 0], [1, 2]),
    "QuadContourSet": lambda ax: ax.contour([[0, 1], [1, 2]]),
    "QuadMesh": lambda ax: ax.pcolormesh([0, 1e-12, 3e-12, 4e-12], [0, 1, 2], np.ones((2, 3))),
    "QuadMesh 'turned'": lambda ax: ax.pcolormesh(
        *([[0, 1], [-1, 0]] + np.arange(2)[:, None, None]), np.ones((2, 2)), shading="nearest", label="turned"
    ),
    "AxesImage": lambda ax: ax.imshow(np.zeros((2, 2, 3))),
    "AxesImage 'moved'": lambda ax: ax.imshow(np.zeros((2, 2)), extent=(0, 1, 0, 1), label="moved"),
    "Line2D 'between'": lambda ax: (ax.imshow(np.zeros((2, 2))), ax.plot([0], [0.5], "o", label="between")),
    "Line2D 'in the corner'": lambda ax: ax.plot([0], [1], "o", transform=ax.transAxes, label="in the corner"),
    "AxLine": lambda ax: ax.axline((0, 0), slope=1),
    "Polygon": lambda ax: ax.fill([0, 1, 1], [0, 0, 1], transform=ax.transAxes),
    "Table": lambda ax: ax.table([["1"]]),
    "Axes 'inset_axes'": lambda ax: ax.inset_axes((0.5, 0.5, 0.4, 0.4)),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_its_name_and_its_panel(name):
    fig, axes = figures.figure(1, 2)
    axes[0, 1].plot([0, 1], [0, 1])
    axes[0, 1].set_title("right")
    UNREADABLE[name](axes[0, 1])
    with pytest.raises(ValueError, match=f"panel 2, 'right': a figure with a {name} is not allowed: .* cannot be read"):
        data_of(fig)


def test_what_lies_on_the_figure_outside_its_panels_is_refused():
    fig, _ = figures.figure()
    fig.add_artist(Line2D([0, 1], [0, 1]))
    with pytest.raises(ValueError, match="a figure with a Line2D is not allowed"):
        data_of(fig)


DECORATIONS = {
    "text": lambda ax: ax.text(1, 3, "here"),
    "arrow with a text": lambda ax: ax.annotate("here", (1, 3), (2, 3), arrowprops={}, bbox={}),
    "legend": lambda ax: ax.legend(["one"]),
    "entry of a legend": lambda ax: ax.plot([], [], label="entry"),
    "titles": lambda ax: (ax.set_title("right", loc="right"), ax.figure.suptitle("all")),
    "legend of the figure": lambda ax: ax.figure.legend(["one"]),
    "frame": lambda ax: ax.spines["top"].set_visible(True),
    "background": lambda ax: ax.set_facecolor("grey"),
    "grid and ticks": lambda ax: (ax.grid(True, which="both"), ax.minorticks_on()),
}


@pytest.mark.parametrize("name", DECORATIONS)
def test_decoration_is_let_through(name):
    fig, axes = figures.figure()
    axes[0, 0].plot([1, 2], [3, 4], label="one")
    alone = data_of(fig)
    DECORATIONS[name](axes[0, 0])
    assert data_of(fig) == alone


def test_contours_and_the_colour_bar_of_a_map_are_let_through():
    fig, axes = figures.figure()
    ax = axes[0, 0]
    mesh = ax.pcolormesh([0, 1], [0, 1], [[0, 1], [1, 2]], shading="nearest")
    fig.colorbar(mesh, label="value")
    alone = data_of(fig)
    ax.clabel(ax.contour([0, 1], [0, 1], [[0, 1], [1, 2]]))
    assert len(alone) == 4 and data_of(fig) == alone


def test_a_map_has_the_places_that_were_given_and_is_named_by_its_colour_bar():
    fig, axes = figures.figure()
    x, y = np.geomspace(1e-4, 1e4, 30), np.linspace(-1, 1, 5)
    values = np.ma.masked_greater(np.outer(y, np.log(x)), 9)
    mesh = axes[0, 0].pcolormesh(x, y, values, shading="nearest")
    fig.colorbar(mesh, label="value")
    rows = data_of(fig)
    assert {row["kind"] for row in rows} == {"cells"} and {row["series"] for row in rows} == {"value"}
    assert np.array([row["x"] for row in rows]).reshape(5, 30) == pytest.approx(np.tile(x, (5, 1)), rel=1e-9)
    assert np.array([row["y"] for row in rows]).reshape(5, 30) == pytest.approx(np.tile(y, (30, 1)).T, abs=1e-12)
    assert [row["value"] for row in rows] == pytest.approx(values.filled(np.nan).ravel().tolist(), nan_ok=True)


def test_the_csv_of_a_map_says_its_texts_once():
    fig, axes = figures.figure(1, 2)
    for ax, title in zip(axes[0], ("left", "right"), strict=True):
        ax.pcolormesh([0, 1, 2], [0, 1], np.ones((2, 3)), shading="nearest", cmap="cividis")
        ax.plot([0, 1], [0, 1], label="line")
        ax.set(title=title, ylabel="height")
    rows = list(csv.DictReader(io.StringIO(csv_of(fig))))
    cells = [row for row in rows if row["kind"] == "cells"]
    assert [row["title"] for row in cells] == ["left", *[""] * 5, "right", *[""] * 5]
    assert [(row["panel"], row["x"], row["value"]) for row in cells[:4]] == [("1", x, "1") for x in "0120"]
    assert {(row["y_label"], row["series"]) for row in rows if row["kind"] == "line"} == {("height", "line")}


def test_rows_and_columns_of_an_image_have_the_names_of_their_ticks():
    fig, axes = figures.figure(1, 2, sharex=True, sharey=True)
    for ax in axes[0]:
        ax.imshow([[1, 2], [3, 4]], norm=Normalize(0, 4), aspect="auto")
    axes[0, 0].set_xticks([0, 1], ["0.1", "0.5"])
    axes[0, 0].plot(1, 0, "o", label="mark")
    mark, *cells = data_of(fig)
    assert (mark["series"], mark["x"], mark["y"]) == ("mark", "0.5", 0)
    assert columns(cells[:4], "x", "y", "value") == [("0.1", 0, 1), ("0.5", 0, 2), ("0.1", 1, 3), ("0.5", 1, 4)]
    assert cells[4]["panel"] == 2 and cells[4]["x"] == "0.1"


def test_a_line_without_a_name_has_those_of_the_legend_that_look_like_it():
    fig, axes = figures.figure(1, 2)
    left, right = axes[0]
    left.plot([1], [1], "-", color="red")
    left.errorbar([1], [1], [1], fmt="s", color="red")
    left.plot([1], [1], "--", color="blue")
    left.plot([1], [1], ":", color="black")
    right.plot([1], [1], "--", color="red")
    keys = [Line2D([], [], color=c, label=c) for c in ("red", "blue")]
    keys += [
        Line2D([], [], color="#555555", linestyle="-", marker="o", label="full"),
        Line2D([], [], color="#555555", linestyle="--", marker="s", label="dashed"),
        Line2D([], [], color="black", linestyle=":", label="limit"),
    ]
    left.legend(handles=keys)
    wanted = ["red, full", "red, dashed", "blue, dashed", "limit", "red, dashed"]
    assert [row["series"] for row in data_of(fig)] == wanted


def test_the_csv_can_be_read_and_is_the_same_each_time():
    def draw():
        fig, axes = figures.figure()
        axes[0, 0].plot([1 / 3, np.nan], [2e-300, 1], label='a "name", with\nmarks')
        return fig

    rows = list(csv.DictReader(io.StringIO(csv_of(draw()))))
    assert [row["x"] for row in rows] == ["0.333333", ""]
    assert rows[0]["y"] == "2e-300" and rows[0]["series"] == 'a "name", with\nmarks'
    assert packed_csv(draw()) == packed_csv(draw())
    assert gzip.decompress(packed_csv(draw())).decode() == csv_of(draw())


# ----------------------------------------------------------------------------------------------------------- the call

NAMES = {"figures": "ptft.figures", "drawn": "ptft.figures.optimal_initialization", "Line": "ptft.figures.other.Line"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("figures.triangle(paths)\nplt.show()", [("ptft.figures.triangle", "paths")]),
        (
            "drawn.landscapes({name: Line(b) for name in a}, c=1)",
            [("ptft.figures.optimal_initialization.landscapes", "{…}, c=1")],
        ),
        ("figures.a([1, 2, 3, 4, 5, 6, 7, 8, 9])", [("ptft.figures.a", "[…]")]),
        ("figures.a(ptft.penalty(one, another_one))", [("ptft.figures.a", "ptft.penalty(…)")]),
        ("figures.a(one_very_long_name + another)", [("ptft.figures.a", "…")]),
        ("figures.a(1)\nfigures.b(2)", [("ptft.figures.a", "1"), ("ptft.figures.b", "2")]),
        ("%matplotlib inline\n!ls {x}\nfigures.a(1)\nlines = !pwd\nfigures.a?", [("ptft.figures.a", "1")]),
        ("%%bash\nls | wc", []),
        ("other.figures.a(1)\nx = drawn.number(1)\nprint(figures.COLORS)", []),
    ],
)
def test_the_call_that_draws_is_found_in_the_source(source, found):
    assert take_home.drawing_calls(source, NAMES) == found


def test_names_are_those_of_the_imports():
    cells = [
        "!ls\nimport ptft\nimport matplotlib.pyplot as plt",
        "%%bash\nls",
        "from ptft import figures\nfrom ptft.book import tables\nfrom ptft.figures import vision as v",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    assert take_home.imported_names(notebook) == {
        "ptft": "ptft",
        "plt": "matplotlib.pyplot",
        "figures": "ptft.figures",
        "tables": "ptft.book.tables",
        "v": "ptft.figures.vision",
    }


def test_a_cell_that_is_no_python_is_told_with_its_chapter(tmp_path):
    path = tmp_path / "02_other.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("!ls"), nbformat.v4.new_code_cell("x = (")]), path
    )
    env = SimpleNamespace(docname="book/chapters/02_other", doc2path=lambda name: path)
    with pytest.raises(ExtensionError, match=r"book/chapters/02_other: a cell is not Python: x = \("):
        take_home._add_legends(SimpleNamespace(env=env), None)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda path: path.stem)
def test_every_figure_cell_of_a_chapter_makes_exactly_one_call_that_draws(path):
    notebook = jupytext.read(path)
    names = take_home.imported_names(notebook)
    cells = [cell for cell in notebook.cells if cell.metadata.get("mystnb", {}).get("figure")]
    assert cells
    for cell in cells:
        assert len(take_home.drawing_calls(cell.source, names)) == 1, cell.source


# ------------------------------------------------------------------------------- a small book, with a URL to publish at

PROSE = """(ch-small)=
# A small chapter

{numref}`fig-small` and {prf:ref}`thm-small`.

```{prf:theorem} Small
:label: thm-small
One is one.
```

:::{dropdown} Proof of {prf:ref}`thm-small`
It is what it is.
:::

Another {cite:t}`anguita2026theory`."""
DRAW = """from ptft import figures
figures.style()"""
FIGURE = """import matplotlib.pyplot as plt
import numpy as np
figures.measure_curves(np.array([0.1, 1.0]), {"on the right": (np.array([1.0, 2.0]), np.array([0.5, 1.0]))})
plt.show()"""
EXPLORER = """from IPython.display import display
display({"text/html": "<figure><script>1 < 2</script></figure>", "text/plain": "No."}, raw=True)"""


def build(folder, builder):
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        ".",
        "-W",
        "-n",
        "--keep-going",
        "--builder",
        builder,
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "_build" / builder


@pytest.fixture(scope="module")
def small_book(tmp_path_factory):
    """A book of one chapter with this book's configuration, but published somewhere."""
    folder = tmp_path_factory.mktemp("book")
    for part in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / part, folder / "book" / part)
    shutil.copy(ROOT / "book" / "references.bib", folder / "book")
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert config.count('url: ""') == 1
    (folder / "_config.yml").write_text(config.replace('url: ""', "url: https://github.com/someone/somewhere"))
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nparts:\n"
        "  - {caption: Theory, numbered: true, chapters: [{file: book/chapters/01_small}]}\n"
        "  - {caption: Reference, chapters: [{file: book/bibliography}]}\n"
    )
    (folder / "book" / "intro.md").write_text("# A book\n\nBegins.\n\n## Notation\n\nNone.\n")
    (folder / "book" / "bibliography.md").write_text("# Bibliography\n\n```{bibliography}\n```\n")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "01_small.md").write_text("# A small chapter\n")
    figure = {"figure": {"name": "fig-small", "caption": "Two curves."}, "image": {"alt": "two curves"}}
    cells = [
        nbformat.v4.new_markdown_cell(PROSE),
        nbformat.v4.new_code_cell(DRAW, metadata={"tags": ["hide-input"]}),
        nbformat.v4.new_code_cell(FIGURE, metadata={"mystnb": figure, "tags": ["hide-input"]}),
        nbformat.v4.new_code_cell(EXPLORER, metadata={"tags": ["hide-input"]}),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(notebook, kernel_name="python3").execute()
    (folder / "book" / "chapters").mkdir()
    nbformat.write(notebook, folder / "book" / "chapters" / "01_small.ipynb")
    return folder


@pytest.fixture(scope="module")
def small_page(small_book):
    return build(small_book, "html") / "book" / "chapters" / "01_small.html"


def test_a_cell_carries_the_data_of_its_figure(small_book):
    notebook = nbformat.read(small_book / "book" / "chapters" / "01_small.ipynb", 4)
    ((_, name, data),) = take_home.figure_cells(notebook)
    assert name == "fig-small"
    assert set(data) == {"image/svg+xml", "application/pdf", DATA_TYPE, NARROW_TYPE, "text/plain"}


def test_a_narrow_screen_gets_the_narrow_picture(small_page):
    source = re.search(
        r'<picture><source media="\(max-width: 576px\)" srcset="([^"]+)" width="(\d+)"', small_page.read_text()
    )
    narrow = (small_page.parent / source[1]).read_text(encoding="utf-8")
    assert source[1].endswith("/fig-small-narrow.svg") and narrow.startswith("<?xml") and int(source[2]) < 400


def test_under_a_figure_are_its_call_and_its_files(small_page):
    text = small_page.read_text(encoding="utf-8")
    line = re.search(r'<p class="take-home">.*?</p>', text).group()
    assert re.sub("<[^>]*>", "", line) == "ptft.figures.measure_curves(np.array([0.1, 1.0]), {…}) · SVG · PDF · CSV"
    files = {ending: (small_page.parent / path).read_bytes() for path, _, ending in LINK.findall(line)}
    assert files["svg"].startswith(b"<?xml") and files["pdf"].startswith(b"%PDF")
    rows = list(csv.DictReader(io.StringIO(files["csv"].decode())))
    assert [row["x"] for row in rows if row["series"] == "on the right"] == ["1", "2"]
    assert "<script>1 < 2</script>" in text  # another cell's page of its own is left alone


def test_with_the_url_of_a_repository_there_is_a_launch_button(small_page):
    (link,) = re.findall(r'href="(https://mybinder[^"]*)"', small_page.read_text(encoding="utf-8"))
    assert link.endswith("/gh/someone/somewhere/main?urlpath=lab/tree/book/chapters/01_small.ipynb")


# ---------------------------------------------------------------------------------------------------------- on paper

STATEMENT = r"\begin{sphinxadmonition}{note}{"


@pytest.fixture(scope="module")
def small_paper(small_book):
    return (build(small_book, "latex") / "ptft.tex").read_text(encoding="utf-8")


def test_on_paper_figures_are_vectors_with_their_call_and_nothing_to_click(small_paper):
    assert re.findall(r"\\sphinxincludegraphics\{\{\w+\}\.(\w+)\}", small_paper) == ["pdf"]
    call = re.search(r"\\texttt\{ptft\..*\}", small_paper).group().replace(r"\allowbreak{}", "")
    assert call.startswith(r"\texttt{ptft.figures.measure\_curves(")
    assert "CSV" not in small_paper


def test_on_paper_proofs_are_unfolded_and_programs_left_out(small_paper):
    assert STATEMENT + "Theorem 1.1 (Small)}" in small_paper
    proof = small_paper[small_paper.index("Proof of ") :]
    assert re.match(r"Proof of .*?It is what it is\.\\hspace\*\{\\fill\}\\\(\\square\\\)", proof, re.DOTALL)
    assert "pyplot" not in small_paper and "measure_curves" not in small_paper


def test_on_paper_figures_and_tables_have_the_numbers_of_the_pages():
    page = addnodes.start_of_file("", docname="book/claims")
    page += nodes.table(ids=["tab-all"])
    document = nodes.section("", nodes.figure(ids=["fig-front"]), nodes.table(ids=["tab-without-number"]), page)
    numbers = {"book/intro": {"figure": {"fig-front": (1,)}}, "book/claims": {"table": {"tab-all": (14,)}}}
    paper._number_as_on_the_pages(document, "book/intro", numbers)
    kinds = [(type(node).__name__, node.astext()) for node in [*document[:3], *page]]
    assert kinds == [
        ("raw", r"\setcounter{figure}{0}"),
        ("figure", ""),
        ("table", ""),
        ("raw", r"\setcounter{table}{13}"),
        ("table", ""),
    ]


def test_on_paper_only_what_has_a_number_on_the_pages_has_one(small_paper):
    front, chapter, rest = (
        small_paper.index(mark)
        for mark in (r"\chapter{About this book}", r"\chapter{A small", r"\chapter{Bibliography}")
    )
    assert (
        small_paper.rindex(r"\setcounter{secnumdepth}", 0, front)
        == small_paper.rindex("{secnumdepth}{-1}", 0, front) - 11
    )
    assert "{secnumdepth}{2}" in small_paper[front:chapter] and "{secnumdepth}{-1}" in small_paper[chapter:rest]
    assert r"\section{Notation}" in small_paper[front:chapter]
    assert re.findall(r"contentspart\{(\w+)\}", small_paper) == ["Theory", "Reference"]


@pytest.mark.slow
def test_the_book_on_paper_is_complete(tmp_path):
    """Every figure and statement of the chapters is in the source, and XeLaTeX, if there is one, has no complaint."""
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [Path(sys.executable).with_name("jupyter-book"), "build", str(ROOT), "-W", "-n", "--builder", "latex"]
    done = subprocess.run([*command, "--path-output", tmp_path], capture_output=True, text=True, env=here)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "_build" / "latex"
    text = (folder / "ptft.tex").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "notebooks").glob("*.md"))]
    statements = sum(len(re.findall(r"^[`:]{3,}\{prf:(?!ref|proof)", source, re.MULTILINE)) for source in sources)
    numbers = re.findall(re.escape(STATEMENT) + r"[A-Z][a-z]+ (\d+\.\d+)\b", text)
    assert len(numbers) == len(set(numbers)) == statements > 0
    heading, works = text.index(r"\chapter{Bibliography}"), text.index(r"\begin{sphinxthebibliography}")
    assert r"\chapter" not in text[heading + len(r"\chapter") : works]
    graphics = re.findall(r"\\sphinxincludegraphics(?:\[[^]]*\])?\{\{([^}]+)\}\.(\w+)\}", text)
    assert {ending for _, ending in graphics} == {"pdf"}
    assert all((folder / f"{name}.{ending}").is_file() for name, ending in graphics)
    assert len(graphics) >= sum(source.count("mystnb:\n  figure:") for source in sources)
    if not (shutil.which("xelatex") and shutil.which("latexmk")):
        pytest.skip("there is no xelatex: the source was checked, but not compiled")
    latexmk = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "ptft.tex"]
    done = subprocess.run(latexmk, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]
    log = (folder / "ptft.log").read_text(encoding="utf-8", errors="replace").replace("\n", "")
    assert "Missing character" not in log
    assert not re.search(r"LaTeX Warning: (?:Hyper )?[Rr]eference [^.]*undefined", log)
    assert [width for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(width) > 20] == []


# --------------------------------------------------------------------------------------------------- on the pages

LINK = re.compile(r'<a class="reference download internal"[^>]*href="([^"]+/(fig-[^"/]+)\.(svg|pdf|csv))"')


def carried(stem):
    """Name and output of each figure of an executed chapter."""
    executed = nbformat.read(ROOT / "book" / "chapters" / f"{stem}.ipynb", 4)
    return {name: data for _, name, data in take_home.figure_cells(executed)}


def table(data):
    return list(csv.DictReader(io.StringIO(take_home.FORMATS[DATA_TYPE][1](data[DATA_TYPE]).decode())))


@pytest.mark.parametrize("stem", listed_chapters())
def test_every_figure_of_a_chapter_has_its_call_and_its_files(html, stem):
    page = html / "book" / "chapters" / f"{stem}.html"
    lines = re.findall(r'<p class="take-home">.*?</p>', page.read_text(encoding="utf-8"))
    found = {}
    for line in lines:
        files = {ending: page.parent / path for path, _, ending in LINK.findall(line)}
        assert "ptft.figures." in line and set(files) == {"svg", "pdf", "csv"}
        assert all(path.stat().st_size for path in files.values())
        found[files["csv"].stem] = files["csv"].read_text(encoding="utf-8")
    assert sorted(found) == sorted(carried(stem))
    for name, data in carried(stem).items():
        assert list(csv.DictReader(io.StringIO(found[name]))) == table(data)


@pytest.mark.parametrize("stem", listed_chapters())
def test_every_series_of_a_chapter_has_a_name_or_its_panel_to_itself(stem):
    for name, data in carried(stem).items():
        rows = table(data)
        assert rows and tuple(rows[0]) == COLUMNS
        named = [row for row in reversed(rows) if row["kind"] != "reference"]  # a map says its name in its first row
        items = {(row["panel"], row["item"]): row["series"] for row in named}
        panels = [panel for panel, _ in items]
        assert [key for key, series in items.items() if not series and panels.count(key[0]) > 1] == [], name


def test_every_chapter_offers_its_notebook_and_its_source(html):
    for stem in listed_chapters():
        page = html / "book" / "chapters" / f"{stem}.html"
        text = page.read_text(encoding="utf-8")
        links = re.findall(r'href="([^"]*_sources/[^"]*)"', text)
        for original, link in zip((f"book/chapters/{stem}.ipynb", f"notebooks/{stem}.md"), links, strict=True):
            assert (page.parent / link).read_bytes() == (ROOT / original).read_bytes()
        assert "fa-rocket" not in text  # without the URL of a repository there is nothing to launch
