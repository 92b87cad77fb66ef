"""The table of a sweep over the published experiments: its rows, its columns, and the file that holds it.

A point is one `Setting` at one d, number of examples n and seed. A table has one row per experiment and point: what
several experiments share is simulated once and listed under each. This module needs the extra ``ptft[sweep]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

import ptft
from ptft import experiments
from ptft.agreement import Comparison, comparison
from ptft.experiments import Setting
from ptft.sweeps import table as stored_table
from ptft.validation import one_of, positive_array, require, whole_number

try:
    import pandas as pd
except ImportError as error:
    raise ImportError(f"ptft.sweep_table needs {error.name}: pip install ptft[sweep]") from error

FORMAT = 1  # of the stored units and tables, and of the way in which a point is solved: raise it when either changes
MADE_BY = "python -m ptft.sweep"
NAMES = ("experiment-1", "experiment-2", "experiment-3", "experiment-4", "figure-5", "all")
IDENTITY = ("experiment", "rho_pt", "rho_ft", "omega", "c_pt", "lambda_pt", "gamma_ft", "d", "alpha", "seed")
MEASURED = ("mse", "kkt_residual", "method", "converged", "seconds")
COLUMNS = (*IDENTITY, *MEASURED)


class Point(NamedTuple):
    """One simulated data set; alpha is n/d."""

    setting: Setting
    d: int
    n: int
    seed: int


def key() -> str:
    """Hash of what a result depends on besides its point: the version of the package and `FORMAT`.

    Examples
    --------
    >>> len(key())
    12
    """
    return stored_table.digest([FORMAT, ptft.__version__])


def settings_of(name: str) -> dict[str, list[Setting]]:
    """Settings of a sweep by the label of their experiment, "1" to "4" or "figure-5".

    Raises
    ------
    ValueError
        If `name` is not one of `NAMES`.

    Examples
    --------
    >>> {label: len(settings) for label, settings in settings_of("all").items()}
    {'1': 21, '2': 14, '3': 28, '4': 12, 'figure-5': 12}
    """
    one_of(name, "the sweep", NAMES)
    every = {str(number): experiments.experiment(number) for number in (1, 2, 3, 4)}
    every["figure-5"] = [setting for task in experiments.figure_5().values() for setting in task.values()]
    label = name.removeprefix("experiment-")
    return every if name == "all" else {label: every[label]}


def plan(name: str, d: int, seeds: Iterable[int], alpha: ArrayLike = experiments.ALPHA) -> list[tuple[str, Point]]:
    """The rows of a sweep's table: label and point, in the order of experiments, settings, alpha and seeds.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    d : int
    seeds : iterable of int, at least one
    alpha : array_like, shape (points,), default the published `experiments.ALPHA`
        Data scales; each is rounded to a whole number of examples n = alpha d, and equal n count once.

    Raises
    ------
    ValueError
        If the name is unknown, a number is outside its range, or an alpha gives no example or more than d.

    Examples
    --------
    >>> rows = plan("experiment-4", d=100, seeds=[0, 1], alpha=[0.1, 0.2])
    >>> len(rows), rows[0][1].n  # 12 settings, 2 data scales and 2 seeds
    (48, 10)
    """
    d, seeds = whole_number(d, "d", at_least=1), [whole_number(seed, "seed") for seed in seeds]
    whole_number(len(seeds), "the number of seeds", at_least=1)
    alpha = positive_array(alpha, "alpha", ndim=1)
    sizes = np.round(alpha * d).astype(int)
    require((sizes >= 1) & (sizes <= d), "alpha", alpha, f"such that n = round(alpha d) is between 1 and d = {d}")
    grid = list(itertools.product(dict.fromkeys(sizes.tolist()), dict.fromkeys(seeds)))
    return [
        (label, Point(setting, d, n, seed))
        for label, settings in settings_of(name).items()
        for setting in settings
        for n, seed in grid
    ]


def identity(rows: Iterable[tuple[str, Point]]) -> pd.DataFrame:
    """The columns `IDENTITY` of a plan. What has no meaning without pretraining (Experiment 4) is missing there.

    Examples
    --------
    >>> identity(plan("experiment-1", 100, [0], [0.1]))[["omega", "c_pt", "d", "alpha", "seed"]].head(2)
       omega      c_pt    d  alpha  seed
    0    0.0  0.000001  100    0.1     0
    1    0.0  0.001000  100    0.1     0
    """
    frame = pd.DataFrame(
        [(label, *(getattr(p.setting, c) for c in IDENTITY[1:7]), p.d, p.n / p.d, p.seed) for label, p in rows],
        columns=list(IDENTITY),
    )
    without = [not point.setting.pretrained for _, point in rows]
    frame.loc[without, ["rho_pt", "omega", "lambda_pt", "gamma_ft"]] = np.nan
    return frame


def table(rows: list[tuple[str, Point]], found: dict[Point, dict[str, Any]]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table of a plan, one row per point with the columns `COLUMNS`, and its provenance.

    Examples
    --------
    >>> rows = plan("experiment-1", 100, [0], [0.1])[:1]
    >>> found = {rows[0][1]: dict.fromkeys(MEASURED, 0.0) | {"machine": "mine"}}
    >>> frame, made = table(rows, found)
    >>> list(frame) == list(COLUMNS), made["machine"]
    (True, ['mine'])
    """
    measured = pd.DataFrame([found[point] for _, point in rows])
    provenance = {**provenance_of(), "machine": sorted(measured["machine"].unique())}
    return pd.concat([identity(rows), measured], axis=1)[list(COLUMNS)], provenance


