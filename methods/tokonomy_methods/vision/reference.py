"""The model as it is: the arm that every method is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.model import Predict, VisionModel

CARD = MethodCard(
    id="reference",
    title="Reference",
    family="vision",
    summary="The unmodified model: same weights, same inputs, same attention kernel.",
    kind="reference",
    lossless="exact",
    effect="none",
    alters=(),
    sweep=({},),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Nothing is removed, nothing is patched."""

    card: ClassVar[MethodCard] = CARD

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """The model itself."""
        return model
