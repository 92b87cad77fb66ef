"""What a knob does, by comparisons that are paired over seeds, in the table of any sweep of knobs.

Such a table has the columns ``seed``, ``knob``, ``value`` and ``n``, the number of examples of fine-tuning, and those
that are measured. Value 1 of each knob is the baseline, whose rows have a knob of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from ptft.validation import checked, one_of, positive_array, real_array, require, require_table, whole_number

if TYPE_CHECKING:
    import pandas as pd

BASELINE = ("baseline", 1.0)  # a knob and its value
LEVEL = 0.975  # of the upper ends of intervals
UNTRAINED = "untrained"  # the knob of what was not pretrained, whose value 1 is no baseline


@dataclass(frozen=True)
class Effect:
    """Mean over seeds of a paired quantity, with its 95 % interval from Student's t."""

    mean: float
    low: float
    high: float
    seeds: int
    verdict: str  # "agree", "disagree" or "undecided" with the expected sign

    def __str__(self) -> str:
        """In per cent, on one line."""
        return f"{100 * self.mean:+.1f}\u00a0±\u00a0{100 * self.half:.1f}"

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return self.high - self.mean

    @property
    def p_value(self) -> float:
        """Of the two-sided test that the mean is 0; 1 where a single seed tells nothing."""
        if self.seeds < 2:
            return 1.0
        error = self.half / interval_factor(self.seeds)
        return float(2 * stdtr(self.seeds - 1, -abs(self.mean) / error)) if error else float(not self.mean)


@checked
def interval_factor(samples: int) -> float:
    """How many standard errors the 95 % interval of a mean reaches on either side of it (Student's t).

    Parameters
    ----------
    samples : int, at least 1
        Of independent and normally distributed numbers; one alone has no interval, and the result is not a number.

    Raises
    ------
    ValueError
        If `samples` is not a whole number of at least 1.

    Examples
    --------
    >>> round(interval_factor(3), 2), round(interval_factor(10_000), 2)
    (4.3, 1.96)
    """
    return float(stdtrit(whole_number(samples, "samples", at_least=1) - 1, LEVEL))


@checked
def by_seed(table: pd.DataFrame, knob: str, value: float, n: int, column: str = "accuracy") -> dict[int, float]:
    """One column of the points (knob, value, n), by seed; value 1 of a knob is the baseline.

    Raises
    ------
    ValueError
        If the table has no such point, or several rows of one seed for it, as of several networks, data sets or stages.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"seed": [0, 1], "knob": "kappa", "value": 0.5, "n": 10, "accuracy": [0.7, 0.8]})
    >>> by_seed(table, "kappa", 0.5, 10)
    {0: 0.7, 1: 0.8}
    """
    require_table(table, "table", ["seed", "knob", "value", "n", column])
    if value == BASELINE[1] and knob != UNTRAINED:
        knob = BASELINE[0]
    knobs, values, sizes = (table[name].to_numpy() for name in ("knob", "value", "n"))
    chosen = (knobs == knob) & np.isclose(values, value) & (sizes == n)
    if not chosen.any():
        raise ValueError(f"knob, value, n = {knob!r}, {value:g}, {n} is not allowed: it must be in the table")
    seeds, measured = (table[name].to_numpy()[chosen] for name in ("seed", column))
    found = {int(seed): float(x) for seed, x in zip(seeds, measured, strict=True)}
    if len(found) < len(seeds):
        place = f"knob, value, n = {knob!r}, {value:g}, {n}"
        raise ValueError(
            f"table has {len(seeds)} rows of {len(found)} seeds at {place}: it must have one for each seed"
        )
    return found


@checked
def values_of(table: pd.DataFrame, knob: str) -> list[float]:
    """Values of a knob in the table in increasing order, with the baseline's 1.

    Raises
    ------
    ValueError
        If the table has no point of this knob.

    Examples
    --------
    >>> import pandas as pd
    >>> values_of(pd.DataFrame({"knob": "kappa", "value": [2.0, 0.5]}), "kappa")
    [0.5, 1.0, 2.0]
    """
    require_table(table, "table", ["knob", "value"])
    one_of(knob, "knob", tuple(np.unique(table["knob"])))
    return sorted({*table["value"][table["knob"] == knob].tolist(), BASELINE[1]})


