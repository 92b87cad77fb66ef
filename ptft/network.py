"""The diagonal linear network itself: weights, conserved quantities, and training by gradient flow or descent.

Two pathways of two layers, beta = w1_plus w2_plus - w1_minus w2_minus, on the loss |X beta - y|^2 / 2 (Equations 1-5).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import LSODA

from ptft.initialization import Initialization
from ptft.validation import (
    instance_of,
    nonnegative_array,
    one_of,
    positive_number,
    real_array,
    regression,
    whole_number,
)

METHODS = ("flow", "descent")


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of the network, four arrays of shape (d,): w1 is the first layer, w2 the readout.

    Raises
    ------
    ValueError
        If an array is not finite, or the shapes differ.
    """

    w1_plus: np.ndarray
    w2_plus: np.ndarray
    w1_minus: np.ndarray
    w2_minus: np.ndarray

    def __post_init__(self) -> None:
        for name in ("w1_plus", "w2_plus", "w1_minus", "w2_minus"):
            object.__setattr__(self, name, real_array(getattr(self, name), name, ndim=1))
            if getattr(self, name).shape != self.w1_plus.shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}: it must be {self.w1_plus.shape}")

    @property
    def beta(self) -> np.ndarray:
        """Coefficients of the linear function, shape (d,)  (Equation 1)."""
        result: np.ndarray = self.w1_plus * self.w2_plus - self.w1_minus * self.w2_minus
        return result

    @property
    def absolute_scale(self) -> np.ndarray:
        """w1_plus w1_minus + w2_plus w2_minus = c, conserved by gradient flow, shape (d,)."""
        scale: np.ndarray = _conserved(self.w1_plus, self.w2_plus, self.w1_minus, self.w2_minus)[0]
        return scale

    @property
    def relative_scale(self) -> np.ndarray:
        """w1^2 - w2^2 = lambda in the positive and in the negative pathway, each conserved, shape (2, d)."""
        return _conserved(self.w1_plus, self.w2_plus, self.w1_minus, self.w2_minus)[1:]


def _conserved(w1_plus: np.ndarray, w2_plus: np.ndarray, w1_minus: np.ndarray, w2_minus: np.ndarray) -> np.ndarray:
    """c, and lambda of the positive and of the negative pathway: three arrays of the shape of the weights."""
    return np.stack([w1_plus * w1_minus + w2_plus * w2_minus, w1_plus**2 - w2_plus**2, w1_minus**2 - w2_minus**2])


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """Training of one network on one data set."""

    weights: Weights  # at the end
    time: np.ndarray  # (steps,) recorded times; learning rate times step in gradient descent
    beta: np.ndarray  # (steps, d) coefficients along the way
    residual: np.ndarray  # (steps,) |X beta - y| / |y|
    conservation_error: float  # largest change of c or lambda at a recorded time, in units of the largest w^2
    method: str  # "flow" or "descent"
    converged: bool  # residual below the tolerance


def pretraining_weights(init: Initialization, d: int) -> Weights:
    """Weights at the start of pretraining: both pathways alike, w1^2 = (c + lambda)/2, w2^2 = (c - lambda)/2.

    Parameters
    ----------
    init : Initialization
        Its parameters are numbers, or arrays of shape (d,).
    d : int, at least 1
        Number of coordinates.

    Raises
    ------
    ValueError
        If d is not a whole number of at least 1.

    Examples
    --------
    >>> weights = pretraining_weights(Initialization(c_pt=1.0, lambda_pt=0.5), d=1)
    >>> weights.w1_plus**2, weights.beta
    (array([0.75]), array([0.]))
    """
    whole_number(d, "d", at_least=1)
    instance_of(init, Initialization, "init")
    first, second = init.c_plus_lambda, np.subtract(init.c_pt, init.lambda_pt)
    w1, w2 = (np.sqrt(np.broadcast_to(twice, d) / 2) for twice in (first, second))
    return Weights(w1, w2, w1, w2)


