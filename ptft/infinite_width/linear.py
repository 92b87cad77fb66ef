"""Transfer in the infinitely wide two-layer linear network (arXiv:2507.04448, Results 2 to 4).

Inputs are x ~ N(0, I_D). In this module h = W x without 1/sqrt(D); a network with h = W x/sqrt(D) and richness gamma
is the one described here with richness gamma sqrt(D). The source task is y = s.x with a unit vector s, the target task
t.x with |t| = 1 and t = alpha_s s + alpha_g g + rest, where g is the unit vector orthogonal to s towards which a
finite amount of source data turns the learned predictor. Amounts of data are nu = P/D. Pretraining leaves the features
with the second moment

    M = <w w^T> = I + c2 s s^T + c1 (s g^T + g s^T) + c3 g g^T,

and fine-tuning trains a new readout from zero on them: kernel regression on T2 with the kernel x^T M x'. The test loss
|beta_hat - t|^2 is 1 for a readout of zero, so that it is 1 at nu_2 = 0 even for equal tasks.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import DOP853
from scipy.linalg import solve, svd
from scipy.optimize import minimize_scalar

from ptft.trends import interval_factor
from ptft.validation import (
    broadcast,
    generator,
    nonnegative_array,
    nonnegative_number,
    one_of,
    positive_array,
    real_array,
    regression,
    require,
    whole_number,
)

KINDS = ("exact", "caption")
Numbers = tuple[ArrayLike, ArrayLike]
Coefficients = tuple[ArrayLike, ArrayLike, ArrayLike]


# --- the adapted kernel ---------------------------------------------------------------------------------------------


def spike_size(gamma_1: ArrayLike, nu_1: ArrayLike, kind: str = "exact") -> np.ndarray:
    """Size of the spike that pretraining adds to the features, M = I + spike u u^T, with u the learned direction.

    Arguments and kinds as in `source_coefficients`.

    Raises
    ------
    ValueError
        If an argument is negative or not finite, or `kind` is unknown.

    Examples
    --------
    >>> spike_size(4.0, 0.5).round(3), spike_size(4.0, 0.5, "caption").round(3)
    (np.float64(2.0), np.float64(1.562))
    """
    gamma, nu = broadcast(gamma_1=nonnegative_array(gamma_1, "gamma_1"), nu_1=nonnegative_array(nu_1, "nu_1"))
    nu = np.minimum(nu, 1.0)
    if one_of(kind, "kind", KINDS) == "exact":
        return _boost(gamma * np.sqrt(nu))
    return np.asarray(nu * _boost(gamma))


def _boost(size: np.ndarray) -> np.ndarray:
    """sqrt(1 + size^2) - 1, without cancellation at small sizes."""
    return np.asarray(size * (size / (1 + np.hypot(1.0, size))))


def source_coefficients(
    gamma_1: ArrayLike, nu_1: ArrayLike, kind: str = "exact"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (c1, c2, c3) of the features after pretraining on nu_1 = P_1/D noise-free examples.

    Parameters
    ----------
    gamma_1 : array_like, zero or positive
        Richness of pretraining; 0 leaves the features as they are.
    nu_1 : array_like, zero or positive
        Source data per dimension. From 1 on the source task is learned exactly and c1 = c3 = 0 (Result 2).
    kind : "exact" (default) or "caption"
        Both have C = [[c2, c1], [c1, c3]] = spike u u^T with u = sqrt(nu_1) s + sqrt(1 - nu_1) g. "exact": spike =
        sqrt(1 + gamma_1^2 nu_1) - 1, which follows from the conservation law of `feature_moment` and is derived for
        this project, not in the paper. "caption": spike = nu_1 (sqrt(1 + gamma_1^2) - 1), the values in the caption of
        Figure 2 with the sign in the root corrected to a plus. They agree at nu_1 = 1, and as gamma_1 falls to 0.

    Returns
    -------
    c1, c2, c3 : ndarrays of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is negative or not finite, or `kind` is unknown.

    Examples
    --------
    >>> [float(c.round(4)) for c in source_coefficients(1.0, 0.5)]
    [0.1124, 0.1124, 0.1124]
    """
    spike = spike_size(gamma_1, nu_1, kind)
    nu = np.minimum(np.asarray(nu_1, dtype=np.float64), 1.0)
    return np.sqrt(nu * (1 - nu)) * spike, nu * spike, (1 - nu) * spike


