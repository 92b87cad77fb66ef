"""One identity, or bound, with both of its sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ptft.validation import check_fields, checked


@dataclass(frozen=True, eq=False)
class Check:
    """Theory and measurement of one quantity, and how far they may be apart.

    Examples
    --------
    >>> check = Check("area of the disc", theory=np.pi, measured=[3.14, 3.142], bound=1e-3, unit=np.pi)
    >>> check.error.round(5), check.holds  # in units of the theory
    (array([-0.00051,  0.00013]), True)
    >>> Check("residual below its bound", 0.5, 0.2, bound=0.0, at_most=True).holds
    True

    Raises
    ------
    ValueError
        If a field is of another kind. Numbers may be missing: the identity then does not hold.
    """

    statement: str  # what the difference is, as the head of a row
    theory: ArrayLike
    measured: ArrayLike  # broadcasts against the theory
    bound: float  # on the size of `error`
    unit: ArrayLike = 1.0  # of `error`: the theory for relative errors, or a standard error
    at_most: bool = False  # the theory is an upper bound: only what exceeds it counts

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def difference(self) -> np.ndarray:
        """The measurement minus the theory."""
        return np.asarray(np.subtract(self.measured, self.theory))

    @property
    def error(self) -> np.ndarray:
        """The difference in its unit; 0 where the theory is an upper bound that is kept."""
        error = np.asarray(self.difference / np.asarray(self.unit))
        return np.maximum(error, 0.0) if self.at_most else error

    @property
    def largest(self) -> float:
        """The largest size of an error; nan if one is."""
        return float(np.max(np.abs(self.error), initial=0.0))

    @property
    def holds(self) -> bool:
        """Whether no error is larger than the bound."""
        return self.largest <= self.bound


@checked
def relative(statement: str, theory: ArrayLike, measured: ArrayLike, bound: float) -> Check:
    """A `Check` whose error is relative to the theory, arrays that broadcast against each other.

    Examples
    --------
    >>> relative("area of the disc", np.pi, 3.14, bound=1e-3).largest.__round__(5)
    0.00051
    """
    return Check(statement, theory, measured, bound, unit=np.abs(theory))
