"""Words and numbers that chapters compute for their sentences."""

import numpy as np
import pytest

from ptft.book.computed_text import either, listed, state, stretches


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        ([True] * 4, "0.1 to 0.4"),
        ([False] * 4, "nowhere"),
        ([True, False, True, True], "0.1 to 0.1, 0.3 to 0.4"),
    ],
)
def test_stretches_are_the_ranges_where_a_statement_holds(holds, said):
    assert stretches(holds, np.array([0.1, 0.2, 0.3, 0.4])) == said


def test_a_sentence_follows_what_it_is_about():
    assert either(1 < 2, "below", "above") == "below" and either(2 < 1, "below", "above") == "above"
    assert listed(["I", "II"]) == "I and II" and listed([], none="no regime") == "no regime"


@pytest.mark.parametrize("text", ["", "two\nlines"])
def test_a_text_that_a_sentence_cannot_show_is_refused(text):
    with pytest.raises(ValueError, match=r"best = .* is not allowed"):
        state(best=text)
