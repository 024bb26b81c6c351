"""Which rows of keys and values stay, by their scores.

Shapes: B requests, H heads of keys, L rows held, K rows kept. Rows keep their order.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pinned(scores: Tensor, first: int, last: int) -> Tensor:
    """Scores with those of the first and the last rows above all others."""
    found = scores.clone()
    found[..., :first] = float("inf")
    found[..., scores.shape[-1] - last :] = float("inf")
    return found


def top(scores: Tensor, count: int) -> Tensor:
    """Rows of the ``count`` highest scores in each head, in the order they stand in.

    Args:
        scores: [B, H, L], higher is kept.
        count: At most L.

    Returns:
        int64 [B, H, count].
    """
    return scores.topk(count, dim=-1).indices.sort(-1).values


def chunks(scores: Tensor, count: int, size: int) -> Tensor:
    """Rows of the chunks whose mean score, summed over heads, is highest (arXiv 2502.00299).

    The chunk at the end that is not full always stays.

    Args:
        scores: [B, H, L], higher is kept.
        count: Most rows; of whole chunks as many as fit are kept.
        size: Rows of a chunk.

    Returns:
        int64 [B, 1, K], the same for every head, K at most ``count``.
    """
    batch, _, length = scores.shape
    rest = length % size
    means = scores[..., : length - rest].sum(1).view(batch, -1, size).mean(-1)
    best = means.topk((count - rest) // size, dim=-1).indices.sort(-1).values
    whole = (best[..., None] * size + torch.arange(size, device=best.device)).flatten(1)
    tail = torch.arange(length - rest, length, device=best.device).expand(batch, -1)
    return torch.cat([whole, tail], 1)[:, None]


def headwise(scores: Tensor, count: int, safe: int) -> Tensor:
    """The highest scores of all heads together, so that heads keep unequal numbers.

    The rule of AdaKV (arXiv 2407.11550): ``count`` rows a head on average, ``safe`` at least.

    Args:
        scores: [B, H, L], higher is kept.
        count: Rows that a head keeps on average.
        safe: Rows that every head keeps, its own best.

    Returns:
        Which rows are kept, bool [B, H, L], ``H * count`` of them for each request.
    """
    batch, heads, length = scores.shape
    best = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, top(scores, safe), True)
    flat = scores.masked_fill(best, float("inf")).flatten(1)
    kept = torch.zeros_like(flat, dtype=torch.bool)
    return kept.scatter(1, flat.topk(heads * count, dim=1).indices, True).view(batch, heads, length)
