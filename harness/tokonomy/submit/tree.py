"""A checkout's modules and cards, read and never imported; as it is, or as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from tokonomy.catalog.cards import Card
from tokonomy.catalog.definitions import called
from tokonomy.catalog.reading import parse_card
from tokonomy.catalog.sources import reached
from tokonomy.errors import BadCard

PACKAGES: Mapping[str, str] = {
    "tokonomy": "harness/tokonomy",
    "tokonomy_methods": "methods/tokonomy_methods",
    "tokonomy_tasks": "tasks/tokonomy_tasks",
}
FAMILIES: Mapping[str, str] = {
    "vision": "tokonomy.families.vision.family",
    "decoding": "tokonomy.families.language.family",
    "kv": "tokonomy.families.language.family",
}
WEIGHTS = "tasks/tokonomy_tasks/models/weights"


def module_of(path: str) -> str | None:
    """The module that a file of the repository is; None where it is none.

    >>> module_of("methods/tokonomy_methods/vision/tome.py")
    'tokonomy_methods.vision.tome'
    """
    for top, folder in PACKAGES.items():
        if path.startswith(f"{folder}/") and path.endswith(".py"):
            parts = PurePosixPath(path.removeprefix(f"{folder}/")).with_suffix("").parts
            return ".".join((top, *(part for part in parts if part != "__init__")))
    return None


class Tree:
    """The files of a checkout and what they say.

    Args:
        root: Root of the repository.
        past: Texts of files that were others than those that lie there now, by path; None for
            one that was not there.
    """

    def __init__(self, root: Path, past: Mapping[str, str | None] | None = None) -> None:
        self.root = root
        self.past = past or {}
        self.find = cache(self._find)
        self.files = cache(self._files)
        self.offered = cache(self._offered)

    def text(self, path: str) -> str | None:
        """A file's text; None where there is none. Links are no files."""
        if path in self.past:
            return self.past[path]
        file = self.root / path
        if file.is_symlink() or not file.is_file():
            return None
        return file.read_text(encoding="utf-8", errors="replace")

    def below(self, folder: str) -> list[str]:
        """Paths of all files below a folder."""
        here = {
            path.relative_to(self.root).as_posix()
            for path in (self.root / folder).rglob("*")
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
        }
        inside = {path for path in self.past if path.startswith(f"{folder}/")}
        return sorted(here - inside | {path for path in inside if self.past[path] is not None})

    def _there(self, path: str) -> bool:
        return self.past[path] is not None if path in self.past else (self.root / path).is_file()

    def _find(self, module: str) -> Path | None:
        """The file of a module, relative to the root."""
        top, _, rest = module.partition(".")
        if top not in PACKAGES:
            return None
        place = "/".join((PACKAGES[top], *filter(None, rest.split("."))))
        found = (path for path in (f"{place}.py", f"{place}/__init__.py") if self._there(path))
        return next(map(Path, found), None)

    def reaches(self, module: str) -> dict[str, str]:
        """Modules that a module's results depend on, itself included, with their files."""
        found = reached(module, self.find, lambda path: self.text(path.as_posix()) or "")
        return {name: path.as_posix() for name, path in found.items()}

    @cached_property
    def cards(self) -> Mapping[tuple[str, str], tuple[Card, str]]:
        """Card and module by noun and id; a file whose card is broken has none."""
        found: dict[tuple[str, str], tuple[Card, str]] = {}
        for top in ("tokonomy_methods", "tokonomy_tasks"):
            for path in self.below(PACKAGES[top]):
                module = module_of(path)
                card = read_once(path, self.text(path) or "") if module else None
                if card is not None and module is not None:
                    found.setdefault((card.noun, card.id), (card, module))
        return found

    def of(self, noun: str) -> Iterator[tuple[str, Any]]:
        """Id and card of everything of one noun."""
        return ((name, card) for (kind, name), (card, _) in self.cards.items() if kind == noun)

    def _offered(self, family: str) -> dict[str, Any]:
        """Cards of a family's methods, by id."""
        return {name: card for name, card in self.of("method") if family in card.families}

    def _files(self, noun: str, name: str) -> frozenset[str]:
        """Files that a result depends on through a method, task, model or family."""
        if noun == "family":
            return frozenset(self.reaches(FAMILIES[name]).values())
        weights = self.below(f"{WEIGHTS}/{name}") if noun == "model" else []
        if weights:  # else they are drawn by its code
            return frozenset(path for path in weights if not path.endswith("/figures.json"))
        if (noun, name) not in self.cards:
            return frozenset()
        module = self.cards[noun, name][1]
        package = module.rpartition(".")[0]
        found = {*self.reaches(module).values(), *self.own(noun, name)}
        for path in self.own(noun, name) if noun == "task" else ():
            if not path.endswith(".py"):
                for each in called(self.text(path) or ""):
                    found |= set(self.reaches(f"{package}.{each}").values())
        return frozenset(found)

    def own(self, noun: str, name: str) -> frozenset[str]:
        """Files that are a card's alone: that of its module, and a task's data beside it."""
        own = self.find(self.cards[noun, name][1])
        if own is None:
            return frozenset()
        stem = own.with_suffix("").as_posix()
        beside = self._data if noun == "task" else ()
        return frozenset(
            {own.as_posix(), *(path for path in beside if path.rpartition(".")[0] == stem)}
        )

    @cached_property
    def _data(self) -> list[str]:
        """Files among the tasks that are no modules; weights are the models'."""
        return [path for path in self.below(PACKAGES["tokonomy_tasks"])
                if not path.endswith(".py") and not path.startswith(f"{WEIGHTS}/")]  # fmt: skip


@lru_cache(maxsize=8192)
def read_once(path: str, text: str) -> Card | None:
    """The card in a file of that text; None where there is none or it is broken."""
    try:
        return parse_card(PurePosixPath(path).name, text)
    except (BadCard, RecursionError, MemoryError):
        return None  # told where the file is checked
