"""The Monte-Carlo solver of Appendix E.2: an independent check, and a solver for teachers that can only be sampled.

A sample of (beta*, k, xi) is drawn once. For a guess (tau^2, theta) it gives x_hat(beta* + tau xi), hence estimates of
both expectations of Proposition 4.2; the guess moves towards the result, with damping, until it moves no more. Along
alpha each solution starts from its neighbour's, once upwards and once downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ptft.penalties import prox_angle
from ptft.replica import ReplicaCurve
from ptft.validation import (
    checked,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    require,
    require_table,
)

if TYPE_CHECKING:
    import pandas as pd

DAMPING = 0.25  # share of the new iterate
TOLERANCE = 1e-10
MAX_STEPS = 900
FLOOR = 1e-12  # of tau^2 and theta in the iteration, and of the error in decibels
BATCHES = 32
DIAGNOSED = ("exact", "mse", "mse_se", "residual", "mismatch_db", "reliability_db", "converged")


@dataclass(frozen=True, eq=False)
class MonteCarloCurve(ReplicaCurve):
    """A `ReplicaCurve` with the diagnostics of Appendix E.2.4.

    `residual` is absolute, as in the paper, and `converged` is that of the pass whose result is given, not of both.
    """

    mse_se: np.ndarray  # standard error of mse, by batch means
    reliability_db: np.ndarray  # max(mismatch_db, 3 standard errors in dB, log10(1 + residual/tolerance))


def iterate_once(
    tau2: float,
    theta: float,
    alpha: float,
    sample: tuple[np.ndarray, ...],
    noise_var: float,
    ridge: float,
    angle: np.ndarray | None = None,
    scale: np.ndarray | float = 1.0,
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """One step of the two equations for `sample` = (beta*, sqrt(k), xi): tau^2, theta, errors, angles; unchecked.

    Parameters
    ----------
    tau2, theta, alpha, noise_var, ridge : float
    sample : three ndarrays, shape (samples,)
        In coordinates with white inputs: sqrt(v) beta* and sqrt(v k), where v is the variance of the inputs.
    angle : ndarray, shape (samples,), optional
        The angles of a step from nearby, from which the search for the new ones starts: five times as fast.
    scale : float or ndarray, shape (samples,), default 1
        1/sqrt(v), a factor on theta.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sample = rng.standard_normal(1000), np.full(1000, 2.0), rng.standard_normal(1000)  # beta*, sqrt(k), xi
    >>> tau2, theta, squared, angle = iterate_once(1.0, 1.0, 0.5, sample, noise_var=0.0, ridge=0.0)
    >>> bool(np.isclose(tau2, squared.mean() / 0.5)), squared.shape
    (True, (1000,))
    """
    beta, sqrt_k, xi = sample
    z, local = beta + np.sqrt(tau2) * xi, scale * theta
    t = prox_angle(np.abs(z), sqrt_k, local, angle)
    error = (z - beta) - np.sign(z) * (local / 2) * t  # x_hat - beta*
    squared = error**2
    inverse_curvature = sqrt_k * np.cosh(t)  # 1/q''(x_hat)
    response = np.mean(inverse_curvature / (inverse_curvature + local))
    return float((noise_var + squared.mean()) / alpha), float(ridge + theta * response / alpha), squared, t


def solve_by_monte_carlo(
    alpha: ArrayLike,
    beta: ArrayLike,
    k: ArrayLike,
    xi: ArrayLike,
    noise_var: float,
    ridge: float,
    input_variance: ArrayLike = 1.0,
) -> MonteCarloCurve:
    """Solve Proposition 4.2 along `alpha` for a sample of coefficients, scales and standard normal noise.

    Parameters
    ----------
    alpha : array_like, positive, any shape
        Data scales; the continuation visits them in ascending order.
    beta, k, xi : array_like, shape (samples,), at least as many as `BATCHES`
        Draws of beta*_ft, of its penalty scale, and of N(0, 1).
    noise_var, ridge : float
        As in `ptft.replica_curve`.
    input_variance : array_like, positive, one number (default 1) or shape (samples,)
        Draws of the variance of the inputs.

    Returns
    -------
    MonteCarloCurve
        Of the two passes, at each alpha, the one that converged, or the one with the smaller error.

    Raises
    ------
    ValueError
        If an argument is outside its range, or the shapes do not match.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> beta, xi = rng.standard_normal((2, 2000))
    >>> curve = solve_by_monte_carlo(np.array([0.5]), beta, np.full(2000, 1e6), xi, noise_var=0.0, ridge=0.0)
    >>> curve.converged, abs(curve.mse - 0.5) < 4 * curve.mse_se  # lazy: 1 - alpha
    (array([ True]), array([ True]))
    """
    alpha = positive_array(alpha, "alpha")
    beta, k, xi = real_array(beta, "beta", ndim=1), positive_array(k, "k", ndim=1), real_array(xi, "xi", ndim=1)
    noise_var, ridge = nonnegative_number(noise_var, "noise_var"), nonnegative_number(ridge, "ridge")
    require(beta.size >= BATCHES, "the size of beta", beta.size, f"at least {BATCHES}, the number of batches")
    for name, values in (("k", k), ("xi", xi)):
        require(values.size == beta.size, f"the size of {name}", values.size, f"{beta.size}, that of beta")
    v = positive_array(input_variance, "input_variance")
    require(v.shape in ((), beta.shape), "the shape of input_variance", v.shape, f"() or {beta.shape}, that of beta")
    v = np.ones(()) if np.all(v == 1) else v
    sample, scale = (beta * np.sqrt(v), np.sqrt(k) * np.sqrt(v), xi), 1 / np.sqrt(v)
    flat = alpha.ravel()
    order = np.argsort(flat)
    shape = (2, flat.size)
    tau2, theta, residual, mse, mse_se, of_coefficients = (np.empty(shape) for _ in range(6))
    iterations = np.empty(shape, dtype=int)
    for branch, indices in enumerate((order, order[::-1])):
        first = flat[indices[0]]
        state = (
            (noise_var + float(np.mean(sample[0] ** 2))) / first,
            ridge + float(np.mean(sample[1] / scale)) * max(1 / first - 1, 1e-3),
        )
        angle = None
        for i in indices:
            at = (branch, i)
            for steps in range(1, MAX_STEPS + 1):  # noqa: B007
                step = iterate_once(*state, flat[i], sample, noise_var, ridge, angle, scale)
                new_tau2, new_theta, squared, angle = step
                residual[at] = max(abs(new_tau2 - state[0]), abs(new_theta - state[1]))
                state = tuple(
                    max(old + DAMPING * (new - old), FLOOR)
                    for old, new in zip(state, (new_tau2, new_theta), strict=True)
                )
                if residual[at] < TOLERANCE:
                    break
            (tau2[at], theta[at]), iterations[at], mse[at] = state, steps, squared.mean()
            of_coefficients[at] = np.mean(squared / v)
            batch_means = np.array([b.mean() for b in np.array_split(squared, BATCHES)])
            mse_se[at] = batch_means.std(ddof=1) / np.sqrt(BATCHES)

    ok = residual < TOLERANCE
    best = np.where(ok[0] == ok[1], mse[1] <= mse[0], ok[1]).astype(int)
    mismatch_db = np.abs(10 * np.log10((mse[1] + FLOOR) / (mse[0] + FLOOR)))

    def chosen(values: np.ndarray) -> np.ndarray:
        result: np.ndarray = values[best, np.arange(flat.size)].reshape(alpha.shape)
        return result

    se_db = 10 / np.log(10) * chosen(mse_se) / np.maximum(chosen(mse), FLOOR)
    excess = np.log10(1 + chosen(residual) / TOLERANCE)
    return MonteCarloCurve(
        alpha=alpha,
        mse=chosen(mse),
        tau2=chosen(tau2),
        theta=chosen(theta),
        residual=chosen(residual),
        converged=chosen(ok),
        mismatch_db=mismatch_db.reshape(alpha.shape),
        iterations=iterations.max(axis=0).reshape(alpha.shape),
        coefficient_mse=chosen(of_coefficients),
        mse_se=chosen(mse_se),
        reliability_db=np.maximum.reduce([mismatch_db.reshape(alpha.shape), 3 * se_db, excess]),
    )


@dataclass(frozen=True)
class Diagnostics:
    """The diagnostics of Appendix E.2.4 of the points whose exact error lies in one range."""

    points: int
    not_converged: int
    residual: float  # the largest
    mismatch_db: tuple[float, float]  # of the two directions: median and largest
    se_db: tuple[float, float]  # standard error of the error, likewise
    reliability_db: tuple[float, float]  # max(mismatch, 3 standard errors, log10(1 + residual/tolerance)), likewise
    distance_db: tuple[float, float]  # from the exact error, likewise
    within: float  # share of the points within 3 standard errors of it


@checked
def diagnostics(table: pd.DataFrame, low: float = 0.0, high: float = 1e300) -> Diagnostics:
    """Summary of the rows with an exact error from `low` to below `high`.

    Parameters
    ----------
    table : DataFrame
        One row for each data scale, with the columns of a `MonteCarloCurve` and ``exact``, the error by quadrature,
        as `ptft.sweeps.monte_carlo` stores them.
    low, high : float, default 0 and 1e300

    Raises
    ------
    ValueError
        If a column is missing, or no row is in the range.

    Examples
    --------
    >>> import pandas as pd
    >>> columns = {"mse_se": 0.1, "residual": 0.0, "mismatch_db": 0.0, "reliability_db": 0.5, "converged": True}
    >>> table = pd.DataFrame([{"mse": 1.2, "exact": 1.0, **columns}, {"mse": 0.2, "exact": 0.6, **columns}])
    >>> found = diagnostics(table)
    >>> found.points, found.not_converged, found.within
    (2, 0, 0.5)
    """
    require_table(table, "table", DIAGNOSED)
    low, high = nonnegative_number(low, "low"), positive_number(high, "high")
    part = table[(table["exact"] >= low) & (table["exact"] < high)]
    require(len(part) > 0, "(low, high)", (low, high), "a range with a row in the table")
    mse, exact = part["mse"].to_numpy() + FLOOR, part["exact"].to_numpy() + FLOOR
    se = 10 / np.log(10) * part["mse_se"].to_numpy() / np.maximum(part["mse"].to_numpy(), FLOOR)

    def both(values: np.ndarray) -> tuple[float, float]:
        return float(np.median(values)), float(np.max(values))

    return Diagnostics(
        points=len(part),
        not_converged=int((~part["converged"]).sum()),
        residual=float(part["residual"].max()),
        mismatch_db=both(part["mismatch_db"].to_numpy()),
        se_db=both(se),
        reliability_db=both(part["reliability_db"].to_numpy()),
        distance_db=both(np.abs(10 * np.log10(mse / exact))),
        within=float(np.mean(np.abs(part["mse"] - part["exact"]) <= 3 * part["mse_se"])),
    )
