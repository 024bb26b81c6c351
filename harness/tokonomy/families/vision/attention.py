"""One block's attention, taken apart so that methods can look inside.

Everything is computed from the block's own modules; nothing is computed before it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tokonomy.families.vision.tokens import Tokens


@dataclass(kw_only=True)
class Attention:
    """Queries, keys and values of one block for one batch of tokens.

    Attributes:
        block: The transformer layer.
        tokens: Its input.
        proportional: Whether ``log(size)`` is added to the logits of each key (ToMe, eq. 1).
        normed: ``norm1(x)``, [B, T, C].
        q, k: [B, heads, T, head_dim].
    """

    block: Any
    tokens: Tokens
    proportional: bool = False

    def __post_init__(self) -> None:
        self.normed: Tensor = self.block.layernorm_before(self.tokens.x)
        self.q = self._heads(self.block.attention.q_proj(self.normed))
        self.k = self._heads(self.block.attention.k_proj(self.normed))

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], -1, self.block.attention.head_dim).transpose(1, 2)

    @property
    def scale(self) -> float:
        """Factor on the logits, ``head_dim ** -0.5``."""
        return float(self.block.attention.scaling)

    @cached_property
    def v(self) -> Tensor:
        """Values, [B, heads, T, head_dim]."""
        return self.values(self.normed)

    def values(self, normed: Tensor) -> Tensor:
        """Values of already normalised hidden states [B, T', C]."""
        return self._heads(self.block.attention.v_proj(normed))

    @cached_property
    def bias(self) -> Tensor | None:
        """What is added to the logits of each key, [B, 1, 1, T]: log size, -inf for padding."""
        tokens, bias = self.tokens, None
        if self.proportional and tokens.size is not None:
            bias = tokens.size.log().to(self.q.dtype)
        if tokens.mask is not None:
            zero = torch.zeros_like(tokens.x[..., 0]) if bias is None else bias
            bias = zero.masked_fill(~tokens.mask, float("-inf"))
        return None if bias is None else bias[:, None, None, :]

    @cached_property
    def weights(self) -> Tensor:
        """The attention map after softmax, [B, heads, T, T]."""
        return self.rows(self.q)

    def rows(self, q: Tensor) -> Tensor:
        """Attention of some queries [B, heads, Q, head_dim], as [B, heads, Q, T]."""
        logits = (q * self.scale) @ self.k.transpose(-1, -2)
        if self.bias is not None:
            logits = logits + self.bias
        return logits.softmax(-1, dtype=torch.float32).to(q.dtype)

    @cached_property
    def cls_row(self) -> Tensor:
        """Attention that the class token pays to every token, [B, heads, T]."""
        if "weights" in self.__dict__:
            return self.weights[:, :, 0]
        return self.rows(self.q[:, :, :1])[:, :, 0]

    @property
    def key_mean(self) -> Tensor:
        """Keys averaged over heads, float32 [B, T, head_dim]: what ToMe, PiToMe and ATC compare."""
        return self.k.mean(1, dtype=torch.float32)

    def mix(self, queries: Tensor | None = None) -> Tensor:
        """Attention-weighted values, [B, heads, T, head_dim], or of some queries only."""
        if (
            "weights" in self.__dict__
            or self.block.attention.config._attn_implementation == "eager"
        ):
            return (self.weights if queries is None else self.rows(queries)) @ self.v
        q = self.q if queries is None else queries
        return F.scaled_dot_product_attention(
            q, self.k, self.v, attn_mask=self.bias, scale=self.scale
        )

    def output(self, mixed: Tensor) -> Tensor:
        """Output projection of [B, heads, T', head_dim] to [B, T', C]."""
        projected: Tensor = self.block.attention.o_proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def attended(self) -> Tokens:
        """The tokens after the plain attention sub-layer and its residual."""
        return self.tokens.but(x=self.tokens.x + self.output(self.mix()))
