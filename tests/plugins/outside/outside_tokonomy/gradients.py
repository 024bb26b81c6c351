"""A task from outside: dark above or dark below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.families.vision.data import Image, ImageSet

CARD = TaskCard(
    id="outside-gradients",
    title="Gradients",
    families=("vision",),
    summary="Say which half of the image is darker.",
    metric="top-1 accuracy",
    source="generated",
    licence="CC0-1.0",
    split="test only",
    revision="1",
    chance=0.5,
    models=("digits-vit",),
)


def _read(index: int) -> Image:
    ramp = np.linspace(0, 255, 8).astype(np.uint8)[:, None, None]
    image = np.broadcast_to(ramp, (8, 8, 3))
    return np.ascontiguousarray(image if index % 2 else image[::-1])


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Gradients:
    """Sixteen images of two classes."""

    card: ClassVar[TaskCard] = CARD

    def samples(self, split: str) -> ImageSet:
        """The split; there is only one."""
        return ImageSet(
            ids=tuple(f"{split}-{i}" for i in range(16)),
            labels=tuple(i % 2 for i in range(16)),
            classes=("below", "above"),
            read=_read,
            data_hash="0" * 64,
        )
