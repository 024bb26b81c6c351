"""JSON lines: what goes out comes back; whatever is wrong with what comes in is refused whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from records import make_record, make_records
from tokonomy.catalog import strict
from tokonomy.errors import BadRecord, StoreReadOnly, UsageError
from tokonomy.store import exchange, published
from tokonomy.store.database import open_store
from tokonomy.store.exchange import export, import_files, read_line
from tokonomy.store.observed import Quality

GOOD = make_record(samples=8, pairs=10)
LINE = GOOD.line()


def swap(old: str, new: str) -> Callable[[str], bytes]:
    def change(line: str) -> bytes:
        assert old in line
        return line.replace(old, new, 1).encode()

    return change


def emptied(line: str) -> bytes:
    """The same without any sample."""
    document = json.loads(line)
    for arms in (document["quality"]["scores"], document["quality"]["outputs"]):
        arms.update({arm: [] for arm in arms})
    return json.dumps(document).encode()


def dated(line: str, started: str) -> bytes:
    """The same of another time."""
    return json.dumps(json.loads(line) | {"started": started}).encode()


def raised(line: str) -> bytes:
    """The same with one score above 1."""
    document = json.loads(line)
    document["quality"]["scores"]["coarse"][0] = 1.5
    return json.dumps(document).encode()


BAD = {
    "nan": (swap('"load_s":0.21', '"load_s":NaN'), "expected finite numbers; got NaN"),
    "infinity": (swap('"load_s":0.21', '"load_s":-Infinity'), "got -Infinity"),
    "overflow": (swap('"load_s":0.21', '"load_s":1e999'), "costs"),
    "duplicate": (swap('"pairs":', '"pairs":[],"pairs":'), "key 'pairs' stands twice"),
    "deep": (swap('"layers":[1', '"layers":[' + "[" * 20 + "1" + "]" * 20), "at most 16 nested"),
    "deeper": (lambda _: b"[" * 200_000, "at most 16 nested"),
    "array": (lambda _: b"[]", "document"),
    "cut": (lambda line: line[:-40].encode(), "expected one JSON document"),
    "not json": (lambda _: b"hello", "expected one JSON document; Expecting value at column 1"),
    "two": (lambda line: (line + line).encode(), "Extra data"),
    "latin": (swap('"made-up"', '"caf\xe9"'), None),
    "digits": (swap('"load_s":0.21', '"load_s":' + "9" * 5000), "digits"),
    "zero byte": (swap('"made-up"', '"a\\u0000b"'), "may not hold"),
    "half a character": (swap('"made-up"', '"a\\ud83db"'), "half of a character"),
    "unknown field": (swap('"suite":', '"colour":"red","suite":'), "colour"),
    "schema version": (swap('"schema_version":3', '"schema_version":4'), "schema_version"),
    "text for number": (swap('"seed":0', '"seed":"0"'), "cell.seed"),
    "unit": (swap('"load_s"', '"load_ms"'), "costs"),
    "huge": (swap('"seed":0', '"seed":99999999999999999999'), "cell.seed"),
    "negative": (swap('"peak_bytes":', '"peak_bytes":-'), "memory"),
    "status": (swap('"status":"ok"', '"status":"fine"'), "status"),
    "unreasoned": (swap('"status":"ok"', '"status":"oom"'), "has a reason"),
    "unaligned": (swap('"scores":{"coarse":[', '"scores":{"coarse":[1.0,'), "one score per sample"),
    "time": (swap('"started":"2026', '"started":"26'), "started"),
    "no such day": (lambda line: dated(line, "2026-02-31T00:00:00Z"), "started"),
    "future": (lambda line: dated(line, "9999-01-01T00:00:00Z"), "a time that has come"),
    "endless flops": (swap('"flops":', '"flops":1e30,"x":'), "work"),
    "endless cost": (swap('"load_s":0.21', '"load_s":1e308'), "costs"),
    "score above 1": (lambda line: raised(line), "quality"),
    "no scores": (lambda line: emptied(line), "quality"),
    "samples": (swap('"samples":8,"source_hash"', '"samples":9,"source_hash"'), "cell"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_lines_are_refused_whole(tmp_path: Path, name: str) -> None:
    spoil, message = BAD[name]
    line = spoil(LINE)
    if name == "latin":
        line, message = line.decode().encode("latin-1"), "expected UTF-8; got byte 0xe9"
    path = tmp_path / "records.jsonl"
    first = make_record(seed=1, samples=8, pairs=10).line().encode()
    path.write_bytes(first + b"\n\n" + line + b"\n")
    with open_store(tmp_path / "store.sqlite") as store:
        with pytest.raises(BadRecord) as error:
            import_files(store, [path])
        assert str(error.value).startswith(f"{path}:3: record: ")
        assert message in str(error.value)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 500
        assert store.count() == 0


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_LINE", len(LINE))
    path = tmp_path / "records.jsonl"
    path.write_text(LINE + "\n" + LINE + " \n")
    with open_store(tmp_path / "store.sqlite") as store:
        with pytest.raises(BadRecord, match=f":1: a record has at most {len(LINE)} bytes"):
            import_files(store, [path])
        monkeypatch.setattr(exchange, "MAX_LINE", len(LINE) + 1)
        with pytest.raises(BadRecord, match=f":2: a record has at most {len(LINE) + 1} bytes"):
            import_files(store, [path])


def test_round_trip_to_the_byte(tmp_path: Path) -> None:
    records = list(make_records(40, samples=20, pairs=10))
    with open_store(tmp_path / "one") as one, open_store(tmp_path / "two") as two:
        one.add_all(records)
        assert export(one, tmp_path / "one.jsonl") == 40
        counts = import_files(two, [tmp_path / "one.jsonl"])
        assert (counts.added, counts.skipped) == (40, 0)
        export(two, tmp_path / "two.jsonl")
        again = import_files(two, [tmp_path / "two.jsonl"])
        assert (again.added, again.skipped) == (0, 40)
        assert two.runs() == one.runs()
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_export_narrows_and_leaves_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with open_store(tmp_path / "store.sqlite") as store:
        store.add_all(make_records(60, samples=8, pairs=10))
        count = export(store, folder / "tome.jsonl", method="tome")
    lines = (folder / "tome.jsonl").read_text().splitlines()
    assert count == len(lines) > 0
    assert {json.loads(line)["cell"]["method"]["id"] for line in lines} == {"tome"}
    assert [path.name for path in folder.iterdir()] == ["tome.jsonl"]


def test_a_failing_export_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "all.jsonl").write_text("before")
    with open_store(tmp_path / "store.sqlite") as store:
        with pytest.raises(UsageError, match="filter 'colour'"):
            export(store, folder / "all.jsonl", colour="red")
        with pytest.raises(StoreReadOnly, match="cannot be written"):
            export(store, tmp_path / "nowhere" / "all.jsonl")
        with pytest.raises(StoreReadOnly, match="cannot be written"):
            export(store, folder)
    assert (folder / "all.jsonl").read_text() == "before"
    assert [path.name for path in folder.iterdir()] == ["all.jsonl"]


def test_another_record_of_the_same_id(tmp_path: Path) -> None:
    path = tmp_path / "changed.jsonl"
    new = make_record(seed=1, samples=8, pairs=10).line()
    changed = LINE.replace('"suite":"made-up"', '"suite":"changed"')
    path.write_text(f"{new}\n{changed}\n")
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(GOOD)
        with pytest.raises(BadRecord, match=r"changed\.jsonl:2: run .* another record has this id"):
            import_files(store, [path])
        assert list(store.records()) == [GOOD]


def test_key_order_and_spaces_do_not_make_another_record(tmp_path: Path) -> None:
    path = tmp_path / "same.jsonl"
    document = json.loads(LINE)
    path.write_text(json.dumps(dict(reversed(document.items())), indent=None) + "\r\n")
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(GOOD)
        assert import_files(store, [path]).skipped == 1


def test_a_folder_gives_its_files(tmp_path: Path) -> None:
    (tmp_path / "records" / "more").mkdir(parents=True)
    for at, name in enumerate(("b.jsonl", "more/a.jsonl", "notes.txt")):
        line = make_record(seed=at, samples=8, pairs=10).line()
        (tmp_path / "records" / name).write_text(line)
    with open_store(tmp_path / "store.sqlite") as store:
        assert import_files(store, [tmp_path / "records"]).added == 2


def test_a_missing_file(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.sqlite") as store:
        with pytest.raises(UsageError, match="cannot be read"):
            import_files(store, [tmp_path / "nowhere.jsonl"])


@pytest.mark.parametrize("line", [b'"' + b"\\a" * 2**19, b'"' + b"\\" * (2**20 + 1), b'["'])
def test_an_open_string_is_one_piece(line: bytes) -> None:
    """Its rest is looked at once, not once from each escape: a megabyte comes to an end."""
    pieces = strict._STRING_OR_BRACKET.findall(line)
    assert pieces[-1] == line[line.index(b'"') :]
    assert len(pieces) <= 2
    with pytest.raises(BadRecord, match="expected one JSON document"):
        read_line(line)


def test_brackets_inside_strings_do_not_nest() -> None:
    record = make_record(samples=8, pairs=10, suite='["\\' * 40)
    assert read_line(record.line().encode()) == record


@pytest.mark.parametrize("unreadable", [0, 3])
def test_every_readable_sample_has_a_score(unreadable: int) -> None:
    record = make_record(samples=8, pairs=10)
    document = json.loads(record.line())
    document["quality"]["unreadable"] = [f"image-{at}: cut" for at in range(unreadable)]
    for arms in (document["quality"]["scores"], document["quality"]["outputs"]):
        arms.update({arm: values[unreadable:] for arm, values in arms.items()})
    assert isinstance(read_line(json.dumps(document).encode()).quality, Quality)
    document["quality"]["unreadable"].append("image-7: cut")
    with pytest.raises(BadRecord, match="every readable sample has a score: of 8 samples"):
        read_line(json.dumps(document).encode())


def test_a_clock_may_run_ahead_by_a_day() -> None:
    now = datetime.now(UTC)
    for hours, fine in ((23, True), (25, False)):
        started = (now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = make_record(samples=8, pairs=10, started=started).line().encode()
        if fine:
            assert read_line(line).started == started
        else:
            with pytest.raises(BadRecord, match="a time that has come"):
                read_line(line)


def test_text_is_kept_as_it_came() -> None:
    text = "<script>\"'\\ \u2028 é 𝄞 \x7f \\u0000"
    record = make_record(samples=8, pairs=10, suite=text)
    assert read_line(record.line().encode()).suite == text


@pytest.mark.parametrize("name", published.SCHEMAS)
def test_the_published_schema_is_that_of_the_model(name: str) -> None:
    assert (published.FOLDER / name).read_text(encoding="utf-8") == published.text(name)


@pytest.mark.parametrize("status", ["ok", "oom", "crash"])
def test_records_pass_the_published_schema(status: str) -> None:
    validator = Draft202012Validator(json.loads(published.text("record.schema.json")))
    validator.check_schema(validator.schema)
    document = json.loads(make_record(status=status, samples=8, pairs=10).line())
    assert list(validator.iter_errors(document)) == []
    document["cell"]["seed"] = "0"
    assert [error.json_path for error in validator.iter_errors(document)] == ["$.cell.seed"]
