"""The initialization with the smallest predicted error for a given task and data scale.

Initialization enters the error of Proposition 4.2 only through the penalty scale of the coordinates that pretraining
used and of those that it did not. With s = lambda_pt + c_pt and h(c) = 2 (sqrt(c^2 + a_pt^2) - c),

    D = sqrt(k_active) - sqrt(k_inactive) = s h(c_pt)/c_pt,
    B = sqrt(k_inactive) = 4 s + gamma_ft^2,

so that three parameters move two numbers. For D given, c_pt may be anything with (1 + lambda_pt/c_pt) h(c_pt) = D for
an allowed lambda_pt/c_pt, s grows with c_pt, and B fills an interval: the search is one in the plane (log D, log B),
and each of its points stands for a curve of initializations with the same error at every data scale.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import minimum_filter
from scipy.optimize.elementwise import find_root

from ptft.generalization import replica_curve
from ptft.initialization import Initialization, scalar_initialization
from ptft.regimes import STARTS, Measures, measures_around
from ptft.replica import MixtureRows, errors_by_rows, solutions_by_rows
from ptft.teachers import GaussianMixture, SingleTask, SpikeSlab, Teacher, law_of
from ptft.validation import (
    broadcast,
    instance_of,
    nonnegative_array,
    nonnegative_number,
    positive_array,
    positive_number,
    real_array,
    require,
)

USUAL: Mapping[str, Initialization] = {**STARTS, "small": Initialization(1e-6)}
RESOLUTION = 1e-4  # errors below it count as none: a ten-thousandth of E beta_ft^2
_SCAN = np.concatenate([np.geomspace(1e-3, 0.1, 7), np.linspace(0.1, 0.99, 11)[1:]])  # where crossings are sought
_GRID = (10, 12)  # of (log D, log B), from which the search starts
_BASINS = 3  # local minima of the grid that are followed ...
_RIVAL = (0.02, 1.1)  # ... until steps are as small as the first, and then only if within the second of the best
_REFINE = 0.4  # factor on the number of quadrature nodes in searches: a relative accuracy near 3e-6
_STEP = 5e-5  # at which the search ends, as a share of the range of log D and log B
_SMOOTH = 0.1  # misfit of a quadratic function, as a share of the range of the values, up to which it is followed
_MOVES = 60


@dataclass(frozen=True)
class Bounds:
    """The initializations among which the best one is sought; each pair is (lowest, highest).

    The published values are c_pt in {1e-6, 1e-3, 1}, lambda_pt/c_pt from -0.999999 to 0.99 and gamma_ft in {0, 1e-6, 1,
    10}. The larger c_pt lets a single task be learnt as lazily as gamma_ft = 10 does, and the smaller lambda_pt/c_pt
    lets pretraining be forgotten; the smallest sqrt(k) is then that of gamma_ft = 1e-6, which is 1e-12.

    Parameters
    ----------
    c_pt : default (1e-6, 100)
        Positive, in units of beta.
    relative : default (-1 + 1e-12, 1)
        lambda_pt/c_pt, in (-1, 1]; at -1 nothing of pretraining is left, and sqrt(k) = gamma_ft^2.
    gamma_ft : default (1e-6, 10)
        Not negative.

    Raises
    ------
    ValueError
        If a pair is not in order or leaves its range.

    Examples
    --------
    >>> bounds = Bounds(gamma_ft=(0.0, 0.0))  # the readout is not drawn again
    >>> bounds.c_pt, bounds.gamma_ft
    ((1e-06, 100.0), (0.0, 0.0))
    """

    c_pt: tuple[float, float] = (1e-6, 1e2)
    relative: tuple[float, float] = (-1 + 1e-12, 1.0)
    gamma_ft: tuple[float, float] = (1e-6, 10.0)

    def __post_init__(self) -> None:
        for name, lowest, strict, highest in (
            ("c_pt", 0.0, True, np.inf),
            ("relative", -1.0, True, 1.0),
            ("gamma_ft", 0.0, False, np.inf),
        ):
            pair = real_array(getattr(self, name), f"bounds.{name}", ndim=1)
            inside = pair.size == 2 and lowest <= pair[0] <= pair[1] <= highest and not (strict and pair[0] == lowest)
            above = f"{'above' if strict else 'from'} {lowest:g}"
            require(inside, f"bounds.{name}", getattr(self, name), f"(lowest, highest), {above} to {highest:g}")
            object.__setattr__(self, name, (float(pair[0]), float(pair[1])))

    def c_range(self, difference: np.ndarray | float, a_pt: float) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest c_pt with sqrt(k_active) - sqrt(k_inactive) = `difference`."""
        c_low, c_high = (_c_of_h(difference / (1 + relative), a_pt) for relative in self.relative)
        return np.clip(c_low, *self.c_pt), np.clip(c_high, *self.c_pt)

    def difference_range(self, a_pt: float) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest D."""
        (c_low, c_high), (low, high) = self.c_pt, self.relative
        return (1 + low) * _h(c_high, a_pt), (1 + high) * _h(c_low, a_pt)

    def inactive_range(self, difference: np.ndarray | float, a_pt: float) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest B for given D."""
        low, high = (
            4 * difference * c / _h(c, a_pt) + gamma**2
            for c, gamma in zip(self.c_range(difference, a_pt), self.gamma_ft, strict=True)
        )
        return low, high

    def scales(self, place: np.ndarray, a_pt: float) -> tuple[np.ndarray, np.ndarray]:
        """(D, B) at a place (x, y) in the unit square, shape (..., 2): both are even in the logarithm."""
        x, y = np.moveaxis(place, -1, 0)
        difference = _between(*self.difference_range(a_pt), x)
        return difference, _between(*self.inactive_range(difference, a_pt), y)

    @property
    def single_task(self) -> tuple[float, float]:
        """Range of c_pt without pretraining, down to the smallest sqrt(k) of fine-tuning, which is 2 c_pt there."""
        smallest = 4 * (1 + self.relative[0]) * self.c_pt[0] + self.gamma_ft[0] ** 2
        return min(smallest / 2, self.c_pt[0]), self.c_pt[1]

    def allow(self, difference: float, inactive: float, a_pt: float) -> bool:
        """Whether some initialization within the bounds has these D and B."""
        low, high = self.difference_range(a_pt)
        lowest, highest = self.inactive_range(difference, a_pt)
        return bool(low <= difference <= high and lowest <= inactive <= highest)

    def initializations(self, difference: float, inactive: float, a_pt: float, count: int = 1) -> Initialization:
        """Initializations within the bounds that have these D and B, with c_pt from the largest to the smallest.

        The first has the smallest gamma_ft. The others, if `count` is more than 1, are spaced evenly in log c_pt.
        """
        c_low, c_high = (float(c) for c in self.c_range(difference, a_pt))
        gamma_low, gamma_high = self.gamma_ft
        c_high = min(c_high, _c_of_s((inactive - gamma_low**2) / 4, difference, a_pt))
        c_low = max(c_low, _c_of_s(max(inactive - gamma_high**2, 0.0) / 4, difference, a_pt))
        c = np.geomspace(c_high, min(c_low, c_high), count)
        s = difference * c / _h(c, a_pt)
        gamma = np.clip(np.sqrt(np.maximum(inactive - 4 * s, 0.0)), gamma_low, gamma_high)
        gamma[inactive - gamma_low**2 - 4 * s <= 1e-12 * inactive] = gamma_low  # not the root of a rounding error
        distance = np.clip(s / c, 1 + self.relative[0], 1 + self.relative[1])
        several = (c, distance, gamma) if count > 1 else (c[0], distance[0], gamma[0])
        return Initialization.at_distance(*several)


