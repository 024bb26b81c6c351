"""Label maps: which class each folder of images stands for.

A map is a JSON object of folder name to class index (the model's output) or to class name. It
names every class folder and nothing else, so a mistyped name cannot drop a class unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tokonomy.catalog import strict
from tokonomy.errors import BadData

_CLASSES_MAX = 100_000  # an index above this is a mistake; a list of names is built up to it


def printable(name: str) -> str:
    """Escape what does not print (line breaks, broken encodings) and the backslash itself."""
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode()
        for char in name
    )


def read_map(path: Path) -> dict[str, object]:
    """Read a label map from a JSON file."""
    shown = printable(str(path))
    try:
        content = strict.read(path)
    except OSError as error:
        raise BadData(f"imagefolder: cannot read label map {shown}: {error.strerror}") from error
    except ValueError as error:
        raise BadData(f"imagefolder: label map {shown} is not JSON: {error}") from error
    if not isinstance(content, dict) or not content:
        raise BadData(
            f"imagefolder: label map {shown} must be an object of folder name to class index or "
            f"name; got {type(content).__name__}"
        )
    return content


def _check_names(entries: Mapping[str, object], folders: list[str]) -> None:
    unknown = sorted(set(entries) - set(folders))
    missing = sorted(set(folders) - set(entries))
    if unknown:
        raise BadData(
            f"imagefolder: the label map names {printable(unknown[0])!r} "
            f"({len(unknown)} such), which is not a class folder"
        )
    if missing:
        raise BadData(
            f"imagefolder: the label map has no entry for the class folder "
            f"{printable(missing[0])!r} ({len(missing)} such)"
        )


def _by_index(chosen: dict[str, int]) -> tuple[str, ...]:
    """Name each index after the first folder that has it, or after itself."""
    names = {index: printable(folder) for folder, index in reversed(chosen.items())}
    return tuple(names.get(index, str(index)) for index in range(max(names) + 1))


def number(
    folders: list[str], entries: Mapping[str, object] | None
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Give each class folder its label.

    Args:
        folders: Names of the class folders, sorted.
        entries: The label map, all indices or all names; None numbers the folders in order.

    Returns:
        The label of each folder, and the class names that labels point into.
    """
    if entries is None:
        return dict(zip(folders, range(len(folders)), strict=True)), tuple(map(printable, folders))
    _check_names(entries, folders)
    # The exact type, since a bool passes for an int.
    indices = {name: entry for name in folders if type(entry := entries[name]) is int}
    names = {name: entry for name in folders if isinstance(entry := entries[name], str)}
    if len(indices) == len(folders) and all(0 <= i < _CLASSES_MAX for i in indices.values()):
        return indices, _by_index(indices)
    if len(names) == len(folders):
        classes = sorted(set(names.values()))
        labels = {name: classes.index(entry) for name, entry in names.items()}
        return labels, tuple(map(printable, classes))
    raise BadData(
        f"imagefolder: the label map must hold only indices (0 to {_CLASSES_MAX - 1}) or only names"
    )
