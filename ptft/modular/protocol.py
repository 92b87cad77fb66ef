"""The experiment: pretraining on one task of modular arithmetic and fine-tuning on another, with one knob changed.

A knob is a factor on a scale of the baseline: ``kappa`` on all weights before the readout, ``embedding`` on the
embedding alone and ``c`` on all weights, at initialization; ``gamma`` on the readout that is drawn after pretraining.
"untrained" skips pretraining, with kappa times its value. All numbers are this project's own: those of the published
experiment are not known.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptft.modular.group import effective_frequencies, power_by_frequency
from ptft.modular.networks import (
    PARTS,
    Examples,
    Network,
    Transformer,
    drawn_pairs,
    examples,
    new_quadratic,
    new_transformer,
    norms,
    scaled,
    with_new_readout,
)
from ptft.modular.tasks import ClassTask, shuffled, two_tasks
from ptft.modular.theory import conserved, diagonal_prediction, tangent_prediction
from ptft.modular.training import ModularRun, train
from ptft.trends import BASELINE, UNTRAINED
from ptft.validation import checked, one_of, positive_number, require, seed_number
from ptft.vision.representation import ensd, participation_ratio

NETWORKS = ("quadratic", "transformer", "classifier")
KNOBS = (BASELINE[0], "kappa", "embedding", "c", "gamma", UNTRAINED)
SAMPLE_SIZES = (60, 120, 180, 240, 320, 420)


@dataclass(frozen=True)
class ModularProtocol:
    """How one kind of network is trained in both stages, and what is changed.

    The classifier is a Transformer with classes, whose tasks are those of `CLASSES` instead of scalar ones.
    """

    p: int
    width: int
    mlp: int
    method: str  # of `train`
    learning_rate: float
    loss_pt: float  # below which a stage ends
    loss_ft: float
    cap_pt: int  # evaluations of the gradient after which it ends anyway
    cap_ft: int
    kappa: float  # scales of the baseline
    c: float
    gamma: float
    knobs: tuple[tuple[str, tuple[float, ...]], ...]
    cells: tuple[tuple[str, int], ...]  # relation of the tasks, and |K_FT|
    size_pt: int  # |K_PT|


_SCALAR = (
    ("nested", 1),
    ("nested", 3),
    ("reuse", 5),
    ("reuse in phase", 5),
    ("new", 1),
    ("half", 2),
    ("dense", 11),
    ("random", 11),
)
_QUADRATIC = ModularProtocol(
    p=23,
    width=128,
    mlp=0,
    method="descent",
    learning_rate=1e-3,
    loss_pt=1e-3,
    loss_ft=1e-5,
    cap_pt=10_000,
    cap_ft=10_000,
    kappa=0.3,
    c=1.0,
    gamma=0.01,
    knobs=(
        ("kappa", (0.1, 0.3, 2.0, 4.0)),
        ("c", (0.25, 0.5, 2.0, 4.0)),
        ("gamma", (0.1, 10.0, 30.0, 100.0)),
        (UNTRAINED, (0.1, 1.0, 4.0)),
    ),
    cells=(
        *(("nested", size) for size in (1, 2, 3, 4)),
        ("nested in phase", 1),
        ("reuse", 5),
        ("reuse in phase", 5),
        *(("new", size) for size in (1, 2, 3, 5)),
        *(("half", size) for size in (2, 4)),
        ("dense", 11),
        ("random", 11),
    ),
    size_pt=5,
)
_TRANSFORMER = dataclasses.replace(
    _QUADRATIC,
    width=32,
    mlp=128,
    method="adam",
    loss_ft=1e-4,
    cap_pt=3000,
    cap_ft=2000,
    kappa=1.0,
    gamma=0.1,
    knobs=(
        ("kappa", (0.6, 0.8, 1.5, 2.0)),
        ("embedding", (0.25, 0.5, 2.0, 4.0)),
        ("c", (0.6, 0.8, 1.5, 2.0)),
        ("gamma", (0.1, 0.3, 3.0, 10.0)),
        (UNTRAINED, (1.0,)),
    ),
    cells=_SCALAR,
)
_CLASSIFIER = dataclasses.replace(
    _TRANSFORMER, p=30, loss_pt=1e-2, loss_ft=1e-3, cells=(("nested", 1), ("reuse", 3), ("new", 2)), size_pt=3
)
PROTOCOLS = dict(zip(NETWORKS, (_QUADRATIC, _TRANSFORMER, _CLASSIFIER), strict=True))
CLASSES = {"nested": ClassTask(30, 3), "reuse": ClassTask(30, 6, -1, 1), "new": ClassTask(30, 5)}  # after 6 classes
FIRST_CLASSES = ClassTask(30, 6)

MEASURED: dict[str, Any] = {
    "test_error": float | None,  # mean square on the pairs without training, of a classifier the cross-entropy
    "correct": int,  # of these pairs: the class, or the sign of a real output
    "tested": int,
    "train_loss": float | None,
    "steps": int,
    "stopped_by": str,
    "pretraining_loss": float | None,
    "pretraining_steps": int,
    "pretraining_stopped_by": str,
    **{
        f"{what}_{when}": float | None
        for what in ("power", "power_pt", "power_ft", "frequencies", "pr", *(f"norm_{part}" for part in PARTS))
        for when in ("before", "after")
    },
    "ensd": float | None,
    "drift": float | None,  # of the quadratic network's balance, in fine-tuning
    "tangent_error": float | None,  # the test error of the theories, for the quadratic network
    "diagonal_error": float | None,
}


@checked
def settings(network: str) -> list[tuple[str, float]]:
    """The baseline and all knobs with their values.

    Raises
    ------
    ValueError
        If the network is none of `NETWORKS`.

    Examples
    --------
    >>> settings("quadratic")[:2], len(settings("transformer"))
    ([('baseline', 1.0), ('kappa', 0.1)], 18)
    """
    protocol = PROTOCOLS[one_of(network, "network", NETWORKS)]
    return [BASELINE, *((knob, value) for knob, values in protocol.knobs for value in values)]


@checked
def tables_of(network: str, relation: str, size: int, seed: int) -> tuple[Any, Any, np.ndarray]:
    """The two tasks of a seed, and the targets (p, p) of fine-tuning, which a control has in random order.

    Raises
    ------
    ValueError
        If the network is none of `NETWORKS`, or has no tasks in this relation of this size.

    Examples
    --------
    >>> first, second, table = tables_of("quadratic", "nested", 1, seed=0)
    >>> len(first.frequencies), len(second.frequencies), table.shape
    (5, 1, (23, 23))
    """
    protocol = PROTOCOLS[one_of(network, "network", NETWORKS)]
    seed_number(seed)
    if network == "classifier":
        second = CLASSES[one_of(relation, "relation", CLASSES)]
        require(size == len(second.frequencies), "size", size, f"{len(second.frequencies)}, for {relation}")
        return FIRST_CLASSES, second, second.table
    first, scalar = two_tasks(relation, size, protocol.p, protocol.size_pt, seed)
    table = shuffled(scalar.table, np.random.default_rng([seed, 3])) if relation == "random" else scalar.table
    return first, scalar, table


@checked
def pretrain_point(network: str, knob: str, value: float, seed: int, device: str = "cpu") -> ModularRun:
    """Pretrain on all pairs from the initialization that a knob scales; untrained, no step is taken.

    Parameters
    ----------
    network : str
        One of `NETWORKS`.
    knob, value
        The baseline has value 1; gamma changes nothing here.
    seed : int
        Of the task and the weights.
    device : str, default "cpu"

    Raises
    ------
    ValueError
        If the network or the knob is not known, or the value not positive.

    Examples
    --------
    >>> pretrain_point("quadratic", "kappa", 0.3, seed=0).stopped_by
    'loss'
    """
    protocol = PROTOCOLS[one_of(network, "network", NETWORKS)]
    one_of(knob, "knob", KNOBS)
    positive_number(value, "value")
    rng = np.random.default_rng([seed_number(seed), 0])
    first = tables_of(network, *protocol.cells[0], seed)[0]
    kappa = protocol.kappa * (value if knob in ("kappa", UNTRAINED) else 1.0)
    c = protocol.c * (value if knob == "c" else 1.0)
    start: Network
    if network == "quadratic":
        start = new_quadratic(protocol.p, protocol.width, rng, kappa, c, device)
    else:
        outputs = first.divisor if network == "classifier" else 1
        start = new_transformer(protocol.p, protocol.width, 4, protocol.mlp, outputs, rng, kappa, c, device)
    if knob == "embedding":
        start = scaled(start, embedding=value)
    data = examples(first.table, device=device, dtype=_dtype(start))
    cap = 0 if knob == UNTRAINED else protocol.cap_pt
    return train(start, data, protocol.method, protocol.loss_pt, cap, protocol.learning_rate)


@checked
def fine_tune_point(
    network: str,
    pretraining: ModularRun,
    relation: str,
    size: int,
    knob: str,
    value: float,
    n: int,
    seed: int,
    device: str = "cpu",
) -> dict[str, Any]:
    """Draw a new readout, fine-tune on n pairs, and measure.

    Parameters
    ----------
    network, knob, value, seed, device
        As in `pretrain_point`.
    pretraining : ModularRun
        From there.
    relation, size
        Of the tasks, as in `tables_of`.
    n : int
        Pairs, 1 to p^2 - 1; the others are for the test.

    Returns
    -------
    dict
        By the names of `MEASURED`: "power" of the embedding at all frequencies but 0, and at those of either task;
        "frequencies", about how many hold it; "pr" and "ensd" of the hidden activations on all pairs; and the norms of
        the parts, before and after fine-tuning.

    Raises
    ------
    ValueError
        As in `pretrain_point` and `tables_of`, and if n is out of range.

    Examples
    --------
    >>> pretraining = pretrain_point("quadratic", "baseline", 1.0, seed=0)
    >>> found = fine_tune_point("quadratic", pretraining, "nested", 1, "baseline", 1.0, n=320, seed=0)
    >>> found["stopped_by"], found["tested"], found["test_error"] < 1
    ('loss', 209, True)
    """
    protocol = PROTOCOLS[one_of(network, "network", NETWORKS)]
    first, second, table = tables_of(network, relation, size, seed)
    one_of(knob, "knob", KNOBS)
    trained_pt = pretraining.network
    fits = trained_pt.p == protocol.p and isinstance(trained_pt, Transformer) == (network != "quadratic")
    kind = f"{type(trained_pt).__name__} modulo {trained_pt.p}"
    require(fits, "pretraining.network", kind, f"that of `pretrain_point` for {network!r}, modulo {protocol.p}")
    gamma = protocol.gamma * (positive_number(value, "value") if knob == "gamma" else 1.0)
    outputs = second.divisor if network == "classifier" else 1
    start = with_new_readout(pretraining.network, gamma, np.random.default_rng([seed, 1]), outputs)
    trained, tested = drawn_pairs(protocol.p, n, np.random.default_rng([seed, 2]))
    given, asked = (examples(table, chosen, device, _dtype(start)) for chosen in (trained, tested))
    run = train(start, given, protocol.method, protocol.loss_ft, protocol.cap_ft, protocol.learning_rate)
    return {
        **_test(run.network.outputs(asked.pairs), asked.targets),
        "tested": len(tested),
        "train_loss": run.loss,
        "steps": run.steps,
        "stopped_by": run.stopped_by,
        "pretraining_loss": pretraining.loss,
        "pretraining_steps": pretraining.steps,
        "pretraining_stopped_by": pretraining.stopped_by,
        **_features(start, run.network, first.frequencies, second.frequencies),
        **_theories(start, run.network, given, asked),
    }


def _dtype(network: Network) -> torch.dtype:
    return network.embedding.dtype


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _test(outputs: Tensor, targets: Tensor) -> dict[str, Any]:
    if targets.is_floating_point():
        error, right = ((outputs - targets) ** 2).mean(), (outputs > 0) == (targets > 0)
    else:
        error, right = torch.nn.functional.cross_entropy(outputs, targets), outputs.argmax(1) == targets
    return {"test_error": _finite(float(error)), "correct": int(right.sum())}


def _features(before: Network, after: Network, pt: Sequence[int], ft: Sequence[int]) -> dict[str, float | None]:
    pairs = torch.cartesian_prod(torch.arange(before.p), torch.arange(before.p)).to(before.embedding.device)
    found: dict[str, float | None] = {}
    hidden = []
    for when, network in (("before", before), ("after", after)):
        embedding = network.embedding.detach().double().cpu().numpy()
        hidden.append(network.hidden(pairs).detach().double().cpu().numpy())
        if not (np.isfinite(embedding).all() and np.isfinite(hidden[-1]).all()):  # training diverged
            return {name: None for name in MEASURED if name.endswith(("_before", "_after")) or name == "ensd"}
        power = power_by_frequency(embedding)
        found |= {f"power_{when}": float(power[1:].sum()), f"power_pt_{when}": float(power[list(pt)].sum())}
        found |= {f"power_ft_{when}": float(power[list(ft)].sum()), f"frequencies_{when}": effective_frequencies(power)}
        found |= {f"pr_{when}": _dimension(hidden[-1])}
        found |= {f"norm_{part}_{when}": norm for part, norm in norms(network).items()}
    varies = found["pr_before"] is not None and found["pr_after"] is not None
    return {**found, "ensd": ensd(hidden[0], hidden[1]) if varies else None}


def _dimension(hidden: np.ndarray) -> float | None:
    return participation_ratio(hidden) if np.any(hidden != hidden[:1]) else None  # none where no unit is active


def _theories(start: Network, end: Network, given: Examples, asked: Examples) -> dict[str, float | None]:
    """How far training was from gradient flow, and the test errors that the theories predict."""
    if isinstance(start, Transformer) or isinstance(end, Transformer):
        return dict.fromkeys(("drift", "tangent_error", "diagonal_error"))
    targets = asked.targets.double().cpu().numpy()
    balance, unbalanced = conserved(start)[0], conserved(end)[0]
    return {
        "drift": _finite(float(np.abs(unbalanced - balance).max() / np.abs(balance).max())),
        "tangent_error": _finite(float(np.mean((tangent_prediction(start, given, asked.pairs) - targets) ** 2))),
        "diagonal_error": _finite(float(np.mean((diagonal_prediction(start, given, asked.pairs) - targets) ** 2))),
    }
