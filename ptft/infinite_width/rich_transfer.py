"""Two tasks in a row with all weights trained: what Figures 3 to 5 of arXiv:2507.04448 measure.

A `TransferSetting` holds the numbers of one figure. One draw of its data gives a source and a target task; both are
trained by particles of the mean-field theory and by a finite network, each with random neurons of its own. Time is that
of the flow on half the mean squared error, see `ptft.infinite_width.train`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial.hermite_e import hermeval
from numpy.typing import ArrayLike
from scipy.special import ndtr

from ptft.infinite_width.dmft import CARRY, Run, train, transfer
from ptft.infinite_width.particles import Particles, Task, finite_network, function_particles, weight_particles
from ptft.validation import (
    check_fields,
    checked,
    listed,
    one_of,
    positive_array,
    positive_number,
    real_array,
    require,
    seed_number,
    whole_number,
)

FIGURES = ("3a", "3b", "4", "5")
KINDS = ("theory", "network")
STARTS = ("scratch", *CARRY)  # of the target model
EDGES = np.linspace(-8, 8, 129)  # of the histograms of preactivations
FIRST, RECORDS = 0.5, 11  # first recorded time after 0, and the number of them for every factor of ten
T_END = 1e5  # runs at several hundred times less have stopped above the tolerance
MOST = 2000  # training examples; on more, exponential steps have the pace `COARSE`, see `train`
PACE, COARSE = 0.01, 0.1


@dataclass(frozen=True)
class TransferSetting:
    """The numbers of one figure.

    Raises
    ------
    ValueError
        If a number is outside its range, or a name is unknown.
    """

    figure: str
    dataset: str  # "gaussian", or a name that `ptft.vision.load` knows
    P1: int
    P2: tuple[int, ...]
    gamma_2: tuple[float, ...]
    starts: tuple[str, ...]  # of `STARTS`
    classes: tuple[tuple[int, int], tuple[int, int]] | None  # of images: source and target
    n_test: int
    t_end: float = T_END  # training ends there, or below the tolerance
    gamma_1: float = 1.0
    D: int = 100  # of Gaussian inputs
    tolerance: float = 1e-6
    exponential: bool = False  # how steps are taken, see `train`

    def __post_init__(self) -> None:
        check_fields(self)
        one_of(self.figure, "figure", FIGURES)
        for name in ("P1", "n_test", "D"):
            whole_number(getattr(self, name), name, 1)
        for name in ("t_end", "gamma_1", "tolerance"):
            positive_number(getattr(self, name), name)
        require(self.t_end > FIRST, "t_end", self.t_end, f"above {FIRST}, the first recorded time")
        for P2, gamma_2 in itertools.product(listed(self.P2, "P2"), listed(self.gamma_2, "gamma_2")):
            whole_number(P2, "P2", 1)
            positive_number(gamma_2, "gamma_2")
        for start in listed(self.starts, "starts"):
            one_of(start, "starts", STARTS)

    @property
    def times(self) -> np.ndarray:
        """When losses are recorded, at 0 and up to `t_end` in equal ratios."""
        number = 2 + int(RECORDS * math.log10(self.t_end / FIRST))
        return np.concatenate([[0.0], np.geomspace(FIRST, self.t_end, number)])


_FOUR = (0.1, 0.5, 1.0, 2.0)
_PLAIN = ("scratch", "centred")
GAUSSIAN = {
    "3a": TransferSetting("3a", "gaussian", 1000, (100,), _FOUR, STARTS, None, 2000),
    "3b": TransferSetting("3b", "gaussian", 1000, (600,), (0.1, 1.0, 3.0), STARTS[:3], None, 2000),
}
DIGITS = {
    "4": TransferSetting("4", "digits", 200, (100,), _FOUR, _PLAIN, ((1, 2), (8, 9)), 100, exponential=True),
    "5": TransferSetting("5", "digits", 100, (8, 16, 32, 64), _FOUR, _PLAIN, ((3, 9), (3, 8)), 100, exponential=True),
}
PHOTOGRAPHS = {
    "4": TransferSetting("4", "cifar-10", 10_000, (200,), _FOUR, _PLAIN, ((1, 2), (8, 9)), 1000, exponential=True),
    "5": TransferSetting(
        "5", "cifar-10", 1000, (10, 20, 50, 100, 200, 500), _FOUR, _PLAIN, ((0, 1), (0, 9)), 1000, exponential=True
    ),
}


@checked
def setting(figure: str, dataset: str = "digits", P1: int | None = None) -> TransferSetting:
    """The setting of a figure: its published numbers, and where none is published, or for the digits, our choice.

    Parameters
    ----------
    figure : "3a", "3b", "4" or "5"
    dataset : str, default "digits"
        Images of Figures 4 and 5 as `ptft.vision.load` names them; the digits are few, so their tasks are smaller.
    P1 : int, optional
        Source examples of Figures 4 and 5 instead of those of the setting.

    Raises
    ------
    ValueError
        If the figure is unknown.

    Examples
    --------
    >>> one = setting("3a")
    >>> one.P1, one.P2, one.gamma_2
    (1000, (100,), (0.1, 0.5, 1.0, 2.0))
    """
    one_of(figure, "figure", FIGURES)
    if figure in GAUSSIAN:
        return GAUSSIAN[figure]
    found = DIGITS[figure] if dataset == "digits" else replace(PHOTOGRAPHS[figure], dataset=dataset)
    return found if P1 is None else replace(found, P1=P1)


# --- tasks ----------------------------------------------------------------------------------------------------------


@checked
def tasks(setting: TransferSetting, draw: int = 0, root: str | Path | None = None) -> tuple[Task, Task]:
    """Source and target task of one draw; the target has the largest P2 of the setting, see `first_examples`.

    Raises
    ------
    ValueError
        If `draw` is not a whole number, or the images do not suffice.

    Examples
    --------
    >>> source, target = tasks(setting("3a"))
    >>> source.X.shape, target.X.shape
    ((1000, 100), (100, 100))
    """
    seed_number(draw, "draw")
    P2 = max(setting.P2)
    if setting.classes is not None:
        from ptft.infinite_width.images import class_pair_tasks

        options: dict[str, Any] = {"name": setting.dataset, "seed": draw, "root": root}
        return class_pair_tasks(*setting.classes, setting.P1, P2, setting.n_test, **options)
    rng = np.random.default_rng([draw, 0])
    sizes = setting.P1, setting.n_test, P2, setting.n_test
    X1, X1_test, X2, X2_test = (rng.standard_normal((size, setting.D)) for size in sizes)
    labels = linear_and_square if setting.figure == "3a" else quintic_and_quadratic
    return (
        Task(X1, labels(X1)[0], X1_test, labels(X1_test)[0]),
        Task(X2, labels(X2)[1], X2_test, labels(X2_test)[1]),
    )


@checked
def first_examples(task: Task, P: int) -> Task:
    """The task with its first P training examples.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> source, target = tasks(setting("3a"))
    >>> first_examples(target, 10).X.shape
    (10, 100)
    """
    whole_number(P, "P", at_least=1, at_most=len(task.y))
    return replace(task, X=task.X[:P], y=task.y[:P])


@checked
def linear_and_square(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of Figure 3a for inputs (P, D): u and u^2, with u the first coordinate (the law of X is isotropic).

    Examples
    --------
    >>> linear_and_square(np.array([[2.0, 5.0], [-3.0, 5.0]]))
    (array([ 2., -3.]), array([4., 9.]))
    """
    return X[:, 0], X[:, 0] ** 2


