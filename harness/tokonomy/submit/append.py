"""Append-only: what was published stays as it was, in its place; files only grow.

Of two commits. A file of records or statements at the first must be there at the second, plain and
under its name, and begin with the very same lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tokonomy.store.git import FILE, MAX_FILE, Delta, Entry, content, deltas, tree
from tokonomy.store.sources import PLACES
from tokonomy.submit.findings import Finding

RULE = "records-kept"

_NONE = "000000"
_KINDS = {"120000": "a link", "160000": "another repository", "100755": "an executable file"}


def changed(root: Path, before: str, after: str) -> list[Finding]:
    """What was published at one revision and is not there unchanged at another.

    Args:
        root: A folder of the repository.
        before: The revision that was published: of a pull request the commit that it is merged
            into, since what that branch got meanwhile would look removed.
        after: The revision that is to be published.

    Raises:
        UsageError: A revision names no commit.
    """
    return sorted(
        found for each in deltas(root, before, after, PLACES) for found in _delta(root, each)
    )


def kept(root: Path, before: str) -> list[Finding]:
    """The same, of a revision and the files as they lie in a checkout."""
    return sorted(found for each in tree(root, before, PLACES) for found in _lying(root, each))


def _lying(root: Path, each: Entry) -> Iterator[Finding]:
    if not each.path.endswith(".jsonl") or each.mode != FILE:
        return
    path = root / each.path

    def found(line: int, text: str) -> Finding:
        return Finding(path=each.path, line=line, rule=RULE, text=text)

    if path.is_symlink() or not path.is_file():
        yield found(0, "was published, and is removed, renamed or no plain file")
        return
    was = content(root, each.blob)
    if was is None or path.stat().st_size > MAX_FILE:
        yield found(0, f"is larger than {MAX_FILE} bytes, so it cannot be checked; begin a new one")
        return
    line, text = grown(was, path.read_bytes())
    if text:
        yield found(line, text)


def _delta(root: Path, each: Delta) -> Iterator[Finding]:
    old, new = each.modes
    if not each.path.endswith(".jsonl") and not {old, new} & {"120000", "160000"}:
        return

    def found(line: int, text: str) -> Finding:
        path = each.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return Finding(path=path, line=line, rule=RULE, text=text)

    if new == _NONE:
        yield found(0, "was published, and is removed or renamed")
        return
    if new != FILE:
        yield found(0, f"is {_KINDS.get(new, f'of mode {new}')}; expected a plain file")
        return
    was = b"" if old != FILE else content(root, each.blobs[0])
    now = content(root, each.blobs[1])
    if was is None or now is None:
        yield found(0, f"is larger than {MAX_FILE} bytes, so it cannot be checked; begin a new one")
        return
    line, text = grown(was, now)
    if text:
        yield found(line, text)


def grown(was: bytes, now: bytes) -> tuple[int, str]:
    r"""Where and how a file has not only grown: line, from 1, and words; empty where it has.

    >>> grown(b"a\nb\n", b"a\nb\nc\n")
    (0, '')
    >>> grown(b"a\nb\n", b"a\nc\n")
    (2, 'was published, and is changed')
    """
    kept = now.startswith(was) and (was.endswith(b"\n") or now[len(was) :][:1] in (b"", b"\n"))
    if kept or not was:
        last = now.count(b"\n") + 1
        return (0, "") if now.endswith(b"\n") or not now else (last, "does not end with a new line")
    old, new = was.splitlines(keepends=True), now.splitlines(keepends=True)
    for number, line in enumerate(old, 1):
        if number > len(new):
            return number, "was published, and is removed"
        if new[number - 1] != line:
            return number, "was published, and is changed"
    return len(old), "was published, and is changed"
