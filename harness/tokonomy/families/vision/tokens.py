"""The state that flows through a patched vision transformer.

A sequence is ``[specials, patches]``: the class token, the distillation token where there is one,
then whatever stands for the image. Specials keep their places, because the classifier reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Inputs of one forward pass.

    Attributes:
        ids: Index of each sample in its split, int64 [B].
        pixels: Normalised images, [B, C, H, W].
    """

    ids: Tensor
    pixels: Tensor

    def __len__(self) -> int:
        return self.ids.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A batch of sequences between two steps of the encoder.

    Attributes:
        x: Hidden states, [B, T, C].
        specials: How many leading tokens are not patches (1 or 2).
        batch: The inputs they came from.
        size: Patches that each token stands for, float32 [B, T] whatever the precision of the
            model, since half precision cannot count; None while all are 1.
        mask: False where a token is padding, bool [B, T]; None while nothing is padded.
    """

    x: Tensor
    specials: int
    batch: Batch
    size: Tensor | None = None
    mask: Tensor | None = None

    @property
    def length(self) -> int:
        """Sequence length T, specials and padding included."""
        return self.x.shape[1]

    @property
    def patches(self) -> int:
        """Tokens that are not specials, padding included."""
        return self.x.shape[1] - self.specials

    def sizes(self) -> Tensor:
        """Sizes with the implicit ones written out, float32 [B, T]."""
        if self.size is not None:
            return self.size
        return torch.ones(self.x.shape[:2], dtype=torch.float32, device=self.x.device)

    def present(self) -> Tensor:
        """Mask with the implicit True written out, bool [B, T]."""
        if self.mask is not None:
            return self.mask
        return torch.ones(self.x.shape[:2], dtype=torch.bool, device=self.x.device)

    def but(self, **changes: Any) -> Tokens:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def take(self, index: Tensor) -> Tokens:
        """The tokens at ``index`` [B, K] (positions in the sequence), in that order."""
        rows = partial(pick, index=index)
        size = None if self.size is None else rows(self.size)
        mask = None if self.mask is None else rows(self.mask)
        return replace(self, x=rows(self.x), size=size, mask=mask)


def pick(of: Tensor, index: Tensor) -> Tensor:
    """Rows of ``of`` [B, T, ...] at ``index`` [B, K], as [B, K, ...].

    One ``index_select`` over the flattened batch: several times faster on a CPU than a gather
    along an expanded index.
    """
    offset = torch.arange(0, of.shape[0] * of.shape[1], of.shape[1], device=of.device)
    flat = of.flatten(0, 1).index_select(0, (index + offset[:, None]).flatten())
    return flat.view(*index.shape, *of.shape[2:])
