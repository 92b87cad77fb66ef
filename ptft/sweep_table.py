"""The table of a sweep over the published experiments: its rows, its columns, and the file that holds it.

A point is one `Setting` at one d, number of examples n and seed. A table has one row per experiment and point: what
several experiments share is simulated once and listed under each. This module needs the extra ``ptft[sweep]``.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

import ptft
from ptft import experiments
from ptft.experiments import Setting
from ptft.files import require_writable, write_whole
from ptft.validation import one_of, positive_array, require, whole_number

try:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as error:
    raise ImportError(f"ptft.sweep_table needs {error.name}: pip install ptft[sweep]") from error

FORMAT = 1  # of the stored units and tables, and of the way in which a point is solved: raise it when either changes
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
    """Hash of what a result depends on besides its point: the version of the package and `FORMAT`."""
    return hashlib.sha256(json.dumps([FORMAT, ptft.__version__]).encode()).hexdigest()[:12]


def settings_of(name: str) -> dict[str, list[Setting]]:
    """Settings of a sweep by the label of their experiment, "1" to "4" or "figure-5".

    Raises
    ------
    ValueError
        If `name` is not one of `NAMES`.
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
    """The columns `IDENTITY` of a plan. What has no meaning without pretraining (Experiment 4) is missing there."""
    frame = pd.DataFrame(
        [(label, *(getattr(p.setting, c) for c in IDENTITY[1:7]), p.d, p.n / p.d, p.seed) for label, p in rows],
        columns=list(IDENTITY),
    )
    without = [not point.setting.pretrained for _, point in rows]
    frame.loc[without, ["rho_pt", "omega", "lambda_pt", "gamma_ft"]] = np.nan
    return frame


def table(rows: list[tuple[str, Point]], found: dict[Point, dict[str, Any]]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table of a plan, one row per point with the columns `COLUMNS`, and its provenance."""
    measured = pd.DataFrame([found[point] for _, point in rows])
    provenance = {
        "made by": "python -m ptft.sweep",
        "format": FORMAT,
        "ptft": ptft.__version__,
        "key": key(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": sorted(measured["machine"].unique()),
    }
    return pd.concat([identity(rows), measured], axis=1)[list(COLUMNS)], provenance


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A stored table and its provenance.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a table of a sweep, or one of another format.
    """
    try:
        stored = parquet.read_table(path)
        provenance = json.loads((stored.schema.metadata or {})[b"ptft"])
    except (pa.ArrowInvalid, KeyError):
        raise ValueError(f"{path} is not a table of python -m ptft.sweep") from None
    if provenance["format"] != FORMAT:
        raise ValueError(f"{path} has format {provenance['format']}, made by ptft {provenance['ptft']}; not {FORMAT}")
    return stored.to_pandas(), provenance


def check_out(path: Path, rows: list[tuple[str, Point]]) -> None:
    """Raise unless the table of a plan may be written to `path`: nothing is there, or this key's table of some rows.

    Raises
    ------
    ValueError
        If the name does not end in .parquet.
    OSError
        If the folder is missing or cannot be written, or `path` holds anything else (FileExistsError).
    """
    if path.suffix != ".parquet":
        raise ValueError(f"--out = {str(path)!r} is not allowed: its name must end in .parquet")
    require_writable(path.parent, "the folder of --out,")
    if not path.exists():
        return
    if not path.is_file():
        raise FileExistsError(f"{path} is not a file")
    try:
        old, provenance = read_table(path)
    except ValueError as error:
        raise FileExistsError(f"{error}: move it away") from error
    if provenance["key"] != key():
        made = f"ptft {provenance['ptft']} (key {provenance['key']})"
        raise FileExistsError(f"{path} was made by {made}, this is {ptft.__version__} (key {key()}): move it away")
    common = old[list(IDENTITY)].merge(identity(rows), on=list(IDENTITY))  # missing values match each other
    if len(common) < len(old):
        raise FileExistsError(f"{path} has {len(old) - len(common)} rows that this sweep lacks: move it away")


def write_table(path: Path, rows: list[tuple[str, Point]], found: dict[Point, dict[str, Any]]) -> None:
    """Write the table of a plan whole, with its provenance as JSON in the schema's metadata, where `check_out` allows.

    Raises
    ------
    ValueError, OSError
        As `check_out`.
    """
    check_out(path, rows)
    frame, provenance = table(rows, found)
    stored = pa.Table.from_pandas(frame, preserve_index=False)
    stored = stored.replace_schema_metadata({**(stored.schema.metadata or {}), b"ptft": json.dumps(provenance)})
    buffer = pa.BufferOutputStream()
    parquet.write_table(stored, buffer)
    write_whole(path, buffer.getvalue().to_pybytes())
