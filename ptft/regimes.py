"""The regimes of fine-tuning as places in a triangle: the plane of the two measures (Section 5, Proposition 5.1).

Its corners are the rich regime (I), the lazy one that depends on pretraining (II) and the lazy one that does not (III).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ptft.initialization import Initialization
from ptft.penalties import ell_order, pretraining_dependence
from ptft.validation import (
    broadcast,
    instance_of,
    nonnegative_number,
    positive_array,
    real_array,
    real_number,
    require,
)

CORNERS = {"I": (1.0, 0.0), "II": (2.0, -1.0), "III": (2.0, 0.0)}  # (ell_order, pretraining_dependence)
REGIMES: Mapping[str, Initialization] = {  # the initializations that Figure 5 names by the regimes that they lead to
    "I": Initialization(1e-3, -0.999999e-3, 1e-6),
    "II": Initialization(1e-3),  # also the base point of the published sweeps
    "III": Initialization(1e-3, 0.0, 10.0),
    "IV": Initialization(1e-3, -0.99e-3),
}
DOMINANT = 2 / 3  # the share from which a regime gives its name to a point


@dataclass(frozen=True, eq=False)
class Measures:
    """Shape of the penalty at given coefficients: two arrays of one shape."""

    ell_order: np.ndarray  # d log q / d log|beta_ft|
    pretraining_dependence: np.ndarray  # d log q / d log|beta_pt|

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
        """Name of the regime at each point, an array of strings.

        "I", "II" or "III" where that corner has a share of at least 2/3; otherwise "IV" where I and II together have
        one (the pretraining-dependent rich regime of Section 5.2), and "between" elsewhere.
        """
        one, two, three = self.shares
        tests = [one >= DOMINANT, two >= DOMINANT, three >= DOMINANT, one + two >= DOMINANT]
        return np.select(tests, ["I", "II", "III", "IV"], default="between")


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
    >>> at.shares.round(2), str(at.regime)
    (array([0.57, 0.43, 0.  ]), 'IV')
    """
    beta_ft, beta_pt = real_array(beta_ft, "beta_ft"), real_array(beta_pt, "beta_pt")
    instance_of(init, Initialization, "init")
    ell, pd = broadcast(
        ell_order=ell_order(beta_ft, init.k(beta_pt)),
        pretraining_dependence=pretraining_dependence(beta_ft, beta_pt, init),
    )
    return Measures(np.array(ell), np.array(pd) + 0.0)  # + 0.0 makes -0.0 a zero


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
