"""The built site as files: links, budgets, bytes, and what hostile input becomes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from records import make_record
from sitepages import KINDS, SCRIPTS, Reader, hashes, links, page_of, reached
from tokonomy.errors import TokonomyError, UsageError
from tokonomy.store.database import open_store
from tokonomy.store.exchange import export
from tokonomy_site.build import build

KIB = 1024


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, Reader]:
    """Every page, parsed."""
    return {path: Reader(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_link_and_fragment_leads_somewhere(site: Path, read: dict[Path, Reader]) -> None:
    broken, followed = links(site, read)
    assert broken == []
    assert followed > 1000


def test_every_page_can_be_reached_from_the_first(site: Path, read: dict[Path, Reader]) -> None:
    assert reached(site, read) == {path.resolve() for path in read}


def test_addresses_outside_are_papers_and_repositories_only(read: dict[Path, Reader]) -> None:
    outside = {a for page in read.values() for a in page.addresses if urlsplit(a).scheme}
    strange = [
        address
        for address in outside
        if not address.startswith(
            ("https://arxiv.org/abs/", "https://github.com/", "data:image/png;base64,", "data:,")
        )
    ]
    assert strange == []
    assert any(address.startswith("https://arxiv.org/abs/") for address in outside)


def test_anchors_are_unique(read: dict[Path, Reader]) -> None:
    for path, page in read.items():
        assert len(page.ids) == len(set(page.ids)), path


def test_budgets(site: Path) -> None:
    boards = list((site / "leaderboard").glob("*.html"))
    assert boards
    for path in boards:
        raw = path.read_bytes()
        assert len(raw) <= 250 * KIB, path
        assert len(gzip.compress(raw)) <= 40 * KIB, path
        load = (
            raw + (site / "static/site.css").read_bytes() + (site / "static/tables.js").read_bytes()
        )
        assert len(load) <= 300 * KIB, path
        assert len(gzip.compress(load)) <= 80 * KIB, path
    assert (site / "static/tables.js").stat().st_size <= 4 * KIB
    assert max(path.stat().st_size for path in site.rglob("*.html")) <= 1.5 * KIB * KIB


def test_the_widest_board_stays_within_its_budget(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(
            make_record(method=f"method-{m}", params={"keep": k}, keep=1 - k / 40, samples=40)
            for m in range(30)
            for k in range(1, 12)
        )
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    boards = sorted((tmp_path / "dist/leaderboard").glob("*.html"))
    assert len(boards) == 3  # 330 rows
    assert sum(path.read_text().count('<tr id="r') for path in boards) == 330
    for path in boards:
        raw = path.read_bytes()
        assert len(raw) <= 250 * KIB
        assert len(gzip.compress(raw)) <= 40 * KIB


def test_the_same_database_gives_the_same_bytes(site: Path, database: Path, tmp_path: Path) -> None:
    code = "import sys; from tokonomy_site.build import build; from pathlib import Path; "
    code += "build(sys.argv[1], None, Path(sys.argv[2]))"
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = [sys.executable, "-c", code, str(database), str(tmp_path / "again")]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert hashes(tmp_path / "again") == hashes(site)


def test_the_database_is_left_as_it_was(database: Path, tmp_path: Path) -> None:
    before = database.read_bytes()
    with open_store(database, create=False) as store:
        export(store, tmp_path / "extra.jsonl", method="tome")
    build(str(database), tmp_path / "extra.jsonl", tmp_path / "dist")
    assert database.read_bytes() == before


def test_without_a_database_the_published_records_are_shown(
    site: Path, database: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    folder.mkdir()
    with open_store(database, create=False) as store:
        export(store, folder / "all.jsonl")
    build(str(tmp_path / "missing.sqlite"), folder, tmp_path / "dist")
    assert not (tmp_path / "missing.sqlite").exists()
    made, first = hashes(tmp_path / "dist"), hashes(site)
    differing = {name for name in first if made.get(name) != first[name]}
    assert differing <= {"data/tokonomy.sqlite", "data/SHA256SUMS", "data.html", "index.html"}


def test_nothing_to_publish_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to publish"):
        build(str(tmp_path / "no.sqlite"), tmp_path / "none", tmp_path / "dist")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_makes_a_site_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    build(str(tmp_path / "no.sqlite"), tmp_path / "records", tmp_path / "dist")
    text = (tmp_path / "dist/index.html").read_text(encoding="utf-8")
    assert "Nothing is measured yet" in text
    assert not (tmp_path / "dist/leaderboard").exists()


def test_a_database_that_cannot_be_written_can_be_published(
    site: Path, database: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "read-only.sqlite"
    copy.write_bytes(database.read_bytes())
    copy.chmod(0o444)
    build(str(copy), None, tmp_path / "dist")
    assert hashes(tmp_path / "dist") == hashes(site)


def test_a_failed_build_leaves_the_old_site(tmp_path: Path, database: Path) -> None:
    build(str(database), None, tmp_path / "dist")
    before = hashes(tmp_path / "dist")
    (tmp_path / "bad.jsonl").write_text('{"schema_version": 1}\n')
    with pytest.raises(TokonomyError):
        build(str(database), tmp_path / "bad.jsonl", tmp_path / "dist")
    assert hashes(tmp_path / "dist") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl", "dist"]


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, database: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds other files"):
        build(str(database), None, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_downloads_hold_what_their_sums_say(site: Path) -> None:
    sums = dict(
        reversed(line.split("  ")) for line in (site / "data/SHA256SUMS").read_text().splitlines()
    )
    assert sums == {k: v for k, v in hashes(site / "data").items() if k != "SHA256SUMS"}
    with sqlite3.connect(site / "data/tokonomy.sqlite") as connection:
        (runs,) = connection.execute("select count(*) from run").fetchone()
    lines = (site / "data/records.jsonl").read_text(encoding="utf-8").splitlines()
    table = list(csv.DictReader(io.StringIO((site / "data/runs.csv").read_text(encoding="utf-8"))))
    assert runs == len(lines) == len(table) == len(list((site / "run").glob("*.html")))
    ids = {row["run_id"] for row in table}
    assert {json.loads(line)["run_id"] for line in lines} == ids
    assert ids == {path.stem for path in (site / "run").glob("*.json")}
    page = (site / "data.html").read_text(encoding="utf-8")
    told = {re.sub("_(low|high|reason)$", "", name) for name in table[0]}
    assert [name for name in told if f">{name}<" not in page] == []


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>{{7*7}}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site made from records that try to get out of their place."""
    folder = tmp_path_factory.mktemp("hostile")
    cells = [
        {"method": {"id": f"../../{EVIL}", "params": {EVIL: EVIL}, "source_hash": "0" * 64}},
        {"family": EVIL},
        {"device": f"cpu:{EVIL}"},
    ]
    flags = [{"code": EVIL, "detail": EVIL}]
    with open_store(folder / "a.sqlite") as store:
        for index, cell in enumerate(cells):
            store.add(make_record(seed=index, cell=cell, flags=flags, samples=40))
        crash = {
            "reason": EVIL,
            "detail": EVIL,
            "log": f"{EVIL}\x1b[31mred\x07\r\n=cmd|' /C calc'!A0",
        }
        task = make_record().cell.task.model_dump() | {"id": "=1+1", "ref": f"../../../etc/{EVIL}"}
        store.add(make_record(status="crash", cell={"task": task}, **crash))
        store.add(make_record(seed=9, samples=40, suite="=HYPERLINK(1)"))
    build(str(folder / "a.sqlite"), None, folder / "dist")
    return folder / "dist"


