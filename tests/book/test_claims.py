"""Claims: the verdict follows from what was measured, and the executed chapters hold what the page shows."""

import ast
import json
import sys
from dataclasses import replace

import jupytext
import numpy as np
import pytest
from conftest import ROOT

from ptft.book.claims import (
    KEY,
    VERDICTS,
    Case,
    beyond_zero,
    bounded,
    cases,
    claim,
    claims_table,
    count_held,
    read_claim,
    tally,
    told_from_one,
)
from ptft.trends import paired_effect

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from claims_page import read_claims

CHAPTERS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))


HOLDS, FAILS, OPEN = cases(1.0, below=2.0), cases(3.0, below=2.0), cases(1.0, 3.0, below=2.0)


@pytest.mark.parametrize(
    ("rests_on", "verdict"),
    [
        (HOLDS, "agrees"),
        (HOLDS + HOLDS, "agrees"),
        (HOLDS + FAILS, "agrees in part"),
        (HOLDS + OPEN, "agrees in part"),
        (FAILS, "does not agree"),
        (FAILS + OPEN, "does not agree"),
        (OPEN, "undecided"),
    ],
)
def test_the_verdict_follows_from_the_cases(rests_on, verdict):
    assert claim("s", "Figure 1", "c", "1", rests_on).verdict == verdict


def test_an_interval_that_is_wider_than_the_margin_decides_nothing():
    mean, half = np.array([0.0, 0.0, 0.03, 0.2]), np.array([0.02, 0.18, 0.03, 0.1])
    found = cases(mean - half, mean + half, at_least=-0.05, at_most=0.05)
    assert [one.outcome for one in found] == ["holds", "undecided", "undecided", "fails"]
    assert count_held(found, "settings") == "1 of 4 settings, 2 undecided"


def test_the_ends_of_a_range_are_in_it_or_not_as_it_is_said():
    inside = [cases(1.0, **side)[0].outcome for side in ({"at_least": 1.0}, {"at_most": 1.0})]
    outside = [cases(1.0, **side)[0].outcome for side in ({"above": 1.0}, {"below": 1.0})]
    assert inside == ["holds"] * 2 and outside == ["fails"] * 2
    assert [one.outcome for one in cases([1.0, 2.0], below=[2.0, 2.0])] == ["holds", "fails"]


def test_what_was_not_measured_is_undecided():
    assert [one.outcome for one in cases([np.nan, 0.0, -np.inf], [1.0, np.inf, 1.0], at_most=2.0)] == ["undecided"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "number of cases = 0"),
        (([1.0],), "range = 'none' is not allowed"),
    ],
)
def test_cases_without_measurement_or_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cases(*arguments, **({"below": 1.0} if "number" in message else {}))
    with pytest.raises(ValueError, match="range = 'at_most and below' is not allowed"):
        cases(1.0, at_most=1.0, below=1.0)


def test_a_claim_without_cases_is_refused():
    with pytest.raises(ValueError, match="cases of the claim 'It holds' are empty"):
        claim("It holds", "Figure 1", "c", "1", [])
    with pytest.raises(ValueError, match="cases"):
        claim("It holds", "Figure 1", "c", "1", [True])


def test_effects_hold_on_the_side_where_each_is_expected():
    up, down = (paired_effect(sign * np.array([1.0, 1.1, 0.9, 1.05]), 1) for sign in (1, -1))
    flat = paired_effect([1.0, -1.0, 0.5, -0.4], 1)
    assert [one.outcome for one in beyond_zero([up, down, flat])] == ["holds", "fails", "undecided"]
    assert [one.outcome for one in beyond_zero([up, down, flat], [1, -1, 1])] == ["holds", "holds", "undecided"]
    with pytest.raises(ValueError, match="expected_sign"):
        beyond_zero([up], 0)


def test_it_is_said_on_which_side_of_one_ratios_are_and_where_none_can_be_told():
    lower, higher, unclear = [0.8, 0.82, 0.81], [1.2, 1.22, 1.21], [0.9, 1.1, 1.0]
    assert told_from_one({"a": unclear, "b": [1.5]}) == "not told from 1 at a and b"
    assert (
        told_from_one({"a": higher, "b": lower, "c": unclear})
        == "above 1 at a, below it at b and not told from it at c"
    )
    with pytest.raises(ValueError, match="number of ratios"):
        told_from_one({})


def test_the_tally_separates_whose_statements_they_are():
    sources = ("Section 2", "Section 3", "Companion, Figure 1", "This project, after Section 5.3")
    rests_on = (HOLDS, OPEN, HOLDS + FAILS, FAILS)
    every = [claim(f"{s}.", s, "c", "1", one) for s, one in zip(sources, rests_on, strict=True)]
    head, _, *rows = str(tally(every, "tab-x")).splitlines()[3:-1]
    assert head == "| statements of | agrees | agrees in part | undecided | does not agree | all |"
    assert rows == ["| the paper | 1 | 0 | 1 | 0 | 2 |", "| the companion paper | 0 | 1 | 0 | 0 | 1 |",
                    "| this project | 0 | 0 | 0 | 1 | 1 |"]  # fmt: skip


