"""The shape of ViT-L/16 with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import ModelCard, implements
from tokonomy_tasks.models.shapes import Shape, checkpoint

CARD = ModelCard(
    id="vit-large-random",
    title="ViT-L/16, random weights",
    families=("vision",),
    summary="The shape of ViT-L/16 (arXiv 2010.11929, table 1): 24 layers, 1024 wide, 16 heads, "
    "197 tokens, 304 M parameters. Untrained: quality not applicable.",
    task="noise",
    licence="CC0-1.0",
    recipe="Drawn from seed 0 at first use: 1.2 GiB in the cache folder and as much memory "
    "meanwhile, some ten seconds; planning a suite that names it does so too.",
)

SHAPE = Shape(name="vit-large-random", width=1024, depth=24, heads=16)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class VitLargeRandom:
    """Weights drawn from a seed: what it costs is real, what it answers is not."""

    @property
    def folder(self) -> Path:
        """The checkpoint folder, made at first use."""
        return checkpoint(SHAPE)
