"""The paper's statements on residual networks (Section 6 and Appendix D) as claims on the runs of any set of images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ptft import trends, vision
from ptft.book.claims import MARKS, Claim, beyond_zero, cases, claim
from ptft.book.computed_text import listed
from ptft.book.image_tables import LETTERS, ImageRuns
from ptft.book.tables import MarkdownTable, numbered
from ptft.extras import needs_extra
from ptft.figures.vision import ENOUGH, SYMBOLS
from ptft.validation import checked, one_of, require, require_table, whole_number
from ptft.vision.representation import columns_of

with needs_extra("vision", __name__):
    import pandas as pd

STATED = {
    "kappa": "A smaller relative scale, $\\kappa < 1$, improves generalization in fine-tuning",
    "c": "A larger absolute scale, $c > 1$, degrades generalization in fine-tuning",
    "gamma": "A smaller readout, $\\gamma < 1$, improves generalization at intermediate sample sizes",
    "weights": "Scaling all weights down after pretraining improves on the baseline",
}
SIDES = {knob: "above" if knob == "c" else "below" for knob in STATED}  # of 1, the values that the statement is about
PUBLISHED_IN = {
    "kappa": "Figure 4a, Section 6",
    "c": "Figure 4b, Section 6",
    "gamma": "Figure 4c, Section 6",
    "weights": "Figure 9, Appendix D",
}
APPENDIX = dict(zip(vision.KNOBS, (6, 7, 8, 9), strict=True))  # the figures of Appendix D
# both measures of the signature, the sign of the published slope of each, and words for it
HALVES = (("change", 1, "change of log PR"), ("inherited", -1, "inherited share"))
ADDED = "added as published", "by recalibration", "by batch statistics"  # the heads of what `published_trends` adds
ALIKE = "batch"  # the convention that measures the network before and after fine-tuning alike
CHECK = (
    "change of the accuracy per doubling of the knob, pooled over its values and {}, {{numref}}`{}`, and its mean "
    "difference from the baseline for the values {} 1 alone, paired over class splits, as trained, at the best epoch "
    "and recalibrated; each of the {} is a case, which holds where its 95 % interval is on the stated side of zero; "
    "unless all hold so, the intervals are those of Holm's procedure among them"
)


@checked
def decisive(
    table: pd.DataFrame, knob: str, column: str = "accuracy", falls: int = 1
) -> dict[str, tuple[trends.Effect, int]]:
    """What decides on a statement about a knob: effects with the signs that it has for them, by words.

    They are the pooled slope, if the knob has two values besides 1, and the mean over the values that the statement
    names less the baseline.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.vision` stores it, or `ptft.vision.signature`
    knob : one of its knobs
    column : str, default "accuracy"
    falls : 1 or -1, default 1
        Whether the column rises, by the statement, where the knob falls.

    Raises
    ------
    ValueError
        If the table lacks a column or the knob.

    Examples
    --------
    >>> points = [(s, k, v, a) for s in range(3) for k, v, a in (("baseline", 1.0, 0.8), ("c", 2.0, 0.7))]
    >>> table = pd.DataFrame(points, columns=["seed", "knob", "value", "accuracy"]).assign(n=10)
    >>> {words: (str(one), sign) for words, (one, sign) in decisive(table, "c").items()}
    {'values above 1': ('-10.0\xa0±\xa00.0', -1)}
    """
    side = SIDES[one_of(knob, "knob", tuple(SIDES))]
    require(falls in (1, -1), "falls", falls, "1 or -1")
    values = vision.values_of(table, knob)
    there = any(value < 1 if side == "below" else value > 1 for value in values)
    require(there, "table", f"with the values {values} of {knob}", f"one with values {side} 1")
    up = falls if side == "below" else -falls
    mean = trends.effect(trends.mean_differences(table, knob, side, column), up)
    slope = trends.pooled_trend(table, knob, column, -falls)
    of_slope = {"per doubling": (slope, -falls)} if len(values) > 2 else {}
    return of_slope | {f"values {side} 1": (mean, up)}


@checked
def intermediate(table: pd.DataFrame) -> list[int]:
    """The numbers of images of a table that count as intermediate, 50 to 200; all of them if none does.

    Raises
    ------
    ValueError
        If the table lacks a column.

    Examples
    --------
    >>> intermediate(pd.DataFrame({"n": [10, 50, 200, 500]}))
    [50, 200]
    """
    sizes = vision.sizes_of(table)
    return [n for n in sizes if 50 <= n <= 200] or sizes


@checked
def accuracy_claim(table: pd.DataFrame, knob: str, place: str, images: str = "") -> Claim:
    """The published statement on the accuracy by a knob, tested on the runs of a table.

    It agrees where every plain 95 % interval is on the stated side of zero: if one of the means is not, the chance of
    that is at most that of its own interval. Otherwise any one of them might be told from zero by chance, and the cases
    are `ptft.book.claims.beyond_zero`.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.vision` stores it
    knob : one of its knobs
    place : str
        The label of the figure or table that shows it.
    images : str, default ""
        Words that end the statement, such as " (on CIFAR-10)".

    Raises
    ------
    ValueError
        If the table lacks a column or the knob.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> accuracy_claim(stored_runs("tiny_imagenet").accuracies, "kappa", "tab-example").verdict
    'agrees'
    """
    side = SIDES[one_of(knob, "knob", tuple(SIDES))]
    used = intermediate(table) if knob == "gamma" else vision.sizes_of(table)
    part = table[table["n"].isin(used)]
    seen = {how: decisive(part, knob, column) for column, how in vision.ACCURACIES.items()}
    singles = trends.holm(vision.gains(part, knob).values())
    names = next(iter(seen.values()))
    words = "six" if len(names) > 1 else "three means (with one value besides 1 the slope says the same)"
    said = [f"{name}: {', '.join(f'{one[name][0]} % {how}' for how, one in seen.items())}" for name in names]
    each, signs = zip(*(one for effects in seen.values() for one in effects.values()), strict=True)
    ends = [sorted((sign * one.low, sign * one.high)) for one, sign in zip(each, signs, strict=True)]
    plain = cases(*zip(*ends, strict=True), above=0.0)
    return claim(
        f"{STATED[knob]}{images}.",
        PUBLISHED_IN[knob],
        CHECK.format(f"$n$ from {used[0]} to {used[-1]}", place, side, words),
        f"{'; '.join(said)}; single differences as trained: {trends.tally(singles)}",
        plain if all(one.outcome == "holds" for one in plain) else beyond_zero(each, signs),
    )


@checked
def dimension_claim(table: pd.DataFrame, place: str, images: str = "") -> Claim:
    """The published statement on the dimension of the pretrained network by κ, tested on the runs of a table.

    Parameters
    ----------
    table : DataFrame of representations, as `ptft.sweeps.vision` stores it
    place, images : str
        As in `accuracy_claim`.

    Raises
    ------
    ValueError
        If the table lacks a column, or has no value of κ.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> dimension_claim(stored_runs("tiny_imagenet").representations, "tab-example").verdict
    'agrees in part'
    """
    n, before = vision.sizes_of(table)[0], columns_of(ALIKE)[0]
    at_values = {
        (stage, value): trends.paired_effect(
            trends.differences(rows, "kappa", value, n, before), 1 if value > 1 else -1
        )
        for stage, rows in table.groupby("stage", sort=False)
        for value in vision.values_of(rows, "kappa")
        if value != 1
    }
    narrower = dict(zip(at_values, trends.holm(at_values.values()), strict=True))
    wider = [f"{stage} at {value:g}" for (stage, value), one in narrower.items() if one.verdict == "disagree"]
    return claim(
        f"The dimension of the pretrained network falls as $\\kappa$ does{images}.",
        "Figure 6, Appendix D",
        "participation ratio in the stem and the four stages less that of the baseline; each stage at each value of "
        "$\\kappa$ is a case, which holds where the difference is told from zero on the stated side by Holm's "
        f"procedure, {{numref}}`{place}`",
        f"{trends.tally(narrower.values())}{f' (opposite: {listed(wider)})' if wider else ''}",
        beyond_zero(list(at_values.values()), [1 if value > 1 else -1 for _, value in at_values]),
    )


@checked
def signature_claim(runs: pd.DataFrame, knob: str, place: str, images: str = "") -> Claim:
    """The published signature by a knob, tested on the last stage of some runs.

    Parameters
    ----------
    runs : DataFrame, as `ptft.vision.signature` returns it
    knob : one of its knobs
    place, images : str
        As in `accuracy_claim`.

    Raises
    ------
    ValueError
        If the table lacks a column or the knob.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> runs = vision.signature(stored_runs("cifar_10").representations, convention="batch")
    >>> signature_claim(runs, "kappa", "fig-example").source
    'Figure 6, Appendix D'
    """
    side = SIDES[one_of(knob, "knob", tuple(SIDES))]
    seen = {words: decisive(runs, knob, column, -sign) for column, sign, words in HALVES}
    every = {f"{words}, {name}": one for words, effects in seen.items() for name, one in effects.items()}
    told = dict(zip(every, trends.holm(one for one, _ in every.values()), strict=True))
    opposite = [words for words, one in told.items() if one.verdict == "disagree"]
    return claim(
        f"As {SYMBOLS[knob]} falls, fine-tuning takes more dimensions away, and more of the others "
        f"were there before{images}.",
        f"Figure {APPENDIX[knob]}, Appendix D",
        "100 times the logarithm of PR after over PR before, negative where fine-tuning takes dimensions away, and the "
        "inherited share in per cent, in the last stage, both networks with the statistics of the batch: slope per "
        f"doubling, and mean difference from the baseline for the values {side} 1, paired over class splits; "
        f"each of the {len(every)} is a case, which holds where it is told from zero on the stated side by Holm's "
        f"procedure, {{numref}}`{place}`; a share beyond 1 counts as more",
        "; ".join(f"{words}: {one}" for words, (one, _) in every.items())
        + (f" (opposite: {listed(opposite)})" if opposite else ""),
        beyond_zero([one for one, _ in every.values()], [sign for _, sign in every.values()]),
    )


@checked
def nearness(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of a signature with the nearness of the inherited share to 1, which is no bound, in its place.

    It is 1 less the distance of the share from 1: `signature_claim` then asks for a share that comes nearer to 1,
    where it asks for one that rises otherwise.

    Parameters
    ----------
    runs : DataFrame, as `ptft.vision.signature` returns it

    Raises
    ------
    ValueError
        If the table has no such share.

    Examples
    --------
    >>> nearness(pd.DataFrame({"inherited": [0.75, 1.25]}))["inherited"].tolist()
    [0.75, 0.75]
    """
    require_table(runs, "runs", ["inherited"])
    return runs.assign(inherited=1 - (runs["inherited"] - 1).abs())


