"""A vision transformer as methods see it, and the only place where one is patched.

Works on the classifiers of transformers whose layers are built as in ViT and DeiT.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tokonomy.errors import BadCheckpoint, BadParameter, Unsupported
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.tokens import Batch, Tokens

Predict = Callable[[Batch], Tensor]
Before = Callable[[int, Tokens], Tokens]
Attend = Callable[[int, Attention], Tokens]
After = Callable[[int, Tokens, Attention], Tokens]


def _same(_: int, tokens: Tokens) -> Tokens:
    return tokens


def _attended(_: int, attention: Attention) -> Tokens:
    return attention.attended()


def _unchanged(_: int, tokens: Tokens, __: Attention) -> Tokens:
    return tokens


@dataclass(frozen=True, kw_only=True)
class VisionModel:
    """Weights with what is needed to feed them.

    Attributes:
        module: A transformers image classifier in eval mode.
        processor: Its image processor, or None where batches are made by hand.
    """

    module: Any
    processor: Any = None

    @property
    def encoder(self) -> Any:
        """The model below the classifier."""
        return self.module.base_model

    @property
    def layers(self) -> Sequence[Any]:
        """Transformer blocks, first to last."""
        layers = getattr(self.encoder, "layers", None)
        if not isinstance(layers, nn.ModuleList):
            raise BadCheckpoint(
                f"expected a ViT or DeiT encoder with a list of layers; "
                f"got {type(self.encoder).__name__}"
            )
        return list(layers)

    @property
    def specials(self) -> int:
        """Leading tokens that are not patches: 1, or 2 with a distillation token."""
        return 2 if hasattr(self.encoder.embeddings, "distillation_token") else 1

    @property
    def grid(self) -> tuple[int, int]:
        """Patches in a column and in a row."""
        patch = self.encoder.embeddings.patch_embeddings
        return (
            patch.image_size[0] // patch.patch_size[0],
            patch.image_size[1] // patch.patch_size[1],
        )

    @property
    def patches(self) -> int:
        """Patch tokens at the model's own resolution."""
        return self.grid[0] * self.grid[1]

    def __call__(self, batch: Batch) -> Tensor:
        """Logits of the model as it stands, [B, classes]."""
        logits: Tensor = self.module(batch.pixels).logits
        return logits

    @contextmanager
    def coarse(self, grid: tuple[int, int]) -> Iterator[Predict]:
        """The unmodified model on images made smaller, to ``grid`` patches; undone on exit.

        Called with whole images it is what it was all the while.

        Pixels are resized bicubically with antialiasing in every call. Position embeddings are
        interpolated bicubically without, as transformers does, and once: they are the same for
        every image.
        """
        if not all(1 <= new <= own for new, own in zip(grid, self.grid, strict=True)):
            raise BadParameter(
                f"a smaller grid lies between 1x1 and {self.grid[0]}x{self.grid[1]} "
                f"patches; got {grid[0]}x{grid[1]}"
            )
        embeddings = self.encoder.embeddings
        patch = embeddings.patch_embeddings.patch_size
        size = (grid[0] * patch[0], grid[1] * patch[1])
        positions = self._positions(grid)

        def predict(batch: Batch) -> Tensor:
            pixels = F.interpolate(  # in float32: the filter is not there for half precision
                batch.pixels.float(), size=size, mode="bicubic", antialias=True, align_corners=False
            ).to(batch.pixels.dtype)
            logits: Tensor = self.module(pixels, interpolate_pos_encoding=True).logits
            return logits

        embeddings.interpolate_pos_encoding = lambda *_: positions
        try:
            yield predict
        finally:
            del embeddings.interpolate_pos_encoding

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """Position embeddings for another grid, [1, specials + patches, C]."""
        own = self.encoder.embeddings.position_embeddings.detach()
        patches = own[:, self.specials :].unflatten(1, self.grid).permute(0, 3, 1, 2)
        finer = F.interpolate(patches.float(), size=grid, mode="bicubic", align_corners=False)
        return torch.cat([own[:, : self.specials], finer.flatten(2).mT.to(own.dtype)], 1)

    @contextmanager
    def patched(
        self,
        *,
        before: Before = _same,
        attend: Attend = _attended,
        after: After = _unchanged,
        proportional: bool = False,
        eager: Container[int] = (),
    ) -> Iterator[Predict]:
        """Run the blocks with three doors open; undone on exit.

        Args:
            before: Called with each block's input.
            attend: Replaces a block's attention; gives the tokens after the residual.
            after: Called between a block's attention residual and its MLP.
            proportional: Whether keys are weighted by the size of their token.
            eager: Blocks whose attention map is computed first and used for mixing, so that
                ``attention.weights`` costs nothing extra; the other blocks use the model's kernel.
        """
        state: list[Tokens] = []

        def forward(index: int, block: Any, x: Tensor) -> Tensor:
            tokens = before(index, state.pop().but(x=x))
            attention = Attention(block=block, tokens=tokens, proportional=proportional)
            if index in eager:
                _ = attention.weights
            tokens = after(index, attend(index, attention), attention)
            x = tokens.x + block.mlp(block.layernorm_after(tokens.x))
            state.append(tokens)
            return x

        def predict(batch: Batch) -> Tensor:
            state[:] = [Tokens(x=batch.pixels, specials=self.specials, batch=batch)]
            try:
                return self(batch)
            finally:
                state.clear()

        def bind(index: int, block: Any) -> Callable[..., Tensor]:
            return lambda x, *_, **__: forward(index, block, x)

        for index, block in enumerate(self.layers):
            block.forward = bind(index, block)
        try:
            yield predict
        finally:
            for block in self.layers:
                del block.forward


def every(count: int, at: tuple[float, ...] = (0.25, 0.5, 0.75)) -> tuple[int, ...]:
    """Blocks at given fractions of the depth, floored: 12 blocks give 3, 6, 9.

    A model too shallow to tell them apart, with no block ahead of the first, is ``Unsupported``.

    >>> every(12)
    (3, 6, 9)
    >>> every(8)
    (2, 4, 6)
    """
    least = ceil(1 / min(at))
    if count < least:
        raise Unsupported(
            f"{len(at)} stages need a model of at least {least} blocks; this one has {count}"
        )
    return tuple(int(count * share) for share in at)
