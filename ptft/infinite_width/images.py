"""Two tasks on images for the two-layer networks: tell two classes apart, and then two others.

Images become vectors of all pixels and colours, of mean square about 1, and labels -1 and +1. This module needs the
extra ``ptft[vision]``.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from ptft.extras import needs_extra
from ptft.infinite_width.particles import Task
from ptft.validation import checked, generator, require, whole_number

with needs_extra("vision", __name__):
    from ptft.vision.data import DATASETS, load


@checked
def class_pair_tasks(
    source: tuple[int, int],
    target: tuple[int, int],
    P1: int,
    P2: int,
    n_test: int | None = None,
    *,
    name: str = "digits",
    seed: int = 0,
    root: str | Path | None = None,
) -> tuple[Task, Task]:
    """A source and a target task that each tell two classes of one data set apart.

    No image is in the training set of both tasks, and none in a training set and a test set. The rows of each set
    alternate between its two classes, so that an even number of first rows is balanced.

    Parameters
    ----------
    source, target : pairs of different classes, which may share one
        Labels are -1 for the first of a pair and +1 for the second.
    P1, P2 : int, even
        Training examples of the source and of the target.
    n_test : int, even, optional
        Test examples of each task, which the two may share where they share a class. By default as many as there are.
    name, root
        The data set, as in `ptft.vision.load`; a name that it does not know is that of the folder of images `root`.
    seed : int, default 0
        Draws the images.

    Returns
    -------
    (Task, Task)
        Inputs of D numbers, 64 for the digits, 784 for grey images of 28 pixels and 3072 for 32 pixels in colour, less
        the mean of all of them in the data set's training images and over their standard deviation.

    Raises
    ------
    ValueError
        If a number is not allowed, or there are too few images.
    FileNotFoundError
        If there are no files of the data set.

    Examples
    --------
    >>> first, second = class_pair_tasks((3, 9), (3, 8), P1=20, P2=10)  # of the digits
    >>> first.X.shape, first.y[:4], second.X.shape
    ((20, 64), array([-1.,  1., -1.,  1.]), (10, 64))
    """
    sizes = {"P1": P1, "P2": P2} | ({} if n_test is None else {"n_test": n_test})
    for parameter, size in sizes.items():
        require(whole_number(size, parameter, 2) % 2 == 0, parameter, size, "even")
    images, labels, test_images, test_labels = _standardized(name, root)
    for parameter, pair in (("source", source), ("target", target)):
        require(np.isin(pair, labels) & (pair[0] != pair[1]), parameter, pair, f"two classes of {name}")
    rng = generator(seed)
    divided = len(test_labels) > 0  # else the test images are held out
    rows, test_rows = {}, {}
    for c in sorted({*source, *target}):
        rows[c] = rng.permutation(np.flatnonzero(labels == c))
        test_rows[c] = rng.permutation(np.flatnonzero(test_labels == c)) if divided else rows[c][::-1]
    needed = {c: P1 // 2 * (c in source) + P2 // 2 * (c in target) for c in rows}
    spare = min(len(test_rows[c]) - (0 if divided else needed[c]) for c in rows)
    half = spare if n_test is None else n_test // 2
    if half < 1 or half > spare or any(needed[c] > len(rows[c]) for c in rows):
        counts = ", ".join(f"{len(rows[c])} of class {c}" for c in rows)
        raise ValueError(f"P1 = {P1}, P2 = {P2} and n_test = {n_test} are not allowed: {name} has {counts}")
    if not divided:
        test_images, test_labels = images, labels

    def task(pair: tuple[int, int], start: dict[int, int], P: int) -> Task:
        train = np.column_stack([rows[c][start[c] : start[c] + P // 2] for c in pair]).ravel()
        test = np.column_stack([test_rows[c][:half] for c in pair]).ravel()
        return Task(images[train], _signs(P), test_images[test], _signs(2 * half))

    return task(source, dict.fromkeys(source, 0), P1), task(target, {c: P1 // 2 * (c in source) for c in target}, P2)


def _signs(P: int) -> np.ndarray:
    return np.tile([-1.0, 1.0], P // 2)


@functools.lru_cache(maxsize=1)
def _standardized(name: str, root: str | Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (N, D) and labels (N,), test images and labels; no test images for the digits."""
    data = load(_folder(name, root)) if name not in DATASETS and root is not None else load(name, root)
    pixels = [images.flatten(1).numpy() / np.float32(255) for images in (data.train_images, data.test_images)]
    mean, deviation = (float(of(pixels[0], dtype=np.float64)) for of in (np.mean, functools.partial(np.std, ddof=1)))
    train, test = ((x - np.float32(mean)) / np.float32(deviation) for x in pixels)
    return train, data.train_labels.numpy(), test, data.test_labels.numpy()


def _folder(name: str, root: str | Path) -> Path:
    path = Path(root)
    require(path.resolve().name == name, "name", name, f"one of {', '.join(DATASETS)}, or the folder's, {path.name}")
    return path
