"""Handwritten digits of 8x8 pixels: small enough that one token is one pixel.

Each class is split on its own. Its samples are spread at even steps over the order in which
scikit-learn stores them, so both splits cover that order from end to end, whoever wrote what.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.errors import BadData
from tokonomy.families.vision.data import Image, ImageSet
from tokonomy_tasks.vision.bundled import bundled

CARD = TaskCard(
    id="digits",
    title="Handwritten digits",
    families=("vision",),
    summary="Name the digit in an 8x8 grey image; at patch size 1 each image is 64 tokens.",
    metric="top-1 accuracy: share of test images whose highest logit is the true class",
    source="load_digits of scikit-learn (1,797 images), a copy of the test part of UCI Optical "
    "Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak, 1998)",
    licence="CC BY 4.0 (UCI); the copy comes with scikit-learn, BSD-3-Clause",
    split="Per class, every 10th, 3rd and 7th of ten consecutive samples is test: 1,261 train and "
    "536 test images, no image in both. Writers are not recorded in this copy (13 wrote it), so "
    "the same hand may appear in both splits.",
    revision="1",
    chance=0.1,
    models=("digits-vit",),
)

_CLASSES = tuple(str(digit) for digit in range(10))
_LEVELS = 16  # ink counts of a 4x4 block: 0 is paper, 16 is full
_TEST_PHASES = (2, 6, 9)  # places in each run of ten that go to the test split


def is_test(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the test samples.

    Args:
        labels: Class of every sample, shape [n], in stored order.

    Returns:
        True where the sample is test, shape [n].
    """
    rank = np.empty_like(labels)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.isin(rank % 10, _TEST_PHASES)


@cache
def _load(split: str) -> ImageSet:
    # Read as stored: importing sklearn.datasets takes longer than the rest of this module.
    table = np.loadtxt(
        bundled("sklearn", "datasets", "data", "digits.csv.gz"), delimiter=",", dtype=np.int64
    )
    data, target = table[:, :64].reshape(-1, 8, 8), table[:, 64]
    chosen = np.flatnonzero(is_test(target) == (split == "test"))
    grey = np.rint(data[chosen] * (255 / _LEVELS)).astype(np.uint8)
    labels = tuple(int(label) for label in target[chosen])
    ids = tuple(f"digits-{index:04d}" for index in chosen)
    digest = hashlib.sha256(grey.tobytes())
    digest.update(repr((split, ids, labels, _CLASSES)).encode())

    def read(index: int) -> Image:
        return np.repeat(grey[index, :, :, None], 3, axis=2)

    return ImageSet(
        ids=ids, labels=labels, classes=_CLASSES, read=read, data_hash=digest.hexdigest()
    )


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """The digits, split by stored order within each class."""

    def samples(self, split: str) -> ImageSet:
        """Give one split.

        Args:
            split: ``"train"`` or ``"test"``.

        Returns:
            Images of shape [8, 8, 3], grey replicated, ink white on black.
        """
        if split not in ("train", "test"):
            raise BadData(f"digits: the split is 'train' or 'test'; got {split!r}")
        return _load(split)
