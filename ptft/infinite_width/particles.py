"""Two-layer networks as clouds of neurons, and the kernels of their features (Result 1 of arXiv:2507.04448).

f(x) = <z phi(h(x))>/gamma with h(x) = w.x/sqrt(D), and at the start w ~ N(0, I_D) and z ~ N(0, 1). The average < > is
over N neurons in a finite network. At infinite width it is over the law of one neuron, of which S independent particles
are a sample. A particle is held in one of two ways, of equal law: as w in R^D (weights), or as the values of h at n
given points, which start as a Gaussian process with the covariance x.x'/D (functions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.linalg import eigh, solve

from ptft.validation import (
    checked,
    generator,
    nonnegative_number,
    one_of,
    real_array,
    refuse,
    require,
    truth_value,
    whole_number,
)

ACTIVATIONS = ("relu", "linear")


@dataclass(frozen=True, eq=False)
class Task:
    """Training and test data of one task: inputs (P, D) and (T, D) of mean square about 1, labels (P,) and (T,).

    Raises
    ------
    ValueError
        If an array is not finite, or shapes do not match.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    def __post_init__(self) -> None:
        for inputs, labels in (("X", "y"), ("X_test", "y_test")):
            X, y = real_array(getattr(self, inputs), inputs, ndim=2), real_array(getattr(self, labels), labels, ndim=1)
            require(y.shape == X.shape[:1], f"the shape of {labels}", y.shape, f"({len(X)},), as {inputs} has rows")
            object.__setattr__(self, inputs, X)
            object.__setattr__(self, labels, y)
        if self.X.shape[1] != self.X_test.shape[1]:
            raise ValueError(f"X_test has shape {self.X_test.shape}: it must have {self.X.shape[1]} columns, as X")


@dataclass(frozen=True, eq=False)
class Particles:
    """The neurons of a network; made by `weight_particles`, `finite_network` or `function_particles`."""

    state: np.ndarray  # (S, D) weights w, or (S, n) values of h at the points
    z: np.ndarray  # (S,) readout
    points: np.ndarray | None = None  # (n, D), of functions
    activation: str = "relu"

    def preactivations(self, X: ArrayLike) -> np.ndarray:
        """h of every neuron at the inputs X (P, D), shape (S, P); for functions, X must be among the points."""
        return self.read(self.locate(X))

    def output(self, X: ArrayLike) -> np.ndarray:
        """<z phi(h)> at the inputs X (P, D), shape (P,), in float64; the network function is this over gamma."""
        total: np.ndarray = self.z @ activate(self.preactivations(X), self.activation)
        return total.astype(np.float64) / self.z.size

    def locate(self, X: ArrayLike) -> np.ndarray | slice:
        """How h at X is read from the state: the matrix X^T/sqrt(D), or the columns of the points."""
        X = real_array(X, "X", ndim=2)
        if self.points is None:
            if X.shape[1] != self.state.shape[1]:
                raise ValueError(f"X has shape {X.shape}: it must have {self.state.shape[1]} columns")
            return np.ascontiguousarray(X.T / np.sqrt(X.shape[1]), dtype=self.state.dtype)
        column = {point.tobytes(): i for i, point in enumerate(self.points)}
        try:
            columns = np.array([column[x.tobytes()] for x in X])
        except KeyError:
            raise ValueError("X has a row that is not among the points of these particles") from None
        one_block = np.array_equal(columns, columns[0] + np.arange(columns.size))
        return slice(int(columns[0]), int(columns[-1]) + 1) if one_block else columns  # a slice is read without a copy

    def read(self, where: np.ndarray | slice) -> np.ndarray:
        """h of every neuron at located inputs."""
        return self.state @ where if self.points is None else self.state[:, where]

    def response(self, X: ArrayLike) -> np.ndarray:
        """What moves the state when dh/dt at X is pushed: X/sqrt(D) or x.x'/D at all points, shape (P, D) or (P, n)."""
        X = real_array(X, "X", ndim=2)
        push = X / np.sqrt(X.shape[1]) if self.points is None else X @ self.points.T / X.shape[1]
        return np.asarray(push, dtype=self.state.dtype)


def activate(h: np.ndarray, activation: str) -> np.ndarray:
    """phi(h): max(h, 0), or h itself; unchecked.

    Parameters
    ----------
    h : ndarray, any shape
    activation : str
        One of `ACTIVATIONS`.

    Examples
    --------
    >>> activate(np.array([-1.0, 2.0]), "relu")
    array([0., 2.])
    """
    return np.maximum(h, 0) if activation == "relu" else h


