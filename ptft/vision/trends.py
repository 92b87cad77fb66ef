"""Accuracy by sample size, and tests paired over class splits of the trends that Figure 4 of the paper reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from ptft.validation import one_of, real_array, require
from ptft.vision.representation import STAGES
from ptft.vision.sweep import BASELINE, KNOBS

EXPECTED_SIGN = {"kappa": -1, "c": -1, "gamma": -1, "weights": -1}  # the paper: smaller scales generalize better


@dataclass(frozen=True)
class Effect:
    """Mean over class splits of a paired quantity, with its 95 % interval from Student's t."""

    mean: float
    low: float
    high: float
    splits: int
    verdict: str  # "agree", "disagree" or "undecided" with the expected sign


def by_seed(table: pd.DataFrame, knob: str, value: float, n: int, column: str = "accuracy") -> dict[int, float]:
    """One column of the points (knob, value, n), by seed; value 1 of any knob is the baseline."""
    if value == BASELINE[1]:
        knob = BASELINE[0]
    chosen = table[(table["knob"] == knob) & np.isclose(table["value"], value) & (table["n"] == n)]
    if not len(chosen):
        raise ValueError(f"knob, value, n = {knob!r}, {value:g}, {n} is not allowed: it must be in the table")
    return {int(seed): float(x) for seed, x in zip(chosen["seed"], chosen[column], strict=True)}


def values_of(table: pd.DataFrame, knob: str) -> list[float]:
    """Values of a knob in the table in increasing order, with the baseline's 1."""
    one_of(knob, "knob", tuple(np.unique(table["knob"])))
    return sorted({*table["value"][table["knob"] == knob].tolist(), BASELINE[1]})


def curve(table: pd.DataFrame, knob: str, value: float, column: str = "accuracy") -> tuple[np.ndarray, ...]:
    """Sample sizes, and the mean over seeds and its standard error at each of them."""
    sizes = np.unique(table["n"])
    samples = [np.array(list(by_seed(table, knob, value, int(n), column).values())) for n in sizes]
    means = np.array([s.mean() for s in samples])
    errors = np.array([s.std(ddof=1) / np.sqrt(len(s)) if len(s) > 1 else np.nan for s in samples])
    return sizes, means, errors


def differences(table: pd.DataFrame, knob: str, value: float, n: int, column: str = "accuracy") -> np.ndarray:
    """The point's value minus the baseline's, for each seed that has both."""
    scaled, baseline = by_seed(table, knob, value, n, column), by_seed(table, *BASELINE, n, column)
    return np.array([scaled[s] - baseline[s] for s in sorted(scaled.keys() & baseline.keys())])


def slopes(table: pd.DataFrame, knob: str, n: int, column: str = "accuracy") -> np.ndarray:
    """Change per doubling of the knob, for each seed: the least-squares slope over log2 of its values."""
    values = values_of(table, knob)
    rows = [by_seed(table, knob, value, n, column) for value in values]
    seeds = sorted(set.intersection(*(set(row) for row in rows)))
    x = np.log2(values) - np.mean(np.log2(values))
    y = np.array([[row[s] for row in rows] for s in seeds])
    return y @ x / (x @ x)


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


def slopes_table(table: pd.DataFrame, knob: str, column: str = "accuracy") -> list[tuple[int, Effect]]:
    """For each sample size, the effect of doubling the knob on a column, tested against the paper's direction."""
    sizes = [int(n) for n in np.unique(table["n"])]
    return [(n, paired_effect(slopes(table, knob, n, column), EXPECTED_SIGN[knob])) for n in sizes]


@dataclass(frozen=True)
class Signature:
    """Dimensions of the last stage for one value of a knob, means over class splits (Appendix D of the paper).

    `change` is the effect on log(PR after / PR before), negative in the regime that is rich and depends on pretraining;
    `inherited` is ENSD / PR after, close to 1 there.
    """

    knob: str
    value: float
    pr_before: float
    pr_after: float
    ensd: float
    change: Effect
    inherited: float


def signature(table: pd.DataFrame, n: int, stage: str = STAGES[-1]) -> list[Signature]:
    """The signature for the baseline and for every value of every knob, from a table of representations."""
    rows = table[(table["n"] == n) & (table["stage"] == stage)]
    found = []
    settings = [(knob, value) for knob in KNOBS if (rows["knob"] == knob).any() for value in values_of(rows, knob)]
    for knob, value in [BASELINE, *(setting for setting in settings if setting[1] != BASELINE[1])]:
        chosen = rows[(rows["knob"] == knob) & np.isclose(rows["value"], value)]
        before, after, shared = (chosen[c] for c in ("pr_before", "pr_after", "ensd"))
        found.append(
            Signature(
                knob=knob,
                value=value,
                pr_before=float(before.mean()),
                pr_after=float(after.mean()),
                ensd=float(shared.mean()),
                change=paired_effect(np.log(after / before), -1),
                inherited=float((shared / after).mean()),
            )
        )
    return found


def capped_pretraining(pretrainings: pd.DataFrame) -> dict[tuple[str, float], float]:
    """Share of class splits whose pretraining was ended by the cap on epochs, for each setting where there are any.

    Parameters
    ----------
    pretrainings : DataFrame with columns seed, knob, value, pretraining_epochs and pretraining_stopped_by
        Such as the list of that name in the provenance of a table.
    """
    capped = pretrainings[(pretrainings["pretraining_stopped_by"] == "cap") & (pretrainings["pretraining_epochs"] > 0)]
    total = pretrainings["seed"].nunique()
    counts = capped.groupby(["knob", "value"])["seed"].nunique()
    return {(str(knob), float(value)): count / total for (knob, value), count in counts.items()}