def feature_moment(b: ArrayLike) -> np.ndarray:
    """Second moment <w w^T> of the first layer when <z w> = b, at any time and for any data.

    Each neuron obeys d(w, z)/dt = gamma [[0, v], [v^T, 0]] (w, z) with the same v for all: a Lorentz transformation.
    So the second moment of (w, z), the identity at the start, stays a pure boost: <w w^T> = I + (sqrt(1 + |b|^2) - 1)
    b b^T/|b|^2 and <z^2> = sqrt(1 + |b|^2). Derived for this project, not in the paper.

    Parameters
    ----------
    b : array_like, shape (D,)

    Returns
    -------
    ndarray, shape (D, D)

    Raises
    ------
    ValueError
        If an entry of b is not finite, or b is not a vector.

    Examples
    --------
    >>> feature_moment([0.0, np.sqrt(3.0)]).round(6)  # a neuron grows along b only
    array([[1., 0.],
           [0., 2.]])
    """
    b = real_array(b, "b", ndim=1)
    return np.asarray(np.eye(b.size) + np.outer(b, b) / (1 + np.sqrt(1 + b @ b)))


# --- the loss of fine-tuning ----------------------------------------------------------------------------------------


def fine_tuning_loss(
    nu_2: ArrayLike,
    alphas: Numbers = (1.0, 0.0),
    coefficients: Coefficients = (0.0, 0.0, 0.0),
    ridge: ArrayLike = 0.0,
) -> np.ndarray:
    """Test loss of a readout fine-tuned on nu_2 = P_2/D noise-free target examples, as D grows (Results 2 and 3).

    With q the smaller root of q^2 - (1 + nu_2 + ridge) q + nu_2 = 0 (q = nu_2 below 1 without ridge),

        L = (1 - q)^2 / (1 - q^2/nu_2) [1 - |a|^2 + |(1 + q C)^-1 a|^2],
        a = (alpha_s, alpha_g),   C = [[c2, c1], [c1, c3]].

    This is Result 2 where c1 = c3 = 0 and ridge = 0. For other coefficients it is derived for this project, from the
    deterministic equivalent of ridge regression with a spiked covariance; the paper's own Equation 13 was not seen.
    If C is positive semi-definite, as both kinds of `source_coefficients` make it, L is never above its value without
    pretraining (1 - nu_2 without ridge): transfer that harms needs c1^2 > c2 c3.

    Parameters
    ----------
    nu_2 : array_like, zero or positive
        Target data per dimension; the loss is 0 from 1 on without ridge.
    alphas : (alpha_s, alpha_g)
        Alignment of the target with s and with g, alpha_s^2 + alpha_g^2 <= 1.
    coefficients : (c1, c2, c3)
        As from `source_coefficients`; the default 0 is no pretraining. M must be positive definite.
    ridge : array_like, zero or positive, default 0
        Regularisation lambda: lambda D is added to the diagonal of the kernel matrix X M X^T.

    Returns
    -------
    ndarray of the shape to which all arguments broadcast

    Raises
    ------
    ValueError
        If an argument is outside its range, or M is not positive definite.

    Examples
    --------
    >>> fine_tuning_loss([0.0, 0.3, 1.0], (0.7, 0.0), (0.0, 1.0, 0.0)).round(6)
    array([1.      , 0.559959, 0.      ])
    """
    nu, lam = nonnegative_array(nu_2, "nu_2"), nonnegative_array(ridge, "ridge")
    a_s, a_g = _alphas(alphas)
    c1, c2, c3 = _coefficients(coefficients)
    nu, lam, a_s, a_g, c1, c2, c3 = broadcast(nu_2=nu, ridge=lam, alpha_s=a_s, alpha_g=a_g, c1=c1, c2=c2, c3=c3)

    # The roots are q and q + r; misfit = 1 - q and variance are written so that no like numbers are subtracted.
    r = np.sqrt((1 - nu) ** 2 + lam * (2 + 2 * nu + lam))
    total, excess, tiny = 1 + nu + lam + r, 1 - nu - lam, np.finfo(float).tiny
    q, reach = 2 * nu / total, r + np.abs(excess)
    misfit = np.where(excess > 0, reach / 2, 2 * lam / np.maximum(reach, tiny))
    variance = misfit * (misfit / np.maximum(r, tiny)) * (total / 2)  # (1 - q)^2 / (1 - q^2/nu_2)

    determinant = 1 + q * (c2 + c3) + q**2 * (c2 * c3 - c1**2)
    unlearned = ((1 + q * c3) * a_s - q * c1 * a_g) ** 2 + ((1 + q * c2) * a_g - q * c1 * a_s) ** 2
    return np.asarray(variance * (np.maximum(1 - a_s**2 - a_g**2, 0.0) + unlearned / determinant**2))


