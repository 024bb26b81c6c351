"""Roles of rows: what a token's role lets later queries see. Pure functions.

Shapes: B requests, H heads of keys, L rows in all, n queries, which belong to the last n rows. A
*global* row is seen for ever, a *local* one until a global one has come, a *sliding* one by the
next few rows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

GLOBAL, LOCAL, SLIDING = 0, 1, 2


def logits(scorer: Tensor, hidden: Tensor) -> Tensor:
    """Logits of the roles of tokens [B, n, C] under a layer [3 * H, C], float32 [B, H, n, 3]."""
    found = F.linear(hidden.float(), scorer)
    return found.view(*hidden.shape[:2], -1, 3).transpose(1, 2)


def visible(roles: Tensor, queries: int, window: int) -> Tensor:
    """Share of each row that each query sees: 0 or 1 where roles are hard.

    A local row is seen up to the next global one, that one included, however far it is.

    Args:
        roles: Share of each role in a row, [B, H, L, 3]; sums to 1.
        queries: n, at most L.
        window: How many rows after it see a sliding row.

    Returns:
        [B, H, n, L], 0 after the query; every query sees itself.
    """
    whole, local, sliding = roles.unbind(-1)
    length = roles.shape[2]
    row = torch.arange(length, device=roles.device)
    query = row[length - queries :, None]
    before = F.pad(whole.cumsum(-1), (1, 0))[..., :-1]  # global rows before each row
    between = before[..., length - queries :, None] - before[..., None, :] - whole[..., None, :]
    alive = (1 - between).clamp(0, 1)
    near = (query - row <= window).to(roles.dtype)
    seen = whole[..., None, :] + local[..., None, :] * alive + sliding[..., None, :] * near
    return torch.where(query == row, 1.0, seen) * (row <= query)


def hard(each: Tensor) -> Tensor:
    """The likeliest role of each row alone, the first among equals; [..., 3]."""
    return F.one_hot(each.argmax(-1), 3).to(each.dtype)


def sampled(each: Tensor, uniform: Tensor, temperature: float = 1.0) -> Tensor:
    """Roles drawn by the Gumbel-softmax, hard in value and soft in gradient (straight through).

    Args:
        each: Logits of the roles, [..., 3].
        uniform: Numbers between 0 and 1, of the same shape.
        temperature: The lower, the nearer the gradient's softmax is to the draw.
    """
    noise = -(-uniform.clamp(1e-9, 1 - 1e-7).log()).log()
    soft = ((each + noise) / temperature).softmax(-1)
    return hard(soft) + soft - soft.detach()


def fixed(roles: Tensor, rows: list[int]) -> Tensor:
    """Roles with some rows global whatever they were."""
    whole = torch.zeros_like(roles[:, :, :1])
    whole[..., GLOBAL] = 1
    found = roles.clone()
    found[:, :, rows] = whole.expand(-1, -1, len(rows), -1)
    return found


def attended(queries: Tensor, keys: Tensor, values: Tensor, scale: float, seen: Tensor) -> Tensor:
    """Attention in which each row counts by the share of it that is seen.

    Exponentials are multiplied by that share, so that a hidden row has a gradient: what would
    change if it were seen.

    Args:
        queries: [B, Q, n, d].
        keys: [B, H, L, d].
        values: [B, H, L, d].
        scale: Factor on the logits.
        seen: [B, H, n, L].

    Returns:
        [B, Q, n, d].
    """
    grouped = queries.reshape(len(keys), keys.shape[1], -1, *queries.shape[2:])
    each = grouped @ keys[:, :, None].mT * scale
    causal = torch.ones(each.shape[-2:], dtype=torch.bool, device=keys.device)
    causal = causal.tril(each.shape[-1] - each.shape[-2])
    highest = each.masked_fill(~causal, float("-inf")).amax(-1, keepdim=True).detach()
    weights = (each - highest).clamp(max=0).exp() * seen[:, :, None]
    mixed: Tensor = weights / weights.sum(-1, keepdim=True) @ values[:, :, None]
    return mixed.flatten(1, 2)
