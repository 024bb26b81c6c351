"""The catalogue: every method, task, model and suite that is installed, by id.

Entry points name packages or modules; every file below with a card is in. Cards are read, not
imported, so listing is quick and a plug-in that fails to import takes nothing down with it.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokonomy.catalog.cards import Card
from tokonomy.catalog.reading import read_card
from tokonomy.catalog.sources import source_hash
from tokonomy.errors import BadCard, BadParameter, TokonomyError, UnknownId

_LISTED = 40  # names in a message
NOUNS = ("method", "task", "model")
OURS = ("tokonomy", "tokonomy_methods", "tokonomy_suites", "tokonomy_tasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One card, and where the code behind it is."""

    card: Card
    module: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Something registered that cannot be offered, and why."""

    where: str
    reason: str


def located(point: EntryPoint) -> tuple[str, Path]:
    """Module name and file or folder that an entry point names; its parents are imported."""
    module = point.value.partition(":")[0].strip()
    spec = find_spec(module)
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise BadCard(f"module {module!r} does not exist")
    folders = spec.submodule_search_locations
    return module, Path(next(iter(folders))) if folders else Path(str(spec.origin))


def _files(module: str, path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield module, path
        return
    for file in sorted(path.rglob("*.py")):
        parts = file.relative_to(path).with_suffix("").parts
        yield ".".join((module, *(part for part in parts if part != "__init__"))), file


def points(group: str) -> list[EntryPoint]:
    """Entry points of a group; our own first, so that an outsider cannot take one of our ids."""
    return sorted(
        entry_points(group=group),
        key=lambda point: (point.value.partition(".")[0] not in OURS, point.name),
    )


class Registry:
    """Entries of one noun, by id."""

    def __init__(self, noun: str, points: Iterable[EntryPoint]) -> None:
        """Read every card that ``points`` lead to; never raises on a bad one."""
        self.noun = noun
        self.entries: dict[str, Entry] = {}
        broken: list[Broken] = []
        for point in points:
            try:
                found = list(_files(*located(point)))
            except Exception as error:
                broken.append(
                    Broken(
                        where=f"{point.name} = {point.value}",
                        reason=f"{type(error).__name__}: {error}",
                    )
                )
                continue
            for module, path in found:
                try:
                    self._add(module, path)
                except (TokonomyError, OSError, UnicodeDecodeError) as error:
                    broken.append(Broken(where=module, reason=str(error)))
        self.broken = tuple(broken)

    def _add(self, module: str, path: Path) -> None:
        card = read_card(path)
        if card is None or card.noun != self.noun:
            return
        if card.id in self.entries:
            raise BadCard(
                f"{self.noun} id {card.id!r} is already taken by "
                f"{self.entries[card.id].module}; choose another"
            )
        self.entries[card.id] = Entry(card=card, module=module, path=path)

    @property
    def cards(self) -> dict[str, Any]:
        """Cards by id, sorted."""
        return {name: self.entries[name].card for name in sorted(self.entries)}

    def entry(self, name: str) -> Entry:
        """The entry of an id; raises ``UnknownId`` with near matches."""
        if name not in self.entries:
            raise UnknownId(unknown(self.noun, name, self.entries))
        return self.entries[name]

    def card(self, name: str) -> Any:
        """The card of an id."""
        return self.entry(name).card

    def load(self, name: str) -> Any:
        """Import the class behind a card."""
        entry = self.entry(name)
        try:
            module = importlib.import_module(entry.module)
        except Exception as error:
            raise BadCard(
                f"{self.noun} {name!r}: importing {entry.module} failed; "
                f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            ) from error
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and getattr(value, "card", None) == entry.card
        ]
        if len(found) != 1:
            raise BadCard(
                f"{self.noun} {name!r}: expected one class marked @implements(CARD) in "
                f"{entry.module}; got {len(found)}"
            )
        return found[0]

    def build(self, name: str, params: Mapping[str, Any]) -> Any:
        """An instance with its own parameters; raises ``BadParameter``."""
        cls = self.load(name)
        known = [field.name for field in fields(cls)]
        for given in params:
            if given not in known:
                offered = ", ".join(known) or "none"
                raise BadParameter(
                    f"{self.noun} {name!r} has no parameter {given!r}; it has {offered}"
                )
        try:
            return cls(**params)
        except TypeError as error:
            raise BadParameter(f"{self.noun} {name!r}: {error}") from None

    def source_hash(self, name: str) -> str:
        """SHA-256 over the code behind a card and what it leans on."""
        return source_hash(self.entry(name).module)


def unknown(noun: str, name: str, known: Iterable[str]) -> str:
    """One line that says an id is unknown and which ones are near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    rest = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    listed = f"known: {', '.join(names[:_LISTED]) or 'none'}{rest}"
    hint = f"did you mean {' or '.join(near)}?" if near else listed
    return f"no {noun} {name!r}; {hint}"


@cache
def catalogue(noun: str) -> Registry:
    """Everything installed of one noun: ``method``, ``task`` or ``model``."""
    return Registry(noun, points(f"tokonomy.{noun}s"))
