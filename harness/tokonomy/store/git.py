"""Read-only git: what files hold at a revision, without a checkout and without a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tokonomy.errors import UsageError

MAX_FILE = 100 * 2**20
"""Bytes of one file that are read: GitHub takes no larger one."""

FILE = "100644"
"""Mode of a plain file; others are executables, links and other repositories."""

_WAIT_S = 120

_TRUSTED = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""A checkout's own settings may name programs that git runs; none is run here."""


class Entry(NamedTuple):
    """One file of a tree."""

    path: str
    mode: str
    blob: str


class Delta(NamedTuple):
    """How one path differs between two revisions; a mode of zeros is no file."""

    path: str
    modes: tuple[str, str]
    blobs: tuple[str, str]


def commit(folder: Path, revision: str) -> str | None:
    """The full hash of the commit that a revision names; None where it names none."""
    words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    found = _git(folder, words)
    return found.stdout.decode().strip() or None if found.returncode == 0 else None


def resolved(folder: Path, revision: str) -> str:
    """The same; raises ``UsageError`` where it names none."""
    found = commit(folder, revision)
    if found is None:
        raise UsageError(f"{revision!r}: no such revision of the repository around {folder}")
    return found


def tree(folder: Path, revision: str, under: Sequence[str]) -> list[Entry]:
    """Files of a commit below some paths, which are relative to the repository's root."""
    words = ["ls-tree", "-r", "-z", "--full-tree", resolved(folder, revision), "--", *under]
    found = []
    for line in _split(done(folder, words)):
        head, _, path = line.partition("\t")
        mode, _, blob = head.split(" ")
        found.append(Entry(path, mode, blob))
    return found


def deltas(folder: Path, before: str, after: str, under: Sequence[str]) -> Iterator[Delta]:
    """What differs between two commits below some paths; a rename is a removal and a new file."""
    words = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index",
             resolved(folder, before), resolved(folder, after), "--", *under]  # fmt: skip
    parts = iter(_split(done(folder, words)))
    for head in parts:
        old_mode, new_mode, old, new, _ = head.removeprefix(":").split(" ")
        yield Delta(next(parts), (old_mode, new_mode), (old, new))


def content(folder: Path, blob: str, most: int = MAX_FILE) -> bytes | None:
    """What a file holds; None where it is larger than ``most`` bytes."""
    if int(done(folder, ["cat-file", "-s", blob])) > most:
        return None
    return done(folder, ["cat-file", "blob", blob])


def _split(out: bytes) -> list[str]:
    return [part.decode("utf-8", "surrogateescape") for part in out.split(b"\0") if part]


def done(folder: Path, words: Sequence[str]) -> bytes:
    """What a command of git prints; raises ``UsageError`` with what git says is wrong."""
    found = _git(folder, words)
    if found.returncode:
        said = found.stderr.decode(errors="replace").strip().splitlines() or ["no word why"]
        raise UsageError(f"git {words[0]}: {said[-1][:200]}")
    return found.stdout


def _git(folder: Path, words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *_TRUSTED, "--literal-pathspecs", "--no-replace-objects", *words],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=_WAIT_S,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = "took too long" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        raise UsageError(f"git {words[0]}: {why}; is git installed?") from None
