"""The exact end point of training: the minimiser of sum q_k(beta) subject to X beta = y (Theorem 4.1).

Approximate message passing finds it in a few hundred products with X where X is like a Gaussian matrix; its iteration
is that of the replica equations (Proposition 4.2). Newton's method finds it for any X. Either answer is certified:
beta is optimal if it interpolates and some dual vector nu has X^T nu = q_k'(beta).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from ptft.message_passing import message_passing
from ptft.validation import broadcast, one_of, positive_array, real_array, require

METHODS = ("auto", "amp", "newton")
AMP_STEPS = 500
AMP_PATIENCE = 100  # steps in which message passing must gain a factor of ten
NEWTON_STEPS = 200


@dataclass(frozen=True, eq=False)
class EndPoint:
    """Minimiser of the penalty among the interpolating coefficients, with its certificate."""

    beta: np.ndarray  # (d,) coefficients
    dual: np.ndarray  # (n,) nu, with X^T nu = q'(beta)
    kkt_residual: float  # max_i |X^T nu - q'(beta)|_i / q''(beta_i), in units of max|beta|
    interpolation_residual: float  # |y - X beta| / |y|
    iterations: int  # of the method that gave the answer
    method: str  # "amp", "newton" or "unique" (the data determine beta)
    converged: bool  # both residuals below the tolerance


def min_penalty(X: ArrayLike, y: ArrayLike, k: ArrayLike, method: str = "auto", tolerance: float = 1e-10) -> EndPoint:
    """Minimise sum_i q_{k_i}(beta_i) subject to X beta = y: where gradient flow ends (Theorem 4.1).

    Parameters
    ----------
    X : array_like, shape (n, d)
        Design.
    y : array_like, shape (n,)
        Labels.
    k : array_like, positive, a scalar or shape (d,)
        Penalty scale of every coordinate, in squared units of beta.
    method : "auto" (default), "amp" or "newton"
        "auto" tries message passing and falls back on Newton's method where its answer fails the certificate.
    tolerance : float, default 1e-10
        On both residuals of the certificate.

    Returns
    -------
    EndPoint
        `converged` is true only where the certificate holds.

    Raises
    ------
    ValueError
        If the shapes do not match, k is not positive, anything is not finite, or no beta interpolates the data.

    Warns
    -----
    UserWarning
        If the certificate fails for every method tried.

    Examples
    --------
    >>> point = min_penalty([[1.0, 1.0]], [1.0], k=[1e-6, 1.0])  # the smaller k, the costlier the coordinate
    >>> point.beta.round(3), point.converged
    (array([0.001, 0.999]), True)
    """
    X, y = real_array(X, "X", ndim=2), real_array(y, "y", ndim=1)
    n, d = X.shape
    require(n > 0 and d > 0, "the shape of X", X.shape, "at least one row and one column")
    if y.shape != (n,):
        raise ValueError(f"y has shape {y.shape}: it must have one entry for each of the {n} rows of X")
    k = positive_array(k, "k")
    if k.shape not in ((), (d,)):
        raise ValueError(f"k has shape {k.shape}: it must be one number or one for each of the {d} columns of X")
    one_of(method, "method", METHODS)
    require(tolerance > 0, "tolerance", tolerance, "positive")
    sqrt_k = np.sqrt(broadcast(k=k, columns=np.empty(d))[0])

    point = None
    if n < d and method != "newton":
        point = _amp(X, y, sqrt_k, tolerance)
    if point is None or (method == "auto" and not point.converged):
        point = _newton_on_any_rows(X, y, sqrt_k, tolerance)
    if not point.converged:
        warnings.warn(
            f"the end point is not certified: KKT residual {point.kkt_residual:.1e}, interpolation residual "
            f"{point.interpolation_residual:.1e}, tolerance {tolerance:.1e}; try method='newton' or a larger k",
            stacklevel=2,
        )
    return point


@np.errstate(over="ignore", invalid="ignore")  # where message passing diverges, it stops and is not certified
def _amp(X: np.ndarray, y: np.ndarray, sqrt_k: np.ndarray, tolerance: float) -> EndPoint:
    """Message passing until the certificate holds; both residuals come with each iterate, at no further product."""
    size = np.linalg.norm(y) or 1.0
    gaps: list[float] = []
    for iteration, state in enumerate(message_passing(X, y, sqrt_k**2)):
        gaps.append(_kkt_gap(state.beta, state.slope, sqrt_k)[0])
        certified = gaps[-1] <= tolerance / 3 and np.linalg.norm(state.misfit) <= tolerance / 3 * size
        stalled = iteration >= AMP_PATIENCE and gaps[-1] > 0.1 * gaps[-1 - AMP_PATIENCE]
        if certified or stalled or iteration == AMP_STEPS or not gaps[-1] < 1e30:
            break
    return _certify(X, y, sqrt_k, state.beta, state.dual, iteration, "amp", tolerance)


def _newton_on_any_rows(X: np.ndarray, y: np.ndarray, sqrt_k: np.ndarray, tolerance: float) -> EndPoint:
    """Newton's method on X, and where that fails on an orthonormal basis of its rows, once the data are consistent."""
    if X.shape[0] <= X.shape[1]:
        try:
            point = newton(X, y, sqrt_k, tolerance)
            if point.converged:
                return point
        except linalg.LinAlgError:
            pass
    U, S, rows = linalg.svd(X, full_matrices=False)
    rank = int(np.sum(S > S[0] * max(X.shape) * np.finfo(float).eps))
    U, S, rows = U[:, :rank], S[:rank], rows[:rank]
    misfit = np.linalg.norm(y - U @ (U.T @ y)) / (np.linalg.norm(y) or 1.0)
    require(
        misfit <= 1e-9, "the distance of y from the columns of X, relative to |y|,", misfit, "0: no beta interpolates"
    )
    point = newton(rows, (U.T @ y) / S, sqrt_k, tolerance)
    return _certify(X, y, sqrt_k, point.beta, U @ (point.dual / S), point.iterations, "newton", tolerance)


