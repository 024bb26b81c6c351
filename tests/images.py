"""Images of a few classes, written to disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_images(
    folder: Path, classes: int = 3, each: int = 4, side: int = 40, seed: int = 0
) -> Path:
    """``folder/class-<i>/<j>.png`` and every other one a JPEG."""
    rng = np.random.default_rng(seed)
    for label in range(classes):
        (folder / f"class-{label}").mkdir(parents=True)
        for index in range(each):
            pixels = rng.integers(0, 256, (side, side + index, 3), dtype=np.uint8)
            suffix = "jpg" if index % 2 else "png"
            Image.fromarray(pixels).save(folder / f"class-{label}" / f"{index}.{suffix}")
    return folder
