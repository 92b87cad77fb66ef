"""Chapter 9: losses of a finite network over time beside those of mean-field theory, and what training conserves."""

from __future__ import annotations

import numpy as np

from ptft.checks.identities import Check, relative
from ptft.infinite_width.dmft import Run
from ptft.infinite_width.particles import Particles
from ptft.infinite_width.rich_transfer import balance_drift
from ptft.validation import checked


@checked
def losses_over_time(theory: Run, network: Run) -> Check:
    """Test losses of two runs with the same recorded times, as far as both go, relative to those of the theory.

    Raises
    ------
    ValueError
        If the times differ.

    Examples
    --------
    >>> from ptft.infinite_width import Task, train, weight_particles
    >>> X = np.random.default_rng(0).standard_normal((40, 4))
    >>> task = Task(X[:20], X[:20, 0], X[20:], X[20:, 0])
    >>> runs = [train(weight_particles(4, 2000, seed), task, 1.0, [0.0, 1.0, 10.0]) for seed in (0, 1)]
    >>> losses_over_time(*runs).largest < 0.2
    True
    """
    last = min(len(theory.time), len(network.time))
    if not np.array_equal(theory.time[:last], network.time[:last]):
        raise ValueError("the recorded times of theory and network differ")
    return relative("test loss over time", theory.test_loss[:last], network.test_loss[:last], bound=0.2)


@checked
def balance(start: Particles, run: Run) -> Check:
    """How far training has moved z^2 - |w|^2, which does not change in any neuron, over the growth of <z^2>.

    Examples
    --------
    >>> from ptft.infinite_width import Task, train, weight_particles
    >>> X, start = np.random.default_rng(0).standard_normal((40, 4)), weight_particles(4, 100)
    >>> run = train(start, Task(X[:20], X[:20, 0], X[20:], X[20:, 0]), 1.0, [0.0, 1.0, 10.0])
    >>> balance(start, run).holds, balance(weight_particles(4, 100, seed=1), run).holds  # the second began elsewhere
    (True, False)
    """
    return Check("drift of z^2 - |w|^2", 0.0, balance_drift(start, run), bound=0.05)
