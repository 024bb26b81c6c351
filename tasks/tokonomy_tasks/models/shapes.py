"""Checkpoints of a published shape with weights drawn from a seed: for costs, never for answers.

The weights come from the raw output of PCG64 and exact arithmetic, and the files beside them hold
nothing of this machine or of any library's version, so a shape has the same bytes everywhere. They
are made at first use, in one step, below the user's cache folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tokonomy.errors import BadCheckpoint

REVISION = 1
"""Of the rule that makes the weights; part of the folder's name."""

SPREAD = 0.02
"""Standard deviation of the weights, as transformers' ViT is initialised."""

_CHUNK = 1 << 22  # numbers drawn at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A plain ViT, one class token, on square RGB images.

    Attributes:
        name: Of the checkpoint's folder.
        width: Size of a token's vector; the MLP is four times as wide.
        depth, heads: Blocks, and heads in each.
        image, patch: Pixels in a row of an image and of a patch.
        classes: Outputs.
        seed: Fixes the weights.
    """

    name: str
    width: int
    depth: int
    heads: int
    image: int = 224
    patch: int = 16
    classes: int = 1000
    seed: int = 0

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the weights, as a checkpoint of transformers' ViT holds them."""
        width, tokens = self.width, (self.image // self.patch) ** 2 + 1
        yield "vit.embeddings.cls_token", (1, 1, width)
        yield "vit.embeddings.position_embeddings", (1, tokens, width)
        patches = "vit.embeddings.patch_embeddings.projection"
        yield f"{patches}.weight", (width, 3, self.patch, self.patch)
        yield f"{patches}.bias", (width,)
        for block in range(self.depth):
            yield from self._block(f"vit.encoder.layer.{block}")
        yield "vit.layernorm.weight", (width,)
        yield "vit.layernorm.bias", (width,)
        yield "classifier.weight", (self.classes, width)
        yield "classifier.bias", (self.classes,)

    def _block(self, prefix: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        width = self.width
        linear = {
            "attention.attention.query": (width, width),
            "attention.attention.key": (width, width),
            "attention.attention.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (4 * width, width),
            "output.dense": (width, 4 * width),
        }
        for name, (out, into) in linear.items():
            yield f"{prefix}.{name}.weight", (out, into)
            yield f"{prefix}.{name}.bias", (out,)
        for norm in ("layernorm_before", "layernorm_after"):
            yield f"{prefix}.{norm}.weight", (width,)
            yield f"{prefix}.{norm}.bias", (width,)

    def config(self) -> dict[str, object]:
        """What ``config.json`` says."""
        return {
            "architectures": ["ViTForImageClassification"],
            "attention_probs_dropout_prob": 0.0,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0,
            "hidden_size": self.width,
            "id2label": {str(number): f"output {number}" for number in range(self.classes)},
            "image_size": self.image,
            "intermediate_size": 4 * self.width,
            "label2id": {f"output {number}": number for number in range(self.classes)},
            "layer_norm_eps": 1e-6,
            "model_type": "vit",
            "num_attention_heads": self.heads,
            "num_channels": 3,
            "num_hidden_layers": self.depth,
            "patch_size": self.patch,
            "qkv_bias": True,
        }

    def processor(self) -> dict[str, object]:
        """What ``preprocessor_config.json`` says: images come in the right size."""
        return {
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": False,
            "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "ViTImageProcessor",
            "image_std": [0.5, 0.5, 0.5],
            "rescale_factor": 1 / 255,
            "size": {"height": self.image, "width": self.image},
        }


def checkpoint(shape: Shape) -> Path:
    """The checkpoint folder of a shape, made now if this is its first use.

    Raises:
        BadCheckpoint: It cannot be written.
    """
    root = _cache() / "models"
    folder = root / f"{shape.name}-{REVISION}"
    if not folder.is_dir():
        try:
            root.mkdir(parents=True, exist_ok=True)
            _put(folder, lambda part: write(shape, part))
        except OSError as error:
            size = sum(int(np.prod(dims)) for _, dims in shape.tensors()) * 4 >> 20
            raise BadCheckpoint(
                f"model {shape.name!r}: its random weights ({size} MiB) cannot be kept in the "
                f"cache folder ({error.strerror or error}); make room, or set XDG_CACHE_HOME"
            ) from None
    return folder


def _cache() -> Path:
    """Where this user keeps what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "tokonomy"


def _put(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder beside ``folder`` and move it there, so that half of one is never seen."""
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        fill(part)
        part.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was quicker, with the same bytes
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write(shape: Shape, folder: Path) -> None:
    """Write a shape's checkpoint into a folder that exists."""
    from safetensors.numpy import save_file

    texts = {"config.json": shape.config(), "preprocessor_config.json": shape.processor()}
    for name, content in texts.items():
        text = json.dumps(content, indent=2, sort_keys=True) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
    bits = np.random.PCG64(np.random.SeedSequence(shape.seed))
    weights = {name: _weights(name, dims, bits) for name, dims in shape.tensors()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _weights(name: str, dims: tuple[int, ...], bits: np.random.PCG64) -> NDArray[np.float32]:
    """Norms start as the identity, biases at zero, the rest is drawn."""
    if "layernorm" in name and name.endswith("weight"):
        return np.ones(dims, np.float32)
    if name.endswith("bias"):
        return np.zeros(dims, np.float32)
    return _drawn(int(np.prod(dims)), bits).reshape(dims)


def _drawn(count: int, bits: np.random.PCG64) -> NDArray[np.float32]:
    """Numbers spread evenly around zero with a standard deviation of ``SPREAD``.

    Each is a multiple of 2^-23 between -1 and 1 and one product, both exact or rounded alike
    everywhere.
    """
    drawn = np.empty(count + count % 2, np.float32)
    for start in range(0, len(drawn), _CHUNK):
        part = drawn[start : start + _CHUNK]
        words = bits.random_raw(len(part) // 2).astype("<u8").view("<u4")
        part[:] = (words >> 8).astype(np.float32) * np.float32(2**-23) - np.float32(1)
    drawn *= np.float32(SPREAD * 3**0.5)
    return drawn[:count]
