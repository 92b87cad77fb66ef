"""The fine-tuning penalty of diagonal networks (Theorem 4.1) and the two measures of its shape (Proposition B.1).

Everything is written in the hyperbolic angle t = arcsinh(2|beta|/sqrt(k)), in which no formula cancels or overflows:

    q_k = (|beta|/2) (t - tanh(t/2)),
    q_k' = sgn(beta) t/2,
    q_k'' = 1/(sqrt(k) cosh t).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import wrightomega

from ptft.initialization import Initialization
from ptft.validation import broadcast, instance_of, positive_array, real_array


def _arguments(beta: ArrayLike, k: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    beta, k = broadcast(beta=real_array(beta, "beta"), k=positive_array(k, "k"))
    return beta, np.sqrt(k)


def signed_angle(beta: np.ndarray, sqrt_k: np.ndarray) -> np.ndarray:
    """t = arcsinh(2 beta/sqrt(k)), also where the ratio overflows; unchecked, of the broadcast shape.

    Examples
    --------
    >>> signed_angle(np.array([-0.5, 1e200]), np.array([1.0, 1e-150])).round(3)
    array([ -0.881, 807.291])
    """
    with np.errstate(over="ignore"):
        t = np.arcsinh(beta / (sqrt_k / 2))
    if np.isinf(t).any():
        with np.errstate(divide="ignore"):
            far = np.sign(beta) * (np.log(np.abs(beta)) + np.log(4) - np.log(sqrt_k))
        t = np.where(np.isinf(t), far, t)
    return np.asarray(t)


def penalty_at_angle(beta: np.ndarray, t: np.ndarray) -> np.ndarray:
    """q_k(beta), given the signed angle t of beta; unchecked, arrays of one shape.

    Examples
    --------
    >>> beta = np.array([-0.5, 2.0])
    >>> penalty_at_angle(beta, signed_angle(beta, np.ones(2))) - penalty(beta, 1.0)
    array([0., 0.])
    """
    result: np.ndarray = 0.5 * beta * (t - np.tanh(t / 2))
    return result


def inverse_curvature(beta: np.ndarray, sqrt_k: np.ndarray) -> np.ndarray:
    """1/q_k''(beta) = sqrt(k + 4 beta^2), which is sqrt(k) cosh t; unchecked, of the broadcast shape.

    Examples
    --------
    >>> inverse_curvature(np.array([0.0, 2.0]), np.array([1.0, 3.0]))
    array([1., 5.])
    """
    return np.asarray(np.hypot(sqrt_k, 2 * beta))


def penalty(beta: ArrayLike, k: ArrayLike) -> np.ndarray:
    """Penalty q_k(beta) that fine-tuning minimises, one value per coordinate (Theorem 4.1, Equation 12).

    Parameters
    ----------
    beta : array_like
        Coefficients, any shape.
    k : array_like, positive
        Penalty scale, in squared units of `beta`, broadcast against it.

    Returns
    -------
    ndarray
        Zero or positive, in units of `beta`; beta^2/(2 sqrt(k)) where |beta| << sqrt(k), and
        (|beta|/2)(log(4|beta|/sqrt(k)) - 1) where |beta| >> sqrt(k).

    Raises
    ------
    ValueError
        If beta is not finite, k is not positive and finite, or the shapes do not broadcast.

    Examples
    --------
    >>> penalty([1e-3, 1e3], k=1.0).round(9)  # quadratic, then almost linear
    array([5.00000000e-07, 3.64727479e+03])
    """
    beta, sqrt_k = _arguments(beta, k)
    return penalty_at_angle(beta, signed_angle(beta, sqrt_k))


def penalty_grad(beta: ArrayLike, k: ArrayLike) -> np.ndarray:
    """First derivative q_k'(beta) = arcsinh(2 beta/sqrt(k)) / 2; arguments and errors as in `penalty`.

    Examples
    --------
    >>> penalty_grad([-0.5, 0.0, 0.5], k=1.0).round(3)
    array([-0.441,  0.   ,  0.441])
    """
    beta, sqrt_k = _arguments(beta, k)
    return 0.5 * signed_angle(beta, sqrt_k)


def penalty_hess(beta: ArrayLike, k: ArrayLike) -> np.ndarray:
    """Second derivative q_k''(beta) = 1/sqrt(k + 4 beta^2); arguments and errors as in `penalty`.

    Examples
    --------
    >>> penalty_hess([0.0, 1.0], k=1.0).round(3)
    array([1.   , 0.447])
    """
    beta, sqrt_k = _arguments(beta, k)
    return 1 / inverse_curvature(beta, sqrt_k)


def ell_order(beta: ArrayLike, k: ArrayLike) -> np.ndarray:
    """Local exponent of the penalty, d log q_k / d log|beta| = t / (t - tanh(t/2))  (Proposition B.1).

    Parameters
    ----------
    beta : array_like
        Fine-tuned coefficients, any shape; the value at 0 is the limit 2.
    k : array_like, positive
        Penalty scale, in squared units of `beta`, broadcast against it.

    Returns
    -------
    ndarray in (1, 2]: 2 where the penalty is quadratic (lazy), towards 1 where it is linear (rich).

    Raises
    ------
    ValueError
        If beta is not finite, k is not positive and finite, or the shapes do not broadcast.

    Examples
    --------
    >>> ell_order([0.0, 1.0, 1e3], k=1.0).round(3)
    array([2.   , 1.749, 1.137])
    """
    beta, sqrt_k = _arguments(beta, k)
    t = np.abs(signed_angle(beta, sqrt_k))
    # tanh(t/2)/t tends to 1/2; 1/(1 - tanh(t/2)/t) has no cancellation because that ratio never exceeds 1/2.
    ratio = np.divide(np.tanh(t / 2), t, out=np.full(t.shape, 0.5), where=t > 1e-300)
    result: np.ndarray = 1 / (1 - ratio)
    return result


def pretraining_dependence(beta: ArrayLike, beta_pt: ArrayLike, init: Initialization) -> np.ndarray:
    """Elasticity of the penalty in the pretrained coefficient, PD = d log q_k / d log|beta_pt|  (Proposition B.1).

    PD = (1 - ell_order) kappa: 0 where pretraining does not matter, towards -1 where the penalty is inversely
    proportional to |beta_pt|.

    Parameters
    ----------
    beta, beta_pt : array_like
        Fine-tuned and pretrained coefficients; they and the parameters of `init` broadcast against each other.
    init : Initialization

    Returns
    -------
    ndarray in (-1, 0].

    Raises
    ------
    ValueError
        If a coefficient is not finite, or `init` is in the degenerate corner (see `Initialization.sqrt_k`).

    Examples
    --------
    >>> float(pretraining_dependence(1e-6, 1.0, Initialization(c_pt=1e-3)).round(3))
    -0.999
    """
    instance_of(init, Initialization, "init")
    result: np.ndarray = (1 - ell_order(beta, init.k(beta_pt))) * init.kappa(beta_pt)
    return result


def prox(z: ArrayLike, k: ArrayLike, theta: ArrayLike) -> np.ndarray:
    """Proximal map argmin_x (x - z)^2 / (2 theta) + q_k(x), the scalar estimator of Proposition 4.2.

    The solution of x + (theta/2) arcsinh(2x/sqrt(k)) = z.

    Parameters
    ----------
    z : array_like
        Observation, in units of beta.
    k : array_like, positive
        Penalty scale (squared units of beta).
    theta : array_like, positive
        Effective regularisation (units of beta).

    Returns
    -------
    ndarray of the broadcast shape, to relative precision 1e-14.

    Raises
    ------
    ValueError
        If z is not finite, k or theta is not positive and finite, or the shapes do not broadcast.

    Examples
    --------
    >>> x = prox(1.0, k=1e-6, theta=0.1)
    >>> float(round(x + 0.05 * np.arcsinh(2 * x / 1e-3), 12))
    1.0
    """
    z, k, theta = broadcast(z=real_array(z, "z"), k=positive_array(k, "k"), theta=positive_array(theta, "theta"))
    size, sqrt_k = np.abs(z), np.sqrt(k)
    with np.errstate(over="ignore", under="ignore"):
        far, flat = size / sqrt_k > 1e290, (size / (sqrt_k / 2 + theta / 2) < 1e-150) & (size > 0)
        large = size > 2.0**1000
    if not (far.any() or flat.any() or large.any()):
        return np.asarray(np.sign(z) * prox_point(size, sqrt_k, theta)[1])
    x, unit = np.empty(size.shape), np.where(large, 2.0**-64, 1.0)
    with np.errstate(all="ignore"):
        scaled = size * unit, sqrt_k * unit, np.maximum(theta * unit, np.finfo(np.float64).tiny)
        for inside, solve in ((flat, _prox_at_small_angle), (far & ~flat, _prox_far), (~(far | flat), _plain_prox)):
            x[inside] = solve(*(values[inside] for values in scaled))
    return np.asarray(np.copysign(x / unit, z))


def _plain_prox(z: np.ndarray, sqrt_k: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return prox_point(z, sqrt_k, theta)[1]


def _prox_at_small_angle(z: np.ndarray, sqrt_k: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """z sqrt(k)/(sqrt(k) + theta), whose factors may be beyond the numbers of float64."""
    total = np.maximum(sqrt_k, theta)
    (z, i), (sqrt_k, j), (total, m) = (
        np.frexp(z),
        np.frexp(sqrt_k / (1 + np.minimum(sqrt_k, theta) / total)),
        np.frexp(total),
    )
    return np.asarray(np.ldexp(z * sqrt_k / total, i + j - m))


def _prox_far(z: np.ndarray, sqrt_k: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Where z/sqrt(k) is so large that 2 sinh t = e^t, or else (sqrt(k)/2) sinh t is nothing beside z."""
    r = theta / z / 2
    by_omega = wrightomega(1 / r - np.log(4) - np.log(z) + np.log(sqrt_k) - np.log(r))
    t = np.minimum(1 / r, 30)
    return np.where(r < 1 / 30, np.where(1 / r < 1e300, z * (r * by_omega), z), sqrt_k / 2 * np.sinh(t))


