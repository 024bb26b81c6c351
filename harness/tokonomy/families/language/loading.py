"""Checkpoints of transformers causal language models, with their tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tokonomy.errors import BadCheckpoint
from tokonomy.families import checkpoints
from tokonomy.families.language.model import LanguageModel

FILES = (
    *checkpoints.WEIGHTS,
    "generation_config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
)
KERNEL = "sdpa"
"""The attention kernel of every model; both arms use it."""


def weights_hash(ref: str) -> str:
    """SHA-256 over the files that make a checkpoint, in hex."""
    return checkpoints.weights_hash(ref, FILES)


def _config(ref: str, folder: Path) -> Any:
    config = checkpoints.read_config(ref, folder)
    if getattr(config, "is_encoder_decoder", False):
        raise BadCheckpoint(f"model {ref!r}: expected a causal language model; it has an encoder")
    return config


def _tokenizer(ref: str, folder: Path) -> Any:
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # many libraries below, each with errors of its own
        raise BadCheckpoint(
            f"model {ref!r}: its tokenizer cannot be loaded; {checkpoints.reason(error)}"
        ) from error


def load(ref: str, *, device: str, precision: str) -> LanguageModel:
    """A fresh model; raises ``BadCheckpoint`` or ``BadParameter``."""
    folder = checkpoints.folder_of(ref, FILES)
    module = checkpoints.load_module(
        ref,
        folder,
        AutoModelForCausalLM,
        _config(ref, folder),
        precision=precision,
        kind="a causal language model",
        attn_implementation=KERNEL,
    )
    model = LanguageModel(module=module.to(device), tokenizer=_tokenizer(ref, folder))
    model.layers  # noqa: B018 # raises where its blocks are of another build
    return model


def skeleton(ref: str) -> LanguageModel:
    """The model's shape without its weights, on the meta device, with its tokenizer."""
    folder = checkpoints.folder_of(ref, FILES)
    config = _config(ref, folder)
    with torch.device("meta"):
        build: Any = AutoModelForCausalLM.from_config
        module = build(config, trust_remote_code=False, attn_implementation=KERNEL)
    return LanguageModel(module=module.eval(), tokenizer=_tokenizer(ref, folder))
