"""A folder of images on disk: one sub-folder per class, JPEG or PNG files directly in it.

The folder is untrusted. Nothing outside it is read, even through a link; names are made
printable; a file that cannot be decoded stays a sample, and reading it raises
``UnreadableSample``, so that the evaluation counts it instead of skipping it.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from tokonomy.catalog.cards import TaskCard, implements
from tokonomy.errors import BadData, UnreadableSample
from tokonomy.families.vision.data import Image, ImageSet
from tokonomy_tasks.vision.labels import number, printable, read_map

CARD = TaskCard(
    id="imagefolder",
    title="Folder of images",
    families=("vision",),
    summary="Classify the images of a folder that holds one sub-folder per class.",
    metric="top-1 accuracy: share of images whose highest logit is the true class",
    source="A folder of the user, e.g. the validation images of ImageNet sorted by class",
    licence="That of the folder's images",
    split="test only: every JPEG or PNG directly inside a class folder, sorted by name. Class "
    "folders are numbered in sorted order unless a label map (labels.json in the folder, or a path "
    "given) says which output each one stands for.",
    revision="1",
    parameters=("root",),
)

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_PIXELS_MAX = 80_000_000  # larger than any photograph in use, small enough to decode safely
_CHUNK = 1 << 20  # bytes


def _inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link that leads to itself
        return False


def _visible(folder: Path) -> list[Path]:
    """List a folder, sorted, without hidden entries."""
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise BadData(
            f"imagefolder: cannot list {printable(str(folder))}: {error.strerror}"
        ) from error
    return sorted(entries, key=os.fsencode)


def _class_folders(root: Path) -> list[Path]:
    folders = [path for path in _visible(root) if path.is_dir()]
    if not folders:
        raise BadData(
            f"imagefolder: expected one sub-folder per class in {printable(str(root))}; found none"
        )
    for path in folders:
        if not _inside(path, root):
            raise BadData(
                f"imagefolder: the class folder {printable(path.name)!r} links to a place outside "
                f"{printable(str(root))}; copy it instead"
            )
    return folders


def _images(folder: Path) -> list[Path]:
    return [
        path for path in _visible(folder) if path.suffix.lower() in _SUFFIXES and not path.is_dir()
    ]


def decode(path: Path, root: Path) -> Image:
    """Decode one file.

    Args:
        path: A JPEG or PNG below ``root``.
        root: The folder that the file must not lead out of, resolved.

    Returns:
        RGB of shape [height, width, 3].
    """
    if not _inside(path, root) or not path.is_file():
        raise UnreadableSample("expected a file inside the folder; it leads elsewhere")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is refused or harmless here
            with PIL.Image.open(path, formats=("JPEG", "PNG")) as image:
                _check_size(image)
                return np.asarray(image.convert("RGB"))
    except UnreadableSample:
        raise
    except Exception as error:  # Pillow raises many types on damaged files; all mean the same
        raise UnreadableSample(f"cannot be decoded ({type(error).__name__})") from error


def _check_size(image: PIL.Image.Image) -> None:
    if image.width * image.height > _PIXELS_MAX:
        raise UnreadableSample(
            f"{image.width}x{image.height} pixels; at most {_PIXELS_MAX:,} are decoded"
        )
    if image.mode.startswith(("I", "F")):
        raise UnreadableSample(f"expected 8 bits per channel; got mode {image.mode}")


def _chunks(path: Path, root: Path) -> Iterator[bytes]:
    if not _inside(path, root) or not path.is_file():
        return
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError:
        return  # unreadable here, so unreadable for decode, which reports it


def fingerprint(
    paths: list[Path], root: Path, labels: tuple[int, ...], classes: tuple[str, ...]
) -> str:
    """Hash class names, labels, file names and file bytes, one piece at a time.

    Returns:
        SHA-256 in hex; a file outside the folder or without permission counts as empty.
    """
    digest = hashlib.sha256(repr(classes).encode())
    for path, label in zip(paths, labels, strict=True):
        content = hashlib.sha256()
        for chunk in _chunks(path, root):
            content.update(chunk)
        name = os.fsencode(path.relative_to(root))
        digest.update(b"%d %d %s" % (label, len(name), name))
        digest.update(content.digest())
    return digest.hexdigest()


def _find_map(root: Path, label_map: str) -> Path | None:
    if label_map:
        return Path(label_map)
    default = root / "labels.json"
    if not default.exists():
        return None
    if not _inside(default, root):
        raise BadData(
            "imagefolder: labels.json links to a place outside the folder; copy it instead"
        )
    return default


def _load(root: Path, label_map: str) -> ImageSet:
    folders = _class_folders(root)
    found = _find_map(root, label_map)
    entries = None if found is None else read_map(found)
    indices, classes = number([path.name for path in folders], entries)
    listed = [(path, indices[folder.name]) for folder in folders for path in _images(folder)]
    if not listed:
        raise BadData(
            f"imagefolder: expected JPEG or PNG files in the class folders of "
            f"{printable(str(root))}; found none"
        )
    paths = [path for path, _ in listed]
    labels = tuple(label for _, label in listed)
    return ImageSet(
        ids=tuple(printable(path.relative_to(root).as_posix()) for path in paths),
        labels=labels,
        classes=classes,
        read=lambda index: decode(paths[index], root),
        data_hash=fingerprint(paths, root, labels, classes),
    )


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """Every image of a folder.

    Attributes:
        root: The folder that holds the class folders.
        label_map: A JSON file of folder name to class index (the model's output) or to class
            name (numbered in sorted order); empty takes ``labels.json`` in ``root`` where there
            is one.
    """

    root: str
    label_map: str = ""

    def samples(self, split: str) -> ImageSet:
        """Give the images; they are decoded only when read.

        Args:
            split: ``"test"``, the only one.
        """
        if split != "test":
            raise BadData(f"imagefolder: the only split is 'test'; got {split!r}")
        root = Path(self.root)
        if not root.is_dir():
            raise BadData(
                f"imagefolder: expected a folder at {printable(self.root)}; there is none"
            )
        return _load(root.resolve(), self.label_map)
