"""Training of a finite network in PyTorch, on any device, its gradients by automatic differentiation.

`ptft.infinite_width.train` and `transfer` use it when a device is named. Nothing here is shared with the equations of
`ptft.infinite_width.dmft` except the loss, so that agreement of the two is a check of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ptft.extras import needs_extra
from ptft.infinite_width.particles import Particles

with needs_extra("vision", __name__):
    import torch
    from torch import Tensor


class TorchSystem:
    """Gradient descent on the mean squared error halved, learning rate dt gamma^2 N, for weights w (N, D) and z (N,).

    Parameters
    ----------
    start : Particles
        Particles that hold weights.
    inputs : list of ndarrays (., D)
        Where outputs are wanted; the first are the training inputs.
    target : ndarray (P,)
        What the output <z phi(h)> is trained towards: gamma times the labels, plus the output that is subtracted.
    gamma : float
    device : str
        "cpu", "cuda", ...

    Raises
    ------
    ValueError
        If the particles hold functions.

    Examples
    --------
    >>> from ptft.infinite_width import weight_particles
    >>> X = np.eye(3)
    >>> system = TorchSystem(weight_particles(3, 100), [X], np.ones(3), 1.0, "cpu")
    >>> before = system.outputs()[0]
    >>> system.step(1.0)
    1.0
    >>> bool(np.all(system.outputs()[0] > before))  # towards 1
    True
    """

    def __init__(
        self, start: Particles, inputs: list[np.ndarray], target: np.ndarray, gamma: float, device: str
    ) -> None:
        if start.points is not None:
            raise ValueError(f"device = {device!r} is not allowed: particles that hold functions are trained by numpy")
        self._start, self._gamma = start, gamma
        self._w, self._z, self._target = (
            torch.tensor(np.asarray(a, dtype=start.z.dtype), device=device) for a in (start.state, start.z, target)
        )
        self._inputs = [torch.tensor(start.locate(X), device=device) for X in inputs]
        self._probe = torch.randn(len(target), dtype=self._z.dtype, generator=torch.Generator().manual_seed(0))
        self._probe = self._probe.to(device)

    def outputs(self) -> list[np.ndarray]:
        with torch.no_grad():
            return [self._output(self._w, self._z, x).double().cpu().numpy() for x in self._inputs]

    def step(self, dt: float) -> float:
        w, z = self._w.requires_grad_(), self._z.requires_grad_()
        loss = torch.mean((self._target - self._output(w, z, self._inputs[0])) ** 2) / 2
        gradients = torch.autograd.grad(loss / self._gamma**2, (w, z))
        with torch.no_grad():
            for weights, gradient in zip((w, z), gradients, strict=True):
                weights -= dt * self._gamma**2 * len(z) * gradient
        return dt

    def top_eigenvalue(self, iterations: int) -> float:
        weights = self._w.requires_grad_(), self._z.requires_grad_()
        output = self._output(*weights, self._inputs[0])
        probe = torch.zeros_like(output, requires_grad=True)
        pull = torch.autograd.grad(output, weights, probe, create_graph=True)  # linear in the probe: J^T probe
        for _ in range(iterations):
            unit = self._probe / self._probe.norm()
            direction = torch.autograd.grad(output, weights, unit, retain_graph=True)
            self._probe = torch.autograd.grad(pull, probe, direction, retain_graph=True)[0] * len(weights[1])
        return float(self._probe.norm()) / len(self._probe)

    def snapshot(self) -> Callable[[], Particles]:
        w, z = (a.detach().cpu().numpy().copy() for a in (self._w, self._z))
        return lambda: replace(self._start, state=w, z=z)

    def _output(self, w: Tensor, z: Tensor, x: Tensor) -> Tensor:
        h = w @ x
        return z @ (torch.relu(h) if self._start.activation == "relu" else h) / len(z)
