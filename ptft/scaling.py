"""Tasks whose features and coefficients fall off as powers of their rank, and the exponents of their learning curves.

Of the features j = 1, ..., d the variance is j^-b, X_ij ~ N(0, j^-b), which is v_j/d with v_j = d j^-b, and the mean
square of the coefficients of either task is proportional to j^-a. The share of the prediction risk that feature j
stands for thus falls as j^-(a + b), and n examples resolve about the first n ranks. The equations of Proposition 4.2
are sums over ranks of smooth functions of log j: Gauss rules of the ranks within each octave replace them, so that a
learning curve takes as long at d = 10^6 as at d = 10^3.

Where training is lazy, the end point minimises sum beta^2/sqrt(k), and the error is that of kernel regression with the
effective spectrum s_j = v_j sqrt(k_j), whose power laws are known: Spigler, Geiger and Wyart (arXiv:1905.10843),
Bordelon, Canatar and Pehlevan (arXiv:2002.02561, arXiv:2006.13198), Cui et al. (arXiv:2105.15004) and Simon et al.
(arXiv:2110.03922). Elsewhere exponents are read from the solver, by `exponent`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize.elementwise import find_root
from scipy.special import zeta

from ptft.initialization import Initialization, scalar_initialization
from ptft.replica import MixtureRows, solutions_by_rows
from ptft.teachers import GaussianMixture, SpikeSlab, TeacherGroups
from ptft.validation import (
    generator,
    instance_of,
    listed,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    real_number,
    require,
    truth_value,
    whole_number,
)

LARGEST_D = 10**7  # the ranks are listed once, which takes 80 MB
_NODES = 4  # of the Gauss rule of a bin
_LAST = 0.999  # the share of d up to which crossings are sought


def rank_rule(d: int, known_ranks: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Gauss rule of the sum over the ranks 1, ..., d, for smooth functions of the logarithm of the rank.

    In each octave, four nodes have the sums of all polynomials in log j up to degree 7; octaves of four ranks or fewer
    are summed themselves. Errors of learning curves are then right to 2e-6 at a = 1, b = 1.5, and to 3e-4 where the
    powers are as steep as a = 1, b = 3 or a = 3, b = 1.5.

    Parameters
    ----------
    d : int, at least 1 and at most 10^7
    known_ranks : int, optional
        No bin reaches across the rank, where a function may jump.

    Returns
    -------
    rank, count : ndarray, shape (nodes,)
        The counts sum to d.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> rank, count = rank_rule(10**5)
    >>> rank.size, round(float(count @ rank**-2.0), 8), round(sum(j**-2.0 for j in range(1, 10**5 + 1)), 8)
    (63, 1.64492407, 1.64492407)
    """
    d = whole_number(d, "d", at_least=1, at_most=LARGEST_D)
    known = d if known_ranks is None else min(whole_number(known_ranks, "known_ranks"), d)
    rank, count = _rank_rule(d, known)
    return rank.copy(), count.copy()


@lru_cache(maxsize=16)  # at d = 10^7 it takes a second
def _rank_rule(d: int, known: int) -> tuple[np.ndarray, np.ndarray]:
    edges = sorted({2**i for i in range(d.bit_length())} | {known + 1, d + 1})
    rules = [_gauss(np.log(np.arange(low, high))) for low, high in itertools.pairwise(edges)]
    log_rank, count = (np.concatenate(parts) for parts in zip(*rules, strict=True))
    return np.exp(log_rank), count


