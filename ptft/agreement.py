"""Simulation beside theory: errors of sampled teachers with their predictions, and the statistics of the difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ptft.designs import Design
from ptft.experiments import COLUMNS, FiniteSetting, Setting, predict_two_stages
from ptft.extras import needs_extra
from ptft.generalization import replica_curve
from ptft.initialization import Initialization
from ptft.replica import MixtureRows, ReplicaCurve, errors_by_rows
from ptft.simulation import sampled_law, sampled_teacher, simulate_many, simulate_two_stages_many
from ptft.teachers import GROUPS, GaussianMixture, Teacher, TeacherGroups
from ptft.trends import effect, interval_factor
from ptft.two_stages import TwoStageCurve, two_stage_curve
from ptft.validation import (
    checked,
    instance_of,
    listed,
    positive_array,
    refuse,
    require,
    require_table,
    seed_number,
    whole_number,
)

if TYPE_CHECKING:
    import pandas as pd


STAGES = ("alpha_pt", "noise_pt", "noise_ft")  # of a `FiniteSetting` in a table, besides its base
STAGE_COLUMNS = {
    **{prefix + name: float for name in ("mse", "mse_pt") for prefix in ("", "given_")},
    **{f"{name}_{g}": float | None for name in ("forgetting", "given_forgetting", "kept") for g in range(len(GROUPS))},
    "converged": bool,
}


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
        result: np.ndarray = self.mse.mean(axis=1)
        return result

    @property
    def standard_error(self) -> np.ndarray:
        """Standard error of the mean, (points,)."""
        result: np.ndarray = self.mse.std(axis=1, ddof=1) / np.sqrt(self.mse.shape[1])
        return result

    @property
    def half_width(self) -> np.ndarray:
        """Half the width of the 95 % confidence interval of the mean (Student's t), (points,)."""
        result: np.ndarray = interval_factor(self.mse.shape[1]) * self.standard_error
        return result

    @property
    def covered(self) -> np.ndarray:
        """Whether the interval of the mean covers the theory, (points,)."""
        result: np.ndarray = np.abs(self.mean - self.theory) <= self.half_width
        return result

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
        """Mean error minus the theory in standard errors of the mean, (points,); nan where the error does not vary."""
        error = self.standard_error
        result: np.ndarray = np.divide(
            self.mean - self.theory, error, out=np.full(error.shape, np.nan), where=error > 0
        )
        return result


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
        instance_of(one, Setting, "one of settings", "compare_two_stages takes a FiniteSetting")
        for one in listed(settings, "settings")
    ]
    settings, seeds = (
        list(dict.fromkeys(settings)),
        [seed_number(seed, "one of seeds") for seed in listed(seeds, "seeds")],
    )
    whole_number(len(seeds), "the number of seeds", at_least=2)
    alpha = positive_array(alpha, "alpha", ndim=1)
    pairs = [(setting.teacher, setting.init) for setting in settings]
    grid = [[simulate_many(pairs, float(a), d, seed) for seed in seeds] for a in alpha]  # alpha, seed, setting
    used = np.array([row[0][0].alpha for row in grid])
    mse = np.array([[[point.mse for point in points] for points in row] for row in grid])
    certified = np.array([[[point.converged for point in points] for points in row] for row in grid])
    return {s: comparison(s, d, used, seeds, mse[..., i], certified[..., i]) for i, s in enumerate(settings)}


@checked
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
    theory = replica_curve(alpha, setting.teacher, setting.init)
    given = _errors_of([sampled_law(setting.teacher, setting.init, d, seed) for seed in seeds], theory, 0.0)
    return Comparison(setting, d, alpha, mse, certified, theory.mse, given)


