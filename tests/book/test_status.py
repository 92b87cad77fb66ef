"""The page that says how the pages came about: runs as they were noted, and tables by their provenance."""

import hashlib
import json
import sys

import nbformat
import pytest
from conftest import ROOT, listed_chapters

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from status_page import UNKNOWN, chapter_row, run_of, set_apart, table_row, tables_of

RESULTS = ROOT / "book" / "results"


@pytest.fixture
def chapter(tmp_path):
    """An executed chapter that reads two tables, and the note of its run."""
    path, source = tmp_path / "03_example.ipynb", 'read(results_file("a.parquet"), results_file("b/c.parquet"))'
    cells = [nbformat.v4.new_markdown_cell("# Example"), nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    noted = {
        "chapter": hashlib.sha256(path.read_bytes()).hexdigest(),
        "date": "2026-01-31",
        "machine": "a desk",
        "seconds": 12,
        "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    }
    (tmp_path / "03_example.json").write_text(json.dumps(noted))
    return path


def test_a_row_says_what_was_noted(chapter, tmp_path):
    row = chapter_row(chapter, tmp_path)
    assert row["Chapter"] == "3. Example" and row["Run on"] == "2026-01-31" and row["Took"] == "12\u00a0s"
    assert "numpy 2.4.6" in str(row["With"]) and row["Stored tables"] == "a, b/c"


def test_a_note_of_another_run_is_not_shown(chapter, tmp_path):
    chapter.write_text(chapter.read_text().replace("Example", "Changed"))
    assert run_of(chapter, tmp_path) is None
    assert chapter_row(chapter, tmp_path)["Run on"] == UNKNOWN


def test_what_all_rows_say_is_said_once():
    rows = [{"Chapter": name, "Machine": "a desk", "With": version} for name, version in (("1", "a"), ("2", "b"))]
    assert set_apart(rows, ("Machine", "With")) == (
        [{"Chapter": "1", "With": "a"}, {"Chapter": "2", "With": "b"}],
        " In every row: machine a desk.",
    )
    assert set_apart(rows, ("With",)) == (rows, "")


@pytest.mark.parametrize(
    "path", sorted(RESULTS.rglob("*.parquet")), ids=lambda path: path.relative_to(RESULTS).as_posix()
)
def test_every_stored_table_says_what_made_it(path):
    row = table_row(path, RESULTS)
    assert str(row["Made by"]).startswith("python -m ptft") and int(str(row["Rows"])) > 0 and row["On"]


@pytest.mark.parametrize("stem", listed_chapters())
def test_the_tables_of_a_chapter_exist_and_its_run_is_noted(stem):
    path = ROOT / "book" / "chapters" / f"{stem}.ipynb"
    assert [name for name in tables_of(nbformat.read(path, 4)) if not (RESULTS / name).is_file()] == []
    assert run_of(path, ROOT / "book" / "runs") is not None, f"run it with book/execute.py {stem}"


def test_every_stored_table_is_read_by_a_chapter():
    chapters = (ROOT / "book" / "chapters").glob("*.ipynb")
    read = {name for path in chapters for name in tables_of(nbformat.read(path, 4))}
    assert {path.relative_to(RESULTS).as_posix() for path in RESULTS.rglob("*.parquet")} == read
