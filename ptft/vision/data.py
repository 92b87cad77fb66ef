"""Images, their classes, and the split into a pretraining and a fine-tuning task (Section 6 of the paper)."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptft.validation import checked, refuse, seed_number, whole_number
from ptft.vision.image_folders import read_folder

DATASETS = ("digits", "fashion-mnist", "svhn", "cifar-10", "cifar-100")
ROOT_VARIABLE = "PTFT_DATA"
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts its files
FASHION_MNIST = {  # SHA-256 of the unpacked files, of which torchvision checks nothing
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_CLASSES = {"fashion-mnist": "FashionMNIST", "cifar-10": "CIFAR10", "cifar-100": "CIFAR100"}  # of torchvision


@dataclass(frozen=True)
class Dataset:
    """The published division of a data set into training and test images.

    Images are uint8 tensors (N, C, H, W), C = 1 where they are grey and 3 where they are in colour; labels are int64
    tensors (N,) of the classes 0, 1, ... The digits have no published division: all are training images. `classes` are
    the names of the classes; without any they are those of the training labels. `digest` is a hash of the files where
    no other checksum is known.

    Examples
    --------
    >>> print(load("digits"))
    10 classes (0, 1, 2 to 9) with 174 to 183 images for training and none for testing, 8 x 8 pixels, grey
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...] = ()
    digest: str | None = None

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes) or int(self.train_labels.max()) + 1

    @property
    def record(self) -> dict[str, Any]:
        """The names of the classes, how many images of each there are, and the digest, in JSON types."""
        counts = {
            f"{part}_images": torch.bincount(labels, minlength=self.n_classes).tolist()
            for part, labels in (("training", self.train_labels), ("test", self.test_labels))
        }
        return {"classes": list(self.classes), **counts, "sha256": self.digest}

    def __str__(self) -> str:
        """The names of the classes, at most four, the counts, the size and the digest, on one line."""
        record, (_, channels, height, width) = self.record, self.train_images.shape
        train, test = (_range(record[f"{part}_images"]) for part in ("training", "test"))
        kind = f"{width} x {height} pixels, {'grey' if channels == 1 else 'in colour'}"
        known = f", SHA-256 {self.digest}" if self.digest else ""
        names = (
            self.classes if len(self.classes) <= 4 else (*self.classes[:2], f"{self.classes[2]} to {self.classes[-1]}")
        )
        named = f" ({', '.join(names)})" if names else ""
        return f"{self.n_classes} classes{named} with {train} images for training and {test} for testing, {kind}{known}"


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