def prox_angle(
    z: np.ndarray, sqrt_k: np.ndarray, theta: np.ndarray | float, guess: np.ndarray | None = None
) -> np.ndarray:
    """Hyperbolic angle t >= 0 of the proximal point: (sqrt(k)/2) sinh t + (theta/2) t = z, for z >= 0; unchecked.

    The arguments, and what it raises, are those of `prox_point`, which gives it along with the point.

    Examples
    --------
    >>> t = prox_angle(np.array([1.0]), np.array([0.1]), theta=0.2)
    >>> (0.05 * np.sinh(t) + 0.1 * t).round(12)
    array([1.])
    """
    return prox_point(z, sqrt_k, theta, guess)[0]


def prox_point(
    z: np.ndarray, sqrt_k: np.ndarray, theta: np.ndarray | float, guess: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The proximal point x of z >= 0 as its angle t, x = (sqrt(k)/2) sinh t and 1/q''(x) = sqrt(k) cosh t; unchecked.

    Newton's method, which converges from any start because (sqrt(k)/2) sinh t + (theta/2) t = z is convex and the start
    is kept below the bound (sqrt(k)/2) sinh t <= z. Without a guess it starts from the solution with sinh t = e^t/2,
    Wright's omega function, where t is large, and from the linear one where it is small.

    Parameters
    ----------
    z, sqrt_k : ndarray
        They and theta broadcast against each other; z is not negative, the others are positive.
    theta : ndarray or float
    guess : ndarray, optional
        A start of the broadcast shape.

    Raises
    ------
    FloatingPointError
        If it did not converge, which only arguments that were not checked can cause.

    Examples
    --------
    >>> t, x, c = prox_point(np.array([1.0]), np.array([0.1]), theta=0.2)
    >>> (x + 0.1 * t).round(12), np.allclose(x, 0.05 * np.sinh(t)), np.allclose(c, 0.1 * np.cosh(t))
    (array([1.]), True, True)
    """
    twice = 2 * z
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        bound = np.arcsinh(twice / sqrt_k)
        if guess is None:
            log_ratio = np.log(sqrt_k / 2) - np.log(theta)
            linear = twice / theta
            omega = wrightomega(linear + log_ratio)
            large = np.where(omega > 1, np.log(omega) - log_ratio, linear - omega)
            guess = np.where(large > 1, large, twice / (sqrt_k + theta))
        t = np.minimum(guess, bound)
    for _ in range(50):
        x, c = sqrt_k * np.sinh(t), sqrt_k * np.cosh(t)  # twice the point
        slope = c + theta
        step = (x + theta * t - twice) / slope
        if np.all(np.abs(step) <= 1e-6 * t + 1e-300):  # to third order in such a step, all that remains is known
            step += step * step * (x / slope) / 2
            return t - step, (x - step * (c - step * x / 2)) / 2, c - step * (x - step * c / 2)
        t = np.minimum(t - step, bound)
    raise FloatingPointError("the proximal map did not converge; please report the arguments")


def prox_slopes(
    x: np.ndarray, t: np.ndarray, c: np.ndarray, total: np.ndarray, theta: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The response x'(z) of the proximal map, x''(z)/2, and the slope of the response in theta at fixed z; unchecked.

    Parameters
    ----------
    x, t : ndarray
        The proximal point and its angle; all arrays broadcast against each other.
    c, total : ndarray
        1/q''(x), and c + theta.
    theta : ndarray or float

    Examples
    --------
    >>> x, theta = np.array([1.0]), 0.2
    >>> t, c = signed_angle(x, np.ones(1)), inverse_curvature(x, np.ones(1))
    >>> [slope.round(4).item() for slope in prox_slopes(x, t, c, c + theta, theta)]
    [0.9179, 0.0277, -0.4167]
    """
    r = c / total
    bend = (theta / total) * (2 * x / total) / total
    return r, bend, -(r / total + t * bend)
