"""CacheBlend against the same rule written out row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Cached
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv.blend import blended, pieces, worst

KNOWN, SUFFIX, SIZE = 33, 7, 12
Asked = Callable[..., Batch]


def apart(model: LanguageModel, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Keys and values of pieces read at their own places, without seeing each other."""
    caches: list[Any] = []
    for begin in range(0, KNOWN, SIZE):
        cache: Any = DynamicCache()
        part = tokens[:, begin : min(begin + SIZE, KNOWN)]
        places = torch.arange(begin, begin + part.shape[1])[None]
        model.module(part, position_ids=places, past_key_values=cache)
        caches.append(cache)
    return [
        tuple(
            torch.cat([getattr(cache.layers[layer], name) for cache in caches], 2)
            for name in ("keys", "values")
        )  # type: ignore[misc]
        for layer in range(len(model.layers))
    ]


@torch.inference_mode()
def test_pieces_are_turned_to_their_places(each_model: LanguageModel, asked: Asked) -> None:
    tokens = asked(2, KNOWN).prompt
    found = pieces(each_model, tokens, SIZE)
    for ours, wanted in zip(found, apart(each_model, tokens), strict=True):
        torch.testing.assert_close(ours[0], wanted[0], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(ours[1], wanted[1], rtol=1e-4, atol=1e-5)


def written_out(plain: Any, tokens: list[int], old: Any, count: int) -> tuple[Tensor, list[int]]:
    """Logits after the last of the tokens, and the known rows that are computed again."""
    base, layers = plain.model.module.base_model, plain.model.layers
    hidden = {row: base.embed_tokens.weight[token] for row, token in enumerate(tokens)}
    rows, chosen = list(hidden), list[int]()
    for number, layer in enumerate(layers):
        part = layer.self_attn
        keys = {row: old[number][0][0, :, row] for row in range(KNOWN)}
        values = {row: old[number][1][0, :, row] for row in range(KNOWN)}
        for row in rows:
            read = plain.norm(hidden[row], layer.input_layernorm)
            key, value = ((w.weight @ read).view(2, 8) for w in (part.k_proj, part.v_proj))
            keys[row], values[row] = plain.turn(key, row), value
        if number == 1:
            gaps = [
                float((values[row] - old[1][1][0, :, row]).square().sum()) for row in range(KNOWN)
            ]
            chosen = sorted(sorted(range(KNOWN), key=lambda row: -gaps[row])[:count])
            rows = [*chosen, *range(KNOWN, len(tokens))]
        for row in rows:
            read = plain.norm(hidden[row], layer.input_layernorm)
            queries = plain.turn((part.q_proj.weight @ read).view(8, 8), row)
            mixed = []
            for head in range(8):
                before = torch.stack([keys[at][head // 4] for at in range(row + 1)])
                weights = (before @ queries[head] / 8**0.5).softmax(0)
                mixed.append(
                    weights @ torch.stack([values[at][head // 4] for at in range(row + 1)])
                )
            x = hidden[row] + part.o_proj.weight @ torch.cat(mixed)
            read = plain.norm(x, layer.post_attention_layernorm)
            gate = torch.nn.functional.silu(layer.mlp.gate_proj.weight @ read)
            hidden[row] = x + layer.mlp.down_proj.weight @ (
                gate * (layer.mlp.up_proj.weight @ read)
            )
    return plain.model.module.lm_head.weight @ plain.norm(hidden[rows[-1]], base.norm), chosen


@torch.inference_mode()
@pytest.mark.parametrize("count", [0, 1, 9, KNOWN])
def test_blending_follows_the_rule(
    llama: LanguageModel, plain: Any, asked: Asked, count: int
) -> None:
    tokens = asked(2, KNOWN + SUFFIX).prompt
    old = apart(llama, tokens)
    logits, cache = blended(llama, tokens, old, count)
    for request in range(2):
        own = [(keys[request, None], values[request, None]) for keys, values in old]
        wanted, rows = written_out(plain, tokens[request].tolist(), own, count)
        torch.testing.assert_close(logits[request], wanted, rtol=1e-3, atol=1e-4)
        stays = [row for row in range(KNOWN) if row not in rows]
        for layer in (2, 3):
            for name, whole in zip(("keys", "values"), old[layer], strict=True):
                held: Tensor = getattr(cache.layers[layer], name)
                assert held.shape[2] == KNOWN + SUFFIX
                assert torch.equal(held[request][:, stays], whole[request][:, stays])
                assert not torch.isclose(held[request][:, KNOWN:], torch.zeros(())).all()
                if rows:
                    assert not torch.equal(held[request][:, rows], whole[request][:, rows])


def test_the_worst_rows_are_those_whose_values_moved_most() -> None:
    old = torch.zeros(1, 2, 4, 3)
    new = old.clone()
    new[0, 0, 2], new[0, 1, 0], new[0, :, 3] = 1.0, 2.0, 0.5
    assert worst(new, old, 2).tolist() == [[0, 2]]
    assert worst(new, old, 3).tolist() == [[0, 2, 3]]
    assert worst(new, old, 0).shape == (1, 0)


@torch.inference_mode()
def test_one_piece_is_right_whatever_the_ratio(llama: LanguageModel, asked: Asked) -> None:
    batch = asked(2, 60)
    for ratio in (0.0, 0.5):
        params = {"ratio": ratio, "chunk": 60, "question": 5}
        predict = catalogue("method").build("cacheblend", params).prepare(llama, Context())
        assert torch.equal(predict(batch), llama(batch))


@torch.inference_mode()
def test_the_more_is_computed_again_the_nearer_the_answer(
    llama: LanguageModel, asked: Asked
) -> None:
    batch = asked(3, 120, given=6)
    gaps = []
    for ratio in (0.0, 0.5, 1.0):
        params = {"ratio": ratio, "chunk": 20, "question": 8}
        predict = catalogue("method").build("cacheblend", params).prepare(llama, Context())
        gaps.append(float((predict(batch) - llama(batch))[..., 0].abs().mean()))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] == pytest.approx(0, abs=1e-4)


@torch.inference_mode()
def test_late_blocks_read_only_what_is_computed_again(llama: LanguageModel, asked: Asked) -> None:
    """The harness's own count of what goes through the last block."""
    params = {"ratio": 0.25, "chunk": 20, "question": 8}
    predict = catalogue("method").build("cacheblend", params).prepare(llama, Context())
    with Cached().reading(llama) as look:
        predict(asked(1, 68, length=2))
        passes = look()
    assert [each.read for each in passes] == [20, 20, 20, 15 + 8, 1]
    assert passes[-1].cached == 68


@torch.inference_mode()
def test_the_last_token_is_always_computed(llama: LanguageModel, asked: Asked) -> None:
    batch = asked(1, 40)
    results = [
        catalogue("method").build("cacheblend", {"chunk": 10, "question": question})
        .prepare(llama, Context())(batch)
        for question in (0, 1)
    ]  # fmt: skip
    assert torch.equal(*results)
    one = asked(1, 1)
    predict = catalogue("method").build("cacheblend", {}).prepare(llama, Context())
    assert torch.equal(predict(one), llama(one))
    with pytest.raises(Unsupported, match="short prompt"):
        catalogue("method").build("cacheblend", {"question": 1}).prepare(llama, Context())(one)


@torch.inference_mode()
@pytest.mark.parametrize("layers", [1, 2])
def test_shallow_models_are_read_as_they_are(asked: Asked, layers: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=128,
            hidden_size=32,
            num_hidden_layers=layers,
            num_attention_heads=4,
            intermediate_size=32,
            max_position_embeddings=512,
        )
        model = LanguageModel(module=LlamaForCausalLM(config).eval())
    batch = asked(2, 60)
    predict = catalogue("method").build("cacheblend", {"chunk": 20}).prepare(model, Context())
    assert torch.equal(predict(batch), model(batch))
