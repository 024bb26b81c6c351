"""Untrusted JSON lines: looked at before they are believed.

Size, nesting, duplicate keys and numbers that JSON does not have come first, then the schema. An
error says what was expected and what came, in one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from tokonomy.errors import BadRecord

MAX_DEPTH = 16
"""Nested lists and objects: twice what the schema and any known parameter need."""

AHEAD = timedelta(days=1)
"""How far another clock may run ahead of ours; what lies far ahead would be the newest for ever."""

# Possessive, and an open string runs to the end: each byte is looked at once.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)

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
    _check_depth(line, noun)
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadRecord(
            f"{noun}: expected UTF-8; got byte {line[error.start]:#04x} at column {error.start + 1}"
        ) from None
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        raise BadRecord(
            f"{noun}: expected one JSON object; {error.msg} at column {error.colno}"
        ) from None
    except ValueError as error:  # ours, or more digits than Python converts
        raise BadRecord(f"{noun}: {error}") from None
    if r"\u0000" in text:
        raise BadRecord(rf"{noun}: text may not hold the character \u0000")
    return text, document


def validated(model: type[M], text: str, noun: str) -> M:
    """A text as a model; ``BadRecord`` names the first thing that is wrong."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        got = repr(first["input"])[:80]
        raise BadRecord(f"{noun}: {where}: {first['msg']}; got {got}") from None


def check_clock(moment: str, name: str) -> None:
    """Refuse a moment that is yet to come; ``name`` is what the message calls it."""
    if datetime.fromisoformat(moment) > datetime.now(UTC) + AHEAD:
        raise BadRecord(
            f"{name}: expected a time that has come; got {moment}; check the clocks of both "
            "machines"
        )


def _check_depth(line: bytes, noun: str) -> None:
    depth = 0
    for token in _STRING_OR_BRACKET.findall(line):
        depth += token in b"[{"
        depth -= token in b"]}"
        if depth > MAX_DEPTH:
            raise BadRecord(f"{noun}: expected at most {MAX_DEPTH} nested lists and objects")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice[:80]!r} stands twice in one object")
    return found


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"expected finite numbers; got {constant}")
