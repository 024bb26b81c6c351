"""Good kv: say in a sentence how it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="good-kv",
    title="Good kv",
    families=("kv",),
    summary="After the prompt, each head keeps the rows whose values are longest.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    differences=("none: it has no reference implementation",),
    sweep=(
        {"keep": 0.75, "question": 1},
        {"keep": 0.5, "question": 1},
        {"keep": 0.25, "question": 1},
        {"keep": 0.1, "question": 1},
    ),
)


def worth(values: Tensor) -> Tensor:
    """What each row of the cache is worth; those worth most are kept.

    Args:
        values: Of one block, [B, H, L, d].

    Returns:
        Higher is better, [B, H, L].
    """
    return values.float().norm(dim=-1)  # replace this line


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class GoodKv(Eviction):
    """Keep the rows that are worth most; how many is as for every method that evicts."""

    card: ClassVar[MethodCard] = CARD

    def score(self, seen: Seen) -> Tensor:
        """What each row is worth."""
        return worth(seen.values)
