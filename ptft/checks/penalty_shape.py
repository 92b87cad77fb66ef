"""Chapter 2: the closed forms of the measures, their triangle and the moves through it (Propositions 5.1 and B.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from ptft.checks.identities import Check, relative
from ptft.end_point import min_penalty
from ptft.extras import needs_extra
from ptft.infinite_width.linear import kernel_end_point
from ptft.initialization import Initialization
from ptft.penalties import penalty_grad, penalty_hess
from ptft.regimes import CORNERS, Measures, measures, measures_around
from ptft.validation import (
    broadcast,
    checked,
    generator,
    one_of,
    positive_array,
    real_array,
    regression,
    require,
    whole_number,
)


@checked
def random_settings(
    size: int, seed: int | np.random.Generator = 0, decades: float = 6.0
) -> tuple[np.ndarray, np.ndarray, Initialization]:
    """Coefficients and initializations from wide ranges, for a search for counterexamples.

    |beta_ft|, |beta_pt|, c_pt and gamma_ft are log-uniform over `decades` decades on either side of 1, the signs of the
    coefficients random; lambda_pt/c_pt is uniform in (-1, 1) for half of the settings, and for the others its distance
    from -1 is log-uniform down to 1e-6; gamma_ft is zero in a third of all.

    Returns
    -------
    beta_ft, beta_pt, init : arrays of shape (size,), and an `Initialization` of as many

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> beta_ft, beta_pt, init = random_settings(1000)
    >>> at = measures(beta_ft, beta_pt, init)
    >>> bool(np.all(at.shares > -1e-9))  # no counterexample to Proposition 5.1
    True
    """
    whole_number(size, "size", at_least=1)
    positive_array(decades, "decades", ndim=0)
    rng = generator(seed)
    beta_ft, beta_pt, c_pt, gamma_ft = 10 ** rng.uniform(-decades, decades, (4, size))
    signs = rng.choice([-1.0, 1.0], size=(2, size))
    near = rng.random(size) < 0.5
    distance = np.where(near, 10 ** rng.uniform(-6, 0, size), 1 + rng.uniform(-1, 1, size))
    gamma_ft = np.where(rng.random(size) < 1 / 3, 0.0, gamma_ft)
    return signs[0] * beta_ft, signs[1] * beta_pt, Initialization.at_distance(c_pt, distance, gamma_ft)


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Derivatives of the penalty as its definition has them, rounded to float64; arrays of shape (m,)."""

    first: np.ndarray  # dq/dbeta
    second: np.ndarray  # d2q/dbeta2
    ell_order: np.ndarray  # d log q / d log|beta_ft|
    pretraining_dependence: np.ndarray  # d log q / d log|beta_pt|


@checked
def derivatives_of_definition(
    beta_ft: ArrayLike, beta_pt: ArrayLike, init: Initialization, digits: int = 100
) -> Derivatives:
    """Differentiate the penalty of Theorem 4.1 numerically, in multiple precision and without any closed form.

    q is taken from Equations 12 and 14 as they stand, which shares nothing with `ptft.penalty`. Needs mpmath.

    Parameters
    ----------
    beta_ft, beta_pt : array_like, not zero, shape (m,)
    init : Initialization
        Scalars or arrays of shape (m,).
    digits : int, default 100
        Working precision; the definition loses 2 log10(sqrt(k)/|beta_ft|) of them where the penalty is quadratic.

    Raises
    ------
    ValueError
        If a coefficient is zero or not finite, or the shapes do not broadcast.

    Examples
    --------
    >>> found = derivatives_of_definition([0.5], [1.0], Initialization(0.1), digits=30)
    >>> at = measures([0.5], [1.0], Initialization(0.1))
    >>> bool(np.isclose(found.ell_order, at.ell_order, rtol=1e-12)[0])
    True
    """
    with needs_extra("book", "derivatives_of_definition"):
        import mpmath

    ft, pt, c, first, gamma = broadcast(
        beta_ft=real_array(beta_ft, "beta_ft", ndim=1),
        beta_pt=real_array(beta_pt, "beta_pt", ndim=1),
        c_pt=np.asarray(init.c_pt),
        c_plus_lambda=init.c_plus_lambda,
        gamma_ft=np.asarray(init.gamma_ft),
    )
    require(ft != 0, "beta_ft", ft, "other than zero, where its logarithm has no derivative")
    require(pt != 0, "beta_pt", pt, "other than zero, where its logarithm has no derivative")
    whole_number(digits, "digits", at_least=15)

    def definition(beta: Any, pretrained: Any, c: Any, first: Any, gamma: Any) -> Any:
        root = 2 * first * (1 + mpmath.sqrt(1 + (pretrained / c) ** 2)) + gamma**2
        x = 2 * beta / root
        return root / 4 * (1 - mpmath.sqrt(1 + x**2) + x * mpmath.asinh(x))

    rows = []
    with mpmath.workdps(digits):
        for numbers in zip(ft, pt, c, first, gamma, strict=True):
            b, p, *scales = (mpmath.mpf(float(number)) for number in numbers)
            rows.append(
                [
                    # in units of beta, so that the steps of the differences are small against it
                    mpmath.diff(lambda u, b=b, p=p, s=scales: definition(b * u, p, *s), 1) / b,
                    mpmath.diff(lambda u, b=b, p=p, s=scales: definition(b * u, p, *s), 1, 2) / b**2,
                    mpmath.diff(lambda u, b=b, p=p, s=scales: mpmath.log(definition(b * mpmath.exp(u), p, *s)), 0),
                    mpmath.diff(lambda u, b=b, p=p, s=scales: mpmath.log(definition(b, p * mpmath.exp(u), *s)), 0),
                ]
            )
    return Derivatives(*np.array(rows, dtype=np.float64).T)


