"""KeyDiff: keys that point where all the others do say little, so the odd ones stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="keydiff",
    title="KeyDiff",
    families=("kv",),
    summary="After the prompt, each head keeps the rows whose keys are least like the mean key.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    paper="2504.15364",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "The score is that of kvpress: minus the cosine between a key and the mean of the keys at "
        "length 1, once after the prompt. Where kvpress gives the share removed, keep is the "
        "share kept.",
        "Computed in float32 whatever the model's precision.",
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
class KeyDiff(Eviction):
    """Keep odd keys."""

    card: ClassVar[MethodCard] = CARD

    def score(self, seen: Seen) -> Tensor:
        """Minus the cosine with the mean direction."""
        return scores.difference(seen.keys)
