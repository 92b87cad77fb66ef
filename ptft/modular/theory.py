"""What can be proved of the quadratic network f(a, b) = sum_j v_j (u_j[a] + w_j[b])^2 under gradient flow.

Of each neuron the flow conserves, for any data and any loss of the outputs, |u|^2 + |w|^2 - 2 v^2, as the output is of
degree 2 in (u, w) and of degree 1 in v; and sum_a u[a] - sum_b w[b], as adding a number to u and subtracting it from w
changes no output.

Pretraining goes frequency by frequency. Let the target be y = sum_{k in K} A cos(2 pi k (a + b)/p + phi_k), let all
pairs be given, and let a network be closed: with each neuron it holds, equally often, those that four maps make of it,
shift (u[a + h], w[b - h]), mirror (-v, u, -w), flip (the frequencies of u outside K change sign), and exchange (in K,
the two numbers change places: (u_k, w_k) becomes (R_k w_k, R_k u_k), where R_k is the reflection for which y at k is A
p/2 times R_k). A wide network with independent normal weights is closed in law. Then at all times

1. the output is a function of a + b with the frequencies and phases of y alone: the network stays closed;
2. the weights at frequencies outside K do not move;
3. with s^+- = (u_k +- R_k w_k)/sqrt(2) and r_k the share of y's amplitude at k that is not fitted yet, each neuron
   obeys ds^+-/dt = +-(A r_k/p) v s^+-, dv/dt = sum_k (A r_k/p) (|s_k^+|^2 - |s_k^-|^2)/2: a diagonal network in the
   Fourier basis, but with three layers, of which the frequencies of a neuron share one;
4. so u_k x R_k w_k, the part of each neuron's product that is a quarter of a period off the phase of y, is kept.

Proof: in a closed network mirror cancels the squares of u and w, so f = sum 2 v u[a] w[b]; shift makes that a
function of a + b, flip takes the frequencies outside K from it, and exchange the part out of phase. So the error is
G = -sum_k r_k A cos(...), a function with no mean in a or b, whose matrix is -(A r_k p/2) R_k at k in K and zero
elsewhere. The gradient of half the mean square then is du/dt = -(2v/p^2) G w, dw/dt = -(2v/p^2) G^T u,
dv/dt = -(2/p^2) u . G w, whose right sides commute with the four maps: the flow stays closed, as its solution is
unique. The rest is read off these equations, and d(u x Rw)/dt = (A r/p) v (Rw x Rw + u x u) = 0.

So pretraining leaves the power outside K as it was, about 2 width (p - 1 - 2|K|) sigma^2 for weights of standard
deviation sigma, proportional to kappa^2, while that on K has to reach a power that kappa does not change
(`least_power`): where y is fitted, |K| A p <= sum_j abs(v_j) P_j, with P_j the power of a neuron on K
(`needed_products`); P_j - 2 v_j^2 is conserved, so v_j^2 <= P_j/2 + v^2 with v the largest readout of the start, and
the sum is at most P sqrt(P/2 + v^2) with P = sum_j P_j. The share of the power on K tends to 1 as kappa tends to 0,
and what it lacks is O(kappa^2). That it falls with kappa all the way is measured (`closed_pretraining`).

This gives the penalty to first order. Fine-tuning that moves the weights little is ridgeless regression with the
tangent kernel: the coefficient z of a function e of unit norm costs at least z^2/(2 strength), and z e as much if e is
an eigenfunction of the kernel, where the strength of e is the squared norm of the gradient of <e, f> by the weights.
The diagonal network's penalty of scale k begins with z^2/(2 sqrt(k)), so the strength is what sqrt(k) is there: the sum
of squares of all products of the weights but one. For the frequency and phase of R it is 2 sum_j [(u . R w)^2 + v^2
(|u|^2 + |w|^2)]. After pretraining it is large for the phase of y. A quarter of a period off it is that of the start,
as for new frequencies, but for the part with v^2, which the new readout's gamma sets; a phase in between costs about a
share of that, the square of the sine of the offset. In K the strengths are not apart: neurons grow in all frequencies
of K at once, so y itself is the cheapest function of all.

What is measured and not proved: networks of finite width, whose closure is broken by 1/sqrt(width); fine-tuning on some
pairs, which mixes the frequencies, and beyond the first order. There the diagonal network with these strengths is a
guess (`diagonal_prediction`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from ptft.end_point import min_penalty
from ptft.modular.group import characters
from ptft.modular.networks import EMBEDDING_STD, READOUT_STD, Examples, QuadraticNetwork, require_fits
from ptft.modular.tasks import ScalarTask
from ptft.validation import (
    checked,
    fraction,
    generator,
    nonnegative_number,
    positive_number,
    real_array,
    require,
    whole_number,
)


@checked
def conserved(network: QuadraticNetwork) -> np.ndarray:
    """|u|^2 + |w|^2 - 2 v^2 of each neuron, and sum u - sum w, which gradient flow keeps.

    Returns
    -------
    array (2, width)

    Examples
    --------
    >>> conserved(QuadraticNetwork(torch.ones(3, 1), torch.zeros(3, 1), torch.ones(1)))
    array([[1.],
           [3.]])
    """
    U, W, v = (weight.double().cpu().numpy() for weight in (network.U, network.W, network.v))
    return np.stack([np.sum(U**2, axis=0) + np.sum(W**2, axis=0) - 2 * v**2, U.sum(axis=0) - W.sum(axis=0)])


@checked
def balance(network: QuadraticNetwork) -> float:
    """What is conserved, as a share of the squares: sum of |u|^2 + |w|^2 - 2 v^2 over that of |u|^2 + |w|^2 + 2 v^2.

    It is 1 where the readout is nothing beside the weights before it, -1 where it is everything, and 0 where the two
    are in balance, as with a relative scale of zero in the theory.

    Raises
    ------
    ValueError
        If all weights are zero.

    Examples
    --------
    >>> balance(QuadraticNetwork(torch.ones(3, 1), torch.zeros(3, 1), torch.ones(1)))
    0.2
    """
    readout = 2 * float(np.sum(network.v.double().cpu().numpy() ** 2))
    difference = float(conserved(network)[0].sum())
    require(difference + 2 * readout > 0, "network", "one of zeros", "one with a weight that is not zero")
    return difference / (difference + 2 * readout)


@checked
def closed_network(
    task: ScalarTask, orbits: int = 1, seed: int | np.random.Generator = 0, kappa: float = 1.0
) -> QuadraticNetwork:
    """A network that is closed for a task: the 8 p neurons that the four maps make of each of some normal ones.

    Raises
    ------
    ValueError
        If `orbits` is below 1 or kappa not positive.

    Examples
    --------
    >>> closed_network(ScalarTask(5, (1,), (0.5,))).U.shape
    torch.Size([5, 40])
    """
    whole_number(orbits, "orbits", 1)
    rng, p = generator(seed), task.p
    width = 8 * p * orbits
    u, w = EMBEDDING_STD * positive_number(kappa, "kappa") * rng.standard_normal((2, orbits, p))
    v = READOUT_STD / math.sqrt(width) * rng.standard_normal(orbits)
    basis, frequencies = characters(p)
    inside = np.isin(frequencies, task.frequencies)
    flip = basis.T @ np.diag(np.where(inside, 1.0, -1.0)) @ basis
    exchange = basis.T @ _reflections(task) @ basis
    outside = np.eye(p) - basis.T @ np.diag(inside.astype(float)) @ basis
    neurons = [(u, w, v), (w @ exchange + u @ outside, u @ exchange + w @ outside, v)]
    neurons += [(u @ flip, w, v) for u, w, v in neurons]
    neurons += [(u, -w, -v) for u, w, v in neurons]
    shifted = [(np.roll(u, -s, axis=1), np.roll(w, s, axis=1), v) for u, w, v in neurons for s in range(p)]
    U, W, V = (np.concatenate(part) for part in zip(*shifted, strict=True))
    return QuadraticNetwork(torch.from_numpy(U.T.copy()), torch.from_numpy(W.T.copy()), torch.from_numpy(V))


@checked
def quadratures(network: QuadraticNetwork, task: ScalarTask) -> np.ndarray:
    """u_k x R_k w_k of each neuron: the part of its product a quarter of a period off the phase of the task.

    Returns
    -------
    array (frequencies, width)

    Examples
    --------
    >>> task = ScalarTask(5, (1, 2), (0.0, 0.5))
    >>> quadratures(closed_network(task), task).shape
    (2, 40)
    """
    basis, frequencies = characters(task.p)
    u = basis @ network.U.double().cpu().numpy()
    w = _reflections(task) @ basis @ network.W.double().cpu().numpy()
    rows = [np.flatnonzero(frequencies == k) for k in task.frequencies]
    return np.stack([u[i] * w[j] - u[j] * w[i] for i, j in rows])


@checked
def needed_products(network: QuadraticNetwork, task: ScalarTask) -> tuple[np.ndarray, float]:
    """Sums of abs(v_j) (|u_jk|^2 + |w_jk|^2) over the neurons, and A p, below which they are in no network that fits.

    The matrix of the target at k is A p/2 times an orthogonal one, whose nuclear norm is A p; that of the network is
    sum_j 2 v_j u_jk w_jk^T, whose nuclear norm is at most the sum.

    Returns
    -------
    products : array (frequencies,)
    needed : float

    Examples
    --------
    >>> from ptft.modular import examples, new_quadratic, train
    >>> task = ScalarTask(5, (1,), (0.0,))
    >>> run = train(new_quadratic(5, 16), examples(task.table), loss_below=1e-8)
    >>> products, needed = needed_products(run.network, task)
    >>> bool(products[0] > 0.999 * needed)
    True
    """
    basis, frequencies = characters(task.p)
    squares = sum((basis @ weight.double().cpu().numpy()) ** 2 for weight in (network.U, network.W))
    by_character = np.asarray(squares) @ np.abs(network.v.double().cpu().numpy())
    products = np.array([by_character[frequencies == k].sum() for k in task.frequencies])
    return products, task.amplitude * task.p


# --- what pretraining leaves ------------------------------------------------------------------------------------------


@checked
def least_power(p: int, size: int, fitted: float = 1.0, readout: float = 0.0) -> float:
    """Power on K that the embedding has at least in a closed network that gradient flow has made fit a scalar task.

    The root P of P sqrt(P/2 + readout^2) = |K| A p fitted: (2 p sqrt(|K|))^(2/3) where the task is fitted and the
    readout began at 0. It would be met if one neuron could hold all of K; n alike that share it need n^(1/3) times as
    much.

    Parameters
    ----------
    p, size : int
        The modulus, odd; and |K|, the number of frequencies.
    fitted : float in (0, 1], default 1
        Mean over K of the share of the amplitude that is fitted: at least 1 - sqrt(2 L) at half a mean square of L. A
        single frequency can exceed its target, as the frequencies of a neuron share a readout.
    readout : float, default 0
        Largest abs(v_j) at the start.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from_zero = least_power(23, 5)
    >>> round(from_zero / (2 * 23 * 5**0.5) ** (2 / 3), 9), least_power(23, 5, readout=3.0) < from_zero
    (1.0, True)
    """
    require(whole_number(p, "p", 3) % 2 == 1, "p", p, "odd")
    whole_number(size, "size", 1, (p - 1) // 2)
    goal = _positive_share(fitted, "fitted") * p * math.sqrt(2 * size)  # |K| A p
    square = nonnegative_number(readout, "readout") ** 2
    most = (2 * goal**2) ** (1 / 3)  # the root where the square is 0
    return float(brentq(lambda P: P * math.sqrt(P / 2 + square) - goal, 0.0, 1.001 * most, xtol=1e-12 * most))


@dataclass(frozen=True)
class PretrainedLaw:
    """Where pretraining ends in a wide network, by the equations of a closed one.

    The strengths are those of functions of unit norm without the part that the new readout adds, see
    `strengths_with_readout`.
    """

    power_on: float  # of the embedding at the frequencies of pretraining
    power_beside: float  # at the others but 0
    in_phase: float  # strength of a frequency of pretraining, in its phase
    together: float  # and of that with another, the entry of the kernel between them
    out_of_phase: float  # a quarter of a period off, and of a frequency beside as well
    size: int  # |K_PT|
    p: int

    @property
    def share(self) -> float:
        """Of the power on the frequencies of pretraining."""
        return self.power_on / (self.power_on + self.power_beside)

    @property
    def of_pretraining(self) -> float:
        """Strength of the task of pretraining itself."""
        return self.in_phase + (self.size - 1) * self.together

    def strengths_with_readout(self, gamma: float) -> dict[str, float]:
        """Strengths once the readout is drawn again with standard deviation gamma >= 0, by kind of function.

        There is no "new" one where pretraining had all frequencies.
        """
        gamma = nonnegative_number(gamma, "gamma")
        on, others = 2 * gamma**2 * self.power_on / self.size, (self.p - 1) // 2 - self.size
        found = {
            "of pretraining": self.of_pretraining + on,
            "in phase": self.in_phase + on,
            "out of phase": self.out_of_phase + on,
        }
        return found | ({"new": self.out_of_phase + 2 * gamma**2 * self.power_beside / others} if others else {})


@checked
def closed_pretraining(
    kappa: float,
    width: int = 128,
    p: int = 23,
    size: int = 5,
    c: float = 1.0,
    fitted: float = 1.0,
    draws: int = 64,
    seed: int | np.random.Generator = 0,
) -> PretrainedLaw:
    """Pretraining by the equations of a closed network, with the neurons of random networks, on equal amplitudes.

    All r_k are taken as one r. In the time T with dT = (A r/p) dt a neuron's s^+- are e^{+-theta} times those at the
    start, dv/dT = (S^+ e^{2 theta} - S^- e^{-2 theta})/2 and dtheta/dT = v, and the sums S^+- of |s^+-|^2 over K are
    sigma^2 times chi-squared numbers of twice as many degrees of freedom as there are frequencies. Training ends when
    d/dT sum_j v_j^2 is A p times their number. The neurons grow without bound in finite time, those that began best
    first: so few carry the task, and the law depends on how many there are to choose from.

    Parameters
    ----------
    kappa, c : float
        Scales as of `new_quadratic`.
    width : int, default 128
        Number of neurons.
    p, size : int
        The modulus, odd; and the number of frequencies.
    fitted : float in (0, 1], default 1
        Share of the amplitude that is fitted at the end, the same at all frequencies. A network that begins with more
        stays as it is.
    draws : int, default 64
        Networks over which is averaged.
    seed : int or numpy Generator, default 0

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> [round(closed_pretraining(kappa).share, 1) for kappa in (0.1, 0.3, 1.0)]
    [0.9, 0.7, 0.5]
    """
    sigma = EMBEDDING_STD * positive_number(kappa, "kappa") * positive_number(c, "c")
    whole_number(width, "width", 1)
    require(whole_number(p, "p", 3) % 2 == 1, "p", p, "odd")
    whole_number(size, "size", 1, (p - 1) // 2)
    goal = _positive_share(fitted, "fitted") * p * math.sqrt(2 * size)  # |K| A p
    rng, found = generator(seed), []
    for _ in range(whole_number(draws, "draws", 1)):
        plus, minus = sigma**2 * rng.chisquare(2, (2, size, width))
        v = READOUT_STD * c / math.sqrt(width) * rng.standard_normal(width)
        theta = _grown(plus.sum(axis=0), minus.sum(axis=0), v, goal)
        grown, shrunk = plus * np.exp(2 * theta), minus * np.exp(-2 * theta)
        products = (grown - shrunk) / 2  # u_k . R_k w_k
        gram = 2 * products @ products.T
        apart = (gram.sum() - np.trace(gram)) / max(size * (size - 1), 1)
        found.append([np.sum(grown + shrunk), np.trace(gram) / size, apart, 2 * np.sum(grown * shrunk) / (2 * size)])
    on, in_phase, together, out_of_phase = (float(mean) for mean in np.mean(found, axis=0))
    beside = 2 * width * (p - 1 - 2 * size) * sigma**2
    return PretrainedLaw(on, beside, in_phase, together, out_of_phase, size, p)


def _positive_share(value: float, name: str) -> float:
    """`value` as a float in (0, 1]."""
    return fraction(positive_number(value, name), name)


def _grown(plus: np.ndarray, minus: np.ndarray, v: np.ndarray, goal: float) -> np.ndarray:
    """theta of each neuron when the task is fitted."""

    def accelerations(theta: np.ndarray) -> np.ndarray:
        found: np.ndarray = (plus * np.exp(2 * theta) - minus * np.exp(-2 * theta)) / 2
        return found

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        theta, v = state.reshape(2, -1)
        return np.concatenate([v, accelerations(theta)])

    def left(_: float, state: np.ndarray) -> float:
        theta, v = state.reshape(2, -1)
        return float(np.sum(2 * v * accelerations(theta))) - goal

    left.terminal, left.direction = True, 1.0  # type: ignore[attr-defined]
    state = np.concatenate([np.zeros_like(v), v])
    if left(0.0, state) >= 0:
        return np.zeros_like(v)
    end = solve_ivp(velocity, (0.0, np.inf), state, "DOP853", events=left, rtol=1e-9, atol=1e-9)
    found: np.ndarray = end.y[:, -1].reshape(2, -1)[0]
    return found


# --- the penalty of fine-tuning ---------------------------------------------------------------------------------------


@checked
def strengths(network: QuadraticNetwork, functions: ArrayLike) -> np.ndarray:
    """Entries of the tangent kernel between functions e of pairs: inner products of the gradients of <e, f>.

    Parameters
    ----------
    network : QuadraticNetwork
    functions : array_like (m, p, p)

    Returns
    -------
    array (m, m)
        The strengths of the functions stand on the diagonal.

    Raises
    ------
    ValueError
        If the functions are not on the pairs of the network.

    Examples
    --------
    >>> from ptft.modular import new_quadratic
    >>> task = ScalarTask(5, (2,), (0.0,))
    >>> strengths(new_quadratic(5, 16), [task.table]).shape
    (1, 1)
    """
    E = real_array(functions, "functions", ndim=3)
    _require_on_pairs(E, network)
    U, W, v = (weight.double().cpu().numpy() for weight in (network.U, network.W, network.v))
    EW, rows, columns = E @ W, E.sum(axis=2)[..., None], E.sum(axis=1)[..., None]
    dU, dW = 2 * v * (U * rows + EW), 2 * v * (W * columns + E.transpose(0, 2, 1) @ U)
    dv = np.sum(U * (U * rows + 2 * EW), axis=1) + np.sum(W * W * columns, axis=1)
    gradients = np.concatenate([part.reshape(len(E), -1) for part in (dU, dW, dv)], axis=1)
    found: np.ndarray = gradients @ gradients.T
    return found


@checked
def costs(network: QuadraticNetwork, functions: ArrayLike) -> np.ndarray:
    """What functions e of pairs cost to first order: e^T K^-1 e, with the tangent kernel K between all pairs.

    The least squared change of the weights that changes the outputs by e. It is at least 1/strength for a function of
    unit norm, and as much for an eigenfunction of the kernel.

    Parameters
    ----------
    network : QuadraticNetwork
    functions : array_like (m, p, p)

    Returns
    -------
    array (m,)
        Infinite for a function that no small change of the weights gives.

    Raises
    ------
    ValueError
        If the functions are not on the pairs of the network.

    Examples
    --------
    >>> from ptft.modular import new_quadratic
    >>> network, unit = new_quadratic(5, 64), ScalarTask(5, (2,), (0.0,)).table / 5
    >>> bool(costs(network, [unit])[0] > 1 / strengths(network, [unit])[0, 0])
    True
    """
    E = real_array(functions, "functions", ndim=3)
    _require_on_pairs(E, network)
    E = E.reshape(len(E), -1)
    each_pair = np.eye(network.p**2).reshape(-1, network.p, network.p)
    power, modes = np.linalg.eigh(strengths(network, each_pair))
    parts = (E @ modes) ** 2
    reached = power > 1e-12 * power[-1]
    beside = parts[:, ~reached].sum(axis=1) > 1e-12 * parts.sum(axis=1)
    found: np.ndarray = np.where(beside, np.inf, parts[:, reached] @ (1 / power[reached]))
    return found


def _require_on_pairs(functions: np.ndarray, network: QuadraticNetwork) -> None:
    if functions.shape[1:] != (network.p, network.p):
        raise ValueError(f"functions has shape {functions.shape}: it must be (m, {network.p}, {network.p})")


@checked
def character_strengths(network: QuadraticNetwork) -> np.ndarray:
    """Strengths of all p^2 products of two characters, array (p, p): what sqrt(k) is in the diagonal theory.

    Examples
    --------
    >>> from ptft.modular import new_quadratic
    >>> character_strengths(new_quadratic(5, 16)).shape
    (5, 5)
    """
    U, W, v = (weight.double().cpu().numpy() for weight in (network.U, network.W, network.v))
    basis, _ = characters(network.p)
    hidden = (U[:, None] + W[None]) ** 2  # (p, p, width)
    in_readout = np.einsum("ka,abj,lb->klj", basis, hidden, basis, optimize=True)
    found: np.ndarray = np.sum(in_readout**2, axis=2)
    for first, second, transposed in (
        (U, W, False),
        (W, U, True),
    ):  # d <e, f>/d first = 2 v e1 (first sum e2 + <e2, second>)
        inner = basis @ second
        moved = np.tile(np.sum((2 * v * inner) ** 2, axis=1), (network.p, 1))
        moved[:, 0] = basis**2 @ np.sum((2 * v * (math.sqrt(network.p) * first + inner[0])) ** 2, axis=1)
        found = found + (moved.T if transposed else moved)
    return found


@checked
def tangent_prediction(network: QuadraticNetwork, train: Examples, pairs: torch.Tensor) -> np.ndarray:
    """Outputs on other pairs after fine-tuning that moves the weights little: regression with the tangent kernel.

    Parameters
    ----------
    network : QuadraticNetwork
        Where fine-tuning begins.
    train : Examples
    pairs : tensor of int (m, 2)

    Returns
    -------
    array (m,)

    Examples
    --------
    >>> from ptft.modular import examples, new_quadratic
    >>> given = examples(ScalarTask(5, (1,), (0.0,)).table)
    >>> error = tangent_prediction(new_quadratic(5, 64), given, given.pairs) - given.targets.numpy()
    >>> bool(abs(error).max() < 1e-6)
    True
    """
    _require_fit(network, train, pairs)
    U, W, v = (weight.double().cpu().numpy() for weight in (network.U, network.W, network.v))
    (a, b), (c, d) = (of.cpu().numpy().T for of in (train.pairs, pairs))
    given, asked = U[a] + W[b], U[c] + W[d]

    def kernel(x: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        same = np.equal.outer(first, a).astype(float) + np.equal.outer(second, b)
        found: np.ndarray = (x**2) @ (given**2).T + 4 * ((x * v**2) @ given.T) * same
        return found

    error, start = _before(network, train, pairs)
    solution = np.linalg.lstsq(kernel(given, a, b), error, rcond=1e-12)[0]
    found: np.ndarray = start + kernel(asked, c, d) @ solution
    return found


@checked
def diagonal_prediction(network: QuadraticNetwork, train: Examples, pairs: torch.Tensor) -> np.ndarray:
    """Outputs on other pairs of a diagonal network on the products of two characters, with sqrt(k) their strengths.

    It interpolates with the smallest penalty of Theorem 4.1 (`ptft.min_penalty`), to all orders.

    Parameters
    ----------
    network : QuadraticNetwork
        Where fine-tuning begins.
    train : Examples
    pairs : tensor of int (m, 2)

    Returns
    -------
    array (m,)

    Examples
    --------
    >>> from ptft.modular import examples, new_quadratic
    >>> given = examples(ScalarTask(5, (1,), (0.0,)).table, range(20))
    >>> error = diagonal_prediction(new_quadratic(5, 64), given, given.pairs) - given.targets.numpy()
    >>> bool(abs(error).max() < 1e-6)
    True
    """
    _require_fit(network, train, pairs)
    basis, _ = characters(network.p)

    def design(of: torch.Tensor) -> np.ndarray:
        a, b = of.cpu().numpy().T
        found: np.ndarray = np.einsum("kn,ln->nkl", basis[:, a], basis[:, b]).reshape(len(a), -1)
        return found

    error, start = _before(network, train, pairs)
    end = min_penalty(design(train.pairs), error, character_strengths(network).ravel() ** 2)
    found: np.ndarray = start + design(pairs) @ end.beta
    return found


def _require_fit(network: QuadraticNetwork, train: Examples, pairs: torch.Tensor) -> None:
    require_fits(network, train.pairs, train.targets)
    require_fits(network, pairs)


def _before(network: QuadraticNetwork, train: Examples, pairs: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """What the outputs lack on the examples, and the outputs on other pairs, where fine-tuning begins."""
    outputs = network.outputs(torch.cat([train.pairs, pairs])).double().cpu().numpy()
    n = len(train.pairs)
    return train.targets.double().cpu().numpy() - outputs[:n], outputs[n:]


def _reflections(task: ScalarTask) -> np.ndarray:
    """R_k in the basis of `characters`, and zero outside K: y is sum_k (A p/2) R_k there."""
    _, frequencies = characters(task.p)
    found = np.zeros((task.p, task.p))
    for k, phase in zip(task.frequencies, task.phases, strict=True):
        rows = np.flatnonzero(frequencies == k)
        c, s = math.cos(phase), math.sin(phase)
        found[np.ix_(rows, rows)] = [[c, -s], [-s, -c]]
    return found
