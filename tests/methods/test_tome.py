"""ToMe against a loop, sample by sample, and the counts it really leaves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from merging import blended, evens_then_odds, images, keys, partners, patches_after, wide
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.tome import ToMe


def straight(plain: Any, batch: Batch, removed: list[int], proportional: bool) -> torch.Tensor:
    specials = plain.model.specials
    x = plain.embed(batch.pixels)
    size = torch.ones(x.shape[:2])
    for index, r in enumerate(removed):
        metric = keys(plain.model, index, x)
        x, _, _ = plain.attend(index, x, size.log() if proportional else None)
        out = []
        for sample, weight, of in zip(x, size, metric, strict=True):
            goes = partners(of, r, specials)
            order = evens_then_odds(len(sample), goes, specials)
            groups = [[i, *(s for s, d in goes.items() if d == i)] for i in order]
            out.append(blended(sample, weight, groups))
        x, size = torch.stack([o[0] for o in out]), torch.stack([o[1] for o in out])
        x = plain.mlp(index, x)
    return plain.classify(x)


@pytest.mark.parametrize("proportional", [True, False])
@torch.inference_mode()
def test_tome_equals_the_rule_written_out(
    model: VisionModel, plain: Any, batch: Batch, proportional: bool
) -> None:
    wanted = straight(plain, batch, [6] * 8, proportional)
    with Context() as context:
        logits = ToMe(r=6, proportional=proportional).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


def test_a_falling_schedule_removes_early() -> None:
    model = wide()
    left = patches_after(model, ToMe(r=13, inflection=-1), images(model))
    removed = [a - b for a, b in zip([196, *left], left, strict=False)]
    assert removed == [26, 23, 21, 18, 16, 14, 11, 9, 7, 4, 2, 0]  # [calc]


@pytest.mark.parametrize(("r", "last"), [(13, 40), (16, 10)])  # [calc], less the class token
def test_counts(r: int, last: int) -> None:
    model = wide()
    assert patches_after(model, ToMe(r=r), images(model))[-1] == last


def test_a_share_is_of_the_model_s_patches(model: VisionModel, batch: Batch) -> None:
    assert patches_after(model, ToMe(r=0.1), batch) == [58, 52, 46, 40, 34, 28, 22, 16]


@pytest.mark.parametrize("parameters", [{"r": -1}, {"r": 1.0}, {"r": "8"}, {"inflection": 2}])
def test_impossible_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        ToMe(**parameters)


def test_r_larger_than_the_tokens(model: VisionModel) -> None:
    with Context() as context, pytest.raises(BadParameter, match="64 patches; got 65"):
        ToMe(r=65).prepare(model, context)
