"""Labelled images in a fixed order: what a vision task hands to the harness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokonomy.errors import BadData

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """One split of an image classification task.

    Attributes:
        ids: Stable name of each sample.
        labels: Class index of each sample, into ``classes``.
        classes: Class names.
        read: Gives sample ``i`` as uint8 RGB of shape [height, width, 3];
            raises ``UnreadableSample`` where it cannot be decoded.
        data_hash: SHA-256 over everything above.
    """

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    read: Callable[[int], Image]
    data_hash: str

    def __post_init__(self) -> None:
        if not self.ids or len(self.ids) != len(self.labels):
            raise BadData(
                f"a split needs one label per sample and at least one sample; "
                f"got {len(self.ids)} samples and {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.ids)
