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

from ptft.amp import message_passing
from ptft.penalties import inverse_curvature, penalty_at_angle, signed_angle
from ptft.validation import (
    broadcast,
    one_of,
    positive_array,
    positive_number,
    real_array,
    regression,
    require,
    whole_number,
)

METHODS = ("auto", "amp", "newton")
AMP_STEPS = 500
AMP_COLUMNS = 10  # problems treated together: more share each product with X, fewer stay in the cache
AMP_PATIENCE = 100  # steps in which message passing must gain a factor of ten
NEWTON_STEPS = 1000  # near a vertex of the l1 ball it creeps for hundreds of steps before it converges


@dataclass(frozen=True, eq=False)
class EndPoint:
    """Minimiser of the penalty among the interpolating coefficients, with its certificate."""

    beta: np.ndarray  # (d,) coefficients
    dual: np.ndarray  # (n,) nu, with X^T nu = q'(beta)
    kkt_residual: float  # max_i |X^T nu - q'(beta)|_i / q''(beta_i), in units of max|beta|
    interpolation_residual: float  # |y - X beta| / |y|
    iterations: int  # of the method that gave the answer
    method: str  # "amp" or "newton"
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
    X, y = regression(X, y)
    k = positive_array(k, "k")
    if k.shape not in ((), (X.shape[1],)):
        raise ValueError(
            f"k has shape {k.shape}: it must be one number or one for each of the {X.shape[1]} columns of X"
        )
    columns = broadcast(k=k, columns=np.empty(X.shape[1]))[0][:, None]
    return min_penalties(X, y[:, None], columns, method, tolerance, stacklevel=3)[0]


