"""How the tokens of a group become one: pure functions over values and ``Groups``.

Every merger gives the groups in the order of their places. ``by_size`` and ``by_weight`` sum the
sizes of what they merge; the others leave none behind, as nothing reads them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tokonomy.errors import Unsupported
from tokonomy.families.vision.tokens import Tokens, pick
from tokonomy_methods.tokens.match import Groups


def sums(values: Tensor, groups: Groups) -> Tensor:
    """Sum of each group's values, [B, T, ...] to [B, K, ...].

    Rows are added in one list for the whole batch, which on a CPU is several times faster than a
    scatter along the token axis.
    """
    batch = torch.arange(len(values), device=values.device)[:, None]
    total = values.new_zeros(len(values) * groups.count, *values.shape[2:])
    total.index_add_(0, (groups.slot + batch * groups.count).flatten(), values.flatten(0, 1))
    return total.view(len(values), groups.count, *values.shape[2:])


def number(groups: Groups) -> Tensor:
    """Tokens in each group, float32 [B, K]."""
    return sums(torch.ones_like(groups.slot, dtype=torch.float32), groups)


def weighted(values: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Weighted mean of each group: ``sum(w x) / sum(w)``, [B, T, C] to [B, K, C].

    Args:
        values: [B, T, C].
        weight: Above zero, float32 [B, T].
        groups: What goes together.
    """
    total = sums(values * weight[..., None], groups)
    return (total / sums(weight, groups)[..., None]).to(values.dtype)


def heads(groups: Groups) -> Tensor:
    """Position of the token that leads each group, [B, K]."""
    if groups.head is None:
        raise ValueError("these groups have no leading tokens")
    position = torch.arange(groups.slot.shape[1], device=groups.slot.device)
    out = position.new_zeros(len(groups.slot), groups.count + 1)
    place = groups.slot.masked_fill(~groups.head, groups.count)
    return out.scatter_(1, place, position.expand_as(place))[:, : groups.count]


def merged(tokens: Tokens, x: Tensor, size: Tensor | None = None) -> Tokens:
    """``tokens`` with what came of merging them: every merger ends here.

    Raises:
        Unsupported: Some tokens are padding, which would have been merged like any other.
    """
    if tokens.mask is not None:
        raise Unsupported("padded tokens cannot be merged: merge before anything pads")
    return tokens.but(x=x, size=size)


def _mean(x: Tensor, groups: Groups, count: Tensor) -> Tensor:
    return (sums(x, groups) / count[..., None]).to(x.dtype)


def by_size(tokens: Tokens, groups: Groups) -> Tokens:
    """Size-weighted mean: ``sum(size x) / sum(size)`` (ToMe, 2210.09461)."""
    if tokens.size is None:
        size = number(groups)
        return merged(tokens, _mean(tokens.x, groups, size), size)
    return by_weight(tokens, groups, tokens.size)


def mean(tokens: Tokens, groups: Groups) -> Tokens:
    """Plain mean of the tokens of a group, whatever they stand for."""
    return merged(tokens, _mean(tokens.x, groups, number(groups)))


def by_weight(tokens: Tokens, groups: Groups, weight: Tensor) -> Tokens:
    """Mean weighted by ``weight`` [B, T]."""
    size = number(groups) if tokens.size is None else sums(tokens.size, groups)
    return merged(tokens, weighted(tokens.x, weight, groups), size)


def heads_only(tokens: Tokens, groups: Groups) -> Tokens:
    """The leading token of each group as it is; the others are dropped."""
    return merged(tokens, pick(tokens.x, heads(groups)))


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
    largest = norm.new_zeros(len(norm), groups.count)
    largest = largest.scatter_reduce_(1, groups.slot, norm, "amax")
    base = norm.gather(1, heads(groups)) if unmerged else torch.linalg.vector_norm(out.x, dim=-1)
    return out.but(x=out.x * (largest / base)[..., None])
