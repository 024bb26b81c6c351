"""Statements: what may be said, of which record, and the trust that follows from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from records import make_record
from tokonomy.errors import BadRecord
from tokonomy.store import published
from tokonomy.store.database import open_store
from tokonomy.store.exchange import export, export_statements, import_files, import_known, verify
from tokonomy.store.record import Record, parse
from tokonomy.store.statements import (
    LEVELS,
    NEEDS,
    Said,
    Statement,
    digest,
    read_statement,
    reserved,
    trust,
)
from tokonomy_site.reading import snapshot

RECORD = make_record(samples=8, pairs=10)
LINK = "https://github.com/someone/thing/issues/1"


def said(what: Said, record: Record = RECORD, day: int = 1, **fields: Any) -> Statement:
    told = {name: LINK if name == "link" else "because" for name in NEEDS[what]}
    told |= {"by": "someone", "at": f"2026-03-{day:02}T00:00:00Z"} | fields
    return Statement(run_id=record.run_id, record_sha256=digest(record), says=what, **told)


def line(what: Said = "disputed", **fields: Any) -> bytes:
    return json.dumps(json.loads(said(what).line()) | fields).encode()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line(link="javascript:alert(1)"), "link"),
        (line(link="ftp://example.org/a"), "link"),
        (line(link="https://"), "link"),
        (line(link="https://github.com@evil.example/"), "http"),
        (line(link='https://a.example/"onclick='), "link"),
        (line(link="https://a.example/ x"), "link"),
        (line(link=None), "needs a link"),
        (line(reason=None, link=None), "needs a reason and a link"),
        (line("withdrawn", reason=None), "needs a reason"),
        (line("verified", reason=None), "needs a reason"),
        (line("resolved", reason=None), "needs a reason"),
        (line("reinstated", reason=None), "needs a reason"),
        (line(by=" "), "some text"),
        (line(by="a\u202eb"), "direction characters"),
        (line(reason="two\nlines"), "one line"),
        (line(reason="x" * 501), "reason"),
        (line(by=7), "by"),
        (line(says="superseded"), "says"),
        (line(says="self-reported"), "says"),
        (line(version=2), "version"),
        (line(run_id="1f3a"), "run_id"),
        (line(record_sha256="0"), "record_sha256"),
        (line(at="2026-02-31T00:00:00Z"), "at"),
        (line(at="2026-02-01T00:00:00+01:00"), "at"),
        (line(at="9999-01-01T00:00:00Z"), "a time that has come"),
        (line(colour="red"), "colour"),
        (line()[:-1] + b',"by":"else"}', "key 'by' stands twice"),
        (line()[:-1] + b',"x":NaN}', "finite numbers"),
        (b'{"says":' + b"[" * 40, "at most 16 nested"),
        (line(by="a\x00b"), "u0000"),
        (line() + b" " * 2**14, "at most 16384 characters"),
        (b'"says"', "document"),
        (line().replace(b"someone", b"caf\xe9"), "UTF-8"),
    ],
)  # fmt: skip
def test_bad_statements_are_refused_whole(tmp_path: Path, bad: bytes, message: str) -> None:
    with pytest.raises(BadRecord) as error:
        read_statement(bad)
    assert message in str(error.value)
    path = tmp_path / "both.jsonl"
    path.write_bytes(RECORD.line().encode() + b"\n" + bad + b"\n")
    with pytest.raises(BadRecord, match=r"both\.jsonl:2: "):
        verify([path])
    with open_store(tmp_path / "a.sqlite") as store:
        with pytest.raises(BadRecord, match=r"both\.jsonl:2: "):
            import_files(store, [path])
        assert (store.count(), store.statements()) == (0, [])


def test_a_statement_finds_its_record_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "a-said.jsonl").write_text(said("signed-off").line() + "\n")
    (tmp_path / "b-records.jsonl").write_text(RECORD.line() + "\n")
    with open_store(tmp_path / "a.sqlite") as store:
        first = import_files(store, [tmp_path])
        again = import_files(store, [tmp_path])
        assert (first.added, first.skipped, first.statements) == (1, 0, 1)
        assert (again.added, again.skipped, again.statements) == (0, 2, 0)
        assert store.statements() == [said("signed-off")]
        assert store.statements(method="another") == []


def test_a_statement_about_a_run_that_is_not_here_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text(said("withdrawn").line())
    other = make_record(seed=1, samples=8, pairs=10)
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(other)
        with pytest.raises(BadRecord, match=r"said\.jsonl:1: statement: run .* is not here"):
            import_files(store, [path])
        assert import_known(store, [path]) == 1
        assert store.statements() == []


def test_a_statement_about_another_record_of_the_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    changed = RECORD.model_copy(update={"suite": "changed"})
    path.write_text(f"{said('signed-off').line()}\n{said('withdrawn', changed).line()}\n")
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(RECORD)
        for read in (import_files, import_known):
            with pytest.raises(BadRecord, match=r"said\.jsonl:2: statement: is about another rec"):
                read(store, [path])
        assert store.statements() == []


def test_statements_travel_to_the_byte(tmp_path: Path) -> None:
    told = [said("signed-off"), said("disputed", day=2), said("withdrawn", day=3)]
    with open_store(tmp_path / "a.sqlite") as one, open_store(tmp_path / "b.sqlite") as two:
        one.add(RECORD)
        assert [one.say(each) for each in reversed(told)] == [True] * 3
        assert one.say(told[0]) is False
        assert export_statements(one, tmp_path / "said.jsonl") == 3
        export(one, tmp_path / "records.jsonl")
        import_files(two, [tmp_path / "said.jsonl", tmp_path / "records.jsonl"])
        assert two.statements() == one.statements() == told


def test_the_digest_is_of_what_a_record_says() -> None:
    document = json.loads(RECORD.line())
    for name in ("first_token", "decoding"):  # what later versions of the schema added
        del document[name]
    document["schema_version"] = 1
    document["memory"] = document["memory"]["process"]
    earlier = parse(json.dumps(dict(reversed(document.items()))))
    assert digest(earlier) == digest(RECORD)
    for change in ({"suite": "x"}, {"log": "x"}, {"flags": [{"code": "x"}]}):
        document = json.loads(RECORD.line()) | change
        assert digest(parse(json.dumps(document))) != digest(RECORD)


def test_only_maintainers_verify_and_settle() -> None:
    assert {what for what in NEEDS if reserved(said(what))} == {
        "verified",
        "resolved",
        "reinstated",
    }


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ((), "self-reported"),
        (("signed-off",), "self-reported"),
        (("verified",), "verified"),
        (("verified", "disputed"), "disputed"),
        (("disputed", "verified"), "disputed"),
        (("disputed", "resolved"), "self-reported"),
        (("verified", "disputed", "resolved"), "verified"),
        (("disputed", "resolved", "disputed"), "disputed"),
        (("withdrawn", "resolved"), "withdrawn"),
        (("withdrawn", "disputed", "resolved"), "withdrawn"),
        (("withdrawn", "reinstated"), "self-reported"),
        (("verified", "withdrawn", "reinstated"), "verified"),
        (("withdrawn", "reinstated", "withdrawn"), "withdrawn"),
        (("reinstated", "withdrawn", "verified"), "withdrawn"),
        (("disputed", "reinstated"), "disputed"),
        (("disputed", "withdrawn", "reinstated"), "disputed"),
        (("disputed", "withdrawn", "resolved", "reinstated"), "self-reported"),
        (("disputed", "withdrawn"), "withdrawn"),
    ],
)
def test_the_level_follows_from_what_was_said(words: Sequence[Said], level: str) -> None:
    told = [said(what, day=day) for day, what in enumerate(words, 1)]
    found = trust(reversed(told))
    assert (found.level, found.said) == (level, tuple(told))
    assert found.stands == (level not in ("withdrawn", "disputed"))
    assert (None if found.why is None else found.why.says) == (level if level in NEEDS else None)
    assert (found.signed is not None) == ("signed-off" in words)
    assert level in LEVELS


@pytest.mark.parametrize("what", NEEDS)
def test_statements_pass_the_published_schema_and_must_tell_what_they_need(what: Said) -> None:
    validator = Draft202012Validator(json.loads(published.text("statement.schema.json")))
    validator.check_schema(validator.schema)
    document = json.loads(said(what).line())
    assert list(validator.iter_errors(document)) == []
    for name in NEEDS[what]:
        lacking = {each: value for each, value in document.items() if each != name}
        assert not validator.is_valid(lacking)
        assert not validator.is_valid(document | {name: None})
    assert not validator.is_valid(document | {"says": "superseded"})


def test_the_time_orders_statements_not_their_text() -> None:
    doubt = said("disputed", at="2026-03-01T00:00:00Z")
    end = said("resolved", at="2026-03-01T00:00:00.5Z")
    assert trust([end, doubt]).level == "self-reported"


def attempt(at: int, status: str = "ok", **fields: Any) -> Record:
    return make_record(attempt=at, status=status, samples=8, pairs=10, **fields)


OLD, NEW, FAILED = attempt(0), attempt(1), attempt(2, "oom")
NAMES = {OLD.run_id: "old", NEW.run_id: "new", FAILED.run_id: "failed"}


@pytest.mark.parametrize(
    ("told", "stands", "levels"),
    [
        ({}, "new", ("superseded", "self-reported", "superseded")),
        ({"old": "verified"}, "old", ("verified", "superseded", "superseded")),
        ({"old": "verified", "new": "verified"}, "new", ("superseded", "verified", "superseded")),
        ({"failed": "verified"}, "failed", ("superseded", "superseded", "verified")),
        ({"old": "verified", "new": "disputed"}, "old", ("verified", "disputed", "superseded")),
        ({"new": "disputed"}, "old", ("self-reported", "disputed", "superseded")),
        ({"new": "withdrawn"}, "old", ("self-reported", "withdrawn", "superseded")),
        ({"old": "disputed", "new": "withdrawn"}, "failed",
         ("disputed", "withdrawn", "self-reported")),
        ({"old": "disputed", "new": "disputed", "failed": "withdrawn"}, "new",
         ("disputed", "disputed", "withdrawn")),
        ({"old": "withdrawn", "new": "withdrawn", "failed": "withdrawn"}, None,
         ("withdrawn", "withdrawn", "withdrawn")),
    ],
)  # fmt: skip
def test_the_newest_run_of_the_highest_standing_stands_for_its_cell_everywhere(
    tmp_path: Path, told: dict[str, Said], stands: str | None, levels: tuple[str, ...]
) -> None:
    """In the store, the frame, the view and the site alike."""
    place = tmp_path / "a.sqlite"
    with open_store(place) as store:
        store.add_all([FAILED, NEW, OLD, attempt(3, suite="calibration")])
        for record in (OLD, NEW, FAILED):
            if NAMES[record.run_id] in told:
                store.say(said(told[NAMES[record.run_id]], record))
        every, latest = store.runs(role="result"), store.latest(role="result")
        shot = snapshot(store, "")
        table = store.frame()
    chosen = [] if stands is None else [stands]
    assert tuple(run.trust for run in every) == levels
    assert [NAMES[run.run_id] for run in every if run.current] == chosen
    assert [NAMES[run.run_id] for run in latest] == chosen
    assert [NAMES[name] for name in table["run_id"]] == chosen
    assert [NAMES[run.id] for run in shot.current] == chosen
    assert tuple(run.trust.level for run in shot.results) == levels
    with sqlite3.connect(place) as connection:
        board = connection.execute("SELECT run_id, trust FROM leaderboard").fetchall()
        rows = connection.execute(
            "SELECT run_id, trust, current FROM runs WHERE role = 'result' ORDER BY started"
        ).fetchall()
    connection.close()
    level = {run.run_id: run.trust for run in every}
    assert [(NAMES[run], level) for run, level in board] == [
        (NAMES[run.run_id], run.trust) for run in latest
    ]
    assert list(table["trust"]) == [run.trust for run in latest]
    assert rows == [(run.run_id, level[run.run_id], int(run.current)) for run in every]


CHANGED = {"method": OLD.cell.method.model_dump() | {"source_hash": "0" * 64}}
FIXED, CRASHED, BACK = (
    each.model_copy(update={"started": f"2026-03-0{day}T00:00:00Z"})
    for day, each in enumerate(
        (attempt(3, cell=CHANGED), attempt(4, "crash", cell=CHANGED), attempt(5)), 1
    )
)


@pytest.mark.parametrize(
    ("told", "more", "stands"),
    [
        ({"old": "verified"}, (FIXED,), FIXED),
        ({"old": "verified"}, (FIXED, CRASHED), FIXED),
        ({"old": "verified"}, (CRASHED,), CRASHED),
        ({"old": "verified"}, (BACK,), OLD),
        ({"old": "verified"}, (FIXED, BACK), OLD),  # the code went back to what it was
        ({"old": "verified", "fixed": "disputed"}, (FIXED,), OLD),
        ({"old": "verified", "fixed": "withdrawn"}, (FIXED,), OLD),
        ({"old": "disputed", "new": "disputed", "fixed": "disputed"}, (FIXED,), FIXED),
        ({"old": "withdrawn", "new": "withdrawn", "fixed": "disputed"}, (FIXED,), FIXED),
    ],
)
def test_a_run_of_changed_code_is_not_hidden_by_one_of_the_code_before(
    tmp_path: Path, told: dict[str, Said], more: Sequence[Record], stands: Record
) -> None:
    place = tmp_path / "a.sqlite"
    named = {"old": OLD, "new": NEW, "fixed": FIXED}
    with open_store(place) as store:
        store.add_all([OLD, NEW, *more])
        for name, what in told.items():
            store.say(said(what, named[name]))
        (found,) = store.latest()
        assert (found.run_id, found.trust) == (stands.run_id, trust_of(told, named, stands))
        assert [run.id for run in snapshot(store, "").current] == [stands.run_id]
        assert list(store.frame()["run_id"]) == [stands.run_id]
        level = {run.run_id: (run.trust, int(run.current)) for run in store.runs()}
    with sqlite3.connect(place) as connection:
        board = connection.execute("SELECT run_id, trust FROM leaderboard").fetchall()
        rows = connection.execute("SELECT run_id, trust, current FROM runs").fetchall()
    connection.close()
    assert board == [(stands.run_id, found.trust)]
    assert {run: tuple(rest) for run, *rest in rows} == level


def trust_of(told: dict[str, Said], named: dict[str, Record], run: Record) -> str:
    """What was said of a run, if anything."""
    words = (what for name, what in told.items() if named[name] is run)
    return next(words, "self-reported")


def test_a_filter_chooses_among_what_passes_and_changes_no_level(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all([OLD, NEW, FAILED])
        store.say(said("verified", OLD))
        (found,) = store.latest(status="oom")
        assert (found.run_id, found.trust, found.current) == (FAILED.run_id, "superseded", False)


def test_a_clock_may_run_ahead_by_a_day() -> None:
    soon = (datetime.now(UTC) + timedelta(hours=23)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert read_statement(line(at=soon)).at == soon