def given_teachers(
    teacher: Teacher, init: Initialization, alpha: ArrayLike, d: int, seeds: Iterable[int], noise_var: float = 0.0
) -> np.ndarray:
    """Replica predictions for the teachers with which `ptft.simulate` works at these seeds.

    Parameters
    ----------
    teacher, init, d, noise_var
        As in `ptft.simulate`.
    alpha : array_like, shape (points,)
    seeds : iterable of int

    Returns
    -------
    ndarray, shape (points, seeds)

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from ptft import SpikeSlab
    >>> one = given_teachers(SpikeSlab(), Initialization(1e-3), [0.2, 0.3], d=2000, seeds=[0, 1])
    >>> one.round(2)  # of the law it is 0.37 and 0.09
    array([[0.33, 0.34],
           [0.09, 0.09]])
    """
    seeds = [seed_number(seed, "one of seeds") for seed in listed(seeds, "seeds")]
    law = replica_curve(positive_array(alpha, "alpha", ndim=1), teacher, init, noise_var)
    return _errors_of([sampled_law(teacher, init, d, seed) for seed in seeds], law, noise_var)


def ratio_to_theory(
    teacher: Teacher,
    inits: Iterable[Initialization],
    alpha: float,
    d: int,
    seeds: Iterable[int],
    design: Design | str = "gaussian",
    predicted: Teacher | None = None,
) -> np.ndarray:
    """Simulated prediction risks over the predicted ones of Gaussian inputs, whatever the design of the simulated is.

    Parameters
    ----------
    teacher : Teacher
    inits : iterable of Initialization
        They share the inputs of each seed.
    alpha, d
        As in `ptft.simulate`.
    seeds : iterable of int
    design : str or Design, default "gaussian"
        Of the simulated inputs.
    predicted : Teacher, optional
        The teacher that the theory is told of, if it is another: one without the variances of the inputs, for example.

    Returns
    -------
    ndarray, shape (inits, seeds)

    Raises
    ------
    ValueError
        As `ptft.simulate` and `ptft.replica_curve`.

    Examples
    --------
    >>> from ptft import SpikeSlab
    >>> ratio_to_theory(SpikeSlab(), [Initialization(1e-3), Initialization(1.0)], 0.3, d=60, seeds=[0, 1, 2]).shape
    (2, 3)
    """
    inits = listed(inits, "inits")
    if predicted is not None and not hasattr(predicted, "mixture"):
        refuse("predicted", predicted, "a teacher with a mixture")
    points = [
        simulate_many([(teacher, one) for one in inits], alpha, d, s, design=design) for s in listed(seeds, "seeds")
    ]
    law = teacher if predicted is None else predicted
    theory = [float(replica_curve(points[0][0].alpha, law, one).mse) for one in inits]
    mse = np.array([[point.mse for point in together] for together in points])  # (seeds, inits)
    ratios: np.ndarray = (mse / theory).T
    return ratios


def stored_comparisons(stored: pd.DataFrame, d: int) -> dict[Setting, Comparison]:
    """Simulation and theory of every setting that a table holds at one d, as `compare` gives them.

    Parameters
    ----------
    stored : DataFrame
        A table of `ptft.sweeps.diagonal`.
    d : int

    Raises
    ------
    ValueError
        If the table has no row of this d, or a setting lacks a seed at some alpha.

    Examples
    --------
    >>> import pandas as pd
    >>> row = dict(zip(COLUMNS, Setting(omega=1.0).numbers)) | {"d": 100, "alpha": 0.2, "converged": True}
    >>> stored = pd.DataFrame([row | {"seed": 0, "mse": 0.01}, row | {"seed": 1, "mse": 0.02}])
    >>> one = stored_comparisons(stored, d=100)[Setting(omega=1.0)]
    >>> one.mean, one.theory.round(4)
    (array([0.015]), array([0.0009]))
    """
    found = {}
    for values, alpha, seeds, rows in _grids(stored, d, COLUMNS, ("mse", "converged")):
        certified = rows["converged"].astype(bool)
        setting = Setting.of_numbers(values)
        found[setting] = comparison(setting, d, alpha, seeds, rows["mse"].astype(float), certified)
    return found


