"""Records, and statements about them, as JSON lines: out of one store and into another.

All or nothing. What comes in is checked before it is believed (see ``lines``); an error names file
and line.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tokonomy.errors import BadRecord, StoreReadOnly, UsageError
from tokonomy.store.database import Store
from tokonomy.store.lines import check_clock, looked_at, numbered
from tokonomy.store.record import Record, parse
from tokonomy.store.rows import Filter
from tokonomy.store.statements import Statement, statement
from tokonomy.store.writer import Added

MAX_LINE = 16 * 2**20
"""Bytes of one record: several times one with 50,000 samples in three arms (about 2 MB)."""


def export(store: Store, path: Path, **filters: Filter | None) -> int:
    """Write the records that pass the filters, oldest first; returns how many.

    The file appears whole or not at all, and the same records make the same bytes.
    """
    return _exported(path, store.lines(**filters))


def export_statements(store: Store, path: Path, **filters: Filter | None) -> int:
    """The same with the statements about the runs that pass."""
    return _exported(path, (each.line() for each in store.statements(**filters)))


def _exported(path: Path, lines: Iterable[str]) -> int:
    try:
        handle = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with handle:
            count = _write(handle, lines)
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
    """Add every line of these files, and of the ``.jsonl`` files below these folders, or none.

    A line is a record or a statement. Records come first, whatever the order of the files. A
    statement about a run that is not here then, or about another record of it, is refused: nobody
    could tell whether what it says holds.
    """
    said: list[tuple[str, Statement]] = []
    added = records = 0
    with store.transaction() as writer:
        for where, each in read_every(paths):
            if isinstance(each, Statement):
                said.append((where, each))
                continue
            records += 1
            added += _placed(where, writer.add, each)
        stated = sum(_placed(where, writer.say, each) for where, each in said)
    skipped = records + len(said) - added - stated
    return Added(added=added, skipped=skipped, statements=stated)


def import_known(store: Store, paths: Iterable[Path]) -> int:
    """Add the statements of these files and folders that are about runs of the store, or none.

    Returns:
        How many were left out, because their run is not here.
    """
    out = 0
    with store.transaction() as writer:
        for where, each in read_every(paths):
            if not isinstance(each, Statement):
                raise BadRecord(f"{where}: expected a statement; got a record")
            known = writer.knows(each.run_id)
            out += not known
            if known:
                _placed(where, writer.say, each)
    return out


def verify(paths: Iterable[Path]) -> None:
    """Read every line of these files and folders; raises as ``import_files`` would."""
    for _ in read_every(paths):
        pass


def read_every(paths: Iterable[Path]) -> Iterator[tuple[str, Record | Statement]]:
    """Every line of these files, and of the ``.jsonl`` files below these folders."""
    for path in paths:
        for file in _files(path):
            yield from _read(file)


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]


def _placed(where: str, add: Any, each: Record | Statement) -> bool:
    try:
        return bool(add(each))
    except BadRecord as error:
        raise BadRecord(f"{where}: {error}") from None


def read(path: Path) -> Iterator[tuple[str, Record]]:
    """The records of a JSON-lines file with their place, ``file:line``; blank lines are skipped."""
    for where, each in _read(path):
        if isinstance(each, Statement):
            raise BadRecord(f"{where}: expected a record; got a statement")
        yield where, each


def _read(path: Path) -> Iterator[tuple[str, Record | Statement]]:
    try:
        with path.open("rb") as handle:
            yield from read_stream(handle, str(path))
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); expected a file of records, "
            "one JSON line each"
        ) from error


def read_stream(handle: BinaryIO, name: str) -> Iterator[tuple[str, Record | Statement]]:
    """Records and statements with their place, ``name:line``."""
    for where, line in numbered(handle, name, MAX_LINE):
        try:
            each = _read_any(line)
        except BadRecord as error:
            raise BadRecord(f"{where}: {error}") from None
        yield where, each


def read_all(path: Path) -> Iterator[tuple[str, Record]]:
    """The records of a file, or of every ``.jsonl`` file below a folder."""
    for file in _files(path):
        yield from read(file)


def read_line(line: bytes) -> Record:
    """One untrusted line as a record; ``BadRecord`` says what is wrong with it."""
    text, _ = looked_at(line, "record")
    return _record(text)


def _read_any(line: bytes) -> Record | Statement:
    text, document = looked_at(line, "record")
    stated = isinstance(document, dict) and "says" in document
    return statement(text) if stated else _record(text)


def _record(text: str) -> Record:
    record = parse(text)
    check_clock(record.started, "record: started")
    return record
