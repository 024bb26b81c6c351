"""Down-sampling: the image is made smaller before it is cut into patches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy_methods.tokens.schedule import check_rate, exact

CARD = MethodCard(
    id="downsample",
    title="Input down-sampling",
    families=("vision",),
    summary="The image is made smaller before patching; position embeddings are interpolated.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("input resolution", "position embeddings"),
    paper="2510.07143",
    code="Chenfei-Liao/VTC-Bench",
    code_licence="none",
    differences=(
        "The source down-samples images for vision-language models that take any resolution; here "
        "the position embeddings of a fixed-resolution classifier are interpolated bicubically.",
        "Pixels are resized after the processor has normalised them, bicubically with "
        "antialiasing; resizing before gives the same up to clipping and rounding to 8 bits.",
        "The new side is counted in patches and rounded to the nearest, halves up, at least one.",
        "Resizing pixels is part of what is timed. Position embeddings are the same for every "
        "image and interpolated beforehand, without antialiasing, as transformers does; where the "
        "model is called with another resolution, transformers would do it anew in every call.",
    ),
    sweep=(
        {"scale": 0.875},
        {"scale": 0.75},
        {"scale": 0.625},
        {"scale": 0.5},
        {"scale": 0.375},
        {"scale": 0.25},
    ),
)


def side(patches: int, scale: float) -> int:
    """Patches in a row of the smaller image.

    >>> side(16, 0.75), side(14, 0.75), side(8, 0.01)
    (12, 11, 1)
    """
    return max(1, math.floor(patches * exact(scale) + Fraction(1, 2)))


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Downsample:
    """See less (arXiv 2510.07143, where it beats many compression methods).

    Attributes:
        scale: New side over old side; tokens fall with its square.
    """

    scale: float = 0.75
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("scale", self.scale)

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """The unmodified model on a smaller grid; on its own grid, nothing is resized."""
        rows, columns = model.grid
        grid = (side(rows, self.scale), side(columns, self.scale))
        return model if grid == model.grid else context.enter(model.coarse(grid))