def _grids(
    stored: pd.DataFrame, d: int, setting: Sequence[str], columns: Iterable[str]
) -> Iterator[tuple[tuple[Any, ...], np.ndarray, list[int], dict[str, np.ndarray]]]:
    """Of every setting in a table at one d: its numbers, data scales, seeds, and columns of shape (points, seeds)."""
    columns, keys = list(columns), [*setting, "d", "alpha", "seed"]
    require_table(stored, "stored", [*keys, *columns])
    whole_number(d, "d", at_least=1)
    _require_kinds(stored[[*keys, *columns]])
    rows = stored[stored["d"] == d].drop_duplicates([*keys, *columns])
    twice = rows.duplicated(keys)
    require(not twice.any(), "stored", f"{int(twice.sum())} rows of points that are there", "one with one row a point")
    require(len(rows) > 0, "d", d, f"one of {sorted(stored['d'].unique().tolist())}, the dimensions in the table")
    for values, group in rows.groupby(list(setting), dropna=False, sort=False):
        grid = group.pivot(index="alpha", columns="seed", values=columns)
        complete = not grid["converged"].isna().any(axis=None)
        require(complete, "stored", dict(zip(setting, values, strict=True)), "complete: every seed at every alpha")
        seeds = grid["converged"].columns.tolist()
        yield values, grid.index.to_numpy(), seeds, {name: grid[name].to_numpy() for name in columns}


def _require_kinds(stored: pd.DataFrame) -> None:
    """Raise unless `converged` holds truth values, and all else numbers, of which some may be missing."""
    with needs_extra("sweep", __name__):
        from pandas.api.types import infer_dtype
    twice = sorted(set(stored.columns[stored.columns.duplicated()]))
    require(not twice, "stored", f"a table with two columns {', '.join(twice)}", "one with one column of a name")
    for name in stored:
        kinds = ("boolean",) if name == "converged" else ("floating", "integer", "mixed-integer-float")
        kind, allowed = infer_dtype(stored[name]), "truth values" if name == "converged" else "numbers"
        require(kind in (*kinds, "empty"), f"stored[{name!r}]", f"a column of kind {kind}", f"one of {allowed}")


def _errors_of(mixtures: Sequence[GaussianMixture], law: ReplicaCurve, noise_var: float) -> np.ndarray:
    """Replica predictions for samples of a law, shape (points, mixtures); 0 where one is all zero, as is the noise."""
    learned, alpha = [i for i, one in enumerate(mixtures) if one.power + noise_var > 0], law.alpha
    errors = np.zeros((alpha.size, len(mixtures)))
    if not learned:
        return errors
    size, below = max(len(one.weight) for one in mixtures), np.flatnonzero(alpha < 1)

    def of_every_row(name: str, mode: Literal["constant", "edge"] = "constant") -> np.ndarray:
        """One parameter of the components; mixtures with fewer of them get some of weight 0."""
        values = [getattr(mixtures[i], name) for i in learned]
        padded = [np.pad(value, (0, size - len(value)), mode) for value in values]
        return np.repeat(padded, below.size, axis=0)

    rows = MixtureRows(
        *(of_every_row(name) for name in ("weight", "mean", "variance")),
        *(of_every_row(name, "edge") for name in ("k", "input_variance")),
    )
    if below.size:
        start = np.tile([law.tau2[below], law.theta[below]], len(learned))
        found = errors_by_rows(np.tile(alpha[below], len(learned)), rows, noise_var, start=start)
        errors[below[:, None], learned] = found.reshape(len(learned), below.size).T
    for point, i in np.argwhere(~np.isfinite(errors)):
        errors[point, i] = replica_curve(alpha[point], mixtures[i], noise_var=noise_var).mse
    return errors


@dataclass(frozen=True, eq=False)
class TwoStageComparison:
    """Simulation and theory of both stages of one setting."""

    fine_tuning: Comparison  # E (beta_ft - beta*_ft)^2
    pretraining: Comparison  # E (beta_pt - beta*_pt)^2, at the one alpha_pt
    forgetting: dict[
        str, Comparison
    ]  # E (beta_ft - beta*_pt)^2 within each group of `ptft.teachers.GROUPS` that exists
    kept: dict[str, np.ndarray]  # (points, seeds) share of beta*_pt in beta_ft, in the groups where beta*_pt is active


