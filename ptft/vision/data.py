"""Images, their classes, and the split into a pretraining and a fine-tuning task (Section 6 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from ptft.validation import one_of, whole_number

DATASETS = ("digits",)


@dataclass(frozen=True)
class Split:
    """One random choice of the fine-tuning classes; image tensors are (N, 3, H, W), labels are class numbers.

    The fine-tuning pool alternates between its classes, so that its first n images are balanced for every n.
    """

    n_classes: int
    pretraining_classes: np.ndarray
    fine_tuning_classes: np.ndarray
    pretraining_images: Tensor
    pretraining_labels: Tensor
    pool_images: Tensor
    pool_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load(name: str) -> tuple[Tensor, Tensor]:
    """Images and labels of a data set.

    Parameters
    ----------
    name : str
        ``"digits"``: the 1797 grey 8 x 8 digits that scikit-learn ships, repeated over three channels.

    Returns
    -------
    images : float32 tensor (N, 3, H, W), intensities in [0, 1]
    labels : int64 tensor (N,), classes 0, 1, ...

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    one_of(name, "name", DATASETS)
    digits = load_digits()
    grey = torch.from_numpy(digits.images / 16.0).float()
    return grey[:, None].repeat(1, 3, 1, 1), torch.from_numpy(digits.target).long()


def normalize(images: Tensor, size: int | None = None) -> Tensor:
    """Images resized to `size` x `size` pixels (bilinear; unchanged if None), then mapped from [0, 1] to [-1, 1]."""
    if size is not None:
        whole_number(size, "size", 1)
        images = torch.nn.functional.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    return (images - 0.5) / 0.5


def split_classes(n_classes: int, n_ft: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pretraining and fine-tuning classes of a random split, each sorted.

    Raises
    ------
    ValueError
        If `n_ft` is below 2, or leaves fewer than 2 classes for pretraining.
    """
    whole_number(n_ft, "n_ft", 2)
    whole_number(n_classes, "n_classes", n_ft + 2)
    order = np.random.default_rng(seed).permutation(n_classes)
    return np.sort(order[n_ft:]), np.sort(order[:n_ft])


def split_dataset(images: Tensor, labels: Tensor, n_ft: int, n_test: int, seed: int) -> Split:
    """Split a data set by classes, and hold out a balanced test set of the fine-tuning classes.

    Parameters
    ----------
    images, labels : tensors (N, 3, H, W) and (N,)
    n_ft : int
        Number of fine-tuning classes.
    n_test : int
        Size of the test set, a multiple of `n_ft`; the other images of these classes form the pool.
    seed : int
        Fixes the classes, the test set and the order of the pool.

    Raises
    ------
    ValueError
        If the test set is not a multiple of `n_ft`, or leaves no image of some class.
    """
    n_classes = int(labels.max()) + 1
    pretraining, fine_tuning = split_classes(n_classes, n_ft, seed)
    rng = np.random.default_rng([seed, 1])
    members = [rng.permutation(np.flatnonzero(labels.numpy() == c)) for c in fine_tuning]
    per_class = whole_number(n_test, "n_test", n_ft) // n_ft
    smallest = min(len(m) for m in members)
    if n_test % n_ft or per_class >= smallest:
        raise ValueError(f"n_test = {n_test} is not allowed: it must be a multiple of {n_ft} below {n_ft * smallest}")
    test = np.concatenate([m[:per_class] for m in members])
    pool = np.stack([m[per_class:smallest] for m in members], axis=1).ravel()
    rest = np.flatnonzero(np.isin(labels.numpy(), pretraining))
    return Split(
        n_classes,
        pretraining,
        fine_tuning,
        images[rest],
        labels[rest],
        images[pool],
        labels[pool],
        images[test],
        labels[test],
    )
