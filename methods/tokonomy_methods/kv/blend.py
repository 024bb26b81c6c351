"""Caches of pieces of a prompt put together, and corrected where they are most wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import DynamicCache

from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Reader
from tokonomy_methods.kv.rotation import moved, turn


def worst(new: Tensor, old: Tensor, count: int) -> Tensor:
    """Rows whose values differ most from what they should be, int64 [B, count] in order.

    Args:
        new: Values as they should be, [B, H, L, d].
        old: Values that were kept, the same shape.
        count: At most L.
    """
    deviation = (new.float() - old.float()).square().sum((1, 3))
    return deviation.topk(count, dim=1).indices.sort(-1).values


class Patches(DynamicCache):
    """A cache whose new rows take the place of old ones while ``rows`` [B, R] says which."""

    rows: Tensor | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Put new keys and values [B, H, R, d] in place, or at the end."""
        if self.rows is None:
            keys, values = super().update(key_states, value_states, layer_idx, *args, **kwargs)
            return keys, values
        layer: Any = self.layers[layer_idx]
        index = self.rows[:, None, :, None].expand_as(key_states)
        layer.keys = layer.keys.scatter(2, index, key_states)
        layer.values = layer.values.scatter(2, index, value_states)
        return layer.keys, layer.values


@dataclass(slots=True, kw_only=True)
class Blending(Reader):
    """A reader that knows the beginning of a prompt in pieces, each read by itself.

    Attributes:
        ratio: Share of the known tokens that is computed again.
        suffix: Tokens at the end that are in no piece.
        chunk: Tokens of a piece.
    """

    ratio: float
    suffix: int
    chunk: int

    def prompt(self, batch: Batch) -> Tensor:
        """Put the pieces together, compute some rows and the suffix again; logits, [B, V]."""
        tokens = batch.prompt
        known = tokens.shape[1] - self.suffix
        if known <= 0 or len(self.model.layers) == 1:
            return Reader.prompt(self, batch)
        self.seen = tokens.shape[1]
        count = math.floor(Fraction(str(self.ratio)) * known)
        old = pieces(self.model, tokens[:, :known], self.chunk)
        logits, self.cache = blended(self.model, tokens, old, count)
        return logits


def pieces(model: LanguageModel, tokens: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    """Keys and values of each block, of pieces that did not see each other; [B, H, L, d] each.

    Keys are turned to where the piece stands in the whole.
    """
    base = model.module.base_model
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in model.layers]
    for number, part in enumerate(torch.split(tokens, size, 1)):
        cache: Any = DynamicCache()
        base(input_ids=part, past_key_values=cache, use_cache=True)
        by = torch.full((part.shape[1],), number * size, device=tokens.device)
        for layer, held, kept in zip(model.layers, cache.layers, found, strict=True):
            kept.append((moved(layer.self_attn, base.rotary_emb, held.keys, by), held.values))
    return [
        (torch.cat([k for k, _ in kept], 2), torch.cat([v for _, v in kept], 2)) for kept in found
    ]


def blended(
    model: LanguageModel, tokens: Tensor, old: list[tuple[Tensor, Tensor]], count: int
) -> tuple[Tensor, Patches]:
    """The rule of CacheBlend (arXiv 2405.16444).

    The first block is computed for all tokens, the second tells by its values which ``count``
    rows of the known ones are worst, and from there on only those and the suffix are computed.

    Args:
        model: The model.
        tokens: The whole prompt, [B, L].
        old: Keys and values of the known rows in each block, [B, H, known, d].
        count: Known rows that are computed again.

    Returns:
        Logits after the last token, [B, V], and the cache of the whole prompt.
    """
    base, (first, second, *_) = model.module.base_model, model.layers
    hidden = base.embed_tokens(tokens)
    length, known = tokens.shape[1], old[0][0].shape[2]
    places = torch.arange(length, device=tokens.device)
    cos, sin = base.rotary_emb(hidden, places[None])
    cache = Patches()
    hidden = _run(first, hidden, places[None], (cos, sin), cache, None)
    keys, values = _fresh(second, hidden, cos, sin)
    bad = worst(values[:, :, :known], old[1][1], count)
    rows = torch.cat([bad, places[known:].expand(len(tokens), -1)], 1)
    cache.update(keys, values, 1)
    for layer, (keys, values) in enumerate(old[2:], 2):
        room = (0, 0, 0, length - known)
        cache.update(F.pad(keys, room), F.pad(values, room), layer)
    cache.rows = rows
    hidden = hidden.gather(1, rows[..., None].expand(-1, -1, hidden.shape[-1]))
    angles = (cos[0][rows], sin[0][rows])
    sees = (places <= rows[..., None])[:, None]
    for block in model.layers[1:]:
        hidden = _run(block, hidden, rows, angles, cache, sees)
    cache.rows = None
    logits: Tensor = model.module.lm_head(base.norm(hidden[:, -1:]))
    return logits[:, -1], cache


def _run(
    block: Any,
    hidden: Tensor,
    places: Tensor,
    angles: tuple[Tensor, Tensor],
    cache: DynamicCache,
    mask: Tensor | None,
) -> Tensor:
    given: Tensor = block(
        hidden,
        attention_mask=mask,
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
        position_embeddings=angles,
    )
    return given


def _fresh(block: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of a block for all tokens, [B, H, L, d]."""
    part, read = block.self_attn, block.input_layernorm(hidden)
    keys = part.k_proj(read).unflatten(-1, (-1, part.head_dim))
    if hasattr(part, "k_norm"):
        keys = part.k_norm(keys)
    values = part.v_proj(read).unflatten(-1, (-1, part.head_dim)).transpose(1, 2)
    return turn(part, keys.transpose(1, 2), cos, sin), values
