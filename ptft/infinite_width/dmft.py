"""Two tasks in a row, all weights trained: dynamical mean-field theory of the two-layer network (Result 1).

With h = w.x/sqrt(D), g = phi'(h) z, K_x = x.x'/D and misfits Delta = y - f, gradient flow on half the mean squared
error of a task of P examples, with a learning rate in proportion to the width and to gamma^2, moves every neuron by

    dh(x)/dt = (gamma/P) sum_mu Delta_mu g_mu K_x(x, x_mu),
    dz/dt = (gamma/P) sum_mu Delta_mu phi(h_mu),

and neurons meet only in f = <z phi(h)>/gamma. With two layers this can be followed forward in time by particles. The
first task trains with gamma_1; the second with gamma_2, from the joint law of (h, z) that the first leaves. Finite
networks obey the same equations with their own neurons, and are trained by the same functions.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from ptft.infinite_width.lanczos import mean_decay
from ptft.infinite_width.particles import Particles, Task, activate
from ptft.validation import (
    generator,
    instance_of,
    one_of,
    positive_number,
    real_array,
    require,
    truth_value,
    whole_number,
)

CARRY = ("centred", "reset", "raw")
STEP = (0.1, 1.0)  # step times largest eigenvalue of the tangent kernel, early and late; stable below 2
EARLY = 0.02  # the step may grow in proportion to the time, once the fast directions are learned
HALVINGS = 20  # most of an exponential step that would move the readout by more than its pace
REFRESH = 16  # most steps between estimates of that eigenvalue; fewer while it rises


@dataclass(frozen=True, eq=False)
class Run:
    """Training on one task. Arrays have one entry for each recorded time."""

    time: np.ndarray  # of the flow on half the mean squared error
    train_loss: np.ndarray  # mean squared errors
    test_loss: np.ndarray
    source_loss: np.ndarray  # test loss on the first task of its own network function: forgetting, where it rises
    steps: np.ndarray  # taken so far
    gamma: float
    task: Task
    end: Particles
    origin: Particles | None  # whose output is subtracted from the network's; None where nothing is
    converged: bool  # train loss below the tolerance

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The trained network function at X (P, D), shape (P,)."""
        return self._function(self.end, X)

    def _function(self, particles: Particles, X: ArrayLike) -> np.ndarray:
        origin = 0.0 if self.origin is None else self.origin.output(X)
        return (particles.output(X) - origin) / self.gamma


class System(Protocol):
    """What moves the neurons: `NumpySystem`, or `ptft.infinite_width.network.TorchSystem`."""

    def outputs(self) -> list[np.ndarray]:
        """<z phi(h)> at each of the inputs that were given."""

    def step(self, dt: float) -> float:
        """One step of that length or a shorter one: the length that was taken."""

    def top_eigenvalue(self, iterations: int) -> float:
        """Largest eigenvalue of the tangent kernel over P, by so many more power iterations."""

    def snapshot(self) -> Callable[[], Particles]:
        """What gives the neurons as they are now, also after further steps."""