def weight_particles(
    D: int,
    S: int = 4000,
    seed: int | np.random.Generator = 0,
    activation: str = "relu",
    mirrored: bool = True,
    dtype: DTypeLike = np.float32,
) -> Particles:
    """S random particles that hold their weights: the law of a neuron before training.

    Parameters
    ----------
    D : int
        Input dimension.
    S : int, even where mirrored, default 4000
        Averages over particles fluctuate by about 1/sqrt(S).
    seed : int or Generator, default 0
    activation : "relu" (default) or "linear"
    mirrored : bool, default True
        Pairs with equal w and opposite z, so that the network function is exactly 0 before training, as it is at
        infinite width. Chosen here; the published choice is unknown.
    dtype : default float32
        Enough for losses down to about 1e-9; take float64 where gamma is below 1e-2.

    Raises
    ------
    ValueError
        If a number is outside its range, or the activation is unknown.

    Examples
    --------
    >>> particles = weight_particles(D=10, S=2000)
    >>> particles.state.shape, bool(abs(particles.output(np.ones((1, 10)))[0]) < 1e-6)  # 0 but for rounding
    ((2000, 10), True)
    """
    whole_number(D, "D", 1)
    one_of(activation, "activation", ACTIVATIONS)
    rng, dtype = generator(seed), _float_type(dtype)
    truth_value(mirrored, "mirrored")
    w = rng.standard_normal((_half(S) if mirrored else whole_number(S, "S", 1), D), dtype=np.float64)
    return _particles(w, rng.standard_normal(len(w)), None, activation, mirrored, dtype)


def finite_network(
    D: int,
    N: int,
    seed: int | np.random.Generator = 0,
    activation: str = "relu",
    dtype: DTypeLike = np.float32,
) -> Particles:
    """A finite network of N neurons with independent random weights: `weight_particles` that are not mirrored.

    Raises
    ------
    ValueError
        As `weight_particles`.

    Examples
    --------
    >>> network = finite_network(D=10, N=2000)
    >>> bool(network.output(np.ones((1, 10)))[0] != 0)  # of order 1/sqrt(N)
    True
    """
    whole_number(N, "N", 1)
    return weight_particles(D, N, seed, activation, mirrored=False, dtype=dtype)


def function_particles(
    points: ArrayLike,
    S: int = 4000,
    seed: int | np.random.Generator = 0,
    activation: str = "relu",
    dtype: DTypeLike = np.float32,
) -> Particles:
    """S random mirrored particles that hold h at given points: h ~ GP(0, x.x'/D), as Result 1 states it.

    Parameters
    ----------
    points : array_like, shape (n, D)
        Every input at which the particles are trained or read: train and test data of all tasks.
    S, seed, activation, dtype
        As in `weight_particles`. A step costs S P^2 operations here, and S P min(P, D) there. A seed gives the same
        draw, up to rounding, on every processor and with any number of threads.

    Raises
    ------
    ValueError
        If a point is not finite, a number is outside its range, or the activation is unknown.

    Examples
    --------
    >>> particles = function_particles(np.ones((1, 10)), S=2000)
    >>> particles.state.shape, bool(abs(particles.state.std() - 1) < 0.1)  # h ~ N(0, |x|^2/D)
    ((2000, 1), True)
    """
    points = real_array(points, "points", ndim=2)
    one_of(activation, "activation", ACTIVATIONS)
    rng, dtype = generator(seed), _float_type(dtype)
    values, vectors = eigh(points @ points.T / points.shape[1])
    values[values < len(points) * np.finfo(float).eps * values[-1]] = 0
    # Processors differ in the signs of the eigenvectors, but not in this root: a seed gives the same draw on all.
    root = (vectors * np.sqrt(values)) @ vectors.T
    h = rng.standard_normal((_half(S), len(points))) @ root
    return _particles(h, rng.standard_normal(len(h)), points, activation, True, dtype)


def _float_type(dtype: DTypeLike) -> np.dtype[Any]:
    allowed = [np.dtype(kind) for kind in (np.float32, np.float64)]
    try:
        found = None if dtype is None else np.dtype(dtype)
    except (TypeError, ValueError):
        found = None
    if found is None or found not in allowed:  # None equals float64
        refuse("dtype", dtype, "float32 or float64")
    return found


