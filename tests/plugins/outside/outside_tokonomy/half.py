"""Keeps the first half of the patches: a method from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens

CARD = MethodCard(
    id="outside-half",
    title="First part of the image",
    families=("vision",),
    summary="Keeps the first patches of the image from one block on.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens before a block",),
    sweep=({"keep": 0.8}, {"keep": 0.6}, {"keep": 0.4}, {"keep": 0.2}),
    differences=("none: it has no reference implementation",),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """Keep the first ``keep`` of the patches before the first block."""

    keep: float = 0.5
    card: ClassVar[MethodCard] = CARD

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Patch the model."""

        def before(layer: int, tokens: Tokens) -> Tokens:
            if layer:
                return tokens
            count = tokens.specials + int(self.keep * tokens.patches)
            index = torch.arange(count, device=tokens.x.device)
            return tokens.take(index.expand(len(tokens.batch), -1))

        return context.enter(model.patched(before=before))
