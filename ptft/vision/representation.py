"""The dimension of a representation, and the dimensions that two of them share (Appendix D of the paper).

For activations A (samples x units), centred unless it is said otherwise, let C = A^T A / trace(A^T A). The
participation ratio (Gao et al. 2017) is PR(A) = 1 / trace(C^2); the effective number of shared dimensions (Giaffar et
al. 2024) is ENSD(A, B) = PR(A) PR(B) trace(C_A C_B). Where a layer has more units than there are samples, both are
computed from samples x samples matrices: trace(C_A C_B) = |A B^T|_F^2 / (|A|_F^2 |B|_F^2).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ptft.validation import checked, one_of, real_array, refuse

if TYPE_CHECKING:
    from torchvision.models import ResNet

STAGES = ("stem", "stage 1", "stage 2", "stage 3", "stage 4")
# How representations are measured: in evaluation mode, with the running statistics that training left; the same after
# both networks were recalibrated on the n fine-tuning images; with the statistics of the images that are measured; and
# so, and not centred, as the published figures are.
CONVENTIONS = ("evaluation", "recalibrated", "batch", "published")
MEASURED_ON = ("test", "fine-tuning")  # images


@checked
def columns_of(convention: str = CONVENTIONS[0], measured_on: str = MEASURED_ON[0]) -> tuple[str, str, str]:
    """Where tables hold PR before and after fine-tuning, and ENSD, measured by a convention and on some images.

    Raises
    ------
    ValueError
        If there is no such convention, or no such images.

    Examples
    --------
    >>> columns_of(), columns_of("published", "fine-tuning")[0]
    (('pr_before', 'pr_after', 'ensd'), 'pr_before_published_fine_tuning')
    """
    one_of(convention, "convention", CONVENTIONS)
    one_of(measured_on, "measured_on", MEASURED_ON)
    suffix = "" if convention == CONVENTIONS[0] else f"_{convention}"
    suffix += "" if measured_on == MEASURED_ON[0] else "_fine_tuning"
    return f"pr_before{suffix}", f"pr_after{suffix}", f"ensd{suffix}"


@checked
def participation_ratio(A: ArrayLike | Tensor, centred: bool = True) -> float:
    """Participation ratio of activations: between 1 and their rank, and the rank where all variances are equal.

    Parameters
    ----------
    A : array_like or tensor (samples, units)
        Activations; those of a tensor are worked on where it is.
    centred : bool, default True
        Remove the mean over samples first.

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
    a = _normed(A, "A", centred)
    return 1.0 / _overlap(a, a)


@checked
def ensd(A: ArrayLike | Tensor, B: ArrayLike | Tensor, centred: bool = True) -> float:
    """Effective number of dimensions shared by two representations in the same units.

    It is symmetric, ENSD(A, A) = PR(A), and 0 <= ENSD(A, B) <= sqrt(PR(A) PR(B)).

    Parameters
    ----------
    A, B : array_like or tensor (samples, units)
        Activations of the same units, tensors on the same device.
    centred : bool, default True
        Remove the mean over samples of each first.

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
    return dimensions(A, B, centred)[2]


@checked
def dimensions(A: ArrayLike | Tensor, B: ArrayLike | Tensor, centred: bool = True) -> tuple[float, float, float]:
    """PR(A), PR(B) and ENSD(A, B), see `participation_ratio` and `ensd`, in the time of the last alone.

    Parameters
    ----------
    A, B, centred
        As in `ensd`.

    Raises
    ------
    ValueError
        As `ensd`.

    Examples
    --------
    >>> A, B = np.random.default_rng(0).standard_normal((2, 50, 4))
    >>> dimensions(A, B) == (participation_ratio(A), participation_ratio(B), ensd(A, B))
    True
    """
    a, b = _normed(A, "A", centred), _normed(B, "B", centred)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"B has {b.shape[1]} units: it must have {a.shape[1]}, as A has")
    own, other = _overlap(a, a), _overlap(b, b)
    return 1.0 / own, 1.0 / other, _overlap(a, b) / (own * other)


@checked
def activations(model: ResNet, images: Tensor, batch: int = 500, batch_statistics: bool = False) -> dict[str, Tensor]:
    """Outputs of the stem and of the four stages of a residual network, one matrix per stage; the model is kept.

    Parameters
    ----------
    model : torchvision.models.ResNet
    images : tensor (samples, 3, H, W)
    batch : int
        Images in one forward pass in evaluation mode; it does not change the result.
    batch_statistics : bool, default False
        Instead of evaluation mode, let batch norm use the statistics of `images`, all of them in one batch.

    Returns
    -------
    dict from each name in `STAGES` to a float64 tensor (samples, channels x height x width), where the images are

    Examples
    --------
    >>> from ptft.vision import new_model
    >>> found = activations(new_model(2, seed=0), torch.zeros(3, 3, 16, 16))
    >>> found["stage 4"].shape
    torch.Size([3, 512])
    """
    if batch_statistics:
        model, batch = copy.deepcopy(model), len(images)  # its running statistics change
    was_training = model.training
    model.train(batch_statistics)
    blocks = (
        nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool),
        model.layer1,
        model.layer2,
        model.layer3,
        model.layer4,
    )
    found: dict[str, list[Tensor]] = {stage: [] for stage in STAGES}
    with torch.no_grad():
        for x in torch.split(images, batch):
            for stage, block in zip(STAGES, blocks, strict=True):
                x = block(x)
                found[stage].append(x.flatten(1).double())
    model.train(was_training)
    return {stage: torch.cat(parts) for stage, parts in found.items()}


def _normed(A: ArrayLike | Tensor, name: str, centred: bool) -> Tensor:
    if not isinstance(A, Tensor):
        A = torch.from_numpy(np.ascontiguousarray(real_array(A, name, ndim=2)))
    elif A.ndim != 2 or not torch.isfinite(A).all():
        real_array(A.cpu(), name, ndim=2)  # says what is wrong
    array: Tensor = A.double()
    if torch.equal(array, array[:1].expand_as(array)):
        refuse(name, array.cpu().numpy(), "activations that vary over samples")
    used = array - array.mean(0) if centred else array
    normed: Tensor = used / used.norm()
    return normed


def _overlap(a: Tensor, b: Tensor) -> float:
    """trace(C_A C_B) of matrices of unit Frobenius norm, through whichever products are smaller."""
    if len(a) > a.shape[1]:
        return float(((a.T @ a) * (b.T @ b)).sum())
    return float((a @ b.T).norm() ** 2)
