"""Teachers: joint distributions of the pretraining and fine-tuning coefficients (Section 3.3, Definition C.1).

Coordinates are independent. Conditional on its group, a coordinate's fine-tuning coefficient is Gaussian (an atom where
the variance is 0) and its penalty scale k is fixed, so every teacher here is a `GaussianMixture` to the replica theory.
A teacher also says the variance v of a coordinate's inputs: X_ij = sqrt(v_j) G_ij with G_ij ~ N(0, 1/d), v = 1 if not
said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from ptft.initialization import Initialization, scalar_initialization
from ptft.validation import (
    broadcast,
    fraction,
    generator,
    instance_of,
    nonnegative_array,
    one_of,
    positive_array,
    positive_number,
    real_array,
    refuse,
    require,
    whole_number,
)

SLABS = ("gaussian", "signs")
_TEACHERS = "SpikeSlab, SingleTask or TeacherGroups"
GROUPS = ("shared", "new", "pretraining only", "none")  # of coordinates, by which teacher uses them


@runtime_checkable
class Teacher(Protocol):
    """What a simulation or a Monte-Carlo calculation needs to know about a teacher.

    `SpikeSlab`, `SingleTask`, `TeacherGroups` and `ptft.two_theories.TwoTasks` are teachers, and also have a method
    ``mixture(init)``, the law that the replica theory needs. A `GaussianMixture` is such a law already, without
    pretraining: it goes with no initialization, as it has penalty scales of its own.

    Inputs have variance 1 unless the teacher has a third method, ``sample_with_variance(d, seed)``, that draws
    (beta_pt, beta_ft, input_variance) as `sample` draws the first two.
    """

    def sample(self, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), each of shape (d,)."""

    def penalty_scale(self, init: Initialization, beta_pt: np.ndarray) -> np.ndarray:
        """Penalty scale k of every coordinate, of the shape of `beta_pt`."""


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """Law of (beta*_ft, k, v): with probability `weight`, beta*_ft ~ N(mean, variance), k is the penalty scale and v
    the variance of the inputs.

    Parameters
    ----------
    weight : array_like, shape (components,)
        Probabilities; they sum to 1 within 1e-9. Components of weight 0 are dropped.
    mean, variance, k : array_like, broadcast to the shape of `weight`
        In units of beta, its square, its square; variance >= 0 and k > 0.
    input_variance : array_like, positive, default 1
        v = d E X_ij^2 of the coordinates of each component, broadcast likewise.

    Raises
    ------
    ValueError
        If an argument is not finite or outside its range, or the shapes do not match.

    Examples
    --------
    >>> mixture = GaussianMixture(weight=[0.1, 0.9], mean=[3.0, 0.0], variance=0.0, k=[1.0, 1e-6])
    >>> round(mixture.power, 3)
    0.9
    >>> beta, k = mixture.sample(d=1000, seed=0)
    >>> np.unique(beta), beta.shape
    (array([0., 3.]), (1000,))
    """

    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    k: np.ndarray
    input_variance: np.ndarray = 1.0  # type: ignore[assignment]

    def __post_init__(self) -> None:
        parts = _components(
            weight=nonnegative_array(self.weight, "weight", ndim=1),
            mean=real_array(self.mean, "mean"),
            variance=nonnegative_array(self.variance, "variance"),
            k=positive_array(self.k, "k"),
            input_variance=positive_array(self.input_variance, "input_variance"),
        )
        for name, value in parts.items():
            object.__setattr__(self, name, value[parts["weight"] > 0])

    @classmethod
    def of_sample(cls, beta: np.ndarray, k: np.ndarray, input_variance: ArrayLike = 1.0) -> GaussianMixture:
        """Law with the shares and mean squares of one sample of (beta*_ft, k, v), arrays of shape (d,).

        Every distinct (k, v) is a component of its zero coefficients and one of the others, taken as Gaussian around 0.
        """
        beta, k = broadcast(beta=real_array(beta, "beta", ndim=1), k=positive_array(k, "k"))
        require(beta.ndim == 1, "the number of dimensions of k", beta.ndim, "that of beta, 1, or 0")
        v = np.broadcast_to(positive_array(input_variance, "input_variance"), beta.shape)
        pairs, place = np.unique(k + 1j * v, return_inverse=True)  # sorted ten times as fast as columns of a matrix
        groups = 2 * place + (beta != 0)
        counts = np.bincount(groups, minlength=2 * pairs.size)
        variance = np.bincount(groups, weights=beta**2, minlength=counts.size) / np.maximum(counts, 1)
        k, v = np.repeat([pairs.real, pairs.imag], 2, axis=1)
        return cls(counts / beta.size, np.zeros(counts.size), variance, k, v)

    @property
    def power(self) -> float:
        """E v (beta*_ft)^2, the error of predicting zero."""
        return float(np.sum(self.weight * (self.mean**2 + self.variance) * self.input_variance))

    def sample(self, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (beta*_ft, k), each of shape (d,)."""
        return self.sample_with_variance(d, seed)[:2]

    def sample_with_variance(
        self, d: int, seed: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw (beta*_ft, k, v), each of shape (d,), as `sample` draws the first two."""
        beta, component = _draw_components(self, d, generator(seed))
        return beta, self.k[component], self.input_variance[component]


@dataclass(frozen=True, eq=False)
class TeacherGroups:
    """Joint law of both teachers: with probability `weight`, beta*_pt = +-beta_pt and beta*_ft ~ N(mean, variance).

    Both signs of beta*_pt are equally likely, and independent of beta*_ft. The groups may have weight 0.

    Parameters
    ----------
    weight : array_like, shape (groups,)
        Probabilities; they sum to 1 within 1e-9.
    beta_pt, mean, variance : array_like, broadcast to the shape of `weight`
        |beta*_pt| >= 0, and the mean and variance of beta*_ft.
    input_variance : array_like, positive, default 1
        v = d E X_ij^2 of the coordinates of each group, broadcast likewise.

    Raises
    ------
    ValueError
        If an argument is not finite or outside its range, or the shapes do not match.

    Examples
    --------
    >>> groups = TeacherGroups(weight=[0.1, 0.9], beta_pt=[1.0, 0.0], mean=0.0, variance=[10.0, 0.0])
    >>> groups.mixture(Initialization(1e-3)).k.round(6)
    array([4.008008e+00, 1.600000e-05])
    >>> beta_pt, beta_ft = groups.sample(d=1000, seed=0)
    >>> np.unique(np.abs(beta_pt)), bool(np.all((beta_pt != 0) == (beta_ft != 0)))
    (array([0., 1.]), True)
    """

    weight: np.ndarray
    beta_pt: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    input_variance: np.ndarray = 1.0  # type: ignore[assignment]

    def __post_init__(self) -> None:
        parts = _components(
            weight=nonnegative_array(self.weight, "weight", ndim=1),
            beta_pt=nonnegative_array(self.beta_pt, "beta_pt"),
            mean=real_array(self.mean, "mean"),
            variance=nonnegative_array(self.variance, "variance"),
            input_variance=positive_array(self.input_variance, "input_variance"),
        )
        for name, value in parts.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of_sample(cls, beta_pt: np.ndarray, beta_ft: np.ndarray) -> TeacherGroups:
        """Shares and mean squares of one sample, two arrays of shape (d,), in the order of `GROUPS`.

        In a group |beta*_pt| is taken as constant and beta*_ft, where it is not 0, as Gaussian around 0.
        """
        beta_pt, beta_ft = broadcast(
            beta_pt=real_array(beta_pt, "beta_pt", ndim=1), beta_ft=real_array(beta_ft, "beta_ft")
        )
        group = group_of(beta_pt, beta_ft)
        counts = np.bincount(group, minlength=len(GROUPS))

        def mean_square(beta: np.ndarray) -> np.ndarray:
            return np.bincount(group, weights=beta**2, minlength=len(GROUPS)) / np.maximum(counts, 1)

        return cls(counts / beta_pt.size, np.sqrt(mean_square(beta_pt)), np.zeros(len(GROUPS)), mean_square(beta_ft))

    def sample(self, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), each of shape (d,), with d independent coordinates."""
        return self.sample_with_variance(d, seed)[:2]

    def sample_with_variance(
        self, d: int, seed: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft, input_variance), each of shape (d,), as `sample` draws the first two."""
        rng = generator(seed)
        beta_ft, group = _draw_components(self, d, rng)
        return self.beta_pt[group] * _signs(d, rng), beta_ft, self.input_variance[group]

    def penalty_scale(self, init: Initialization, beta_pt: np.ndarray) -> np.ndarray:
        """Penalty scale k of every coordinate after pretraining to `beta_pt` (Theorem 4.1)."""
        return scalar_initialization(init).k(beta_pt)

    def mixture_pt(self, init: Initialization) -> GaussianMixture:
        """Law of beta*_pt and of the penalty scale of pretraining, (2 c_pt)^2 everywhere."""
        k = scalar_initialization(init).k_single_task
        return GaussianMixture(self.weight, self.beta_pt, np.zeros(1), k, self.input_variance)

    def mixture(self, init: Initialization) -> GaussianMixture:
        """Law of (beta*_ft, k) after pretraining that has recovered beta*_pt exactly (alpha_pt >= 1)."""
        k = scalar_initialization(init).k(self.beta_pt)
        return GaussianMixture(self.weight, self.mean, self.variance, k, self.input_variance)


def group_of(beta_pt: ArrayLike, beta_ft: ArrayLike) -> np.ndarray:
    """Index in `GROUPS` of every coordinate of two sampled teachers.

    Parameters
    ----------
    beta_pt, beta_ft : array_like, shape (d,)

    Raises
    ------
    ValueError
        If a coefficient is not finite, or the shapes do not broadcast.

    Examples
    --------
    >>> [GROUPS[i] for i in group_of(np.array([1.0, 0.0, -1.0, 0.0]), np.array([2.0, 2.0, 0.0, 0.0]))]
    ['shared', 'new', 'pretraining only', 'none']
    """
    beta_pt, beta_ft = broadcast(beta_pt=real_array(beta_pt, "beta_pt"), beta_ft=real_array(beta_ft, "beta_ft"))
    return np.where(beta_pt != 0, np.where(beta_ft != 0, 0, 2), np.where(beta_ft != 0, 1, 3))


@dataclass(frozen=True)
class SpikeSlab:
    """Sparse teachers whose supports overlap (Section 3.3).

    A coordinate is active in pretraining with probability rho_pt, where beta_pt = +-a_pt, and in fine-tuning with
    probability rho_ft; a share omega of the fine-tuning support was active in pretraining. E beta_ft^2 = 1.

    Parameters
    ----------
    rho_pt : float in [0, 1], default 0.1
    rho_ft : float in (0, 1], default 0.1
    omega : float in [0, 1], default 0.5
        Overlap: P(active in pretraining | active in fine-tuning).
    a_pt : float, positive, default 1
        Magnitude of the active pretraining coefficients.
    slab : "gaussian" (default) or "signs"
        Law of the active fine-tuning coefficients: N(0, 1/rho_ft), or +-1/sqrt(rho_ft).
    input_variance : array_like, positive, one number (default 1) or shape (variances,)
        Variances of the inputs, times d, whatever the group: coordinate i has number i modulo their number, of which d
        is a multiple. To the replica theory they are equally likely.

    Raises
    ------
    ValueError
        If a parameter is outside its range, or the group probabilities are infeasible: it takes
        omega rho_ft <= rho_pt and rho_pt + (1 - omega) rho_ft <= 1.

    Examples
    --------
    >>> teacher = SpikeSlab(rho_pt=0.1, rho_ft=0.1, omega=0.5)
    >>> beta_pt, beta_ft = teacher.sample(d=1000, seed=0)
    """

    rho_pt: float = 0.1
    rho_ft: float = 0.1
    omega: float = 0.5
    a_pt: float = 1.0
    slab: str = "gaussian"
    input_variance: ArrayLike = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_variance", _number_or_tuple(self.input_variance))
        rho_pt, rho_ft, omega = (fraction(getattr(self, n), n) for n in ("rho_pt", "rho_ft", "omega"))
        require(rho_ft > 0, "rho_ft", rho_ft, "positive")
        positive_number(self.a_pt, "a_pt")
        one_of(self.slab, "slab", SLABS)
        slack = 1e-12  # both constraints may hold with equality, up to the rounding of decimal fractions
        shown = (rho_pt, rho_ft, omega)
        require(omega * rho_ft <= rho_pt + slack, "(rho_pt, rho_ft, omega)", shown, "such that omega rho_ft <= rho_pt")
        require(
            rho_pt + (1 - omega) * rho_ft <= 1 + slack,
            "(rho_pt, rho_ft, omega)",
            shown,
            "such that rho_pt + (1 - omega) rho_ft <= 1",
        )

    @property
    def group_probabilities(self) -> np.ndarray:
        """Probabilities of the four groups, in the order of `GROUPS`; they sum to 1."""
        shared = min(self.omega * self.rho_ft, self.rho_pt)
        new = (1 - self.omega) * self.rho_ft
        return np.array([shared, new, self.rho_pt - shared, max(1 - self.rho_pt - new, 0.0)])

    @classmethod
    def of_conditional(
        cls,
        rho_pt: float,
        given_active: float,
        given_inactive: float,
        a_pt: float = 1.0,
        slab: str = "gaussian",
        input_variance: ArrayLike = 1.0,
    ) -> SpikeSlab:
        """The teacher with these probabilities of being active in fine-tuning, given pretraining (Equation 10).

        Parameters
        ----------
        rho_pt : float in [0, 1]
        given_active, given_inactive : float in [0, 1]
            P(active in fine-tuning) where pretraining was active, and where it was not; not both without any effect.
        a_pt, slab, input_variance
            As in the class.

        Raises
        ------
        ValueError
            If a probability is outside its range, or nothing is active in fine-tuning.

        Examples
        --------
        >>> teacher = SpikeSlab.of_conditional(0.1, given_active=0.5, given_inactive=0.05)
        >>> round(teacher.rho_ft, 3), round(teacher.omega, 3)
        (0.095, 0.526)
        """
        rho_pt, one, zero = (
            fraction(value, name)
            for value, name in (
                (rho_pt, "rho_pt"),
                (given_active, "given_active"),
                (given_inactive, "given_inactive"),
            )
        )
        rho_ft = rho_pt * one + (1 - rho_pt) * zero
        require(rho_ft > 0, "(rho_pt, given_active, given_inactive)", (rho_pt, one, zero), "such that rho_ft > 0")
        return cls(rho_pt, rho_ft, rho_pt * one / rho_ft, a_pt, slab, input_variance)

    @property
    def conditional(self) -> tuple[float, float]:
        """P(active in fine-tuning) where pretraining was active, and where it was not (Equation 10); nan if nowhere."""
        shared, new, only, none = self.group_probabilities.tolist()
        active, inactive = shared + only, new + none
        return shared / active if active else np.nan, new / inactive if inactive else np.nan

    @property
    def groups(self) -> TeacherGroups:
        """Joint law of both teachers, in the order of `GROUPS`, once for each of several variances of inputs."""
        mean, variance = _slab_moments(self.slab, self.rho_ft)
        slab, active = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0])
        groups = (self.group_probabilities, self.a_pt * active, mean * slab, variance * slab)
        return TeacherGroups(*_for_each(self.input_variance, *groups))

    def sample(self, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), each of shape (d,), with d independent coordinates."""
        rng = generator(seed)
        probability = self.group_probabilities
        group = rng.choice(4, size=whole_number(d, "d", at_least=1), p=probability / probability.sum())
        beta_pt = np.where((group == 0) | (group == 2), self.a_pt * _signs(d, rng), 0.0)
        beta_ft = np.where(group <= 1, _draw_slab(self.slab, self.rho_ft, d, rng), 0.0)
        return beta_pt, beta_ft

    def sample_with_variance(
        self, d: int, seed: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), as `sample` does, and the variances of the inputs, each of shape (d,)."""
        return *self.sample(d, seed), _along_coordinates(self.input_variance, d)

    def penalty_scale(self, init: Initialization, beta_pt: np.ndarray) -> np.ndarray:
        """Penalty scale k of every coordinate after pretraining to `beta_pt` (Theorem 4.1)."""
        return scalar_initialization(init).k(beta_pt)

    def mixture(self, init: Initialization) -> GaussianMixture:
        """Law of (beta_ft, k) after pretraining that has recovered beta_pt exactly (alpha_pt >= 1)."""
        return self.groups.mixture(init)