@checked
def from_one(runs: ImageRuns) -> str:
    """How the mean distance of the inherited share from 1 changes on the side of 1 that a statement names, in words.

    Returns
    -------
    str
        For each knob, from the baseline to these values, in the last stage and by the statistics of the batch.

    Raises
    ------
    ValueError
        If a knob has no values on the side of 1 that its statement is about.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> from_one(stored_runs("tiny_imagenet")).split(", ")[0]
    'κ +1.2\xa0±\xa00.9'
    """
    rows = nearness(vision.signature(runs.representations, convention=ALIKE))
    distance = {k: -trends.mean_differences(rows, k, SIDES[k], "inherited") for k in vision.knobs_of(rows)}
    return listed([f"{LETTERS[knob]} {trends.effect(one)}" for knob, one in distance.items()])


@checked
def published_claims(
    runs: ImageRuns, accuracy_at: str, dimension_at: str, signature_at: str, images: str = ""
) -> tuple[list[Claim], list[Claim]]:
    """All published statements on a set of images: those on the accuracy, and those on representations.

    Parameters
    ----------
    runs : ImageRuns
        With all of the `ptft.vision.KNOBS`.
    accuracy_at, dimension_at, signature_at : str
        The labels of what shows them.
    images : str, default ""
        As in `accuracy_claim`.

    Raises
    ------
    ValueError
        If a knob has no values on the side of 1 that its statement is about.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> [len(claims) for claims in published_claims(stored_runs("cifar_10"), "tab-a", "tab-b", "fig-c")]
    [4, 5]
    """
    alike = vision.signature(runs.representations, convention=ALIKE)
    return (
        [accuracy_claim(runs.accuracies, knob, accuracy_at, images) for knob in vision.KNOBS],
        [
            dimension_claim(runs.representations, dimension_at, images),
            *(signature_claim(alike, knob, signature_at, images) for knob in vision.KNOBS),
        ],
    )


