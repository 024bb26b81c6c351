"""What an argument of ``compare`` names: a run, or a set of records to take runs from."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Literal, NamedTuple

from tokonomy.errors import TokonomyError, UnknownId, UsageError
from tokonomy.store import git
from tokonomy.store.database import open_store
from tokonomy.store.engine import file_of, on_disk
from tokonomy.store.sources import Pool, from_database, from_files, from_git

Kind = Literal["run", "db", "file", "git"]
_KINDS: tuple[Kind, ...] = ("run", "db", "file", "git")
_SQLITE = b"SQLite format 3\x00"
_RUN = re.compile(r"[0-9a-f]{1,32}")


class Named(NamedTuple):
    """What an argument names, and its name without the prefix."""

    kind: Kind
    name: str


def named(text: str, database: str | None) -> Named:
    """What a text names; raises ``UsageError`` where it may mean several things.

    Args:
        text: As given; ``run:``, ``db:``, ``file:`` or ``git:`` in front says which.
        database: Where runs are looked for; None where no run is meant.
    """
    head, colon, rest = text.partition(":")
    if colon and head in _KINDS and rest and not rest.startswith("//"):
        return Named(next(kind for kind in _KINDS if kind == head), rest)
    if "://" in text:
        return Named("db", text)
    found = [kind for kind in (_file(Path(text)), _run(text, database), _revision(text)) if kind]
    if len(found) > 1:
        choices = " or ".join(f"{kind}:{text}" for kind in found)
        raise UsageError(f"{text!r} may mean several things; write {choices}")
    if not found and ("/" in text or text.endswith((".jsonl", ".sqlite"))):
        raise UsageError(f"{text!r}: expected a run's id, a database, a file or folder of records, "
                         "or a revision of git; there is none of this name")  # fmt: skip
    return Named(found[0] if found else "run", text)


def _file(path: Path) -> Kind | None:
    """What a file is; one that cannot be read is told of where it is read."""
    try:
        if not path.exists():
            return None
        if path.is_dir():
            return "file"
        with path.open("rb") as handle:
            return "db" if handle.read(len(_SQLITE)) == _SQLITE else "file"
    except OSError as error:
        return None if error.errno == errno.ENAMETOOLONG else "file"


def _run(text: str, database: str | None) -> Kind | None:
    if database is None or not _RUN.fullmatch(text):
        return None
    if on_disk(database) and not file_of(database).exists():
        return None
    with open_store(database, create=False) as store:
        try:
            store.run(text)
        except UnknownId as error:
            return "run" if "several runs" in str(error) else None
    return "run"


def _revision(text: str) -> Kind | None:
    try:
        return "git" if git.commit(Path.cwd(), text) else None
    except TokonomyError:  # no git here, so no revision either
        return None


def pooled(what: Named) -> Pool:
    """The records that a name stands for."""
    if what.kind == "db":
        return from_database(what.name)
    if what.kind == "git":
        return from_git(Path.cwd(), what.name)
    return from_files(Path(what.name))
