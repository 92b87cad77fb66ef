"""Simulation beside theory: errors of sampled teachers with their predictions, and the statistics of the difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ptft.experiments import FiniteSetting, Setting
from ptft.generalization import replica_curve
from ptft.simulation import sampled_teacher, simulate_many, simulate_two_stages
from ptft.teachers import GROUPS, GaussianMixture, TeacherGroups
from ptft.two_stages import two_stage_curve
from ptft.validation import instance_of, positive_array, whole_number


@dataclass(frozen=True, eq=False)
class Comparison:
    """Simulation and theory of one setting at the same data scales."""

    setting: Setting | FiniteSetting
    d: int
    alpha: np.ndarray  # (points,) n/d as simulated
    mse: np.ndarray  # (points, seeds) of the exact end points
    certified: np.ndarray  # (points, seeds) end point converged
    theory: np.ndarray  # (points,) replica prediction for the law of the teacher
    given_teacher: np.ndarray  # (points, seeds) replica prediction for the sampled teachers (GaussianMixture.of_sample)

    @property
    def mean(self) -> np.ndarray:
        """Mean error over the seeds, (points,)."""
        return self.mse.mean(axis=1)

    @property
    def standard_error(self) -> np.ndarray:
        """Standard error of the mean, (points,)."""
        return self.mse.std(axis=1, ddof=1) / np.sqrt(self.mse.shape[1])

    @property
    def half_width(self) -> np.ndarray:
        """Half the width of the 95 % confidence interval of the mean (Student's t), (points,)."""
        return stats.t.ppf(0.975, self.mse.shape[1] - 1) * self.standard_error

    @property
    def covered(self) -> np.ndarray:
        """Whether the interval of the mean covers the theory, (points,)."""
        return np.abs(self.mean - self.theory) <= self.half_width

    @property
    def given_teachers(self) -> Comparison:
        """The same errors against the prediction for the teachers that were sampled.

        The difference from each teacher's own prediction is added to the theory, so that `mean`, its interval and
        `covered` no longer vary with the teachers.
        """
        shift = self.given_teacher - self.theory[:, None]
        return replace(self, mse=self.mse - shift, given_teacher=self.given_teacher - shift)

    @property
    def deviation(self) -> np.ndarray:
        """Mean error minus the theory in standard errors of the mean, (points,)."""
        return (self.mean - self.theory) / self.standard_error


def compare(settings: Iterable[Setting], alpha: ArrayLike, d: int, seeds: Iterable[int]) -> dict[Setting, Comparison]:
    """Simulate all settings at every alpha and seed, and predict the errors.

    Parameters
    ----------
    settings : iterable of Setting
        They share the inputs X of each alpha and seed.
    alpha : array_like, shape (points,)
        Data scales; each is rounded to a whole number of examples.
    d : int
    seeds : iterable of int, at least two

    Returns
    -------
    dict from each setting to its Comparison

    Raises
    ------
    ValueError
        If there are fewer than two seeds, a setting is not a `Setting` (`compare_two_stages` takes a `FiniteSetting`),
        or `ptft.simulate` refuses the arguments.

    Examples
    --------
    >>> points = compare([Setting(omega=1.0)], [0.2], d=100, seeds=[0, 1])[Setting(omega=1.0)]
    >>> points.mse.shape, bool(points.certified.all())
    ((1, 2), True)
    """
    settings = [
        instance_of(one, Setting, "setting", "compare_two_stages takes a FiniteSetting")
        for one in dict.fromkeys(settings)
    ]
    seeds = list(seeds)
    whole_number(len(seeds), "the number of seeds", at_least=2)
    alpha = positive_array(alpha, "alpha", ndim=1)
    pairs = [(setting.teacher, setting.init) for setting in settings]
    grid = [[simulate_many(pairs, float(a), d, seed) for seed in seeds] for a in alpha]  # alpha, seed, setting
    used = np.array([row[0][0].alpha for row in grid])
    mse = np.array([[[point.mse for point in points] for points in row] for row in grid])
    certified = np.array([[[point.converged for point in points] for points in row] for row in grid])
    return {s: comparison(s, d, used, seeds, mse[..., i], certified[..., i]) for i, s in enumerate(settings)}


def comparison(
    setting: Setting, d: int, alpha: np.ndarray, seeds: Sequence[int], mse: np.ndarray, certified: np.ndarray
) -> Comparison:
    """The theory beside simulated errors of one setting.

    Parameters
    ----------
    setting : Setting
    d : int
    alpha : ndarray (points,)
    seeds : sequence of int
        They fix the teachers that were sampled.
    mse, certified : ndarray (points, seeds)

    Examples
    --------
    >>> one = comparison(Setting(), 100, np.array([0.2]), [0, 1], np.array([[0.7, 0.9]]), np.full((1, 2), True))
    >>> one.mean, one.standard_error.round(3), one.theory.round(3), one.covered
    (array([0.8]), array([0.1]), array([0.894]), array([ True]))
    """
    teacher, init = setting.teacher, setting.init
    given_teacher = []
    for seed in seeds:
        beta_pt, beta_ft = sampled_teacher(teacher, d, seed)
        sampled = GaussianMixture.of_sample(beta_ft, teacher.penalty_scale(init, beta_pt))
        # few coordinates may hold no active one: nothing is learned then, and nothing is wrong
        given_teacher.append(replica_curve(alpha, sampled).mse if beta_ft.any() else np.zeros_like(alpha))
    theory = replica_curve(alpha, teacher, init).mse
    return Comparison(setting, d, alpha, mse, certified, theory, np.transpose(given_teacher))


@dataclass(frozen=True, eq=False)
class TwoStageComparison:
    """Simulation and theory of both stages of one setting."""

    fine_tuning: Comparison  # E (beta_ft - beta*_ft)^2
    pretraining: Comparison  # E (beta_pt - beta*_pt)^2, at the one alpha_pt
    forgetting: dict[
        str, Comparison
    ]  # E (beta_ft - beta*_pt)^2 within each group of `ptft.teachers.GROUPS` that exists


def compare_two_stages(setting: FiniteSetting, alpha: ArrayLike, d: int, seeds: Iterable[int]) -> TwoStageComparison:
    """Simulate both stages at every alpha and seed, and predict their errors, also for the teachers that were sampled.

    Parameters
    ----------
    setting : FiniteSetting
    alpha : array_like, shape (points,)
        Data scales of fine-tuning.
    d : int
    seeds : iterable of int, at least two

    Raises
    ------
    ValueError
        If there are fewer than two seeds, `setting` is not a `FiniteSetting` (`compare` takes a `Setting`), or
        `ptft.simulate_two_stages` refuses the arguments.

    Examples
    --------
    >>> few = FiniteSetting(Setting(omega=1.0), alpha_pt=0.5)
    >>> both = compare_two_stages(few, [0.3], d=100, seeds=[0, 1])
    >>> both.fine_tuning.mse.shape, list(both.forgetting)  # the groups that exist
    ((1, 2), ['shared', 'none'])
    """
    seeds = list(seeds)
    whole_number(len(seeds), "the number of seeds", at_least=2)
    setting = instance_of(setting, FiniteSetting, "setting", "compare takes a Setting")
    teacher = setting.teacher
    data = (setting.alpha_pt, setting.noise_pt, setting.noise_ft)
    runs = [simulate_two_stages(teacher, setting.init, alpha, data[0], d, seed, *data[1:]) for seed in seeds]
    used, used_pt = np.array([point.alpha for point in runs[0]]), np.array([runs[0][0].alpha_pt])
    laws = [teacher.groups, *(TeacherGroups.of_sample(*sampled_teacher(teacher, d, seed)) for seed in seeds)]
    curves = [two_stage_curve(used, law, setting.init, used_pt[0], *data[1:]) for law in laws]
    certified = np.array([[point.converged for point in run] for run in runs]).T

    def compared(at: np.ndarray, simulated: Sequence[object], theories: Sequence[np.ndarray]) -> Comparison:
        mse, (theory, *given) = np.array(simulated, dtype=float).T, theories
        return Comparison(setting, d, at, mse, certified[: at.size], theory, np.transpose(given))

    return TwoStageComparison(
        fine_tuning=compared(used, [[point.mse for point in run] for run in runs], [curve.mse for curve in curves]),
        pretraining=compared(
            used_pt, [[run[0].mse_pt] for run in runs], [curve.pretraining.mse.reshape(1) for curve in curves]
        ),
        forgetting={
            name: compared(
                used,
                [[point.forgetting[g] for point in run] for run in runs],
                [curve.forgetting[:, g] for curve in curves],
            )
            for g, name in enumerate(GROUPS)
            if teacher.group_probabilities[g] > 0
        },
    )


def relative_deviation(results: Iterable[Comparison], seen: float = 1e-3) -> tuple[float, float]:
    """How far simulations lie from the predictions for their teachers: a mean, and half its 95 % interval.

    The deviation of a point is in units of the theory; points whose theory is at most `seen` are left out. Points of
    one seed share their data, so the interval is that of the seeds' means (Student's t). (nan, nan) without a point.

    Examples
    --------
    >>> mse = np.array([[0.7, 0.9]])
    >>> one = comparison(Setting(), 100, np.array([0.2]), [0, 1], mse, mse > 0)
    >>> deviation, half_width = relative_deviation([one])
    >>> bool(np.isclose(deviation, np.mean((mse - one.given_teacher) / one.theory)))
    True
    """
    relative = [
        ((r.mse - r.given_teacher) / r.theory[:, None])[shown] for r in results if (shown := r.theory > seen).any()
    ]
    if not relative:
        return np.nan, np.nan
    seeds = np.concatenate(relative).mean(axis=0)
    half_width = stats.t.ppf(0.975, seeds.size - 1) * seeds.std(ddof=1) / np.sqrt(seeds.size)
    return float(seeds.mean()), float(half_width)


def relative_errors(mse: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many times larger errors are than others on the same data: geometric means and their 95 % intervals.

    Parameters
    ----------
    mse : ndarray, shape (..., seeds), positive
    reference : ndarray, shape (seeds,), positive

    Returns
    -------
    mean, low, high : ndarray, shape (...,)
        The intervals are those of the mean logarithm (Student's t).

    Examples
    --------
    >>> mean, low, high = relative_errors(np.array([2.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0]))
    >>> print(f"{mean:.2f} ({low:.2f} to {high:.2f})")
    2.52 (0.93 to 6.81)
    """
    logs = np.log(mse / reference)
    seeds = logs.shape[-1]
    mean = logs.mean(axis=-1)
    half = stats.t.ppf(0.975, seeds - 1) * logs.std(axis=-1, ddof=1) / np.sqrt(seeds)
    return np.exp(mean), np.exp(mean - half), np.exp(mean + half)


def advantage_grows(errors: Mapping[Setting, np.ndarray], pairs: Iterable[tuple[Setting, Setting]]) -> np.ndarray:
    """Whether the ratio of a pair's errors, first over second, grows from each pair to the next, at every point.

    Parameters
    ----------
    errors : mapping from each setting to its errors, shape (points,)
    pairs : iterable of (worse, better) settings, at least two

    Returns
    -------
    ndarray of bool (points,)

    Examples
    --------
    >>> errors = {"dense, lazy": np.array([0.9, 0.8]), "dense, rich": np.array([0.8, 0.4])}
    >>> errors |= {"sparse, lazy": np.array([0.9, 0.8]), "sparse, rich": np.array([0.7, 0.5])}
    >>> pairs = [("dense, lazy", "dense, rich"), ("sparse, lazy", "sparse, rich")]
    >>> advantage_grows(errors, pairs)  # at the first point only
    array([ True, False])
    """
    ratios = [np.log(errors[worse]) - np.log(errors[better]) for worse, better in pairs]
    return np.all(np.diff(ratios, axis=0) > 0, axis=0)
