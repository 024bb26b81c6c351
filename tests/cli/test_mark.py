"""``results mark``: statements are added to a file that only grows, and to the database."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from records import make_record
from tokonomy.cli.marking import append
from tokonomy.cli.results import results
from tokonomy.errors import StoreReadOnly
from tokonomy.store.database import open_store
from tokonomy.store.statements import Statement, digest, read_statement

RECORD = make_record(samples=8, pairs=10)
LINK = "https://github.com/someone/thing/issues/1"
WHY = ("--reason", "because", "--link", LINK)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A database with one run."""
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(RECORD)
    return tmp_path


def run(place: Path, *words: str) -> Result:
    return CliRunner().invoke(results, [*words, "--db", str(place / "a.sqlite")])


def marked(place: Path, *words: str, run_id: str = RECORD.run_id[:8]) -> Result:
    return run(place, "mark", run_id, *words, "--by", "someone", "--file",
               str(place / "said" / "all.jsonl"))  # fmt: skip


def lines(place: Path) -> list[Statement]:
    text = (place / "said" / "all.jsonl").read_bytes()
    assert text.endswith(b"\n")
    return [read_statement(line) for line in text.splitlines()]


def test_what_is_said_is_in_the_file_and_in_the_database(place: Path) -> None:
    assert marked(place, "signed-off").exit_code == 0
    assert marked(place, "disputed", *WHY).exit_code == 0
    first, second = lines(place)
    assert (first.says, second.says, second.reason, second.link) == (
        "signed-off", "disputed", "because", LINK,
    )  # fmt: skip
    assert first.record_sha256 == digest(RECORD)
    with open_store(place / "a.sqlite", create=False) as store:
        assert sorted(each.says for each in store.statements()) == ["disputed", "signed-off"]
        assert store.run(RECORD.run_id) == RECORD
    shown = run(place, "show").stdout
    assert "disputed, ok" in shown
    (facts,) = json.loads(run(place, "show", "--json").stdout)
    assert {each["says"] for each in facts["statements"]} == {"disputed", "signed-off"}


def test_what_was_said_travels(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    marked(place, "withdrawn", *WHY)
    other = tmp_path_factory.mktemp("other")
    assert run(place, "export", str(other / "r.jsonl")).exit_code == 0
    done = run(place, "export", "--statements", str(other / "s.jsonl"))
    assert "1 statements in" in done.stderr
    taken = run(other, "import", str(other))
    assert "1 records added, 1 statements added, 0 were there" in taken.stderr
    assert (other / "s.jsonl").read_text() == (place / "said" / "all.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("disputed",), "needs --reason and --link"),
        (("disputed", "--reason", "x"), "needs --link"),
        (("withdrawn",), "needs --reason"),
        (("verified",), "needs --reason"),
        (("disputed", "--reason", "x", "--link", "javascript:x"), "link"),
        (("withdrawn", "--reason", "two\nlines"), "one line"),
        (("fine",), "'fine' is not one of"),
    ],
)
def test_what_may_not_be_said_leaves_nothing(
    place: Path, words: tuple[str, ...], message: str
) -> None:
    done = marked(place, *words)
    assert done.exit_code != 0
    assert message in f"{done.exception} {done.stderr}"
    assert not (place / "said").exists()
    with open_store(place / "a.sqlite", create=False) as store:
        assert store.statements() == []


def test_a_run_that_is_not_there(place: Path) -> None:
    done = marked(place, "signed-off", run_id="0" * 32)
    assert "no such run" in str(done.exception)
    assert not (place / "said").exists()


def test_a_run_of_published_records_needs_no_database(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(RECORD.line() + "\n")
    words = ["mark", RECORD.run_id[:6], "signed-off", "--by", "someone"]
    words += ["--records", str(tmp_path / "r.jsonl"), "--file", str(tmp_path / "said/all.jsonl")]
    for _ in range(2):
        assert CliRunner().invoke(results, [*words, "--db", "none.sqlite"]).exit_code == 0
    assert len(lines(tmp_path)) == 2
    assert not Path("none.sqlite").exists()
    words[1] = "0" * 32
    assert "no such run" in str(CliRunner().invoke(results, words).exception)


def said(by: str = "someone") -> Statement:
    return Statement(run_id=RECORD.run_id, record_sha256="0" * 64, says="signed-off", by=by,
                     at="2026-03-01T00:00:00Z")  # fmt: skip


def test_a_file_that_cannot_be_written_keeps_the_database_as_it_was(place: Path) -> None:
    (place / "said").write_text("in the way")
    done = marked(place, "signed-off")
    assert isinstance(done.exception, StoreReadOnly)
    with open_store(place / "a.sqlite", create=False) as store:
        assert store.statements() == []


def test_a_last_line_without_end_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(said("first").line())
    append(path, said("second"))
    assert [json.loads(line)["by"] for line in path.read_text().splitlines()] == ["first", "second"]


def _many(path: Path, name: str) -> None:
    for at in range(50):
        append(path, said(f"{name}-{at}"))


def test_two_who_append_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    fork = multiprocessing.get_context("fork")
    both = [fork.Process(target=_many, args=(path, name)) for name in ("a", "b")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    found = [json.loads(line)["by"] for line in path.read_text().splitlines()]
    assert sorted(found) == sorted(f"{name}-{at}" for name in "ab" for at in range(50))
    for name in "ab":
        mine = [each for each in found if each.startswith(name)]
        assert mine == [f"{name}-{at}" for at in range(50)]


def test_a_disk_that_is_full_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    append(path, said())
    before = path.read_bytes()

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, len(before) + 20))

    code = (
        "import sys; from pathlib import Path; from tokonomy.cli.marking import append; "
        "from tokonomy.store.statements import Statement; "
        "append(Path(sys.argv[1]), Statement.model_validate_json(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), said("second").line()],
        preexec_fn=limited, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "StoreReadOnly" in done.stderr
    assert path.read_bytes() == before
