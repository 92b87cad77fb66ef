"""The regimes of fine-tuning as places in a triangle: the plane of the two measures (Section 5, Proposition 5.1).

Its corners are the rich regime (I), the lazy one that depends on pretraining (II) and the lazy one that does not (III).
A regime belongs to a place: an initialization together with a fine-tuned and a pretrained coefficient (`measures`), or
with a range of the former (`measures_around`). What Figure 5 names by numerals are initializations, here `STARTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ptft.initialization import Initialization
from ptft.penalties import ell_order, pretraining_dependence, signed_angle
from ptft.validation import (
    broadcast,
    instance_of,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    real_number,
    require,
)

CORNERS = {"I": (1.0, 0.0), "II": (2.0, -1.0), "III": (2.0, 0.0)}  # (ell_order, pretraining_dependence)
NAMES = ("I", "I-w", "II", "III", "IV", "between")  # of regimes
STARTS: Mapping[str, Initialization] = {  # the initializations that Figure 5 calls I to IV
    "start I": Initialization(1e-3, -0.999999e-3, 1e-6),
    "start II": Initialization(1e-3),  # also the base point of the published sweeps
    "start III": Initialization(1e-3, 0.0, 10.0),
    "start IV": Initialization(1e-3, -0.99e-3),
}
DOMINANT = 2 / 3  # the share from which a regime gives its name to a point
MEMORY = 1 / DOMINANT  # the cost ratio from which the rich regime is called one with memory


@dataclass(frozen=True, eq=False)
class Measures:
    """Shape of the penalty at given coefficients, or on average over a range of them: arrays of one shape."""

    ell_order: np.ndarray  # d log q / d log|beta_ft|
    pretraining_dependence: np.ndarray  # d log q / d log|beta_pt|
    cost_ratio: np.ndarray = field(default_factory=lambda: np.ones(()))  # q where beta_pt = 0 over q, at least 1

    @property
    def shares(self) -> np.ndarray:
        """Shares of the corners I, II and III, shape (3, ...); not negative (Proposition 5.1), and their sum is 1.

        The point (ell_order, pretraining_dependence) is the mean of the corners with these weights: 2 - ell_order,
        -pretraining_dependence and ell_order + pretraining_dependence - 1.
        """
        ell, pd = self.ell_order, self.pretraining_dependence
        return np.stack([2 - ell, -pd, ell + pd - 1])

    @property
    def regime(self) -> np.ndarray:
        """Name of the regime at each point, one of `NAMES`, an array of strings.

        "I", "II" or "III" where that corner has a share of at least 2/3; otherwise "IV" where I and II together have
        one (the pretraining-dependent rich regime of Section 5.2), and "between" elsewhere. I is called "I-w", rich
        with memory, where the cost ratio is at least 3/2: the penalty is nearly a weighted l1 norm.
        """
        one, two, three = self.shares
        rich = one >= DOMINANT
        tests = [rich & (self.cost_ratio >= MEMORY), rich, two >= DOMINANT, three >= DOMINANT, one + two >= DOMINANT]
        return np.select(tests, ["I-w", "I", "II", "III", "IV"], default="between")

    @property
    def label(self) -> np.ndarray:
        """Name of the regime with both measures beside it, an array of strings."""
        parts = np.broadcast_arrays(self.regime, self.ell_order, self.pretraining_dependence)
        rows = zip(*(part.flat for part in parts), strict=True)
        labels = [f"{name} ({ell:.2f}, {round(float(pd), 2) + 0.0:.2f})" for name, ell, pd in rows]  # no -0.00
        return np.reshape(labels, parts[0].shape)


def measures(beta_ft: ArrayLike, beta_pt: ArrayLike, init: Initialization) -> Measures:
    """Both measures at coefficients `beta_ft` after pretraining to `beta_pt` (Proposition B.1).

    Parameters
    ----------
    beta_ft, beta_pt : array_like
        Fine-tuned and pretrained coefficients; they and the parameters of `init` broadcast against each other.
    init : Initialization

    Raises
    ------
    ValueError
        If a coefficient is not finite, or `init` is in the degenerate corner (see `Initialization.sqrt_k`).

    Examples
    --------
    >>> at = measures(beta_ft=1.0, beta_pt=1.0, init=Initialization(c_pt=1e-3, lambda_pt=-0.9e-3))
    >>> at.shares.round(2), str(at.label)
    (array([0.57, 0.43, 0.  ]), 'IV (1.43, -0.43)')
    """
    beta_ft, beta_pt = real_array(beta_ft, "beta_ft"), real_array(beta_pt, "beta_pt")
    instance_of(init, Initialization, "init")
    ell, pd, ratio = broadcast(
        ell_order=ell_order(beta_ft, init.k(beta_pt)),
        pretraining_dependence=pretraining_dependence(beta_ft, beta_pt, init),
        cost_ratio=_cost_ratio(beta_ft, beta_pt, init),
    )
    return Measures(np.array(ell), np.array(pd) + 0.0, np.array(ratio))  # + 0.0 makes -0.0 a zero


def measures_around(beta_ft: ArrayLike, beta_pt: ArrayLike, init: Initialization, decades: float = 1.0) -> Measures:
    """Means of both measures over log|beta_ft| in a range with the geometric middle `beta_ft`; the cost ratio there.

    The mean ell-order is the exponent of the penalty from one end of the range to the other. The regime of an
    initialization for a task is that of the decade around a typical coefficient, where pretraining found one, too.

    Parameters
    ----------
    beta_ft : array_like, not zero
    beta_pt : array_like
        They and the parameters of `init` broadcast against each other.
    init : Initialization
    decades : float, default 1
        Width of the range.

    Raises
    ------
    ValueError
        As `measures`, or if beta_ft is 0 or `decades` is not positive.

    Examples
    --------
    >>> start = STARTS["start IV"]  # of Figure 5, whose tasks have typical coefficients of 3.2 and 10
    >>> str(measures_around(3.2, 1.0, start).label), measures_around(3.2, 1.0, start).cost_ratio.round(1)
    ('I-w (1.18, -0.18)', np.float64(2.1))
    """
    beta_ft, beta_pt = real_array(beta_ft, "beta_ft"), real_array(beta_pt, "beta_pt")
    require(beta_ft != 0, "beta_ft", beta_ft, "other than zero, around which there is no range of logarithms")
    width = positive_number(decades, "decades") * np.log(10)
    half = np.exp(width / 2)
    sqrt_k = instance_of(init, Initialization, "init").sqrt_k(beta_pt)
    low, high = (_penalty_over_size(np.abs(beta_ft) * factor, sqrt_k) for factor in (1 / half, half))
    ell = 1 + np.log(high / low) / width
    ell, pd, ratio = broadcast(
        ell_order=np.asarray(ell),
        pretraining_dependence=np.asarray((1 - ell) * init.kappa(beta_pt)),
        cost_ratio=_cost_ratio(beta_ft, beta_pt, init),
    )
    return Measures(np.array(ell), np.array(pd) + 0.0, np.array(ratio))


def _penalty_over_size(beta: np.ndarray, sqrt_k: np.ndarray) -> np.ndarray:
    """2 q_k(beta)/|beta| = t - tanh(t/2)."""
    t = np.abs(signed_angle(beta, sqrt_k))
    return np.asarray(t - np.tanh(t / 2))


def _cost_ratio(beta_ft: np.ndarray, beta_pt: np.ndarray, init: Initialization) -> np.ndarray:
    """Penalty of `beta_ft` where pretraining found 0 over that where it found `beta_pt`, at least 1."""
    used, unused = init.sqrt_k(beta_pt), init.sqrt_k(0.0)
    cheap, costly = (_penalty_over_size(beta_ft, sqrt_k) for sqrt_k in (used, unused))
    quadratic = np.broadcast_to(used / unused, np.shape(cheap))  # the limit as beta_ft vanishes
    result: np.ndarray = np.divide(costly, cheap, out=np.array(quadratic), where=cheap > 1e-300)
    return result


@dataclass(frozen=True, eq=False)
class PhasePortrait:
    """The measures over the plane of initializations (Figure 2b)."""

    c_pt: np.ndarray  # (m,) absolute scales, the columns
    relative: np.ndarray  # (r,) lambda_pt/c_pt, the rows
    gamma_ft: float
    beta_ft: float
    beta_pt: float
    measures: Measures  # of shape (r, m)


def phase_portrait(
    c_pt: ArrayLike, relative: ArrayLike, gamma_ft: float = 0.0, beta_ft: float = 1.0, beta_pt: float = 1.0
) -> PhasePortrait:
    """The measures on a grid of absolute and relative scales.

    Parameters
    ----------
    c_pt : array_like, positive, shape (m,)
    relative : array_like in [-1, 1], shape (r,)
        lambda_pt/c_pt; above -1 where gamma_ft = 0.
    gamma_ft : float, default 0
    beta_ft, beta_pt : float, default 1
        Coefficients at which the measures are taken; beta_pt = 0 is a coordinate that pretraining did not use.

    Raises
    ------
    ValueError
        If an argument is outside its range, or the grid holds the degenerate corner (see `Initialization.sqrt_k`).

    Examples
    --------
    >>> portrait = phase_portrait([1e-3, 1.0], [-0.9, 0.0, 0.9])
    >>> portrait.measures.ell_order.round(2)  # a row for each relative scale
    array([[1.43, 1.59],
           [1.89, 1.97],
           [1.96, 1.99]])
    """
    c = positive_array(c_pt, "c_pt", ndim=1)
    ratio = real_array(relative, "relative", ndim=1)
    require(np.abs(ratio) <= 1, "relative", ratio, "between -1 and 1")
    gamma = nonnegative_number(gamma_ft, "gamma_ft")
    beta_ft, beta_pt = real_number(beta_ft, "beta_ft"), real_number(beta_pt, "beta_pt")
    init = Initialization.at_distance(c, 1 + ratio[:, None], gamma)
    return PhasePortrait(c, ratio, gamma, beta_ft, beta_pt, measures(beta_ft, beta_pt, init))
