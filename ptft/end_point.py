"""The exact end point of training: the minimiser of sum q_k(beta) subject to X beta = y (Theorem 4.1), or with a ridge.

Approximate message passing comes near it in some tens of products with X where X is like a Gaussian matrix; its
iteration is that of the replica equations (Proposition 4.2). It works in float32, and a few Newton steps in float64,
with one factor of X D X^T, take it to the end. Where the messages diverge, Newton's method starts at once; it finds the
end point for any X. Either answer is certified:
beta is optimal if it interpolates and some dual vector nu has X^T nu = q_k'(beta). With a ridge the minimiser of
|y - X beta|^2/(2 alpha) + ridge sum q_k(beta), alpha = n/d, takes the place of the interpolator: then
X beta + slack nu = y with slack = ridge alpha, and all else is the same. Either is a statement on data close to the
given ones, so the condition of the problem is measured too, and bounds the distance from the minimiser itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from ptft.amp import iterates
from ptft.penalties import inverse_curvature, penalty_at_angle, signed_angle
from ptft.validation import (
    broadcast,
    nonnegative_number,
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
AMP_PATIENCE = 20  # steps in which message passing must come nearer than before
AMP_NEAR = 0.003  # mismatch of slopes from which on Newton steps with one and the same factor converge fast
AMP_GROWTH = 2.0  # of the noise in the messages above the least so far, which for Gaussian X hardly grows
FACTORS = 4  # that Newton steps may take to finish what message passing began
DRIFT = 0.01  # largest relative change of the curvature with which a factor still measures errors
NEWTON_STEPS = 1000  # near a vertex of the l1 ball it creeps for hundreds of steps before it converges
CLOSE = 0.1  # largest step, in units of 1/q'', that Newton's method takes without a look at the penalty
NEWTON_PATIENCE = 30  # steps in which Newton's method must lower the penalty or its residuals
STALLED = 10  # steps for which one so small counts that does not lower the residuals: rounding errors decide about it
_EPS = float(np.finfo(np.float64).eps)
_ROWS = 32  # of X whose magnitudes are taken at once, so that they stay in the cache
_PLAIN = 40  # numbers beyond 2^+-_PLAIN are scaled before they are squared, or rounded to float32
_FACTORS = (  # Cholesky's of X D X^T, and the condition up to which they serve to measure errors
    (np.float32, linalg.blas.ssyrk, linalg.lapack.spocon, 1e5),
    (np.float64, linalg.blas.dsyrk, linalg.lapack.dpocon, 1e12),
)
_RANGE = 1000  # and sqrt(k) stays within 2^+-_RANGE


# Solves the weighted normal equations: (slope, misfit) to nu with (X D X^T + slack) nu = X D slope + misfit and the
# step D (X^T nu - slope).
Solver = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class EndPoint:
    """Minimiser of the penalty among the interpolating coefficients, with its certificate.

    The two residuals bound the backward error: beta is the minimiser for data that are this close to the given ones.
    `forward_error` says what that means for beta, where rows are nearly dependent or penalty scales far apart.
    """

    beta: np.ndarray  # (d,) coefficients
    dual: np.ndarray  # (n,) nu, with X^T nu = q'(beta), rounded to float64
    kkt_residual: float  # max_i |X^T nu - q'(beta)|_i / q''(beta_i), in units of max|beta|
    interpolation_residual: float  # |y - X beta| / |y|; with a ridge |y - X beta - ridge alpha nu| / |y|
    iterations: int  # of the method that gave the answer
    method: str  # "amp" or "newton"
    converged: bool  # both residuals below the tolerance, and forward_error below its square root
    forward_error: float  # bound, to first order, on the distance from the minimiser, in units of max|beta|
    rank: int  # independent rows of X: others, which are these to rounding, are left out; with a ridge all rows count


def min_penalty(
    X: ArrayLike, y: ArrayLike, k: ArrayLike, method: str = "auto", tolerance: float = 1e-10, ridge: float = 0.0
) -> EndPoint:
    """Minimise sum_i q_{k_i}(beta_i) subject to X beta = y: where gradient flow ends (Theorem 4.1).

    With a ridge, minimise |y - X beta|^2/(2 alpha) + ridge sum_i q_{k_i}(beta_i), alpha = n/d, whose limit of a small
    ridge this is: the estimator of Proposition 4.2, for labels that agree with each other or not, and any n and d.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Design.
    y : array_like, shape (n,)
        Labels.
    k : array_like, positive, a scalar or shape (d,)
        Penalty scale of every coordinate, in squared units of beta.
    method : "auto" (default), "amp" or "newton"
        "auto" tries message passing and falls back on Newton's method where the messages diverge or their end fails the
        certificate. "newton" means Newton's method from 0.
    tolerance : float, default 1e-10
        On both residuals of the certificate.
    ridge : float, default 0
        In units of X^2 beta: in the setting of `ptft.replica_curve`, X_ij ~ N(0, 1/d), it is the ridge there.

    Returns
    -------
    EndPoint
        `converged` is true only where the certificate holds.

    Raises
    ------
    ValueError
        If the shapes do not match, k is not positive, ridge is negative, anything is not finite, or no beta
        interpolates the data and there is no ridge.

    Warns
    -----
    UserWarning
        If the certificate fails for every method tried.

    Examples
    --------
    >>> point = min_penalty([[1.0, 1.0]], [1.0], k=[1e-6, 1.0])  # the smaller k, the costlier the coordinate
    >>> point.beta.round(3), point.converged
    (array([0.001, 0.999]), True)
    >>> mean = min_penalty([[1.0], [1.0]], [0.0, 1.0], k=1.0, ridge=1e-6)  # which no beta interpolates
    >>> mean.beta.round(3), mean.converged
    (array([0.5]), True)
    """
    X, y = regression(X, y)
    columns = _columns(X, k)[:, None]
    return _min_penalties(X, y[:, None], columns, *_checked(method, tolerance, ridge), stacklevel=4)[0]


def min_penalties(
    X: ArrayLike,
    Y: ArrayLike,
    K: ArrayLike,
    method: str = "auto",
    tolerance: float = 1e-10,
    ridge: float = 0.0,
    stacklevel: int = 2,
) -> list[EndPoint]:
    """`min_penalty` for several problems with the same X, which share the products with it.

    Parameters
    ----------
    X : array_like, shape (n, d)
    Y : array_like, shape (n, problems)
    K : array_like, positive, shape (d, problems)
    method, tolerance, ridge
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
    whole_number(stacklevel, "stacklevel", at_least=1)
    return _min_penalties(X, Y, K, *_checked(method, tolerance, ridge), stacklevel + 1)


