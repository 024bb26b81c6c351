"""ATC against agglomerative clustering written out, and the counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from merging import blended, cosine, images, keys, patches_after, wide
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.tokens.cluster import Linkage
from tokonomy_methods.vision.atc import Atc


def bottom_up(metric: torch.Tensor, count: int, linkage: Linkage) -> list[list[int]]:
    """Join the two nearest clusters until ``count`` are left; updates by Lance and Williams."""
    clusters = {i: [i] for i in range(len(metric))}
    far = {frozenset((i, j)): 1 - cosine(metric[i], metric[j]) for i in clusters for j in range(i)}
    while len(clusters) > count:
        a, b = min(far, key=far.__getitem__)
        sizes = len(clusters[a]), len(clusters[b])
        for c in clusters:
            if c not in (a, b):
                ends = far[frozenset((a, c))], far.pop(frozenset((b, c)))
                apart = {"single": min(ends), "complete": max(ends)}
                mean = (sizes[0] * ends[0] + sizes[1] * ends[1]) / sum(sizes)
                far[frozenset((a, c))] = apart.get(linkage, mean)
        del far[frozenset((a, b))]
        clusters[a] += clusters.pop(b)
    return list(clusters.values())


def straight(
    plain: Any, batch: Batch, counts: dict[int, int], linkage: Linkage, proportional: bool
) -> torch.Tensor:
    specials = plain.model.specials
    x = plain.embed(batch.pixels)
    size = torch.ones(x.shape[:2])
    for index in range(8):
        metric = keys(plain.model, index, x)
        x, _, _ = plain.attend(index, x, size.log() if proportional else None)
        if index in counts:
            out = []
            for sample, weight, of in zip(x, size, metric, strict=True):
                groups = bottom_up(of[specials:], counts[index], linkage)
                groups = [[i + specials for i in group] for group in groups]
                out.append(blended(sample, weight, [[i] for i in range(specials)] + groups))
            x, size = torch.stack([o[0] for o in out]), torch.stack([o[1] for o in out])
            size = size if proportional else torch.ones_like(size)
        x = plain.mlp(index, x)
    return plain.classify(x)


@pytest.mark.parametrize("proportional", [False, True])
@pytest.mark.parametrize("linkage", ["single", "average", "complete"])
@torch.inference_mode()
def test_atc_equals_the_rule_written_out(
    model: VisionModel, plain: Any, batch: Batch, linkage: Linkage, proportional: bool
) -> None:
    few = Batch(ids=batch.ids[:2], pixels=batch.pixels[:2])
    wanted = straight(plain, few, {2: 38, 4: 23, 6: 13}, linkage, proportional)
    with Context() as context:
        method = Atc(keep=0.6, linkage=linkage, proportional=proportional)
        logits = method.prepare(model, context)(few)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


def test_counts() -> None:
    model = wide()
    counts = [196] * 3 + [137] * 3 + [96] * 3 + [67] * 3  # [calc]
    assert patches_after(model, Atc(keep=0.7), images(model)) == counts


@pytest.mark.parametrize("parameters", [{"keep": 0}, {"keep": 1.3}, {"linkage": "ward"}])
def test_impossible_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        Atc(**parameters)
