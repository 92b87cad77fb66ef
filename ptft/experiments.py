"""The paper's diagonal-network experiments: settings of Experiments 1-4 and Figures 3 and 5, theory beside simulation.

Sources: Section 5.3, Appendix A and Appendix E.2.6. All settings have rho_pt = 0.1 and a_pt = 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ptft.generalization import replica_curve
from ptft.initialization import Initialization
from ptft.replica import ReplicaCurve
from ptft.simulation import sampled_teacher, simulate_many
from ptft.teachers import GaussianMixture, SingleTask, SpikeSlab
from ptft.validation import positive_array, require, whole_number

ALPHA = np.linspace(0.01, 0.5, 11)  # the published data scales
C_PT = (1e-6, 1e-3, 1.0)
SHARE = (-0.99, 0.0, 0.99)  # lambda_pt / c_pt
GAMMA_FT = (0.0, 1.0, 10.0)


@dataclass(frozen=True)
class Setting:
    """One teacher with one initialisation; the defaults are the base point of the sweeps."""

    rho_ft: float = 0.1
    omega: float = 0.0
    c_pt: float = 1e-3
    lambda_pt: float = 0.0
    gamma_ft: float = 0.0
    rho_pt: float = 0.1
    pretrained: bool = True  # false: learn the fine-tuning task alone

    @property
    def teacher(self) -> SpikeSlab | SingleTask:
        return SpikeSlab(self.rho_pt, self.rho_ft, self.omega) if self.pretrained else SingleTask(self.rho_ft)

    @property
    def init(self) -> Initialization:
        return Initialization(self.c_pt, self.lambda_pt, self.gamma_ft)


def sweep(base: Setting) -> list[Setting]:
    """`base` and the settings that move one of c_pt, lambda_pt, gamma_ft away from it (Appendix E.2.5)."""
    settings = [
        *(replace(base, c_pt=c) for c in C_PT),
        *(replace(base, lambda_pt=share * base.c_pt) for share in SHARE),
        *(replace(base, gamma_ft=gamma) for gamma in GAMMA_FT),
    ]
    return list(dict.fromkeys(settings))


def experiment(number: int) -> list[Setting]:
    """Settings of Experiment 1 (reuse), 2 (new features), 3 (nested features) or 4 (single task), without repeats."""
    require(number in (1, 2, 3, 4), "number", number, "1, 2, 3 or 4")
    if number == 4:
        return [Setting(rho, c_pt=c, pretrained=False) for rho in (0.9, 0.04, 0.01, 0.1) for c in C_PT]
    bases = {
        1: [Setting(0.1, omega) for omega in (0.0, 0.5, 1.0)],
        2: [Setting(rho, 0.0) for rho in (0.1, 0.9)],
        3: [Setting(rho, omega) for omega in (0.0, 1.0) for rho in (0.01, 0.04)],
    }[number]
    return [setting for base in bases for setting in sweep(base)]


@dataclass(frozen=True)
class Panel:
    """One panel of Figure 3: colour stands for one parameter, line style for another."""

    color: str
    style: str
    settings: tuple[Setting, ...]


def figure_3() -> dict[str, Panel]:
    """The six panels of Figure 3, by letter."""

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


REGIMES: dict[str, dict[str, Any]] = {
    "I": {"lambda_pt": -0.999999e-3, "gamma_ft": 1e-6},
    "II": {},
    "III": {"gamma_ft": 10.0},
    "IV": {"lambda_pt": -0.99e-3},
}


def figure_5() -> dict[tuple[float, float], dict[str, Setting]]:
    """Settings of Figure 5: (omega, rho_ft) to regime to setting; c_pt = 1e-3."""
    tasks = ((0.0, 0.1), (1.0, 0.1), (1.0, 0.01))
    return {
        (omega, rho): {name: Setting(rho, omega, **moved) for name, moved in REGIMES.items()} for omega, rho in tasks
    }


@dataclass(frozen=True, eq=False)
class Comparison:
    """Simulation and theory of one setting at the same data scales."""

    setting: Setting
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
    def covered_given_teacher(self) -> np.ndarray:
        """Whether the 95 % interval of the mean difference from the prediction for each teacher covers 0, (points,)."""
        difference = self.mse - self.given_teacher
        error = difference.std(axis=1, ddof=1) / np.sqrt(difference.shape[1])
        return np.abs(difference.mean(axis=1)) <= stats.t.ppf(0.975, difference.shape[1] - 1) * error


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
        If there are fewer than two seeds, or `ptft.simulate` refuses the arguments.
    """
    settings, seeds = list(dict.fromkeys(settings)), list(seeds)
    whole_number(len(seeds), "the number of seeds", at_least=2)
    alpha = positive_array(alpha, "alpha", ndim=1)
    pairs = [(setting.teacher, setting.init) for setting in settings]
    grid = [[simulate_many(pairs, float(a), d, seed) for seed in seeds] for a in alpha]  # alpha, seed, setting
    used = np.array([row[0][0].alpha for row in grid])
    found = {}
    for i, (setting, (teacher, init)) in enumerate(zip(settings, pairs, strict=True)):
        given_teacher = []
        for seed in seeds:
            beta_pt, beta_ft = sampled_teacher(teacher, d, seed)
            sampled = GaussianMixture.of_sample(beta_ft, teacher.penalty_scale(init, beta_pt))
            given_teacher.append(replica_curve(used, sampled).mse)
        found[setting] = Comparison(
            setting=setting,
            d=d,
            alpha=used,
            mse=np.array([[points[i].mse for points in row] for row in grid]),
            certified=np.array([[points[i].converged for points in row] for row in grid]),
            theory=replica_curve(used, teacher, init).mse,
            given_teacher=np.transpose(given_teacher),
        )
    return found


def predict(setting: Setting, alpha: ArrayLike) -> ReplicaCurve:
    """The replica curve of `setting`."""
    return replica_curve(alpha, setting.teacher, setting.init)
