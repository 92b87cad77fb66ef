"""Two networks on pairs (a, b) of numbers modulo p: the quadratic one, in which much can be proved, and a Transformer.

The first is that of Gromov (2023) and Kumar et al. (2024), the second one layer in the manner of Nanda et al. (2023).
Neither has a bias or a layer norm, so that every layer is a scale times a direction. All three knobs of the theory are
scales of layers: c of all, kappa of all before the readout, gamma of the readout that fine-tuning begins with. Networks
are never changed: what changes them returns a copy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ptft.validation import check_fields, checked, generator, positive_number, real_array, require, whole_number

EMBEDDING_STD, READOUT_STD = (
    0.3,
    0.3,
)  # of the quadratic network at kappa = c = 1; the readout's is divided by sqrt(width)
PARTS = ("embedding", "hidden", "readout")  # of a network: what a knob scales


@dataclass(frozen=True, eq=False)
class Examples:
    """Pairs of numbers and what a network should say of them.

    Parameters
    ----------
    pairs : tensor of int (n, 2)
    targets : tensor (n,)
        Real numbers, for half the mean square of the error, or whole ones, the classes of a cross-entropy.

    Raises
    ------
    ValueError
        If there is no pair, a number is negative, or the targets are not as many.

    Examples
    --------
    >>> Examples(torch.tensor([[0, 1], [1, 1]]), torch.tensor([0.5, -0.5])).classes
    False
    """

    pairs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        check_fields(self)
        if self.pairs.ndim != 2 or self.pairs.shape[1] != 2 or not len(self.pairs):
            raise ValueError(f"pairs has shape {tuple(self.pairs.shape)}: it must be (n, 2) with n of at least 1")
        if self.targets.shape != self.pairs.shape[:1]:
            raise ValueError(f"targets has shape {tuple(self.targets.shape)}: it must have one entry for each pair")
        whole = not self.pairs.is_floating_point() and int(self.pairs.min()) >= 0
        require(whole, "pairs", self.pairs.min().item(), "whole numbers, zero or positive")

    @property
    def classes(self) -> bool:
        """Whether the targets are classes."""
        return not self.targets.is_floating_point()


@checked
def examples(
    table: ArrayLike, chosen: ArrayLike | None = None, device: str = "cpu", dtype: torch.dtype = torch.float64
) -> Examples:
    """Pairs with their entries in a table of all pairs.

    Parameters
    ----------
    table : array_like (p, p)
        Real targets, or classes where it holds whole numbers.
    chosen : array_like of int (n,), optional
        Numbers p a + b of the pairs; by default all.
    device : str, default "cpu"
        Where the tensors are.
    dtype : default float64
        Of real targets.

    Raises
    ------
    ValueError
        If `table` is not square, or a number is not that of a pair.

    Examples
    --------
    >>> examples([[0, 1], [1, 0]], [2]).pairs
    tensor([[1, 0]])
    """
    real_array(table, "table", ndim=2)
    values = np.asarray(table)
    if values.shape[0] != values.shape[1]:
        raise ValueError(f"table has shape {values.shape}: it must be square")
    numbers = np.arange(values.size) if chosen is None else real_array(chosen, "chosen", ndim=1)
    require(
        (numbers == np.rint(numbers)) & (numbers >= 0) & (numbers < values.size), "chosen", numbers, "numbers of pairs"
    )
    numbers = numbers.astype(np.int64)
    pairs = np.stack(np.divmod(numbers, len(values)), axis=1)
    kind = torch.int64 if values.dtype.kind in "iu" else dtype
    targets = torch.as_tensor(values.ravel()[numbers], dtype=kind, device=device)
    return Examples(torch.as_tensor(pairs, device=device), targets)


@checked
def drawn_pairs(p: int, n: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Numbers p a + b of n random pairs for training, and those of all others for the test.

    With one seed, fewer pairs are the first of more.

    Returns
    -------
    train, test : arrays of int (n,) and (p^2 - n,)

    Raises
    ------
    ValueError
        If n is not between 1 and p^2 - 1, or the seed none.

    Examples
    --------
    >>> train, test = drawn_pairs(3, 5, seed=0)
    >>> len(train), sorted([*train, *test]) == list(range(9))
    (5, True)
    """
    whole_number(p, "p", 2)
    whole_number(n, "n", 1, p**2 - 1)
    order = generator(seed).permutation(p**2)
    return order[:n], order[n:]


