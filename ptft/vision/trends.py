"""What the tables of the experiment say about the paper's trends, by tests that are paired over class splits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from ptft.validation import checked, one_of, real_array, require, require_table
from ptft.vision.protocol import BASELINE, KNOBS
from ptft.vision.representation import CONVENTIONS, MEASURED_ON, STAGES, columns_of

# Mean accuracies on CIFAR-100, 98 + 2 classes, 50 class splits, by the factor of all parameters after pretraining, at
# the `SAMPLE_SIZES`: Lippl and Lindsey (2024). Their standard errors are 0.006 to 0.021.
PUBLISHED_SCALING = {
    0.125: (0.686, 0.741, 0.790, 0.822, 0.864, 0.901, 0.914),
    0.25: (0.683, 0.741, 0.786, 0.814, 0.859, 0.892, 0.916),
    0.5: (0.539, 0.577, 0.701, 0.781, 0.847, 0.886, 0.909),
    1.0: (0.613, 0.636, 0.724, 0.784, 0.839, 0.877, 0.897),
    2.0: (0.504, 0.508, 0.521, 0.551, 0.661, 0.841, 0.880),
}
PUBLISHED_UNTRAINED = (0.523, 0.515, 0.550, 0.588, 0.736, 0.824, 0.857)


@dataclass(frozen=True)
class Effect:
    """Mean over class splits of a paired quantity, with its 95 % interval from Student's t."""

    mean: float
    low: float
    high: float
    splits: int
    verdict: str  # "agree", "disagree" or "undecided" with the expected sign

    def __str__(self) -> str:
        """In per cent, on one line."""
        return f"{100 * self.mean:+.1f}\u00a0±\u00a0{100 * (self.high - self.mean):.1f}"


@checked
def by_seed(table: pd.DataFrame, knob: str, value: float, n: int, column: str = "accuracy") -> dict[int, float]:
    """One column of the points (knob, value, n), by seed; value 1 of any knob is the baseline.

    Raises
    ------
    ValueError
        If the table has no such point.

    Examples
    --------
    >>> table = pd.DataFrame({"seed": [0, 1], "knob": "kappa", "value": 0.5, "n": 10, "accuracy": [0.7, 0.8]})
    >>> by_seed(table, "kappa", 0.5, 10)
    {0: 0.7, 1: 0.8}
    """
    require_table(table, "table", ["seed", "knob", "value", "n", column])
    if value == BASELINE[1]:
        knob = BASELINE[0]
    chosen = table[(table["knob"] == knob) & np.isclose(table["value"], value) & (table["n"] == n)]
    if not len(chosen):
        raise ValueError(f"knob, value, n = {knob!r}, {value:g}, {n} is not allowed: it must be in the table")
    return {int(seed): float(x) for seed, x in zip(chosen["seed"], chosen[column], strict=True)}


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
def values_of(table: pd.DataFrame, knob: str) -> list[float]:
    """Values of a knob in the table in increasing order, with the baseline's 1.

    Raises
    ------
    ValueError
        If the table has no point of this knob.

    Examples
    --------
    >>> values_of(pd.DataFrame({"knob": "kappa", "value": [2.0, 0.5]}), "kappa")
    [0.5, 1.0, 2.0]
    """
    require_table(table, "table", ["knob", "value"])
    one_of(knob, "knob", tuple(np.unique(table["knob"])))
    return sorted({*table["value"][table["knob"] == knob].tolist(), BASELINE[1]})


@checked
def sizes_of(table: pd.DataFrame) -> list[int]:
    """Numbers of fine-tuning images in the table, in increasing order.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> sizes_of(pd.DataFrame({"n": [50, 10, 10]}))
    [10, 50]
    """
    require_table(table, "table", ["n"])
    return [int(n) for n in np.unique(table["n"])]


@checked
def curve(table: pd.DataFrame, knob: str, value: float, column: str = "accuracy") -> tuple[np.ndarray, ...]:
    """Sample sizes, and the mean over seeds and its standard error at each of them.

    Examples
    --------
    >>> table = pd.DataFrame({"seed": [0, 1], "knob": "kappa", "value": 0.5, "n": 10, "accuracy": [0.7, 0.9]})
    >>> sizes, mean, error = curve(table, "kappa", 0.5)
    >>> sizes, mean.round(3), error.round(3)
    (array([10]), array([0.8]), array([0.1]))
    """
    sizes = sizes_of(table)
    samples = [np.array(list(by_seed(table, knob, value, n, column).values())) for n in sizes]
    means = np.array([s.mean() for s in samples])
    errors = np.array([s.std(ddof=1) / np.sqrt(len(s)) if len(s) > 1 else np.nan for s in samples])
    return np.array(sizes), means, errors


