"""The controls of κ: what is said of them follows from the runs, whichever way these come out."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from ptft import vision
from ptft.book import image_controls, image_tables
from ptft.book.claims import VERDICTS
from ptft.book.image_controls import LENGTH, RATE, SCALE
from ptft.vision.representation import columns_of

SIZES, VALUES = (10, 100), {"baseline": 1.0, SCALE: 0.25, RATE: 0.25, LENGTH: 31.0}


def runs(changes, spread=0.001, seeds=5):
    """Runs in which each knob changes the accuracy by so much, and log PR by ten times as much downwards."""
    rng, accuracies, shapes = np.random.default_rng(0), [], []
    for seed, (knob, value) in itertools.product(range(seeds), VALUES.items()):
        moved = changes.get(knob, 0.0) + spread * rng.standard_normal()
        place = {"seed": seed, "knob": knob, "value": value}
        for n in SIZES:
            accuracies.append(place | {"n": n} | dict.fromkeys(vision.ACCURACIES, 0.7 + 0.01 * seed + moved))
            for stage in vision.STAGES:
                measured = {columns_of(how)[0]: (20 + seed) * np.exp(-10 * moved) for how in vision.CONVENTIONS}
                shapes.append(place | {"n": n, "stage": stage} | measured)
    return replace(
        image_tables.stored_runs("controls"), accuracies=pd.DataFrame(accuracies), representations=pd.DataFrame(shapes)
    )


REFERENCE = runs({SCALE: 0.05})


@pytest.mark.parametrize(("rate", "verdict"), [(0.05, 0), (0.06, 0), (0.075, 2), (0.09, 3), (0.0, 3), (-0.05, 3)])
def test_the_rate_must_change_what_the_scale_changes(rate, verdict):
    found = image_controls.rate_claim(runs({SCALE: 0.05, RATE: rate}), REFERENCE, "tab-a", " (on these)")
    assert found.verdict == VERDICTS[verdict] and found.statement.endswith(" (on these).")
    assert len(found.cases) == len(image_controls.DECIDING) and "{numref}`tab-a`" in found.check
    assert "times 16, less the scale 0.25" in found.check


def test_the_margin_is_that_of_the_reference():
    apart = runs({SCALE: 0.05, RATE: 0.07})
    verdicts = [image_controls.rate_claim(apart, runs({SCALE: one}), "tab-a").verdict for one in (0.1, 0.02, 0.0)]
    assert verdicts == [VERDICTS[0], VERDICTS[3], VERDICTS[3]]


@pytest.mark.parametrize(("length", "verdict"), [(0.0, 0), (0.04, 0), (0.05, 2), (0.06, 3)])
@pytest.mark.parametrize("side", [1, -1])
def test_the_scale_must_change_more_than_the_length(length, verdict, side):
    given = runs({SCALE: side * 0.05, LENGTH: side * length})
    found = image_controls.length_claim(given, runs({SCALE: side * 0.05}), "tab-a")
    assert found.verdict == VERDICTS[verdict] and "for 31 epochs" in found.check


def test_few_noisy_splits_decide_nothing():
    noisy = runs({SCALE: 0.05, RATE: 0.05}, spread=0.1)
    assert image_controls.rate_claim(noisy, REFERENCE, "tab-a").verdict == VERDICTS[2]
    assert image_controls.length_claim(noisy, REFERENCE, "tab-a").verdict == VERDICTS[2]


def test_changes_are_those_of_each_measure_and_the_table_shows_them():
    given = runs({SCALE: 0.05, RATE: 0.04, LENGTH: 0.01}, spread=0.0)
    for knob, moved in {SCALE: 0.05, RATE: 0.04, LENGTH: 0.01}.items():
        for measure, one in image_controls.changes(given, knob, VALUES[knob]).items():
            np.testing.assert_allclose(one, moved if measure.startswith("accuracy") else -10 * moved, rtol=1e-9)
    rows = str(image_controls.controls_table(given, "tab-a", "A caption.")).splitlines()
    assert rows[3].split(" | ")[1:] == ["$\\kappa$ = 0.25", "early rate $\\times$ 16", "31 epochs", "rate less scale |"]
    assert [cell.strip(" |").split("\u00a0")[0] for cell in rows[5].split(" | ")[1:]] == [
        "+5.0",
        "+4.0",
        "+1.0",
        "−1.0",
    ]
    assert len(rows) == 5 + len(vision.ACCURACIES) + len(vision.STAGES) + 1


def test_controls_that_are_not_there_are_named():
    table = runs({}).accuracies
    for lacking, said in ((RATE, "values of kappa_rate"), (LENGTH, "values of epochs"), (SCALE, "values of kappa")):
        with pytest.raises(ValueError, match=said):
            image_controls.controls_of(table[table["knob"] != lacking])
