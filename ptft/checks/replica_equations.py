"""Chapter 3: the solver of Proposition 4.2 against sampling, message passing, and limits with known answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ptft.amp import message_passing, state_evolution
from ptft.checks.identities import Check, relative
from ptft.end_point import min_penalty
from ptft.experiments import experiment
from ptft.generalization import replica_curve
from ptft.initialization import Initialization
from ptft.limits import basis_pursuit_error, minimum_norm_error, noisy_pretraining_peak, recovery_threshold
from ptft.monte_carlo import MonteCarloCurve
from ptft.replica import ReplicaCurve, effective_regularisation, scalar_moments
from ptft.teachers import SLABS, GaussianMixture, SingleTask, SpikeSlab, TeacherGroups
from ptft.two_stages import TwoStageCurve, two_stage_curve
from ptft.validation import checked, generator, one_of, positive_array, require

# --- the solver against itself --------------------------------------------------------------------------------------


@checked
def quadrature(mixture: GaussianMixture, alpha: float = 0.3, refinements: ArrayLike = 1.0) -> Check:
    """The error by fewer nodes against that by twice as many as are used, at the solution of the equations.

    Parameters
    ----------
    mixture : GaussianMixture
    alpha : float, default 0.3
    refinements : array_like, positive, any shape, default 1
        Factors on the number of nodes that are used.

    Raises
    ------
    ValueError
        If a number is not positive.

    Examples
    --------
    >>> mixture = SpikeSlab().mixture(Initialization(1e-3))
    >>> quadrature(mixture).holds, quadrature(mixture, refinements=[0.1, 0.2]).error.shape
    (True, (2,))
    """
    refinements = positive_array(refinements, "refinements")
    point = replica_curve([alpha], mixture)

    def error(refine: float) -> float:
        return float(scalar_moments(point.tau2, point.theta, mixture, refine).mse[0])

    errors = [error(refine) for refine in refinements.flat]
    return relative("error of the quadrature", error(2.0), np.reshape(errors, refinements.shape), 1e-12)


@checked
def published_range(slab: str = "gaussian") -> Iterator[tuple[SpikeSlab | SingleTask, Initialization]]:
    """Teachers and initializations of every published setting, and of all combinations of their values.

    Raises
    ------
    ValueError
        If the slab is unknown.

    Examples
    --------
    >>> teacher, init = next(published_range())
    >>> teacher.rho_ft, teacher.omega, init.c_pt, init.lambda_pt
    (0.01, 0.0, 1e-06, -9.99999e-07)
    """
    return _published_range(one_of(slab, "slab", SLABS))


def _published_range(slab: str) -> Iterator[tuple[SpikeSlab | SingleTask, Initialization]]:
    for rho, omega, c, share, gamma in itertools.product(
        (0.01, 0.04, 0.1, 0.9),
        (0.0, 0.5, 1.0),
        (1e-6, 1e-3, 1.0),
        (-0.999999, -0.99, 0.0, 0.99),
        (0.0, 1e-6, 1.0, 10.0),
    ):
        if omega * rho <= 0.1:  # otherwise the teacher does not exist
            yield SpikeSlab(0.1, rho, omega, slab=slab), Initialization(c, share * c, gamma)
    for alone in experiment(4):
        yield SingleTask(alone.rho_ft, slab), alone.init


@checked
def solved(curves: Iterable[ReplicaCurve | TwoStageCurve]) -> Check:
    """Every point is solved from both starts: the curves' numbers of points that are, and of points, shape (curves,).

    Examples
    --------
    >>> solved([replica_curve([0.1, 0.2], *next(published_range()))]).measured
    [2]
    """
    flags = [curve.converged for curve in curves]
    return Check("points that are not solved", [f.size for f in flags], [int(np.sum(f)) for f in flags], 0.0)


@checked
def one_solution(curves: Iterable[ReplicaCurve]) -> Check:
    """Both starts lead to the same error: the mismatch in dB, whose theory is 0, of all points of the curves.

    Examples
    --------
    >>> one_solution([replica_curve([0.1, 0.2], *next(published_range()))]).holds
    True
    """
    mismatch = [curve.mismatch_db.ravel() for curve in curves]
    return Check("mismatch of the two starts, in dB", 0.0, np.concatenate(mismatch), 1e-7)


@checked
def crossings(
    alpha: Sequence[float],
    settings: Iterable[tuple[SpikeSlab | SingleTask, Initialization]],
    every: int = 1,
    points: int = 61,
) -> Check:
    """Along the solutions theta(tau^2) of the second equation, both sides of the first cross once (uniqueness).

    tau^2 goes from 10^-45 to 10^15 times E (beta*)^2.

    Parameters
    ----------
    alpha : sequence of float in (0, 1)
    settings : iterable of teachers with their initializations
    every : int, default 1
        Of the settings one in `every` is looked at.
    points : int, default 61
        On the way.

    Returns
    -------
    Check
        Numbers of crossings, shape (settings, alpha), and 1.

    Examples
    --------
    >>> crossings([0.2, 0.5], published_range(), every=500).measured
    array([[1, 1]])
    """
    found = []
    for teacher, init in itertools.islice(settings, 0, None, every):
        mixture = teacher.mixture(init)
        tau2 = np.geomspace(1e-45, 1e15, points) * mixture.power
        row = []
        for a in alpha:
            theta = effective_regularisation(tau2, np.full(points, a), mixture)
            above = scalar_moments(tau2, theta, mixture).mse > a * tau2
            row.append(int(np.sum(above[1:] != above[:-1])))
        found.append(row)
    return Check("crossings of the two sides of the first equation beyond one", 1, np.array(found), 0.0)


# --- the solver against sampling ------------------------------------------------------------------------------------


@checked
def amplification(alpha: ArrayLike, mixture: GaussianMixture, ridge: float = 0.0) -> np.ndarray:
    """The factor by which an error in E (x_hat - beta*)^2 grows, 1 + d mse/d noise_var; of the shape of alpha.

    An error e in it shifts the fixed point of the map from one such error to the next by e/(1 - slope), as label noise
    does. The slope is that of E (x_hat - beta*)^2 along the solutions theta(tau^2) of the second equation. `ridge` is
    that of the equations, as in `ptft.replica_curve`.

    Examples
    --------
    >>> mixture = GaussianMixture([1.0], 0.0, 1.0, 1e8)  # lazy: 1 - alpha + noise alpha/(1 - alpha)
    >>> amplification([0.2, 0.5], mixture).round(4)
    array([1.25, 2.  ])
    >>> amplification([0.2, 0.5], mixture, ridge=1e8).round(4)  # so large that nothing is learned
    array([1., 1.])
    """
    found = replica_curve(alpha, mixture, ridge=ridge)
    theta, scale = found.theta.ravel(), found.alpha.ravel()
    at = scalar_moments(found.tau2.ravel(), theta, mixture)
    along = theta * at.response_tau2 / (scale - at.response - theta * at.response_theta)  # d theta / d tau^2
    slope = (at.mse_tau2 + at.mse_theta * along) / scale
    return np.asarray(1 / (1 - slope)).reshape(found.alpha.shape)


@checked
def monte_carlo(sampled: MonteCarloCurve, mixture: GaussianMixture) -> Check:
    """The Monte-Carlo solver agrees with the quadrature, in its standard errors times their `amplification`.

    Examples
    --------
    >>> mixture = SpikeSlab(omega=1.0).mixture(Initialization(1e-3))
    >>> curve = replica_curve([0.1], mixture, method="monte-carlo", samples=5000)
    >>> monte_carlo(curve, mixture).holds
    True
    """
    exact, factor = replica_curve(sampled.alpha, mixture).mse, amplification(sampled.alpha, mixture)
    return Check(
        "difference of the Monte-Carlo solver, in amplified standard errors",
        exact,
        sampled.mse,
        4.0,
        unit=factor * sampled.mse_se,
    )


# --- message passing ------------------------------------------------------------------------------------------------


@checked
def message_errors(
    alpha: float, teacher: SpikeSlab, init: Initialization, d: int, steps: int, seeds: Sequence[int | Sequence[int]]
) -> np.ndarray:
    """Errors of message passing on sampled data, shape (steps, seeds).

    Parameters
    ----------
    alpha : float
        Data scale; the number of examples is alpha d, rounded.
    teacher : SpikeSlab
        All inputs have variance 1.
    init : Initialization
    d, steps : int
    seeds : sequence of seeds of a generator

    Raises
    ------
    ValueError
        If inputs have other variances.

    Examples
    --------
    >>> message_errors(0.4, SpikeSlab(), Initialization(1e-3), d=100, steps=3, seeds=[0, 1]).shape
    (3, 2)
    """
    errors = np.empty((steps, len(seeds)))
    for column, seed in enumerate(seeds):
        X, beta_ft, k = _sampled(alpha, teacher, init, d, np.random.default_rng(seed))
        iterates = message_passing(X, X @ beta_ft, k)
        errors[:, column] = [np.mean((m.beta - beta_ft) ** 2) for m in itertools.islice(iterates, 1, steps + 1)]
    return errors


def _sampled(
    alpha: float, teacher: SpikeSlab, init: Initialization, d: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs of variance 1/d, coefficients of fine-tuning and penalty scales."""
    require(np.all(np.equal(teacher.input_variance, 1)), "teacher.input_variance", teacher.input_variance, "1")
    beta_pt, beta_ft = teacher.sample(d, rng)
    return rng.standard_normal((round(alpha * d), d)) / np.sqrt(d), beta_ft, init.k(beta_pt)


