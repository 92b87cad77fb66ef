"""Options that the commands of several sweeps have."""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptft.sweeps.sweep import Sweep
from ptft.validation import one_of, positive_array, refuse, whole_number

if TYPE_CHECKING:  # it needs torch, and not every sweep does
    from ptft.vision import Protocol
    from ptft.vision.data import Dataset

PRECISIONS = ("auto", "bfloat16", "float32")


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
    parser.add_argument("--extend", action="store_true", help="keep the rows of the tables that are there, add others")


def add_images(parser: argparse.ArgumentParser, images: str) -> None:
    """Options ``--dataset``, of which `images` says what it is, ``--root`` and ``--images``, for `given_images`.

    Examples
    --------
    >>> add_images(parser := argparse.ArgumentParser(), "of the images")
    >>> vars(parser.parse_args([]))
    {'dataset': 'digits', 'root': None, 'images': None}
    """
    parser.add_argument("--dataset", default="digits", help=f"{images} (default digits)")
    parser.add_argument("--root", help="folder of the images (default: PTFT_DATA, else the user's cache)")
    parser.add_argument("--images", metavar="FOLDER", help="of class folders or Parquet files, instead of --dataset")


def given_images(args: argparse.Namespace) -> tuple[str, str | None, Dataset | None]:
    """The name of the images that the options of `add_images` ask for, their folder, and what a user's folder holds.

    Raises
    ------
    ValueError
        If ``--images`` is given with another one, or holds no images.
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> add_images(parser := argparse.ArgumentParser(), "of the images")
    >>> given_images(parser.parse_args([]))
    ('digits', None, None)
    """
    if args.images is None:
        return args.dataset, args.root, None
    from ptft.vision.data import load

    _only_images(args)
    found = load(Path(args.images))
    print(f"{(name := Path(args.images).resolve().name)}: {found}")
    return name, args.images, found


def on_images(sweep: Sweep, images: Dataset | None, **where: Any) -> Sweep:
    """The sweep with further arguments of its points; on a user's images they are part of its keys and provenance.

    Parameters
    ----------
    sweep : Sweep
        Whose `depends_on` takes a digest of images, as does that of its preparation.
    images : Dataset, optional
        What a user's folder holds, see `given_images`.
    **where
        Arguments of all points.

    Examples
    --------
    >>> from ptft.sweeps.adapted_kernels import SWEEP
    >>> on_images(SWEEP, None, root="images").where
    {'root': 'images'}
    """
    if images is None:
        return dataclasses.replace(sweep, where=where)
    first = sweep.preparation
    if first is not None:
        first = dataclasses.replace(first, depends_on=partial(first.depends_on, images.digest))
    on, notes = partial(sweep.depends_on, images.digest), {"images": images.record}
    return dataclasses.replace(sweep, depends_on=on, preparation=first, where=where, notes=notes)


def add_range(parser: argparse.ArgumentParser, name: str, number: int, first: int = 0) -> None:
    """Options ``--NAMEs`` and ``--first-NAME``, for `given_range`.

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


def add_protocol(parser: argparse.ArgumentParser) -> None:
    """Options of how networks are pretrained and fine-tuned on the images of ``--dataset``, for `given_protocol`.

    Examples
    --------
    >>> add_protocol(parser := argparse.ArgumentParser())
    >>> parser.parse_args(["--pretraining-cap", "30"]).pretraining_cap
    30
    """
    from ptft import vision

    parser.epilog = "For the digits, size, thresholds and caps are weaker by default: ptft.vision.DIGITS."
    parser.add_argument("--label", help="column of labels of Parquet files (default: label, or else fine_label)")
    parser.add_argument("--size", type=int, help="resize images to so many pixels (default: as they are)")
    parser.add_argument("--pretraining-classes", type=int, dest="n_pt", help="number of them (default: all others)")
    parser.add_argument("--fine-tuning-classes", type=int, dest="n_ft", help="number of them (default 2)")
    parser.add_argument("--pretraining-images", type=int, help="number of them (default: all)")
    parser.add_argument("--images-per-class", type=int, help="of each pretraining class (default: all)")
    parser.add_argument("--test-images", type=int, dest="n_test", help="number of them (default: all)")
    parser.add_argument("--held-out", type=int, help="of each new class, training images to test on (default: none)")
    for name, stage in (("pretraining", vision.PRETRAINING), ("fine-tuning", vision.FINE_TUNING)):
        ends = f"{name} ends below it (published: {stage.loss_below:g})"
        parser.add_argument(f"--{name}-loss", type=float, help=ends)
        parser.add_argument(f"--{name}-cap", type=int, help=f"or after so many epochs (default {stage.max_epochs})")
    parser.add_argument("--precision", default="auto", help="auto (default), bfloat16 or float32")


def given_protocol(args: argparse.Namespace) -> Protocol:
    """What the options of `add_protocol`, `add_images` and ``--device`` ask for.

    Raises
    ------
    ValueError
        If one of them is not allowed.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_images(parser, "of the images"), add_protocol(parser), parser.set_defaults(device="cpu")
    (None, None, None)
    >>> given_protocol(parser.parse_args(["--fine-tuning-cap", "5"])).fine_tuning.max_epochs
    5
    """
    from ptft import vision

    one_of(args.dataset, "--dataset", vision.DATASETS)
    one_of(args.precision, "--precision", PRECISIONS)
    if args.images is not None:
        _only_images(args)
        base = vision.Protocol.of_folder(args.images, args.label, args.size)
    elif args.label is not None:
        refuse("--label", args.label, "left out where --images is not given")
    else:
        base = vision.DIGITS if args.dataset == "digits" else vision.Protocol(args.dataset)
    names = {*base.record, *(field.name for field in dataclasses.fields(base))} - {"dataset", "label"}
    given = {name: value for name, value in vars(args).items() if name in names and value is not None}
    for name in ("pretraining", "fine-tuning"):
        positive_array(given.get(f"{name.replace('-', '_')}_loss", 1), f"--{name}-loss")
        whole_number(given.get(f"{name.replace('-', '_')}_cap", 0), f"--{name}-cap")
    low = vision.has_bf16(args.device) if args.precision == "auto" else args.precision == "bfloat16"
    return vision.Protocol.of_record({**base.record, **given, "bf16": low})


def _only_images(args: argparse.Namespace) -> None:
    for option, value in (("--dataset", args.dataset), ("--root", args.root)):
        if value not in (None, "digits"):
            refuse(option, value, "left out where --images is given")
