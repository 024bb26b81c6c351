"""Tiles of real photographs: the class is the photograph that a tile was cut from.

Tiles are grey and each has the same mean and spread, so neither colour nor brightness gives the
class away; what is left is texture, and with it a cue that is none of the scene: photographs are
cut at different scales, so how blurred a tile is says something of where it comes from. A tile is
cut first and resized on its own afterwards, so no pixel of a train tile reaches a test tile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.errors import BadData
from tokonomy.families.vision.data import Image, ImageSet
from tokonomy_tasks.vision.bundled import bundled

CARD = TaskCard(
    id="textures",
    title="Photograph textures",
    families=("vision",),
    summary="Name the photograph, one of 15, that a grey 64x64 tile was cut from; at patch size 4 "
    "each image is 256 tokens.",
    metric="top-1 accuracy: share of test tiles whose highest logit is the true photograph",
    source="Photographs and micrographs inside the scikit-image distribution (skimage/data); "
    "vision/textures.py names the origin and licence of each",
    licence="Per photograph, as its origin states: CC0 (8), public domain or no known restriction "
    "(4), disputed (rocket), not stated (moon, page); the files come with scikit-image, "
    "BSD-3-Clause. This package holds no pixel of them; the site shows a tile of each CC0 one",
    split="Each photograph is cut into a grid of disjoint tiles; the tile at (row, column) is test "
    "where (row + 3 column) mod 10 is 0, 4 or 7, about 30 % in a scattered lattice. Nearly flat "
    "tiles are left out of both splits. Both splits show the same photographs, so this measures "
    "recognition of a photograph's texture, not of new scenes. Photographs are cut at sides of 32 "
    "to 112 pixels and resized to 64, so the blur of a tile is a cue of its own. Guessing at "
    "random scores 1 in 15; always naming the commonest photograph (retina) scores 12.5 %.",
    revision="1",
    chance=0.0667,
    models=("textures-vit",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photograph and how it is cut.

    Attributes:
        file: Name in skimage/data.
        side: Height and width of a tile in the photograph, in pixels.
        origin: Who made it or where it was found.
        licence: What its origin states, as scikit-image passes it on.
    """

    file: str
    side: int
    origin: str
    licence: str

    @property
    def name(self) -> str:
        """The class name."""
        return Path(self.file).stem.split("_")[0]


def _photo(file: str, side: int, origin: str, licence: str) -> Photo:
    return Photo(file=file, side=side, origin=origin, licence=licence)


PHOTOS = (
    _photo("astronaut.png", 64, "NASA Great Images", "public domain"),
    _photo("brick.png", 64, "CC0Textures, Bricks25", "CC0"),
    _photo("camera.png", 64, "Lav Varshney", "CC0"),
    _photo("cell.png", 64, "P. Müller et al., doi:10.1364/OE.26.010729", "CC0"),
    _photo("chelsea.png", 48, "Stefan van der Walt", "CC0"),
    _photo("coffee.png", 64, "Rachel Michetti, Pikolo Espresso Bar", "CC0"),
    _photo("coins.png", 48, "Brooklyn Museum, image 51611", "no known restrictions"),
    _photo("grass.png", 64, "linolafett, DeviantArt, Grass 01", "CC0"),
    _photo("gravel.png", 64, "CC0Textures, Gravel04", "CC0"),
    _photo("hubble_deep_field.jpg", 80, "NASA, HubbleSite 2012/37", "public domain"),
    _photo("ihc.png", 64, "Center for Microscopy and Molecular Imaging", "no known restrictions"),
    _photo("moon.png", 64, "not stated", "not stated"),
    _photo("page.png", 32, "not stated", "not stated"),
    _photo("retina.jpg", 112, "Mikael Häggström, doi:10.15347/wjm/2014.008", "CC0"),
    # The photographer announced public domain; the page it was taken from says CC BY-NC
    # (scikit-image issue 5095).
    _photo("rocket.jpg", 64, "SpaceX, DSCOVR launch", "public domain, disputed"),
)
SIZE = 64  # pixels on each side of a finished tile
_FLAT = 2.0  # grey levels of standard deviation below which a tile shows only noise
_SPREAD = 48.0  # standard deviation of a finished tile, before clipping to 0..255


def is_test(row: int, column: int) -> bool:
    """Say whether the tile at this place of the grid belongs to the test split."""
    return (row + 3 * column) % 10 in (0, 4, 7)


def boxes(width: int, height: int, side: int) -> Iterator[tuple[int, int]]:
    """Give (row, column) of every whole tile of a photograph, row by row."""
    for row in range(height // side):
        for column in range(width // side):
            yield row, column


def finish(tile: PIL.Image.Image) -> NDArray[np.uint8] | None:
    """Resize a cut tile and level its mean and spread.

    Args:
        tile: A grey tile of any size, with no pixel of its neighbours.

    Returns:
        Grey levels of shape [64, 64], or None where the tile is nearly flat.
    """
    if tile.width > SIZE:
        tile = tile.resize((SIZE, SIZE), PIL.Image.Resampling.BOX)
    elif tile.width < SIZE:
        tile = tile.resize((SIZE, SIZE), PIL.Image.Resampling.BICUBIC)
    grey = np.asarray(tile, dtype=np.float64)
    spread = grey.std()
    if spread < _FLAT:
        return None
    levelled = np.rint(128 + (grey - grey.mean()) * (_SPREAD / spread))
    levels: NDArray[np.uint8] = levelled.clip(0, 255).astype(np.uint8)
    return levels


def _open(photo: Photo) -> PIL.Image.Image:
    try:
        with PIL.Image.open(bundled("skimage", "data", photo.file)) as image:
            return image.convert("L")
    except OSError as error:
        raise BadData(
            f"textures: expected {photo.file} inside the installed scikit-image; "
            f"it cannot be read ({type(error).__name__})"
        ) from error


@cache
def _load(split: str) -> ImageSet:
    ids: list[str] = []
    labels: list[int] = []
    tiles: list[NDArray[np.uint8]] = []
    for label, photo in enumerate(PHOTOS):
        grey, side = _open(photo), photo.side
        for row, column in boxes(grey.width, grey.height, side):
            if is_test(row, column) != (split == "test"):
                continue
            left, top = column * side, row * side
            tile = finish(grey.crop((left, top, left + side, top + side)))
            if tile is not None:
                ids.append(f"{photo.name}-{row:02d}-{column:02d}")
                labels.append(label)
                tiles.append(tile)
    return _image_set(split, ids, labels, np.stack(tiles))


def _image_set(split: str, ids: list[str], labels: list[int], tiles: NDArray[np.uint8]) -> ImageSet:
    classes = tuple(photo.name for photo in PHOTOS)
    digest = hashlib.sha256(tiles.tobytes())
    digest.update(repr((split, ids, labels, classes)).encode())

    def read(index: int) -> Image:
        return np.repeat(tiles[index, :, :, None], 3, axis=2)

    return ImageSet(
        ids=tuple(ids),
        labels=tuple(labels),
        classes=classes,
        read=read,
        data_hash=digest.hexdigest(),
    )


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Textures:
    """The tiles, split by a fixed lattice over each photograph."""

    def samples(self, split: str) -> ImageSet:
        """Give one split.

        Args:
            split: ``"train"`` or ``"test"``.

        Returns:
            Tiles of shape [64, 64, 3], grey replicated.
        """
        if split not in ("train", "test"):
            raise BadData(f"textures: the split is 'train' or 'test'; got {split!r}")
        return _load(split)
