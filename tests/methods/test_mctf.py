"""MCTF: score and budget by hand, the whole against a loop with fused maps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from merging import blended, circle, cosine, images, patches_after, wide
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.vision.mctf import Mctf, budget, fused, score


@pytest.mark.parametrize(
    ("r", "length", "specials", "removed"),
    [
        (16, 197, 1, 16),
        (0.35, 197, 1, 68),  # 68.6 floored
        (16, 37, 1, 16),
        (16, 21, 1, 10),  # 10 left by the count's cap would need 11; half of 20 is 10
        (4, 13, 1, 3),  # 10 stay
        (4, 10, 1, 0),
        (4, 7, 1, 0),
        (0.9, 101, 1, 50),  # at most half
        (0.35, 102, 2, 35),  # of the patches
        (0, 50, 1, 0),
    ],
)
def test_budget(r: float, length: int, specials: int, removed: int) -> None:
    assert budget(r, length, specials) == removed


def test_score_by_hand() -> None:
    x = circle(0, 0, 60, 180)  # evens 0 and 60 degrees, odds 0 and 180
    heard = torch.tensor([[0.4, 0.1, 0.2, 0.3]])
    size = torch.tensor([[1.0, 4.0, 2.0, 1.0]])
    got = score(Mctf(tau_info=2.0, tau_size=2.0), x, heard, size, 0)
    # similarity (cos + 1) / 2 is 1 0 | 0.75 0.25; attention least / own: 1/4 1 1/2 1/3;
    # size least / own: 1 1/4 1/2 1
    information = torch.tensor([[1 / 4, 1 / 12], [1 / 2, 1 / 6]])
    small = torch.tensor([[1 / 4, 1], [1 / 8, 1 / 2]])
    wanted = torch.tensor([[1.0, 0.0], [0.75, 0.25]]) * (information * small).sqrt()
    torch.testing.assert_close(got[0], wanted, check_dtype=False)
    shielded = score(Mctf(), x, heard, size, 1)
    assert shielded[0, 0].tolist() == [-torch.inf] * 2
    plain = score(Mctf(tau_sim=0, tau_info=0, tau_size=0), x, heard, size, 0)
    assert plain.tolist() == [[[1, 1], [1, 1]]]


def fusing(x: torch.Tensor, heard: torch.Tensor, size: torch.Tensor, r: int, specials: int) -> Any:
    """Groups of one sample in the order of the output: a loop over both directions."""
    rare, small = (t.min() / t for t in (heard, size))
    length = len(x)

    def fit(i: int, j: int) -> float:
        alike = (cosine(x[i], x[j]) + 1) / 2
        return alike * float((rare[i] * rare[j]) ** (1 / 20) * (small[i] * small[j]) ** (1 / 40))

    evens = [i for i in range(0, length, 2) if i >= specials]
    odds = [i for i in range(1, length, 2) if i >= specials]
    first = sorted(((*max((fit(a, b), b) for b in odds), a) for a in evens), reverse=True)
    goes = {a: b for _, b, a in first[: r // 2]}
    left = [a for a in evens if a not in goes]
    second = sorted(((*max((fit(a, b), a) for a in left), b) for b in odds), reverse=True)
    back = {b: a for _, a, b in second[: r - r // 2]}
    order = [*range(specials), *left, *(b for *_, b in second if b not in back)]

    def end(i: int) -> int:
        i = goes.get(i, i)
        return back.get(i, i)

    return [[i for i in range(length) if end(i) == place] for place in order]


def straight(plain: Any, batch: Batch, r: int) -> torch.Tensor:
    """Fuses the attention map itself: columns add up, rows average."""
    specials = plain.model.specials
    x = plain.embed(batch.pixels)
    size = torch.ones(x.shape[:2])
    for index in range(8):
        x_plain, weights, _ = plain.attend(index, x, size.log())
        if index == 0:
            x = plain.mlp(index, x_plain)
            continue
        block = plain.model.layers[index]
        out, sizes = [], []
        for sample, of, maps in zip(x, size, weights, strict=True):
            heard = maps.mean((0, 1))
            groups = fusing(sample, heard, of, r, specials)
            mean, _ = blended(sample, heard * of, groups)
            columns = torch.stack([maps[:, :, g].sum(-1) for g in groups], -1)
            share = heard * of
            rows = torch.stack(
                [(columns[:, g] * share[g, None]).sum(1) / share[g].sum() for g in groups], 1
            )
            v = block.attention.v_proj(block.layernorm_before(mean))
            mixed = [m @ part for m, part in zip(rows, v.chunk(len(maps), -1), strict=True)]
            out.append(mean + block.attention.o_proj(torch.cat(mixed, -1)))
            sizes.append(torch.stack([of[g].sum() for g in groups]))
        x, size = plain.mlp(index, torch.stack(out)), torch.stack(sizes)
    return plain.classify(x)


@torch.inference_mode()
def test_mctf_equals_the_rule_written_out(model: VisionModel, plain: Any, batch: Batch) -> None:
    wanted = straight(plain, batch, 7)
    with Context() as context:
        logits = Mctf(r=7).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("method", "counts"),
    [
        (Mctf(r=16), [196 - 16 * block for block in range(12)]),
        (Mctf(r=0.35, blocks=(3, 6, 9)), [196] * 3 + [128] * 3 + [84] * 3 + [55] * 3),
    ],
)
def test_counts(method: Mctf, counts: list[int]) -> None:
    model = wide()
    assert patches_after(model, method, images(model)) == counts


@pytest.mark.parametrize(
    "parameters", [{"r": [3, 2]}, {"r": -0.1}, {"r": 1.0}, {"tau_info": -1.0}, {"r": True}]
)
def test_impossible_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        Mctf(**parameters)


@pytest.mark.parametrize("parameters", [{"r": 65}, {"blocks": (1, 8)}])
def test_impossible_for_the_model(model: VisionModel, parameters: dict[str, Any]) -> None:
    with Context() as context, pytest.raises(BadParameter):
        Mctf(**parameters).prepare(model, context)


@torch.inference_mode()
def test_a_token_that_nobody_looks_at(model: VisionModel, batch: Batch) -> None:
    tokens = Tokens(
        x=torch.randn(2, 40, 32, generator=torch.Generator().manual_seed(0)),
        specials=model.specials,
        batch=batch,
    )
    attention = Attention(block=model.layers[1], tokens=tokens, proportional=True)
    attention.weights[..., 7] = 0
    out = fused(Mctf(), attention, 11)
    assert out.x.isfinite().all()
    assert out.length == 29
