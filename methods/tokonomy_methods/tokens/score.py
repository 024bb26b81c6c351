"""Scores of tokens; a higher score is a reason to keep a token.

Shapes: B samples, h heads, T tokens (specials included), N patches.
"""

from __future__ import annotations

import torch
from torch import Tensor


def class_attention(row: Tensor, specials: int) -> Tensor:
    """Attention that the class token pays to each patch, averaged over heads.

    Args:
        row: The class token's row of the attention map, [B, h, T].
        specials: Leading tokens that are not patches.

    Returns:
        float32 [B, N]; sums to less than 1, since specials have their share.
    """
    return row[:, :, specials:].mean(1, dtype=torch.float32)


def received(weights: Tensor) -> Tensor:
    """Attention that each token receives, averaged over heads and queries, float32 [B, T].

    Args:
        weights: Attention maps, [B, h, T, T], queries first.
    """
    return weights.mean((1, 2), dtype=torch.float32)


def propagate(weights: Tensor, start: Tensor, steps: int, among: Tensor | None = None) -> Tensor:
    """Importance after ``steps`` votes on the attention graph (WPR, arXiv 2305.17328).

    Each vote is ``s <- A^T s``; the mean over tokens is kept at 1, so that the variance says how
    uneven a head is, whatever the number of tokens.

    Args:
        weights: Attention maps, [B, h, T, T].
        start: First importance, broadcast to [B, h, T].
        steps: Number of votes.
        among: Tokens that vote and are voted for, bool [B, T]; all by default. Leaving some out
            is voting on the rows and columns of the others, which then do not sum to 1.

    Returns:
        float32 [B, h, T]: mean 1 over the tokens that vote, 0 for the others.
    """
    graph = weights.float()
    voters = graph.new_ones(weights[:, 0, 0].shape) if among is None else among.float()
    voters = voters[:, None]
    s = start.float().expand(weights.shape[:-1]) * voters
    for _ in range(steps):
        s = (s[..., None, :] @ graph)[..., 0, :] * voters  # a row, ten times faster than A^T s
        s = s * (voters.sum(-1, keepdim=True) / s.sum(-1, keepdim=True))
    return s


def telling_heads(scores: Tensor, low: float, high: float) -> Tensor:
    """Heads whose scores vary neither too little nor too much (VHF, arXiv 2305.17328).

    Args:
        scores: [B, h, T].
        low: Least variance over tokens.
        high: Greatest variance over tokens.

    Returns:
        bool [B, h]; all True for a sample in which no head passes.
    """
    variance = scores.var(-1, correction=0)
    passed = (variance >= low) & (variance <= high)
    return passed | ~passed.any(-1, keepdim=True)


def emphasise(scores: Tensor, heads: Tensor) -> Tensor:
    """Root mean square over the chosen heads (EIR, arXiv 2305.17328).

    Args:
        scores: [B, h, T].
        heads: bool [B, h], at least one True per sample.

    Returns:
        [B, T].
    """
    weight = heads.to(scores.dtype)[..., None]
    return ((scores.square() * weight).sum(1) / weight.sum(1)).sqrt()


def flat_patches(pixels: Tensor, grid: tuple[int, int]) -> Tensor:
    """Pixels of each patch in raster order, [B, N, channels * height * width of a patch].

    Args:
        pixels: Images, [B, C, H, W].
        grid: Patches in a column and in a row.
    """
    b, c, height, width = pixels.shape
    rows, columns = grid
    cut = pixels.reshape(b, c, rows, height // rows, columns, width // columns)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def pixel_variance(pixels: Tensor, grid: tuple[int, int]) -> Tensor:
    """Variance (n - 1) of all pixel values of each patch, channels together, float32 [B, N]."""
    return flat_patches(pixels.float(), grid).var(-1)
