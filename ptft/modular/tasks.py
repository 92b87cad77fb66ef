"""Tasks on pairs (a, b) of numbers modulo p, whose features are known: functions of a + b with chosen frequencies.

A scalar task is sum_k sqrt(2/|K|) cos(2 pi k (a + b)/p + phi_k) over a set K of frequencies, with variance 1. The
classes (slope (a + b) + shift) mod q, for a divisor q of p, have the multiples of p/q as their frequencies. Pairs of
scalar tasks have the theory's statistics: the number of frequencies of fine-tuning for the sparsity, and the share of
them that pretraining had for the overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ptft.validation import (
    check_fields,
    checked,
    generator,
    listed,
    one_of,
    real_array,
    real_number,
    require,
    seed_number,
    whole_number,
)

# how the frequencies of fine-tuning lie to those of pretraining, and their phases
RELATIONS = ("nested", "reuse", "new", "half", "dense", "nested in phase", "reuse in phase", "random")


@dataclass(frozen=True)
class ScalarTask:
    """A real function of a + b with some frequencies, and variance 1 over the pairs.

    Parameters
    ----------
    p : int, odd, at least 3
    frequencies : tuple of int
        Distinct, from 1 to (p - 1)/2.
    phases : tuple of float
        One for each frequency, in radians.

    Raises
    ------
    ValueError
        If p is even, frequencies are not distinct or out of range, or the phases are not as many.

    Examples
    --------
    >>> task = ScalarTask(7, (1, 3), (0.0, 0.5))
    >>> task.table.shape, round(float((task.table**2).mean()), 12)
    ((7, 7), 1.0)
    """

    p: int
    frequencies: tuple[int, ...]
    phases: tuple[float, ...]

    def __post_init__(self) -> None:
        check_fields(self)
        whole_number(self.p, "p", 3)
        require(self.p % 2 == 1, "p", self.p, "odd")
        frequencies = [
            whole_number(k, "frequencies", 1, (self.p - 1) // 2) for k in listed(self.frequencies, "frequencies")
        ]
        require(len(set(frequencies)) == len(frequencies), "frequencies", self.frequencies, "distinct")
        require(len(self.phases) == len(frequencies), "phases", self.phases, "one for each frequency")
        phases = [real_number(phase, "phases") for phase in self.phases]
        require([abs(phase) <= 1e6 for phase in phases], "phases", phases, "between -1e6 and 1e6")
        object.__setattr__(self, "frequencies", tuple(frequencies))
        object.__setattr__(self, "phases", tuple(phases))

    @property
    def amplitude(self) -> float:
        """Of each cosine, sqrt(2/|K|)."""
        return math.sqrt(2 / len(self.frequencies))

    @property
    def table(self) -> np.ndarray:
        """Targets of all pairs, array (p, p)."""
        sums = np.add.outer(np.arange(self.p), np.arange(self.p)) % self.p
        angles = [
            2 * np.pi * k * np.arange(self.p) / self.p + phase
            for k, phase in zip(self.frequencies, self.phases, strict=True)
        ]
        values: np.ndarray = self.amplitude * np.sum(np.cos(angles), axis=0)[sums]
        return values


@dataclass(frozen=True)
class ClassTask:
    """Classes (slope (a + b) + shift) mod q: for a slope that is a unit modulo q, an affine map of the classes a + b.

    Parameters
    ----------
    p : int, at least 2
    divisor : int
        q, a divisor of p of at least 2.
    slope : int, default 1
        Without a common divisor with q.
    shift : int, default 0

    Raises
    ------
    ValueError
        If `divisor` does not divide p, or `slope` is no unit modulo it.

    Examples
    --------
    >>> task = ClassTask(60, 5)
    >>> task.frequencies, task.table[2, 4]
    ((12, 24), np.int64(1))
    """

    p: int
    divisor: int
    slope: int = 1
    shift: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        whole_number(self.p, "p", 2)
        whole_number(self.divisor, "divisor", 2)
        require(self.p % self.divisor == 0, "divisor", self.divisor, f"a divisor of p = {self.p}")
        require(math.gcd(self.slope, self.divisor) == 1, "slope", self.slope, f"a unit modulo {self.divisor}")

    @property
    def frequencies(self) -> tuple[int, ...]:
        """The multiples of p/q, up to p/2."""
        step = self.p // self.divisor
        return tuple(range(step, self.p // 2 + 1, step))

    @property
    def table(self) -> np.ndarray:
        """Classes of all pairs, array of int (p, p)."""
        sums = np.add.outer(np.arange(self.p), np.arange(self.p))
        found: np.ndarray = (self.slope * sums + self.shift) % self.divisor
        return found


@checked
def likeness(first: ScalarTask, second: ScalarTask) -> float:
    """Absolute correlation of two scalar tasks over all pairs, which both have mean 0 and variance 1.

    Raises
    ------
    ValueError
        If they have another modulus.

    Examples
    --------
    >>> first = ScalarTask(7, (1, 3), (0.0, 0.5))
    >>> turned = ScalarTask(7, (1, 3), (np.pi, 0.5 + np.pi))  # both signs: minus the first
    >>> round(likeness(first, turned), 12), round(likeness(first, ScalarTask(7, (1, 3), (0.0, 0.5 + np.pi))), 12)
    (1.0, 0.0)
    """
    require(first.p == second.p, "second.p", second.p, f"{first.p}, as of the first task")
    return float(abs(np.mean(first.table * second.table)))


@checked
def shuffled(table: ArrayLike, seed: int | np.random.Generator) -> np.ndarray:
    """The control: the same outputs in a random order over the pairs, which nothing but memory can fit.

    Parameters
    ----------
    table : array_like (p, p)
        Outputs of all pairs, of any kind of number.
    seed : int or numpy Generator

    Raises
    ------
    ValueError
        If `table` is no matrix of finite numbers, or the seed none.

    Examples
    --------
    >>> table = ClassTask(4, 2).table
    >>> control = shuffled(table, 0)
    >>> bool((control == table).all()), bool(control.sum() == table.sum())
    (False, True)
    """
    real_array(table, "table", ndim=2)
    given = np.asarray(table)
    found: np.ndarray = generator(seed).permutation(given.ravel()).reshape(given.shape)
    return found


@checked
def sizes_of(relation: str, p: int, size_pt: int) -> tuple[int, ...]:
    """The possible numbers of frequencies of fine-tuning in a relation to pretraining on `size_pt` of them.

    Raises
    ------
    ValueError
        If the relation is none of `RELATIONS`, or p or `size_pt` is not allowed.

    Examples
    --------
    >>> {relation: sizes_of(relation, 23, 5) for relation in ("nested", "reuse", "half", "dense")}
    {'nested': (1, 2, 3, 4), 'reuse': (5,), 'half': (2, 4, 6, 8, 10), 'dense': (11,)}
    """
    one_of(relation, "relation", RELATIONS)
    whole_number(p, "p", 3)
    require(p % 2 == 1, "p", p, "odd")
    total = (p - 1) // 2
    whole_number(size_pt, "size_pt", 1, total)
    kind = relation.removesuffix(" in phase")
    if kind == "nested":
        return tuple(range(1, size_pt))
    if kind == "new":
        return tuple(range(1, total - size_pt + 1))
    if kind == "half":
        return tuple(2 * half for half in range(1, min(size_pt, total - size_pt) + 1))
    return (size_pt,) if kind == "reuse" else (total,)


@checked
def two_tasks(relation: str, size: int, p: int = 23, size_pt: int = 5, seed: int = 0) -> tuple[ScalarTask, ScalarTask]:
    """A task of pretraining and one of fine-tuning, with random frequencies and phases, in a relation.

    The task of pretraining depends on the seed alone. Phases of fine-tuning are drawn anew, except "in phase": there
    each is that of pretraining or its opposite, as the signs of the diagonal theory.

    Parameters
    ----------
    relation : str
        One of `RELATIONS`. K_FT is a part of K_PT (nested), K_PT (reuse), beside it (new), half inside and half beside
        (half), or all frequencies (dense, and random, whose outputs are for the caller to shuffle, see `shuffled`).
    size : int
        Number of frequencies of fine-tuning, one of `sizes_of`.
    p, size_pt : int
        The modulus, odd, default 23; and the number of frequencies of pretraining, default 5.
    seed : int, default 0

    Raises
    ------
    ValueError
        If the relation, the size or the seed is not allowed.

    Examples
    --------
    >>> first, second = two_tasks("nested", 2)
    >>> set(second.frequencies) < set(first.frequencies)
    True
    >>> first, second = two_tasks("half", 4)
    >>> len(set(second.frequencies) & set(first.frequencies))
    2
    """
    allowed = sizes_of(relation, p, size_pt)
    require(size in allowed, "size", size, f"one of {', '.join(map(str, allowed)) or 'none'}, for {relation}")
    rng = np.random.default_rng([seed_number(seed), p, size_pt])
    order = [int(k) + 1 for k in rng.permutation((p - 1) // 2)]
    inside, beside = order[:size_pt], order[size_pt:]
    phases_pt = dict(zip(inside, rng.uniform(0, 2 * np.pi, size_pt), strict=True))
    phases_ft = dict(zip(order, rng.uniform(0, 2 * np.pi, len(order)), strict=True))
    signs = dict(zip(order, rng.integers(0, 2, len(order)), strict=True))
    kind = relation.removesuffix(" in phase")
    chosen = {"nested": inside[:size], "reuse": inside, "new": beside[:size]}.get(kind, order)
    if kind == "half":
        chosen = inside[: size // 2] + beside[: size // 2]
    if kind != relation:
        phases_ft |= {k: phases_pt[k] + np.pi * signs[k] for k in inside}
    return _task(p, inside, phases_pt), _task(p, chosen, phases_ft)


def _task(p: int, frequencies: Iterable[int], phases: dict[int, float]) -> ScalarTask:
    ordered = tuple(sorted(frequencies))
    return ScalarTask(p, ordered, tuple(float(phases[k]) for k in ordered))
