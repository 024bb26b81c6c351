"""CriticalKV: what counts is not attention alone but how far a value moves the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv import select
from tokonomy_methods.kv.budget import check_share
from tokonomy_methods.kv.scores import projected
from tokonomy_methods.kv.seen import Seen
from tokonomy_methods.kv.snapkv import SnapKV

CARD = MethodCard(
    id="criticalkv",
    title="CriticalKV",
    families=("kv",),
    summary="Half of the budget goes to the rows with SnapKV's highest scores, the rest to those "
    "where score times the length of the projected value is highest.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch", "the weight of the output projection"),
    paper="2502.03805",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "The rule is kvpress' wrapper, around SnapKV: the length is the sum of magnitudes after "
        "the output projection, mean over the queries that share a head of keys. Scores are those "
        "of snapkv, with its differences.",
        "The window is pinned; in kvpress it scores highest in the first stage, and where that "
        "stage is smaller than the window, some of it may go.",
    ),
    sweep=(
        {"keep": 0.75, "question": 1, "window": 4},
        {"keep": 0.5, "question": 1, "window": 4},
        {"keep": 0.25, "question": 1, "window": 4},
        {"keep": 0.1, "question": 1, "window": 4},
        {"keep": 0.5, "question": 16, "window": 4},
        {"keep": 0.25, "question": 16, "window": 4},
        {"keep": 0.1, "question": 16, "window": 4},
        {"keep": 0.25, "window": 4},
    ),
)
LEAST = 1e-4
"""Added to scores before they are weighed, so that no row is worth nothing."""


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalKV(SnapKV):
    """Keep what would move the output.

    Attributes:
        first: Share of the budget that goes by SnapKV's score alone.
    """

    first: float = 0.5
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_share("first", self.first)
        SnapKV.__post_init__(self)

    def score(self, seen: Seen) -> Tensor:
        """Both stages in one: those of the first are above all others."""
        base = SnapKV.score(self, seen)
        weighed = (base + LEAST) * projected(seen.values, seen.block.o_proj.weight)
        best = select.top(base, int(self.first * self.room(seen.state)))
        return weighed.scatter(-1, best, torch.finfo(weighed.dtype).max)