@checked
def end_of_messages(
    alpha: float,
    teacher: SpikeSlab,
    init: Initialization,
    d: int,
    seed: int | np.random.Generator = 0,
    steps: int = 300,
) -> Check:
    """Message passing ends at the minimiser that Newton's method finds: their distance over the length of the latter.

    The arguments are those of `message_errors`, but for one seed.

    Raises
    ------
    ValueError
        If inputs have other variances than 1.

    Examples
    --------
    >>> end_of_messages(0.4, SpikeSlab(omega=1.0), Initialization(0.1), d=100, seed=0).holds
    True
    """
    X, beta_ft, k = _sampled(alpha, teacher, init, d, generator(seed))
    y = X @ beta_ft
    *_, last = itertools.islice(message_passing(X, y, k), steps + 1)
    end = min_penalty(X, y, k, method="newton").beta
    distance = float(np.linalg.norm(last.beta - end) / (np.linalg.norm(end) or 1.0))
    return Check("relative distance of message passing from the end point by Newton's method", 0.0, distance, 1e-8)


@checked
def evolution(alpha: float, mixture: GaussianMixture, errors: np.ndarray) -> Check:
    """State evolution predicts the errors of message passing, of shape (steps, seeds): their means in standard errors.

    Examples
    --------
    >>> teacher, init = SpikeSlab(), Initialization(1e-3)
    >>> errors = message_errors(0.4, teacher, init, d=200, steps=3, seeds=range(4))
    >>> evolution(0.4, teacher.mixture(init), errors).error.shape
    (3,)
    """
    steps, seeds = errors.shape
    return Check(
        "deviation from state evolution, in standard errors",
        state_evolution(alpha, mixture, steps).mse,
        errors.mean(axis=1),
        6.0,
        unit=errors.std(axis=1, ddof=1) / np.sqrt(seeds),
    )


