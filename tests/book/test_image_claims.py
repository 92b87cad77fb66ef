"""The claims and tables on runs on images: what they say follows from the runs, whichever way these come out."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from ptft import vision
from ptft.book import image_claims, image_tables
from ptft.book.claims import VERDICTS
from ptft.trends import holm, pooled_slopes
from ptft.vision.representation import columns_of

SIZES = (10, 50, 200, 500)
VALUES = {"kappa": (0.25, 4.0), "c": (0.5, 2.0), "gamma": (0.1, 10.0), "weights": (0.5, 2.0)}


def runs(slope, seeds=6, spread=0.002, knobs=tuple(VALUES)):
    """Accuracies that change by a slope per doubling of each knob, with a spread over seeds, in every way alike."""
    rng, rows = np.random.default_rng(0), []
    for seed in range(seeds):
        places = [("baseline", 1.0), ("untrained", 0.0), *((k, v) for k in knobs for v in VALUES[k])]
        for (knob, value), n in itertools.product(places, SIZES):
            moved = slope * np.log2(value) * (1 + rng.standard_normal() * spread / abs(slope)) if knob in knobs else 0.0
            one = 0.7 + 0.01 * seed + moved - 0.1 * (knob == "untrained")
            rows.append((seed, knob, value, n, *(one,) * 3, "loss"))
    return pd.DataFrame(rows, columns=["seed", "knob", "value", "n", *vision.ACCURACIES, "stopped_by"])


def shapes(change, inherited, width=0.0, seeds=6):
    """Representations whose measures change so much per doubling of each knob, alike in every stage and convention."""
    rng, rows = np.random.default_rng(1), []
    for seed in range(seeds):
        places = [("baseline", 1.0), *((k, v) for k in VALUES for v in VALUES[k])]
        for (knob, value), n, stage in itertools.product(places, SIZES, vision.STAGES):
            doublings = np.log2(value) * (1 + 0.01 * rng.standard_normal())
            before = 20 + width * doublings * (knob == "kappa")
            after = before * np.exp(-1 + change * doublings)
            measured = (before, after, (0.8 + inherited * doublings) * after)
            named = {
                name: x
                for of in itertools.product(vision.CONVENTIONS, vision.MEASURED_ON)
                for name, x in zip(columns_of(*of), measured, strict=True)
            }
            rows.append({"seed": seed, "knob": knob, "value": value, "n": n, "stage": stage, **named})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("knob", VALUES)
@pytest.mark.parametrize(("slope", "spread", "verdict"), [(-0.02, 0.002, 0), (0.02, 0.002, 3), (-0.0002, 0.02, 2)])
def test_the_verdict_on_the_accuracy_is_that_of_the_runs(knob, slope, spread, verdict):
    found = image_claims.accuracy_claim(runs(slope, spread=spread), knob, "tab-a", " (on these)")
    assert found.verdict == VERDICTS[verdict] and found.statement.endswith(" (on these).")
    assert len(found.cases) == 6 and "{numref}`tab-a`" in found.check


def test_a_trend_that_comes_from_the_other_side_of_1_does_not_decide_alone():
    table = runs(-0.02)
    below = (table["knob"] == "kappa") & (table["value"] < 1)  # which the statement is about: now as the baseline
    base = table[table["knob"] == "baseline"].set_index(["seed", "n"])
    for column in vision.ACCURACIES:
        noise = 0.01 * np.resize([1, -1], below.sum())
        places = table.loc[below, ["seed", "n"]].itertuples(index=False, name=None)
        table.loc[below, column] = [base.loc[place, column] for place in places] + noise
    assert image_claims.accuracy_claim(table, "kappa", "tab-a").verdict == VERDICTS[1]


def about_the_baseline(shift, columns, mirrored=False):
    """Runs of kappa about the baseline, of which some columns are better below 1, and above 1 as much worse or not."""
    table, noise = runs(-0.02, knobs=("kappa",)), np.array([1, -1, 1, -1, 1, -1]) / 100
    base = table[table["knob"] == "baseline"].set_index(["seed", "n"])
    for column in vision.ACCURACIES:
        below = noise + (shift if column in columns else 0.0)
        for value, moved in ((0.25, below), (4.0, -below if mirrored else np.array([5, 5, -5, -5, 5, -5]) / 100)):
            rows = table["value"] == value
            places = table.loc[rows, ["seed", "n"]].itertuples(index=False, name=None)
            table.loc[rows, column] = [base.loc[place, column] + moved[place[0]] for place in places]
    return table


@pytest.mark.parametrize(
    ("shift", "verdict", "outcomes"),
    [  # 3 standard errors have p = 0.03: enough for one interval, and not for one of six; 11 have p = 0.0001
        (0.0134, 2, {"undecided": 6}),
        (0.05, 1, {"holds": 1, "undecided": 5}),
        (-0.05, 3, {"fails": 1, "undecided": 5}),
    ],
)
def test_one_interval_of_six_has_to_be_told_from_zero_among_the_six(shift, verdict, outcomes):
    table = about_the_baseline(shift, columns=["accuracy"])
    plain = [one for way in vision.ACCURACIES for one, _ in image_claims.decisive(table, "kappa", way).values()]
    assert [one.verdict != "undecided" for one in plain] == [False, True, False, False, False, False]
    found = image_claims.accuracy_claim(table, "kappa", "tab-a")
    assert found.verdict == VERDICTS[verdict] and "Holm's procedure" in found.check
    assert {word: [one.outcome for one in found.cases].count(word) for word in outcomes} == outcomes


def test_six_intervals_on_the_stated_side_agree_as_they_are():
    table = about_the_baseline(0.0134, columns=vision.ACCURACIES, mirrored=True)
    effects = [one for way in vision.ACCURACIES for one in image_claims.decisive(table, "kappa", way).values()]
    assert all(0.02 < one.p_value < 0.05 for one, _ in effects)  # none of which Holm's procedure tells from zero
    assert image_claims.accuracy_claim(table, "kappa", "tab-a").verdict == VERDICTS[0]


def test_a_knob_with_one_value_besides_1_has_one_number_for_each_way_of_measuring():
    table = runs(-0.02)
    found = image_claims.accuracy_claim(table[table["value"] != 4.0], "kappa", "tab-a")
    assert len(found.cases) == 3 and found.verdict == VERDICTS[0] and "per doubling:" not in found.result


@pytest.mark.parametrize(("width", "verdict"), [(2.0, 0), (-2.0, 3)])
def test_the_verdict_on_the_dimension_is_that_of_the_runs(width, verdict):
    found = image_claims.dimension_claim(shapes(0.1, -0.05, width), "tab-a")
    assert found.verdict == VERDICTS[verdict] and len(found.cases) == 2 * len(vision.STAGES)
    assert ("(opposite: " in found.result) == (width < 0)


@pytest.mark.parametrize("knob", VALUES)
@pytest.mark.parametrize(("change", "inherited", "verdict"), [(0.1, -0.05, 0), (-0.1, 0.05, 3), (0.1, 0.05, 1)])
def test_the_verdict_on_the_signature_is_that_of_the_runs(knob, change, inherited, verdict):
    rows = vision.signature(shapes(change, inherited), convention=image_claims.ALIKE)
    found = image_claims.signature_claim(rows, knob, "fig-a")
    assert found.verdict == VERDICTS[verdict]
    assert found.marked_verdict == VERDICTS[verdict] + (" †" if verdict == 1 else "")
    assert found.result.count("opposite") == (verdict > 0)


def test_a_share_that_rises_beyond_1_need_not_come_nearer_to_it():
    runs_of = replace(image_tables.stored_runs(), representations=shapes(0.1, -0.15))  # 0.8 in the baseline
    said = dict(part.split(" ", 1) for part in image_claims.from_one(runs_of).replace(" and ", ", ").split(", "))
    changes = {knob: float(one.split("\u00a0")[0]) for knob, one in said.items()}
    # the mean shares are 1.1, 0.65, 1.298 and 0.95 at kappa = 0.25, c = 2, gamma = 0.1 and s = 0.5
    assert changes == pytest.approx({"κ": -10.0, "c": 15.0, "γ": 9.8, "s": -15.0}, abs=0.5)
    rows = vision.signature(runs_of.representations, convention=image_claims.ALIKE)
    nearer = image_claims.nearness(rows)
    for knob, mark in {"kappa": "", "gamma": " †"}.items():
        of_share, of_distance = (image_claims.signature_claim(one, knob, "fig-a") for one in (rows, nearer))
        assert of_share.verdict == VERDICTS[0] and "beyond 1 counts as more" in of_share.check
        assert of_distance.marked_verdict == VERDICTS[1 if mark else 0] + mark
    with pytest.raises(ValueError, match="runs"):
        image_claims.nearness(rows.drop(columns="inherited"))


def test_slopes_and_knobs_of_the_whole_signature_are_those_of_the_runs():
    rows = shapes(0.1, -0.05)
    rows.loc[rows["knob"] == "c", "ensd_batch"] *= rows.loc[rows["knob"] == "c", "value"]  # the share rises by c
    slopes = image_claims.signature_slopes(rows)
    found = slopes["published"]
    assert found["kappa", "change"].mean == pytest.approx(0.1, rel=0.02)
    assert found["gamma", "inherited"].mean == pytest.approx(-0.05, rel=0.02)
    said = dict(part.split(": ") for part in image_claims.whole_signatures(slopes).split("; "))
    assert said == dict.fromkeys(vision.CONVENTIONS, "κ, c, γ and s") | {"batch": "κ, γ and s"}
    assert (
        "†" in [line for line in image_claims.conventions_table(slopes, "tab-a", "b").splitlines() if "$c$" in line][1]
    )


def test_gains_are_marked_by_their_side_and_only_with_splits_enough():
    table = runs(-0.02, knobs=("kappa",))
    marked = image_tables.gains_table(table, "accuracy", "tab-a", "b").splitlines()
    assert marked[-3].count("**") == marked[-2].count("**") == 2 * len(SIZES) and "†" not in "".join(marked)
    other = image_tables.gains_table(runs(0.02, knobs=("kappa",)), "accuracy", "tab-a", "b").splitlines()
    assert other[-3].count("†") == other[-2].count("†") == len(SIZES) and "**" not in "".join(other)
    few = image_tables.gains_table(table[table["seed"] < 3], "accuracy", "tab-a", "b")
    assert "**" not in few and "†" not in few and few.count("±") == 2 * len(SIZES)
    assert image_tables.gains_table(table[table["knob"] == "baseline"], "accuracy", "tab-a", "b") is None


def test_wrong_answers_are_counted_relative_to_the_baseline():
    table = runs(-0.02, spread=1e-9)
    slope, below = image_claims.wrong_answers(table, "kappa")
    wrong = 1 - table[table["knob"] == "baseline"]["accuracy"].mean()
    assert slope.mean == pytest.approx(0.02 / wrong, rel=1e-6) and below.mean == pytest.approx(-0.04 / wrong, rel=1e-6)
    assert slope.verdict == below.verdict == "agree"


def test_what_goes_on_is_compared_at_the_same_points():
    short, longer = image_tables.stored_runs(), image_tables.stored_runs("stricter")
    compared = image_tables.by_loss(short, longer)
    keys = [set(one[["seed", "knob", "value", "n"]].itertuples(index=False, name=None)) for one in compared.values()]
    assert keys[0] == keys[1] and list(compared) == [1e-2, 1e-3]
    said = image_tables.apart_by_loss(compared)
    largest = []
    for loss, table in compared.items():
        places = [*image_tables.settings_of(table), vision.UNTRAINED]
        apart = [
            image_tables.gain(table, *place, n) - image_tables.gain(table, *place, n, "accuracy_recalibrated")
            for place in places
            for n in vision.sizes_of(table)
        ]
        largest.append(f"{np.abs(apart).max():.1f} per cent apart at a loss of {loss:g}")
    assert said == " and ".join(largest)


def test_runs_that_cannot_be_compared_are_refused():
    short, longer = image_tables.stored_runs(), image_tables.stored_runs("stricter")
    with pytest.raises(ValueError, match=r"longer = 'runs to a loss of 0\.01' is not allowed"):
        image_tables.by_loss(longer, short)
    few = replace(longer, accuracies=longer.accuracies.assign(seed=99))
    for refused in (image_tables.by_loss, lambda one, other: image_claims.moved(one, other, "gamma")):
        with pytest.raises(ValueError, match=r"(longer|other) = 'of none of its points' is not allowed"):
            refused(short, few)
    table = runs(-0.02)
    with pytest.raises(ValueError, match=r"table = 'with the values \[1.0, 4.0\] of kappa' is not allowed"):
        image_claims.accuracy_claim(table[table["value"] != 0.25], "kappa", "tab-a")
    with pytest.raises(ValueError, match="table = 'with a baseline that is always right'"):
        image_claims.wrong_answers(table.assign(accuracy=1.0), "kappa")


def test_pretraining_is_worth_the_difference_averaged_over_sizes_and_splits():
    table = runs(-0.02)
    assert image_tables.worth(table) == pytest.approx(0.1)
    bare = table[table["knob"] != "untrained"]
    assert "not pretrained" in image_tables.loss_table({1e-2: table}, "tab-a", "b")
    assert "not pretrained" not in image_tables.loss_table({1e-2: bare}, "tab-a", "b")


def test_what_moves_a_slope_has_an_interval_only_with_splits_enough():
    short, longer = image_tables.stored_runs(), image_tables.stored_runs("stricter")
    for measure in ("accuracy", "inherited share"):
        found = image_claims.moved(short, longer, "gamma", measure)
        assert " to " in found and "±" in found
    few = image_claims.moved(
        image_tables.stored_runs("tiny_imagenet/smaller"), image_tables.stored_runs("tiny_imagenet"), "gamma"
    )
    assert " to " in few and "±" not in few


def test_causes_are_marked_among_all_trends_of_a_set_and_compared_where_both_were_run():
    clothes, longer = image_tables.stored_runs(), image_tables.stored_runs("stricter")
    sets = {"clothes": clothes, "colour": image_tables.stored_runs("cifar_10")}
    no_readout = replace(longer, accuracies=longer.accuracies[longer.accuracies["knob"] != "gamma"])
    others = {"to a smaller loss": {"clothes": [(clothes, no_readout), (clothes, longer)]}}
    told, owed = {}, {images: image_claims.published_trends(one) for images, one in sets.items()}
    for images, found in owed.items():
        for place, effect in zip(found, holm(ways["as trained"] for ways in found.values()), strict=True):
            told[images, place[0], place[2]] = effect.verdict
    for measure in ("accuracy", "change of log PR", "inherited share"):
        lines = image_claims.causes_table(owed, others, measure, "tab-a", "b").splitlines()[5:-1]
        cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
        knobs = [knob for knob in vision.KNOBS for _ in sets]
        assert [cell[1] for cell in cells] == list(sets) * 4 and len(cells) == 8
        for knob, cell in zip(knobs, cells, strict=True):
            mark = {"agree": cell[2].startswith("**"), "disagree": cell[2].endswith("†")}
            verdict = next((word for word, there in mark.items() if there), "undecided")
            assert verdict == told[cell[1], knob, measure]
            shown = 5 + (measure != "accuracy")  # which has no statistics of the batch
            assert (len(cell) > shown and " to " in cell[shown]) == (cell[1] == "clothes" and knob != "c")
            if measure != "accuracy":
                half = {words: half for half, _, words in image_claims.HALVES}[measure]
                here, batch = (
                    pooled_slopes(vision.signature(sets[cell[1]].representations, convention=one), knob, half)
                    for one in ("evaluation", "batch")
                )
                assert (
                    cell[5].replace("−", "-").startswith(f"{100 * (batch - here).mean():+.1f}".replace("+0.0", "0.0"))
                )
    with pytest.raises(ValueError, match="measure = 'loss' is not allowed"):
        image_claims.causes_table(owed, others, "loss", "tab-a", "b")


def test_runs_that_the_cap_on_epochs_ended_are_marked_where_losses_are_compared():
    short, longer = runs(-0.02), runs(-0.03)
    longer.loc[(longer["knob"] == "kappa") & (longer["value"] == 0.25), "stopped_by"] = "cap"
    table = image_tables.loss_table({1e-2: short, 1e-4: longer}, "tab-a", "b.")
    rows = [line for line in table.splitlines() if line.startswith("| $")]
    assert [line.count("‡") for line in rows] == [2 * ("= 0.25" in line) for line in rows] and "‡:" in table
    longer.loc[longer["knob"] == "baseline", "stopped_by"] = "cap"  # which every difference is from
    table = image_tables.loss_table({1e-2: short, 1e-4: longer}, "tab-a", "b.")
    assert all(line.count("‡") == 2 for line in table.splitlines() if line.startswith("| $"))
    assert "‡" not in image_tables.loss_table({1e-2: short, 1e-4: short}, "tab-a", "b.")


def test_differences_by_how_pretraining_ended_are_those_of_these_class_splits():
    many = image_tables.stored_runs("tiny_imagenet")
    starts = many.pretrainings.query("knob == 'c' and value == 2")
    found = image_tables.by_ending(many, "c", 2.0)
    assert set(found) == {"loss", "cap"} == set(starts["pretraining_stopped_by"])
    for ending, effect in found.items():
        seeds = starts["seed"][starts["pretraining_stopped_by"] == ending]
        means = [
            100 * many.accuracies.query("seed == @seed and knob == @knob").accuracy.mean() * sign
            for seed in seeds
            for knob, sign in (("c", 1), ("baseline", -1))
        ]
        assert 100 * effect.mean == pytest.approx(sum(means) / len(seeds))
    with pytest.raises(ValueError, match="one that was pretrained"):
        image_tables.by_ending(many, "gamma", 0.1)


def test_pretrainings_that_the_cap_ended_are_counted_by_setting():
    few = image_tables.stored_runs("tiny_imagenet/smaller")
    held = few.pretrainings.iloc[:1].assign(knob="epochs", value=31.0, pretraining_stopped_by="cap")
    with_control = replace(
        few, provenance={**few.provenance, "pretrainings": [*few.provenance["pretrainings"], *held.to_dict("records")]}
    )
    assert image_tables.ended_by_the_cap(with_control) == image_tables.ended_by_the_cap(few) != "none"
    many = image_tables.stored_runs("tiny_imagenet")
    starts = many.pretrainings
    capped = starts[starts["pretraining_stopped_by"] == "cap"]
    assert set(zip(capped["knob"], capped["value"], strict=True)) == {("c", 2.0)}
    found = image_tables.ended_by_the_cap(many)
    assert found.startswith(f"{len(capped)} with c = 2, at losses of {capped['pretraining_loss'].min():.4f} to ")