@dataclass(frozen=True)
class SingleTask:
    """A sparse teacher learnt without pretraining: k = (2 c_pt)^2 everywhere (Experiment 4).

    Parameters
    ----------
    rho : float in (0, 1], default 0.1
        Probability that a coordinate is active.
    slab : "gaussian" (default) or "signs"
        Law of the active coefficients: N(0, 1/rho), or +-1/sqrt(rho).
    input_variance : array_like, positive, one number (default 1) or shape (variances,)
        As in `SpikeSlab`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> mixture = SingleTask(rho=0.1).mixture(Initialization(c_pt=0.5))
    >>> mixture.weight, mixture.variance, mixture.k
    (array([0.1, 0.9]), array([10.,  0.]), array([1., 1.]))
    """

    rho: float = 0.1
    slab: str = "gaussian"
    input_variance: ArrayLike = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_variance", _number_or_tuple(self.input_variance))
        require(fraction(self.rho, "rho") > 0, "rho", self.rho, "positive")
        one_of(self.slab, "slab", SLABS)

    def sample(self, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), each of shape (d,); beta_pt is zero, as there is no pretraining."""
        rng = generator(seed)
        active = rng.random(whole_number(d, "d", at_least=1)) < self.rho
        return np.zeros(d), np.where(active, _draw_slab(self.slab, self.rho, d, rng), 0.0)

    def sample_with_variance(
        self, d: int, seed: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), as `sample` does, and the variances of the inputs, each of shape (d,)."""
        return *self.sample(d, seed), _along_coordinates(self.input_variance, d)

    def penalty_scale(self, init: Initialization, beta_pt: np.ndarray) -> np.ndarray:
        """Penalty scale (2 c_pt)^2 of every coordinate."""
        return np.full(real_array(beta_pt, "beta_pt").shape, scalar_initialization(init).k_single_task)

    def mixture(self, init: Initialization) -> GaussianMixture:
        """Law of (beta_ft, k)."""
        mean, variance = _slab_moments(self.slab, self.rho)
        slab, k = np.array([1.0, 0.0]), np.full(2, scalar_initialization(init).k_single_task)
        law = (np.array([self.rho, 1 - self.rho]), mean * slab, variance * slab, k)
        return GaussianMixture(*_for_each(self.input_variance, *law))


