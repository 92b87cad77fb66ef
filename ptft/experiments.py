"""The paper's diagonal-network experiments: settings of Experiments 1-4 and Figures 3 and 5, and their predictions.

Sources: Section 5.3, Appendix A and Appendix E.2.6. All settings have rho_pt = 0.1 and a_pt = 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ptft.generalization import replica_curve
from ptft.initialization import Initialization
from ptft.regimes import STARTS
from ptft.replica import ReplicaCurve
from ptft.teachers import SingleTask, SpikeSlab
from ptft.two_stages import TwoStageCurve, two_stage_curve
from ptft.validation import (
    check_fields,
    checked,
    fraction,
    instance_of,
    nonnegative_number,
    one_of,
    require,
    whole_number,
)

ALPHA = np.linspace(0.01, 0.5, 11)  # the published data scales
C_PT = (1e-6, 1e-3, 1.0)
SHARE = (-0.99, 0.0, 0.99)  # lambda_pt / c_pt
GAMMA_FT = (0.0, 1.0, 10.0)
EXPERIMENTS = ("experiment-1", "experiment-2", "experiment-3", "experiment-4", "figure-5", "all")
COLUMNS = ("rho_pt", "rho_ft", "omega", "c_pt", "lambda_pt", "gamma_ft")  # of a setting in a table


@dataclass(frozen=True)
class Setting:
    """One teacher with one initialization; the defaults are the base point of the sweeps.

    Raises
    ------
    ValueError
        If there is no such teacher or initialization.
    """

    rho_ft: float = 0.1  # of `SpikeSlab`, or the share of active coefficients of `SingleTask`
    omega: float = 0.0  # of `SpikeSlab`
    c_pt: float = 1e-3  # of `Initialization`, as the next two are
    lambda_pt: float = 0.0
    gamma_ft: float = 0.0
    rho_pt: float = 0.1  # of `SpikeSlab`
    pretrained: bool = True  # false: learn the fine-tuning task alone

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("rho_ft", "omega", "rho_pt"):
            fraction(getattr(self, name), name)
        _ = self.teacher, self.init

    @property
    def teacher(self) -> SpikeSlab | SingleTask:
        """The law of both tasks, or of fine-tuning alone."""
        return SpikeSlab(self.rho_pt, self.rho_ft, self.omega) if self.pretrained else SingleTask(self.rho_ft)

    @property
    def init(self) -> Initialization:
        """The initialization."""
        return Initialization(self.c_pt, self.lambda_pt, self.gamma_ft)

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """What a table holds of it, in the order of `COLUMNS`; None is what has no meaning without pretraining."""
        if not self.pretrained:
            return (None, self.rho_ft, None, self.c_pt, None, None)
        return (self.rho_pt, self.rho_ft, self.omega, self.c_pt, self.lambda_pt, self.gamma_ft)

    @classmethod
    def of_numbers(cls, values: Iterable[float | None]) -> Setting:
        """The setting whose `numbers` these are; they may be missing as NaN, too."""
        given = {name: float(x) for name, x in zip(COLUMNS, values, strict=True) if x is not None and not np.isnan(x)}
        return cls(**given, pretrained="rho_pt" in given)


@dataclass(frozen=True)
class FiniteSetting:
    """A setting whose pretraining has alpha_pt d examples, and whose labels have noise in either stage.

    Raises
    ------
    ValueError
        If `base` is not a `Setting` with pretraining, or a number is negative or not finite.

    Examples
    --------
    >>> few = FiniteSetting(Setting(omega=1.0), alpha_pt=0.2)
    >>> few.teacher.omega, few.noise_ft
    (1.0, 0.0)
    """

    base: Setting = Setting()  # teacher and initialization
    alpha_pt: float = 1.0  # data scale of pretraining
    noise_pt: float = 0.0  # variance of the label noise of pretraining
    noise_ft: float = 0.0  # and of fine-tuning

    def __post_init__(self) -> None:
        pretrained = instance_of(self.base, Setting, "base").pretrained
        require(pretrained, "base.pretrained", pretrained, "true: alpha_pt = 0 is pretraining without data")
        for name in ("alpha_pt", "noise_pt", "noise_ft"):
            nonnegative_number(getattr(self, name), name)

    @property
    def teacher(self) -> SpikeSlab:
        """The law of both tasks."""
        return SpikeSlab(self.base.rho_pt, self.base.rho_ft, self.base.omega)

    @property
    def init(self) -> Initialization:
        """The initialization."""
        return self.base.init


def both_stages() -> dict[str, list[FiniteSetting]]:
    """Settings of this project's simulations of both stages, by what they vary: the base point otherwise.

    Without pretraining data, with few, of several kinds with half of the features shared, and with noisy labels of
    pretraining at two relative scales.

    Examples
    --------
    >>> {name: len(settings) for name, settings in both_stages().items()}
    {'no data': 1, 'few data': 4, 'kinds': 3, 'noisy labels': 14}
    """
    nested, half = Setting(omega=1.0), Setting(omega=0.5)
    few = [(0.1, 0.0), (0.3, 0.0), (0.3, 0.1), (0.6, 0.0)]
    return {
        "no data": [FiniteSetting(nested, alpha_pt=0.0)],
        "few data": [FiniteSetting(nested, alpha_pt=a, noise_ft=noise) for a, noise in few],
        "kinds": [FiniteSetting(half, 0.2), FiniteSetting(half, 0.9, noise_pt=0.01), FiniteSetting(half)],
        "noisy labels": [
            FiniteSetting(replace(nested, lambda_pt=share * nested.c_pt), a, noise_pt=0.01)
            for share in (0.0, -0.99)
            for a in (0.1, 0.3, 0.6, 0.9, 1.1, 1.5, 4.0)
        ],
    }


def sweep(base: Setting) -> list[Setting]:
    """`base` and the settings that move one of c_pt, lambda_pt, gamma_ft away from it (Appendix E.2.5).

    Raises
    ------
    ValueError
        If `base` is not a `Setting`.

    Examples
    --------
    >>> [(s.c_pt, s.lambda_pt, s.gamma_ft) for s in sweep(Setting())][:3]
    [(1e-06, 0.0, 0.0), (0.001, 0.0, 0.0), (1.0, 0.0, 0.0)]
    >>> len(sweep(Setting()))  # the base point, and two other values of each parameter
    7
    """
    instance_of(base, Setting, "base")
    settings = [
        *(replace(base, c_pt=c) for c in C_PT),
        *(replace(base, lambda_pt=share * base.c_pt) for share in SHARE),
        *(replace(base, gamma_ft=gamma) for gamma in GAMMA_FT),
    ]
    return list(dict.fromkeys(settings))


def experiment(number: int) -> list[Setting]:
    """Settings of Experiment 1 (reuse), 2 (new features), 3 (nested features) or 4 (single task), without repeats.

    Raises
    ------
    ValueError
        If there is no such experiment.

    Examples
    --------
    >>> [len(experiment(number)) for number in (1, 2, 3, 4)]
    [21, 14, 28, 12]
    """
    whole_number(number, "number", at_least=1, at_most=4)
    if number == 4:
        return [Setting(rho, c_pt=c, pretrained=False) for rho in (0.9, 0.04, 0.01, 0.1) for c in C_PT]
    bases = {
        1: [Setting(0.1, omega) for omega in (0.0, 0.5, 1.0)],
        2: [Setting(rho, 0.0) for rho in (0.1, 0.9)],
        3: [Setting(rho, omega) for omega in (0.0, 1.0) for rho in (0.01, 0.04)],
    }[number]
    return [setting for base in bases for setting in sweep(base)]


def settings_of(name: str) -> dict[str, list[Setting]]:
    """The settings of one of `EXPERIMENTS` by the label of their experiment, "1" to "4" or "figure-5".

    Raises
    ------
    ValueError
        If `name` is not one of `EXPERIMENTS`.

    Examples
    --------
    >>> {label: len(settings) for label, settings in settings_of("all").items()}
    {'1': 21, '2': 14, '3': 28, '4': 12, 'figure-5': 12}
    """
    one_of(name, "name", EXPERIMENTS)
    every = {str(number): experiment(number) for number in (1, 2, 3, 4)}
    every["figure-5"] = [setting for task in figure_5().values() for setting in task.values()]
    label = name.removeprefix("experiment-")
    return every if name == "all" else {label: every[label]}


@dataclass(frozen=True)
class Panel:
    """One panel of Figure 3: colour stands for one parameter, line style for another."""

    color: str
    style: str
    settings: tuple[Setting, ...]


def figure_3() -> dict[str, Panel]:
    """The six panels of Figure 3, by letter.

    Examples
    --------
    >>> {letter: (panel.color, panel.style) for letter, panel in figure_3().items()}["f"]
    ('lambda_pt', 'rho_ft')
    """

    def panel(color: str, style: str, bases: Iterable[Setting]) -> Panel:
        values = {"c_pt": C_PT, "gamma_ft": GAMMA_FT, "lambda_pt": tuple(1e-3 * share for share in SHARE)}[color]
        moved: list[dict[str, Any]] = [{color: value} for value in values]
        return Panel(color, style, tuple(replace(base, **change) for base in bases for change in moved))

    reuse = [Setting(0.1, omega) for omega in (0.0, 1.0)]
    sparsity = [Setting(rho, 0.0) for rho in (0.1, 0.9)]
    return {
        "a": panel("c_pt", "omega", reuse),
        "b": panel("gamma_ft", "omega", reuse),
        "c": panel("lambda_pt", "omega", [Setting(0.1, omega) for omega in (0.0, 0.5, 1.0)]),
        "d": panel("c_pt", "rho_ft", sparsity),
        "e": panel("gamma_ft", "rho_ft", sparsity),
        "f": panel("lambda_pt", "rho_ft", [Setting(rho, 1.0) for rho in (0.01, 0.04, 0.1)]),
    }


def figure_5() -> dict[tuple[float, float], dict[str, Setting]]:
    """Settings of Figure 5: (omega, rho_ft) to label to setting, from the initializations `ptft.regimes.STARTS`.

    Examples
    --------
    >>> tasks = figure_5()
    >>> list(tasks), list(tasks[1.0, 0.1])
    ([(0.0, 0.1), (1.0, 0.1), (1.0, 0.01)], ['start I', 'start II', 'start III', 'start IV'])
    """
    tasks = ((0.0, 0.1), (1.0, 0.1), (1.0, 0.01))
    numbers = {name: (init.c_pt, init.lambda_pt, init.gamma_ft) for name, init in STARTS.items()}
    return {
        (omega, rho): {
            name: Setting(rho, omega, float(np.asarray(c)), float(np.asarray(lam)), float(np.asarray(gamma)))
            for name, (c, lam, gamma) in numbers.items()
        }
        for omega, rho in tasks
    }


def predict(setting: Setting, alpha: ArrayLike) -> ReplicaCurve:
    """The replica curve of `setting`, whose pretraining has recovered its teacher.

    Parameters
    ----------
    setting : Setting
    alpha : array_like, any shape

    Raises
    ------
    ValueError
        If `setting` is not a `Setting`: `predict_two_stages` takes a `FiniteSetting`.

    Examples
    --------
    >>> predict(Setting(rho_ft=0.1, omega=1.0), [0.05, 0.2]).mse.round(4)
    array([0.5202, 0.0009])
    """
    setting = instance_of(setting, Setting, "setting", "predict_two_stages takes a FiniteSetting")
    return replica_curve(alpha, setting.teacher, setting.init)


def predict_two_stages(setting: FiniteSetting, alpha: ArrayLike) -> TwoStageCurve:
    """The prediction for both stages of `setting`.

    Parameters
    ----------
    setting : FiniteSetting
    alpha : array_like, any shape

    Raises
    ------
    ValueError
        If `setting` is not a `FiniteSetting`: `predict` takes a `Setting`.

    Examples
    --------
    >>> reuse = Setting(omega=1.0)
    >>> predict_two_stages(FiniteSetting(reuse, alpha_pt=0.2), [0.1]).mse.round(3), predict(reuse, [0.1]).mse.round(3)
    (array([0.739]), array([0.135]))
    """
    setting = instance_of(setting, FiniteSetting, "setting", "predict takes a Setting")
    return two_stage_curve(alpha, setting.teacher, setting.init, setting.alpha_pt, setting.noise_pt, setting.noise_ft)


def trends() -> dict[str, list[tuple[Setting, Setting]]]:
    """What the paper reads off Figure 3: pairs of settings, of which the error of the first over that of the second
    grows from each pair to the next.

    The key is the panel; two further statements about panel f have keys of their own.

    Examples
    --------
    >>> list(trends())
    ['a', 'b', 'c', 'd', 'e', 'f', 'f, all features needed', 'f, few needed']
    >>> [(without.omega, shared.omega, shared.c_pt) for without, shared in trends()["a"]]
    [(0.0, 1.0, 1.0), (0.0, 1.0, 0.001), (0.0, 1.0, 1e-06)]
    """
    apart, shared = Setting(0.1, 0.0), Setting(0.1, 1.0)
    dense, few = Setting(0.9, 0.0), Setting(0.01, 1.0)
    down = {"c_pt": C_PT[::-1], "gamma_ft": GAMMA_FT[::-1], "lambda_pt": tuple(1e-3 * share for share in SHARE[::-1])}

    def moved(base: Setting, name: str, falls: bool = True) -> list[Setting]:
        changes: list[dict[str, Any]] = [{name: value} for value in down[name][:: 1 if falls else -1]]
        return [replace(base, **change) for change in changes]

    def pairs(first: Setting, second: Setting, name: str, falls: bool = True) -> list[tuple[Setting, Setting]]:
        return list(zip(moved(first, name, falls), moved(second, name, falls), strict=True))

    return {
        "a": pairs(apart, shared, "c_pt"),
        "b": pairs(apart, shared, "gamma_ft"),
        "c": pairs(apart, shared, "lambda_pt", falls=False),
        "d": pairs(dense, apart, "c_pt"),
        "e": pairs(dense, apart, "gamma_ft"),
        "f": pairs(shared, few, "lambda_pt"),
        "f, all features needed": [(setting, shared) for setting in moved(shared, "lambda_pt")],
        "f, few needed": [(setting, shared) for setting in moved(few, "lambda_pt", falls=False)],
    }


@checked
def best_starts(errors: Mapping[Setting, np.ndarray]) -> dict[tuple[float, float], np.ndarray]:
    """For each task of Figure 5, the label of the initialization with the smallest error at every point.

    Parameters
    ----------
    errors : mapping from each setting of `figure_5` to its errors, shape (points,)

    Raises
    ------
    ValueError
        If a setting is missing.

    Examples
    --------
    >>> errors = {s: predict(s, [0.05, 0.4]).mse for task in figure_5().values() for s in task.values()}
    >>> best_starts(errors)[1.0, 0.1].tolist()
    ['start II', 'start I']
    """
    missing = [setting for task in figure_5().values() for setting in task.values() if setting not in errors]
    require(not missing, "errors", errors, "a mapping from every setting of figure_5")
    best = {}
    for task, starts in figure_5().items():
        names = np.array(list(starts))
        best[task] = names[np.argmin([errors[setting] for setting in starts.values()], axis=0)]
    return best