@checked
def closed_forms(beta_ft: ArrayLike, beta_pt: ArrayLike, init: Initialization, digits: int = 100) -> list[Check]:
    """q', q'' and both measures against the derivatives of the definition, relative to those.

    Parameters and errors are those of `derivatives_of_definition`; the arrays have the shape (m,).

    Examples
    --------
    >>> [check.holds for check in closed_forms(*random_settings(3))]
    [True, True, True, True]
    """
    exact, at, k = (
        derivatives_of_definition(beta_ft, beta_pt, init, digits),
        measures(beta_ft, beta_pt, init),
        init.k(beta_pt),
    )
    return [
        relative("relative error of $q_k'$", exact.first, penalty_grad(beta_ft, k), 1e-12),
        relative("relative error of $q_k''$", exact.second, penalty_hess(beta_ft, k), 1e-12),
        relative("relative error of the $\\ell$-order", exact.ell_order, at.ell_order, 1e-12),
        relative("relative error of PD", exact.pretraining_dependence, at.pretraining_dependence, 1e-12),
    ]


@checked
def bounds(beta_ft: ArrayLike, beta_pt: ArrayLike, init: Initialization) -> list[Check]:
    """The measures, their sum and the elasticity of sqrt(k) stay in their intervals (Proposition 5.1).

    The theory of each is the nearest number in its interval. Rounding may turn a strict bound into an equality.

    Parameters
    ----------
    beta_ft, beta_pt, init
        As in `ptft.regimes.measures`, as are errors; the arrays have their common shape.

    Examples
    --------
    >>> [check.holds for check in bounds(*random_settings(1000))]
    [True, True, True, True]
    """
    at = measures(beta_ft, beta_pt, init)
    intervals = {
        "$1 \\le \\ell\\text{-order} \\le 2$": (at.ell_order, 1, 2),
        "$0 \\le \\kappa \\le 1$": (init.kappa(beta_pt), 0, 1),
        "$-1 \\le \\mathrm{PD} \\le 0$": (at.pretraining_dependence, -1, 0),
        "$1 \\le \\ell\\text{-order} + \\mathrm{PD} \\le 2$": (at.shares[2] + 1, 1, 2),
    }
    return [
        Check(f"violation of {name}", np.clip(value, low, high), value, 1e-15)
        for name, (value, low, high) in intervals.items()
    ]


@checked
def straight_line(c_pt: float, distance: ArrayLike, beta_ft: float = 1.0, beta_pt: float = 1.0) -> Check:
    """As lambda_pt changes without a new readout, the measures move on a line: PD = kappa (1 - ell_order).

    Parameters
    ----------
    c_pt : float
    distance : array_like in (0, 2], any shape
        1 + lambda_pt/c_pt along the path. kappa does not depend on it, and is taken at lambda_pt = 0.
    beta_ft, beta_pt : float, default 1

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> straight_line(1e-3, [1e-3, 1.0, 2.0]).holds
    True
    """
    at = measures(beta_ft, beta_pt, Initialization.at_distance(c_pt, distance))
    line = Initialization(c_pt).kappa(beta_pt) * (1 - at.ell_order)
    return Check(
        "distance of the path in $\\lambda_{\\mathrm{PT}}$ from a straight line", line, at.pretraining_dependence, 1e-12
    )


