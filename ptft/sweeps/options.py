"""Options that the commands of several sweeps have."""

from __future__ import annotations

import argparse
from pathlib import Path

from ptft.validation import whole_number


def add_common(parser: argparse.ArgumentParser, name: str, out: str) -> None:
    """The options of every sweep: where its tables and its finished points go, and who computes them.

    Examples
    --------
    >>> add_common(parser := argparse.ArgumentParser(), "diagonal", "the table")
    >>> args = parser.parse_args(["--out", "table.parquet"])
    >>> args.jobs, args.scheduler, args.work.as_posix()
    (1, None, '_build/sweeps/diagonal')
    """
    work = Path("_build/sweeps") / name
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each (default 1)")
    parser.add_argument("--scheduler", help="tcp://HOST:PORT of a Dask scheduler, to use its workers instead")
    parser.add_argument("--work", type=Path, default=work, help=f"folder of finished points (default {work})")


def add_images(parser: argparse.ArgumentParser, images: str) -> None:
    """Options --dataset, of which `images` says what it is, and --root, for `ptft.vision.load`.

    Examples
    --------
    >>> add_images(parser := argparse.ArgumentParser(), "of the images")
    >>> vars(parser.parse_args([]))
    {'dataset': 'digits', 'root': None}
    """
    parser.add_argument("--dataset", default="digits", help=f"{images} (default digits)")
    parser.add_argument("--root", help="folder of the images (default: PTFT_DATA, else the user's cache)")


def add_range(parser: argparse.ArgumentParser, name: str, number: int, first: int = 0) -> None:
    """Options --NAMEs and --first-NAME, for `given_range`.

    Examples
    --------
    >>> add_range(parser := argparse.ArgumentParser(), "seed", number=14, first=6)
    >>> vars(parser.parse_args(["--seeds", "2"]))
    {'seeds': 2, 'first_seed': 6}
    """
    parser.add_argument(f"--{name}s", type=int, default=number, help=f"number of {name}s (default {number})")
    parser.add_argument(f"--first-{name}", type=int, default=first, help=f"the first {name} (default {first})")


def given_range(args: argparse.Namespace, name: str) -> range:
    """What the options of `add_range` ask for.

    Raises
    ------
    ValueError
        If there would be none.

    Examples
    --------
    >>> given_range(argparse.Namespace(seeds=2, first_seed=6), "seed")
    range(6, 8)
    """
    number, first = vars(args)[f"{name}s"], vars(args)[f"first_{name}"]
    return range(first, first + whole_number(number, f"--{name}s", at_least=1))