def train(
    particles: Particles,
    task: Task,
    gamma: float,
    times: ArrayLike,
    *,
    rate: float | None = None,
    exponential: bool = False,
    pace: float = 0.01,
    tolerance: float = 1e-8,
    max_steps: int = 100_000,
    device: str | None = None,
) -> Run:
    """Train all weights of a network on one task, from scratch.

    Parameters
    ----------
    particles : Particles
        Particles of the mean-field theory, or a `finite_network`.
    task : Task
    gamma : float, positive
        Richness; the lazy limit is gamma to 0.
    times : array_like, shape (T,), increasing from 0
        When to record, in units of the flow on half the mean squared error: a step of gradient descent with learning
        rate lr on the mean squared error halved, scaled by width and gamma^2, takes the time lr.
    rate : float, optional
        Longest Euler step. By default 0.1 over the largest eigenvalue of the tangent kernel, up to 1 over it as time
        goes on, the eigenvalue re-estimated by power iteration along the way: that keeps the steps stable while rich
        training raises it. Losses are then within 1 % of those of the flow.
    exponential : bool, default False
        Within a step, let the misfits decay as under the tangent kernel of its beginning, instead of not at all. That
        is stable for steps of any length, which then grow with the time alone. It is exact in the lazy limit, costs the
        tangent kernel of all examples a step, S P^2 operations, and pays where its eigenvalues lie far apart.
    pace : float, default 0.01
        Of exponential steps: their length over the time since training began, and the relative change of the readout
        above which a step is halved, twenty times at most. Test losses are within about 1 % of those of the flow at
        the default, and at ten times as much within 6 % on digits and 1 % on photographs.
    tolerance : float, default 1e-8
        Training ends at the first recorded time with a train loss below it.
    max_steps : int, default 100,000
    device : str, optional
        By default numpy with the equations written out. With the name of a torch device ("cpu", "cuda"), PyTorch with
        automatic differentiation, for particles that hold weights.

    Returns
    -------
    Run
        Its arrays end where training ended.

    Raises
    ------
    ValueError
        If an argument is outside its range, or the particles do not fit the task.

    Warns
    -----
    UserWarning
        If training diverged or took `max_steps` steps; the run then ends at the last recorded time before.

    Examples
    --------
    >>> from ptft.infinite_width import weight_particles
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 5))
    >>> run = train(weight_particles(5, 500), Task(X[:20], X[:20, 0], X[20:], X[20:, 0]), 1.0, [0.0, 10.0, 100.0])
    >>> run.train_loss.round(2)
    array([0.39, 0.08, 0.  ])
    """
    instance_of(particles, Particles, "particles")
    return _train(particles, task, gamma, times, particles, None, rate, exponential, pace, tolerance, max_steps, device)


def transfer(
    source: Run,
    task: Task,
    gamma: float,
    times: ArrayLike,
    carry: str = "centred",
    *,
    seed: int | np.random.Generator = 0,
    rate: float | None = None,
    exponential: bool = False,
    pace: float = 0.01,
    tolerance: float = 1e-8,
    max_steps: int = 100_000,
    device: str | None = None,
) -> Run:
    """Train all weights on a second task, from the neurons that `source` has left.

    Parameters
    ----------
    source : Run
        Training on the first task.
    task, gamma, times, rate, exponential, pace, tolerance, max_steps, device
        As in `train`, of the second task.
    carry : "centred" (default), "reset" or "raw"
        "centred": h and z are kept, and the output at the start is subtracted, f = (<z phi(h)> - <z phi(h)>_start)
        /gamma. "reset": h is kept and z drawn anew from N(0, 1), with output 0 at infinite width (subtracted here).
        "raw": h and z are kept and nothing is subtracted, so that training starts from gamma_1/gamma_2 times the
        source function. Which of these the paper means is not known; "centred" reproduces what is reported of Figure 3.
    seed : int or Generator, default 0
        Of the readout that "reset" draws.

    Returns
    -------
    Run
        `source_loss` is the test loss on the first task of <z phi(h)>/gamma_1, centred as in the first stage.

    Raises
    ------
    ValueError
        As `train`, and if `carry` is unknown.

    Warns
    -----
    UserWarning
        As `train`.

    Examples
    --------
    >>> from ptft.infinite_width import weight_particles
    >>> X = np.random.default_rng(0).standard_normal((40, 5))
    >>> tasks = [Task(X[:20], X[:20, i], X[20:], X[20:, i]) for i in (0, 1)]  # one coordinate, then another
    >>> first = train(weight_particles(5, 500), tasks[0], 1.0, [0.0, 100.0])
    >>> second = transfer(first, tasks[1], 1.0, [0.0, 100.0])
    >>> bool(second.train_loss[-1] < 0.01)  # learned
    True
    >>> bool(second.source_loss[-1] > second.source_loss[0])  # and the first forgotten
    True
    """
    start = instance_of(source, Run, "source").end
    rng = generator(seed)
    if one_of(carry, "carry", CARRY) == "reset":
        z = rng.standard_normal(start.z.size)
        start = replace(start, z=z.astype(start.z.dtype))
    origin = None if carry == "raw" else start
    return _train(start, task, gamma, times, origin, source, rate, exponential, pace, tolerance, max_steps, device)


