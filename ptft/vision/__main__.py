"""``python -m ptft.vision``: compute the stored results of the chapter on residual networks, or resume doing so."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from pathlib import Path

import torch

import ptft
from ptft.vision.sweep import SAMPLE_SIZES, Protocol, by_stage, grid, run
from ptft.vision.tables import ACCURACY_COLUMNS, REPRESENTATION_COLUMNS, write_table


def main(arguments: list[str] | None = None) -> None:
    """Run the sweep and write its two tables."""
    parser = argparse.ArgumentParser(prog="python -m ptft.vision", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of class splits, seeds 0, 1, ... (default 5)")
    parser.add_argument("--n", type=int, nargs="+", default=list(SAMPLE_SIZES), help="fine-tuning sample sizes")
    parser.add_argument("--out", type=Path, default=Path("book/results"), help="folder of the two tables")
    parser.add_argument("--work", type=Path, default=Path("_build/vision"), help="folder of finished points")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each (default 1)")
    parser.add_argument("--replace", action="store_true", help="replace tables that hold other results")
    args = parser.parse_args(arguments)

    protocol = Protocol()
    found = run(protocol, range(args.seeds), grid(args.n), args.work, args.jobs)
    provenance = {
        "made by": "python -m ptft.vision",
        "ptft": getattr(ptft, "__version__", None),
        "torch": torch.__version__,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "key": protocol.key,
        "protocol": dataclasses.asdict(protocol),
    }
    tables = {"": (ACCURACY_COLUMNS, found), "_representations": (REPRESENTATION_COLUMNS, by_stage(found))}
    for suffix, (columns, rows) in tables.items():
        write_table(args.out / f"{protocol.dataset}{suffix}.csv", columns, rows, provenance, args.replace)
    print(f"{len(found)} points of protocol {protocol.key} in {args.out}")


if __name__ == "__main__":
    main()
