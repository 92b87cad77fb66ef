"""Steps of training on a GPU, replayed: their kernels are launched one by one once, and together from then on.

A training step of a residual network on small images is a few hundred kernels of some microseconds, and starting each
from Python takes longer than running it. A CUDA graph holds them all and is started by one call.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


class Replayed:
    """Work that is done again and again; calling it does it, on a GPU by a CUDA graph from the second call on.

    Parameters
    ----------
    work : function of no arguments
        It reads and writes tensors that stay where they are, does the same operations at every call, whatever their
        values, and neither asks for a value nor leaves a tensor behind that it did not find.
    device : torch.device
        Where its tensors are. The first call leaves the kernels to PyTorch, as libraries set themselves up then, and
        optimizers their state; the second records the graph.

    Examples
    --------
    >>> total = torch.zeros(())
    >>> add = Replayed(lambda: total.add_(1), total.device)
    >>> [add(), add(), total.item()]
    [None, None, 2.0]
    """

    def __init__(self, work: Callable[[], object], device: torch.device) -> None:
        self._work = work
        self._on_gpu = device.type == "cuda"
        self._begun = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if not (self._on_gpu and self._begun):
            self._begun = True
            self._work()
            return
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may go on meanwhile
                self._work()
            self._graph = graph
        self._graph.replay()
