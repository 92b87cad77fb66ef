"""Pages that do not jump while they load: pictures have room before they come, and text waits for its formulas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.images import get_image_size
from sphinx.util.typing import ExtensionMetadata

IMAGE = re.compile(r'<img ([^>]*?)src="([^":]+\.svg)"')


def _make_room(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if "body" not in context:
        return
    sources = {Path(name).name: path for path, (_, name) in app.builder.env.images.items()}

    def with_size(match: re.Match[str]) -> str:
        path = sources.get(Path(match[2]).name)
        size = path and get_image_size(Path(app.srcdir) / path)
        if not size or "width" in match[1]:
            return match[0]
        return f'<img {match[1]}width="{size[0]}" height="{size[1]}" src="{match[2]}"'

    context["body"] = IMAGE.sub(with_size, context["body"])


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_js_file("typeset.js")
    app.connect("html-page-context", _make_room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
