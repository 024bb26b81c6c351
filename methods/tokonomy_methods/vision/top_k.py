"""Top-K: keep the patches that the class token looks at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate, stages
from tokonomy_methods.tokens.score import class_attention

CARD = MethodCard(
    id="top-k",
    title="Top-K",
    families=("vision",),
    summary="Three times, the patches with the most class attention are kept and the rest dropped.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens after attention",),
    needs=("cls token", "class attention"),
    paper="2308.04657",
    code="JoakimHaurum/TokenReduction",
    code_licence="MIT",
    differences=(
        "Used without the 30 epochs of fine-tuning of the source.",
        "Stages lie at a quarter, a half and three quarters of the depth (blocks 3, 6 and 9 of 12, "
        "as in the source).",
        "The class token's attention is computed as one extra row beside the block's own kernel; "
        "the source computes the whole map and mixes with it, so results agree to rounding only.",
        "Counts are shares of the model's own number of patches; the source fixes 196.",
        "At least one patch is always kept.",
        "A distillation token is kept in place; the source has no distilled model.",
        "Among equal scores the earlier patch is kept; the source leaves ties to torch.topk.",
    ),
    atlas=("S275",),
    sweep=(
        {"keep": 0.95},
        {"keep": 0.9},
        {"keep": 0.8},
        {"keep": 0.7},
        {"keep": 0.6},
        {"keep": 0.5},
        {"keep": 0.35},
        {"keep": 0.25},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class TopK:
    """Keep ``int(keep ** i * N)`` patches at stage i, highest class attention first.

    Attributes:
        keep: Share of patches kept at each stage, of what the stage before kept.
    """

    keep: float = 0.7
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Patch the model between attention and MLP of three blocks."""
        counts = stages(self.keep, model.patches, len(model.layers))

        def after(block: int, tokens: Tokens, attention: Attention) -> Tokens:
            count = counts.get(block, tokens.patches)
            if count >= tokens.patches:
                return tokens
            scores = class_attention(attention.cls_row, tokens.specials)
            return select.keep(tokens, select.top(scores, count, "score"))

        return context.enter(model.patched(after=after))
