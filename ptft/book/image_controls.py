"""What the controls of κ say: the learning rate of the early layers in its place, and another length of pretraining.

The scale κ and these layers' rate times 1/κ² are the same training, up to rounding and to the constant in batch
normalization (chapter 6). κ also changes how many epochs pretraining takes, which the baseline can take without it.
"""

from __future__ import annotations

import numpy as np

from ptft import trends, vision
from ptft.book.claims import Claim, beyond_zero, cases, claim
from ptft.book.image_claims import ALIKE
from ptft.book.image_tables import ImageRuns
from ptft.book.tables import MarkdownTable, numbered
from ptft.extras import needs_extra
from ptft.validation import checked, require, require_table
from ptft.vision.representation import columns_of

with needs_extra("vision", __name__):
    import pandas as pd

RATE, SCALE, LENGTH = "kappa_rate", "kappa", "epochs"  # the knobs
MARGIN = 0.5  # of what the scale changes in the reference: within it the rate is to agree with the scale
STATED = {
    RATE: "The learning rate of the early layers times $1/\\kappa^2$ gives what $\\kappa$ gives",
    LENGTH: "$\\kappa$ changes more than the length of pretraining does",
}
SOURCE = "This project, {prf:ref}`prop-kappa-rate`"
MEASURES = (
    "paired over class splits, in the accuracies and in 100 times the logarithm of the participation ratio of the "
    "pretrained network in the last stage"
)
DECIDING = [f"accuracy, {how}" for how in vision.ACCURACIES.values()] + [f"log PR, {vision.STAGES[-1]}"]


@checked
def controls_of(table: pd.DataFrame) -> dict[str, float]:
    """The values of the controls: κ, the κ whose learning rate is taken in its place, and the epochs of the baseline.

    Returns
    -------
    dict
        By knob: "kappa", "kappa_rate" and "epochs".

    Raises
    ------
    ValueError
        If a column is missing, a control has not one value, or the table lacks that κ.

    Examples
    --------
    >>> controls_of(pd.DataFrame({"knob": ["kappa", "kappa_rate", "epochs"], "value": [0.25, 0.25, 30.0]}))
    {'kappa': 0.25, 'kappa_rate': 0.25, 'epochs': 30.0}
    """
    require_table(table, "table", ["knob", "value"])
    found = {knob: sorted({*table.loc[table["knob"] == knob, "value"].tolist()}) for knob in (SCALE, RATE, LENGTH)}
    for knob in (RATE, LENGTH):
        require(len(found[knob]) == 1, f"values of {knob}", found[knob], "one")
    (rate,), (epochs,) = found[RATE], found[LENGTH]
    require(rate in found[SCALE], f"values of {SCALE}", found[SCALE], f"with {rate:g}, as of {RATE}")
    return {SCALE: rate, RATE: rate, LENGTH: epochs}


@checked
def changes(runs: ImageRuns, knob: str, value: float) -> dict[str, np.ndarray]:
    """What a knob changes, by measure, less the baseline of the same class split.

    Returns
    -------
    dict
        The accuracies, averaged over the numbers of images; and in the stem and each stage the logarithm of the
        participation ratio of the pretrained network, before fine-tuning, on the test images and by the statistics of
        the batch. Arrays (class splits,).

    Raises
    ------
    ValueError
        If the runs lack the value.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> found = changes(stored_runs("controls"), "epochs", 30.0)
    >>> list(found)[-1], len(found["log PR, stage 4"])
    ('log PR, stage 4', 5)
    """
    table, shapes = runs.accuracies, runs.representations
    n = vision.sizes_of(shapes)[0]  # the network before fine-tuning is the same at each
    shapes = shapes.assign(log_pr=np.log(shapes[columns_of(ALIKE)[0]]))
    return {
        f"accuracy, {how}": trends.differences_over_sizes(table, knob, value, column)
        for column, how in vision.ACCURACIES.items()
    } | {
        f"log PR, {stage}": trends.differences(rows, knob, value, n, "log_pr")
        for stage, rows in shapes.groupby("stage", sort=False)
    }


