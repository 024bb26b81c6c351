import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tokonomy.catalog.registry import catalogue
from tokonomy.catalog.suites import Selection, find_suite
from tokonomy.errors import BadCheckpoint
from tokonomy.families import load_family
from tokonomy.run.plan import expand
from tokonomy_tasks.models import deit_base_random, deit_small_random, shapes, vit_large_random
from tokonomy_tasks.models.shapes import SPREAD, Shape, checkpoint, write

SMALL = Shape(name="small", width=8, depth=2, heads=2, image=16, patch=4, classes=3)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tokonomy" / "models"


@pytest.mark.parametrize(
    ("module", "parameters"),
    [
        (deit_small_random, 22_050_664),
        (deit_base_random, 86_567_656),
        (vit_large_random, 304_326_632),
    ],
    ids=["deit-small", "deit-base", "vit-large"],
)
def test_shapes_are_the_published_ones(module: Any, parameters: int) -> None:
    tensors = list(module.SHAPE.tensors())
    assert sum(math.prod(dims) for _, dims in tensors) == parameters
    assert module.SHAPE.name == module.CARD.id
    assert module.CARD.id in catalogue("task").card("noise").models


def test_a_checkpoint_is_made_once_and_loads_whole(cache: Path) -> None:
    folder = checkpoint(SMALL)
    assert list(cache.iterdir()) == [folder]
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert checkpoint(SMALL) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made
    model = load_family("vision").load(f"hf:{folder}", device="cpu", precision="fp32")
    loaded = dict(model.module.named_parameters())
    total = sum(math.prod(dims) for _, dims in SMALL.tensors())
    assert sum(weight.numel() for weight in loaded.values()) == total
    assert torch.all(model.module.base_model.layernorm.weight == 1)


def test_weights_are_spread_as_told_and_the_same_everywhere(tmp_path: Path) -> None:
    write(SMALL, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    drawn = np.concatenate([w.ravel() for name, w in weights.items() if w.ndim > 1])
    assert abs(drawn.std() / SPREAD - 1) < 0.03
    assert abs(drawn.mean()) < SPREAD / 20
    assert not any(w.any() for name, w in weights.items() if name.endswith("bias"))
    expected = "4f8a122298c2968b1d47cf48080bc8543598021219f93de873c8dc6c23d0b237"
    assert load_family("vision").describe_model(f"hf:{tmp_path}").weights_hash == expected


def test_files_beside_the_weights_name_no_version(tmp_path: Path) -> None:
    write(SMALL, tmp_path)
    for path in tmp_path.glob("*.json"):
        assert not [key for key in json.loads(path.read_text()) if "version" in key]


def test_another_process_may_be_quicker(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(shape: Shape, folder: Path) -> None:
        write(shape, folder)
        theirs = folder.parent / f"{shape.name}-{shapes.REVISION}"
        theirs.mkdir()
        write(shape, theirs)

    monkeypatch.setattr(shapes, "write", other)
    folder = checkpoint(SMALL)
    assert list(cache.iterdir()) == [folder]
    assert (folder / "model.safetensors").is_file()


def test_a_failure_leaves_nothing_half_written(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(shape: Shape, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shapes, "write", full)
    with pytest.raises(BadCheckpoint, match=r"No space left on device.*XDG_CACHE_HOME") as caught:
        checkpoint(SMALL)
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_one_line(cache: Path) -> None:
    cache.parent.write_text("a file in the way")
    with pytest.raises(BadCheckpoint, match="cannot be kept"):
        checkpoint(SMALL)


def test_listing_makes_no_weights(cache: Path) -> None:
    assert catalogue("model").card("vit-large-random").task == "noise"
    catalogue("model").build("vit-large-random", {})
    assert not cache.exists()


def test_the_gpu_suite_expands_for_its_small_models(cache: Path) -> None:
    suite = find_suite("gpu-vision")
    assert {len(selection.methods) for selection in suite.select} == {4}
    small: list[Selection] = [each for each in suite.select if "noise" not in each.tasks]
    cells = [
        job.cell for job in expand(suite.model_copy(update={"device": "cpu", "select": small}))
    ]
    places = {(c.task.id, c.scenario, c.precision, c.mode) for c in cells}
    assert len(places) == 2 * 2 * 2 * 2
    assert len(cells) == len(places) * 5
    assert all(cell.measuring.energy is not None for cell in cells)
    assert not cache.exists()
