"""The weights at the start, and the one number k per coordinate through which pretraining enters (Theorem 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ptft.validation import broadcast, nonnegative_array, positive_array, real_array, require


@dataclass(frozen=True, eq=False)
class Initialization:
    """Initialization of a diagonal linear network for pretraining followed by fine-tuning (Equations 2-5).

    Its parameters broadcast against each other and against the coefficients handed to the methods.

    Parameters
    ----------
    c_pt : array_like, positive
        Absolute scale w1(0)^2 + w2(0)^2 at the start of pretraining.
    lambda_pt : array_like in [-c_pt, c_pt], default 0
        Relative scale w1(0)^2 - w2(0)^2; negative where the readout w2 dominates.
    gamma_ft : array_like, not negative, default 0
        Scale of the readout at the start of fine-tuning, w2(0) = gamma_ft / sqrt(2) in both pathways.
    distance : array_like in [0, 2], optional
        1 + lambda_pt/c_pt, for a lambda_pt so close to -c_pt that the sum of both has lost its digits. It replaces
        the sum and must agree with it to rounding; `at_distance` sets both.

    Raises
    ------
    ValueError
        If a parameter is outside its range, not finite, or the shapes do not broadcast; or if distance and lambda_pt
        contradict each other.

    Examples
    --------
    >>> init = Initialization(c_pt=1e-3, lambda_pt=0.0, gamma_ft=0.0)
    >>> float(init.sqrt_k(0.0))
    0.004
    """

    c_pt: ArrayLike
    lambda_pt: ArrayLike = 0.0
    gamma_ft: ArrayLike = 0.0
    distance: ArrayLike | None = None

    def __post_init__(self) -> None:
        c = positive_array(self.c_pt, "c_pt")
        lam = real_array(self.lambda_pt, "lambda_pt")
        gamma = nonnegative_array(self.gamma_ft, "gamma_ft")
        values = {"c_pt": c, "lambda_pt": lam, "gamma_ft": gamma}
        if self.distance is not None:
            values["distance"] = real_array(self.distance, "distance")
        broadcast(**values)
        require(np.abs(lam) <= c, "lambda_pt", lam, "between -c_pt and c_pt")
        if self.distance is not None:
            distance = values["distance"]
            require((distance >= 0) & (distance <= 2), "distance", distance, "between 0 and 2")
            rounding = 4 * np.finfo(np.float64).eps
            agree = np.abs(distance - 1 - lam / c) <= rounding
            require(agree, "distance", distance, "1 + lambda_pt/c_pt to rounding, as Initialization.at_distance has it")
        for name, value in values.items():
            object.__setattr__(self, name, float(value) if value.ndim == 0 else value)

    @classmethod
    def at_distance(cls, c_pt: ArrayLike, distance: ArrayLike, gamma_ft: ArrayLike = 0.0) -> Initialization:
        """The initialization with 1 + lambda_pt/c_pt = `distance`, exactly, however small.

        lambda_pt itself has 16 digits, of which one is left of 1 + lambda_pt/c_pt where that is 1e-15.

        Parameters
        ----------
        c_pt, gamma_ft : array_like
            As in `Initialization`.
        distance : array_like in [0, 2]
            0 where all weight is in the readout, 1 where both layers start alike.

        Raises
        ------
        ValueError
            As in `Initialization`.

        Examples
        --------
        >>> rounded, exact = Initialization(1e-3, (1e-12 - 1) * 1e-3), Initialization.at_distance(1e-3, 1e-12)
        >>> float(rounded.c_plus_lambda), float(exact.c_plus_lambda)
        (1.0000680839006293e-15, 1e-15)
        """
        c, distance = positive_array(c_pt, "c_pt"), real_array(distance, "distance")
        require((distance >= 0) & (distance <= 2), "distance", distance, "between 0 and 2")
        broadcast(c_pt=c, distance=distance)
        return cls(c_pt, (distance - 1) * c, gamma_ft, distance)

    @property
    def c_plus_lambda(self) -> np.ndarray:
        """c_pt + lambda_pt = 2 w1(0)^2, the scale of the first layer, exact where `distance` was given."""
        c = np.asarray(self.c_pt, dtype=np.float64)
        if self.distance is None:
            return c + np.asarray(self.lambda_pt, dtype=np.float64)
        return c * np.asarray(self.distance, dtype=np.float64)

    def sqrt_k(self, beta_pt: ArrayLike) -> np.ndarray:
        """sqrt(k) = 2 c_ft = 2 (lambda_pt + c_pt) (1 + sqrt(1 + (beta_pt/c_pt)^2)) + gamma_ft^2  (Equation 14).

        Parameters
        ----------
        beta_pt : array_like
            Coefficients found in pretraining, in the units of c_pt.

        Raises
        ------
        ValueError
            In the degenerate corner lambda_pt = -c_pt with gamma_ft = 0, where every weight of the first layer is zero
            after pretraining, so that fine-tuning starts on a saddle and never leaves it.
        """
        beta_pt = real_array(beta_pt, "beta_pt")
        c, first, gamma = np.asarray(self.c_pt), self.c_plus_lambda, np.asarray(self.gamma_ft)
        require(
            (first > 0) | (gamma > 0),
            "lambda_pt",
            self.lambda_pt,
            "above -c_pt where gamma_ft = 0 (with both, fine-tuning starts on a saddle and never leaves it; "
            "the limit of its bias is the l1 norm)",
        )
        result: np.ndarray = 2 * first * (1 + np.hypot(c, beta_pt) / c) + gamma**2
        return result

    def k(self, beta_pt: ArrayLike) -> np.ndarray:
        """Penalty scale k of fine-tuning after pretraining to `beta_pt` (Theorem 4.1); errors as in `sqrt_k`."""
        return _square(self.sqrt_k(beta_pt))

    @property
    def k_single_task(self) -> np.ndarray:
        """Penalty scale (2 c_pt)^2 of learning without pretraining; lambda_pt and gamma_ft play no role."""
        return _square(2 * np.asarray(self.c_pt, dtype=np.float64))

    def kappa(self, beta_pt: ArrayLike) -> np.ndarray:
        """Elasticity d log sqrt(k) / d log|beta_pt| in [0, 1) (Proposition B.1); errors as in `sqrt_k`."""
        beta_pt = real_array(beta_pt, "beta_pt")
        sqrt_k = self.sqrt_k(beta_pt)
        c, size = np.asarray(self.c_pt), np.abs(beta_pt)
        s = np.hypot(c, beta_pt)
        first_layer = 2 * self.c_plus_lambda * (1 + s / c)  # of sqrt_k, to the same rounding
        result: np.ndarray = first_layer / sqrt_k * (size / s) * (size / (s + c))  # no factor exceeds 1
        return result


def _square(sqrt_k: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        k = sqrt_k**2
    require((k > 0) & np.isfinite(k), "sqrt(k)", sqrt_k, "such that k is a positive float64 (1e-154 to 1e154)")
    return k


def scalar_initialization(init: object) -> Initialization:
    """`init` if it is an `Initialization` of three numbers.

    Raises
    ------
    ValueError
        If it is not.

    Examples
    --------
    >>> scalar_initialization(Initialization(1e-3)).c_pt
    0.001
    """
    if not isinstance(init, Initialization):
        raise ValueError(f"init = {init!r} is not allowed: it must be an Initialization")
    for name in ("c_pt", "lambda_pt", "gamma_ft", "distance"):
        if np.ndim(getattr(init, name)) > 0:
            raise ValueError(f"init.{name} has shape {np.shape(getattr(init, name))}: it must be one number here")
    return init
