"""Laws of the inputs of simulated data: Gaussian as in the theory, and others with and without independent entries.

A row x of the inputs has E x x^T = C/d, where C has ones on its diagonal: the identity for the Gaussian, Rademacher and
Student designs and for orthogonal rows, and a correlation matrix for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from ptft.validation import generator, one_of, real_array, real_number, require, whole_number

BLOCK = 10  # coordinates of a block

# What the strength of a design is: its default, what is allowed, and which numbers are
_STRENGTHS: dict[str, tuple[float, str, Callable[[float], bool]]] = {
    "student": (3.0, "above 2, the degrees of freedom", lambda s: s > 2),
    "ar1": (0.5, "between -1 and 1, both excluded, the correlation of neighbours", lambda s: abs(s) < 1),
    "blocks": (0.5, "from 0 to below 1, the correlation within a block", lambda s: 0 <= s < 1),
    "spiked": (0.5, "from 0 to below 1, the correlation of any two coordinates", lambda s: 0 <= s < 1),
}
DESIGNS = ("gaussian", "rademacher", "orthogonal", *_STRENGTHS)


@dataclass(frozen=True)
class Design:
    """A law of the inputs, in which every coordinate has the variance 1/d.

    Parameters
    ----------
    name : str, default "gaussian"
        Independent entries, "gaussian", "rademacher" (signs) or "student" (heavy tails); "orthogonal", uniformly random
        orthonormal rows; or Gaussian rows whose coordinates are correlated, "ar1" (strength^|i - j|), "blocks" (equally
        within each ten coordinates) or "spiked" (equally, all of them: the variance along one direction is
        1 + (d - 1) strength times that of a coordinate).
    strength : float, optional
        Of "student" the degrees of freedom, above 2 (default 3); of the last three the correlation (default 0.5). The
        other designs have none.

    Raises
    ------
    ValueError
        If there is no such design, it has no strength, or the strength is outside its range.

    Examples
    --------
    >>> Design("ar1").strength, Design("orthogonal").strength
    (0.5, None)
    >>> X = Design("orthogonal").sample(3, 50, seed=0)
    >>> X.shape, bool(np.allclose(X @ X.T, np.eye(3)))
    ((3, 50), True)
    """

    name: str = "gaussian"
    strength: float | None = None

    def __post_init__(self) -> None:
        one_of(self.name, "name", DESIGNS)
        if self.name not in _STRENGTHS:
            require(self.strength is None, "strength", self.strength, f"None: the {self.name} design has none")
            return
        default, allowed, inside = _STRENGTHS[self.name]
        strength = default if self.strength is None else real_number(self.strength, "strength")
        require(inside(strength), "strength", strength, allowed)
        object.__setattr__(self, "strength", strength)

    def sample(self, n: int, d: int, seed: int | np.random.Generator) -> np.ndarray:
        """Draw n rows of d inputs, shape (n, d). One seed and d give the same first rows for every n.

        There are at most d orthonormal rows.
        """
        n, d, rng = whole_number(n, "n"), whole_number(d, "d", at_least=1), generator(seed)
        strength = self.strength or 0.0
        if self.name == "rademacher":
            X = rng.choice([-1.0, 1.0], size=(n, d))
        elif self.name == "student":
            X = rng.standard_t(strength, size=(n, d)) * np.sqrt(1 - 2 / strength)
        elif self.name in ("gaussian", "orthogonal"):
            X = rng.standard_normal((n, d))
        else:
            common = {"ar1": 0, "blocks": -(-d // BLOCK), "spiked": 1}[self.name]
            drawn = rng.standard_normal((n, d + common))  # row by row
            X, shared = drawn[:, :d], drawn[:, d:]
            if self.name == "ar1":
                X[:, 1:] *= np.sqrt(1 - strength**2)
                X = _decaying_sums(X, strength)
            else:
                along = shared.repeat(BLOCK, axis=1)[:, :d] if self.name == "blocks" else shared
                X = np.sqrt(1 - strength) * X + np.sqrt(strength) * along
        if self.name == "orthogonal":
            require(n <= d, "n", n, f"at most d = {d}: there are no more orthogonal rows")
            Q, R = linalg.qr(X.T, mode="economic")
            rows: np.ndarray = (Q * np.sign(np.diagonal(R))).T
            return rows
        result: np.ndarray = X / np.sqrt(d)
        return result

    def mean_square(self, error: ArrayLike) -> float:
        """E (x . error)^2 on a new input, error^T C error/d, for an error of shape (d,)."""
        e = real_array(error, "error", ndim=1)
        own, strength = float(np.mean(e**2)), self.strength
        if strength is None or self.name == "student":
            return own
        if self.name == "ar1":
            return float(np.mean(e * (2 * _decaying_sums(e, strength) - e)))
        sums = np.add.reduceat(e, np.arange(0, e.size, BLOCK)) if self.name == "blocks" else e.sum(keepdims=True)
        return (1 - strength) * own + strength * float(np.sum(sums**2)) / e.size


def design_of(design: Design | str) -> Design:
    """The design of this name with its default strength, or the design itself.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> design_of("blocks")
    Design(name='blocks', strength=0.5)
    """
    if isinstance(design, Design):
        return design
    return Design(one_of(design, "design", DESIGNS))


def _decaying_sums(values: np.ndarray, strength: float) -> np.ndarray:
    """s_j = values_j + strength s_(j-1) along the last axis; `scipy.signal` has it and takes a second to import."""
    bands = np.stack([np.ones(values.shape[-1]), np.full(values.shape[-1], -strength)])
    result: np.ndarray = linalg.solve_banded((1, 0), bands, values.T, check_finite=False).T
    return result
