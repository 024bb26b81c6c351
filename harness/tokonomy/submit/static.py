"""The first stage of a check: files are read and parsed, and nothing of them is imported or run.

It keeps honest people from mistakes, and tells a reviewer where to look. It is no wall: Python has
ways around any rule over its syntax, so nothing that passed it meets a secret; see ``trial``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tokonomy.catalog.cards import MethodCard, TaskCard
from tokonomy.catalog.reading import read_card
from tokonomy.errors import BadCard
from tokonomy.submit import cards, definitions, shelf, syntax
from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import (
    METHODS,
    RECORDS,
    STATEMENTS,
    TASKS,
    Checkout,
    Source,
    files,
    read,
)

REVIEWED = frozenset({
    (f"{METHODS}/controls/planted_slow.py", "imports-allowed"),
    (f"{METHODS}/kv/rotation.py", "imports-run"),
    (f"{TASKS}/language/lm_eval.py", "card-text"),
    (f"{TASKS}/language/text.py", "imports-allowed"),
    (f"{TASKS}/models/shapes.py", "imports-allowed"),
    (f"{TASKS}/vision/bundled.py", "imports-run"),
    (f"{TASKS}/vision/imagefolder.py", "imports-allowed"),
})  # fmt: skip
"""Files that break a rule and were looked at by maintainers: they read folders, make shapes, follow
a library's own class, or plant time."""

_KINDS = frozenset(".py .md .yaml .txt .json .jsonl .safetensors".split())


def check(root: Path, paths: Iterable[Path], own: bool = False) -> list[Finding]:
    """Everything that can be found in files without running them, in order.

    Args:
        root: Root of the checkout; other files of it are looked at for ids and tests.
        paths: Files or folders in it.
        own: Whether maintainers bring them, who may say what is reserved to them.
    """
    checkout = Checkout(root)
    every = {found for path in files(paths) for found in _file(checkout, path, own)}
    return sorted(found for found in every if (found.path, found.rule) not in REVIEWED)


def _file(checkout: Checkout, path: Path, own: bool) -> Iterator[Finding]:
    place = checkout.place(path)
    if not place.startswith(tuple(f"{each}/" for each in (METHODS, TASKS, RECORDS, STATEMENTS))):
        return
    if path.is_symlink():
        yield Finding(path=place, line=0, rule="layout-kind", text="is a link")
    elif path.suffix not in _KINDS and path.name != "py.typed":
        text = f"ends in {path.suffix or 'nothing'}"
        yield Finding(path=place, line=0, rule="layout-kind", text=text)
    elif place.startswith(f"{RECORDS}/"):
        yield from shelf.check(checkout, path)
    elif place.startswith(f"{STATEMENTS}/"):
        yield from shelf.check_statements(checkout, path, own)
    elif path.suffix == ".py":
        yield from _python(checkout, path, place)
    elif path.suffix == ".yaml":
        yield from definitions.check(path, place)


def _python(checkout: Checkout, path: Path, place: str) -> Iterator[Finding]:
    source = read(path, place)
    if isinstance(source, Finding):
        yield source
        return
    yield from syntax.check(source)
    if path.name == "__init__.py":
        return
    yield from _carded(checkout, path, source)


def _carded(checkout: Checkout, path: Path, source: Source) -> Iterator[Finding]:
    """Findings of a file with a card; shared code of a family has none."""
    try:
        card = read_card(path)
    except BadCard as error:
        yield source.found("card-literal", str(error), syntax.line_of_card(source.tree))
        return
    if isinstance(card, MethodCard | TaskCard):
        yield from cards.check(checkout, source, card)
        yield from syntax.check_class(source, card)
