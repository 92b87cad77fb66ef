"""Image sets that a user has: a folder of class folders, or of Parquet files in the layout of the Hugging Face hub.

Both may have a part for training and one for testing, by the names of folders or files: ``train``, and ``test`` or else
``validation``, ``valid`` or ``val``, which something that is no letter may follow, as in ``train-00000-of-00001``.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ptft.extras import needs_extra
from ptft.validation import checked, whole_number

with needs_extra("vision", __name__):
    import pyarrow as pa
    from PIL import Image
    from pyarrow import parquet

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")
TRAIN, TEST = ("train",), ("test", "validation", "valid", "val")  # of the second, the first that is there
DEEP = ("I", "F")  # modes of more than 8 bits a channel begin like this

Encoded = tuple[str, bytes, int]  # what a message calls an image, its file's content, the number of its class


@checked
def read_folder(
    path: Path, label: str | None = None, size: int | None = None
) -> tuple[tuple[np.ndarray, ...], tuple[str, ...], str]:
    """All images of a folder, decoded by Pillow; `ptft.vision.load` makes a `Dataset` of them.

    Parameters
    ----------
    path : Path
        Of Parquet files, if there is any in it, with a column "image" or "img" (of bytes, or structures with bytes) and
        one of labels, whose names the hub's metadata hold if there are any; else of class folders.
    label : str, optional
        The column of labels; by default "label", or else "fine_label".
    size : int, optional
        Resize each image to size x size pixels, bilinearly and whatever its proportions; by default all must have one
        size.

    Returns
    -------
    arrays
        Training images (N, C, H, W) of bytes, with C = 1 if all are grey, else 3, and their labels (N,); then those for
        testing, of which there are none if the folder has no such part.
    classes : tuple of str
        Their names.
    digest : str
        The SHA-256 of the names and contents of the files that were read, in hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it does not hold images of at least two classes in one of the two layouts, an image cannot be decoded or is
        of another size than the others, or a label stands for no class; the message names the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, grey in (("dark", 0), ("light", 255)):
    ...         Path(folder, name).mkdir()
    ...         Image.new("L", (4, 4), grey).save(Path(folder, name, "a.png"))
    ...     (images, labels, *_), classes, digest = read_folder(Path(folder))
    >>> classes, labels.tolist(), images.shape, images[:, 0, 0, 0].tolist()
    (('dark', 'light'), [0, 1], (2, 1, 4, 4), [0, 255])
    """
    if size is not None:
        whole_number(size, "size", 1)
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}")
    files = sorted(file for file in path.rglob("*.parquet") if file.is_file())
    if label is not None and not files:
        raise ValueError(f"label = {label!r} is not allowed: there are no Parquet files in {path}")
    classes, parts, digests = _tables(path, files, label) if files else _class_folders(path)
    if len(classes) < 2:
        raise ValueError(f"{path} has {len(classes)} class{'' if classes else 'es'}: at least 2 are needed")
    images, labels, shape = [], [], None
    for part in parts:
        found = list(part)
        pixels, shape = _decoded(found, size, shape)
        images.append(pixels)
        labels.append(np.array([number for _, _, number in found], dtype=np.int64))
    for number, count in enumerate(np.bincount(labels[0], minlength=len(classes))):
        if not count:
            raise ValueError(f"{path} has no training image of class {classes[number]!r}")
    if all(np.array_equal(pixels[:, :1], pixels[:, at : at + 1]) for pixels in images for at in (1, 2)):
        images = [np.ascontiguousarray(pixels[:, :1]) for pixels in images]
    whole = hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()
    return (images[0], labels[0], images[1], labels[1]), classes, whole


def _decoded(
    images: list[Encoded], size: int | None, shape: tuple[int, int] | None
) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Pixels (N, 3, H, W) and the common (H, W), which is that of another part where it is given."""
    pixels = None
    for i, (name, content, _) in enumerate(images):
        try:
            with Image.open(io.BytesIO(content)) as image:
                mode = image.mode
                one = image.convert("RGB") if not mode.startswith(DEEP) else None
        except Exception as error:  # Pillow raises whatever a damaged file leads it to
            said = str(error).partition(" <_io.")[0]  # without the object in memory that Pillow was given
            reason = (said.strip() or type(error).__name__).splitlines()[0]
            raise ValueError(f"{name} is broken: Pillow cannot read it ({reason})") from None
        if one is None:
            raise ValueError(f"{name} has more than 8 bits a channel (mode {mode}): that is not read")
        if size is not None and one.size != (size, size):
            one = one.resize((size, size), Image.Resampling.BILINEAR)
        array = np.asarray(one)
        shape = shape or (array.shape[0], array.shape[1])
        if array.shape[:2] != shape:
            sizes = f"{array.shape[1]} x {array.shape[0]} pixels, those before {shape[1]} x {shape[0]}"
            raise ValueError(f"{name} has {sizes}: sizes must not differ, unless all are resized to one size")
        if pixels is None:
            pixels = np.empty((len(images), 3, *shape), np.uint8)
        pixels[i] = array.transpose(2, 0, 1)
    return np.empty((0, 3, *(shape or (0, 0))), np.uint8) if pixels is None else pixels, shape


