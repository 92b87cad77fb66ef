"""One simulated experiment: sampled teacher and data, and the exact end points of training on them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from ptft.designs import Design, design_of
from ptft.end_point import EndPoint, min_penalties
from ptft.initialization import Initialization, scalar_initialization
from ptft.network import pretraining_weights, train
from ptft.teachers import (
    GROUPS,
    GaussianMixture,
    SingleTask,
    Teacher,
    draw_of,
    draw_tasks,
    group_of,
    require_teacher,
    require_two_tasks,
)
from ptft.validation import (
    listed,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    require,
    seed_number,
    whole_number,
)

TOLERANCE = 1e-10  # on the certificate of least squares


@dataclass(frozen=True)
class SimulatedPoint:
    """Error of the exact end point of fine-tuning on one sampled data set."""

    mse: float  # the expected squared error on a new input: sum v (beta_hat - beta*)^2 / d, or with correlations
    alpha: float  # n/d, with the whole number n that was used
    n: int  # number of examples
    d: int  # number of coordinates
    seed: int
    kkt_residual: float  # of the certificate of the end point, see `ptft.end_point.EndPoint`
    interpolation_residual: float  # likewise
    method: str  # that found the end point, "amp" or "newton"
    converged: bool  # the certificate holds
    coefficient_mse: float  # |beta_hat - beta*|^2 / d


def sampled_teacher(teacher: Teacher, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The (beta_pt, beta_ft), each of shape (d,), with which `simulate` works at this seed, whatever alpha is.

    Raises
    ------
    ValueError
        If it is not a teacher, or a number is outside its range.

    Examples
    --------
    >>> from ptft import SpikeSlab
    >>> beta_pt, beta_ft = sampled_teacher(SpikeSlab(rho_pt=0.1), d=1000, seed=0)
    >>> beta_pt.shape, bool(abs(np.mean(beta_pt != 0) - 0.1) < 0.03)
    ((1000,), True)
    """
    d, seed = whole_number(d, "d", at_least=1), seed_number(seed)
    return require_teacher(teacher).sample(d, _stream(seed, 0))


def sampled_law(teacher: Teacher, init: Initialization, d: int, seed: int) -> GaussianMixture:
    """The law of the (beta_ft, k, v) with which `simulate` works at this seed (`GaussianMixture.of_sample`).

    Raises
    ------
    ValueError
        If it is not a teacher, or an argument is outside its range.

    Examples
    --------
    >>> from ptft import SpikeSlab
    >>> sampled_law(SpikeSlab(omega=1.0), Initialization(1e-3), d=1000, seed=0).weight  # of inactive and active ones
    array([0.881, 0.119])
    """
    d, seed = whole_number(d, "d", at_least=1), seed_number(seed)
    return GaussianMixture.of_sample(*draw_of(require_teacher(teacher), init, d, _stream(seed, 0)))


def seeds_with_task(teachers: Sequence[Teacher], d: int, first: int, number: int) -> list[int]:
    """The first seeds, from `first` on, at which all sampled fine-tuning teachers have an active coordinate.

    Parameters
    ----------
    teachers : sequence of Teacher
    d : int
    first : int
    number : int
        How many seeds.

    Raises
    ------
    ValueError
        If there are fewer among the first thousand per seed asked for, one is not a teacher, or a number is outside its
        range.

    Examples
    --------
    >>> from ptft import SingleTask
    >>> seeds_with_task([SingleTask(0.01)], d=20, first=0, number=3)  # nothing to learn at most of them
    [0, 2, 10]
    """
    first, number = seed_number(first, "first"), whole_number(number, "number", at_least=1)
    d, teachers = whole_number(d, "d", at_least=1), [require_teacher(one) for one in listed(teachers, "teachers")]
    found: list[int] = []
    for seed in range(first, first + 1000 * number):
        if all(sampled_teacher(teacher, d, seed)[1].any() for teacher in teachers):
            found.append(seed)
        if len(found) == number:
            return found
    raise ValueError(f"d = {d} is not allowed: it must be so large that sampled teachers have active coordinates")


def _stream(seed: int, index: int) -> np.random.Generator:
    """Random numbers of one part: 0 for the teacher, 1 for the inputs, 2 for the noise, 3 and 4 for those before."""
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[index])