def _gauss(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the Gauss rule of a sum over the points x, by Stieltjes' recurrence."""
    if x.size <= _NODES:
        return x, np.ones(x.size)
    middle, half = (x[0] + x[-1]) / 2, (x[-1] - x[0]) / 2
    t = (x - middle) / half
    before, now, norm = np.zeros(x.size), np.ones(x.size), float(x.size)
    diagonal, ratio = np.empty(_NODES), np.zeros(_NODES + 1)
    for i in range(_NODES):
        diagonal[i] = np.sum(t * now**2) / norm
        before, now = now, (t - diagonal[i]) * now - ratio[i] * before
        last, norm = norm, np.sum(now**2)
        ratio[i + 1] = norm / last
    jacobi = np.diag(diagonal) + np.diag(np.sqrt(ratio[1:-1]), 1) + np.diag(np.sqrt(ratio[1:-1]), -1)
    nodes, vectors = np.linalg.eigh(jacobi)
    return middle + half * nodes, x.size * vectors[0] ** 2


@dataclass(frozen=True)
class PowerLawTasks:
    """Two tasks on features whose variances and coefficients fall off as powers of the rank j = 1, ..., d.

    At rank j, inputs have the variance j^-b, and the coefficient of fine-tuning is active with probability rho_ft, then
    Gaussian, with E beta_ft^2 proportional to j^-a. Pretraining has found coefficients with probability rho_pt, of a
    fixed size, and a share omega of those of fine-tuning is among them. The error of predicting zero is 1.

    Parameters
    ----------
    d : int, at least 1
        Number of features.
    a : float, default 1
        Decay of the mean square of the coefficients.
    b : float, default 1.5
        Decay of the variance of the inputs.
    rho_pt, rho_ft, omega : float, default 1
        As in `SpikeSlab`; by default every feature is active in both tasks, and k remembers how large its coefficient
        was.
    size_pt : float, positive, default 1
        |beta_pt| at rank 1, in units of the root mean square of beta_ft where it is active, at rank 1.
    decay_pt : float, optional
        Decay of beta_pt^2; a by default, so that both tasks have one law.
    known_ranks : int, optional
        Ranks up to which pretraining has found anything; beyond them beta_pt = 0. All by default.
    pretrained : bool, default True
        If false, the second task is learned alone, k = (2 c_pt)^2.

    Raises
    ------
    ValueError
        If a number is outside its range, or the shares are infeasible (`SpikeSlab`).

    Examples
    --------
    >>> tasks = PowerLawTasks(d=10**5, a=1.0, b=1.5)
    >>> round(tasks.mixture(Initialization(1e-6)).power, 12)  # the error of predicting zero
    1.0
    """

    d: int
    a: float = 1.0
    b: float = 1.5
    rho_pt: float = 1.0
    rho_ft: float = 1.0
    omega: float = 1.0
    size_pt: float = 1.0
    decay_pt: float | None = None
    known_ranks: int | None = None
    pretrained: bool = True

    def __post_init__(self) -> None:
        whole_number(self.d, "d", at_least=1, at_most=LARGEST_D)
        for name in ("a", "b"):
            nonnegative_number(getattr(self, name), name)
        smallest = np.exp(-self.b * np.log(self.d))
        require(smallest >= np.finfo(np.float64).tiny, "b", self.b, "so small that d^-b is a normal float64 number")
        positive_number(self.size_pt, "size_pt")
        if self.decay_pt is not None:
            nonnegative_number(self.decay_pt, "decay_pt")
        if self.known_ranks is not None:
            whole_number(self.known_ranks, "known_ranks")
        truth_value(self.pretrained, "pretrained")
        _ = self._shares

    @property
    def _shares(self) -> np.ndarray:
        """Probabilities of the four groups of `ptft.teachers.GROUPS` at ranks that pretraining knows, and at others."""
        known = SpikeSlab(self.rho_pt, self.rho_ft, self.omega).group_probabilities
        unknown = np.array([0.0, known[0] + known[1], 0.0, known[2] + known[3]])
        return np.array([known if self.pretrained else unknown, unknown])

    def _at(self, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Shares of the four groups, (ranks, 4); |beta_pt| and E beta_ft^2 where active, and v, (ranks,)."""
        nodes, count = rank_rule(self.d)
        first = 1 / (self.rho_ft * np.sum(count * nodes ** -(self.a + self.b)))
        decay_pt = self.a if self.decay_pt is None else self.decay_pt
        reach = self.d if self.known_ranks is None else self.known_ranks
        shares = self._shares[np.where(rank < reach + 0.5, 0, 1)]
        beta_pt = self.size_pt * np.sqrt(first) * rank ** (-decay_pt / 2)
        return shares, beta_pt, first * rank**-self.a, self.d * rank**-self.b

    @cached_property
    def groups(self) -> TeacherGroups:
        """Joint law of both teachers at the nodes of `rank_rule`; without pretraining beta_pt is 0."""
        rank, count = rank_rule(self.d, self.known_ranks)
        shares, beta_pt, variance, v = self._at(rank)
        used, active = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])
        weight = shares * count[:, None] / count.sum()
        groups = (weight, beta_pt[:, None] * used, variance[:, None] * active, v[:, None] + 0 * used)
        here = weight.ravel() > 0
        weight, beta_pt, variance, v = (values.ravel()[here] for values in groups)
        return TeacherGroups(weight, beta_pt, np.zeros(1), variance, v)

    def mixture(self, init: Initialization) -> GaussianMixture:
        """Law of (beta_ft, k, v) after pretraining that has recovered beta_pt exactly, or without pretraining."""
        groups = self.groups
        k = self.penalty_scale(init, groups.beta_pt)
        return GaussianMixture(groups.weight, groups.mean, groups.variance, k, groups.input_variance)

    def penalty_scale(self, init: Initialization, beta_pt: np.ndarray) -> np.ndarray:
        """Penalty scale k of every coordinate after pretraining to `beta_pt`, or without pretraining."""
        init = scalar_initialization(init)
        if self.pretrained:
            return init.k(beta_pt)
        return np.full(real_array(beta_pt, "beta_pt").shape, init.k_single_task)

    def sample(self, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), each of shape (d,), in the order of the ranks; d is that of the tasks."""
        return self.sample_with_variance(d, seed)[:2]

    def sample_with_variance(
        self, d: int, seed: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), as `sample` does, and v = d j^-b, each of shape (d,)."""
        require(whole_number(d, "d", at_least=1) == self.d, "d", d, f"{self.d}, that of the tasks")
        rng = generator(seed)
        shares, beta_pt, variance, v = self._at(np.arange(1.0, d + 1))
        group = np.sum(rng.random(d)[:, None] > np.cumsum(shares, axis=1)[:, :3], axis=1)
        drawn = np.sqrt(variance) * rng.standard_normal(d)
        signs = rng.choice([-1.0, 1.0], size=d)
        used, active = (group == 0) | (group == 2), group <= 1
        return np.where(used, beta_pt * signs, 0.0), np.where(active, drawn, 0.0), v


def learning_curves(tasks: PowerLawTasks, inits: Iterable[Initialization], n: ArrayLike) -> np.ndarray:
    """Predicted errors of several initializations at several numbers of examples, without noise and ridge.

    All at once, and with fewer nodes than `ptft.replica_curve` takes, which solves them from two starts.

    Parameters
    ----------
    tasks : PowerLawTasks
    inits : iterable of Initialization
        Of scalar parameters.
    n : array_like, shape (sizes,)
        Numbers of examples, above 0 and below d; they need not be whole.

    Returns
    -------
    ndarray, shape (inits, sizes); inf where the iteration did not converge.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> tasks = PowerLawTasks(d=10**5, a=1.0, b=1.5)
    >>> learning_curves(tasks, [Initialization(1e-6)], [10, 1000]).shape
    (1, 2)
    """
    instance_of(tasks, PowerLawTasks, "tasks")
    inits = [scalar_initialization(one) for one in listed(inits, "inits")]
    n = positive_array(n, "n", ndim=1)
    require(n < tasks.d, "n", n, f"below d = {tasks.d}")
    groups = tasks.groups
    k = np.array([tasks.penalty_scale(init, groups.beta_pt) for init in inits])
    errors = _solutions(groups, np.repeat(k, n.size, axis=0), np.tile(n, len(inits)) / tasks.d)[0]
    return np.asarray(errors.reshape(-1, n.size))


def _solutions(groups: TeacherGroups, k: np.ndarray, alpha: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """`ptft.replica.solutions_by_rows` at penalty scales of shape (rows, groups) or (1, groups)."""
    weight, mean, variance, v = (
        values[None] for values in (groups.weight, groups.mean, groups.variance, groups.input_variance)
    )
    return solutions_by_rows(alpha, MixtureRows(weight, mean, variance, k, v), start=start)


def examples_needed(mse: ArrayLike, tasks: PowerLawTasks, init: Initialization) -> np.ndarray:
    """The smallest numbers of examples at which the predicted error is `mse` or less, by root finding.

    If `mse` is the error after pretraining, of n examples, and the tasks are without pretraining, then their number is
    n and what pretraining is worth, the effective data transferred of Hernandez et al. (arXiv:2102.01293).

    Parameters
    ----------
    mse : array_like, positive, shape (errors,)
    tasks : PowerLawTasks
        Of at least two features.
    init : Initialization

    Returns
    -------
    ndarray, shape (errors,), to relative precision 1e-6
        1 where one example is enough, and d where 0.999 d are not; nan where the iteration did not converge.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> tasks, init = PowerLawTasks(d=10**4, rho_pt=0.1, rho_ft=0.1), Initialization(1e-6)
    >>> alone = PowerLawTasks(d=10**4, rho_ft=0.1, pretrained=False)
    >>> error = learning_curves(tasks, [init], [100])[0]
    >>> examples_needed(error, tasks, init).round(4), bool(examples_needed(error, alone, init)[0] > 300)
    (array([100.]), True)
    """
    wanted = np.log(positive_array(mse, "mse", ndim=1))
    groups = instance_of(tasks, PowerLawTasks, "tasks").groups
    require(tasks.d > 1, "tasks.d", tasks.d, "at least 2")
    k, last = tasks.penalty_scale(init, groups.beta_pt)[None], _LAST * tasks.d
    scan = np.linspace(0.0, np.log(last), max(2, int(np.log2(last))))
    known = np.log(_solutions(groups, k, np.exp(scan) / tasks.d))

    def excess(log_n: np.ndarray, target: np.ndarray) -> np.ndarray:
        start = np.exp([np.interp(log_n, scan, values) for values in known[1:]])
        return np.asarray(np.log(_solutions(groups, k, np.exp(log_n) / tasks.d, start)[0]) - target)

    enough = known[0][:, None] <= wanted
    first, reached = np.argmax(enough, axis=0), enough.any(axis=0)
    result = np.where(reached, 1.0, float(tasks.d))
    unknown = np.isinf(known[0]).argmax() if np.isinf(known[0]).any() else scan.size
    result[np.where(reached, first, scan.size) > unknown] = np.nan
    todo = np.flatnonzero(reached & (first > 0) & ~np.isnan(result))
    if todo.size:
        ends = scan[first[todo] - 1], scan[first[todo]]
        found = find_root(excess, ends, args=(wanted[todo],), tolerances={"xatol": 1e-7})
        result[todo] = np.where(found.success, np.exp(found.x), np.nan)
    return result


@dataclass(frozen=True)
class Exponent:
    """The exponent of a learning curve, error ~ n^-value, over a range of n."""

    value: float  # the slope between the ends
    error: float  # the largest distance of a local slope from it
    low: float  # the range of n
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """The value with its error."""
        return self.value - self.error, self.value + self.error

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


def local_slopes(n: ArrayLike, mse: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """-d log(mse) / d log(n) from each point of a learning curve to the next, and the n in the middle of them.

    Parameters
    ----------
    n, mse : array_like, positive, shape (points,)
        At least two, n increasing.

    Returns
    -------
    n, slope : ndarray, shape (points - 1,)

    Raises
    ------
    ValueError
        If a number is not positive, or n does not increase.

    Examples
    --------
    >>> local_slopes([1.0, 100.0, 10_000.0], [1.0, 0.1, 0.001])
    (array([  10., 1000.]), array([0.5, 1. ]))
    """
    n, mse = positive_array(n, "n", ndim=1), positive_array(mse, "mse", ndim=1)
    require(mse.shape == n.shape, "the shape of mse", mse.shape, f"{n.shape}, that of n")
    require(n.size >= 2 and np.all(np.diff(n) > 0), "n", n, "at least two increasing numbers")
    return np.sqrt(n[1:] * n[:-1]), -np.diff(np.log(mse)) / np.diff(np.log(n))


def exponent(n: ArrayLike, mse: ArrayLike) -> Exponent:
    """The exponent of a learning curve, with the spread of its local slopes for an error.

    Parameters
    ----------
    n, mse : array_like, positive, shape (points,)
        At least two, n increasing.

    Raises
    ------
    ValueError
        As in `local_slopes`.

    Examples
    --------
    >>> print(exponent([10.0, 100.0, 1000.0], [1e-1, 1.2e-2, 1e-3]))
    1.000 ± 0.079
    """
    slope = local_slopes(n, mse)[1]
    n, mse = np.asarray(n, dtype=np.float64), np.asarray(mse, dtype=np.float64)
    value = float((np.log(mse[0]) - np.log(mse[-1])) / (np.log(n[-1]) - np.log(n[0])))
    return Exponent(value, float(np.max(np.abs(slope - value))), float(n[0]), float(n[-1]))


def lazy_exponent(power_decay: float, spectrum_decay: float) -> float:
    """The exponent of weighted least-norm interpolation without noise, min(C - 1, 2 B).

    Parameters
    ----------
    power_decay : float, above 1
        C, where v_j E beta_j^2 ~ j^-C; a + b for `PowerLawTasks`.
    spectrum_decay : float, above 1
        B, where v_j sqrt(k_j) ~ j^-B: b without pretraining, and b + decay_pt/2 where sqrt(k) is proportional to
        |beta_pt|.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> lazy_exponent(2.5, 1.5), lazy_exponent(4.2, 1.2)  # the second is easier than the spectrum allows to exploit
    (1.5, 2.4)
    """
    C, B = _decays(power_decay, spectrum_decay)
    return min(C - 1, 2 * B)


def lazy_error(n: ArrayLike, power_decay: float, spectrum_decay: float) -> np.ndarray:
    """Error of weighted least-norm interpolation of n examples without noise, to leading order in n, as d/n -> inf.

    With p = (C - 1)/B and N = (pi/B)/sin(pi/B), the share of the power zeta(C) of all ranks is

        (1 - p) pi/sin(pi p) (N/n)^(C - 1)    for p < 2,
        B zeta(C - 2 B) (N/n)^(2 B)           for p > 2.

    Parameters
    ----------
    n : array_like, positive
    power_decay, spectrum_decay : float
        As in `lazy_exponent`; C is not 2 B + 1, where there is a logarithm.

    Returns
    -------
    ndarray of the shape of n, in units of the error of predicting zero

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> lazy_error([100.0, 1000.0], 2.5, 1.5).round(7)
    array([2.8035e-03, 8.8700e-05])
    """
    n = positive_array(n, "n")
    C, B = _decays(power_decay, spectrum_decay)
    require(2 * B + 1 != C, "power_decay", C, "other than 2 spectrum_decay + 1, where the error has a logarithm")
    p, resolved = (C - 1) / B, np.pi / B / np.sin(np.pi * min(1.0, B - 1) / B)
    if p > 2:
        return np.asarray(B * zeta(C - 2 * B) / zeta(C) * (resolved / n) ** (2 * B))
    level = 1 / np.sinc(1 - p) if p > 0.5 else (1 / p - 1) / np.sinc(p)
    return np.asarray(level / zeta(C) * (resolved / n) ** (C - 1))


def _decays(power_decay: float, spectrum_decay: float) -> tuple[float, float]:
    C, B = real_number(power_decay, "power_decay"), real_number(spectrum_decay, "spectrum_decay")
    require(C > 1, "power_decay", C, "above 1")
    require(B > 1, "spectrum_decay", B, "above 1")
    return C, B


def carried_along(init: Initialization, ratio: float, a: float) -> Initialization:
    """The initialization that is to `ratio` times as many examples what `init` is to them.

    Coefficients at a rank `ratio` times as large are smaller by ratio^(-a/2), and so are sqrt(k) and with it c_pt,
    lambda_pt and gamma_ft^2 of this one: the penalties at these ranks have the same shape.

    Parameters
    ----------
    init : Initialization
    ratio : float, positive
        Of the numbers of examples.
    a : float
        Decay of the mean square of the coefficients of both tasks.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> init = carried_along(Initialization(1e-2, -5e-3, 1.0), ratio=100.0, a=1.0)
    >>> init.c_pt, init.lambda_pt, round(init.gamma_ft, 4)
    (0.001, -0.0005, 0.3162)
    """
    init, factor = scalar_initialization(init), positive_number(ratio, "ratio") ** (-nonnegative_number(a, "a") / 2)
    c, gamma = float(np.asarray(init.c_pt)), float(np.asarray(init.gamma_ft))
    distance = float(init.c_plus_lambda) / c
    return Initialization.at_distance(factor * c, min(distance, 2.0), np.sqrt(factor) * gamma)
