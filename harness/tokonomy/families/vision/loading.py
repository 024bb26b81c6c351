"""Checkpoints of transformers image classifiers: shipped ones, folders and hub repositories.

Only safetensors are read and no code of a checkpoint is run.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification
from transformers.utils import logging as transformers_logging

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadCheckpoint, BadParameter
from tokonomy.families.vision.model import VisionModel

ARCHITECTURES = ("vit", "deit")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
_FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
_CHUNK = 1 << 20


def _repository(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except (OSError, HFValidationError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadCheckpoint(
            f"model 'hf:{name}': neither a folder here nor a repository that can be fetched; "
            f"{reason}"
        ) from None


@cache
def folder_of(ref: str) -> Path:
    """The checkpoint folder of a model reference; raises ``UnknownId`` or ``BadCheckpoint``."""
    if not ref.startswith("hf:"):
        models = catalogue("model")
        folder: Path = models.build(ref, {}).folder
    else:
        name = ref.removeprefix("hf:")
        folder = Path(name) if Path(name).is_dir() else _repository(name)
    if not any(folder.glob("*.safetensors")):
        raise BadCheckpoint(
            f"model {ref!r}: expected config.json and *.safetensors in {folder.name!r}; "
            f"found no safetensors (other formats can run code and are not read)"
        )
    return folder


@cache
def weights_hash(ref: str) -> str:
    """SHA-256 over the files that make a checkpoint, in hex."""
    digest = hashlib.sha256()
    folder = folder_of(ref)
    for path in sorted(path for pattern in _FILES for path in folder.glob(pattern)):
        content = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                content.update(chunk)
        digest.update(f"{path.name}\0{content.hexdigest()}\0".encode())
    return digest.hexdigest()


def _config(ref: str, folder: Path) -> Any:
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # many libraries below, each with errors of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadCheckpoint(f"model {ref!r}: config.json cannot be read; {reason}") from error
    if config.model_type not in ARCHITECTURES:
        raise BadCheckpoint(
            f"model {ref!r}: expected an architecture of {', '.join(ARCHITECTURES)}; "
            f"got {config.model_type!r}"
        )
    return config


def _module(ref: str, folder: Path, dtype: torch.dtype) -> Any:
    config = _config(ref, folder)
    try:
        module, report = AutoModelForImageClassification.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # as above
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadCheckpoint(f"model {ref!r}: the checkpoint cannot be loaded; {reason}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise BadCheckpoint(
            f"model {ref!r}: {len(missing)} weights are missing from the checkpoint, "
            f"{missing[0]!r} first; is it an image classifier?"
        )
    return module.eval()


def _processor(ref: str, folder: Path) -> Any:
    try:
        load_processor: Any = AutoImageProcessor.from_pretrained
        return load_processor(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # as above
        raise BadCheckpoint(
            f"model {ref!r}: its image processor (preprocessor_config.json) cannot be loaded; "
            f"{(str(error).strip().splitlines() or [type(error).__name__])[0]}"
        ) from error


def load(ref: str, *, device: str, precision: str) -> VisionModel:
    """A fresh model; raises ``BadCheckpoint`` or ``BadParameter``."""
    if precision not in PRECISIONS:
        raise BadParameter(f"precision is one of {', '.join(PRECISIONS)}; got {precision!r}")
    quiet: Any = transformers_logging.disable_progress_bar
    quiet()
    folder = folder_of(ref)
    module = _module(ref, folder, PRECISIONS[precision]).to(device)
    return VisionModel(module=module, processor=_processor(ref, folder))


def skeleton(ref: str) -> VisionModel:
    """The model's shape without its weights, on the meta device; raises ``BadCheckpoint``."""
    config = _config(ref, folder_of(ref))
    with torch.device("meta"):
        build: Any = AutoModelForImageClassification.from_config
        module = build(config, trust_remote_code=False)
    return VisionModel(module=module.eval())
