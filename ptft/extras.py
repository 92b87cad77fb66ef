"""What only an extra of the package brings: an import of it says which one where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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
