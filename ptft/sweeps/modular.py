"""Networks on modular arithmetic: test error against the number of pairs, by knob, for several pairs of tasks.

A point is one fine-tuning run of `ptft.modular.protocol`. Points of one seed that begin with the same pretraining are
solved together, and it is trained once for all of them.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import ptft
from ptft.extras import needs_extra
from ptft.modular import protocol
from ptft.modular.protocol import NETWORKS, PROTOCOLS, SAMPLE_SIZES
from ptft.modular.tasks import RELATIONS
from ptft.sweeps.options import add_range, given_range
from ptft.sweeps.sweep import Rows, Sweep
from ptft.sweeps.table import endings
from ptft.trends import BASELINE
from ptft.validation import checked, listed, one_of, whole_number
from ptft.vision.compaction import check_device

with needs_extra("vision", __name__):
    import torch

FORMAT = 1


class ModularPoint(NamedTuple):
    """One seed, one pair of tasks, one number of pairs and one setting of the initialization."""

    network: str
    relation: str
    size: int
    knob: str
    value: float
    n: int
    seed: int


@checked
def plan(
    networks: Iterable[str],
    seeds: Iterable[int],
    sizes: Sequence[int] = SAMPLE_SIZES,
    relations: Sequence[str] | None = None,
) -> list[ModularPoint]:
    """The points of some networks and seeds: all settings, all tasks of the protocol or some relations, all sizes.

    Raises
    ------
    ValueError
        If a network, a relation or a number is not allowed.

    Examples
    --------
    >>> points = plan(["quadratic"], [0], [240], ["nested", "new"])
    >>> len(points), points[0].size  # 16 settings, four numbers of frequencies each
    (128, 1)
    """
    names = [one_of(network, "networks", NETWORKS) for network in listed(networks, "networks")]
    given = listed(RELATIONS if relations is None else relations, "relations")
    chosen = [one_of(relation, "relations", RELATIONS) for relation in given]
    seeds = [whole_number(seed, "seeds") for seed in listed(seeds, "seeds")]
    most = min(PROTOCOLS[name].p ** 2 - 1 for name in names)  # pairs must be left for the test
    sizes = [whole_number(n, "sizes", 1, most) for n in listed(sizes, "sizes")]
    return [
        ModularPoint(name, relation, size, knob, value, n, seed)
        for name in names
        for seed in seeds
        for knob, value in protocol.settings(name)
        for relation, size in PROTOCOLS[name].cells
        if relation in chosen
        for n in sizes
    ]


def start_of(point: ModularPoint) -> tuple[int, int, str, float]:
    """What the pretraining of a point depends on, in the order in which points are solved: network by network.

    Examples
    --------
    >>> start_of(ModularPoint("quadratic", "new", 1, "gamma", 10.0, 60, 3))
    (0, 3, 'baseline', 1.0)
    """
    knob, value = BASELINE if point.knob in (BASELINE[0], "gamma") else (point.knob, point.value)
    return NETWORKS.index(point.network), point.seed, knob, value


def solve(points: Sequence[ModularPoint], prepared: bytes | None = None, device: str = "cpu") -> list[Rows]:
    """Pretrain once, and fine-tune for each of the points.

    Examples
    --------
    >>> (rows,) = solve(plan(["quadratic"], [0], [320], ["reuse"])[:1])
    >>> rows["modular"][0]["tested"]
    209
    """
    _, seed, knob, value = start_of(points[0])
    torch.set_flush_denormal(True)  # Adam's moments of weights that nothing moves any more
    try:
        trained = protocol.pretrain_point(points[0].network, knob, value, seed, device)
        found = [protocol.fine_tune_point(point.network, trained, *point[1:], device) for point in points]
        return [{"modular": [one]} for one in found]
    finally:
        torch.set_flush_denormal(False)  # what else this process computes has its small numbers


def depends_on() -> list[Any]:
    """What a result depends on besides its point.

    Examples
    --------
    >>> depends_on()[0]["quadratic"]["p"]
    23
    """
    numbers = {name: dataclasses.asdict(one) for name, one in PROTOCOLS.items()}
    for one in numbers.values():  # of which points there are is the plan's
        del one["knobs"], one["cells"]
    return [numbers, FORMAT, ptft.__version__]


SWEEP = Sweep(
    name="modular",
    format=FORMAT,
    depends_on=depends_on,
    point=ModularPoint,
    solve=solve,
    tables={"modular": protocol.MEASURED},
    together=start_of,
    batch=100,
    where={"device": "cpu"},
    summary=endings,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command besides those of every sweep.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> parser.parse_args([]).sizes
    [60, 120, 180, 240, 320, 420]
    """
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), help=f"some of {', '.join(NETWORKS)}")
    add_range(parser, "seed", number=10)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SAMPLE_SIZES), help="pairs n of fine-tuning")
    parser.add_argument("--relations", nargs="+", help="of the tasks, such as nested and new (default: all)")
    parser.add_argument("--device", default="cpu", help="where to train (default cpu)")


def planned(args: argparse.Namespace) -> tuple[Sweep, list[ModularPoint]]:
    """The sweep and the plan that the options ask for; errors are those of `plan`, and that of an unknown device.

    Examples
    --------
    >>> add_arguments(parser := argparse.ArgumentParser())
    >>> len(planned(parser.parse_args(["--networks", "transformer", "--seeds", "2", "--sizes", "240"]))[1])
    288
    """
    check_device(args.device)
    points = plan(args.networks, given_range(args, "seed"), args.sizes, args.relations)
    return dataclasses.replace(SWEEP, where={"device": args.device}), points
