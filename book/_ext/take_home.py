"""What a reader takes home: each figure as SVG, PDF and data, with the call that draws it; each chapter and its source.

The figures and their data are in the outputs of the chapters' cells (`ptft.figures.style` puts them there).
"""

from __future__ import annotations

import ast
import gzip
import os
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from IPython.core.inputtransformer2 import TransformerManager
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

from ptft.figures.narrow import NARROW_TYPE
from ptft.figures.page_style import DATA_TYPE

PACKAGE = "ptft.figures"
FORMATS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "image/svg+xml": ("svg", str.encode),
    "application/pdf": ("pdf", b64decode),
    DATA_TYPE: ("csv", lambda data: gzip.decompress(b64decode(data))),
}

# ----------------------------------------------------------------------------------------------- from the notebook


def figure_cells(notebook: nbformat.NotebookNode) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """The cells that show a figure of the book, each with the name of its figure and the data of its output."""
    for cell in notebook.cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        shown = [output.data for output in cell.get("outputs", []) if FORMATS.keys() & output.get("data", {})]
        if name and shown:
            yield cell, name, shown[0]


def parsed(source: str) -> ast.Module:
    """The code of a cell, in which the magics of IPython are calls."""
    return ast.parse(TransformerManager().transform_cell(source))  # type: ignore[no-untyped-call]


def imported_names(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """What the notebook calls what it imports: {name there: the full name}."""
    names: dict[str, str] = {}
    for cell in notebook.cells:
        for node in ast.walk(parsed(cell.source)) if cell.cell_type == "code" else ():
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                inside = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                names |= {one.asname or one.name: inside + one.name for one in node.names}
    return names


def drawing_calls(source: str, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """The statements that only call a function of `ptft.figures`: pairs of its full name and its arguments in short."""
    found = []
    for statement in ast.walk(parsed(source)):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call):
            first, *rest = ast.unparse(call.func).split(".")
            name = ".".join([names.get(first, first), *rest])
            if name.startswith(f"{PACKAGE}."):
                keywords = [f"{one.arg}={shortened(one.value)}" for one in call.keywords]
                found.append((name, ", ".join([*map(shortened, call.args), *keywords])))
    return found


def shortened(argument: ast.expr, limit: int = 24) -> str:
    """An argument as it is written, or with an ellipsis for what is inside it where it is long."""
    text = ast.unparse(argument)
    if len(text) <= limit:
        return text
    if isinstance(argument, ast.Call):
        return f"{ast.unparse(argument.func)}(…)"
    brackets = {"{": "{…}", "[": "[…]", "(": "(…)"}
    return brackets.get(text[0], "…")


# ---------------------------------------------------------------------------------------------------- under a figure


def _add_legends(app: Sphinx, doctree: nodes.document) -> None:
    """Under each figure of a chapter: the call that draws it, and its files."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    notebook = nbformat.read(path, 4)
    try:
        names = imported_names(notebook)
    except SyntaxError as error:
        raise ExtensionError(f"{app.env.docname}: a cell is not Python: {error.text or error}") from error
    figures = {name: figure for figure in doctree.findall(nodes.figure) for name in figure["names"]}
    for cell, name, data in figure_cells(notebook):
        calls = drawing_calls(cell.source, names)
        folder = Path(app.outdir).parent / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        links = []
        for kind in FORMATS.keys() & data.keys():
            ending, content = FORMATS[kind]
            (folder / f"{name}.{ending}").write_bytes(content(data[kind]))
            links.append(f"{name}.{ending}")
        if NARROW_TYPE in data:  # steady_pages.py shows it on a telephone
            (folder / f"{name}-narrow.svg").write_bytes(gzip.decompress(b64decode(data[NARROW_TYPE])))
        figures[name] += legend(app, calls[0] if len(calls) == 1 else None, folder, sorted(links, key=_order))


def _order(name: str) -> int:
    return [ending for ending, _ in FORMATS.values()].index(name.rpartition(".")[2])


def legend(app: Sphinx, call: tuple[str, str] | None, folder: Path, files: list[str]) -> nodes.legend:
    """The line under a figure: the call that draws it, a name and its arguments, and links to files in a folder."""
    line = nodes.paragraph(classes=["take-home"])
    if call:
        reference = addnodes.pending_xref(
            refdomain="py", reftype="func", reftarget=call[0], refdoc=app.env.docname, drawn_by=True
        )
        line += reference
        reference += nodes.literal(text="{}({})".format(*call))
    for file in files:
        target = "/" + os.path.relpath(folder / file, app.srcdir).replace(os.sep, "/")
        line += nodes.Text(" · ")
        line += addnodes.download_reference(
            "", file.rpartition(".")[2].upper(), reftarget=target, refdoc=app.env.docname, refexplicit=True
        )
    return nodes.legend("", line)


def _link_function(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.Element
) -> nodes.Element | None:
    """To where the reference describes the drawing function, in whichever of the package's modules; else no link."""
    if "drawn_by" not in node:
        return None
    name = node["reftarget"].rpartition(".")[2]
    domain = env.get_domain("py")
    assert isinstance(domain, PythonDomain)
    for full, entry in domain.objects.items():
        if full.startswith(f"{PACKAGE}.") and full.rpartition(".")[2] == name:
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, text)
    return text


# -------------------------------------------------------------------------------------------------- above a chapter


def _source_of(app: Sphinx, page: str) -> Path | None:
    """The Markdown source of an executed chapter, if the page is one."""
    path = Path(app.srcdir) / "notebooks" / f"{Path(page).name}.md"
    return path if page.startswith("book/chapters/") and path.is_file() else None


def _offer_source(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Beside the theme's button that downloads the executed notebook, one for the source of the chapter."""
    source = _source_of(app, page)
    if source is None:
        return
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            notebook, *others = group["buttons"]
            link = {
                "type": "link",
                "url": context["pathto"](f"_sources/notebooks/{source.name}", 1),
                "text": ".md",
                "tooltip": "Download the source of the chapter, without outputs",
                "icon": "fas fa-file-lines",
                "label": "download-markdown-button",
            }
            group["buttons"] = [notebook | {"tooltip": "Download the executed notebook"}, link, *others]


def _copy_sources(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        folder = Path(app.outdir) / "_sources" / "notebooks"
        folder.mkdir(parents=True, exist_ok=True)
        for source in filter(None, (_source_of(app, page) for page in app.env.found_docs)):
            shutil.copy(source, folder)


def _launch_only_from_a_repository(app: Sphinx, config: Config) -> None:
    """Without the URL of a repository, from which a service could fetch the book, there are no launch buttons."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def _know_data(app: Sphinx, config: Config) -> None:
    config.suppress_warnings = [*config.suppress_warnings, "mystnb.unknown_mime_type"]  # the data, which is not shown


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("config-inited", _launch_only_from_a_repository)
    app.connect("config-inited", _know_data)
    app.connect("doctree-read", _add_legends, priority=400)  # before Sphinx collects the downloads
    app.connect("missing-reference", _link_function)
    app.connect("html-page-context", _offer_source, priority=900)  # after the theme's buttons
    app.connect("build-finished", _copy_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
