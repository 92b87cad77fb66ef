"""``python -m ptft.infinite_width 3a 3b 4 5 --draws 5 --width 20000 --jobs 2 --out TABLE.parquet``: Figures 3 to 5.

The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ptft.infinite_width.rich_transfer import FIGURES, KINDS, setting
from ptft.infinite_width.sweep import identity, plan, provenance_of, run
from ptft.sweeps import table as stored_table
from ptft.sweeps.engine import add_options, command
from ptft.validation import whole_number


@command("ptft.infinite_width")
def main(arguments: list[str] | None = None) -> None:
    """Run the sweep and write its table; the exit status is that of `ptft.sweeps.engine.command`."""
    parser = argparse.ArgumentParser(
        prog="python -m ptft.infinite_width",
        description="Train on two tasks in a row, theory and finite network, or go on with it, and store the results.",
    )
    parser.add_argument("figures", nargs="+", metavar="FIGURE", help=f"some of {', '.join(FIGURES)}")
    parser.add_argument("--draws", type=int, default=5, help="number of draws of data and neurons (default 5)")
    parser.add_argument("--first-draw", type=int, default=0, help="the first draw (default 0)")
    parser.add_argument("--width", type=int, default=20_000, help="neurons, and particles (default 20000, published)")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), help=f"some of {', '.join(KINDS)} (default both)")
    parser.add_argument("--dataset", default="digits", help="images of Figures 4 and 5 (default digits)")
    parser.add_argument("--source-examples", type=int, help="P1 of Figures 4 and 5 (default: that of the data set)")
    parser.add_argument("--root", help="folder of the images (default: PTFT_DATA, else the user's cache)")
    parser.add_argument("--device", help="train by PyTorch there, such as cuda (default: by numpy)")
    add_options(parser, "_build/infinite_width")
    parser.add_argument("--out", type=Path, required=True, help="the table, a .parquet file")
    args = parser.parse_args(arguments)
    settings = [setting(figure, args.dataset, args.source_examples) for figure in dict.fromkeys(args.figures)]
    draws = range(args.first_draw, args.first_draw + whole_number(args.draws, "--draws", at_least=1))
    points = plan(settings, draws, args.width, args.kinds)
    rows = identity(points)
    stored_table.check_out(args.out, rows, provenance_of())
    table, provenance = run(points, args.work, args.jobs, args.scheduler, args.root, args.device, progress=True)
    stored_table.write_table(args.out, table, rows, provenance)
    ended = table.loc[table["quantity"] == "complete", "value"]
    print(f"{len(points)} runs in {args.out}; not to the end: {int((ended == 0).sum())}")


if __name__ == "__main__":
    sys.exit(main())