def pretrained_weights(beta_pt: ArrayLike, init: Initialization) -> Weights:
    """Weights at the end of pretraining that has reached `beta_pt`, from the conserved quantities (Appendix B.1).

    With w1 +- w2 = (w1(0) +- w2(0)) e^{-+G} and beta_pt = -c sinh(2G): no training is needed to know where it ends.

    Parameters
    ----------
    beta_pt : array_like, shape (d,)
    init : Initialization

    Raises
    ------
    ValueError
        If a coefficient is not finite, or `beta_pt` is not a vector.

    Examples
    --------
    >>> pretrained_weights([1.0, -2.0], Initialization(c_pt=1e-3)).beta.round(12)
    array([ 1., -2.])
    """
    beta_pt = real_array(beta_pt, "beta_pt", ndim=1)
    instance_of(init, Initialization, "init")
    start = pretraining_weights(init, beta_pt.size)
    G = -0.5 * np.arcsinh(beta_pt / np.asarray(init.c_pt))
    even, odd, w1, w2 = np.cosh(G), np.sinh(G), start.w1_plus, start.w2_plus
    return Weights(w1 * even - w2 * odd, w2 * even - w1 * odd, w1 * even + w2 * odd, w2 * even + w1 * odd)


def fine_tuning_weights(weights: Weights, gamma_ft: float) -> Weights:
    """Rebalance the pathways and re-initialize the readout: where fine-tuning starts (Equations 4-5).

    w1 = w1_plus + w1_minus and w2 = gamma_ft/sqrt(2) in both pathways, so that beta = 0 again.

    Parameters
    ----------
    weights : Weights
        Where pretraining ended.
    gamma_ft : float or array of shape (d,), not negative
        Scale of the new readout.

    Raises
    ------
    ValueError
        If gamma_ft is negative or not finite.

    Examples
    --------
    >>> weights = fine_tuning_weights(pretrained_weights([1.0, 0.0], Initialization(c_pt=1e-3)), gamma_ft=0.0)
    >>> weights.absolute_scale.round(3)  # c_ft: the coordinate that pretraining used starts larger
    array([1.001, 0.002])
    """
    gamma = nonnegative_array(gamma_ft, "gamma_ft")
    instance_of(weights, Weights, "weights")
    w1 = weights.w1_plus + weights.w1_minus
    w2 = np.broadcast_to(gamma / np.sqrt(2), w1.shape)
    return Weights(w1, w2, w1, w2)


def train(
    X: ArrayLike,
    y: ArrayLike,
    weights: Weights,
    method: str = "flow",
    tolerance: float = 1e-10,
    learning_rate: float = 0.01,
    max_steps: int = 1_000_000,
) -> TrainingRun:
    """Train the network on (X, y) from `weights` until |X beta - y| <= tolerance |y|.

    Parameters
    ----------
    X : array_like, shape (n, d)
    y : array_like, shape (n,)
    weights : Weights
        Starting point, d per array.
    method : "flow" (default) or "descent"
        Gradient flow by an adaptive ODE solver (LSODA, relative tolerance 1e-12; for a hundred coordinates or so), or
        gradient descent with a constant learning rate.
    tolerance : float, default 1e-10
    learning_rate : float, default 0.01
        Of gradient descent, on the loss |X beta - y|^2/2; stable below about 1/(|X|^2 max|w|^2).
    max_steps : int, default 1,000,000
        Of gradient descent, or evaluations of the gradient in the flow.

    Returns
    -------
    TrainingRun
        `converged` is false where training stopped short, or diverged; the weights are then the last finite ones.

    Raises
    ------
    ValueError
        If shapes do not match or an argument is outside its range.

    Warns
    -----
    UserWarning
        If training stopped before the tolerance was reached.

    Examples
    --------
    >>> from ptft import Initialization
    >>> run = train([[1.0, 0.5]], [1.0], pretraining_weights(Initialization(c_pt=0.1), d=2))
    >>> run.weights.beta.round(4)
    array([0.8997, 0.2007])
    """
    X, y = regression(X, y)
    if instance_of(weights, Weights, "weights").beta.shape != (X.shape[1],):
        raise ValueError(f"weights have shape {weights.beta.shape}: they must match the {X.shape[1]} columns of X")
    one_of(method, "method", METHODS)
    tolerance, learning_rate = positive_number(tolerance, "tolerance"), positive_number(learning_rate, "learning_rate")
    whole_number(max_steps, "max_steps", at_least=1)
    size = float(np.linalg.norm(y)) or 1.0
    start = np.stack([weights.w1_plus, weights.w2_plus, weights.w1_minus, weights.w2_minus])
    if method == "flow":
        time, path = _flow(X, y, start, tolerance * size, max_steps)
    else:
        time, path = _descend(X, y, start, tolerance * size, learning_rate, max_steps)
    beta = path[:, 0] * path[:, 1] - path[:, 2] * path[:, 3]
    residual = np.linalg.norm(beta @ X.T - y, axis=1) / size
    end = Weights(*path[-1])
    conserved = _conserved(*np.moveaxis(path, 1, 0))
    error = float(np.max(np.abs(conserved - conserved[:, :1]))) / (float(np.max(path**2)) or 1.0)
    run = TrainingRun(end, time, beta, residual, error, method, bool(residual[-1] <= 1.01 * tolerance))
    if not run.converged:
        warnings.warn(
            f"training stopped at a relative residual of {residual[-1]:.1e}, tolerance {tolerance:.1e}: raise "
            "max_steps, or change the learning rate of gradient descent",
            stacklevel=2,
        )
    return run