def rich_limit_loss(nu_1: ArrayLike, alphas: Numbers = (1.0, 0.0)) -> np.ndarray:
    """Test loss of fine-tuning when gamma_1 grows without bound: 1 - (u.a)^2, whatever nu_2 is (Result 4).

    The features have collapsed on u = sqrt(nu_1) s + sqrt(1 - nu_1) g and a single number is left to fit. The limits do
    not commute: gamma_1 to infinity in the ridgeless `fine_tuning_loss`, which still uses the identity in M, gives
    (1 - nu_2) times this.

    Parameters
    ----------
    nu_1 : array_like, zero or positive
    alphas : (alpha_s, alpha_g)

    Returns
    -------
    ndarray of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> rich_limit_loss([0.3, 1.0], (0.8, 0.0)).round(12)
    array([0.808, 0.36 ])
    """
    a_s, a_g = _alphas(alphas)
    nu, a_s, a_g = broadcast(nu_1=nonnegative_array(nu_1, "nu_1"), alpha_s=a_s, alpha_g=a_g)
    nu = np.minimum(nu, 1.0)
    return np.asarray(1 - (np.sqrt(nu) * a_s + np.sqrt(1 - nu) * a_g) ** 2)


def budgeted_loss(
    nu_2: ArrayLike,
    alphas: Numbers,
    gamma_1: ArrayLike,
    nu_1: ArrayLike,
    relative_ridge: ArrayLike = 0.02,
    kind: str = "exact",
) -> np.ndarray:
    """`fine_tuning_loss` with a ridge in proportion to the largest eigenvalue 1 + spike of M.

    Chosen for this project, not in the paper: it stands for a fixed number of steps of gradient descent at the largest
    stable rate. Rich features then leave less of the budget for the other directions, so that an optimal gamma_1
    exists, which the ridgeless loss does not have. As gamma_1 grows the loss tends to
    1 - (u.a)^2 [1 - (r/(r + nu_2))^2] with r = `relative_ridge`, and to `rich_limit_loss` where r is small besides.

    Parameters
    ----------
    nu_2, alphas
        As in `fine_tuning_loss`.
    gamma_1, nu_1, kind
        As in `source_coefficients`.
    relative_ridge : array_like, zero or positive, default 0.02
        0 is `fine_tuning_loss` without a ridge.

    Returns
    -------
    ndarray of the broadcast shape

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> budgeted_loss(0.5, (0.8, 0.0), [0.0, 5.0, 500.0], 0.5).round(3)  # richness helps, too much of it harms
    array([0.501, 0.382, 0.607])
    """
    ridge = nonnegative_array(relative_ridge, "relative_ridge") * (1 + spike_size(gamma_1, nu_1, kind))
    return fine_tuning_loss(nu_2, alphas, source_coefficients(gamma_1, nu_1, kind), ridge)


