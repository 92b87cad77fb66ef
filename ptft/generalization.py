"""Test error of fine-tuning against the data scale: the prediction of Proposition 4.2, by quadrature or Monte Carlo."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from ptft.initialization import Initialization
from ptft.monte_carlo import solve_by_monte_carlo
from ptft.replica import ReplicaCurve, solve_by_quadrature
from ptft.teachers import GaussianMixture, Teacher, draw_of, law_of
from ptft.validation import generator, nonnegative_number, one_of, positive_array, whole_number

METHODS = ("quadrature", "monte-carlo")


def replica_curve(
    alpha: ArrayLike,
    teacher: Teacher | GaussianMixture,
    init: Initialization | None = None,
    noise_var: float = 0.0,
    ridge: float = 0.0,
    method: str = "quadrature",
    samples: int = 80_000,
    seed: int | np.random.Generator = 0,
) -> ReplicaCurve:
    """Replica-symmetric error of fine-tuning along the data scale alpha = n/d (Proposition 4.2).

    The estimator minimises |y - X beta|^2/(2 alpha) + ridge sum q_k(beta), X_ij ~ N(0, v_j/d); ridge = 0 is its limit,
    interpolation, where gradient flow ends (Theorem 4.1). v is 1 unless the teacher says otherwise, and `.mse` the
    prediction risk E v (beta_hat - beta*)^2.

    Parameters
    ----------
    alpha : array_like, positive
        Data scales n/d, any shape.
    teacher : SpikeSlab, SingleTask, TeacherGroups, GaussianMixture, or any `ptft.teachers.Teacher`
        Quadrature needs a mixture, or a teacher with one; the others can be sampled.
    init : Initialization
        Scalar parameters. A `GaussianMixture` has penalty scales of its own, and goes with none.
    noise_var : float, default 0
        Variance of the label noise, sigma_0^2.
    ridge : float, default 0
        Explicit regularisation, in the units of beta.
    method : "quadrature" (default) or "monte-carlo"
        The exact solver of `ptft.replica`, or that of Appendix E.2.
    samples, seed : int, default 80,000 and 0
        Size and seed of the Monte-Carlo sample, unused by quadrature. The size is a multiple of the number of variances
        of inputs, where a teacher lists several.

    Returns
    -------
    ReplicaCurve
        Arrays of the shape of `alpha`; a `MonteCarloCurve` adds mse_se and reliability_db.

    Raises
    ------
    ValueError
        If an argument is outside its range, `teacher` does not support `method`, `init` is missing or one too many, or
        alpha = 1 with noise and no ridge, where the error diverges.

    Warns
    -----
    UserWarning
        If a point did not converge; `.converged` says which.

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> curve = replica_curve([0.05, 0.1, 0.2], SpikeSlab(rho_ft=0.1, omega=1.0), Initialization(c_pt=1e-3))
    >>> curve.mse.round(4)
    array([0.5202, 0.1353, 0.0009])
    """
    alpha = positive_array(alpha, "alpha")
    noise_var, ridge = nonnegative_number(noise_var, "noise_var"), nonnegative_number(ridge, "ridge")
    one_of(method, "method", METHODS)
    samples, rng = whole_number(samples, "samples", at_least=1000), generator(seed)
    if method == "quadrature":
        curve: ReplicaCurve = solve_by_quadrature(alpha, law_of(teacher, init), noise_var, ridge)
    else:
        beta, k, v = draw_of(teacher, init, samples, rng)
        curve = solve_by_monte_carlo(alpha, beta, k, rng.standard_normal(beta.size), noise_var, ridge, v)
    if not curve.converged.all():
        missing = np.array2string(alpha[~curve.converged], threshold=5, precision=4)
        warnings.warn(
            f"the replica equations did not converge at alpha = {missing} (see .residual and .mismatch_db): "
            "a small ridge helps where the solution is degenerate",
            stacklevel=2,
        )
    return curve
