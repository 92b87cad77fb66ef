"""Pretrained networks as files in the safetensors format: numbers and a record of their making, no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torchvision.models import ResNet


def checkpoint_bytes(model: ResNet, record: dict[str, Any]) -> bytes:
    """The content of a file with parameters, buffers and the record (JSON types).

    Examples
    --------
    >>> import tempfile
    >>> from ptft.vision import new_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "net.safetensors").write_bytes(checkpoint_bytes(new_model(2, seed=0), {"seed": 0}))
    ...     print(read_record(Path(folder, "net.safetensors")))
    {'seed': 0}
    """
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    return safetensors.torch.save(tensors, {"ptft": json.dumps(record)})


def read_record(path: Path) -> dict[str, Any]:
    """The record of a checkpoint.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is not a whole checkpoint.

    Examples
    --------
    >>> import tempfile
    >>> from ptft.vision import new_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "net.safetensors").write_bytes(checkpoint_bytes(new_model(2, seed=0), {"epochs": 12}))
    ...     print(read_record(Path(folder, "net.safetensors"))["epochs"])
    12
    """
    try:
        with safe_open(path, framework="pt") as file:
            record: dict[str, Any] = json.loads(file.metadata()["ptft"])
    except (SafetensorError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a checkpoint of ptft.vision ({error})") from None
    return record


def load_checkpoint(path: Path, model: ResNet) -> dict[str, Any]:
    """Put the parameters and buffers of a checkpoint into `model`, and return the record.

    Raises
    ------
    OSError, ValueError
        As `read_record`, and if the network is another one.

    Examples
    --------
    >>> import tempfile
    >>> from ptft.vision import new_model
    >>> saved, other = new_model(2, seed=0), new_model(2, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "net.safetensors").write_bytes(checkpoint_bytes(saved, {"seed": 0}))
    ...     record = load_checkpoint(Path(folder, "net.safetensors"), other)
    >>> record, bool((saved.fc.weight == other.fc.weight).all())
    ({'seed': 0}, True)
    """
    record = read_record(path)
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except RuntimeError as error:
        raise ValueError(f"{path} holds another network: {error}") from None
    return record