def optimal_gamma_1(
    nu_2: ArrayLike, alphas: Numbers, nu_1: float, relative_ridge: float = 0.02, kind: str = "exact"
) -> np.ndarray:
    """The gamma_1 with the smallest `budgeted_loss`, for each nu_2; inf where the loss falls up to gamma_1 = 1e4.

    It is 0, no pretraining, where the loss is the same for every gamma_1 to rounding: without target data, nu_2 = 0,
    or source data, and where even without a ridge nothing is left to learn.

    Parameters
    ----------
    nu_2 : array_like, zero or positive, any shape
    alphas, nu_1, relative_ridge, kind
        As in `budgeted_loss`.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> optimal_gamma_1([0.0, 0.2, 0.8], (0.8, 0.0), 0.5).round(1)
    array([ 0. , 30.2,  3.3])
    """
    nu_1, relative_ridge = nonnegative_number(nu_1, "nu_1"), nonnegative_number(relative_ridge, "relative_ridge")
    grid = np.linspace(0.0, np.log1p(1e4), 301)  # log(1 + gamma_1)

    def best(nu: float) -> float:
        def loss(x: float) -> float:
            return float(budgeted_loss(nu, alphas, np.expm1(x), nu_1, relative_ridge, kind))

        losses = budgeted_loss(nu, alphas, np.expm1(grid), nu_1, relative_ridge, kind)
        if np.ptp(losses) <= 64 * np.finfo(float).eps * np.max(losses):  # rounding would choose among equals
            return 0.0
        i = int(np.argmin(losses))
        if i in (0, grid.size - 1):
            return 0.0 if i == 0 else np.inf
        return float(np.expm1(minimize_scalar(loss, bounds=(grid[i - 1], grid[i + 1]), method="bounded").x))

    return np.asarray(np.vectorize(best, otypes=[float])(nonnegative_array(nu_2, "nu_2")))


# --- the same loss, measured ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MeasuredLoss:
    """Fine-tuning loss over random draws of the target data, of one setting or of several on the same draws."""

    nu_2: np.ndarray  # P_2/D with the whole number P_2 that was used
    losses: np.ndarray  # the shape of `nu_2`, after that of the settings if there are several, and the draws

    def __getitem__(self, setting: int) -> MeasuredLoss:
        """That of one of several settings."""
        return MeasuredLoss(self.nu_2, self.losses[setting])

    @property
    def mean(self) -> np.ndarray:
        """Mean over the draws."""
        result: np.ndarray = self.losses.mean(axis=-1)
        return result

    @property
    def se(self) -> np.ndarray:
        """Standard error of the mean."""
        result: np.ndarray = self.losses.std(axis=-1, ddof=1) / np.sqrt(self.losses.shape[-1])
        return result

    @property
    def half_width(self) -> np.ndarray:
        """Half the width of the 95 % interval of the mean (Student's t)."""
        return np.asarray(interval_factor(self.losses.shape[-1]) * self.se)


def kernel_end_point(X: ArrayLike, y: ArrayLike, M: ArrayLike, ridge: float = 0.0) -> np.ndarray:
    """Coefficients of kernel regression, M X^T (X M X^T + ridge D I)^-1 y, with the kernel x^T M x'.

    Parameters
    ----------
    X : array_like, shape (P, D)
    y : array_like, shape (P,)
    M : array_like, shape (D, D), positive definite
    ridge : float, default 0
        lambda, as in `fine_tuning_loss`.

    Returns
    -------
    ndarray, shape (D,)

    Raises
    ------
    ValueError
        If an argument is not finite or outside its range, shapes do not match, or M is not symmetric.

    Examples
    --------
    >>> kernel_end_point([[1.0, 1.0]], [1.0], [[3.0, 0.0], [0.0, 1.0]])
    array([0.75, 0.25])
    """
    X, y = regression(X, y)
    return _end_points(X, y, X @ _moment(M, X.shape[1]), float(nonnegative_array(ridge, "ridge", ndim=0)))