def _train(
    start: Particles,
    task: Task,
    gamma: float,
    times: ArrayLike,
    origin: Particles | None,
    source: Run | None,
    rate: float | None,
    exponential: bool,
    pace: float,
    tolerance: float,
    max_steps: int,
    device: str | None,
) -> Run:
    gamma = positive_number(gamma, "gamma")
    instance_of(task, Task, "task")
    grid = real_array(times, "times", ndim=1)
    require(grid.size > 1 and grid[0] == 0 and bool(np.all(np.diff(grid) > 0)), "times", grid, "increasing from 0")
    tolerance, rate = positive_number(tolerance, "tolerance"), None if rate is None else positive_number(rate, "rate")
    pace = positive_number(pace, "pace") * truth_value(exponential, "exponential")
    if device is not None:
        instance_of(device, str, "device")
    whole_number(max_steps, "max_steps", 1)

    # One network function per loss: labels, richness, and the output that is subtracted.
    functions = [(task.X, task.y, gamma, origin), (task.X_test, task.y_test, gamma, origin)]
    if source is not None:
        functions.append((source.task.X_test, source.task.y_test, source.gamma, source.origin))
    offsets = [0.0 if o is None else o.output(X) for X, _, _, o in functions]
    inputs = [X for X, _, _, _ in functions]
    target = gamma * task.y + offsets[0]
    if device is None:
        system: System = NumpySystem(start, inputs, target, gamma, pace)
    elif exponential:
        raise ValueError(f"exponential = True is not allowed with device = {device!r}: such steps are taken by numpy")
    else:
        from ptft.infinite_width.network import TorchSystem

        system = TorchSystem(start, inputs, target, gamma, device)

    def losses() -> list[float]:
        measured = [
            float(np.mean((y - (output - offset) / gamma) ** 2))
            for (_, y, gamma, _), output, offset in zip(functions, system.outputs(), offsets, strict=True)
        ]
        return measured if source is not None else [*measured, measured[-1]]

    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported once, below
        rows, end, trouble = _follow(system, grid, losses, rate, pace, tolerance, max_steps)
    if trouble:
        warnings.warn(f"training {trouble} at time {rows[-1][0]:.3g}", stacklevel=3)
    time, steps, train_loss, test_loss, source_loss = np.array(rows).T
    return Run(
        time, train_loss, test_loss, source_loss, steps.astype(int), gamma, task, end, origin,
        converged=bool(train_loss[-1] <= tolerance),
    )  # fmt: skip


def _follow(
    system: System,
    times: np.ndarray,
    losses: Callable[[], list[float]],
    rate: float | None,
    pace: float,
    tolerance: float,
    max_steps: int,
) -> tuple[list[list[float]], Particles, str]:
    """Steps from one recorded time to the next, exponential ones where there is a pace.

    Returns rows of (time, steps, losses), the neurons, and what went wrong.
    """
    rows, end = [[0.0, 0.0, *losses()]], system.snapshot()
    steps, top, due, wait, most = 0, 0.0, 0, 1, np.inf
    for now, then in itertools.pairwise(times):
        left = float(then - now)
        while left > 0:
            if rate is None and steps == due:
                before, top = top, system.top_eigenvalue(3 if steps else 20)
                wait = min(2 * wait, REFRESH) if top < 1.1 * before else 1
                due = steps + wait if not pace else max_steps  # of exponential steps it only bounds the first
            early, late = (pace, np.inf) if pace else (EARLY, STEP[1])
            longest = rate or float(np.clip(early * (then - left), STEP[0] / top, late / top))
            dt = left / np.ceil(left / min(longest, most))
            if steps == max_steps:
                return rows, end(), f"was stopped after max_steps = {max_steps} steps"
            taken = system.step(dt)
            steps, left = steps + 1, left - taken
            limited = taken < dt or most < longest
            most = 2 * taken if limited else np.inf  # a step that was shortened is lengthened step by step
        row = [float(then), float(steps), *losses()]
        if not row[2] <= 2 * (rows[0][2] + tolerance):  # the flow cannot raise it
            return rows, end(), "diverged: take a smaller rate; the last record is"
        rows, end = [*rows, row], system.snapshot()
        if row[2] <= tolerance:
            break
    return rows, end(), ""


