"""How the embedded vision models are trained: one plain supervised loop, seeded.

Nothing here knows about token reduction. No token is dropped in training, so the weights behave
like those of an ordinary checkpoint.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tokonomy.families.vision.data import ImageSet

Augment = Callable[[Tensor, torch.Generator], Tensor]
Progress = Callable[[str], None]
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of a training.

    Attributes:
        epochs: Passes over the train split.
        batch: Images per step; the remainder of an epoch is left out.
        rate: Peak learning rate of AdamW.
        decay: Weight decay, on matrices only.
        smoothing: Label smoothing.
        warmup: Share of all steps over which the rate rises; it then falls as a cosine to 0.
        average: Decay of the exponential moving average whose weights are kept.
        steps: Stop after this many steps; None runs all epochs.
    """

    epochs: int
    batch: int = 32
    rate: float = 1e-3
    decay: float = 0.05
    smoothing: float = 0.1
    warmup: float = 0.1
    average: float = 0.998
    steps: int | None = None


def tensors(images: ImageSet) -> tuple[Tensor, Tensor]:
    """Read a whole split.

    Returns:
        Pixels in 0..1 of shape [n, 3, height, width], and labels of shape [n].
    """
    pixels = np.stack([images.read(index) for index in range(len(images))])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, torch.tensor(images.labels)


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def share(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate at a step: a linear rise, then a cosine to 0."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _batches(count: int, recipe: Recipe, generator: torch.Generator) -> Iterator[Tensor]:
    """Give the sample indices of each step, each epoch in a new order."""
    for _ in range(recipe.epochs):
        order = torch.randperm(count, generator=generator)
        yield from torch.split(order[: count - count % recipe.batch], recipe.batch)


@torch.no_grad()
def _blend(average: nn.Module, model: nn.Module, decay: float) -> None:
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def fit(
    model: Model,
    images: ImageSet,
    augment: Augment,
    recipe: Recipe,
    *,
    seed: int,
    device: str,
    progress: Progress,
) -> Model:
    """Train a classifier.

    Args:
        model: Maps pixels in -1..1 to logits; trained in place.
        images: The train split.
        augment: Changes a batch of pixels in 0..1, shape [batch, 3, height, width].
        recipe: Settings.
        seed: Fixes order and augmentation.
        device: Where to train.
        progress: Gets one line per epoch, with the loss of its last step.

    Returns:
        A copy with averaged weights, in evaluation mode, on the CPU.
    """
    model.to(device).train()
    average = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    pixels, labels = (part.to(device) for part in tensors(images))
    optimiser, per_epoch = _optimiser(model, recipe), len(labels) // recipe.batch
    total = recipe.epochs * per_epoch
    for step, chosen in enumerate(_batches(len(labels), recipe, generator)):
        if step == recipe.steps:
            break
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * share(step, total, recipe.warmup)
        inputs = augment(pixels[chosen], generator) * 2 - 1
        loss = functional.cross_entropy(
            model(pixel_values=inputs).logits, labels[chosen], label_smoothing=recipe.smoothing
        )
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        _blend(average, model, recipe.average)
        if (step + 1) % per_epoch == 0:
            epoch = (step + 1) // per_epoch
            progress(f"epoch {epoch}/{recipe.epochs}: loss {loss.item():.3f}")
    return average.eval().cpu()