def ridge_path(X: ArrayLike, y: ArrayLike, k: ArrayLike, ridge: ArrayLike, tolerance: float = 1e-10) -> list[EndPoint]:
    """`min_penalty` at several ridges, each from the end point of the next larger one, by Newton's method.

    Parameters
    ----------
    X, y, k, tolerance
        As in `min_penalty`, as are the errors and warnings.
    ridge : array_like, positive, shape (points,), in any order

    Returns
    -------
    list of EndPoint, one for each ridge

    Examples
    --------
    >>> weak, strong = ridge_path([[1.0, 0.5]], [1.0], 1e-4, ridge=[1e-6, 1.0])
    >>> weak.beta.round(3), strong.beta.round(3)
    (array([0.975, 0.049]), array([0.092, 0.015]))
    """
    X, y = regression(X, y)
    ridge, columns = positive_array(ridge, "ridge", ndim=1), _columns(X, k)
    tolerance = positive_number(tolerance, "tolerance")
    inputs, labels, sqrt_k, units, shift = _scaled(X, y[:, None], columns[:, None])
    labels, sqrt_k, combined = labels[:, 0], sqrt_k[:, 0], _combined(inputs)
    points: dict[int, EndPoint] = {}
    start = None
    for i in np.argsort(-ridge, kind="stable"):
        slack = float(_slack(X, float(ridge[i]), units + 2 * shift)[0])
        point = _newton_with_slack(inputs, labels, combined, sqrt_k, slack, tolerance, start)
        start = point.beta if np.isfinite(point.beta).all() and point.beta.any() else None
        if not point.converged:
            _warn(point, tolerance, stacklevel=3)
        points[int(i)] = _in_units(point, int(units[0]), shift)
    return [points[i] for i in range(ridge.size)]


