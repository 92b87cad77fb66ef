"""``python -m ptft.vision --dataset fashion-mnist --seeds 10 --jobs 2 --out-folder FOLDER``: pretrain and fine-tune.

The tables are FOLDER/vision.parquet and FOLDER/representations.parquet. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ptft.sweeps import table as stored_table
from ptft.sweeps.engine import add_options, command
from ptft.validation import one_of, positive_array, whole_number
from ptft.vision.compaction import has_bf16
from ptft.vision.data import DATASETS
from ptft.vision.protocol import CONTROLS, DIGITS, KNOBS, SAMPLE_SIZES, Protocol, grid, part
from ptft.vision.sweep import identity, provenance_of, run
from ptft.vision.training import FINE_TUNING, PRETRAINING

PRECISIONS = ("auto", "bfloat16", "float32")


@command("ptft.vision")
def main(arguments: list[str] | None = None) -> None:
    """Run the sweep and write its two tables; the exit status is that of `ptft.sweeps.engine.command`."""
    parser = argparse.ArgumentParser(
        prog="python -m ptft.vision",
        description="Pretrain and fine-tune a residual network, or go on with it, and store the results.",
        epilog="For the digits, size, thresholds and caps are weaker by default: ptft.vision.DIGITS.",
    )
    parser.add_argument("--dataset", default="digits", help=f"{', '.join(DATASETS)} (default digits)")
    parser.add_argument("--root", help="folder of the images (default: PTFT_DATA, else the user's cache)")
    parser.add_argument("--pretraining-images", type=int, help="number of them (default: all)")
    parser.add_argument("--test-images", type=int, dest="n_test", help="number of them (default: all)")
    parser.add_argument("--seeds", type=int, default=10, help="number of class splits (default 10)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first seed (default 0)")
    some = f"some of {', '.join(KNOBS | CONTROLS)}"
    parser.add_argument("--knobs", nargs="*", default=list(KNOBS), metavar="KNOB[=VALUE,...]", help=some)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SAMPLE_SIZES), help="fine-tuning sample sizes n")
    for name, stage in (("pretraining", PRETRAINING), ("fine-tuning", FINE_TUNING)):
        parser.add_argument(
            f"--{name}-loss", type=float, help=f"{name} ends below it (published: {stage.loss_below:g})"
        )
        parser.add_argument(f"--{name}-cap", type=int, help=f"or after so many epochs (default {stage.max_epochs})")
    parser.add_argument("--precision", default="auto", help="auto (default), bfloat16 or float32")
    parser.add_argument("--device", default="cpu", help="where to train (default cpu)")
    add_options(parser, "_build/vision")
    parser.add_argument("--out-folder", type=Path, required=True, help="folder of the two tables")
    args = parser.parse_args(arguments)
    protocol = _protocol(args)
    seeds = range(args.first_seed, args.first_seed + whole_number(args.seeds, "--seeds", at_least=1))
    points = grid(args.sizes, dict(map(_knob, args.knobs)))
    rows = identity(protocol, seeds, points)
    outs = [args.out_folder / name for name in ("vision.parquet", "representations.parquet")]
    for out in outs:
        stored_table.check_out(out, rows, provenance_of(protocol), "--out-folder")
    *tables, provenance = run(
        protocol, seeds, points, args.work, args.jobs, args.scheduler, args.root, args.device, progress=True
    )
    for out, table in zip(outs, tables, strict=True):
        stored_table.write_table(out, table, rows, provenance, "--out-folder")
    ended = tables[0]["stopped_by"].value_counts().to_dict()
    print(f"{len(rows)} points in {args.out_folder}; fine-tuning stopped by {ended}")


def _protocol(args: argparse.Namespace) -> Protocol:
    one_of(args.dataset, "--dataset", DATASETS)
    one_of(args.precision, "--precision", PRECISIONS)
    base = DIGITS if args.dataset == "digits" else Protocol(args.dataset)
    given = {name: value for name, value in vars(args).items() if name in base.record and value is not None}
    for name in ("pretraining", "fine_tuning"):
        option = f"--{name.replace('_', '-')}"
        positive_array(given.get(f"{name}_loss", 1), f"{option}-loss")
        whole_number(given.get(f"{name}_cap", 0), f"{option}-cap")
    bf16 = has_bf16(args.device) if args.precision == "auto" else args.precision == "bfloat16"
    return Protocol.of_record({**base.record, **given, "bf16": bf16})


def _knob(text: str) -> tuple[str, tuple[float, ...]]:
    """A knob and its values other than 1 from KNOB or KNOB=VALUE,VALUE."""
    name, _, values = text.partition("=")
    one_of(name, "--knobs", tuple(KNOBS | CONTROLS))
    if not values:
        return name, part(name)[name]
    try:
        numbers = dict.fromkeys(float(value) for value in values.split(","))
    except ValueError:
        numbers = {0.0: None}
    if not all(0 < number < float("inf") and number != 1 for number in numbers):
        raise ValueError(f"--knobs {text} is not allowed: its values must be positive numbers other than 1")
    return name, tuple(numbers)


if __name__ == "__main__":
    sys.exit(main())
