"""What the stored runs on modular arithmetic say of the knobs: slopes of errors, orders of settings, shares of power.

Errors are looked at as logarithms to the base 2, since they range over orders of magnitude: a slope of 1 over the
logarithm of a knob doubles the error with each doubling of the scale. Slopes of them are `ptft.trends.trend` and
`ptft.trends.pooled_trend` with the column "error" and the expected sign +1, where smaller scales are better.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ptft.modular.protocol import NETWORKS
from ptft.modular.tasks import RELATIONS
from ptft.trends import (
    BASELINE,
    UNTRAINED,
    Effect,
    by_seed,
    complete_seeds,
    curve,
    difference,
    effect,
    per_doubling,
    pooled_slopes,
    pooled_trend,
    sizes_of,
    slopes,
    values_of,
)
from ptft.validation import checked, one_of, positive_number, real_number, require_table

if TYPE_CHECKING:
    import pandas as pd

PLACES = {  # of the frequencies of fine-tuning, by the relations of the tasks: in K_PT, one half there, beside it, all
    "inside": ("nested", "reuse"),
    "half": ("half",),
    "beside": ("new",),
    "all": ("dense",),
}
THEORIES = {"tangent": "tangent_error", "diagonal": "diagonal_error"}  # columns of `runs` and of the stored table


@checked
def runs(table: pd.DataFrame, network: str, relation: str, size: int | None = None) -> pd.DataFrame:
    """The rows of one network and one pair of tasks, with the columns that are compared.

    ``error``, ``tangent`` and ``diagonal`` are the logarithms to the base 2 of the test error and of its predictions;
    ``wrong`` is the share of wrong answers; ``on_pt_before``, ``on_ft_before``, ``on_pt_after`` and ``on_ft_after`` are
    the shares of the embedding's power at the frequencies of either task. A seed of which a run has no finite error is
    left out.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it
    network : str
        One of `ptft.modular.protocol.NETWORKS`.
    relation : str
        One of `ptft.modular.tasks.RELATIONS`.
    size : int, optional
        Number of frequencies of fine-tuning, by default the smallest of the table.

    Raises
    ------
    ValueError
        If the table lacks a column, or has no complete seed of this network on these tasks.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> from ptft.sweeps.modular import SWEEP
    >>> table, _ = SWEEP.read_table(results_file("modular.parquet"))
    >>> nested = runs(table, "quadratic", "nested")
    >>> nested["size"].unique().tolist(), bool((nested["on_pt_before"] <= 1).all())
    ([1], True)
    """
    powers = [f"power{task}_{when}" for when in ("before", "after") for task in ("", "_pt", "_ft")]
    measured = ["test_error", "correct", "tested", *THEORIES.values(), *powers]
    require_table(table, "table", ["network", "relation", "size", "knob", "value", "n", "seed", *measured])
    one_of(network, "network", NETWORKS)
    one_of(relation, "relation", RELATIONS)
    rows = table[(table["network"] == network) & (table["relation"] == relation)]
    rows = rows[rows["size"] == (rows["size"].min() if size is None else size)]
    rows = complete_seeds(rows, "test_error")
    if not len(rows):
        raise ValueError(f"table has no complete seed of the {network} on {relation} tasks of size {size}")
    errors = {"error": "test_error", **THEORIES}
    found = {name: np.log2(rows[column].astype(float)) for name, column in errors.items()}
    for when in ("before", "after"):
        for task in ("pt", "ft"):
            found[f"on_{task}_{when}"] = rows[f"power_{task}_{when}"] / rows[f"power_{when}"]
    return rows.assign(**found, wrong=1 - rows["correct"] / rows["tested"])


@checked
def errors_by_size(
    table: pd.DataFrame, network: str, place: str, n: int, column: str = "error"
) -> dict[int, dict[int, float]]:
    """The error from the baseline by the number of frequencies of fine-tuning, and by seed.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it
    network : "quadratic" or "transformer"
    place : str
        Where the frequencies lie, one of `PLACES`; phases are drawn anew.
    n : int
        Number of pairs.
    column : str, default "error"
        Of `runs`.

    Raises
    ------
    ValueError
        If the place is none of these, or the table has no such runs.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> from ptft.sweeps.modular import SWEEP
    >>> table, _ = SWEEP.read_table(results_file("modular.parquet"))
    >>> list(errors_by_size(table, "quadratic", "inside", 240))
    [1, 2, 3, 4, 5]
    """
    require_table(table, "table", ["network", "relation", "size", "knob", "n"])
    one_of(network, "network", NETWORKS)
    relations = PLACES[one_of(place, "place", tuple(PLACES))]
    rows = table[(table["network"] == network) & (table["knob"] == BASELINE[0]) & (table["n"] == n)]
    rows = rows[rows["relation"].isin(relations)]
    if not len(rows):
        raise ValueError(f"n = {n} is not allowed: the table must have it, with tasks {' or '.join(relations)}")
    cells = sorted({(int(size), relation) for size, relation in zip(rows["size"], rows["relation"], strict=True)})
    return {size: by_seed(runs(rows, network, relation, size), *BASELINE, n, column) for size, relation in cells}


@checked
def denser(table: pd.DataFrame, network: str, n: int) -> dict[str, Effect]:
    """Change of the error per doubling of the number of frequencies: least-squares slopes, paired by seed.

    Parameters
    ----------
    table, network, n
        As in `errors_by_size`.

    Returns
    -------
    dict
        By those of `PLACES` where the table has several numbers.

    Raises
    ------
    ValueError
        As `errors_by_size`.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> from ptft.sweeps.modular import SWEEP
    >>> table, _ = SWEEP.read_table(results_file("modular.parquet"))
    >>> list(denser(table, "quadratic", 240))
    ['inside', 'half', 'beside']
    """
    found = {}
    for place in PLACES:
        of_size = errors_by_size(table, network, place, n)
        if len(of_size) > 1:
            seeds = sorted(set.intersection(*(set(one) for one in of_size.values())))
            measured = [[one[seed] for one in of_size.values()] for seed in seeds]
            found[place] = effect(per_doubling(list(of_size), measured))
    return found


@checked
def farther(table: pd.DataFrame, network: str, n: int) -> dict[tuple[str, str, int], Effect]:
    """By how much the error rises with fewer frequencies of pretraining among equally many, paired by seed.

    Parameters
    ----------
    table, network, n
        As in `errors_by_size`.

    Returns
    -------
    dict
        By the places, the nearer first, and the number of frequencies: with three places, the neighbours.

    Raises
    ------
    ValueError
        As `errors_by_size`.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> from ptft.sweeps.modular import SWEEP
    >>> table, _ = SWEEP.read_table(results_file("modular.parquet"))
    >>> list(farther(table, "quadratic", 240))[:3]
    [('inside', 'beside', 1), ('inside', 'half', 2), ('half', 'beside', 2)]
    """
    by_place = {place: errors_by_size(table, network, place, n) for place in tuple(PLACES)[:-1]}
    found: dict[tuple[str, str, int], Effect] = {}
    for size in sorted({size for one in by_place.values() for size in one}):
        there = [(place, one[size]) for place, one in by_place.items() if size in one]
        found |= {(near, far, size): difference(worse, better) for (near, better), (far, worse) in pairwise(there)}
    return found


@checked
def contrast(first: pd.DataFrame, second: pd.DataFrame, knob: str, n: int | None = None) -> Effect:
    """By how much a slope of the error differs between two tasks, paired by seed.

    Parameters
    ----------
    first, second : DataFrame, as `runs` returns them
    knob : str
    n : int, optional
        Number of pairs, by default all together.

    Raises
    ------
    ValueError
        If a table lacks the knob or the number, or they have no seed in common.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(s, k, v, 60, s * np.log2(v)) for s in range(2) for k, v in (("baseline", 1.0), ("c", 4.0))]
    >>> table = pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"])
    >>> contrast(table, table.assign(error=3 * table["error"]), "c").mean
    -1.0
    """
    both = set(first["seed"]) & set(second["seed"])
    one, other = (
        pooled_slopes(part, knob, "error") if n is None else slopes(part, knob, n, "error")
        for part in (table[table["seed"].isin(both)] for table in (first, second))
    )
    return effect(one - other)


@checked
def either_side(runs: pd.DataFrame, knob: str) -> tuple[Effect, Effect]:
    """Slopes of the error over the values of a knob up to the baseline, and over those from it upwards.

    Both are averaged over all numbers of pairs and have the expected sign +1: where they differ in their signs, a slope
    over all values hides that the error has its minimum, or its maximum, in between.

    Parameters
    ----------
    runs : DataFrame, as `runs` returns it
    knob : str
        With values on both sides of 1.

    Raises
    ------
    ValueError
        If the table lacks the knob or a column, or has no values on one side.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(s, k, v, 60, s + abs(np.log2(v))) for s in range(3) for k, v in
    ...         (("baseline", 1.0), ("c", 0.5), ("c", 4.0))]
    >>> below, above = either_side(pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"]), "c")
    >>> below.mean, above.mean
    (-1.0, 1.0)
    """
    require_table(runs, "runs", ["seed", "knob", "value", "n", "error"])
    values = values_of(runs, knob)
    if not values[0] < BASELINE[1] < values[-1]:
        raise ValueError(f"knob = {knob!r} is not allowed: it must have values below and above {BASELINE[1]:g} in runs")
    below, above = (runs[side] for side in (runs["value"] <= BASELINE[1], runs["value"] >= BASELINE[1]))
    return pooled_trend(below, knob, "error", 1), pooled_trend(above, knob, "error", 1)


@checked
def inner_minimum(runs: pd.DataFrame, knob: str) -> bool:
    """Whether the mean error, over seeds and numbers of pairs, is smallest at neither end of the range of a knob.

    Parameters
    ----------
    runs : DataFrame, as `runs` returns it
    knob : str

    Raises
    ------
    ValueError
        If the table lacks the knob, a column, or a number of pairs at a value.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(0, k, v, 60, abs(np.log2(v))) for k, v in (("baseline", 1.0), ("c", 0.5), ("c", 4.0))]
    >>> inner_minimum(pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"]), "c")
    True
    """
    require_table(runs, "runs", ["seed", "knob", "value", "n", "error"])
    means = [np.mean(curve(runs, knob, value, "error")[1]) for value in values_of(runs, knob)]
    return bool(0 < np.argmin(means) < len(means) - 1)


@checked
def best_factors(runs: pd.DataFrame, knob: str, n: int) -> list[float]:
    """The value of a knob with the smallest mean error, and after it those that are not told from it over the seeds.

    Parameters
    ----------
    runs : DataFrame, as `runs` returns it
    knob : str
    n : int
        Number of pairs.

    Raises
    ------
    ValueError
        If the table lacks the knob, a column or the number.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(s, k, v, 60, x + 0.1 * s * v) for s in range(4) for k, v, x in
    ...         (("baseline", 1.0, 0.1), ("c", 0.5, 0.2), ("c", 4.0, 9.0))]
    >>> best_factors(pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"]), "c", 60)
    [1.0, 0.5]
    """
    errors = {value: by_seed(runs, knob, value, n, "error") for value in values_of(runs, knob)}
    best = min(errors, key=lambda value: np.mean(list(errors[value].values())))
    alike = [value for value in errors if difference(errors[value], errors[best]).verdict == "undecided"]
    return [best, *(value for value in alike if value != best)]


@checked
def always_above(runs: pd.DataFrame, level: float) -> list[int]:
    """The numbers of pairs at which the mean over seeds of the test error is above a level in every pretrained setting.

    The means are geometric, as those of `runs`.

    Parameters
    ----------
    runs : DataFrame, as `runs` returns it
    level : float, positive
        Of the test error, such as that of guessing.

    Raises
    ------
    ValueError
        If the table lacks a column, or the level is not positive.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(0, "baseline", 1.0, n, error) for n, error in ((60, 3.0), (120, -1.0))]
    >>> always_above(pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"]), 1.0)
    [60]
    """
    require_table(runs, "runs", ["knob", "value", "n", "error"])
    pretrained = runs[runs["knob"] != UNTRAINED]
    least = pretrained.groupby(["n", "knob", "value"])["error"].mean().groupby("n").min()
    return [int(n) for n, error in least.items() if error > np.log2(positive_number(level, "level"))]


@checked
def worth(runs: pd.DataFrame, kappa: float = 1.0, expected_sign: int = 1) -> dict[int, Effect]:
    """Logarithm of the error without pretraining minus that with it, from the same kappa, by the number of pairs.

    Parameters
    ----------
    runs : DataFrame, as `runs` returns it
    kappa : float
        In units of the baseline; one of the values of the knob and of what was not pretrained.
    expected_sign : +1 (default), where pretraining should help, or -1

    Raises
    ------
    ValueError
        If the table lacks one of the two.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(s, k, 1.0, 60, x + s) for s in range(2) for k, x in (("baseline", -1.0), ("untrained", 1.0))]
    >>> worth(pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"]), 1.0)[60].mean
    2.0
    """
    found = {}
    for n in sizes_of(runs):
        bare, pretrained = (by_seed(runs, knob, kappa, n, "error") for knob in (UNTRAINED, "kappa"))
        found[n] = difference(bare, pretrained, expected_sign)
    return found


@checked
def cost(first: pd.DataFrame, second: pd.DataFrame, n: int) -> Effect:
    """Logarithm of the error on a task minus that on another one, averaged over all pretrained settings.

    Parameters
    ----------
    first, second : DataFrame, as `runs` returns them
    n : int
        Number of pairs.

    Raises
    ------
    ValueError
        If they have no seed with so many pairs in common.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"seed": [0, 1], "knob": "baseline", "value": 1.0, "n": 60, "error": [1.0, 2.0]})
    >>> cost(table.assign(error=3.0), table, 60).mean
    1.5
    """
    means = []
    for table in (first, second):
        require_table(table, "first and second", ["seed", "knob", "n", "error"])
        rows = table[(table["n"] == n) & (table["knob"] != UNTRAINED)]
        means.append(rows.groupby("seed")["error"].mean())
    both = sorted(set(means[0].index) & set(means[1].index))
    return effect((means[0][both] - means[1][both]).to_numpy())


@checked
def by_likeness(runs: pd.DataFrame, alike: Mapping[int, float], n: int) -> dict[float, np.ndarray]:
    """Errors from the baseline by how much the tasks of a seed are alike.

    Parameters
    ----------
    runs : DataFrame, as `runs` returns it
    alike : mapping from a seed to a number, as `ptft.modular.likeness` of its two tasks
        Numbers with the same three digits are one.
    n : int
        Number of pairs.

    Returns
    -------
    dict
        By the number, in increasing order: the column "error" of its seeds, array (seeds,).

    Raises
    ------
    ValueError
        If the table lacks a column or the number of pairs, or a seed has no such number.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(s, "baseline", 1.0, 60, error) for s, error in enumerate([-1.0, -3.0, -2.0])]
    >>> table = pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"])
    >>> by_likeness(table, {0: 0.2, 1: 1.0, 2: 0.2}, 60)
    {0.2: array([-1., -2.]), 1.0: array([-3.])}
    """
    x, y = _beside_likeness(runs, alike, n)
    return {float(value): y[x == value] for value in np.unique(x)}


@checked
def likeness_correlation(runs: pd.DataFrame, alike: Mapping[int, float], n: int) -> tuple[float, float, float]:
    """Correlation over the seeds of the errors from the baseline with how much the tasks of a seed are alike.

    Parameters
    ----------
    runs, alike, n
        As in `by_likeness`.

    Returns
    -------
    correlation, low, high : float
        Pearson's, of the logarithm of the error, with its 95 % interval by Fisher's transformation; nan where all
        errors or all numbers are the same.

    Raises
    ------
    ValueError
        As `by_likeness`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(s, "baseline", 1.0, 60, error) for s, error in enumerate([-1.0, -3.0, -2.0, -1.5])]
    >>> table = pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error"])
    >>> [round(x, 2) for x in likeness_correlation(table, {0: 0.2, 1: 1.0, 2: 0.6, 3: 0.2}, 60)]
    [-0.97, -1.0, -0.1]
    """
    from scipy.stats import pearsonr  # whose package takes longer to import than all others here

    x, y = _beside_likeness(runs, alike, n)
    if not (np.ptp(x) and np.ptp(y)):
        return np.nan, np.nan, np.nan
    found = pearsonr(x, y)
    low, high = found.confidence_interval(0.95)
    return float(found.statistic), float(low), float(high)


def _beside_likeness(runs: pd.DataFrame, alike: Mapping[int, float], n: int) -> tuple[np.ndarray, np.ndarray]:
    """How much the tasks of each seed are alike, to three digits, and its error from the baseline."""
    errors = by_seed(runs, *BASELINE, n, "error")
    missing = [seed for seed in errors if seed not in alike]
    if missing:
        raise ValueError(f"alike has no number for the seeds {missing}: it must have one for each seed of runs")
    return np.array([round(real_number(alike[seed], "alike"), 3) for seed in errors]), np.array(list(errors.values()))


@checked
def order_agreement(runs: pd.DataFrame, theory: str, n: int) -> np.ndarray:
    """Spearman's rank correlation of errors with their predictions over all pretrained settings, for each seed.

    Parameters
    ----------
    runs : DataFrame, as `runs` returns it for the quadratic network
    theory : "tangent" or "diagonal"
    n : int
        Number of pairs.

    Returns
    -------
    array (seeds,)
        nan where the errors or the predictions of a seed are all the same, which have no order.

    Raises
    ------
    ValueError
        If the theory is neither, or the table has no run with so many pairs.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(0, "kappa", v, 60, v, 1 / v, v) for v in (0.5, 2.0, 4.0)]
    >>> table = pd.DataFrame(rows, columns=["seed", "knob", "value", "n", "error", "tangent", "diagonal"])
    >>> order_agreement(table, "tangent", 60), order_agreement(table, "diagonal", 60)
    (array([-1.]), array([1.]))
    """
    from scipy.stats import spearmanr  # whose package takes longer to import than all others here

    one_of(theory, "theory", tuple(THEORIES))
    require_table(runs, "runs", ["seed", "knob", "n", "error", theory])
    rows = runs[(runs["n"] == n) & (runs["knob"] != UNTRAINED)]
    if not len(rows):
        raise ValueError(f"n = {n} is not allowed: it must be in the table")
    pairs = [(part["error"], part[theory]) for _, part in rows.groupby("seed")]
    return np.array([spearmanr(*pair)[0] if all(one.nunique() > 1 for one in pair) else np.nan for pair in pairs])


@checked
def pretraining_steps(table: pd.DataFrame, network: str, knob: str) -> dict[float, tuple[float, float]]:
    """Median number of steps of pretraining, and the share that ended above its loss, by the value of a knob.

    Parameters
    ----------
    table : DataFrame, as `ptft.sweeps.modular` stores it
    network : str
        One of `ptft.modular.protocol.NETWORKS`.
    knob : str

    Raises
    ------
    ValueError
        If the table lacks the network, the knob or a column.

    Examples
    --------
    >>> import pandas as pd
    >>> columns = ["network", "knob", "value", "seed", "pretraining_steps", "pretraining_stopped_by"]
    >>> rows = [("quadratic", "baseline", 1.0, 0, 100, "loss"), ("quadratic", "kappa", 0.1, 0, 900, "cap")]
    >>> pretraining_steps(pd.DataFrame(rows, columns=columns), "quadratic", "kappa")
    {0.1: (900.0, 1.0), 1.0: (100.0, 0.0)}
    """
    measured = ["pretraining_steps", "pretraining_stopped_by"]
    require_table(table, "table", ["network", "knob", "value", "seed", *measured])
    one_of(network, "network", NETWORKS)
    rows = table[table["network"] == network].assign(n=0).drop_duplicates(["knob", "value", "seed"])
    rows = rows.assign(unfinished=rows["pretraining_stopped_by"] != "loss")
    found = {}
    for value in values_of(rows, knob):
        steps, unfinished = (by_seed(rows, knob, value, 0, c) for c in ("pretraining_steps", "unfinished"))
        found[value] = float(np.median(list(steps.values()))), float(np.mean(list(unfinished.values())))
    return found
