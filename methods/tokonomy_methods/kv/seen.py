"""What one block's attention sees in one pass, and the one place where a model is patched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv.rotation import angles, turn


@dataclass(slots=True, kw_only=True)
class State:
    """What is known of a request in one block, from pass to pass.

    Attributes:
        layer: Place of the block.
        layers: Number of blocks.
        ids: Place of each request in the split, int64 [B].
        seed: Of the cell.
        prompt: Tokens of the prompt that is compressed.
        notes: What a policy wants to remember.
    """

    layer: int
    layers: int
    ids: Tensor
    seed: int
    prompt: int
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One block's attention: before a pass, its cache lacks the n new tokens; after it, not.

    Attributes:
        block: The ``self_attn`` of the block.
        cache: Keys and values of all blocks.
        hidden: What it reads, [B, n, C].
        cos: Of the new tokens' angles, [B or 1, n, d].
        sin: The same.
        rotary: What makes angles of positions.
        state: Of this request in this block.
    """

    block: Any
    cache: DynamicCache
    hidden: Tensor
    cos: Tensor
    sin: Tensor
    rotary: Any
    state: State

    @property
    def held(self) -> int:
        """Rows in the cache of this block."""
        return int(self.cache.get_seq_length(self.state.layer))

    @property
    def keys(self) -> Tensor:
        """Turned by their positions, [B, H, L, d]."""
        layer: Any = self.cache.layers[self.state.layer]
        keys: Tensor = layer.keys
        return keys

    @property
    def values(self) -> Tensor:
        """[B, H, L, d]."""
        layer: Any = self.cache.layers[self.state.layer]
        values: Tensor = layer.values
        return values

    @property
    def scale(self) -> float:
        """Factor on the logits."""
        scale: float = self.block.scaling
        return scale

    def queries(self, last: int | None = None, *, turned: bool = True) -> Tensor:
        """Queries of the new tokens or of the last few of them, [B, Q, n, d].

        Args:
            last: How many, all by default.
            turned: Whether by their positions, as attention uses them.
        """
        begin = 0 if last is None else max(0, self.hidden.shape[1] - last)
        found = self.block.q_proj(self.hidden[:, begin:]).unflatten(-1, (-1, self.block.head_dim))
        if hasattr(self.block, "q_norm"):
            found = self.block.q_norm(found)
        found = found.transpose(1, 2)
        return (
            turn(self.block, found, self.cos[:, begin:], self.sin[:, begin:]) if turned else found
        )

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of positions [n], each float32 [1, n, d]."""
        return angles(self.rotary, positions)

    def drop(self, rows: Tensor) -> None:
        """Keep only some rows, [B or 1, H or 1, K], in memory of their own."""
        layer: Any = self.cache.layers[self.state.layer]
        layer.keys, layer.values = taken(layer.keys, rows), taken(layer.values, rows)


def taken(each: Tensor, rows: Tensor) -> Tensor:
    """Rows [B or 1, H or 1, K] of keys or values [B, H, L, d], copied whole: [B, H, K, d]."""
    batch, heads, length, width = each.shape
    begin = torch.arange(0, batch * heads * length, length, device=each.device)
    index = (rows + begin.view(batch, heads, 1)).flatten()
    return each.reshape(-1, width).index_select(0, index).view(batch, heads, -1, width)


After = Callable[[Seen], Tensor | None]
"""Looks at a block's attention after a pass; a tensor takes the place of what it gave."""
Mask = Callable[[Seen], Tensor | None]
"""What the new queries may look at, bool [B, Q, n, held + n], or None for all before them."""


@contextmanager
def patched(
    model: LanguageModel,
    states: Sequence[State],
    *,
    after: After | None = None,
    mask: Mask | None = None,
) -> Iterator[None]:
    """Look at every block's attention, before and after it; undone on exit."""
    rotary = model.module.base_model.rotary_emb

    def seen(block: Any, given: dict[str, Any]) -> Seen:
        cos, sin = given["position_embeddings"]
        return Seen(
            block=block,
            cache=given["past_key_values"],
            hidden=given["hidden_states"],
            cos=cos,
            sin=sin,
            rotary=rotary,
            state=states[block.layer_idx],
        )

    def before(rule: Mask, block: Any, args: Any, given: dict[str, Any]) -> Any:
        found = rule(seen(block, given))
        return None if found is None else (args, given | {"attention_mask": found})

    def behind(rule: After, block: Any, _: Any, given: dict[str, Any], output: Any) -> Any:
        found = rule(seen(block, given))
        return None if found is None else (found, *output[1:])

    hooks = []
    try:
        for part in (layer.self_attn for layer in model.layers):
            if mask is not None:
                hook = partial(before, mask)
                hooks.append(part.register_forward_pre_hook(hook, with_kwargs=True))
            if after is not None:
                hooks.append(part.register_forward_hook(partial(behind, after), with_kwargs=True))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def causal(new: int, held: int, device: torch.device) -> Tensor:
    """What new queries may look at where nothing is hidden, bool [new, held + new]."""
    return torch.ones(new, held + new, dtype=torch.bool, device=device).tril(held)
