"""DiffRate: schedules, merging by hand, and the whole rule written out."""

from typing import Any

import pytest
import torch

from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.tokens.diffrate_schedules import PUBLISHED
from tokonomy_methods.vision.diffrate import DiffRate, absorb, resample


def test_a_published_schedule_is_exact_for_its_own_model() -> None:
    prune, merge = DiffRate(schedule="deit-s-2.9").counts(12, 196)
    # [calc] the published counts without the class token
    assert prune == (196, 195, 189, 167, 149, 138, 128, 116, 98, 77, 57, 2)
    assert merge == (196, 193, 175, 155, 140, 132, 120, 106, 87, 63, 55, 2)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_schedules_are_whole(name: str) -> None:
    prune, merge = PUBLISHED[name]
    depth, tokens = {"l": (24, 197), "h": (32, 257)}.get(name.split("-")[1], (12, 197))
    assert len(prune) == len(merge) == depth
    assert prune[0] == merge[0] == tokens
    assert resample(prune, depth, tokens - 1) == tuple(n - 1 for n in prune)


def test_a_schedule_is_stretched_over_depth_and_scaled_by_patches() -> None:
    assert resample((197, 99, 50), 5, 64) == (64, 48, 32, 24, 16)
    assert resample((197, 99, 3), 2, 64) == (64, 1)


def test_merging_by_hand() -> None:
    x = torch.tensor([[[9.0, 9.0], [1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0], [4.0, 3.0]]])
    size = torch.tensor([[1.0, 1.0, 2.0, 3.0, 1.0, 2.0]])
    state = Tokens(x=x, specials=1, batch=Batch(ids=torch.arange(1), pixels=x), size=size)
    merged = absorb(state, 2)
    # (3,0) goes into (1,0), cosine 1; (0,4) into (0,2), cosine 1; (4,3) into (1,0), cosine 0.8
    wanted = torch.tensor([[[9.0, 9.0], [8 / 3, 1.0], [0.0, 3.0]]])
    torch.testing.assert_close(merged.x, wanted)
    assert merged.size is not None
    torch.testing.assert_close(merged.size, torch.tensor([[1.0, 1 + 3 + 0.8 * 2, 3.0]]))


def test_a_negative_likeness_adds_no_size() -> None:
    x = torch.tensor([[[5.0], [1.0], [-2.0]]])
    state = Tokens(x=x, specials=1, batch=Batch(ids=torch.arange(1), pixels=x))
    merged = absorb(state, 1)
    assert merged.sizes().tolist() == [[1, 1]]
    assert merged.x.flatten().tolist() == [5, -0.5]


PRUNE = (65, 60, 50, 50, 40, 30, 25, 20)
MERGE = (65, 55, 45, 50, 33, 30, 20, 3)


def straight(plain: Any, pixels: torch.Tensor, front: int) -> torch.Tensor:
    x = plain.embed(pixels)
    size = torch.ones(1, x.shape[1])
    for index in range(8):
        x, weights, _ = plain.attend(index, x, size.log())
        if index:
            scores = weights[0, :, 0].mean(0)
            order = sorted(range(front, x.shape[1]), key=lambda i: -float(scores[i]))
            order = order[: PRUNE[index] - 1]
            target, source = order[: MERGE[index] - 1], order[MERGE[index] - 1 :]
            members = {i: [i] for i in target}
            grown = {i: float(size[0, i]) for i in target}
            for i in source:
                alike = torch.cosine_similarity(x[0, i], x[0, target], dim=-1)
                best = target[int(alike.argmax())]
                members[best].append(i)
                grown[best] += float(size[0, i]) * max(0.0, float(alike.max()))
            means = torch.stack([x[0, members[i]].mean(0) for i in target])
            x = torch.cat([x[:, :front], means[None]], 1)
            size = torch.tensor([[*[1.0] * front, *(grown[i] for i in target)]])
        x = plain.mlp(index, x)
    return plain.classify(x)


@torch.inference_mode()
def test_diffrate_equals_the_rule_written_out(model: VisionModel, plain: Any, batch: Batch) -> None:
    wanted = torch.cat([straight(plain, image[None], model.specials) for image in batch.pixels])
    with Context() as context:
        logits = DiffRate(prune=PRUNE, merge=MERGE).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ({"schedule": "deit-s-9.9"}, "schedule must be one of .* got 'deit-s-9.9'"),
        ({"prune": [65, 1]}, "prune holds one count of at least 2"),
        ({"merge": [65, 20.5]}, "merge holds one count of at least 2"),
        ({"merge": [65, 66]}, "merge holds at most 8 counts of at most 65"),
        ({"prune": [65] * 9}, "prune holds at most 8 counts"),
        ({"prune": [40, 30]}, "leaves the first block alone"),
    ],
)
def test_impossible_schedules_are_refused(
    model: VisionModel, bad: dict[str, Any], match: str
) -> None:
    with pytest.raises(BadParameter, match=match), Context() as context:
        DiffRate(**bad).prepare(model, context)
