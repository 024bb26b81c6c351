"""Key norm: keys that are long get little attention, so the short ones stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="knorm",
    title="Key norm",
    families=("kv",),
    summary="After the prompt, each head keeps the rows whose keys are shortest.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    paper="2406.11430",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "The score is that of kvpress: minus the length of the key in float32, in every block. "
        "Where kvpress gives the share removed, keep is the share kept.",
        "Rows stay in the order of the text; in kvpress they stand in order of score, which "
        "attention cannot tell apart.",
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
class Knorm(Eviction):
    """Keep short keys."""

    card: ClassVar[MethodCard] = CARD

    def score(self, seen: Seen) -> Tensor:
        """Minus the length of each key."""
        return scores.shortness(seen.keys)
