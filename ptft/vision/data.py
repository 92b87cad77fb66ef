"""Images, their classes, and the split into a pretraining and a fine-tuning task (Section 6 of the paper)."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torchvision import datasets

from ptft.validation import checked, generator, one_of, seed_number, whole_number

DATASETS = ("digits", "fashion-mnist", "svhn", "cifar-10", "cifar-100")
ROOT_VARIABLE = "PTFT_DATA"
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts its files
FASHION_MNIST = {  # SHA-256 of the unpacked files, of which torchvision checks nothing
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_CLASSES = {"fashion-mnist": datasets.FashionMNIST, "cifar-10": datasets.CIFAR10, "cifar-100": datasets.CIFAR100}


@dataclass(frozen=True)
class Dataset:
    """The published division of a data set into training and test images.

    Images are uint8 tensors (N, C, H, W), C = 1 where they are grey and 3 where they are in colour; labels are int64
    tensors (N,) of the classes 0, 1, ... The digits have no published division: all are training images.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class Split:
    """One random choice of the fine-tuning classes; image tensors are uint8 (N, C, H, W), labels are class numbers.

    Each of the three parts runs through its classes in turn, so its first n images are balanced for every n that is a
    multiple of their number (as long as no class is used up).
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


def load(name: str = "digits", root: str | Path | None = None) -> Dataset:
    """A data set of photographs or digits, read from files whose checksums hold, downloaded where they are absent.

    Parameters
    ----------
    name : str
        One of `DATASETS`. The digits are the 1797 of scikit-learn, grey and 8 x 8. The other sets are read by
        torchvision, which compares checksums before it opens a download or a pickle, and those of Fashion-MNIST, which
        it does not, are compared here. Fashion-MNIST is also read from Debian's package dataset-fashion-mnist where
        that is installed.
    root : path, optional
        Folder of the files, as torchvision lays them out; by default the environment variable PTFT_DATA, else
        ``ptft`` in the user's cache folder.

    Raises
    ------
    ValueError
        If the name is unknown.
    FileNotFoundError
        If there are no files that can be read and have the right checksums, and none can be downloaded.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.train_images.shape, digits.train_labels[:4].tolist()
    (torch.Size([1797, 1, 8, 8]), [0, 1, 2, 3])
    """
    one_of(name, "name", DATASETS)
    if name == "digits":
        digits = load_digits()
        images = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8))[:, None]
        labels = torch.from_numpy(digits.target).long()
        return Dataset(images, labels, images[:0], labels[:0])
    folder = _root(root)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return _published(name, folder)
    except (OSError, RuntimeError, ValueError) as error:  # torchvision raises all of these
        places = [str(folder)]
        if name == "fashion-mnist":
            places.append(f"{DEBIAN_FASHION_MNIST} (apt install dataset-fashion-mnist)")
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FileNotFoundError(
            f"{name} is not in {' or '.join(places)}, and could not be downloaded ({reason}): put its files there as "
            f"torchvision lays them out, or name their folder by the argument root or the variable {ROOT_VARIABLE}"
        ) from None


@checked
def normalize(images: Tensor, size: int | None = None) -> Tensor:
    """What the network sees: float32 (N, 3, H, W), resized to `size` (bilinear; kept if None), bytes mapped to [-1, 1].

    Grey images are repeated over the three channels.

    Raises
    ------
    ValueError
        If `size` is not a whole number of at least 1.

    Examples
    --------
    >>> images = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    >>> normalize(images, size=4).shape, normalize(images)[:, 0, 0, 0].tolist()
    (torch.Size([2, 3, 4, 4]), [-1.0, 1.0])
    """
    x = images.float() / 127.5 - 1  # mean 0.5, standard deviation 0.5
    if size is not None:
        whole_number(size, "size", 1)
        x = torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
    return x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


@checked
def split_classes(n_classes: int, n_ft: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pretraining and fine-tuning classes of a random split, each sorted.

    Raises
    ------
    ValueError
        If `n_ft` is below 2, or leaves fewer than 2 classes for pretraining.

    Examples
    --------
    >>> pretraining, fine_tuning = split_classes(10, 2, seed=0)
    >>> len(pretraining), len(fine_tuning), set(pretraining) & set(fine_tuning)
    (8, 2, set())
    """
    whole_number(n_ft, "n_ft", 2)
    whole_number(n_classes, "n_classes", n_ft + 2)
    order = generator(seed).permutation(n_classes)
    return np.sort(order[n_ft:]), np.sort(order[:n_ft])