def _moment(M: ArrayLike, D: int) -> np.ndarray:
    M = real_array(M, "M", ndim=2)
    require(M.shape == (D, D), "the shape of M", M.shape, f"({D}, {D}), for the columns of X")
    apart = float(np.max(np.abs(M - M.T)))
    require(apart <= 1e-9 * np.max(np.abs(M)), "the largest difference of M and its transpose", apart, "0 to rounding")
    return M


def _end_points(X: np.ndarray, y: np.ndarray, XM: np.ndarray, ridge: float) -> np.ndarray:
    """`kernel_end_point` for labels (P,) or, of several targets, (P, k), with the product X M."""
    P, D = X.shape
    if P <= D:
        return np.asarray(XM.T @ solve(XM @ X.T + ridge * D * np.eye(P), y, assume_a="pos"))
    # the same estimator through a matrix that is not singular
    return np.asarray(solve(XM.T @ X + ridge * D * np.eye(D), XM.T @ y))


def regression_loss(M: ArrayLike, X: ArrayLike, t: ArrayLike, ridge: float = 0.0) -> np.ndarray:
    """|beta_hat - t|^2 of kernel regression of X t on X with the kernel x^T M x' and the ridge lambda D.

    Parameters
    ----------
    M : array_like, shape (D, D), positive definite
    X : array_like, shape (P, D)
    t : array_like, shape (D,), or (D, k) for several targets on the same data
    ridge : float, default 0
        lambda, as in `fine_tuning_loss`.

    Returns
    -------
    ndarray, shape () or (k,)

    Raises
    ------
    ValueError
        As `kernel_end_point`.

    Examples
    --------
    >>> regression_loss(np.eye(2), [[1.0, 0.0]], [0.6, 0.8]).round(6)  # the second coordinate is not seen
    np.float64(0.64)
    """
    X, t = real_array(X, "X", ndim=2), real_array(t, "t")
    end = _end_points(X, X @ t, X @ _moment(M, X.shape[1]), float(nonnegative_array(ridge, "ridge", ndim=0)))
    return np.asarray(np.sum((end - t) ** 2, axis=0))


def simulate_fine_tuning(
    nu_2: ArrayLike,
    alphas: Numbers = (1.0, 0.0),
    coefficients: Coefficients = (0.0, 0.0, 0.0),
    ridge: ArrayLike = 0.0,
    *,
    D: int = 400,
    draws: int = 20,
    seed: int | np.random.Generator = 0,
) -> MeasuredLoss:
    """The loss of `fine_tuning_loss` measured by kernel regression with the feature moment M in D dimensions.

    Parameters
    ----------
    nu_2 : array_like, positive
        Rounded to whole numbers of examples, at least 1.
    alphas, coefficients, ridge
        As in `fine_tuning_loss`; if they are arrays, they broadcast to a shape of settings, which see the same data.
    D : int, at least 3, default 400
    draws : int, at least 2, default 20
        Target data sets for each nu_2.
    seed : int or Generator, default 0

    Returns
    -------
    MeasuredLoss
        Its means have the shape of the settings, followed by that of `nu_2`.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> measured = simulate_fine_tuning(0.5, D=100, draws=5)
    >>> measured.nu_2, measured.mean.round(2)
    (array(0.5), np.float64(0.53))
    >>> simulate_fine_tuning([0.2, 0.5], ([0.0, 0.5, 1.0], 0.0), D=20, draws=2).mean.shape
    (3, 2)
    """
    nu, lam = positive_array(nu_2, "nu_2"), nonnegative_array(ridge, "ridge")
    whole_number(D, "D", 3)
    whole_number(draws, "draws", 2)
    (a_s, a_g), (c1, c2, c3) = _alphas(alphas), _coefficients(coefficients)
    settings = broadcast(ridge=lam, c1=c1, c2=c2, c3=c3, alpha_s=a_s, alpha_g=a_g)
    shape = settings[0].shape
    table = np.stack([one.ravel() for one in settings])
    kernels, of = np.unique(table[:4], axis=1, return_inverse=True)  # (4, m): settings with one M share its matrix
    a_s, a_g = table[4:]
    t = np.zeros((D, a_s.size))  # s, g and the rest of t are the first three axes: the inputs are isotropic
    t[:3] = a_s, a_g, np.sqrt(np.maximum(1 - a_s**2 - a_g**2, 0.0))
    sizes = np.maximum(np.rint(nu * D).astype(int), 1)
    losses = np.empty((a_s.size, sizes.size, draws))
    rng = generator(seed)
    for (i, P), draw in itertools.product(enumerate(sizes.ravel()), range(draws)):
        X = rng.standard_normal((P, D))
        for j, (lam_j, *c) in enumerate(kernels.T):
            XM, own = X.copy(), of.ravel() == j
            XM[:, :2] += X[:, :2] @ [[c[1], c[0]], [c[0], c[2]]]
            end = _end_points(X, X @ t[:, own], XM, lam_j)
            losses[own, i, draw] = np.sum((end - t[:, own]) ** 2, axis=0)
    return MeasuredLoss(np.asarray(sizes / D), losses.reshape(*shape, *nu.shape, draws))