def sampled_inputs(
    alpha: float, d: int, seed: int, design: Design | str = "gaussian", more_than_d: bool = False
) -> np.ndarray:
    """The inputs X, shape (n, d) with n = round(alpha d), with which `simulate` works at this alpha and seed.

    They are those of a teacher whose inputs all have variance 1; of another one's the columns are sqrt(v) times these.

    Raises
    ------
    ValueError
        If alpha gives no example, or more than d where `more_than_d` is false, or a number is outside its range.

    Examples
    --------
    >>> small, large = sampled_inputs(0.1, 100, seed=0), sampled_inputs(0.2, 100, seed=0)
    >>> small.shape, np.array_equal(small, large[:10])  # more data of the same kind
    ((10, 100), True)
    """
    d, seed = whole_number(d, "d", at_least=1), seed_number(seed)
    alpha = positive_number(alpha, "alpha")
    n = round(alpha * d)
    most = "" if more_than_d else f" and at most d = {d}"
    require(n >= 1 and (n <= d or more_than_d), "alpha", alpha, f"such that n = round(alpha d) is at least 1{most}")
    return design_of(design).sample(n, d, _stream(seed, 1))


def simulate(
    teacher: Teacher | GaussianMixture,
    init: Initialization | None,
    alpha: float,
    d: int,
    seed: int,
    noise_var: float = 0.0,
    ridge: float = 0.0,
    design: Design | str = "gaussian",
) -> SimulatedPoint:
    """Sample a teacher and n = round(alpha d) examples, and find the exact end point of fine-tuning (Section 3.3).

    Inputs are X_ij ~ N(0, v_j/d), where v_j is 1 or what the teacher says, or those of another design, whose column j
    has the factor sqrt(v_j) too. Teacher, inputs and noise come from three streams of the seed, and the inputs are
    drawn row by row: for one seed and d, a larger alpha adds examples to the same teacher and data.

    Parameters
    ----------
    teacher : SpikeSlab, SingleTask, TeacherGroups, GaussianMixture, or any `ptft.teachers.Teacher`
    init : Initialization
        Scalar parameters; pretraining is taken to have recovered beta_pt (alpha_pt >= 1). None with a
        `GaussianMixture`, which has penalty scales of its own.
    alpha : float
        In (0, 1] after rounding n to a whole number of examples, and beyond where there is a ridge.
    d : int, at least 1
    seed : int
    noise_var : float, default 0
        Variance of the label noise.
    ridge : float, default 0
        Of the estimator, as in `ptft.replica_curve` and `ptft.min_penalty`.
    design : str or Design, default "gaussian"
        One of `ptft.designs.DESIGNS`, or such a design with a strength of its own.

    Returns
    -------
    SimulatedPoint

    Raises
    ------
    ValueError
        If alpha gives no example, or more than d without a ridge, or an argument is outside its range.

    Warns
    -----
    UserWarning
        If the end point is not certified (`.converged` is then false).

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> point = simulate(SpikeSlab(), Initialization(c_pt=1e-3), alpha=0.5, d=200, seed=0)
    >>> point.converged
    True
    """
    return simulate_many([(teacher, init)], alpha, d, seed, noise_var, ridge, design)[0]