@checked
def split_dataset(
    dataset: Dataset, n_ft: int, seed: int, pretraining_images: int | None = None, n_test: int | None = None
) -> Split:
    """Split a data set by classes: pretraining and pool are training images, the test set consists of test images.

    Parameters
    ----------
    dataset : Dataset
    n_ft : int
        Number of fine-tuning classes.
    seed : int
        Fixes the classes and the order of the images.
    pretraining_images : int, optional
        Use only that many; all by default.
    n_test : int, optional
        Size of the test set, a multiple of `n_ft`; all test images of the fine-tuning classes by default. A data set
        without test images needs it: the test set is then held out from the pool.

    Raises
    ------
    ValueError
        If a number is outside its range, or the images do not suffice.

    Examples
    --------
    >>> split = split_dataset(load("digits"), n_ft=2, seed=0, n_test=100)
    >>> len(split.pretraining_classes), split.test_images.shape
    (8, torch.Size([100, 1, 8, 8]))
    """
    seed_number(seed)
    n_classes = int(dataset.train_labels.max()) + 1
    pretraining, fine_tuning = split_classes(n_classes, n_ft, seed)
    rng = np.random.default_rng([seed, 1])
    pool = _in_turn(dataset.train_labels, fine_tuning, rng)
    rest = _in_turn(dataset.train_labels, pretraining, rng)
    divided = len(dataset.test_labels) > 0
    held_out = _in_turn(dataset.test_labels, fine_tuning, rng) if divided else pool
    if n_test is None and not divided:
        raise ValueError("n_test = None is not allowed: it must be given for images without a published test set")
    limit = len(held_out) if divided else len(held_out) - n_ft
    size = limit if n_test is None else whole_number(n_test, "n_test", n_ft)
    if n_test is not None and (size % n_ft or size > limit):
        raise ValueError(f"n_test = {size} is not allowed: it must be a multiple of {n_ft} up to {limit}")
    test_from = (dataset.test_images, dataset.test_labels) if divided else (dataset.train_images, dataset.train_labels)
    test, pool = held_out[:size], pool if divided else pool[size:]
    if pretraining_images is not None:
        if whole_number(pretraining_images, "pretraining_images", 2) > len(rest):
            raise ValueError(f"pretraining_images = {pretraining_images} is not allowed: there are {len(rest)}")
        rest = rest[:pretraining_images]
    return Split(
        n_classes,
        pretraining,
        fine_tuning,
        *(part[rest] for part in (dataset.train_images, dataset.train_labels)),
        *(part[pool] for part in (dataset.train_images, dataset.train_labels)),
        *(part[test] for part in test_from),
    )


def _in_turn(labels: Tensor, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of the images of `classes` in random order, one of each class after the other."""
    members = [rng.permutation(np.flatnonzero(labels.numpy() == c)) for c in classes]
    ranks = np.concatenate([np.arange(len(m)) for m in members])
    return np.concatenate(members)[np.argsort(ranks, kind="stable")]


def _root(root: str | Path | None) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(root or os.environ.get(ROOT_VARIABLE) or cache / "ptft").expanduser()


def _published(name: str, folder: Path) -> Dataset:
    try:
        return _read(name, folder, download=False)
    except (OSError, RuntimeError):
        if name == "fashion-mnist" and DEBIAN_FASHION_MNIST.is_dir():
            with tempfile.TemporaryDirectory() as unpacked:
                raw = Path(unpacked, "FashionMNIST", "raw")
                raw.mkdir(parents=True)
                for packed in DEBIAN_FASHION_MNIST.glob("*.gz"):
                    with gzip.open(packed) as source, (raw / packed.stem).open("wb") as target:
                        shutil.copyfileobj(source, target)
                return _read(name, Path(unpacked), download=False)
        return _read(name, folder, download=True)


def _read(name: str, folder: Path, download: bool) -> Dataset:
    parts: list[Any]
    if name == "svhn":
        parts = [datasets.SVHN(folder, split=part, download=download) for part in ("train", "test")]
    else:
        parts = [_CLASSES[name](folder, train=train, download=download) for train in (True, False)]
    if name == "fashion-mnist":
        for file, digest in FASHION_MNIST.items():
            if hashlib.sha256(Path(parts[0].raw_folder, file).read_bytes()).hexdigest() != digest:
                raise RuntimeError(f"{file} has another checksum")
    arrays = []
    for part in parts:
        images = torch.as_tensor(part.data)
        if images.ndim == 3:
            images = images[:, None]
        elif images.shape[-1] == 3:  # CIFAR keeps the channels last
            images = images.permute(0, 3, 1, 2)
        labels = part.labels if name == "svhn" else part.targets
        arrays += [images.contiguous(), torch.as_tensor(labels).long()]
    return Dataset(*arrays)
