"""What runs on two tasks in a row come to: three numbers to a row, and how to read curves and ends from its table.

A row holds one number of one training run: the run (`RichTransferPoint`), the quantity, where it was measured (x) and
the value.

- ``train_loss``, ``test_loss``, ``source_loss``: x is the time; ``source_loss`` after pretraining only.
- ``density``: x is the middle of a bin of the preactivations; of Figure 4 only.
- ``mean``, ``deviation``, ``skewness``, ``kurtosis`` of the preactivations; ``steps``, ``seconds``, ``complete`` (1 if
  training came to its end): x is missing.
- ``untrained_density`` and so on, the same before any training, and ``limit_density`` and so on, of the law that it has
  at infinite width: with the runs on the source task, so that a page can show them without the inputs.

The runs on the source task have the start ``source``, with P2 = 0 and gamma_2 = 0. This module needs pandas, which the
extra ``ptft[sweep]`` brings.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ptft.extras import needs_extra
from ptft.infinite_width.dmft import Run
from ptft.infinite_width.particles import Task
from ptft.infinite_width.rich_transfer import (
    EDGES,
    FIGURES,
    KINDS,
    Law,
    TransferSetting,
    preactivations,
    total_variation,
    untrained_preactivations,
)
from ptft.trends import Effect, effect
from ptft.validation import checked, one_of, positive_array, positive_number, require, require_table, whole_number

with needs_extra("sweep", __name__):
    import pandas as pd

SOURCE = "source"
LOSSES = ("train_loss", "test_loss", "source_loss")
MOMENTS = ("mean", "deviation", "skewness", "kurtosis")


class RichTransferPoint(NamedTuple):
    """One training run; P2 = 0, gamma_2 = 0 and start "source" on the source task."""

    figure: str
    dataset: str
    P1: int
    P2: int
    draw: int
    kind: str
    width: int
    gamma_2: float
    start: str


COLUMNS = (*RichTransferPoint._fields, "quantity", "x", "value")


@checked
def outcome(
    setting: TransferSetting, run: Run, target: Task, start: str, seconds: float, untrained: Law | None = None
) -> list[dict[str, Any]]:
    """What a table holds of a run besides its point: dictionaries of quantity, x (nan where it is missing) and value.

    Parameters
    ----------
    setting : TransferSetting
    run : Run
    target : Task
        At whose test inputs preactivations are measured.
    start : str
        "source" for a run on the source task, else where the run on the target began.
    seconds : float
        That training took.
    untrained : Law, optional
        Of the preactivations before any training. If it is given, that at infinite width is there too.

    Examples
    --------
    >>> import dataclasses
    >>> from ptft.infinite_width import rich_transfer
    >>> small = dataclasses.replace(rich_transfer.setting("3a"), D=4, P1=8, P2=(4,), n_test=6, t_end=10.0)
    >>> source, target = rich_transfer.tasks(small)
    >>> run = rich_transfer.source_run(small, source, rich_transfer.neurons(4, 100, "theory", draw=0))
    >>> rows = outcome(small, run, target, "source", seconds=0.1)
    >>> rows[0]["quantity"], rows[-1]
    ('train_loss', {'quantity': 'complete', 'x': nan, 'value': 1.0})
    """
    losses = ["train_loss", "test_loss"] + ["source_loss"] * (start not in (SOURCE, "scratch"))
    rows: list[tuple[str, float, float]] = []
    for name in losses:
        rows += [(name, x, value) for x, value in zip(run.time.tolist(), map(float, getattr(run, name)), strict=True)]
    laws = {"": preactivations(run.end, target.X_test)}
    if untrained is not None:
        laws |= {"untrained_": untrained, "limit_": untrained_preactivations(target.X_test)}
    for prefix, law in laws.items():
        if setting.figure == "4":
            middles = ((EDGES[1:] + EDGES[:-1]) / 2).tolist()
            rows += [(f"{prefix}density", x, float(value)) for x, value in zip(middles, law.density, strict=True)]
        rows += [(prefix + name, math.nan, getattr(law, name)) for name in MOMENTS]
    complete = float(run.converged or run.time[-1] == setting.times[-1])
    rows += [
        ("steps", math.nan, float(run.steps[-1])),
        ("seconds", math.nan, seconds),
        ("complete", math.nan, complete),
    ]
    return [{"quantity": name, "x": x, "value": value} for name, x, value in rows]


@checked
def curves(table: pd.DataFrame, quantity: str = "test_loss", **point: Any) -> pd.DataFrame:
    """One quantity of the runs with the given columns of `RichTransferPoint`: a row for each x, a column for each draw.

    Training that converged ends early; its last value then stands for all later times.

    Raises
    ------
    ValueError
        If there is no such run, or the columns leave more than one run of a draw.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0, "scratch")
    >>> rows = [(*point, "test_loss", x, value) for x, value in ((0.0, 1.0), (2.0, 0.5))]
    >>> curves(pd.DataFrame(rows, columns=list(COLUMNS)), figure="3a")[0].to_dict()  # draw 0, by time
    {0.0: 1.0, 2.0: 0.5}
    """
    rows = _rows(table, quantity, point)
    require(not rows.duplicated(["draw", "x"]).any(), "point", str(point), "the columns of one run of each draw")
    return rows.pivot(index="x", columns="draw", values="value").sort_index().ffill()


@checked
def ends(table: pd.DataFrame, quantity: str = "test_loss", **point: Any) -> pd.Series:
    """The last value of `curves` for each draw, or the value of a quantity without x.

    Raises
    ------
    ValueError
        As `curves`.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0, "scratch")
    >>> rows = [(*point, "test_loss", x, value) for x, value in ((0.0, 1.0), (2.0, 0.5))]
    >>> ends(pd.DataFrame(rows, columns=list(COLUMNS)), figure="3a").to_dict()
    {0: 0.5}
    """
    if _rows(table, quantity, point)["x"].notna().any():
        return curves(table, quantity, **point).iloc[-1]
    rows = _rows(table, quantity, point)
    require(not rows["draw"].duplicated().any(), "point", str(point), "the columns of one run of each draw")
    return rows.set_index("draw")["value"].sort_index()


@checked
def at_time(table: pd.DataFrame, time: float) -> pd.DataFrame:
    """The table as if training had ended at a time: what `ends` then gives are losses up to it.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0, "scratch")
    >>> rows = [(*point, "test_loss", x, value) for x, value in ((0.0, 1.0), (1.0, 0.7), (2.0, 0.5))]
    >>> ends(at_time(pd.DataFrame(rows, columns=list(COLUMNS)), 1.5), figure="3a").to_dict()
    {0: 0.7}
    """
    require_table(table, "table", COLUMNS)
    return table[~(table["quantity"].isin(LOSSES) & (table["x"] > time))]


@checked
def recorded_time(table: pd.DataFrame, time: float, **point: Any) -> float:
    """The last time up to the given one at which the runs with the given columns have a loss, as `at_time` ends them.

    Raises
    ------
    ValueError
        If there is no such run, or none has a loss by then.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0, "scratch")
    >>> rows = [(*point, "test_loss", x, value) for x, value in ((0.0, 1.0), (1.3, 0.7), (2.5, 0.5))]
    >>> recorded_time(pd.DataFrame(rows, columns=list(COLUMNS)), 2.0, figure="3a")
    1.3
    """
    recorded = _rows(table, "test_loss", point)["x"]
    require((recorded <= time).any(), "time", time, f"at least {recorded.min():g}, the first that was recorded")
    return float(recorded[recorded <= time].max())


@checked
def at_equal_train_loss(table: pd.DataFrame, train_loss: float | None = None) -> tuple[pd.DataFrame, dict[str, float]]:
    """The table as if target training had ended at one train loss in all runs of a figure, and that loss by figure.

    Between the last recorded time above it and the next one, time and test losses are interpolated linearly in the
    logarithm of the train loss. So runs that were stopped by the time limit can be compared with those that converged.

    Parameters
    ----------
    table : DataFrame
    train_loss : float, optional
        By default the least power of ten that all runs of the figure reach.

    Raises
    ------
    ValueError
        If the table lacks a column, or a run does not reach the train loss.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0)
    >>> losses = {"scratch": (1.0, 0.2, 0.05), "centred": (1.0, 0.02, 0.01)}  # at three times
    >>> rows = [(*point, s, "train_loss", float(t), loss) for s in losses for t, loss in enumerate(losses[s])]
    >>> ended, level = at_equal_train_loss(pd.DataFrame(rows, columns=list(COLUMNS)))
    >>> level, ended.groupby("start")["x"].max().round(2).to_dict()
    ({'3a': 0.1}, {'centred': 0.59, 'scratch': 1.5})
    """
    run = list(RichTransferPoint._fields)
    train = _training(table)
    train = train[train["start"] != SOURCE]
    least = train.groupby(run)["value"].min().groupby("figure").max()
    level = {str(figure): 10.0 ** math.ceil(math.log10(loss)) for figure, loss in least.items()}
    if train_loss is not None:
        missed = (least > positive_number(train_loss, "train_loss")).any()
        require(not missed, "train_loss", train_loss, f"at least {least.max():g}, which all runs reach")
        level = dict.fromkeys(level, float(train_loss))
    cut = table["quantity"].isin(LOSSES) & (table["start"] != SOURCE)
    losses = table[cut].pivot(index=[*run, "x"], columns="quantity", values="value")
    over = np.log(losses["train_loss"] / losses.index.get_level_values("figure").map(level))
    at = losses.assign(train_loss=over).reset_index("x").set_axis(losses.index)
    passed = (over <= 0).groupby(run).cumsum()  # how many of the recorded times, up to each, are at or below the loss
    crossing = (over <= 0) & (passed == 1)
    after, before = at[crossing], at.groupby(run).shift()[crossing]
    way = before["train_loss"] / (before["train_loss"] - after["train_loss"])
    reached = before.add((after - before).mul(way, axis=0)).fillna(after)  # a run may begin below the loss
    ended = pd.concat([at[passed == 0], reached]).droplevel("x").reset_index()
    ended["train_loss"] = np.exp(ended["train_loss"]) * ended["figure"].map(level)
    ended = ended.melt([*run, "x"], var_name="quantity").dropna(subset="value")
    return pd.concat([table[~cut], ended[list(table.columns)]], ignore_index=True), level


@checked
def stopped_by_time(table: pd.DataFrame, tolerance: float) -> pd.Series:
    """Whether the time limit ended training, above the train loss `tolerance`; one for each run, on either task.

    Raises
    ------
    ValueError
        If the table lacks a column, or the tolerance is not positive.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0)
    >>> rows = [(*point, start, "train_loss", 9.0, loss) for start, loss in (("scratch", 1e-3), ("centred", 1e-7))]
    >>> stopped = stopped_by_time(pd.DataFrame(rows, columns=list(COLUMNS)), tolerance=1e-6)
    >>> stopped.groupby("start").sum().to_dict()
    {'centred': 0, 'scratch': 1}
    """
    positive_number(tolerance, "tolerance")
    return _training(table).groupby(list(RichTransferPoint._fields))["value"].min() >= tolerance


@checked
def gammas(table: pd.DataFrame, figure: str) -> list[float]:
    """The values of gamma_2 that a figure has.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> gammas(pd.read_parquet(results_file("rich_transfer.parquet")), "3a")
    [0.1, 0.5, 1.0, 2.0]
    """
    one_of(figure, "figure", FIGURES)
    require_table(table, "table", COLUMNS)
    values = table.loc[(table["figure"] == figure) & (table["gamma_2"] > 0), "gamma_2"]
    return sorted(values.unique().tolist())


@checked
def by_gamma(table: pd.DataFrame, quantity: str = "test_loss", *, figure: str, **point: Any) -> pd.DataFrame:
    """`ends` with a row for each gamma_2 and a column for each draw.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("rich_transfer.parquet"))
    >>> last = by_gamma(table, figure="3a", kind="network", start="scratch")
    >>> list(last.index) == gammas(table, "3a"), bool((last > 0).all(axis=None))
    (True, True)
    """
    values = gammas(table, figure)
    return pd.DataFrame([ends(table, quantity, figure=figure, gamma_2=g, **point) for g in values], index=values)


@checked
def ratios(table: pd.DataFrame, *, start: str = "centred", **point: Any) -> pd.DataFrame:
    """Last target test loss from `start` over that from random neurons, `by_gamma`: below 1, pretraining helps.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0)
    >>> rows = [(*point, start, "test_loss", 0.0, x) for start, x in (("scratch", 0.5), ("centred", 0.25))]
    >>> ratios(pd.DataFrame(rows, columns=list(COLUMNS)), figure="3a").loc[1.0].to_dict()
    {0: 0.5}
    """
    return by_gamma(table, start=start, **point) / by_gamma(table, start="scratch", **point)


@checked
def largest_ratios(
    table: pd.DataFrame, *, after: float, figure: str, start: str = "centred", **point: Any
) -> pd.DataFrame:
    """`ratios` at the recorded time after a given one at which their geometric mean over draws is largest.

    The time is chosen by what is found at it, which can only speak against a statement that pretraining helps at all
    times. A run that has ended keeps its last loss.

    Returns
    -------
    DataFrame
        A row for each gamma_2 and the time x, a column for each draw.

    Raises
    ------
    ValueError
        If there is no such run, or none has a loss after that time.

    Examples
    --------
    >>> point = ("3a", "gaussian", 8, 4, 0, "network", 10, 1.0)
    >>> losses = {"scratch": (1.0, 0.8, 0.6, 0.6), "centred": (1.0, 0.6, 0.66, 0.3)}  # at four times
    >>> rows = [(*point, s, "test_loss", float(t), loss) for s in losses for t, loss in enumerate(losses[s])]
    >>> largest_ratios(pd.DataFrame(rows, columns=list(COLUMNS)), after=1.0, figure="3a").round(2).to_dict("index")
    {(1.0, 2.0): {0: 1.1}}
    """
    found = {}
    for g in gammas(table, figure):
        each = [curves(table, figure=figure, gamma_2=g, start=s, **point) for s in (start, "scratch")]
        times = each[0].index.union(each[1].index)
        ratio = each[0].reindex(times).ffill() / each[1].reindex(times).ffill()
        ratio = ratio[times > after]
        require(len(ratio) > 0, "after", after, f"below {times.max():g}, the last recorded time")
        x = np.log(ratio).mean(axis=1).idxmax()
        found[g, x] = ratio.loc[x]
    return pd.DataFrame(found).T.rename_axis(["gamma_2", "x"])


@checked
def ratios_on_the_way(
    table: pd.DataFrame, train_losses: ArrayLike, *, figure: str, **point: Any
) -> dict[float, np.ndarray]:
    """`ratios` at equal train losses on the way, by train loss: for each draw the geometric mean over gamma_2.

    Raises
    ------
    ValueError
        If there is no such run, or one does not reach a train loss.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("rich_transfer.parquet"))
    >>> found = ratios_on_the_way(table, [0.3, 0.1], figure="4", kind="network")
    >>> {loss: one.shape for loss, one in found.items()}
    {0.3: (5,), 0.1: (5,)}
    """
    one_of(figure, "figure", FIGURES)
    require_table(table, "table", COLUMNS)
    part = table[table["figure"] == figure]
    return {
        loss: geometric_mean(ratios(at_equal_train_loss(part, loss)[0], figure=figure, **point), axis=0)
        for loss in positive_array(train_losses, "train_losses", ndim=1).tolist()
    }


@checked
def interior_minimum(loss: pd.DataFrame) -> np.ndarray:
    """The least loss between the smallest and the largest gamma_2 over the lesser of those at the two, by draw.

    Parameters
    ----------
    loss : DataFrame
        As from `by_gamma`, with three rows or more.

    Raises
    ------
    ValueError
        If there are fewer than three gamma_2.

    Examples
    --------
    >>> interior_minimum(pd.DataFrame({0: [0.5, 0.4, 0.6], 1: [0.4, 0.5, 0.6]}))
    array([0.8 , 1.25])
    """
    require(len(loss) >= 3, "rows of loss", len(loss), "at least 3, one for each gamma_2")
    return np.asarray(loss.iloc[1:-1].min() / np.minimum(loss.iloc[0], loss.iloc[-1]))


@checked
def balance(loss: pd.DataFrame, source_loss: pd.DataFrame) -> np.ndarray:
    """Whether an intermediate gamma_2 is best for the target and better for the source than the largest: then below 1.

    Of two ratios the larger: the `interior_minimum` of the target loss, and the largest source loss between the
    smallest and the largest gamma_2 over that at the largest.

    Parameters
    ----------
    loss, source_loss : DataFrame
        Losses on the target and on the source after both tasks, as from `by_gamma`, with three rows or more.

    Returns
    -------
    ndarray (draws,)

    Raises
    ------
    ValueError
        If there are fewer than three gamma_2, or the two have not the same rows and columns.

    Examples
    --------
    >>> loss = pd.DataFrame({0: [0.5, 0.4, 0.6], 1: [0.4, 0.5, 0.6]})
    >>> balance(loss, source_loss=pd.DataFrame([[1, 1], [2, 2], [8, 8]]))
    array([0.8 , 1.25])
    """
    inner = interior_minimum(loss)
    same = loss.shape == source_loss.shape
    require(same, "shape of source_loss", source_loss.shape, f"{loss.shape}, as that of loss")
    return np.asarray(np.maximum(inner, source_loss.iloc[1:-1].max() / source_loss.iloc[-1]))


@checked
def growth_power(before: pd.Series, after: pd.DataFrame) -> np.ndarray:
    """The power of gamma_2 as which the source loss grows on the target, between the smallest and the largest gamma_2.

    From the centred start the network function of the source changes by gamma_2/gamma_1 times that of the target. So
    the power is 2 where the latter does not depend on gamma_2, and no misfit on the source was there before.

    Parameters
    ----------
    before : Series (draws,)
        The source loss where pretraining ends, as from `ends`.
    after : DataFrame
        The source loss after both tasks, as from `by_gamma`, with two rows or more.

    Returns
    -------
    ndarray (draws,)
        Not a number where the loss does not grow at one of the two gamma_2.

    Raises
    ------
    ValueError
        If there are fewer than two gamma_2, one is not positive, or the draws are not the same.

    Examples
    --------
    >>> after = pd.DataFrame({0: [0.2, 0.5, 1.7], 1: [0.2, 0.3, 0.9]}, index=[0.5, 1.0, 2.0])
    >>> growth_power(pd.Series([0.1, 0.3]), after)
    array([ 2., nan])
    """
    require(len(after) >= 2, "rows of after", len(after), "at least 2, one for each gamma_2")
    gamma = positive_array(after.index, "gamma_2 of after")
    same = list(before.index) == list(after.columns)
    require(same, "draws of before", list(before.index), f"{list(after.columns)}, as those of after")
    growth = (after - before).iloc[[0, -1]]
    ratio = (growth.iloc[1] / growth.iloc[0]).where((growth > 0).all())
    return np.asarray(np.log(ratio) / np.log(gamma[-1] / gamma[0]))


@checked
def geometric_mean(ratios: ArrayLike, axis: int | None = None) -> np.ndarray:
    """Of ratios, positive numbers.

    Parameters
    ----------
    ratios : array_like, any shape
    axis : int, optional
        Over all by default.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> geometric_mean([[0.5, 2.0], [1.0, 4.0]], axis=1), geometric_mean([0.25, 1.0]).round(6)
    (array([1., 2.]), np.float64(0.5))
    """
    return np.asarray(np.exp(np.log(positive_array(ratios, "ratios")).mean(axis=axis)))


@checked
def spread(values: pd.Series, digits: int = 2) -> str:
    """Mean over draws and their standard deviation, if there is more than one, in Markdown.

    Raises
    ------
    ValueError
        If it is not a Series, or the digits are not a whole number.

    Examples
    --------
    >>> print(spread(pd.Series([1.0, 1.5])), spread(pd.Series([1.0])))
    $1.25 \\pm 0.35$ $1.00$
    """
    whole_number(digits, "digits")
    error = f" \\pm {values.std():.{digits}f}" if len(values) > 1 else ""
    return f"${values.mean():.{digits}f}{error}$"


@checked
def disagreements(table: pd.DataFrame, **point: Any) -> pd.Series:
    """Largest relative difference of the test losses of network and theory over all times, one for each run and draw.

    Times after either has come to its end are left out.

    Raises
    ------
    ValueError
        If there are no runs of both kinds.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("rich_transfer.parquet"))
    >>> bool(disagreements(table, figure="3a", start="scratch", gamma_2=0.1).max() < 0.5)
    True
    """
    over_theory = _over_theory(table, point)
    return (over_theory - 1).abs().groupby(level=[*range(over_theory.index.nlevels - 1)]).max()


class Offset(NamedTuple):
    """The test loss of networks over that of the theory, in logarithms, of runs at one point, over their draws."""

    low: float  # the least lower end of the 95 % intervals of the mean, over the recorded times
    high: float  # the largest upper end
    last: Effect  # at the last recorded time
    deviation: float  # largest standard deviation over draws


@checked
def offset(table: pd.DataFrame, **point: Any) -> Offset:
    """How far networks are from the theory on average over draws, at all recorded times that every draw has.

    The intervals are those of single times. That a mean is told from zero at one of many times is no surprise, but that
    all intervals are in a range is.

    Raises
    ------
    ValueError
        If there are no runs of both kinds, or the columns leave more than one pair of a draw.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table = pd.read_parquet(results_file("rich_transfer.parquet"))
    >>> one = offset(table, figure="3a", start="scratch", gamma_2=1.0)
    >>> bool(-0.02 < one.low < one.last.mean < one.high < 0.02)
    True
    """
    over_theory = _over_theory(table, point).rename("value").reset_index()
    require(
        not over_theory.duplicated(["draw", "x"]).any(), "point", str(point), "the columns of one pair of each draw"
    )
    each = np.log(over_theory.pivot(index="x", columns="draw", values="value").dropna().sort_index())
    means = [effect(row) for row in each.to_numpy()]
    low, high = np.min([one.low for one in means]), np.max([one.high for one in means])
    return Offset(float(low), float(high), means[-1], float(each.std(axis=1).max()))


class LawDistances(NamedTuple):
    """Total variation distances of laws of the preactivations; by gamma_2 and draw, or by draw."""

    of_networks: pd.DataFrame  # from before training at infinite width to networks after both tasks
    of_networks_after_source: pd.Series  # and to networks after the source
    by_target: pd.DataFrame  # from the theory after the source to the theory after both
    from_theory: pd.DataFrame  # from the theory after both to networks after both
    untrained: pd.Series  # between the two samples of neurons before training


@checked
def law_distances(table: pd.DataFrame) -> LawDistances:
    """How far pretraining, the target task and a finite width move the law of the preactivations in Figure 4.

    Raises
    ------
    ValueError
        If the table lacks a column, or the densities of a run.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> found = law_distances(pd.read_parquet(results_file("rich_transfer.parquet")))
    >>> bool((found.from_theory.loc[2.0] < 0.5 * found.by_target.loc[2.0]).all())
    True
    """
    point = {"figure": "4"}

    def between(first: pd.DataFrame, second: pd.DataFrame) -> pd.Series:
        return pd.Series(total_variation(first, second), index=first.columns)

    def by_richness(of: dict[float, pd.Series]) -> pd.DataFrame:
        return pd.DataFrame(of).T.rename_axis("gamma_2")

    before = curves(table, "limit_density", **point, kind="theory")
    after_source = {kind: curves(table, "density", **point, kind=kind, start=SOURCE) for kind in KINDS}
    untrained = [curves(table, "untrained_density", **point, kind=kind) for kind in KINDS]
    after_both = {
        kind: {g: curves(table, "density", **point, kind=kind, start="centred", gamma_2=g) for g in gammas(table, "4")}
        for kind in KINDS
    }
    theory, network = (after_both[kind] for kind in ("theory", "network"))
    return LawDistances(
        by_richness({g: between(one, before) for g, one in network.items()}),
        between(after_source["network"], before),
        by_richness({g: between(one, after_source["theory"]) for g, one in theory.items()}),
        by_richness({g: between(theory[g], one) for g, one in network.items()}),
        between(*untrained),
    )


@checked
def unpredicted(distances: LawDistances, most: float, share: float) -> np.ndarray:
    """By how much networks miss a law that the theory would predict, by draw: negative where it does predict it.

    They have to be within `most` of the theory at every gamma_2, and at the largest also within a share of the distance
    by which the target task moves the theory. By the first alone a theory that does not train on the target would do as
    well where the target moves little.

    Returns
    -------
    ndarray (draws,)
        The larger of the two excesses.

    Raises
    ------
    ValueError
        If a number is not positive.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> found = law_distances(pd.read_parquet(results_file("rich_transfer.parquet")))
    >>> bool((unpredicted(found, most=0.02, share=0.5) < 0).all())
    True
    """
    positive_number(most, "most")
    allowed = positive_number(share, "share") * distances.by_target.iloc[-1]
    return np.asarray(np.maximum(distances.from_theory.max() - most, distances.from_theory.iloc[-1] - allowed))


def _over_theory(table: pd.DataFrame, point: dict[str, Any]) -> pd.Series:
    """Test loss of the network over that of the theory at each time that both have, by the point of both and time."""
    require_table(table, "table", COLUMNS)
    require(set(point) <= set(RichTransferPoint._fields), "point", str(point), "of columns of `RichTransferPoint`")
    columns = [*(c for c in RichTransferPoint._fields if c != "kind"), "x"]
    rows = table[table["quantity"] == "test_loss"]
    for column, value in point.items():
        rows = rows[rows[column] == value]
    sides = [rows[rows["kind"] == kind].set_index(columns)["value"] for kind in ("network", "theory")]
    network, theory = sides[0].align(sides[1], join="inner")
    require(len(network) > 0, "point", str(point), "that of runs of network and theory")
    return network / theory


def _training(table: pd.DataFrame) -> pd.DataFrame:
    require_table(table, "table", COLUMNS)
    return table[table["quantity"] == "train_loss"]


def _rows(table: pd.DataFrame, quantity: str, point: dict[str, Any]) -> pd.DataFrame:
    require_table(table, "table", COLUMNS)
    require(set(point) <= set(RichTransferPoint._fields), "point", str(point), "of columns of `RichTransferPoint`")
    chosen = table["quantity"] == quantity
    for column, value in point.items():
        chosen &= table[column] == value
    require(chosen.any(), "point", f"{quantity} of {point}", "in the table")
    return table[chosen]
