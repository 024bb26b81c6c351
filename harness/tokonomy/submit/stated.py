"""Which runs of whom a change says something of: what a reviewer of statements must know.

Anyone may offer a statement that doubts or takes back anyone's run, under any name. Whether it is
theirs to say, only who merges it can tell: by who committed it, and who committed the run.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tokonomy.errors import BadRecord
from tokonomy.store.git import FILE, content, deltas, done, resolved, tree
from tokonomy.store.statements import Statement, read_statement
from tokonomy.submit.reading import RECORDS, STATEMENTS, run_of

_SHOWN, _MOST, _RANGES = 5, 50, 100
_ID = re.compile(r"[0-9a-f]{32}")
_BLAMED = re.compile(r"([0-9a-f]{40}) \d+ (\d+)")

Place = tuple[str, int]
"""A file and a line of it, from 1."""


def stated(root: Path, before: str, after: str) -> list[str]:
    """A sentence for all that somebody newly says of runs in one file of one author.

    Args:
        root: A folder of the repository.
        before: The revision that was published.
        after: The revision that would be; both are read from git alone.

    Raises:
        UsageError: A revision names no commit.
    """
    said = list(_new(root, before, after))
    places = _places(root, after, {each.run_id for each, _ in said})
    authors = _authors(root, after, {*places.values(), *(place for _, place in said)})
    found: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for each, place in said:
        where, run = "in no file of records", places.get(each.run_id)
        if run:
            shown = run[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            where = f"in {shown}, by {authors[run]}"
        found[each.by, each.says, where, authors[place]].append(each.run_id[:12])
    told = [_sentence(*key, sorted(runs)) for key, runs in sorted(found.items())]
    return told if len(told) <= _MOST else [*told[:_MOST], f"and {len(told) - _MOST} more"]


def _sentence(by: str, says: str, where: str, adder: str, runs: list[str]) -> str:
    more = f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
    told = f"{by!r} says {says!r} of {', '.join(runs[:_SHOWN])}{more}, published {where}"
    return f"{told}; added by {adder}"


def _new(root: Path, before: str, after: str) -> Iterator[tuple[Statement, Place]]:
    """Statements that are at the second revision alone; what is none is told by the rules."""
    for each in deltas(root, before, after, [STATEMENTS]):
        was, now = ((content(root, blob) if mode == FILE else b"") or b""
                    for mode, blob in zip(each.modes, each.blobs, strict=True))  # fmt: skip
        known = set(was.split(b"\n"))
        for number, line in enumerate(now.split(b"\n"), 1):
            if line.strip() and line not in known:
                try:
                    yield read_statement(line), (each.path, number)
                except BadRecord:
                    continue


def _places(root: Path, revision: str, runs: set[str]) -> Mapping[str, Place]:
    """Where runs are; a line is read only if one of them is named in it."""
    found: dict[str, Place] = {}
    for entry in tree(root, revision, [RECORDS]) if runs else ():
        held = content(root, entry.blob) if entry.mode == FILE else None
        for number, line in enumerate((held or b"").decode(errors="replace").split("\n"), 1):
            run = run_of(line) if not runs.isdisjoint(_ID.findall(line)) else None
            if run in runs:
                found.setdefault(run, (entry.path, number))
    return found


def _authors(root: Path, revision: str, places: Iterable[Place]) -> Mapping[Place, str]:
    """Who committed lines, as the commits say."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for path, number in places:
        numbers[path].append(number)
    return {(path, number): name for path, some in numbers.items()
            for number, name in _blamed(root, revision, path, some).items()}  # fmt: skip


def _blamed(root: Path, revision: str, path: str, numbers: Sequence[int]) -> Mapping[int, str]:
    """The same of one file, of these lines at least."""
    ranges = [f"-L{number},{number}" for number in numbers] if len(numbers) <= _RANGES else []
    words = ["blame", "--porcelain", *ranges, resolved(root, revision), "--", path]
    names: dict[str, str] = {}
    lines: dict[int, str] = {}
    commit = ""
    for line in done(root, words).decode(errors="replace").split("\n"):
        if match := _BLAMED.match(line):
            commit, lines[int(match[2])] = match[1], match[1]
        elif line.startswith("author "):
            names[commit] = line.removeprefix("author ")
    return {number: names[commit] for number, commit in lines.items()}
