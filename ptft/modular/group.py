"""Functions on the numbers modulo p, by frequency: the characters of the cyclic group, and the power on each.

The real characters are 1, sqrt(2) cos(2 pi k a/p) and sqrt(2) sin(2 pi k a/p) for the frequencies 1 <= k < p/2, and
(-1)^a for k = p/2 where p is even. Divided by sqrt(p) they are an orthonormal basis, so the squares of a function are
shared out among the frequencies 0, ..., p // 2 without a rest (Parseval).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from ptft.validation import checked, nonnegative_array, real_array, require, whole_number


@checked
def characters(p: int) -> tuple[np.ndarray, np.ndarray]:
    """The orthonormal real characters of the numbers modulo p, and their frequencies.

    Parameters
    ----------
    p : int, at least 2

    Returns
    -------
    basis : array (p, p)
        A character in each row, ordered by frequency, the cosine before the sine.
    frequencies : array of int (p,)

    Raises
    ------
    ValueError
        If p is below 2.

    Examples
    --------
    >>> basis, frequencies = characters(5)
    >>> frequencies
    array([0, 1, 1, 2, 2])
    >>> bool(np.allclose(basis @ basis.T, np.eye(5)))
    True
    """
    whole_number(p, "p", 2)
    a, rows, frequencies = np.arange(p), [np.full(p, np.sqrt(1 / p))], [0]
    for k in range(1, p // 2 + 1):
        angle = 2 * np.pi * ((k * a) % p) / p
        if 2 * k == p:
            rows.append(np.cos(angle) / np.sqrt(p))
            frequencies.append(k)
        else:
            rows += [np.sqrt(2 / p) * np.cos(angle), np.sqrt(2 / p) * np.sin(angle)]
            frequencies += [k, k]
    return np.stack(rows), np.array(frequencies)


@checked
def power_by_frequency(values: ArrayLike) -> np.ndarray:
    """Sum of squares of functions on the group, such as the columns of an embedding, by frequency.

    Parameters
    ----------
    values : array_like, shape (p, ...)
        The first axis is the number modulo p; all functions are added.

    Returns
    -------
    array, shape (p // 2 + 1,), whose sum is that of the squares

    Raises
    ------
    ValueError
        If `values` is not finite, or has a first axis shorter than 2.

    Examples
    --------
    >>> a = np.arange(7)
    >>> power_by_frequency(3 + np.cos(2 * np.pi * 2 * a / 7)).round(6)
    array([63. ,  0. ,  3.5,  0. ])
    """
    array = real_array(values, "values")
    require(array.ndim > 0 and len(array) > 1, "values", array, "functions on at least 2 numbers")
    p = len(array)
    squares = np.abs(np.fft.rfft(array.reshape(p, -1), axis=0)) ** 2
    found: np.ndarray = squares.sum(axis=1) * _multiplicity(p) / p
    return found


@checked
def power_of_sums(values: ArrayLike) -> tuple[np.ndarray, float]:
    """Power by frequency of the part of functions of pairs that depends on the sum alone, and the power of the rest.

    The part is the mean over the pairs (a + s, b - s). Its character at frequency k is that of frequency k in both
    numbers.

    Parameters
    ----------
    values : array_like, shape (p, p, ...)
        Functions of (a, b), such as the outputs of a network or the activations of a hidden layer; all are added.

    Returns
    -------
    power : array, shape (p // 2 + 1,)
    rest : float
        Together they are the sum of the squares.

    Raises
    ------
    ValueError
        If `values` is not finite, or its first two axes are not alike.

    Examples
    --------
    >>> a, b = np.ogrid[:5, :5]
    >>> power, rest = power_of_sums(np.cos(2 * np.pi * (a + b) / 5))
    >>> power.round(6), round(rest, 6)
    (array([ 0. , 12.5,  0. ]), 0.0)
    """
    array = real_array(values, "values")
    if array.ndim < 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise ValueError(f"values has shape {array.shape}: it must be (p, p, ...) with p of at least 2")
    p = len(array)
    first, total = np.indices((p, p))
    by_sum = array.reshape(p, p, -1)[first, (total - first) % p].mean(axis=0)  # (sum, functions)
    power = p * power_by_frequency(by_sum)
    return power, max(float(np.sum(array**2)) - float(power.sum()), 0.0)


@checked
def share(power: ArrayLike, frequencies: Iterable[int]) -> float:
    """Share of the power at some frequencies in that at all but 0, which is no feature: between 0 and 1.

    Parameters
    ----------
    power : array_like, shape (p // 2 + 1,)
        As of `power_by_frequency`.
    frequencies : iterable of int
        Each from 1 to p // 2; one that is there twice counts once.

    Raises
    ------
    ValueError
        If there is no power but at 0, or a frequency is not one of these.

    Examples
    --------
    >>> share([9.0, 1.0, 0.0, 3.0], [3])
    0.75
    """
    array = nonnegative_array(power, "power", ndim=1)
    chosen = sorted({whole_number(k, "frequency", 1, len(array) - 1) for k in frequencies})
    require(array[1:].sum() > 0, "power", array, "positive at some frequency above 0")
    return float(array[chosen].sum() / array[1:].sum())


@checked
def effective_frequencies(power: ArrayLike) -> float:
    """Participation ratio of the power at the frequencies above 0: about how many of them hold it.

    Parameters
    ----------
    power : array_like, shape (p // 2 + 1,)
        As of `power_by_frequency`.

    Raises
    ------
    ValueError
        If there is no power but at 0.

    Examples
    --------
    >>> effective_frequencies([9.0, 2.0, 0.0, 2.0])
    2.0
    """
    array = nonnegative_array(power, "power", ndim=1)[1:]
    require(array.sum() > 0, "power", power, "positive at some frequency above 0")
    return float(array.sum() ** 2 / np.sum(array**2))


def _multiplicity(p: int) -> np.ndarray:
    """How many of the complex frequencies stand behind each real one."""
    counts = np.full(p // 2 + 1, 2.0)
    counts[0] = 1.0
    if p % 2 == 0:
        counts[-1] = 1.0
    return counts