def _columns(X: np.ndarray, k: ArrayLike) -> np.ndarray:
    """k for every column of X."""
    k = positive_array(k, "k")
    if k.shape not in ((), (X.shape[1],)):
        raise ValueError(
            f"k has shape {k.shape}: it must be one number or one for each of the {X.shape[1]} columns of X"
        )
    return np.asarray(broadcast(k=k, columns=np.empty(X.shape[1]))[0])


def _scaled(X: np.ndarray, Y: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """X, Y and sqrt(K) in units in which their squares are numbers, and the exponents of the units of beta and of X."""
    shift = _exponent(X)
    units = np.array([_unit(y, k, shift) for y, k in zip(Y.T, K.T, strict=True)])
    inputs = np.ldexp(X, -shift) if shift else X
    labels = np.ldexp(Y, -(units + shift)) if shift or units.any() else Y
    return inputs, labels, np.ldexp(np.sqrt(K), -units), units, shift


def _warn(point: EndPoint, tolerance: float, stacklevel: int) -> None:
    warnings.warn(
        f"the end point is not certified: KKT residual {point.kkt_residual:.1e}, interpolation residual "
        f"{point.interpolation_residual:.1e}, tolerance {tolerance:.1e}, bound on the error of beta "
        f"{point.forward_error:.1e}; try method='newton' or a larger k",
        stacklevel=stacklevel,
    )


def _checked(method: str, tolerance: float, ridge: float) -> tuple[str, float, float]:
    one_of(method, "method", METHODS)
    return method, positive_number(tolerance, "tolerance"), nonnegative_number(ridge, "ridge")


def _min_penalties(
    X: np.ndarray, Y: np.ndarray, K: np.ndarray, method: str, tolerance: float, ridge: float, stacklevel: int
) -> list[EndPoint]:
    inputs, labels, sqrt_k, units, shift = _scaled(X, Y, K)
    slack = _slack(X, ridge, units + 2 * shift)
    points: list[EndPoint | None] = [None] * units.size
    if method != "newton" and (X.shape[0] < X.shape[1] or (method == "amp" and ridge > 0)):
        rounded = inputs.astype(np.float32)
        fit = np.flatnonzero(np.all(np.abs(np.log2(sqrt_k)) < _RANGE / 2, axis=0))  # their squares are numbers
        for part in np.array_split(fit, -(-fit.size // AMP_COLUMNS)) if fit.size else ():
            scales = np.ldexp(K[:, part], -2 * units[part])
            found = _amp(inputs, rounded, labels[:, part], scales, slack[part], tolerance)
            for i, point in zip(part, found, strict=True):
                points[i] = point
    by_newton = [first is None or (method == "auto" and not first.converged) for first in points]
    combined = _combined(inputs) if ridge > 0 and any(by_newton) else None
    ends = []
    for i, first in enumerate(points):
        if first is None or by_newton[i]:
            near = first.beta if first is not None and first.interpolation_residual < 0.1 else None
            y, scale = labels[:, i], sqrt_k[:, i]
            if ridge > 0:
                end = _newton_with_slack(inputs, y, combined, scale, float(slack[i]), tolerance, near)
            else:
                end = _newton_on_any_rows(inputs, y, scale, tolerance, near)
        else:
            end = first
        if not end.converged:
            _warn(end, tolerance, stacklevel + 1)
        ends.append(_in_units(end, int(units[i]), shift))
    return ends


def _slack(X: np.ndarray, ridge: float, exponents: np.ndarray) -> np.ndarray:
    """ridge alpha in the units of every problem, by which nu is multiplied in the labels."""
    with np.errstate(over="ignore", under="ignore"):
        slack: np.ndarray = np.ldexp(ridge * X.shape[0] / X.shape[1], -exponents)
    if ridge > 0:
        inside = np.all((slack > np.finfo(np.float64).tiny) & np.isfinite(slack))
        require(inside, "ridge", ridge, "so large and so small that ridge n/(d X^2 beta) is a normal float64 number")
    return slack


def _exponent(values: np.ndarray) -> int:
    """Of the power of two by which the values are divided: 0 unless their squares are near the limits of float64."""
    with np.errstate(over="ignore"):
        size = np.linalg.norm(values)  # which is faster than the largest entry
    if 2.0**-_PLAIN < size < 2.0**_PLAIN:
        return 0
    exponent = int(np.frexp(np.max(np.abs(values)))[1])
    return exponent if abs(exponent) > _PLAIN else 0


def _unit(y: np.ndarray, k: np.ndarray, shift: int) -> int:
    """Exponent of the unit of beta and sqrt(k), so that y/X is near 1 and sqrt(k) a normal number."""
    low, high = np.log2(np.array([k.min(), k.max()])) / 2
    unit = _exponent(y) - shift
    return int(np.clip(unit if abs(unit) > _PLAIN else 0, high - _RANGE, low + _RANGE))


def _in_units(point: EndPoint, unit: int, shift: int) -> EndPoint:
    """The end point in the units of the data."""
    with np.errstate(over="ignore"):
        beta = np.ldexp(point.beta, unit)
    largest, tiny = np.max(np.abs(beta)), np.finfo(np.float64).tiny
    inside = np.isfinite(largest) and (largest >= tiny or not point.beta.any())
    require(inside, "max|beta|", largest, "a normal float64 number (1e-308 to 1e308): change the units of y or X")
    return replace(point, beta=beta, dual=np.ldexp(point.dual, -shift))


@np.errstate(over="ignore", invalid="ignore")  # where message passing diverges, it stops and is not certified
def _amp(
    X: np.ndarray, rounded: np.ndarray, Y: np.ndarray, K: np.ndarray, slack: np.ndarray, tolerance: float
) -> list[EndPoint]:
    """Message passing, with X rounded to float32, until Newton steps with one factor in all digits finish it."""
    sqrt_k, todo = np.sqrt(K), np.arange(Y.shape[1])
    least, nearest = np.full((2, Y.shape[1]), np.inf)
    since = np.zeros(Y.shape[1], int)  # the iterate that was the nearest
    points: dict[int, EndPoint] = {}
    messages = iterates(rounded, Y, K, slack)
    state = next(messages)
    for iteration in range(AMP_STEPS + 1):
        nearer = state.mismatch < nearest[todo]
        nearest[todo[nearer]], since[todo[nearer]] = state.mismatch[nearer], iteration
        diverges = ~(state.noise <= AMP_GROWTH * least[todo])
        least[todo] = np.minimum(least[todo], state.noise)
        stalls = (iteration - since[todo] >= AMP_PATIENCE) | (iteration == AMP_STEPS)
        ends = diverges | stalls | (state.mismatch <= AMP_NEAR)
        for j in np.flatnonzero(ends):
            i, beta, dual, solve = todo[j], state.beta[:, j], state.dual[:, j], None
            data = Y[:, i], sqrt_k[:, i], float(slack[i])
            if not diverges[j]:
                beta, dual, solve = _finished(X, rounded, *data, beta, dual, tolerance)
            points[i] = _certify(X, *data, beta, dual, X.T @ dual, iteration, "amp", tolerance, solve)
        todo = todo[~ends]
        if not todo.size:
            break
        try:
            state = messages.send(~ends)
        except StopIteration:  # they diverged at once
            points |= dict.fromkeys(
                todo.tolist(), replace(_failed(X.shape, len(X)), iterations=iteration, method="amp")
            )
            break
    return [points[i] for i in range(Y.shape[1])]


def _finished(
    X: np.ndarray,
    rounded: np.ndarray,
    y: np.ndarray,
    sqrt_k: np.ndarray,
    slack: float,
    beta: np.ndarray,
    dual: np.ndarray,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray, Solver | None]:
    """beta and nu after Newton steps in float64 from an estimate that is near, and the factor that measures errors.

    Several steps share one factor, which has a few digits: the residuals have them all. None stands for no factor.
    """
    for _ in range(FACTORS):
        factored, previous = inverse_curvature(beta, sqrt_k), np.inf
        solve = _measuring(X, factored, slack, rounded)
        while True:
            slope = signed_angle(beta, sqrt_k) / 2
            ascent, step = solve(slope - X.T @ dual, y - X @ beta - slack * dual)
            change = float(np.max(np.abs(step) / inverse_curvature(beta, sqrt_k)))
            if not change < 0.5:  # a full step is not safe: it is a long way yet
                return beta, dual, None
            if change > previous / 2:
                break
            beta, dual, previous = beta + step, dual + ascent, change
            if np.max(np.abs(step)) <= 0.1 * tolerance * np.max(np.abs(beta)):
                drift = np.max(np.abs(inverse_curvature(beta, sqrt_k) / factored - 1))
                return beta, dual, solve if drift <= DRIFT else None
    return beta, dual, None


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is not certified
def _newton_on_any_rows(
    X: np.ndarray, y: np.ndarray, sqrt_k: np.ndarray, tolerance: float, start: np.ndarray | None
) -> EndPoint:
    """Newton's method on X, and where that fails by orthogonal factors of independent rows, if the data agree."""
    if X.shape[0] <= X.shape[1]:
        try:
            point = newton(X, y, sqrt_k, tolerance, start)
            if point.converged:
                return point
        except linalg.LinAlgError:
            pass
    rows, unit = _independent_rows(X, y)
    if not rows.size:
        return EndPoint(np.zeros(X.shape[1]), np.zeros(X.shape[0]), 0.0, 0.0, 0, "newton", True, 0.0, 0)
    part, labels = X[rows] / unit[rows, None], y[rows] / unit[rows]
    try:
        point = newton(part, labels, sqrt_k, tolerance, start, _orthogonal)
    except linalg.LinAlgError:
        return _failed(X.shape, rows.size)
    dual = np.zeros(y.shape)
    dual[rows] = point.dual / unit[rows]
    return _on_all_rows(point, X, y, 0.0, dual, tolerance)


def _failed(shape: tuple[int, int], rank: int) -> EndPoint:
    """What stands for an end point where no system could be solved."""
    n, d = shape
    return EndPoint(np.zeros(d), np.zeros(n), np.inf, 1.0, 0, "newton", False, np.inf, rank)


def _on_all_rows(
    point: EndPoint, X: np.ndarray, y: np.ndarray, slack: float, dual: np.ndarray, tolerance: float
) -> EndPoint:
    """The end point that some of the rows or combinations of them have, with the residual and the dual of all."""
    residual = _relative(y - X @ point.beta - slack * dual, y)
    converged = point.converged and residual <= tolerance
    return replace(point, dual=dual, interpolation_residual=residual, converged=converged)


def _relative(misfit: np.ndarray, y: np.ndarray) -> float:
    return float(linalg.norm(misfit) / (linalg.norm(y) or 1.0))


Combined = tuple[np.ndarray, np.ndarray]  # Q, and the rows Q^T X


def _combined(X: np.ndarray) -> Combined | None:
    """What replaces more rows than columns, d combinations of them; None where there are not that many."""
    if X.shape[0] <= X.shape[1]:
        return None
    Q, rows = linalg.qr(X, mode="economic", check_finite=False)
    return Q, rows


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is not certified
def _newton_with_slack(
    X: np.ndarray,
    y: np.ndarray,
    combined: Combined | None,
    sqrt_k: np.ndarray,
    slack: float,
    tolerance: float,
    start: np.ndarray | None,
) -> EndPoint:
    """Newton's method where a ridge makes every system regular, by orthogonal factors where Cholesky's fails."""
    rows, labels = (X, y) if combined is None else (combined[1], combined[0].T @ y)
    try:
        point = newton(rows, labels, sqrt_k, tolerance, start, slack=slack)
    except linalg.LinAlgError:
        point = None
    if point is None or not point.converged:
        try:
            point = newton(rows, labels, sqrt_k, tolerance, start, _orthogonal, slack)
        except linalg.LinAlgError:
            return _failed(X.shape, len(X))
    if combined is None:
        return point
    dual = combined[0] @ point.dual + (y - combined[0] @ labels) / slack
    return replace(_on_all_rows(point, X, y, slack, dual, tolerance), rank=len(X))


def _power_of_two(X: np.ndarray, axis: int) -> np.ndarray:
    """The power above the largest entry of every row or column; 1 where there are zeros alone."""
    return np.asarray(np.ldexp(1.0, np.frexp(np.max(np.abs(X), axis=axis))[1]))


def _independent_rows(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of as many independent rows as there are to rounding, and the powers of two that scale rows to size 1.

    Raises ValueError if the labels of the other rows contradict theirs.
    """
    unit = _power_of_two(X, axis=1)
    scaled = X / unit[:, None]
    R, order = linalg.qr((scaled / _power_of_two(scaled, axis=0)).T, mode="r", pivoting=True)
    size = np.abs(np.diag(R))
    rank = int(np.sum(size > size[0] * max(X.shape) * _EPS))
    kept, others = order[:rank], order[rank:]
    if others.size:
        b = y / unit
        of_kept = linalg.solve_triangular(R[:rank, :rank], R[:rank, rank:]).T if rank else np.zeros((others.size, 0))
        sizes = np.abs(b[others]) + np.abs(of_kept) @ np.abs(b[kept])
        misfit = np.max(np.abs(b[others] - of_kept @ b[kept]) / np.where(sizes > 0, sizes, 1))
        require(misfit <= 1e-9, "the misfit of the best beta, relative to y,", misfit, "0: no beta interpolates")
    return np.sort(kept), unit


def _cholesky(X: np.ndarray, D: np.ndarray, slack: float) -> Solver:
    """By the Cholesky factor of X D X^T + slack; raises LinAlgError if it is singular to rounding."""
    root = X * np.sqrt(D)
    square = linalg.blas.dsyrk(1.0, root.T, trans=1)
    square[np.diag_indices_from(square)] += slack
    factor = linalg.cho_factor(square, overwrite_a=True, check_finite=False)

    def solve(slope: np.ndarray, misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nu = linalg.cho_solve(factor, X @ (D * slope) + misfit, check_finite=False)
        return nu, -D * (slope - X.T @ nu)

    return solve


def _product(X: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """In float64, of a matrix that may be float32; the vector may have numbers of any size."""
    if X.dtype == vector.dtype:
        return np.asarray(X @ vector)
    unit = float(_power_of_two(vector, axis=0))
    return np.asarray(X @ (vector / unit).astype(X.dtype)).astype(np.float64) * unit


def _measuring(X: np.ndarray, D: np.ndarray, slack: float, rounded: np.ndarray | None = None) -> Solver:
    """The fastest solver with a few digits: a Cholesky factor of half the digits, or of all, or orthogonal factors.

    X is in its usual units. If `rounded` is there, which is X in float32, products are those of the factor's type.
    """
    root = np.sqrt(D)
    root /= (unit := float(_power_of_two(root, axis=0)))
    for kind, syrk, pocon, condition in _FACTORS:
        inputs = X if kind is np.float64 or rounded is None else rounded
        scaled = np.multiply(inputs, root.astype(kind), out=np.empty(X.shape, kind), casting="same_kind")
        square = syrk(1.0, scaled.T, trans=1)
        del scaled
        square[np.diag_indices_from(square)] += slack / unit / unit
        if not (largest := square.diagonal().max()) > np.sqrt(np.finfo(kind).tiny):
            continue
        try:
            factor = linalg.cho_factor(square, overwrite_a=True, check_finite=False)
        except linalg.LinAlgError:
            continue
        if pocon(factor[0], largest)[0] * condition > 1:
            break
    else:
        return _orthogonal(X, D, slack)

    def solve(slope: np.ndarray, misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        right = _product(inputs, D * slope) + misfit
        size = np.max(np.abs(right)) or 1.0
        nu = linalg.cho_solve(factor, (right / size).astype(kind, copy=False), check_finite=False).astype(np.float64)
        nu *= size / unit / unit
        return nu, -D * (slope - _product(inputs.T, nu))

    return solve


def _orthogonal(X: np.ndarray, D: np.ndarray, slack: float) -> Solver:
    """By orthogonal factors of sqrt(D) X^T, whose rows are sorted by size: stable however far apart they are.

    The slack is one more row for each column.

    (Cox and Higham, 1998.) It takes ten times as long as `_cholesky`.
    """
    root, unit = np.sqrt(D), _power_of_two(X, axis=1)
    tall = root[:, None] * (X / unit[:, None]).T
    if slack > 0:
        tall = np.vstack([tall, np.diag(np.sqrt(slack) / unit)])
    order = np.argsort(-np.max(np.abs(tall), axis=1), kind="stable")
    Q, R, columns = linalg.qr(tall[order], mode="economic", pivoting=True)
    diagonal = np.diag(R)
    # 0 stands at rows that depend on others exactly
    np.fill_diagonal(R, np.where(diagonal == 0, _EPS * diagonal[0] or 1.0, diagonal))

    def solve(slope: np.ndarray, misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = np.concatenate([root * slope, np.zeros(len(order) - root.size)])[order]
        inside = Q.T @ z + linalg.solve_triangular(R, (misfit / unit)[columns], trans="T")
        nu, off = np.empty(misfit.shape), np.empty(z.shape)
        nu[columns] = linalg.solve_triangular(R, inside)
        nu /= unit
        off[order] = Q @ inside - z
        return nu, root * off[: root.size]

    return solve


def newton(
    X: np.ndarray,
    y: np.ndarray,
    sqrt_k: np.ndarray,
    tolerance: float,
    start: np.ndarray | None = None,
    factors: Callable[[np.ndarray, np.ndarray, float], Solver] = _cholesky,
    slack: float = 0.0,
) -> EndPoint:
    """Newton's method on the feasible set; X has independent rows, or there is slack.

    The first step leads from `start`, or from 0, to the feasible set: from 0 to its point of smallest weighted norm.

    With D = 1/q''(beta) the step is -D (q' - X^T nu), (X D X^T) nu = X D q' + (y - X beta), halved until the penalty
    falls, unless D hardly changes in it. It ends where the step is a tenth of the tolerance, where rounding decides
    about the step, and where nothing is gained any more. Slack is n more coordinates e with the penalty |e|^2/2 and the
    columns sqrt(slack) 1 of X, which make the start feasible or are 0. Raises LinAlgError where X D X^T is singular to
    the rounding of its factor. The arguments are unchecked.

    Parameters
    ----------
    X : ndarray, shape (n, d), of rank n
    y : ndarray, shape (n,)
    sqrt_k : ndarray, shape (d,)
    tolerance : float
    start : ndarray, shape (d,), optional
    factors : callable, default by Cholesky's factor
        How the weighted normal equations are solved.
    slack : float, default 0
        ridge alpha: X beta + slack nu = y at the end.

    Examples
    --------
    >>> point = newton(np.array([[1.0, 1.0]]), np.array([1.0]), np.array([1.0, 1.0]), tolerance=1e-10)
    >>> point.beta.round(3), point.converged
    (array([0.5, 0.5]), True)
    """
    beta, root = np.zeros(X.shape[1]) if start is None else start, np.sqrt(slack)
    extra = np.zeros(y.shape) if start is None or slack == 0 else (y - X @ beta) / root
    value, gap, lowest, smallest, waited = np.inf, np.inf, np.inf, np.inf, 0
    for iteration in range(NEWTON_STEPS + 1):
        slope, D = signed_angle(beta, sqrt_k) / 2, inverse_curvature(beta, sqrt_k)
        outside = y - X @ beta
        misfit = outside - root * extra
        # of nu alone: it may be large
        unit = float(_power_of_two(D, axis=0)) if iteration == 0 and start is None else 1.0
        nu, step = factors(X, D / unit, slack / unit)(slope, outside)
        if not np.isfinite(step).all():
            raise linalg.LinAlgError("the step is too large")
        extra_step = root * nu / unit - extra
        longest, previous = np.max(np.abs(step)), gap
        gap = float(longest / (np.max(np.abs(beta)) or longest or 1.0))
        off = _relative(misfit, y)
        certified = gap <= tolerance and off <= tolerance
        if gap <= 0.1 * tolerance or (certified and gap > 0.5 * previous) or waited >= NEWTON_PATIENCE:
            break
        if iteration == NEWTON_STEPS:
            break
        length, rise = 1.0, float(nu @ misfit) if iteration else 0.0  # of the penalty, to meet the labels
        close = bool(np.all(np.abs(step) <= CLOSE * D))  # the curvature hardly changes, so the step needs no test
        while True:
            trial, trial_extra = beta + length * step, extra + length * extra_step
            trial_value = float(
                np.sum(penalty_at_angle(trial, signed_angle(trial, sqrt_k))) + linalg.norm(trial_extra) ** 2 / 2
            )
            if close or trial_value <= value * (1 + 1e-14) + length * rise or length < 1e-12:
                break
            length /= 2
        waited += STALLED if close else 1
        if max(gap, off) < 0.9 * smallest or (not close and trial_value < lowest * (1 - 1e-12)):
            lowest, smallest, waited = min(trial_value, lowest), min(max(gap, off), smallest), 0
        beta, extra, value = trial, trial_extra, trial_value
    found = beta, nu / unit, slope + step / D  # which is X^T nu, also where rounded numbers nu can't say so
    return _certify(X, y, sqrt_k, slack, *found, iteration, "newton", tolerance)


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
    slack: float,
    beta: np.ndarray,
    dual: np.ndarray,
    slope: np.ndarray,
    iterations: int,
    method: str,
    tolerance: float,
    solve: Solver | None = None,
) -> EndPoint:
    """The end point with both residuals, where `slope` is X^T nu, and with their consequences for beta.

    `solve` is a solver for the curvature at beta, if there is one already.
    """
    t = signed_angle(beta, sqrt_k)
    with np.errstate(over="ignore"):  # the coefficient whose slope it is, which is far off where q'' is large
        even, odd = np.cosh(slope - t / 2), np.sinh(slope - t / 2)
        of_slope = np.max(np.abs(odd * (inverse_curvature(beta, sqrt_k) * even + 2 * beta * odd)))
    kkt = max(float(_kkt_gap(beta, slope, sqrt_k)), float(of_slope / (np.max(np.abs(beta)) or 1.0)))
    misfit = y - X @ beta - slack * dual
    interpolation = _relative(misfit, y)
    holds = kkt <= tolerance and interpolation <= tolerance
    forward = _forward_error(X, y, sqrt_k, slack, beta, dual, misfit, solve) if holds or method == "newton" else np.inf
    converged = bool(holds and forward <= np.sqrt(tolerance))
    return EndPoint(beta, dual, kkt, interpolation, iterations, method, converged, forward, X.shape[0])


def _forward_error(
    X: np.ndarray,
    y: np.ndarray,
    sqrt_k: np.ndarray,
    slack: float,
    beta: np.ndarray,
    dual: np.ndarray,
    misfit: np.ndarray,
    solve: Solver | None,
) -> float:
    """Bound to first order on the distance of beta from the minimiser, in units of max|beta|.

    That distance is a Newton step, which the residuals and their rounding errors enter through
    W = D X^T (X D X^T + slack)^-1 and S = D - W X D; the norms are estimated as in the error bounds of LAPACK
    (Higham, 1988).
    """
    if not (np.isfinite(beta).all() and np.isfinite(dual).all()):
        return np.inf
    t, D = signed_angle(beta, sqrt_k), inverse_curvature(beta, sqrt_k)
    solve = _measuring(X, D, slack) if solve is None else solve
    (n, d), of_labels, of_slope = X.shape, np.abs(y) + slack * np.abs(dual), np.zeros(X.shape[1])
    for rows in range(0, n, _ROWS):
        size = np.abs(X[rows : rows + _ROWS])
        of_labels[rows : rows + _ROWS] += size @ np.abs(beta)
        of_slope += np.abs(dual[rows : rows + _ROWS]) @ size
    at_labels, at_slope = _EPS * np.sqrt(d) * of_labels, _EPS * (np.sqrt(n) * of_slope + np.abs(t))
    _, step = solve(t / 2 - X.T @ dual, misfit)  # S X^T is 0 or small: the dual takes most of the slope away
    along, norm, no_misfit = np.full(d, 1 / d), 0.0, np.zeros(n)
    for _ in range(5):  # Hager's method for the largest row sum of |(W, S)| times the rounding errors
        of_labels, of_slope = solve(along, no_misfit)  # W^T and -S times `along`
        norm = max(norm, float(at_labels @ np.abs(of_labels) + at_slope @ np.abs(of_slope)))
        _, back = solve(np.copysign(at_slope, of_slope), np.copysign(at_labels, of_labels))
        best = int(np.argmax(np.abs(back)))
        if np.abs(back[best]) <= back @ along:
            break
        along = np.zeros(d)
        along[best] = 1.0
    return float((np.max(np.abs(step)) + norm) / (np.max(np.abs(beta)) or 1.0))