# --- training of all weights ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LinearRun:
    """Gradient flow of the infinitely wide linear network on one task."""

    time: np.ndarray  # (T,) of the flow on half the mean squared error
    b: np.ndarray  # (T, D) <z w>, the state
    predictor: np.ndarray  # (T, D) coefficients beta_hat of the function learned in this stage
    train_loss: np.ndarray  # (T,) mean squared error
    residual: float  # |gradient| at the end, relative to that of the predictor 0
    converged: bool  # residual below the tolerance


def train_linear(
    X: ArrayLike,
    y: ArrayLike,
    gamma: float,
    start: ArrayLike | None = None,
    times: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_evaluations: int = 100_000,
) -> LinearRun:
    """Train all weights of the infinitely wide linear network by gradient flow, from scratch or from another task.

    The network is f(x) = <z w.x>/gamma with h = W x. By the conservation law of `feature_moment` the D numbers
    b = <z w> obey a closed equation (derived for this project, not in the paper),

        db/dt = gamma [(1 + sigma) v + b (b.v)/(1 + sigma)],
        sigma = sqrt(1 + |b|^2),   v = X^T (y - X beta_hat)/P,

    with beta_hat = (b - b_start)/gamma: a second task starts from the function 0 with the features of the first. It is
    solved for beta_hat by the Runge-Kutta method of order 8 of Dormand and Prince, with relative tolerance 1e-10.

    Parameters
    ----------
    X : array_like, shape (P, D)
    y : array_like, shape (P,)
    gamma : float, positive
        Richness in this stage.
    start : array_like, shape (D,), optional
        b at the end of an earlier stage, ``run.b[-1]``; by default 0, random weights.
    times : array_like, increasing from 0, optional
        Times to record; by default those of the solver, until the gradient has fallen to `tolerance`.
    tolerance : float, default 1e-8
        On the gradient of the loss, relative to that of the predictor 0.
    max_evaluations : int, default 100,000
        Of the right-hand side. Where nu is near 1, gradient flow takes times of order 1/(1 - sqrt(nu))^2.

    Returns
    -------
    LinearRun

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.

    Warns
    -----
    UserWarning
        If training stopped before the tolerance, or the last of `times`, was reached.

    Examples
    --------
    >>> run = train_linear([[1.0, 1.0]], [2.0], gamma=1.0)
    >>> run.converged, run.predictor[-1].round(6)
    (True, array([1., 1.]))
    """
    X, y = regression(X, y)
    P, D = X.shape
    gamma = float(positive_array(gamma, "gamma", ndim=0))
    positive_array(tolerance, "tolerance", ndim=0)
    whole_number(max_evaluations, "max_evaluations", 1)
    origin = np.zeros(D) if start is None else real_array(start, "start", ndim=1)
    if origin.shape != (D,):
        raise ValueError(f"start has shape {origin.shape}: it must have one entry for each of the {D} columns of X")
    grid = None if times is None else _times(times)

    # b moves in the row space of X and along what the start has outside it. In the basis of the singular vectors the
    # gradient costs one product for each coordinate.
    left, singular, rows = svd(X, full_matrices=False)
    outside = origin - rows.T @ (rows @ origin)
    if P < D and (far := float(np.linalg.norm(outside))) > 0:
        outside /= far
        outside -= rows.T @ (rows @ outside)  # orthogonal even if little of the start lies outside
        rows = np.vstack([rows, outside])
    r = len(rows)
    pull, decay, begin = np.zeros(r), np.zeros(r), rows @ origin
    pull[: singular.size], decay[: singular.size] = singular * (left.T @ y) / P, singular**2 / P

    def gradient(beta: np.ndarray) -> np.ndarray:
        return np.asarray(pull - decay * beta)

    def velocity(_: float, beta: np.ndarray) -> np.ndarray:
        b, v = begin + gamma * beta, gradient(beta)
        sigma = np.sqrt(1 + b @ b)
        return np.asarray((1 + sigma) * v + b * ((b @ v) / (1 + sigma)))

    def residual(beta: np.ndarray) -> float:
        return float(np.linalg.norm(gradient(beta))) / size

    size = float(np.linalg.norm(pull)) or 1.0
    end = np.inf if grid is None else float(grid[-1])
    solver = DOP853(velocity, 0.0, np.zeros(r), end, rtol=1e-10, atol=1e-12)
    time, path = [0.0], [np.zeros(r)]
    while solver.status == "running" and solver.nfev < max_evaluations:
        if grid is None and residual(path[-1]) <= tolerance:
            break
        solver.step()
        due = np.array([solver.t]) if grid is None else grid[(grid > solver.t_old) & (grid <= solver.t)]
        time.extend(due)
        path.extend(solver.dense_output()(due).T)
    predictor = np.array(path) @ rows
    loss = np.mean((predictor @ X.T - y) ** 2, axis=1)
    run = LinearRun(
        np.array(time), origin + gamma * predictor, predictor, loss, residual(path[-1]), residual(path[-1]) <= tolerance
    )
    if time[-1] < end and not run.converged:
        warnings.warn(
            f"training stopped at a gradient of {run.residual:.1e}, tolerance {tolerance:.1e}: raise max_evaluations",
            stacklevel=2,
        )
    return run


