"""Random drop: same places and counts as Top-K, chance decided by seed and sample."""

from typing import Any

import pytest
import torch

from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch
from tokonomy_methods.vision.random_drop import RandomDrop, orders, rows


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
def test_dropping_at_the_input_keeps_the_head_of_the_order(
    model: VisionModel, batch: Batch
) -> None:
    whole = model.encoder.embeddings(batch.pixels)
    order = orders(64, 9)[rows(batch.ids, 9)]
    seen: list[torch.Tensor] = []
    hook = model.layers[0].layernorm_before.register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0])
    )
    run(model, RandomDrop(keep=0.25, where="input"), batch, 9)
    hook.remove()
    front = model.specials
    for sample in range(len(batch)):
        kept = [*range(front), *(front + int(i) for i in order[sample, :16])]
        assert torch.equal(seen[0][sample], whole[sample, kept])


@torch.inference_mode()
def test_later_stages_keep_the_head_of_what_is_left(
    model: VisionModel, plain: Any, batch: Batch
) -> None:
    front, order = model.specials, orders(64, 3)[rows(batch.ids, 3)]
    wanted = []
    for image, ranks in zip(batch.pixels, order.tolist(), strict=True):
        x, left = plain.embed(image[None]), list(range(64))
        for index in range(8):
            x, _, _ = plain.attend(index, x)
            if index in (2, 4, 6):
                stay = set(ranks[: {2: 32, 4: 16, 6: 8}[index]])
                places = [place for place, patch in enumerate(left) if patch in stay]
                x = x[:, [*range(front), *(front + place for place in places)]]
                left = [left[place] for place in places]
            x = plain.mlp(index, x)
        wanted.append(plain.classify(x))
    logits = run(model, RandomDrop(keep=0.5), batch, 3)
    torch.testing.assert_close(logits, torch.cat(wanted), rtol=1e-4, atol=1e-4)


def test_where_is_one_of_two() -> None:
    with pytest.raises(BadParameter, match="where must be 'stages' or 'input'; got 'middle'"):
        RandomDrop(where="middle")  # type: ignore[arg-type]


def test_orders_are_permutations_that_only_the_seed_decides() -> None:
    table = orders(64, 5)
    assert torch.equal(table.sort(-1).values, torch.arange(64).expand(1024, -1))
    assert torch.equal(table, orders(64, 5))
    assert not (table == orders(64, 6)).all(1).any()
    assert torch.equal(orders(16, -1), orders(16, -1 % 2**63))


def test_every_patch_is_kept_about_as_often() -> None:
    table = orders(64, 5)
    for kept in (4, 16, 48):
        times = torch.bincount(table[:, :kept].flatten(), minlength=64)
        share = kept / 64
        assert (times - 1024 * share).abs().max() < 5 * (1024 * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("seed", [0, 7, 2**63, -1])
def test_samples_are_spread_over_the_orders(seed: int) -> None:
    ids = torch.arange(4096)
    row = rows(ids, seed)
    times = torch.bincount(row, minlength=1024)
    assert len(times) == 1024
    assert times.min() >= 2
    assert times.max() <= 6
    assert torch.equal(rows(ids[[900, 3]], seed), row[[900, 3]])