Slopes = dict[tuple[str, str], trends.Effect]  # of the two `HALVES`, by knob and half


@checked
def signature_slopes(representations: pd.DataFrame, measured_on: str = vision.MEASURED_ON[0]) -> dict[str, Slopes]:
    """By convention, both slopes of the signature of each knob, told from zero together by Holm's procedure.

    Parameters
    ----------
    representations : DataFrame, as `ptft.sweeps.vision` stores it
    measured_on : one of `ptft.vision.MEASURED_ON`, default the test images

    Raises
    ------
    ValueError
        If the table lacks a column, or `measured_on` is none of these.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> {name: len(slopes) for name, slopes in signature_slopes(stored_runs("cifar_10").representations).items()}
    {'evaluation': 8, 'recalibrated': 8, 'batch': 8, 'published': 8}
    """
    slopes: dict[str, Slopes] = {}
    for convention in vision.CONVENTIONS:
        rows = vision.signature(representations, convention=convention, measured_on=measured_on)
        found = {
            (knob, column): trends.pooled_trend(rows, knob, column, sign)
            for knob in vision.knobs_of(representations)
            for column, sign, _ in HALVES
        }
        slopes[convention] = dict(zip(found, trends.holm(found.values()), strict=True))
    return slopes


@checked
def conventions_table(slopes: Mapping[str, Slopes], name: str, caption: str, digits: int = 1) -> MarkdownTable | None:
    """`signature_slopes`: one row per knob and half, one column per convention, with `MARKS`.

    Parameters
    ----------
    slopes : mapping, as `signature_slopes` returns it
    name, caption : str
        As in `ptft.book.tables.numbered`.
    digits : int, default 1
        Decimals, in per cent.

    Returns
    -------
    MarkdownTable, or None if there is no knob

    Raises
    ------
    ValueError
        If `slopes` is no such mapping.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> conventions_table(signature_slopes(stored_runs("cifar_10").representations), "tab-example", "Slopes.")
    <table of 8 rows>
    """
    whole_number(digits, "digits")
    halves = {column: words for column, _, words in HALVES}
    rows = [
        {"knob": SYMBOLS[knob], "slope of": halves[column]}
        | {
            convention: MARKS[one.verdict].format(
                f"{100 * one.mean:+.{digits}f}\u00a0±\u00a0{100 * one.half:.{digits}f}"
            )
            for convention, one in ((convention, found[knob, column]) for convention, found in slopes.items())
        }
        for knob, column in next(iter(slopes.values()), {})
    ]
    return numbered(rows, name, caption) if rows else None


