"""Checks of arguments, arrays of any shape: each raises a ValueError that names the parameter, its value and what is
allowed."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

T = TypeVar("T")


def _reject(name: str, value: object, allowed: str) -> None:
    shown = np.array2string(np.asarray(value), threshold=6, precision=6)
    raise ValueError(f"{name} = {shown} is not allowed: it must be {allowed}")


def require(ok: ArrayLike, name: str, value: Any, allowed: str) -> None:
    """Raise unless every entry of `ok` is true; the message shows the first offending entry of `value`.

    Examples
    --------
    >>> require([True, True], "alpha", [0.1, 0.2], "below 1")
    >>> require([True, False], "alpha", [0.1, 1.2], "below 1")
    Traceback (most recent call last):
        ...
    ValueError: alpha = 1.2 is not allowed: it must be below 1
    """
    mask = np.asarray(ok, dtype=bool)
    if mask.all():
        return
    array = np.broadcast_to(np.asarray(value), np.broadcast_shapes(mask.shape, np.shape(value)))
    _reject(name, array[~np.broadcast_to(mask, array.shape)].flat[0], allowed)


def real_array(value: ArrayLike, name: str, ndim: int | None = None) -> np.ndarray:
    """`value` as a finite float64 array (with `ndim` dimensions where given).

    Examples
    --------
    >>> real_array([1, 2], "beta")
    array([1., 2.])
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r} is not allowed: it must be real numbers") from None
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}: it must have {ndim} dimension(s)")
    require(np.isfinite(array), name, array, "finite")
    return array


def positive_array(value: ArrayLike, name: str, ndim: int | None = None) -> np.ndarray:
    """`value` as a float64 array of positive finite numbers.

    Examples
    --------
    >>> positive_array(0.0, "k")
    Traceback (most recent call last):
        ...
    ValueError: k = 0. is not allowed: it must be positive
    """
    array = real_array(value, name, ndim)
    require(array > 0, name, array, "positive")
    return array


def nonnegative_array(value: ArrayLike, name: str, ndim: int | None = None) -> np.ndarray:
    """`value` as a float64 array of finite numbers that are zero or positive.

    Examples
    --------
    >>> nonnegative_array([0, 0.5], "gamma_ft")
    array([0. , 0.5])
    """
    array = real_array(value, name, ndim)
    require(array >= 0, name, array, "zero or positive")
    return array


def regression(X: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of shape (n, d) and labels of shape (n,), finite float64 arrays that match.

    Examples
    --------
    >>> X, y = regression([[1, 2, 3]], [1])
    >>> X.shape, y.shape
    ((1, 3), (1,))
    """
    X, y = real_array(X, "X", ndim=2), real_array(y, "y", ndim=1)
    if y.shape != X.shape[:1]:
        raise ValueError(f"y has shape {y.shape}: it must have one entry for each of the {X.shape[0]} rows of X")
    return X, y


def fraction(value: float, name: str) -> float:
    """`value` as a float in [0, 1].

    Examples
    --------
    >>> fraction(1, "rho_ft")
    1.0
    """
    array = real_array(value, name, ndim=0)
    require((array >= 0) & (array <= 1), name, array, "between 0 and 1")
    return float(array)


def broadcast(**arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The arrays, broadcast against each other; the error names them with their shapes.

    Examples
    --------
    >>> beta, k = broadcast(beta=np.ones((3, 1)), k=np.ones(2))
    >>> beta.shape
    (3, 2)
    """
    try:
        return tuple(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {np.shape(a)}" for name, a in arrays.items())
        raise ValueError(f"the shapes {shapes} do not broadcast") from None


def whole_number(value: int, name: str, at_least: int = 0) -> int:
    """`value` as an int no smaller than `at_least`.

    Examples
    --------
    >>> whole_number(3, "d", at_least=1)
    3
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} = {value!r} is not allowed: it must be a whole number")
    if value < at_least:
        _reject(name, value, f"at least {at_least}")
    return int(value)


def one_of(value: str, name: str, allowed: tuple[str, ...]) -> str:
    """`value` if it is one of `allowed`.

    Examples
    --------
    >>> one_of("amp", "method", ("auto", "amp", "newton"))
    'amp'
    """
    if value not in allowed:
        raise ValueError(f"{name} = {value!r} is not allowed: it must be one of {', '.join(allowed)}")
    return value


def instance_of(value: object, kind: type[T], name: str, instead: str = "") -> T:
    """`value` if it is an instance of the class `kind`; `instead` tells who takes another.

    Examples
    --------
    >>> instance_of(0.5, float, "alpha")
    0.5
    >>> instance_of("0.5", float, "alpha", "float reads words")
    Traceback (most recent call last):
        ...
    ValueError: alpha = '0.5' is not allowed: it must be a float (float reads words)
    """
    if not isinstance(value, kind):
        hint = f" ({instead})" if instead else ""
        raise ValueError(f"{name} = {value!r} is not allowed: it must be a {kind.__name__}{hint}")
    return value
