"""How the tokens of a group become one: pure functions over values and ``Groups``.

Every merger gives the groups in the order of their places, sums the sizes of what it merged, and
hands the mask on; padding contributes nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tokonomy.families.vision.tokens import Tokens, pick
from tokonomy_methods.tokens.match import Groups


def _rows(groups: Groups) -> tuple[Tensor, int]:
    """Places of all samples in one list, and their number per sample (one more for padding)."""
    width = groups.count + (groups.mask is not None)
    batch = torch.arange(len(groups.slot), device=groups.slot.device)[:, None]
    return (groups.slot + batch * width).flatten(), width


def sums(values: Tensor, groups: Groups) -> Tensor:
    """Sum of each group's values, [B, T, ...] to [B, K, ...].

    Rows are added in one list for the whole batch, which on a CPU is several times faster than a
    scatter along the token axis.
    """
    index, width = _rows(groups)
    total = values.new_zeros(len(values) * width, *values.shape[2:])
    total.index_add_(0, index, values.flatten(0, 1))
    return total.view(len(values), width, *values.shape[2:])[:, : groups.count]


def weighted(values: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Weighted mean of each group: ``sum(w x) / sum(w)``, [B, T, C] to [B, K, C].

    Args:
        values: [B, T, C].
        weight: Above zero where a token is present, [B, T].
        groups: What goes together.
    """
    total = sums(weight, groups)
    if groups.mask is not None:
        total = total.masked_fill(~groups.mask, 1)
    return sums(values * weight[..., None], groups) / total[..., None]


def heads(groups: Groups) -> Tensor:
    """Position of the token that leads each group, [B, K]; 0 for padding."""
    position = torch.arange(groups.slot.shape[1], device=groups.slot.device)
    out = torch.zeros(len(groups.slot), groups.count + 1, dtype=torch.int64, device=position.device)
    place = groups.slot.masked_fill(~groups.head, groups.count)
    return out.scatter_(1, place, position.expand_as(place))[:, : groups.count]


def _merged(tokens: Tokens, groups: Groups, x: Tensor) -> Tokens:
    return tokens.but(x=x, size=sums(tokens.sizes(), groups), mask=groups.mask)


def by_size(tokens: Tokens, groups: Groups) -> Tokens:
    """Size-weighted mean: ``sum(size x) / sum(size)`` (ToMe, 2210.09461)."""
    if tokens.size is None:
        return mean(tokens, groups)
    return _merged(tokens, groups, weighted(tokens.x, tokens.size, groups))


def mean(tokens: Tokens, groups: Groups) -> Tokens:
    """Plain mean of the tokens of a group, whatever they stand for."""
    ones = tokens.x.new_ones(tokens.x.shape[:2])
    number = sums(ones, groups)
    size = number if tokens.size is None else sums(tokens.size, groups)
    total = number if groups.mask is None else number.masked_fill(~groups.mask, 1)
    return tokens.but(x=sums(tokens.x, groups) / total[..., None], size=size, mask=groups.mask)


def by_weight(tokens: Tokens, groups: Groups, weight: Tensor) -> Tokens:
    """Mean weighted by ``weight`` [B, T]."""
    return _merged(tokens, groups, weighted(tokens.x, weight, groups))


def heads_only(tokens: Tokens, groups: Groups) -> Tokens:
    """The leading token of each group as it is, standing for the whole group."""
    return _merged(tokens, groups, pick(tokens.x, heads(groups)))


def dropped(tokens: Tokens, groups: Groups) -> Tokens:
    """The leading token of each group, standing for itself only."""
    index = heads(groups)
    size = None if tokens.size is None else tokens.size.gather(1, index)
    return tokens.but(x=pick(tokens.x, index), size=size, mask=groups.mask)


def by_norm(tokens: Tokens, groups: Groups, *, unmerged: bool = False) -> Tokens:
    """Plain mean, rescaled towards the largest norm in the group (ToFu, 2312.01026).

    Args:
        tokens: What is merged.
        groups: What goes together, with leading tokens.
        unmerged: Divide the mean by the norm of the leading token as it was before merging
            rather than by the mean's own norm, which would give exactly the largest norm.
    """
    out = mean(tokens, groups)
    norm = torch.linalg.vector_norm(tokens.x, dim=-1)
    largest = torch.zeros(len(norm), groups.count + 1, dtype=norm.dtype, device=norm.device)
    largest = largest.scatter_reduce_(1, groups.slot, norm, "amax")[:, : groups.count]
    base = norm.gather(1, heads(groups)) if unmerged else torch.linalg.vector_norm(out.x, dim=-1)
    return out.but(x=out.x * (largest / base)[..., None])
