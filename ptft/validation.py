"""Checks of arguments, arrays of any shape: each raises a ValueError that names the parameter, its value and what is
allowed.

This is the one place that decides what a number is: a Python or numpy number or an array or nested sequence of them.
Words, bytes, dates, complex numbers, truth values, arrays with a mask and arrays of objects are not numbers, even where
numpy would convert them.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

P = ParamSpec("P")
T = TypeVar("T")


class _OfPackage(type):
    """Makes classes that stand for those of a package which nobody may have imported: names tell their instances."""

    package: str

    def __instancecheck__(cls, value: object) -> bool:
        return any(
            (of.__module__.partition(".")[0], of.__name__) == (cls.package, cls.__name__) for of in type(value).__mro__
        )


_PANDAS = types.SimpleNamespace(
    **{name: _OfPackage(name, (), {"package": "pandas"}) for name in ("DataFrame", "Series")}
)
_RESNET = _OfPackage("ResNet", (), {"package": "torchvision"})

LARGEST = 2**63 - 1  # of the whole numbers that count something; seeds may be larger


def _shown(value: object) -> str:
    if isinstance(value, (np.ndarray, np.generic)):
        return np.array2string(np.asarray(value), threshold=6, precision=6)
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= 160 else f"{text[:80]} ... {text[-40:]}"


def refuse(name: str, value: object, allowed: str) -> typing.NoReturn:
    """Raise the ValueError of all these checks.

    Examples
    --------
    >>> refuse("alpha", "0.3", "a real number")
    Traceback (most recent call last):
        ...
    ValueError: alpha = '0.3' is not allowed: it must be a real number
    """
    raise ValueError(f"{name} = {_shown(value)} is not allowed: it must be {allowed}")


def require(ok: ArrayLike, name: str, value: Any, allowed: str) -> None:
    """Raise unless every entry of `ok` is true; of an array `value`, the message shows the first offending entry.

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
    if mask.ndim == 0:
        refuse(name, np.asarray(value) if isinstance(value, float) else value, allowed)
    array = np.broadcast_to(np.asarray(value), np.broadcast_shapes(mask.shape, np.shape(value)))
    refuse(name, array[~np.broadcast_to(mask, array.shape)].flat[0], allowed)


def _numbers(value: object, name: str) -> np.ndarray:
    """`value` as a float64 array of any shape, with entries that may be missing or infinite."""
    try:
        array = np.asarray(value) if _holds_numbers(value) else np.empty(0, dtype=object)
        if array.dtype == object and array.size and all(isinstance(one, numbers.Real) for one in array.flat):
            array = array.astype(np.float64)  # whole numbers beyond those of int64
    except (TypeError, ValueError, OverflowError):  # ragged, or beyond the numbers of float64
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "iuf":
        refuse(name, value, "real numbers")
    return array.astype(np.float64, copy=False)


def _holds_numbers(value: object) -> bool:
    """False where numpy might make numbers of what is none."""
    if isinstance(value, (list, tuple)):
        return all(_holds_numbers(one) for one in value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "iuf" and not isinstance(value, np.ma.MaskedArray)
    return not isinstance(value, (str, bytes, bytearray, memoryview, bool))


def real_array(value: ArrayLike, name: str, ndim: int | None = None) -> np.ndarray:
    """`value` as a finite float64 array with at least one entry (and `ndim` dimensions where given).

    Examples
    --------
    >>> real_array([1, 2], "beta")
    array([1., 2.])
    """
    array = _numbers(value, name)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}: it must have {ndim} dimension(s)")
    if not array.size:
        raise ValueError(f"{name} has shape {array.shape}: it must not be empty")
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


def real_number(value: float, name: str) -> float:
    """`value` as a finite float.

    Examples
    --------
    >>> real_number(np.float32(0.5), "beta_ft")
    0.5
    """
    return float(real_array(value, name, ndim=0))


def positive_number(value: float, name: str) -> float:
    """`value` as a positive finite float.

    Examples
    --------
    >>> positive_number(1, "tolerance")
    1.0
    """
    return float(positive_array(value, name, ndim=0))