def _half(S: int) -> int:
    whole_number(S, "S", 2)
    if S % 2:
        raise ValueError(f"S = {S} is not allowed: it must be even, as the particles come in mirrored pairs")
    return S // 2


def _particles(
    state: np.ndarray, z: np.ndarray, points: np.ndarray | None, activation: str, mirrored: bool, dtype: DTypeLike
) -> Particles:
    if mirrored:
        state, z = np.concatenate([state, state]), np.concatenate([z, -z])
    return Particles(state.astype(dtype), z.astype(dtype), points, activation)


# --- kernels of the features ----------------------------------------------------------------------------------------


@checked
def feature_kernel(particles: Particles, X: ArrayLike, X_other: ArrayLike | None = None) -> np.ndarray:
    """Phi(x, x') = <phi(h(x)) phi(h(x'))> between the rows of X and of X_other (X itself by default), float64.

    Parameters
    ----------
    particles : Particles
    X : array_like, shape (P, D)
    X_other : array_like, shape (Q, D), optional

    Raises
    ------
    ValueError
        If X is not finite or does not fit the particles.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> K = feature_kernel(weight_particles(2, 20_000), X)
    >>> bool(np.all(np.abs(K - arccosine_kernel(X)) < 0.05))
    True
    """
    X, X_other = real_array(X, "X", ndim=2), None if X_other is None else real_array(X_other, "X_other", ndim=2)
    phi = activate(particles.preactivations(X), particles.activation)
    other = phi if X_other is None else activate(particles.preactivations(X_other), particles.activation)
    return np.asarray(phi.T @ other, dtype=np.float64) / len(phi)


@checked
def arccosine_kernel(X: ArrayLike, X_other: ArrayLike | None = None) -> np.ndarray:
    """`feature_kernel` of random ReLU features at infinite width: |x||x'|/(2 pi D) (sin a + (pi - a) cos a).

    a is the angle between x and x'.

    Parameters
    ----------
    X : array_like, shape (P, D)
    X_other : array_like, shape (Q, D), optional

    Raises
    ------
    ValueError
        If an input is not finite.

    Examples
    --------
    >>> arccosine_kernel([[1.0, 0.0], [0.0, 2.0]]).round(4)
    array([[0.25  , 0.1592],
           [0.1592, 1.    ]])
    """
    X = real_array(X, "X", ndim=2)
    X_other = X if X_other is None else real_array(X_other, "X_other", ndim=2)
    sizes = np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(X_other, axis=1))
    cosine = np.clip(np.divide(X @ X_other.T, sizes, out=np.zeros_like(sizes), where=sizes > 0), -1, 1)
    angle = np.arccos(cosine)
    return np.asarray(sizes * (np.sqrt(1 - cosine**2) + (np.pi - angle) * cosine) / (2 * np.pi * X.shape[1]))


@checked
def kernel_regression(K: ArrayLike, K_test: ArrayLike, y: ArrayLike, relative_ridge: float = 1e-6) -> np.ndarray:
    """Predictions at test points of kernel regression, the readout trained to the end on fixed features.

    Parameters
    ----------
    K : array_like, shape (P, P)
        Kernel between training points.
    K_test : array_like, shape (T, P)
        Kernel of test against training points.
    y : array_like, shape (P,)
    relative_ridge : float, default 1e-6
        Ridge in units of the mean diagonal of K; the value is chosen here, the published one is unknown.

    Returns
    -------
    ndarray, shape (T,)

    Raises
    ------
    ValueError
        If an argument is not finite or outside its range, or shapes do not match.

    Examples
    --------
    >>> kernel_regression(np.eye(2), [[1.0, 0.0], [0.5, 0.5]], [1.0, -1.0]).round(4)
    array([1., 0.])
    """
    K, y, K_test = real_array(K, "K", ndim=2), real_array(y, "y", ndim=1), real_array(K_test, "K_test", ndim=2)
    require(K.shape == 2 * y.shape, "the shape of K", K.shape, f"{2 * y.shape}, for the {len(y)} entries of y")
    require(K_test.shape[1:] == y.shape, "the shape of K_test", K_test.shape, f"(T, {len(y)}), for the entries of y")
    ridge = nonnegative_number(relative_ridge, "relative_ridge") * np.trace(K) / len(y)
    return np.asarray(K_test @ solve(K + ridge * np.eye(len(y)), y, assume_a="pos"))
