"""Checkpoints of transformers: shipped ones, folders and hub repositories.

Only safetensors are read and no code of a checkpoint is run: there is no option to trust any. All
that is read lies in its folder, and is in the hash of its weights.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig
from transformers.utils import logging as transformers_logging

from tokonomy.catalog import strict
from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadCheckpoint, BadParameter

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
WEIGHTS = ("config.json", "*.safetensors", "*.safetensors.index.json")
_SETTINGS = (
    "config.json", "preprocessor_config.json", "generation_config.json", "tokenizer_config.json",
)  # fmt: skip
_SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.safetensors")
_CHUNK = 1 << 20


def reason(error: Exception) -> str:
    """First line of what a library says, or its name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _repository(name: str, files: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except (OSError, HFValidationError, ValueError) as error:
        raise BadCheckpoint(
            f"model 'hf:{name}': neither a folder here nor a repository that can be fetched; "
            f"{reason(error)}"
        ) from None


@cache
def folder_of(ref: str, files: tuple[str, ...]) -> Path:
    """The checkpoint folder of a model reference; raises ``UnknownId`` or ``BadCheckpoint``.

    Args:
        ref: An embedded id or ``hf:<repo or folder>``.
        files: Patterns of the files that make a checkpoint.
    """
    if not ref.startswith("hf:"):
        folder: Path = catalogue("model").build(ref, {}).folder
    else:
        name = ref.removeprefix("hf:")
        if not name:
            raise BadCheckpoint(f"model {ref!r}: expected hf:<repo or folder>; got no name")
        if name.startswith((".", "/", "~")) and not Path(name).is_dir():
            raise BadCheckpoint(f"model {ref!r}: there is no such folder")
        folder = Path(name) if Path(name).is_dir() else _repository(name, files)
    if not any(folder.glob("*.safetensors")):
        raise BadCheckpoint(
            f"model {ref!r}: expected config.json and *.safetensors in {folder.name!r}; "
            f"found no safetensors (other formats can run code and are not read)"
        )
    return folder


@cache
def weights_hash(ref: str, files: tuple[str, ...]) -> str:
    """SHA-256 over the files that make a checkpoint, in hex."""
    digest = hashlib.sha256()
    folder = folder_of(ref, files)
    for path in sorted(path for pattern in files for path in folder.glob(pattern)):
        content = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                content.update(chunk)
        digest.update(f"{path.name}\0{content.hexdigest()}\0".encode())
    return digest.hexdigest()


def read_config(ref: str, folder: Path) -> Any:
    """The configuration of a checkpoint; raises ``BadCheckpoint``."""
    _check_settings(ref, folder)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # many libraries below, each with errors of its own
        raise BadCheckpoint(
            f"model {ref!r}: config.json cannot be read; {reason(error)}"
        ) from error


def _check_settings(ref: str, folder: Path) -> None:
    """Refuse settings that are no plain JSON, and what would lead to files elsewhere."""
    if (folder / "adapter_config.json").exists():
        raise BadCheckpoint(
            f"model {ref!r}: expected a whole checkpoint; adapter_config.json makes it an adapter "
            "of weights elsewhere, so merge the two first"
        )
    indices = sorted(folder.glob("*.safetensors.index.json"))
    for path in (*(folder / name for name in _SETTINGS), *indices):
        if not path.is_file():
            continue
        try:
            found = strict.read(path)
        except ValueError as error:
            raise BadCheckpoint(f"model {ref!r}: {path.name} cannot be read; {error}") from None
        if path in indices:
            _check_shards(ref, path.name, found)


def _check_shards(ref: str, name: str, index: Any) -> None:
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shards, dict):
        raise BadCheckpoint(f"model {ref!r}: {name} has no weight_map of files by weight")
    for shard in shards.values():
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise BadCheckpoint(
                f"model {ref!r}: {name} names {shard!r:.80}; expected a *.safetensors beside it"
            )


def load_module(
    ref: str, folder: Path, loader: Any, config: Any, *, precision: str, kind: str, **options: Any
) -> Any:
    """A fresh module in eval mode, on the CPU; raises ``BadCheckpoint`` or ``BadParameter``.

    Args:
        ref: The model reference, for messages.
        folder: Where its files are.
        loader: A transformers auto class.
        config: The checkpoint's configuration.
        precision: One of ``PRECISIONS``.
        kind: What it should be, for messages: ``"an image classifier"``.
        options: Passed on.
    """
    if precision not in PRECISIONS:
        raise BadParameter(f"precision is one of {', '.join(PRECISIONS)}; got {precision!r}")
    quiet: Any = transformers_logging.disable_progress_bar
    quiet()
    try:
        module, report = loader.from_pretrained(
            folder,
            config=config,
            dtype=PRECISIONS[precision],
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # as above
        raise BadCheckpoint(
            f"model {ref!r}: the checkpoint cannot be loaded; {reason(error)}"
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise BadCheckpoint(
            f"model {ref!r}: {len(missing)} weights are missing from the checkpoint, "
            f"{missing[0]!r} first; is it {kind}?"
        )
    return module.eval()
