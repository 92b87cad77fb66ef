"""What only an extra of the package brings: an import of it says which one where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Around imports: what is not installed is named with the extra that brings it.

    Parameters
    ----------
    extra : str
        Its name in the requirements of the package, such as ``"sweep"``.
    what : str
        What needs it: a module or a function.

    Raises
    ------
    ImportError
        If an import fails.

    Examples
    --------
    >>> with needs_extra("sweep", "ptft.example"):
    ...     import no_such_module
    Traceback (most recent call last):
        ...
    ImportError: ptft.example needs no_such_module: pip install 'ptft[sweep]'
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{what} needs {error.name}: pip install 'ptft[{extra}]'", name=error.name) from error


def installed(*names: str) -> None:
    """Look for packages without importing them.

    Parameters
    ----------
    *names : str

    Raises
    ------
    ModuleNotFoundError
        If one is not there; it has the name.

    Examples
    --------
    >>> installed("numpy", "no_such_module")
    Traceback (most recent call last):
        ...
    ModuleNotFoundError: No module named 'no_such_module'
    """
    for name in names:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