@checked
def lazier_with_scale(c_pt: ArrayLike, relative: float = 0.0, beta_ft: float = 1.0, beta_pt: float = 1.0) -> Check:
    """The ell-order does not fall as c_pt grows at a fixed lambda_pt/c_pt, without a new readout.

    Parameters
    ----------
    c_pt : array_like, ascending, shape (m,)
    relative : float in (-1, 1], default 0
        lambda_pt/c_pt.
    beta_ft, beta_pt : float, default 1

    Returns
    -------
    Check
        Each ell-order, shape (m - 1,), and the next one as its upper bound.

    Raises
    ------
    ValueError
        If c_pt is not a vector of positive numbers.

    Examples
    --------
    >>> lazier_with_scale([1e-3, 1.0, 100.0]).holds
    True
    """
    c = positive_array(c_pt, "c_pt", ndim=1)
    ell = measures(beta_ft, beta_pt, Initialization.at_distance(c, 1 + relative)).ell_order
    return Check(
        "decrease of the $\\ell$-order as $c_{\\mathrm{PT}}$ grows at a fixed "
        "$\\lambda_{\\mathrm{PT}}/c_{\\mathrm{PT}}$",
        ell[1:],
        ell[:-1],
        0.0,
        at_most=True,
    )


@checked
def first_step_of_scale(
    lambda_pt: float, shares: ArrayLike = (0.5, 0.9, 0.99, 1.01, 1.1, 2.0), beta_ft: float = 1.0
) -> Check:
    """As c_pt grows from a fixed lambda_pt > 0 on, the ell-order falls at first where |beta_pt| > sqrt(3) lambda_pt.

    And it rises at first where |beta_pt| is smaller. There is no new readout.

    Parameters
    ----------
    lambda_pt : float, positive
    shares : array_like, positive and not 1, shape (m,)
        |beta_pt| in units of sqrt(3) lambda_pt.
    beta_ft : float, not zero, default 1

    Returns
    -------
    Check
        Signs of the first step of the ell-order, c_pt from lambda_pt to (1 + 1e-6) lambda_pt, shape (m,).

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> check = first_step_of_scale(0.01)
    >>> check.measured, check.holds
    (array([ 1.,  1.,  1., -1., -1., -1.]), True)
    """
    lam, share = float(positive_array(lambda_pt, "lambda_pt", ndim=0)), positive_array(shares, "shares", ndim=1)
    require(share != 1, "shares", share, "other than 1, where the first step is neither up nor down")
    ft = real_array(beta_ft, "beta_ft", ndim=0)
    require(ft != 0, "beta_ft", ft, "other than zero, where the ell-order is 2 whatever the scale is")
    path = Initialization(lam * np.array([1.0, 1 + 1e-6]), lam)
    ell = measures(ft, np.sqrt(3) * lam * share[:, None], path).ell_order
    return Check(
        "difference of the sign of the first step of the $\\ell$-order as $c_{\\mathrm{PT}}$ grows at a fixed "
        "$\\lambda_{\\mathrm{PT}}$",
        np.where(share < 1, 1.0, -1.0),
        np.sign(np.diff(ell, axis=1)[:, 0]),
        0.0,
    )


@checked
def means_around(init: Initialization, beta_ft: ArrayLike, beta_pt: float = 1.0, points: int = 2001) -> Check:
    """`measures_around` against the averages of the measures at many coefficients of the decade; shape (2, m).

    Parameters
    ----------
    init : Initialization
        Scalar parameters.
    beta_ft : array_like, not zero, shape (m,)
        Middle of each range.
    beta_pt : float, default 1
    points : int, default 2001
        Of a decade, in equal steps of log|beta_ft|.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> means_around(Initialization(1e-3, -0.9e-3), [0.3, 3.0]).holds
    True
    """
    beta_ft = real_array(beta_ft, "beta_ft", ndim=1)
    mean = measures_around(beta_ft, beta_pt, init)
    steps = whole_number(points, "points", at_least=3) - 1
    each = measures(beta_ft * 10 ** np.linspace(-0.5, 0.5, steps + 1)[:, None], beta_pt, init)
    averages = [np.trapezoid(values, axis=0) / steps for values in (each.ell_order, each.pretraining_dependence)]
    return Check(
        "difference of the measures of a range from averages over it",
        np.stack([mean.ell_order, mean.pretraining_dependence]),
        np.stack(averages),
        1e-6,
    )


@checked
def corner(name: str, at: Measures) -> Check:
    """The measures at a corner of the triangle, which counts as reached within 0.05: both of them, shape (2, ...).

    Parameters
    ----------
    name : "I", "II" or "III"
    at : Measures, of any shape

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> lazy = measures(1.0, 1.0, Initialization(100.0))
    >>> corner("III", lazy).holds, corner("II", lazy).holds
    (True, False)
    """
    one_of(name, "name", CORNERS)
    measured = np.stack([at.ell_order, at.pretraining_dependence])
    theory = np.reshape(CORNERS[name], (2,) + (1,) * (measured.ndim - 1))
    return Check(f"distance from the corner {name}", theory, measured, 0.05)


