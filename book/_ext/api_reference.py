"""Docstrings as they are written for a terminal, made fit for the reference pages.

A bar, as in |beta|, and a star, as in beta*, are themselves; an indented formula keeps its lines; and the fields of a
dataclass or a named tuple are listed with the comments beside them. An example begins with the imports that it needs,
which in its module are there already. A name leads to where it is described, also from a module that imports it.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import sys
import textwrap
import tokenize
from collections.abc import Iterator
from io import StringIO
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import ptft

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


def names_needed(code: str) -> set[str]:
    """The names that a program reads before it has bound them."""
    needed: set[str] = set()
    bound: set[str] = set()
    for statement in ast.parse(code).body:
        inside = list(ast.walk(statement))
        local = {one.arg for one in inside if isinstance(one, ast.arg)}
        for one in inside:
            if isinstance(one, ast.comprehension):
                local |= {name.id for name in ast.walk(one.target) if isinstance(name, ast.Name)}
        read = {one.id for one in inside if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
        assigned = {one.id for one in inside if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        needed |= read - local - bound - (assigned if hasattr(statement, "body") else set())  # for and with bind first
        bound |= assigned
        bound |= {one.name for one in inside if isinstance(one, ast.FunctionDef | ast.ClassDef)}
        bound |= {name for name, _ in _imports(statement)}
    return needed


def _imports(tree: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    """What is imported: pairs of the name there, and of the module and the import as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            for one in node.names:
                yield one.asname or one.name, (module, one.name + (f" as {one.asname}" if one.asname else ""))


def imports_of_examples(doc: str, module: ModuleType) -> list[str]:
    """The lines that import what the examples of a docstring take from the module that it stands in."""
    code = "".join(example.source for example in doctest.DocTestParser().get_examples(doc))
    imported = dict(_imports(ast.parse(inspect.getsource(module))))
    wanted: dict[str, list[str]] = {}
    for name in sorted(names_needed(code) & vars(module).keys() - {"__name__"}):
        if name in ptft.__all__ and vars(ptft)[name] is vars(module)[name]:
            place, text = "ptft", name
        else:
            place, text = imported.get(name, (module.__name__, name))
        wanted.setdefault(place, []).append(text)
    plain = [f"import {text}" for text in wanted.pop("", [])]
    return plain + [f"from {place} import {', '.join(texts)}" for place, texts in sorted(wanted.items())]


def module_of(name: str) -> ModuleType:
    """The module in which something with this full name stands."""
    while name not in sys.modules:
        name = name.rpartition(".")[0]
    return sys.modules[name]


def with_imports(lines: list[str], module: ModuleType) -> list[str]:
    """The lines of a docstring whose first example begins with the imports of all."""
    for i, line in enumerate(lines):
        if line.lstrip().startswith(">>>"):
            indent = line[: len(line) - len(line.lstrip())]
            added = [f"{indent}>>> {one}" for one in imports_of_examples("\n".join(lines), module)]
            return [*lines[:i], *added, *lines[i:]]
    return lines


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
    lines[:] = readable(with_imports(lines, module_of(name)))


def link_home(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element) -> nodes.Element | None:
    """A name that a module has from another one, as `ptft` has its own, leads to where it is described."""
    name = node.get("reftarget", "")
    module = ptft if name.startswith("ptft.") else sys.modules.get(node.get("py:module") or "")
    name = name.removeprefix("ptft.")
    home = getattr(getattr(module, name.partition(".")[0], None), "__module__", None)
    if node.get("refdomain") != "py" or home is None:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", f"{home}.{name}", node, text)


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what named tuples say of each field by themselves."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("autodoc-process-docstring", process, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", link_home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
