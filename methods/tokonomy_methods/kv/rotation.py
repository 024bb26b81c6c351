"""Rotary positions: queries and keys turned by where they stand, and turned on to elsewhere."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor

from tokonomy.errors import Unsupported


def turn(block: Any, each: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Queries or keys [B, heads, n, d] turned by angles, in the way of the block's own model."""
    own = getattr(sys.modules[type(block).__module__], "apply_rotary_pos_emb", None)
    if own is None:
        raise Unsupported(f"no-rotary: {type(block).__name__} does not turn queries and keys")
    turned: Tensor = own(each, each[:, :0], cos, sin)[0]
    return turned


def angles(rotary: Any, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of positions [n], each float32 [1, n, d]; raises ``Unsupported``."""
    if getattr(rotary, "rope_type", "default") in ("dynamic", "longrope"):
        raise Unsupported("rotary: angles depend on the length of a text, and rows move in it")
    cos, sin = rotary(torch.empty(0, device=positions.device), positions[None])
    return cos, sin


def moved(block: Any, rotary: Any, keys: Tensor, by: Tensor) -> Tensor:
    """Keys [B, H, n, d] as they would be at other positions, ``by`` [n] further on.

    Turning is additive, so that what was turned already is turned on; computed in float32.
    """
    cos, sin = angles(rotary, by)
    scaling = getattr(rotary, "attention_scaling", 1.0)  # is in the keys already
    return turn(block, keys.float(), cos / scaling, sin / scaling).to(keys.dtype)
