"""K-SEQ: one of several independent drafts of a token, or another, such that the law is kept.

Drafts come from q, and the token is to follow p. Each draft x in turn is taken with probability
min(1, p(x) / (rho q(x))); if none is, the token comes from what is left of p. Any rho from the
best one up keeps the law; the best one makes it likeliest that a draft is taken. With one draft,
rho is 1 and the rule is that of speculative sampling.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tokonomy_methods.decoding.laws import drawn

_HALVINGS = 48  # of [1, k]: float64 has 52 bits


def agreement(p: Tensor, q: Tensor, rho: float) -> float:
    """Probability that one draft is taken: the sum over x of min(q(x), p(x) / rho)."""
    return float(torch.minimum(q, p / rho).sum())


def taken(p: Tensor, q: Tensor, drafts: int, rho: float) -> float:
    """Probability that any of several drafts is taken."""
    return _any(agreement(p, q, rho), drafts)


def _any(share: float, drafts: int) -> float:
    return 1 - (1 - min(1.0, share)) ** drafts


def best_rho(p: Tensor, q: Tensor, drafts: int) -> float:
    """The least rho for which something is left of p for every token.

    It solves taken(rho) = rho * agreement(rho) on [1, drafts], by bisection; what is returned is
    on the side where the law is kept.
    """
    if drafts == 1:
        return 1.0
    share = _agreements(p, q, drafts)
    low, high = 1.0, float(drafts)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = share(middle)
        if _any(found, drafts) > middle * found:
            low = middle
        else:
            high = middle
    return high


def _agreements(p: Tensor, q: Tensor, drafts: int) -> Callable[[float], float]:
    """``agreement`` as a function of rho on [1, drafts], quick to ask for again and again.

    Only tokens with 1 < p / q < drafts change sides; sums over them, in that order, are kept.
    """
    ratios = p / q
    always, never = float(q[ratios >= drafts].sum()), float(p[ratios <= 1].sum())
    there = ((ratios > 1) & (ratios < drafts)).nonzero()[:, 0]
    bounds, order = ratios[there].sort()
    above, below = q[there][order], p[there][order]
    left: list[float] = [never, *(never + below.cumsum(0)).tolist()]
    right: list[float] = [*(always + above.flip(0).cumsum(0).flip(0)).tolist(), always]
    steps = bounds.tolist()

    def share(rho: float) -> float:
        at = bisect_left(steps, rho)
        return right[at] + left[at] / rho

    return share


def residual(p: Tensor, q: Tensor, drafts: int, rho: float) -> Tensor:
    """What is left of p for the case that no draft is taken, [V]; sums to its probability."""
    share = agreement(p, q, rho)
    if share == 0:  # no draft can be taken
        return p
    least = torch.minimum(q, p / rho)
    return (p - least * (taken(p, q, drafts, rho) / share)).clamp(min=0)


def kseq(
    p: Tensor, q: Tensor, drafts: Sequence[int], rho: float, uniform: Tensor
) -> tuple[int, bool]:
    """The token, and whether it is one of the drafts that was taken.

    Args:
        p: The law that the token follows, float64 [V].
        q: The law that the drafts were drawn from, independently, float64 [V].
        drafts: The drafts, at least one.
        rho: ``best_rho`` of these, or more.
        uniform: A number from [0, 1) for each draft and one more, float64 [k + 1].
    """
    bounds = (p[list(drafts)] / (rho * q[list(drafts)])).tolist()
    for token, bound, number in zip(drafts, bounds, uniform.tolist(), strict=False):
        if number < bound:
            return token, True
    left = residual(p, q, len(drafts), rho)
    return int(drawn(left if float(left.sum()) > 0 else p, uniform[-1])), False
