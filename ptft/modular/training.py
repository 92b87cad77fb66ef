"""Training on all examples at once, without weight decay: gradient flow, gradient descent with controlled steps, Adam.

Gradient flow is integrated in float64 with a tolerance of 1e-10 per step; it is for small networks, and shows what the
theory says. Descent takes the longest steps that lower the loss by at least half of what the gradient promises, the
next a fifth longer, half as long after one that fails: below the stability limit by itself, at any scale of the
weights. Adam has its usual constants (0.9, 0.999, 1e-8).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.integrate import DOP853
from torch import Tensor

from ptft.modular.networks import Examples, Network, QuadraticNetwork, Transformer, require_fits
from ptft.validation import checked, nonnegative_number, one_of, positive_number, real_array, whole_number

METHODS = ("flow", "descent", "adam")
GROWTH, PROMISED = 1.2, 0.5  # of a step that succeeds, and the share of the promised decrease that it needs


@dataclass(frozen=True, eq=False)
class ModularRun:
    """A trained network and how training ended.

    `stopped_by` is "loss" (the threshold was reached), "cap" (the steps ran out), "stuck" (no step lowers the loss any
    more) or "divergence" (a loss that is not finite).
    """

    network: Network
    losses: np.ndarray  # (steps + 1,) before each step, and at the end
    time: float  # integrated, of flow and descent: the sum of the steps; nan for Adam
    evaluations: int  # of the gradient
    stopped_by: str
    seconds: float

    @property
    def loss(self) -> float:
        """At the end."""
        return float(self.losses[-1])

    @property
    def steps(self) -> int:
        """Number of them."""
        return len(self.losses) - 1


@checked
def train(
    network: QuadraticNetwork | Transformer,
    data: Examples,
    method: str = "descent",
    loss_below: float = 1e-5,
    max_steps: int = 20_000,
    learning_rate: float = 1e-3,
) -> ModularRun:
    """Train a copy until the loss is small enough.

    Parameters
    ----------
    network : QuadraticNetwork or Transformer
    data : Examples
        On the device of the network.
    method : "descent" (default), "flow" or "adam"
    loss_below : float, default 1e-5
        Threshold on half the mean square, or on the mean cross-entropy.
    max_steps : int, default 20,000
        How long a network may stay above it, near a saddle as well: evaluations of the gradient.
    learning_rate : float, default 1e-3
        Of Adam; of descent the first step, before it is controlled.

    Returns
    -------
    ModularRun

    Raises
    ------
    ValueError
        If the method is none of these, a number is out of range, or the network has no such pairs, classes or targets.

    Examples
    --------
    >>> from ptft.modular import ScalarTask, examples, new_quadratic
    >>> run = train(new_quadratic(5, 16, seed=0), examples(ScalarTask(5, (1,), (0.0,)).table), loss_below=1e-3)
    >>> run.stopped_by, run.loss < 1e-3
    ('loss', True)
    """
    one_of(method, "method", METHODS)
    loss_below = nonnegative_number(loss_below, "loss_below")
    learning_rate = positive_number(learning_rate, "learning_rate")
    whole_number(max_steps, "max_steps")
    if data.classes and isinstance(network, QuadraticNetwork):
        raise ValueError("data holds classes: the quadratic network must have real targets")
    require_fits(network, data.pairs, data.targets)
    begun = time.perf_counter()
    if method == "flow":
        found = _flow(network, data, loss_below, max_steps)
    elif method == "descent":
        found = _descend(network, data, loss_below, max_steps, learning_rate)
    else:
        found = _adam(network, data, loss_below, max_steps, learning_rate)
    return ModularRun(*found, time.perf_counter() - begun)


Found = tuple[Network, np.ndarray, float, int, str]  # all of a ModularRun but the seconds


def _ended(loss: float, loss_below: float) -> str:
    return "divergence" if not math.isfinite(loss) else "loss" if loss <= loss_below else ""


def _descend(network: Network, data: Examples, loss_below: float, max_steps: int, step: float) -> Found:
    loss, slope = network.gradient(data)
    losses, total, evaluations = [loss], 0.0, 1
    stopped_by = _ended(loss, loss_below)
    while not stopped_by and evaluations <= max_steps:
        promised = sum(float((g * g).sum()) for g in slope.values())
        if not promised:
            stopped_by = "stuck"  # on a saddle
            break
        trial = network.with_parameters({k: w - step * slope[k] for k, w in network.parameters.items()})
        new_loss, new_slope = trial.gradient(data)
        evaluations += 1
        if new_loss <= loss - PROMISED * step * promised:  # false where it is not a number
            total += step
            network, loss, slope, step = trial, new_loss, new_slope, step * GROWTH
            losses.append(loss)
            stopped_by = _ended(loss, loss_below)
        else:
            step /= 2
            stopped_by = "stuck" if step * promised <= 1e-16 * loss else ""
    return network, np.array(losses), total, evaluations, stopped_by or "cap"


def _adam(network: Network, data: Examples, loss_below: float, max_steps: int, learning_rate: float) -> Found:
    free: dict[str, Tensor] = {name: weight.detach().clone() for name, weight in network.parameters.items()}
    optimizer = torch.optim.Adam(list(free.values()), lr=learning_rate)
    network = network.with_parameters(free)  # follows the optimizer, which changes its weights
    losses: list[float] = []
    while True:
        loss, slope = network.gradient(data)
        losses.append(loss)
        if (stopped_by := _ended(loss, loss_below)) or len(losses) > max_steps:
            break
        for name, weight in free.items():
            weight.grad = slope[name]
        optimizer.step()
    final = network.with_parameters({name: weight.detach().clone() for name, weight in free.items()})
    return final, np.array(losses), math.nan, len(losses), stopped_by or "cap"


def _flow(network: Network, data: Examples, loss_below: float, max_steps: int) -> Found:
    start = flat_weights(network)

    def velocity(_: float, weights: ArrayLike) -> np.ndarray:
        slope = _with_flat(network, weights).gradient(data)[1]
        return -np.concatenate([slope[name].double().cpu().numpy().ravel() for name in network.parameters])

    loss = network.gradient(data)[0]
    losses, stopped_by = [loss], _ended(loss, loss_below)
    solver = DOP853(velocity, 0.0, start, np.inf, rtol=1e-10, atol=1e-12)
    while not stopped_by and solver.nfev < max_steps:
        solver.step()
        if solver.status == "failed":
            stopped_by = "stuck"
            break
        losses.append(_with_flat(network, solver.y).gradient(data)[0])
        stopped_by = _ended(losses[-1], loss_below)
    end = _with_flat(network, solver.y)
    return end, np.array(losses), float(solver.t), int(solver.nfev), stopped_by or "cap"


@checked
def flat_weights(network: QuadraticNetwork | Transformer) -> np.ndarray:
    """All weights in one float64 array (number of weights,).

    Examples
    --------
    >>> from ptft.modular import new_quadratic
    >>> flat_weights(new_quadratic(5, 8)).shape
    (88,)
    """
    return np.concatenate([weight.detach().double().cpu().numpy().ravel() for weight in network.parameters.values()])


@checked
def with_flat_weights(network: QuadraticNetwork | Transformer, weights: ArrayLike) -> Network:
    """Copy of the network with the weights of an array (number of weights,), as from `flat_weights`.

    Raises
    ------
    ValueError
        If their number is another, or one is not finite.

    Examples
    --------
    >>> from ptft.modular import new_quadratic
    >>> zero = with_flat_weights(new_quadratic(5, 8), np.zeros(88))
    >>> float(zero.v.abs().max())
    0.0
    """
    return _with_flat(network, real_array(weights, "weights", ndim=1))


def _with_flat(network: Network, weights: ArrayLike) -> Network:
    flat, shapes = np.asarray(weights), {name: weight.shape for name, weight in network.parameters.items()}
    sizes = [math.prod(shape) for shape in shapes.values()]
    if flat.shape != (sum(sizes),):
        raise ValueError(f"weights has shape {flat.shape}: it must be ({sum(sizes)},)")
    like = next(iter(network.parameters.values()))
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    new = {
        name: torch.as_tensor(part, dtype=like.dtype, device=like.device).reshape(shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
    return network.with_parameters(new)
