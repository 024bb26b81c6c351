"""Statements: what may be said, of which record, and the trust that follows from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from records import make_record
from tokonomy.errors import BadRecord
from tokonomy.store.database import open_store
from tokonomy.store.exchange import export, export_statements, import_files, import_known, verify
from tokonomy.store.record import Record, parse
from tokonomy.store.statements import (
    LEVELS,
    NEEDS,
    Attempt,
    Said,
    Statement,
    Trust,
    counting,
    digest,
    read_statement,
    reserved,
    trust,
    trusted,
)

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
    assert {what for what in NEEDS if reserved(said(what))} == {"verified", "resolved"}


@pytest.mark.parametrize(
    ("words", "superseded", "level"),
    [
        ((), False, "self-reported"),
        ((), True, "superseded"),
        (("signed-off",), False, "self-reported"),
        (("verified",), False, "verified"),
        (("verified",), True, "superseded"),
        (("verified", "disputed"), False, "disputed"),
        (("disputed", "verified"), False, "disputed"),
        (("disputed",), True, "disputed"),
        (("disputed", "resolved"), False, "self-reported"),
        (("verified", "disputed", "resolved"), False, "verified"),
        (("disputed", "resolved", "disputed"), False, "disputed"),
        (("withdrawn", "resolved"), False, "self-reported"),
        (("verified", "withdrawn", "resolved"), True, "superseded"),
        (("withdrawn", "resolved", "withdrawn"), False, "withdrawn"),
        (("resolved", "withdrawn", "verified"), False, "withdrawn"),
        (("disputed", "withdrawn"), True, "withdrawn"),
    ],
)
def test_the_level_follows_from_what_was_said(
    words: Sequence[Said], superseded: bool, level: str
) -> None:
    told = [said(what, day=day) for day, what in enumerate(words, 1)]
    found = trust(reversed(told), superseded)
    assert (found.level, found.said) == (level, tuple(told))
    assert found.stands == (level not in ("withdrawn", "disputed"))
    assert (None if found.why is None else found.why.says) == (level if level in NEEDS else None)
    assert (found.signed is not None) == ("signed-off" in words)
    assert level in LEVELS


def test_the_time_orders_statements_not_their_text() -> None:
    doubt = said("disputed", at="2026-03-01T00:00:00Z")
    end = said("resolved", at="2026-03-01T00:00:00.5Z")
    assert trust([end, doubt]).level == "self-reported"


def attempt(name: str, order: int, status: str = "ok", cell: str = "cell") -> Attempt:
    return Attempt(run_id=name, identity=cell, order=(str(order), name), status=status)


def test_only_a_good_run_that_stands_supersedes() -> None:
    runs = [attempt("old", 1), attempt("new", 2), attempt("failed", 3, "crash"),
            attempt("other", 4, cell="else")]  # fmt: skip
    levels = {name: found.level for name, found in trusted(runs, {}).items()}
    assert levels == {"old": "superseded", "new": "self-reported", "failed": "self-reported",
                      "other": "self-reported"}  # fmt: skip
    for doubt in ("withdrawn", "disputed"):
        levels = {
            name: found.level for name, found in trusted(runs, {"new": [said(doubt)]}).items()
        }
        assert (levels["old"], levels["new"]) == ("self-reported", doubt)
    settled = {"new": [said("disputed"), said("resolved", day=2)]}
    assert trusted(runs, settled)["old"].level == "superseded"


def test_the_run_that_counts_went_well_and_stands_if_any_does() -> None:
    def counts(*runs: Attempt, failures: bool = False, **doubts: Said) -> str:
        trusts = {name: trust([said(doubt)]) for name, doubt in doubts.items()}
        found = counting(runs, lambda run: trusts.get(run.run_id, Trust()), failures=failures)
        return found["cell"].run_id

    old, new, failed = attempt("old", 1), attempt("new", 2), attempt("failed", 3, "oom")
    assert counts(failed, old, new) == counts(new, old) == "new"
    assert counts(failed, old, new, failures=True) == "failed"
    assert counts(old, new, failed, new="disputed") == "old"
    assert counts(old, new, new="withdrawn", failures=True) == "old"
    assert counts(old, failed, old="withdrawn") == "failed"
    assert counts(old, new, old="disputed", new="disputed") == "new"
    assert counting([], lambda run: Trust()) == {}


def test_a_clock_may_run_ahead_by_a_day() -> None:
    soon = (datetime.now(UTC) + timedelta(hours=23)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert read_statement(line(at=soon)).at == soon
