"""Reading: from rows to runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from tokonomy.errors import UsageError
from tokonomy.store.metrics import Metric
from tokonomy.store.rows import IDENTITY, Filter, Run, assemble
from tokonomy.store.schema import metric, record, run, statement
from tokonomy.store.statements import Attempt

CHUNK = 500
"""Rows fetched at a time: a few MB of records."""

FILTERS = (
    "run_id",
    "cell_key",
    "suite",
    "status",
    "family",
    "method",
    "task",
    "model",
    "embedded",
    "device",
    "device_class",
    "precision",
    "scenario",
    "batch_size",
    "mode",
    "threads",
    "seed",
    "role",
)
"""What a query can be narrowed by."""

_FIGURE = (
    metric.c.name,
    metric.c.value,
    metric.c.low,
    metric.c.high,
    metric.c.unit,
    metric.c.n,
    metric.c.reason,
    metric.c.text,
)


_NAMED = ("task", "model")  # by id, or by what was given on the command line


def conditions(filters: Mapping[str, Filter | None]) -> list[ColumnElement[bool]]:
    """Filters as SQL: a value must be equal, of several one must be, None does not narrow."""
    found: list[ColumnElement[bool]] = []
    for name, wanted in filters.items():
        if name not in FILTERS:
            raise UsageError(f"filter {name!r}: expected one of {', '.join(FILTERS)}")
        if wanted is not None:
            values = [wanted] if isinstance(wanted, (str, int)) else list(wanted)
            names = (name, f"{name}_ref") if name in _NAMED else (name,)
            found.append(or_(*(run.c[each].in_(values) for each in names)))
    return found


def newest(filters: Mapping[str, Filter | None], alike: Iterable[str] = IDENTITY) -> Select[int]:
    """Row numbers of the newest runs among those that pass: one of those alike in some columns."""
    place = func.row_number().over(
        partition_by=[run.c[name] for name in alike],
        order_by=(run.c.started.desc(), run.c.run_id.desc()),
    )
    ranked = select(run.c.id, place.label("place")).where(*conditions(filters)).subquery()
    return select(ranked.c.id).where(ranked.c.place == 1)


def runs(
    connection: Connection, filters: Mapping[str, Filter | None], newest_only: bool = False
) -> list[Run]:
    """Runs with their figures, oldest first."""
    chosen = newest(filters) if newest_only else select(run.c.id).where(*conditions(filters))
    figures = _figures(connection, chosen)
    rows = connection.execute(
        select(run).where(run.c.id.in_(chosen)).order_by(run.c.started, run.c.run_id)
    )
    return [assemble(row, figures.get(row["id"], {})) for row in rows.mappings()]


def _figures(connection: Connection, chosen: Select[int]) -> dict[int, dict[str, Metric]]:
    query = (
        select(metric.c.run, *_FIGURE)
        .where(metric.c.run.in_(chosen))
        .order_by(metric.c.run, metric.c.name)
    )
    rows = connection.execute(query)
    missing: dict[Metric, Metric] = {}  # most are, in the same few ways: one of each is kept
    found: dict[int, dict[str, Metric]] = {}
    for number, group in groupby(rows, key=itemgetter(0)):
        made = (Metric._make(row[1:]) for row in group)
        found[number] = {
            each.name: missing.setdefault(each, each) if each.value is None else each
            for each in made
        }
    return found


def metrics(connection: Connection, run_id: str) -> dict[str, Metric]:
    """One run's figures by name."""
    query = select(*_FIGURE).join(run, run.c.id == metric.c.run).where(run.c.run_id == run_id)
    return {row[0]: Metric._make(row) for row in connection.execute(query)}


def lines(connection: Connection, filters: Mapping[str, Filter | None]) -> Iterator[str]:
    """Records as stored, oldest first."""
    query = (
        select(record.c.line)
        .join(run, run.c.id == record.c.run)
        .where(*conditions(filters))
        .order_by(run.c.started, run.c.run_id)
    )
    found = connection.execution_options(yield_per=CHUNK).execute(query)
    yield from found.scalars()


def statements(connection: Connection, filters: Mapping[str, Filter | None]) -> Iterator[str]:
    """Statements about runs that pass, as stored, oldest first."""
    query = (
        select(statement.c.line)
        .join(run, run.c.id == statement.c.run)
        .where(*conditions(filters))
        .order_by(statement.c.at, statement.c.line)
    )
    yield from connection.execute(query).scalars()


def attempts(connection: Connection) -> list[Attempt]:
    """Every run, as ``statements.trusted`` asks for it."""
    query = select(run.c.run_id, run.c.started, run.c.status, *(run.c[name] for name in IDENTITY))
    return [
        Attempt(run_id=run_id, identity=tuple(identity), order=(started, run_id), status=status)
        for run_id, started, status, *identity in connection.execute(query)
    ]


def beginning(run_id: str) -> Select[str]:
    """Lines of at most two runs whose id begins so; "g" comes after every hex digit."""
    return (
        select(record.c.line)
        .join(run, run.c.id == record.c.run)
        .where(run.c.run_id >= run_id, run.c.run_id < run_id + "g")
        .limit(2)
    )


def statuses(connection: Connection) -> dict[str, tuple[str, str, str | None]]:
    """Cell key to run id, status and reason of its newest run."""
    columns = (run.c.cell_key, run.c.run_id, run.c.status, run.c.reason)
    found = connection.execute(select(*columns).where(run.c.id.in_(newest({}, ["cell_key"]))))
    return {key: (run_id, status, reason) for key, run_id, status, reason in found}
