"""A method or a task begun from a template that already passes every test."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import UsageError

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is written for one kind of thing, each file by the name of its template."""

    files: Mapping[str, str]


def _method(family: str, folder: str) -> Shape:
    return Shape(
        files={
            f"method.{family}": f"methods/tokonomy_methods/{family}/$module.py",
            f"method.{family}.test": f"tests/methods/{folder}test_$module.py",
        }
    )


def _language_task() -> Shape:
    return Shape(
        files={
            "task.language": "tasks/tokonomy_tasks/language/$module.py",
            "task.language.yaml": "tasks/tokonomy_tasks/language/$module.yaml",
            "task.language.test": "tests/tasks/test_$module.py",
        }
    )


SHAPES: Mapping[tuple[str, str], Shape] = {
    ("method", "vision"): _method("vision", ""),
    ("method", "decoding"): _method("decoding", "decoding/"),
    ("method", "kv"): _method("kv", "kv/"),
    ("task", "vision"): Shape(
        files={
            "task.vision": "tasks/tokonomy_tasks/vision/$module.py",
            "task.vision.test": "tests/tasks/test_$module.py",
        }
    ),
    ("task", "decoding"): _language_task(),
    ("task", "kv"): _language_task(),
}


def checkout(start: Path) -> Path:
    """The root of the repository around a folder; raises ``UsageError`` outside of one."""
    for folder in (start, *start.parents):
        if (folder / "methods" / "tokonomy_methods").is_dir() and (folder / "tests").is_dir():
            return folder
    raise UsageError(
        f"{start} is in no checkout of the repository; clone it, and call this from inside"
    )


def begin(noun: str, family: str, name: str, root: Path) -> list[Path]:
    """Write the files of a new method or task; gives their paths.

    Args:
        noun: ``"method"`` or ``"task"``.
        family: A family that has a template for it.
        name: Its id, in kebab-case.
        root: Root of the checkout.

    Raises:
        UsageError: The id is no id, or is taken, or a file is there already; nothing is written.
    """
    if not _ID.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"an id is of a-z and 0-9 with single - between, begins with a letter and has at most "
            f"{_LONGEST} characters; got {name!r}"
        )
    words = {
        "id": name,
        "title": name.replace("-", " ").capitalize(),
        "module": name.replace("-", "_"),
        "name": "".join(part.capitalize() for part in name.split("-")),
        "family": family,
    }
    if keyword.iskeyword(words["module"]) or name.startswith("planted-"):
        raise UsageError(f"{name!r} means something else already; choose another id")
    if name in catalogue(noun).entries:
        raise UsageError(f"{noun} id {name!r} is taken; choose another")
    shape = SHAPES[noun, family]
    made = {
        root / Template(path).substitute(words): Template(_template(key)).substitute(words)
        for key, path in shape.files.items()
    }
    there = [path for path in made if path.exists()]
    if there:
        raise UsageError(f"{there[0].relative_to(root)} is there already; nothing was written")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(made)


def _template(key: str) -> str:
    return files("tokonomy.submit").joinpath("templates", f"{key}.txt").read_text(encoding="utf-8")
