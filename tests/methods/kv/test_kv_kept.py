"""Which rows stay of 200 random tokens, half of them kept, against rules written out anew.

Attention weights, keys and values come from the same model with eager attention and no method.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from tokonomy.catalog.registry import catalogue
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv.reader import Forgetful, Forgetting

L, KEPT = 200, 100
Sets = list[list[list[int]]]  # rows in order, by block and head of keys


@dataclass
class Whole:
    """What one prompt leaves in a model: keys [2, L, 8], values, weights [8, L, L] by block."""

    keys: list[Tensor]
    values: list[Tensor]
    weights: list[Tensor]


@pytest.fixture(scope="module")
def whole(llama: LanguageModel, asked: Callable[..., Batch]) -> Whole:
    module = copy.deepcopy(llama.module)
    module.set_attn_implementation("eager")
    cache: Any = DynamicCache()
    with torch.inference_mode():
        found = module(asked(1).prompt, past_key_values=cache, output_attentions=True)
    return Whole(
        keys=[layer.keys[0] for layer in cache.layers],
        values=[layer.values[0] for layer in cache.layers],
        weights=[each[0] for each in found.attentions],
    )


def kept(llama: LanguageModel, batch: Batch, whole: Whole, name: str, **params: Any) -> Sets:
    """Rows that a method leaves, found by their keys; values must be of the same rows."""
    policy = catalogue("method").build(name, params)
    with torch.inference_mode():
        reader = Forgetful(module=llama.module, policy=policy).read(batch)
        reader.prompt(batch)
    assert isinstance(reader, Forgetting)
    found: Sets = []
    for layer, keys, values in zip(reader.cache.layers, whole.keys, whole.values, strict=True):
        heads = []
        for head in range(2):
            near = (layer.keys[0, head][:, None] - keys[head]).norm(dim=-1)
            rows = near.argmin(1)
            assert near.amin(1).max() < 1e-4
            torch.testing.assert_close(layer.values[0, head], values[head, rows])
            heads.append(rows.tolist())
        found.append(heads)
    return found


def best(scores: Sequence[float], count: int) -> list[int]:
    return sorted(sorted(range(len(scores)), key=lambda row: -scores[row])[:count])


def by_score(whole: Whole, score: Callable[[int, int], Sequence[float]], count: int = KEPT) -> Sets:
    return [[best(score(layer, head), count) for head in range(2)] for layer in range(4)]


def snap(whole: Whole, layer: int, head: int, window: int, kernel: int = 5) -> list[float]:
    """Scores of the rows before the window."""
    found = []
    for query_head in range(4 * head, 4 * head + 4):
        votes = whole.weights[layer][query_head, L - window :, : L - window].mean(0).tolist()
        reach = kernel // 2
        found.append(
            [
                sum(votes[max(0, row - reach) : row + reach + 1]) / kernel
                for row in range(L - window)
            ]
        )
    return torch.tensor(found).mean(0).tolist()


def test_knorm(llama: LanguageModel, asked: Callable[..., Batch], whole: Whole) -> None:
    wanted = by_score(whole, lambda at, head: [-float(key.norm()) for key in whole.keys[at][head]])
    assert kept(llama, asked(1), whole, "knorm", keep=0.5) == wanted


def test_keydiff(llama: LanguageModel, asked: Callable[..., Batch], whole: Whole) -> None:
    def score(layer: int, head: int) -> list[float]:
        unit = [key / key.norm() for key in whole.keys[layer][head]]
        mean = torch.stack(unit).mean(0)
        return [-float(key @ mean) for key in unit]

    assert kept(llama, asked(1), whole, "keydiff", keep=0.5) == by_score(whole, score)


@pytest.mark.parametrize("sinks", [0, 4])
def test_streaming_llm(
    llama: LanguageModel, asked: Callable[..., Batch], whole: Whole, sinks: int
) -> None:
    rows = [*range(sinks), *range(L - KEPT + sinks, L)]
    found = kept(llama, asked(1), whole, "streaming-llm", keep=0.5, sinks=sinks, rerotate=False)
    assert found == [[rows, rows]] * 4


def test_tova(llama: LanguageModel, asked: Callable[..., Batch], whole: Whole) -> None:
    def score(layer: int, _: int) -> list[float]:
        return [*whole.weights[layer][:, -1].mean(0).tolist()[:-1], 1.0]

    for variant in ("prompt", "decode"):
        found = kept(llama, asked(1), whole, "tova", keep=0.5, variant=variant)
        assert found == by_score(whole, score)


@pytest.mark.parametrize(("window", "kernel"), [(64, 5), (8, 5), (8, 1)])
def test_snapkv(
    llama: LanguageModel, asked: Callable[..., Batch], whole: Whole, window: int, kernel: int
) -> None:
    end = list(range(L - window, L))
    wanted = [
        [best(snap(whole, layer, head, window, kernel), KEPT - window) + end for head in range(2)]
        for layer in range(4)
    ]
    found = kept(llama, asked(1), whole, "snapkv", keep=0.5, window=window, kernel=kernel)
    assert found == wanted
    number = kept(llama, asked(1), whole, "snapkv", budget=KEPT, window=window, kernel=kernel)
    assert number == wanted


def test_pyramidkv(llama: LanguageModel, asked: Callable[..., Batch], whole: Whole) -> None:
    found = kept(llama, asked(1), whole, "pyramidkv", keep=0.5, window=8, beta=20)
    assert [len(rows[0]) for rows in found] == [192, 131, 69, 8]
    end = list(range(L - 8, L))
    assert found == [
        [best(snap(whole, layer, head, 8), count - 8) + end for head in range(2)]
        for layer, count in enumerate([192, 131, 69, 8])
    ]


def test_observed_attention(
    llama: LanguageModel, asked: Callable[..., Batch], whole: Whole
) -> None:
    def score(layer: int, head: int) -> list[float]:
        total = whole.weights[layer][4 * head : 4 * head + 4].mean(0).sum(0)
        return [float(each) / (L - row) for row, each in enumerate(total)]

    found = kept(llama, asked(1), whole, "observed-attention", keep=0.5)
    assert found == by_score(whole, score)


@pytest.mark.parametrize(("recent", "last"), [(0.5, 50), (0.1, 10)])
@pytest.mark.parametrize("variant", ["prompt", "decode"])
def test_h2o(
    llama: LanguageModel,
    asked: Callable[..., Batch],
    whole: Whole,
    variant: str,
    recent: float,
    last: int,
) -> None:
    def rows(layer: int, head: int) -> list[int]:
        total = whole.weights[layer][4 * head : 4 * head + 4].sum((0, 1)).tolist()
        return best(total[: L - last], KEPT - last) + list(range(L - last, L))

    found = kept(llama, asked(1), whole, "h2o", keep=0.5, variant=variant, recent=recent)
    assert found == [[rows(layer, head) for head in range(2)] for layer in range(4)]


def test_expected_attention(
    llama: LanguageModel, asked: Callable[..., Batch], whole: Whole
) -> None:
    """Turning as a matrix, averaged over 50 positions to come; hidden states from the model."""
    with torch.inference_mode():
        hidden = llama.module(asked(1).prompt, output_hidden_states=True).hidden_states

    def matrix(place: int) -> Tensor:
        angle = place * 10000 ** (-torch.arange(4, dtype=torch.float64) / 4)
        cos, sin = angle.cos().diag(), angle.sin().diag()
        return torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)])

    mean_turn = torch.stack([matrix(place) for place in range(L, L + 50)]).mean(0)

    def score(layer: int, head: int) -> list[float]:
        block = llama.layers[layer]
        with torch.inference_mode():
            read = block.input_layernorm(hidden[layer][0])
            queries = block.self_attn.q_proj(read).view(L, 8, 8)[4:].double()
        keys, values = whole.keys[layer][head, 4:].double(), whole.values[layer][head, 4:]
        each = []
        for query_head in range(4 * head, 4 * head + 4):
            own = queries[:, query_head]
            mean, spread = (
                mean_turn @ own.mean(0),
                mean_turn @ own.T.cov(correction=0) @ mean_turn.T,
            )
            logits = [float(mean @ k / 8**0.5 + k @ spread @ k / 16) for k in keys]
            each.append(torch.tensor(logits).softmax(0))
        found = torch.stack(each).mean(0) * values.norm(dim=1)
        return [9e9] * 4 + found.tolist()

    found = kept(llama, asked(1), whole, "expected-attention", keep=0.5, future=50)
    assert found == by_score(whole, score)


def test_lagkv(llama: LanguageModel, asked: Callable[..., Batch], whole: Whole) -> None:
    """Parts of 20: 4 sinks, 8 scored parts, 20 + 16 at the end. 60 are left to the parts."""

    def unlike(each: Tensor, part: int) -> Tensor:
        here, after = each[4 + 20 * part :][:20], each[24 + 20 * part :][:20]
        spread = (here - after.min(0).values) / (after.max(0).values - after.min(0).values)
        return spread.std(1).softmax(0)

    def score(layer: int, head: int) -> list[float]:
        ranks: list[float] = []
        for part in range(8):
            both = (
                unlike(whole.keys[layer][head], part) + unlike(whole.values[layer][head], part)
            ).tolist()
            ranks += [sorted(both).index(each) for each in both]
        return [99.0] * 4 + ranks + [99.0] * 36

    found = kept(llama, asked(1), whole, "lagkv", keep=0.5, lag=20)
    for layer in range(4):
        for head in range(2):
            points, rows = score(layer, head), found[layer][head]
            assert len(rows) == KEPT
            gone = max(points[row] for row in set(range(L)) - set(rows))
            assert min(points[row] for row in rows) >= gone  # equal ranks of parts may go or stay


def test_chunkkv(llama: LanguageModel, asked: Callable[..., Batch], whole: Whole) -> None:
    """Chunks of 12 leave 8 at the end; 92 more are 7 chunks, of 200 / 12 = 16."""
    wanted = []
    for layer in range(4):
        total = torch.zeros(L)
        for head in range(2):
            scores = snap(whole, layer, head, 8)
            total += torch.tensor(scores + [max(scores)] * 8)
        means = total[:192].view(16, 12).mean(1).tolist()
        rows = [12 * chunk + row for chunk in best(means, 7) for row in range(12)]
        wanted.append([rows + list(range(192, L))] * 2)
    assert kept(llama, asked(1), whole, "chunkkv", keep=0.5, window=8, chunk=12) == wanted


@pytest.mark.parametrize("first", [0.0, 0.5])
def test_criticalkv(
    llama: LanguageModel, asked: Callable[..., Batch], whole: Whole, first: float
) -> None:
    def rows(layer: int, head: int) -> list[int]:
        scores = snap(whole, layer, head, 8)
        base = scores + [max(scores)] * 8
        out = llama.layers[layer].self_attn.o_proj.weight.detach()
        moves = torch.stack(
            [
                (whole.values[layer][head] @ out[:, 8 * q : 8 * q + 8].T).abs().sum(1)
                for q in range(4 * head, 4 * head + 4)
            ]
        ).mean(0)
        weighed = [(b + 1e-4) * float(m) for b, m in zip(base, moves, strict=True)]
        for row in best(base, int(first * KEPT)):
            weighed[row] = 1e9
        return best(weighed[:-8] + [1e10] * 8, KEPT)

    found = kept(llama, asked(1), whole, "criticalkv", keep=0.5, window=8, first=first)
    assert found == [[rows(layer, head) for head in range(2)] for layer in range(4)]


def test_adakv_hides_the_lowest_of_all_heads(
    llama: LanguageModel, asked: Callable[..., Batch], whole: Whole
) -> None:
    policy = catalogue("method").build("adakv", {"keep": 0.5, "window": 8, "safeguard": 0.2})
    with torch.inference_mode():
        reader: Any = Forgetful(module=llama.module, policy=policy).read(asked(1))
        reader.prompt(asked(1))
    uneven = 0
    for layer in range(4):
        scores = [snap(whole, layer, head, 8) + [1e9] * 8 for head in range(2)]
        for head in range(2):
            for row in best(scores[head], 20):
                scores[head][row] = 1e9
        rows = best(scores[0] + scores[1], 2 * KEPT)
        shown = reader.states[layer].notes["kept"][0].flatten().nonzero()[:, 0].tolist()
        assert shown == rows
        uneven += sum(row < L for row in rows) != KEPT
        assert reader.cache.layers[layer].keys.shape[2] == L
    assert uneven >= 2


def test_random_rows_come_from_seed_request_and_block(
    llama: LanguageModel, asked: Callable[..., Batch], whole: Whole
) -> None:
    found = kept(llama, asked(1), whole, "random-cache", keep=0.5)
    assert all(len(rows) == KEPT for heads in found for rows in heads)
    assert len({tuple(rows) for heads in found for rows in heads}) == 8
    assert found == kept(llama, asked(1), whole, "random-cache", keep=0.5)
    pinned = kept(llama, asked(1), whole, "random-cache", keep=0.5, sinks=3, window=5)
    for heads in pinned:
        for rows in heads:
            assert rows[:3] == [0, 1, 2]
            assert rows[-5:] == list(range(L - 5, L))