@checked
def sizes_of(table: pd.DataFrame) -> list[int]:
    """Numbers of fine-tuning examples in the table, in increasing order.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> sizes_of(pd.DataFrame({"n": [50, 10, 10]}))
    [10, 50]
    """
    require_table(table, "table", ["n"])
    return [int(n) for n in np.unique(table["n"])]


@checked
def common_points(
    tables: Iterable[pd.DataFrame], columns: Sequence[str] = ("seed", "knob", "value", "n")
) -> list[pd.DataFrame]:
    """The rows of several tables at the points that all of them have.

    Parameters
    ----------
    tables : iterable of DataFrame
    columns : sequence of str
        What makes a point; with the seeds by default.

    Raises
    ------
    ValueError
        If a table lacks one of the columns.

    Examples
    --------
    >>> import pandas as pd
    >>> one, other = (pd.DataFrame({"n": sizes, "error": 0.5}) for sizes in ([10, 20, 50], [20, 50, 100]))
    >>> [table["n"].tolist() for table in common_points([one, other], ["n"])]
    [[20, 50], [20, 50]]
    """
    given, names = list(tables), list(columns)
    for table in given:
        require_table(table, "tables", names)
    points = [table[names].apply(tuple, axis=1) for table in given]
    shared = set.intersection(*map(set, points)) if points else set()
    return [table[at.isin(shared)] for table, at in zip(given, points, strict=True)]


