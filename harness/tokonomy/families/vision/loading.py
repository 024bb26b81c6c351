"""Checkpoints of transformers image classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from tokonomy.errors import BadCheckpoint
from tokonomy.families import checkpoints
from tokonomy.families.vision.model import VisionModel

ARCHITECTURES = ("vit", "deit")
FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")


def weights_hash(ref: str) -> str:
    """SHA-256 over the files that make a checkpoint, in hex."""
    return checkpoints.weights_hash(ref, FILES)


def _config(ref: str, folder: Path) -> Any:
    config = checkpoints.read_config(ref, folder)
    if config.model_type not in ARCHITECTURES:
        raise BadCheckpoint(
            f"model {ref!r}: expected an architecture of {', '.join(ARCHITECTURES)}; "
            f"got {config.model_type!r}"
        )
    return config


def _processor(ref: str, folder: Path) -> Any:
    try:
        load_processor: Any = AutoImageProcessor.from_pretrained
        return load_processor(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # many libraries below, each with errors of its own
        raise BadCheckpoint(
            f"model {ref!r}: its image processor (preprocessor_config.json) cannot be loaded; "
            f"{checkpoints.reason(error)}"
        ) from error


def load(ref: str, *, device: str, precision: str) -> VisionModel:
    """A fresh model; raises ``BadCheckpoint`` or ``BadParameter``."""
    folder = checkpoints.folder_of(ref, FILES)
    module = checkpoints.load_module(
        ref,
        folder,
        AutoModelForImageClassification,
        _config(ref, folder),
        precision=precision,
        kind="an image classifier",
    )
    return VisionModel(module=module.to(device), processor=_processor(ref, folder))


def skeleton(ref: str) -> VisionModel:
    """The model's shape without its weights, on the meta device; raises ``BadCheckpoint``."""
    config = _config(ref, checkpoints.folder_of(ref, FILES))
    with torch.device("meta"):
        build: Any = AutoModelForImageClassification.from_config
        module = build(config, trust_remote_code=False)
    return VisionModel(module=module.eval())