def _misfit(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    result: np.ndarray = X @ (w[0] * w[1] - w[2] * w[3]) - y
    return result


def _slopes(w: np.ndarray) -> np.ndarray:
    """Of beta in the weights (4, d), where beta = w1+ w2+ - w1- w2-."""
    slopes = w[[1, 0, 3, 2]]
    slopes[2:] *= -1
    return slopes


def _flow(
    X: np.ndarray, y: np.ndarray, start: np.ndarray, target: float, max_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    products, zero = np.tile(X.T @ X, (4, 4)), np.zeros(X.shape[1])

    def velocity(_: float, w: np.ndarray) -> np.ndarray:
        w = w.reshape(4, -1)
        result: np.ndarray = -(_misfit(w, X, y) @ X) * _slopes(w)
        return result.ravel()

    def jacobian(_: float, w: np.ndarray) -> np.ndarray:
        w = w.reshape(4, -1)
        gradient, slopes = _misfit(w, X, y) @ X, _slopes(w).ravel()
        beside = np.concatenate([-gradient, zero, gradient])  # each weight's slope is the other of its pair
        result: np.ndarray = np.diag(beside, zero.size) + np.diag(beside, -zero.size)
        result -= slopes[:, None] * products * slopes
        return result

    scale = float(np.max(np.abs(start))) or 1.0
    solver = LSODA(velocity, 0.0, start.ravel(), t_bound=np.inf, rtol=1e-12, atol=1e-13 * scale, jac=jacobian)
    times, path = [0.0], [start]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # where the solver fails, the residual of the run tells
        while np.linalg.norm(_misfit(path[-1], X, y)) > target and solver.nfev < max_steps:
            solver.step()
            if solver.status == "failed":
                break
            times.append(float(solver.t))
            path.append(solver.y.reshape(4, -1).copy())
    return np.array(times), np.stack(path)


def _descend(
    X: np.ndarray, y: np.ndarray, start: np.ndarray, target: float, learning_rate: float, max_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    # A step multiplies the sum of the two weights of the first pair by 1 - learning_rate gradient and their difference
    # by 1 + learning_rate gradient, and for the second pair the other way round: two products (2, d) are the state.
    record = set(np.unique(np.geomspace(1, max_steps, 400).astype(int)))
    plus, minus = (
        np.stack([start[0] + start[1], start[2] - start[3]]),
        np.stack([start[0] - start[1], start[2] + start[3]]),
    )
    above, below = np.sum(plus**2, axis=0) / 4, np.sum(minus**2, axis=0) / 4
    rates, scales = np.array([[-learning_rate], [learning_rate]]), np.stack([above, -below])

    def weights(products: np.ndarray) -> np.ndarray:
        (s, q), (t, p) = plus * products[0], minus * products[1]
        return np.stack([s + t, s - t, p + q, p - q]) / 2

    products, times, path, step = np.ones((2, X.shape[1])), [0.0], [start], 0
    new, gradient, misfit = np.empty_like(products), np.empty(X.shape[1]), np.empty(len(X))
    with np.errstate(over="ignore", invalid="ignore"):  # where it diverges, it stops
        while step < max_steps:  # without new arrays, which would take as long as the arithmetic
            np.multiply(products, products, out=new)
            np.multiply(new, scales, out=new)
            np.dot(X, np.add(new[0], new[1], out=gradient), out=misfit)
            np.subtract(misfit, y, out=misfit)
            if misfit.dot(misfit) <= target**2:
                break
            np.multiply(rates, np.dot(misfit, X, out=gradient), out=new)
            np.add(new, 1, out=new)
            np.multiply(products, new, out=new)
            if not np.vdot(new, new) < 1e140:  # beyond, squares of beta overflow
                break
            products, new, step = new, products, step + 1
            if step in record:
                times.append(learning_rate * step)
                path.append(weights(products))
    if times[-1] != learning_rate * step:
        times.append(learning_rate * step)
        path.append(weights(products))
    return np.array(times), np.stack(path)
