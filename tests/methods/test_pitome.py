"""PiToMe: the energy by hand, both variants against a loop, and the counts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from merging import blended, circle, cosine, images, keys, patches_after, wide
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.pitome import PiToMe, energy


def test_energy_by_hand() -> None:
    # cosines of 0, 60 and 180 degrees are 1, 0.5 and -1; the margin 0.5
    got = energy(3 * circle(0, 60, 180), 0.5)[0].tolist()
    low, lower = math.exp(-1.0) - 1, math.exp(-1.5) - 1
    assert got == pytest.approx(
        [(0.5 + 0 + lower) / 3, (0 + 0.5 + low) / 3, (lower + low + 0.5) / 3], abs=1e-6
    )


def crowded(metric: torch.Tensor, margin: float) -> list[int]:
    """Patches of one sample, most energy first."""

    def elu(value: float) -> float:
        return value if value > 0 else math.exp(value) - 1

    score = [sum(elu(cosine(a, b) - margin) for b in metric) for a in metric]
    return sorted(range(len(metric)), key=lambda i: -score[i])


def pairs(metric: torch.Tensor, order: list[int], r: int, protect: bool) -> dict[int, int]:
    pool = order[: 2 * r] if protect else order
    found = [max((cosine(metric[a], metric[b]), b, a) for b in pool[1::2]) for a in pool[::2]]
    found.sort(reverse=True)
    return {a: b for _, b, a in found[:r]}


def straight(plain: Any, batch: Batch, ratio: float) -> torch.Tensor:
    specials = plain.model.specials
    x = plain.embed(batch.pixels)
    size = torch.ones(x.shape[:2])
    for index in range(8):
        metric = keys(plain.model, index, x)[:, specials:]
        x, _, _ = plain.attend(index, x)
        r = math.floor(metric.shape[1] - ratio * metric.shape[1])
        out = []
        for sample, weight, of in zip(x, size, metric, strict=True):
            order = crowded(of, 0.75 * (1 - index / 8))
            goes = pairs(of, order, r, protect=index >= 4)
            groups = [[i, *(s for s, d in goes.items() if d == i)] for i in order if i not in goes]
            groups = [[i + specials for i in group] for group in groups]
            out.append(blended(sample, weight, [[i] for i in range(specials)] + groups))
        x, size = torch.stack([o[0] for o in out]), torch.stack([o[1] for o in out])
        x = plain.mlp(index, x)
    return plain.classify(x)


@torch.inference_mode()
def test_pitome_equals_the_rule_written_out(model: VisionModel, plain: Any, batch: Batch) -> None:
    wanted = straight(plain, batch, 0.75)
    with Context() as context:
        logits = PiToMe(ratio=0.75).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("ratio", "tail"),
    [  # [calc]
        (0.95, [187, 178, 170, 162, 154, 147, 140, 133, 127, 121, 115, 110]),
        (0.9, [72, 65, 59]),
    ],
)
def test_counts(ratio: float, tail: list[int]) -> None:
    model = wide()
    assert patches_after(model, PiToMe(ratio=ratio), images(model))[-len(tail) :] == tail


def test_half_is_the_least(model: VisionModel, batch: Batch) -> None:
    assert patches_after(model, PiToMe(ratio=0.5), batch)[:3] == [32, 16, 8]
    with pytest.raises(BadParameter, match=r"got 0\.45"):
        PiToMe(ratio=0.45)
