"""What the tables of the experiment on images say about the paper's trends, beside `ptft.trends`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ptft.trends import BASELINE, Effect, common_points, curve, effect, paired_effect, pooled_slopes, values_of
from ptft.validation import checked, one_of, require, require_table
from ptft.vision.protocol import KNOBS, SAMPLE_SIZES
from ptft.vision.representation import CONVENTIONS, MEASURED_ON, STAGES, columns_of

# the accuracies that a table holds of each run; the published one is the second
ACCURACIES = {"accuracy": "as trained", "accuracy_maximum": "best epoch", "accuracy_recalibrated": "recalibrated"}
# Mean accuracies on CIFAR-100, 98 + 2 classes, 50 class splits, by the factor of all parameters after pretraining, at
# the `SAMPLE_SIZES`: Lippl and Lindsey (2024). Their standard errors are 0.006 to 0.021.
PUBLISHED_SCALING = {
    0.125: (0.686, 0.741, 0.790, 0.822, 0.864, 0.901, 0.914),
    0.25: (0.683, 0.741, 0.786, 0.814, 0.859, 0.892, 0.916),
    0.5: (0.539, 0.577, 0.701, 0.781, 0.847, 0.886, 0.909),
    1.0: (0.613, 0.636, 0.724, 0.784, 0.839, 0.877, 0.897),
    2.0: (0.504, 0.508, 0.521, 0.551, 0.661, 0.841, 0.880),
}
PUBLISHED_VALUES = {  # of two knobs in the sweeps of the authors' public code
    "kappa": (0.1, 0.2, 0.5, 1.0, 2.0, 10.0),
    "gamma": (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0),
}
PUBLISHED_UNTRAINED = (0.523, 0.515, 0.550, 0.588, 0.736, 0.824, 0.857)


@checked
def knobs_of(table: pd.DataFrame) -> list[str]:
    """The knobs that a table has points of, in the order of `KNOBS`.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> knobs_of(pd.DataFrame({"knob": ["weights", "baseline", "kappa"]}))
    ['kappa', 'weights']
    """
    require_table(table, "table", ["knob"])
    return [knob for knob in KNOBS if (table["knob"] == knob).any()]


@checked
def signature(
    representations: pd.DataFrame,
    stage: str = STAGES[-1],
    convention: str = CONVENTIONS[0],
    measured_on: str = MEASURED_ON[0],
) -> pd.DataFrame:
    """One row per fine-tuning run with what Appendix D of the paper looks for in a stage, the last one by default.

    `change` is log(PR after / PR before), negative in the regime that is rich and depends on pretraining; `inherited`
    is ENSD / PR after, close to 1 there, both measured by one of the `CONVENTIONS`, on the images of one of
    `MEASURED_ON`. The other columns are those of the table.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> table = pd.DataFrame({"stage": STAGES, "pr_before": 8.0, "pr_after": 2.0, "ensd": 1.5})
    >>> signature(table)[["change", "inherited"]].round(3).to_dict("records")
    [{'change': -1.386, 'inherited': 0.75}]
    """
    columns = columns_of(convention, measured_on)
    require_table(representations, "representations", ["stage", *columns])
    one_of(stage, "stage", STAGES)
    rows = representations[representations["stage"] == stage]
    before, after, shared = (rows[column] for column in columns)
    return rows.assign(change=np.log(after / before), inherited=shared / after)


@checked
def scaling_order(table: pd.DataFrame) -> dict[str, list[float]]:
    """The factors of all parameters after pretraining, the most accurate first, with the fewest fine-tuning images.

    Returns
    -------
    dict
        "trained" and "recalibrated" for the table, and "published" for the means of the paper on which it draws.

    Examples
    --------
    >>> points = {"knob": ["weights", "baseline"], "value": [2.0, 1.0], "n": 10, "seed": 0}
    >>> table = pd.DataFrame(points | {"accuracy": [0.5, 0.8], "accuracy_recalibrated": [0.9, 0.8]})
    >>> order = scaling_order(table)
    >>> order["trained"], order["recalibrated"]
    ([1.0, 2.0], [2.0, 1.0])
    """
    values = _factors(table)
    means = {
        name: {value: float(curve(table, "weights", value, column)[1][0]) for value in values}
        for name, column in (("trained", "accuracy"), ("recalibrated", "accuracy_recalibrated"))
    }
    means["published"] = {value: accuracies[0] for value, accuracies in PUBLISHED_SCALING.items()}
    return {name: sorted(one, key=lambda value: -one[value]) for name, one in means.items()}


@checked
def distance_from_published(table: pd.DataFrame, column: str = "accuracy") -> float:
    """Mean distance of the mean accuracies, by the factor of all parameters and n, from `PUBLISHED_SCALING`.

    It is over the factors and sample sizes that both have.

    Raises
    ------
    ValueError
        If the table lacks a column, or has none of the published factors and sizes.

    Examples
    --------
    >>> points = {"knob": ["weights", "baseline"], "value": [2.0, 1.0], "n": 10, "seed": 0}
    >>> round(distance_from_published(pd.DataFrame(points | {"accuracy": [0.514, 0.633]})), 3)  # 0.504 and 0.613
    0.015
    """
    require_table(table, "table", ["knob", "value", "n", column])
    apart = []
    for value in sorted({*_factors(table)} & {*PUBLISHED_SCALING}):
        published = dict(zip(SAMPLE_SIZES, PUBLISHED_SCALING[value], strict=True))
        sizes, means, _ = curve(table, "weights", value, column)
        apart += [abs(mean - published[n]) for n, mean in zip(sizes.tolist(), means, strict=True) if n in published]
    require(len(apart) > 0, "table", "of none of these", f"of some of the sizes {SAMPLE_SIZES}")
    return float(np.mean(apart))


@checked
def causes(
    table: pd.DataFrame, knob: str, columns: Mapping[str, str] = ACCURACIES, expected_sign: int = -1
) -> dict[str, Effect]:
    """How a measure changes per doubling of a knob, and what other ways of measuring it add.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.vision` stores it, or `signatures`
    knob : one of its knobs
    columns : mapping from columns to names, default the accuracies
        The measure, as trained, and then the same measured in other ways.
    expected_sign : int, default -1
        Of the slope, 1 or -1.

    Returns
    -------
    dict
        By the first name the slope pooled over values and sizes; by the others what is added to it, paired over class
        splits.

    Raises
    ------
    ValueError
        If a table lacks a column or the knob.

    Examples
    --------
    >>> points = [(s, k, v, a + s / 100) for s in range(3) for k, v, a in (("baseline", 1.0, 0.8), ("c", 2.0, 0.7))]
    >>> table = pd.DataFrame(points, columns=["seed", "knob", "value", "accuracy"])
    >>> table = table.assign(n=10, accuracy_maximum=table["accuracy"], accuracy_recalibrated=0.8)
    >>> {name: str(effect) for name, effect in causes(table, "c").items()}
    {'as trained': '-10.0\xa0±\xa00.0', 'best epoch': '+0.0\xa0±\xa00.0', 'recalibrated': '+10.0\xa0±\xa00.0'}
    """
    require(len(columns) > 0, "columns", dict(columns), "one at least")
    first, *ways = columns
    trained = pooled_slopes(table, knob, first)
    found = {columns[first]: effect(trained, expected_sign)}
    return found | {columns[other]: paired_effect(pooled_slopes(table, knob, other) - trained, 1) for other in ways}


@checked
def slopes_of_both(
    table: pd.DataFrame, other: pd.DataFrame, knob: str, column: str = "accuracy"
) -> tuple[np.ndarray, np.ndarray]:
    """`ptft.trends.pooled_slopes` of two tables, at the values, sizes and class splits of a knob that both have.

    Parameters
    ----------
    table, other : DataFrame
        Of runs that were trained in two ways, such as to a smaller loss.
    knob : one of the knobs of both
    column : str, default "accuracy"

    Returns
    -------
    two ndarrays (seeds,)

    Raises
    ------
    ValueError
        If a table lacks a column, or the two have no value of the knob in common.

    Examples
    --------
    >>> points = [(s, k, v, a) for s in range(3) for k, v, a in (("baseline", 1.0, 0.8), ("c", 2.0, 0.7))]
    >>> table = pd.DataFrame(points, columns=["seed", "knob", "value", "accuracy"]).assign(n=10)
    >>> one, other = slopes_of_both(table, table[table["seed"] > 0].assign(accuracy=0.9), "c")
    >>> one.round(3), other.round(3)
    (array([-0.1, -0.1]), array([0., 0.]))
    """
    first, second = common_points(one[one["knob"].isin([knob, BASELINE[0]])] for one in (table, other))
    require(len(first) > 0, "other", "of none of its points", "of some points that the first table has")
    return pooled_slopes(first, knob, column), pooled_slopes(second, knob, column)


@checked
def signatures(representations: pd.DataFrame, stage: str = STAGES[-1]) -> pd.DataFrame:
    """`signature` by all conventions: columns such as ``change``, which is as trained, and ``change_published``.

    Raises
    ------
    ValueError
        If the table lacks a column, or there is no such stage.

    Examples
    --------
    >>> measures = {column: 1.0 for convention in CONVENTIONS for column in columns_of(convention)}
    >>> table = pd.DataFrame({"stage": STAGES} | measures | {"pr_after_published": 2.0})
    >>> signatures(table)[["change", "change_published", "inherited_published"]].round(3).to_dict("records")
    [{'change': 0.0, 'change_published': 0.693, 'inherited_published': 0.5}]
    """
    found = signature(representations, stage)
    for convention in CONVENTIONS[1:]:
        other = signature(representations, stage, convention)
        found = found.assign(**{f"{half}_{convention}": other[half] for half in ("change", "inherited")})
    return found


def _factors(table: pd.DataFrame) -> list[float]:
    """The factors of all parameters after pretraining, or that of the baseline alone."""
    return values_of(table, "weights") if "weights" in knobs_of(table) else [BASELINE[1]]
