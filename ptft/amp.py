"""Approximate message passing for the penalty of Theorem 4.1, and its state evolution: the replica iteration.

With the columns of A = X/a of unit length on average, y_a = y/a and alpha = n/d, message passing repeats

    z = beta + A^T e,   theta: theta = ridge alpha/a^2 + theta R/alpha,
    beta <- prox_theta(z),   e <- y_a - A beta + e R/alpha,

where R is the mean response of prox_theta at z. At its fixed point q'(beta) = A^T e/theta and
A beta + e (1 - R/alpha) = y_a: the end point of training with this ridge, and without a ridge the interpolator. For
Gaussian X, z behaves like beta* + tau xi, and tau^2 follows the scalar recursion of Proposition 4.2 (Bayati and
Montanari, 2011).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ptft.penalties import prox_point, prox_slopes
from ptft.replica import effective_regularisation, scalar_moments
from ptft.teachers import GaussianMixture
from ptft.validation import (
    instance_of,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    require,
    whole_number,
)


@dataclass(frozen=True, eq=False)
class Message:
    """One iterate of message passing; with several problems each array has one more axis, the last."""

    beta: np.ndarray  # (d,) estimate
    misfit: np.ndarray  # (n,) y - X beta
    dual: np.ndarray  # (n,) nu
    slope: np.ndarray  # (d,) X^T nu, which is q'(beta) at the end point
    theta: np.ndarray  # ()
    gap: np.ndarray  # () largest |slope - q'(beta)|/q''(beta), the Newton step that would close it, over max|beta|
    mismatch: np.ndarray  # () largest |slope - q'(beta)|, the relative change of q'' in that step
    noise: np.ndarray  # () |e|, sqrt(n) tau for Gaussian X


@dataclass(frozen=True, eq=False)
class StateEvolution:
    """Prediction for message passing, arrays of shape (steps,); entry i describes the estimate after i + 1 updates."""

    mse: np.ndarray
    tau2: np.ndarray  # variance of z - beta* in the update
    theta: np.ndarray


def message_passing(
    X: ArrayLike, y: ArrayLike, k: ArrayLike, ridge: float = 0.0
) -> Generator[Message, np.ndarray | None, None]:
    """Iterate from beta = 0 without end, or until messages that diverge are beyond the numbers of float64.

    `ptft.min_penalty` has a stopping rule and a certificate.

    Parameters
    ----------
    X : array_like, shape (n, d), n < d without ridge
    y : array_like, shape (n,), or (n, problems) for several problems with the same X, which share its products
    k : array_like, positive, shape (d,) or (d, problems)
    ridge : float, default 0
        As in `ptft.min_penalty`.

    Yields
    ------
    Message
        Sending a boolean array of shape (problems,) back drops the problems where it is false.

    Raises
    ------
    ValueError
        At the call, if an argument is not finite, k is not positive, or the shapes do not match.

    Examples
    --------
    >>> from itertools import islice
    >>> *_, last = islice(message_passing(np.array([[1.0, 0.5]]), np.ones(1), np.ones(2)), 20)
    >>> last.beta.round(3)
    array([0.829, 0.342])
    """
    X, y, k = real_array(X, "X", ndim=2), real_array(y, "y"), positive_array(k, "k")
    n, d = X.shape
    ridge = nonnegative_number(ridge, "ridge")
    require(n < d or ridge > 0, "the shape of X", X.shape, "(n, d) with fewer rows than columns, without ridge")
    if y.ndim > 2 or y.shape[0:1] != (n,):
        raise ValueError(f"y has shape {y.shape}: it must be ({n},) or ({n}, problems), as X has {n} rows")
    if k.shape != (d, *y.shape[1:]):
        raise ValueError(f"k has shape {k.shape}: it must be {(d, *y.shape[1:])}, for the columns of X and y")
    return iterates(X, y, k, np.full(y.shape[1:], ridge * n / d))


def iterates(
    X: np.ndarray, y: np.ndarray, k: np.ndarray, slack: np.ndarray | float = 0.0
) -> Generator[Message, np.ndarray | None, None]:
    """`message_passing`, with its products in the float type of X; unchecked.

    With float32 they take a quarter of the time where X is large; what comes out of them has six digits.

    Parameters
    ----------
    X : ndarray of float64 or float32, shape (n, d), n < d without slack
    y : ndarray, shape (n,) or (n, problems)
    k : ndarray, shape (d,) or (d, problems)
    slack : ndarray, shape () or (problems,), or float, default 0
        ridge alpha, in squared units of X: y - X beta tends to slack nu.

    Examples
    --------
    >>> from itertools import islice
    >>> *_, last = islice(iterates(np.array([[1.0, 0.5]], np.float32), np.ones(1), np.ones(2)), 20)
    >>> last.beta.round(3)
    array([0.829, 0.342])
    """
    n, d = X.shape
    sqrt_k, a = np.sqrt(k), float(np.linalg.norm(X)) / np.sqrt(d) or 1.0
    beta, e, misfit = np.zeros(k.shape), y / a, y
    ridge = np.broadcast_to(slack / a / a, k.shape[1:])
    theta, t, angle, curved = ridge + np.mean(sqrt_k, axis=0) * max(d / n - 1, 0), None, beta, sqrt_k
    while True:
        gradient = (X.T @ (e / a).astype(X.dtype, copy=False)).astype(np.float64, copy=False)
        slope, largest = gradient / theta, np.max(np.abs(beta), axis=0)
        apart = np.abs(slope - angle / 2)
        gap = np.max(curved * apart, axis=0) / np.where(largest > 0, largest, 1.0)
        noise = np.linalg.norm(e, axis=0)
        keep = yield Message(beta, misfit, e / (a * theta), slope, theta, gap, np.max(apart, axis=0), noise)
        if keep is not None and not keep.all():
            y, sqrt_k, beta, e, theta, gradient, ridge = (
                v[..., keep] for v in (y, sqrt_k, beta, e, theta, gradient, ridge)
            )
            t = None if t is None else t[..., keep]
        z = beta + gradient
        try:
            t, size, curved, response, theta = _matching_prox(np.abs(z), sqrt_k, theta, t, n / d, ridge)
        except FloatingPointError:  # they are too large, or none any more
            return
        beta, angle = np.copysign(size, z), np.copysign(t, z)
        misfit = y - X @ beta.astype(X.dtype, copy=False)
        e = misfit / a + (response * d / n) * e


def _matching_prox(
    size: np.ndarray,
    sqrt_k: np.ndarray,
    theta: np.ndarray,
    guess: np.ndarray | None,
    alpha: float,
    ridge: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `prox_point` at the theta of its equation within 1 %, with the mean response and a closer theta.

    Newton steps on log theta: near the solution, one for each iteration.
    """
    for _ in range(50):
        t, x, c = prox_point(size, sqrt_k, theta, guess)
        guess = t
        r, _, r_theta = prox_slopes(x, t, c, c + theta, theta)
        response = np.mean(r, axis=0)
        gain = ridge / theta + response / alpha
        excess = np.log(gain)
        slope = theta * np.mean(r_theta, axis=0) / alpha - ridge / theta
        theta = theta * np.exp(np.clip(-excess * gain / slope, -3, 3))
        if np.all(np.abs(excess) < 0.01):
            break
    return t, x, c, response, theta


