"""A folder of images from a stranger: what is read, what is refused and what is said."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tokonomy.errors import BadData, TokonomyError, UnreadableSample
from tokonomy_tasks.vision.imagefolder import ImageFolder

RED, BLUE = (255, 0, 0), (0, 0, 255)


def paint(path: Path, colour: tuple[int, int, int] = RED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (6, 4), colour).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    paint(folder / "cat" / "b.png")
    paint(folder / "cat" / "a.JPEG")
    paint(folder / "dog" / "c.png", BLUE)
    return folder


def hash_of(root: Path) -> str:
    return ImageFolder(root=str(root)).samples("test").data_hash


def refusal(root: Path, label_map: str = "") -> str:
    with pytest.raises(BadData) as caught:
        ImageFolder(root=str(root), label_map=label_map).samples("test")
    assert isinstance(caught.value, TokonomyError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unreadable(root: Path, name: str) -> str:
    images = ImageFolder(root=str(root)).samples("test")
    with pytest.raises(UnreadableSample) as caught:
        images.read(images.ids.index(name))
    message = str(caught.value)
    assert "\n" not in message
    assert str(root) not in message
    return message


def test_classes_labels_and_pixels(root: Path) -> None:
    paint(root / "cat" / ".hidden.png")
    (root / "cat" / "notes.txt").write_text("not an image")
    images = ImageFolder(root=str(root)).samples("test")
    assert images.ids == ("cat/a.JPEG", "cat/b.png", "dog/c.png")
    assert images.labels == (0, 0, 1)
    assert images.classes == ("cat", "dog")
    assert images.read(2).shape == (4, 6, 3)
    assert images.read(2).dtype == np.uint8
    np.testing.assert_array_equal(images.read(2)[0, 0], BLUE)


def test_grey_and_transparent_images_become_rgb(root: Path) -> None:
    PIL.Image.new("L", (5, 5), 7).save(root / "cat" / "grey.png")
    PIL.Image.new("RGBA", (5, 5), (1, 2, 3, 0)).save(root / "cat" / "clear.png")
    images = ImageFolder(root=str(root)).samples("test")
    for name, pixel in (("cat/grey.png", (7, 7, 7)), ("cat/clear.png", (1, 2, 3))):
        np.testing.assert_array_equal(images.read(images.ids.index(name))[0, 0], pixel)


def test_hash_follows_names_bytes_and_labels(root: Path) -> None:
    seen = [hash_of(root)]
    assert hash_of(root) == seen[0]
    (root / "cat" / "b.png").rename(root / "cat" / "d.png")
    seen.append(hash_of(root))
    paint(root / "cat" / "d.png", BLUE)
    seen.append(hash_of(root))
    (root / "labels.json").write_text('{"cat": 1, "dog": 0}')
    seen.append(hash_of(root))
    assert len(set(seen)) == 4


def test_map_of_indices_names_model_outputs(root: Path) -> None:
    (root / "labels.json").write_text('{"cat": 3, "dog": 1}')
    images = ImageFolder(root=str(root)).samples("test")
    assert images.labels == (3, 3, 1)
    assert images.classes == ("0", "dog", "2", "cat")


def test_map_of_names_from_a_path_can_join_folders(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text('{"cat": "animal", "dog": "animal"}')
    images = ImageFolder(root=str(root), label_map=str(path)).samples("test")
    assert images.labels == (0, 0, 0)
    assert images.classes == ("animal",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('"cat"', "must be an object of folder name"),
        ("{}", "must be an object of folder name"),
        ('{"cat": 0, "dog": 1, "cow": 2}', "names 'cow' .1 such., which is not a class folder"),
        ('{"cat": 0}', "no entry for the class folder 'dog'"),
        ('{"cat": 0, "dog": "dog"}', "only indices .0 to 99999. or only names"),
        ('{"cat": true, "dog": false}', "only indices"),
        ('{"cat": -1, "dog": 0}', "only indices"),
        ('{"cat": 1e3, "dog": 0}', "only indices"),
        ('{"cat": 999999999, "dog": 0}', "only indices"),
        ('{"cat": null, "dog": 0}', "only indices"),
    ],
)
def test_bad_map_is_refused(root: Path, content: str, says: str) -> None:
    (root / "labels.json").write_text(content)
    with pytest.raises(BadData, match=says):
        ImageFolder(root=str(root)).samples("test")


def test_map_that_is_not_utf8_or_not_there_is_refused(root: Path, tmp_path: Path) -> None:
    assert "cannot read label map" in refusal(root, str(tmp_path / "none.json"))
    (tmp_path / "latin.json").write_bytes(b'{"caf\xe9": 0}')
    assert "is not JSON" in refusal(root, str(tmp_path / "latin.json"))


def test_missing_folder(tmp_path: Path) -> None:
    assert "expected a folder" in refusal(tmp_path / "nowhere")
    assert "expected a folder" in refusal(paint(tmp_path / "file.png"))


def test_no_class_folders(tmp_path: Path) -> None:
    paint(tmp_path / "loose.png")
    assert "expected one sub-folder per class" in refusal(tmp_path)


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    assert "expected JPEG or PNG files" in refusal(tmp_path)


def test_only_the_test_split(root: Path) -> None:
    with pytest.raises(BadData, match="only split is 'test'; got 'train'"):
        ImageFolder(root=str(root)).samples("train")


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in about a hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_files_that_cannot_be_decoded_stay_samples(root: Path) -> None:
    whole = (root / "cat" / "a.JPEG").read_bytes()
    (root / "cat" / "empty.png").write_bytes(b"")
    (root / "cat" / "text.jpg").write_text("hello")
    (root / "cat" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "cat" / "bomb.png").write_bytes(bomb())
    PIL.Image.new("1", (10_000, 9_000)).save(root / "cat" / "big.png")
    PIL.Image.new("I;16", (4, 4), 999).save(root / "cat" / "deep.png")
    PIL.Image.new("RGB", (4, 4)).save(root / "cat" / "disguised.png", format="GIF")
    for name in ("empty.png", "text.jpg", "cut.jpg", "bomb.png", "disguised.png"):
        assert "cannot be decoded" in unreadable(root, f"cat/{name}")
    assert "at most 80,000,000 are decoded" in unreadable(root, "cat/big.png")
    assert "8 bits per channel" in unreadable(root, "cat/deep.png")
    assert ImageFolder(root=str(root)).samples("test").read(0).shape == (4, 6, 3)


def test_nothing_outside_the_folder_is_read(root: Path, tmp_path: Path) -> None:
    secret = paint(tmp_path / "secret.png")
    (root / "cat" / "link.png").symlink_to(secret)
    (root / "cat" / "gone.png").symlink_to(root / "cat" / "nothing.png")
    (root / "cat" / "loop.png").symlink_to(root / "cat" / "loop.png")
    before = hash_of(root)
    for name in ("link.png", "gone.png", "loop.png"):
        assert "leads elsewhere" in unreadable(root, f"cat/{name}")
    paint(secret, BLUE)
    assert hash_of(root) == before


def test_link_within_the_folder_is_followed(root: Path) -> None:
    (root / "cat" / "same.png").symlink_to(root / "dog" / "c.png")
    images = ImageFolder(root=str(root)).samples("test")
    pixel = images.read(images.ids.index("cat/same.png"))[0, 0]
    np.testing.assert_array_equal(pixel, BLUE)


def test_class_folder_that_links_outside_is_refused(root: Path, tmp_path: Path) -> None:
    paint(tmp_path / "other" / "x.png")
    (root / "owl").symlink_to(tmp_path / "other", target_is_directory=True)
    assert "'owl' links to a place outside" in refusal(root)


def test_map_that_links_outside_is_not_read(root: Path, tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text('{"cat": 5, "dog": 6}')
    (root / "labels.json").symlink_to(tmp_path / "map.json")
    assert "labels.json" in refusal(root)


def test_pipe_does_not_block(root: Path) -> None:
    os.mkfifo(root / "cat" / "pipe.png")
    assert "leads elsewhere" in unreadable(root, "cat/pipe.png")


def test_strange_names_become_printable(root: Path) -> None:
    paint(root / "a\nb" / "<x>\t.png")
    paint(root / "ok" / "y.png").rename(os.fsdecode(os.fsencode(root / "ok") + b"/\xff.png"))
    images = ImageFolder(root=str(root)).samples("test")
    assert images.classes[0] == "a\\nb"
    assert {"a\\nb/<x>\\t.png", "ok/\\udcff.png"} <= set(images.ids)
    assert json.loads(json.dumps(images.ids).encode()) == list(images.ids)
    assert images.read(images.ids.index("ok/\\udcff.png")).shape == (4, 6, 3)
