"""Claims: the verdict follows from the outcomes, and the executed chapters hold what the page shows."""

import json
import sys

import pytest
from conftest import ROOT

from ptft.book.claims import KEY, VERDICTS, Claim, bounded, claim, claims_table

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from claims_page import read_claims

CHAPTERS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [(True, "agrees"), ([True, True], "agrees"), ([True, False], "agrees in part"), ([False], "does not agree")],
)
def test_the_verdict_counts_the_outcomes(outcomes, verdict):
    assert claim("s", "Figure 1", "c", "1", outcomes).verdict == verdict


def test_a_claim_without_outcomes_is_refused():
    with pytest.raises(ValueError, match="outcomes of the claim 'It holds' are empty"):
        claim("It holds", "Figure 1", "c", "1", [])


def test_a_number_that_exceeds_its_bound_is_shown():
    assert bounded(1e-13, 1e-12) == "below $10^{-12}$"
    assert bounded(1e-12, 1e-12) == "1.0e-12"


def test_a_table_carries_its_claims_as_data():
    claims = [claim("One.", "Figure 1", "c", "1", True), claim("Two.", "Figure 2", "c", "2", False)]
    table = claims_table(claims, "tab-x", "Caption.")
    data, metadata = json.loads(json.dumps(table._repr_mimebundle_()))
    assert [Claim(**entry) for entry in metadata[KEY]] == claims and data == {"text/markdown": str(table)}
    assert table.startswith(":::{table} Caption.\n:name: tab-x\n")
    assert "| Two. | Figure 2 | c | 2 | does not agree |" in table


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


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_verdict_is_typed_in(path):
    source = (ROOT / "notebooks" / f"{path.stem}.md").read_text(encoding="utf-8")
    assert not [verdict for verdict in VERDICTS if f'"{verdict}"' in source]
