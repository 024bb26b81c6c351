import json
from pathlib import Path

import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from checkpoints import write_checkpoint
from images import write_images
from tokonomy.errors import BadCheckpoint, BadData, BadParameter, UnknownId
from tokonomy.families import load_family
from tokonomy.families.vision.model import VisionModel

VISION = load_family("vision")


def load(ref: str) -> VisionModel:
    model: VisionModel = VISION.load(ref, device="cpu", precision="fp32")
    return model


@pytest.mark.parametrize(("architecture", "specials"), [("vit", 1), ("deit", 2)])
def test_quality_equals_that_of_plain_transformers(
    tmp_path: Path, architecture: str, specials: int
) -> None:
    folder = write_checkpoint(tmp_path / "model", architecture)
    images = write_images(tmp_path / "images")
    model = load(f"hf:{folder}")
    assert model.specials == specials
    assert model.patches == 16
    data = VISION.open(f"imagefolder:{images}")
    VISION.check(model, data)
    with torch.inference_mode():
        outputs = VISION.evaluate(model, model, data)
        plain = AutoModelForImageClassification.from_pretrained(folder).eval()
        processor = AutoImageProcessor.from_pretrained(folder)
        logits = torch.cat(
            [
                plain(**processor(images=data.read(index), return_tensors="pt")).logits
                for index in range(len(data))
            ]
        )
    assert list(outputs.raw) == list(range(len(data)))
    raw = torch.stack(list(outputs.raw.values()))
    torch.testing.assert_close(raw, logits, rtol=1e-4, atol=1e-5)
    assert outputs.predictions == logits.argmax(1).tolist()
    pairs = zip(outputs.predictions, data.labels, strict=True)
    assert outputs.scores == [float(said == label) for said, label in pairs]
    assert outputs.groups == []


@pytest.mark.parametrize("name", ["digits", "textures"])
def test_reference_quality_on_shipped_weights_equals_plain_transformers(name: str) -> None:
    (ref,) = VISION.models_for(name)
    model, data = load(ref), VISION.open(name)
    plain = AutoModelForImageClassification.from_pretrained(
        Path(model.module.config._name_or_path)
    ).eval()
    batches = list(VISION.batches(model, data, 32))
    with torch.inference_mode():
        outputs = VISION.evaluate(model, model, data)
        logits = torch.cat([plain(batch.pixels).logits for batch in batches])
    assert torch.equal(torch.stack(list(outputs.raw.values())), logits)
    assert sum(outputs.scores) == sum(
        int(said) == label
        for said, label in zip(logits.argmax(1).tolist(), data.labels, strict=True)
    )


def test_an_unreadable_image_is_counted_and_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    images = write_images(tmp_path / "images")
    (images / "class-1" / "0.png").write_bytes(b"not an image")
    model, data = load(f"hf:{folder}"), VISION.open(f"imagefolder:{images}")
    with torch.inference_mode():
        outputs = VISION.evaluate(model, model, data)
    assert len(outputs.predictions) == len(data) - 1 == 11
    assert len(outputs.scores) == len(outputs.raw) == 11
    assert len(outputs.unreadable) == 1
    assert "class-1/0.png" in outputs.unreadable[0]


def test_a_folder_without_one_readable_image_is_an_error(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    images = write_images(tmp_path / "images", each=1)
    for path in images.rglob("*.png"):
        path.write_bytes(b"")
    model, data = load(f"hf:{folder}"), VISION.open(f"imagefolder:{images}")
    with pytest.raises(BadData, match="none of the 3 samples can be decoded"):
        VISION.evaluate(model, model, data)


def test_more_classes_than_outputs_is_an_error(tmp_path: Path) -> None:
    model = load(f"hf:{write_checkpoint(tmp_path / 'model')}")
    data = VISION.open(f"imagefolder:{write_images(tmp_path / 'images', classes=4)}")
    with pytest.raises(BadData, match="label 3 and the model has 3 outputs"):
        VISION.check(model, data)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "swin"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadCheckpoint, match="expected an architecture of vit, deit; got 'swin'"):
        load(f"hf:{folder}")


def test_a_checkpoint_without_a_classifier_is_refused(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    ViTModel(ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        tmp_path
    )
    with pytest.raises(BadCheckpoint, match="missing from the checkpoint, 'classifier"):
        load(f"hf:{tmp_path}")


@pytest.mark.parametrize("damage", ["truncated", "no-config", "no-processor", "pickle-only"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage: str) -> None:
    folder = write_checkpoint(tmp_path / "model")
    weights = folder / "model.safetensors"
    match damage:
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "no-config":
            (folder / "config.json").unlink()
        case "no-processor":
            (folder / "preprocessor_config.json").unlink()
        case "pickle-only":
            weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(BadCheckpoint) as caught:
        load(f"hf:{folder}")
    assert "\n" not in str(caught.value)


def test_unknown_references_are_refused() -> None:
    with pytest.raises(UnknownId, match="did you mean digits-vit"):
        load("digit-vit")
    with pytest.raises(BadParameter, match="takes no argument"):
        VISION.open("digits:somewhere")
    with pytest.raises(BadParameter, match="given as imagefolder:<root>"):
        VISION.open("imagefolder")
    with pytest.raises(BadParameter, match="precision is one of"):
        VISION.load("digits-vit", device="cpu", precision="fp8")


def test_the_weights_hash_follows_the_files(tmp_path: Path) -> None:
    one = write_checkpoint(tmp_path / "one", seed=0)
    same = write_checkpoint(tmp_path / "same", seed=0)
    other = write_checkpoint(tmp_path / "other", seed=1)
    hashes = [VISION.describe_model(f"hf:{folder}").weights_hash for folder in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert VISION.describe_model(f"hf:{one}").id == "one"
