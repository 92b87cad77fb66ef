"""One experiment for two theories of transfer: diagonal networks, and infinitely wide dense ones.

Both learn a source and a target that are linear in d coordinates. A diagonal network (arXiv:2602.20062) carries the
magnitude of each coordinate of the source over to the target. The features of a dense linear network
(arXiv:2507.04448) carry one direction, that of the source as a whole. Losses are |beta_hat - beta|^2/|beta|^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from ptft.end_point import min_penalties
from ptft.generalization import replica_curve
from ptft.infinite_width import feature_moment, fine_tuning_loss, regression_loss, source_coefficients, train_linear
from ptft.initialization import Initialization, scalar_initialization
from ptft.teachers import GaussianMixture, SpikeSlab
from ptft.validation import (
    checked,
    fraction,
    generator,
    nonnegative_array,
    one_of,
    positive_array,
    require,
    seed_number,
    truth_value,
    whole_number,
)

SIGNS = ("equal", "independent")
NODES = 200  # values of |beta_pt| that stand for a Gaussian, of equal probability


@dataclass(frozen=True)
class TwoTasks:
    """A source and a target in which a share rho of the coordinates is active; a share omega of them is the same.

    Active coefficients are +-1 in the source and +-1/sqrt(rho) in the target, so that E beta_ft^2 = 1.

    Parameters
    ----------
    rho : float in (0, 1], default 0.1
    omega : float in [0, 1], default 1
        Needs (2 - omega) rho <= 1.
    signs : "equal" (default) or "independent"
        Whether a shared coordinate has the same sign in both tasks.
    rotated : bool, default False
        Both teachers are turned by the same random rotation: their angle remains, and nothing is sparse. In many
        dimensions the coefficients are then jointly Gaussian, and are drawn as such.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> tasks = TwoTasks(rho=0.1, omega=0.5)
    >>> beta_pt, beta_ft = tasks.sample(d=100_000, seed=0)
    >>> cosine = beta_pt @ beta_ft / (np.linalg.norm(beta_pt) * np.linalg.norm(beta_ft))
    >>> tasks.alpha_s, round(float(cosine), 1)
    (0.5, 0.5)
    """

    rho: float = 0.1
    omega: float = 1.0
    signs: str = "equal"
    rotated: bool = False

    def __post_init__(self) -> None:
        fraction(self.rho, "rho")
        one_of(self.signs, "signs", SIGNS)
        truth_value(self.rotated, "rotated")
        _ = self._sparse

    @property
    def _sparse(self) -> SpikeSlab:
        return SpikeSlab(self.rho, self.rho, self.omega, slab="signs")

    @property
    def alpha_s(self) -> float:
        """Cosine of the angle between the teachers, as the dimension grows."""
        return self.omega if self.signs == "equal" else 0.0

    def sample(self, d: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (beta_pt, beta_ft), each of shape (d,)."""
        rng = generator(seed)
        if self.rotated:
            source, other = rng.standard_normal((2, whole_number(d, "d", 1)))
            return np.sqrt(self.rho) * source, self.alpha_s * source + np.sqrt(1 - self.alpha_s**2) * other
        beta_pt, beta_ft = self._sparse.sample(d, rng)
        if self.signs == "equal":
            beta_pt = np.where(beta_ft == 0, beta_pt, np.abs(beta_pt) * np.sign(beta_ft))
        return beta_pt, beta_ft

    def penalty_scale(self, init: Initialization, beta_pt: np.ndarray) -> np.ndarray:
        """Penalty scale k of every coordinate after pretraining to `beta_pt`."""
        return scalar_initialization(init).k(beta_pt)

    def mixture(self, init: Initialization) -> GaussianMixture:
        """Law of (beta_ft, k) for the replica theory; the penalty is even, so that only |beta_pt| matters."""
        if not self.rotated:
            return self._sparse.mixture(init)
        init = scalar_initialization(init)
        size = -ndtri((np.arange(NODES) + 0.5) / (2 * NODES))
        weight, variance = np.full(NODES, 1 / NODES), np.full(NODES, 1 - self.alpha_s**2)
        return GaussianMixture(weight, self.alpha_s * size, variance, init.k(np.sqrt(self.rho) * size))


