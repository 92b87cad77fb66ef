"""Fine-tuning measured on the features of networks that were trained (Figures 1, 2 of arXiv:2507.04448).

The theory of fine-tuning takes the features that pretraining leaves from a formula (`ptft.infinite_width.linear`) or
from the mean-field particles (`ptft.infinite_width.dmft`). Here they are those of trained networks, linear ones on
synthetic tasks and ReLU ones on any data, and the loss on the target is that of kernel regression on them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigvalsh

from ptft.infinite_width.dmft import train
from ptft.infinite_width.linear import MeasuredLoss, feature_moment, regression_loss, train_linear
from ptft.infinite_width.particles import (
    Particles,
    Task,
    arccosine_kernel,
    feature_kernel,
    finite_network,
    function_particles,
    kernel_regression,
)
from ptft.validation import (
    broadcast,
    checked,
    generator,
    instance_of,
    listed,
    nonnegative_array,
    one_of,
    positive_array,
    real_array,
    require,
    require_table,
    whole_number,
)

if TYPE_CHECKING:
    import pandas as pd

FEATURES = ("mean field", "network")
TIMES = np.concatenate([[0.0], np.geomspace(1.0, 1e6, 91)])  # when training is looked at, and ends if it has converged


# --- linear networks ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LinearFeatures:
    """What pretraining of a linear network on one sample of source data left, in D dimensions."""

    M: np.ndarray  # (D, D) <w w^T>
    s: np.ndarray  # (D,) the source teacher
    g: np.ndarray  # (D,) unit vector orthogonal to s, towards which the data turn the learned predictor
    nu_1: float  # |beta_hat|^2 of the interpolator of least norm; P_1/D on average, at most 1

    @property
    def spike(self) -> float:
        """u^T M u - 1 along the learned predictor, to be compared with `spike_size(gamma_1, nu_1)`."""
        u = np.sqrt(self.nu_1) * self.s + np.sqrt(1 - self.nu_1) * self.g
        return float(u @ self.M @ u - 1)


@checked
def pretrain_linear(
    gamma_1: float, nu_1: float, D: int = 80, N: int | None = None, seed: int | np.random.Generator = 0
) -> LinearFeatures:
    """Train a two-layer linear network on P_1 = round(nu_1 D) noise-free examples of the source task.

    Parameters
    ----------
    gamma_1 : float, positive
        Richness in the convention h = W x of `ptft.infinite_width.linear`.
    nu_1 : float, positive
        Source data per dimension; near 1 training takes long.
    D : int, at least 3, default 80
        Two directions are that of the teacher and of the learned gradient; a third is there for the rest of a target.
    N : int, optional
        Neurons of a finite network with random weights. By default the network is infinitely wide.
    seed : int or Generator, default 0
        Of the teacher, the data and the weights.

    Returns
    -------
    LinearFeatures

    Raises
    ------
    ValueError
        If an argument is outside its range.
    RuntimeError
        If training does not converge.

    Examples
    --------
    >>> features = pretrain_linear(gamma_1=1.0, nu_1=0.5, D=20)
    >>> round(features.spike, 4), round(float(np.sqrt(1 + features.nu_1)) - 1, 4)
    (0.2417, 0.2417)
    """
    gamma_1, nu = (float(positive_array(v, n, ndim=0)) for v, n in ((gamma_1, "gamma_1"), (nu_1, "nu_1")))
    rng = generator(seed)
    X = rng.standard_normal((max(round(nu * whole_number(D, "D", 3)), 1), D))
    s = rng.standard_normal(D)
    s /= np.linalg.norm(s)
    if N is None:
        flow = train_linear(X, X @ s, gamma_1)
        M, converged = feature_moment(flow.b[-1]), flow.converged
    else:
        task = Task(X, X @ s, X, X @ s)
        network = finite_network(D, N, rng, "linear")
        run = train(network, task, gamma_1 / np.sqrt(D), TIMES, tolerance=1e-6)  # this network has h = W x/sqrt(D)
        w = run.end.state.astype(np.float64)
        M, converged = w.T @ w / N, run.converged
    if not converged:
        raise RuntimeError(f"training with gamma_1 = {gamma_1:g} on {len(X)} examples in D = {D} did not converge")
    beta_hat = np.linalg.lstsq(X, X @ s)[0]
    aside = beta_hat - (beta_hat @ s) * s
    if len(X) >= D:  # beta_hat = s, and any direction serves
        aside = rng.standard_normal(D)
        aside -= (aside @ s) * s
    return LinearFeatures(M, s, aside / np.linalg.norm(aside), min(float(beta_hat @ beta_hat), 1.0))


@checked
def fine_tune_linear(
    features: LinearFeatures,
    nu_2: ArrayLike,
    alphas: tuple[ArrayLike, ArrayLike] = (1.0, 0.0),
    relative_ridge: float = 0.0,
    draws: int = 20,
    seed: int | np.random.Generator = 0,
) -> MeasuredLoss:
    """Loss of a new readout on the features, over draws of the target data and of the part of t outside s and g.

    Parameters
    ----------
    features : LinearFeatures
    nu_2 : array_like, positive
        Rounded to whole numbers of examples, at least 1.
    alphas : (alpha_s, alpha_g)
        If they are arrays, they broadcast to a shape of targets, which differ in nothing else.
    relative_ridge : float, default 0
        Ridge in units of the largest eigenvalue of M, as in `budgeted_loss`.
    draws : int, at least 2, default 20
    seed : int or Generator, default 0

    Returns
    -------
    MeasuredLoss
        Its means have the shape of the targets, followed by that of `nu_2`.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> features = pretrain_linear(gamma_1=2.0, nu_1=2.0, D=40)
    >>> measured = fine_tune_linear(features, [0.25, 0.5], draws=10)
    >>> bool(np.all(measured.mean < 1 - measured.nu_2))  # better than without pretraining
    True
    """
    nu = positive_array(nu_2, "nu_2")
    whole_number(draws, "draws", 2)
    a_s, a_g = broadcast(alpha_s=real_array(alphas[0], "alpha_s"), alpha_g=real_array(alphas[1], "alpha_g"))
    size = a_s**2 + a_g**2
    require(size <= 1 + 1e-12, "alpha_s^2 + alpha_g^2", size, "at most 1")
    M, D = features.M, len(features.s)
    ridge = float(nonnegative_array(relative_ridge, "relative_ridge", ndim=0)) * float(eigvalsh(M)[-1])
    rng = generator(seed)
    plane = np.column_stack([features.s, features.g])
    inside, aside = plane @ [a_s.ravel(), a_g.ravel()], np.sqrt(np.maximum(1 - size, 0.0)).ravel()

    def loss(P: int) -> np.ndarray:
        rest = rng.standard_normal(D)
        rest -= plane @ (plane.T @ rest)
        t = inside + np.outer(rest / np.linalg.norm(rest), aside)
        return regression_loss(M, rng.standard_normal((P, D)), t, ridge)

    sizes = np.maximum(np.rint(nu * D).astype(int), 1)
    losses = np.array([[loss(P) for _ in range(draws)] for P in sizes.ravel()])  # (points, draws, targets)
    return MeasuredLoss(np.asarray(sizes / D), np.moveaxis(losses, -1, 0).reshape(*a_s.shape, *nu.shape, draws))


# --- ReLU networks --------------------------------------------------------------------------------------------------


@checked
def transfer_losses(
    source: Task,
    target: Task,
    gamma_1: float,
    P_2: Sequence[int],
    draws: int = 8,
    S: int = 4000,
    N: int = 4000,
    seed: int = 0,
    tolerance: float = 1e-3,
) -> list[dict[str, Any]]:
    """Test loss of kernel regression on a target task with the features that training on a source task left.

    Once with the features of the mean-field theory, particles that hold functions (for gamma_1 = 0 the arc-cosine
    kernel), and once with those of a finite network with weights of its own.

    Parameters
    ----------
    source, target : Task
        The test data of the source are not used. The labels of the target take two values; ``target.X`` is the pool
        from which training sets are drawn.
    gamma_1 : float, zero or positive
        Richness of pretraining, with h = w.x/sqrt(D).
    P_2 : sequence of int
        Numbers of target examples, as many of one label as of the other (or one more).
    draws : int, default 8
        Training sets for each P_2. They depend on the seed alone, and those of a smaller P_2 are part of the larger.
    S, N : int, default 4000
        Particles (even), and neurons of the finite network. Take at least ten times the largest P_2.
    seed : int, default 0
    tolerance : float, default 1e-3
        Pretraining ends at this mean squared error.

    Returns
    -------
    list of dict
        For each kind of features, P_2 and draw: features ("mean field" or "network"), P_1, gamma_1, P_2, seed, draw,
        loss, and source_loss, the training loss at which pretraining ended.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    RuntimeError
        If pretraining does not reach the tolerance.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((60, 5))
    >>> source = Task(X[:20], X[:20, 0], X[:20], X[:20, 0])
    >>> target = Task(X[20:40], np.sign(X[20:40, 0]), X[40:], np.sign(X[40:, 0]))
    >>> rows = transfer_losses(source, target, 0.0, [8], draws=2, S=200, N=200)  # 0: random features
    >>> [(row["features"], row["P_2"], row["draw"]) for row in rows]
    [('mean field', 8, 0), ('mean field', 8, 1), ('network', 8, 0), ('network', 8, 1)]
    """
    gamma_1 = float(nonnegative_array(gamma_1, "gamma_1", ndim=0))
    labels = np.unique(target.y)
    require(labels.size == 2, "the number of different labels of the target", labels.size, "2")
    members = [np.flatnonzero(target.y == label) for label in labels]
    most = 2 * min(len(m) for m in members)
    for size in P_2:
        require(whole_number(size, "P_2", 1) <= most, "P_2", size, f"at most {most}")
    rng = generator(seed)
    orders = [np.column_stack([rng.permutation(m)[: most // 2] for m in members]).ravel() for _ in range(draws)]
    points = np.concatenate([source.X, target.X, target.X_test])
    seen = np.concatenate([target.X, target.X_test])
    alone = Task(source.X, source.y, source.X, source.y)  # function particles know no other source inputs
    starts: dict[str, Callable[[], Particles]] = {
        "mean field": lambda: function_particles(points, S, rng),
        "network": lambda: finite_network(points.shape[1], N, rng),
    }
    rows = []
    for features, start in starts.items():
        source_loss = float(np.mean(source.y**2))
        if gamma_1 == 0:
            K = arccosine_kernel(seen) if features == "mean field" else feature_kernel(start(), seen)
        else:
            run = train(start(), alone, gamma_1, TIMES, tolerance=tolerance)
            if not run.converged:
                raise RuntimeError(f"pretraining with gamma_1 = {gamma_1:g} ended at {run.train_loss[-1]:.1e}")
            K, source_loss = feature_kernel(run.end, seen), float(run.train_loss[-1])
        K_test, pool = K[len(target.y) :], K[: len(target.y)]
        for size in P_2:
            for draw, order in enumerate(orders):
                chosen = order[:size]
                f = kernel_regression(pool[np.ix_(chosen, chosen)], K_test[:, chosen], target.y[chosen])
                rows.append(
                    {
                        "features": features,
                        "P_1": len(source.y),
                        "gamma_1": gamma_1,
                        "P_2": int(size),
                        "seed": seed,
                        "draw": draw,
                        "loss": float(np.mean((f - target.y_test) ** 2)),
                        "source_loss": source_loss,
                    }
                )
    return rows


@checked
def solve_point(
    dataset: str,
    source: tuple[int, int],
    target: tuple[int, int],
    P_1: int,
    gamma_1: float,
    P_2: Sequence[int],
    pool: int,
    seed: int = 0,
    root: str | Path | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """`transfer_losses` between two pairs of classes of one data set, each row with `dataset`; needs ``ptft[vision]``.

    Parameters
    ----------
    dataset, source, target, P_1, seed, root
        As `name`, `source`, `target`, `P1`, `seed` and `root` of `ptft.infinite_width.images.class_pair_tasks`.
    gamma_1, P_2, **options
        As in `transfer_losses`.
    pool : int, even
        Target images from which the training sets are drawn; all others are test images.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> rows = solve_point("digits", (1, 2), (8, 9), 20, 0.0, [8], 20, draws=1, S=200, N=200)
    >>> [row["features"] for row in rows], rows[0]["dataset"]
    (['mean field', 'network'], 'digits')
    """
    from ptft.infinite_width.images import class_pair_tasks

    instance_of(dataset, str, "dataset")
    tasks = class_pair_tasks(source, target, P_1, pool, name=dataset, seed=seed, root=root)
    return [{"dataset": dataset, **row} for row in transfer_losses(*tasks, gamma_1, P_2, seed=seed, **options)]


@checked
def mean_losses(rows: Sequence[Mapping[str, Any]], features: str) -> np.ndarray:
    """Mean over the draws of the loss with one kind of features, for every P_1, gamma_1 and P_2 in increasing order.

    Parameters
    ----------
    rows : as from `transfer_losses`, of one or several calls
    features : "mean field" or "network"

    Returns
    -------
    ndarray, one axis each for P_1, gamma_1 and P_2

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> names = ("features", "P_1", "gamma_1", "P_2", "loss")
    >>> values = [("network", 20, g, P_2, g + loss) for g in (0.0, 1.0) for P_2 in (4, 8) for loss in (0.2, 0.4)]
    >>> mean_losses([dict(zip(names, one)) for one in values], "network").round(3)
    array([[[0.3, 0.3],
            [1.3, 1.3]]])
    """
    one_of(features, "features", FEATURES)
    names = ("features", "P_1", "gamma_1", "P_2", "loss")
    for row in listed(rows, "rows"):
        require(set(names) <= set(row), "one of rows", row, f"a mapping with the keys {', '.join(names)}")
    axes = [sorted({row[name] for row in rows}) for name in ("P_1", "gamma_1", "P_2")]
    losses: dict[tuple[Any, ...], list[float]] = {point: [] for point in itertools.product(*axes)}
    for row in rows:
        if row["features"] == features:
            losses[row["P_1"], row["gamma_1"], row["P_2"]].append(row["loss"])
    return np.array([np.mean(one) for one in losses.values()]).reshape([len(axis) for axis in axes])


@checked
def mean_over_targets(table: pd.DataFrame) -> pd.DataFrame:
    """Mean loss over the draws of target images in a stored table: one number for each draw of images and neurons.

    The draws of target images of one seed share its networks, source images and pool, so that only seeds are
    independent of each other.

    Returns
    -------
    DataFrame
        A row for each (width, P_1, gamma_1, P_2, seed), in increasing order, and a column for each kind of features.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"P_1": 20, "gamma_1": 0.0, "width": 100, "seed": 0, "P_2": 4, "features": "network"}
    >>> table = pd.DataFrame([{**row, "draw": 0, "loss": 0.5}, {**row, "draw": 1, "loss": 0.7}])
    >>> float(mean_over_targets(table).loc[(100, 20, 0.0, 4, 0), "network"].round(3))
    0.6
    """
    point = ["width", "P_1", "gamma_1", "P_2", "seed"]
    require_table(table, "table", [*point, "features", "loss"])
    return table.groupby([*point, "features"])["loss"].mean().unstack()


@checked
def differences(table: pd.DataFrame, features: str = "network") -> pd.DataFrame:
    """How far the loss with one kind of features is from that of mean-field theory with the most particles.

    Root mean square, over the seeds and P_2, of the relative difference of the mean losses over the draws: a row for
    each width, a column for each (P_1, gamma_1). The theory of a stored table is a sample, too, of as many particles as
    the networks beside it have neurons; only one reference for all widths leaves that out of what a width changes.

    Parameters
    ----------
    table : DataFrame
    features : "network" (default) or "mean field"
        Of every width; those of the theory are 0 at the largest, to which they are compared.

    Raises
    ------
    ValueError
        If the table lacks a column, or another argument is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"P_1": 20, "gamma_1": 0.0, "seed": 0, "P_2": 4, "draw": 0}
    >>> few, many = ({**row, "width": 100, "loss": 0.6}, {**row, "width": 400, "loss": 0.5})
    >>> rows = [one | {"features": kind} for one in (few, many) for kind in ("mean field", "network")]
    >>> differences(pd.DataFrame(rows))[20, 0.0].round(3).tolist()  # from 0.5
    [0.2, 0.0]
    """
    one_of(features, "features", FEATURES)
    mean = mean_over_targets(table).unstack("width")
    theory = mean["mean field"]
    square = (mean[features].div(theory[theory.columns.max()], axis=0) - 1) ** 2
    return np.sqrt(square.groupby(["P_1", "gamma_1"]).mean()).T
