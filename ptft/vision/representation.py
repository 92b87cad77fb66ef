"""The dimension of a representation, and the dimensions that two of them share (Appendix D of the paper).

For centred activations A (samples x units) let C = A^T A / trace(A^T A). The participation ratio (Gao et al. 2017)
is PR(A) = 1 / trace(C^2); the effective number of shared dimensions (Giaffar et al. 2024) is
ENSD(A, B) = PR(A) PR(B) trace(C_A C_B). Where a layer has more units than there are samples, both are computed from
samples x samples matrices: trace(C_A C_B) = |A B^T|_F^2 / (|A|_F^2 |B|_F^2).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torchvision.models import ResNet

from ptft.validation import checked, real_array, require

STAGES = ("stem", "stage 1", "stage 2", "stage 3", "stage 4")


@checked
def participation_ratio(A: ArrayLike) -> float:
    """Participation ratio of activations: between 1 and their rank, and the rank where all variances are equal.

    Parameters
    ----------
    A : array_like (samples, units)
        Activations; the mean over samples is removed.

    Raises
    ------
    ValueError
        If `A` is not a finite matrix, or does not vary over samples.

    Examples
    --------
    >>> A = np.random.default_rng(0).standard_normal((2000, 3))
    >>> round(participation_ratio(A)), round(participation_ratio(A * [1.0, 0.0, 0.0]), 6)
    (3, 1.0)
    """
    return 1.0 / _overlap(_centred(A, "A"), _centred(A, "A"))


@checked
def ensd(A: ArrayLike, B: ArrayLike) -> float:
    """Effective number of dimensions shared by two representations in the same units.

    It is symmetric, ENSD(A, A) = PR(A), and 0 <= ENSD(A, B) <= sqrt(PR(A) PR(B)).

    Parameters
    ----------
    A, B : array_like (samples, units)
        Activations of the same units; each is centred by its own mean.

    Raises
    ------
    ValueError
        If one of them is not a finite matrix or does not vary over samples, or if their numbers of units differ.

    Examples
    --------
    >>> A, B = np.random.default_rng(0).standard_normal((2, 2000, 4))
    >>> A[:, 2:], B[:, :2] = 0, 0  # two units each, none in common
    >>> round(ensd(A, A)), round(ensd(A, B), 2)
    (2, 0.0)
    """
    a, b = _centred(A, "A"), _centred(B, "B")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"B has {b.shape[1]} units: it must have {a.shape[1]}, as A has")
    return _overlap(a, b) / (_overlap(a, a) * _overlap(b, b))


@checked
def activations(model: ResNet, images: Tensor, batch: int = 500) -> dict[str, np.ndarray]:
    """Outputs of the stem and of the four stages of a residual network in evaluation mode, one matrix per stage.

    Parameters
    ----------
    model : torchvision.models.ResNet
    images : tensor (samples, 3, H, W)
    batch : int
        Images in one forward pass; it does not change the result.

    Returns
    -------
    dict from each name in `STAGES` to a float64 array (samples, channels x height x width)

    Examples
    --------
    >>> from ptft.vision import new_model
    >>> found = activations(new_model(2, seed=0), torch.zeros(3, 3, 16, 16))
    >>> {stage: A.shape for stage, A in found.items()}["stage 4"]
    (3, 512)
    """
    was_training = model.training
    model.eval()
    blocks = (
        nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool),
        model.layer1,
        model.layer2,
        model.layer3,
        model.layer4,
    )
    found: dict[str, list[np.ndarray]] = {stage: [] for stage in STAGES}
    with torch.no_grad():
        for x in torch.split(images, batch):
            for stage, block in zip(STAGES, blocks, strict=True):
                x = block(x)
                found[stage].append(x.flatten(1).double().cpu().numpy())
    model.train(was_training)
    return {stage: np.concatenate(parts) for stage, parts in found.items()}


def _centred(A: ArrayLike, name: str) -> np.ndarray:
    array = real_array(A, name, ndim=2)
    centred: np.ndarray = array - array.mean(axis=0)
    require(np.any(array != array[:1]), name, array, "activations that vary over samples")
    return centred / float(np.linalg.norm(centred))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """trace(C_A C_B) of centred matrices of unit Frobenius norm, through whichever products are smaller."""
    if len(a) > a.shape[1]:
        return float(np.sum((a.T @ a) * (b.T @ b)))
    return float(np.linalg.norm(a @ b.T) ** 2)
