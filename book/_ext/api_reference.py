"""Docstrings as they are written for a terminal, made fit for the reference pages.

A bar, as in |beta|, and a star, as in beta*, are themselves; an indented formula keeps its lines; and the fields of a
dataclass or a named tuple are listed with the comments beside them.
"""

import ast
import inspect
import re
import textwrap
import tokenize
from io import StringIO

LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
UNDERLINE = re.compile(r"-{3,}")  # of the head of a section


def escaped(line):
    """A line of text whose bars and stars are no markup; what is quoted, and examples, stay as they are."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    return "".join(part if part.startswith("`") else re.sub(r"[|*]", r"\\\g<0>", part) for part in LITERAL.split(line))


def readable(lines):
    """The lines of a docstring with bars and stars escaped, and with its formulas, up to the first section, literal."""
    sections = (i for i, line in enumerate(lines) if UNDERLINE.fullmatch(line))
    first, found, formula = next(sections, len(lines) + 1) - 1, [], False
    for i, line in enumerate(lines):
        indented = i < first and line.startswith("    ")
        if indented and not formula:
            found += [".. code-block:: text", ""]
        formula = indented or (formula and not line and i < first)
        found.append(line if formula else escaped(line))
    return found


def fields_of(cls):
    """The annotated fields of a class: name, type, and the comment at the end of the line."""
    source = textwrap.dedent(inspect.getsource(cls))
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    annotated = [node for node in ast.parse(source).body[0].body if isinstance(node, ast.AnnAssign)]
    return [(node.target.id, ast.unparse(node.annotation), comments.get(node.end_lineno, "")) for node in annotated]


def fields_section(cls):
    """The section of a docstring that lists the fields of a class."""
    lines = ["", "Fields", "------"]
    for name, kind, comment in fields_of(cls):
        lines += [f"{name} : {kind}", f"    {comment}"]
    return [*lines, ""]


def process(app, what, name, obj, options, lines):
    """Called by autodoc before napoleon reads the sections."""
    if inspect.isclass(obj) and "Parameters" not in lines and fields_of(obj):
        first = next((i - 1 for i, line in enumerate(lines) if UNDERLINE.fullmatch(line)), len(lines))
        lines[first:first] = fields_section(obj)
    lines[:] = readable(lines)


def skip(app, what, name, obj, skipped, options):
    """Leave out what named tuples say of each field by themselves."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("autodoc-process-docstring", process, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
