"""A table and its provenance in one Parquet file, which is never overwritten by a table that says less.

The provenance is a dictionary with at least ``made by`` (a command), ``format`` (of its tables), ``ptft`` (the version)
and ``key`` (what the results depend on besides their points). This module needs the extra ``ptft[sweep]``.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import ptft
from ptft.extras import needs_extra
from ptft.files import linked, read_whole, require_writable, write_whole

with needs_extra("sweep", __name__):
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet


def digest(value: Any) -> str:
    """Twelve hexadecimal digits that stand for a value of JSON types.

    Examples
    --------
    >>> digest({"d": 5000, "seed": 6})
    'c0f4926eba14'
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def endings(table: pd.DataFrame) -> str:
    """What ended the training of the rows of a table that says so, in words.

    Examples
    --------
    >>> endings(pd.DataFrame({"stopped_by": ["loss", "cap", "loss"]}))
    "fine-tuning stopped by {'loss': 2, 'cap': 1}"
    """
    return f"fine-tuning stopped by {table['stopped_by'].value_counts().to_dict()}"


def provenance(made_by: str, table_format: int, key: str) -> dict[str, Any]:
    """What the provenance of any table of this version holds, with today's date.

    Examples
    --------
    >>> made = provenance("python -m example", 1, "0123abcd")
    >>> made["made by"], made["ptft"] == ptft.__version__
    ('python -m example', True)
    """
    return {
        "made by": made_by,
        "format": table_format,
        "ptft": ptft.__version__,
        "key": key,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def read_table(
    path: str | Path,
    made_by: str,
    table_format: int,
    formerly: tuple[str, ...] = (),
    former_formats: tuple[int, ...] = (),
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A stored table and its provenance.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a table of the command `made_by`, or one of its former names, or in another format, unless that is
        one of its former ones.

    Examples
    --------
    >>> from ptft.book.results import results_file
    >>> table, made = read_table(results_file("adapted_kernels.parquet"), "python -m ptft.sweeps adapted-kernels", 2)
    >>> "gamma_1" in table, sorted(made)[:3]
    (True, ['date', 'format', 'key'])
    """
    content = read_whole(Path(path))
    try:
        stored = parquet.read_table(pa.BufferReader(content))
        provenance = dict(json.loads(stored.schema.metadata[b"ptft"]))
        known = provenance["made by"] in (made_by, *formerly)
        made = f"format {provenance['format']}, made by ptft {provenance['ptft']} (key {provenance['key']})"
        frame = stored.to_pandas()
    except Exception:  # pyarrow and pandas raise whatever a damaged file leads them to
        known = False
    if not known:
        raise ValueError(f"{path} is not a table of {made_by}")
    if provenance["format"] not in (table_format, *former_formats):
        raise ValueError(f"{path} has {made}; not {table_format}")
    return frame, provenance


def check_out(
    path: Path,
    identity: pd.DataFrame,
    provenance: dict[str, Any],
    formerly: tuple[str, ...] = (),
    values: Collection[str] | None = None,
) -> None:
    """Raise unless a table may be written to `path`: nothing is there, or this key's table of some of its rows.

    A symbolic link is followed.

    Parameters
    ----------
    path : Path
        What the messages call ``--out``.
    identity : DataFrame
        The columns of the table that tell its rows apart; rows that are there twice count once.
    provenance : dict
    formerly : tuple of str
        Other commands that made such tables, as of `read_table`.
    values : collection of str, optional
        The other columns of the table; by default any.

    Raises
    ------
    ValueError
        If the name does not end in .parquet.
    OSError
        If the folder is missing or cannot be written, or `path` holds anything else (FileExistsError).

    Examples
    --------
    >>> made = provenance("python -m example", 1, "0123abcd")
    >>> check_out(Path("table.csv"), pd.DataFrame({"seed": [0]}), made)
    Traceback (most recent call last):
        ...
    ValueError: --out = 'table.csv' is not allowed: its name must end in .parquet
    """
    if path.suffix != ".parquet":
        raise ValueError(f"--out = {str(path)!r} is not allowed: its name must end in .parquet")
    require_writable(linked(path).parent, "the folder of --out,")
    if not path.exists():
        return
    if not path.is_file():
        raise FileExistsError(f"{path} is not a file")
    try:
        old, made = read_table(path, provenance["made by"], provenance["format"], formerly)
    except ValueError as error:
        raise FileExistsError(f"{error}: move it away") from error
    if made["key"] != provenance["key"]:
        this = f"this is {provenance['ptft']} (key {provenance['key']})"
        raise FileExistsError(f"{path} was made by ptft {made['ptft']} (key {made['key']}), {this}: move it away")
    columns = [*identity, *(old.columns.difference(identity.columns) if values is None else values)]
    if sorted(map(str, old)) != sorted(map(str, columns)):
        said = f"has the columns {', '.join(map(str, old))} instead of {', '.join(map(str, columns))}"
        raise FileExistsError(f"{path} {said}: move it away")
    try:
        common = old[list(identity)].merge(identity.drop_duplicates())  # missing values match each other
    except (ValueError, TypeError) as error:
        raise FileExistsError(f"{path} has columns of other types ({error}): move it away") from error
    if len(common) < len(old):
        raise FileExistsError(f"{path} has {len(old) - len(common)} rows that this sweep lacks: move it away")


def write_table(
    path: Path,
    frame: pd.DataFrame,
    identity: pd.DataFrame,
    provenance: dict[str, Any],
    formerly: tuple[str, ...] = (),
) -> None:
    """Write a table whole, with its provenance as JSON in the schema's metadata, where `check_out` allows.

    Raises
    ------
    ValueError, OSError
        As `check_out`.

    Examples
    --------
    >>> import tempfile
    >>> frame = pd.DataFrame({"seed": [0, 1], "mse": [0.1, 0.2]})
    >>> made = provenance("python -m example", 1, "0123abcd")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(Path(folder, "table.parquet"), frame, frame[["seed"]], made)
    ...     print(read_table(Path(folder, "table.parquet"), "python -m example", 1)[0])
       seed  mse
    0     0  0.1
    1     1  0.2
    """
    check_out(path, identity, provenance, formerly, frame.columns.difference(identity.columns))
    stored = pa.Table.from_pandas(frame, preserve_index=False)
    stored = stored.replace_schema_metadata({**(stored.schema.metadata or {}), b"ptft": json.dumps(provenance)})
    buffer = pa.BufferOutputStream()
    parquet.write_table(stored, buffer)
    write_whole(path, buffer.getvalue().to_pybytes())
