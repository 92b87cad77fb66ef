"""The code of the chapters is held to the rules of the package, and each cell fits on a screen."""

import itertools
import re
import subprocess
import sys

import jupytext
import nbformat
import pytest
from conftest import ROOT, listed_chapters, load_runner
from nbformat.v4 import new_code_cell, new_notebook

SCREEN = 40  # lines
PAGE = 80  # characters of a line that a page shows without unfolding
FOLDED = {"hide-input", "remove-cell", "remove-input", "parameters"}  # comments of the last are longer than a page


def code_cells(stem):
    """The code cells of a chapter's source."""
    cells = jupytext.read(load_runner().sources()[stem]).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def complaints(sources, path, *command):
    """What ruff says of cells as a notebook of their own, in which a name of one cell is known in the next."""
    cells = [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}), path)
    ruff = [sys.executable, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml"), "--no-cache", str(path)]
    done = subprocess.run(ruff, capture_output=True, text=True, cwd=ROOT)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).replace(str(path), path.stem)


@pytest.mark.parametrize("stem", listed_chapters())
def test_the_code_of_a_chapter_is_linted(stem, tmp_path):
    sources = [cell.source for cell in code_cells(stem)]
    found = complaints(sources, tmp_path / f"{stem}.ipynb", "check", "--output-format", "concise")
    assert not found, found


@pytest.mark.parametrize("stem", listed_chapters())
def test_the_code_of_a_chapter_is_formatted(stem, tmp_path):
    cells = {True: [], False: []}
    for cell in code_cells(stem):
        cells[bool(FOLDED & set(cell.metadata.get("tags", [])))].append(cell.source)
    found = complaints(cells[True], tmp_path / f"{stem}.ipynb", "format", "--diff")
    found += complaints(cells[False], tmp_path / f"{stem}-shown.ipynb", "format", "--diff", "--line-length", str(PAGE))
    assert not found, found


def run_on_items(text):
    """Lines that begin an item but stand in a paragraph, as the list has ended above them: pages run them together."""
    lines, found, fence = text.splitlines(), [], False
    for before, line in itertools.pairwise(lines):
        fence ^= line.startswith("```")
        if not fence and re.match(r"([2-9]\. |- )", line) and before and not re.match(r"(\d+\. |- |  |:)", before):
            found.append(line)
    return found


@pytest.mark.parametrize("stem", listed_chapters())
def test_no_item_of_a_list_runs_on_in_the_paragraph_before_it(stem):
    cells = jupytext.read(load_runner().sources()[stem]).cells
    assert [line for cell in cells if cell.cell_type == "markdown" for line in run_on_items(cell.source)] == []


def test_an_item_that_runs_on_is_found():
    assert run_on_items("1. One\n2. Two\n\n$$\nx\n$$\n\nthe same.\n3. Three") == ["3. Three"]
    assert run_on_items("1. One\n2. Two\n\n   $$\n   x\n   $$\n\n   the same.\n3. Three\n\n- a\n- b") == []


@pytest.mark.parametrize("stem", listed_chapters())
def test_a_cell_fits_on_a_screen(stem):
    lengths = {cell.source.splitlines()[0]: len(cell.source.splitlines()) for cell in code_cells(stem)}
    assert {first: length for first, length in lengths.items() if length > SCREEN} == {}


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (["import os"], "F401"),
        (["x = 1", "y = x"], ""),
        (["x = 1", "y = z"], "F821"),
        (["x = " + " + ".join(["1"] * 60)], "E501"),
    ],
)
def test_what_breaks_a_rule_is_reported(sources, said, tmp_path):
    found = complaints(sources, tmp_path / "cells.ipynb", "check", "--output-format", "concise")
    assert said in found and bool(found) == bool(said)


def test_what_is_not_formatted_is_reported(tmp_path):
    assert complaints(["x = 1"], tmp_path / "cells.ipynb", "format", "--diff") == ""
    assert "+x = 1" in complaints(["x=1"], tmp_path / "cells.ipynb", "format", "--diff")