@checked
def end_of_evolution(alpha: float, mixture: GaussianMixture, steps: int = 300) -> Check:
    """State evolution ends at the solution of the equations.

    Examples
    --------
    >>> end_of_evolution(0.4, SpikeSlab(omega=1.0).mixture(Initialization(0.1)), steps=60).holds
    True
    """
    fixed_point = float(replica_curve(alpha, mixture).mse)
    end = float(state_evolution(alpha, mixture, steps).mse[-1])
    return relative("relative distance between the end of state evolution and the solution", fixed_point, end, 1e-8)


# --- limits ---------------------------------------------------------------------------------------------------------


def _one_scale(rho: float, k: float) -> GaussianMixture:
    return GaussianMixture(np.array([rho, 1 - rho]), np.zeros(1), np.array([1 / rho, 0.0]), np.full(1, k))


@checked
def lazy_limit(alpha: ArrayLike, rho: float = 0.1) -> Check:
    """One large scale: the error is 1 - alpha, the shape of alpha, whatever the sparsity.

    Examples
    --------
    >>> lazy_limit([0.1, 0.5]).holds
    True
    """
    measured = replica_curve(alpha, _one_scale(rho, 1e14)).mse
    return relative(
        "relative distance from the $\\ell_2$ error at $k = 10^{14}$", 1 - np.asarray(alpha), measured, 1e-8
    )


@checked
def weighted_lazy_limit(alpha: ArrayLike, mixture: GaussianMixture) -> Check:
    """Several large scales, those of the mixture times 10^20: the error of least weighted l2 norm, the shape of alpha.

    Examples
    --------
    >>> weighted_lazy_limit([0.1, 0.5], SpikeSlab().mixture(Initialization(1e-3))).holds
    True
    """
    large = GaussianMixture(mixture.weight, mixture.mean, mixture.variance, 1e20 * mixture.k, mixture.input_variance)
    theory, measured = minimum_norm_error(alpha, large), replica_curve(alpha, large).mse
    return relative("relative distance from the weighted $\\ell_2$ error", theory, measured, 1e-8)


