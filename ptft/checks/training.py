"""Chapter 1: what gradient flow conserves, and where it ends (Theorem 4.1), on networks that were integrated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ptft.checks.identities import Check
from ptft.end_point import EndPoint
from ptft.initialization import Initialization
from ptft.network import TrainingRun, fine_tuning_weights, pretrained_weights
from ptft.validation import broadcast, checked, generator, real_array, whole_number

LAYERS = ("w1_plus", "w2_plus", "w1_minus", "w2_minus")


@checked
def conservation(runs: Sequence[TrainingRun]) -> Check:
    """(w1^+)^2 - (w2^+)^2, its twin in the other pathway and w1^+ w1^- + w2^+ w2^- keep their values along each run.

    Examples
    --------
    >>> from ptft import pretraining_weights, train
    >>> run = train(np.eye(2), np.array([1.0, -0.5]), pretraining_weights(Initialization(0.1), 2))
    >>> conservation([run]).holds
    True
    """
    drift = [run.conservation_error for run in runs]
    return Check("drift of a conserved quantity, in units of the largest squared weight", 0.0, drift, 1e-10)


@checked
def weights_from_coefficients(runs: Sequence[TrainingRun], inits: Sequence[Initialization]) -> Check:
    """The weights after pretraining follow from its coefficients alone; arrays of shape (runs, 4, d).

    Examples
    --------
    >>> from ptft import pretraining_weights, train
    >>> init = Initialization(0.1, 0.05)
    >>> run = train(np.eye(2), np.array([1.0, -0.5]), pretraining_weights(init, 2), tolerance=1e-11)
    >>> weights_from_coefficients([run], [init]).holds
    True
    """
    predicted = [pretrained_weights(run.weights.beta, init) for run, init in zip(runs, inits, strict=True)]
    return Check(
        "difference between integrated and predicted weights after pretraining",
        np.array([[getattr(weights, layer) for layer in LAYERS] for weights in predicted]),
        np.array([[getattr(run.weights, layer) for layer in LAYERS] for run in runs]),
        1e-9,
    )


@checked
def end_points(runs: Sequence[TrainingRun], ends: Sequence[EndPoint]) -> Check:
    """Gradient flow ends at the minimiser of the penalty; arrays of shape (runs, d).

    Examples
    --------
    >>> from ptft import min_penalty, pretraining_weights, train
    >>> X, y, init = np.array([[1.0, 0.5]]), np.ones(1), Initialization(0.1)
    >>> run = train(X, y, pretraining_weights(init, 2), tolerance=1e-11)
    >>> end_points([run], [min_penalty(X, y, init.k_single_task)]).holds
    True
    """
    return Check(
        "distance of a coefficient from the minimiser",
        np.array([end.beta for end in ends]),
        np.array([run.weights.beta for run in runs]),
        1e-9,
    )


@checked
def least_squares(run: TrainingRun, X: ArrayLike, y: ArrayLike) -> Check:
    """Gradient flow on labels that no coefficients fit ends at the least-squares solution; shape (d,).

    Parameters
    ----------
    run : TrainingRun
        Which has not converged, as the residual does not vanish, but has come to rest.
    X : array_like, shape (n, d), with independent columns
    y : array_like, shape (n,)

    Raises
    ------
    ValueError
        If X or y is not finite or of another shape.

    Examples
    --------
    >>> import warnings
    >>> from ptft import pretraining_weights, train
    >>> X, y = np.array([[1.0], [1.0]]), np.array([1.0, 2.0])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # no coefficient fits both labels
    ...     run = train(X, y, pretraining_weights(Initialization(0.5), 1), max_steps=2000)
    >>> least_squares(run, X, y).holds
    True
    """
    theory = np.linalg.lstsq(real_array(X, "X", ndim=2), real_array(y, "y", ndim=1), rcond=None)[0]
    return Check("distance of a coefficient from least squares", theory, run.weights.beta, 1e-8)


@checked
def certificates(ends: Sequence[EndPoint]) -> Check:
    """The minimisers satisfy their conditions: both residuals of each, shape (ends, 2).

    Examples
    --------
    >>> from ptft import min_penalty
    >>> certificates([min_penalty([[1.0, 0.5]], [1.0], 1e-4)]).holds
    True
    """
    residuals = [[end.kkt_residual, end.interpolation_residual] for end in ends]
    return Check("residuals of the certificate of a minimiser", 0.0, residuals, 1e-10)


@checked
def errors_on_samples(
    ends: ArrayLike, teachers: ArrayLike, n_test: int = 10_000, seed: int | np.random.Generator = 0
) -> Check:
    """Errors on new inputs x with x_i ~ N(0, 1/d) beside the mean square errors of the coefficients, shape (m,).

    The unit is the standard error of the former: x (beta - beta*) is Gaussian, so it is sqrt(2/n_test) of the latter.

    Parameters
    ----------
    ends, teachers : array_like, shape (m, d)
        Coefficients where training ended, and those of the teachers.
    n_test : int, default 10,000
        Of new inputs, which all networks share.
    seed : int or Generator, default 0

    Raises
    ------
    ValueError
        If an argument is outside its range, or the shapes do not match.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ends, teachers = rng.standard_normal((2, 3, 50))
    >>> errors_on_samples(ends, teachers, n_test=1000).holds
    True
    """
    ends, teachers = broadcast(ends=real_array(ends, "ends", ndim=2), teachers=real_array(teachers, "teachers", ndim=2))
    deviation, d = ends - teachers, ends.shape[1]
    X = generator(seed).standard_normal((whole_number(n_test, "n_test", at_least=1), d)) / np.sqrt(d)
    theory = np.mean(deviation**2, axis=1)
    return Check(
        "error on test samples less that of the coefficients, in standard errors",
        theory,
        np.mean((X @ deviation.T) ** 2, axis=0),
        4.0,
        unit=np.sqrt(2 / n_test) * theory,
    )


@checked
def rate(runs: Sequence[TrainingRun], X: ArrayLike, c: float) -> Check:
    """Training from one scale c is at least as fast as exp(-2 c sigma^2 t), sigma the least singular value of X.

    Parameters
    ----------
    runs : sequence of TrainingRun, by gradient flow
    X : array_like, shape (n, d), of rank n
    c : float

    Returns
    -------
    Check
        The residuals at all recorded times, one run after the other, and their bounds.

    Raises
    ------
    ValueError
        If X is not a finite matrix.

    Examples
    --------
    >>> from ptft import pretraining_weights, train
    >>> X = np.array([[1.0, 0.5]])
    >>> run = train(X, np.ones(1), pretraining_weights(Initialization(0.1), 2))
    >>> rate([run], X, 0.1).holds
    True
    """
    sigma = np.linalg.svd(real_array(X, "X", ndim=2), compute_uv=False)[-1]
    time, residual = (np.concatenate([getattr(run, name) for run in runs]) for name in ("time", "residual"))
    bound = np.exp(-2 * c * sigma**2 * time)
    return Check("excess of the relative residual over its bound", bound, residual, 1e-12, at_most=True)


@checked
def forgotten_sign(runs: Sequence[TrainingRun], mirrored: Sequence[TrainingRun]) -> Check:
    """Pretraining on labels y and on -y leads to opposite coefficients, and to fine-tuning from the same scale.

    Parameters
    ----------
    runs, mirrored : sequences of TrainingRun
        Pretraining from the same starts, with the labels y and -y.

    Returns
    -------
    Check
        Coefficients, those of `runs` with the other sign, and c_ft after rebalancing without a new readout, shape
        (runs, 2, d).

    Examples
    --------
    >>> from ptft import pretraining_weights, train
    >>> X, y, start = np.array([[1.0, 0.5]]), np.ones(1), pretraining_weights(Initialization(0.1, 0.05), 2)
    >>> forgotten_sign([train(X, y, start)], [train(X, -y, start)]).holds
    True
    """
    there, back = (
        np.array([[sign * run.weights.beta, fine_tuning_weights(run.weights, 0.0).absolute_scale] for run in some])
        for sign, some in ((-1, runs), (1, mirrored))
    )
    return Check(
        "difference of $c_{\\mathrm{FT}}$, and of the negated $\\beta_{\\mathrm{PT}}$, after pretraining on $-y$",
        there,
        back,
        1e-9,
    )
