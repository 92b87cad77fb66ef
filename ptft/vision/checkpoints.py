"""Pretrained networks in the safetensors format: numbers and a record of their making, no code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import safetensors.torch
from safetensors import SafetensorError

if TYPE_CHECKING:
    from torchvision.models import ResNet


def checkpoint_bytes(model: ResNet, record: dict[str, Any]) -> bytes:
    """The content of a file with parameters, buffers and the record (JSON types).

    Examples
    --------
    >>> from ptft.vision import new_model
    >>> read_record(checkpoint_bytes(new_model(2, seed=0), {"seed": 0}))
    {'seed': 0}
    """
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    return safetensors.torch.save(tensors, {"ptft": json.dumps(record)})


def read_record(content: bytes) -> dict[str, Any]:
    """The record of a checkpoint.

    Raises
    ------
    ValueError
        If the content is not that of `checkpoint_bytes`.

    Examples
    --------
    >>> from ptft.vision import new_model
    >>> read_record(checkpoint_bytes(new_model(2, seed=0), {"epochs": 12}))["epochs"]
    12
    """
    length = int.from_bytes(content[:8], "little")  # of the header, a JSON object, which follows
    try:
        record: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["ptft"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"this is not a checkpoint of ptft.vision ({error})") from None
    return record


def load_checkpoint(content: bytes, model: ResNet) -> dict[str, Any]:
    """Put the parameters and buffers of a checkpoint into `model`, and return the record.

    Raises
    ------
    ValueError
        As `read_record`, and if the network is another one. Flipped bits of weights go unnoticed: that a file is what
        was written, `ptft.files.read_sealed` finds.

    Examples
    --------
    >>> from ptft.vision import new_model
    >>> saved, other = new_model(2, seed=0), new_model(2, seed=1)
    >>> record = load_checkpoint(checkpoint_bytes(saved, {"seed": 0}), other)
    >>> record, bool((saved.fc.weight == other.fc.weight).all())
    ({'seed': 0}, True)
    """
    record = read_record(content)
    try:
        model.load_state_dict(safetensors.torch.load(content))
    except SafetensorError as error:
        raise ValueError(f"this is not a whole checkpoint ({error})") from None
    except RuntimeError as error:
        raise ValueError(f"this is a checkpoint of another network: {error}") from None
    return record