@checked
def complete_seeds(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table without the seeds of which a row has no finite value in a column.

    Raises
    ------
    ValueError
        If the table has no such column, or none of seeds.

    Examples
    --------
    >>> import pandas as pd
    >>> complete_seeds(pd.DataFrame({"seed": [0, 0, 1], "error": [1.0, None, 2.0]}), "error")["seed"].tolist()
    [1]
    """
    require_table(table, "table", ["seed", column])
    return table[~table["seed"].isin(table["seed"][~np.isfinite(table[column].astype(float))])]


@checked
def curve(table: pd.DataFrame, knob: str, value: float, column: str = "accuracy") -> tuple[np.ndarray, ...]:
    """Sample sizes, and the mean over seeds and its standard error at each of them.

    Examples
    --------
    >>> import pandas as pd
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
    >>> import pandas as pd
    >>> one = {"seed": [0, 1], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.9]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8]})
    >>> differences(pd.concat([scaled, baseline]), "kappa", 0.5, 10).round(3)
    array([0.05, 0.1 ])
    """
    return np.array(list(_paired(table, knob, value, n, column).values()))


def _paired(table: pd.DataFrame, knob: str, value: float, n: int, column: str) -> dict[int, float]:
    """`differences`, by seed in increasing order."""
    scaled, baseline = by_seed(table, knob, value, n, column), by_seed(table, *BASELINE, n, column)
    return {s: scaled[s] - baseline[s] for s in sorted(scaled.keys() & baseline.keys())}


@checked
def per_doubling(values: ArrayLike, measured: ArrayLike) -> np.ndarray:
    """Change per doubling of a value: the least-squares slope over its logarithm to the base 2.

    Parameters
    ----------
    values : array_like, shape (m,)
        Positive, at least two of them different.
    measured : array_like, shape (..., m)

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If a value is not positive, all are the same, or there are not as many measurements.

    Examples
    --------
    >>> per_doubling([0.5, 1.0, 4.0], [[3.0, 4.0, 6.0], [0.2, 0.4, 0.8]]).round(3)
    array([1. , 0.2])
    """
    x, y = np.log2(positive_array(values, "values", ndim=1)), real_array(measured, "measured")
    require(np.ptp(x) > 0, "values", values, "two or more, not all the same")
    require(y.shape[-1:] == x.shape, "shape of measured", y.shape, f"(..., {x.size}), as there are values")
    x = x - x.mean()
    return np.asarray(y @ x / (x @ x))


@checked
def slopes(table: pd.DataFrame, knob: str, n: int, column: str = "accuracy") -> np.ndarray:
    """Change per doubling of the knob, for each seed: the least-squares slope over log2 of its values.

    Examples
    --------
    >>> import pandas as pd
    >>> one = {"seed": [0, 1], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.9]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8]})
    >>> slopes(pd.concat([scaled, baseline]), "kappa", 10).round(3)  # from 0.5 to 1
    array([-0.05, -0.1 ])
    """
    return pooled_slopes(table[table["n"] == n], knob, column)


@checked
def pooled_slopes(table: pd.DataFrame, knob: str, column: str = "accuracy") -> np.ndarray:
    """`slopes`, averaged over all sample sizes: one number for each seed that has all of them.

    Examples
    --------
    >>> import pandas as pd
    >>> one = {"seed": [0, 1], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.9]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8]})
    >>> table = pd.concat([scaled, baseline])
    >>> pooled_slopes(pd.concat([table, table.assign(n=20, accuracy=0.5)]), "kappa").round(3)
    array([-0.025, -0.05 ])
    """
    values, y = _complete(table, knob, column)
    return np.asarray(per_doubling(values, y).mean(axis=1))


@checked
def differences_over_sizes(table: pd.DataFrame, knob: str, value: float, column: str = "accuracy") -> np.ndarray:
    """`differences` averaged over all sizes of the table, of the seeds that have them all.

    Returns
    -------
    ndarray (seeds,)
        In increasing order of the seeds.

    Raises
    ------
    ValueError
        If the table lacks a column or a point.

    Examples
    --------
    >>> import pandas as pd
    >>> points = [(s, k, v, n, a + n / 1000) for s in range(3) for n in (10, 20) for k, v, a in
    ...           (("baseline", 1.0, 0.8), ("c", 2.0, 0.7))]
    >>> table = pd.DataFrame(points, columns=["seed", "knob", "value", "n", "accuracy"])
    >>> differences_over_sizes(table, "c", 2.0).round(3).tolist()
    [-0.1, -0.1, -0.1]
    """
    require_table(table, "table", ["seed", "knob", "value", "n", column])
    each = [_paired(table, knob, value, n, column) for n in sizes_of(table)]
    seeds = sorted(set.intersection(*map(set, each)))
    return np.asarray(np.mean([[one[seed] for seed in seeds] for one in each], axis=0))


@checked
def mean_differences(table: pd.DataFrame, knob: str, side: str, column: str = "accuracy") -> np.ndarray:
    """A column less the baseline's, averaged over the values of a knob on one side of 1 and over all sample sizes.

    Parameters
    ----------
    table : DataFrame
    knob : str
    side : "below" or "above"
    column : str, default "accuracy"

    Returns
    -------
    ndarray (seeds,)
        Of the seeds that have all points.

    Raises
    ------
    ValueError
        If the knob has no value on that side, or the table no such knob or column.

    Examples
    --------
    >>> import pandas as pd
    >>> one = {"seed": [0, 1], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.9]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8]})
    >>> mean_differences(pd.concat([scaled, baseline]), "kappa", "below").round(3)
    array([0.05, 0.1 ])
    """
    values, y = _complete(table, knob, column)
    chosen = values < BASELINE[1] if one_of(side, "side", ("below", "above")) == "below" else values > BASELINE[1]
    require(bool(chosen.any()), "side", side, f"one on which {knob} has values: they are {values.tolist()}")
    return np.asarray((y[..., chosen] - y[..., values == BASELINE[1]]).mean(axis=(1, 2)))


def _complete(table: pd.DataFrame, knob: str, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of a knob and, of the seeds that have them all, one column of the points, (seeds, sizes, values)."""
    require_table(table, "table", ["seed", "knob", "value", "n", column])
    values, sizes = np.array(values_of(table, knob)), np.unique(table["n"])
    seeds = np.unique(table["seed"])
    knobs, at, n, seed, measured = (table[name].to_numpy() for name in ("knob", "value", "n", "seed", column))
    of_baseline = np.isclose(at, BASELINE[1]) & (knob != UNTRAINED)
    chosen = np.where(of_baseline, knobs == BASELINE[0], knobs == knob)
    place = (
        np.searchsorted(seeds, seed[chosen]),
        np.searchsorted(sizes, n[chosen]),
        np.abs(values - at[chosen, None]).argmin(axis=1),
    )
    shape = len(seeds), len(sizes), len(values)
    there, found = np.zeros(shape, dtype=bool), np.empty(shape)
    there[place], found[place] = True, measured[chosen]
    for i, j in np.argwhere(~there.any(axis=0)):
        by_seed(table, knob, values[j], sizes[i], column)  # says what is missing
    return values, found[there.all(axis=(1, 2))]


