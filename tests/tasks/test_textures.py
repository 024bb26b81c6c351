"""The textures: tiles of real photographs, train and test apart to the pixel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import skimage

from tokonomy.errors import BadData
from tokonomy_tasks.vision.textures import CARD, PHOTOS, SIZE, Textures, boxes, finish, is_test

FOLDER = Path(skimage.__file__).parent / "data"
SPLITS = ("train", "test")


def place(identifier: str) -> tuple[str, int, int]:
    name, row, column = identifier.rsplit("-", 2)
    return name, int(row), int(column)


def covered(split: str, photo: str, side: int, shape: tuple[int, int]) -> np.ndarray:
    """Mark every pixel of a photograph that a split shows."""
    mask = np.zeros(shape, dtype=int)
    for name, row, column in map(place, Textures().samples(split).ids):
        if name == photo:
            mask[row * side : (row + 1) * side, column * side : (column + 1) * side] += 1
    return mask


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_no_pixel_is_in_both_splits_or_twice_in_one(photo) -> None:  # noqa: ANN001
    with PIL.Image.open(FOLDER / photo.file) as image:
        shape = (image.height, image.width)
    train, test = (covered(split, photo.name, photo.side, shape) for split in SPLITS)
    assert train.any()
    assert test.any()
    assert (train + test).max() == 1


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_a_tile_depends_on_no_pixel_outside_it(photo) -> None:  # noqa: ANN001
    """Rebuild one tile from a photograph in which everything else is painted over."""
    images = Textures().samples("test")
    index = next(i for i, name in enumerate(images.ids) if place(name)[0] == photo.name)
    _, row, column = place(images.ids[index])
    box = (
        column * photo.side,
        row * photo.side,
        (column + 1) * photo.side,
        (row + 1) * photo.side,
    )
    with PIL.Image.open(FOLDER / photo.file) as image:
        grey = image.convert("L")
    painted = PIL.Image.new("L", grey.size, 255)
    painted.paste(grey.crop(box), box)
    tile = finish(painted.crop(box))
    np.testing.assert_array_equal(images.read(index)[:, :, 0], tile)


def test_test_tiles_are_spread_over_each_photograph() -> None:
    """No 4x4 block of grid places is without a test tile or made of test tiles alone."""
    for row in range(20):
        for column in range(20):
            block = [is_test(row + i, column + j) for i in range(4) for j in range(4)]
            assert 3 <= sum(block) <= 6


def test_sizes_and_balance() -> None:
    train, test = (Counter(Textures().samples(split).labels) for split in SPLITS)
    assert 300 <= test.total() <= 500
    assert 0.25 <= test.total() / (test.total() + train.total()) <= 0.35
    assert sorted(train) == sorted(test) == list(range(len(PHOTOS)))
    assert min(test.values()) >= 14
    assert max(test.values()) <= 0.15 * test.total()
    assert CARD.chance == pytest.approx(1 / len(PHOTOS), abs=1e-3)


def test_tiles_are_grey_and_levelled() -> None:
    images = Textures().samples("test")
    tiles = np.stack([images.read(index) for index in range(len(images))])
    assert tiles.shape == (len(images), SIZE, SIZE, 3)
    assert tiles.dtype == np.uint8
    assert (tiles == tiles[..., :1]).all()
    # Clipping of very uneven tiles moves both a little.
    assert np.abs(np.median(tiles.mean((1, 2, 3))) - 128) < 1
    assert np.abs(np.median(tiles.std((1, 2, 3))) - 48) < 1


def test_nearly_flat_tile_is_left_out() -> None:
    assert finish(PIL.Image.new("L", (64, 64), 90)) is None


def test_boxes_keep_whole_tiles_only() -> None:
    assert list(boxes(130, 70, 64)) == [(0, 0), (0, 1)]


def test_hash_is_the_same_in_another_process() -> None:
    code = (
        "from tokonomy_tasks.vision.textures import Textures\n"
        "print(*(Textures().samples(split).data_hash for split in ('train', 'test')))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    hashes = [Textures().samples(split).data_hash for split in SPLITS]
    assert done.stdout.split() == hashes
    assert hashes[0] != hashes[1]


def test_every_photograph_states_origin_and_licence() -> None:
    assert len({photo.name for photo in PHOTOS}) == len(PHOTOS)
    assert all(photo.origin and photo.licence for photo in PHOTOS)


def test_unknown_split_is_refused() -> None:
    with pytest.raises(BadData, match="'train' or 'test'; got 'val'"):
        Textures().samples("val")