def simulate_many(
    settings: Sequence[tuple[Teacher | GaussianMixture, Initialization | None]],
    alpha: float,
    d: int,
    seed: int,
    noise_var: float = 0.0,
    ridge: float = 0.0,
    design: Design | str = "gaussian",
) -> list[SimulatedPoint]:
    """`simulate` for several settings at one alpha and seed: one X serves all whose inputs have the same variances,
    which is far faster than one by one.

    Parameters
    ----------
    settings : sequence of (teacher, init)
    alpha, d, seed, noise_var, ridge, design
        As in `simulate`, as are the errors and warnings.

    Returns
    -------
    list of SimulatedPoint, in the order of `settings`

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> lazy, rich = simulate_many([(SpikeSlab(), Initialization(c)) for c in (1.0, 1e-3)], alpha=0.5, d=200, seed=0)
    >>> lazy.mse > rich.mse
    True
    """
    noise_var, design = nonnegative_number(noise_var, "noise_var"), design_of(design)
    ridge = nonnegative_number(ridge, "ridge")
    white = sampled_inputs(alpha, d, seed, design, more_than_d=ridge > 0)
    n, d = white.shape
    noise = np.sqrt(noise_var) * _stream(seed, 2).standard_normal((n, 1))
    drawn = [draw_of(*setting, d, _stream(seed, 0)) for setting in listed(settings, "settings", 2)]
    ends: dict[int, EndPoint] = {}
    for alike, v in _of_equal_variances([v for _, _, v in drawn]):
        X = _with_variances(white, v)
        beta_ft, K = (np.column_stack([drawn[i][part] for i in alike]) for part in (0, 1))
        ends.update(zip(alike, min_penalties(X, X @ beta_ft + noise, K, ridge=ridge, stacklevel=3), strict=True))
    return [
        SimulatedPoint(
            mse=design.mean_square(np.sqrt(v) * (end.beta - truth)),
            alpha=n / d,
            n=n,
            d=d,
            seed=int(seed),
            kkt_residual=end.kkt_residual,
            interpolation_residual=end.interpolation_residual,
            method=end.method,
            converged=end.converged,
            coefficient_mse=float(np.mean((end.beta - truth) ** 2)),
        )
        for end, (truth, _, v) in zip([ends[i] for i in range(len(drawn))], drawn, strict=True)
    ]


def _of_equal_variances(variances: Sequence[np.ndarray]) -> list[tuple[list[int], np.ndarray]]:
    """Indices of the settings whose inputs have the same variances, and these."""
    alike: dict[bytes, list[int]] = {}
    for i, v in enumerate(variances):
        alike.setdefault(v.tobytes(), []).append(i)
    return [(indices, variances[indices[0]]) for indices in alike.values()]


def _with_variances(white: np.ndarray, v: np.ndarray) -> np.ndarray:
    result: np.ndarray = white if np.all(v == 1) else white * np.sqrt(v)
    return result


def trained_alone(
    rho: float, c_pt: float, shares: Sequence[float], alpha: float, d: int, seed: int, tolerance: float = 1e-9
) -> tuple[np.ndarray, float]:
    """Networks that learn a single task by gradient flow from several relative scales: their end point has none.

    Theorem 4.1 without pretraining: k = (2 c)^2, whatever lambda is.

    Parameters
    ----------
    rho : float
        Share of active coordinates.
    c_pt : float
        Absolute scale of the initialization.
    shares : sequence of float in [-1, 1]
        lambda/c of each network.
    alpha, d, seed
        As in `simulate`.
    tolerance : float, default 1e-9
        On the training error relative to |y|, where `ptft.train` stops.

    Returns
    -------
    mse : ndarray, shape (shares,)
        |beta - beta*|^2 / d of each network.
    distance : float
        The largest difference between two of them at a coordinate, in units of the largest coefficient; 0 where the
        sampled teacher has no active coordinate.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> mse, distance = trained_alone(0.1, 1e-2, [-0.5, 0.5], alpha=0.5, d=20, seed=0)
    >>> mse.shape, distance < 1e-5
    ((2,), True)
    """
    c_pt, tolerance = positive_number(c_pt, "c_pt"), positive_number(tolerance, "tolerance")
    X = sampled_inputs(alpha, d, seed)
    _, beta = sampled_teacher(SingleTask(rho), d, seed)
    starts = [pretraining_weights(Initialization(c_pt, s * c_pt), d) for s in real_array(shares, "shares", ndim=1)]
    ends = np.array([train(X, X @ beta, start, tolerance=tolerance).weights.beta for start in starts])
    return np.mean((ends - beta) ** 2, axis=1), float(np.max(np.ptp(ends, axis=0)) / (np.max(np.abs(ends)) or 1.0))


@dataclass(frozen=True, eq=False)
class TwoStagePoint:
    """Both stages of training on one sampled teacher and its data; groups as in `ptft.teachers.GROUPS`."""

    mse: float  # sum v (beta_ft - beta*_ft)^2 / d
    error: np.ndarray  # (4,) mean of v (beta_ft - beta*_ft)^2 within each group; nan where no coordinate was drawn
    forgetting: np.ndarray  # (4,) mean of v (beta_ft - beta*_pt)^2 within each group
    kept: np.ndarray  # (4,) share of beta*_pt in beta_ft within each group, beside that of beta*_ft (`_share_kept`)
    mse_pt: float  # sum v (beta_pt - beta*_pt)^2 / d
    alpha: float  # n/d of fine-tuning, with the whole number n that was used
    alpha_pt: float  # and of pretraining
    d: int
    seed: int
    converged: bool  # both end points are certified
    coefficient_mse: float  # |beta_ft - beta*_ft|^2 / d


