"""The first blocks of a model as a model of their own, on the same cache."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tokonomy.families.language.model import Reader


def early(reader: Reader, token: int, ahead: int, exit: int) -> Tensor:
    """Read one token with the first blocks only; logits after it, [V].

    The blocks put its keys and values into their layers of the cache, which then are longer than
    the others until ``forget``.

    Args:
        reader: A model amid one text.
        token: The token.
        ahead: How far it lies ahead of what the whole model has read.
        exit: Number of blocks, after which final norm and head follow.
    """
    module, base = reader.model.module, reader.model.module.base_model
    row, depth = (torch.tensor(each, device=module.device) for each in ([[token]], [ahead]))
    states, positions = module.get_input_embeddings()(row), reader.positions(depth)
    turned = base.rotary_emb(states, position_ids=positions)
    for block in reader.model.layers[:exit]:
        states = block(
            states,
            attention_mask=None,  # one token sees all before it
            position_embeddings=turned,
            position_ids=positions,
            past_key_values=reader.cache,
            use_cache=True,
        )
    logits: Tensor = module.get_output_embeddings()(base.norm(states))
    return logits[0, -1]


def forget(reader: Reader, tokens: int, exit: int) -> None:
    """Take the tokens that were last read out of the first blocks' layers of the cache."""
    layers: list[Any] = reader.cache.layers[:exit]
    for layer in layers:
        layer.keys = layer.keys[..., : layer.keys.shape[-2] - tokens, :]
        layer.values = layer.values[..., : layer.values.shape[-2] - tokens, :]