def _times(times: ArrayLike) -> np.ndarray:
    grid = real_array(times, "times", ndim=1)
    require(grid.size > 1 and grid[0] == 0 and np.all(np.diff(grid) > 0), "times", grid, "increasing from 0")
    return grid


def _alphas(alphas: Numbers) -> tuple[np.ndarray, ...]:
    require(isinstance(alphas, (tuple, list)) and len(alphas) == 2, "alphas", alphas, "(alpha_s, alpha_g)")
    a_s, a_g = (real_array(a, "alphas") for a in alphas)
    require(a_s**2 + a_g**2 <= 1 + 1e-12, "alpha_s^2 + alpha_g^2", a_s**2 + a_g**2, "at most 1")
    return a_s, a_g


def _coefficients(coefficients: Coefficients) -> tuple[np.ndarray, ...]:
    several = isinstance(coefficients, (tuple, list)) and len(coefficients) == 3
    require(several, "coefficients", coefficients, "(c1, c2, c3)")
    c1, c2, c3 = broadcast(**{f"c{i}": real_array(c, f"c{i}") for i, c in enumerate(coefficients, 1)})
    size = np.hypot((c2 - c3) / 2, c1)
    smallest = 1 + ((c2 + c3) / 2 - size)
    require(
        smallest > -4 * np.finfo(float).eps * size, "smallest eigenvalue of M", smallest, "positive: change c1, c2, c3"
    )
    return c1, c2, c3
