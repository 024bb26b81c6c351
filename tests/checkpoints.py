"""Tiny checkpoints of both architectures, written to disk as a researcher would have them."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)
from transformers.utils import logging

SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 16,
    "patch_size": 4,
    "num_labels": 3,
}


def write_checkpoint(folder: Path, architecture: str = "vit", seed: int = 0) -> Path:
    """A checkpoint of random weights; 16 patches, 3 classes, any image size accepted."""
    torch.manual_seed(seed)
    if architecture == "vit":
        model = ViTForImageClassification(ViTConfig(**SHAPE))
    else:
        model = DeiTForImageClassificationWithTeacher(DeiTConfig(**SHAPE))
    for parameter in model.parameters():  # larger than the initialiser's, so that answers differ
        torch.nn.init.normal_(parameter, std=0.3)
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    side = {"height": SHAPE["image_size"], "width": SHAPE["image_size"]}
    ViTImageProcessor(size=side).save_pretrained(folder)
    return folder
