"""Laws over the next token, and draws from them by given random numbers: pure functions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Uniform = Callable[[int], Tensor]
"""Gives so many numbers, evenly spread over [0, 1), float64 on the CPU."""


def law(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities at a temperature, float64 [..., V]; at 0 the likeliest token has them all."""
    if temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return torch.zeros_like(logits, dtype=torch.float64).scatter_(-1, best, 1.0)
    return (logits.double() / temperature).softmax(-1)


def drawn(weights: Tensor, uniform: Tensor) -> Tensor:
    """The token at which the running sum of the weights passes a share of their total.

    Where the share is evenly spread over [0, 1), tokens come in proportion to their weights.

    Args:
        weights: Not negative, float64 [..., V].
        uniform: The share, in [0, 1), float64 [...].

    Returns:
        Tokens, int64 [...].
    """
    sums = weights.cumsum(-1)
    share = uniform.to(sums)[..., None] * sums[..., -1:]
    found: Tensor = torch.searchsorted(sums, share, right=True)[..., 0]
    return found.clamp(max=weights.shape[-1] - 1)


def uniforms(generator: torch.Generator) -> Uniform:
    """Random numbers from a generator on the CPU, so that all devices draw alike."""

    def draw(count: int) -> Tensor:
        return torch.rand(count, generator=generator, dtype=torch.float64)

    return draw
