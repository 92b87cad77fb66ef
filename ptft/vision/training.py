"""Training of a residual network in two stages, and the rescalings in between (Section 6, Appendix D of the paper).

Every function leaves the network that it is given untouched and returns a copy: one pretrained network serves many
fine-tuning runs. Batch-norm weights and biases are parameters, so the rescalings include them: only then does `kappa`
leave the initial function unchanged, and only then are all parameters scaled where the paper says so. Running
statistics are measurements, not parameters, and stay as they are.

Everything happens on the device where the images are. Training skips the weights that meet only padding (`compact`),
and a GPU replays its steps (`Replayed`), which changes nothing but the time.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ptft.validation import check_fields, checked, nonnegative_number, positive_array, real_array, require, whole_number
from ptft.vision.compaction import compact, restore
from ptft.vision.replay import Replayed

if TYPE_CHECKING:
    from torchvision.models import ResNet


@dataclass(frozen=True)
class Stage:
    """How a network is trained in one of the two stages, pretraining and fine-tuning.

    Parameters
    ----------
    lr, momentum, batch
        Stochastic gradient descent without weight decay; `batch` images a step, at least 2.
    loss_below, max_epochs
        Training stops after the first epoch whose mean loss is below the one, or after the other; a loss is never below
        0.
    bf16 : bool, default False
        Multiply in 16-bit floats (autocast to bfloat16); parameters, sums and losses keep 32 bits. It pays where
        `has_bf16` finds the hardware.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> Stage(lr=0.1, momentum=0.9, batch=1, loss_below=0.01, max_epochs=10)
    Traceback (most recent call last):
        ...
    ValueError: batch = 1 is not allowed: it must be at least 2
    """

    lr: float
    momentum: float
    batch: int
    loss_below: float
    max_epochs: int
    bf16: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("lr", "momentum"):
            positive_array(getattr(self, name), name, ndim=0)
        nonnegative_number(self.loss_below, "loss_below")
        whole_number(self.batch, "batch", 2)
        whole_number(self.max_epochs, "max_epochs")


# the published ones, but for the caps: the paper states none
PRETRAINING = Stage(lr=1e-3, momentum=0.9, batch=128, loss_below=1e-2, max_epochs=200)
FINE_TUNING = replace(PRETRAINING, loss_below=1e-4, max_epochs=2000)
EARLY = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.")  # parameters of the stem and of stages 1 to 3
EVALUATED = 500  # images in one forward pass where an accuracy is measured


@dataclass(frozen=True)
class Training:
    """A trained network and how its training ended.

    `stopped_by` is "loss" (the threshold was reached), "cap" (the allowed epochs ran out) or "divergence" (a loss that
    is not finite). `losses` holds the mean training loss of each epoch, measured while its weights changed, and
    `accuracies` that on the images that were watched, after each epoch; it is empty where none were.
    """

    model: ResNet
    losses: np.ndarray
    stopped_by: str
    seconds: float
    accuracies: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return len(self.losses)

    @property
    def loss(self) -> float:
        """Mean training loss of the last epoch (nan without any epoch)."""
        return float(self.losses[-1]) if self.epochs else math.nan

    @property
    def record(self) -> dict[str, Any]:
        """How it ended, in JSON types; the loss is None without any epoch."""
        loss = self.loss if self.epochs else None
        seconds = round(self.seconds, 2)
        return {"epochs": self.epochs, "loss": loss, "stopped_by": self.stopped_by, "seconds": seconds}


@checked
def new_model(n_classes: int, seed: int) -> ResNet:
    """Torchvision's resnet18 at its random initialization, with one output per class; the global generator is kept.

    Raises
    ------
    ValueError
        If `n_classes` is not a whole number of at least 2, or the seed none.

    Examples
    --------
    >>> new_model(10, seed=0).fc.weight.shape
    torch.Size([10, 512])
    """
    whole_number(n_classes, "n_classes", 2)
    whole_number(seed, "seed")
    from torchvision.models import resnet18

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return resnet18(num_classes=n_classes)


@checked
def scale_early_layers(model: ResNet, kappa: float) -> ResNet:
    """Copy with the parameters of the stem and of stages 1 to 3 multiplied by kappa > 0 (Figures 4a and 6).

    Examples
    --------
    >>> model = new_model(2, seed=0)
    >>> scaled = scale_early_layers(model, 0.5)
    >>> bool((scaled.conv1.weight == 0.5 * model.conv1.weight).all())
    True
    >>> bool((scaled.fc.weight == model.fc.weight).all())
    True
    """
    return _scaled(model, EARLY, kappa, "kappa")


@checked
def scale_parameters(model: ResNet, c: float) -> ResNet:
    """Copy with every parameter multiplied by c > 0: at initialization Figures 4b and 7, after pretraining Figure 9.

    Examples
    --------
    >>> model = new_model(2, seed=0)
    >>> bool((scale_parameters(model, 2.0).fc.bias == 2 * model.fc.bias).all())
    True
    """
    return _scaled(model, ("",), c, "c")


@checked
def scale_readout(model: ResNet, gamma: float) -> ResNet:
    """Copy with the weights and biases of the final classification layer multiplied by gamma > 0 (Figures 4c and 8).

    Examples
    --------
    >>> model = new_model(2, seed=0)
    >>> scaled = scale_readout(model, 0.1)
    >>> bool((scaled.conv1.weight == model.conv1.weight).all()), bool((scaled.fc.bias == 0.1 * model.fc.bias).all())
    (True, True)
    """
    return _scaled(model, ("fc.",), gamma, "gamma")


@checked
def train(
    model: ResNet,
    images: Tensor,
    labels: Tensor,
    classes: ArrayLike,
    seed: int,
    stage: Stage,
    watched: tuple[Tensor, Tensor] | None = None,
    early_rate: float = 1.0,
) -> Training:
    """Train a copy of `model` on some classes until the epoch's mean loss is small enough.

    Parameters
    ----------
    model : torchvision ResNet with one output per class
    images, labels : tensors (N, 3, H, W) and (N,)
        Normalized images and their class numbers, all of them in `classes`, on the device that is to be used.
    classes : array_like of int
        The outputs that the cross-entropy sees.
    seed : int
        Fixes the order of the images in each epoch.
    stage : Stage
        How, such as `PRETRAINING` or `FINE_TUNING`; a step takes min(N, batch) images.
    watched : (images, labels), optional
        Images of the same size, on which the accuracy after each epoch is measured; training does not depend on them.
    early_rate : float, default 1
        The learning rate of the stem and of stages 1 to 3 is so many times that of `stage`.

    Raises
    ------
    ValueError
        If `early_rate` is not positive, the images are fewer than two, of another size than those watched, or a label
        is not in `classes`.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> images, labels = torch.rand(8, 3, 8, 8, generator=generator), torch.tensor([0, 2] * 4)
    >>> model = new_model(3, seed=0)
    >>> done = train(model, images, labels, [0, 2], seed=0, stage=replace(FINE_TUNING, max_epochs=2))
    >>> done.losses.shape, done.stopped_by, done.model is model  # a copy is trained
    ((2,), 'cap', False)
    """
    whole_number(len(images), "number of images", 2)
    whole_number(seed, "seed")
    outputs, targets = _targets(labels, classes)
    if watched is not None:
        require(_size(watched[0]) == _size(images), "size of the watched images", _size(watched[0]), f"{_size(images)}")
        _targets(watched[1], classes)
    device = images.device
    start = time.perf_counter()
    model = copy.deepcopy(model).to(device)
    small, windows = compact(model.train(), _size(images))
    rates = {True: stage.lr * float(positive_array(early_rate, "early_rate", ndim=0)), False: stage.lr}
    named = list(small.named_parameters())
    groups = [
        {"params": [p for name, p in named if name.startswith(EARLY) is early], "lr": rates[early]} for early in rates
    ]
    optimizer = torch.optim.SGD(groups, momentum=stage.momentum, fused=True)
    order = torch.Generator().manual_seed(seed)
    total, right = torch.zeros(2, dtype=torch.float64, device=device)  # of the epoch's losses, and share of the watched

    def step(part: Tensor) -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=stage.bf16):
            logits = small(images[part]).index_select(1, outputs)
        loss = nn.functional.cross_entropy(logits.float() if stage.bf16 else logits, targets[part])
        torch.autograd.backward(loss)
        optimizer.step()
        total.add_(loss.detach() * len(part))

    def watch(watched: tuple[Tensor, Tensor]) -> None:
        right.copy_(_right(small.eval(), *watched, outputs, stage.bf16))
        small.train()

    steps: dict[int, tuple[Tensor, Replayed]] = {}  # by the number of images, whose indices the tensor holds
    watching = None if watched is None else Replayed(partial(watch, watched), device)
    losses: list[float] = []
    accuracies: list[float] = []
    stopped_by = "cap"
    while len(losses) < stage.max_epochs and stopped_by == "cap":
        total.zero_()
        for part in _batches(torch.randperm(len(images), generator=order).to(device), stage.batch):
            if len(part) not in steps:
                indices = part.clone()
                steps[len(part)] = indices, Replayed(partial(step, indices), device)
            indices, replayed = steps[len(part)]
            indices.copy_(part)
            replayed()
        losses.append(total.item() / len(images))
        if watching is not None:
            watching()
            accuracies.append(right.item())
        if not math.isfinite(losses[-1]):
            stopped_by = "divergence"
        elif losses[-1] < stage.loss_below:
            stopped_by = "loss"
    model = restore(small, windows, model).eval()
    return Training(model, np.array(losses), stopped_by, time.perf_counter() - start, np.array(accuracies))


@checked
def accuracy(
    model: ResNet, images: Tensor, labels: Tensor, classes: ArrayLike, batch: int = EVALUATED, bf16: bool = False
) -> float:
    """Share of images whose largest output among `classes` is the right one, in evaluation mode.

    Parameters
    ----------
    model, images, labels, classes
        As in `train`.
    batch : int, default 500
        Images in one forward pass; it does not change the result.
    bf16 : bool, default False
        As in `Stage`.

    Raises
    ------
    ValueError
        If a label is not in `classes`.

    Examples
    --------
    >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([2, 2, 2, 2])
    >>> accuracy(new_model(3, seed=0), images, labels, [2])  # no other class to choose
    1.0
    """
    whole_number(batch, "batch", 1)
    outputs, _ = _targets(labels, classes)
    small, _ = compact(model, _size(images))
    return _right(small.to(images.device).eval(), images, labels, outputs, bf16, batch).item()


@checked
def recalibrate(model: ResNet, images: Tensor) -> ResNet:
    """Copy whose batch-norm running statistics are those of `images` under the present weights.

    While a network is trained its running statistics follow the weights by a tenth per step, so after a few steps they
    still are those of pretraining. The copy shows the network that was fitted without that lag. All images are one
    batch, whatever their number and order: a thousand of 32 x 32 pixels take half a gigabyte of memory.

    Examples
    --------
    >>> images = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = new_model(2, seed=0).eval()
    >>> fresh = recalibrate(model, images)
    >>> fresh.training, bool((fresh.bn1.running_mean == model.bn1.running_mean).all())
    (False, False)
    """
    model = copy.deepcopy(model).to(images.device)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for m in norms:
        m.reset_running_stats()
        m.momentum = 1.0  # the batch replaces what was there
    was_training = model.training
    with torch.no_grad():
        model.train()(images)
    for m, momentum in zip(norms, momenta, strict=True):
        m.momentum = momentum
    return model.train(was_training)


@checked
def outputs_apart(model: ResNet, other: ResNet, images: Tensor, batch_statistics: bool = False) -> float:
    """How far the outputs of another network on some images are from those of a network, relative to their norm.

    Parameters
    ----------
    model, other : torchvision.models.ResNet
        With as many outputs; both are kept.
    images, batch_statistics
        As in `ptft.vision.activations`.

    Raises
    ------
    ValueError
        If the networks have different numbers of outputs.

    Examples
    --------
    >>> images, model = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0)), new_model(2, seed=0)
    >>> outputs_apart(model, model, images), round(outputs_apart(model, scale_readout(model, 0.75), images), 6)
    (0.0, 0.25)
    """
    if model.fc.out_features != other.fc.out_features:
        raise ValueError(
            f"other has {other.fc.out_features} outputs: it must have {model.fc.out_features}, as model has"
        )
    with torch.no_grad():
        own, those = (copy.deepcopy(one).train(batch_statistics)(images) for one in (model, other))
    return float((those - own).norm() / own.norm())


def _scaled(model: ResNet, prefixes: tuple[str, ...], factor: float, name: str) -> ResNet:
    factor = float(positive_array(factor, name, ndim=0))
    model = copy.deepcopy(model)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.startswith(prefixes):
                parameter.mul_(factor)
    return model


def _right(
    small: ResNet, images: Tensor, labels: Tensor, outputs: Tensor, bf16: bool, batch: int = EVALUATED
) -> Tensor:
    """The accuracy of a network that `compact` made, as it is."""
    with torch.no_grad(), torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
        guesses = torch.cat([outputs[small(x)[:, outputs].argmax(1)] for x in torch.split(images, batch)])
    return (guesses == labels).double().mean()


def _size(images: Tensor) -> tuple[int, int]:
    """Height and width."""
    return images.shape[2], images.shape[3]


def _targets(labels: Tensor, classes: ArrayLike) -> tuple[Tensor, Tensor]:
    """The outputs of `classes`, and the position of each label among them."""
    chosen = real_array(classes, "classes", ndim=1)
    require(chosen == np.rint(chosen), "classes", chosen, "whole numbers")
    outputs = torch.as_tensor(chosen, dtype=torch.long, device=labels.device)
    matches = labels[:, None] == outputs[None, :]
    require(matches.any(1).cpu().numpy(), "labels", labels.cpu().numpy(), f"one of the classes {outputs.tolist()}")
    return outputs, matches.long().argmax(1)


def _batches(order: Tensor, batch: int) -> Iterable[Tensor]:
    """Consecutive parts of at most `batch` indices; a last one alone joins the part before (batch norm needs two)."""
    parts = list(torch.split(order, batch))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
