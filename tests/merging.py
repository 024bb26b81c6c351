"""What the tests of merging methods share: plain loops and counts of what really happened."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import ViTConfig, ViTForImageClassification

from tokonomy.families.context import Context
from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch


def circle(*degrees: float) -> Tensor:
    """Unit vectors at these angles, [1, T, 2]: their cosines are easy to see."""
    angle = torch.tensor([degrees], dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], -1)


def keys(model: VisionModel, index: int, x: Tensor) -> Tensor:
    """Keys of a block's input, averaged over heads, [B, T, D]."""
    block = model.layers[index]
    heads = model.module.config.num_attention_heads
    k = block.attention.k_proj(block.layernorm_before(x))
    return sum(k.chunk(heads, -1)) / heads


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def partners(metric: Tensor, r: int, specials: int) -> dict[int, int]:
    """Which token goes into which, by a loop over even and odd tokens of one sample [T, D]."""
    length = len(metric)
    found = []
    for even in range(0, length, 2):
        near = [
            (cosine(metric[even], metric[odd]), odd)
            for odd in range(1, length, 2)
            if even >= specials and odd >= specials
        ]
        if near:
            found.append((*max(near), even))
    found.sort(reverse=True)
    return {even: odd for _, odd, even in found[: min(r, (length - specials) // 2)]}


def evens_then_odds(length: int, goes: dict[int, int], specials: int) -> list[int]:
    """Survivors in the order of ToMe."""
    rest = [i for i in range(specials, length) if i not in goes]
    return [*range(specials), *sorted(rest, key=lambda i: (i % 2, i))]


def blended(x: Tensor, weight: Tensor, groups: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Weighted mean and total weight of each group of one sample."""
    means = [(weight[g, None] * x[g]).sum(0) / weight[g].sum() for g in groups]
    return torch.stack(means), torch.stack([weight[g].sum() for g in groups])


def wide(blocks: int = 12) -> VisionModel:
    """196 patches and a class token, as DeiT has them, but very narrow."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = ViTForImageClassification(
            ViTConfig(
                hidden_size=16,
                num_hidden_layers=blocks,
                num_attention_heads=2,
                intermediate_size=16,
                image_size=28,
                patch_size=2,
                num_labels=3,
            )
        )
    return VisionModel(module=module.eval())


def images(model: VisionModel, count: int = 2) -> Batch:
    """Noise of the model's size."""
    height, width = model.encoder.embeddings.patch_embeddings.image_size
    generator = torch.Generator().manual_seed(1)
    return Batch(
        ids=torch.arange(count), pixels=torch.randn(count, 3, height, width, generator=generator)
    )


def patches_after(model: VisionModel, method: Any, batch: Batch) -> list[int]:
    """Patches that reach the MLP of each block, counted from outside."""
    seen: list[int] = []
    hooks = [
        layer.mlp.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
        for layer in model.layers
    ]
    with Context() as context, torch.inference_mode():
        method.prepare(model, context)(batch)
    for hook in hooks:
        hook.remove()
    return [count - model.specials for count in seen]