def newton(X: np.ndarray, y: np.ndarray, sqrt_k: np.ndarray, tolerance: float) -> EndPoint:
    """Newton's method on the feasible set from its point of smallest weighted norm; X has independent rows.

    With D = 1/q''(beta) the step is -D (q' - X^T nu), (X D X^T) nu = X D q' + (y - X beta), halved until the penalty
    falls. Raises LinAlgError where X D X^T is singular to rounding.
    """
    beta, nu = np.zeros(X.shape[1]), np.zeros(X.shape[0])
    value = np.inf
    for iteration in range(NEWTON_STEPS + 1):
        slope, D = _slope(beta, sqrt_k), np.hypot(sqrt_k, 2 * beta)
        factor = linalg.cho_factor((X * D) @ X.T)
        nu = linalg.cho_solve(factor, X @ (D * slope) + (y - X @ beta))
        step = -D * (slope - X.T @ nu)
        largest = np.max(np.abs(beta))
        small = np.max(np.abs(step)) <= 0.1 * tolerance * largest
        if small or iteration == NEWTON_STEPS:
            break
        length = 1.0
        while True:
            trial = beta + length * step
            trial_value = _penalty_sum(trial, sqrt_k)
            if trial_value <= value * (1 + 1e-14) or length < 1e-12:
                break
            length /= 2
        beta, value = trial, trial_value
    return _certify(X, y, sqrt_k, beta, nu, iteration, "newton", tolerance)


def _slope(beta: np.ndarray, sqrt_k: np.ndarray) -> np.ndarray:
    return 0.5 * np.arcsinh(2 * beta / sqrt_k)


def _penalty_sum(beta: np.ndarray, sqrt_k: np.ndarray) -> float:
    t = np.arcsinh(2 * np.abs(beta) / sqrt_k)
    return float(np.sum(0.5 * np.abs(beta) * (t - np.tanh(t / 2))))


def _kkt_gap(beta: np.ndarray, slope: np.ndarray, sqrt_k: np.ndarray) -> tuple[float, float]:
    """Largest |slope - q'(beta)|/q''(beta), the Newton step that would close the gap, over max|beta|; and max|beta|."""
    gap = np.max(np.hypot(sqrt_k, 2 * beta) * np.abs(slope - _slope(beta, sqrt_k)))
    largest = float(np.max(np.abs(beta)))
    return float(gap / (largest or 1.0)), largest


def _certify(
    X: np.ndarray,
    y: np.ndarray,
    sqrt_k: np.ndarray,
    beta: np.ndarray,
    dual: np.ndarray,
    iterations: int,
    method: str,
    tolerance: float,
) -> EndPoint:
    kkt, _ = _kkt_gap(beta, X.T @ dual, sqrt_k)
    interpolation = float(np.linalg.norm(y - X @ beta) / (np.linalg.norm(y) or 1.0))
    converged = bool(kkt <= tolerance and interpolation <= tolerance)
    return EndPoint(beta, dual, kkt, interpolation, iterations, method, converged)