def compare_two_stages(
    settings: Iterable[FiniteSetting], alpha: ArrayLike, d: int, seeds: Iterable[int]
) -> dict[FiniteSetting, TwoStageComparison]:
    """Simulate both stages of all settings, and predict their errors, also for the teachers that were sampled.

    Parameters
    ----------
    settings : iterable of FiniteSetting
        They share the inputs of fine-tuning of each alpha and seed.
    alpha : array_like, shape (points,)
        Data scales of fine-tuning.
    d : int
    seeds : iterable of int, at least two

    Returns
    -------
    dict from each setting to its TwoStageComparison

    Raises
    ------
    ValueError
        If there are fewer than two seeds, a setting is not a `FiniteSetting` (`compare` takes a `Setting`), or
        `ptft.simulate_two_stages` refuses the arguments.

    Examples
    --------
    >>> few = FiniteSetting(Setting(omega=1.0), alpha_pt=0.5)
    >>> both = compare_two_stages([few], [0.3], d=100, seeds=[0, 1])[few]
    >>> both.fine_tuning.mse.shape, list(both.forgetting)  # the groups that exist
    ((1, 2), ['shared', 'none'])
    """
    settings = [
        instance_of(one, FiniteSetting, "one of settings", "compare takes a Setting")
        for one in listed(settings, "settings")
    ]
    settings, seeds = (
        list(dict.fromkeys(settings)),
        [seed_number(seed, "one of seeds") for seed in listed(seeds, "seeds")],
    )
    whole_number(len(seeds), "the number of seeds", at_least=2)
    alpha, d = positive_array(alpha, "alpha", ndim=1), whole_number(d, "d", at_least=1)
    laws = [_law_at(one, alpha, d) for one in settings]
    runs = [stage_rows(settings, alpha, d, seed, laws) for seed in seeds]

    def arrays(i: int) -> dict[str, np.ndarray]:
        return {name: np.transpose([[row[name] for row in run[i]] for run in runs]) for name in STAGE_COLUMNS}

    return {one: _compared(one, d, arrays(i), laws[i]) for i, one in enumerate(settings)}


def _law_at(setting: FiniteSetting, alpha: np.ndarray, d: int) -> TwoStageCurve:
    """The prediction at the data scales that whole numbers of examples give."""
    used = replace(setting, alpha_pt=round(setting.alpha_pt * d) / d)
    return predict_two_stages(used, np.round(alpha * d) / d)


@checked
def stage_rows(
    settings: Sequence[FiniteSetting], alpha: np.ndarray, d: int, seed: int, laws: Sequence[TwoStageCurve]
) -> list[list[dict[str, Any]]]:
    """Errors of one simulation of both stages, and the predicted ones for its teacher, which begin with "given".

    Parameters
    ----------
    settings : sequence of FiniteSetting
    alpha : ndarray (points,)
    d, seed : int
    laws : sequence of TwoStageCurve
        The predictions of `ptft.experiments.predict_two_stages` at the data scales n/d, from which others start.

    Returns
    -------
    list of lists of dict
        By setting and data scale, with the keys of `STAGE_COLUMNS`.

    Raises
    ------
    ValueError
        If there are not as many laws as settings, or `ptft.simulate_two_stages` refuses the arguments.

    Examples
    --------
    >>> few, alpha = FiniteSetting(Setting(omega=1.0), alpha_pt=0.5), np.array([0.3])
    >>> ((row,),) = stage_rows([few], alpha, 100, 0, [predict_two_stages(few, alpha)])
    >>> row["converged"], row.keys() == STAGE_COLUMNS.keys()
    (True, True)
    """
    require(len(laws) == len(settings), "the number of laws", len(laws), f"{len(settings)}, that of settings")
    each = [(s.teacher, s.init, s.alpha_pt, s.noise_pt, s.noise_ft) for s in settings]
    found = []
    for one, law, points in zip(settings, laws, simulate_two_stages_many(each, alpha, d, seed), strict=True):
        sample = TeacherGroups.of_sample(*sampled_teacher(one.teacher, d, seed))
        used, used_pt = np.array([point.alpha for point in points]), points[0].alpha_pt
        given = two_stage_curve(used, sample, one.init, used_pt, one.noise_pt, one.noise_ft, nearby=law)
        found.append(
            [
                {"mse": point.mse, "given_mse": float(given.mse[i])}
                | {"mse_pt": point.mse_pt, "given_mse_pt": float(given.pretraining.mse)}
                | {f"forgetting_{g}": float(point.forgetting[g]) for g in range(len(GROUPS))}
                | {f"given_forgetting_{g}": float(given.forgetting[i, g]) for g in range(len(GROUPS))}
                | {f"kept_{g}": float(point.kept[g]) for g in range(len(GROUPS))}
                | {"converged": point.converged}
                for i, point in enumerate(points)
            ]
        )
    return found


