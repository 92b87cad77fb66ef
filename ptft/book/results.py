"""Where the stored results of the book lie."""

from __future__ import annotations

from pathlib import Path


def results_file(name: str) -> Path:
    """Path of a stored table of the book, such as ``"simulations.parquet"``.

    Raises
    ------
    FileNotFoundError
        If the package does not lie in the book's working tree, or the table is not there.

    Examples
    --------
    >>> results_file("simulations.parquet").name
    'simulations.parquet'
    """
    path = Path(__file__).resolve().parents[2] / "book" / "results" / name
    if not path.is_file():
        raise FileNotFoundError(f"{name}: no such table in book/results; stored results come with the book's sources")
    return path
