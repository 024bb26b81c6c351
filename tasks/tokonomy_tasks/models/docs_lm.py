"""A small Llama on the reference text and the library's sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokonomy.catalog.cards import ModelCard, implements
from tokonomy_tasks.models.language_figures import write
from tokonomy_tasks.models.language_recipe import LanguageRecipe, Mixture, fit, tokenizer
from tokonomy_tasks.models.llama import build, save, start_copying
from tokonomy_tasks.models.recipe import Progress

CARD = ModelCard(
    id="docs-lm",
    title="Llama for the Python reference",
    families=("decoding", "kv"),
    summary="Llama with 4 layers, 128 wide, 4 heads of 64 and 2 key-value heads, 2,048 positions; "
    "byte-level BPE of 2,048 tokens.",
    task="recall",
    licence="Apache-2.0",
    recipe="Passages of the language reference (10 %), modules of the standard library (40 %), "
    "both said twice (10 %), repeated noise (5 %), codes to be recalled (28 %), sums (7 %). Heads "
    "that copy are laid out before training; the state after block 2 is trained to speak too. "
    "AdamW, 2,048 tokens a step, 5,000 steps of 512-token sequences (1,024 in the last tenth), "
    "cosine schedule, seed 0. An hour on one thread of a busy CPU.",
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DocsLm:
    """The weights beside this file, and how to make them again.

    Attributes:
        steps: Optimiser steps of 2,048 tokens.
    """

    steps: int = 5000

    @property
    def folder(self) -> Path:
        """The checkpoint folder."""
        return Path(__file__).parent / "weights" / "docs-lm"

    def train(self, out: Path, *, seed: int, device: str, progress: Progress) -> None:
        """Train and write a checkpoint folder.

        Args:
            out: The folder; made if missing.
            seed: Fixes initial weights and what is drawn.
            device: Where to train, e.g. ``"cpu"``.
            progress: Gets a line every 100 steps.
        """
        words = tokenizer()
        model = build(width=128, layers=4, seed=seed)
        start_copying(model, seed)
        recipe = LanguageRecipe(steps=self.steps, exits=(2,))
        fit(model, Mixture(words), recipe, seed=seed, device=device, progress=progress)
        save(model, words, out)
        write(model, words, out)
