"""Hostile: say in a sentence how it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate, stages

CARD = MethodCard(
    id="hostile",
    title="<script>alert(1)</script>",
    families=("vision",),
    summary="\x1b]8;;https://example.org\x07Keeps the patches with the longest hidden states, at three places of the depth.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens after attention",),
    differences=("none: it has no reference implementation",),
    paper="javascript:alert(1)",
    code="../../etc",
    code_licence="MIT",
    sweep=({"keep": 0.9}, {"keep": 0.7}, {"keep": 0.5}, {"keep": 0.3}),
)


def worth(patches: Tensor) -> Tensor:
    """What each patch is worth; those worth most are kept.

    Args:
        patches: Hidden states, [B, n, C].

    Returns:
        Higher is better, [B, n].
    """
    return patches.norm(dim=-1)  # replace this line


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """Keep ``int(keep ** i * N)`` of N patches at stage i.

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
            scores = worth(tokens.x[:, tokens.specials :])
            return select.keep(tokens, select.top(scores, count, "raster"))

        return context.enter(model.patched(after=after))
