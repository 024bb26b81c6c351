"""``compare``: two runs, of which one without figures is told so; two sets, which are a gate."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from records import make_gpu_record, make_record
from tokonomy.cli.compare import compare
from tokonomy.store.database import open_store
from tokonomy.store.record import Record

GOOD = make_record(method="tome")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (GOOD.model_copy(update={"status": "invalid", "reason": "thr\x1b[31mottled",
                                 "run_id": "f" * 32}), "thr[31mottled"),
        (make_gpu_record(cell={"device_class": "cuda: scripted GPU"}), "scripted-device"),
    ],
)  # fmt: skip
def test_a_run_without_figures_is_named(tmp_path: Path, bad: Record, why: str) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all([GOOD, bad])
    words = [GOOD.run_id, bad.run_id, "--db", str(tmp_path / "a.sqlite")]
    said = CliRunner().invoke(compare, words).stdout
    assert f"the second run has no figures: {why}\n" in said
    assert said.count(f"not comparable ({why})") == 2
    assert "\x1b" not in said
    found = json.loads(CliRunner().invoke(compare, [*words, "--json"]).stdout)
    assert found["withheld"] == [None, bad.reason or "scripted-device"]
    assert (found["difference"]["value"], found["latency_ratio"]["value"]) == (None, None)


def tokonomy(*words: str) -> Any:
    return CliRunner().invoke(compare, list(words))


def exits(*words: str) -> tuple[int, str]:
    """The exit code of the whole command line, and what it said."""
    found = subprocess.run(
        [sys.executable, "-c", "from tokonomy.cli import main; main()", "compare", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in found.stderr
    return found.returncode, found.stdout + found.stderr


SMALL = {"samples": 60, "pairs": 40}
OLD = [make_record(attempt=at, latency_ratio=0.7, **SMALL) for at in range(3)]
SAME = make_record(attempt=9, latency_ratio=0.7, **SMALL)
SLOW = make_record(attempt=9, latency_ratio=0.95, **SMALL)
FAST = make_record(attempt=9, latency_ratio=0.5, **SMALL)


def shelf(path: Path, *records: Record) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(each.line() + "\n" for each in records))
    return str(path)


@pytest.mark.parametrize(
    ("new", "code", "shown"),
    [(SAME, 0, None), (SLOW, 1, "regressed"), (FAST, 0, "improved")],
)
def test_two_sets_are_a_gate(tmp_path: Path, new: Record, code: int, shown: str | None) -> None:
    a, b = shelf(tmp_path / "a.jsonl", *OLD), shelf(tmp_path / "b.jsonl", new)
    found = tokonomy(a, b)
    assert found.exit_code == code
    assert "1 cells compared" in found.stdout
    lines = [line for line in found.stdout.splitlines() if "latency_ratio" in line]
    assert [shown in line for line in lines] == ([True] if shown else [])
    everything = tokonomy(a, b, "--all").stdout
    assert "no detectable difference" in everything
    assert everything.count("top-k keep_ratio") > found.stdout.count("top-k keep_ratio")
    printed = json.loads(tokonomy(a, b, "--json").stdout)
    row = next(each for each in printed["rows"] if each["figure"] == "latency_ratio")
    assert row["decision"] == (shown or "no detectable difference")
    assert 0 <= row["p"] <= row["p_adjusted"] <= 1
    assert (row["basis"], row["runs"][1]) == ("own history of 3 sittings", new.run_id)
    assert row["half_width"] == pytest.approx(math.sqrt(row["high"] / row["low"]))
    told = " ".join(tokonomy(a, b, "--all").stdout.split())
    assert (f"; half the interval's width is x{row['half_width']:.4f}" in told) == (shown is None)


def test_the_share_of_false_alarms_is_told_where_something_was_tested(tmp_path: Path) -> None:
    a, b = shelf(tmp_path / "a.jsonl", *OLD), shelf(tmp_path / "b.jsonl", SAME)
    assert "at most 5% of the changes that were tested are expected" in tokonomy(a, b).stdout
    bad = make_record(attempt=9, status="oom", **SMALL)
    said = tokonomy(a, shelf(tmp_path / "c.jsonl", bad)).stdout
    assert "regressed" in said
    assert "expected" not in said


def test_two_runs_say_of_latency_what_the_interval_does_not_know(tmp_path: Path) -> None:
    db = str(tmp_path / "a.sqlite")
    with open_store(db) as store:
        store.add_all([OLD[0], SAME])
    lines = tokonomy(OLD[0].run_id, SAME.run_id, "--db", db).stdout.splitlines()
    (at,) = [at for at, line in enumerate(lines) if line.startswith("latency, second over first")]
    assert "no detectable difference" not in lines[at]
    assert "within the runs only; sittings may differ by more" in lines[at + 1]


def test_a_gate_that_measured_nothing_fails(tmp_path: Path) -> None:
    a = shelf(tmp_path / "a.jsonl", *OLD)
    other = shelf(tmp_path / "b.jsonl", make_record(method="tome", **SMALL))
    empty = shelf(tmp_path / "c.jsonl")
    for second in (a, other, empty):
        code, said = exits(a, second)
        assert (code, "nothing was compared" in said) == (1, True)


def test_further_history_is_read(tmp_path: Path) -> None:
    a, b = shelf(tmp_path / "a.jsonl", OLD[-1]), shelf(tmp_path / "b.jsonl", SLOW)
    alone = json.loads(tokonomy(a, b, "--json").stdout)["rows"]
    assert {row["basis"] for row in alone} <= {"within the runs only", "exact", ""}
    assert "figures were compared within the runs only" in tokonomy(a, b).stdout
    more = shelf(tmp_path / "more" / "old.jsonl", *OLD)
    known = json.loads(tokonomy(a, b, "--json", "--history", str(Path(more).parent)).stdout)["rows"]
    assert "own history of 3 sittings" in {row["basis"] for row in known}


def test_a_database_a_folder_and_a_revision_are_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shelf(tmp_path / "results/records/old.jsonl", *OLD)
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    shelf(tmp_path / "results/records/new.jsonl", SLOW)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "y")
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all([*OLD, SLOW])
    sets = ("trunk", "git:HEAD", "results/records", "file:results/records/new.jsonl", "a.sqlite",
            "db:a.sqlite", "sqlite:///a.sqlite")  # fmt: skip
    for second in sets:
        code, said = exits("HEAD~1", second)
        assert (code, "1 cells compared" in said) == (1, True), (second, said)
    (tmp_path / "trunk").mkdir()
    code, said = exits("trunk", "HEAD")
    assert (code, "write file:trunk or git:trunk" in said) == (2, True)


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_links_and_broken_records_in_a_revision_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shelf(tmp_path / "results/records/old.jsonl", *OLD)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    (tmp_path / "results/records/link.jsonl").symlink_to("old.jsonl")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "y")
    (tmp_path / "results/records/link.jsonl").unlink()
    (tmp_path / "results/records/more.jsonl").write_text("{}\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "z")
    for revision, word in (("HEAD~1", "link.jsonl: expected a plain file"),
                           ("HEAD", "more.jsonl:1: record: ")):  # fmt: skip
        code, said = exits("HEAD~2", revision)
        assert (code, word in said) == (2, True), said
        assert len(said.splitlines()) == 1


def test_what_cannot_be_compared_is_usage(tmp_path: Path) -> None:
    a = shelf(tmp_path / "a.jsonl", *OLD)
    db = str(tmp_path / "a.sqlite")
    with open_store(db) as store:
        store.add_all(OLD)
    one, two = OLD[0].run_id, OLD[1].run_id
    for words, word in (
        ((one, a, "--db", db), "one of each"),
        ((one, two, "--db", db, "--all"), "for sets of records"),
        ((one, two, "--db", db, "--history", a), "for sets of records"),
        ((a, a, "--history", one), "expected a database"),
        ((a, str(tmp_path / "none.jsonl")), "there is none of this name"),
        ((a, "x" * 300 + "/y"), "there is none of this name"),
        ((a, "git:nowhere"), "no such revision"),
        ((a, "file:" + str(tmp_path / "none")), "cannot be read"),
        ((a, "db:" + str(tmp_path / "none")), "no such database"),
    ):
        code, said = exits(*words)
        assert (code, word in said) == (2, True), (words, said)


def test_a_run_may_be_named_as_one(tmp_path: Path) -> None:
    db = str(tmp_path / "a.sqlite")
    with open_store(db) as store:
        store.add_all(OLD)
    plain = tokonomy(OLD[0].run_id, OLD[1].run_id[:12], "--db", db)
    forced = tokonomy(f"run:{OLD[0].run_id}", f"run:{OLD[1].run_id}", "--db", db)
    assert plain.exit_code == forced.exit_code == 0
    assert plain.stdout == forced.stdout
