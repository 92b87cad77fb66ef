"""Chapter 8: losses of fine-tuning and spikes of the features, by theory and by measurement, and what can harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import DOP853

from ptft.checks.identities import Check, relative
from ptft.infinite_width.kernel_transfer import LinearFeatures, mean_losses
from ptft.infinite_width.linear import (
    Coefficients,
    MeasuredLoss,
    Numbers,
    fine_tuning_loss,
    rich_limit_loss,
    spike_size,
)
from ptft.validation import checked, positive_array, real_array, regression, whole_number

ERRORS = 3.5  # standard errors within which a measured loss agrees


@checked
def spikes(features: Sequence[LinearFeatures], gamma_1: ArrayLike, kind: str = "exact") -> Check:
    """u^T M u of the features of trained networks, u the learned direction, beside 1 + `spike_size`.

    Parameters
    ----------
    features : sequence of m LinearFeatures
    gamma_1 : array_like, shape (m,)
        With which they were trained.
    kind : "exact" (default) or "caption"

    Raises
    ------
    ValueError
        As `spike_size`.

    Examples
    --------
    >>> from ptft.infinite_width.kernel_transfer import pretrain_linear
    >>> trained = [pretrain_linear(5.0, 0.5, D=20)]
    >>> spikes(trained, [5.0]).holds, spikes(trained, [5.0], "caption").holds
    (True, False)
    """
    theory = 1 + spike_size(gamma_1, [one.nu_1 for one in features], kind)
    measured = 1 + np.array([one.spike for one in features])
    return relative(f"features along the learned direction, {kind} set", theory, measured, bound=0.08)


@checked
def second_moments(
    X: ArrayLike, y: ArrayLike, gamma: float, tolerance: float = 1e-6, max_evaluations: int = 100_000
) -> np.ndarray:
    """All second moments R = <r r^T> of a neuron r = (w, z) after training an infinitely wide linear network.

    They obey the linear equation dR/dt = gamma (A R + R A), A = [[0, v], [v^T, 0]] with the negative gradient
    v = X^T (y - X beta_hat)/P, which is integrated from the identity. Nothing is assumed of the form of R, as
    `feature_moment` does, whose least eigenvalue is 1 whatever training does.

    Parameters
    ----------
    X : array_like, shape (P, D)
    y : array_like, shape (P,)
    gamma : float, positive
    tolerance : float, default 1e-6
        On the gradient at the end, relative to that of the predictor 0.
    max_evaluations : int, default 100,000
        Of the right-hand side.

    Returns
    -------
    ndarray, shape (D + 1, D + 1)
        <w w^T> without the last row and column, which are <z w> and <z^2>.

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.
    RuntimeError
        If the tolerance is not reached.

    Examples
    --------
    >>> R = second_moments([[1.0, 0.0]], [1.0], gamma=np.sqrt(3.0))
    >>> (R + 0.0).round(4)  # the first weight has grown, together with the readout; the second is as it was
    array([[2.    , 0.    , 1.7321],
           [0.    , 1.    , 0.    ],
           [1.7321, 0.    , 2.    ]])
    """
    X, y = regression(X, y)
    P, D = X.shape
    gamma, tolerance = (float(positive_array(v, n, ndim=0)) for v, n in ((gamma, "gamma"), (tolerance, "tolerance")))
    whole_number(max_evaluations, "max_evaluations", 1)

    def gradient(R: np.ndarray) -> np.ndarray:
        return np.asarray(X.T @ (y - X @ R[:D, D] / gamma) / P)

    def velocity(_: float, flat: np.ndarray) -> np.ndarray:
        R = flat.reshape(D + 1, D + 1)
        v = gradient(R)
        AR = np.vstack([np.outer(v, R[D]), v @ R[:D]])
        return np.asarray(gamma * (AR + AR.T)).ravel()

    R = np.eye(D + 1)
    enough = tolerance * float(np.linalg.norm(gradient(R)))
    solver = DOP853(velocity, 0.0, R.ravel(), np.inf, rtol=1e-10, atol=1e-12)
    while np.linalg.norm(gradient(R)) > enough:
        if solver.status != "running" or solver.nfev >= max_evaluations:
            raise RuntimeError(f"training with gamma = {gamma:g} on {P} examples in D = {D} did not converge")
        solver.step()
        R = solver.y.reshape(D + 1, D + 1)
    return R


@checked
def losses(measured: MeasuredLoss, alphas: Numbers, coefficients: Coefficients, ridge: ArrayLike = 0.0) -> Check:
    """Measured losses of fine-tuning beside `fine_tuning_loss`, in standard errors.

    Parameters
    ----------
    measured : MeasuredLoss
        At nu_2 of shape (n,), of several settings or of one.
    alphas, coefficients, ridge
        As in `simulate_fine_tuning`: of the shape of the settings.

    Raises
    ------
    ValueError
        As `fine_tuning_loss`.

    Examples
    --------
    >>> from ptft.infinite_width import simulate_fine_tuning, source_coefficients
    >>> pretrained = source_coefficients(3.0, 1.0)
    >>> measured = simulate_fine_tuning([0.3, 0.7], (0.8, 0.0), pretrained, D=200)
    >>> losses(measured, (0.8, 0.0), pretrained).holds, losses(measured, (0.0, 0.0), pretrained).holds
    (True, False)
    """
    a_s, a_g, c1, c2, c3, lam = (np.asarray(one)[..., None] for one in (*alphas, *coefficients, ridge))
    theory = fine_tuning_loss(measured.nu_2, (a_s, a_g), (c1, c2, c3), lam)
    return Check("loss of fine-tuning, in standard errors", theory, measured.mean, bound=ERRORS, unit=measured.se)


@checked
def interval_ends(measured: MeasuredLoss, theory: ArrayLike, unit: ArrayLike = 1.0) -> np.ndarray:
    """Ends of the 95 % intervals of measured less predicted losses, of all settings the furthest at each nu_2.

    Parameters
    ----------
    measured : MeasuredLoss
        At nu_2 of shape (n,), of several settings or of one.
    theory : array_like
        Predicted losses, of the shape of the means or one that broadcasts to it.
    unit : array_like, default 1
        Of the differences: the theory for relative ones.

    Returns
    -------
    ndarray, shape (2, n)
        The lowest of the lower ends, and the highest of the upper.

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.

    Examples
    --------
    >>> measured = MeasuredLoss(np.array([0.3]), np.array([[[0.5, 0.7]], [[0.6, 0.6]]]))  # two settings, two draws
    >>> interval_ends(measured, 0.5, unit=0.5).round(2).tolist()
    [[-2.34], [2.74]]
    """
    middle = np.subtract(measured.mean, real_array(theory, "theory"))
    half, unit = measured.half_width, positive_array(unit, "unit")
    low, high = (middle - half) / unit, (middle + half) / unit
    settings = tuple(range(low.ndim - 1))
    return np.array([low.min(axis=settings), high.max(axis=settings)])


@checked
def excess(measured: MeasuredLoss, theory: ArrayLike) -> np.ndarray:
    """By how much each draw of target data is above the predicted loss, relative to it, in the mean over all points.

    Parameters
    ----------
    measured : MeasuredLoss
    theory : array_like
        Predicted losses, positive, of the shape of the means or one that broadcasts to it.

    Returns
    -------
    ndarray, shape (draws,)
        Independent of each other.

    Raises
    ------
    ValueError
        If an argument is outside its range, or shapes do not match.

    Examples
    --------
    >>> measured = MeasuredLoss(np.array([0.3, 0.6]), np.array([[0.5, 0.6], [0.2, 0.3]]))  # (nu_2, draws)
    >>> excess(measured, [0.5, 0.2]).round(2)
    array([0.  , 0.35])
    """
    ratio = measured.losses / positive_array(theory, "theory")[..., None]
    return np.asarray(ratio.mean(axis=tuple(range(ratio.ndim - 1))) - 1)


@checked
def collapsed_losses(measured: MeasuredLoss, nu_1: ArrayLike, alphas: Numbers) -> Check:
    """Measured losses on features that have collapsed on one direction beside `rich_limit_loss` (Result 4).

    Parameters
    ----------
    measured : MeasuredLoss
        At nu_2 of shape (n,).
    nu_1 : float
    alphas
        As in `rich_limit_loss`: of the shape of the settings.

    Raises
    ------
    ValueError
        As `rich_limit_loss`.

    Examples
    --------
    >>> from ptft.infinite_width.kernel_transfer import fine_tune_linear, pretrain_linear
    >>> rich = pretrain_linear(1e5, 0.5, D=200)
    >>> measured = fine_tune_linear(rich, [0.3, 0.9], (0.8, 0.0), relative_ridge=0.01)
    >>> collapsed_losses(measured, rich.nu_1, (0.8, 0.0)).holds, collapsed_losses(measured, 1.0, (0.8, 0.0)).holds
    (True, False)
    """
    a_s, a_g = (np.asarray(one)[..., None] for one in alphas)
    return Check("loss on collapsed features", rich_limit_loss(nu_1, (a_s, a_g)), measured.mean, bound=0.04)


@checked
def no_harm(nu_2: ArrayLike, alphas: Numbers, coefficients: Coefficients) -> Check:
    """Losses after pretraining, of which those without are upper bounds where the features cannot harm.

    Parameters
    ----------
    nu_2, alphas, coefficients
        As in `fine_tuning_loss`, of shapes that broadcast; nu_2 below 1.

    Raises
    ------
    ValueError
        As `fine_tuning_loss`.

    Examples
    --------
    >>> from ptft.infinite_width import source_coefficients
    >>> nu_2 = [0.5, 0.95]
    >>> no_harm(nu_2, (0.9, 0.1), source_coefficients(5.0, 0.5)).holds
    True
    >>> no_harm(nu_2, (0.9, 0.1), (-1.2, 2.0, 0.1)).error.round(3)  # an indefinite C harms at the second
    array([0.   , 0.016])
    """
    without, loss = fine_tuning_loss(nu_2), fine_tuning_loss(nu_2, alphas, coefficients)
    return Check("loss above that without pretraining", without, loss, bound=1e-12, unit=without, at_most=True)


@checked
def image_losses(rows: Sequence[Mapping[str, Any]]) -> Check:
    """Mean losses on images with the features of finite networks beside those with the features of mean-field theory.

    Parameters
    ----------
    rows : as from `ptft.infinite_width.kernel_transfer.transfer_losses`, of one or several calls

    Returns
    -------
    Check
        Its arrays have the shape of `mean_losses`.

    Examples
    --------
    >>> names = ("features", "P_1", "gamma_1", "P_2", "loss")
    >>> values = [("mean field", 20, 1.0, 4, 0.5), ("network", 20, 1.0, 4, 0.7)]
    >>> image_losses([dict(zip(names, one)) for one in values]).error.round(3)  # above the bound
    array([[[0.4]]])
    """
    return relative(
        "mean loss of a finite network", mean_losses(rows, "mean field"), mean_losses(rows, "network"), bound=0.2
    )
