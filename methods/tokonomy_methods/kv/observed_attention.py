"""Observed attention: rows that the prompt's own queries attended to stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="observed-attention",
    title="Observed attention",
    families=("kv",),
    summary="After the prompt, each head keeps the rows that got most attention, as a mean over "
    "the queries that could see them.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch", "all queries of the prompt once more"),
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "kvpress reads the weights of eager attention; here they are computed once more from "
        "queries and keys, 256 queries at a time, so that the model keeps its fast kernel and no "
        "whole map is held.",
        "The method is kvpress' own reading of H2O: no recent rows are pinned, and nothing is "
        "evicted while decoding. For those see h2o.",
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
class ObservedAttention(Eviction):
    """Keep what was looked at."""

    card: ClassVar[MethodCard] = CARD

    def score(self, seen: Seen) -> Tensor:
        """Attention received, over the number of queries from a row on."""
        total = scores.received(seen.queries(), seen.keys, seen.scale)
        return total / torch.arange(seen.held, 0, -1, device=total.device)
