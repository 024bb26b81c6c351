"""EViT against a loop with full attention maps, and its fused token by hand."""

import math
from typing import Any

import pytest
import torch

from merging import wide
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.evit import EViT, fuse


def test_the_fused_token_is_a_sum_not_a_mean() -> None:
    x = torch.tensor([[[1.0, 0.0], [2.0, 4.0], [8.0, 8.0]]])
    scores = torch.tensor([[0.1, 0.25, 0.5]])
    assert fuse(x, scores, torch.tensor([[1, 0]])).tolist() == [[pytest.approx([0.6, 1.0])]]


def straight(plain: Any, batch: Batch, specials: int, keep: float, fused: bool) -> torch.Tensor:
    x = plain.embed(batch.pixels)
    for index in range(8):
        x, weights, _ = plain.attend(index, x)
        if index in (2, 4, 6):
            count = math.ceil(keep * (x.shape[1] - specials))
            out = []
            for sample, row in zip(x, weights[:, :, 0].mean(1), strict=True):
                order = sorted(range(specials, len(sample)), key=lambda i: -float(row[i]))
                kept = [*range(specials), *order[:count]]
                lost = order[count:]
                extra = [(row[lost, None] * sample[lost]).sum(0, keepdim=True)] if fused else []
                out.append(torch.cat([sample[kept], *extra]))
            x = torch.stack(out)
        x = plain.mlp(index, x)
    return plain.classify(x)


@pytest.mark.parametrize("fused", [True, False])
@torch.inference_mode()
def test_evit_equals_the_rule_written_out(
    model: VisionModel, plain: Any, batch: Batch, fused: bool
) -> None:
    wanted = straight(plain, batch, model.specials, 0.6, fused)
    with Context() as context:
        logits = EViT(keep=0.6, fused=fused).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


def test_fused_is_a_switch() -> None:
    with pytest.raises(BadParameter, match="fused must be true or false; got 'yes'"):
        EViT(fused="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_shallow_model_is_not_reduced_twice_in_a_block(blocks: int) -> None:
    model = wide(blocks)
    with Context() as context, pytest.raises(Unsupported, match="at least 4 blocks"):
        EViT(keep=0.5).prepare(model, context)
