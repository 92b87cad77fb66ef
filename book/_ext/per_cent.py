"""No line ends between a number and its per cent sign, in prose, captions, tables and computed text alike."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

BREAK = re.compile(r"(?<=\d) %")
LEADING = re.compile(r"^ %")  # after a formula, or a number that is emphasized or computed
KEPT = (nodes.literal, nodes.FixedTextElement, nodes.math, nodes.math_block, nodes.raw)


def keep_together(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """A no-break space instead of the space."""
    for text in list(doctree.findall(nodes.Text)):
        around = text.parent
        if isinstance(around, KEPT) or "%" not in text:
            continue
        kept = BREAK.sub("\u00a0%", text)
        place = around.index(text)
        if place and (isinstance(around[place - 1], nodes.math) or around[place - 1].astext()[-1:].isdigit()):
            kept = LEADING.sub("\u00a0%", kept)
        around[place] = nodes.Text(kept)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("doctree-resolved", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