def law_of(teacher: Teacher | GaussianMixture, init: Initialization | None = None) -> GaussianMixture:
    """Law of (beta*_ft, k) of a teacher with an initialization, or of a `GaussianMixture`, which goes with none.

    Raises
    ------
    ValueError
        If the teacher has no law (it can only be sampled), or `init` is missing or one too many.

    Examples
    --------
    >>> mixture = law_of(SingleTask(), Initialization(0.5))
    >>> law_of(mixture) is mixture
    True
    """
    if isinstance(teacher, GaussianMixture):
        _require_no(init)
        return teacher
    if not hasattr(teacher, "mixture"):
        refuse("teacher", teacher, f"one with a mixture ({_TEACHERS}), or use method='monte-carlo'")
    return instance_of(teacher.mixture(scalar_initialization(init)), GaussianMixture, "teacher.mixture(init)")


def draw_of(
    teacher: Teacher | GaussianMixture, init: Initialization | None, d: int, seed: int | np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (beta*_ft, k, input_variance), each of shape (d,), after pretraining that has recovered beta*_pt.

    Raises
    ------
    ValueError
        If it is no teacher, a number is outside its range, or `init` is missing or one too many.

    Examples
    --------
    >>> beta, k, v = draw_of(SingleTask(input_variance=[2.0, 0.5]), Initialization(0.5), d=100, seed=0)
    >>> beta.shape, np.unique(k), v[:3]
    ((100,), array([1.]), array([2. , 0.5, 2. ]))
    """
    if isinstance(teacher, GaussianMixture):
        _require_no(init)
        return teacher.sample_with_variance(d, seed)
    init = scalar_initialization(init)
    beta_pt, beta_ft, v = draw_tasks(teacher, d, seed)
    return beta_ft, positive_array(teacher.penalty_scale(init, beta_pt), "k", ndim=1), v


def draw_tasks(teacher: Teacher, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (beta_pt, beta_ft, input_variance), each of shape (d,); the last is 1 where the teacher does not say it.

    Raises
    ------
    ValueError
        If it is no teacher, a number is outside its range, or a variance is not positive.

    Examples
    --------
    >>> beta_pt, beta_ft, v = draw_tasks(SpikeSlab(), d=100, seed=0)
    >>> beta_pt.shape, np.unique(v)
    ((100,), array([1.]))
    """
    d, rng = whole_number(d, "d", at_least=1), generator(seed)
    draw = getattr(require_teacher(teacher), "sample_with_variance", None)
    if draw is None:
        return *teacher.sample(d, rng), np.ones(d)
    beta_pt, beta_ft, v = draw(d, rng)
    return beta_pt, beta_ft, positive_array(v, "input_variance", ndim=1)


def require_teacher(teacher: object) -> Teacher:
    """`teacher` if it can be sampled and has penalty scales after pretraining.

    Raises
    ------
    ValueError
        If it cannot.

    Examples
    --------
    >>> require_teacher(SingleTask())
    SingleTask(rho=0.1, slab='gaussian', input_variance=1.0)
    """
    if isinstance(teacher, (type, GaussianMixture)) or not isinstance(teacher, Teacher):
        refuse("teacher", teacher, f"one with the methods sample and penalty_scale, such as {_TEACHERS}")
    return teacher


def require_two_tasks(teacher: object) -> Teacher:
    """`teacher` if it is one of pretraining and fine-tuning, whose error `ptft.simulate_two_stages` measures.

    Raises
    ------
    ValueError
        If it cannot be sampled, or has one task only.

    Examples
    --------
    >>> require_two_tasks(SpikeSlab()).omega
    0.5
    >>> require_two_tasks(SingleTask())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: teacher = SingleTask(rho=0.1, ...) is not allowed: it must be one of two tasks
    """
    if isinstance(teacher, (SingleTask, GaussianMixture)):
        refuse("teacher", teacher, "one of two tasks")
    return require_teacher(teacher)


def _components(**parts: np.ndarray) -> dict[str, np.ndarray]:
    """The parameters of components, each of the shape of `weight`, whose sum is 1."""
    shaped = dict(zip(parts, broadcast(**parts), strict=True))
    total = shaped["weight"].sum()
    require(abs(total - 1) <= 1e-9, "the sum of weight", total, "1")
    return shaped


def _draw_components(
    law: GaussianMixture | TeacherGroups, d: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of fine-tuning, and the components that they come from, each of shape (d,)."""
    weight = law.weight / law.weight.sum()
    component = rng.choice(len(weight), size=whole_number(d, "d", at_least=1), p=weight)
    return law.mean[component] + np.sqrt(law.variance[component]) * rng.standard_normal(d), component


def _number_or_tuple(input_variance: ArrayLike) -> float | tuple[float, ...]:
    """One variance, or several, as what can be compared and is a key of mappings."""
    v = positive_array(input_variance, "input_variance")
    if v.ndim > 1:
        raise ValueError(f"input_variance has shape {v.shape}: it must be one number, or have one dimension")
    return float(v) if v.ndim == 0 else tuple(v.tolist())


def _along_coordinates(input_variance: ArrayLike, d: int) -> np.ndarray:
    v = np.atleast_1d(np.asarray(input_variance))
    require(d % v.size == 0, "d", d, f"a multiple of {v.size}, the number of input variances")
    return np.tile(v, d // v.size)


def _for_each(input_variance: ArrayLike, weight: np.ndarray, *parameters: np.ndarray) -> tuple[np.ndarray, ...]:
    """Components once for each of the equally likely variances, and these."""
    v = np.atleast_1d(np.asarray(input_variance))
    repeated = (np.tile(values, v.size) for values in parameters)
    return np.tile(weight, v.size) / v.size, *repeated, np.repeat(v, weight.size)


def _require_no(init: object) -> None:
    require(init is None, "init", init, "None: a GaussianMixture has penalty scales of its own")


def _signs(d: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice([-1.0, 1.0], size=d)


def _draw_slab(slab: str, rho: float, d: int, rng: np.random.Generator) -> np.ndarray:
    result: np.ndarray = (rng.standard_normal(d) if slab == "gaussian" else _signs(d, rng)) / np.sqrt(rho)
    return result


def _slab_moments(slab: str, rho: float) -> tuple[float, float]:
    """Mean and variance of one component; the sign of an atom does not matter, as the penalty is even."""
    return (0.0, 1 / rho) if slab == "gaussian" else (1 / np.sqrt(rho), 0.0)
