"""The architecture of the embedded vision models, and how a checkpoint of it is written."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil


def build(
    classes: tuple[str, ...], *, image: int, patch: int, width: int, seed: int
) -> ViTForImageClassification:
    """Build a ViT of eight layers and four heads with fresh weights.

    Args:
        classes: Class names, in label order.
        image: Height and width of an image in pixels.
        patch: Height and width of a patch in pixels; (image / patch)² tokens and a class token.
        width: Size of a token's vector; the MLP is twice as wide.
        seed: Fixes the weights; the global random state is left as it was.
    """
    config = ViTConfig(
        image_size=image,
        patch_size=patch,
        num_channels=3,
        hidden_size=width,
        num_hidden_layers=8,
        num_attention_heads=4,
        intermediate_size=2 * width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(classes)),
        label2id={name: index for index, name in enumerate(classes)},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ViTForImageClassification(config)


def save(model: ViTForImageClassification, out: Path, *, image: int) -> None:
    """Write a checkpoint folder: config, safetensors and the settings of the image processor.

    Args:
        model: A ViT for image classification.
        out: The folder; made if missing.
        image: Height and width of an image in pixels.
    """
    model.save_pretrained(out)
    ViTImageProcessorPil(
        do_resize=False,
        size={"height": image, "width": image},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    ).save_pretrained(out)
