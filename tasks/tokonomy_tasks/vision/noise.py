"""Images of noise: something to feed a model whose answers mean nothing, to see what it costs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.errors import BadData
from tokonomy.families.vision.data import Image, ImageSet

CARD = TaskCard(
    id="noise",
    title="Images of noise",
    families=("vision",),
    summary="Costs only: 320 images of 224x224 pixels, each byte drawn evenly; there is nothing to "
    "tell apart.",
    metric="none: the answers mean nothing, so only costs are measured",
    source="Generated from a seed (the raw output of PCG64, the same on every machine)",
    licence="CC0-1.0",
    split="test only",
    revision="1",
    models=("deit-small-random", "deit-base-random", "vit-large-random"),
    scored=False,
)

SIDE = 224
COUNT = 320  # ten batches of 32, so that some are left that timing never met
_SEED = 20260


def _image(index: int) -> Image:
    words = SIDE * SIDE * 3 // 8
    drawn = np.random.PCG64(np.random.SeedSequence((_SEED, index))).random_raw(words)
    return drawn.astype("<u8").view(np.uint8).reshape(SIDE, SIDE, 3)


@cache
def _load() -> ImageSet:
    digest = hashlib.sha256()
    for index in range(COUNT):
        digest.update(_image(index).tobytes())
    return ImageSet(
        ids=tuple(f"noise-{index:03d}" for index in range(COUNT)),
        labels=(0,) * COUNT,
        classes=("none",),
        read=_image,
        data_hash=digest.hexdigest(),
    )


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The images; there is one label, which means nothing."""

    def samples(self, split: str) -> ImageSet:
        """Give the images.

        Args:
            split: ``"test"``, the only one.

        Returns:
            Images of shape [224, 224, 3].
        """
        if split != "test":
            raise BadData(f"noise: the only split is 'test'; got {split!r}")
        return _load()
