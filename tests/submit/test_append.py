"""What was published stays: files of records and statements only grow."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from records import make_record
from tokonomy.errors import UsageError
from tokonomy.store import git
from tokonomy.store.statements import Said, Statement, digest
from tokonomy.submit import append
from tokonomy.submit.append import changed
from tokonomy.submit.reading import Checkout
from tokonomy.submit.stated import stated

A, LATER = "results/records/a.jsonl", "results/records/later.jsonl"
SAID = "results/statements/said.jsonl"
LINES = "one\ntwo\nthree\n"


def run(root: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with published records and statements, at the tag ``base``."""
    run(tmp_path, "init", "-q")
    for name, text in ((A, LINES), (SAID, LINES), ("results/records/README.md", "About.\n")):
        write(tmp_path, name, text)
    return committed(tmp_path, "base")


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode())


def committed(root: Path, tag: str) -> Path:
    run(root, "add", "-A")
    run(root, "commit", "-q", "-m", "x")
    run(root, "tag", tag)
    return root


def linked(root: Path, name: str = A) -> None:
    (root / name).rename(root / "elsewhere")
    (root / name).symlink_to(root / "elsewhere")


def nested(root: Path) -> None:
    """Another repository in place of the folder of records."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True)
    run(root, "rm", "-rq", "results/records")
    what = f"160000,{commit.stdout.decode().strip()},results/records"
    run(root, "update-index", "--add", "--cacheinfo", what)
    run(root, "commit", "-q", "-m", "x")
    run(root, "tag", "next")


REFUSED: dict[str, tuple[Callable[[Path], object], list[tuple[str, int, str]]]] = {
    "edit": (lambda root: write(root, A, "one\nTWO\nthree\n"), [(A, 2, "changed")]),
    "edit and growth": (lambda root: write(root, A, "one\ntwo\nTHREE\nfour\n"),
                        [(A, 3, "changed")]),
    "removal": (lambda root: write(root, A, "one\nthree\n"), [(A, 2, "changed")]),
    "removal at the end": (lambda root: write(root, A, "one\ntwo\n"), [(A, 3, "removed")]),
    "all removed": (lambda root: write(root, A, ""), [(A, 1, "removed")]),
    "reordered": (lambda root: write(root, A, "two\none\nthree\n"), [(A, 1, "changed")]),
    "put in front": (lambda root: write(root, A, "zero\n" + LINES), [(A, 1, "changed")]),
    "carriage returns": (lambda root: write(root, A, LINES.replace("\n", "\r\n")),
                         [(A, 1, "changed")]),
    "cut": (lambda root: write(root, A, LINES[:-1]), [(A, 3, "changed")]),
    "no end": (lambda root: write(root, A, LINES + "four"), [(A, 4, "does not end")]),
    "file removed": (lambda root: (root / A).unlink(), [(A, 0, "removed or renamed")]),
    "renamed": (lambda root: (root / A).rename(root / "results/records/b.jsonl"),
                [(A, 0, "removed or renamed")]),
    "moved away": (lambda root: (root / A).rename(root / "a.jsonl"),
                   [(A, 0, "removed or renamed")]),
    "link": (linked, [(A, 0, "is a link")]),
    "new link": (lambda root: (root / "results/records/b.jsonl").symlink_to("a.jsonl"),
                 [("results/records/b.jsonl", 0, "is a link")]),
    "link of another name": (lambda root: (root / "results/records/more").symlink_to("/tmp"),
                             [("results/records/more", 0, "is a link")]),
    "mode": (lambda root: (root / A).chmod(0o755), [(A, 0, "is an executable file")]),
    "statement": (lambda root: write(root, SAID, "one\n"), [(SAID, 2, "removed")]),
    "two files": (lambda root: [write(root, A, "x\n"), write(root, SAID, "one\nx\n")],
                  [(A, 1, "changed"), (SAID, 2, "changed")]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_published_is_not_touched(place: Path, name: str) -> None:
    edit, expected = REFUSED[name]
    edit(place)
    committed(place, "next")
    found = changed(place, "base", "next")
    assert [(each.path, each.line) for each in found] == [(path, at) for path, at, _ in expected]
    assert all(each.rule == append.RULE for each in found)
    assert all(word in each.text for each, (_, _, word) in zip(found, expected, strict=True))


def test_another_repository_is_no_place_for_records(place: Path) -> None:
    nested(place)
    found = {(each.path, each.text) for each in changed(place, "base", "next")}
    assert ("results/records", "is another repository; expected a plain file") in found
    assert (A, "was published, and is removed or renamed") in found


@pytest.mark.parametrize(
    "edit",
    [
        lambda root: write(root, A, LINES + "four\nfive\n"),
        lambda root: write(root, SAID, LINES + "four\n"),
        lambda root: write(root, "results/records/new/b.jsonl", LINES),
        lambda root: write(root, "results/records/\tä\n.jsonl", LINES),
        lambda root: write(root, "results/records/README.md", "Other words.\n"),
        lambda root: write(root, "methods/a.py", "x = 1\n"),
    ],
)
def test_growth_and_all_else_is_fine(place: Path, edit: Callable[[Path], object]) -> None:
    edit(place)
    committed(place, "next")
    assert changed(place, "base", "next") == []
    assert changed(place, "next", "next") == []


def test_a_last_line_without_end_may_be_ended_but_not_continued(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    write(tmp_path, A, "one\ntwo")
    committed(tmp_path, "base")
    for tag, text in (("ended", "one\ntwo\nthree\n"), ("continued", "one\ntwo-and-a-half\n")):
        write(tmp_path, A, text)
        committed(tmp_path, tag)
    assert changed(tmp_path, "base", "ended") == []
    (found,) = changed(tmp_path, "base", "continued")
    assert (found.line, found.text) == (2, "was published, and is changed")


def test_names_are_taken_as_they_are(place: Path) -> None:
    """A file that is called like a pattern is that file, and unprintable names do no harm."""
    odd = "results/records/*\x1b[31m.jsonl"
    write(place, odd, LINES)
    committed(place, "odd")
    write(place, odd, "one\n")
    committed(place, "next")
    assert [(each.path, each.line) for each in changed(place, "odd", "next")] == [(odd, 2)]


def test_a_file_too_large_to_check_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, A, LINES + "four\n")
    committed(place, "next")
    monkeypatch.setattr(git.content, "__defaults__", (len(LINES),))
    (found,) = changed(place, "base", "next")
    assert found.text.startswith("is larger than")


@pytest.mark.parametrize("revision", ["nowhere", "--help", "-z", "", "base:results", "a\0b"])
def test_what_is_no_revision_is_said(place: Path, revision: str) -> None:
    for pair in ((revision, "base"), ("base", revision)):
        with pytest.raises(UsageError, match=r"git|no such revision"):
            changed(place, *pair)


def test_outside_of_a_repository_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such revision"):
        changed(tmp_path, "HEAD", "HEAD")


def test_whose_runs_new_statements_are_about_is_told(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    hers, his = (make_record(seed=seed, samples=8, pairs=10) for seed in (1, 2))

    def says(what: Said, run_id: str = hers.run_id) -> str:
        made = Statement(run_id=run_id, record_sha256=digest(hers), says=what, by="Mallory",
                         at="2026-01-01T00:00:00Z", reason="because",
                         link="https://example.org")  # fmt: skip
        return made.line() + "\n"

    write(tmp_path, A, hers.line() + "\n")
    run(tmp_path, "add", "-A")
    run(tmp_path, "commit", "-q", "-m", "x", "--author", "Her <her@example.org>")
    write(tmp_path, A, f"{hers.line()}\n{his.line()}\n")
    run(tmp_path, "add", "-A")
    run(tmp_path, "commit", "-q", "-m", "x", "--author", "Him <him@example.org>")
    write(tmp_path, SAID, says("signed-off"))
    committed(tmp_path, "base")
    assert stated(tmp_path, "base", "base") == []
    new = [says("withdrawn"), says("withdrawn", his.run_id), says("disputed", "0" * 32), "{}\n"]
    write(tmp_path, SAID, says("signed-off") + "".join(new))
    committed(tmp_path, "next")
    assert stated(tmp_path, "base", "next") == [
        "'Mallory' says 'disputed' of 000000000000, published in no file of records; added by A",
        f"'Mallory' says 'withdrawn' of {hers.run_id[:12]}, published in {A}, by Her; added by A",
        f"'Mallory' says 'withdrawn' of {his.run_id[:12]}, published in {A}, by Him; added by A",
    ]
    many = "".join(says("disputed", f"{each:032x}") for each in range(7))
    write(tmp_path, SAID, many)
    committed(tmp_path, "more")
    (told,) = stated(tmp_path, "next", "more")
    assert told.endswith("000000000000 and 1 more, published in no file of records; added by A")


def test_a_run_is_whose_record_it_is_and_a_statement_whose_commit(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    made = make_record(samples=8, pairs=10)
    params = {"id": "tome", "params": {"run_id": made.run_id}, "source_hash": "0" * 64}
    lying = make_record(seed=2, samples=8, pairs=10, cell={"method": params})
    for each, path, name in ((made, LATER, "Her"), (lying, A, "Eve")):
        write(tmp_path, path, each.line() + "\n")
        run(tmp_path, "add", "-A")
        run(tmp_path, "commit", "-q", "-m", "x", "--author", f"{name} <x@example.org>")
    run(tmp_path, "tag", "base")
    said = Statement(run_id=made.run_id, record_sha256=digest(made), says="withdrawn", by="Her",
                     at="2026-01-01T00:00:00Z", reason="because")  # fmt: skip
    write(tmp_path, SAID, said.line() + "\n")
    run(tmp_path, "add", "-A")
    run(tmp_path, "commit", "-q", "-m", "x", "--author", "Eve <x@example.org>")
    assert stated(tmp_path, "base", "HEAD") == [
        f"'Her' says 'withdrawn' of {made.run_id[:12]}, published in {LATER}, by Her; added by Eve"
    ]
    checkout = Checkout(tmp_path)
    assert checkout.runs == {lying.run_id: [f"{A}:1"], made.run_id: [f"{LATER}:1"]}
