"""Connections to a database, and the one place where its errors become ours.

SQLite: write-ahead log, foreign keys on, a busy timeout, and write transactions that take the lock
at their start, so two writers wait for each other instead of failing half-way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from tokonomy.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreReadOnly,
    UsageError,
)

BUSY_S = 10.0
"""How long a writer waits for another: many times the longest transaction of a run (about 10 ms),
short enough that a terminal does not seem dead."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_READ_ONLY = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def connect(place: str, *, write: bool, busy_s: float = BUSY_S) -> Engine:
    """An engine for a path or a URL; nothing is opened yet."""
    if not on_disk(place):
        try:
            return create_engine(place)
        except (NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
            raise UsageError(
                f"{place.split(':')[0]}: expected a path or a database URL with its "
                f"driver installed; got {_line(error)}"
            ) from None
    path = file_of(place)
    engine = create_engine(
        "sqlite://", creator=lambda: _open(path, write, busy_s), poolclass=QueuePool
    )
    event.listen(engine, "begin", _begin)
    event.listen(engine, "connect", _write_pragmas if write else _read_pragmas)
    return engine


def on_disk(place: str) -> bool:
    """Whether this names a SQLite file, by path or URL."""
    return "://" not in place or place.startswith("sqlite:///")


def file_of(place: str) -> Path:
    """The file behind a path or an ``sqlite:///`` URL."""
    return Path(place.removeprefix("sqlite:///"))


def _open(path: Path, write: bool, busy_s: float) -> sqlite3.Connection:
    mode = "rwc" if write else "ro&immutable=1" if _still(path) else "rw"
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )


def _still(path: Path) -> bool:
    """Whether nobody can write here: a reader then may do without the log's side files."""
    log = path.with_name(path.name + "-wal")
    return not writable(path.parent) and not (log.exists() and log.stat().st_size)


def writable(path: Path) -> bool:
    """Whether we may write to a file or folder that exists; false on a read-only file system."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _write_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    _run(connection, "PRAGMA journal_mode=WAL", "PRAGMA foreign_keys=ON")


def _read_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Turn writing off.

    The file itself is not opened read-only: such a reader of a write-ahead log makes the log's
    side files but may not take them away again.
    """
    _run(connection, "PRAGMA query_only=ON")


def _run(connection: DBAPIConnection, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def reading(engine: Engine, place: str) -> Iterator[Connection]:
    """A connection that sees one state of the database throughout."""
    with translated(place), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine, place: str) -> Iterator[Connection]:
    """A transaction that holds the write lock; an exception inside undoes all of it."""
    with translated(place), engine.connect() as plain:
        connection = plain.execution_options(writing=True)
        with connection.begin():
            yield connection


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn the database's errors into one line of ours that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise _translate(place, error) from error


def _translate(place: str, error: DBAPIError) -> StoreError:
    code = getattr(error.orig, "sqlite_errorcode", None)
    kind = None if code is None else code & 0xFF  # the low byte is the primary code
    if kind in _BUSY:
        return StoreBusy(
            f"{place}: another process is writing to it; wait until it has ended, or "
            "give this run a database of its own"
        )
    if kind == sqlite3.SQLITE_FULL:
        return StoreReadOnly(
            f"{place}: no room left to write; make room on the disk and repeat, "
            "nothing of this step was kept"
        )
    if kind in _READ_ONLY:
        return StoreReadOnly(
            f"{place}: cannot be opened or written here; check that its folder "
            "exists and that you may write both"
        )
    if kind in _CORRUPT:
        return StoreCorrupt(
            f"{place}: not a SQLite database, or a damaged one; move it away and "
            "import the exported records into a new one"
        )
    if isinstance(error, OperationalError) and kind is None:
        return StoreBusy(
            f"{hidden(place)}: the database server did not answer: {_line(error.orig)}"
        )
    return StoreError(f"{hidden(place)}: the database refused: {_line(error.orig)}")


def hidden(place: str) -> str:
    """The place without the password a URL may carry."""
    if "://" not in place or "@" not in place:
        return place
    scheme, rest = place.split("://", 1)
    return f"{scheme}://…@{rest.rsplit('@', 1)[1]}"


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300]
