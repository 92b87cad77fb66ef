"""The directive `status`: when, with what and where each chapter was run, and where its stored tables come from.

The runs are in book/runs, where book/execute.py notes them; the tables carry their provenance.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from claims_page import title_of
from docutils import nodes
from docutils.statemachine import StringList
from pyarrow import parquet
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from ptft.book.computed_text import literal
from ptft.book.tables import numbered

# What reads stored tables: one by its name, or both of a sweep of residual networks by their folder.
READS = re.compile(r"""results_file\(["'](?P<table>[^"']+)["']\)|stored_runs\((?:["'](?P<folder>[^"']+)["'])?\)""")
IMAGE_RUNS = ("vision.parquet", "representations.parquet")
SUFFIX = ".parquet"
UNKNOWN = "not noted"


def run_of(chapter: Path, runs: Path) -> dict[str, Any] | None:
    """What was noted of the run of an executed chapter; None where it is of another run, or nothing was noted."""
    try:
        noted: dict[str, Any] = json.loads((runs / f"{chapter.stem}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return noted if noted["chapter"] == hashlib.sha256(chapter.read_bytes()).hexdigest() else None


def tables_of(notebook: nbformat.NotebookNode) -> list[str]:
    """The stored tables that the cells of a chapter read, in their order."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    found: list[str] = []
    for one in READS.finditer(code):
        folder = one["folder"] or "."
        found += [one["table"]] if one["table"] else [posixpath.normpath(f"{folder}/{name}") for name in IMAGE_RUNS]
    return list(dict.fromkeys(found))


def chapter_row(chapter: Path, runs: Path) -> dict[str, object]:
    """The row of an executed chapter in the table of runs."""
    notebook, noted = nbformat.read(chapter, 4), run_of(chapter, runs)
    number = int(chapter.stem[:2])
    versions = noted and ", ".join(f"{name} {version}" for name, version in noted["versions"].items())
    return {
        "Chapter": f"{number}. {title_of(notebook)}" if number else title_of(notebook),
        "Run on": noted["date"] if noted else UNKNOWN,
        "Took": f"{noted['seconds']}\u00a0s" if noted else UNKNOWN,
        "Machine": literal(noted["machine"]) if noted else UNKNOWN,
        "With": literal(versions) if versions else UNKNOWN,
        "Stored tables": ", ".join(literal(name.removesuffix(SUFFIX)) for name in tables_of(notebook)) or "none",
    }


def set_apart(rows: list[dict[str, object]], names: Sequence[str]) -> tuple[list[dict[str, object]], str]:
    """The rows without the columns of these names that say the same in each, and these as a sentence."""
    same = [name for name in names if len({row[name] for row in rows}) == 1]
    said = "".join(f" {name.lower()} {rows[0][name]}," for name in same)
    return [
        {k: v for k, v in row.items() if k not in same} for row in rows
    ], f" In every row:{said[:-1]}." if same else ""


def table_row(path: Path, results: Path) -> dict[str, object]:
    """The row of a stored table in the table of tables."""
    stored = parquet.ParquetFile(path)
    made = json.loads(stored.schema_arrow.metadata[b"ptft"])
    return {
        "Table": literal(path.relative_to(results).as_posix().removesuffix(SUFFIX)),
        "Rows": stored.metadata.num_rows,
        "Made by": literal(made["made by"]),
        "On": made["date"],
        "ptft": literal(f"{made['ptft']}, key {made['key']}"),
        "Machines": literal("; ".join(made["machine"])) if "machine" in made else UNKNOWN,
    }


class Status(SphinxDirective):
    """Both tables."""

    def run(self) -> list[nodes.Node]:
        book = Path(self.env.srcdir) / "book"
        chapters = sorted((book / "chapters").glob("*.ipynb"))
        stored = sorted((book / "results").rglob(f"*{SUFFIX}"))
        for path in [*chapters, *stored, *(book / "runs" / f"{chapter.stem}.json" for chapter in chapters)]:
            self.env.note_dependency(str(path))
        runs, shared = set_apart([chapter_row(chapter, book / "runs") for chapter in chapters], ("Machine", "With"))
        tables = [table_row(path, book / "results") for path in stored]
        both = [
            numbered(runs, "tab-chapter-runs", f"The run of each chapter from which these pages are made.{shared}"),
            numbered(tables, "tab-stored-tables", f"The stored tables, `book/results/*{SUFFIX}`, and what made them."),
        ]
        text = "\n\n".join(map(str, both))
        node = nodes.container(classes=["status"])
        self.state.nested_parse(StringList(text.splitlines(), source="status"), self.content_offset, node)
        return [node]


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("status", Status)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
