"""Pages that do not jump while they load: pictures have room before they come, and text waits for its formulas."""

import re
from pathlib import Path

IMAGE = re.compile(r'<img ([^>]*?)src="([^":]+\.svg)"')
SIZE = re.compile(r'<svg[^>]*? (width|height)="([\d.]+)(pt|px)?"[^>]*? (width|height)="([\d.]+)(pt|px)?"')


def size_of(svg):
    """Width and height in pixels that the first tag of a drawing says; none if it does not."""
    found = SIZE.search(svg)
    if found is None:
        return None
    first, a, unit, _, b, _ = found.groups()
    pixels = [round(float(x) * (4 / 3 if unit == "pt" else 1)) for x in (a, b)]
    return pixels if first == "width" else pixels[::-1]


def _make_room(app, pagename, templatename, context, doctree):
    if "body" not in context:
        return
    sources = {Path(name).name: path for path, (_, name) in app.builder.env.images.items()}

    def with_size(match):
        path = sources.get(Path(match[2]).name)
        size = path and size_of((Path(app.srcdir) / path).read_text(encoding="utf-8")[:2000])
        if not size or "width" in match[1]:
            return match[0]
        return f'<img {match[1]}width="{size[0]}" height="{size[1]}" src="{match[2]}"'

    context["body"] = IMAGE.sub(with_size, context["body"])


def setup(app):
    app.add_js_file("typeset.js")
    app.connect("html-page-context", _make_room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