# --- the quadratic network --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class QuadraticNetwork:
    """f(a, b) = sum_j v_j (U_aj + W_bj)^2.

    Parameters
    ----------
    U, W : tensors (p, width)
        Embeddings of the first and the second number.
    v : tensor (width,)
        Readout.

    Raises
    ------
    ValueError
        If the shapes do not match.

    Examples
    --------
    >>> network = new_quadratic(5, 8, seed=0)
    >>> network.outputs(torch.tensor([[0, 1], [4, 4]])).shape
    torch.Size([2])
    """

    U: Tensor
    W: Tensor
    v: Tensor

    def __post_init__(self) -> None:
        check_fields(self)
        if self.U.ndim != 2 or self.W.shape != self.U.shape:
            raise ValueError(
                f"W has shape {tuple(self.W.shape)}: it must be that of U, {tuple(self.U.shape)}, a matrix"
            )
        if self.v.shape != self.U.shape[1:]:
            raise ValueError(f"v has shape {tuple(self.v.shape)}: it must have one entry for each column of U")

    @property
    def p(self) -> int:
        """The modulus."""
        return len(self.U)

    @property
    def parameters(self) -> dict[str, Tensor]:
        """All weights by name."""
        return {"U": self.U, "W": self.W, "v": self.v}

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The names of the weights in each of `PARTS`."""
        return {"embedding": ("U", "W"), "hidden": (), "readout": ("v",)}

    @property
    def embedding(self) -> Tensor:
        """The functions of one number that the first layer holds, (p, 2 width)."""
        return torch.cat([self.U, self.W], dim=1)

    @property
    def table(self) -> Tensor:
        """Outputs on all pairs, (p, p)."""
        weighted = self.U * self.v
        first, second = (self.U * weighted).sum(1), (self.W * self.W) @ self.v
        return 2 * weighted @ self.W.T + first[:, None] + second

    def with_parameters(self, parameters: Mapping[str, Tensor]) -> QuadraticNetwork:
        """The network with other weights, by name."""
        return QuadraticNetwork(**parameters)

    def hidden(self, pairs: Tensor) -> Tensor:
        """Activations (U_aj + W_bj)^2, (n, width)."""
        return (self.U[pairs[:, 0]] + self.W[pairs[:, 1]]) ** 2

    def outputs(self, pairs: Tensor) -> Tensor:
        """Outputs, (n,)."""
        return self.table[pairs[:, 0], pairs[:, 1]]

    def gradient(self, data: Examples) -> tuple[float, dict[str, Tensor]]:
        """Half the mean squared error, and its gradient by the name of the weights."""
        a, b = data.pairs.T
        error = self.table[a, b] - data.targets
        G = torch.zeros((self.p, self.p), dtype=self.U.dtype, device=self.U.device)
        G.index_put_((a, b), error / len(error), accumulate=True)
        GW, rows, columns = G @ self.W, G.sum(1), G.sum(0)
        dU = self.U * rows[:, None] + GW
        dW = self.W * columns[:, None] + G.T @ self.U
        dv = (self.U * (dU + GW)).sum(0) + columns @ (self.W * self.W)
        twice = 2 * self.v
        return float(error @ error) / (2 * len(error)), {"U": twice * dU, "W": twice * dW, "v": dv}


@checked
def new_quadratic(
    p: int,
    width: int = 128,
    seed: int | np.random.Generator = 0,
    kappa: float = 1.0,
    c: float = 1.0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> QuadraticNetwork:
    """A quadratic network with normal weights: standard deviation c kappa 0.3, of the readout c 0.3/sqrt(width).

    Raises
    ------
    ValueError
        If p is below 2, the width below 1, or kappa or c not positive.

    Examples
    --------
    >>> new_quadratic(23, seed=0, kappa=0.3).U.shape
    torch.Size([23, 128])
    """
    whole_number(p, "p", 2)
    whole_number(width, "width", 1)
    rng = generator(seed)
    first = EMBEDDING_STD * positive_number(c, "c") * positive_number(kappa, "kappa")
    second = READOUT_STD * c / math.sqrt(width)
    U, W, v = (rng.standard_normal(shape) for shape in ((p, width), (p, width), width))
    return QuadraticNetwork(
        *(torch.as_tensor(x, dtype=dtype, device=device) for x in (first * U, first * W, second * v))
    )


# --- the Transformer --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Transformer:
    """One layer on the tokens a, b and "=", read out at the last, with attention from there alone.

    The sum of a token's and its place's embedding is looked at by several heads, whose result is added to the last
    token; so is that of two layers with a ReLU between them. All matrices multiply from the right.

    Parameters
    ----------
    weights : mapping of str to tensor
        ``tokens`` (p + 1, d), ``places`` (3, d), ``query``, ``key``, ``value``, ``mix`` (d, d), ``rise`` (d, h),
        ``fall`` (h, d), ``readout`` (d, outputs).
    heads : int
        A divisor of d.

    Raises
    ------
    ValueError
        If names or shapes do not match.

    Examples
    --------
    >>> network = new_transformer(7, width=8, heads=2, mlp=16, outputs=3, seed=0)
    >>> network.outputs(torch.tensor([[0, 1], [6, 6]])).shape
    torch.Size([2, 3])
    """

    weights: Mapping[str, Tensor]
    heads: int

    def __post_init__(self) -> None:
        check_fields(self)
        shapes = {name: tuple(weight.shape) for name, weight in self.weights.items()}
        if set(shapes) != set(_SHAPES):
            raise ValueError(f"weights has the names {', '.join(shapes)}: they must be {', '.join(_SHAPES)}")
        tokens, width = (*shapes["tokens"], 0)[:2]
        sizes = {"tokens": tokens, "d": width, "h": shapes["rise"][-1], "outputs": shapes["readout"][-1]}
        for name, letters in _SHAPES.items():
            wanted = tuple(sizes.get(letter, 3) for letter in letters)
            if shapes[name] != wanted:
                raise ValueError(f"weights {name} have shape {shapes[name]}: it must be {wanted}")
        whole_number(self.heads, "heads", 1)
        require(width % self.heads == 0, "heads", self.heads, f"a divisor of the width {width}")

    @property
    def p(self) -> int:
        """The modulus."""
        return len(self.weights["tokens"]) - 1

    @property
    def parameters(self) -> dict[str, Tensor]:
        """All weights by name."""
        return dict(self.weights)

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The names of the weights in each of `PARTS`."""
        embedding = ("tokens", "places")
        hidden = tuple(name for name in _SHAPES if name not in (*embedding, "readout"))
        return {"embedding": embedding, "hidden": hidden, "readout": ("readout",)}

    @property
    def embedding(self) -> Tensor:
        """The functions of one number that the first layer holds, (p, d)."""
        return self.weights["tokens"][:-1]

    def with_parameters(self, parameters: Mapping[str, Tensor]) -> Transformer:
        """The network with other weights, by name."""
        return Transformer(parameters, self.heads)

    def _at_last(self, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The last token after attention (n, d), the hidden activations (n, h), and the scores (3, n, heads)."""
        w = self.weights
        width = w["tokens"].shape[1]
        inner = width // self.heads
        at_places = w["tokens"][:-1] + w["places"][:2, None]  # (2, p, d)
        last = w["tokens"][-1] + w["places"][2]
        query = (last @ w["query"]).view(self.heads, inner)

        def looked_up(matrix: Tensor) -> tuple[Tensor, Tensor]:
            return (at_places @ matrix).view(2, self.p, self.heads, inner), (last @ matrix).view(1, self.heads, inner)

        (keys, own_key), (values, own_value) = looked_up(w["key"]), looked_up(w["value"])
        scores, own = (keys * query).sum(-1), (own_key * query).sum(-1)  # (2, p, heads), (1, heads)
        a, b = pairs.T
        seen = torch.stack([scores[0, a], scores[1, b], own.expand(len(pairs), -1)]) / math.sqrt(inner)
        attention = torch.softmax(seen, dim=0)[..., None]
        mixed = attention[0] * values[0, a] + attention[1] * values[1, b] + attention[2] * own_value
        attended = last + mixed.reshape(len(pairs), width) @ w["mix"]
        return attended, torch.relu(attended @ w["rise"]), seen

    def attention(self, pairs: Tensor) -> Tensor:
        """Weights with which each head sees a, b and the last token itself, (3, n, heads), whose sum is 1."""
        return torch.softmax(self.scores(pairs), dim=0)

    def scores(self, pairs: Tensor) -> Tensor:
        """The logarithms of `attention`, up to a number for each pair and head, (3, n, heads)."""
        return self._at_last(pairs)[2]

    def hidden(self, pairs: Tensor) -> Tensor:
        """Activations of the layer with the ReLU, (n, h)."""
        return self._at_last(pairs)[1]

    def outputs(self, pairs: Tensor) -> Tensor:
        """Outputs, (n, outputs), or (n,) where there is one."""
        attended, hidden, _ = self._at_last(pairs)
        found = (attended + hidden @ self.weights["fall"]) @ self.weights["readout"]
        return found[:, 0] if found.shape[1] == 1 else found

    def gradient(self, data: Examples) -> tuple[float, dict[str, Tensor]]:
        """Half the mean squared error, or the mean cross-entropy, and its gradient by the name of the weights."""
        free = {name: weight.detach().requires_grad_() for name, weight in self.weights.items()}
        outputs = self.with_parameters(free).outputs(data.pairs)
        if data.classes:
            loss = nn.functional.cross_entropy(outputs, data.targets)
        else:
            loss = 0.5 * ((outputs - data.targets) ** 2).mean()
        found = torch.autograd.grad(loss, list(free.values()))
        return float(loss.detach()), dict(zip(free, found, strict=True))


_SHAPES = {
    "tokens": ("tokens", "d"),
    "places": ("places", "d"),
    "query": ("d", "d"),
    "key": ("d", "d"),
    "value": ("d", "d"),
    "mix": ("d", "d"),
    "rise": ("d", "h"),
    "fall": ("h", "d"),
    "readout": ("d", "outputs"),
}

Network = QuadraticNetwork | Transformer


@checked
def new_transformer(
    p: int,
    width: int = 32,
    heads: int = 4,
    mlp: int = 128,
    outputs: int = 1,
    seed: int | np.random.Generator = 0,
    kappa: float = 1.0,
    c: float = 1.0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Transformer:
    """A Transformer with normal weights of variance 1/rows, and 1/width in the embeddings, times the square of a scale.

    The scale is c in the readout and c kappa before it.

    Raises
    ------
    ValueError
        If a size is not allowed, or kappa or c not positive.

    Examples
    --------
    >>> new_transformer(23, seed=0).weights["rise"].shape
    torch.Size([32, 128])
    """
    sizes = {"tokens": whole_number(p, "p", 2) + 1, "places": 3, "d": whole_number(width, "width", 1)}
    sizes |= {"h": whole_number(mlp, "mlp", 1), "outputs": whole_number(outputs, "outputs", 1)}
    rng = generator(seed)
    weights = {}
    for name, letters in _SHAPES.items():
        rows, columns = (sizes[letter] for letter in letters)
        scale = positive_number(c, "c") * (1.0 if name == "readout" else positive_number(kappa, "kappa"))
        std = scale / math.sqrt(width if name in ("tokens", "places") else rows)
        weights[name] = torch.as_tensor(std * rng.standard_normal((rows, columns)), dtype=dtype, device=device)
    return Transformer(weights, heads)


@checked
def require_fits(network: QuadraticNetwork | Transformer, pairs: Tensor, targets: Tensor | None = None) -> None:
    """Raise unless the network has the numbers of all pairs, and outputs for the targets.

    Raises
    ------
    ValueError
        If not.

    Examples
    --------
    >>> require_fits(new_quadratic(5, 8), torch.tensor([[0, 4]]), torch.tensor([0.5]))
    >>> require_fits(new_quadratic(5, 8), torch.tensor([[0, 5]]))
    Traceback (most recent call last):
        ...
    ValueError: pairs = 5 is not allowed: it must be from 0 to 4, the numbers of the network
    """
    low, high = int(pairs.min()), int(pairs.max())
    numbers = f"from 0 to {network.p - 1}, the numbers of the network"
    require(low >= 0 and high < network.p, "pairs", low if low < 0 else high, numbers)
    if targets is None:
        return
    classes = not targets.is_floating_point()
    if isinstance(network, QuadraticNetwork):
        if classes:
            raise ValueError("targets holds classes: the quadratic network must have real targets")
        return
    outputs = network.weights["readout"].shape[1]
    if classes:
        low, high = int(targets.min()), int(targets.max())
        require(outputs > 1, "targets", "classes", "real numbers, for a network with one output")
        require(low >= 0 and high < outputs, "targets", low if low < 0 else high, f"classes from 0 to {outputs - 1}")
    else:
        require(outputs == 1, "targets", "real numbers", f"classes, for a network with {outputs} outputs")


# --- scales -----------------------------------------------------------------------------------------------------------


@checked
def scaled(
    network: QuadraticNetwork | Transformer, embedding: float = 1.0, hidden: float = 1.0, readout: float = 1.0
) -> Network:
    """Copy with the weights of each part multiplied by a positive number.

    The knob kappa is one factor on `embedding` and `hidden`, the knob of the embedding one on that alone, and c on all.

    Raises
    ------
    ValueError
        If a factor is not positive.

    Examples
    --------
    >>> network = new_quadratic(5, 8, seed=0)
    >>> bool((scaled(network, embedding=2.0).U == 2 * network.U).all())
    True
    """
    factors = {"embedding": embedding, "hidden": hidden, "readout": readout}
    by_name = {name: positive_number(factors[part], part) for part, names in network.parts.items() for name in names}
    return network.with_parameters({name: by_name[name] * weight for name, weight in network.parameters.items()})


@checked
def with_new_readout(
    network: QuadraticNetwork | Transformer, gamma: float, seed: int | np.random.Generator = 0, outputs: int = 1
) -> Network:
    """Copy whose readout is drawn again: gamma times a standard normal number, in the Transformer over sqrt(width).

    Parameters
    ----------
    network : QuadraticNetwork or Transformer
    gamma : float, positive
    seed : int or numpy Generator
    outputs : int, default 1
        Of the new readout; the quadratic network has one.

    Raises
    ------
    ValueError
        If gamma is not positive, or `outputs` is not allowed.

    Examples
    --------
    >>> new = with_new_readout(new_transformer(5, outputs=5), gamma=0.1, outputs=2)
    >>> new.outputs(torch.tensor([[0, 0]])).shape
    torch.Size([1, 2])
    """
    positive_number(gamma, "gamma")
    quadratic = isinstance(network, QuadraticNetwork)
    whole_number(outputs, "outputs", 1, *([1] if quadratic else []))
    (name,) = network.parts["readout"]
    old = network.parameters[name]
    shape = (len(old),) if quadratic else (len(old), outputs)
    drawn = gamma * generator(seed).standard_normal(shape) / (1.0 if quadratic else math.sqrt(len(old)))
    new = torch.as_tensor(drawn, dtype=old.dtype, device=old.device)
    return network.with_parameters({**network.parameters, name: new})


@checked
def norms(network: QuadraticNetwork | Transformer) -> dict[str, float]:
    """Euclidean norm of the weights of each of `PARTS`, 0 where there are none.

    Examples
    --------
    >>> norms(QuadraticNetwork(torch.ones(2, 2), torch.zeros(2, 2), torch.tensor([3.0, 4.0])))
    {'embedding': 2.0, 'hidden': 0.0, 'readout': 5.0}
    """
    weights = network.parameters
    return {
        part: math.sqrt(sum(float((weights[name].double() ** 2).sum()) for name in names))
        for part, names in network.parts.items()
    }


@checked
def attention_of(network: Transformer) -> tuple[float, float]:
    """At how many of its three places a head looks, and how far its scores are apart, over all pairs and heads.

    The first is the mean of 1/sum a^2 over the three weights a, the second the root of the mean square of log a minus
    its mean over the places: of the fourth order in the scale of all weights before the readout.

    Examples
    --------
    >>> network = new_transformer(5, width=8, heads=2, mlp=8)
    >>> places, spread = attention_of(network)
    >>> 1 < places <= 3, round(attention_of(scaled(network, embedding=2.0, hidden=2.0))[1] / spread, 3)
    (True, 16.0)
    """
    pairs = torch.cartesian_prod(torch.arange(network.p), torch.arange(network.p)).to(network.embedding.device)
    exact = network.with_parameters({name: weight.detach().double() for name, weight in network.parameters.items()})
    scores = exact.scores(pairs)  # and not the logarithms of the weights, of which small ones would be lost
    weights = torch.softmax(scores, dim=0)
    return float((1 / (weights**2).sum(0)).mean()), float(((scores - scores.mean(0)) ** 2).mean().sqrt())
