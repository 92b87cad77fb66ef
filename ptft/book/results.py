"""Where the stored results of the book lie, and by what they were made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptft.book.computed_text import literal
from ptft.validation import checked

# the sets of images of the stored tables, by the names that these have for them
IMAGES = {
    "cifar10-jpeg": "CIFAR-10",
    "digits": "digits",
    "fashion-mnist": "Fashion-MNIST",
    "tiny-imagenet-32": "Tiny-ImageNet",
}


@checked
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


def made(provenance: Mapping[str, Any]) -> str:
    """The version, the date and the machines of a stored table, as text of a caption.

    Parameters
    ----------
    provenance : mapping
        As a sweep's `read_table` returns it.

    Examples
    --------
    >>> made({"ptft": "0.1.0", "date": "2026-01-31", "machine": ["a desk_top"]})
    'ptft 0.1.0, 2026-01-31, a desk\\\\_top'
    """
    return literal(f"ptft {provenance['ptft']}, {provenance['date']}, {'; '.join(provenance['machine'])}")


@checked
def accelerators(provenance: Mapping[str, Any]) -> list[str]:
    """The accelerators on which a stored table was computed, by name; none where processors did it.

    Parameters
    ----------
    provenance : mapping
        As a sweep's `read_table` returns it.

    Examples
    --------
    >>> accelerators({"machine": ["Linux, 2 cores, torch 2.1.0", "Linux, 16 cores, torch 2.1.0, NVIDIA H200"]})
    ['NVIDIA H200']
    """
    of_torch = [one.partition(", torch ")[2].partition(", ")[2] for one in provenance["machine"]]
    return sorted({name for name in of_torch if name})