@checked
def whole_signatures(slopes: Mapping[str, Slopes]) -> str:
    """The knobs of which both halves of the signature are told from zero as stated, by convention, in words.

    Parameters
    ----------
    slopes : mapping, as `signature_slopes` returns it

    Raises
    ------
    ValueError
        If `slopes` is no such mapping.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> print(whole_signatures(signature_slopes(stored_runs("cifar_10").representations)).split("; ")[0])
    evaluation: no knob
    """
    said = []
    for convention, found in slopes.items():
        both = [
            LETTERS[knob]
            for knob in dict.fromkeys(knob for knob, _ in found)
            if all(found[knob, column].verdict == "agree" for column, *_ in HALVES)
        ]
        said.append(f"{convention}: {listed(both, none='no knob')}")
    return "; ".join(said)


# by knob, figure and measure: the slope as trained, and what other ways of measuring add
PublishedTrends = dict[tuple[str, str, str], dict[str, trends.Effect]]


@checked
def published_trends(runs: ImageRuns) -> PublishedTrends:
    """Each published trend on a set of images, by its knob, its figure and its measure, and what is added to it.

    Returns
    -------
    dict of dict
        Of each trend `ptft.vision.causes`: the slope as trained and in evaluation mode; what is added to it where it
        is measured as in the published figures, where the running statistics are recalibrated, and, to the halves of
        the signature, by the statistics of the batch, `ALIKE`.

    Raises
    ------
    ValueError
        If `runs` is no `ImageRuns`.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> found = published_trends(stored_runs("cifar_10"))
    >>> len(found), list(found["kappa", "Figure 6", "inherited share"])
    (12, ['as trained', 'published', 'recalibrated', 'batch'])
    """
    shapes, found = vision.signatures(runs.representations), {}
    for knob in vision.knobs_of(runs.accuracies):
        found[knob, PUBLISHED_IN[knob].split(",")[0], "accuracy"] = vision.causes(runs.accuracies, knob)
        for half, sign, words in HALVES:
            ways = {half: "as trained"} | {f"{half}_{one}": one for one in ("published", "recalibrated", ALIKE)}
            found[knob, f"Figure {APPENDIX[knob]}", words] = vision.causes(shapes, knob, ways, sign)
    return found


