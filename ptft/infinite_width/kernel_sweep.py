"""Figures 2b and 2c of arXiv:2507.04448 at several widths and for several draws, in parallel, stored and resumable.

``python -m ptft.infinite_width.kernel_sweep --widths 1000 4000 16000 --draws 5 --jobs 2 --out TABLE.parquet``

A point is one call of `ptft.infinite_width.kernel_transfer.solve_point`: pretraining once by mean-field theory and once
in a finite network, and kernel regression with the features of either on a number of target tasks. Its numbers are
`SETTING`. Every finished point is a small file in the work folder, and what is there is never computed again: the same
command goes on where it was stopped. This module needs the extra ``ptft[vision]``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import ptft
from ptft.files import write_whole
from ptft.infinite_width.kernel_transfer import solve_point
from ptft.sweeps import engine
from ptft.sweeps import table as stored_table
from ptft.validation import require, whole_number

FORMAT = 1  # of the points and the table, and of the way in which a point is computed: raise it when either changes
MADE_BY = "python -m ptft.infinite_width.kernel_sweep"
SETTING: dict[str, Any] = {"source": (0, 1), "target": (0, 9), "P_2": (4, 8, 16, 32, 64), "pool": 128, "draws": 32}
P_1 = (20, 100)
GAMMA_1 = (0.0, 1.0, 4.0)


class Point(NamedTuple):
    """One draw of images and weights, at one width, for one number of source images and one richness."""

    dataset: str
    P_1: int
    gamma_1: float
    width: int
    seed: int


class Task(NamedTuple):
    """A point, and where its file and the images are."""

    point: Point
    folder: Path
    root: str | Path | None


def plan(widths: Iterable[int], seeds: Iterable[int], dataset: str = "digits") -> list[Point]:
    """Every point of the given widths and seeds, the narrow ones first.

    Raises
    ------
    ValueError
        If a width is not even or a seed is not a whole number.

    Examples
    --------
    >>> len(plan([1000, 4000], range(5)))
    60
    """
    for width in widths:
        require(whole_number(width, "width", 2) % 2 == 0, "width", width, "even, as particles come in mirrored pairs")
    seeds = [whole_number(seed, "seed") for seed in seeds]
    return [Point(dataset, p, g, w, s) for w, s, p, g in itertools.product(widths, seeds, P_1, GAMMA_1)]


def key() -> str:
    """Hash of what a result depends on besides its point: the version of the package, `FORMAT` and `SETTING`.

    Examples
    --------
    >>> len(key())
    12
    """
    return stored_table.digest([SETTING, FORMAT, ptft.__version__])


def run(
    points: Sequence[Point],
    work: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    root: str | Path | None = None,
    progress: bool = False,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The results of a plan: those in the work folder are read, what is missing is computed.

    Parameters
    ----------
    points : sequence of Point, see `plan`
    work, jobs, scheduler, root, progress
        As in `ptft.infinite_width.sweep.run`.

    Returns
    -------
    table : DataFrame
        The columns of `Point`, features ("mean field" or "network"), P_2, draw, loss, and source_loss; in the order of
        the points.
    provenance : dict

    Raises
    ------
    ValueError
        If a worker runs another version.
    OSError
        If the work folder cannot be written, the images are not found or the scheduler does not answer.
    RuntimeError
        If a point fails; the message names it.
    WorkersLost
        If workers or their scheduler were killed; what was finished is kept.

    Examples
    --------
    >>> import tempfile
    >>> point = plan([64], [0])[0]
    >>> with tempfile.TemporaryDirectory() as work:
    ...     table, made = run([point], work)
    >>> table.groupby("features")["loss"].count().to_dict()  # five P_2, 32 draws
    {'mean field': 160, 'network': 160}
    """
    whole_number(jobs, "jobs", at_least=1)
    folder = engine.work_folder(work, key()).resolve()
    found = engine.read_files(folder.glob("kernel_*.json"), _read)
    missing = [Task(point, folder, root) for point in points if point not in found]
    with engine.progress_bar(len(points), len(points) - len(missing), progress) as bar:
        for _ in engine.solved(solve, missing, key(), jobs, scheduler):
            bar.update()
    found |= engine.read_files((_file(task) for task in missing), _read)
    table = pd.DataFrame([{**point._asdict(), **row} for point in points for row in found[point]["rows"]])
    machines = sorted({found[point]["machine"] for point in points})
    return table, {**stored_table.provenance(MADE_BY, FORMAT, key()), "machine": machines}


