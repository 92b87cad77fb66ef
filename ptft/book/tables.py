"""Numbered tables of the book, as MyST Markdown text that a notebook displays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


class MarkdownTable(str):
    """Text of a table, which notebooks render as Markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<table of {self.count(chr(10)) - 6} rows>"


def numbered(rows: Sequence[Mapping[str, object]], name: str, caption: str) -> MarkdownTable:
    """A table with the keys of the rows as its head; `name` is the label for cross-references.

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
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    body = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return MarkdownTable(f":::{{table}} {caption}\n:name: {name}\n\n{body}\n:::\n")


def checks(measured: Sequence[tuple[str, float, float]], name: str, caption: str) -> MarkdownTable:
    """The table that ends a chapter: (statement, measured value, bound) and whether the value keeps its bound.

    Only the bound is shown, a power of ten or 0: the value itself may differ between machines by rounding.

    Examples
    --------
    >>> print(checks([("largest residual", 3e-13, 1e-12)], "tab-checks", "One check."), end="")
    :::{table} One check.
    :name: tab-checks
    <BLANKLINE>
    | Measure | At most | Holds |
    | --- | --- | --- |
    | largest residual | $10^{-12}$ | yes |
    :::
    """
    return numbered(
        [
            {
                "Measure": statement,
                "At most": f"$10^{{{round(np.log10(bound))}}}$" if bound else "0",
                "Holds": "yes" if value <= bound else "**no**",
            }
            for statement, value, bound in measured
        ],
        name,
        caption,
    )
