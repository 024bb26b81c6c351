"""Zero-TPrune: its stages on cases worked by hand, and the whole rule written out."""

from typing import Any

import pytest
import torch

from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.tokens.schedule import stages
from tokonomy_methods.vision.zero_tprune import ZeroTPrune, unlike, votes


def test_votes_fall_with_depth() -> None:
    assert [votes(block, 12) for block in range(12)] == [50] * 4 + [10] * 5 + [1] * 3


@pytest.mark.parametrize("depth", [8, 12])
def test_the_three_stages_are_shallow_middle_and_deep(depth: int) -> None:
    assert [votes(block, depth) for block in stages(0.5, 64, depth)] == [50, 10, 1]


def test_the_class_token_starts_with_the_root_of_the_length() -> None:
    voters = torch.arange(9)[None]
    assert ZeroTPrune().first(voters, 12).tolist() == [3, *[1] * 11]
    assert ZeroTPrune(start="uniform").first(voters, 9).tolist() == [1] * 9


def test_a_patch_that_repeats_a_more_important_one_goes() -> None:
    keys = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 2.0]]])
    scores = torch.tensor([[0.9, 0.8, 0.1, 0.2, 0.3]])
    # important half: 0, 1, 4; the others: 3 (nearest cosine 0) and 2 (0.71)
    assert unlike(keys, scores, 0).tolist() == [[0, 1, 2, 3, 4]]
    assert unlike(keys, scores, 1).tolist() == [[0, 1, 3, 4]]
    assert unlike(keys, scores, 2).tolist() == [[0, 1, 4]]


def test_likeness_ignores_length() -> None:
    keys = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0], [0.1, 0.0]]])
    scores = torch.tensor([[0.9, 0.8, 0.2, 0.1]])
    assert unlike(keys, scores, 1).tolist() == [[0, 1, 2]]


def rank(graph: torch.Tensor, steps: int) -> torch.Tensor:
    """Importance of one sample's tokens, [h, T, T] to [T], with loops."""
    kept = []
    for head in graph:
        s = torch.ones(len(head))
        s[0] = len(head) ** 0.5
        for _ in range(steps):
            s = head.T @ s
            s = s * len(s) / s.sum()
        kept.append((s, 0.01 <= float(s.var(correction=0)) <= 0.7))
    chosen = [s for s, passed in kept if passed] or [s for s, _ in kept]
    return torch.stack(chosen).square().mean(0).sqrt()


def straight(plain: Any, pixels: torch.Tensor, front: int, counts: dict[int, int]) -> torch.Tensor:
    x = plain.embed(pixels)
    for index in range(8):
        block = plain.model.layers[index]
        keys = torch.nn.functional.normalize(
            block.attention.k_proj(block.layernorm_before(x))[0], dim=-1
        )
        x, weights, _ = plain.attend(index, x)
        if index in counts:
            n = x.shape[1] - front
            order = sorted(range(front, front + n), key=lambda i: -rank(weights[0], 1)[i])
            strong, weak = order[: n - n // 2], order[n - n // 2 :]
            alike = sorted(weak, key=lambda i: -float((keys[i] @ keys[strong].T).max()))
            gone = set(alike[: (n - counts[index]) // 4])
            left = [i for i in range(front + n) if i not in gone]
            scores = rank(weights[0][:, left][:, :, left], {2: 50, 4: 10, 6: 1}[index])
            best = sorted(range(front, len(left)), key=lambda i: -float(scores[i]))
            kept = sorted(best[: counts[index]])
            x = x[:, [*range(front), *(left[i] for i in kept)]]
        x = plain.mlp(index, x)
    return plain.classify(x)


@torch.inference_mode()
def test_zero_tprune_equals_the_rule_written_out(
    model: VisionModel, plain: Any, batch: Batch
) -> None:
    counts = {2: 32, 4: 16, 6: 8}
    wanted = torch.cat(
        [straight(plain, image[None], model.specials, counts) for image in batch.pixels]
    )
    with Context() as context:
        logits = ZeroTPrune(keep=0.5).prepare(model, context)(batch)
    torch.testing.assert_close(logits, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("bad", [{"similar": 1.5}, {"similar": "x"}, {"start": "cls"}])
def test_impossible_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match=next(iter(bad))):
        ZeroTPrune(**bad)