def solve(task: Task, expected_key: str) -> None:
    """Write the file of a point, on one thread; the errors are those of `ptft.infinite_width.sweep.solve`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     solve(Task(plan([64], [0])[0], Path(folder), None), key())
    ...     print(len(list(Path(folder).iterdir())))
    1
    """
    engine.start_task(key(), expected_key, task.folder)
    point = task.point
    try:
        given = {"root": task.root, "S": point.width, "N": point.width, "seed": point.seed, **SETTING}
        rows = solve_point(point.dataset, P_1=point.P_1, gamma_1=point.gamma_1, **given)
    except (RuntimeError, ArithmeticError) as error:
        raise RuntimeError(f"{point} failed: {error}") from error
    kept = [{name: row[name] for name in ("features", "P_2", "draw", "loss", "source_loss")} for row in rows]
    content = {"key": expected_key, "machine": engine.machine(), "point": point._asdict(), "rows": kept}
    write_whole(_file(task), json.dumps(content).encode())


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A stored table and its provenance; OSError without the file, ValueError if it is another table.

    Examples
    --------
    >>> import tempfile
    >>> frame, made = pd.DataFrame({"width": [1000]}), stored_table.provenance(MADE_BY, FORMAT, key())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stored_table.write_table(Path(folder, "table.parquet"), frame, frame, made)
    ...     print(read_table(Path(folder, "table.parquet"))[1]["made by"])
    python -m ptft.infinite_width.kernel_sweep
    """
    return stored_table.read_table(path, MADE_BY, FORMAT)


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """How far the loss with the features of a finite network is from that of mean-field theory.

    Root mean square, over the seeds and P_2, of the relative difference of the mean losses over the draws: a row for
    each width, a column for each (P_1, gamma_1).

    Examples
    --------
    >>> row = {"P_1": 20, "gamma_1": 0.0, "width": 100, "seed": 0, "P_2": 4, "draw": 0}
    >>> rows = [{**row, "features": "mean field", "loss": 0.5}, {**row, "features": "network", "loss": 0.6}]
    >>> float(differences(pd.DataFrame(rows)).loc[100, (20, 0.0)].round(3))
    0.2
    """
    of = ["width", "P_1", "gamma_1"]
    mean = table.groupby([*of, "seed", "P_2", "features"])["loss"].mean().unstack()
    square = (mean["network"] / mean["mean field"] - 1) ** 2
    return np.sqrt(square.groupby(of).mean()).unstack(["P_1", "gamma_1"])


def _file(task: Task) -> Path:
    return task.folder / f"kernel_{'_'.join(map(str, task.point))}.json"


def _read(path: Path) -> dict[Point, dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["key"] != key():
        raise ValueError(f"its key is {content['key']}")
    return {Point(**content["point"]): {"machine": content["machine"], "rows": content["rows"]}}


@engine.command(MADE_BY)
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sweep and write its table; the exit status is that of `ptft.sweeps.engine.command`.

    Examples
    --------
    >>> main(["--draws", "0", "--out", "table.parquet"])  # refused: there must be a draw
    2
    """
    parser = argparse.ArgumentParser(prog=MADE_BY, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[1000, 4000, 16000], help="neurons, and particles")
    parser.add_argument("--draws", type=int, default=5, help="number of draws of images and weights (default 5)")
    parser.add_argument("--dataset", default="digits", help="of the images (default digits)")
    parser.add_argument("--root", help="folder of the images (default: PTFT_DATA, else the user's cache)")
    engine.add_options(parser, "_build/infinite_width")
    parser.add_argument("--out", type=Path, required=True, help="the table, a .parquet file")
    args = parser.parse_args(arguments)
    points = plan(args.widths, range(whole_number(args.draws, "--draws", at_least=1)), args.dataset)
    rows = pd.DataFrame(points)
    stored_table.check_out(args.out, rows, stored_table.provenance(MADE_BY, FORMAT, key()))
    table, provenance = run(points, args.work, args.jobs, args.scheduler, args.root, progress=True)
    stored_table.write_table(args.out, table, rows, provenance)
    print(f"{len(points)} points in {args.out}")


if __name__ == "__main__":
    sys.exit(main())
