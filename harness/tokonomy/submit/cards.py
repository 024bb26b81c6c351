"""Rules over a card and the place of its file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from tokonomy.catalog.cards import MethodCard, TaskCard
from tokonomy.submit.findings import Finding
from tokonomy.submit.reading import METHODS, TASKS, Checkout, Source
from tokonomy.submit.syntax import line_of_card

MOST_TEXT = 600
_MARKUP = re.compile(r"[\x00-\x1f\x7f-\x9f]|</?[a-zA-Z!]|\]\(|`{3}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_PAPER = re.compile(r"\d{4}\.\d{4,5}(v\d+)?|[a-z-]+(\.[A-Z]{2})?/\d{7}")


def check(checkout: Checkout, source: Source, card: MethodCard | TaskCard) -> Iterator[Finding]:
    """What a card may break."""
    yield from _layout(checkout, source, card)
    line = line_of_card(source.tree)
    for other in checkout.ids.get((card.noun, card.id), ()):
        if other != source.path:
            yield source.found("card-id", f"the id {card.id!r} is also in {other}", line)
    for name, text in texts(card):
        if len(text) > MOST_TEXT:
            said = f"{name} has {len(text)} characters; at most {MOST_TEXT}"
            yield source.found("card-text", said, line)
        if _MARKUP.search(text):
            said = f"{name} has markup, a line break or a control character"
            yield source.found("card-text", said, line)
    if isinstance(card, MethodCard):
        yield from _method(source, card, line)


def _layout(checkout: Checkout, source: Source, card: MethodCard | TaskCard) -> Iterator[Finding]:
    folder, _, name = source.path.removeprefix(f"{TASKS if source.task else METHODS}/").rpartition(
        "/"
    )
    folders = {*card.families} | ({"language"} if isinstance(card, TaskCard) else set())
    shared = len(card.families) > 1 or getattr(card, "kind", "") in ("reference", "control")
    if folder not in folders and not (shared and folder == "controls"):
        said = f"lies in {folder or 'no folder'}, and is of {', '.join(card.families)}"
        yield source.found("layout-folder", said)
    module = card.id.replace("-", "_")
    if name != f"{module}.py":
        yield source.found("layout-name", f"holds {card.id!r}, so it should be {module}.py")
    if not checkout.tests & {f"test_{name.removesuffix('.py')}", module, card.id}:
        yield source.found("layout-test", f"has no tests/**/test_{name}, and no test names it")


def _method(source: Source, card: MethodCard, line: int) -> Iterator[Finding]:
    if card.code and not card.differences:
        yield source.found(
            "card-differences", f"names {card.code}, and no difference from it", line
        )
    if card.code and not card.code_licence:
        yield source.found("licence-named", f"names {card.code}, and no licence", line)
    if card.code and not _REPOSITORY.fullmatch(card.code):
        yield source.found("card-links", "code is owner/repository", line)
    if card.paper and not _PAPER.fullmatch(card.paper):
        yield source.found("card-links", "paper is the id of an arXiv paper", line)
    for claim in card.claims:
        good = isinstance(claim.value, int | float) and math.isfinite(claim.value)
        if not good or not claim.unit or not claim.source:
            said = f"a claim on {claim.metric!r} lacks value, unit or source"
            yield source.found("claims-sourced", said, line)
    keys = [repr(sorted(setting.items(), key=repr)) for setting in card.sweep]
    if len(set(keys)) < len(keys):
        yield source.found("parameters-swept", "has a setting twice", line)


def texts(value: Any, name: str = "the card") -> Iterator[tuple[str, str]]:
    """Every text in a card, with the field it is in."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from texts(each, name)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(key, name)
            yield from texts(each, name)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name), field.name)
