"""The embedded models: what is committed, what it scores, and that the recipe runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoImageProcessor, ViTForImageClassification

from tokonomy_tasks.models.digits_vit import DigitsVit
from tokonomy_tasks.models.recipe import Recipe, fit, share, tensors
from tokonomy_tasks.models.textures_vit import TexturesVit
from tokonomy_tasks.models.warp import warp
from tokonomy_tasks.vision.digits import Digits
from tokonomy_tasks.vision.textures import Textures


@dataclass(frozen=True, kw_only=True)
class Case:
    model: type[Any]
    task: type[Any]
    patches: int
    target: float  # least accuracy on the test split


CASES = [
    Case(model=DigitsVit, task=Digits, patches=64, target=0.97),
    Case(model=TexturesVit, task=Textures, patches=256, target=0.80),
]


@pytest.fixture(params=CASES, ids=lambda case: case.model.card.id)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Such small models gain nothing from more, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def load(folder: Path) -> ViTForImageClassification:
    return ViTForImageClassification.from_pretrained(folder).eval()


@cache
def inputs(folder: Path, task: type[Any], count: int | None = None) -> tuple[Tensor, Tensor]:
    """The first test pixels as the folder's own processor makes them, and all labels."""
    images = task().samples("test")
    processor = AutoImageProcessor.from_pretrained(folder)
    arrays = [images.read(index) for index in range(len(images) if count is None else count)]
    return processor(arrays, return_tensors="pt")["pixel_values"], torch.tensor(images.labels)


@torch.no_grad()
def accuracy(model: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    logits = torch.cat([model(pixel_values=batch).logits for batch in pixels.split(64)])
    return (logits.argmax(1) == labels).float().mean().item()


@cache
def reference(case: Case) -> float:
    """Accuracy of the committed weights with every token."""
    folder = case.model().folder
    return accuracy(load(folder), *inputs(folder, case.task))


def test_folder_is_small_and_self_contained(case: Case) -> None:
    folder = case.model().folder
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert (folder / "model.safetensors").stat().st_size <= 4_000_000
    for name in ("config.json", "preprocessor_config.json"):
        assert not any(
            "/" in str(value) for value in json.loads((folder / name).read_text()).values()
        )


def test_config_fits_the_task(case: Case) -> None:
    model, images = load(case.model().folder), case.task().samples("test")
    assert tuple(model.config.id2label[index] for index in range(len(images.classes))) == (
        images.classes
    )
    assert model.base_model.embeddings.patch_embeddings.num_patches == case.patches
    assert case.model.card.task == case.task.card.id
    assert case.model.card.id in case.task.card.models


def test_accuracy_on_the_test_split_reaches_its_target(case: Case) -> None:
    assert reference(case) >= case.target


def test_accuracy_falls_when_tokens_go_missing(case: Case) -> None:
    """A quarter of the patch tokens, picked at random per batch, is not enough."""
    folder = case.model().folder
    model, generator = load(folder), torch.Generator().manual_seed(0)
    kept = case.patches // 4

    def drop(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        chosen = torch.randperm(case.patches, generator=generator)[:kept] + 1
        return (args[0][:, torch.cat((torch.zeros(1, dtype=torch.long), chosen))], *args[1:])

    with model.base_model.layers[0].register_forward_pre_hook(drop):
        assert accuracy(model, *inputs(folder, case.task)) <= reference(case) - 0.05


def test_recipe_writes_a_loadable_folder_and_repeats_itself(case: Case, tmp_path: Path) -> None:
    lines: list[str] = []
    weights = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        out = tmp_path / name
        case.model(steps=1).train(out, seed=seed, device="cpu", progress=lines.append)
        weights.append(load_file(out / "model.safetensors"))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])
    pixels, _ = inputs(tmp_path / "a", case.task, count=2)
    with torch.no_grad():
        assert load(tmp_path / "a")(pixels).logits.isfinite().all()


def test_recipe_leaves_the_global_random_state_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    DigitsVit(steps=1).train(tmp_path, seed=0, device="cpu", progress=lambda _: None)
    assert torch.equal(before, torch.get_rng_state())


class Linear(nn.Module):
    """The least classifier that the recipe can train."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Linear(3 * 8 * 8, 10)

    def forward(self, pixel_values: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.weights(pixel_values.flatten(1)))


def test_loop_learns_reports_each_epoch_and_averages() -> None:
    lines: list[str] = []
    model = Linear()
    kept = fit(
        model,
        Digits().samples("train"),
        lambda images, _: images,
        Recipe(epochs=8, rate=1e-2),
        seed=0,
        device="cpu",
        progress=lines.append,
    )
    assert [line.split(":")[0] for line in lines] == [f"epoch {n}/8" for n in range(1, 9)]
    pixels, labels = tensors(Digits().samples("test"))
    assert accuracy(kept, pixels * 2 - 1, labels) >= 0.9
    assert not torch.equal(kept.weights.weight, model.weights.weight)
    assert not kept.training


def test_rate_rises_then_falls_to_zero() -> None:
    shares = np.array([share(step, 100, 0.1) for step in range(101)])
    assert shares.argmax() in (9, 10)
    assert shares.max() == 1
    assert (np.diff(shares[:10]) > 0).all()
    assert (np.diff(shares[10:]) < 0).all()
    assert shares[100] == pytest.approx(0)


def test_warp_of_nothing_is_the_identity() -> None:
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    still = warp(images, torch.Generator(), degrees=0, shift=0, scale=0)
    torch.testing.assert_close(still, images, atol=1e-5, rtol=0)


def test_warp_shifts_by_the_share_it_is_given() -> None:
    """A shift of 1 is half the image: every pixel comes from at most that far away."""
    images = torch.zeros(64, 1, 8, 8)
    images[:, :, 4, 4] = 1
    moved = warp(images, torch.Generator().manual_seed(1), degrees=0, shift=0.5, scale=0)
    rows, columns = torch.nonzero(moved[:, 0] > 0, as_tuple=True)[1:]
    assert rows.min() < 4 < rows.max()
    assert columns.min() < 4 < columns.max()
    assert max((rows - 4).abs().max().item(), (columns - 4).abs().max().item()) <= 3