@checked
def quintic_and_quadratic(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of Figure 3b: He_5(u) and He_2(v), of variance 1, for unit directions at a scalar product of 0.8.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((100_000, 2))
    >>> [bool(abs(np.std(y) - 1) < 0.2) for y in quintic_and_quadratic(X)]
    [True, True]
    """
    u, v = X[:, 0], 0.8 * X[:, 0] + 0.6 * X[:, 1]
    return hermite(5, u), hermite(2, v)


@checked
def hermite(degree: int, u: np.ndarray) -> np.ndarray:
    """Hermite polynomial of the given degree, of variance 1 for a standard normal u.

    Parameters
    ----------
    degree : int
    u : ndarray, any shape

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> hermite(2, np.array([0.0, 1.0, 3.0])) * np.sqrt(2)
    array([-1.,  0.,  8.])
    """
    whole_number(degree, "degree", at_most=100)
    return np.asarray(hermeval(u, np.eye(degree + 1)[degree])) / math.sqrt(math.factorial(degree))


# --- training -------------------------------------------------------------------------------------------------------


@checked
def neurons(D: int, width: int, kind: str, draw: int) -> Particles:
    """Neurons before training: mirrored particles of the theory, or a finite network, independent of each other.

    Raises
    ------
    ValueError
        If `kind` is unknown, or a number is outside its range.

    Examples
    --------
    >>> theory, network = (abs(neurons(5, 1000, kind, draw=0).output(np.ones((1, 5)))[0]) for kind in KINDS)
    >>> bool(theory < 1e-6), bool(network > 1e-3)  # mirrored particles, and random neurons
    (True, True)
    """
    seed_number(draw, "draw")
    rng = np.random.default_rng([draw, 1 + KINDS.index(one_of(kind, "kind", KINDS))])
    return weight_particles(D, width, rng) if kind == "theory" else finite_network(D, width, rng)


@checked
def drawn(
    setting: TransferSetting, draw: int, kind: str, width: int, root: str | Path | None = None
) -> tuple[tuple[Task, Task], Particles]:
    """Source and target task of one draw, as of `tasks`, and its neurons before training, as of `neurons`.

    Examples
    --------
    >>> (source, target), start = drawn(setting("3a"), draw=0, kind="theory", width=50)
    >>> source.X.shape, start.z.shape
    ((1000, 100), (50,))
    """
    both = tasks(setting, draw, root)
    return both, neurons(both[0].X.shape[1], width, kind, draw)


def numbers() -> list[Any]:
    """All numbers that decide what a run gives, of every figure, in JSON types; how exact it is, `train` says.

    Examples
    --------
    >>> settings, times_and_steps, edges = numbers()
    >>> settings[0]["figure"], times_and_steps
    ('3a', [0.5, 11, 2000])
    """
    figures = [dataclasses.asdict(one) for group in (GAUSSIAN, DIGITS, PHOTOGRAPHS) for one in group.values()]
    return [figures, [FIRST, RECORDS, MOST], EDGES.tolist()]


@checked
def source_run(setting: TransferSetting, task: Task, start: Particles, device: str | None = None) -> Run:
    """Train on the source task.

    Examples
    --------
    >>> small = replace(setting("3a"), D=4, P1=8, P2=(4,), n_test=6, t_end=10.0)
    >>> run = source_run(small, tasks(small)[0], neurons(4, 100, "theory", draw=0))
    >>> bool(run.train_loss[-1] < run.train_loss[0]), len(run.time) <= len(small.times)
    (True, True)
    """
    return train(start, task, setting.gamma_1, setting.times, **_options(setting, task, device))


@checked
def target_run(
    setting: TransferSetting,
    task: Task,
    gamma_2: float,
    start: Particles | Run,
    carry: str = "centred",
    draw: int = 0,
    kind: str = "theory",
    device: str | None = None,
) -> Run:
    """Train on the target task, from what the source task left (`carry`, see `transfer`), or from random neurons.

    A readout that is drawn anew is another one for each draw and kind.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> small = replace(setting("3a"), D=4, P1=8, P2=(4,), n_test=6, t_end=10.0)
    >>> source, target = tasks(small)
    >>> start = source_run(small, source, neurons(4, 100, "theory", draw=0))
    >>> run = target_run(small, target, gamma_2=1.0, start=start)
    >>> bool(run.train_loss[-1] < run.train_loss[0])
    True
    """
    one_of(carry, "carry", STARTS)
    seed_number(draw, "draw")
    of_kind = KINDS.index(one_of(kind, "kind", KINDS))
    if isinstance(start, Particles):
        return train(start, task, gamma_2, setting.times, **_options(setting, task, device))
    seed = np.random.default_rng([draw, 3, of_kind])
    return transfer(start, task, gamma_2, setting.times, carry, seed=seed, **_options(setting, task, device))


def _options(setting: TransferSetting, task: Task, device: str | None) -> dict[str, Any]:
    exponential = setting.exponential and device is None  # PyTorch takes the steps of Euler
    pace = PACE if len(task.y) <= MOST else COARSE
    return {"tolerance": setting.tolerance, "exponential": exponential, "pace": pace, "device": device}


@checked
def balance_drift(start: Particles, run: Run) -> float:
    """How far training has moved z^2 - |w|^2, which the flow conserves in every neuron, over the growth of <z^2>.

    Examples
    --------
    >>> small = replace(setting("3a"), D=4, P1=8, P2=(4,), n_test=6, t_end=10.0)
    >>> start = neurons(4, 100, "theory", draw=0)
    >>> balance_drift(start, source_run(small, tasks(small)[0], start)) < 0.1
    True
    """
    before, after = (p.z.astype(float) ** 2 - np.sum(p.state.astype(float) ** 2, axis=1) for p in (start, run.end))
    growth = np.mean(run.end.z.astype(float) ** 2) - np.mean(start.z.astype(float) ** 2)
    return float(np.mean(np.abs(after - before)) / abs(growth))


@checked
def compare(
    setting: TransferSetting, gamma_2: Sequence[float], width: int, draw: int = 0
) -> tuple[dict[float, tuple[Run, Run]], tuple[Run, Run]]:
    """Theory, with particles that hold h at every input as Result 1 states it, beside a finite network.

    Returns
    -------
    pairs : dict of gamma_2 to (theory, network)
        Runs on the target, after pretraining with the output at its start subtracted.
    sources : (theory, network)

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> small = replace(setting("3a"), D=4, P1=8, P2=(4,), n_test=6, t_end=10.0)
    >>> pairs, sources = compare(small, gamma_2=[0.5, 1.0], width=100)
    >>> list(pairs), len(sources)
    ([0.5, 1.0], 2)
    """
    gamma_2 = positive_array(gamma_2, "gamma_2", ndim=1).tolist()
    source, target = tasks(setting, draw)
    points = np.concatenate([source.X, source.X_test, target.X, target.X_test])
    theory = function_particles(np.unique(points, axis=0), width, np.random.default_rng([draw, 4]))
    network = neurons(source.X.shape[1], width, "network", draw)
    first, second = (source_run(setting, source, start) for start in (theory, network))
    pairs = {g: (target_run(setting, target, g, first), target_run(setting, target, g, second)) for g in gamma_2}
    return pairs, (first, second)


# --- preactivations -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Law:
    """Moments of the preactivations h, pooled over neurons and inputs, and their density in the bins of `EDGES`."""

    mean: float
    deviation: float
    skewness: float
    kurtosis: float  # excess over that of a Gaussian, 3
    density: np.ndarray


@checked
def preactivations(particles: Particles, X: ArrayLike) -> Law:
    """The law of h over all neurons and the inputs X (P, D).

    Examples
    --------
    >>> law = preactivations(weight_particles(3, 20_000), np.ones((1, 3)))
    >>> bool(abs(law.deviation - 1) < 0.02 and abs(law.kurtosis) < 0.1)
    True
    """
    h = particles.preactivations(X).ravel().astype(np.float64)
    mean, deviation = h.mean(), h.std()
    third, fourth = (np.mean(((h - mean) / deviation) ** k) for k in (3, 4))
    density = np.histogram(h, EDGES)[0] / (h.size * np.diff(EDGES))
    return Law(float(mean), float(deviation), float(third), float(fourth - 3), density)


@checked
def untrained_preactivations(X: ArrayLike) -> Law:
    """The same at infinite width before training: h ~ N(0, |x|^2/D), a mixture if inputs X (P, D) differ in length.

    Raises
    ------
    ValueError
        If X is not finite, or an input is zero.

    Examples
    --------
    >>> law = untrained_preactivations(np.ones((1, 3)))
    >>> law.deviation, law.kurtosis
    (1.0, 0.0)
    """
    X = real_array(X, "X", ndim=2)
    variance = positive_array(np.mean(X**2, axis=1), "|x|^2/D")
    below = ndtr(EDGES[:, None] / np.sqrt(variance)).mean(axis=1)
    kurtosis = 3 * np.mean(variance**2) / np.mean(variance) ** 2 - 3
    return Law(0.0, float(np.sqrt(variance.mean())), 0.0, float(kurtosis), np.diff(below) / np.diff(EDGES))


@checked
def total_variation(density: ArrayLike, other: ArrayLike) -> np.ndarray:
    """Largest difference of the probabilities that two laws give to a set of bins of `EDGES`, from 0 to 1.

    Parameters
    ----------
    density, other : array_like (bins,) or (bins, k)
        As in `Law`; of k laws at once.

    Raises
    ------
    ValueError
        If a density is negative, or has not a value for each bin.

    Examples
    --------
    >>> near, far = (untrained_preactivations(np.full((1, 3), length)).density for length in (1.0, 3.0))
    >>> float(total_variation(near, near)), float(total_variation(near, far).round(2))
    (0.0, 0.48)
    """
    values = [real_array(one, name) for one, name in ((density, "density"), (other, "other"))]
    for one, name in zip(values, ("density", "other"), strict=True):
        require(one.ndim > 0 and len(one) == len(EDGES) - 1 and np.all(one >= 0), name, one, "a density in the bins")
    return np.asarray(0.5 * np.diff(EDGES) @ np.abs(values[0] - values[1]))