def provenance_of() -> dict[str, Any]:
    """What the provenance of a table holds before there are results.

    Examples
    --------
    >>> provenance_of()["made by"]
    'python -m ptft.sweep'
    """
    return stored_table.provenance(MADE_BY, FORMAT, key())


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A stored table and its provenance.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a table of a sweep, or one of another format.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> stored, made = read_table(results_file("simulations.parquet"))
    >>> list(stored) == list(COLUMNS)
    True
    """
    return stored_table.read_table(path, MADE_BY, FORMAT)


def comparisons(stored: pd.DataFrame, d: int) -> dict[Setting, Comparison]:
    """Simulation and theory of every setting that a table holds at one d, as `experiments.compare` gives them.

    Raises
    ------
    ValueError
        If the table has no row of this d, or a setting lacks a seed at some alpha.

    Examples
    --------
    >>> row = dict(zip(IDENTITY, ("1", 0.1, 0.1, 1.0, 1e-3, 0.0, 0.0, 100, 0.2, 0)))
    >>> row |= {"mse": 0.01, "converged": True}
    >>> stored = pd.DataFrame([row, row | {"seed": 1, "mse": 0.02}])
    >>> one = comparisons(stored, d=100)[Setting(omega=1.0)]
    >>> one.mean, one.theory.round(4)
    (array([0.015]), array([0.0009]))
    """
    rows = stored[stored["d"] == d].drop_duplicates(list(IDENTITY[1:]))
    require(len(rows) > 0, "d", d, f"one of {sorted(stored['d'].unique().tolist())}, the dimensions in the table")
    found = {}
    for _, group in rows.groupby(list(IDENTITY[1:7]), dropna=False, sort=False):
        rho_pt, rho_ft, omega, c_pt, lambda_pt, gamma_ft = map(float, group.iloc[0][list(IDENTITY[1:7])])
        alone = Setting(rho_ft, c_pt=c_pt, pretrained=False)
        setting = alone if np.isnan(omega) else Setting(rho_ft, omega, c_pt, lambda_pt, gamma_ft, rho_pt)
        grid = group.pivot(index="alpha", columns="seed", values=["mse", "converged"])
        require(not grid.isna().any(axis=None), "the table", setting, "complete: every seed at every alpha")
        alpha, seeds = grid.index.to_numpy(), grid["mse"].columns.tolist()
        mse, certified = grid["mse"].to_numpy(float), grid["converged"].to_numpy(bool)
        found[setting] = comparison(setting, d, alpha, seeds, mse, certified)
    return found


def check_out(path: Path, rows: list[tuple[str, Point]]) -> None:
    """Raise unless the table of a plan may be written to `path`: nothing is there, or this key's table of some rows.

    Raises
    ------
    ValueError
        If the name does not end in .parquet.
    OSError
        If the folder is missing or cannot be written, or `path` holds anything else (FileExistsError).

    Examples
    --------
    >>> check_out(Path("table.csv"), plan("experiment-1", 100, [0], [0.1]))
    Traceback (most recent call last):
        ...
    ValueError: --out = 'table.csv' is not allowed: its name must end in .parquet
    """
    stored_table.check_out(path, identity(rows), provenance_of())


def write_table(path: Path, rows: list[tuple[str, Point]], found: dict[Point, dict[str, Any]]) -> None:
    """Write the table of a plan whole, with its provenance, where `check_out` allows.

    Raises
    ------
    ValueError, OSError
        As `check_out`.

    Examples
    --------
    >>> import tempfile
    >>> rows = plan("experiment-1", 100, [0], [0.1])[:1]
    >>> found = {rows[0][1]: dict.fromkeys(MEASURED, 0.0) | {"machine": "mine"}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(Path(folder, "table.parquet"), rows, found)
    ...     print(len(read_table(Path(folder, "table.parquet"))[0]))
    1
    """
    frame, provenance = table(rows, found)
    stored_table.write_table(path, frame, identity(rows), provenance)
