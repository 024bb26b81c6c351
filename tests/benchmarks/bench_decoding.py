"""Decoding: reading a tree against reading step by step, drafters alone, and what warm state holds.

One thread. The model is a Llama of the shape of docs-lm (4 blocks, 128 wide, 2,048 tokens) with
random weights; tokens are drawn from Zipf's law over the same vocabulary, so that a few are met all
the time and most hardly ever.
"""

from __future__ import annotations

import gc
import random
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from transformers import LlamaConfig, LlamaForCausalLM

from prompts import asked
from tokonomy.families.language.model import LanguageModel, Reader
from tokonomy.families.language.tree import Tree
from tokonomy_methods.decoding.aded import Aded, Search
from tokonomy_methods.decoding.drafts import Drafter
from tokonomy_methods.decoding.lookahead_trie import LookaheadTrie, Lookup
from tokonomy_methods.decoding.prompt_lookup import PromptLookup
from tokonomy_methods.decoding.recycling import Template, template
from tokonomy_methods.decoding.rest import Rest, Retrieval
from tokonomy_methods.decoding.suffixes import Suffixes
from tokonomy_methods.decoding.token_recycling import Recycler
from tokonomy_methods.decoding.trie import Below, Store
from tokonomy_methods.decoding.trigrams import Table, counted

VOCABULARY, PROMPT, ANSWER = 2048, 300, 48


@cache
def model() -> LanguageModel:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=2048,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LanguageModel(module=LlamaForCausalLM(config).eval())


def text(count: int, seed: int) -> list[int]:
    """Tokens by Zipf's law."""
    drawn = np.random.default_rng(seed).zipf(1.2, count) % VOCABULARY
    tokens: list[int] = drawn.tolist()
    return tokens


def opened() -> Reader:
    batch = asked([text(PROMPT, 1)], ANSWER)
    reader = model().read(batch)
    reader.prompt(batch)
    return reader


