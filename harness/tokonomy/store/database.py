"""The store: runs in, runs out.

One transaction per call; nothing is half-written. A record is never changed once it is in. Readers
never write, but for bringing an older database up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from sqlalchemy import Engine, func, select

from tokonomy.errors import StoreCorrupt, StoreError, StoreReadOnly, UnknownId, UsageError
from tokonomy.store import queries
from tokonomy.store.engine import (
    BUSY_S,
    connect,
    file_of,
    hidden,
    on_disk,
    reading,
    translated,
    writable,
    writing,
)
from tokonomy.store.frames import frame
from tokonomy.store.lines import validated
from tokonomy.store.metrics import Metric
from tokonomy.store.record import Record, parse
from tokonomy.store.rows import Filter, Run
from tokonomy.store.schema import run
from tokonomy.store.statements import Statement
from tokonomy.store.upgrade import REVISIONS, migrate, revision, stale
from tokonomy.store.writer import Added, Writer, rederive

if TYPE_CHECKING:
    import pandas as pd

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT = Path("results") / "tokonomy.sqlite"
"""Where the store is, below the current folder, unless told otherwise."""


class Store:
    """An open database; a context manager. Get one with ``open_store``."""

    def __init__(self, place: str, engine: Engine) -> None:
        self.place = hidden(place)
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with translated(self.place):
            self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Writer]:
        """Hold the write lock; leaving with an exception undoes everything inside."""
        with writing(self._engine, self.place) as connection:
            yield Writer(connection)

    def add(self, record: Record) -> bool:
        """Add one record; False where the same is there already."""
        with self.transaction() as writer:
            return writer.add(record)

    def add_all(self, records: Iterable[Record]) -> Added:
        """Add all of them or, if one is refused, none."""
        with self.transaction() as writer:
            return writer.add_all(records)

    def rederive(self) -> int:
        """Recompute every run's row and figures; returns the number of runs."""
        with writing(self._engine, self.place) as connection:
            return rederive(connection, everything=True)

    def run(self, run_id: str) -> Record:
        """The record of a run, by its id or the beginning of it that only this run has."""
        with reading(self._engine, self.place) as connection:
            lines = list(connection.execute(queries.beginning(run_id)).scalars())
        if len(lines) != 1:
            problem = "several runs begin so; give more of the id" if lines else "no such run"
            raise UnknownId(f"run {run_id!r}: {problem}; `tokonomy results show` lists them")
        return self._parse(lines[0])

    def records(self, **filters: Filter | None) -> Iterator[Record]:
        """The records that pass the filters, oldest first, read as they are asked for."""
        for line in self.lines(**filters):
            yield self._parse(line)

    def lines(self, **filters: Filter | None) -> Iterator[str]:
        """The same as canonical JSON lines, unparsed."""
        with reading(self._engine, self.place) as connection:
            yield from queries.lines(connection, filters)

    def say(self, statement: Statement) -> bool:
        """Add a statement about a record that is here; False where the same was said already."""
        with self.transaction() as writer:
            return writer.say(statement)

    def statements(self, **filters: Filter | None) -> list[Statement]:
        """What was said of the runs that pass the filters, oldest first."""
        with reading(self._engine, self.place) as connection:
            lines = list(queries.statements(connection, filters))
        return [self._checked(validated, Statement, line, "statement") for line in lines]

    def runs(self, **filters: Filter | None) -> list[Run]:
        """All runs that pass the filters, with their figures, oldest first."""
        with reading(self._engine, self.place) as connection:
            return queries.runs(connection, filters)

    def latest(self, **filters: Filter | None) -> list[Run]:
        """Of runs that are alike the one that stands for their cell, with figures, oldest first.

        Only runs that pass are looked at, and which of them stands, module ``current`` tells.
        Runs of another version of the code are alike, and those of the newest stand.
        """
        with reading(self._engine, self.place) as connection:
            return queries.runs(connection, filters, latest_only=True)

    def frame(self, role: str | None = "result") -> pd.DataFrame:
        """The runs of a role, or of all, that stand for their cells; see ``tokonomy.results``."""
        with reading(self._engine, self.place) as connection:
            return frame(connection, role)

    def statuses(self) -> dict[str, tuple[str, str, str | None]]:
        """Run id, status and reason of each cell's newest run, by cell key."""
        with reading(self._engine, self.place) as connection:
            return queries.statuses(connection)

    def metrics(self, run_id: str) -> dict[str, Metric]:
        """A run's figures by name; empty where the run is unknown."""
        with reading(self._engine, self.place) as connection:
            return queries.metrics(connection, run_id)

    def count(self, **filters: Filter | None) -> int:
        """How many runs pass the filters."""
        with reading(self._engine, self.place) as connection:
            found = connection.execute(
                select(func.count()).select_from(run).where(*queries.conditions(filters))
            )
            return int(found.scalar_one())

    def _parse(self, line: str) -> Record:
        return self._checked(parse, line)

    def _checked(self, read: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        try:
            return read(*args, **named)
        except UsageError as error:
            raise StoreCorrupt(f"{self.place}: {error}") from error


def open_store(place: str | Path = DEFAULT, create: bool = True, busy_s: float = BUSY_S) -> Store:
    """Open a database by path or URL.

    Args:
        place: A file, or a URL such as ``postgresql+psycopg://host/name``.
        create: Make it where it is missing, and allow writing. Without, a missing file is an
            error and nothing can be written.
        busy_s: How long to wait for another writer before ``StoreBusy``, in seconds.

    An older database is brought up to date first, whichever way it is opened.
    """
    target = str(place)
    if on_disk(target):
        _check_file(file_of(target), create)
    engine = connect(target, write=create, busy_s=busy_s)
    try:
        if _behind(engine, target, create):
            _update(engine, target, create, busy_s)
    except BaseException:
        engine.dispose()
        raise
    return Store(target, engine)


def _check_file(path: Path, create: bool) -> None:
    if not create:
        if not path.exists():
            raise StoreError(
                f"{path}: no such database; `tokonomy run` or `tokonomy results import` makes one"
            )
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreReadOnly(
            f"{path}: its folder cannot be made ({error.strerror}); name another place"
        ) from error
    if not writable(path.parent) or (path.exists() and not writable(path)):
        raise StoreReadOnly(
            f"{path}: you may not write here; name another place, or make file and folder writable"
        )


def _behind(engine: Engine, place: str, create: bool) -> bool:
    with reading(engine, place) as connection:
        found = revision(connection, hidden(place))
        if found is None and not create:
            raise StoreCorrupt(f"{hidden(place)}: an empty database; import or run something first")
        return found != REVISIONS[-1] or stale(connection)


def _update(engine: Engine, place: str, create: bool, busy_s: float) -> None:
    writer = engine if create else connect(place, write=True, busy_s=busy_s)
    try:
        with writing(writer, place) as connection:
            if revision(connection, hidden(place)) != REVISIONS[-1]:
                migrate(connection)
            rederive(connection)
    finally:
        if writer is not engine:
            writer.dispose()