def test_hostile_records_add_no_element_and_no_address(hostile: Path) -> None:
    pages = list(hostile.rglob("*.html"))
    assert len([page for page in pages if page.parent.name == "run"]) == 5
    mentioned = 0
    for path in pages:
        text = path.read_text(encoding="utf-8")
        page = Reader(text)
        mentioned += "&lt;script&gt;alert(1)" in text
        for tag, attributes in page.tags:
            assert not [name for name in attributes if name.startswith("on")], path
            assert tag != "img" or str(attributes["src"]).startswith("data:image/png;base64,")
            source = str(attributes.get("src", "")).removeprefix("../")
            assert tag != "script" or source in SCRIPTS, path
            assert "style" not in attributes
        assert {a for a in page.addresses if a.startswith(("javascript:", "http:", "//"))} == set()
    assert mentioned >= 5


def test_hostile_names_stay_inside_the_site(hostile: Path) -> None:
    assert sorted(path.name for path in hostile.parent.iterdir() if path.suffix != "") == [
        "a.sqlite"
    ]
    for path in hostile.rglob("*"):
        assert all(c.isalnum() or c in "-." for c in path.name) or path.name == "SHA256SUMS"


def test_logs_lose_control_characters(hostile: Path) -> None:
    text = next(
        t for p in (hostile / "run").glob("*.html") if "calc" in (t := p.read_text("utf-8"))
    )
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[31mred" in text


def test_no_spreadsheet_takes_a_cell_for_a_formula(hostile: Path) -> None:
    text = (hostile / "data/runs.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    cells = [cell for row in rows for cell in row]
    assert "'=1+1" in cells
    risky = [c for c in cells if c.startswith(("=", "+", "@", "\t", "\r"))]
    assert risky == []
    for cell in cells:
        if cell.startswith("-"):
            float(cell)


def test_hostile_pages_run_nothing(hostile: Path, visit: object) -> None:
    visitor = visit()  # type: ignore[operator]
    visitor.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for path in hostile.rglob("*.html"):
        visitor.go(path)
    assert visitor.said == []
    assert [url for url in visitor.asked if not url.startswith(("file:", "data:"))] == []


def test_every_page_forbids_what_it_does_not_need(read: dict[Path, Reader]) -> None:
    for path, page in read.items():
        policy = [
            str(a.get("content"))
            for tag, a in page.tags
            if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
        ]
        assert len(policy) == 1, path
        assert "default-src 'none'" in policy[0]
        assert "unsafe" not in policy[0]


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_each_kind_of_page_is_there(site: Path, kind: str) -> None:
    assert "<h1>" in page_of(kind, site).read_text(encoding="utf-8")
