"""Files that are there whole or not at all, and that are what was written."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

DIGITS = 16  # of the digest in the name of a sealed file, hexadecimal


def write_whole(path: Path, data: bytes) -> None:
    """Write a file through a temporary one beside it, which a kill leaves behind under a name that starts with a dot.

    The content is on the disk before the file has its name, so a machine that loses power loses no part of it. Where
    `path` is a symbolic link, the file that it leads to is written.

    Raises
    ------
    OSError
        If the folder is missing or cannot be written, or a link leads nowhere.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "note.txt"), b"all of it")
    ...     print([file.name for file in Path(folder).iterdir()])
    ['note.txt']
    """
    path = linked(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    with suppress(OSError):  # not every system opens folders, or can tell when a name is on the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_whole(path: Path) -> bytes:
    """The content of a file; what is none, such as a pipe, which might never end, is refused.

    Raises
    ------
    OSError
        If there is no such file, it cannot be read, or it is a folder, a pipe or a device.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "note.txt"), b"all of it")
    ...     print(read_whole(Path(folder, "note.txt")))
    b'all of it'
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return path.read_bytes()


def write_sealed(folder: Path, name: str, suffix: str, data: bytes) -> Path:
    """Write a file whose name ends in a digest of its content, by which `read_sealed` knows it.

    Raises
    ------
    OSError
        As `write_whole`.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_sealed(Path(folder), "weights", ".bin", b"all of it")
    ...     print(path.name, read_sealed(path))
    weights_07630777646b9ad0.bin b'all of it'
    """
    path = folder / f"{name}_{_digest(data)}{suffix}"
    write_whole(path, data)
    return path


def read_sealed(path: Path) -> bytes:
    """The content of a file of `write_sealed`.

    Raises
    ------
    OSError
        As `read_whole`.
    ValueError
        If the content is not what was written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_sealed(Path(folder), "weights", ".bin", b"all of it")
    ...     _ = path.write_bytes(b"all of It")
    ...     read_sealed(path)
    Traceback (most recent call last):
        ...
    ValueError: weights_07630777646b9ad0.bin: its content has another digest, 29cad99c0dd638fd
    """
    data = read_whole(path)
    found = _digest(data)
    if not path.stem.endswith(f"_{found}"):
        raise ValueError(f"{path.name}: its content has another digest, {found}")
    return data


def linked(path: Path) -> Path:
    """Where a path leads, through all symbolic links.

    Raises
    ------
    OSError
        If they lead in a circle.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "a").symlink_to(Path(folder, "b"))
    ...     print(linked(Path(folder, "a")).name)
    b
    """
    found = Path(os.path.realpath(path))
    if found.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return found


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


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGITS]