def min_penalties(
    X: ArrayLike, Y: ArrayLike, K: ArrayLike, method: str = "auto", tolerance: float = 1e-10, stacklevel: int = 2
) -> list[EndPoint]:
    """`min_penalty` for several problems with the same X, which share the products with it.

    Parameters
    ----------
    X : array_like, shape (n, d)
    Y : array_like, shape (n, problems)
    K : array_like, positive, shape (d, problems)
    method, tolerance
        As in `min_penalty`, as are warnings.
    stacklevel : int, default 2
        Of the warnings, as in `warnings.warn`.

    Returns
    -------
    list of EndPoint, one for each column of Y

    Raises
    ------
    ValueError
        As `min_penalty`.

    Examples
    --------
    >>> one, other = min_penalties([[1.0, 1.0]], [[1.0, 1.0]], [[1e-6, 1.0], [1.0, 1.0]])
    >>> one.beta.round(3), other.beta.round(3)
    (array([0.001, 0.999]), array([0.5, 0.5]))
    """
    X, Y, K = real_array(X, "X", ndim=2), real_array(Y, "Y", ndim=2), positive_array(K, "K", ndim=2)
    n, d = X.shape
    if Y.shape[0] != n or K.shape != (d, Y.shape[1]):
        raise ValueError(f"X, Y and K have shapes {X.shape}, {Y.shape} and {K.shape}: they must match")
    one_of(method, "method", METHODS)
    tolerance = positive_number(tolerance, "tolerance")
    whole_number(stacklevel, "stacklevel", at_least=1)
    points: list[EndPoint | None] = [None] * Y.shape[1]
    if n < d and method != "newton":
        parts = np.array_split(np.arange(Y.shape[1]), -(-Y.shape[1] // AMP_COLUMNS))
        points = [point for part in parts for point in _amp(X, Y[:, part], K[:, part], tolerance)]
    for i, point in enumerate(points):
        if point is None or (method == "auto" and not point.converged):
            near = point.beta if point is not None and point.kkt_residual < 1 else None
            point = points[i] = _newton_on_any_rows(X, Y[:, i], np.sqrt(K[:, i]), tolerance, near)
        if not point.converged:
            warnings.warn(
                f"the end point is not certified: KKT residual {point.kkt_residual:.1e}, interpolation residual "
                f"{point.interpolation_residual:.1e}, tolerance {tolerance:.1e}; try method='newton' or a larger k",
                stacklevel=stacklevel,
            )
    return [point for point in points if point is not None]


@np.errstate(over="ignore", invalid="ignore")  # where message passing diverges, it stops and is not certified
def _amp(X: np.ndarray, Y: np.ndarray, K: np.ndarray, tolerance: float) -> list[EndPoint]:
    """Message passing until the certificates hold; both residuals come with each iterate, at no further product."""
    sqrt_k, size = np.sqrt(K), np.linalg.norm(Y, axis=0)
    todo = np.arange(Y.shape[1])
    gaps = np.empty((AMP_STEPS + 1, Y.shape[1]))
    points: dict[int, EndPoint] = {}
    iterates = message_passing(X, Y, K)
    state = next(iterates)
    for iteration in range(AMP_STEPS + 1):
        gap = _kkt_gap(state.beta, state.slope, sqrt_k[:, todo])
        gaps[iteration, todo] = gap
        certified = (gap <= tolerance / 3) & (np.linalg.norm(state.misfit, axis=0) <= tolerance / 3 * size[todo])
        hopeless = ~(gap < 1e30) | (iteration == AMP_STEPS)
        if iteration >= AMP_PATIENCE:
            hopeless |= gap > 0.1 * gaps[iteration - AMP_PATIENCE, todo]
        keep = ~(certified | hopeless)
        for j in np.flatnonzero(~keep):
            i = todo[j]
            found = state.beta[:, j], state.dual[:, j]
            points[i] = _certify(X, Y[:, i], sqrt_k[:, i], *found, iteration, "amp", tolerance)
        todo = todo[keep]
        if not todo.size:
            break
        state = iterates.send(keep)
    return [points[i] for i in range(Y.shape[1])]


def _newton_on_any_rows(
    X: np.ndarray, y: np.ndarray, sqrt_k: np.ndarray, tolerance: float, start: np.ndarray | None
) -> EndPoint:
    """Newton's method on X, and where that fails on an orthonormal basis of its rows, once the data are consistent."""
    if X.shape[0] <= X.shape[1]:
        try:
            point = newton(X, y, sqrt_k, tolerance, start)
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


def newton(
    X: np.ndarray, y: np.ndarray, sqrt_k: np.ndarray, tolerance: float, start: np.ndarray | None = None
) -> EndPoint:
    """Newton's method on the feasible set; X has independent rows.

    The first step leads from `start`, or from 0, to the feasible set: from 0 to its point of smallest weighted norm.

    With D = 1/q''(beta) the step is -D (q' - X^T nu), (X D X^T) nu = X D q' + (y - X beta), halved until the penalty
    falls. Raises LinAlgError where X D X^T is singular to rounding. The arguments are unchecked.

    Parameters
    ----------
    X : ndarray, shape (n, d), of rank n
    y : ndarray, shape (n,)
    sqrt_k : ndarray, shape (d,)
    tolerance : float
    start : ndarray, shape (d,), optional

    Examples
    --------
    >>> point = newton(np.array([[1.0, 1.0]]), np.array([1.0]), np.array([1.0, 1.0]), tolerance=1e-10)
    >>> point.beta.round(3), point.converged
    (array([0.5, 0.5]), True)
    """
    beta = np.zeros(X.shape[1]) if start is None else start
    value = np.inf
    for iteration in range(NEWTON_STEPS + 1):
        slope, D = signed_angle(beta, sqrt_k) / 2, inverse_curvature(beta, sqrt_k)
        root = X * np.sqrt(D)
        factor = linalg.cho_factor(linalg.blas.dsyrk(1.0, root.T, trans=1), overwrite_a=True, check_finite=False)
        nu = linalg.cho_solve(factor, X @ (D * slope) + (y - X @ beta))
        step = -D * (slope - X.T @ nu)
        largest = np.max(np.abs(beta))
        small = np.max(np.abs(step)) <= 0.1 * tolerance * largest
        if small or iteration == NEWTON_STEPS:
            break
        length = 1.0
        while True:
            trial = beta + length * step
            trial_value = float(np.sum(penalty_at_angle(trial, signed_angle(trial, sqrt_k))))
            if trial_value <= value * (1 + 1e-14) or length < 1e-12:
                break
            length /= 2
        beta, value = trial, trial_value
    return _certify(X, y, sqrt_k, beta, nu, iteration, "newton", tolerance)


def _kkt_gap(beta: np.ndarray, slope: np.ndarray, sqrt_k: np.ndarray) -> np.ndarray:
    """Largest |slope - q'(beta)|/q''(beta), the Newton step that would close the gap, in units of max|beta|."""
    gap = np.max(inverse_curvature(beta, sqrt_k) * np.abs(slope - signed_angle(beta, sqrt_k) / 2), axis=0)
    largest = np.max(np.abs(beta), axis=0)
    result: np.ndarray = gap / np.where(largest > 0, largest, 1.0)
    return result


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
    kkt = float(_kkt_gap(beta, X.T @ dual, sqrt_k))
    interpolation = float(np.linalg.norm(y - X @ beta) / (np.linalg.norm(y) or 1.0))
    converged = bool(kkt <= tolerance and interpolation <= tolerance)
    return EndPoint(beta, dual, kkt, interpolation, iterations, method, converged)