@checked
def paired_effect(samples: ArrayLike, expected_sign: int) -> Effect:
    """Mean of one number per seed, its 95 % interval, and whether that lies on the expected side of zero.

    Parameters
    ----------
    samples : array_like (seeds,), at least two
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
    mean, half = x.mean(), interval_factor(len(x)) * x.std(ddof=1) / np.sqrt(len(x))
    low, high = float(mean - half), float(mean + half)
    if min(low * expected_sign, high * expected_sign) > 0:
        verdict = "agree"
    elif max(low * expected_sign, high * expected_sign) < 0:
        verdict = "disagree"
    else:
        verdict = "undecided"
    return Effect(float(mean), low, high, len(x), verdict)


@checked
def effect(samples: ArrayLike, expected_sign: int = 1) -> Effect:
    """`paired_effect`, for which a single seed decides nothing.

    Parameters
    ----------
    samples : array_like (seeds,)
    expected_sign : +1 (default) or -1

    Raises
    ------
    ValueError
        If there is no sample, one is not finite, or the sign is neither 1 nor -1.

    Examples
    --------
    >>> effect([0.5]).verdict, effect([0.5, 0.6, 0.7]).verdict
    ('undecided', 'agree')
    """
    x = real_array(samples, "samples", ndim=1)
    if len(x) > 1:
        return paired_effect(x, expected_sign)
    require(expected_sign in (1, -1), "expected_sign", expected_sign, "1 or -1")
    return Effect(float(x[0]), np.nan, np.nan, 1, "undecided")


@checked
def difference(first: Mapping[int, float], second: Mapping[int, float], expected_sign: int = 1) -> Effect:
    """`effect` of the first minus the second, for each seed that has both.

    Parameters
    ----------
    first, second : mapping from a seed to a number, as from `by_seed`
    expected_sign : +1 (default) or -1

    Raises
    ------
    ValueError
        If no seed has both, a number is not finite, or the sign is neither 1 nor -1.

    Examples
    --------
    >>> difference({0: 1.5, 1: 2.5, 2: 0.0}, {0: 1.0, 1: 1.0}).mean
    1.0
    """
    return effect([first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())], expected_sign)


@checked
def trend(table: pd.DataFrame, knob: str, column: str = "accuracy", expected_sign: int = -1) -> dict[int, Effect]:
    """For each sample size, the change of a column per doubling of the knob; smaller scales are expected to be better.

    The expected sign is that of the accuracy unless another is given.

    Examples
    --------
    >>> import pandas as pd
    >>> one = {"seed": [0, 1, 2], "n": 10}
    >>> scaled = pd.DataFrame(one | {"knob": "kappa", "value": 0.5, "accuracy": [0.75, 0.86, 0.88]})
    >>> baseline = pd.DataFrame(one | {"knob": "baseline", "value": 1.0, "accuracy": [0.7, 0.8, 0.83]})
    >>> trend(pd.concat([scaled, baseline]), "kappa")[10].verdict
    'agree'
    """
    return {n: effect(slopes(table, knob, n, column), expected_sign) for n in sizes_of(table)}


@checked
def pooled_trend(table: pd.DataFrame, knob: str, column: str = "accuracy", expected_sign: int = -1) -> Effect:
    """`trend` over all sample sizes together, from `pooled_slopes`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(s, k, v, n, s + 0.5 * np.log2(v)) for s in range(2) for n in (60, 120)
    ...         for k, v in (("baseline", 1.0), ("c", 4.0))]
    >>> table = pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"])
    >>> pooled_trend(table, "c", "error", expected_sign=1).mean
    0.5
    """
    return effect(pooled_slopes(table, knob, column), expected_sign)


@checked
def gains(table: pd.DataFrame, knob: str, column: str = "accuracy") -> dict[tuple[float, int], Effect]:
    """A column minus the baseline's, by value and sample size: expected to gain below 1 and to lose above.

    Examples
    --------
    >>> import pandas as pd
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
def simultaneous(effects: Iterable[Effect]) -> list[Effect]:
    """Effects that are looked at together, with intervals as wide as Holm's procedure asks.

    With it, the chance that any of several means that are 0 is told from 0 is at most 5 %, however the effects depend
    on each other. An interval excludes 0 just where the procedure tells the mean from 0.

    Parameters
    ----------
    effects : iterable of Effect

    Returns
    -------
    list of Effect
        In the order of those given; means are the same, and what is not told from 0 is undecided.

    Examples
    --------
    >>> two = [paired_effect([1.0, 1.2, 1.1], 1), paired_effect([1.0, 1.2, 1.4], 1)]
    >>> [round(one.half, 2) for one in two], [round(one.half, 2) for one in simultaneous(two)]
    ([0.25, 0.5], [0.36, 0.5])
    """
    given = list(effects)
    order = sorted(range(len(given)), key=lambda i: given[i].p_value)
    found, remaining, open_still = list(given), len(given), True
    for i in order:
        one, chance = given[i], 2 * (1 - LEVEL) / remaining  # of an error; it stays as it is after the first that fails
        open_still = open_still and one.p_value <= chance
        remaining -= open_still
        wider = stdtrit(one.seeds - 1, 1 - chance / 2) / interval_factor(one.seeds) if one.seeds > 1 else 1.0
        low, high = float(one.mean - wider * one.half), float(one.mean + wider * one.half)
        found[i] = replace(one, low=low, high=high, verdict=one.verdict if open_still else "undecided")
    return found


