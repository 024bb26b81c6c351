"""Caches that forget: scores and choices alone, and what a step of decoding takes with them.

Scores: one request of 512 and 4,096 rows, 8 heads of keys for 32 of queries, 64 channels. Steps: a
Llama of the embedded one's size (4 blocks, 128 wide, 2 heads of keys for 4) with random weights and
a prompt of 512 tokens. One thread, so that figures compare between machines with different core
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from tokonomy.catalog.registry import catalogue
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv import roles, scores, select
from tokonomy_methods.kv.reader import Forgetful

HEADS, GROUP, CHANNELS, WINDOW = 8, 4, 64, 64


@dataclass(frozen=True, kw_only=True)
class Case:
    """Random inputs of one size."""

    queries: Tensor
    keys: Tensor
    values: Tensor
    score: Tensor
    weight: Tensor

    @property
    def half(self) -> int:
        return self.keys.shape[2] // 2


@pytest.fixture(scope="module", params=[512, 4096], ids=lambda rows: f"rows{rows}")
def case(request: pytest.FixtureRequest) -> Case:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    rows = request.param
    return Case(
        queries=normal(1, HEADS * GROUP, rows, CHANNELS),
        keys=normal(1, HEADS, rows, CHANNELS),
        values=normal(1, HEADS, rows, CHANNELS),
        score=normal(1, HEADS, rows),
        weight=normal(512, HEADS * GROUP * CHANNELS),
    )


def law(case: Case) -> tuple[Tensor, Tensor]:
    mean = case.queries.mean(2)
    apart = case.queries - mean[:, :, None]
    return mean, apart.mT @ apart / apart.shape[2]


SCORES: dict[str, Callable[[Case], Tensor]] = {
    "shortness": lambda c: scores.shortness(c.keys),
    "difference": lambda c: scores.difference(c.keys),
    "lag": lambda c: scores.lag(c.keys, c.values, 4, 128),
    "last": lambda c: scores.last(c.queries[:, :, -1:], c.keys, 0.125),
    "window": lambda c: scores.window(c.queries[:, :, -WINDOW:], c.keys, 0.125, 5, "average"),
    "received": lambda c: scores.received(c.queries, c.keys, 0.125),
    "expected": lambda c: scores.expected(*law(c), c.keys, 0.125),
    "projected": lambda c: scores.projected(c.values, c.weight),
}
SELECT: dict[str, Callable[[Case], Tensor]] = {
    "top": lambda c: select.top(select.pinned(c.score, 4, WINDOW), c.half),
    "chunks": lambda c: select.chunks(c.score, c.half, 20),
    "headwise": lambda c: select.headwise(c.score, c.half, c.half // 5),
}
STEPS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "whole": ("knorm", {"keep": 1.0}),
    "snapkv": ("snapkv", {"keep": 0.5}),
    "pyramidkv": ("pyramidkv", {"keep": 0.5}),
    "adakv": ("adakv", {"keep": 0.5}),
    "streaming-llm": ("streaming-llm", {"keep": 0.5}),
    "streaming-llm-left": ("streaming-llm", {"keep": 0.5, "rerotate": False}),
    "tova": ("tova", {"keep": 0.5, "variant": "decode"}),
    "h2o": ("h2o", {"keep": 0.5}),
}
PROMPTS = [*STEPS, "expected-attention", "observed-attention", "criticalkv", "lagkv"]


@pytest.mark.parametrize("kernel", sorted(SCORES))
def test_score(benchmark: BenchmarkFixture, case: Case, kernel: str) -> None:
    found = benchmark(SCORES[kernel], case)
    assert found.shape[-1] == case.keys.shape[2]


@pytest.mark.parametrize("kernel", sorted(SELECT))
def test_select(benchmark: BenchmarkFixture, case: Case, kernel: str) -> None:
    assert benchmark(SELECT[kernel], case).numel() > 0


def test_visible(benchmark: BenchmarkFixture) -> None:
    hard = roles.hard(torch.randn(1, HEADS, 512, 3, generator=torch.Generator().manual_seed(0)))
    assert benchmark(roles.visible, hard, 512, 64).shape == (1, HEADS, 512, 512)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=2048,
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=64,
            intermediate_size=384,
            max_position_embeddings=1 << 16,  # steps are taken without end
        )
        return LanguageModel(module=LlamaForCausalLM(config).eval())


@pytest.fixture(scope="module")
def batch() -> Batch:
    prompt = torch.randint(0, 2048, (1, 512), generator=torch.Generator().manual_seed(0))
    return Batch(
        ids=torch.zeros(1, dtype=torch.int64),
        prompt=prompt,
        present=torch.ones_like(prompt, dtype=torch.bool),
        given=prompt[:, :0],
        length=1,
    )


@pytest.mark.parametrize("name", sorted(STEPS))
def test_step(benchmark: BenchmarkFixture, model: LanguageModel, batch: Batch, name: str) -> None:
    policy = catalogue("method").build(*STEPS[name])
    reader = Forgetful(module=model.module, policy=policy).read(batch)
    reader.prompt(batch)
    found = benchmark.pedantic(reader.next, (batch.prompt[:, :1],), rounds=100, warmup_rounds=5)
    assert found.shape == (1, 1, 2048)


@pytest.mark.parametrize("name", sorted(PROMPTS))
def test_prompt(benchmark: BenchmarkFixture, model: LanguageModel, batch: Batch, name: str) -> None:
    policy = catalogue("method").build(*STEPS.get(name, (name, {"keep": 0.5})))
    forgetful = Forgetful(module=model.module, policy=policy)
    found = benchmark(lambda: forgetful.read(batch).prompt(batch))
    assert found.shape == (1, 2048)
