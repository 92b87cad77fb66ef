"""What a sweep is: its points, how they are solved, what a result depends on besides its point, and its tables."""

from __future__ import annotations

import os
import platform
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from ptft.extras import needs_extra
from ptft.sweeps import table

with needs_extra("sweep", __name__):
    import pandas as pd

Rows = dict[str, list[dict[str, Any]]]  # what a point adds to each table


def machine(device: str | None = None) -> str:
    """What this process runs on: with a device of PyTorch, such as "cpu" or "cuda", that and its version, too.

    Examples
    --------
    >>> machine().startswith(platform.system())
    True
    """
    software = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    if device is not None:
        with needs_extra("vision", f"a sweep on {device}"):
            import torch

        gpu = f", {torch.cuda.get_device_name(device)}" if torch.device(device).type == "cuda" else ""
        software += f", torch {torch.__version__}{gpu}"
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {software}"


def first_type(kind: Any) -> Any:
    """The type itself, or of a union such as float | None the first.

    Examples
    --------
    >>> first_type(float | None), first_type(int)
    (<class 'float'>, <class 'int'>)
    """
    return (typing.get_args(kind) or (kind,))[0]


def fits(value: Any, kind: Any) -> bool:
    """Whether a JSON value is of a type: float is a finite number, and float | None any number, or none.

    Examples
    --------
    >>> [fits(value, float) for value in (1, 0.5, float("nan"), None, True, "1")]
    [True, True, False, False, False, False]
    >>> [fits(value, float | None) for value in (0.5, float("nan"), None, "1")]
    [True, True, True, False]
    """
    first, optional = first_type(kind), type(None) in typing.get_args(kind)
    if value is None:
        return optional
    if issubclass(first, (float, np.floating)):
        whole = type(value) in (float, int) and abs(value) <= sys.float_info.max
        return whole or (optional and type(value) is float)
    return type(value) is first and (first is not int or abs(value) < 2**63)


def not_certified(points: pd.DataFrame) -> str:
    """How many end points of a table have no certificate, the `summary` of sweeps that find end points.

    Examples
    --------
    >>> not_certified(pd.DataFrame({"converged": [True, False, True]}))
    'not certified: 1'
    """
    return f"not certified: {(~points['converged']).sum()}"


@dataclass(frozen=True)
class Preparation:
    """Work that several points share and that is done before them: each piece leaves a file, which workers write.

    A piece is a named tuple of JSON values.
    """

    kind: str  # names the folder, the files and the bar
    needed_by: Callable[[Any], Any]  # the piece that a point begins with, or None
    make: Callable[..., bytes]  # of a piece, and what the sweep says under `where`: the content of its file
    record: Callable[[bytes], dict[str, Any]]  # JSON values that such a content tells of itself
    suffix: str  # of the files
    depends_on: Callable[..., Any]  # as of `Sweep`, of the files alone: sweeps in which it is the same share them
    listed: str | None = None  # the entry of the tables' provenance that lists the records

    @property
    def folder(self) -> str:
        """Name of the folder of the files."""
        return f"{self.kind}-{table.digest(self.depends_on())}"

    def name(self, piece: tuple[Any, ...]) -> str:
        """Name of the file of a piece, without its digest and suffix."""
        return f"{self.kind}_{'_'.join(map(str, piece))}"


@dataclass(frozen=True)
class Sweep:
    """What the engine and the command need to know of a sweep.

    A plan is a sequence of rows: tuples of the `labels`, if there are any, and the fields of a point. Rows that differ
    in their labels alone share a point, which is solved once. The functions are those of a module, or partials of them,
    so that workers on other machines find them.
    """

    name: str  # of the command
    format: int  # of files and tables, and of the way in which a point is solved: raised when one of them changes
    depends_on: Callable[..., Any]  # JSON value of what a result depends on besides its point, where it is called
    point: Any  # class of the points, a named tuple of JSON values
    solve: Callable[..., Sequence[Rows]]  # of points, the content of their preparation or None, and what `where` says
    tables: Mapping[str, Mapping[str, Any]]  # by name: the columns after those of a row, and their types, see `fits`
    labels: tuple[str, ...] = ()
    together: Callable[[Any], Any] | None = None  # points for which it is the same are solved together, in its order
    batch: int = 1  # and at most so many at once
    preparation: Preparation | None = None
    formerly: tuple[str, ...] = ()  # the commands that made its tables in earlier versions
    former_formats: tuple[int, ...] = ()  # in which its tables can still be read, though not extended
    where: Mapping[str, Any] = field(default_factory=dict)  # further arguments of all points, such as `root`, `device`
    notes: Mapping[str, Any] = field(default_factory=dict)  # further entries of the provenance
    summary: Callable[[pd.DataFrame], str] | None = None  # of the first table, in a few words

    @property
    def made_by(self) -> str:
        """The command that makes its tables."""
        return f"python -m ptft.sweeps {self.name}"

    @property
    def key(self) -> str:
        """Hash of `depends_on`; results of two keys never mix."""
        return table.digest(self.depends_on())

    def provenance(self) -> dict[str, Any]:
        """What the provenance of a table holds before there are results."""
        return {**table.provenance(self.made_by, self.format, self.key), **self.notes}

    def point_of(self, row: tuple[Any, ...]) -> Any:
        """The point of a row of a plan."""
        return self.point(*row[len(self.labels) :])

    def identity(self, plan: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
        """The columns of the tables that tell the rows of a plan apart; None is a missing number."""
        frame = pd.DataFrame(list(map(tuple, plan)), columns=[*self.labels, *self.point._fields])
        types = typing.get_type_hints(self.point)
        return frame.astype({name: float for name, kind in types.items() if first_type(kind) is float})

    def files(self, out: Path) -> dict[str, Path]:
        """Where the tables go: one to the file `out`, several into the folder `out`."""
        return {name: out if len(self.tables) == 1 else out / f"{name}.parquet" for name in self.tables}

    def read_table(self, path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
        """A stored table of the sweep and its provenance; the errors are those of `ptft.sweeps.table.read_table`."""
        return table.read_table(path, self.made_by, self.format, self.formerly, self.former_formats)
