"""Pages that a keyboard and a screen reader can use: repairs of what Sphinx and its extensions write."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx_design.dropdown import dropdown_title

PROMPT = re.compile(r"((?:Show|Hide) )(source|outputs?|content)<")


def _unlink_titles(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """A reference in the title of a folded part becomes plain text: a link inside of a button cannot be reached."""
    if app.builder.format == "html":
        for title in doctree.findall(dropdown_title):
            for link in list(title.findall(nodes.reference)):
                link.replace_self(link.children)


def _plain_citations(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """A bibliography without roles, which Sphinx gives it against their definition."""
    if "body" in context:
        body = context["body"].replace('<div role="list" class="citation-list">', '<div class="citation-list">')
        context["body"] = body.replace(' role="doc-biblioentry"', "")


def _name_what_is_folded(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """A fold says whether it hides code or output; myst-nb calls them source, output and outputs."""
    if "body" in context:
        names = {"source": "code", "output": "output", "outputs": "output", "content": "cell"}
        context["body"] = PROMPT.sub(lambda match: match[1] + names[match[2]] + "<", context["body"])


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("doctree-resolved", _unlink_titles)
    app.connect("html-page-context", _plain_citations)
    app.connect("html-page-context", _name_what_is_folded)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
