"""How a compressed prompt is gone on with: questions, masks, positions, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import MistralConfig, MistralForCausalLM

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadData, BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.reader import Forgetful
from tokonomy_methods.kv.seen import Seen

REGISTRY = catalogue("method")
UNIFORM = {"keep": 0.5, "window": 8}


def reading(model: LanguageModel, batch: Batch, name: str, params: Any) -> Any:
    return Forgetful(module=model.module, policy=REGISTRY.build(name, params)).read(batch)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["snapkv", "adakv", "pyramidkv"])
def test_tokens_read_together_are_tokens_read_one_by_one(
    name: str, llama: LanguageModel, asked: Callable[..., Batch]
) -> None:
    """One mask for all blocks, one for every head, and none that fits all blocks."""
    batch = asked(2, 120, given=10)
    once, many = (reading(llama, batch, name, UNIFORM) for _ in range(2))
    assert torch.equal(once.prompt(batch), many.prompt(batch))
    together = once.next(batch.given)
    apart = torch.cat([many.next(batch.given[:, at : at + 1]) for at in range(10)], 1)
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)
    lengths = {layer.keys.shape[2] for layer in once.cache.layers}
    assert (len(lengths) > 1) == (name == "pyramidkv")


@torch.inference_mode()
def test_what_is_kept_is_seen_and_nothing_else(
    llama: LanguageModel, asked: Callable[..., Batch]
) -> None:
    """The whole model under a mask that hides the other rows; positions are those of the text."""
    batch = asked(1, 40, given=6)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Odd(Eviction):
        """Keeps every second row of every head."""

        def score(self, seen: Seen) -> Tensor:
            return (torch.arange(seen.held) % 2).float().expand(1, 2, -1)

    reader = Forgetful(module=llama.module, policy=Odd(keep=0.5)).read(batch)
    first = reader.prompt(batch)
    found = torch.cat([first[:, None], reader.next(batch.given)], 1)
    mask = torch.ones(46, 46, dtype=torch.bool).tril()
    mask[40:, :40:2] = False
    tokens = torch.cat([batch.prompt, batch.given], 1)
    wanted = llama.module(tokens, attention_mask=mask[None, None]).logits[:, 39:]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_question_is_read_after_the_rest_was_compressed(
    llama: LanguageModel, asked: Callable[..., Batch]
) -> None:
    batch = asked(2, 100, length=5)
    question = REGISTRY.build("snapkv", {**UNIFORM, "question": 12}).prepare(llama, Context())
    reader = reading(llama, batch, "snapkv", UNIFORM)
    reader.states[:] = [replace(state, prompt=88) for state in reader.states]
    reader.prompt(replace(batch, prompt=batch.prompt[:, :88], present=batch.present[:, :88]))
    token, wanted = reader.next(batch.prompt[:, 88:])[:, -1].argmax(-1), []
    for _ in range(5):
        wanted.append(token)
        token = reader.next(token[:, None])[:, -1].argmax(-1)
    assert torch.equal(question(batch), torch.stack(wanted, 1))


@torch.inference_mode()
def test_with_a_question_even_the_first_token_comes_from_what_is_left(
    llama: LanguageModel, asked: Callable[..., Batch]
) -> None:
    batch, (aware, last) = (
        asked(2, 100, given=4),
        (
            REGISTRY.build("random-cache", {"keep": 0.1, "question": question}).prepare(
                llama, Context()
            )
            for question in (0, 1)
        ),
    )
    whole = llama(batch)
    torch.testing.assert_close(aware(batch)[:, 0], whole[:, 0])
    assert not torch.isclose(last(batch)[:, 0, 0], whole[:, 0, 0], atol=1e-2).any()


@torch.inference_mode()
def test_scores_are_those_of_the_tokens_one_by_one(
    llama: LanguageModel, asked: Callable[..., Batch]
) -> None:
    batch = asked(2, 100, given=5)
    given = batch.given.clone()
    given[1, 3:] = -1
    batch = replace(batch, given=given)
    found = REGISTRY.build("snapkv", UNIFORM).prepare(llama, Context())(batch)
    reader = reading(llama, batch, "snapkv", UNIFORM)
    logits = reader.prompt(batch)
    for at in range(5):
        wanted = logits.log_softmax(-1)
        for row in range(2):
            token = int(given[row, at])
            if token < 0:
                assert found[row, at].tolist() == [0, 0]
                continue
            assert float(found[row, at, 0]) == pytest.approx(float(wanted[row, token]), abs=1e-4)
            assert bool(found[row, at, 1]) == (int(wanted[row].argmax()) == token)
        logits = reader.next(given[:, at : at + 1].clamp(min=0))[:, 0]


@torch.inference_mode()
def test_a_model_that_looks_back_a_little_takes_what_fits(asked: Callable[..., Batch]) -> None:
    shape = {
        "vocab_size": 128,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 512,
        "sliding_window": 64,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LanguageModel(module=MistralForCausalLM(MistralConfig(**shape)).eval())
    predict = REGISTRY.build("knorm", {"keep": 0.5}).prepare(model, Context())
    assert predict(asked(2, 50, length=12)).shape == (2, 12)
    whole = REGISTRY.build("knorm", {"keep": 1.0}).prepare(model, Context())
    assert torch.equal(whole(asked(2, 50)), model(asked(2, 50)))
    message = "sliding window: the model looks back 64 tokens only; prompt and answer must be"
    with pytest.raises(Unsupported, match=message):
        predict(asked(2, 60, length=12))


@torch.inference_mode()
def test_too_long_prompts_are_bad_data(llama: LanguageModel, asked: Callable[..., Batch]) -> None:
    predict = REGISTRY.build("knorm", {}).prepare(llama, Context())
    with pytest.raises(BadData, match="do not fit the model's 512 positions"):
        predict(asked(1, 510, length=5))


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("snapkv", {"budget": 63}, "budget must hold 0 first and 64 last rows; got 63"),
        (
            "pyramidkv",
            {"budget": 7, "window": 8},
            "budget must hold 0 first and 8 last rows; got 7",
        ),
        ("streaming-llm", {"budget": 4}, "budget must hold 4 first and 1 last rows; got 4"),
        ("expected-attention", {"budget": 3}, "budget must hold 4 first and 0 last rows; got 3"),
        ("lagkv", {"budget": 3}, "budget must hold 4 first and 0 last rows; got 3"),
        ("random-cache", {"budget": 5, "sinks": 4, "window": 2}, "budget must hold 4 first and 2"),
        ("chunkkv", {"budget": 38}, "budget must hold a chunk of 20 rows and an unfinished one"),
    ],
)
def test_a_number_below_the_pinned_rows_is_refused_at_once(
    name: str, params: Any, message: str
) -> None:
    with pytest.raises(BadParameter, match=message):
        REGISTRY.build(name, params)
    REGISTRY.build(name, {**params, "budget": params["budget"] + 1})


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("snapkv", {}, "budget below pinned: the share must hold 0 first and 64 last rows; got 20"),
        ("pyramidkv", {}, "the share must hold 0 first and 64 last rows; got 20"),
        ("criticalkv", {}, "the share must hold 0 first and 64 last rows; got 20"),
        ("adakv", {}, "the share must hold 0 first and 64 last rows; got 20"),
        ("streaming-llm", {"sinks": 20}, "the share must hold 20 first and 1 last rows; got 20"),
        ("expected-attention", {"sinks": 30}, "the share must hold 30 first and 0 last rows"),
        (
            "chunkkv",
            {"window": 8, "chunk": 24},
            "the share must hold 24 rows and the 16 at the end",
        ),
        ("chunkkv", {"window": 50}, "short prompt: expected more than the 50 rows of the window"),
    ],
)
def test_a_share_below_the_pinned_rows_is_refused_when_the_prompt_is_known(
    llama: LanguageModel, asked: Callable[..., Batch], name: str, params: Any, message: str
) -> None:
    predict = REGISTRY.build(name, {"keep": 0.5, **params}).prepare(llama, Context())
    with pytest.raises(Unsupported, match=message):
        predict(asked(1, 40))


@torch.inference_mode()
def test_another_seed_draws_other_rows(llama: LanguageModel, asked: Callable[..., Batch]) -> None:
    batch = asked(1, 100, given=4)
    one, other = (
        REGISTRY.build("random-cache", {"keep": 0.25}).prepare(llama, Context(seed=seed))(batch)
        for seed in (0, 1)
    )
    assert not torch.isclose(one[:, 1:, 0], other[:, 1:, 0], atol=1e-3).any()


@torch.inference_mode()
def test_another_request_loses_other_rows(
    llama: LanguageModel, asked: Callable[..., Batch]
) -> None:
    """Four requests with one prompt."""
    batch = asked(4, 100, given=4)
    batch = replace(
        batch, prompt=batch.prompt[:1].expand(4, -1), given=batch.given[:1].expand(4, -1)
    )
    predict = REGISTRY.build("random-cache", {"keep": 0.25}).prepare(llama, Context())
    assert len({round(float(each), 3) for each in predict(batch)[:, 1, 0]}) == 4
