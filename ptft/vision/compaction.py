"""The same network with fewer operations: convolutions without the weights that only ever meet padding.

Images of 28 or 32 pixels are a single pixel in the last stage of a resnet18, where of a 3 x 3 kernel with padding only
the middle sees anything: eight ninths of the weights there multiply zeros, their gradients are exactly zero, and
without weight decay they never move. At both sizes that is three fifths of all weights. `compact` cuts them away and
`restore` puts the others back into the whole network, so a training step gives the same result with less work.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from ptft.validation import checked

if TYPE_CHECKING:
    from torchvision.models import ResNet

Window = tuple[slice, slice]
SMALL_MAP = 16  # pixels


@checked
def compact(model: ResNet, size: tuple[int, int]) -> tuple[ResNet, dict[str, Window]]:
    """Copy in which every convolution keeps only the weights that meet a pixel, in channels-last memory format.

    Parameters
    ----------
    model : torchvision.models.ResNet
    size : (height, width) of its images

    Returns
    -------
    ResNet
        Computes the same outputs on images of this size, and on no other.
    dict
        For each convolution that was cut, by name, the rows and columns of its kernel that it kept.

    Examples
    --------
    >>> from ptft.vision import new_model
    >>> whole = new_model(2, seed=0)
    >>> small, windows = compact(whole, (16, 16))
    >>> len(windows), sum(p.numel() for p in small.parameters()) < 0.5 * sum(p.numel() for p in whole.parameters())
    (20, True)
    """
    model = copy.deepcopy(model)
    seen: dict[str, torch.Size] = {}
    convolutions = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    hooks = [
        m.register_forward_hook(lambda _, x, __, name=name: seen.__setitem__(name, x[0].shape[2:]))
        for name, m in convolutions.items()
    ]
    was_training = model.training
    with torch.no_grad():
        first = model.conv1.weight
        model.eval()(first.new_zeros(1, first.shape[1], *size))
    for hook in hooks:
        hook.remove()
    windows: dict[str, Window] = {}
    for name, m in convolutions.items():
        padding = cast(tuple[int, int], m.padding)
        rows, columns = (_live(seen[name][i], m.kernel_size[i], m.stride[i], padding[i]) for i in (0, 1))
        windows[name] = rows, columns
        model.set_submodule(name, _Convolution(m, rows, columns))
    return model.train(was_training), windows


@checked
def restore(small: ResNet, windows: dict[str, Window], model: ResNet) -> ResNet:
    """Copy of `model` with all parameters and buffers of `small`, which `compact` made from it.

    Examples
    --------
    >>> from ptft.vision import new_model
    >>> whole = new_model(2, seed=0)
    >>> again = restore(*compact(whole, (16, 16)), whole)
    >>> bool((again.layer4[0].conv1.weight == whole.layer4[0].conv1.weight).all())
    True
    """
    model = copy.deepcopy(model)
    state = model.state_dict()
    for key, value in small.state_dict().items():
        name = key.removesuffix(".weight")
        if name in windows:
            state[key][:, :, *windows[name]].copy_(value.permute(0, 3, 1, 2))
        else:
            state[key].copy_(value)
    return model


@checked
def check_device(device: str) -> None:
    """Raise a ValueError unless torch can compute on the device.

    Examples
    --------
    >>> check_device("cpu")
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device = {device!r} is not allowed: {reason}") from None


@checked
def has_bf16(device: torch.device | str = "cpu") -> bool:
    """Whether the device multiplies matrices of 16-bit floats (bfloat16) in hardware.

    Raises
    ------
    ValueError
        If torch cannot compute on the device.

    Examples
    --------
    >>> has_bf16("cpu") in (True, False)
    True
    """
    check_device(str(device))
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def _live(size: int, kernel: int, stride: int, padding: int) -> slice:
    """The weights along one axis that meet a pixel at some output; all of them if cutting would change the outputs."""
    outputs = (size + 2 * padding - kernel) // stride + 1
    used = [i for i in range(kernel) if any(0 <= j * stride - padding + i < size for j in range(outputs))]
    first, last = used[0], used[-1]
    same = (size + 2 * (padding - first) - (last + 1 - first)) // stride + 1 == outputs
    return slice(first, last + 1) if same else slice(0, kernel)


class _Convolution(nn.Module):
    """A window of a convolution; `weight` has the axes (outputs, height, width, inputs), in which its maps lie, too."""

    def __init__(self, whole: nn.Conv2d, rows: slice, columns: slice) -> None:
        super().__init__()
        weight = whole.weight.detach()[:, :, rows, columns].permute(0, 2, 3, 1)
        self.weight = nn.Parameter(weight.contiguous(), whole.weight.requires_grad)
        self.stride = whole.stride
        self.padding = (int(whole.padding[0]) - rows.start, int(whole.padding[1]) - columns.start)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.permute(0, 3, 1, 2)
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and _pixels(x, self) <= SMALL_MAP:
            product: Tensor = _SmallMaps.apply(x, self.weight, self.stride, self.padding)
            return product
        return F.conv2d(x, weight, None, self.stride, self.padding)


def _pixels(x: Tensor, m: _Convolution) -> int:
    """Pixels in a map of the output."""
    sizes = zip(x.shape[2:], m.weight.shape[1:3], m.stride, m.padding, strict=True)
    return math.prod((size + 2 * p - k) // s + 1 for size, k, s, p in sizes)


class _SmallMaps(torch.autograd.Function):
    """A convolution in bfloat16 on a processor, with the gradient of its weights as one product of matrices.

    torch's own routine for this gradient takes up to twenty times as long where the maps are small.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        x, low = x.bfloat16(), weight.bfloat16()
        ctx.save_for_backward(x, low)
        ctx.stride, ctx.padding, ctx.dtype = stride, padding, weight.dtype
        return F.conv2d(x, low.permute(0, 3, 1, 2), None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (g,) = gradients
        grad_x = None
        if ctx.needs_input_grad[0]:
            kernel = weight.permute(0, 3, 1, 2)
            grad_x = conv2d_input(x.shape, kernel, g, ctx.stride, ctx.padding)  # type: ignore[no-untyped-call]
        outputs, height, width, inputs = weight.shape
        (down, right), (top, left) = ctx.stride, ctx.padding
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
        patches = padded.unfold(1, height, down).unfold(2, width, right).permute(0, 1, 2, 4, 5, 3)
        product = g.permute(0, 2, 3, 1).reshape(-1, outputs).T @ patches.reshape(-1, height * width * inputs)
        return grad_x, product.view(weight.shape).to(ctx.dtype), None, None
