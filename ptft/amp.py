"""Approximate message passing for the penalty of Theorem 4.1, and its state evolution: the replica iteration.

With the columns of A = X/a of unit length on average, y_a = y/a and alpha = n/d, message passing repeats

    r = beta + A^T z,   theta: mean prox_theta'(r) = alpha,   beta <- prox_theta(r),   z <- y_a - A beta + z,

whose fixed point has A beta = y_a and q'(beta) = A^T z/theta: the end point of training. For Gaussian X, r behaves like
beta* + tau xi, and tau^2 follows the scalar recursion of Proposition 4.2 without ridge (Bayati and Montanari, 2011).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from ptft.penalties import prox_angle, prox_slopes
from ptft.replica import effective_regularisation, scalar_moments
from ptft.teachers import GaussianMixture
from ptft.validation import nonnegative_array, positive_array, whole_number


@dataclass(frozen=True, eq=False)
class Message:
    """One iterate of message passing; with several problems each array has one more axis, the last."""

    beta: np.ndarray  # (d,) estimate
    misfit: np.ndarray  # (n,) y - X beta
    dual: np.ndarray  # (n,) nu
    slope: np.ndarray  # (d,) X^T nu, which is q'(beta) at the end point
    theta: np.ndarray  # ()


@dataclass(frozen=True, eq=False)
class StateEvolution:
    """Prediction for message passing, arrays of shape (steps,); entry t describes the estimate after t + 1 updates."""

    mse: np.ndarray
    tau2: np.ndarray  # variance of r - beta* in the update
    theta: np.ndarray


def message_passing(X: np.ndarray, y: np.ndarray, k: np.ndarray) -> Generator[Message, np.ndarray | None, None]:
    """Iterate from beta = 0 without end.

    Parameters
    ----------
    X : ndarray, shape (n, d), n < d
    y : ndarray, shape (n,), or (n, problems) for several problems with the same X, which share its products
    k : ndarray, positive, shape (d,) or (d, problems)

    Yields
    ------
    Message
        Sending a boolean array of shape (problems,) back drops the problems where it is false.

    Nothing is checked: `ptft.min_penalty` is the entry with checks, a stopping rule and a certificate.

    Examples
    --------
    >>> from itertools import islice
    >>> *_, last = islice(message_passing(np.array([[1.0, 0.5]]), np.ones(1), np.ones(2)), 20)
    >>> last.beta.round(3)
    array([0.829, 0.342])
    """
    n, d = X.shape
    sqrt_k, a = np.sqrt(k), np.sqrt(np.einsum("ij,ij->", X, X) / d) or 1.0
    beta, z, misfit = np.zeros(k.shape), y / a, y
    theta, t = np.mean(sqrt_k, axis=0) * (d / n - 1), None
    while True:
        gradient = X.T @ (z / a)
        keep = yield Message(beta, misfit, z / (a * theta), gradient / theta, theta)
        if keep is not None and not keep.all():
            y, sqrt_k, beta, z, theta, gradient = (v[..., keep] for v in (y, sqrt_k, beta, z, theta, gradient))
            t = None if t is None else t[..., keep]
        r = beta + gradient
        t, size, response, theta = _matching_prox(np.abs(r), sqrt_k, theta, t, n / d)
        beta = np.sign(r) * size
        misfit = y - X @ beta
        z = misfit / a + (response * d / n) * z


def _matching_prox(
    size: np.ndarray, sqrt_k: np.ndarray, theta: np.ndarray, guess: np.ndarray | None, alpha: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Proximal points at a theta whose mean response is alpha within 1 %: angles, points, response, a closer theta.

    Newton steps on log theta: near the solution, one for each iteration.
    """
    for _ in range(50):
        guess = t = prox_angle(size, sqrt_k, theta, guess)
        x = (sqrt_k / 2) * np.sinh(t)
        c = sqrt_k * np.cosh(t)
        r, _, r_theta = prox_slopes(x, t, c, c + theta, theta)
        response = np.mean(r, axis=0)
        excess = np.log(response / alpha)
        slope = theta * np.mean(r_theta, axis=0)
        theta = theta * np.exp(np.clip(-excess * response / slope, -3, 3))
        if np.all(np.abs(excess) < 0.01):
            break
    return t, x, response, theta


def state_evolution(alpha: float, mixture: GaussianMixture, steps: int, noise_var: float = 0.0) -> StateEvolution:
    """Predict `steps` iterations of message passing from beta = 0 in the limit of many coordinates.

    Parameters
    ----------
    alpha : float in (0, 1)
        Data scale n/d.
    mixture : GaussianMixture
        Law of (beta*, k), as from `SpikeSlab.mixture`.
    steps : int, at least 1
    noise_var : float, default 0

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> mixture = SpikeSlab(omega=1.0).mixture(Initialization(c_pt=1e-3))
    >>> state_evolution(0.3, mixture, steps=3).mse.round(3)
    array([0.503, 0.26 , 0.138])
    """
    alpha = float(positive_array(alpha, "alpha", ndim=0))
    if alpha >= 1:
        raise ValueError(f"alpha = {alpha} is not allowed: it must be below 1")
    noise = float(nonnegative_array(noise_var, "noise_var", ndim=0))
    mse, tau2, theta = (np.empty(whole_number(steps, "steps", at_least=1)) for _ in range(3))
    error, guess = mixture.power, None
    for i in range(steps):
        tau2[i] = (noise + error) / alpha
        at = slice(i, i + 1)
        theta[at] = guess = effective_regularisation(tau2[at], np.array([alpha]), mixture, guess=guess)
        error = mse[i] = scalar_moments(tau2[at], theta[at], mixture).mse[0]
    return StateEvolution(mse, tau2, theta)
