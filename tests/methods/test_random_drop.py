"""Random drop: same places and counts as Top-K, chance decided by seed and sample."""

import pytest
import torch

from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.score import uniform
from tokonomy_methods.vision.random_drop import RandomDrop


def run(model: VisionModel, method: RandomDrop, batch: Batch, seed: int) -> torch.Tensor:
    with torch.inference_mode(), Context(seed=seed) as context:
        return method.prepare(model, context)(batch)


def test_the_seed_decides(model: VisionModel, batch: Batch) -> None:
    method = RandomDrop(keep=0.5)
    first, again, other = (run(model, method, batch, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.isclose(first, other, atol=1e-3).all(1).any()


def test_the_sample_id_decides_not_the_place_in_the_batch(model: VisionModel, batch: Batch) -> None:
    same = Batch(ids=batch.ids, pixels=batch.pixels[:1].expand_as(batch.pixels))
    logits = run(model, RandomDrop(keep=0.5), same, 0)
    assert len({tuple(row) for row in logits.round(decimals=3).tolist()}) == len(batch)


@torch.inference_mode()
def test_dropping_at_the_input_keeps_raster_order(model: VisionModel, batch: Batch) -> None:
    whole = model.encoder.embeddings(batch.pixels)
    scores = uniform(9, batch.ids, 0, 64)
    seen: list[torch.Tensor] = []
    hook = model.layers[0].layernorm_before.register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0])
    )
    run(model, RandomDrop(keep=0.25, where="input"), batch, 9)
    hook.remove()
    front = model.specials
    for sample in range(len(batch)):
        best = sorted(sorted(range(64), key=lambda i: -float(scores[sample, i]))[:16])
        kept = [*range(front), *(front + i for i in best)]
        torch.testing.assert_close(seen[0][sample], whole[sample, kept])


def test_where_is_one_of_two() -> None:
    with pytest.raises(BadParameter, match="where must be 'stages' or 'input'; got 'middle'"):
        RandomDrop(where="middle")  # type: ignore[arg-type]


def test_every_patch_is_dropped_about_as_often() -> None:
    x = torch.arange(64.0)[None, :, None].expand(2000, -1, -1)
    state = Tokens(x=x, specials=0, batch=Batch(ids=torch.arange(2000), pixels=x))
    kept = select.keep(state, select.top(uniform(5, state.batch.ids, 3, 64), 16, "raster")).x
    times = torch.bincount(kept.flatten().long(), minlength=64)
    assert (times - 500).abs().max() < 5 * (2000 * 0.25 * 0.75) ** 0.5
