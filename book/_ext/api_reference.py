"""Docstrings as they are written for a terminal, made fit for the reference pages.

A bar, as in |beta|, and a star, as in beta*, are themselves; an indented formula keeps its lines; and the fields of a
dataclass or a named tuple are listed with the comments beside them. An example begins with the imports that it needs,
which in its module are there already. A name leads to where it is described, also from a module that imports it. The
signature has long defaults as the source has them, and is that of the source where a base of a class is missing.
"""

from __future__ import annotations

import ast
import dataclasses
import doctest
import functools
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
from sphinx.util.inspect import stringify_signature
from sphinx.util.typing import ExtensionMetadata

import ptft

LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
UNDERLINE = re.compile(r"-{3,}")  # of the head of a section
LONGEST = 40  # characters of a default in a signature


def escaped(line: str) -> str:
    """A line of text whose bars and stars are no markup; what is quoted stays as it is."""
    return "".join(part if part.startswith("`") else re.sub(r"[|*]", r"\\\g<0>", part) for part in LITERAL.split(line))


def readable(lines: list[str]) -> list[str]:
    """The lines of a docstring with bars and stars escaped, and with its formulas, up to the first section, literal.

    Examples stay as they are, with what they print, up to the next empty line.
    """
    sections = (i for i, line in enumerate(lines) if UNDERLINE.fullmatch(line))
    found: list[str] = []
    first, formula, example = next(sections, len(lines) + 1) - 1, False, False
    for i, line in enumerate(lines):
        indented = i < first and line.startswith("    ")
        if indented and not formula:
            found += [".. code-block:: text", ""]
        formula = indented or (formula and not line and i < first)
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        found.append(line if formula or example else escaped(line))
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


@functools.cache
def _imports_of(module: ModuleType) -> dict[str, tuple[str, str]]:
    return dict(_imports(ast.parse(inspect.getsource(module))))


def imports_of_examples(doc: str, module: ModuleType) -> list[str]:
    """The lines that import what the examples of a docstring take from the module that it stands in."""
    code = "".join(example.source for example in doctest.DocTestParser().get_examples(doc))
    imported = _imports_of(module)
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


class Source:
    """What stands in a signature for a default that is long, or has no text of its own: its expression."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def shown_default(value: Any, source: ast.expr) -> Any:
    """A default, or its expression where its own text is long, as that of an array, or is none, as that of a type."""
    text = repr(value)
    return Source(ast.unparse(source)) if len(text) > LONGEST or "<" in text else value


def field_default(cls: type, field: dataclasses.Field[Any]) -> Any:
    """The default of a field as a signature shows it; of a factory, what it makes."""
    made = field.default_factory
    if made is dataclasses.MISSING and field.default is dataclasses.MISSING:
        return inspect.Parameter.empty
    home = next(one for one in cls.__mro__ if field.name in inspect.get_annotations(one))
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(home))).body
    values = {ast.unparse(one.target): one.value for one in ast.walk(tree) if isinstance(one, ast.AnnAssign)}
    source = values[field.name]
    assert source is not None
    if made is dataclasses.MISSING:
        return shown_default(field.default, source)
    (factory,) = (
        one.value for one in ast.walk(source) if isinstance(one, ast.keyword) and one.arg == "default_factory"
    )
    return Source(ast.unparse(factory.body) if isinstance(factory, ast.Lambda) else f"{ast.unparse(factory)}()")


def signature_of(thing: Any) -> inspect.Signature | None:
    """What a function or a class is called with, its defaults in short; None where autodoc knows better.

    A protocol, which is not called, has nothing. A class with a base of a package that is missing, in whose place
    another stands, is called with what its own ``__init__`` takes.
    """
    if getattr(thing, "_is_protocol", False):
        return inspect.Signature()
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    if inspect.isclass(thing) and dataclasses.is_dataclass(thing):
        fields = [field for field in dataclasses.fields(thing) if field.init]
        return inspect.Signature([inspect.Parameter(f.name, either, default=field_default(thing, f)) for f in fields])
    if inspect.isclass(thing):
        if "__init__" not in vars(thing):
            return None
        found = inspect.signature(vars(thing)["__init__"])
        return found.replace(parameters=list(found.parameters.values())[1:])
    if not inspect.isfunction(thing):
        return None
    found = inspect.signature(thing)
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(thing))).body
    assert isinstance(tree, ast.FunctionDef)
    several = [*tree.args.posonlyargs, *tree.args.args]
    pairs = [
        *zip(several[::-1], tree.args.defaults[::-1], strict=False),
        *zip(tree.args.kwonlyargs, tree.args.kw_defaults, strict=True),
    ]
    sources = {argument.arg: source for argument, source in pairs if source is not None}
    parameters = [
        one.replace(default=shown_default(one.default, sources[one.name])) if one.name in sources else one
        for one in found.parameters.values()
    ]
    return found.replace(parameters=parameters)


def signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str | None, returned: str | None
) -> tuple[str, None] | None:
    """Called by autodoc once it knows the signature of something."""
    found = signature_of(obj) if what in ("class", "exception", "function") else None
    if found is None:
        return None
    text = stringify_signature(found, show_annotation=False, show_return_annotation=False)
    return (text if found.parameters or what == "function" else ""), None


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
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", link_home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
