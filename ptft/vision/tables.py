"""Stored results: comma-separated tables whose leading comment lines say how they were made."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ptft.files import write_whole

ACCURACY_COLUMNS = (
    "dataset",
    "seed",
    "knob",
    "value",
    "n",
    "accuracy",
    "accuracy_recalibrated",
    "loss",
    "stopped_by",
    "epochs",
    "pretraining_images",
    "pretraining_epochs",
    "pretraining_stopped_by",
    "seconds",
)
REPRESENTATION_COLUMNS = ("seed", "knob", "value", "n", "stage", "pr_before", "pr_after", "ensd")
_KEY_COLUMNS = ("dataset", "seed", "knob", "value", "n", "stage")
ROOT = Path(__file__).resolve().parents[2]  # of the working tree


def results_file(name: str) -> Path:
    """Path of a stored table of the book, such as ``"digits.csv"``.

    Raises
    ------
    FileNotFoundError
        If the package does not lie in the book's working tree, or the table is not there.
    """
    path = ROOT / "book" / "results" / name
    if not path.is_file():
        raise FileNotFoundError(f"{name}: no such table in book/results; stored results come with the book's sources")
    return path


def read_table(path: str | Path) -> np.ndarray:
    """A stored table as a structured array, one field per column."""
    return _parsed(_body(Path(path)))


def as_table(columns: Sequence[str], rows: Iterable[dict]) -> np.ndarray:
    """The table that `read_table` would return had the rows been stored."""
    return _parsed(_text(columns, rows).splitlines())


def table_protocol(path: str | Path) -> dict:
    """The provenance of a stored table: what its leading ``# name: value`` lines say."""
    lines = [line[2:] for line in Path(path).read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    return {name: json.loads(value) for name, value in (line.split(": ", 1) for line in lines)}


def write_table(
    path: str | Path, columns: Sequence[str], rows: Iterable[dict], provenance: dict, replace: bool = False
) -> None:
    """Write a table whole, with its provenance on top.

    Raises
    ------
    FileExistsError
        If the file exists, `replace` is false, and it was made with another protocol key or holds points that the new
        table lacks.
    """
    path, rows = Path(path), list(rows)
    if path.exists() and not replace:
        key = [c for c in _KEY_COLUMNS if c in columns]
        lost = _keys(csv.DictReader(_body(path)), key) - _keys(rows, key)
        if table_protocol(path).get("key") != provenance["key"] or lost:
            raise FileExistsError(f"{path} holds other results: move it away, or replace it with --replace")
    header = "".join(f"# {name}: {json.dumps(value)}\n" for name, value in provenance.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (header + _text(columns, rows)).encode())


def _text(columns: Sequence[str], rows: Iterable[dict]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({c: f"{row[c]:.6g}" if isinstance(row[c], float) else row[c] for c in columns})
    return text.getvalue()


def _parsed(lines: list[str]) -> np.ndarray:
    return np.atleast_1d(np.genfromtxt(lines, delimiter=",", names=True, dtype=None, encoding="utf-8"))


def _body(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def _keys(rows: Iterable[dict], columns: Sequence[str]) -> set[tuple[str, ...]]:
    """The points of some rows, alike for numbers and for the text that they are stored as."""
    numbers = ("seed", "value", "n")
    return {tuple(f"{float(row[c]):g}" if c in numbers else row[c] for c in columns) for row in rows}