def nonnegative_number(value: float, name: str) -> float:
    """`value` as a finite float that is zero or positive.

    Examples
    --------
    >>> nonnegative_number(0, "noise_var")
    0.0
    """
    return float(nonnegative_array(value, name, ndim=0))


def fraction(value: float, name: str) -> float:
    """`value` as a float in [0, 1].

    Examples
    --------
    >>> fraction(1, "rho_ft")
    1.0
    """
    number = real_number(value, name)
    require(0 <= number <= 1, name, number, "between 0 and 1")
    return number


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


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))


def whole_number(value: int, name: str, at_least: int = 0, at_most: int = LARGEST) -> int:
    """`value` as an int between `at_least` and `at_most`.

    Examples
    --------
    >>> whole_number(3, "d", at_least=1)
    3
    """
    if not _is_whole(value):
        refuse(name, value, "a whole number")
    if not at_least <= value <= at_most:
        refuse(name, value, f"at least {at_least}" + ("" if at_most == LARGEST else f" and at most {at_most}"))
    return int(value)


def truth_value(value: bool, name: str) -> bool:
    """`value` as a bool.

    Examples
    --------
    >>> truth_value(np.bool_(True), "mirrored")
    True
    """
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, value, "True or False")
    return bool(value)


def seed_number(value: int, name: str = "seed") -> int:
    """`value` as a seed: a whole number that is zero or positive, of any size.

    Examples
    --------
    >>> seed_number(2**100) == 2**100
    True
    """
    if not _is_whole(value) or value < 0:
        refuse(name, value, "a whole number, zero or positive")
    return int(value)