@checked
def rich_limit(rho: float = 0.1, share: float = 0.6) -> Check:
    """A small scale: the error of least l1 norm at a share of the recovery threshold.

    Examples
    --------
    >>> rich_limit().holds
    True
    """
    rich = _one_scale(rho, 1e-300)
    below = share * recovery_threshold(rich)
    theory, measured = basis_pursuit_error(below, rich), replica_curve(below, rich).mse
    return relative("relative distance from the $\\ell_1$ error at $k = 10^{-300}$", theory, measured, 1e-2)


@checked
def exact_recovery(rho: float = 0.1, share: float = 1.1) -> Check:
    """A small scale: no error above the recovery threshold, at `share` times that.

    Examples
    --------
    >>> exact_recovery().holds, exact_recovery(rho=0.3).holds
    (True, True)
    """
    rich = _one_scale(rho, 1e-300)
    measured = float(replica_curve(share * recovery_threshold(rich), rich).mse)
    return Check("error above the recovery threshold at $k = 10^{-300}$", 0.0, measured, 1e-8)


# --- both stages ----------------------------------------------------------------------------------------------------


@checked
def perfect_pretraining(alpha: ArrayLike, teacher: SpikeSlab, init: Initialization) -> Check:
    """Pretraining on as many examples as coordinates, without noise, is the case of one stage; the shape of alpha.

    Examples
    --------
    >>> perfect_pretraining([0.1, 0.3], SpikeSlab(), Initialization(1e-3)).holds
    True
    """
    theory, measured = replica_curve(alpha, teacher, init).mse, two_stage_curve(alpha, teacher, init, 1.0).mse
    return relative("relative distance of perfect pretraining from the solver of one stage", theory, measured, 1e-10)


@checked
def lazy_stages(
    alpha: ArrayLike, teacher: SpikeSlab, alpha_pt: float = 0.6, noise_pt: float = 0.3, noise_ft: float = 0.2
) -> Check:
    """Lazy networks interpolate with the least l2 norm in both stages.

    The error of a stage is then 1 - alpha times the power of its coefficients, and noise_var alpha/(1 - alpha).

    Parameters
    ----------
    alpha : array_like, in (0, 1), shape (m,)
    teacher : SpikeSlab
    alpha_pt : float in (0, 1), default 0.6
    noise_pt, noise_ft : float, default 0.3 and 0.2

    Returns
    -------
    Check
        Errors of fine-tuning, and last that of pretraining, shape (m + 1,).

    Examples
    --------
    >>> lazy_stages([0.1, 0.3], SpikeSlab()).holds
    True
    """
    curve = two_stage_curve(alpha, teacher, Initialization(1e6 * max(teacher.a_pt, 1.0)), alpha_pt, noise_pt, noise_ft)
    scales = np.append(curve.alpha, alpha_pt)
    power = np.append(np.ones(curve.alpha.size), teacher.rho_pt * teacher.a_pt**2)
    noise = np.append(np.full(curve.alpha.size, noise_ft), noise_pt)
    theory = (1 - scales) * power + noise * scales / (1 - scales)
    measured = np.append(curve.mse, curve.pretraining.mse)
    return relative("relative distance of both stages from noisy least squares", theory, measured, 1e-8)


@checked
def peak(
    alpha: ArrayLike, teachers: Sequence[SpikeSlab | TeacherGroups], init: Initialization, noises: Sequence[float]
) -> Check:
    """Next to alpha_pt = 1, noisy pretraining leaves an error that neither noise, teacher nor initialization changes.

    Parameters
    ----------
    alpha : array_like in (0, 1), shape (m,)
    teachers : sequence of SpikeSlab or TeacherGroups, with E (beta*_ft)^2 = 1
    init : Initialization
    noises : sequence of float, positive

    Returns
    -------
    Check
        Arrays of shape (teachers, noises, m), or a theory that broadcasts to it.

    Examples
    --------
    >>> peak([0.2, 0.5], [SpikeSlab()], Initialization(1e-3), [0.01]).holds
    True
    """
    measured = [[two_stage_curve(alpha, one, init, 1 + 1e-8, v).mse for v in noises] for one in teachers]
    return relative("relative distance from the error next to the peak", noisy_pretraining_peak(alpha), measured, 1e-3)
