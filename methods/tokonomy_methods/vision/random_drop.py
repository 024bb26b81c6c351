"""Random drop: the yardstick that a designed selection has to beat at equal tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate, floor_of_original, stages
from tokonomy_methods.tokens.score import uniform

CARD = MethodCard(
    id="random-drop",
    title="Random drop",
    family="vision",
    summary="Patches are dropped uniformly at random, at the places and counts of Top-K.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens after attention", "tokens before the first block"),
    differences=(
        "A baseline of this project: there is no reference implementation to differ from.",
        "Numbers come from a hash of seed, sample, block and position, so that a sample loses the "
        "same patches in every batch; papers usually draw from the global generator.",
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
        counts = stages(self.keep, model.patches, len(model.layers))
        if self.where == "input":
            counts = {0: floor_of_original(self.keep, model.patches, 1)[0]}

        def drop(block: int, tokens: Tokens) -> Tokens:
            count = counts.get(block, tokens.patches)
            if count >= tokens.patches:
                return tokens
            scores = uniform(context.seed, tokens.batch.ids, block, tokens.patches)
            return select.keep(tokens, select.top(scores, count, "raster"))

        def after(block: int, tokens: Tokens, _: Attention) -> Tokens:
            return drop(block, tokens)

        if self.where == "input":
            return context.enter(model.patched(before=drop))
        return context.enter(model.patched(after=after))
