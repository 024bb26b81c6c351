"""The store: what goes in comes out; and each way in which a real database refuses."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from records import build_store, make_record, make_records
from tokonomy.errors import (
    BadRecord,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreReadOnly,
    StoreTooNew,
    UnknownId,
    UsageError,
)
from tokonomy.store.database import Store, open_store
from tokonomy.store.derive import derive
from tokonomy.store.metrics import METRICS
from tokonomy.store.rows import sortable

HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "results" / "some & odd #name?.sqlite"


def one_line(error: pytest.ExceptionInfo[StoreError], place: Path) -> str:
    """The message, after checking that it is one line that names the database."""
    message = str(error.value)
    assert "\n" not in message
    assert str(place) in message
    return message


def test_records_come_back_as_they_went_in(place: Path) -> None:
    records = list(make_records(30))
    with open_store(place) as store:
        assert (store.add_all(records).added, store.count()) == (30, 30)
    with open_store(place, create=False) as store:
        order = sorted(records, key=lambda record: (sortable(record.started), record.run_id))
        assert list(store.records()) == order
        for record in records:
            assert store.run(record.run_id) == record
            assert list(store.metrics(record.run_id).values()) == sorted(derive(record))


def test_nothing_is_left_beside_the_file(place: Path) -> None:
    build_store(place, 3)
    with open_store(place, create=False) as store:
        assert store.count() == 3
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_adding_twice_is_once(place: Path) -> None:
    record = make_record()
    with open_store(place) as store:
        assert store.add(record)
        assert not store.add(record)
        assert store.count() == 1


def test_a_record_is_never_changed(place: Path) -> None:
    record = make_record()
    other = record.model_copy(update={"suite": "another"})
    with open_store(place) as store:
        store.add(record)
        with pytest.raises(BadRecord, match=f"run {record.run_id}: another record has this id"):
            store.add_all([make_record(seed=1), other])
        assert list(store.records()) == [record]


def test_a_failing_iterable_leaves_nothing(place: Path) -> None:
    def failing() -> object:
        yield make_record()
        raise RuntimeError("the iterable ends badly")

    with open_store(place) as store:
        with pytest.raises(RuntimeError, match="ends badly"):
            store.add_all(failing())
        assert store.count() == 0


def test_newest_run_of_a_cell(place: Path) -> None:
    first, second = make_record(), make_record(attempt=1, status="oom")
    other = make_record(seed=5)
    with open_store(place) as store:
        store.add_all([second, first, other])
        assert store.statuses() == {
            first.cell.key: (second.run_id, "oom", "oom-made-up"),
            other.cell.key: (other.run_id, "ok", None),
        }
        assert {run.run_id for run in store.latest()} == {first.run_id, other.run_id}
        assert {run.run_id for run in store.latest(status="oom")} == {second.run_id}


def test_the_same_run_with_other_code_replaces_it_but_not_in_a_plan(place: Path) -> None:
    old = make_record(method="tome", params={"r": 2})
    method = {"id": "tome", "params": {"r": 2}, "source_hash": "1" * 64}
    new = make_record(method="tome", cell={"method": method}, attempt=60)
    session = make_record(method="tome", params={"r": 2}, suite="calibration", attempt=90)
    with open_store(place) as store:
        store.add_all([new, old, session])
        assert {run.run_id for run in store.latest()} == {new.run_id, session.run_id}
        assert [run.run_id for run in store.latest(role="result")] == [new.run_id]
        assert {at: run for at, (run, *_) in store.statuses().items()} == {
            old.cell.key: session.run_id,
            new.cell.key: new.run_id,
        }


def test_half_a_second_later_is_later(place: Path) -> None:
    whole = make_record(started="2026-05-05T10:00:00Z")
    later = make_record(started="2026-05-05T10:00:00.5Z", attempt=1)
    with open_store(place) as store:
        store.add_all([later, whole])
        assert [run.run_id for run in store.runs()] == [whole.run_id, later.run_id]
        assert store.latest()[0].run_id == later.run_id


def test_order_of_adding_does_not_matter(tmp_path: Path) -> None:
    records = list(make_records(40))
    seen = []
    for name, order in (("a", records), ("b", records[::-1])):
        with open_store(tmp_path / name) as store:
            store.add_all(order)
            seen.append((store.runs(), store.latest(), store.statuses()))
    assert seen[0] == seen[1]


def test_filters_narrow(place: Path) -> None:
    build_store(place, 60)
    with open_store(place, create=False) as store:
        everything = store.runs()
        wanted = {"method": ["tome", "evit"], "task": "digits", "status": None, "batch_size": 1}
        expected = [
            run.run_id
            for run in everything
            if run.method in ("tome", "evit") and run.task == "digits" and run.batch_size == 1
        ]
        assert [run.run_id for run in store.runs(**wanted)] == expected != []
        assert [record.run_id for record in store.records(**wanted)] == expected
        assert store.count(**wanted) == len(expected)
        assert store.runs(method=[]) == []
        with pytest.raises(UsageError, match="filter 'metod': expected one of run_id, cell_key"):
            store.runs(metod="tome")


def test_run_by_the_beginning_of_its_id(place: Path) -> None:
    records = list(make_records(40))
    with open_store(place) as store:
        store.add_all(records)
        ids = [record.run_id for record in records]
        alone = next(i for i in ids if sum(j.startswith(i[:2]) for j in ids) == 1)
        assert store.run(alone[:2]).run_id == alone
        with pytest.raises(UnknownId, match="several runs begin so"):
            store.run("")
        for unknown in ("zz", "0" * 32, "%", "' OR 1=1"):
            with pytest.raises(UnknownId, match="no such run"):
                store.run(unknown)


def test_figures_are_rebuilt_when_the_derivation_changes(place: Path) -> None:
    build_store(place, 450, samples=20, pairs=10)
    with open_store(place, create=False) as store:
        expected = store.runs()
    spoil = "UPDATE metric SET value = 123; UPDATE run SET derivation = derivation - 1"
    with sqlite3.connect(place) as connection:
        connection.executescript(spoil)
    connection.close()
    with open_store(place, create=False) as store:
        assert store.runs() == expected
    with open_store(place) as store:
        assert store.rederive() == 450
        assert store.runs() == expected


def test_every_run_has_every_figure(place: Path) -> None:
    build_store(place, 90, samples=20, pairs=10)
    with open_store(place, create=False) as store:
        for run in store.runs():
            assert set(run.metrics) == set(METRICS)
            for metric in run.metrics.values():
                assert metric.unit == METRICS[metric.name].unit
                missing = metric.value is None and metric.text is None
                assert not missing or metric.reason


def test_views_read_in_any_browser(place: Path) -> None:
    build_store(place, 120, samples=40, pairs=10)
    with open_store(place, create=False) as store:
        latest, everything = store.latest(), store.runs()
    connection = sqlite3.connect(place)
    connection.row_factory = sqlite3.Row
    rows = {row["run_id"]: row for row in connection.execute("SELECT * FROM leaderboard")}
    assert set(rows) == {run.run_id for run in latest}
    assert {run.role for run in everything} == {"result"}
    for run in latest:
        row = rows[run.run_id]
        assert (row["method"], row["task"], row["status"]) == (run.method, run.task, run.status)
        assert row["accuracy"] == run.metrics["accuracy"].value
        assert row["speed_up_low"] == run.metrics["speed_up"].low
        assert row["latency_ratio_high"] == run.metrics["latency_ratio"].high
        assert row["effect"] == run.metrics["effect"].text
        assert tuple(json.loads(row["flags"])) == run.flags
        assert (row["family"], row["split"], row["protocol"]) == (run.family, run.split, 1)
        memory = run.metrics["peak_memory_bytes"].value
        assert row["peak_memory_mib"] == (None if memory is None else memory / 2**20)
    flags = {
        row["run_id"]: row["current"]
        for row in connection.execute("SELECT run_id, current FROM runs")
    }
    assert flags == {run.run_id: int(run.run_id in rows) for run in everything}
    connection.close()


def test_two_stores_write_by_turns(place: Path) -> None:
    with open_store(place) as one, open_store(place) as two:
        for seed in range(6):
            (one, two)[seed % 2].add(make_record(seed=seed))
        assert one.count() == two.count() == 6


def test_reading_goes_on_while_another_writes(place: Path) -> None:
    build_store(place, 5)
    with open_store(place) as writer, open_store(place, create=False) as reader:
        with writer.transaction() as transaction:
            transaction.add(make_record(seed=77))
            assert reader.count() == 5
        assert reader.count() == 6


def test_locked_by_another_process(place: Path) -> None:
    build_store(place, 2)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout.readline() == "locked\n"
        with open_store(place, busy_s=0.1) as store:
            with pytest.raises(StoreBusy) as error:
                store.add(make_record(seed=9))
            assert "another process is writing" in one_line(error, place)
            assert store.count() == 2
            holder.stdin.close()
            holder.wait()
            assert store.add(make_record(seed=9))


def test_killed_in_a_transaction_leaves_what_was_there(place: Path) -> None:
    build_store(place, 2)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from records import make_record\n"
        "from tokonomy.store.database import open_store\n"
        "with open_store(sys.argv[1]) as store, store.transaction() as writer:\n"
        "    for seed in range(50, 90): writer.add(make_record(seed=seed))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    tests = str(Path(__file__).parents[1])
    killed = subprocess.run([sys.executable, "-c", code, str(place), tests], check=False)
    assert killed.returncode == -9
    with open_store(place) as store:
        assert store.count() == 2
        assert store.add(make_record(seed=50))


def test_a_full_disk_undoes_the_transaction(place: Path) -> None:
    build_store(place, 2)
    with open_store(place) as store:

        @event.listens_for(store._engine, "connect")
        def _limit(connection: sqlite3.Connection, _: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages + 4}")

        store._engine.dispose()
        with pytest.raises(StoreReadOnly) as error:
            store.add_all(make_records(50, seed=3))
        assert "no room left" in one_line(error, place)
        assert store.count() == 2


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    place = tmp_path / "file" / "below.sqlite"
    with pytest.raises(StoreReadOnly) as error:
        open_store(place)
    assert "folder cannot be made" in one_line(error, place)


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_is_not_a_database(tmp_path: Path, create: bool) -> None:
    with pytest.raises(StoreReadOnly) as error:
        open_store(tmp_path, create=create)
    assert "cannot be opened or written" in one_line(error, tmp_path)


def test_a_reader_cannot_write(place: Path) -> None:
    build_store(place, 2)
    with open_store(place, create=False) as store:
        with pytest.raises(StoreReadOnly):
            store.add(make_record(seed=9))
        assert store.count() == 2


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A database of two runs that we may read, in a folder where we may not write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = build_store(folder / "theirs.sqlite", 2)
        place.chmod(0o444)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:  # who may write everywhere; so be someone else meanwhile
            os.seteuid(65534)
        try:
            yield place
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_reading_without_permission_to_write(foreign: Path) -> None:
    with open_store(foreign, create=False) as store:
        assert store.count() == 2


@pytest.mark.parametrize("name", ["theirs.sqlite", "new.sqlite", "folder/new.sqlite"])
def test_writing_without_permission(foreign: Path, name: str) -> None:
    place = foreign.parent / name
    with pytest.raises(StoreReadOnly) as error, open_store(place) as store:
        store.add(make_record(seed=9))
    one_line(error, place)


def test_a_missing_file_is_not_made_by_reading(place: Path) -> None:
    with pytest.raises(StoreError) as error:
        open_store(place, create=False)
    assert "no such database; `tokonomy run`" in one_line(error, place)
    assert not place.exists()
    assert not place.parent.exists()


def test_an_empty_file_is_no_store(tmp_path: Path) -> None:
    place = tmp_path / "empty.sqlite"
    place.touch()
    with pytest.raises(StoreCorrupt) as error:
        open_store(place, create=False)
    assert "an empty database" in one_line(error, place)
    with open_store(place) as store:
        assert store.count() == 0


@pytest.mark.parametrize("create", [True, False])
def test_a_text_file_is_no_database(tmp_path: Path, create: bool) -> None:
    place = tmp_path / "notes.txt"
    place.write_text("These are notes, long enough to have a header. " * 40)
    before = place.read_bytes()
    with pytest.raises(StoreCorrupt) as error:
        open_store(place, create=create)
    assert "not a SQLite database" in one_line(error, place)
    assert place.read_bytes() == before


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "theirs.sqlite"
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TABLE run (theirs TEXT)")
    connection.close()
    with pytest.raises(StoreCorrupt) as error:
        open_store(place)
    assert "not one of Tokonomy's" in one_line(error, place)
    with sqlite3.connect(place) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("run",)]
    connection.close()


def test_a_truncated_file(place: Path) -> None:
    build_store(place, 40)
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(StoreCorrupt) as error, open_store(place, create=False) as store:
        list(store.records())
    assert "a damaged one" in one_line(error, place)


def test_damaged_pages(place: Path) -> None:
    build_store(place, 40)
    whole = bytearray(place.read_bytes())
    whole[3 * 4096 :] = b"\xa5" * (len(whole) - 3 * 4096)
    place.write_bytes(whole)
    with pytest.raises(StoreCorrupt) as error, open_store(place) as store:
        store.runs()
    assert "a damaged one" in one_line(error, place)


def test_a_record_that_rotted(place: Path) -> None:
    build_store(place, 1)
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE record SET line = replace(line, '\"status\"', '\"sattus\"')")
    connection.close()
    with open_store(place, create=False) as store, pytest.raises(StoreCorrupt) as error:
        list(store.records())
    one_line(error, place)


def test_a_newer_database_is_refused(place: Path) -> None:
    build_store(place, 1)
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    before = place.read_bytes()
    for create in (True, False):
        with pytest.raises(StoreTooNew) as error:
            open_store(place, create=create)
        message = one_line(error, place)
        assert "revision 0999" in message
        assert "upgrade Tokonomy" in message
    assert place.read_bytes() == before


def test_a_url_with_a_driver_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="expected a path or a database URL"):
        open_store("nosuchdatabase://user:secret@host/name")


def test_a_sqlite_url_is_a_path(place: Path) -> None:
    build_store(place, 2)
    with open_store(f"sqlite:///{place}", create=False) as store:
        assert isinstance(store, Store)
        assert store.count() == 2
