"""Records as JSON lines: out of one store and into another, all or nothing.

What comes in is checked before it is believed: size, nesting, duplicate keys, numbers that JSON
does not have, then the record's schema. An error names file and line.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from tokonomy.errors import BadRecord, StoreReadOnly, UsageError
from tokonomy.store.database import Store
from tokonomy.store.record import Record, parse
from tokonomy.store.rows import Filter
from tokonomy.store.writer import Added, Writer

MAX_LINE = 16 * 2**20
"""Bytes of one record: several times one with 50,000 samples in three arms (about 2 MB)."""

MAX_DEPTH = 16
"""Nested lists and objects: twice what the schema and any known parameter need."""

AHEAD = timedelta(days=1)
"""How far a record's clock may run ahead of ours; a far start would stay the newest for ever."""

# Possessive, and an open string runs to the end: each byte is looked at once.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def export(store: Store, path: Path, **filters: Filter | None) -> int:
    """Write the records that pass the filters, oldest first; returns how many.

    The file appears whole or not at all, and the same records make the same bytes.
    """
    try:
        handle = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with handle:
            count = _write(handle, store.lines(**filters))
        _publish(Path(handle.name), path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        Path(handle.name).unlink(missing_ok=True)
    return count


def _write(handle: Any, lines: Iterable[str]) -> int:
    count = 0
    for line in lines:
        handle.write(line.encode() + b"\n")
        count += 1
    handle.flush()
    os.fsync(handle.fileno())
    return count


def _publish(temporary: Path, path: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
    temporary.replace(path)


def _unwritable(path: Path, error: OSError) -> StoreReadOnly:
    return StoreReadOnly(f"{path}: cannot be written ({error.strerror}); name another place")


def import_files(store: Store, paths: Iterable[Path]) -> Added:
    """Add every record of these files, and of the ``.jsonl`` files below these folders, or none."""
    files = [file for path in paths for file in _files(path)]
    with store.transaction() as writer:
        outcomes = [_add(writer, where, record) for file in files for where, record in read(file)]
    return Added(added=sum(outcomes), skipped=len(outcomes) - sum(outcomes))


def verify(paths: Iterable[Path]) -> None:
    """Read every record of these files and folders; raises as ``import_files`` would."""
    for path in paths:
        for _ in read_all(path):
            pass


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]


def _add(writer: Writer, where: str, record: Record) -> bool:
    try:
        return writer.add(record)
    except BadRecord as error:
        raise BadRecord(f"{where}: {error}") from None


def read(path: Path) -> Iterator[tuple[str, Record]]:
    """The records of a JSON-lines file with their place, ``file:line``; blank lines are skipped."""
    try:
        with path.open("rb") as handle:
            for where, line in _lines(handle, path):
                try:
                    yield where, read_line(line)
                except BadRecord as error:
                    raise BadRecord(f"{where}: {error}") from None
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); expected a file of records, "
            "one JSON line each"
        ) from error


def read_all(path: Path) -> Iterator[tuple[str, Record]]:
    """The records of a file, or of every ``.jsonl`` file below a folder."""
    for file in _files(path):
        yield from read(file)


def _lines(handle: BinaryIO, path: Path) -> Iterator[tuple[str, bytes]]:
    number = 0
    while line := handle.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise BadRecord(
                f"{path}:{number}: a record has at most {MAX_LINE} bytes on its line; got more"
            )
        if line.strip():
            yield f"{path}:{number}", line


def read_line(line: bytes) -> Record:
    """One untrusted line as a record; ``BadRecord`` says what is wrong with it."""
    _check_depth(line)
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadRecord(
            f"record: expected UTF-8; got byte {line[error.start]:#04x} at column {error.start + 1}"
        ) from None
    try:
        json.loads(text, object_pairs_hook=_unique, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        raise BadRecord(
            f"record: expected one JSON object; {error.msg} at column {error.colno}"
        ) from None
    except ValueError as error:  # more digits than Python converts
        raise BadRecord(f"record: {error}") from None
    if r"\u0000" in text:
        raise BadRecord(r"record: text may not hold the character \u0000")
    record = parse(text)
    _check_clock(record)
    return record


def _check_clock(record: Record) -> None:
    if datetime.fromisoformat(record.started) > datetime.now(UTC) + AHEAD:
        raise BadRecord(
            f"record: started: expected a time that has come; got {record.started}; "
            "check the clocks of both machines"
        )


def _check_depth(line: bytes) -> None:
    depth = 0
    for token in _STRING_OR_BRACKET.findall(line):
        depth += token in b"[{"
        depth -= token in b"]}"
        if depth > MAX_DEPTH:
            raise BadRecord(f"record: expected at most {MAX_DEPTH} nested lists and objects")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadRecord(f"record: key {twice[:80]!r} stands twice in one object")
    return found


def _not_a_number(constant: str) -> NoReturn:
    raise BadRecord(f"record: expected finite numbers; got {constant}")