@checked
def diagonal_loss(alpha: ArrayLike, tasks: TwoTasks, init: Initialization) -> np.ndarray:
    """Loss of the diagonal network at alpha = n/d target examples per coordinate (Proposition 4.2).

    Parameters
    ----------
    alpha : array_like, positive, any shape
    tasks : TwoTasks
    init : Initialization
        Scalar parameters.

    Returns
    -------
    ndarray of the shape of alpha

    Raises
    ------
    ValueError
        As `ptft.replica_curve`.

    Examples
    --------
    >>> diagonal_loss([0.1, 0.3], TwoTasks(omega=1.0), Initialization(c_pt=1e-3)).round(4)
    array([2.25e-01, 1.00e-04])
    """
    return replica_curve(alpha, tasks, init).mse


@checked
def dense_loss(alpha: ArrayLike, tasks: TwoTasks, gamma_1: float) -> np.ndarray:
    """Loss of a new readout on the features of the dense network, nu_2 = alpha, unlimited source data (Result 2).

    Parameters
    ----------
    alpha : array_like, zero or positive, any shape
    tasks : TwoTasks
    gamma_1 : float, zero or positive
        Richness of pretraining.

    Returns
    -------
    ndarray of the shape of alpha

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> dense_loss([0.1, 0.3], TwoTasks(omega=0.5), gamma_1=2.0).round(4)
    array([0.8532, 0.6181])
    """
    alpha = nonnegative_array(alpha, "alpha")
    return fine_tuning_loss(alpha, (tasks.alpha_s, 0.0), source_coefficients(gamma_1, 1.0))


@dataclass(frozen=True, eq=False)
class BothLosses:
    """Losses of the two networks on the same target data. Arrays have the shape of `alpha`."""

    alpha: np.ndarray  # n/d with the whole number n that was used
    diagonal: np.ndarray
    dense: np.ndarray


@checked
def simulate_both(
    alpha: ArrayLike, tasks: Sequence[TwoTasks], init: Initialization, gamma_1: float, d: int, seed: int = 0
) -> list[BothLosses]:
    """Sample teachers and data of each of the tasks, train both networks on the same, and measure their losses.

    The source has 2 d examples. The diagonal network recovers its teacher from them, and is taken to the exact end
    point of fine-tuning; the features of the dense one are those at the end of its gradient flow on them.

    Parameters
    ----------
    alpha : array_like, any shape, positive
        Rounded to whole numbers of examples n = alpha d, from 1 to d. Both networks are pretrained once for all, and
        the examples of a smaller n are the first of a larger one.
    tasks : sequence of TwoTasks
        Those that are all sparse, or all rotated, see the same inputs.
    init, gamma_1
        Of the diagonal network, `init`; of the dense one, gamma_1.
    d : int
    seed : int, default 0

    Returns
    -------
    list of BothLosses, one for each of the tasks

    Raises
    ------
    ValueError
        If an argument is outside its range, or a sampled teacher is zero.
    RuntimeError
        If an end point is not certified, or pretraining does not converge.

    Examples
    --------
    >>> (both,) = simulate_both([0.2, 0.5], [TwoTasks(omega=1.0)], Initialization(c_pt=1e-2), gamma_1=1.0, d=40)
    >>> both.alpha, both.diagonal < both.dense  # the task is sparse
    (array([0.2, 0.5]), array([ True,  True]))
    """
    n, seed = np.rint(positive_array(alpha, "alpha") * whole_number(d, "d", 1)).astype(int), seed_number(seed)
    require((n >= 1) & (n <= d), "alpha", alpha, f"such that n = round(alpha d) is between 1 and d = {d}")
    shared: dict[str, tuple[np.random.Generator, dict[int, tuple[np.ndarray, np.ndarray]]]] = {}
    for i, one in enumerate(tasks):
        rng = np.random.default_rng(seed)
        teachers = one.sample(d, rng)
        require(teachers[0].any() and teachers[1].any(), "d", d, "larger: a sampled teacher is zero")
        shared.setdefault(str(rng.bit_generator.state), (rng, {}))[1][i] = teachers  # the inputs follow from the state
    losses = np.empty((2, len(tasks), n.size))
    for rng, group in shared.values():
        X_1, X_2 = rng.standard_normal((2 * d, d)), rng.standard_normal((int(n.max(initial=1)), d))
        beta_pt, beta_ft = np.array(list(group.values())).transpose(1, 0, 2)
        losses[0, list(group)] = _diagonal_losses(X_2, n.ravel(), beta_ft, init.k(beta_pt))
        losses[1, list(group)] = _dense_losses(X_1, X_2, n.ravel(), beta_pt, beta_ft, gamma_1)
    return [
        BothLosses(n / d, diagonal.reshape(n.shape), dense.reshape(n.shape))
        for diagonal, dense in zip(*losses, strict=True)
    ]