def _compared(setting: FiniteSetting, d: int, rows: Mapping[str, np.ndarray], law: TwoStageCurve) -> TwoStageComparison:
    """Simulations of one setting beside their predictions; arrays of shape (points, seeds), as of `stage_rows`."""
    used, used_pt = law.alpha, np.array([round(setting.alpha_pt * d) / d])
    certified = rows["converged"].astype(bool)
    exist = [g for g in range(len(GROUPS)) if setting.teacher.group_probabilities[g] > 0]

    def compared(name: str, at: np.ndarray, theory: np.ndarray) -> Comparison:
        mse, given = (rows[prefix + name][: at.size].astype(float) for prefix in ("", "given_"))
        return Comparison(setting, d, at, mse, certified[: at.size], theory, given)

    return TwoStageComparison(
        fine_tuning=compared("mse", used, law.mse),
        pretraining=compared("mse_pt", used_pt, law.pretraining.mse.reshape(1)),
        forgetting={GROUPS[g]: compared(f"forgetting_{g}", used, law.forgetting[:, g]) for g in exist},
        kept={GROUPS[g]: rows[f"kept_{g}"].astype(float) for g in exist if setting.teacher.groups.beta_pt[g] != 0},
    )


def stored_two_stages(stored: pd.DataFrame, d: int) -> dict[FiniteSetting, TwoStageComparison]:
    """Simulation and theory of both stages of every setting that a table holds at one d, as `compare_two_stages`.

    Parameters
    ----------
    stored : DataFrame
        A table of `ptft.sweeps.two_stages`.
    d : int

    Raises
    ------
    ValueError
        If the table has no row of this d, or a setting lacks a seed at some alpha.

    Examples
    --------
    >>> import pandas as pd
    >>> few, alpha = FiniteSetting(Setting(omega=1.0), alpha_pt=0.5), np.array([0.3])
    >>> runs = [stage_rows([few], alpha, 100, seed, [predict_two_stages(few, alpha)]) for seed in (0, 1)]
    >>> point = dict(zip((*COLUMNS, *STAGES), (*few.base.numbers, 0.5, 0.0, 0.0))) | {"d": 100}
    >>> stored = pd.DataFrame([run[0][0] | point | {"alpha": 0.3, "seed": seed} for seed, run in enumerate(runs)])
    >>> stored_two_stages(stored, 100)[few].fine_tuning.mse.shape
    (1, 2)
    """
    found = {}
    for values, alpha, _, rows in _grids(stored, d, (*COLUMNS, *STAGES), STAGE_COLUMNS):
        setting = FiniteSetting(Setting.of_numbers(values[: len(COLUMNS)]), *values[len(COLUMNS) :])
        found[setting] = _compared(setting, d, rows, _law_at(setting, alpha, d))
    return found


@checked
def relative_deviation(results: Iterable[Comparison], seen: float = 1e-3) -> tuple[float, float]:
    """How far simulations lie from the predictions for their teachers: a mean, and half its 95 % interval.

    The deviation of a point is in units of the theory; points whose theory is at most `seen`, or whose error is not a
    number at some seed (a group without a coordinate), are left out. Points of one seed share their data, so the
    interval is that of the seeds' means (Student's t). (nan, nan) without a point.

    Examples
    --------
    >>> mse = np.array([[0.7, 0.9]])
    >>> one = comparison(Setting(), 100, np.array([0.2]), [0, 1], mse, mse > 0)
    >>> deviation, half_width = relative_deviation([one])
    >>> bool(np.isclose(deviation, np.mean((mse - one.given_teacher) / one.theory)))
    True
    """
    relative = [
        ((r.mse - r.given_teacher) / r.theory[:, None])[shown]
        for r in results
        if (shown := (r.theory > seen) & np.isfinite(r.mse).all(axis=1)).any()
    ]
    if not relative:
        return np.nan, np.nan
    of_seeds = effect(np.concatenate(relative).mean(axis=0))
    return of_seeds.mean, of_seeds.half