def _between(low: np.ndarray | float, high: np.ndarray | float, x: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.exp((1 - x) * np.log(low) + x * np.log(high))
    return result


def _h(c: np.ndarray | float, a_pt: float) -> np.ndarray:
    """2 (sqrt(c^2 + a^2) - c), without cancellation; it falls from 2a to 0."""
    return 2 * a_pt**2 / (np.hypot(c, a_pt) + c)


def _c_of_h(h: np.ndarray | float, a_pt: float) -> np.ndarray:
    """The inverse of `_h`; 0 where h is 2a or more."""
    return np.maximum(a_pt**2 - (h / 2) ** 2, 0.0) / h


def _c_of_s(s: float, difference: float, a_pt: float) -> float:
    """The c at which s h(c)/c = difference, increasing in s."""
    y = 2 * a_pt**2 * s / difference
    return float(y / np.sqrt(a_pt**2 + 2 * y))


@dataclass(frozen=True, eq=False)
class Choice:
    """What one initialization makes of the task."""

    init: Initialization
    mse: float  # predicted error at alpha
    alpha_needed: float  # see `alpha_needed`, for the target of the `BestInitialization`
    init_needed: Initialization  # that needs this data scale: `init`, but for a single task see there


@dataclass(frozen=True, eq=False)
class BestInitialization:
    """The initialization with the smallest predicted error, and what the usual choices make of the same task."""

    teacher: SpikeSlab
    alpha: float
    noise_var: float
    bounds: Bounds
    init: Initialization  # of all that are equally good, the one with the largest c_pt and the smallest gamma_ft
    mse: float  # predicted error
    residual: float  # of the replica equations
    converged: bool
    scales: tuple[float, float]  # sqrt(k) of the coordinates that pretraining used, and of the others
    on_bound: tuple[str, ...]  # the bounds that keep the error from falling further: names of fields of `Bounds`
    target: float  # max(mse, resolution): the error that the other choices are asked to reach
    usual: Mapping[str, Choice]
    place: tuple[float, float] = field(repr=False)  # of the scales within the bounds, see `Bounds.scales`

    def equivalents(self, count: int = 5) -> Initialization:
        """`count` initializations within the bounds with the same penalty, from the largest c_pt to the smallest."""
        difference, inactive = self.bounds.scales(np.array(self.place), self.teacher.a_pt)
        return self.bounds.initializations(float(difference), float(inactive), self.teacher.a_pt, count)

    @property
    def measures(self) -> Measures:
        """Both measures, which name the regime, at a shared coordinate; see `ptft.regimes.measures_around`.

        |beta_pt| = a_pt, and the decade of |beta_ft| around 1/sqrt(rho_ft); `cost_ratio` is that at 1/sqrt(rho_ft).
        """
        return measures_around(1 / np.sqrt(self.teacher.rho_ft), self.teacher.a_pt, self.init)

    @cached_property
    def single_task(self) -> Choice:
        """Without pretraining, from the best c_pt within `Bounds.single_task`; found when it is first asked for.

        At each data scale this is the best c_pt for that data scale: `alpha_needed` is the smallest over all c_pt, and
        `init_needed` the one that has it.
        """
        return _best_alone(self.teacher, self.alpha, self.noise_var, self.bounds, self.target)

    def saving(self, choice: Choice) -> float:
        """Share of the examples saved against `choice`: 1 - alpha/alpha_needed, or 0 where that is negative.

        It is 0 where both errors are below the resolution.
        """
        return max(0.0, 1 - self.alpha / choice.alpha_needed)

    @property
    def savings(self) -> dict[str, float]:
        """`saving` against each choice; the keys are those of `usual`, and "single task"."""
        return {name: self.saving(one) for name, one in {**self.usual, "single task": self.single_task}.items()}


def best_initialization(
    teacher: SpikeSlab,
    alpha: float,
    noise_var: float = 0.0,
    bounds: Bounds | None = None,
    usual: Mapping[str, Initialization] | None = None,
    resolution: float = RESOLUTION,
) -> BestInitialization:
    """The (c_pt, lambda_pt, gamma_ft) with the smallest replica-symmetric error of fine-tuning (Proposition 4.2).

    The error is evaluated on a grid in the plane of the two penalty scales, all that it depends on, and the best local
    minima of the grid are followed downhill. Of the initializations with the same two scales, which are equally good,
    the one with the largest c_pt is returned, which has the smallest gamma_ft; `.equivalents` lists others.

    Parameters
    ----------
    teacher : SpikeSlab
        Pretraining is taken to recover its beta_pt exactly (alpha_pt >= 1).
    alpha : float in (0, 1)
        Data scale n/d of fine-tuning; from 1 on the data determine the coefficients.
    noise_var : float, default 0
        Variance of the label noise.
    bounds : Bounds, default Bounds()
    usual : mapping from a name to an Initialization, default `USUAL`
        Choices to compare with: the four of Figure 5, of which "start II" is the base point, and c_pt = 1e-6.
    resolution : float, positive, default 1e-4
        A smaller error counts as this one where choices are compared by the examples that they need.

    Returns
    -------
    BestInitialization

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> best = best_initialization(SpikeSlab(rho_ft=0.1, omega=1.0), alpha=0.05)
    >>> best.converged, best.mse < best.usual["start II"].mse < best.single_task.mse
    (True, True)
    """
    alpha, noise_var = _task(teacher, alpha, noise_var)
    resolution = positive_number(resolution, "resolution")
    bounds = Bounds() if bounds is None else instance_of(bounds, Bounds, "bounds")
    usual = USUAL if usual is None else instance_of(usual, Mapping, "usual")  # type: ignore[type-abstract]
    for name, one in usual.items():
        require(isinstance(name, str), "a name in usual", name, "a word")
        require(isinstance(one, Initialization), f"usual[{name!r}]", one, "an Initialization")
        scalar_initialization(one)
    a_pt, (mixture, active) = float(teacher.a_pt), _groups(teacher)

    def fine_tuning(place: np.ndarray, start: np.ndarray | None) -> np.ndarray:
        difference, inactive = bounds.scales(place, a_pt)
        # penalties that tell the groups apart by less than 3 % are all but one: the smallest D stands for them
        told_apart = (difference > 0.03 * inactive) | (place[:, 0] == place[:, 0].min())
        found = np.full((3, len(place)), np.inf)
        rows = _rows(mixture, _k_of_groups(active, difference[told_apart], inactive[told_apart]))
        near = None if start is None else start[:, told_apart]
        found[:, told_apart] = solutions_by_rows(np.full(len(rows.k), alpha), rows, noise_var, _REFINE, near)
        return found

    place = _search(fine_tuning, _GRID)
    difference, inactive = (float(v) for v in bounds.scales(place, a_pt))
    init = bounds.initializations(difference, inactive, a_pt)
    curve = replica_curve(alpha, teacher, init, noise_var)
    target = max(float(curve.mse), resolution)

    choices: list[Choice] = []
    if usual:
        rows = _rows(mixture, np.stack([teacher.mixture(one).k for one in usual.values()]))
        errors = errors_by_rows(np.full(len(usual), alpha), rows, noise_var, refine=1.0).tolist()
        needed = _alphas_needed(target, rows, noise_var).tolist()
        choices = [Choice(*of) for of in zip(usual.values(), errors, needed, usual.values(), strict=True)]

    return BestInitialization(
        teacher=teacher,
        alpha=alpha,
        noise_var=noise_var,
        bounds=bounds,
        init=init,
        mse=float(curve.mse),
        residual=float(curve.residual),
        converged=bool(curve.converged),
        scales=(difference + inactive, inactive),
        on_bound=_on_bound(init, difference, inactive, a_pt, bounds),
        target=target,
        usual=dict(zip(usual, choices, strict=True)),
        place=(float(place[0]), float(place[1])),
    )


def _best_alone(teacher: SpikeSlab, alpha: float, noise_var: float, bounds: Bounds, target: float) -> Choice:
    """What the best c_pt makes of the second task without pretraining; see `BestInitialization.single_task`."""
    law = SingleTask(teacher.rho_ft, teacher.slab, teacher.input_variance).mixture(Initialization(1.0))

    def rows_of(c: np.ndarray) -> MixtureRows:
        return _rows(law, np.repeat((2 * c[:, None]) ** 2, len(law.weight), axis=1))

    def best_at(scale: float) -> np.ndarray:
        def solve(place: np.ndarray, start: np.ndarray | None) -> np.ndarray:
            rows = rows_of(_between(*bounds.single_task, place[:, 0]))
            return solutions_by_rows(np.full(len(place), scale), rows, noise_var, _REFINE, start)

        return _between(*bounds.single_task, _search(solve, _GRID[1:]))

    c = first = best_at(alpha)
    mse = float(errors_by_rows(np.array([alpha]), rows_of(c), noise_var, refine=1.0)[0])
    needed = float(_alphas_needed(target, rows_of(c), noise_var)[0])
    for _ in range(_MOVES):  # the best c_pt for the data scale that the last one needs has a smaller error there
        other = best_at(min(needed, _SCAN[-1]))
        fewer = float(_alphas_needed(target, rows_of(other), noise_var)[0])
        if fewer >= needed * (1 - 1e-6):
            break
        c, needed = other, fewer
    return Choice(Initialization(float(first[0])), mse, needed, Initialization(float(c[0])))


def _task(teacher: SpikeSlab, alpha: float, noise_var: float) -> tuple[float, float]:
    """The numbers alpha and noise_var, once all three are what `best_initialization` asks for."""
    instance_of(teacher, SpikeSlab, "teacher", "two penalty scales are all that its error depends on")
    alpha = positive_number(alpha, "alpha")
    require(alpha < 1, "alpha", alpha, "between 0 and 1, both excluded")
    return alpha, nonnegative_number(noise_var, "noise_var")


def alpha_needed(
    mse: float,
    teacher: Teacher | GaussianMixture,
    init: Initialization | None = None,
    noise_var: float = 0.0,
) -> float:
    """The smallest data scale at which the predicted error is `mse` or less.

    The first crossing on 17 data scales from 0.001 to 0.99, refined by root finding. Where there is none the answer is
    1 + noise_var/mse: with as many examples as coordinates the data determine the coefficients, whatever the
    initialization is, and the error is noise_var/(alpha - 1).

    Parameters
    ----------
    mse : float, positive
    teacher, init, noise_var
        As in `ptft.replica_curve` by quadrature.

    Returns
    -------
    float
        0.001 if the error is as small there already; 1 or more if no data scale up to 0.99 is enough.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> round(alpha_needed(0.7, SingleTask(0.1), Initialization(1e4)), 4)
    0.3
    """
    mse, noise_var = positive_number(mse, "mse"), nonnegative_number(noise_var, "noise_var")
    mixture = law_of(teacher, init)
    return float(_alphas_needed(mse, _rows(mixture, mixture.k[None, :]), noise_var)[0])


def _alphas_needed(mse: float, rows: MixtureRows, noise_var: float) -> np.ndarray:
    """`alpha_needed` for every row of scales, shape (rows,)."""
    count = len(rows.k)
    each, scale = (index.ravel() for index in np.indices((count, _SCAN.size)))
    solved = solutions_by_rows(_SCAN[scale], rows.rows(each), noise_var, _REFINE).reshape(3, count, _SCAN.size)
    enough = solved[0] <= mse
    first = np.argmax(enough, axis=1)
    needed = np.where(enough.any(axis=1), _SCAN[first], 1 + noise_var / mse)

    def excess(alpha: np.ndarray, row: np.ndarray) -> np.ndarray:
        low, high = solved[1:, row, first[row] - 1], solved[1:, row, first[row]]
        x = (alpha - _SCAN[first[row] - 1]) / (_SCAN[first[row]] - _SCAN[first[row] - 1])
        error = errors_by_rows(alpha, rows.rows(row), noise_var, _REFINE, _between(low, high, x))
        result: np.ndarray = np.log(error / mse)
        return result

    between = np.flatnonzero(first)
    if between.size:
        ends = _SCAN[first[between] - 1], _SCAN[first[between]]
        needed[between] = find_root(excess, ends, args=(between,), tolerances={"xatol": 1e-6}).x
    return needed


@dataclass(frozen=True, eq=False)
class Landscape:
    """The predicted error over the plane of the two penalty scales."""

    inactive: np.ndarray  # (m,) sqrt(k) of the coordinates that pretraining did not use
    ratio: np.ndarray  # (r,) sqrt(k) of those that it used, in units of the former
    mse: np.ndarray  # (r, m); nan where no initialization has these scales

    def width(self, best: float, factor: float = 1.1) -> float:
        """How much of `inactive` has an error within `factor` of the `best`, at some ratio: the largest over the
        smallest value; 1 where none has.

        Examples
        --------
        >>> Landscape(np.array([0.1, 1.0, 10.0]), np.array([1.0]), np.array([[0.3, 0.31, 0.9]])).width(0.3)
        10.0
        """
        near = self.inactive[np.any(self.mse <= factor * best, axis=0)]
        return float(near.max() / near.min()) if near.size else 1.0


def landscape(
    teacher: SpikeSlab, alpha: float, inactive: ArrayLike, ratio: ArrayLike, noise_var: float = 0.0
) -> Landscape:
    """The predicted error at given penalty scales; initialization can reach them if they differ by less than 4 a_pt.

    Parameters
    ----------
    teacher, alpha, noise_var
        As in `best_initialization`.
    inactive : array_like, positive, shape (m,)
        sqrt(k) of the coordinates that pretraining did not use.
    ratio : array_like, at least 1, shape (r,)
        sqrt(k) of the others in units of `inactive`.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> field = landscape(SpikeSlab(omega=1.0), alpha=0.2, inactive=[1e-3, 1.0], ratio=[1.0, 100.0])
    >>> field.mse.round(3)  # the ratio 100 to a scale of 1 is out of reach
    array([[0.46 , 0.708],
           [0.044,   nan]])
    """
    alpha, noise_var = _task(teacher, alpha, noise_var)
    inactive, ratio = positive_array(inactive, "inactive", ndim=1), real_array(ratio, "ratio", ndim=1)
    require(ratio >= 1, "ratio", ratio, "at least 1")
    difference = (ratio[:, None] - 1) * inactive
    mse = np.full(difference.shape, np.nan)
    reached = difference < 4 * teacher.a_pt
    if reached.any():
        rows = rows_of_scales(teacher, difference[reached], (inactive + 0 * difference)[reached])
        mse[reached] = errors_by_rows(np.full(len(rows.k), alpha), rows, noise_var)
    return Landscape(inactive, ratio, mse)


def rows_of_scales(teacher: SpikeSlab, difference: ArrayLike, inactive: ArrayLike) -> MixtureRows:
    """The task with sqrt(k) = inactive where pretraining found nothing, and inactive + difference elsewhere.

    Parameters
    ----------
    teacher : SpikeSlab
    difference, inactive : array_like, shape (rows,)
        The first zero or positive, the second positive.

    Returns
    -------
    MixtureRows, for `ptft.replica.errors_by_rows`

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> rows = rows_of_scales(SpikeSlab(rho_ft=0.1, omega=1.0), np.array([1.0]), np.array([0.5]))
    >>> rows.weight.round(2), np.sqrt(rows.k)  # used in both tasks, and in neither
    (array([[0.1, 0.9]]), array([[1.5, 0.5]]))
    """
    mixture, active = _groups(instance_of(teacher, SpikeSlab, "teacher"))
    difference, inactive = broadcast(
        difference=nonnegative_array(difference, "difference", ndim=1),
        inactive=positive_array(inactive, "inactive", ndim=1),
    )
    return _rows(mixture, _k_of_groups(active, difference, inactive))


def _groups(teacher: SpikeSlab) -> tuple[GaussianMixture, np.ndarray]:
    """The components of fine-tuning, and which of them pretraining used."""
    probe = Initialization(teacher.a_pt)
    mixture = teacher.mixture(probe)
    return mixture, mixture.k > probe.k(0.0)


def _k_of_groups(active: np.ndarray, difference: np.ndarray, inactive: np.ndarray) -> np.ndarray:
    result: np.ndarray = (inactive[:, None] + active * difference[:, None]) ** 2
    return result


def _rows(mixture: GaussianMixture, k: np.ndarray) -> MixtureRows:
    weight, mean, variance, v = (
        a[None] for a in (mixture.weight, mixture.mean, mixture.variance, mixture.input_variance)
    )
    return MixtureRows(weight, mean, variance, k, v)


def _search(solve: Callable[[np.ndarray, np.ndarray | None], np.ndarray], grid: tuple[int, ...]) -> np.ndarray:
    """Place in the unit cube with the smallest error: the best local minima of the grid are followed downhill.

    From a pattern of places around each, the way leads to the bottom of the quadratic function that fits the errors
    there, or to the lowest place where none fits.

    `solve` takes places of shape (rows, dimensions) and perhaps where to start, (2, rows), and returns the errors and
    where they start from nearby, (3, rows).
    """
    places = np.stack(np.meshgrid(*(np.linspace(0, 1, m) for m in grid), indexing="ij"), axis=-1)
    values = solve(places.reshape(-1, len(grid)), None).reshape(3, *grid)
    basins = np.isfinite(values[0]) & (values[0] <= minimum_filter(values[0], size=3, mode="nearest"))
    kept = np.argsort(values[0][basins], kind="stable")[:_BASINS]
    best, found = places[basins][kept], values[:, basins][:, kept]
    centre, step = best.copy(), np.full(len(best), 1.0) / (np.array(grid).max() - 1)
    pattern, fine = (_square(count, len(grid)) for count in (9 if len(grid) == 1 else 5, 41))
    for _ in range(_MOVES):
        going = np.flatnonzero((step > _STEP) & ((step > _RIVAL[0]) | (found[0] <= _RIVAL[1] * found[0].min())))
        if not going.size:
            break
        reach = step[going, None]
        centre[going] = np.clip(centre[going], reach, 1 - reach)  # the pattern stays within the cube
        around = centre[going, None] + pattern * reach[:, None]
        start = np.repeat(found[1:, going], len(pattern), axis=1)
        solved = solve(around.reshape(-1, len(grid)), start).reshape(3, len(going), -1)
        for row, place, solution in zip(going, around, solved.swapaxes(0, 1), strict=True):
            i = np.argmin(solution[0])
            better = solution[0, i] < found[0, row]
            if better:
                best[row], found[:, row] = place[i], solution[:, i]
            move = _bottom(pattern, np.log(solution[0]), fine)
            if move is None:
                centre[row], outward, shrink = best[row], better & (np.abs(pattern[i]) == 1), 0.4
            else:
                centre[row] += step[row] * move
                outward, shrink = (np.abs(move) == 1) & (np.abs(centre[row] - 0.5) < 0.5 - 1e-9), 0.1
            if not outward.any():
                step[row] *= shrink
    result: np.ndarray = best[np.argmin(found[0])]
    return result


def _square(count: int, dimensions: int) -> np.ndarray:
    return np.array(list(itertools.product(np.linspace(-1, 1, count), repeat=dimensions)))


def _bottom(pattern: np.ndarray, values: np.ndarray, fine: np.ndarray) -> np.ndarray | None:
    """The lowest of the `fine` points by the quadratic function that fits the finite ones of the values on the pattern.

    None if it does not fit them.
    """
    known = np.isfinite(values)
    at, values = pattern[known], values[known]
    if not known.any():
        return None
    terms = _quadratic(at)
    coefficients = np.linalg.lstsq(terms, values)[0]
    if np.abs(terms @ coefficients - values).max() > _SMOOTH * np.ptp(values):
        return None
    within = fine[np.all((fine >= at.min(axis=0)) & (fine <= at.max(axis=0)), axis=1)]
    lowest: np.ndarray = within[np.argmin(_quadratic(within) @ coefficients)]
    return lowest


def _quadratic(x: np.ndarray) -> np.ndarray:
    """1, x_i and x_i x_j at points of shape (points, dimensions)."""
    return np.column_stack([np.ones(len(x)), x, *(x[:, i] * x[:, j] for j in range(x.shape[1]) for i in range(j + 1))])


def _on_bound(init: Initialization, difference: float, inactive: float, a_pt: float, bounds: Bounds) -> tuple[str, ...]:
    """Parameters at their bounds, if scales that differ by 1 % leave what the bounds allow."""
    near = ((1.01, 1.0), (0.99, 1.0), (1.0, 1.01), (1.0, 0.99))
    if all(bounds.allow(f * difference, g * inactive, a_pt) for f, g in near):
        return ()
    c, first, gamma = (float(np.asarray(v)) for v in (init.c_pt, init.c_plus_lambda, init.gamma_ft))
    # lambda_pt/c_pt by its distance from -1
    values = {
        "c_pt": (c, bounds.c_pt),
        "relative": (first / c, [1 + r for r in bounds.relative]),
        "gamma_ft": (gamma, bounds.gamma_ft),
    }
    return tuple(name for name, (value, pair) in values.items() if np.any(np.isclose(value, pair, rtol=1e-3, atol=0)))
