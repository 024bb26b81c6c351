"""Good images: say in a sentence what is asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.errors import BadData
from tokonomy.families.vision.data import Image, ImageSet

CARD = TaskCard(
    id="good-images",
    title="Good images",
    families=("vision",),
    summary="Say whether the stripes of an 8x8 image run across or down.",
    metric="top-1 accuracy: share of test images whose highest logit is the true class",
    source="Generated from a seed.",
    licence="CC0-1.0",
    split="By seed: no image is in both.",
    revision="1",
    chance=0.5,
    models=("digits-vit",),
)

_CLASSES = ("across", "down")
_SEEDS = {"train": 0, "test": 1}
COUNT = 200


def image(seed: int, index: int) -> Image:
    """One image, uint8 RGB of shape [height, width, 3]; its class is ``index % 2``."""
    rng = np.random.default_rng((seed, index))
    stripes = np.repeat(rng.integers(0, 256, (8, 1), dtype=np.uint8), 8, 1)  # replace these lines
    grey = stripes if index % 2 == 0 else stripes.T
    return np.repeat(grey[:, :, None], 3, 2)


@cache
def _load(split: str) -> ImageSet:
    seed, digest = _SEEDS[split], hashlib.sha256(repr(_CLASSES).encode())
    for index in range(COUNT):
        digest.update(image(seed, index).tobytes())
    return ImageSet(
        ids=tuple(f"good-images-{split}-{index:03d}" for index in range(COUNT)),
        labels=tuple(index % 2 for index in range(COUNT)),
        classes=_CLASSES,
        read=lambda index: image(seed, index),
        data_hash=digest.hexdigest(),
    )


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class GoodImages:
    """Both splits, drawn from seeds of their own."""

    def samples(self, split: str) -> ImageSet:
        """Give one split, ``"train"`` or ``"test"``."""
        if split not in _SEEDS:
            raise BadData(f"good-images: the split is 'train' or 'test'; got {split!r}")
        return _load(split)