class NumpySystem:
    """The equations of this module, written out; the training inputs are the first of `inputs`.

    Weights move in the span of the P training inputs: what has been summed over time of misfit times g gives them, and
    h at all inputs, when they are asked for. Particles that hold functions, and weights of more than P dimensions, are
    therefore followed by h at the training inputs alone, where a step costs S P^2 operations and not S P D.
    """

    def __init__(
        self, start: Particles, inputs: list[np.ndarray], target: np.ndarray, gamma: float, pace: float = 0.0
    ) -> None:
        X, dtype = inputs[0], start.z.dtype
        self._start, self._inputs, self._gamma, self._pace = start, inputs, gamma, pace
        follow = start.points is not None or len(X) < X.shape[1]
        state = start.preactivations(X) if follow else start.state
        self._local = replace(start, state=state.copy(), z=start.z.copy(), points=X if follow else None)
        self._where, self._response = self._local.locate(X), self._local.response(X)
        self._target = target.astype(dtype)
        self._phi, self._slope = np.empty((2, start.z.size, len(target)), dtype=dtype)
        self._overlaps = (X @ X.T / X.shape[1]).astype(dtype) if pace else None
        self._pushed = np.zeros_like(self._phi) if follow else None
        overlaps = ((X @ x.T / X.shape[1]).astype(dtype) for x in inputs if follow)
        self._seen = [(start.preactivations(x), K) for x, K in zip(inputs, overlaps, strict=False)]
        self._probe = np.random.default_rng(0).standard_normal(len(target)).astype(dtype)

    def outputs(self) -> list[np.ndarray]:
        local = self._local
        if self._pushed is None:
            return [local.output(X) for X in self._inputs]
        phi = (activate(h + self._pushed @ K, local.activation) for h, K in self._seen)
        return [(local.z @ one).astype(np.float64) / local.z.size for one in phi]

    def step(self, dt: float) -> float:
        local, phi = self._local, self._features()
        misfit = (self._target - local.z @ phi / local.z.size) / self._gamma
        tangent = None if self._overlaps is None else self._tangent(phi)
        if tangent is not None and not np.isfinite([dt, misfit.sum(), tangent.sum()]).all():
            tangent = None  # training has diverged, which the losses will show
        for halving in range(HALVINGS + 1):
            taken = float(dt / 2**halving)
            mean = misfit if tangent is None else mean_decay(tangent, misfit, taken)[0]
            c = taken * self._gamma / misfit.size
            dstate, dz = self._gradient(phi, mean)
            if tangent is None or not c * np.linalg.norm(dz) > self._pace * np.linalg.norm(local.z):
                break  # otherwise the tangent kernel would change within the step
        if self._pushed is not None:
            self._pushed += self._slope * local.z[:, None] * (c * mean)
        local.state[...] += c * dstate
        local.z[...] += c * dz
        return taken

    def top_eigenvalue(self, iterations: int) -> float:
        local, phi = self._local, self._features()
        for _ in range(iterations):
            dstate, dz = self._gradient(phi, self._probe / np.linalg.norm(self._probe))
            dh = replace(local, state=dstate).read(self._where)
            self._probe = (local.z @ (self._slope * dh) + dz @ phi) / local.z.size
        return float(np.linalg.norm(self._probe)) / self._probe.size

    def snapshot(self) -> Callable[[], Particles]:
        start, z = self._start, self._local.z.copy()
        if self._pushed is None:
            now = replace(start, state=self._local.state.copy(), z=z)
            return lambda: now
        pushed, X = self._pushed.copy(), self._inputs[0]
        return lambda: replace(start, state=start.state + pushed @ start.response(X), z=z)

    def _tangent(self, phi: np.ndarray) -> np.ndarray:
        """The tangent kernel over P; of many examples, so that few matrices of that size are there at once."""
        g = self._slope * self._local.z[:, None]
        tangent: np.ndarray = g.T @ g
        tangent *= self._overlaps
        tangent += phi.T @ phi
        tangent /= phi.size
        return tangent

    def _features(self) -> np.ndarray:
        """phi(h) at the training inputs; phi'(h) is left in `_slope`."""
        h: np.ndarray = self._local.read(self._where)
        if self._local.activation == "linear":
            self._slope[...] = 1
            return h
        phi: np.ndarray = np.maximum(h, 0, out=self._phi)
        np.sign(phi, out=self._slope)
        return phi

    def _gradient(self, phi: np.ndarray, misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums over examples of misfit g K_x (or g x/sqrt(D)) and of misfit phi."""
        return self._local.z[:, None] * (self._slope @ (misfit[:, None] * self._response)), phi @ misfit
