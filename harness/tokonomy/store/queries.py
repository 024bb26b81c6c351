"""Reading: from rows to runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, or_, select

from tokonomy.errors import UsageError
from tokonomy.store.current import BY_TIME, current, level, standing
from tokonomy.store.metrics import Metric
from tokonomy.store.rows import Filter, Run, assemble
from tokonomy.store.schema import metric, record, run, statement

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


def latest(filters: Mapping[str, Filter | None]) -> Select[int]:
    """Row numbers of the runs that stand for their cells among those that pass."""
    return standing(*conditions(filters))


def rows(connection: Connection, chosen: Select[int]) -> Sequence[RowMapping]:
    """Some rows of table ``run`` with ``trust`` and ``current``, oldest first."""
    query = select(run, level().label("trust"), current().label("current"))
    found = query.where(run.c.id.in_(chosen)).order_by(run.c.started, run.c.run_id)
    return connection.execute(found).mappings().all()


def runs(
    connection: Connection, filters: Mapping[str, Filter | None], latest_only: bool = False
) -> list[Run]:
    """Runs with their figures, oldest first."""
    chosen = latest(filters) if latest_only else select(run.c.id).where(*conditions(filters))
    figures = _figures(connection, chosen)
    return [assemble(row, figures.get(row["id"], {})) for row in rows(connection, chosen)]


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


def beginning(run_id: str) -> Select[str]:
    """Lines of at most two runs whose id begins so; "g" comes after every hex digit."""
    return (
        select(record.c.line)
        .join(run, run.c.id == record.c.run)
        .where(run.c.run_id >= run_id, run.c.run_id < run_id + "g")
        .limit(2)
    )


def statuses(connection: Connection) -> dict[str, tuple[str, str, str | None]]:
    """Cell key to run id, status and reason of its newest run, whatever is said of it."""
    place = func.row_number().over(partition_by=run.c.cell_key, order_by=BY_TIME)
    columns = (run.c.cell_key, run.c.run_id, run.c.status, run.c.reason)
    ranked = select(*columns, place.label("place")).subquery()
    found = connection.execute(select(ranked).where(ranked.c.place == 1))
    return {key: (run_id, status, reason) for key, run_id, status, reason, _ in found}
