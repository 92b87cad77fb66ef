"""Pages that do not jump while they load: pictures have room before they come, and text waits for its formulas."""

import re
from pathlib import Path

from sphinx.util.images import get_image_size

IMAGE = re.compile(r'<img ([^>]*?)src="([^":]+\.svg)"')


def _make_room(app, pagename, templatename, context, doctree):
    if "body" not in context:
        return
    sources = {Path(name).name: path for path, (_, name) in app.builder.env.images.items()}

    def with_size(match):
        path = sources.get(Path(match[2]).name)
        size = path and get_image_size(Path(app.srcdir) / path)
        if not size or "width" in match[1]:
            return match[0]
        return f'<img {match[1]}width="{size[0]}" height="{size[1]}" src="{match[2]}"'

    context["body"] = IMAGE.sub(with_size, context["body"])


def setup(app):
    app.add_js_file("typeset.js")
    app.connect("html-page-context", _make_room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
