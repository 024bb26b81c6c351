"""ToFu against a loop, sample by sample: dropping first, merging by norm later."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from merging import evens_then_odds, images, keys, partners, patches_after, wide
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.tofu import Base, ToFu


def fused(x: torch.Tensor, head: int, others: list[int], base: Base) -> torch.Tensor:
    group = x[[head, *others]]
    mean = group.mean(0)
    norm = x[head].norm() if base == "unmerged" else mean.norm()
    return mean / norm * group.norm(dim=1).max()


def straight(plain: Any, batch: Batch, ratio: float, base: Base) -> torch.Tensor:
    specials = plain.model.specials
    x = plain.embed(batch.pixels)
    for index in range(8):
        metric = keys(plain.model, index, x)
        x, _, _ = plain.attend(index, x)
        r = math.floor(x.shape[1] - ratio * x.shape[1])
        out = []
        for sample, of in zip(x, metric, strict=True):
            goes = partners(of, r, specials)
            order = evens_then_odds(len(sample), goes, specials)
            if index <= 4:
                out.append(sample[order])
            else:
                members = {i: [s for s, d in goes.items() if d == i] for i in order}
                out.append(torch.stack([fused(sample, i, members[i], base) for i in order]))
        x = plain.mlp(index, torch.stack(out))
    return plain.classify(x)


@pytest.mark.parametrize("base", ["unmerged", "mean"])
@torch.inference_mode()
def test_tofu_equals_the_rule_written_out(
    model: VisionModel, plain: Any, batch: Batch, base: Base
) -> None:
    wanted = straight(plain, batch, 0.8, base)
    with Context() as context:
        logits = ToFu(ratio=0.8, base=base).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


def test_counts_include_the_class_token() -> None:
    # 0.9 of 197: 178 (177.3 up); 161 (160.2 up); 145 (144.9 up)
    model = wide()
    assert patches_after(model, ToFu(ratio=0.9), images(model))[:3] == [177, 160, 144]


@pytest.mark.parametrize("parameters", [{"ratio": 0.4}, {"ratio": 1.1}, {"base": "largest"}])
def test_impossible_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        ToFu(**parameters)