def simulate_two_stages(
    teacher: Teacher,
    init: Initialization,
    alpha: ArrayLike,
    alpha_pt: float,
    d: int,
    seed: int,
    noise_pt: float = 0.0,
    noise_ft: float = 0.0,
) -> list[TwoStagePoint]:
    """Pretrain on round(alpha_pt d) examples to the exact end point, then fine-tune from there, at every alpha.

    The end point of pretraining is the interpolator with the least penalty of scale (2 c_pt)^2, or the least-squares
    solution where there are at least d examples; it gives the penalty scales of fine-tuning (Theorem 4.1). Teacher,
    data and noise of fine-tuning are those of `simulate` at this seed; pretraining has streams of its own.

    Parameters
    ----------
    teacher : SpikeSlab, TeacherGroups, or any `ptft.teachers.Teacher` of two tasks
        Not a `SingleTask`, which has no pretraining, nor a `GaussianMixture`: `simulate` takes them.
    init : Initialization
        Scalar parameters.
    alpha : array_like, shape (points,)
        Data scales of fine-tuning, in (0, 1] after rounding to a whole number of examples.
    alpha_pt : float, zero or positive
        Data scale of pretraining; 0 leaves beta_pt = 0.
    d : int, at least 1
    seed : int
    noise_pt, noise_ft : float, default 0
        Variances of the label noise.

    Returns
    -------
    list of TwoStagePoint, one for each alpha

    Raises
    ------
    ValueError
        If alpha gives no example or more than d, the teacher has no pretraining, or an argument is outside its range.

    Warns
    -----
    UserWarning
        If an end point is not certified (`.converged` is then false).

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> point, = simulate_two_stages(SpikeSlab(), Initialization(1e-3), [0.5], alpha_pt=0.5, d=200, seed=0)
    >>> point.converged
    True
    """
    return simulate_two_stages_many([(teacher, init, alpha_pt, noise_pt, noise_ft)], alpha, d, seed)[0]


def simulate_two_stages_many(
    settings: Sequence[tuple[Teacher, Initialization, float, float, float]], alpha: ArrayLike, d: int, seed: int
) -> list[list[TwoStagePoint]]:
    """`simulate_two_stages` for several settings at one seed: they share X at each alpha, which is far faster.

    Parameters
    ----------
    settings : sequence of (teacher, init, alpha_pt, noise_pt, noise_ft)
        Those that differ in fine-tuning only are pretrained once.
    alpha, d, seed
        As in `simulate_two_stages`, as are the errors and warnings.

    Returns
    -------
    list of the lists of points, in the order of `settings`

    Examples
    --------
    >>> from ptft import Initialization, SpikeSlab
    >>> settings = [(SpikeSlab(), Initialization(1e-3), alpha_pt, 0.0, 0.0) for alpha_pt in (0.0, 2.0)]
    >>> (none,), (perfect,) = simulate_two_stages_many(settings, [0.5], d=200, seed=0)
    >>> none.mse_pt > 0, perfect.mse_pt < 1e-20
    (True, True)
    """
    alpha = positive_array(alpha, "alpha", ndim=1)
    inputs = [sampled_inputs(float(a), d, seed) for a in alpha]
    starts: dict[tuple[object, ...], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, bool]] = {}
    runs, noise = [], []
    for teacher, init, *numbers in listed(settings, "settings", 5):
        teacher, init = require_two_tasks(teacher), scalar_initialization(init)
        alpha_pt, noise_pt, noise_ft = (
            nonnegative_number(value, name)
            for value, name in zip(numbers, ("alpha_pt", "noise_pt", "noise_ft"), strict=True)
        )
        start = (teacher, float(np.asarray(init.c_pt)), alpha_pt, noise_pt)
        if start not in starts:
            starts[start] = _pretrain(teacher, init, alpha_pt, noise_pt, d, seed)
        k = positive_array(teacher.penalty_scale(init, starts[start][0]), "k", ndim=1)
        runs.append((k, *starts[start]))
        noise.append(np.sqrt(noise_ft))
    points: list[list[TwoStagePoint]] = [[] for _ in runs]
    for white, (alike, v) in itertools.product(inputs, _of_equal_variances([run[4] for run in runs])):
        X = _with_variances(white, v)
        K, true_ft = (np.column_stack([runs[i][part] for i in alike]) for part in (0, 3))
        labels = X @ true_ft + _stream(seed, 2).standard_normal((len(X), 1)) * np.array([noise[i] for i in alike])
        ends = min_penalties(X, labels, K, stacklevel=3)
        for i, end in zip(alike, ends, strict=True):
            (_, beta_pt, truth_pt, truth_ft, _, n_pt, certified), found = runs[i], points[i]
            group = group_of(truth_pt, truth_ft)
            error, forgetting = v * (end.beta - truth_ft) ** 2, v * (end.beta - truth_pt) ** 2
            found.append(
                TwoStagePoint(
                    mse=float(error.mean()),
                    error=_group_means(error, group),
                    forgetting=_group_means(forgetting, group),
                    kept=_share_kept(end.beta, truth_pt, truth_ft, group),
                    mse_pt=float(np.mean(v * (beta_pt - truth_pt) ** 2)),
                    alpha=len(X) / d,
                    alpha_pt=n_pt / d,
                    d=int(d),
                    seed=int(seed),
                    converged=end.converged and certified,
                    coefficient_mse=float(np.mean((end.beta - truth_ft) ** 2)),
                )
            )
    return points


