"""Writing: records into rows, and the figures derived from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tokonomy.errors import BadRecord
from tokonomy.store.derive import DERIVATION, derive
from tokonomy.store.lines import validated
from tokonomy.store.metrics import Metric
from tokonomy.store.record import Record, parse
from tokonomy.store.rows import row
from tokonomy.store.schema import metric, record, run, statement
from tokonomy.store.statements import Statement, digest, trust

CHUNK = 200
"""Records held in memory at a time while figures are recomputed: a few MB."""

_KNOWN = (
    select(record.c.line)
    .join(run, run.c.id == record.c.run)
    .where(run.c.run_id == bindparam("wanted"))
)
_RUN = (
    select(run.c.id, record.c.line)
    .join(record, record.c.run == run.c.id)
    .where(run.c.run_id == bindparam("wanted"))
)
_ADD_RUN = insert(run).returning(run.c.id)
_ADD_RECORD, _ADD_METRIC = insert(record), insert(metric)
_SET_RUN = update(run).where(run.c.id == bindparam("number"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """How many records were new, and how many were there already.

    Attributes:
        added: Records that were new.
        skipped: Records and statements that were there.
        statements: Statements that were new.
    """

    added: int
    skipped: int
    statements: int = 0


class Writer:
    """An open write transaction; get one with ``Store.transaction``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: Record) -> bool:
        """Add a record; False where the same is there, ``BadRecord`` where another one is."""
        line = new.line()
        known = self._connection.execute(_KNOWN, {"wanted": new.run_id}).scalar()
        if known is not None:
            if known != line:
                raise BadRecord(
                    f"run {new.run_id}: another record has this id already, and a "
                    "record is never changed; give the new run an id of its own"
                )
            return False
        figures = derive(new)
        number = self._connection.execute(_ADD_RUN, row(new, figures)).scalar_one()
        self._connection.execute(_ADD_RECORD, {"run": number, "line": line})
        _put(self._connection, number, figures)
        return True

    def say(self, new: Statement) -> bool:
        """Add a statement about a record that is here; False where the same was said already."""
        found = self._connection.execute(_RUN, {"wanted": new.run_id}).one_or_none()
        if found is None:
            raise BadRecord(
                f"statement: run {new.run_id} is not here; import its record with or before it"
            )
        number, line = found
        if digest(parse(line)) != new.record_sha256:
            raise BadRecord(
                f"statement: is about another record of run {new.run_id} than the one that is "
                "here; what it says does not hold for this one"
            )
        values = {"run": number, "line": new.line(), "says": new.says, "at": new.order[0]}
        known = select(statement.c.id).where(
            statement.c.run == number, statement.c.line == values["line"]
        )
        if self._connection.execute(known).first() is not None:
            return False
        self._connection.execute(insert(statement), values)
        _settle(self._connection, number)
        return True

    def knows(self, run_id: str) -> bool:
        """Whether a run is here."""
        return self._connection.execute(_RUN, {"wanted": run_id}).first() is not None

    def add_all(self, records: Iterable[Record]) -> Added:
        """Add every record."""
        outcomes = [self.add(each) for each in records]
        return Added(added=sum(outcomes), skipped=len(outcomes) - sum(outcomes))


def _put(connection: Connection, number: int, metrics: Iterable[Metric]) -> None:
    rows = [
        {
            "run": number,
            "name": each.name,
            "value": each.value,
            "low": each.low,
            "high": each.high,
            "unit": each.unit,
            "n": each.n,
            "reason": each.reason,
            "text": each.text,
        }
        for each in metrics
    ]
    connection.execute(_ADD_METRIC, rows)


def _settle(connection: Connection, number: int) -> None:
    """Put down what the statements about a run make of it."""
    lines = connection.execute(select(statement.c.line).where(statement.c.run == number)).scalars()
    level = trust(validated(Statement, each, "statement") for each in lines).level
    connection.execute(_SET_RUN, {"number": number, "standing": level})


def rederive(connection: Connection, everything: bool = False) -> int:
    """Recompute the rows and figures that another derivation made, or all of them.

    Returns:
        The number of runs.
    """
    if everything:
        connection.execute(update(run).values(derivation=-1))
    old = (
        select(run.c.id, record.c.line)
        .join(record, record.c.run == run.c.id)
        .where(run.c.derivation != DERIVATION)
        .order_by(run.c.id)
        .limit(CHUNK)
    )
    done = 0
    while rows := connection.execute(old).all():
        numbers = [number for number, _ in rows]
        connection.execute(delete(metric).where(metric.c.run.in_(numbers)))
        for number, line in rows:
            known = parse(line)
            figures = derive(known)
            connection.execute(_SET_RUN, row(known, figures) | {"number": number})
            _put(connection, number, figures)
        told = select(statement.c.run).where(statement.c.run.in_(numbers)).distinct()
        for number in connection.execute(told).scalars().all():
            _settle(connection, number)
        done += len(rows)
    return done
