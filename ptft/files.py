"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file through a temporary one beside it, which a kill leaves behind under a name that starts with a dot.

    Raises
    ------
    OSError
        If the folder is missing or cannot be written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "note.txt"), b"all of it")
    ...     print([file.name for file in Path(folder).iterdir()])
    ['note.txt']
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def require_writable(folder: Path, name: str) -> None:
    """Raise an OSError that names the folder unless files can be made in it.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     require_writable(Path(folder), "the work folder")
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{name} {folder} cannot be written: {error.strerror}") from error
