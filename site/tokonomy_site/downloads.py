"""The data behind the site as files: database, runs as a table, records, schema."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tokonomy.store.exports.tables import plain
from tokonomy.store.metrics import METRICS
from tokonomy_site.figures import significant
from tokonomy_site.snapshot import Run, Snapshot

_BLOCK = 1 << 20

ABOUT = {
    "tokonomy.sqlite": "everything, with the views leaderboard and runs",
    "runs.csv": "a line per run with every figure and its interval, or why it is missing",
    "runs.parquet": "the same with types, units and what each column says",
    "datasette.json": "titles, units and facets of the database, for Datasette",
    "records.jsonl": "the records as they were left, raw samples included",
    "statements.jsonl": "what was said of records since, one statement a line",
    "record.schema.json": "JSON Schema of a record",
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


_IDENTITY = (
    "id", "key", "started", "status", "reason", "family", "method", "seed", "source_hash", "task",
    "task_ref", "split", "samples", "data_hash", "model", "model_ref", "weights_hash", "embedded",
    "device", "device_class", "precision", "scenario", "batch_size", "mode", "threads",
    "protocol", "version", "role",
)  # fmt: skip


def runs_csv(snapshot: Snapshot) -> str:
    """A line per run, oldest first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # ends lines as RFC 4180, so that a text with a break is quoted
    numbers = [name for name in METRICS if name != "effect"]
    heads = [f"{name}{part}" for name in numbers for part in ("", "_low", "_high", "_reason")]
    words = ("params", "flags", "trust", "energy_boundary", "effect", "effect_reason")
    writer.writerow([*_IDENTITY, *words, *heads])
    writer.writerows(_row(run, numbers) for run in snapshot.runs)
    return buffer.getvalue()


def _row(run: Run, numbers: list[str]) -> Iterator[str]:
    for name in _IDENTITY:
        yield plain(getattr(run, name))
    yield plain(json.dumps(run.params, sort_keys=True, ensure_ascii=False))
    yield plain(" ".join(run.flags))
    yield run.trust.level
    yield plain(run.figure("energy_j").text)
    yield plain(run.effect)
    yield plain(run.figure("effect").reason)
    for name in numbers:
        figure = run.figure(name)
        for value in (figure.value, figure.low, figure.high):
            yield "" if value is None else repr(value)
        yield plain(figure.reason)
