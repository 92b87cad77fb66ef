"""Statements of the paper beside what their checks gave: the entries of the book's table of claims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ptft.book.computed_text import inline, listed
from ptft.book.tables import MarkdownTable, numbered
from ptft.checks import Check
from ptft.trends import Effect, effect, simultaneous
from ptft.validation import checked, instance_of, positive_array, real_array, require

KEY = "ptft_claims"  # in the metadata of an executed chapter's output, under which it holds its entries
VERDICTS = ("agrees", "agrees in part", "undecided", "does not agree")
FARED = {  # the verdicts, with their marks, as words of a sentence
    VERDICTS[0]: "as stated",
    VERDICTS[1]: "in part as stated",
    f"{VERDICTS[1]} †": "in part as stated and in part the opposite",
    VERDICTS[2]: "undecided",
    VERDICTS[3]: "not as stated",
}
MARKS = {"agree": "**{}**", "undecided": "{}", "disagree": "{} †"}  # of an effect in a table, by its verdict
ORIGINS = {"Companion": "the companion paper", "This project": "this project"}  # how a source begins, and whose it is
PAPER = "the paper"  # whose the other statements are


@dataclass(frozen=True)
class Case:
    """One measurement, and the range in which the statement has it.

    The measurement is an interval, of which both ends are the same where it has no uncertainty, and None where they
    are unknown. None leaves a side of the range open.
    """

    low: float | None
    high: float | None
    at_least: float | None
    at_most: float | None

    @property
    def outcome(self) -> str:
        """ "holds" where the whole interval is in the range, "fails" where none of it is, and "undecided"."""
        if self.low is None or self.high is None:
            return "undecided"
        least = -math.inf if self.at_least is None else self.at_least
        most = math.inf if self.at_most is None else self.at_most
        if least <= self.low and self.high <= most:
            return "holds"
        return "fails" if self.high < least or most < self.low else "undecided"


@checked
def cases(
    low: ArrayLike,
    high: ArrayLike | None = None,
    *,
    at_least: ArrayLike | None = None,
    at_most: ArrayLike | None = None,
    above: ArrayLike | None = None,
    below: ArrayLike | None = None,
) -> list[Case]:
    """What a claim rests on: measurements, and the range in which it has them.

    Parameters
    ----------
    low, high : array_like, any shapes that broadcast
        The ends of the measured intervals, one for each case; `high` is `low` by default. Where one is not finite the
        case is undecided.
    at_least, at_most, above, below : array_like, optional
        The range, without its ends for `above` and `below`; one side of it at least.

    Raises
    ------
    ValueError
        If there is no measurement, neither side of the range is given, or one is given twice.

    Examples
    --------
    >>> mean, half = [0.01, 0.02, 0.3], [0.02, 0.2, 0.1]
    >>> [one.outcome for one in cases(np.subtract(mean, half), np.add(mean, half), at_least=-0.05, at_most=0.05)]
    ['holds', 'undecided', 'fails']
    >>> [one.outcome for one in cases([1.0, 2.0], below=2.0)]
    ['holds', 'fails']
    """
    given = {"at_least": at_least, "at_most": at_most, "above": above, "below": below}
    ends = {name: real_array(value, name) for name, value in given.items() if value is not None}
    sides = [name for pair in (("at_least", "above"), ("at_most", "below")) for name in pair if name in ends]
    require(len(sides) > 0, "range", "none", "at_least, at_most, above or below")
    for pair in (("at_least", "above"), ("at_most", "below")):
        require(not set(pair) <= set(sides), "range", " and ".join(pair), "given once for each side")
    least = ends.get("at_least", np.nextafter(ends["above"], np.inf) if "above" in ends else np.array(-np.inf))
    most = ends.get("at_most", np.nextafter(ends["below"], -np.inf) if "below" in ends else np.array(np.inf))
    low_end = np.asarray(low, dtype=float)
    every = np.broadcast_arrays(low_end, low_end if high is None else np.asarray(high, dtype=float), least, most)
    require(every[0].size > 0, "number of cases", every[0].size, "at least 1")

    def finite(number: float) -> float | None:
        return float(number) if math.isfinite(number) else None

    return [Case(*map(finite, row)) for row in zip(*(one.ravel() for one in every), strict=True)]


@checked
def kept(*checks: Check) -> list[Case]:
    """The cases of identities: the largest error of each, and its bound.

    Examples
    --------
    >>> [one.outcome for one in kept(Check("residual", 0.0, 1e-12, 1e-9), Check("residual", 0.0, 1e-6, 1e-9))]
    ['holds', 'fails']
    """
    return [one for check in checks for one in cases(check.largest, at_most=check.bound)]


@checked
def beyond_zero(effects: Sequence[Effect], expected_sign: ArrayLike = 1) -> list[Case]:
    """The cases of effects that are looked at together, each expected on one side of zero.

    Their intervals are as wide as Holm's procedure asks (`ptft.trends.simultaneous`).

    Parameters
    ----------
    effects : sequence of Effect
    expected_sign : array_like, shape () or (effects,)
        +1 (default) or -1, for all or for each.

    Raises
    ------
    ValueError
        If a sign is neither 1 nor -1.

    Examples
    --------
    >>> from ptft.trends import paired_effect
    >>> two = [paired_effect([1.0, 1.2, 1.1], 1), paired_effect([0.1, 0.9, 0.7], 1)]
    >>> [one.outcome for one in beyond_zero(two)], [one.outcome for one in beyond_zero(two, -1)]
    (['holds', 'undecided'], ['fails', 'undecided'])
    """
    sign = real_array(expected_sign, "expected_sign")
    require(bool(np.all(np.abs(sign) == 1)), "expected_sign", expected_sign, "1 or -1")
    ends = sign * np.array([(one.low, one.high) for one in simultaneous(effects)]).T
    return cases(np.minimum(*ends), np.maximum(*ends), above=0.0)


@dataclass(frozen=True)
class Claim:
    """One statement, where the paper makes it, and how it fared."""

    statement: str
    source: str  # "Theorem 4.1", "Figure 3a"
    check: str  # what was computed, with a reference to the place
    result: str  # what came out
    cases: tuple[Case, ...] = field(repr=False)  # what the verdict rests on, to the last digit

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        outcomes = {case.outcome for case in self.cases}
        if outcomes == {"holds"}:
            return VERDICTS[0]
        if "holds" in outcomes:
            return VERDICTS[1]
        return VERDICTS[3 if "fails" in outcomes else 2]

    @property
    def marked_verdict(self) -> str:
        """The verdict, with † where it agrees in part and a case of it fails."""
        fails = any(case.outcome == "fails" for case in self.cases)
        return self.verdict + (" †" if self.verdict == VERDICTS[1] and fails else "")

    @property
    def origin(self) -> str:
        """Whose statement it is."""
        return next((name for start, name in ORIGINS.items() if self.source.startswith(start)), PAPER)

    @property
    def row(self) -> dict[str, str]:
        """Its row in a table, of which the verdict is the first cell."""
        return {
            "verdict": self.verdict,
            "statement": self.statement,
            "source": self.source,
            "check": self.check,
            "result": self.result,
        }

    def _repr_markdown_(self) -> str:
        """What stands under the figure or table that decides the claim."""
        return (
            f"**{self.verdict.capitalize()}:** {inline(self.statement)} ({inline(self.source)})\n"
            f"*Checked:* {inline(self.check)}. *Found:* {inline(self.result)}."
        )


@checked
def claim(statement: str, source: str, check: str, result: str, cases: Sequence[Case]) -> Claim:
    """A claim whose verdict follows from its cases.

    It agrees where all hold, agrees in part where some do, and does not agree where none does and one fails; it is
    undecided where each case is.

    Parameters
    ----------
    statement, source, check, result : str
        See `Claim`.
    cases : sequence of Case, not empty
        From `cases`, `kept` and `beyond_zero`.

    Raises
    ------
    ValueError
        If there is no case, or one is no `Case`, such as a truth value, which no measurement can change.

    Examples
    --------
    >>> slopes = cases([-0.1, 0.2], below=0.0)
    >>> claim("Errors fall.", "Figure 3", "two curves", count_held(slopes, "curves"), slopes).verdict
    'agrees in part'
    """
    if not cases:
        raise ValueError(f"cases of the claim {statement!r} are empty: there must be at least one")
    rests_on = tuple(instance_of(case, Case, "one of cases", "of a measurement and its range") for case in cases)
    return Claim(statement, source, check, result, rests_on)


def read_claim(entry: Mapping[str, Any]) -> Claim:
    """A claim from what the metadata of a notebook hold of it.

    Examples
    --------
    >>> one = claim("Errors fall.", "Figure 3", "two curves", "both do", cases([-0.1, -0.2], below=0.0))
    >>> read_claim(asdict(one)) == one
    True
    """
    return Claim(**{**entry, "cases": tuple(Case(**case) for case in entry["cases"])})


@checked
def count_held(cases: Sequence[Case], of: str) -> str:
    """How many cases hold, and how many are undecided, in words.

    Parameters
    ----------
    cases : sequence of Case
    of : str
        What they are cases of.

    Examples
    --------
    >>> count_held(cases([0.0, 1.0], [0.1, 3.0], at_most=2.0), "data scales")
    '1 of 2 data scales, 1 undecided'
    """
    found = [one.outcome for one in cases]
    undecided = f", {found.count('undecided')} undecided" if "undecided" in found else ""
    return count_of([one == "holds" for one in found], of) + undecided


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
def told_from_one(ratios: Mapping[str, ArrayLike]) -> str:
    """Where ratios, one of each draw, are below 1 in the geometric mean, above it, or not told from it, in words.

    Each 95 % interval is taken by itself.

    Parameters
    ----------
    ratios : mapping from a place, in words, to ratios (draws,)

    Raises
    ------
    ValueError
        If there is no place.

    Examples
    --------
    >>> told_from_one({"0.5": [1.2, 1.3, 1.2], "0.3": [0.6, 0.7, 0.6], "0.1": [0.9, 1.0, 1.2], "0": [0.5, 0.6, 0.5]})
    'above 1 at 0.5, below it at 0.3 and 0 and not told from it at 0.1'
    """
    require(len(ratios) > 0, "number of ratios", len(ratios), "at least 1")
    words = {"agree": "above", "disagree": "below", "undecided": "not told from"}
    places: dict[str, list[str]] = {verdict: [] for verdict in words}
    for place, one in ratios.items():
        places[effect(np.log(positive_array(one, "ratios"))).verdict].append(place)
    said = [f"{words[verdict]} it at {listed(found)}" for verdict, found in places.items() if found]
    return listed([said[0].replace(" it ", " 1 ", 1), *said[1:]])


@checked
def how_they_fared(claims: Sequence[Claim]) -> str:
    """How many claims came to which verdict, in words.

    Raises
    ------
    ValueError
        If one is no `Claim`.

    Examples
    --------
    >>> falls, mixed = cases([-0.1, -0.2], below=0.0), cases([-0.1, 0.2], below=0.0)
    >>> how_they_fared([claim(f"{i}.", "Figure 3", "curves", "", one) for i, one in enumerate([falls, falls, mixed])])
    '2 as stated and 1 in part as stated and in part the opposite'
    """
    found = [one.marked_verdict for one in claims]
    return listed([f"{found.count(verdict)} {words}" for verdict, words in FARED.items() if verdict in found])


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
    >>> entry = claim("Errors fall.", "Figure 3", "two curves", "2 of 2", cases([-0.1, -0.2], below=0.0))
    >>> print(claims_table([entry], "tab-example", "One claim."), end="")
    :::{table} One claim.
    :name: tab-example
    <BLANKLINE>
    | verdict | statement | source | check | result |
    | --- | --- | --- | --- | --- |
    | agrees | Errors fall. | Figure 3 | two curves | 2 of 2 |
    :::
    """
    text = ClaimsTable(numbered([one.row for one in claims], name, caption))
    text.claims = list(claims)
    return text


@checked
def tally(claims: Sequence[Claim], name: str) -> MarkdownTable:
    """The numbered table of how many claims came to which verdict, by whose statements they are.

    Raises
    ------
    ValueError
        If there is no claim.

    Examples
    --------
    >>> entry = claim("Errors fall.", "Figure 3", "two curves", "2 of 2", cases([-0.1, -0.2], below=0.0))
    >>> print(tally([entry], "tab-example").splitlines()[-2])
    | the paper | 1 | 0 | 0 | 0 | 1 |
    """
    rows = []
    for origin in (PAPER, *ORIGINS.values()):
        found = [one.verdict for one in claims if one.origin == origin]
        if found:
            rows.append({"statements of": origin, **{word: found.count(word) for word in VERDICTS}, "all": len(found)})
    return numbered(rows, name, "How many statements came to which verdict, by whose they are.")
