"""Levels of trust on pages: what is doubted stays, says so, and is on no front."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from records import make_record
from tokonomy.errors import BadRecord
from tokonomy.store.database import open_store
from tokonomy.store.exchange import import_files
from tokonomy.store.record import Record
from tokonomy.store.statements import LEVELS, Statement, digest
from tokonomy_site.build import build

LINK = "https://github.com/someone/thing/issues/1"
KEEPS = (0.9, 0.7, 0.5, 0.3)


def made(keep: float, attempt: int = 0, method: str = "made-up") -> Record:
    """One of a curve of which every point is on the front; not installed, so never stale."""
    return make_record(method=method, params={"keep": keep}, keep=keep, samples=200, pairs=40,
                       attempt=attempt, accuracy=0.5 + keep / 3, latency_ratio=keep)  # fmt: skip


WITHDRAWN, DISPUTED, VERIFIED, PLAIN = (made(keep) for keep in KEEPS)
OLD, AGAIN = made(0.2), made(0.2, attempt=1)
EVERY = (WITHDRAWN, DISPUTED, VERIFIED, PLAIN, OLD, AGAIN, made(1.0, method="reference"))


def said(record: Record, what: Any, **fields: Any) -> str:
    told = {"by": "some<b>one", "at": "2026-03-01T00:00:00Z", "reason": "be<i>cause"} | fields
    return Statement(run_id=record.run_id, record_sha256=digest(record), says=what, **told).line()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a run of every level."""
    folder = tmp_path_factory.mktemp("trusted")
    with open_store(folder / "a.sqlite") as store:
        store.add_all(EVERY)
    shelf = folder / "statements"
    shelf.mkdir()
    lines = [
        said(WITHDRAWN, "withdrawn"),
        said(DISPUTED, "signed-off", reason=None),
        said(DISPUTED, "disputed", link=LINK),
        said(VERIFIED, "verified"),
        said(VERIFIED, "signed-off", reason=None),
        said(made(0.99), "withdrawn"),  # of a run that is not shown
    ]
    (shelf / "all.jsonl").write_text("\n".join(lines) + "\n")
    build(str(folder / "a.sqlite"), None, folder / "dist", statements=shelf)
    return folder / "dist"


def page(site: Path, record: Record) -> str:
    return read(site / "run" / f"{record.run_id}.html")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("&#39;", "'")


def row(site: Path, record: Record) -> str:
    """The record's row on the leaderboard."""
    text = (site / "leaderboard/vision.html").read_text(encoding="utf-8")
    (found,) = re.findall(rf"<tr id=(?:(?!<tr ).)*{record.run_id}(?:(?!<tr ).)*", text, re.S)
    return str(found)


@pytest.mark.parametrize(
    ("record", "level"),
    [(WITHDRAWN, "withdrawn"), (DISPUTED, "disputed"), (VERIFIED, "verified"),
     (PLAIN, "self-reported"), (OLD, "superseded"), (AGAIN, "self-reported")],
)  # fmt: skip
def test_every_run_says_its_level(trusted: Path, record: Record, level: str) -> None:
    assert f"{level[0].upper()}{level[1:]}: {LEVELS[level]}." in page(trusted, record)  # type: ignore[index]
    assert 'href="../methodology.html#trust"' in page(trusted, record)
    lines = csv.DictReader(io.StringIO((trusted / "data/runs.csv").read_text(encoding="utf-8")))
    assert {each["trust"] for each in lines if each["run_id"] == record.run_id} == {level}


def test_who_said_what_and_why_is_told_as_text(trusted: Path) -> None:
    text = page(trusted, DISPUTED)
    assert "Disputed (some&lt;b&gt;one, 2026-03-01 00:00): be&lt;i&gt;cause" in text
    assert f'<a href="{LINK}">' in text
    assert "Signed off by the author (some&lt;b&gt;one, 2026-03-01 00:00)." in text
    assert "Withdrawn (some&lt;b&gt;one" in page(trusted, WITHDRAWN)
    assert "Reproduced by maintainers (some&lt;b&gt;one" in page(trusted, VERIFIED)


def test_doubted_rows_stay_and_say_so(trusted: Path) -> None:
    assert '<span class="tag warn">disputed</span>' in row(trusted, DISPUTED)
    for record, level in ((VERIFIED, "verified"), (PLAIN, "self-reported")):
        assert level in row(trusted, record)
        assert "withdrawn" not in row(trusted, record)
    assert "signed off" in row(trusted, VERIFIED)


def test_a_withdrawn_run_is_in_no_table_of_results_and_keeps_its_page(trusted: Path) -> None:
    assert WITHDRAWN.run_id not in read(trusted / "leaderboard/vision.html")
    assert WITHDRAWN.run_id in read(trusted / "method/made-up.html")


def test_doubted_points_are_drawn_and_on_no_front(trusted: Path) -> None:
    text = (trusted / "leaderboard/vision.html").read_text(encoding="utf-8")
    marks = re.findall(r'<a href="#(r\d+)" aria-label="([^"]*)"', text)
    for record, doubted in ((DISPUTED, True), (VERIFIED, False)):
        (name,) = re.findall(r'id="(r\d+)"', row(trusted, record))
        labels = [label for href, label in marks if href == name]
        assert labels
        for label in labels:
            assert ("on the front" in label) != doubted
            assert (", disputed" in label) == doubted


