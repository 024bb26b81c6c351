"""A smaller Llama with the tokenizer of docs-lm, to draft for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import ModelCard, implements
from tokonomy_tasks.models.language_figures import write
from tokonomy_tasks.models.language_recipe import LanguageRecipe, Mixture, fit, tokenizer
from tokonomy_tasks.models.llama import build, save
from tokonomy_tasks.models.recipe import Progress

CARD = ModelCard(
    id="docs-draft",
    title="Draft model for docs-lm",
    families=("decoding", "kv"),
    summary="Llama with 1 layer, 64 wide, 2 heads of 64 and 1 key-value head; the tokenizer of "
    "docs-lm. It cannot recall: one layer does not copy from context.",
    task="decode-text",
    licence="Apache-2.0",
    recipe="The mixture of docs-lm; AdamW, 2,048 tokens a step, 3,000 steps, cosine schedule, "
    "seed 0. 23 minutes on one thread of a busy CPU.",
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DocsDraft:
    """The weights beside this file, and how to make them again.

    Attributes:
        steps: Optimiser steps of 2,048 tokens.
    """

    steps: int = 3000

    @property
    def folder(self) -> Path:
        """The checkpoint folder."""
        return Path(__file__).parent / "weights" / "docs-draft"

    def train(self, out: Path, *, seed: int, device: str, progress: Progress) -> None:
        """Train and write a checkpoint folder.

        Args:
            out: The folder; made if missing.
            seed: Fixes initial weights and what is drawn.
            device: Where to train, e.g. ``"cpu"``.
            progress: Gets a line every 100 steps.
        """
        words = tokenizer()
        model = build(width=64, layers=1, seed=seed)
        recipe = LanguageRecipe(steps=self.steps, rate=4e-3)
        fit(model, Mixture(words), recipe, seed=seed, device=device, progress=progress)
        save(model, words, out)
        write(model, words, out)
