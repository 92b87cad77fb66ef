"""Numbered tables of the book, as MyST Markdown text that a notebook displays."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from ptft.book.computed_text import inline
from ptft.checks import Check
from ptft.validation import checked


class MarkdownTable(str):
    """Text of a table, which notebooks render as Markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<table of {self.count(chr(10)) - 6} rows>"


@checked
def numbered(rows: Sequence[Mapping[str, object]], name: str, caption: str) -> MarkdownTable:
    """A table with the keys of the rows as its head; `name` is the label for cross-references.

    Cells and caption are Markdown, in which HTML is not live and a bar does not end a cell; what is to be shown as it
    is goes through `ptft.book.computed_text.literal`.

    Raises
    ------
    ValueError
        If there is no row, or the rows differ in their keys.

    Examples
    --------
    >>> print(numbered([{"alpha": 0.1, "error": 0.5}], "tab-example", "One row."), end="")
    :::{table} One row.
    :name: tab-example
    <BLANKLINE>
    | alpha | error |
    | --- | --- |
    | 0.1 | 0.5 |
    :::
    """
    if not rows or any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError(f"rows of table {name!r} must be at least one, and share their keys")
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    body = "\n".join("| " + " | ".join(map(_cell, cells)) + " |" for cells in lines)
    return MarkdownTable(f":::{{table}} {inline(caption)}\n:name: {name}\n\n{body}\n:::\n")


def _cell(value: object) -> str:
    return re.sub(r"(?<!\\)\|", r"\|", inline(value))


@checked
def checks(
    measured: Sequence[Check | tuple[str, Check] | tuple[str, float, float]], name: str, caption: str
) -> MarkdownTable:
    """The table that ends a chapter: what was checked, the largest error, its bound, and whether the error keeps it.

    An error that has a bound below 0.01 is at the level of rounding: it has one digit, which differs between machines.
    So has one below 0.0001, for which no other digit matters.

    Parameters
    ----------
    measured : sequence
        Each is a `Check`; or a place, such as a reference to the proposition, and a `Check`; or a statement, a
        measured value and its bound.
    name, caption : str
        As in `numbered`.

    Examples
    --------
    >>> check = Check("largest residual", 0.0, [1e-14, 3e-13], 1e-12)
    >>> print(checks([check, ("Equation 3", check), ("points lost", 0, 0)], "tab-checks", "Three checks."), end="")
    :::{table} Three checks.
    :name: tab-checks
    <BLANKLINE>
    | Measure | Found | At most | Holds |
    | --- | --- | --- | --- |
    | largest residual | $3 \\cdot 10^{-13}$ | $10^{-12}$ | yes |
    | Equation 3: largest residual | $3 \\cdot 10^{-13}$ | $10^{-12}$ | yes |
    | points lost | 0 | 0 | yes |
    :::
    """
    return numbered([_check_row(entry) for entry in measured], name, caption)


def _check_row(entry: Check | tuple[str, Check] | tuple[str, float, float]) -> dict[str, object]:
    if isinstance(entry, Check):
        statement, value, bound = entry.statement, entry.largest, entry.bound
    elif len(entry) == 2:
        place, check = entry
        statement, value, bound = f"{place}: {check.statement}", check.largest, check.bound
    else:
        statement, value, bound = entry
    small, tiny = 0 < bound < 1e-2, 0 < abs(value) < 1e-4
    return {
        "Measure": statement,
        "Found": _one_digit(value) if small or tiny else f"{value:.2g}",
        "At most": _one_digit(bound) if small else f"{bound:g}",
        "Holds": "yes" if value <= bound else "**no**",
    }


def _one_digit(number: float) -> str:
    """A number with one digit and a power of ten, of which a 1 is left out."""
    if not number or not math.isfinite(number):
        return f"{number:g}"
    digit, power = f"{number:.0e}".split("e")
    times = "" if digit == "1" else rf"{digit} \cdot "
    return f"${times}10^{{{int(power)}}}$"
