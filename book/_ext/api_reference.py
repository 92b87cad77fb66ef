"""Docstrings as they are written for a terminal, made fit for the reference pages.

A bar, as in |beta|, and a star, as in beta*, are themselves; an indented formula keeps its lines; and the fields of a
dataclass or a named tuple are listed with the comments beside them.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import tokenize
from io import StringIO
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
UNDERLINE = re.compile(r"-{3,}")  # of the head of a section


def escaped(line: str) -> str:
    """A line of text whose bars and stars are no markup; what is quoted, and examples, stay as they are."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    return "".join(part if part.startswith("`") else re.sub(r"[|*]", r"\\\g<0>", part) for part in LITERAL.split(line))


def readable(lines: list[str]) -> list[str]:
    """The lines of a docstring with bars and stars escaped, and with its formulas, up to the first section, literal."""
    sections = (i for i, line in enumerate(lines) if UNDERLINE.fullmatch(line))
    found: list[str] = []
    first, formula = next(sections, len(lines) + 1) - 1, False
    for i, line in enumerate(lines):
        indented = i < first and line.startswith("    ")
        if indented and not formula:
            found += [".. code-block:: text", ""]
        formula = indented or (formula and not line and i < first)
        found.append(line if formula else escaped(line))
    return found


def fields_of(cls: type) -> list[tuple[str, str, str]]:
    """The annotated fields of a class: name, type, and the comment at the end of the line."""
    source = textwrap.dedent(inspect.getsource(cls))
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    (body,) = (node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    annotated = [node for node in body if isinstance(node, ast.AnnAssign)]
    return [
        (ast.unparse(node.target), ast.unparse(node.annotation), comments.get(node.end_lineno or 0, ""))
        for node in annotated
    ]


def fields_section(cls: type) -> list[str]:
    """The section of a docstring that lists the fields of a class."""
    lines = ["", "Fields", "------"]
    for name, kind, comment in fields_of(cls):
        lines += [f"{name} : {kind}", f"    {comment}"]
    return [*lines, ""]


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Called by autodoc before napoleon reads the sections."""
    if inspect.isclass(obj) and "Parameters" not in lines and fields_of(obj):
        first = next((i - 1 for i, line in enumerate(lines) if UNDERLINE.fullmatch(line)), len(lines))
        lines[first:first] = fields_section(obj)
    lines[:] = readable(lines)


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what named tuples say of each field by themselves."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("autodoc-process-docstring", process, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
