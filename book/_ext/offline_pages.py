"""Pages that need no network: they carry their own MathJax and offer no live cells. LaTeX shares their macros."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.fileutil import copy_asset
from sphinx.util.typing import ExtensionMetadata

# what TeX input and CHTML output can load; the wheel's other 20 MB are never asked for
PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts")


def latex_macros(macros: Mapping[str, str | list[Any]]) -> str:
    r"""The MathJax macros (name: body, or name: [body, number of arguments]) as lines of \newcommand."""
    lines = []
    for name, definition in macros.items():
        body, arguments = definition if isinstance(definition, list) else (definition, 0)
        lines.append(rf"\newcommand{{\{name}}}{f'[{arguments}]' if arguments else ''}{{{body}}}")
    return "\n".join(lines) + "\n"


def _leave_out_live_cells(app: Sphinx, config: Config) -> None:
    """Undo what jupyter-book always adds for live cells, which load a program from elsewhere and want a server."""
    unwanted = {"init_thebe_core", "update_thebe_context"}
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if getattr(one.handler, "__name__", "") not in unwanted]


def _share_macros(app: Sphinx, config: Config) -> None:
    macros = config.mathjax3_config["tex"]["macros"]
    elements = dict(config.latex_elements)
    elements["preamble"] = elements.get("preamble", "") + latex_macros(macros)
    config.latex_elements = elements


def _copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    package = importlib.util.find_spec("sphinx-mathjax-offline")  # found by name: the dashes forbid an import statement
    assert package is not None and package.origin is not None
    source = Path(package.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        destination = target / part
        copy_asset(source / part, destination if (source / part).is_dir() else destination.parent)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("config-inited", _leave_out_live_cells)
    app.connect("config-inited", _share_macros)
    app.connect("build-finished", _copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
