"""Keys turned on to other positions, against keys computed there."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from tokonomy.errors import Unsupported
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv.rotation import moved, turn
from tokonomy_methods.kv.seen import State, patched

SMALL = {
    "vocab_size": 128,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 512,
}


def keys_at(model: LanguageModel, tokens: Tensor, positions: Tensor) -> Tensor:
    """Keys of the first block, whose input does not depend on positions, [B, H, n, d]."""
    cache: Any = DynamicCache()
    model.module(tokens, position_ids=positions[None], past_key_values=cache)
    keys: Tensor = cache.layers[0].keys
    return keys


@torch.inference_mode()
def test_keys_turned_on_are_keys_computed_there(
    each_model: LanguageModel, asked: Callable[..., Batch]
) -> None:
    tokens = asked(2, 30).prompt
    here, there = torch.arange(30), torch.arange(30) * 3 + torch.arange(30) % 7 - 5
    block, rotary = each_model.layers[0].self_attn, each_model.module.base_model.rotary_emb
    found = moved(block, rotary, keys_at(each_model, tokens, here), there - here)
    torch.testing.assert_close(found, keys_at(each_model, tokens, there), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["yarn", "llama3", "linear"])
def test_scaled_angles_are_turned_on_as_well(kind: str) -> None:
    rope: dict[str, Any] = {"rope_type": kind, "rope_theta": 10000.0, "factor": 4.0}
    if kind == "llama3":
        rope |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    if kind != "linear":
        rope |= {"original_max_position_embeddings": 128}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = LlamaForCausalLM(LlamaConfig(**SMALL, rope_parameters=rope)).eval()
    model = LanguageModel(module=module)
    assert (module.base_model.rotary_emb.attention_scaling != 1) == (kind == "yarn")
    tokens, here = torch.arange(20)[None], torch.arange(20)
    block, rotary = model.layers[0].self_attn, module.base_model.rotary_emb
    found = moved(block, rotary, keys_at(model, tokens, here), torch.full((20,), 33))
    torch.testing.assert_close(found, keys_at(model, tokens, here + 33), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_turned_is_refused(llama: LanguageModel) -> None:
    block = llama.layers[0].self_attn
    with pytest.raises(Unsupported, match="angles depend on the length of a text"):
        moved(block, SimpleNamespace(rope_type="dynamic"), torch.zeros(1, 2, 3, 8), torch.zeros(3))
    with pytest.raises(Unsupported, match="SimpleNamespace does not turn queries and keys"):
        turn(SimpleNamespace(), torch.zeros(1, 2, 3, 8), torch.zeros(1, 3, 8), torch.zeros(1, 3, 8))


@torch.inference_mode()
@pytest.mark.parametrize("last", [None, 1, 7, 99])
def test_queries_are_those_of_the_model(
    each_model: LanguageModel, asked: Callable[..., Batch], last: int | None
) -> None:
    """Caught on their way into attention, in the model's own module."""
    import transformers.integrations.sdpa_attention as sdpa

    caught: list[Tensor] = []
    found: list[Tensor] = []
    own = torch.nn.functional.scaled_dot_product_attention

    def catch(query: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        caught.append(query)
        return own(query, *args, **kwargs)

    batch = asked(2, 20)
    states = [State(layer=at, layers=4, ids=batch.ids, seed=0, prompt=20) for at in range(4)]
    sdpa.torch.nn.functional.scaled_dot_product_attention = catch
    try:
        with patched(each_model, states, after=lambda seen: found.append(seen.queries(last))):
            each_model.module(batch.prompt, past_key_values=DynamicCache())
    finally:
        sdpa.torch.nn.functional.scaled_dot_product_attention = own
    assert len(found) == len(caught) == 4
    for ours, theirs in zip(found, caught, strict=True):
        torch.testing.assert_close(ours, theirs[:, :, -min(last or 20, 20) :])
