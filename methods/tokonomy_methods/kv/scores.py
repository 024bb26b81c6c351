"""How much a row of keys and values is worth: pure functions, a higher score is kept.

Shapes: B requests, Q heads of queries, H heads of keys (each serves Q / H neighbours among them),
L rows held, n queries, which belong to the last n rows, d channels of a head. Scores are float32.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Pool = Literal["average", "max"]
_BLOCK = 256  # queries whose attention is held at a time


def shortness(keys: Tensor) -> Tensor:
    """Minus the length of a key (arXiv 2406.11430), [B, H, L]."""
    length: Tensor = torch.linalg.vector_norm(keys.float(), dim=-1)
    return -length


def difference(keys: Tensor) -> Tensor:
    """Minus the cosine of a key with the mean direction (arXiv 2504.15364), [B, H, L]."""
    unit = F.normalize(keys.float(), dim=-1)
    return -F.cosine_similarity(unit, unit.mean(2, keepdim=True), dim=-1)


def grouped(each: Tensor, heads: int) -> Tensor:
    """Heads of queries by the head of keys that serves them, [B, Q, ...] to [B, H, Q / H, ...]."""
    return each.reshape(len(each), heads, -1, *each.shape[2:])


def attention(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """What each query looks at, among the rows up to its own.

    Args:
        queries: Of the last n rows, [B, Q, n, d].
        keys: [B, H, L, d].
        scale: Factor on the logits.

    Returns:
        Weights that sum to 1 over L, float32 [B, H, Q / H, n, L].
    """
    count, length = queries.shape[2], keys.shape[2]
    flat = grouped(queries, keys.shape[1]).flatten(2, 3)
    logits = (flat @ keys.mT).float().view(*keys.shape[:2], -1, count, length) * scale
    if count > 1:
        later = torch.ones(count, length, dtype=torch.bool, device=keys.device)
        logits = logits.masked_fill(later.triu(length - count + 1), float("-inf"))
    return torch.softmax(logits, -1)


def received(queries: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Attention that each row gets from all queries together, mean over a group, [B, H, L]."""
    total = torch.zeros(keys.shape[:3], device=keys.device)
    begin = keys.shape[2] - queries.shape[2]
    for part in torch.split(queries, _BLOCK, 2):
        begin += part.shape[2]
        total[..., :begin] += attention(part, keys[:, :, :begin], scale).sum(3).mean(2)
    return total


def window(queries: Tensor, keys: Tensor, scale: float, kernel: int, pool: Pool) -> Tensor:
    """Attention that rows get from the window at the end, smoothed (arXiv 2404.14469), [B, H, L].

    Mean over the window's queries, pooled over ``kernel`` neighbours, mean over a group. Rows of
    the window itself get the highest score of their head.
    """
    count = queries.shape[2]
    weights = attention(queries, keys, scale)[..., :-count].mean(3).flatten(0, 2)
    smooth = (F.avg_pool1d if pool == "average" else F.max_pool1d)(
        weights[:, None], kernel, stride=1, padding=kernel // 2
    )
    found = smooth.view(*keys.shape[:2], -1, weights.shape[-1]).mean(2)
    return torch.cat([found, found.amax(-1, keepdim=True).expand(-1, -1, count)], -1)


def last(query: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Attention of the last query, mean over all heads (arXiv 2401.06104), [B, 1, L]."""
    return attention(query, keys, scale)[..., -1, :].mean(2).mean(1, keepdim=True)


def expected(mean: Tensor, spread: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Attention that rows are to expect from queries of a normal law (arXiv 2510.00636).

    Args:
        mean: Mean of the queries to come, [B, Q, d].
        spread: Their covariance, [B, Q, d, d].
        keys: [B, H, L, d].
        scale: Factor on the logits.

    Returns:
        Weights that sum to 1 over L, mean over a group, [B, H, L].
    """
    heads, keys = keys.shape[1], keys.float()
    middle = grouped(mean.float(), heads) @ keys.mT
    apart = grouped(spread.float(), heads)
    wide = ((keys[:, :, None] @ apart) * keys[:, :, None]).sum(-1)
    return (middle * scale + wide * scale**2 / 2).softmax(-1).mean(2)


def lag(keys: Tensor, values: Tensor, sinks: int, size: int) -> Tensor:
    """How far a row stands out beside the chunk that follows its own (arXiv 2504.04704).

    In each chunk rows are ranked, so that all chunks lose alike. Rows of the last whole chunk and
    after it have no chunk to follow: they score above all before them, the later the higher, and
    the sinks above all. [B, H, L].
    """
    batch, heads, length, _ = keys.shape
    parts = max(1, (length - sinks) // size)
    end = min(length, sinks) + (parts - 1) * size
    found = torch.full(keys.shape[:3], 3.0, device=keys.device)
    found[..., end:] = 1 + torch.linspace(0, 1, length - end, device=keys.device)
    if parts > 1:
        apart = [
            _unlike_next(each[:, :, sinks : end + size].view(batch, heads, parts, size, -1).float())
            for each in (keys, values)
        ]
        ranks = torch.stack(apart).mean(0).argsort(-1).argsort(-1)
        found[..., sinks:end] = ranks.view(batch, heads, -1) / size
    return found


def _unlike_next(parts: Tensor) -> Tensor:
    """Spread of a row's channels in units of the next chunk's range, [B, H, chunks - 1, size]."""
    here, following = parts[:, :, :-1], parts[:, :, 1:]
    low, high = following.aminmax(dim=-2, keepdim=True)
    return torch.softmax(((here - low) / (high - low).clamp(min=1e-9)).std(-1), -1)


def projected(values: Tensor, weight: Tensor) -> Tensor:
    """Sum of magnitudes of what a value adds to the hidden state, mean over a group, [B, H, L].

    Args:
        values: [B, H, L, d].
        weight: Of the output projection, [C, Q * d].
    """
    heads, width = values.shape[1], values.shape[-1]
    out = weight.view(len(weight), heads, -1, width)  # [C, H, group, d]
    lengths = [
        torch.stack([(values[:, head] @ part.mT).float().abs().sum(-1) for part in group]).mean(0)
        for head, group in enumerate(out.permute(1, 2, 0, 3))
    ]
    return torch.stack(lengths, 1)
