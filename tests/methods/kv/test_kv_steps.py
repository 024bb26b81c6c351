"""Eviction after every token, against a Llama written out token by token, row by row."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tokonomy.catalog.registry import catalogue
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv.reader import Forgetful

PROMPT, MORE = 40, 9
Rows = list[Any]


def said(llama: LanguageModel, batch: Batch, name: str, **params: Any) -> tuple[Tensor, Any]:
    """Logits after the prompt and after each given token but the last, and the reader."""
    policy = catalogue("method").build(name, params)
    with torch.inference_mode():
        reader: Any = Forgetful(module=llama.module, policy=policy).read(batch)
        logits = [reader.prompt(batch)[0]]
        logits += list(reader.next(batch.given[:, :-1])[0])
    return torch.stack(logits), reader


def written_out(
    plain: Any,
    batch: Batch,
    evict: Callable[[int, int, Rows, Tensor, int], Rows],
    *,
    by_index: bool = False,
) -> Tensor:
    """The same, with ``evict`` (block, head, rows, weights, tokens read) from the prompt's end."""
    tokens = [*batch.prompt[0].tolist(), *batch.given[0, :-1].tolist()]
    cache, logits = plain.empty(), []
    for place, token in enumerate(tokens):

        def after(
            layer: int, head: int, rows: Rows, weights: Tensor, read: int = place + 1
        ) -> Rows:
            return evict(layer, head, rows, weights, read)

        by = by_index and place >= PROMPT
        logits.append(plain.token(token, place, cache, after, by_index=by))
    return torch.stack(logits[PROMPT - 1 :])


@pytest.fixture(scope="module")
def batch(asked: Callable[..., Batch]) -> Batch:
    return asked(1, PROMPT, given=MORE)


@torch.inference_mode()
def test_the_written_out_llama_is_the_model(llama: LanguageModel, plain: Any, batch: Batch) -> None:
    found = written_out(plain, batch, lambda layer, head, rows, weights, read: rows)
    wanted = llama.module(torch.cat([batch.prompt, batch.given[:, :-1]], 1)).logits[0, PROMPT - 1 :]
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("sinks", [0, 1, 4])
@pytest.mark.parametrize("rerotate", [True, False])
def test_streaming_llm(
    llama: LanguageModel, plain: Any, batch: Batch, sinks: int, rerotate: bool
) -> None:
    """With rerotate, positions are places in the cache, as in the original."""

    def evict(_: int, __: int, rows: Rows, ___: Tensor, read: int) -> Rows:
        return rows if read < PROMPT or len(rows) <= 20 else rows[:sinks] + rows[sinks - 20 :]

    wanted = written_out(plain, batch, evict, by_index=rerotate)
    found, reader = said(llama, batch, "streaming-llm", keep=0.5, sinks=sinks, rerotate=rerotate)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert {layer.keys.shape[2] for layer in reader.cache.layers} == {20}


@torch.inference_mode()
def test_rerotation_makes_a_difference(llama: LanguageModel, batch: Batch) -> None:
    turned, _ = said(llama, batch, "streaming-llm", keep=0.5)
    left, _ = said(llama, batch, "streaming-llm", keep=0.5, rerotate=False)
    assert torch.equal(turned[0], left[0])
    assert not torch.isclose(turned[1:], left[1:], atol=1e-3).all(1).any()


@torch.inference_mode()
@pytest.mark.parametrize("recent", [0.5, 0.1])
def test_h2o(llama: LanguageModel, plain: Any, batch: Batch, recent: float) -> None:
    received: dict[tuple[int, int, int], float] = {}  # by block, head, place

    def evict(layer: int, head: int, rows: Rows, weights: Tensor, read: int) -> Rows:
        for row, weight in zip(rows, weights.tolist(), strict=True):
            key = (layer, head, row.place)
            received[key] = received.get(key, 0.0) + weight
        while read >= PROMPT and len(rows) > 20:
            old = rows[: len(rows) - int(20 * recent)]
            rows.remove(min(old, key=lambda row: received[layer, head, row.place]))
        return rows

    wanted = written_out(plain, batch, evict)
    found, reader = said(llama, batch, "h2o", keep=0.5, recent=recent)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert {layer.keys.shape[2] for layer in reader.cache.layers} == {20}


@torch.inference_mode()
def test_tova(llama: LanguageModel, plain: Any, batch: Batch) -> None:
    """Heads of a block decide together, so the second of two tells the first."""
    weighed: dict[int, tuple[Rows, Tensor]] = {}
    gone: dict[int, set[int]] = {layer: set() for layer in range(4)}

    def evict(layer: int, head: int, rows: Rows, weights: Tensor, read: int) -> Rows:
        if head == 0:
            weighed[layer] = rows, weights
            return rows
        first, others = weighed[layer]
        mean = ((weights + others) / 2).tolist()
        if read >= PROMPT:
            order = sorted(range(len(rows) - 1), key=lambda at: mean[at])
            out = sorted(order[: len(rows) - 20], reverse=True)
            for at in out:
                gone[layer].add(rows[at].place)
                del rows[at], first[at]
        return rows

    wanted = written_out(plain, batch, evict)
    found, reader = said(llama, batch, "tova", keep=0.5, variant="decode")
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert {layer.keys.shape[2] for layer in reader.cache.layers} == {20}
    assert [len(places) for places in gone.values()] == [20 + MORE - 1] * 4


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "params"),
    [("streaming-llm", {}), ("h2o", {}), ("tova", {"variant": "decode"})],
)
@pytest.mark.parametrize("tokens", [20, 60])
def test_a_number_of_rows_holds_for_short_prompts_too(
    llama: LanguageModel, asked: Callable[..., Batch], name: str, params: Any, tokens: int
) -> None:
    """A prompt of 20 fits in 24 rows; the answer to it outgrows them."""
    batch = asked(1, tokens, given=12)
    _, reader = said(llama, batch, name, budget=24, **params)
    assert {layer.keys.shape[2] for layer in reader.cache.layers} == {24}
    assert reader.seen == tokens + 11


@torch.inference_mode()
def test_half_precision_sinks_do_not_drift(
    llama: LanguageModel, asked: Callable[..., Batch]
) -> None:
    """After 60 steps the sinks are their first keys, turned once."""
    half = LanguageModel(module=copy.deepcopy(llama.module).bfloat16())
    batch = asked(1, PROMPT, given=61)
    _, reader = said(half, batch, "streaming-llm", keep=0.5)
    policy = catalogue("method").build("streaming-llm", {"keep": 1.0})
    whole = Forgetful(module=half.module, policy=policy).read(batch)
    whole.prompt(batch)
    gone = PROMPT + 60 - 20
    for layer, first in zip(reader.cache.layers, whole.cache.layers, strict=True):
        a, b = first.keys[:, :, :4].double().chunk(2, -1)
        angle = gone * half.module.base_model.rotary_emb.inv_freq.double()
        wanted = torch.cat(
            [a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1
        )
        torch.testing.assert_close(layer.keys[:, :, :4].double(), wanted, rtol=0.01, atol=0.01)