def test_a_number_that_exceeds_its_bound_is_shown():
    assert bounded(1e-13, 1e-12) == "below $10^{-12}$"
    assert bounded(1e-12, 1e-12) == "1.0e-12"


def test_what_a_claim_rests_on_is_not_printed_where_chapters_are_compared():
    assert "1.23456789e-11" not in repr(claim("One.", "Figure 1", "c", "1", cases(1.23456789e-11, below=1.0)))


def test_a_table_carries_its_claims_as_data():
    claims = [claim("One.", "Figure 1", "c", "1", HOLDS), claim("Two.", "Figure 2", "c", "2", FAILS + OPEN)]
    table = claims_table(claims, "tab-x", "Caption.")
    data, metadata = json.loads(json.dumps(table._repr_mimebundle_()))
    assert [read_claim(entry) for entry in metadata[KEY]] == claims and data == {"text/markdown": str(table)}
    assert table.startswith(":::{table} Caption.\n:name: tab-x\n")
    assert "| does not agree | Two. | Figure 2 | c | 2 |" in table  # the verdict is the first thing seen


def test_the_chapters_hold_claims_on_every_part_of_the_theory():
    found = {path.stem[:2]: read_claims(path) for path in CHAPTERS}
    every = [one for _, claims in found.values() for one in claims]
    assert all(one.verdict in VERDICTS and one.result and one.check for one in every)
    assert len({one.statement for one in every}) == len(every) > 25
    sources = " ".join(one.source for one in every)
    for source in (
        "Theorem 4.1",
        "Proposition 4.2",
        "Propositions 5.1 and B.1",
        "Figure 2",
        "Section 5.1",
        "Section 5.3",
    ):
        assert source in sources
    assert all(f"Figure 3{letter}" in sources for letter in "abcdef") and "Figure 5" in sources
    assert "With unlimited source data transfer is always positive." in {one.statement for one in every}
    signatures = [one.statement for one in every if "fine-tuning takes more dimensions away" in one.statement]
    for images in ("before.", "before (on CIFAR-10).", "before (on Tiny-ImageNet)."):  # on clothes where none is named
        assert sum(statement.endswith(images) for statement in signatures) == 4  # in each knob
    assert len(signatures) == 12
    for chapter, labels in {
        "08": ("prop-adapted-features", "prop-no-harm", "prop-monotone"),
        "11": ("prop-reach", "prop-best-lazy", "prop-single-parameters"),
    }.items():
        own = [one.source for one in found[chapter][1] if one.origin == "this project"]
        assert all(any(label in source for source in own) for label in labels)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_verdict_is_typed_in(path):
    source = (ROOT / "notebooks" / f"{path.stem}.md").read_text(encoding="utf-8")
    words = [verdict for verdict in VERDICTS if verdict != "undecided"]  # which is a word of `ptft.trends`, too
    assert not [word for word in words if f'"{word}"' in source]


def placed(case, outcome):
    """The same case with other measurements, in its range, beyond one of its ends, or on both sides of it."""
    side, end = (1, case.at_most) if case.at_most is not None else (-1, case.at_least)
    other = case.at_least if case.at_most is not None else None
    step = max(abs(end), 1.0) if other is None else (end - other) / 4  # well inside where the range has two ends
    beyond, within = end + side * max(abs(end), 1.0), end - side * step
    low, high = {"holds": (within, within), "fails": (beyond, beyond), "undecided": sorted((within, beyond))}[outcome]
    return replace(case, low=low, high=high)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_verdict_changes_with_the_measurements_that_it_rests_on(path):
    """Of every claim of the page all measurements are moved out of their ranges, in, and across an end, the ranges left
    as they are; then one case alone, against all others."""
    for one in read_claims(path)[1]:
        for outcome, verdict in (("holds", "agrees"), ("fails", "does not agree"), ("undecided", "undecided")):
            moved = replace(one, cases=tuple(placed(case, outcome) for case in one.cases))
            assert (moved.verdict, [case.outcome for case in moved.cases]) == (verdict, [outcome] * len(one.cases))
        if len(one.cases) > 1:
            ideal = [placed(case, "holds") for case in one.cases]
            for i, case in enumerate(one.cases):
                spoilt = replace(one, cases=(*ideal[:i], placed(case, "fails"), *ideal[i + 1 :]))
                assert spoilt.verdict == "agrees in part", one.statement


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_what_a_claim_rests_on_is_measured_and_not_typed_in(path):
    """The measurements of a case are computed: they name something that is no function of numbers, or nan."""
    chapter = jupytext.read(ROOT / "notebooks" / f"{path.stem}.md")
    code = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "code")
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id == "cases":
            names = {node.id for node in ast.walk(call.args[0]) if isinstance(node, ast.Name)} - {"np", "float", "len"}
            assert names or "nan" in ast.unparse(call.args[0]), ast.unparse(call)


def test_a_case_is_placed_where_it_is_said():
    for case in (Case(0.0, 0.0, None, 0.0), Case(5.0, 5.0, 2.0, None), Case(None, None, -0.05, 0.05)):
        assert [placed(case, outcome).outcome for outcome in ("holds", "fails", "undecided")] == [
            "holds", "fails", "undecided"]  # fmt: skip
