"""One CUDA graph: a function captured once for one shape, and replayed on other inputs.

What a replay costs and a plain call does not, copying the inputs in and the output out, is part
of it: without either, no caller could use it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tokonomy.errors import InvalidOutput
from tokonomy.measure.inputs import tensors

WARM_CALLS = 3
"""Calls on a side stream before capture, as torch asks for: workspaces and handles come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A graph with the memory it reads and writes.

    Attributes:
        graph: The graph.
        inputs: Its own copy of each tensor of a batch, by field.
        output: Where it leaves its output; the next replay overwrites it.
    """

    graph: Any
    inputs: dict[str, Tensor]
    output: Tensor

    def __call__(self, batch: Any) -> Tensor:
        """The output for a batch of the same shape, in memory of its own."""
        for name, tensor in self.inputs.items():
            tensor.copy_(getattr(batch, name), non_blocking=True)
        self.graph.replay()
        return self.output.clone()


def capture(predict: Any, batch: Any, device: str) -> Captured:
    """Capture ``predict`` on batches of the shape of ``batch``.

    Raises whatever torch raises where that is impossible, such as for control flow that depends
    on a value on the device.
    """
    inputs = {name: value.clone() for name, value in tensors(batch)}
    static = replace(batch, **inputs)
    cuda: Any = torch.cuda
    with cuda.device(device):
        side = cuda.Stream()
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            for _ in range(WARM_CALLS):
                predict(static)
        cuda.current_stream().wait_stream(side)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            output = predict(static)
    if type(output) is not Tensor:
        raise InvalidOutput(f"not-a-tensor: expected a tensor; got {type(output).__name__}")
    return Captured(graph=graph, inputs=inputs, output=output)