@checked
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
    half = interval_factor(seeds) * logs.std(axis=-1, ddof=1) / np.sqrt(seeds)
    return np.exp(mean), np.exp(mean - half), np.exp(mean + half)


@checked
def advantage_growth(errors: Mapping[Any, np.ndarray], pairs: Iterable[tuple[Any, Any]]) -> np.ndarray:
    """By how much the ratio of a pair's errors, first over second, grows from each pair to the next, at every point.

    Parameters
    ----------
    errors : mapping from each setting, or its name, to its errors, shape (points,)
    pairs : iterable of (worse, better) of these, at least two

    Returns
    -------
    ndarray (points,)
        The smallest step of the logarithm of the ratio: positive where the advantage grows.

    Examples
    --------
    >>> errors = {"dense, lazy": np.array([0.9, 0.8]), "dense, rich": np.array([0.8, 0.4])}
    >>> errors |= {"sparse, lazy": np.array([0.9, 0.8]), "sparse, rich": np.array([0.7, 0.5])}
    >>> pairs = [("dense, lazy", "dense, rich"), ("sparse, lazy", "sparse, rich")]
    >>> advantage_growth(errors, pairs).round(2)  # at the first point only
    array([ 0.13, -0.22])
    """
    ratios = [np.log(errors[worse]) - np.log(errors[better]) for worse, better in pairs]
    result: np.ndarray = np.min(np.diff(ratios, axis=0), axis=0)
    return result


@checked
def advantage_seen(points: Mapping[Setting, Comparison], pairs: Sequence[tuple[Setting, Setting]]) -> np.ndarray | None:
    """`advantage_growth` for the mean errors of simulations; None where they were not made at the same data scales.

    Examples
    --------
    >>> few, many = Setting(0.01), Setting(0.1)
    >>> points = compare([few, many], [0.2, 0.4], d=200, seeds=[0, 1])
    >>> advantage_seen(points, [(few, few), (many, few)]).shape
    (2,)
    """
    shown = [points[setting] for pair in pairs for setting in pair]
    if any(not np.array_equal(one.alpha, shown[0].alpha) for one in shown):
        return None
    return advantage_growth({one.setting: one.mean for one in shown if isinstance(one.setting, Setting)}, pairs)


@checked
def deviation_summary(deviation: np.ndarray) -> tuple[float, float, float]:
    """Mean, root mean square and the largest (with its sign) of the deviations that are numbers; nan without any.

    Parameters
    ----------
    deviation : ndarray, any shape
        As `Comparison.deviation`.

    Examples
    --------
    >>> deviation_summary(np.array([-2.0, 1.0, np.nan, 2.0, -3.0]))
    (-0.5, 2.1213203435596424, -3.0)
    """
    finite = deviation[np.isfinite(deviation)]
    if not finite.size:
        return np.nan, np.nan, np.nan
    worst = finite[np.argmax(np.abs(finite))]
    return float(finite.mean()), float(np.sqrt(np.mean(finite**2))), float(worst)


@checked
def simulated_alike(results: Iterable[Comparison]) -> list[Comparison]:
    """Those of the results that have the size and the number of seeds of the first, and so can be averaged with it.

    Examples
    --------
    >>> small, large = (compare([Setting()], [0.2], d, seeds=[0, 1])[Setting()] for d in (50, 100))
    >>> [one.d for one in simulated_alike([small, large, small])]
    [50, 50]
    """
    results = list(results)
    return [one for one in results if (one.d, one.mse.shape[1]) == (results[0].d, results[0].mse.shape[1])]
