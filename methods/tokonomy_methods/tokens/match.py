"""Which tokens go together: pairing by similarity, as pure functions over a metric.

A matcher takes a metric [B, T, D] and gives ``Groups``: for every token its place in the shorter
sequence. Specials, where a matcher knows them, are the first rows; they keep their places, and
nothing merges from or into them. Nothing here looks at the values that are merged (``merge``).

Cosines are taken in float32 whatever the precision of the model. Matchers do not know padding,
and no token is merged once there is some (``merge.merged``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tokonomy.errors import BadParameter
from tokonomy.families.vision.tokens import pick
from tokonomy_methods.tokens.schedule import capped


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Where each token goes.

    Attributes:
        slot: Place in the output of every token, int64 [B, T].
        count: Length of the output, K.
        head: The one token of every group that stays if the others are dropped, bool [B, T];
            None where the matcher names none.
    """

    slot: Tensor
    count: int
    head: Tensor | None = None


def check_half(ratio: float) -> None:
    """Raise ``BadParameter`` unless pairing can keep ``ratio`` of the tokens."""
    number = isinstance(ratio, (int, float)) and not isinstance(ratio, bool)
    if not number or not 0.5 <= ratio <= 1:
        raise BadParameter(
            f"ratio must be a number from 0.5 (pairs halve at most) to 1; got {ratio!r}"
        )


def unit(metric: Tensor) -> Tensor:
    """Rows scaled to length one, so that products are cosines; float32."""
    metric = metric.float()
    rows: Tensor = metric / torch.linalg.vector_norm(metric, dim=-1, keepdim=True)
    return rows


def halves(metric: Tensor, specials: int) -> Tensor:
    """Cosines of even tokens [a] with odd tokens [b]; -inf where a special is concerned.

    Args:
        metric: [B, T, D]; with one special it is even, with two the second one is odd.
        specials: 0, 1 or 2 leading rows that take no part.
    """
    rows = unit(metric)
    return shield(rows[:, ::2] @ rows[:, 1::2].transpose(1, 2), specials)


def shield(score: Tensor, specials: int) -> Tensor:
    """Put -inf, in place, where a special stands in a score of even [a] and odd [b] tokens."""
    if specials:
        score[:, 0] = -torch.inf
    if specials > 1:
        score[:, :, 0] = -torch.inf
    return score


def strongest(score: Tensor, r: int) -> tuple[Tensor, Tensor]:
    """The ``r`` rows of a score [B, a, b] with the highest maxima, and every row's best column.

    Returns:
        goes: Whether a row is among the ``r``, bool [B, a].
        best: Column of each row's maximum, [B, a].
    """
    value, best = score.max(-1)
    goes = torch.zeros_like(value, dtype=torch.bool)
    return goes.scatter_(1, value.topk(r, sorted=False).indices, True), best


def still(metric: Tensor) -> Groups:
    """Every token by itself, in place."""
    slot = torch.arange(metric.shape[1], device=metric.device).expand(len(metric), -1)
    return Groups(slot=slot, count=metric.shape[1], head=torch.ones_like(slot, dtype=torch.bool))


def weave(even: Tensor, odd: Tensor) -> Tensor:
    """Columns of two tensors in turn: [B, a] and [B, b] to [B, a + b], a - b being 0 or 1."""
    out = even.new_empty(even.shape[0], even.shape[1] + odd.shape[1])
    out[:, ::2], out[:, 1::2] = even, odd
    return out


