"""The data behind the site as files: database, runs as a table, records, schema."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tokonomy_site.figures import significant

_BLOCK = 1 << 20

ABOUT = {
    "tokonomy.sqlite": "everything, with the views leaderboard and runs",
    "runs.csv": "a line per run with every figure and its interval, or why it is missing",
    "runs.parquet": "the same with types, units and what each column says",
    "datasette.json": "titles, units and facets of the database, for Datasette",
    "records.jsonl": "the records as they were left, raw samples included",
    "statements.jsonl": "what was said of records since, one statement a line",
    "record.schema.json": "JSON Schema of a record",
    "statement.schema.json": "JSON Schema of a statement",
    "runs.js": "what the page of all runs reads: every run, rounded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file to take home."""

    name: str
    path: str
    about: str
    size: str
    sha256: str


def sha256(*paths: Path) -> str:
    """SHA-256 of a file, or of several one after the other, in hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def digest(shelf: Path) -> str:
    """What names a snapshot: the digest of its records and of what was said of them.

    Code, cards and calibration records are not in it: the commit names those.
    """
    return sha256(shelf / "records.jsonl", shelf / "statements.jsonl")


def describe(folder: Path) -> list[Download]:
    """The files that lie in ``folder``, with their sums; also writes ``SHA256SUMS``."""
    found = [
        Download(
            name=name,
            path=f"data/{name}",
            about=about,
            size=_size((folder / name).stat().st_size),
            sha256=sha256(folder / name),
        )
        for name, about in ABOUT.items()
    ]
    sums = "".join(f"{file.sha256}  {file.name}\n" for file in found)
    (folder / "SHA256SUMS").write_text(sums, encoding="ascii")
    return found


def _size(size: int) -> str:
    return (
        f"{significant(size / 2**20)} MiB" if size >= 2**20 else f"{significant(size / 2**10)} KiB"
    )