def shape(kind: str, count: int) -> Sequence[int]:
    if kind == "chain":
        return list(range(-1, count - 1))
    parents = [-1, *((node - 1) // 2 for node in range(1, count))]
    return Tree(parents) if kind == "made-once" else parents


@pytest.mark.parametrize("count", [1, 4, 8, 16, 32, 64, 81])
@pytest.mark.parametrize("kind", ["chain", "tree", "made-once"])
def test_read_at_once(benchmark: BenchmarkFixture, kind: str, count: int) -> None:
    """A pass over so many drafted tokens, of which one is kept."""
    reader, tokens = opened(), torch.tensor([text(count, 2)])
    parents = shape(kind, count)

    def read() -> torch.Tensor:
        logits = reader.tree(tokens, parents)
        reader.keep([], of=count)
        return logits

    assert benchmark(read).shape == (1, count, VOCABULARY)


@pytest.mark.parametrize("count", [1, 4, 8])
def test_read_step_by_step(benchmark: BenchmarkFixture, count: int) -> None:
    """As many passes of one token each."""
    reader, tokens = opened(), torch.tensor([text(count, 2)])

    def read() -> torch.Tensor:
        for place in range(count):
            logits = reader.next(tokens[:, place : place + 1])
        reader.keep([], of=count)
        return logits

    assert benchmark(read).shape == (1, 1, VOCABULARY)


@cache
def store(tokens: int) -> Store:
    """A trie of answers of 48 tokens."""
    found = Store(13)
    stream = text(tokens, 3)
    for start in range(0, tokens, ANSWER):
        found.add(stream[start : start + ANSWER])
    return found


@cache
def suffixes(tokens: int) -> Suffixes:
    return Suffixes.of(text(tokens, 4), 26)


@cache
def trigrams(tokens: int) -> dict[tuple[int, int], dict[int, float]]:
    return counted([text(tokens, 5)], 12)


def recycler() -> Recycler:
    matrix = np.random.default_rng(6).integers(0, VOCABULARY, (VOCABULARY, 8), dtype=np.int32)
    return Recycler(matrix, Template(template(80, 8)))


def search(iterations: int) -> Drafter:
    method = Aded(iterations=iterations)
    return Search(method, Table(trigrams(1_000_000)), random.Random(0))


DRAFTERS: dict[str, Callable[[], Drafter]] = {
    "prompt-lookup": lambda: PromptLookup(),
    "token-recycling": recycler,
    "trie-cold": lambda: Lookup(LookaheadTrie(), Store(13)),
    "trie-of-1M": lambda: Lookup(LookaheadTrie(), store(1_000_000)),
    "trie-of-1M-16": lambda: Lookup(LookaheadTrie(tokens=16), store(1_000_000)),
    "suffixes-of-1M": lambda: Retrieval(Rest(), suffixes(1_000_000)),
    "suffixes-of-10M": lambda: Retrieval(Rest(), suffixes(10_000_000)),
    "search-30": lambda: search(30),
    "search-150": lambda: search(150),
}


@pytest.mark.parametrize("name", DRAFTERS)
def test_draft(benchmark: BenchmarkFixture, name: str) -> None:
    """The drafts of one answer, as in its own request; ``per_token_us`` is the mean of them."""
    prompt, answer = text(PROMPT, 7), text(ANSWER, 8)
    logits = torch.randn(81, VOCABULARY, generator=torch.Generator().manual_seed(0))
    DRAFTERS[name]().propose(prompt)  # makes what is shared

    def request() -> int:
        drafter, nodes = DRAFTERS[name](), 0
        for place in range(1, ANSWER):
            draft = drafter.propose([*prompt, *answer[:place]])
            fed = [answer[place - 1], *draft.tokens]
            drafter.observe(fed, logits[: len(fed)], answer[place : place + 1])
            nodes += len(draft)
        return nodes

    nodes = benchmark(request)
    benchmark.extra_info["nodes_per_draft"] = nodes / (ANSWER - 1)
    benchmark.extra_info["per_token_us"] = benchmark.stats.stats.median / (ANSWER - 1) * 1e6


@pytest.mark.parametrize("tokens", [100_000, 1_000_000, 10_000_000])
def test_sort_suffixes(benchmark: BenchmarkFixture, tokens: int) -> None:
    stream = text(tokens, 4)
    found = benchmark.pedantic(Suffixes.of, args=(stream, 26), rounds=3 if tokens < 2e6 else 1)
    assert len(found.order) == tokens
    benchmark.extra_info["bytes"] = len(found.raw) + found.order.nbytes


def grown(step: Callable[[list[int]], object], held: Callable[[], int]) -> dict[str, int]:
    """Bytes that state holds after each thousand of 10,000 answers of 48 tokens."""
    sizes: dict[str, int] = {}
    for number in range(1, 10_001):
        step(text(ANSWER, number))
        if number % 1000 == 0:
            sizes[str(number)] = held()
    return sizes


def size(below: Below) -> int:
    """Bytes of a trie: dicts, nodes and the counts that are objects of their own."""
    total = sys.getsizeof(below)
    for node in below.values():
        total += sys.getsizeof(node) + size(node.below)
        total += sys.getsizeof(node.said) if isinstance(node.said, float) else 0
    return total


def test_memory_of_a_trie(benchmark: BenchmarkFixture) -> None:
    """Pruning bounds it; ``nodes_unpruned`` is what it would be without."""
    kept, whole = Store(13), Store(13, bound=1 << 40)

    def held() -> int:
        return sum(map(size, kept.trees.values()))

    sizes = benchmark.pedantic(grown, args=(kept.add, held), rounds=1)
    for number in range(1, 10_001):
        whole.add(text(ANSWER, number))
    benchmark.extra_info |= {
        "bytes": sizes, "nodes": kept.nodes, "nodes_unpruned": whole.nodes
    }  # fmt: skip
    assert sizes["10000"] < 1.5 * sizes["5000"]
    assert kept.nodes < whole.nodes / 2


def test_memory_of_a_matrix(benchmark: BenchmarkFixture) -> None:
    """It stays as large as it is."""
    matrix = np.zeros((VOCABULARY, 8), dtype=np.int32)
    drafter = Recycler(matrix, Template(template(8, 8)))
    logits = torch.randn(9, VOCABULARY, generator=torch.Generator().manual_seed(0))

    def step(said: list[int]) -> None:
        drafter.observe([said[0], *drafter.propose(said).tokens], logits, said[:1])

    _constant(benchmark, step)
    benchmark.extra_info["matrix_bytes"] = matrix.nbytes


def test_memory_of_trigrams(benchmark: BenchmarkFixture) -> None:
    """What a request adds to the table goes with it."""
    base = trigrams(100_000)

    def step(said: list[int]) -> None:
        Search(Aded(iterations=10), Table(base), random.Random(0)).propose(said)

    _constant(benchmark, step)


def _constant(benchmark: BenchmarkFixture, step: Callable[[list[int]], object]) -> None:
    tracemalloc.start()
    begun = tracemalloc.get_traced_memory()[0]

    def held() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - begun

    sizes = benchmark.pedantic(grown, args=(step, held), rounds=1)
    tracemalloc.stop()
    benchmark.extra_info["bytes"] = sizes
    assert max(sizes.values()) < 1 << 20
