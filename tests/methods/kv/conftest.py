"""Tiny seeded language models of four builds, and a Llama written out with nothing shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel

SHAPE = {
    "vocab_size": 128,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 512,
    "initializer_range": 0.15,  # large, so that attention is uneven
}
BUILD: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SHAPE)),  # looks back 4,096 tokens
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(head_dim=16, **SHAPE)),  # norms queries and keys
}


def seeded(make: Callable[[], Any]) -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LanguageModel(module=make().eval())


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads cost more than they give on models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", params=sorted(BUILD))
def each_model(request: pytest.FixtureRequest) -> LanguageModel:
    """One of every build."""
    return seeded(BUILD[request.param])


@pytest.fixture(scope="session")
def llama() -> LanguageModel:
    """4 layers, 8 heads of 8, 2 of them for keys."""
    return seeded(BUILD["llama"])


@pytest.fixture(scope="session")
def asked() -> Callable[..., Batch]:
    """Makes batches of random prompts with request ids that are not 0, 1, 2."""

    def make(count: int = 1, tokens: int = 200, *, length: int = 6, given: int = 0) -> Batch:
        generator = torch.Generator().manual_seed(1)
        ids = torch.tensor([11, 5, 300, 2])[:count]
        prompt = torch.randint(0, 128, (4, tokens), generator=generator)[:count]
        more = torch.randint(0, 128, (4, given), generator=generator)[:count]
        return Batch(
            ids=ids,
            prompt=prompt,
            present=torch.ones_like(prompt, dtype=torch.bool),
            given=more,
            length=0 if given else length,
            ends=(999,),  # no such token: answers are of full length
        )

    return make


@pytest.fixture(scope="session")
def calibration(asked: Callable[..., Batch]) -> Callable[[], Iterator[Batch]]:
    """Two batches that stand for a train split, one with padding."""

    def batches() -> Iterator[Batch]:
        yield asked(2, 60, length=6)
        whole = asked(2, 50, length=6)
        present = whole.present.clone()
        present[1, :20] = False
        yield Batch(
            ids=whole.ids,
            prompt=whole.prompt * present,
            present=present,
            given=whole.given,
            length=6,
            ends=(999,),
        )

    return batches


@dataclass(eq=False)
class Row:
    """A row of a cache: its key before turning, its value, and the place it was read at."""

    key: Tensor  # [d]
    value: Tensor
    place: int


Cache = list[list[list[Row]]]  # by block and head of keys
Evict = Callable[[int, int, list[Row], Tensor], list[Row]]


@dataclass(frozen=True)
class Plain:
    """A Llama token by token and head by head, for one request, with caches as lists of rows."""

    model: LanguageModel

    def turn(self, each: Tensor, place: int) -> Tensor:
        """A key or query [d] turned to a place."""
        half = each.shape[-1] // 2
        theta = self.model.module.config.rope_parameters["rope_theta"]
        angle = place * theta ** (-torch.arange(half, dtype=torch.float64) / half)
        cos, sin = angle.cos().float(), angle.sin().float()
        a, b = each[..., :half], each[..., half:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def norm(self, x: Tensor, by: Any) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + by.variance_epsilon).sqrt() * by.weight

    def empty(self) -> Cache:
        return [[[] for _ in range(2)] for _ in self.model.layers]

    def token(
        self,
        token: int,
        place: int,
        cache: Cache,
        evict: Evict | None = None,
        *,
        by_index: bool = False,
    ) -> Tensor:
        """Read one token; ``evict`` sees each head's rows and what each got from its queries.

        With ``by_index`` keys and query stand at their places in the cache.
        """
        base = self.model.module.base_model
        x = base.embed_tokens.weight[token]
        for number, layer in enumerate(self.model.layers):
            part, read = layer.self_attn, self.norm(x, layer.input_layernorm)
            q = (part.q_proj.weight @ read).view(2, 4, -1)
            k, v = ((w.weight @ read).view(2, -1) for w in (part.k_proj, part.v_proj))
            mixed = []
            for head in range(2):
                rows = cache[number][head]
                rows.append(Row(k[head], v[head], place))
                own = len(rows) - 1 if by_index else place
                places = range(len(rows)) if by_index else [row.place for row in rows]
                keys = torch.stack(
                    [self.turn(row.key, at) for row, at in zip(rows, places, strict=True)]
                )
                weights = (self.turn(q[head], own) @ keys.T / 8**0.5).softmax(-1)
                mixed.append(weights @ torch.stack([row.value for row in rows]))
                if evict is not None:
                    cache[number][head] = evict(number, head, rows, weights.mean(0))
            x = x + part.o_proj.weight @ torch.cat(mixed).flatten()
            read = self.norm(x, layer.post_attention_layernorm)
            mlp = layer.mlp
            gate = torch.nn.functional.silu(mlp.gate_proj.weight @ read)
            x = x + mlp.down_proj.weight @ (gate * (mlp.up_proj.weight @ read))
        return self.model.module.lm_head.weight @ self.norm(x, base.norm)


@pytest.fixture(scope="session")
def plain(llama: LanguageModel) -> Plain:
    return Plain(llama)
