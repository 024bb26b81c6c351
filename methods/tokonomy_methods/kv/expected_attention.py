"""Expected attention: what queries to come will look at, were they as those so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.rotation import turn
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="expected-attention",
    title="Expected attention",
    families=("kv",),
    summary="After the prompt, each head keeps the rows to which normally distributed queries at "
    "the positions to come would give most attention, weighed by the length of the value.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=(
        "prompts of one length in a batch",
        "rotary positions",
        "all queries of the prompt once more",
    ),
    paper="2510.00636",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "The score is that of kvpress: mean and covariance of the queries before turning, without "
        "the sinks, turned by the mean over the next positions; softmax over rows without the "
        "sinks; mean over the queries that share a head of keys; times the value's length.",
        "kvpress' leaderboard wraps it in AdaKV with epsilon 0.01; here every head keeps the same "
        "number, and epsilon is 0 as in kvpress' own default.",
        "Sinks are pinned, where kvpress gives them the highest score of any request in the batch.",
    ),
    sweep=(
        {"keep": 0.75, "question": 1},
        {"keep": 0.5, "question": 1},
        {"keep": 0.25, "question": 1},
        {"keep": 0.1, "question": 1},
        {"keep": 0.5, "question": 16},
        {"keep": 0.25, "question": 16},
        {"keep": 0.1, "question": 16},
        {"keep": 0.25},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAttention(Eviction):
    """Keep what queries to come would look at.

    Attributes:
        future: Positions to come that are averaged over.
        sinks: First rows that always stay and whose queries do not count.
        epsilon: Added to the attention before it is weighed by the value.
    """

    future: int = 512
    sinks: int = 4
    epsilon: float = 0.0
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("future", self.future, 1)
        check_whole("sinks", self.sinks)
        if not isinstance(self.epsilon, int | float) or not 0 <= self.epsilon <= 1:
            raise BadParameter(f"epsilon must be a number from 0 to 1; got {self.epsilon!r}")
        Eviction.__post_init__(self)

    def pins(self, room: int) -> tuple[int, int]:
        """The sinks stay."""
        return self.sinks, 0

    def score(self, seen: Seen) -> Tensor:
        """Expected attention times the value's length; sinks are pinned and score nothing."""
        keys, values = seen.keys[:, :, self.sinks :], seen.values[:, :, self.sinks :]
        found = scores.expected(*self.law(seen), keys, seen.scale) + self.epsilon
        return F.pad(found * values.float().norm(dim=-1), (self.sinks, 0))

    def law(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """Mean [B, Q, d] and covariance [B, Q, d, d] of the queries to come."""
        queries = seen.queries(turned=False)[:, :, self.sinks :].float()
        mean = queries.mean(2, keepdim=True)
        apart = queries - mean
        spread = apart.mT @ apart / apart.shape[2]
        place = seen.held + torch.arange(self.future, device=queries.device)
        cos, sin = (each.mean(1, keepdim=True) for each in seen.angles(place))
        spread = turn(seen.block, turn(seen.block, spread, cos, sin).mT, cos, sin).mT
        return turn(seen.block, mean, cos, sin)[:, :, 0], spread