def alternate(metric: Tensor, r: int, specials: int = 0) -> Groups:
    """Merge the ``r`` best even tokens into their most similar odd ones (ToMe, 2210.09461).

    Output: even tokens that stay, by index, then the odd ones; specials first.

    Args:
        metric: [B, T, D].
        r: Tokens to remove, capped at half of those that are not special.
        specials: Leading tokens that are kept apart.
    """
    r = capped(r, metric.shape[1], specials)
    if not r:
        return still(metric)
    goes, best = strongest(halves(metric, specials), r)
    stays = ~goes
    even = stays.cumsum(1) - 1
    odd = torch.arange(best.shape[1] - r, metric.shape[1] - r, device=metric.device)[None]
    if specials > 1:
        even[:, 1:] += 1
        odd[:, 0] = 1
    even = torch.where(goes, odd.expand(len(best), -1).gather(1, best), even)
    head = weave(stays, torch.ones_like(stays[:, : metric.shape[1] // 2]))
    return Groups(slot=weave(even, odd), count=metric.shape[1] - r, head=head)


def _unpermute(values: Tensor, order: Tensor) -> Tensor:
    return torch.empty_like(values).scatter_(1, order, values)


def ordered(metric: Tensor, order: Tensor, r: int) -> Groups:
    """``alternate`` on tokens sorted by ``order`` (the first variant of PiToMe, 2405.16148).

    Args:
        metric: [B, T, D], no specials.
        order: Permutation of the tokens, int64 [B, T].
        r: Tokens to remove, capped at half.
    """
    groups = alternate(pick(metric, order), r)
    head = None if groups.head is None else _unpermute(groups.head, order)
    return Groups(slot=_unpermute(groups.slot, order), count=groups.count, head=head)


def mergeable(metric: Tensor, order: Tensor, r: int) -> Groups:
    """Pair up the first ``2r`` tokens of ``order``; the others are safe (PiToMe, 2405.16148).

    Of the ``2r``, those at even ranks merge, each into the most similar one at an odd rank.
    Output: the safe tokens in ``order``, then the ``r`` receivers in ``order``.

    Args:
        metric: [B, T, D], no specials.
        order: Permutation of the tokens, int64 [B, T], most redundant first.
        r: Tokens to remove, capped at half.
    """
    length = metric.shape[1]
    r = capped(r, length, 0)
    if not r:
        return still(metric)
    best = halves(pick(metric, order[:, : 2 * r]), 0).argmax(-1)
    safe = length - 2 * r
    receivers = torch.arange(safe, safe + r, device=metric.device)[None].expand_as(best)
    others = torch.arange(safe, device=metric.device).expand(len(order), -1)
    slot = torch.cat([weave(best + safe, receivers), others], 1)
    head = torch.ones_like(slot, dtype=torch.bool)
    head[:, : 2 * r : 2] = False
    return Groups(slot=_unpermute(slot, order), count=length - r, head=_unpermute(head, order))


def both_ways(score: Tensor, r: int, specials: int = 0) -> Groups:
    """Merge ``r // 2`` even tokens into odd ones, then odd ones into even ones that are left.

    The matching of MCTF (2403.10030). Output: even tokens that stay, by index, then the odd ones
    that stay, best match of the second round first; specials first of all.

    Args:
        score: Of even [a] with odd [b] tokens, [B, a, b]; -inf where a special is concerned.
        r: Tokens to remove, at most half of those that are not special.
        specials: Leading tokens that are kept apart.
    """
    first, second = r // 2, r - r // 2
    goes, best = strongest(score, first)
    even = (~goes).cumsum(1) - 1
    value, back = score.masked_fill(goes[..., None], -torch.inf).max(1)
    rank = torch.arange(score.shape[2], device=score.device).expand_as(back)
    rank = _unpermute(rank, value.argsort(descending=True))
    odd = rank + (score.shape[1] - first - second)
    if specials > 1:
        even[:, 1:] += 1
        odd += 1
        odd[:, 0] = 1
    returns = rank < second
    odd = torch.where(returns, even.gather(1, back), odd)
    even = torch.where(goes, odd.gather(1, best), even)
    return Groups(
        slot=weave(even, odd), count=sum(score.shape[1:]) - r, head=weave(~goes, ~returns)
    )


def behind(groups: Groups, specials: int) -> Groups:
    """Groups of patches as groups of a whole sequence, with ``specials`` tokens in front."""
    front = torch.arange(specials, device=groups.slot.device).expand(len(groups.slot), -1)
    slot = torch.cat([front, groups.slot + specials], 1)
    head = groups.head
    if head is not None:
        head = torch.cat([torch.ones_like(front, dtype=torch.bool), head], 1)
    return Groups(slot=slot, count=groups.count + specials, head=head)
