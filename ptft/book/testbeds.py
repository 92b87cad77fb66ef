"""Which knob does what on which testbed: one table over all experiments of the book, computed from its stored results.

Each testbed is a table with the columns ``seed``, ``knob``, ``value``, ``n`` and ``error``, in which smaller is better
(see `ptft.trends`). The knobs are the relative scale, ``kappa``, that of the embedding alone, ``embedding``, the
absolute scale, ``c``, and that of the readout, ``gamma``. Pages are rendered without PyTorch, so nothing here needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ptft.book.computed_text import literal
from ptft.book.results import IMAGES, results_file
from ptft.book.tables import MarkdownTable, numbered
from ptft.experiments import C_PT, GAMMA_FT, SHARE
from ptft.extras import needs_extra
from ptft.trends import BASELINE, Effect, complete_seeds, holm, pooled_trend, trend, values_of
from ptft.validation import checked, one_of, require_table

with needs_extra("sweep", __name__):
    import pandas as pd

COLUMNS = ["seed", "knob", "value", "n", "error"]
KNOBS = {  # the heads of the columns
    "kappa": "relative scale, $\\lambdaPT$ or $\\kappa$",
    "embedding": "embedding alone, $\\kappa_E$",
    "c": "absolute scale, $\\cPT$ or $c$",
    "gamma": "readout, $\\gammaFT$ or $\\gamma$",
}
DIAGONAL_TASKS = {"nested": (1.0, 0.01), "reuse": (1.0, 0.1), "new": (0.0, 0.1)}  # (omega, rho_ft)
BETTER = {"agree": "smaller", "disagree": "larger", "undecided": "undecided"}
LABELS = {"quadratic": "quadratic network", "transformer": "Transformer", "classifier": "Transformer, classes"}


@checked
def diagonal_testbed(table: pd.DataFrame, task: str) -> pd.DataFrame:
    """The simulations of diagonal networks on one of `DIAGONAL_TASKS`, in the largest dimension.

    Of each knob the three values of the published sweeps are one step apart, so that a slope is per step; errors are
    logarithms to the base 2.

    Raises
    ------
    ValueError
        If the table lacks a column, or the task is none of these.

    Examples
    --------
    >>> bed = diagonal_testbed(pd.read_parquet(results_file("simulations.parquet")), "nested")
    >>> sorted(bed["value"].unique().tolist()), sorted(bed["knob"].unique())
    ([0.5, 1.0, 2.0, 4.0], ['baseline', 'c', 'gamma', 'kappa'])
    """
    axes = ["c_pt", "lambda_pt", "gamma_ft"]
    require_table(table, "table", ["d", "omega", "rho_ft", *axes, "alpha", "seed", "mse"])
    omega, rho_ft = DIAGONAL_TASKS[one_of(task, "task", tuple(DIAGONAL_TASKS))]
    rows = table[(table["d"] == table["d"].max()) & (table["omega"] == omega) & (table["rho_ft"] == rho_ft)]
    base = C_PT[1]
    places = {BASELINE: (base, 0.0, 0.0)}
    places |= {("c", 2.0 ** (i - 1)): (c, 0.0, 0.0) for i, c in enumerate(C_PT) if c != base}
    places |= {("kappa", 2.0 ** (i - 1)): (base, base * share, 0.0) for i, share in enumerate(SHARE) if share}
    places |= {("gamma", 2.0**i): (base, 0.0, gamma) for i, gamma in enumerate(GAMMA_FT) if gamma}
    found = []
    for (knob, value), place in places.items():
        chosen = rows[np.all(np.isclose(rows[axes].to_numpy(float), place, rtol=1e-9, atol=1e-12), axis=1)]
        chosen = chosen.drop_duplicates(["alpha", "seed"])
        found.append(chosen.assign(knob=knob, value=value, n=chosen["alpha"], error=np.log2(chosen["mse"])))
    return pd.concat(found)[COLUMNS]


@checked
def modular_testbed(table: pd.DataFrame, network: str, task: str) -> pd.DataFrame:
    """The runs on modular arithmetic of one of `LABELS` on one of `DIAGONAL_TASKS`, of the fewest frequencies.

    Errors are logarithms to the base 2, with classes the share of wrong answers, whose cross-entropy would also grow
    with how sure the network is of them; a seed of which a run has no finite test error is left out.

    Raises
    ------
    ValueError
        If the table lacks a column, or a name is none of these.

    Examples
    --------
    >>> bed = modular_testbed(pd.read_parquet(results_file("modular.parquet")), "quadratic", "reuse")
    >>> bool(np.isfinite(bed["error"]).all())
    True
    """
    measured = ["test_error", "correct", "tested"]
    require_table(table, "table", ["network", "relation", "size", *measured, "seed", "knob", "value", "n"])
    one_of(network, "network", tuple(LABELS))
    one_of(task, "task", tuple(DIAGONAL_TASKS))
    rows = table[(table["network"] == network) & (table["relation"] == task)]
    rows = complete_seeds(rows[rows["size"] == rows["size"].min()], "test_error")
    wrong = 1 - rows["correct"] / rows["tested"]
    errors = wrong if network == "classifier" else np.log2(rows["test_error"].astype(float))
    return rows.assign(error=errors)[COLUMNS]


def image_testbeds() -> dict[str, pd.DataFrame]:
    """The stored tables of residual networks, of each set of images the one with the most runs; errors are minus the
    accuracy.

    Examples
    --------
    >>> "fashion-mnist" in image_testbeds()
    True
    """
    found: dict[str, pd.DataFrame] = {}
    for path in sorted(results_file("vision.parquet").parent.rglob("vision.parquet")):
        for dataset, rows in pd.read_parquet(path).groupby("dataset"):
            if len(rows) > len(found.get(str(dataset), ())):
                found[str(dataset)] = rows
    return {name: rows.assign(error=-rows["accuracy"])[COLUMNS] for name, rows in sorted(found.items())}


def every_testbed() -> dict[tuple[str, str], pd.DataFrame]:
    """All testbeds of the book's stored results, by what is trained and its task.

    Examples
    --------
    >>> list(every_testbed())[:3]
    [('diagonal network', 'nested'), ('diagonal network', 'reuse'), ('diagonal network', 'new')]
    """
    simulations, stored = (pd.read_parquet(results_file(f"{name}.parquet")) for name in ("simulations", "modular"))
    found = {("diagonal network", task): diagonal_testbed(simulations, task) for task in DIAGONAL_TASKS}
    found |= {("residual network", literal(IMAGES.get(name, name))): one for name, one in image_testbeds().items()}
    for network, label in LABELS.items():
        for task in DIAGONAL_TASKS:
            found[label, task] = modular_testbed(stored, network, task)
    return found


@dataclass(frozen=True)
class Finding:
    """What a knob does on a testbed."""

    pooled: Effect  # of a doubling, or a step, on the error; over all values and sample sizes
    by_size: list[Effect]  # the same for each sample size

    def __str__(self) -> str:
        """Which scale is better, and at how many of the sample sizes the smaller and the larger."""
        smaller, larger = ([one.verdict for one in holm(self.by_size)].count(word) for word in ("agree", "disagree"))
        word = BETTER[self.pooled.verdict]
        shown = word if word == "undecided" else f"**{word}**"
        return f"{shown} ({smaller}/{larger} of {len(self.by_size)})"


@checked
def finding(table: pd.DataFrame, knob: str) -> Finding | None:
    """What a knob does on a testbed, at the sample sizes that are there for each of its values; None without runs.

    Raises
    ------
    ValueError
        If the table lacks a column, or the knob is none of `KNOBS`.

    Examples
    --------
    >>> rows = [(s, k, v, 10, s + v) for s in range(3) for k, v in (("baseline", 1.0), ("c", 2.0))]
    >>> print(finding(pd.DataFrame(rows, columns=COLUMNS), "c"), finding(pd.DataFrame(rows, columns=COLUMNS), "kappa"))
    **smaller** (1/0 of 1) None
    """
    require_table(table, "table", COLUMNS)
    one_of(knob, "knob", tuple(KNOBS))
    if knob not in set(table["knob"]):
        return None
    rows = table[table["knob"].isin([knob, BASELINE[0]])]
    complete = rows.groupby("n")["value"].nunique() == len(values_of(rows, knob))
    rows = rows[rows["n"].isin(complete.index[complete])].assign(n=lambda t: t["n"].rank(method="dense").astype(int))
    return Finding(pooled_trend(rows, knob, "error", 1), list(trend(rows, knob, "error", 1).values()))


@checked
def findings(beds: Mapping[tuple[str, str], pd.DataFrame]) -> dict[tuple[str, str], dict[str, Finding]]:
    """What each knob does on each testbed; the pooled effects of all are told from zero together, by Holm's procedure.

    Parameters
    ----------
    beds : mapping from what is trained and its task to a table

    Examples
    --------
    >>> rows = [(s, k, v, 10, s + v) for s in range(3) for k, v in (("baseline", 1.0), ("c", 2.0))]
    >>> found = findings({("a network", "a task"): pd.DataFrame(rows, columns=COLUMNS)})
    >>> {knob: one.pooled.verdict for knob, one in found["a network", "a task"].items()}
    {'c': 'agree'}
    """
    found = {
        (bed, knob): one for bed, table in beds.items() for knob in KNOBS if (one := finding(table, knob)) is not None
    }
    together = dict(zip(found, holm(one.pooled for one in found.values()), strict=True))
    return {
        bed: {knob: Finding(together[bed, knob], found[bed, knob].by_size) for knob in KNOBS if (bed, knob) in found}
        for bed in beds
    }


@checked
def comparison(beds: Mapping[tuple[str, str], pd.DataFrame], name: str = "tab-testbeds") -> MarkdownTable:
    """The table over all testbeds.

    Parameters
    ----------
    beds : mapping from what is trained and its task to a table
    name : str, default "tab-testbeds"
        Its label.

    Raises
    ------
    ValueError
        If there is no testbed.

    Examples
    --------
    >>> rows = [(s, k, v, 10, s + v) for s in range(3) for k, v in (("baseline", 1.0), ("c", 2.0))]
    >>> text = comparison({("a network", "a task"): pd.DataFrame(rows, columns=COLUMNS)})
    >>> print(text.splitlines()[-2])
    | a network | a task |  |  | **smaller** (1/0 of 1) |  | 3 |
    """
    rows = [
        {
            "trained": trained,
            "task": task,
            **{head: str(found.get(knob, "")) for knob, head in KNOBS.items()},
            "seeds": max((one.pooled.seeds for one in found.values()), default=0),
        }
        for (trained, task), found in findings(beds).items()
    ]
    caption = (
        "Which value of a knob is better on which testbed. The word is the sign of the slope over the values of the "
        "knob, of the share of wrong answers on images and with classes, and of the logarithm of the error elsewhere, "
        "averaged over all sample sizes and paired over seeds, where its 95 % interval excludes zero after Holm's "
        "correction for all entries of the table. In brackets at how many sample sizes a smaller and at how many a "
        "larger scale is better, with the same correction within the entry. Empty: not swept, or the same as another "
        "knob."
    )
    return numbered(rows, name, caption)
