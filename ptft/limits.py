"""The two ends of the penalty, where the error is known: (weighted) l2 and (weighted) l1 interpolation.

As k grows, q_k becomes quadratic and the end point the interpolator of least weighted norm. As k falls to 0, q_k
becomes (|beta|/4) log(1/k) to leading order, and the end point that of basis pursuit, which recovers sparse
coefficients exactly above a sharp data scale (Donoho, Maleki and Montanari, 2009). Errors are prediction risks,
E v (beta_hat - beta*)^2, where v is the variance of the inputs; in b = sqrt(v) beta the inputs are white, the weight of
b^2 is 1/(v sqrt(k)), and that of |b| is weight/sqrt(v).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr, ndtri

from ptft.teachers import GaussianMixture
from ptft.validation import instance_of, nonnegative_number, positive_array, positive_number, require


def minimum_norm_error(alpha: ArrayLike, mixture: GaussianMixture, noise_var: float = 0.0) -> np.ndarray:
    """E v (beta_hat - beta*)^2 of the interpolator that minimises sum beta^2/sqrt(k), for Gaussian inputs.

    The scalar estimator is linear, x_hat = z/(1 + theta/s) with s = v sqrt(k), and theta solves
    mean 1/(1 + theta/s) = alpha.

    Parameters
    ----------
    alpha : array_like in (0, 1)
    mixture : GaussianMixture
    noise_var : float, default 0

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from ptft import Initialization, SingleTask
    >>> minimum_norm_error([0.2, 0.5], SingleTask(0.1).mixture(Initialization(1.0))).round(12)
    array([0.8, 0.5])
    """
    alpha, noise = _data_scale(alpha), nonnegative_number(noise_var, "noise_var")
    instance_of(mixture, GaussianMixture, "mixture")
    w, v = mixture.weight, mixture.input_variance
    s, power = v * np.sqrt(mixture.k), v * (mixture.mean**2 + mixture.variance)

    def error(a: float) -> float:
        bounds = np.log([s.min() * (1 / a - 1), s.max() * (1 / a - 1)]) + np.array([-1.0, 1.0])
        theta = np.exp(brentq(lambda u: np.sum(w / (1 + np.exp(u) / s)) - a, *bounds, xtol=1e-14))
        gain = 1 / (1 + theta / s)
        tau2 = (noise + np.sum(w * (1 - gain) ** 2 * power)) / (a - np.sum(w * gain**2))
        return float(a * tau2 - noise)

    result: np.ndarray = np.vectorize(error, otypes=[float])(alpha)
    return result


def noisy_pretraining_peak(alpha: ArrayLike, power: float = 1.0, noise_var: float = 0.0) -> np.ndarray:
    """E v (beta_hat - beta*)^2 of fine-tuning after noisy pretraining as alpha_pt -> 1, from either side.

    The noise then makes every |beta_pt| large, and k proportional to the square of a standard normal variable xi: where
    all inputs have one variance, the end point minimises sum beta^2/|xi|. Neither the noise of pretraining nor the
    initialization or the overlap matter.

    Parameters
    ----------
    alpha : array_like in (0, 1)
    power : float, default 1
        E v (beta*_ft)^2.
    noise_var : float, default 0
        Of fine-tuning.

    Returns
    -------
    ndarray of the shape of alpha, accurate to about 1e-4 (xi is replaced by 20,000 quantiles)

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> noisy_pretraining_peak([0.2, 0.5]).round(3)
    array([0.9  , 0.708])
    """
    power = positive_number(power, "power")
    count = 20_000
    xi = ndtri(0.5 + (np.arange(count) + 0.5) / (2 * count))  # quantiles of |xi|
    return minimum_norm_error(
        alpha, GaussianMixture(np.full(count, 1 / count), np.zeros(1), np.full(1, power), xi**2), noise_var
    )


def _soft_threshold_power(u: np.ndarray) -> np.ndarray:
    """E soft(xi, u)^2 for xi ~ N(0, 1)."""
    result: np.ndarray = 2 * ((1 + u**2) * ndtr(-u) - u * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi))
    return result


def recovery_threshold(mixture: GaussianMixture, weights: ArrayLike = 1.0) -> float:
    """Data scale above which minimising sum weight_i |beta_i| recovers beta* exactly, without noise.

    Parameters
    ----------
    mixture : GaussianMixture
        A component is active unless its mean and variance are 0; `k` plays no role.
    weights : array_like, positive, default 1
        Weight of each component, broadcast to the components of `mixture`.

    Returns
    -------
    float
        The minimum over zeta of sum_active p (1 + w^2 zeta^2) + sum_zero p E soft(xi, w zeta)^2 with
        w = weight/sqrt(input_variance).

    Raises
    ------
    ValueError
        If a weight is not positive and finite.

    Examples
    --------
    >>> mixture = GaussianMixture([0.1, 0.9], 0.0, [10.0, 0.0], 1.0)
    >>> round(recovery_threshold(mixture), 4)
    0.3288
    """
    w = _weights(weights, mixture) / np.sqrt(mixture.input_variance)
    active = (mixture.mean != 0) | (mixture.variance > 0)

    def risk(zeta: float) -> float:
        u = w * zeta
        return float(np.sum(mixture.weight * np.where(active, 1 + u**2, _soft_threshold_power(u))))

    return float(minimize_scalar(risk, bounds=(0.0, 10 / w.min()), method="bounded", options={"xatol": 1e-10}).fun)


def basis_pursuit_error(alpha: ArrayLike, mixture: GaussianMixture, weights: ArrayLike = 1.0) -> np.ndarray:
    """E v (beta_hat - beta*)^2 of the interpolator of least sum weight_i |beta_i|, for Gaussian inputs, no noise.

    The scalar estimator is soft thresholding at zeta tau weight/sqrt(v), with P(|z| above the threshold) = alpha.

    Parameters
    ----------
    alpha : array_like in (0, 1)
    mixture : GaussianMixture
        Components with mean 0; `k` plays no role.
    weights : array_like, positive, default 1
        Weight of each component.

    Returns
    -------
    ndarray of the shape of alpha; exactly 0 above `recovery_threshold`.

    Raises
    ------
    ValueError
        If an argument is outside its range, or a component has another mean than 0.

    Examples
    --------
    >>> mixture = GaussianMixture([0.1, 0.9], 0.0, [10.0, 0.0], 1.0)
    >>> basis_pursuit_error([0.2, 0.4], mixture).round(4)
    array([0.4356, 0.    ])
    """
    alpha = _data_scale(alpha)
    threshold = recovery_threshold(mixture, weights)
    w, variance = (
        _weights(weights, mixture) / np.sqrt(mixture.input_variance),
        mixture.variance * mixture.input_variance,
    )
    require(mixture.mean == 0, "mixture.mean", mixture.mean, "0")

    def error(a: float) -> float:
        if a >= threshold:
            return 0.0

        def state(tau2: float) -> float:
            V = variance + tau2

            def share(log_cut: float) -> float:
                return float(np.sum(mixture.weight * 2 * ndtr(-w * np.exp(log_cut) / np.sqrt(V))) - a)

            cut = np.exp(brentq(share, np.log(1e-12 * np.sqrt(V.min())), np.log(40 * np.sqrt(V.max()) / w.min())))
            u, b = w * cut / np.sqrt(V), variance / V
            squared = V * (_soft_threshold_power(u) - 4 * b * ndtr(-u) + b**2) + variance * tau2 / V
            return float(np.sum(mixture.weight * squared))

        log_tau2 = brentq(lambda u: np.log(state(np.exp(u)) / a) - u, np.log(1e-12 * mixture.power), np.log(1e3 / a**2))
        return float(a * np.exp(log_tau2))

    result: np.ndarray = np.vectorize(error, otypes=[float])(alpha)
    return result


def _weights(weights: ArrayLike, mixture: GaussianMixture) -> np.ndarray:
    """One weight for each component of the mixture."""
    shape = instance_of(mixture, GaussianMixture, "mixture").weight.shape
    w = positive_array(weights, "weights")
    require(w.shape in ((), (1,), shape), "the shape of weights", w.shape, f"() or {shape}, as there are components")
    return np.broadcast_to(w, shape)


def _data_scale(alpha: ArrayLike) -> np.ndarray:
    alpha = positive_array(alpha, "alpha")
    require(alpha < 1, "alpha", alpha, "below 1")
    return alpha
