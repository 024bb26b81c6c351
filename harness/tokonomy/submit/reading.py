"""A checkout as it is held against the rules: its files as text and syntax, never imported."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokonomy.catalog.cards import Card
from tokonomy.catalog.reading import read_card
from tokonomy.errors import BadCard, BadRecord
from tokonomy.store.exchange import read_line
from tokonomy.store.sources import PLACES
from tokonomy.store.statements import digest
from tokonomy.submit.findings import Finding

METHODS, TASKS = "methods/tokonomy_methods", "tasks/tokonomy_tasks"
RECORDS, STATEMENTS = PLACES
MOST_BYTES = 200 * 1024
MOST_DEPTH = 100  # of syntax; code that people write has about 25
_TURNING = frozenset(
    "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\u200e\u061c"
)
_WORD = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A Python file that could be read.

    Attributes:
        path: Relative to the root, with forward slashes.
        text: All of it.
        tree: Its syntax.
    """

    path: str
    text: str
    tree: ast.Module

    @property
    def task(self) -> bool:
        """Whether it lies among the tasks."""
        return self.path.startswith(f"{TASKS}/")

    def found(self, rule: str, text: str, line: int = 0) -> Finding:
        """A finding in this file."""
        return Finding(path=self.path, line=line, rule=rule, text=text)


class Checkout:
    """What a submission is held against; each is read once, when it is first asked for.

    Args:
        root: Root of the repository.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, path: Path) -> str:
        """A path relative to the root, with forward slashes."""
        place = path.relative_to(self.root).as_posix()
        return place.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    @cached_property
    def ids(self) -> Mapping[tuple[str, str], list[str]]:
        """Files by noun and id of their card; of a file whose card is broken nothing is known."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for path in files(self.root / each for each in (METHODS, TASKS)):
            card = _card(path) if path.suffix == ".py" else None
            if card is not None:
                found[card.noun, card.id].append(self.place(path))
        return found

    @cached_property
    def tests(self) -> frozenset[str]:
        """Names of test files, and every word in them."""
        found: set[str] = set()
        for path in (self.root / "tests").rglob("test_*.py"):
            found |= {path.stem, *_WORD.findall(path.read_text(encoding="utf-8", errors="replace"))}
        return frozenset(found)

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """What statements name each published record by, by run; of a broken one nothing."""
        found: dict[str, str] = {}
        for path in files([self.root / RECORDS]):
            with path.open("rb") as lines:
                for line in lines:
                    with suppress(BadRecord):
                        record = read_line(line)
                        found[record.run_id] = digest(record)
        return found

    @cached_property
    def runs(self) -> Mapping[str, list[str]]:
        """Places of every published run, ``file:line`` by id; told without validation."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in files([self.root / RECORDS]):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for number, line in enumerate(lines, 1):
                    run = run_of(line)
                    if run:
                        found[run].append(f"{self.place(path)}:{number}")
        return found


def run_of(line: str) -> str | None:
    """The run that one line of records is of, which need not be valid; None where it tells none.

    Only its own key counts: a parameter may have the same name.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    run = found.get("run_id") if isinstance(found, dict) else None
    return run if isinstance(run, str) else None


def _depth(tree: ast.AST) -> int:
    """Levels of a tree, counted without recursion: what is read later on does recurse."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [below for each in level for below in ast.iter_child_nodes(each)]
    return depth


def _card(path: Path) -> Card | None:
    try:
        return read_card(path)
    except (BadCard, OSError, UnicodeDecodeError):
        return None  # found where that file is checked


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Files, and those below folders, in order; links are given, not followed."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            inside = (each for each in sorted(path.rglob("*")) if "__pycache__" not in each.parts)
            yield from (each for each in inside if each.is_symlink() or each.is_file())
        elif path.is_symlink() or path.exists():
            yield path


def broken(place: str, text: str, line: int = 0) -> Finding:
    """That a file is no text that a reviewer and Python read alike."""
    return Finding(path=place, line=line, rule="layout-text", text=text)


def read_text(path: Path, place: str) -> str | Finding:
    """A file as text, or why it is none that a reviewer could read."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        return broken(place, f"has {size:,} bytes; at most {MOST_BYTES:,} are read")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return broken(place, "is no UTF-8")
    odd = next((at for at, each in enumerate(text) if _odd(each)), None)
    if odd is not None:
        line = text.count("\n", 0, odd) + 1
        return broken(place, f"has the character U+{ord(text[odd]):04X}", line)
    return text


def read(path: Path, place: str) -> Source | Finding:
    """A Python file as text and syntax, or why it is neither."""
    text = read_text(path, place)
    if isinstance(text, Finding):
        return text
    try:
        tree = ast.parse(text)
        if _depth(tree) > MOST_DEPTH:
            return broken(place, f"is nested deeper than {MOST_DEPTH} levels")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", 0) or 0
        return broken(place, f"does not parse: {type(error).__name__}", line)
    return Source(path=place, text=text, tree=tree)


def _odd(character: str) -> bool:
    return character in _TURNING or (
        unicodedata.category(character) == "Cc" and character not in "\t\n"
    )