@checked
def controls_table(runs: ImageRuns, name: str, caption: str) -> MarkdownTable:
    """The `changes` by κ and its controls, with 95 % intervals; the last column is the rate less the scale.

    Parameters
    ----------
    runs : ImageRuns
    name, caption : str
        As in `ptft.book.tables.numbered`.

    Raises
    ------
    ValueError
        If the runs lack a control (`controls_of`).

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> controls_table(stored_runs("tiny_imagenet/smaller"), "tab-example", "Controls.")
    <table of 8 rows>
    """
    values = controls_of(runs.accuracies)
    found = {knob: changes(runs, knob, value) for knob, value in values.items()}
    heads = {
        SCALE: f"$\\kappa$ = {values[SCALE]:g}",
        RATE: f"early rate $\\times$ {values[RATE] ** -2:g}",
        LENGTH: f"{values[LENGTH]:g} epochs",
    }
    rows = [
        {"change of": measure.replace("log PR", "$\\log \\PR$ before")}
        | {head: str(trends.effect(found[knob][measure])) for knob, head in heads.items()}
        | {"rate less scale": str(trends.effect(found[RATE][measure] - found[SCALE][measure]))}
        for measure in found[SCALE]
    ]
    return numbered(rows, name, caption)


@checked
def rate_claim(runs: ImageRuns, reference: ImageRuns, place: str, images: str = "") -> Claim:
    """That the learning rate of the early layers gives what the scale κ gives, by equivalence.

    Parameters
    ----------
    runs : ImageRuns
    reference : ImageRuns
        More runs on the same set, with the same κ; what it changes there gives the margins.
    place : str
        The label of the table that shows it.
    images : str, default ""
        Words that end the statement, such as " (clothes)".

    Raises
    ------
    ValueError
        If the runs lack a control (`controls_of`), or the reference its κ.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> found = rate_claim(stored_runs("tiny_imagenet/smaller"), stored_runs("tiny_imagenet"), "tab-example")
    >>> [one.outcome for one in found.cases]
    ['holds', 'holds', 'holds', 'undecided']
    """
    value = controls_of(runs.accuracies)[SCALE]
    rate, scale, known = changes(runs, RATE, value), changes(runs, SCALE, value), changes(reference, SCALE, value)
    found = {name: trends.effect(rate[name] - scale[name]) for name in DECIDING}
    margins = np.array([MARGIN * abs(known[name].mean()) for name in DECIDING])
    low, high = zip(*((one.low, one.high) for one in found.values()), strict=True)
    return claim(
        f"{STATED[RATE]}{images}.",
        SOURCE,
        f"that rate, times {value**-2:g}, less the scale {value:g}, {MEASURES}, {{numref}}`{place}`; each is a case, "
        f"which holds where its 95 % interval lies within {MARGIN:g} times what $\\kappa$ changes in the mean of "
        f"{reference.splits} class splits with {reference.source:,} pretraining images, on either side of zero",
        "; ".join(
            f"{name}: {one} (margin {100 * margin:.1f})"
            for (name, one), margin in zip(found.items(), margins, strict=True)
        ),
        cases(low, high, at_least=-margins, at_most=margins),
    )


@checked
def length_claim(runs: ImageRuns, reference: ImageRuns, place: str, images: str = "") -> Claim:
    """That the length of pretraining does not give what the scale κ gives.

    Parameters
    ----------
    runs, reference, place, images
        As in `rate_claim`; here the reference gives the signs of what κ changes.

    Raises
    ------
    ValueError
        If the runs lack a control (`controls_of`), or the reference its κ.

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> length_claim(stored_runs("controls"), stored_runs(), "tab-example").verdict
    'agrees in part'
    """
    values = controls_of(runs.accuracies)
    scale, length = (changes(runs, knob, values[knob]) for knob in (SCALE, LENGTH))
    known = changes(reference, SCALE, values[SCALE])
    found = {name: trends.effect(scale[name] - length[name]) for name in DECIDING}
    return claim(
        f"{STATED[LENGTH]}{images}.",
        SOURCE,
        f"$\\kappa$ = {values[SCALE]:g} less the baseline pretrained for {values[LENGTH]:g} epochs, {MEASURES}, "
        f"{{numref}}`{place}`; each is a case, which holds where it is told from zero by Holm's procedure, on the side "
        f"to which $\\kappa$ moves it in {reference.splits} class splits with {reference.source:,} pretraining images",
        "; ".join(f"{name}: {one}" for name, one in found.items()),
        beyond_zero(list(found.values()), [np.sign(known[name].mean()) for name in DECIDING]),
    )
