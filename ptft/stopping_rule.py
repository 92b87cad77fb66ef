"""What a threshold on the loss leaves of training: beside the exact end point, and beside the end points with a ridge.

The published simulations train by gradient descent and stop at a loss (Appendix E of the paper); the theory is about
the end point. Stopped earlier, gradient flow is close to a ridge: it is mirror descent in the penalty, so that at every
time q'(beta) = X^T nu, where nu is the integral of the misfit y - X beta over time up to a factor. With a ridge nu is
the misfit itself, in units of the ridge.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from ptft.end_point import min_penalty, ridge_path
from ptft.experiments import Setting
from ptft.network import TrainingRun, fine_tuning_weights, pretrained_weights, train
from ptft.simulation import sampled_inputs, sampled_teacher
from ptft.validation import instance_of, listed, positive_array, positive_number, regression, require, whole_number

LEARNING_RATE = 0.5  # as published
LOSS = 1e-4  # as published
MAX_EPOCHS = 5_000_000  # as published


@dataclass(frozen=True)
class StoppedPoint:
    """Gradient descent at the first epoch whose loss is at most a threshold, and the end point of the same data."""

    loss: float  # threshold on the mean squared training error
    reached: bool  # before the epochs ran out
    epochs: int  # two products with X each
    mse: float  # |beta - beta*|^2 / d at this epoch
    distance: float  # |beta - beta_end| / |beta_end|
    end_mse: float  # |beta_end - beta*|^2 / d of the exact end point
    end_method: str  # that found the end point, "amp" or "newton"
    end_iterations: int  # of that method; of message passing two products with X each


def stopped_training(
    setting: Setting,
    alpha: float,
    d: int,
    seed: int,
    losses: Sequence[float] = (LOSS,),
    learning_rate: float = LEARNING_RATE,
    max_epochs: int = MAX_EPOCHS,
) -> list[StoppedPoint]:
    """Fine-tune the network on the data of `ptft.simulate` by full-batch gradient descent, and look at each threshold.

    Parameters
    ----------
    setting : Setting, with pretraining
    alpha : float in (0, 1] after rounding n = alpha d to a whole number
    d, seed : int
    losses : sequence of float, decreasing, default the published 1e-4
        Thresholds on the mean of (x beta - y)^2 over the training set.
    learning_rate : float, default the published 0.5
        On that mean. A step changes beta by about learning_rate / n, so that few examples call for a small rate.
    max_epochs : int, default the published 5,000,000
        Over all thresholds.

    Returns
    -------
    list of StoppedPoint, one per threshold

    Raises
    ------
    ValueError
        If a number is outside its range, or the losses do not decrease.

    Examples
    --------
    >>> early, late = stopped_training(Setting(omega=0.5), alpha=0.4, d=50, seed=0, losses=(1e-3, 1e-6))
    >>> early.distance > 10 * late.distance, early.epochs < late.epochs
    (True, True)
    """
    require(instance_of(setting, Setting, "setting").pretrained, "setting", setting, "one with pretraining")
    thresholds = positive_array(losses, "losses", ndim=1)
    require(np.all(np.diff(thresholds) < 0), "losses", losses, "decreasing")
    learning_rate = positive_number(learning_rate, "learning_rate")
    left = whole_number(max_epochs, "max_epochs", at_least=1)
    X = sampled_inputs(alpha, d, seed)
    n = len(X)
    beta_pt, beta_ft = sampled_teacher(setting.teacher, d, seed)
    y = X @ beta_ft
    end = min_penalty(X, y, setting.init.k(beta_pt))
    weights = fine_tuning_weights(pretrained_weights(beta_pt, setting.init), setting.gamma_ft)
    rate = 2 * learning_rate / n  # on |X beta - y|^2 / 2
    points, epochs, reached = [], 0, True
    for loss in thresholds.tolist():
        if reached and epochs < left:
            tolerance = float(np.sqrt(n * loss) / (np.linalg.norm(y) or 1.0))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # `reached` says it
                run = train(X, y, weights, "descent", tolerance, rate, left - epochs)
            weights, reached, epochs = run.weights, run.converged, epochs + round(run.time[-1] / rate)
        points.append(
            StoppedPoint(
                loss=loss,
                reached=reached,
                epochs=epochs,
                mse=float(np.mean((weights.beta - beta_ft) ** 2)),
                distance=float(np.linalg.norm(weights.beta - end.beta) / (np.linalg.norm(end.beta) or 1.0)),
                end_mse=float(np.mean((end.beta - beta_ft) ** 2)),
                end_method=end.method,
                end_iterations=end.iterations,
            )
        )
    return points


@dataclass(frozen=True)
class StoppedAverages:
    """What several data sets say about one threshold."""

    distance: float  # mean of the distances
    ratio: float  # mean error over that of the end points; 1 where both are 0
    epochs: float  # median


def averages(points: Sequence[StoppedPoint]) -> StoppedAverages:
    """Averages over points of one threshold, such as those of several seeds.

    Raises
    ------
    ValueError
        If there is no point, or they differ in their thresholds.

    Examples
    --------
    >>> point = StoppedPoint(1e-4, True, 100, mse=0.02, distance=0.1, end_mse=0.01, end_method="amp", end_iterations=50)
    >>> averages([point, point])
    StoppedAverages(distance=0.1, ratio=2.0, epochs=100.0)
    """
    points = [instance_of(point, StoppedPoint, "one of points") for point in listed(points, "points")]
    losses = sorted({point.loss for point in points})
    require(len(losses) == 1, "the thresholds of the points", losses, "one")
    mse, end = (float(np.mean([getattr(point, name) for point in points])) for name in ("mse", "end_mse"))
    ratio = 1.0 if mse == end else mse / end if end > 0 else np.inf
    distance, epochs = np.mean([p.distance for p in points]), np.median([p.epochs for p in points])
    return StoppedAverages(float(distance), ratio, float(epochs))


@dataclass(frozen=True, eq=False)
class BesideRidge:
    """Gradient flow when it reaches a training error, beside the end point with the ridge that leaves the same one."""

    residual: np.ndarray  # (points,) |y - X beta| / |y| of both
    time: np.ndarray  # (points,) at which the flow has it
    ridge: np.ndarray  # (points,) with which the end point has it
    flow: np.ndarray  # (points, d) beta of the flow
    end: np.ndarray  # (points, d) beta of the end points
    distance: np.ndarray  # (points,) |flow - end| / |end|


def beside_ridge(X: ArrayLike, y: ArrayLike, k: ArrayLike, run: TrainingRun, residuals: ArrayLike) -> BesideRidge:
    """Compare the path of gradient flow in time with the path of end points in ridge, at equal training errors.

    Parameters
    ----------
    X : array_like, shape (n, d)
    y : array_like, shape (n,)
    k : array_like, positive, a scalar or shape (d,)
        Penalty scale of the weights that `run` started from.
    run : TrainingRun
        As `ptft.train` returns it for these data.
    residuals : array_like, shape (points,), between the last residual of the run and its first
        |y - X beta| / |y|; of the recorded steps those that are closest count, with their own residuals.

    Raises
    ------
    ValueError
        If a residual is not on the path of the run, the run is not one on these data, or shapes do not match.

    Examples
    --------
    >>> from ptft import Initialization, pretraining_weights
    >>> X, y, init = [[1.0, 0.5]], [1.0], Initialization(c_pt=0.1)
    >>> run = train(X, y, pretraining_weights(init, d=2))
    >>> beside_ridge(X, y, init.k_single_task, run, [0.5, 0.1]).distance < 1e-6  # one example has one direction
    array([ True,  True])
    """
    X, y = regression(X, y)
    residuals = positive_array(residuals, "residuals", ndim=1)
    path = instance_of(run, TrainingRun, "run").residual
    if run.beta.shape[1] != X.shape[1]:
        raise ValueError(f"run has {run.beta.shape[1]} coefficients: there must be one for each column of X")
    size = float(np.linalg.norm(y))
    left = float(np.linalg.norm(y - X @ run.beta[-1]))
    if not (size > 0 and np.isclose(left, path[-1] * size, rtol=1e-6, atol=1e-9 * size)):
        raise ValueError(
            f"run left a residual of {path[-1]:.1e} |y|, but {left:.1e} of |y| = {size:.1e} on X and y: "
            "it must be one on these data"
        )
    inside = np.all((residuals < path[0]) & (residuals > path[-1]))
    require(inside, "residuals", residuals, f"between {path[-1]:.1e} and {path[0]:.1e}, those of the run")
    steps = np.array([int(np.argmin(np.abs(np.log(path[1:] / residual)))) + 1 for residual in residuals])

    @cache  # the root and the ends of its bracket are asked for again
    def end_point(log_ridge: float) -> np.ndarray:
        return ridge_path(X, y, k, [np.exp(log_ridge)])[0].beta

    def excess(log_ridge: float, residual: float) -> float:
        return float(np.log(np.linalg.norm(y - X @ end_point(log_ridge)) / size / residual))

    ends, ridge = [], []
    for residual in path[steps].tolist():
        low = high = np.log(residual * size)
        while excess(low, residual) > 0:
            low -= 3
        while excess(high, residual) < 0:
            high += 3
        ridge.append(optimize.brentq(excess, low, high, (residual,), xtol=1e-10) if low < high else low)
        ends.append(end_point(ridge[-1]))
    end, flow = np.array(ends), run.beta[steps]
    distance = np.linalg.norm(flow - end, axis=1) / np.linalg.norm(end, axis=1)
    return BesideRidge(path[steps], run.time[steps], np.exp(ridge), flow, end, distance)
