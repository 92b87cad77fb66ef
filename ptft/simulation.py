"""One simulated experiment: sampled teacher and data, and the exact end point of fine-tuning on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptft.end_point import min_penalties
from ptft.initialization import Initialization
from ptft.teachers import Teacher
from ptft.validation import nonnegative_array, positive_array, require, whole_number


@dataclass(frozen=True)
class SimulatedPoint:
    """Error of the exact end point of fine-tuning on one sampled data set."""

    mse: float  # |beta_hat - beta*|^2 / d, the expected squared error on a new input
    alpha: float  # n/d, with the whole number n that was used
    n: int
    d: int
    seed: int
    kkt_residual: float
    interpolation_residual: float
    method: str
    converged: bool


def sampled_teacher(teacher: Teacher, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The (beta_pt, beta_ft), each of shape (d,), with which `simulate` works at this seed, whatever alpha is.

    Examples
    --------
    >>> from ptft import SpikeSlab
    >>> beta_pt, beta_ft = sampled_teacher(SpikeSlab(rho_pt=0.1), d=1000, seed=0)
    >>> beta_pt.shape, bool(abs(np.mean(beta_pt != 0) - 0.1) < 0.03)
    ((1000,), True)
    """
    return teacher.sample(d, _stream(seed, 0))


def _stream(seed: int, index: int) -> np.random.Generator:
    """Random numbers of one part of an experiment: 0 for the teacher, 1 for the inputs, 2 for the noise."""
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[index])


def sampled_inputs(alpha: float, d: int, seed: int) -> np.ndarray:
    """The inputs X, shape (n, d) with n = round(alpha d), with which `simulate` works at this alpha and seed.

    Raises
    ------
    ValueError
        If alpha gives no example or more than d, or a number is outside its range.

    Examples
    --------
    >>> small, large = sampled_inputs(0.1, 100, seed=0), sampled_inputs(0.2, 100, seed=0)
    >>> small.shape, np.array_equal(small, large[:10])  # more data of the same kind
    ((10, 100), True)
    """
    d, seed = whole_number(d, "d", at_least=1), whole_number(seed, "seed")
    alpha = float(positive_array(alpha, "alpha", ndim=0))
    n = round(alpha * d)
    require(1 <= n <= d, "alpha", alpha, f"such that n = round(alpha d) is between 1 and d = {d}")
    return _stream(seed, 1).standard_normal((n, d)) / np.sqrt(d)


def simulate(
    teacher: Teacher, init: Initialization, alpha: float, d: int, seed: int, noise_var: float = 0.0
) -> SimulatedPoint:
    """Sample a teacher and n = round(alpha d) examples, and find the exact end point of fine-tuning (Section 3.3).

    Inputs are X_ij ~ N(0, 1/d). Teacher, inputs and noise come from three streams of the seed, and the inputs are drawn
    row by row: for one seed and d, a larger alpha adds examples to the same teacher and data.

    Parameters
    ----------
    teacher : SpikeSlab, SingleTask, or any `Teacher`
    init : Initialization
        Scalar parameters; pretraining is taken to have recovered beta_pt (alpha_pt >= 1).
    alpha : float in (0, 1] after rounding n to a whole number of examples
    d : int, at least 1
    seed : int
    noise_var : float, default 0
        Variance of the label noise.

    Returns
    -------
    SimulatedPoint

    Raises
    ------
    ValueError
        If alpha gives no example or more than d, or an argument is outside its range.

    Warns
    -----
    UserWarning
        If the end point is not certified (`.converged` is then false).

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> point = simulate(SpikeSlab(), Initialization(c_pt=1e-3), alpha=0.5, d=200, seed=0)
    >>> point.converged
    True
    """
    return simulate_many([(teacher, init)], alpha, d, seed, noise_var)[0]


def simulate_many(
    settings: Sequence[tuple[Teacher, Initialization]], alpha: float, d: int, seed: int, noise_var: float = 0.0
) -> list[SimulatedPoint]:
    """`simulate` for several settings at one alpha and seed: one X serves all, which is far faster than one by one.

    Parameters
    ----------
    settings : sequence of (teacher, init)
    alpha, d, seed, noise_var
        As in `simulate`, as are the errors and warnings.

    Returns
    -------
    list of SimulatedPoint, in the order of `settings`

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> lazy, rich = simulate_many([(SpikeSlab(), Initialization(c)) for c in (1.0, 1e-3)], alpha=0.5, d=200, seed=0)
    >>> lazy.mse > rich.mse
    True
    """
    noise_var = float(nonnegative_array(noise_var, "noise_var", ndim=0))
    X = sampled_inputs(alpha, d, seed)
    n, d = X.shape
    noise = np.sqrt(noise_var) * _stream(seed, 2).standard_normal((n, 1))
    pairs = [sampled_teacher(teacher, d, seed) for teacher, _ in settings]
    beta_ft = np.column_stack([ft for _, ft in pairs])
    K = np.column_stack(
        [teacher.penalty_scale(init, pt) for (teacher, init), (pt, _) in zip(settings, pairs, strict=True)]
    )
    ends = min_penalties(X, X @ beta_ft + noise, K, stacklevel=3)
    return [
        SimulatedPoint(
            mse=float(np.mean((end.beta - truth) ** 2)),
            alpha=n / d,
            n=n,
            d=d,
            seed=int(seed),
            kkt_residual=end.kkt_residual,
            interpolation_residual=end.interpolation_residual,
            method=end.method,
            converged=end.converged,
        )
        for end, truth in zip(ends, beta_ft.T, strict=True)
    ]