@checked
def holm(effects: Iterable[Effect]) -> list[Effect]:
    """Effects that are looked at together: undecided where Holm's procedure does not tell the mean from 0.

    Parameters
    ----------
    effects : iterable of Effect

    Returns
    -------
    list of Effect
        As from `simultaneous`, with the intervals of those given.

    Examples
    --------
    >>> two = [paired_effect([1.0, 1.2, 1.1], 1), paired_effect([0.1, 0.9, 0.7], 1)]
    >>> three = [*two, paired_effect([0.6, 1.1, 1.6], 1)]
    >>> [effect.verdict for effect in three], [effect.verdict for effect in holm(three)]
    (['agree', 'undecided', 'undecided'], ['agree', 'undecided', 'undecided'])
    """
    given = list(effects)
    return [replace(one, verdict=wide.verdict) for one, wide in zip(given, simultaneous(given), strict=True)]


@checked
def opposed(pairs: Iterable[tuple[Effect, Effect]]) -> list[Effect]:
    """Whether two means have opposite signs, for each pair.

    Of a pair both are told from 0 where its larger p-value is small enough: the effect of that p-value stands for the
    pair, with the sign that makes its mean positive where the two means have opposite signs.

    Parameters
    ----------
    pairs : iterable of pairs of Effect

    Returns
    -------
    list of Effect
        Pairs that are looked at together still have to go through `holm` or `simultaneous`.

    Examples
    --------
    >>> up, down, flat = (paired_effect(x, 1) for x in ([1.0, 1.2, 1.1], [-2.0, -2.1, -1.9], [-1.0, 1.0, 0.5]))
    >>> [effect.verdict for effect in opposed([(up, down), (up, up), (down, flat)])]
    ['agree', 'disagree', 'undecided']
    """
    found = []
    for first, second in pairs:
        surer, weaker = sorted((first, second), key=lambda one: one.p_value)
        down = surer.mean < 0
        mean, low, high = (weaker.mean, weaker.low, weaker.high) if down else (-weaker.mean, -weaker.high, -weaker.low)
        told = "agree" if mean > 0 else "disagree"
        found.append(Effect(mean, low, high, weaker.seeds, told if weaker.verdict != "undecided" else "undecided"))
    return found