@checked
def moved(runs: ImageRuns, other: ImageRuns, knob: str, measure: str = "accuracy") -> str:
    """The mean slope of a knob in some runs and in others, at the points that both have, and its change, in words.

    Parameters
    ----------
    runs, other : ImageRuns
        Of the same class splits.
    knob : one of `ptft.vision.KNOBS`
    measure : "accuracy", default, or one of the words for the `HALVES`

    Returns
    -------
    str
        In per cent per doubling, the halves of the signature by the statistics of the batch, `ALIKE`; the change has
        an interval if there are class splits enough, and is left out if not. Empty if one of them lacks the knob.

    Raises
    ------
    ValueError
        If there is no such measure, or they have no point in common.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> moved(stored_runs("tiny_imagenet/smaller"), stored_runs("tiny_imagenet"), "c").count(" to ")
    1
    >>> moved(stored_runs(), stored_runs("stricter"), "c")  # which was not run to a smaller loss
    ''
    """
    one_of(knob, "knob", tuple(vision.KNOBS))
    columns = {"accuracy": "accuracy"} | {words: half for half, _, words in HALVES}
    column = columns[one_of(measure, "measure", tuple(columns))]
    if any(knob not in vision.knobs_of(one.accuracies) for one in (runs, other)):
        return ""
    first, second = (
        one.accuracies if measure == "accuracy" else vision.signature(one.representations, convention=ALIKE)
        for one in (runs, other)
    )
    here, there = vision.slopes_of_both(first, second, knob, column)
    change = f" ({trends.effect(there - here)})" if len(here) >= ENOUGH else ""
    return f"{100 * here.mean():+.1f} to {100 * there.mean():+.1f}{change}"


@checked
def causes_table(
    owed: Mapping[str, PublishedTrends],
    others: Mapping[str, Mapping[str, Iterable[tuple[ImageRuns, ImageRuns]]]],
    measure: str,
    name: str,
    caption: str,
) -> MarkdownTable:
    """What one measure of the published trends owes to what: one row per knob and set of images.

    Parameters
    ----------
    owed : mapping from the names of sets to what `published_trends` returns
    others : mapping from heads of columns to mappings from the names of sets to lists of pairs of ImageRuns
        What `moved` compares: the first pair that has the knob.
    measure : one of those of `published_trends`
    name, caption : str
        As in `ptft.book.tables.numbered`; the marks are explained in the table's caption.

    Raises
    ------
    ValueError
        If no set has such a trend.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> owed = {"CIFAR-10": published_trends(stored_runs("cifar_10"))}
    >>> causes_table(owed, {}, "accuracy", "tab-example", "Causes.")
    <table of 4 rows>
    """
    rows: dict[str, list[dict[str, str]]] = {knob: [] for knob in vision.KNOBS}  # the sets of a knob together
    for images, found in owed.items():
        told = trends.holm(next(iter(added.values())) for added in found.values())
        for ((knob, figure, of), added), one in zip(found.items(), told, strict=True):
            if of == measure:
                trained, *others_add = map(str, added.values())
                row = {"published trend": f"{SYMBOLS[knob]}, {figure}", "images": images}
                row["here, as trained"] = MARKS[one.verdict].format(trained)
                row |= dict(zip(ADDED, others_add, strict=False))  # the accuracy has no statistics of the batch
                for head, of_sets in others.items():
                    compared = (moved(*pair, knob, measure) for pair in of_sets.get(images, ()))
                    row[head] = next(filter(None, compared), "")
                rows[knob].append(row)
    every = [row for of_knob in rows.values() for row in of_knob]
    require(len(every) > 0, "measure", measure, "that of a published trend")
    marks = "bold, on the published side; †, on the other."
    how = f"Told from zero by Holm's procedure among all trends of a set of images: {marks} With 95 % intervals."
    return numbered(every, name, f"{caption} {how}")


@checked
def wrong_answers(table: pd.DataFrame, knob: str) -> list[trends.Effect]:
    """What a knob changes in the number of wrong answers, as shares of the mean number of the baseline.

    Returns
    -------
    list of two Effects
        Per doubling, and on average over the values that the statement names.

    Raises
    ------
    ValueError
        If the table lacks a column or the knob.

    Examples
    --------
    >>> points = [(s, k, v, a) for s in range(3) for k, v, a in (("baseline", 1.0, 0.8), ("c", 2.0, 0.7))]
    >>> table = pd.DataFrame(points, columns=["seed", "knob", "value", "accuracy"]).assign(n=10)
    >>> [str(one) for one in wrong_answers(table, "c")]
    ['+50.0 ± 0.0', '+50.0 ± 0.0']
    """
    wrong = 1 - vision.curve(table, *vision.BASELINE)[1].mean()
    side = SIDES[one_of(knob, "knob", tuple(SIDES))]
    require(wrong > 0, "table", "with a baseline that is always right", "of a baseline with wrong answers")
    lost = trends.mean_differences(table, knob, side)
    return [
        trends.effect(-trends.pooled_slopes(table, knob) / wrong, 1),
        trends.effect(-lost / wrong, 1 if side == "above" else -1),
    ]
