"""Both stages from finite and noisy data: the error of fine-tuning after pretraining that is not perfect.

Pretraining on alpha_pt d examples is itself the problem of Proposition 4.2, with the one penalty scale (2 c_pt)^2. Its
solution (tau_pt^2, theta_pt) says how a coordinate comes out of it,

    beta_pt = c_pt sinh t,
    z = beta_pt + (theta_pt/2) t = beta*_pt + tau_pt xi,   xi ~ N(0, 1),

(with theta_pt/v and tau_pt/sqrt(v) in place of theta_pt and tau_pt where the inputs have variance v), and Theorem 4.1
gives the penalty scale with which it enters fine-tuning,

    sqrt(k) = 2 (lambda_pt + c_pt) (1 + cosh t) + gamma_ft^2,

a random variable now. Given a coordinate's group, k is independent of beta*_ft, so fine-tuning is Proposition 4.2 once
more, with the mixture over the values of k at the nodes of a trapezoidal rule in t.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ptft.generalization import replica_curve
from ptft.initialization import Initialization, scalar_initialization
from ptft.limits import noisy_pretraining_peak
from ptft.replica import (
    MixtureRows,
    ReplicaCurve,
    angle_nodes,
    joined_curves,
    rough_starts,
    scalar_moments,
    solve_by_quadrature,
    solve_nearby,
)
from ptft.teachers import GaussianMixture, SpikeSlab, TeacherGroups
from ptft.validation import instance_of, nonnegative_number, positive_array, refuse, require

_ROUGH = 0.2  # factor on the number of nodes of the mixture that is solved first
_REACH = 8.5  # the nodes cover this many standard deviations of z; exp(-_REACH^2/2) = 2e-16
_SPACING = 0.15  # of the nodes in t, where the Gaussian is wide ...
_SPACING_IN_DEVIATIONS = 0.4  # ... and in standard deviations of t, where it is narrow


@dataclass(frozen=True, eq=False)
class TwoStageCurve:
    """Prediction for both stages along alpha. The groups are those of the teacher, `ptft.teachers.GROUPS`."""

    pretraining: ReplicaCurve  # of beta_pt about beta*_pt, at the one alpha_pt
    fine_tuning: ReplicaCurve  # of beta_ft about beta*_ft, along alpha
    mixture: GaussianMixture  # law of (beta*_ft, k) after pretraining
    error: np.ndarray  # E v (beta_ft - beta*_ft)^2 within each group, shape (*alpha.shape, groups)
    forgetting: np.ndarray  # E v (beta_ft - beta*_pt)^2 within each group, of the same shape
    input_variance: np.ndarray  # v of each group, shape (groups,): without it both are those of the coefficients

    @property
    def alpha(self) -> np.ndarray:
        """Data scale of fine-tuning."""
        return self.fine_tuning.alpha

    @property
    def mse(self) -> np.ndarray:
        """E v (beta_ft - beta*_ft)^2, the prediction risk, of the shape of alpha."""
        return self.fine_tuning.mse

    @property
    def coefficient_mse(self) -> np.ndarray:
        """E (beta_ft - beta*_ft)^2, of the shape of alpha."""
        return self.fine_tuning.coefficient_mse

    @property
    def coefficient_error(self) -> np.ndarray:
        """E (beta_ft - beta*_ft)^2 within each group, of the shape of error."""
        result: np.ndarray = self.error / self.input_variance
        return result

    @property
    def coefficient_forgetting(self) -> np.ndarray:
        """E (beta_ft - beta*_pt)^2 within each group, of the shape of forgetting."""
        result: np.ndarray = self.forgetting / self.input_variance
        return result

    @property
    def residual(self) -> np.ndarray:
        """The larger residual of the two stages (see `ReplicaCurve`)."""
        result: np.ndarray = np.maximum(self.pretraining.residual, self.fine_tuning.residual)
        return result

    @property
    def converged(self) -> np.ndarray:
        """Whether both stages are solved."""
        result: np.ndarray = self.pretraining.converged & self.fine_tuning.converged
        return result


def two_stage_curve(
    alpha: ArrayLike,
    teacher: SpikeSlab | TeacherGroups,
    init: Initialization,
    alpha_pt: float,
    noise_pt: float = 0.0,
    noise_ft: float = 0.0,
    nearby: TwoStageCurve | None = None,
) -> TwoStageCurve:
    """Replica-symmetric error of fine-tuning, and what it forgets, after pretraining on finite and noisy data.

    Parameters
    ----------
    alpha : array_like, positive
        Data scales n/d of fine-tuning, any shape.
    teacher : SpikeSlab or TeacherGroups
        Inputs have its variances in both stages. The groups of a `SpikeSlab` are `ptft.teachers.GROUPS`, once for each
        of its variances.
    init : Initialization
        Scalar parameters.
    alpha_pt : float, zero or positive
        Data scale of pretraining. 0 leaves beta_pt = 0; from 1 on, data without noise give beta_pt = beta*_pt, and
        noisy ones least squares, with noise of variance noise_pt/(alpha_pt - 1)/v on every coefficient.
    noise_pt, noise_ft : float, default 0
        Variances of the label noise of the two stages, which both interpolate below a data scale of 1.
    nearby : TwoStageCurve, optional
        The prediction along the same alpha for a similar problem, such as that for the law of a sampled teacher: its
        solution saves most of the work.

    Returns
    -------
    TwoStageCurve

    Raises
    ------
    ValueError
        If an argument is outside its range, or a data scale is 1 with noise, where the error diverges.

    Warns
    -----
    UserWarning
        If a point did not converge; `.converged` says which.

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> teacher, init = SpikeSlab(omega=1.0), Initialization(c_pt=1e-3)
    >>> [float(two_stage_curve(0.1, teacher, init, alpha_pt).mse.round(3)) for alpha_pt in (0.0, 0.2, 1.0)]
    [0.829, 0.739, 0.135]
    """
    alpha = positive_array(alpha, "alpha")
    if isinstance(teacher, SpikeSlab):
        teacher = teacher.groups
    if not isinstance(teacher, TeacherGroups):
        refuse("teacher", teacher, "a SpikeSlab or TeacherGroups, the law of two tasks")
    init = scalar_initialization(init)
    alpha_pt, noise_pt, noise_ft = (
        nonnegative_number(value, name)
        for value, name in ((alpha_pt, "alpha_pt"), (noise_pt, "noise_pt"), (noise_ft, "noise_ft"))
    )
    if nearby is not None:
        instance_of(nearby, TwoStageCurve, "nearby")
    require(alpha_pt != 1 or noise_pt == 0, "alpha_pt", alpha_pt, "other than 1 where noise_pt > 0: beta_pt diverges")
    pretraining = _pretraining(teacher, init, alpha_pt, noise_pt)
    mixture, rows = _fine_tuning(teacher, pretraining, init)
    v = teacher.input_variance
    # One alpha at a time: the arrays of a mixture with hundreds of components stay in the cache.
    if nearby is None:
        parts = _fine_tuned(alpha.ravel(), mixture, _fine_tuning(teacher, pretraining, init, _ROUGH)[0], noise_ft)
    else:
        require(np.array_equal(nearby.alpha, alpha), "nearby.alpha", nearby.alpha, "alpha")
        parts = [solve_nearby(part, mixture, noise_ft) for part in nearby.fine_tuning.parts]
    fine_tuning = joined_curves(parts, alpha)
    groups = [_within_group(fine_tuning, row) for row in rows]
    error, power = (np.stack(arrays, axis=-1) for arrays in zip(*groups, strict=True))
    curve = TwoStageCurve(pretraining, fine_tuning, mixture, error, teacher.beta_pt**2 * v + power, v)
    if not curve.converged.all():
        missing = np.array2string(alpha[~curve.converged], threshold=5, precision=4)
        warnings.warn(f"the two stages did not converge at alpha = {missing} (see .residual)", stacklevel=2)
    return curve


def _pretraining(teacher: TeacherGroups, init: Initialization, alpha_pt: float, noise_pt: float) -> ReplicaCurve:
    """The solution of the first stage, with theta = inf where nothing is learned and 0 where all is."""
    mixture = teacher.mixture_pt(init)
    if alpha_pt > 0 and mixture.power + noise_pt > 0:
        return replica_curve(alpha_pt, mixture, noise_var=noise_pt)
    alpha, zero = np.array(alpha_pt), np.zeros(())
    tau2, theta = (np.array(np.inf),) * 2 if alpha_pt == 0 else (zero, zero)
    steps, power = np.zeros((), dtype=int), np.sum(mixture.weight * mixture.mean**2)
    return ReplicaCurve(alpha, np.array(mixture.power), tau2, theta, zero, np.array(True), zero, steps, power)


def _fine_tuned(
    alpha: np.ndarray, mixture: GaussianMixture, rough: GaussianMixture, noise_ft: float
) -> list[ReplicaCurve]:
    """The curve at every alpha, which starts from the solutions for a rough mixture."""
    starts = rough_starts(alpha, rough, noise_ft) if rough.power + noise_ft > 0 and alpha.max() < 1 else None
    return [
        solve_by_quadrature(
            alpha[i : i + 1], mixture, noise_ft, 0.0, None if starts is None else starts[..., i : i + 1]
        )
        for i in range(alpha.size)
    ]


def _fine_tuning(
    teacher: TeacherGroups, pretraining: ReplicaCurve, init: Initialization, refine: float = 1.0
) -> tuple[GaussianMixture, list[MixtureRows]]:
    """Law of (beta*_ft, k) as a whole, and within each group; `refine` is a factor on the number of nodes."""
    v = teacher.input_variance
    scales = [_penalty_scales(*one, pretraining, init, refine) for one in zip(teacher.beta_pt, v, strict=True)]
    rows = [_group_rows(*one) for one in zip(teacher.mean, teacher.variance, v, scales, strict=True)]
    mixture = GaussianMixture(
        weight=np.concatenate(
            [weight * row.weight for weight, row in zip(teacher.weight, rows, strict=True)], axis=None
        ),
        mean=np.concatenate([row.mean for row in rows], axis=None),
        variance=np.concatenate([row.variance for row in rows], axis=None),
        k=np.concatenate([row.k for row in rows], axis=None),
        input_variance=np.concatenate([row.input_variance for row in rows], axis=None),
    )
    return mixture, rows


def _penalty_scales(
    size: float, input_variance: float, pretraining: ReplicaCurve, init: Initialization, refine: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Law of k for coordinates with |beta*_pt| = size and inputs of this variance: probabilities and values, two arrays
    of shape (nodes,).

    `refine` is a factor on the number of nodes.
    """
    tau, theta, s = (
        np.array([float(value)])
        for value in (
            np.sqrt(pretraining.tau2 / input_variance),
            pretraining.theta / input_variance,
            np.multiply(2, init.c_pt),
        )
    )
    if tau == 0 or np.isinf(tau):  # beta_pt is beta*_pt, or 0
        return np.ones(1), np.atleast_1d(init.k(size if tau == 0 else 0.0))
    nodes = angle_nodes(np.array([size]), tau, s, theta, _REACH, _SPACING, _SPACING_IN_DEVIATIONS, refine)
    total = 1.0 if refine == 1 else nodes.probability.sum()  # which is 1 if there are enough nodes
    return nodes.probability / total, init.k(nodes.estimate)  # k is even in the estimate


