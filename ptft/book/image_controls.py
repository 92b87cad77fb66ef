"""What the controls of κ say: the learning rate of the early layers in its place, and another length of pretraining.

The scale κ and these layers' rate times 1/κ² are the same training, up to rounding and to the constant in batch
normalization (chapter 6). κ also changes how many epochs pretraining takes, which the baseline can take without it.
"""

from __future__ import annotations

import numpy as np

from ptft import trends, vision
from ptft.book.claims import Claim, cases, claim
from ptft.book.image_claims import ALIKE
from ptft.book.image_tables import ImageRuns
from ptft.book.tables import MarkdownTable, numbered
from ptft.extras import needs_extra
from ptft.validation import checked, one_of, require, require_table
from ptft.vision.representation import columns_of

with needs_extra("vision", __name__):
    import pandas as pd

RATE, SCALE, LENGTH = "kappa_rate", "kappa", "epochs"  # the knobs
MARGIN = 0.5  # of what the scale changes: within it the rate is to agree with the scale, and the length with nothing
STATED = {
    RATE: "The learning rate of the early layers times $1/\\kappa^2$ gives what $\\kappa$ gives",
    LENGTH: "The length of pretraining does not give what $\\kappa$ gives",
}
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
def control_changes(runs: ImageRuns) -> dict[str, dict[str, np.ndarray]]:
    """What the scale κ and its controls change, each less the baseline of its class split.

    Returns
    -------
    dict
        By knob, then by measure: the accuracies, averaged over the numbers of images, and in the stem and each stage
        the logarithm of the participation ratio of the pretrained network, before fine-tuning, on the test images and
        by the statistics of the batch. Arrays (class splits,).

    Raises
    ------
    ValueError
        If the runs lack a control (`controls_of`).

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> changes = control_changes(stored_runs("controls"))
    >>> list(changes), len(changes["epochs"]["log PR, stage 4"])
    (['kappa', 'kappa_rate', 'epochs'], 5)
    """
    table, shapes = runs.accuracies, runs.representations
    n = vision.sizes_of(shapes)[0]  # the network before fine-tuning is the same at each
    shapes = shapes.assign(log_pr=np.log(shapes[columns_of(ALIKE)[0]]))
    return {
        knob: {
            f"accuracy, {how}": trends.differences_over_sizes(table, knob, value, column)
            for column, how in vision.ACCURACIES.items()
        }
        | {
            f"log PR, {stage}": trends.differences(rows, knob, value, n, "log_pr")
            for stage, rows in shapes.groupby("stage", sort=False)
        }
        for knob, value in controls_of(table).items()
    }


@checked
def controls_table(runs: ImageRuns, name: str, caption: str) -> MarkdownTable:
    """`control_changes` with 95 % intervals: one row per measure; the last column is the rate less the scale.

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
    values, changes = controls_of(runs.accuracies), control_changes(runs)
    heads = {
        SCALE: f"$\\kappa$ = {values[SCALE]:g}",
        RATE: f"early rate $\\times$ {values[RATE] ** -2:g}",
        LENGTH: f"{values[LENGTH]:g} epochs",
    }
    rows = [
        {"change of": measure.replace("log PR", "$\\log \\PR$ before")}
        | {head: str(trends.effect(changes[knob][measure])) for knob, head in heads.items()}
        | {"rate less scale": str(trends.effect(changes[RATE][measure] - changes[SCALE][measure]))}
        for measure in changes[SCALE]
    ]
    return numbered(rows, name, caption)


@checked
def control_claim(runs: ImageRuns, knob: str, place: str, images: str = "") -> Claim:
    """What a control is there to show, tested on the runs of a table.

    The rate is to give what the scale κ gives, and the length of pretraining little of that.

    Parameters
    ----------
    runs : ImageRuns
    knob : "kappa_rate" or "epochs"
    place : str
        The label of the table that shows it.
    images : str, default ""
        Words that end the statement, such as " (clothes)".

    Raises
    ------
    ValueError
        If there is no such control, or the runs lack one (`controls_of`).

    Examples
    --------
    >>> from ptft.book.image_tables import stored_runs
    >>> control_claim(stored_runs("tiny_imagenet/smaller"), "kappa_rate", "tab-example").verdict
    'agrees'
    """
    one_of(knob, "knob", (RATE, LENGTH))
    value, changes = controls_of(runs.accuracies)[knob], control_changes(runs)
    if knob == RATE:
        compared = f"the early layers' learning rate times {value**-2:g} less the scale {value:g}"
        found = {name: trends.effect(changes[RATE][name] - changes[SCALE][name]) for name in DECIDING}
    else:
        compared = f"the baseline that is pretrained for {value:g} epochs less the baseline"
        found = {name: trends.effect(changes[LENGTH][name]) for name in DECIDING}
    margins = np.array([MARGIN * abs(changes[SCALE][name].mean()) for name in DECIDING])
    low, high = zip(*((one.low, one.high) for one in found.values()), strict=True)
    return claim(
        f"{STATED[knob]}{images}.",
        "This project, {prf:ref}`prop-kappa-rate`",
        f"{compared}, paired over class splits, in the accuracies and in 100 times the logarithm of the participation "
        f"ratio of the pretrained network in the last stage, {{numref}}`{place}`; each is a case, which holds where "
        f"its 95 % interval lies within {MARGIN:g} times the mean change by $\\kappa$ on either side of zero",
        "; ".join(
            f"{name}: {one} (margin {100 * margin:.1f})"
            for (name, one), margin in zip(found.items(), margins, strict=True)
        ),
        cases(low, high, at_least=-margins, at_most=margins),
    )
