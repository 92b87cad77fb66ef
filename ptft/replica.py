"""Exact solution of the replica-symmetric equations of Proposition 4.2 by quadrature.

Given the effective noise tau^2 and the effective regularisation theta, a coordinate is estimated from
z = beta* + tau xi, xi ~ N(0, 1), by the proximal map x_hat(z). With R = E x_hat'(z) = E 1/(1 + theta q_k''(x_hat)),

    tau^2 = (noise_var + MSE) / alpha,    MSE = E (x_hat - beta*)^2,
    theta = ridge + theta R / alpha.

For a Gaussian component, beta* ~ N(m, v) and z ~ N(m, V) with V = v + tau^2, every expectation is one integral over z,

    MSE = E [x_hat(z) - E(beta*|z)]^2 + v tau^2 / V,

and the hyperbolic angle t makes the proximal map explicit: x_hat = (sqrt(k)/2) sinh t, z = x_hat + (theta/2) t. In t
the integrands are analytic in a strip and decay doubly exponentially, so that the trapezoidal rule converges
exponentially. Deviations are taken from t_m, the angle of z = m, which keeps z - m free of cancellation.

Where the inputs have unequal variances, X_ij = sqrt(v_j) G_ij, the coefficients b = sqrt(v) beta have white inputs. As
q_k(a b) = a q_{k/a^2}(b), their penalty is q_k(beta) = w q_{k v}(b) with w = 1/sqrt(v): in every equation b* and k v
take the places of beta* and k, w theta that of theta inside the expectations, and MSE = E v (beta_hat - beta*)^2 is the
prediction risk.

Where alpha is close to 1 and there is no ridge, R and MSE/tau^2 are close to 1 as well, and their distances from it
decide: 1 - R = E theta q_k''/(1 + theta q_k''), and MSE/tau^2 = 1 - 2 (1 - R) + theta^2 E t^2/(4 tau^2) by Stein's
lemma for x_hat - z = -(theta/2) t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from ptft.extras import needs_extra
from ptft.penalties import prox_angle
from ptft.teachers import GaussianMixture
from ptft.validation import (
    instance_of,
    listed,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    require,
)

TOLERANCE = 1e-12  # on the change of log tau^2 and log theta in one more iteration of the two equations
MISMATCH_DB = 1e-3  # by which the errors from the two starts may differ
MAX_STEPS = 80
_LOG_TAU2 = 700.0  # |log tau^2| and |log theta| up to which tau^2 and theta^2, which have one unit, are float64 numbers
_LOG_THETA = _LOG_TAU2 / 2
_LAST_STEP = 1e-4  # in log tau^2 and log theta, in searches: what is left of the error after it is its square
_ROUGH = 0.3  # factor on the number of nodes where a few digits are enough
_CHUNK = 128  # rows that are solved together: more make the arrays too large for the cache
_ENTRIES = 2**12  # rows x components that are treated together ...
_NODES = 2**20  # ... and these times their nodes, in about fifteen arrays
_REACH = 10.0  # the integrals cover this many standard deviations of z; exp(-_REACH^2/2) = 2e-22
_SPACING = 0.125  # of the nodes in t, where the Gaussian is wide ...
_SPACING_IN_DEVIATIONS = 0.3  # ... and in standard deviations of t, where it is narrow
_NEAR_ONE = 1e-4  # 1 - alpha below which the equations are solved in their distances from 1


@dataclass(frozen=True, eq=False)
class AngleNodes:
    """Trapezoidal rule in the hyperbolic angle t for Gaussian means over z; arrays of shape (..., nodes)."""

    t: np.ndarray  # the angle of the estimate
    estimate: np.ndarray  # x_hat = (s/2) sinh t
    deviation: np.ndarray  # z - mean
    inverse_curvature: np.ndarray  # 1/q''(x_hat) = s cosh t
    total: np.ndarray  # 2 dz/dt = s cosh t + theta
    probability: np.ndarray  # of the nodes; they sum to 1


def angle_nodes(
    mean: np.ndarray,
    sd: np.ndarray,
    s: np.ndarray,
    theta: np.ndarray,
    reach: float = _REACH,
    spacing: float = _SPACING,
    spacing_in_deviations: float = _SPACING_IN_DEVIATIONS,
    refine: float = 1.0,
) -> AngleNodes:
    """Nodes for z ~ N(mean, sd^2), where z = (s/2) sinh t + (theta/2) t; unchecked.

    Parameters
    ----------
    mean, sd, s, theta : ndarray, broadcasting, the last axis of length 1
        Not negative, positive, positive, not negative; s is sqrt(k). If every mean is 0, integrands must be even in z,
        and the nodes cover half the line.
    reach : float, default 10
        The rule covers this many standard deviations; exp(-10^2/2) = 2e-22.
    spacing, spacing_in_deviations : float, default 0.125 and 0.3
        The wider of the nodes' distances in t, and in standard deviations of t, that are not exceeded.
    refine : float, default 1
        Factor on the number of nodes.

    Examples
    --------
    >>> one = np.ones(1)
    >>> nodes = angle_nodes(2 * one, one, 0.1 * one, 0.5 * one)
    >>> bool(np.isclose(nodes.probability @ nodes.deviation**2, 1.0, rtol=1e-14))
    True
    """
    place = _angle_range(mean, sd, s, theta, reach, bool(np.all(mean == 0)))
    return _nodes_at(place, sd, s, theta, _node_count(place, spacing, spacing_in_deviations, refine))


@dataclass(frozen=True, eq=False)
class _AngleRange:
    """Where the nodes t = t_m + delta lie. A centred law is even in t: half the line suffices."""

    t_m: np.ndarray
    low: np.ndarray  # of delta
    width: np.ndarray
    spread: np.ndarray  # standard deviation in t
    centred: bool

    def part(self, rows: slice, components: slice) -> _AngleRange:
        t_m, low, width, spread = (a[rows, components] for a in (self.t_m, self.low, self.width, self.spread))
        return _AngleRange(t_m, low, width, spread, self.centred)


def _angle_range(
    mean: np.ndarray, sd: np.ndarray, s: np.ndarray, theta: np.ndarray, reach: float, centred: bool
) -> _AngleRange:
    z = mean + reach * sd
    if centred:  # two of Newton's steps, which lead from above to a little above the angle of z
        with np.errstate(divide="ignore", over="ignore"):
            t_hi = np.minimum(np.arcsinh(2 * z / s), 2 * z / theta)
        for _ in range(2):
            t_hi -= (s * np.sinh(t_hi) + theta * t_hi - 2 * z) / (s * np.cosh(t_hi) + theta)
        t_m = t_lo = np.zeros_like(t_hi)
    else:
        t_lo, t_m, t_hi = (_signed_angle(end, s, theta) for end in (mean - reach * sd, mean + 0 * sd, z))
    spread = 2 * sd / (s * np.cosh(t_m) + theta)
    low, width = t_lo - t_m, t_hi - t_lo
    # far out, where t can't resolve the Gaussian, it is as wide in t as its linear part
    narrow = (reach * spread < 1e-8) & (t_m > 0)
    low, width = np.where(narrow, -reach * spread, low), np.where(narrow, 2 * reach * spread, width)
    return _AngleRange(t_m, low, width, spread, centred)


def _node_count(place: _AngleRange, spacing: float, spacing_in_deviations: float, refine: float) -> int:
    widest = np.minimum(spacing, spacing_in_deviations * place.spread) / refine
    return int(np.ceil(np.max(place.width / widest)))


def _nodes_at(place: _AngleRange, sd: np.ndarray, s: np.ndarray, theta: np.ndarray, nodes: int) -> AngleNodes:
    t_m, low, centred = place.t_m, place.low, place.centred
    h = place.width / nodes
    delta = h * np.arange(nodes + 1)
    if not centred:
        delta += low
    t = delta if centred else t_m + delta
    x, c = np.sinh(t), np.cosh(t)
    x *= s / 2
    c *= s
    dz = (theta / 2) * delta
    dz += x if centred else s * np.cosh(t_m + delta / 2) * np.sinh(delta / 2)  # x_hat(z) - x_hat(mean)
    total = c + theta
    probability = dz / sd
    probability *= probability
    probability *= -0.5
    np.exp(probability, out=probability)
    probability *= total
    probability *= h / (np.sqrt(8 * np.pi) * sd)
    if centred:
        probability[..., 1:] *= 2
    return AngleNodes(t, x, dz, c, total, probability)


def _signed_angle(z: np.ndarray, s: np.ndarray, theta: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.sign(z) * prox_angle(np.abs(z), s, theta)
    return result


@dataclass(frozen=True)
class Moments:
    """Expectations of the scalar problem and their derivatives; every array has the shape of tau2."""

    mse: np.ndarray  # E v (beta_hat - beta*)^2
    response: np.ndarray  # R = E x_hat'(z)
    power: np.ndarray  # E v beta_hat^2
    mse_tau2: np.ndarray  # d mse / d tau2, and so on
    mse_theta: np.ndarray
    response_tau2: np.ndarray
    response_theta: np.ndarray


@dataclass(frozen=True, eq=False)
class MixtureRows:
    """Mixtures with as many components each; arrays of shape (rows, components) or (1, components), unchecked.

    The fields are those of a `GaussianMixture`.
    """

    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    k: np.ndarray
    input_variance: np.ndarray = field(default_factory=lambda: np.ones((1, 1)))

    @property
    def power(self) -> np.ndarray:
        """E v (beta*_ft)^2, shape (rows,)."""
        result: np.ndarray = np.sum(self.weight * (self.mean**2 + self.variance) * self.input_variance, axis=-1)
        return result

    def rows(self, index: np.ndarray) -> MixtureRows:
        """The mixtures of the rows `index`."""
        arrays = (getattr(self, f.name) for f in fields(self))
        return MixtureRows(*(a if len(a) == 1 else a[index] for a in arrays))


def scalar_moments(
    tau2: np.ndarray, theta: np.ndarray, mixture: GaussianMixture | MixtureRows, refine: float = 1.0
) -> Moments:
    """MSE and response of the scalar estimator of Proposition 4.2, with their derivatives in tau2, theta; unchecked.

    Parameters
    ----------
    tau2, theta : ndarray, shape (rows,), positive
    mixture : GaussianMixture, or MixtureRows with as many rows
    refine : float, default 1
        Factor on the number of quadrature nodes; 1 gives a relative accuracy near 1e-14.

    Returns
    -------
    Moments, arrays of shape (rows,).

    Examples
    --------
    >>> mixture = GaussianMixture([1.0], 0.0, 1.0, 1e8)  # so lazy that x_hat = z/(1 + theta/sqrt(k))
    >>> moments = scalar_moments(np.array([0.5]), np.array([1e4]), mixture)
    >>> moments.response.round(6), moments.mse.round(6)  # half of the observation: 1/4 + 0.5/4
    (array([0.5]), array([0.375]))
    """
    return Moments(*_sums(_moments, len(fields(Moments)), tau2, theta, mixture, refine))


# The nodes of some rows and components, and their tau2, theta, weight, variance and 1/sqrt(v), of shape (rows,
# components, 1); theta is that of white inputs
_Terms = Callable[[AngleNodes, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, ...]]


def _sums(
    terms: _Terms,
    count: int,
    tau2: np.ndarray,
    theta: np.ndarray,
    mixture: GaussianMixture | MixtureRows,
    refine: float,
) -> np.ndarray:
    """Sums over the components of the `count` numbers that `terms` gives for a row, shape (count, rows).

    So many rows and components are treated together that memory does not depend on how many there are.
    """
    shape = (tau2.size, mixture.weight.shape[-1])
    root = np.sqrt(mixture.input_variance)
    white = (
        mixture.weight,
        mixture.mean * root,
        mixture.variance * mixture.input_variance,
        np.sqrt(mixture.k) * root,
        1 / root,
    )
    weight, mean, variance, sqrt_k, scale = (np.broadcast_to(a, shape) for a in white)
    result = np.zeros((count, tau2.size))
    for rows, components in _blocks(shape, _ENTRIES):
        m = np.abs(mean[rows, components, None])  # the penalty is even
        t2, th, w, v, s, c = (
            tau2[rows, None, None],
            theta[rows, None, None],
            *(a[rows, components, None] for a in (weight, variance, sqrt_k, scale)),
        )
        sd, local = np.sqrt(v + t2), c * th
        place = _angle_range(m, sd, s, local, _REACH, bool(np.all(m == 0)))
        nodes = _node_count(place, _SPACING, _SPACING_IN_DEVIATIONS, refine)
        for i, j in _blocks(sd.shape[:2], max(1, _NODES // nodes)):
            at = _nodes_at(place.part(i, j), sd[i, j], s[i, j], local[i, j], nodes)
            at.probability[...] *= w[i, j]
            result[:, rows][:, i] += terms(at, t2[i], th[i], w[i, j], v[i, j], c[i, j])
    return result


def _blocks(shape: tuple[int, ...], size: int) -> Iterator[tuple[slice, slice]]:
    """Parts of rows x components with at most `size` entries, of whole rows if one is not larger."""
    rows, components = shape
    across = min(components, size)
    down = max(1, size // across)
    for i in range(0, rows, down):
        for j in range(0, components, across):
            yield slice(i, i + down), slice(j, j + across)


def _means(p: np.ndarray, f: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.einsum("rcn,rcn->rc", p, f)
    return result


def _mean(probability: np.ndarray, f: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.einsum("rcn,rcn->r", probability, f)
    return result


def _moments(
    nodes: AngleNodes, tau2: np.ndarray, theta: np.ndarray, weight: np.ndarray, v: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, ...]:
    """In the order of `Moments`."""
    t, x, dz, probability = nodes.t, nodes.estimate, nodes.deviation, nodes.probability
    theta = scale * theta
    V, th, c = (v + tau2)[..., 0], theta[..., 0], scale[..., 0]
    error = (tau2 / (v + tau2)) * dz
    error -= (theta / 2) * t  # x_hat(z) - E(beta*|z)
    inverse = 1 / nodes.total
    p = probability * inverse
    bend = p * (x * inverse)  # with the factor 2 theta, that of half x_hat''(z)
    bend *= inverse
    p *= nodes.inverse_curvature  # with the response x_hat'(z)
    response = np.einsum("rcn->rc", p)
    rise = p * error
    mse = _means(probability * error, error) + (weight * v * tau2)[..., 0] / V
    parts = (
        mse,
        response,
        _means(probability * x, x),
        (_means(rise, dz) + v[..., 0] * response) / V,
        -c * _means(rise, t),
        2 * th * _means(bend, dz) / V,
        c * (-_means(p, inverse) - 2 * th * _means(bend, t)),
    )
    return tuple(part.sum(axis=1) for part in parts)


def _distances_from_one(
    nodes: AngleNodes, tau2: np.ndarray, theta: np.ndarray, weight: np.ndarray, v: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, ...]:
    """1 - R; theta^2 E w^2 t^2/(4 tau^2) and its derivatives in log tau^2 and log theta."""
    t, probability = nodes.t, nodes.probability
    lost, unit = scale * theta / nodes.total, (theta**2 / (4 * tau2))[:, 0, 0]
    squared = (scale * t) ** 2
    bias = unit * _mean(probability, squared)
    curved = _mean(probability, lost**2 * (1 - 2 * t * (nodes.estimate / nodes.total)))  # E f(z)'' = 2 dE f(z)/dtau^2
    return _mean(probability, lost), bias, curved - bias, 2 * bias - 2 * unit * _mean(probability, squared * lost)


def _near_one(alpha: np.ndarray, ridge: float) -> np.ndarray:
    """Where the equations are solved in their distances from 1."""
    return (alpha < 1) & (1 - alpha < _NEAR_ONE) & (ridge == 0)


def _log_gain(
    tau2: np.ndarray,
    theta: np.ndarray,
    alpha: np.ndarray,
    moments: Moments,
    mixture: GaussianMixture | MixtureRows,
    ridge: float,
    refine: float,
) -> np.ndarray:
    """log(ridge/theta + R/alpha), by how much one more iteration would change log theta."""
    with np.errstate(divide="ignore", invalid="ignore"):  # R vanishes where theta is very large
        gain = np.log(ridge / theta + moments.response / alpha)
    near = np.flatnonzero(_near_one(alpha, ridge) & (moments.response > 0.5))
    if near.size:
        part = mixture.rows(near) if isinstance(mixture, MixtureRows) else mixture
        lost = _sums(_distances_from_one, 4, tau2[near], theta[near], part, refine)[0]
        gain[near] = np.log1p(-lost) - np.log1p(alpha[near] - 1)
    result: np.ndarray = gain
    return result


def _increasing_root(
    function: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    start: np.ndarray,
    limit: float,
    last_step: float = 1e-7,
) -> np.ndarray:
    """Where increasing functions change sign, one a row, by Newton's method kept inside the bracket found so far.

    `function(at, rows)` gives the values and slopes of `rows`. A step is at most 4 long, or half the bracket where
    Newton's leaves it. The answer lies within `limit` of 0; whether the values there are small, the caller sees.
    """
    at, low, high = start.copy(), np.full(start.size, -limit), np.full(start.size, limit)
    todo = np.arange(start.size)
    for _ in range(500):
        if not todo.size:
            break
        here = at[todo]
        value, slope = function(here, todo)
        low[todo], high[todo] = np.where(value < 0, here, low[todo]), np.where(value < 0, high[todo], here)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = -value / slope
            inside = (slope > 0) & (here + newton >= low[todo]) & (here + newton <= high[todo])
        step = np.clip(np.where(inside, newton, (low[todo] + high[todo]) / 2 - here), -4, 4)
        at[todo] += step
        # quadratic convergence: what is missing after a step of 1e-7 is below rounding
        todo = todo[np.abs(step) > np.where(inside, last_step, 1e-15 * np.maximum(np.abs(here), 1))]
    return at


def effective_regularisation(
    tau2: np.ndarray,
    alpha: np.ndarray,
    mixture: GaussianMixture | MixtureRows,
    ridge: float = 0.0,
    refine: float = 1.0,
    guess: np.ndarray | None = None,
) -> np.ndarray:
    """The theta that solves its equation of Proposition 4.2, theta = ridge + theta R/alpha, at given tau2; unchecked.

    It is the only one: R falls from 1 to 0 as theta grows.

    Parameters
    ----------
    tau2, alpha : ndarray, shape (rows,), positive
        alpha is below 1 unless ridge is positive.
    mixture : GaussianMixture, or MixtureRows with as many rows
    ridge : float, default 0
    refine : float, default 1
        As in `scalar_moments`.
    guess : ndarray, shape (rows,), optional

    Returns
    -------
    ndarray, shape (rows,)

    Examples
    --------
    >>> mixture = GaussianMixture([1.0], 0.0, 1.0, 1e8)  # so lazy that R = 1/(1 + theta/sqrt(k))
    >>> effective_regularisation(np.array([0.3, 2.0]), np.array([0.5, 0.2]), mixture).round(3)
    array([10000., 40000.])
    """

    def excess(w: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta = np.exp(w)
        part = mixture.rows(rows) if isinstance(mixture, MixtureRows) else mixture
        moments = scalar_moments(tau2[rows], theta, part, refine)
        gain = ridge / theta + moments.response / alpha[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (ridge / theta - moments.response_theta * theta / alpha[rows]) / gain
        return -_log_gain(tau2[rows], theta, alpha[rows], moments, part, ridge, refine), slope

    lazy = np.mean(np.sqrt(mixture.k) * mixture.input_variance)
    start = np.full(tau2.size, np.log(lazy)) if guess is None else np.log(guess)
    result: np.ndarray = np.exp(_increasing_root(excess, start, _LOG_THETA))
    return result


@dataclass(frozen=True, eq=False)
class ReplicaCurve:
    """Replica-symmetric prediction along alpha (Proposition 4.2). All arrays have the shape of `alpha`."""

    alpha: np.ndarray  # data scale n/d
    mse: np.ndarray  # E v (beta_hat - beta*)^2, the prediction risk
    tau2: np.ndarray  # effective noise variance
    theta: np.ndarray  # effective regularisation
    residual: np.ndarray  # largest change of log tau2, log theta in one more step; over 1 - alpha if that is below 1e-4
    converged: np.ndarray  # residual below the tolerance from both starts, whose errors agree within 1e-3 dB
    mismatch_db: np.ndarray  # |10 log10| of the ratio of the errors reached from the two starts; inf if one failed
    iterations: np.ndarray  # steps of the slower start
    coefficient_mse: np.ndarray  # E (beta_hat - beta*)^2

    @property
    def parts(self) -> list[ReplicaCurve]:
        """A curve for every alpha, with arrays of shape (1,), as `joined_curves` joins them."""
        arrays = [np.ravel(getattr(self, f.name)) for f in fields(self)]
        return [ReplicaCurve(*(values[i : i + 1] for values in arrays)) for i in range(self.alpha.size)]

    def to_frame(self) -> Any:
        """The arrays as the columns of a pandas DataFrame, one row per alpha (needs pandas)."""
        with needs_extra("sweep", "to_frame"):
            import pandas as pd

        return pd.DataFrame({f.name: np.ravel(getattr(self, f.name)) for f in fields(self)})


def joined_curves(curves: Sequence[ReplicaCurve], alpha: ArrayLike) -> ReplicaCurve:
    """One curve of the shape of `alpha` from curves along its parts.

    Raises
    ------
    ValueError
        If one is not a curve, or they have not as many data scales.

    Examples
    --------
    >>> mixture = GaussianMixture([1.0], 0.0, 1.0, 1e8)  # lazy: 1 - alpha
    >>> curves = [solve_by_quadrature(np.array([a]), mixture, 0.0, 0.0) for a in (0.2, 0.6)]
    >>> joined_curves(curves, np.array([0.2, 0.6])).mse.round(4)
    array([0.8, 0.4])
    """
    curves = [instance_of(one, ReplicaCurve, "one of curves") for one in listed(curves, "curves")]
    size = sum(one.alpha.size for one in curves)
    alpha = real_array(alpha, "alpha")
    require(size == alpha.size, "the number of data scales alpha", alpha.size, f"{size}, as the curves have")
    arrays = {
        f.name: np.concatenate([getattr(c, f.name) for c in curves]).reshape(alpha.shape) for f in fields(ReplicaCurve)
    }
    return ReplicaCurve(**arrays)


@dataclass(frozen=True)
class _Problem:
    """The two equations at given (u, w) = (log tau^2, log theta), for a fixed mixture, noise and ridge."""

    mixture: GaussianMixture | MixtureRows
    noise_var: float
    ridge: float
    refine: float = 1.0
    last_step: float = 0.0  # a step of Newton's that is not longer is the last, and its error is taken to first order

    def at(self, rows: np.ndarray) -> _Problem:
        """The problem of some of the rows."""
        mixture = self.mixture
        return replace(self, mixture=mixture.rows(rows)) if isinstance(mixture, MixtureRows) else self

    def gaps(self, u: np.ndarray, w: np.ndarray, a: np.ndarray) -> tuple[Moments, np.ndarray, np.ndarray]:
        """The moments, and by how much one more iteration would change u and w."""
        tau2, theta = np.exp(u), np.exp(w)
        moments = scalar_moments(tau2, theta, self.mixture, self.refine)
        f = np.log((self.noise_var + moments.mse) / a) - u
        near = self.near_one(a, moments)
        if near.size:
            lost, bias, *_ = self.distances(tau2, theta, near)
            f[near] = np.log1p(self.noise_var / tau2[near] + bias - 2 * lost) - np.log1p(a[near] - 1)
        return moments, f, _log_gain(tau2, theta, a, moments, self.mixture, self.ridge, self.refine)

    def near_one(self, a: np.ndarray, moments: Moments) -> np.ndarray:
        """Indices of the rows whose equations are taken in their distances from 1."""
        return np.flatnonzero(_near_one(a, self.ridge) & (moments.response > 0.5))

    def distances(self, tau2: np.ndarray, theta: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Those distances, and their slopes."""
        return _sums(_distances_from_one, 4, tau2[near], theta[near], self.at(near).mixture, self.refine)

    def unit(self, a: np.ndarray) -> np.ndarray:
        """Of the residual: the solution is determined by changes as small as 1 - alpha."""
        return np.where(_near_one(a, self.ridge), 1 - a, 1.0)

    def slopes(self, u: np.ndarray, w: np.ndarray, a: np.ndarray, moments: Moments) -> tuple[np.ndarray, ...]:
        """Derivatives of both gaps in u and w: f_u, f_w, g_u, g_w."""
        tau2, theta = np.exp(u), np.exp(w)
        noise, gain = self.noise_var + moments.mse, self.ridge / theta + moments.response / a
        f_u, f_w = moments.mse_tau2 * tau2 / noise - 1, moments.mse_theta * theta / noise
        near = self.near_one(a, moments)
        if near.size:
            lost, bias, bias_u, bias_w = self.distances(tau2, theta, near)
            label = self.noise_var / tau2[near]
            total = 1 + label + bias - 2 * lost
            f_u[near] = (bias_u - label + 2 * (tau2 * moments.response_tau2)[near]) / total
            f_w[near] = (bias_w + 2 * (theta * moments.response_theta)[near]) / total
        return (
            f_u,
            f_w,
            moments.response_tau2 * tau2 / a / gain,
            (moments.response_theta * theta / a - self.ridge / theta) / gain,
        )

    def newton_step(
        self, u: np.ndarray, w: np.ndarray, a: np.ndarray, moments: Moments, f: np.ndarray, g: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Newton's step for f along the curve g = 0, turned where need be to point as the iteration does."""
        f_u, f_w, g_u, g_w = self.slopes(u, w, a, moments)
        du = (f - f_w * g / g_w) / np.maximum(f_w * g_u / g_w - f_u, 1e-4 * self.unit(a))
        return du, -(g + g_u * du) / g_w

    def start(self, a: np.ndarray, factor: float) -> np.ndarray:
        """(u, w) with tau^2 = factor (noise_var + E beta*^2)/alpha and a theta of the right size for it.

        A lazy network has theta = v sqrt(k)(1/alpha - 1); a rich one estimates a share alpha of the coordinates.
        """
        v = self.mixture.input_variance
        s = v * np.sqrt(self.mixture.k)
        tau2 = factor * (self.noise_var + self.mixture.power) / a
        z = np.sqrt(tau2 * v.max(axis=-1)) * -ndtri(np.minimum(a, 0.99) / 2)
        rich_and_lazy = np.sum(self.mixture.weight * s, axis=-1) / a + 2 * z / (1 + np.arcsinh(2 * z / s.min(axis=-1)))
        return np.log([tau2, self.ridge + np.maximum(1 - a, 1e-3) * rich_and_lazy])

    def starts(self, a: np.ndarray) -> np.ndarray:
        """(u, w) with a large tau^2 for every alpha, and with a small one."""
        return np.concatenate([self.start(a, factor) for factor in (1.0, 1e-12)], axis=1)

    def newton(self, u: np.ndarray, w: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, ...]:
        """Iterate from (u, w), one problem per row; returns u, w, mse, residual, steps.

        Steps are at most 4 long in u and w at first, then half as long after a change of direction, else up to 8.
        """
        u, w = u.copy(), w.copy()
        mse, residual, steps = np.empty(u.size), np.empty(u.size), np.zeros(u.size, dtype=int)
        reach, previous = np.full(u.size, 4.0), np.zeros(u.size)
        todo = np.arange(u.size)
        for step in range(MAX_STEPS + 1):
            if not todo.size:
                break
            moments, f, g = self.at(todo).gaps(u[todo], w[todo], a[todo])
            mse[todo], steps[todo] = moments.mse, step
            residual[todo] = np.maximum(np.abs(f), np.abs(g)) / self.unit(a[todo])
            more = residual[todo] > TOLERANCE / 10
            if step == MAX_STEPS:
                break
            du, dw = self.newton_step(u[todo], w[todo], a[todo], moments, f, g)
            last = more & (np.maximum(np.abs(du), np.abs(dw)) <= self.last_step)
            if last.any():
                rise = moments.mse_tau2 * np.exp(u[todo]) * du + moments.mse_theta * np.exp(w[todo]) * dw
                mse[todo] += last * rise
                residual[todo[last]] = 0.0
            reach[todo] = np.where(du * previous[todo] < 0, 0.5 * reach[todo], np.minimum(1.5 * reach[todo], 8.0))
            scale = np.minimum(1, reach[todo] / np.maximum(np.abs(du), np.maximum(np.abs(dw), 1e-300)))
            previous[todo] = du
            u[todo] = np.clip(u[todo] + more * scale * du, -_LOG_TAU2, _LOG_TAU2)
            w[todo] = np.clip(w[todo] + more * scale * dw, -_LOG_THETA, _LOG_THETA)
            todo = todo[more & ~last]
        return u, w, mse, residual, steps

    def bracketed(self, u: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, ...]:
        """As `newton`, from u alone, where it can't fail: theta for each tau^2, then tau^2, each kept in a bracket.

        The gap of u along the curve g = 0 is positive where tau^2 is small and negative where it is large. It takes
        several times as many moments as `newton`.
        """
        theta = np.ones(u.size)
        calls = 0

        def along_curve(u: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            nonlocal calls
            calls += 1
            part = self.at(rows)
            theta[rows] = effective_regularisation(
                np.exp(u), a[rows], part.mixture, self.ridge, self.refine, theta[rows] if calls > 1 else None
            )
            w = np.log(theta[rows])
            moments, f, _ = part.gaps(u, w, a[rows])
            f_u, f_w, g_u, g_w = part.slopes(u, w, a[rows], moments)
            return -f, f_w * g_u / g_w - f_u

        u = _increasing_root(along_curve, u, _LOG_TAU2)
        w = np.log(effective_regularisation(np.exp(u), a, self.mixture, self.ridge, self.refine, theta))
        moments, f, g = self.gaps(u, w, a)
        return u, w, moments.mse, np.maximum(np.abs(f), np.abs(g)) / self.unit(a), np.full(u.size, calls)

    def solve(self, u: np.ndarray, w: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, ...]:
        """As `newton`, and by `bracketed` where that fails."""
        found = self.newton(u, w, a)
        failed = np.flatnonzero(found[3] > TOLERANCE)
        if failed.size:
            for values, better in zip(found, self.at(failed).bracketed(u[failed], a[failed]), strict=True):
                values[failed] = better
        return found


def solve_by_quadrature(
    alpha: ArrayLike, mixture: GaussianMixture, noise_var: float, ridge: float, starts: ArrayLike | None = None
) -> ReplicaCurve:
    """Solve Proposition 4.2 at every alpha from a large and from a small tau^2; arguments as in `ptft.replica_curve`.

    Above alpha = 1 without ridge the data determine beta, theta = 0, and the equations have the closed form
    tau^2 = noise_var/(alpha - 1) of ordinary least squares. `starts`, of shape (2, 2, points), are others than the
    large and the small tau^2, as `rough_starts` finds them. Where all of them have met there, one goes on.

    Raises
    ------
    ValueError
        If an argument is outside its range, there is nothing to learn, or alpha = 1 with noise and no ridge, where the
        error diverges.

    Examples
    --------
    >>> mixture = GaussianMixture([1.0], 0.0, 1.0, 1e8)  # lazy: 1 - alpha
    >>> curve = solve_by_quadrature(np.array([0.3]), mixture, noise_var=0.0, ridge=0.0)
    >>> curve.mse.round(4), curve.converged, curve.residual < TOLERANCE
    (array([0.7]), array([ True]), array([ True]))
    """
    alpha = positive_array(alpha, "alpha")
    instance_of(mixture, GaussianMixture, "mixture")
    noise_var, ridge = nonnegative_number(noise_var, "noise_var"), nonnegative_number(ridge, "ridge")
    power = noise_var + mixture.power
    require(power > 0, "E beta*^2 + noise_var", power, "positive (there is nothing to learn)")
    flat = alpha.ravel()
    determined = (flat >= 1) & (ridge == 0)
    diverges = (flat == 1) & (ridge == 0) & (noise_var > 0)
    require(~diverges, "alpha", flat, "other than 1 where noise_var > 0 and ridge = 0: the error diverges there")
    problem = _Problem(mixture, noise_var, ridge)
    open_ = flat[~determined]
    large, small = np.split(np.arange(2 * open_.size), 2)
    a = np.concatenate([open_, open_])
    if starts is None:
        u, w = problem.starts(open_)
    else:
        starts = real_array(starts, "starts", ndim=3)
        shape = (2, 2, flat.size)
        require(starts.shape == shape, "the shape of starts", starts.shape, f"{shape}, as alpha has it")
        u, w = starts[:, :, ~determined].reshape(2, -1)
    met = np.allclose(u[large], u[small], rtol=0, atol=1e-6) and np.allclose(w[large], w[small], rtol=0, atol=1e-6)
    if met:  # two starts that are one
        u, w, mse, residual, steps = (np.tile(one, 2) for one in problem.solve(u[large], w[large], a[large]))
    else:
        u, w, mse, residual, steps = problem.solve(u, w, a)

    # Report the better solved of the two, or the one with the smaller error (Appendix E.2.3).
    ok = residual <= TOLERANCE
    take_small = np.where(ok[large] == ok[small], mse[small] <= mse[large], ok[small])
    best = np.where(take_small, small, large)
    both = ok[large] & ok[small]
    mismatch = np.where(both, np.abs(10 * np.log10(mse[small] / mse[large])), np.inf)
    agreed = both & (mismatch <= MISMATCH_DB)

    def along_alpha(values: np.ndarray, when_determined: ArrayLike) -> np.ndarray:
        out = np.empty(flat.shape, dtype=values.dtype)
        out[~determined], out[determined] = values, when_determined
        return out.reshape(alpha.shape)

    least_squares = noise_var / np.where(noise_var > 0, flat[determined] - 1, 1.0)
    of_coefficients = _coefficient_mse(np.exp(u[best]), np.exp(w[best]), mixture, mse[best])
    return ReplicaCurve(
        alpha=alpha,
        mse=along_alpha(mse[best], least_squares),
        tau2=along_alpha(np.exp(u[best]), least_squares),
        theta=along_alpha(np.exp(w[best]), 0.0),
        residual=along_alpha(residual[best], 0.0),
        converged=along_alpha(agreed, True),
        mismatch_db=along_alpha(mismatch, 0.0),
        iterations=along_alpha(np.maximum(steps[large], steps[small]), 0),
        coefficient_mse=along_alpha(
            of_coefficients, least_squares * np.average(1 / mixture.input_variance, weights=mixture.weight)
        ),
    )


def rough_starts(alpha: ArrayLike, mixture: GaussianMixture, noise_var: float) -> np.ndarray:
    """log tau^2 and log theta to a few digits, from a large and from a small tau^2, where to start for other mixtures.

    Parameters
    ----------
    alpha : array_like, shape (points,)
    mixture : GaussianMixture
        Close to the one that is meant, with fewer components.
    noise_var : float

    Returns
    -------
    ndarray, shape (2, 2, points), by unknown, start and alpha

    Raises
    ------
    ValueError
        If an argument is outside its range, or there is nothing to learn.

    Examples
    --------
    >>> mixture = GaussianMixture([1.0], 0.0, 1.0, 1e8)  # lazy: tau^2 = (1 - alpha)/alpha
    >>> np.exp(rough_starts([0.25, 0.5], mixture, noise_var=0.0)[0]).round(3)
    array([[3., 1.],
           [3., 1.]])
    """
    a, noise_var = positive_array(alpha, "alpha", ndim=1), nonnegative_number(noise_var, "noise_var")
    power = noise_var + instance_of(mixture, GaussianMixture, "mixture").power
    require(power > 0, "E beta*^2 + noise_var", power, "positive (there is nothing to learn)")
    problem = _Problem(mixture, noise_var, 0.0, _ROUGH)
    u, w = problem.starts(a)
    return np.stack(problem.newton(u, w, np.concatenate([a, a]))[:2]).reshape(2, 2, a.size)


def _coefficient_mse(tau2: np.ndarray, theta: np.ndarray, mixture: GaussianMixture, mse: np.ndarray) -> np.ndarray:
    """E (beta_hat - beta*)^2 where E v (beta_hat - beta*)^2 = mse."""
    v = mixture.input_variance
    if np.all(v == 1):
        return mse
    per_variance = (mixture.weight / v, mixture.mean, mixture.variance, mixture.k, v)
    return scalar_moments(tau2, theta, MixtureRows(*(a[None] for a in per_variance))).mse


def solve_nearby(curve: ReplicaCurve, mixture: GaussianMixture, noise_var: float) -> ReplicaCurve:
    """Solve Proposition 4.2 without ridge for a mixture close to that of a curve, starting from its solution.

    That takes a quarter of the work of the two starts of `solve_by_quadrature`, which solves it all where the curve
    holds points that did not converge or that the data determine.

    Parameters
    ----------
    curve : ReplicaCurve
    mixture : GaussianMixture
    noise_var : float

    Returns
    -------
    ReplicaCurve
        `converged` and `mismatch_db` are those of one start.

    Raises
    ------
    ValueError
        As `solve_by_quadrature`.

    Examples
    --------
    >>> rich, other = (GaussianMixture([0.1, 0.9], 0.0, [v, 0.0], 1e-6) for v in (10.0, 11.0))
    >>> alpha = np.array([0.2, 0.3])
    >>> near = solve_nearby(solve_by_quadrature(alpha, rich, 0.0, 0.0), other, 0.0)
    >>> bool(np.allclose(near.mse, solve_by_quadrature(alpha, other, 0.0, 0.0).mse, rtol=1e-9))
    True
    """
    instance_of(curve, ReplicaCurve, "curve")
    instance_of(mixture, GaussianMixture, "mixture")
    noise_var = nonnegative_number(noise_var, "noise_var")
    if noise_var + mixture.power == 0 or not np.all(curve.converged & (curve.theta > 0)):
        return solve_by_quadrature(curve.alpha, mixture, noise_var, 0.0)
    u, w = (np.log(values).ravel() for values in (curve.tau2, curve.theta))
    u, w, mse, residual, steps = _Problem(mixture, noise_var, 0.0).solve(u, w, curve.alpha.ravel())
    converged = residual <= TOLERANCE
    tau2, theta = np.exp(u), np.exp(w)
    mismatch_db = np.where(converged, 0.0, np.inf)
    of_coefficients = _coefficient_mse(tau2, theta, mixture, mse)
    arrays = (mse, tau2, theta, residual, converged, mismatch_db, steps, of_coefficients)
    return ReplicaCurve(curve.alpha, *(values.reshape(curve.alpha.shape) for values in arrays))


def errors_by_rows(
    alpha: ArrayLike,
    mixtures: MixtureRows,
    noise_var: float = 0.0,
    refine: float = 0.6,
    start: ArrayLike | None = None,
) -> np.ndarray:
    """Errors of many problems at once: the first row of `solutions_by_rows`, with the same parameters and errors.

    Returns
    -------
    ndarray, shape (rows,); inf where the iteration did not converge.

    Examples
    --------
    >>> rows = MixtureRows(*(np.array([[v], [v]]) for v in (1.0, 0.0, 1.0, 1e8)))
    >>> errors_by_rows(np.array([0.2, 0.6]), rows).round(4)
    array([0.8, 0.4])
    """
    result: np.ndarray = solutions_by_rows(alpha, mixtures, noise_var, refine, start)[0]
    return result


def solutions_by_rows(
    alpha: ArrayLike,
    mixtures: MixtureRows,
    noise_var: float = 0.0,
    refine: float = 0.6,
    start: ArrayLike | None = None,
) -> np.ndarray:
    """Solutions of many problems at once, for a search: interpolation, one start, fewer nodes.

    Parameters
    ----------
    alpha : array_like in (0, 1), shape (rows,)
    mixtures : MixtureRows
    noise_var : float, default 0
    refine : float, default 0.6
        Factor on the number of quadrature nodes; 0.6 gives a relative accuracy near 1e-8. Below 1 the last of Newton's
        steps is taken to first order in the error.
    start : array_like, positive, shape (2, rows), optional
        tau^2 and theta of similar problems: from them the iteration takes half as long.

    Returns
    -------
    ndarray, shape (3, rows)
        The error, tau^2 and theta; the error is inf where the iteration did not converge.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> rows = MixtureRows(*(np.array([[v], [v]]) for v in (1.0, 0.0, 1.0, 1e8)))  # lazy: tau^2 = mse/alpha
    >>> mse, tau2, theta = solutions_by_rows(np.array([0.2, 0.6]), rows)
    >>> mse.round(4), (mse / tau2).round(4)
    (array([0.8, 0.4]), array([0.2, 0.6]))
    """
    alpha, noise_var = positive_array(alpha, "alpha", ndim=1), nonnegative_number(noise_var, "noise_var")
    require(alpha < 1, "alpha", alpha, "below 1")
    instance_of(mixtures, MixtureRows, "mixtures")
    refine = positive_number(refine, "refine")
    if start is not None:
        start = positive_array(start, "start", ndim=2)
        require(
            start.shape == (2, alpha.size), "the shape of start", start.shape, f"{(2, alpha.size)}, as alpha has it"
        )
    solutions = np.empty((3, alpha.size))
    for rows in np.array_split(np.arange(alpha.size), -(-alpha.size // _CHUNK)):
        problem = _Problem(mixtures.rows(rows), noise_var, 0.0, refine, _LAST_STEP if refine < 1 else 0.0)
        u, w = problem.start(alpha[rows], 1.0) if start is None else np.log(start[:, rows])
        u, w, mse, residual, _ = problem.solve(u, w, alpha[rows])
        solutions[:, rows] = np.where(residual <= TOLERANCE, mse, np.inf), np.exp(u), np.exp(w)
    return solutions
