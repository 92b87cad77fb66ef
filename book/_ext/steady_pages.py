"""Pages that do not jump while they load: pictures have room before they come, and text waits for its formulas.

On a telephone a figure shows its narrow picture, where it has one: of a chapter's figure `take_home.py` writes it into
_build/figures, that of any other lies beside it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.images import get_image_size
from sphinx.util.typing import ExtensionMetadata

IMAGE = re.compile(r'<img ([^>]*?)src="([^":]+\.svg)"([^>]*>)')
FIGURE = re.compile(r'(<figure [^>]*\bid="([^"]+)"[^>]*>\s*(?:<a [^>]*>)?)(<img [^>]*src="([^":]+\.svg)"[^>]*>)')
TELEPHONE = "(max-width: 576px)"


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
        return f'<img {match[1]}width="{size[0]}" height="{size[1]}" src="{match[2]}"{match[3]}'

    def with_narrow(match: re.Match[str]) -> str:
        start, name, image, shown = match.groups()
        places = [Path(app.outdir).parent / "figures" / f"{name}-narrow.svg"]
        if path := sources.get(Path(shown).name):
            places.append(Path(app.srcdir, path).with_name(f"{Path(path).stem}-narrow.svg"))
        narrow = next((place for place in places if place.is_file()), None)
        size = narrow and get_image_size(str(narrow))
        if not narrow or not size:
            return match[0]
        images = Path(app.outdir, "_images")  # where Sphinx copies the others when all pages are written
        images.mkdir(exist_ok=True)
        shutil.copy(narrow, images)
        source = f'media="{TELEPHONE}" srcset="{shown.rpartition("/")[0]}/{narrow.name}"'
        return f'{start}<picture><source {source} width="{size[0]}" height="{size[1]}">{image}</picture>'

    context["body"] = FIGURE.sub(with_narrow, IMAGE.sub(with_size, context["body"]))


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_js_file("typeset.js")
    app.connect("html-page-context", _make_room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