def generator(seed: int | np.random.Generator, name: str = "seed") -> np.random.Generator:
    """The random numbers of a seed, or those of a generator that is passed in and moves on.

    Examples
    --------
    >>> int(generator(0).integers(100)), generator(rng := np.random.default_rng(0)) is rng
    (85, True)
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if not _is_whole(seed) or seed < 0:
        refuse(name, seed, "a whole number, zero or positive, or a numpy Generator")
    return np.random.default_rng(int(seed))


def listed(value: Iterable[T], name: str, length: int | None = None) -> list[T]:
    """The elements of a sequence or another iterable, at least one, each a sequence of `length` where that is given.

    Examples
    --------
    >>> listed(range(2), "seeds"), listed([(1, 2)], "pairs", 2)
    ([0, 1], [(1, 2)])
    """
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        refuse(name, value, "a sequence")
    elements = list(value)
    require(bool(elements), name, value, "a sequence that is not empty")
    if length is not None:
        for one in elements:
            require(isinstance(one, (tuple, list)) and len(one) == length, f"one of {name}", one, f"{length} values")
    return elements


def one_of(value: str, name: str, allowed: Iterable[str]) -> str:
    """`value` if it is one of the words `allowed`.

    Examples
    --------
    >>> one_of("amp", "method", ("auto", "amp", "newton"))
    'amp'
    """
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        refuse(name, value, f"one of {', '.join(allowed)}")
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
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        refuse(name, value, f"{article} {kind.__name__}" + (f" ({instead})" if instead else ""))
    return value


def require_table(value: object, name: str, columns: Iterable[str]) -> None:
    """Raise unless `value` is a pandas DataFrame with these columns.

    Examples
    --------
    >>> require_table({"mse": [0.1]}, "table", ["mse"])
    Traceback (most recent call last):
        ...
    ValueError: table = {'mse': [0.1]} is not allowed: it must be a DataFrame with the columns mse
    """
    columns = list(columns)
    if not isinstance(value, _PANDAS.DataFrame) or not set(columns) <= set(getattr(value, "columns", ())):
        refuse(name, value, f"a DataFrame with the columns {', '.join(columns)}")


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Hold the arguments of each call to the annotations of the function.

    A float is any finite real number, an int a whole one, an array any numbers or truth values, of which some may be
    missing; the rest are instances, also within sequences and mappings. Ranges are the function's own to check.

    Raises
    ------
    ValueError
        If an argument is of another kind.

    Examples
    --------
    >>> @checked
    ... def scaled(factor: float, names: Iterable[str]) -> list[str]:
    ...     return [f"{factor:g} {name}" for name in names]
    >>> scaled(2, ["tau"])
    ['2 tau']
    >>> scaled("2", ["tau"])
    Traceback (most recent call last):
        ...
    ValueError: factor = '2' is not allowed: it must be float
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        hints, several = _hints(function), (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            parameter = signature.parameters[name]
            given = [value]
            if parameter.kind in several:
                given = list(value.values()) if isinstance(value, dict) else list(value)
            for one in given:
                if name in hints and not _is(one, hints[name]):
                    kind = parameter.annotation  # text where its module postpones the evaluation of annotations
                    refuse(name, one, kind if isinstance(kind, str) else inspect.formatannotation(kind))
        return function(*args, **kwargs)

    return call


def check_fields(record: object) -> None:
    """What `checked` does, for the fields of a dataclass: to be called once they are there.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Point:
    ...     mse: float
    ...     def __post_init__(self):
    ...         check_fields(self)
    >>> Point("0.1")
    Traceback (most recent call last):
        ...
    ValueError: mse = '0.1' is not allowed: it must be float
    """
    for name, hint in _hints(type(record)).items():  # type: ignore[arg-type]
        if not _is(getattr(record, name), hint):
            refuse(name, getattr(record, name), str(getattr(hint, "__name__", hint)))


@functools.cache
def _hints(of: Any) -> dict[str, Any]:
    known = {"pd": _PANDAS, "ResNet": _RESNET}  # some modules import them for the annotations alone
    if isinstance(of, type):
        return typing.get_type_hints(of, localns=known)
    parameters: Any = types.SimpleNamespace(__annotations__={**of.__annotations__})
    parameters.__annotations__.pop("return", None)
    return typing.get_type_hints(parameters, of.__globals__, known)


def _is(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation says."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object or isinstance(hint, TypeVar):
        return True
    if all(one in (inner or (hint,)) for one in _ARRAY_LIKE):
        others = [one for one in inner if one not in _ARRAY_LIKE]
        return any(_is(value, one) for one in others) or _accepts(_numbers, value) or _are_truth_values(value)
    if origin in (typing.Union, types.UnionType):
        return any(_is(value, one) for one in inner)
    if hint in _CHECKS:
        return _accepts(_CHECKS[hint], value)
    if hint is np.ndarray or origin is np.ndarray:
        return isinstance(value, np.ndarray) and (_accepts(_numbers, value) or _are_truth_values(value))
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        return isinstance(value, (tuple, list)) and len(value) == len(inner) and all(map(_is, value, inner))
    if origin is None:
        return isinstance(value, hint)
    if issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(_is(k, inner[0]) and _is(v, inner[1]) for k, v in value.items())
    if issubclass(origin, Iterator) or (origin is Iterable and isinstance(value, Iterator)):
        return isinstance(value, Iterator)  # its elements are seen by nobody before the function
    if issubclass(origin, Iterable):
        if isinstance(value, (str, bytes)) or (isinstance(value, np.ndarray) and value.ndim == 0):
            return False
        several = isinstance(value, (origin, np.ndarray))  # an array is no Sequence, but serves as one
        return several and all(_is(one, inner[0]) for one in value)
    return isinstance(value, origin)


_ARRAY_LIKE = typing.get_args(ArrayLike) or (ArrayLike,)  # until numpy 2.4 a union, which others join
_CHECKS: dict[Any, Callable[[Any, str], Any]] = {
    float: real_number,
    int: functools.partial(whole_number, at_least=-LARGEST),
    bool: truth_value,
}


def _accepts(check: Callable[[Any, str], Any], value: object) -> bool:
    try:
        check(value, "value")
    except ValueError:
        return False
    return True


def _are_truth_values(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_are_truth_values(one) for one in value)
    if hasattr(value, "__array__"):  # an array, or the column of a table
        return np.asarray(value).dtype == bool and not isinstance(value, np.ma.MaskedArray)
    return isinstance(value, bool)