def _of_part(name: str, words: Iterable[str]) -> str | None:
    """The word with which a name begins."""
    return next((word for word in words if re.match(rf"{word}(?![a-z])", name.lower())), None)


# --- class folders ----------------------------------------------------------------------------------------------------


def _class_folders(path: Path) -> tuple[tuple[str, ...], list[Iterator[Encoded]], dict[str, str]]:
    folders = _folders(path)
    train = next((folder for folder in folders if _of_part(folder.name, TRAIN)), None)
    test = next((folder for word in TEST for folder in folders if _of_part(folder.name, (word,))), None)
    homes = [train, test] if train is not None else [path, None]
    classes = tuple(folder.name for folder in _folders(homes[0] or path))
    if not classes:
        raise ValueError(f"there are neither Parquet files nor class folders in {homes[0]}")
    digests: dict[str, str] = {}

    def part(home: Path | None) -> Iterator[Encoded]:
        for folder in [] if home is None else _folders(home):
            files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
            if folder.name not in classes and files:
                raise ValueError(f"{folder} is none of the {len(classes)} class folders in {homes[0]}")
            for file in files:
                content = file.read_bytes()
                digests[file.relative_to(path).as_posix()] = hashlib.sha256(content).hexdigest()
                yield str(file), content, classes.index(folder.name)

    return classes, [part(home) for home in homes], digests


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))


# --- Parquet files ----------------------------------------------------------------------------------------------------


def _tables(
    path: Path, files: list[Path], label: str | None
) -> tuple[tuple[str, ...], list[Iterator[Encoded]], dict[str, str]]:
    parts = [[file for file in files if _named(file.relative_to(path), (word,))] for word in (*TRAIN, *TEST)]
    train, test = parts[0], next((part for part in parts[1:] if part), [])
    if not train:
        raise ValueError(f"no Parquet file in {path} has a name that begins with {TRAIN[0]}")
    read = {file: _table(file, label) for file in (*train, *test)}
    digests = {file.relative_to(path).as_posix(): digest for file, (_, _, _, digest) in read.items()}
    names = {file: classes for file, (_, _, classes, _) in read.items()}
    classes = names[train[0]]
    for file in read:
        if names[file] != classes:
            raise ValueError(f"{file} has other names of classes than {train[0]}")
    if classes is None:  # none are told: as many as there are labels
        largest = max((int(labels.max()) for _, labels, _, _ in read.values() if len(labels)), default=-1)
        classes = tuple(map(str, range(largest + 1)))

    def part(of: list[Path]) -> Iterator[Encoded]:
        for file in of:
            images, labels, _, _ = read[file]
            for row, (one, number) in enumerate(zip(images, labels, strict=True)):
                entry = one.as_py()
                content = entry.get("bytes") if isinstance(entry, dict) else entry
                inside = entry.get("path") if isinstance(entry, dict) else None
                name = f"the image {inside!r} (row {row} of {file})" if inside else f"the image in row {row} of {file}"
                if not isinstance(content, bytes):
                    raise ValueError(f"{name} has no bytes")
                if not 0 <= number < len(classes):
                    raise ValueError(f"{name} has the label {number}: those of {len(classes)} classes begin with 0")
                yield name, content, int(number)

    return classes, [part(train), part(test)], digests


def _named(file: Path, words: Iterable[str]) -> bool:
    """Whether a file is of a part, by the innermost name of it and of its folders that tells."""
    for name in (file.stem, *(folder.name for folder in file.parents)):
        if _of_part(name, (*TRAIN, *TEST)):
            return _of_part(name, words) is not None
    return False


def _table(file: Path, label: str | None) -> tuple[Any, np.ndarray, tuple[str, ...] | None, str]:
    """The images and labels of a file, the names of its classes if they are told, and its digest."""
    content = file.read_bytes()
    try:
        schema = parquet.read_schema(pa.BufferReader(content))
        image = next((name for name in IMAGE_COLUMNS if name in schema.names), None)
        chosen = next((name for name in ((label,) if label else LABEL_COLUMNS) if name in schema.names), None)
        if image is not None and chosen is not None:
            table = parquet.read_table(pa.BufferReader(content), columns=[image, chosen])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{file} is no Parquet file that can be read ({str(error).splitlines()[0]})") from None
    columns = ", ".join(schema.names)
    if image is None:
        raise ValueError(f"{file} has no column {' or '.join(IMAGE_COLUMNS)}, only {columns}")
    if chosen is None:
        wanted = label or " or ".join(LABEL_COLUMNS)
        raise ValueError(f"{file} has no column of labels {wanted}, only {columns}: name one of them")
    labels = table[chosen]
    if not pa.types.is_integer(labels.type) or labels.null_count:
        raise ValueError(f"the labels {chosen} of {file} must be whole numbers, all of them there")
    return table[image], labels.to_numpy().astype(np.int64), _names(schema, chosen), hashlib.sha256(content).hexdigest()


def _names(schema: Any, label: str) -> tuple[str, ...] | None:
    """The names of the classes in the metadata of the hub."""
    try:
        names = json.loads(schema.metadata[b"huggingface"])["info"]["features"][label]["names"]
    except (TypeError, KeyError, ValueError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) and names else None
