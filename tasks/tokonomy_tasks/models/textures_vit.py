"""A small ViT on the textures: 4x4 patches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tokonomy.catalog.cards import ModelCard, implements
from tokonomy_tasks.models.recipe import Progress, Recipe, fit
from tokonomy_tasks.models.vit import build, save
from tokonomy_tasks.models.warp import warp
from tokonomy_tasks.vision.textures import SIZE, Textures

CARD = ModelCard(
    id="textures-vit",
    title="ViT for the textures",
    families=("vision",),
    summary="ViT with 8 layers, 64 wide, 4 heads; 256 patches of 4x4 pixels and a class token.",
    task="textures",
    licence="Apache-2.0",
    recipe="Train split of textures with mirroring and small random rotations, shifts, scalings, "
    "and changes of contrast; AdamW, batch 32, 110 epochs (2,530 steps), cosine schedule, label "
    "smoothing, averaged weights, seed 0. About 18 minutes on one otherwise idle CPU thread.",
)


def _augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror, warp and change the contrast of tiles, each from its own pixels alone."""
    count = len(images)
    mirrored = torch.rand(count, generator=generator) < 0.5
    images = torch.where(mirrored.view(-1, 1, 1, 1).to(images.device), images.flip(3), images)
    images = warp(images, generator, degrees=15, shift=0.25, scale=0.2, padding="reflection")
    gain = 0.75 + 0.5 * torch.rand(count, 1, 1, 1, generator=generator)
    return ((images - 0.5) * gain.to(images.device) + 0.5).clamp(0, 1)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class TexturesVit:
    """The weights beside this file, and how to make them again.

    Attributes:
        epochs: Passes over the train split.
        steps: Stop after this many steps; None runs all epochs.
    """

    epochs: int = 110
    steps: int | None = None

    @property
    def folder(self) -> Path:
        """The checkpoint folder."""
        return Path(__file__).parent / "weights" / "textures-vit"

    def train(self, out: Path, *, seed: int, device: str, progress: Progress) -> None:
        """Train and write a checkpoint folder.

        Args:
            out: The folder; made if missing.
            seed: Fixes initial weights, order and augmentation.
            device: Where to train, e.g. ``"cpu"``.
            progress: Gets one line per epoch.
        """
        images = Textures().samples("train")
        recipe = Recipe(epochs=self.epochs, steps=self.steps)
        model = build(images.classes, image=SIZE, patch=4, width=64, seed=seed)
        kept = fit(model, images, _augment, recipe, seed=seed, device=device, progress=progress)
        save(kept, out, image=SIZE)
