"""Tiny random models: large weights, so that tokens differ and attention is uneven."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from transformers import (
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    ViTConfig,
    ViTForImageClassification,
)

from tokonomy.families.vision.model import VisionModel
from tokonomy.families.vision.tokens import Batch

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 4,
    "num_labels": 5,
}
BUILD = {
    "vit": lambda: ViTForImageClassification(ViTConfig(**SHAPE)),
    "deit": lambda: DeiTForImageClassificationWithTeacher(DeiTConfig(**SHAPE)),
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads cost more than they give on models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _randomise(module: nn.Module) -> None:
    generator = torch.Generator().manual_seed(7)
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1:
            fan = parameter[0].numel() if parameter.dim() in (2, 4) else 1
            with torch.no_grad():
                parameter.normal_(0, 1.5 / fan**0.5, generator=generator)
        assert parameter.isfinite().all(), name


@pytest.fixture(scope="session", params=sorted(BUILD))
def model(request: pytest.FixtureRequest) -> VisionModel:
    """8 blocks, 8x8 patches, with a class token (vit) or with a distillation token too (deit)."""
    with torch.random.fork_rng():
        module = BUILD[request.param]().eval()
    _randomise(module)
    return VisionModel(module=module)


def _images(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 4, 4, generator=generator)
    noise = torch.randn(count, 3, 32, 32, generator=generator)
    return nn.functional.interpolate(coarse, size=32, mode="nearest") + 0.15 * noise


@pytest.fixture(scope="session")
def batch() -> Batch:
    """Six images of 4x4 flat fields under noise, with sample ids that are not 0..5."""
    return Batch(ids=torch.tensor([11, 5, 7, 300, 2, 40]), pixels=_images(6, 3))


@pytest.fixture(scope="session")
def calibration() -> Callable[[], Iterator[Batch]]:
    """Three batches that stand for a train split, the images of ``batch`` not among them."""
    pixels = _images(24, 4).split(8)
    return lambda: iter(Batch(ids=torch.arange(8), pixels=images) for images in pixels)


@dataclass(frozen=True)
class Plain:
    """The model step by step, written out with full attention maps and nothing shared."""

    model: VisionModel

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model.encoder.embeddings(pixels)

    def attend(
        self, index: int, x: torch.Tensor, bias: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Hidden states after attention and residual, map [B, h, T, T], values [B, h, T, d]."""
        block = self.model.layers[index]
        part, normed = block.attention, block.layernorm_before(x)
        heads = SHAPE["num_attention_heads"]
        q, k, v = (
            torch.stack(of(normed).chunk(heads, -1), 1)
            for of in (part.q_proj, part.k_proj, part.v_proj)
        )
        logits = torch.einsum("bhqd,bhkd->bhqk", q, k) / q.shape[-1] ** 0.5
        if bias is not None:
            logits = logits + bias[:, None, None]
        weights = logits.softmax(-1)
        mixed = torch.cat(list(torch.einsum("bhqk,bhkd->bhqd", weights, v).unbind(1)), -1)
        return x + part.o_proj(mixed), weights, v

    def mlp(self, index: int, x: torch.Tensor) -> torch.Tensor:
        block = self.model.layers[index]
        return x + block.mlp(block.layernorm_after(x))

    def classify(self, x: torch.Tensor) -> torch.Tensor:
        x = self.model.encoder.layernorm(x)
        if self.model.specials == 1:
            return self.model.module.classifier(x[:, 0])
        first = self.model.module.cls_classifier(x[:, 0])
        return (first + self.model.module.distillation_classifier(x[:, 1])) / 2


@pytest.fixture(scope="session")
def plain(model: VisionModel) -> Plain:
    return Plain(model)
