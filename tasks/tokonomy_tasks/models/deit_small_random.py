"""The shape of DeiT-S with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import ModelCard, implements
from tokonomy_tasks.models.shapes import Shape, checkpoint

CARD = ModelCard(
    id="deit-small-random",
    title="DeiT-S, random weights",
    families=("vision",),
    summary="The shape of DeiT-S without distillation (arXiv 2012.12877, table 1): 12 layers, 384 "
    "wide, 6 heads, 197 tokens, 22.1 M parameters. Untrained: quality not applicable.",
    task="noise",
    licence="CC0-1.0",
    recipe="Drawn from seed 0 at first use: 84 MiB in the cache folder, about a second.",
)

SHAPE = Shape(name="deit-small-random", width=384, depth=12, heads=6)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DeitSmallRandom:
    """Weights drawn from a seed: what it costs is real, what it answers is not."""

    @property
    def folder(self) -> Path:
        """The checkpoint folder, made at first use."""
        return checkpoint(SHAPE)
