"""Choosing which tokens stay. Specials always stay, in place, in front.

Shapes: B samples, T tokens (specials included), N patches, K kept.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tokonomy.families.vision.tokens import Tokens

Order = Literal["score", "raster"]


def top(scores: Tensor, count: int, order: Order) -> Tensor:
    """Indices of the ``count`` highest scores.

    Args:
        scores: [B, N], higher is kept; among equals the earlier one wins.
        count: How many, at most N.
        order: ``"score"`` gives the highest first, ``"raster"`` the order they stood in.

    Returns:
        int64 [B, count].
    """
    index = scores.argsort(dim=-1, descending=True, stable=True)[:, :count]
    return index.sort(-1).values if order == "raster" else index


def keep(tokens: Tokens, index: Tensor) -> Tokens:
    """The specials and the patches at ``index`` [B, K] (0 is the first patch), in that order."""
    return tokens.take(positions(index, tokens.specials))


def positions(index: Tensor, specials: int) -> Tensor:
    """Positions in the sequence of the specials and of the patches at ``index``, [B, s + K]."""
    front = torch.arange(specials, device=index.device).expand(index.shape[0], -1)
    return torch.cat([front, index + specials], 1)


def sample(scores: Tensor, points: int, present: Tensor) -> Tensor:
    """Patches hit by evenly spaced points of the cumulative score (ATS, arXiv 2111.15667).

    The points are ``1/2K, 3/2K, ...``, without the last: K - 1 of them. Each hits the patch whose
    cumulative score is nearest, the earlier one where two are as near.

    Args:
        scores: [B, N], not negative.
        points: K - 1.
        present: False where a patch is padding, bool [B, N]; padding comes last.

    Returns:
        bool [B, N], True for patches hit at least once.
    """
    share = scores.float().masked_fill(~present, 0).cumsum(-1)
    share = (share / share[:, -1:]).masked_fill(~present, float("inf"))
    steps = torch.arange(points, device=scores.device, dtype=share.dtype)
    wanted = ((2 * steps + 1) / (2 * points + 2)).expand(len(share), -1).contiguous()
    last = present.sum(-1, keepdim=True) - 1
    above = torch.searchsorted(share, wanted).minimum(last)
    below = (above - 1).clamp(min=0)
    nearer = wanted - share.gather(1, below) <= share.gather(1, above) - wanted
    return torch.zeros_like(present).scatter(1, torch.where(nearer, below, above), True)


def gather_ragged(chosen: Tensor, specials: int) -> tuple[Tensor, Tensor | None]:
    """Positions of the specials and of a different number of patches per sample.

    Args:
        chosen: bool [B, N], at least one True in the batch.
        specials: Leading tokens that are not patches.

    Returns:
        Positions in the sequence, [B, specials + K], raster order, K the largest number; and which
        of them are no padding, bool, or None where nothing is padded.
    """
    width, mask = extent(chosen.sum(-1, keepdim=True) + specials)
    index = chosen.int().argsort(dim=-1, descending=True, stable=True)[:, : width - specials]
    return positions(index, specials), mask


def extent(counts: Tensor) -> tuple[int, Tensor | None]:
    """The largest of ``counts`` [B, 1], and the mask of so many of that many tokens.

    The mask is None where it would be all True. A GPU is waited for once.
    """
    least, most = torch.stack(counts.aminmax()).tolist()
    if least == most:
        return most, None
    return most, torch.arange(most, device=counts.device) < counts
