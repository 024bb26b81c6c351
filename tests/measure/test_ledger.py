"""Counts of tokens and arithmetic against formulas worked by hand."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from checkpoints import SHAPE, write_checkpoint
from tokonomy.families import load_family
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy.measure.ledger import Tally, _mask, count, work
from tokonomy.measure.protocol import STEADY_SAMPLES
from tokonomy.store.fields import Missing

N = 17  # 16 patches and a class token
DEPTH, WIDTH, HIDDEN = (
    SHAPE["num_hidden_layers"], SHAPE["hidden_size"], SHAPE["intermediate_size"],
)  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> VisionModel:
    folder = write_checkpoint(tmp_path_factory.mktemp("ledger") / "vit")
    loaded = load_family("vision").load(f"hf:{folder}", device="cpu", precision="fp32")
    assert isinstance(loaded, VisionModel)
    return loaded


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def batches(number: int = 3) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [
        Batch(ids=torch.tensor([i]), pixels=torch.randn(1, 3, 16, 16, generator=generator))
        for i in range(number)
    ]


def counted(model: VisionModel, predict: Callable[[Batch], Tensor], number: int = 3) -> Tally:
    return count(predict, batches(number), load_family("vision").layers(model))


def numbers(tally: Tally, name: str) -> list[float]:
    return [getattr(layer, name) for layer in tally.layers[0]]


def block_flops(queries: int, keys: int, mlp: int) -> int:
    """Projections of queries, keys, values and outputs; two products of attention; the MLP."""
    projections = 2 * WIDTH * WIDTH * (2 * queries + 2 * keys)
    attention = 2 * 2 * queries * keys * WIDTH
    return projections + attention + 2 * 2 * mlp * WIDTH * HIDDEN


def outer_flops() -> int:
    """Patch embedding and classifier."""
    return 2 * 16 * (3 * 4 * 4) * WIDTH + 2 * WIDTH * SHAPE["num_labels"]


def test_a_plain_vit_does_what_the_formula_says(model: VisionModel) -> None:
    tally = counted(model, model)
    for name in ("queries", "keys", "mlp"):
        assert numbers(tally, name) == [N] * DEPTH
    assert numbers(tally, "masked") == [0.0] * DEPTH
    assert tally.flops == [DEPTH * block_flops(N, N, N) + outer_flops()] * 3


def test_the_arithmetic_is_that_of_torchs_own_counter(model: VisionModel) -> None:
    def attention(q: list[int], k: list[int], v: list[int], *_: object, **__: object) -> int:
        flops: int = sdpa_flop_count(q, k, v)
        return flops

    operator = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={operator: attention}) as counter:
        model(batches()[0])
    assert counter.get_total_flops() == counted(model, model).flops[0]


def test_what_was_not_counted_is_named(model: VisionModel) -> None:
    names = counted(model, model).uncounted
    assert {"aten.native_layer_norm", "aten.gelu", "aten.add"} <= set(names)
    assert not {"aten.view", "aten.addmm", "aten.transpose"} & set(names)


def drop_after(index: int, tokens: Tokens, attention: Attention) -> Tokens:
    """Two patches fewer in each block."""
    keep = torch.arange(tokens.length - 2).expand(tokens.x.shape[0], -1)
    return tokens.take(keep)


def test_removed_tokens_are_counted_where_they_leave(model: VisionModel) -> None:
    with model.patched(after=drop_after) as predict:
        tally = counted(model, predict)
    expected = [N - 2 * i for i in range(DEPTH)]
    assert numbers(tally, "queries") == numbers(tally, "keys") == expected
    assert numbers(tally, "mlp") == [n - 2 for n in expected]
    blocks = sum(block_flops(n, n, n - 2) for n in expected)
    assert tally.flops[0] == blocks + outer_flops()


def mask_after(index: int, tokens: Tokens, attention: Attention) -> Tokens:
    mask = tokens.present().clone()
    mask[:, -5:] = False
    return tokens.but(mask=mask)


@pytest.mark.parametrize("eager", [(), range(DEPTH)], ids=["sdpa", "softmax"])
def test_masked_tokens_are_still_worked_on(model: VisionModel, eager: tuple[int, ...]) -> None:
    with model.patched(after=mask_after, eager=eager) as predict:
        tally = counted(model, predict)
    assert numbers(tally, "masked") == [0, 5, 5, 5]
    assert numbers(tally, "keys") == numbers(tally, "mlp") == [N] * DEPTH


@pytest.mark.parametrize(
    ("kernel", "place"),
    [
        ("_scaled_dot_product_flash_attention_for_cpu", "attn_mask"),
        ("_scaled_dot_product_efficient_attention", 3),
        ("_scaled_dot_product_cudnn_attention", 3),
        ("_scaled_dot_product_attention_math", "attn_mask"),
        ("_scaled_dot_product_flash_attention", None),
    ],
)
def test_a_mask_is_found_wherever_a_kernel_takes_it(kernel: str, place: int | str | None) -> None:
    func, mask = getattr(torch.ops.aten, kernel).default, torch.zeros(1, 1, 2, 2)
    args: list[object] = [torch.zeros(1, 1, 2, 2)] * 3
    kwargs = {place: mask} if isinstance(place, str) else {}
    args += [mask] * isinstance(place, int)
    found = _mask(func, tuple(args), kwargs)
    assert found is (None if place is None else mask)


def test_it_is_asked_within_every_call_that_multiplies(model: VisionModel) -> None:
    asked: list[int] = []
    layers = load_family("vision").layers(model)
    count(model, batches(2), layers, lambda: asked.append(1))
    assert len(asked) >= 2 * DEPTH * 5


def fewer_keys(index: int, attention: Attention) -> Tokens:
    """Attend to nine keys only; every token keeps its query and its MLP."""
    attention.k = attention.k[:, :, :9]
    attention.__dict__["v"] = attention.v[:, :, :9]
    return attention.attended()


def test_keys_that_were_made_but_never_looked_at_do_not_count(model: VisionModel) -> None:
    with model.patched(attend=fewer_keys) as predict:
        tally = counted(model, predict)
    assert numbers(tally, "keys") == [9] * DEPTH
    assert numbers(tally, "queries") == numbers(tally, "mlp") == [N] * DEPTH


def test_a_weight_is_known_through_any_view_of_it(model: VisionModel) -> None:
    weights = load_family("vision").layers(model)[0]
    x = torch.randn(1, 5, WIDTH)

    def predict(_: object) -> None:
        _ = x @ weights.query.t()
        _ = torch.einsum("btc,dc->btd", x, weights.key)
        _ = weights.mlp[: HIDDEN // 2] @ x[0].t()

    layer = count(predict, [None], [weights]).layers[0][0]
    assert (layer.queries, layer.keys, layer.mlp) == (5.0, 5.0, 2.5)


def test_steady_counting_stops_early_and_unsteady_goes_on(model: VisionModel) -> None:
    def sometimes(batch: Batch) -> Tensor:
        if batch.ids.item() % 3:
            return model(batch)
        with model.coarse((2, 2)) as coarse:
            return coarse(batch)

    assert len(counted(model, model, 20).flops) == STEADY_SAMPLES
    assert len(counted(model, sometimes, 20).flops) == 20


def test_both_arms_are_averaged_and_an_idle_reference_is_missing(model: VisionModel) -> None:
    plain = counted(model, model)
    with model.patched(after=drop_after) as predict:
        fewer = counted(model, predict)
    both = work(fewer, plain)
    assert not isinstance(both, Missing)
    assert both.samples == 3
    assert [layer.mlp for layer in both.layers] == [15, 13, 11, 9]
    assert both.reference_flops == plain.flops[0]
    idle = work(fewer, counted(model, lambda batch: batch.pixels))
    assert isinstance(idle, Missing)
    assert idle.reason == "uncounted-model"
