"""The shape of DeiT-B with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import ModelCard, implements
from tokonomy_tasks.models.shapes import Shape, checkpoint

CARD = ModelCard(
    id="deit-base-random",
    title="DeiT-B, random weights",
    families=("vision",),
    summary="The shape of DeiT-B without distillation, which is ViT-B/16 (arXiv 2012.12877, table "
    "1): 12 layers, 768 wide, 12 heads, 197 tokens, 86.6 M parameters. Untrained: quality not "
    "applicable.",
    task="noise",
    licence="CC0-1.0",
    recipe="Drawn from seed 0 at first use: 330 MiB in the cache folder, some seconds.",
)

SHAPE = Shape(name="deit-base-random", width=768, depth=12, heads=12)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DeitBaseRandom:
    """Weights drawn from a seed: what it costs is real, what it answers is not."""

    @property
    def folder(self) -> Path:
        """The checkpoint folder, made at first use."""
        return checkpoint(SHAPE)
