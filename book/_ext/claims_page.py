"""The directives of the page of claims: `claims`, a table for each chapter that computed entries, `claims-tally`, how
many came to which verdict, both read from the executed notebooks, and `testbeds`, which compares all experiments by
their stored results.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import nbformat
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from ptft.book.claims import KEY, Claim, claims_table, read_claim, tally
from ptft.book.testbeds import comparison, every_testbed


def title_of(notebook: nbformat.NotebookNode) -> str:
    """Title of a chapter."""
    lines = (str(line) for cell in notebook.cells for line in cell.source.splitlines())
    return next(line[2:] for line in lines if line.startswith("# "))


def read_claims(path: Path) -> tuple[str, list[Claim]]:
    """Title of an executed chapter and the claims that it holds."""
    notebook = nbformat.read(path, 4)
    metadata = [output.get("metadata", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    return title_of(notebook), [read_claim(entry) for one in metadata for entry in one.get(KEY, [])]


class Claims(SphinxDirective):
    """All claims, chapter by chapter."""

    def run(self) -> list[nodes.Node]:
        tables: list[str] = []
        for path, (title, claims) in self.chapters().items():
            if claims:
                number = path.stem[:2]
                tables.append(claims_table(claims, f"tab-all-claims-{number}", f"Chapter {int(number)}: {title}"))
        return parsed(self, "\n\n".join(tables))

    def chapters(self) -> dict[Path, tuple[str, list[Claim]]]:
        """Title and claims of each executed chapter, on which the page depends from now on."""
        paths = sorted(Path(self.env.srcdir).glob("book/chapters/*.ipynb"))
        for path in paths:
            self.env.note_dependency(str(path))
        return {path: read_claims(path) for path in paths}


class ClaimsTally(Claims):
    """How many claims came to which verdict; `name` is the label, of which each page needs another."""

    option_spec: ClassVar = {"name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        every = [claim for _, claims in self.chapters().values() for claim in claims]
        return parsed(self, tally(every, self.options.get("name", "tab-all-claims")))


class Testbeds(SphinxDirective):
    """Which knob does what on which testbed."""

    def run(self) -> list[nodes.Node]:
        for path in sorted(Path(self.env.srcdir).glob("book/results/**/*.parquet")):
            self.env.note_dependency(str(path))
        return parsed(self, comparison(every_testbed()))


def parsed(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """What Markdown in the place of a directive becomes."""
    node = nodes.container()
    directive.state.nested_parse(StringList(text.splitlines(), source=directive.name), directive.content_offset, node)
    return list(node.children)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("claims", Claims)
    app.add_directive("claims-tally", ClaimsTally)
    app.add_directive("testbeds", Testbeds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
