"""Random drop: the yardstick that a designed selection has to beat at equal tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate, floor_of_original, stages

CARD = MethodCard(
    id="random-drop",
    title="Random drop",
    families=("vision",),
    summary="Patches are dropped uniformly at random, at the places and counts of Top-K.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens after attention", "tokens before the first block"),
    differences=(
        "A baseline of this project: there is no reference implementation to differ from.",
        "The seed makes 1024 random orders of the patches beforehand; a hash of seed and sample id "
        "picks one, so that a sample loses the same patches in every batch and no random number is "
        "drawn while the method is timed. Papers usually draw from the global generator.",
        "Each stage keeps the first patches of that one order (shuffled once, then cut), which is "
        "as good as a fresh draw: the head of a random order is a uniform subset of a longer head.",
        "At least one patch is always kept.",
    ),
    sweep=(
        {"keep": 0.95},
        {"keep": 0.9},
        {"keep": 0.8},
        {"keep": 0.7},
        {"keep": 0.7, "where": "input"},
        {"keep": 0.6},
        {"keep": 0.5},
        {"keep": 0.5, "where": "input"},
        {"keep": 0.4},
        {"keep": 0.3, "where": "input"},
        {"keep": 0.3},
        {"keep": 0.2},
    ),
)

ORDERS = 1024


def orders(patches: int, seed: int) -> Tensor:
    """Random orders of the patches, int64 [1024, patches]."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    return torch.rand(ORDERS, patches, generator=generator, dtype=torch.float64).argsort(-1)


def rows(ids: Tensor, seed: int) -> Tensor:
    """The order that each sample gets: the top 10 bits of a multiplicative hash, [B].

    The multiplier is 2**64 over the golden ratio, as a signed number (Fibonacci hashing).
    """
    return (((ids + seed % 2**32) * -0x61C8864680B583EB) >> 54) & (ORDERS - 1)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class RandomDrop:
    """Drop patches blindly.

    Attributes:
        keep: Share of patches kept at each stage, of what the stage before kept.
        where: ``"stages"`` drops at a quarter, a half and three quarters of the depth, between
            attention and MLP; ``"input"`` drops once, before the first block.
    """

    keep: float = 0.7
    where: Literal["stages", "input"] = "stages"
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)
        if self.where not in ("stages", "input"):
            raise BadParameter(f"where must be 'stages' or 'input'; got {self.where!r}")

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Patch the model; the seed of ``context`` decides which patches go."""
        if self.where == "input":
            counts = {0: floor_of_original(self.keep, model.patches, 1)[0]}
        else:
            counts = stages(self.keep, model.patches, len(model.layers))
        device = next(model.module.parameters()).device
        table = orders(model.patches, context.seed).to(device)

        def drop(block: int, tokens: Tokens) -> Tokens:
            count = counts.get(block, tokens.patches)
            if count >= tokens.patches:
                return tokens
            if tokens.patches < model.patches:
                return tokens.but(x=tokens.x[:, : tokens.specials + count])
            order = table[rows(tokens.batch.ids, context.seed), :count]
            return select.keep(tokens, order)

        def after(block: int, tokens: Tokens, _: Attention) -> Tokens:
            return drop(block, tokens)

        if self.where == "input":
            return context.enter(model.patched(before=drop))
        return context.enter(model.patched(after=after))