@checked
def differences(table: pd.DataFrame, knob: str, value: float, n: int, column: str = "accuracy") -> np.ndarray:
    """The point's value minus the baseline's, for each seed that has both.

    Examples
    --------
    >>> one = {"seed": [0, 1], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.9]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8]})
    >>> differences(pd.concat([scaled, baseline]), "kappa", 0.5, 10).round(3)
    array([0.05, 0.1 ])
    """
    scaled, baseline = by_seed(table, knob, value, n, column), by_seed(table, *BASELINE, n, column)
    return np.array([scaled[s] - baseline[s] for s in sorted(scaled.keys() & baseline.keys())])


@checked
def slopes(table: pd.DataFrame, knob: str, n: int, column: str = "accuracy") -> np.ndarray:
    """Change per doubling of the knob, for each seed: the least-squares slope over log2 of its values.

    Examples
    --------
    >>> one = {"seed": [0, 1], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.9]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8]})
    >>> slopes(pd.concat([scaled, baseline]), "kappa", 10).round(3)  # from 0.5 to 1
    array([-0.05, -0.1 ])
    """
    values = values_of(table, knob)
    rows = [by_seed(table, knob, value, n, column) for value in values]
    seeds = sorted(set.intersection(*(set(row) for row in rows)))
    x = np.log2(values) - np.mean(np.log2(values))
    y = np.array([[row[s] for row in rows] for s in seeds])
    return np.asarray(y @ x / (x @ x))


@checked
def paired_effect(samples: ArrayLike, expected_sign: int) -> Effect:
    """Mean of one number per class split, its 95 % interval, and whether that lies on the expected side of zero.

    Parameters
    ----------
    samples : array_like (splits,), at least two
    expected_sign : +1 or -1

    Raises
    ------
    ValueError
        If there are fewer than two samples or the sign is neither 1 nor -1.

    Examples
    --------
    >>> effect = paired_effect([0.02, 0.03, 0.04], expected_sign=1)
    >>> effect.verdict, round(effect.low, 3), round(effect.high, 3)
    ('agree', 0.005, 0.055)
    """
    x = real_array(samples, "samples", ndim=1)
    require(len(x) >= 2, "number of samples", len(x), "at least 2")
    require(expected_sign in (1, -1), "expected_sign", expected_sign, "1 or -1")
    mean, half = x.mean(), stats.t.ppf(0.975, len(x) - 1) * stats.sem(x)
    low, high = float(mean - half), float(mean + half)
    if min(low * expected_sign, high * expected_sign) > 0:
        verdict = "agree"
    elif max(low * expected_sign, high * expected_sign) < 0:
        verdict = "disagree"
    else:
        verdict = "undecided"
    return Effect(float(mean), low, high, len(x), verdict)


@checked
def trend(table: pd.DataFrame, knob: str, column: str = "accuracy", expected_sign: int = -1) -> dict[int, Effect]:
    """For each sample size, the change of a column per doubling of the knob; smaller scales are expected to be better.

    The expected sign is that of the accuracy unless another is given.

    Examples
    --------
    >>> one = {"seed": [0, 1, 2], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.86, 0.88]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8, 0.83]})
    >>> trend(pd.concat([scaled, baseline]), "kappa")[10].verdict
    'agree'
    """
    return {n: paired_effect(slopes(table, knob, n, column), expected_sign) for n in sizes_of(table)}


@checked
def gains(table: pd.DataFrame, knob: str, column: str = "accuracy") -> dict[tuple[float, int], Effect]:
    """A column minus the baseline's, by value and sample size: expected to gain below 1 and to lose above.

    Examples
    --------
    >>> one = {"seed": [0, 1, 2], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.86, 0.88]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8, 0.83]})
    >>> {point: effect.verdict for point, effect in gains(pd.concat([scaled, baseline]), "kappa").items()}
    {(0.5, 10): 'agree'}
    """
    return {
        (value, n): paired_effect(differences(table, knob, value, n, column), 1 if value < BASELINE[1] else -1)
        for value in values_of(table, knob)
        if value != BASELINE[1]
        for n in sizes_of(table)
    }


@checked
def tally(effects: Iterable[Effect]) -> str:
    """How many effects have the expected sign, in words.

    Examples
    --------
    >>> tally([paired_effect([1.0, 1.1], 1), paired_effect([-1.0, 1.0], 1), paired_effect([1.0, 1.05], 1)])
    'as stated in 2 of 3, undecided in 1, opposite in 0'
    """
    verdicts = [effect.verdict for effect in effects]
    agree, undecided, disagree = (verdicts.count(word) for word in ("agree", "undecided", "disagree"))
    return f"as stated in {agree} of {len(verdicts)}, undecided in {undecided}, opposite in {disagree}"


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
    values = values_of(table, "weights") if "weights" in knobs_of(table) else [BASELINE[1]]
    means = {
        name: {value: float(curve(table, "weights", value, column)[1][0]) for value in values}
        for name, column in (("trained", "accuracy"), ("recalibrated", "accuracy_recalibrated"))
    }
    means["published"] = {value: accuracies[0] for value, accuracies in PUBLISHED_SCALING.items()}
    return {name: sorted(one, key=lambda value: -one[value]) for name, one in means.items()}
