"""Down-sampling: the grid it chooses, and the model it leaves alone."""

import pytest
import torch

from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.downsample import CARD, Downsample, side


@pytest.mark.parametrize(
    ("patches", "sides"),
    [  # [calc]
        (16, [14, 12, 10, 8, 6, 4]),
        (14, [12, 11, 9, 7, 5, 4]),
        (8, [7, 6, 5, 4, 3, 2]),
    ],
)
def test_sides_of_the_sweep(patches: int, sides: list[int]) -> None:
    got = [side(patches, setting["scale"]) for setting in CARD.sweep]
    assert got == sides
    assert len({patches, *got}) == len(got) + 1 >= 7


def test_sides_are_rounded_half_up_and_never_vanish() -> None:
    assert side(5, 0.5) == 3
    assert side(5, 0.01) == 1
    assert side(10, 0.15) == 2


@torch.inference_mode()
def test_the_smaller_image_is_what_the_model_sees(model: VisionModel, batch: Batch) -> None:
    small = torch.nn.functional.interpolate(
        batch.pixels, size=(16, 16), mode="bicubic", antialias=True
    )
    wanted = model.module(small, interpolate_pos_encoding=True).logits
    with Context() as context:
        logits = Downsample(scale=0.5).prepare(model, context)(batch)
    assert torch.equal(logits, wanted)


def test_a_larger_image_is_refused() -> None:
    with pytest.raises(BadParameter, match=r"scale must be .* got 1.5"):
        Downsample(scale=1.5)