def _group_rows(
    mean: float, variance: float, input_variance: float, scales: tuple[np.ndarray, np.ndarray]
) -> MixtureRows:
    """Law of (beta*_ft, k) within one group, as one row."""
    share, k = (a[None, :] for a in scales)
    return MixtureRows(share, np.full_like(k, mean), np.full_like(k, variance), k, np.full_like(k, input_variance))


def _within_group(curve: ReplicaCurve, row: MixtureRows) -> tuple[np.ndarray, np.ndarray]:
    """E v (beta_ft - beta*_ft)^2 and E v beta_ft^2 within one group, along the curve."""
    tau2, theta = curve.tau2.ravel(), curve.theta.ravel()
    error, power = tau2.copy(), row.power + tau2  # where the data determine beta_ft = z
    for i in np.flatnonzero(theta > 0):
        moments = scalar_moments(tau2[i : i + 1], theta[i : i + 1], row)
        error[i], power[i] = moments.mse[0], moments.power[0]
    return error.reshape(curve.alpha.shape), power.reshape(curve.alpha.shape)


def peak_harms_from(teacher: SpikeSlab | TeacherGroups, init: Initialization) -> float:
    """The data scale of fine-tuning from which on noisy pretraining at its peak is worse than pretraining without data.

    With fewer examples it is better, because it is lazier: a rich network without pretraining errs by more than one
    that predicts zero there. Neither the overlap of the tasks nor the noise of pretraining matters. The last crossing
    on 13 data scales from 0.001 to 0.99, refined by root finding.

    Parameters
    ----------
    teacher : SpikeSlab or TeacherGroups
        One variance of inputs.
    init : Initialization
        Scalar parameters; lambda_pt is above -c_pt, or there is no peak.

    Returns
    -------
    float
        0.001 if the peak is worse at all of these data scales.

    Raises
    ------
    ValueError
        If an argument is outside its range, or the teacher of fine-tuning is 0.

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> [round(peak_harms_from(SpikeSlab(rho_ft=rho, omega=0.1), Initialization(1e-3)), 3) for rho in (0.01, 0.1, 0.9)]
    [0.006, 0.048, 0.279]
    """
    init = scalar_initialization(init)
    v = getattr(teacher, "input_variance", 1.0)
    require(np.all(v == np.min(v)), "teacher.input_variance", v, "one number, as the peak is known for it only")
    require(init.c_plus_lambda > 0, "init.c_plus_lambda", init.c_plus_lambda, "positive")
    scan = np.geomspace(1e-3, 0.99, 13)

    def excess(alpha: ArrayLike) -> np.ndarray:
        without = two_stage_curve(alpha, teacher, init, 0.0)
        result: np.ndarray = np.log(noisy_pretraining_peak(alpha, without.mixture.power)) - np.log(without.mse)
        return result

    better = np.flatnonzero(excess(scan) <= 0)
    if not better.size:
        return float(scan[0])
    require(better[-1] < scan.size - 1, "init", init, "one with which the peak is worse at a data scale of 0.99")
    low, high = np.log(scan[better[-1] : better[-1] + 2])
    return float(np.exp(brentq(lambda u: excess(np.exp(u)).item(), low, high, xtol=1e-8)))
