"""Which runs of whom a change says something of: what a reviewer of statements must know.

Anyone may offer a statement that doubts or takes back anyone's run. Whether it is theirs to say,
only who merges it can tell.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tokonomy.errors import BadRecord
from tokonomy.store.git import FILE, content, deltas, done, resolved, tree
from tokonomy.store.statements import Statement, read_statement
from tokonomy.submit.reading import RECORDS, RUN, STATEMENTS

_SHOWN, _MOST = 5, 50
_BLAMED = re.compile(r"([0-9a-f]{40}) \d+ (\d+)")


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
    places = _places(root, after, {each.run_id for each in said})
    authors = {path: _authors(root, after, path, [n for of, n in places.values() if of == path])
               for path in {path for path, _ in places.values()}}  # fmt: skip
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in said:
        path, number = places.get(each.run_id, ("", 0))
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        where = f"in {shown}, by {authors[path][number]}" if path else "in no file of records"
        found[each.by, each.says, where].append(each.run_id[:12])
    told = [_sentence(*key, sorted(runs)) for key, runs in sorted(found.items())]
    return told if len(told) <= _MOST else [*told[:_MOST], f"and {len(told) - _MOST} more"]


def _sentence(by: str, says: str, where: str, runs: list[str]) -> str:
    more = f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
    return f"{by} says {says!r} of {', '.join(runs[:_SHOWN])}{more}, published {where}"


def _new(root: Path, before: str, after: str) -> Iterator[Statement]:
    """Statements that are at the second revision alone; what is none is told by the rules."""
    for each in deltas(root, before, after, [STATEMENTS]):
        was, now = (content(root, blob) if mode == FILE else b""
                    for mode, blob in zip(each.modes, each.blobs, strict=True))  # fmt: skip
        known = set((was or b"").splitlines())
        for line in (now or b"").splitlines():
            if line.strip() and line not in known:
                try:
                    yield read_statement(line)
                except BadRecord:
                    continue


def _places(root: Path, revision: str, runs: set[str]) -> Mapping[str, tuple[str, int]]:
    """File and line, from 1, of runs; told by the text alone."""
    found: dict[str, tuple[str, int]] = {}
    for entry in tree(root, revision, [RECORDS]) if runs else ():
        held = content(root, entry.blob) if entry.mode == FILE else None
        for number, line in enumerate((held or b"").decode(errors="replace").split("\n"), 1):
            match = RUN.search(line)
            if match and match[1] in runs:
                found.setdefault(match[1], (entry.path, number))
    return found


def _authors(root: Path, revision: str, path: str, numbers: Iterable[int]) -> Mapping[int, str]:
    """Who committed lines of a file, as the commits say."""
    ranges = [f"-L{number},{number}" for number in numbers]
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
