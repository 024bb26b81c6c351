"""DPC-KNN against a loop, sample by sample, and the counts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from merging import images, patches_after, wide
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.dpc_knn import DpcKnn


def clusters(x: torch.Tensor, count: int, neighbours: int) -> list[list[int]]:
    """Density-peak clusters of one sample's patches [N, C]."""
    far = (torch.linalg.vector_norm(x[:, None] - x[None], dim=-1) / x.shape[1] ** 0.5).tolist()
    points = range(len(x))
    density = [
        math.exp(-sum(d * d for d in sorted(far[i])[:neighbours]) / neighbours) for i in points
    ]
    most = max(map(max, far))
    gap = [
        min((far[i][j] for j in points if density[j] > density[i]), default=most) for i in points
    ]
    centres = sorted(points, key=lambda i: -gap[i] * density[i])[:count]
    nearest = [min(centres, key=lambda c: far[i][c]) for i in points]
    return [[i for i in points if nearest[i] == centre] for centre in centres]


def straight(plain: Any, batch: Batch, counts: dict[int, int], neighbours: int) -> torch.Tensor:
    specials = plain.model.specials
    x = plain.embed(batch.pixels)
    for index in range(8):
        if index in counts:
            out = []
            for sample in x:
                patches = sample[specials:]
                groups = clusters(patches, counts[index], neighbours)
                means = torch.stack([patches[group].mean(0) for group in groups])
                out.append(torch.cat([sample[:specials], means]))
            x = torch.stack(out)
        x, _, _ = plain.attend(index, x)
        x = plain.mlp(index, x)
    return plain.classify(x)


@pytest.mark.parametrize("neighbours", [5, 3])
@torch.inference_mode()
def test_dpc_knn_equals_the_rule_written_out(
    model: VisionModel, plain: Any, batch: Batch, neighbours: int
) -> None:
    wanted = straight(plain, batch, {2: 38, 4: 23, 6: 13}, neighbours)
    with Context() as context:
        logits = DpcKnn(keep=0.6, neighbours=neighbours).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


def test_counts() -> None:
    model = wide()
    counts = [196] * 3 + [49] * 3 + [12] * 3 + [3] * 3  # [calc]
    assert patches_after(model, DpcKnn(keep=0.25), images(model)) == counts


def test_more_neighbours_than_patches(model: VisionModel) -> None:
    with Context() as context, pytest.raises(BadParameter, match="64 patches; got 65"):
        DpcKnn(neighbours=65).prepare(model, context)


@pytest.mark.parametrize("parameters", [{"keep": -1}, {"neighbours": 0}, {"neighbours": 2.5}])
def test_impossible_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        DpcKnn(**parameters)
