"""Where records come from when two sets of them are compared: a database, files, a git revision.

Records are checked as on import. Lines are kept as text and parsed when they are looked into, so
that a set of thousands fits in memory. Runs that were withdrawn are left out; disputed ones say so.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path

from tokonomy.errors import BadRecord
from tokonomy.store import git
from tokonomy.store.database import open_store
from tokonomy.store.derive import derive
from tokonomy.store.epochs import Device, Sentinel, device, sentinel
from tokonomy.store.exchange import read_every, read_stream
from tokonomy.store.metrics import Metric
from tokonomy.store.record import Record, parse
from tokonomy.store.rows import IDENTITY, row
from tokonomy.store.statements import Statement, Trust, digest, trust

PLACES = ("results/records", "results/statements")
"""Where a checkout has what is published."""

LOOSE = ("data_hash", "weights_hash", "device_class", "protocol")
"""Parts of ``IDENTITY`` that a person would call the same cell, and that forbid comparing."""


Key = tuple[tuple[str, object], ...]
"""A cell: names of ``IDENTITY``, or some of them, with their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run, without what it measured.

    Attributes:
        run_id: The run.
        order: Newer runs come later.
        status: How it ended.
        cell: Its values of ``IDENTITY``, by name.
        source: Hash of the method's source.
        device: Which device it ran on.
        sentinel: What it tells of that device's epochs; None unless it is a run of the reference.
        line: Its record.
        trust: How far it is to be believed.
    """

    run_id: str
    order: tuple[str, str]
    status: str
    cell: Key
    source: str
    device: Device
    sentinel: Sentinel | None
    line: str
    trust: Trust = field(default_factory=Trust)

    @property
    def place(self) -> Key:
        """What a person would call its cell."""
        return tuple(part for part in self.cell if part[0] not in LOOSE)

    @property
    def record(self) -> Record:
        """Its record, parsed anew."""
        return parse(self.line)

    @property
    def figures(self) -> dict[str, Metric]:
        """Its figures by name."""
        return _figures(self.line)


@lru_cache(maxsize=4096)
def _figures(line: str) -> dict[str, Metric]:
    return {each.name: each for each in derive(parse(line))}


Pool = dict[str, Entry]
"""Entries by run id."""


def entry(record: Record) -> Entry:
    """A record as an entry."""
    columns = row(record, ())
    return Entry(
        run_id=record.run_id,
        order=(str(columns["started"]), record.run_id),
        status=record.status,
        cell=tuple((name, columns[name]) for name in IDENTITY),
        source=record.cell.method.source_hash,
        device=device(record),
        sentinel=sentinel(record),
        line=record.line(),
    )


def pool(found: Iterable[tuple[str, Record | Statement]]) -> Pool:
    """Records, with their places, as a set; raises ``BadRecord`` where two disagree."""
    entries: Pool = {}
    said: dict[str, list[Statement]] = {}
    for where, each in found:
        if isinstance(each, Statement):
            said.setdefault(each.run_id, []).append(each)
            continue
        made = entry(each)
        if entries.setdefault(made.run_id, made).line != made.line:
            raise BadRecord(f"{where}: another record has the id {made.run_id} already")
    for run in said.keys() & entries.keys():
        entries[run] = replace(entries[run], trust=_trust(entries[run], said[run]))
    return {run: each for run, each in entries.items() if each.trust.level != "withdrawn"}


def _trust(each: Entry, told: list[Statement]) -> Trust:
    content = digest(each.record)
    return trust(one for one in told if one.record_sha256 == content)


def from_database(place: str) -> Pool:
    """The runs of a database, by path or URL."""
    with open_store(place, create=False) as store:
        found: Iterator[Record | Statement] = chain(store.records(), store.statements())
        return pool((place, each) for each in found)


def from_files(path: Path) -> Pool:
    """The records of a JSON-lines file, or of every ``.jsonl`` file below a folder."""
    return pool(read_every([path]))


def from_git(folder: Path, revision: str) -> Pool:
    """What is published at a revision of the repository around a folder."""
    return pool(_committed(folder, revision))


def _committed(folder: Path, revision: str) -> Iterator[tuple[str, Record | Statement]]:
    for each in git.tree(folder, revision, PLACES):
        if not each.path.endswith(".jsonl"):
            continue
        name = f"{revision}:{each.path}"
        held = git.content(folder, each.blob) if each.mode == git.FILE else None
        if held is None:
            raise BadRecord(f"{name}: expected a plain file of at most {git.MAX_FILE} bytes")
        yield from read_stream(io.BytesIO(held), name)