def _pretrain(
    teacher: Teacher, init: Initialization, alpha_pt: float, noise_pt: float, d: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, bool]:
    """beta_pt, both sampled teachers, the variances of the inputs, the number of examples, and whether the end point is
    certified.
    """
    true_pt, true_ft, v = draw_tasks(teacher, d, _stream(seed, 0))
    n_pt = round(alpha_pt * d)
    X = _with_variances(_stream(seed, 3).standard_normal((n_pt, d)) / np.sqrt(d), v)
    y = X @ true_pt + np.sqrt(noise_pt) * _stream(seed, 4).standard_normal(n_pt)
    beta_pt, certified = _pretrained(X, y, init)
    return beta_pt, true_pt, true_ft, v, n_pt, certified


def _pretrained(X: np.ndarray, y: np.ndarray, init: Initialization) -> tuple[np.ndarray, bool]:
    """End point of pretraining, (d,), and whether it is certified."""
    n, d = X.shape
    if n == 0 or not y.any():
        return np.zeros(d), True
    if n < d:
        end = min_penalties(X, y[:, None], np.full((d, 1), init.k_single_task), stacklevel=4)[0]
        return end.beta, end.converged
    beta = linalg.lstsq(X, y, lapack_driver="gelsy", check_finite=False)[0]
    certified = bool(np.linalg.norm(X.T @ (y - X @ beta)) <= TOLERANCE * np.linalg.norm(X.T @ y))
    if not certified:
        warnings.warn("the least-squares end point of pretraining is not certified", stacklevel=3)
    return beta, certified


def _group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Mean of `values` within each group, (4,); nan for a group without a coordinate."""
    counts = np.bincount(group, minlength=len(GROUPS))
    sums = np.bincount(group, weights=values, minlength=len(GROUPS))
    result: np.ndarray = np.divide(sums, counts, out=np.full(len(GROUPS), np.nan), where=counts > 0)
    return result


def _share_kept(beta: np.ndarray, truth_pt: np.ndarray, truth_ft: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Mean of beta times beta*_pt within each group in units of that of beta*_pt^2, (4,); nan where beta*_pt is zero.

    What beta has of beta*_ft is taken off before: its product with beta*_pt has mean zero, and only adds noise.
    """
    power_ft, power_pt = _group_means(truth_ft**2, group), _group_means(truth_pt**2, group)
    zero, missing = np.zeros(len(GROUPS)), np.full(len(GROUPS), np.nan)
    share_ft = np.divide(_group_means(beta * truth_ft, group), power_ft, out=zero, where=power_ft > 0)
    rest = beta - share_ft[group] * truth_ft
    result: np.ndarray = np.divide(_group_means(rest * truth_pt, group), power_pt, out=missing, where=power_pt > 0)
    return result
