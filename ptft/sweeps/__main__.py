"""``python -m ptft.sweeps NAME ... --out TABLE``: run a sweep, or go on with it, and store its tables.

``--help`` after the name lists the options of a sweep. The exit status is 0; 2 for what cannot be done as it was asked
for (ValueError, OSError, ImportError); or 1 for what went wrong on the way (RuntimeError, KeyboardInterrupt).
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

from ptft.sweeps import NAMES
from ptft.validation import one_of


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status; what went wrong is said on one line of standard error."""
    top = argparse.ArgumentParser(prog="python -m ptft.sweeps", description="Run a sweep, or go on with it.")
    top.add_argument("name", help=f"one of {', '.join(NAMES)}; --help after it lists its options")
    top.add_argument("options", nargs=argparse.REMAINDER, help="of the sweep")
    given = top.parse_args(arguments)
    try:
        _store(one_of(given.name, "the sweep", NAMES), given.options)
    except (ValueError, OSError, ImportError) as error:
        print(f"ptft.sweeps: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted"
        print(f"ptft.sweeps: {reason}\nWhat was finished is kept: the same command goes on.", file=sys.stderr)
        return 1
    return 0


def _store(name: str, options: list[str]) -> None:
    module = importlib.import_module(f"ptft.sweeps.{name.replace('-', '_')}")
    from ptft.sweeps import engine
    from ptft.sweeps.options import add_common

    several = len(module.SWEEP.tables) > 1
    parser = argparse.ArgumentParser(prog=module.SWEEP.made_by, description=(module.__doc__ or "").split("\n")[0])
    module.add_arguments(parser)
    add_common(parser, name, "folder of its tables" if several else "the table, a .parquet file")
    args = parser.parse_args(options)
    sweep, plan = module.planned(args)
    tables = engine.store(sweep, plan, args.out, args.work, args.jobs, args.scheduler, True, args.extend)
    points = len({sweep.point_of(row) for row in plan})
    first = next(iter(tables.values()))
    print(f"{points} points, {len(first)} rows in {args.out}" + (f"; {sweep.summary(first)}" if sweep.summary else ""))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the workers, too, and says so, as Ctrl-C does
    sys.exit(main())
