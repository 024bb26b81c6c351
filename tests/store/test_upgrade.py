"""Migrations: from real files of every older version, and to the tables that the code expects."""

from __future__ import annotations

import io
import sqlite3
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect

from records import make_gpu_record, make_record, make_records
from tokonomy.store.database import open_store
from tokonomy.store.derive import DERIVATION
from tokonomy.store.engine import connect, reading, writing
from tokonomy.store.rows import row
from tokonomy.store.schema import metadata, record, run
from tokonomy.store.statements import Statement, digest
from tokonomy.store.upgrade import REVISIONS, configuration, migrate

RECORDS = [
    *make_records(7),
    make_record(method="reference", suite="calibration"),
    make_record(method="planted-slow", timing=make_record().timing),
    make_gpu_record(cell={"device_class": "cuda: scripted GPU"}),
]
#: Every version, with figures of another derivation; those that lack columns also with today's.
OLD = [(name, 0) for name in REVISIONS]
OLD += [(name, DERIVATION) for name in REVISIONS if name < "0004"]


def old_database(place: Path, revision: str, derivation: int = 0) -> None:
    """A file as that version left it, but for the figures, which none of its ten runs has."""
    engine = connect(str(place), write=True)
    with writing(engine, str(place)) as connection:
        migrate(connection, to=revision)
        columns = {each["name"] for each in inspect(connection).get_columns("run")}
        for number, each in enumerate(RECORDS, start=1):
            values = row(each, []) | {"id": number, "derivation": derivation}
            known = {name: value for name, value in values.items() if name in columns}
            connection.execute(insert(run), known)
            connection.execute(insert(record), {"run": number, "line": each.line()})
    engine.dispose()


def views(place: Path) -> set[str]:
    connection = sqlite3.connect(place)
    found = {name for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'view'")}  # fmt: skip
    connection.close()
    return found


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(("revision", "derivation"), OLD)
def test_an_older_database_becomes_current(
    tmp_path: Path, revision: str, derivation: int, create: bool
) -> None:
    place = tmp_path / "old.sqlite"
    old_database(place, revision, derivation)
    assert ("leaderboard" in views(place)) == (revision >= "0002")
    with open_store(tmp_path / "new.sqlite") as store:
        store.add_all(RECORDS)
        lines, runs = list(store.lines()), store.runs()
    assert {run.role for run in runs} == {"result", "calibration", "control", "scripted"}
    with open_store(place, create=create) as store:
        assert list(store.lines()) == lines
        assert store.runs() == runs
    assert views(place) == {"leaderboard", "runs"}


def test_what_was_said_in_an_older_database_counts(tmp_path: Path) -> None:
    place, told = tmp_path / "old.sqlite", RECORDS[0]
    old_database(place, "0006", DERIVATION)
    doubt = Statement(run_id=told.run_id, record_sha256=digest(told), says="withdrawn",
                      by="someone", at="2026-03-01T00:00:00Z", reason="because")  # fmt: skip
    with sqlite3.connect(place) as connection:
        connection.execute("INSERT INTO statement (run, says, at, line) VALUES (1, ?, ?, ?)",
                           (doubt.says, doubt.order[0], doubt.line()))  # fmt: skip
    connection.close()
    with open_store(place, create=False) as store:
        (found,) = store.runs(run_id=told.run_id)
        assert (found.trust, found.current) == ("withdrawn", False)
        assert told.run_id not in {run.run_id for run in store.latest()}


def test_the_list_of_revisions_is_that_of_the_files() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS


def test_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    place = str(tmp_path / "new.sqlite")
    open_store(place).close()
    engine = connect(place, write=False)
    with reading(engine, place) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "old.sqlite"
    old_database(place, "0001")
    with sqlite3.connect(place) as connection:  # in the way of the second view to be made
        connection.execute("CREATE TABLE runs (x)")
    connection.close()
    with pytest.raises(Exception, match="already exists"):
        open_store(place)
    assert views(place) == set()
    with sqlite3.connect(place) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            ("0001",)
        ]
    connection.close()


def test_postgresql_gets_sql_of_its_own() -> None:
    settings = configuration()
    settings.attributes["dialect"] = "postgresql"
    settings.output_buffer = sql = io.StringIO()
    with redirect_stdout(sql):
        command.upgrade(settings, "head", sql=True)
    text = sql.getvalue()
    assert "id SERIAL NOT NULL" in text
    assert "DOUBLE PRECISION" in text or "FLOAT" in text
    assert text.count("CREATE VIEW") - text.count("DROP VIEW") == 2
    assert "WITHOUT ROWID" not in text
