"""The unmodified model, with a known amount of memory in use while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.contract import Predict

CARD = MethodCard(
    id="planted-memory",
    title="Planted memory",
    families=("vision", "decoding", "kv"),
    summary="The unmodified model, with a known number of bytes held while it is called.",
    kind="control",
    lossless="exact",
    effect="none",
    alters=("memory of a call",),
    differences=(
        "Every byte is written before the model is called and given back after it, so the peak of "
        "a call lies that much above the model's own.",
        "The bytes are on the model's device. A GPU's allocator hands them out in blocks of 2 MiB "
        "and keeps them for the next call, which only the reserved peak shows.",
    ),
    sweep=({"mebibytes": 64},),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedMemory:
    """Hold memory during each call.

    Attributes:
        mebibytes: How much, in MiB; from 32 on no heap keeps it after the call.
    """

    mebibytes: int = 64
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole = isinstance(self.mebibytes, int) and not isinstance(self.mebibytes, bool)
        if not whole or not 0 <= self.mebibytes <= 65_536:
            raise BadParameter(
                f"mebibytes must be a whole number from 0 to 65536; got {self.mebibytes!r}"
            )

    def prepare(self, model: Any, context: Context) -> Predict:
        """The model beside its ballast."""
        device = next(model.module.parameters()).device
        size = self.mebibytes * 2**20

        def predict(batch: Any) -> Tensor:
            held = torch.full((size,), 1, dtype=torch.uint8, device=device)
            logits: Tensor = model(batch)
            del held
            return logits

        return predict
