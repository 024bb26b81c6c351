"""K-medoids against a loop, sample by sample, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from merging import images, patches_after, wide
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.tokens.cluster import Cost
from tokonomy_methods.vision.k_medoids import KMedoids


def chosen(x: torch.Tensor, weight: list[float], count: int, cost: Cost) -> list[int]:
    """Medoids of one sample's patches [N, C]."""
    far = torch.linalg.vector_norm(x[:, None] - x[None], dim=-1).tolist()
    points = range(len(x))
    medoids = sorted(points, key=lambda i: -weight[i])[:count]
    for _ in range(3):
        nearest = [min(medoids, key=lambda m: far[i][m]) for i in points]
        moved = []
        for medoid in medoids:
            members = [i for i in points if nearest[i] == medoid]
            if cost == "whole":
                price = {i: weight[i] * sum(far[i]) for i in members}
            else:
                price = {i: sum(weight[j] * far[i][j] for j in members) for i in members}
            moved.append(min(members, key=price.__getitem__))
        medoids = moved
    return medoids


def straight(plain: Any, batch: Batch, counts: dict[int, int], cost: Cost) -> torch.Tensor:
    specials = plain.model.specials
    x, weights = plain.embed(batch.pixels), torch.empty(0)
    for index in range(8):
        if index in counts:
            out = []
            for sample, heard in zip(x, weights.sum((1, 2)), strict=True):
                weight = heard[specials:].tolist()
                kept = chosen(sample[specials:], weight, counts[index], cost)
                out.append(sample[[*range(specials), *(i + specials for i in kept)]])
            x = torch.stack(out)
        x, weights, _ = plain.attend(index, x)
        x = plain.mlp(index, x)
    return plain.classify(x)


@pytest.mark.parametrize("cost", ["whole", "cluster"])
@torch.inference_mode()
def test_k_medoids_equals_the_rule_written_out(
    model: VisionModel, plain: Any, batch: Batch, cost: Cost
) -> None:
    wanted = straight(plain, batch, {2: 38, 4: 23, 6: 13}, cost)
    with Context() as context:
        logits = KMedoids(keep=0.6, cost=cost).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


def test_counts() -> None:
    model = wide()
    counts = [196] * 3 + [98] * 3 + [49] * 3 + [24] * 3  # [calc]
    assert patches_after(model, KMedoids(keep=0.5), images(model)) == counts


def test_a_shallow_model_has_no_block_before() -> None:
    with (
        Context() as context,
        pytest.raises(Unsupported, match="at least 4 blocks; this one has 3"),
    ):
        KMedoids().prepare(wide(3), context)


@pytest.mark.parametrize("parameters", [{"keep": 1.2}, {"cost": "mean"}, {"iterations": 0}])
def test_impossible_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        KMedoids(**parameters)
