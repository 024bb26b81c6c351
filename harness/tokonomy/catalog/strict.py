"""JSON that came from elsewhere, checked before anything is made of it.

Refused are: too many bytes, too much nesting, a key that stands twice in one object, numbers that
JSON does not have, whole numbers beyond what Python converts, text that is no UTF-8 or holds what
no text file can.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

MAX_BYTES = 16 * 2**20
"""Of one document: several times a record with 50,000 samples in three arms (about 2 MB)."""

MAX_DEPTH = 16
"""Nested lists and objects: twice what the schema and any known parameter need."""

# Possessive, and an open string runs to the end: each byte is looked at once.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def text(data: bytes) -> str:
    """The text of a document that may be parsed; raises ``ValueError`` in one line."""
    loads(data)
    return data.decode()


def loads(data: bytes) -> Any:
    """What a document says; raises ``ValueError`` in one line."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES} bytes; got {len(data)}")
    _check_depth(data)
    try:
        written = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"expected UTF-8; got byte {data[error.start]:#04x} at column {error.start + 1}"
        ) from None
    try:
        found = json.loads(written, object_pairs_hook=_unique, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise ValueError(
            f"expected one JSON document; {error.msg} at {line}column {error.colno}"
        ) from None
    if "\\u" in written:
        _check_texts(found)
    return found


def read(path: Path) -> Any:
    """What a file says; raises ``ValueError`` or ``OSError``, and reads no more than it may."""
    with path.open("rb") as file:
        return loads(file.read(MAX_BYTES + 1))


def _check_depth(data: bytes) -> None:
    depth = 0
    for token in _STRING_OR_BRACKET.findall(data):
        depth += token in b"[{"
        depth -= token in b"]}"
        if depth > MAX_DEPTH:
            raise ValueError(f"expected at most {MAX_DEPTH} nested lists and objects")


def _check_texts(value: Any) -> None:
    """No text in it has the zero character or half of a character; only escapes can make them."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(r"text may not hold the character \u0000")
        half = next((each for each in value if "\ud800" <= each <= "\udfff"), None)
        if half is not None:
            raise ValueError(rf"text may not hold \u{ord(half):04x}, half of a character")
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_texts(name)
            _check_texts(each)
    elif isinstance(value, list):
        for each in value:
            _check_texts(each)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, many in counts.items() if many > 1)
        raise ValueError(f"key {twice[:80]!r} stands twice in one object")
    return found


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"expected finite numbers; got {constant}")
