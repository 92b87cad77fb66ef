"""Statements of the paper beside what their checks gave: the entries of the book's table of claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ptft.book.computed_text import inline
from ptft.book.tables import MarkdownTable, numbered
from ptft.validation import checked

KEY = "ptft_claims"  # in the metadata of an executed chapter's output, under which it holds its entries
VERDICTS = ("agrees", "agrees in part", "does not agree")


@dataclass(frozen=True)
class Claim:
    """One statement, where the paper makes it, and how it fared."""

    statement: str
    source: str  # "Theorem 4.1", "Figure 3a"
    check: str  # what was computed, with a reference to the place
    result: str  # what came out
    verdict: str  # one of `VERDICTS`

    def _repr_markdown_(self) -> str:
        """What stands under the figure or table that decides the claim."""
        return (
            f"**Claim** ({inline(self.source)}). {inline(self.statement)}\n"
            f"*Checked:* {inline(self.check)}. *Found:* {inline(self.result)}. **{self.verdict.capitalize()}.**"
        )


@checked
def claim(statement: str, source: str, check: str, result: str, outcomes: ArrayLike) -> Claim:
    """A claim whose verdict follows from `outcomes`, one truth value for each case that was looked at.

    It agrees where all are true, does not agree where none is, and agrees in part otherwise.

    Parameters
    ----------
    statement, source, check, result : str
        See `Claim`.
    outcomes : array_like of bool, any shape, not empty

    Raises
    ------
    ValueError
        If there is no outcome.

    Examples
    --------
    >>> claim("Errors fall with the data scale.", "Figure 3", "two curves", "1 of 2", [True, False]).verdict
    'agrees in part'
    """
    held = np.asarray(outcomes, dtype=bool)
    if held.size == 0:
        raise ValueError(f"outcomes of the claim {statement!r} are empty: there must be at least one")
    return Claim(statement, source, check, result, VERDICTS[0 if held.all() else 1 if held.any() else 2])


@checked
def count_of(outcomes: ArrayLike, of: str) -> str:
    """How many outcomes are true, in words.

    Parameters
    ----------
    outcomes : array_like of bool, any shape
    of : str
        What they are outcomes for.

    Examples
    --------
    >>> count_of([True, False, True], "data scales")
    '2 of 3 data scales'
    """
    held = np.asarray(outcomes, dtype=bool)
    return f"{held.sum()} of {held.size} {of}"


@checked
def bounded(value: float, bound: float) -> str:
    """A number at the level of rounding, of which only a bound, a power of ten, is the same on every machine.

    Examples
    --------
    >>> bounded(3e-14, 1e-12), bounded(2e-3, 1e-12)
    ('below $10^{-12}$', '2.0e-03')
    """
    return f"below $10^{{{round(np.log10(bound))}}}$" if value < bound else f"{value:.1e}"


class ClaimsTable(MarkdownTable):
    """A table of claims, which also carries them as data: in a notebook, in the metadata of the output under `KEY`."""

    claims: list[Claim]

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"text/markdown": str(self)}, {KEY: [asdict(one) for one in self.claims]}


@checked
def claims_table(claims: Sequence[Claim], name: str, caption: str) -> ClaimsTable:
    """The numbered table of `claims`, with the label `name`.

    Raises
    ------
    ValueError
        If there is no claim.

    Examples
    --------
    >>> entry = claim("Errors fall.", "Figure 3", "two curves", "2 of 2", [True, True])
    >>> print(claims_table([entry], "tab-example", "One claim."), end="")
    :::{table} One claim.
    :name: tab-example
    <BLANKLINE>
    | statement | source | check | result | verdict |
    | --- | --- | --- | --- | --- |
    | Errors fall. | Figure 3 | two curves | 2 of 2 | agrees |
    :::
    """
    text = ClaimsTable(numbered([asdict(one) for one in claims], name, caption))
    text.claims = list(claims)
    return text
