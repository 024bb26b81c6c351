"""The model as it is: the arm that every method is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.contract import Predict

CARD = MethodCard(
    id="reference",
    title="Reference",
    families=("vision", "decoding", "kv"),
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

    def prepare(self, model: Any, context: Context) -> Predict:
        """The model itself."""
        return model  # type: ignore[no-any-return] # a model is called with a batch