@checked
def load(
    name: str | Path = "digits", root: str | Path | None = None, label: str | None = None, size: int | None = None
) -> Dataset:
    """A data set of photographs or digits: a named one, downloaded where it is absent, or a folder of images.

    Parameters
    ----------
    name : str or path
        One of `DATASETS`, or a folder as `ptft.vision.image_folders.read_folder` takes it: of class folders, or of
        Parquet files in the layout of the Hugging Face hub. The digits are the 1797 of scikit-learn, grey and 8 x 8.
        The other named sets are read by torchvision, which compares checksums before it opens a download or a pickle,
        and those of Fashion-MNIST, which it does not, are compared here. Fashion-MNIST is also read from Debian's
        package dataset-fashion-mnist where that is installed.
    root : path, optional
        Folder of the files of a named set, as torchvision lays them out; by default the environment variable PTFT_DATA,
        else ``ptft`` in the user's cache folder.
    label, size : optional
        Of a folder: the column of labels in its Parquet files, and the pixels to which its images are resized.

    Raises
    ------
    ValueError
        If the name is unknown, or a folder does not hold images; see `read_folder`.
    FileNotFoundError
        If there is no such folder, or there are no files that can be read and have the right checksums, and none can be
        downloaded.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.train_images.shape, digits.train_labels[:4].tolist()
    (torch.Size([1797, 1, 8, 8]), [0, 1, 2, 3])
    """
    if not isinstance(name, str) or name not in DATASETS:
        path = Path(name)
        if isinstance(name, str) and len(path.parts) < 2 and not path.is_dir():
            refuse("name", name, f"one of {', '.join(DATASETS)}, or a folder of images")
        arrays, classes, digest = read_folder(path, label, size)
        train_images, train_labels, test_images, test_labels = map(torch.from_numpy, arrays)
        return Dataset(train_images, train_labels, test_images, test_labels, classes, digest)
    for option, value in (("label", label), ("size", size)):
        if value is not None:
            refuse(option, value, f"None where the images are {name}, no folder")
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8))[:, None]
        labels = torch.from_numpy(digits.target).long()
        return Dataset(images, labels, images[:0], labels[:0], tuple(map(str, digits.target_names)))
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
def split_classes(n_classes: int, n_ft: int, seed: int, n_pt: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pretraining and fine-tuning classes of a random split, each sorted.

    The seeds 0, 1, ... deal out the classes: each takes the next `n_ft` of a random order that begins again at its end,
    so that after any number of seeds no class was fine-tuned more than once more than another. After
    n_classes / gcd(n_classes, n_ft) seeds, when all are equal, the order is drawn anew.

    Parameters
    ----------
    n_classes, n_ft : int
        Number of classes, and of those for fine-tuning.
    seed : int
    n_pt : int, optional
        Number of classes for pretraining, drawn from the others; all of them by default.

    Raises
    ------
    ValueError
        If `n_ft` is below 2, or leaves fewer than 2 classes for pretraining, or fewer than `n_pt`.

    Examples
    --------
    >>> pretraining, fine_tuning = split_classes(10, 2, seed=0)
    >>> len(pretraining), len(fine_tuning), set(pretraining) & set(fine_tuning)
    (8, 2, set())
    >>> np.bincount(np.concatenate([split_classes(10, 2, seed)[1] for seed in range(10)])).tolist()
    [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    whole_number(n_ft, "n_ft", 2)
    whole_number(n_classes, "n_classes", n_ft + 2)
    if n_pt is not None:
        whole_number(n_pt, "n_pt", 2, n_classes - n_ft)
    round_, turn = divmod(seed_number(seed), n_classes // math.gcd(n_classes, n_ft))
    order = np.roll(np.random.default_rng([round_, 2]).permutation(n_classes), -turn * n_ft)
    rest = np.sort(order[n_ft:])
    if n_pt is not None:
        rest = np.sort(np.random.default_rng([seed, 3]).permutation(rest)[:n_pt])
    return rest, np.sort(order[:n_ft])


@checked
def split_dataset(
    dataset: Dataset,
    n_ft: int,
    seed: int,
    pretraining_images: int | None = None,
    n_test: int | None = None,
    n_pt: int | None = None,
    images_per_class: int | None = None,
    held_out: int | None = None,
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
        without test images needs it, or `held_out`: the test set is then held out from the pool.
    n_pt : int, optional
        Number of pretraining classes; all others by default.
    images_per_class : int, optional
        Training images of each pretraining class; all by default.
    held_out : int, optional
        Training images of each fine-tuning class that are taken out of the pool and put after the test images.

    Raises
    ------
    ValueError
        If a number is outside its range, or the images do not suffice, of each class.

    Examples
    --------
    >>> split = split_dataset(load("digits"), n_ft=2, seed=0, n_test=100, images_per_class=50)
    >>> len(split.pretraining_classes), len(split.pretraining_images), split.test_images.shape
    (8, 400, torch.Size([100, 1, 8, 8]))
    """
    seed_number(seed)
    pretraining, fine_tuning = split_classes(dataset.n_classes, n_ft, seed, n_pt)
    rng = np.random.default_rng([seed, 1])
    pool = _in_turn(dataset.train_labels, fine_tuning, rng)
    rest = _in_turn(dataset.train_labels, pretraining, rng)
    if images_per_class is not None:
        whole_number(images_per_class, "images_per_class", 1)
        _require_images(dataset, pretraining, images_per_class, "images_per_class", images_per_class)
        rest = rest[: images_per_class * len(pretraining)]
    if pretraining_images is not None:
        if whole_number(pretraining_images, "pretraining_images", 2) > len(rest):
            raise ValueError(f"pretraining_images = {pretraining_images} is not allowed: there are {len(rest)}")
        rest = rest[:pretraining_images]
    tested = _in_turn(dataset.test_labels, fine_tuning, rng)
    if held_out is not None:
        out = n_ft * whole_number(held_out, "held_out", 1)
        _require_images(dataset, fine_tuning, held_out + 1, "held_out", held_out)
        limit = len(tested) + out
    elif len(tested):
        out, limit = 0, len(tested)
    elif n_test is None:
        said = "it, or held_out, must be given for images without a published test set"
        raise ValueError(f"n_test = None is not allowed: {said}")
    else:
        out, limit = n_test, len(pool) - n_ft
    size = limit if n_test is None else whole_number(n_test, "n_test", n_ft)
    if n_test is not None and (size % n_ft or size > limit):
        raise ValueError(f"n_test = {size} is not allowed: it must be a multiple of {n_ft} up to {limit}")
    held, pool = pool[:out], pool[out:]
    tests = torch.cat([dataset.test_labels[tested], dataset.train_labels[held]])[:size]
    _require_images(dataset, fine_tuning, 1 if n_test is None else size // n_ft, "n_test", n_test, tests)
    return Split(
        dataset.n_classes,
        pretraining,
        fine_tuning,
        dataset.train_images[rest],
        dataset.train_labels[rest],
        dataset.train_images[pool],
        dataset.train_labels[pool],
        torch.cat([dataset.test_images[tested], dataset.train_images[held]])[:size],
        tests,
    )


def _require_images(
    dataset: Dataset, classes: np.ndarray, count: int, name: str, value: int | None, tests: Tensor | None = None
) -> None:
    """Raise unless each of the classes has so many training images, or labels of test images where these are given."""
    kind, labels = ("training", dataset.train_labels) if tests is None else ("test", tests)
    there = torch.bincount(labels, minlength=dataset.n_classes)
    for number in classes:
        if there[number] < count:
            which = dataset.classes[number] if dataset.classes else str(number)
            raise ValueError(f"{name} = {value} is not allowed: class {which!r} has {there[number]} {kind} images")


def _range(counts: list[int]) -> str:
    few, many = min(counts), max(counts)
    return f"{few} to {many}" if few < many else str(few) if few else "none"


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
    from torchvision import datasets

    parts: list[Any]
    if name == "svhn":
        parts = [datasets.SVHN(folder, split=part, download=download) for part in ("train", "test")]
    else:
        parts = [getattr(datasets, _CLASSES[name])(folder, train=train, download=download) for train in (True, False)]
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
    names = getattr(parts[0], "classes", range(int(arrays[1].max()) + 1))  # SVHN's are digits
    train_images, train_labels, test_images, test_labels = arrays
    return Dataset(train_images, train_labels, test_images, test_labels, tuple(map(str, names)))
