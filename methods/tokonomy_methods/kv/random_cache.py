"""Random rows: the yardstick that a designed score has to beat at equal memory."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen, State

CARD = MethodCard(
    id="random-cache",
    title="Random rows of the cache",
    families=("kv",),
    summary="After the prompt, each head keeps rows drawn uniformly at random.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "Scores are uniform, as in kvpress, which draws them from the global generator; here they "
        "come from the seed, the request and the block, so that a request loses the same rows in "
        "every batch and every time.",
        "The first and the last rows can be kept whatever is drawn, so that a method that pins "
        "them can be held against chance in the rows between alone.",
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
        {"keep": 0.5, "question": 1, "sinks": 4, "window": 4},
        {"keep": 0.25, "question": 1, "sinks": 4, "window": 4},
    ),
)


def drawn(state: State, heads: int, length: int) -> Tensor:
    """Numbers from 0 to 1 for the rows of one block, the same for the same request, [B, H, L]."""
    found = []
    for request in state.ids.tolist():
        seed = random.Random(f"{state.seed} {request} {state.layer}").getrandbits(63)
        generator = torch.Generator().manual_seed(seed)
        found.append(torch.rand(heads, length, generator=generator))
    return torch.stack(found).to(state.ids.device)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class RandomCache(Eviction):
    """Keep rows blindly.

    Attributes:
        sinks: First rows that always stay.
        window: Last rows that always stay.
    """

    sinks: int = 0
    window: int = 0
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("sinks", self.sinks)
        check_whole("window", self.window)
        Eviction.__post_init__(self)

    def pins(self, room: int) -> tuple[int, int]:
        """Both ends, where asked for."""
        return self.sinks, self.window

    def score(self, seen: Seen) -> Tensor:
        """Chance."""
        return drawn(seen.state, *seen.keys.shape[1:3])