@checked
def moves(path: Measures, ell_order: int, pretraining_dependence: int) -> np.ndarray:
    """How far each step of a path takes both measures the way that is stated: the smaller of the two steps.

    Where a measure is to be at zero it is minus its size, so that a step is as stated where it is not negative, up to
    rounding.

    Parameters
    ----------
    path : Measures of shape (m,)
    ell_order, pretraining_dependence : 1, -1 or 0
        Up, down, or at zero on both sides of the step.

    Returns
    -------
    ndarray, shape (m - 1,)

    Raises
    ------
    ValueError
        If a direction is none of these.

    Examples
    --------
    >>> moves(measures(1.0, 1.0, Initialization([1e-3, 1.0, 2.0])), ell_order=1, pretraining_dependence=1).round(3)
    array([0.087, 0.017])
    """
    require(ell_order in (1, -1, 0), "ell_order", ell_order, "1, -1 or 0")
    require(pretraining_dependence in (1, -1, 0), "pretraining_dependence", pretraining_dependence, "1, -1 or 0")

    def goes(values: np.ndarray, way: int) -> np.ndarray:
        if way == 0:
            return np.asarray(-np.maximum(np.abs(values[1:]), np.abs(values[:-1])))
        return np.asarray(way * np.diff(values))

    lazier, nearer = goes(path.ell_order, ell_order), goes(path.pretraining_dependence, pretraining_dependence)
    return np.asarray(np.minimum(lazier, nearer))


@checked
def lazy_minimiser(X: ArrayLike, y: ArrayLike, init: Initialization, beta_pt: ArrayLike) -> Check:
    """For large scales the end point is that of least sum beta^2/(4 (lambda_pt + c_pt) + gamma_ft^2), shape (d,).

    Parameters
    ----------
    X : array_like, shape (n, d)
    y : array_like, shape (n,)
    init : Initialization
        Its parameters may differ between the coordinates, arrays of shape (d,).
    beta_pt : array_like, shape (d,)

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.

    Examples
    --------
    >>> X, y, beta_pt = [[1.0, 2.0]], [1.0], [1.0, 0.0]
    >>> lazy_minimiser(X, y, Initialization([1e6, 1e7]), beta_pt).holds  # each coordinate has its own scale
    True
    >>> lazy_minimiser(X, y, Initialization([1.0, 10.0]), beta_pt).holds  # not yet lazy
    False
    """
    beta_pt = real_array(beta_pt, "beta_pt", ndim=1)
    limit = kernel_end_point(X, y, np.diag(np.broadcast_to(init.sqrt_k(0.0), beta_pt.shape)))
    size = float(np.linalg.norm(limit))
    return Check(
        "relative distance from the minimiser of the limit", limit, min_penalty(X, y, init.k(beta_pt)).beta, 1e-6, size
    )


@checked
def rich_minimiser(
    X: ArrayLike, y: ArrayLike, init: Initialization, beta_pt: ArrayLike, weights: ArrayLike | None = None
) -> Check:
    """For small scales the end point is that of least sum weights |beta|, shape (d,), by a linear program.

    Parameters
    ----------
    X, y, init, beta_pt
        As in `lazy_minimiser`.
    weights : array_like, positive, optional
        One number or shape (d,); by default log(1/sqrt(k)), to which they are proportional in the limit.

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.

    Examples
    --------
    >>> X, y, beta_pt = [[1.0, 2.0]], [1.0], [1.0, 0.0]
    >>> rich_minimiser(X, y, Initialization.at_distance(1e-3, 1e-30), beta_pt).holds
    True
    >>> rich_minimiser(X, y, Initialization.at_distance(1e-3, 1e-30), beta_pt, weights=1.0).holds  # the plain norm
    True
    >>> rich_minimiser(X, y, Initialization(1e-3), beta_pt).holds  # the first coordinate is not rich
    False
    """
    (X, y), beta_pt = regression(X, y), real_array(beta_pt, "beta_pt", ndim=1)
    given = np.log(1 / init.sqrt_k(beta_pt)) if weights is None else positive_array(weights, "weights")
    each, _ = broadcast(weights=given, beta_pt=beta_pt)
    both = linprog(np.tile(each, 2), A_eq=np.hstack([X, -X]), b_eq=y).x
    limit = np.nan if both is None else both[: beta_pt.size] - both[beta_pt.size :]
    measured, size = min_penalty(X, y, init.k(beta_pt)).beta, float(np.linalg.norm(limit))
    return Check("relative distance from the minimiser of the limit", limit, measured, 1e-2, size)