@pytest.mark.parametrize("what", ["withdrawn", "disputed"])
def test_a_doubt_takes_a_run_from_the_board_and_leaves_the_one_before(
    tmp_path: Path, what: str
) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(EVERY)
    (tmp_path / "said.jsonl").write_text(said(AGAIN, what, link=LINK) + "\n")
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist",
          statements=tmp_path / "said.jsonl")  # fmt: skip
    site = tmp_path / "dist"
    assert row(site, OLD)  # it counts again
    assert "all self-reported" in read(site / "leaderboard/vision.html")
    assert AGAIN.run_id not in read(site / "leaderboard/vision.html")
    assert AGAIN.run_id in read(site / "method/made-up.html")
    assert AGAIN.run_id in read(site / "history/made-up.html")
    feed = read(site / "feed.xml")
    assert f"{what.title()}: made-up keep 0.2 on" in feed
    assert f'href="run/{AGAIN.run_id}.html"' in feed
    counted = len(EVERY) - (what == "withdrawn")
    assert f", {counted} runs; newest result" in read(site / "index.html")


def test_a_newer_run_does_not_displace_a_verified_one(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(EVERY)
    lines = (said(OLD, "verified"), said(PLAIN, "disputed", link=LINK),
             said(PLAIN, "resolved", at="2026-03-02T00:00:00Z"),
             said(DISPUTED, "withdrawn"),
             said(DISPUTED, "reinstated", at="2026-03-02T00:00:00Z"))  # fmt: skip
    (tmp_path / "said.jsonl").write_text("\n".join(lines) + "\n")
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist",
          statements=tmp_path / "said.jsonl")  # fmt: skip
    site = tmp_path / "dist"
    assert "verified" in row(site, OLD)
    assert AGAIN.run_id not in read(site / "leaderboard/vision.html")
    assert f"Superseded: {LEVELS['superseded']}." in page(site, AGAIN)
    assert f'href="{OLD.run_id}.html"' in page(site, AGAIN)
    assert "Another run stands" not in page(site, OLD)
    assert "Dispute settled: made-up keep 0.3 on" in read(site / "feed.xml")
    assert "Reinstated: made-up keep 0.7 on" in read(site / "feed.xml")
    assert "Reinstated (some&lt;b&gt;one" in page(site, DISPUTED)
    with open_store(site / "data/tokonomy.sqlite", create=False) as store:
        assert {run.run_id for run in store.latest()} == {
            each.run_id for each in EVERY if each is not AGAIN
        }


def test_truths_of_the_table_are_written_as_its_page_says(trusted: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(read(trusted / "data/runs.csv"))))
    text = read(trusted / "data.html")
    kinds = re.findall(r">(current|embedded)</.*?<td[^>]*>(.*?)</td>", text, re.DOTALL)
    assert dict(kinds) == dict.fromkeys(("embedded", "current"), "True or False")
    for name, _ in kinds:
        assert {each[name] for each in lines} <= {"True", "False"}
    assert {each["run_id"] for each in lines if each["current"] == "False"} == {
        WITHDRAWN.run_id, OLD.run_id
    }  # fmt: skip


def test_what_was_said_is_among_the_downloads(trusted: Path) -> None:
    lines = (trusted / "data/statements.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5  # without the one of a run that is not shown
    assert "statements.jsonl" in (trusted / "data/SHA256SUMS").read_text()
    assert 'href="data/statements.jsonl"' in (trusted / "data.html").read_text(encoding="utf-8")


def test_the_method_page_lists_the_level_of_its_runs(trusted: Path) -> None:
    text = (trusted / "method/made-up.html").read_text(encoding="utf-8")
    assert {"withdrawn", "disputed", "superseded"} <= set(re.findall(r">([a-z]+)<", text))


def test_every_level_is_explained(trusted: Path) -> None:
    text = read(trusted / "methodology.html")
    assert all(meaning in text for meaning in LEVELS.values())


def test_a_statement_about_another_record_of_a_run_stops_the_build(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(PLAIN)
    other = PLAIN.model_copy(update={"suite": "changed"})
    (tmp_path / "said.jsonl").write_text(said(other, "withdrawn"))
    with pytest.raises(BadRecord, match=r"said\.jsonl:1: statement: is about another record"):
        build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist",
              statements=tmp_path / "said.jsonl")  # fmt: skip
    assert not (tmp_path / "dist").exists()


def test_statements_in_a_database_are_shown_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(f"{PLAIN.line()}\n{said(PLAIN, 'withdrawn')}\n")
    with open_store(tmp_path / "a.sqlite") as store:
        import_files(store, [tmp_path / "r.jsonl"])
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    assert "Withdrawn: taken back" in page(tmp_path / "dist", PLAIN)


def test_levels_filter_the_table(trusted: Path, visit: Any) -> None:
    visitor = visit()
    shown = visitor.go(trusted / "leaderboard/vision.html")
    shown.select_option("select[name=trust]", "disputed")
    assert shown.locator("table.live tbody tr").count() == 1
    assert "trust=disputed" in shown.url
    assert "1 of 5 shown" in shown.locator(".state").inner_text()
    assert visitor.said == []


def test_levels_can_be_read_by_all(trusted: Path, visit: Any) -> None:
    visitor = visit(bypass_csp=True)
    for path in ("leaderboard/vision.html", f"run/{DISPUTED.run_id}.html", "methodology.html"):
        assert visitor.faults(trusted / path) == []
