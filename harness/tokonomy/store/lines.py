"""Untrusted JSON lines: looked at before they are believed.

What JSON may hold comes first (see ``catalog.strict``), then the schema. An error says what was
expected and what came, in one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from tokonomy.catalog import strict
from tokonomy.errors import BadRecord

AHEAD = timedelta(days=1)
"""How far another clock may run ahead of ours; what lies far ahead would be the newest for ever."""

M = TypeVar("M", bound=BaseModel)


def numbered(handle: BinaryIO, name: str, most: int) -> Iterator[tuple[str, bytes]]:
    """Lines with their place, ``name:number``; blank ones are skipped.

    Args:
        handle: Where they come from.
        name: What the place is called.
        most: Bytes that one may have.
    """
    number = 0
    while line := handle.readline(most + 1):
        number += 1
        if len(line) > most:
            raise BadRecord(f"{name}:{number}: a record has at most {most} bytes on its line; "
                            "got more")  # fmt: skip
        if line.strip():
            yield f"{name}:{number}", line


def looked_at(line: bytes, noun: str) -> tuple[str, Any]:
    """One line as text and as what JSON makes of it; ``noun`` is what it should have been."""
    try:
        document = strict.loads(line)
    except ValueError as error:
        raise BadRecord(f"{noun}: {error}") from None
    return line.decode(), document


def validated(model: type[M], text: str, noun: str) -> M:
    """A text as a model; ``BadRecord`` names the first thing that is wrong."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "document"
        parts = (_short(where, 80), _short(first["msg"], 200), _short(repr(first["input"]), 80))
        raise BadRecord("{}: {}: {}; got {}".format(noun, *parts)) from None


def _short(text: str, most: int) -> str:
    """The beginning of a text, fit for one line of a message."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in cut)


def check_clock(moment: str, name: str) -> None:
    """Refuse a moment that is yet to come; ``name`` is what the message calls it."""
    if datetime.fromisoformat(moment) > datetime.now(UTC) + AHEAD:
        raise BadRecord(
            f"{name}: expected a time that has come; got {moment}; check the clocks of both "
            "machines"
        )