def state_evolution(
    alpha: float, mixture: GaussianMixture, steps: int, noise_var: float = 0.0, ridge: float = 0.0
) -> StateEvolution:
    """Predict `steps` iterations of message passing from beta = 0 in the limit of many coordinates.

    Parameters
    ----------
    alpha : float
        Data scale n/d, below 1 without ridge.
    mixture : GaussianMixture
        Law of (beta*, k), as from `SpikeSlab.mixture`.
    steps : int, at least 1
    noise_var, ridge : float, default 0

    Raises
    ------
    ValueError
        If an argument is outside its range, or there is nothing to learn.

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> mixture = SpikeSlab(omega=1.0).mixture(Initialization(c_pt=1e-3))
    >>> state_evolution(0.3, mixture, steps=3).mse.round(3)
    array([0.503, 0.26 , 0.138])
    """
    alpha, ridge = positive_number(alpha, "alpha"), nonnegative_number(ridge, "ridge")
    require(alpha < 1 or ridge > 0, "alpha", alpha, "below 1 without ridge")
    noise = nonnegative_number(noise_var, "noise_var")
    power = instance_of(mixture, GaussianMixture, "mixture").power + noise
    require(power > 0, "mixture.power + noise_var", power, "positive (there is nothing to learn)")
    mse, tau2, theta = (np.empty(whole_number(steps, "steps", at_least=1)) for _ in range(3))
    error, guess = mixture.power, None
    for i in range(steps):
        tau2[i] = (noise + error) / alpha
        at = slice(i, i + 1)
        theta[at] = guess = effective_regularisation(tau2[at], np.array([alpha]), mixture, ridge, guess=guess)
        error = mse[i] = scalar_moments(tau2[at], theta[at], mixture).mse[0]
    return StateEvolution(mse, tau2, theta)