def _diagonal_losses(X: np.ndarray, sizes: np.ndarray, beta_ft: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Of the exact end points on the first examples, for targets and penalty scales (tasks, d): (tasks, sizes)."""
    problems, of = np.unique(np.hstack([beta_ft, k]), axis=0, return_inverse=True)  # signs of the source are not seen
    targets, scales = np.vsplit(problems.T, 2)
    losses = np.empty((len(problems), sizes.size))
    for j, n in enumerate(sizes):
        ends = min_penalties(X[:n], X[:n] @ targets, scales)
        for i, (end, target) in enumerate(zip(ends, targets.T, strict=True)):
            if not end.converged:
                raise RuntimeError(f"the end point on {n} examples has a residual of {end.kkt_residual:.1e}")
            losses[i, j] = np.sum((end.beta - target) ** 2) / np.sum(target**2)
    return losses[of.ravel()]


def _dense_losses(
    X_1: np.ndarray, X_2: np.ndarray, sizes: np.ndarray, beta_pt: np.ndarray, beta_ft: np.ndarray, gamma_1: float
) -> np.ndarray:
    """Of a new readout on the features after training on X_1, for tasks with teachers (tasks, d): (tasks, sizes)."""
    losses = np.empty((len(beta_pt), sizes.size))
    for i, (s, t) in enumerate(zip(beta_pt, beta_ft, strict=True)):
        run = train_linear(X_1, X_1 @ (s / np.linalg.norm(s)), gamma_1)
        if not run.converged:
            raise RuntimeError(f"pretraining ended with a residual of {run.residual:.1e}")
        M = feature_moment(run.b[-1])
        losses[i] = [regression_loss(M, X_2[:n], t / np.linalg.norm(t)) for n in sizes]
    return losses


@checked
def equivalent_richness(init: Initialization, beta_pt: float) -> float:
    """The gamma_1 of a dense network whose features have the same spike as a diagonal one with one active coordinate.

    In the lazy regime of fine-tuning both are kernel regression, with 1 + chi = sqrt(k(beta_pt)/k(0)) in the diagonal
    network and sqrt(1 + gamma_1^2) in the dense one, for a source whose predictor has the length 1; for one of length
    a it is gamma_1 a that is returned.

    Parameters
    ----------
    init : Initialization
        Scalar parameters.
    beta_pt : float
        The coefficient of the active coordinate.

    Raises
    ------
    ValueError
        As `Initialization.sqrt_k`.

    Examples
    --------
    >>> round(equivalent_richness(Initialization(c_pt=1.0), np.sqrt(8.0)), 6)  # 1 + chi = (1 + 3)/2
    1.732051
    """
    chi = float(init.sqrt_k(beta_pt) / init.sqrt_k(0.0)) - 1
    return float(np.sqrt(chi * (chi + 2)))
