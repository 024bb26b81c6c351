"""``tokonomy results mark``: say of a run that it was reproduced, is doubted, or is taken back."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from tokonomy.cli.selecting import database_option
from tokonomy.errors import StoreReadOnly, UnknownId, UsageError
from tokonomy.store.database import open_store
from tokonomy.store.exchange import read_all
from tokonomy.store.record import Record
from tokonomy.store.statements import NEEDS, Said, Statement, digest, read_statement

FILE = Path("results") / "statements" / "statements.jsonl"
"""Where statements are kept, below the current folder, unless told otherwise."""


@click.command(name="mark")
@click.argument("run", metavar="RUN")
@click.argument("says", type=click.Choice(get_args(Said)))
@click.option("--by", required=True, help="Who says so: a name or handle.")
@click.option("--reason", help="Why, in a sentence; needed by all but signed-off.")
@click.option("--link", help="Where it can be read up (http or https); disputed needs one.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=FILE,
    show_default=True,
    help="Append-only file of statements (JSON lines); made where it is missing.",
)
@click.option(
    "--records",
    type=click.Path(path_type=Path, exists=True),
    help="Look the run up in this file or folder of records, and leave the database alone.",
)
@database_option
def mark(
    run: str,
    says: Said,
    by: str,
    reason: str | None,
    link: str | None,
    path: Path,
    records: Path | None,
    database: str,
) -> None:
    """Say something of a run; its record stays as it is.

    A statement is about exactly this record, and is added to a file that only grows. `verified`,
    `resolved` and `reinstated` are for maintainers: a submission must not hold them.

    \b
    Example:
      tokonomy results mark 1f3a withdrawn --by someone --reason "wrong weights"
    """
    lacking = [f"--{name}" for name, given in (("reason", reason), ("link", link))
               if name in NEEDS[says] and not given]  # fmt: skip
    if lacking:
        raise UsageError(f"{says} needs {' and '.join(lacking)}")
    told = {"says": says, "by": by, "reason": reason, "link": link}
    if records is not None:
        made = _made(_found(records, run), told)
        append(path, made)
    else:
        with open_store(database, create=False) as store:
            record = store.run(run)
        made = _made(record, told)
        with open_store(database) as store, store.transaction() as writer:
            writer.say(made)
            append(path, made)  # last, so that nothing is said where the database refused
    click.echo(f"run {made.run_id}: {made.says} by {made.by}, in {path}", err=True)


def _found(records: Path, run: str) -> Record:
    found = {each.run_id: each for _, each in read_all(records) if each.run_id.startswith(run)}
    if len(found) != 1:
        problem = "several runs begin so; give more of the id" if found else "no such run"
        raise UnknownId(f"run {run!r}: {problem} in {records}")
    return next(iter(found.values()))


def _made(record: Record, told: dict[str, Any]) -> Statement:
    """The statement, read back like any that comes from outside."""
    made = Statement.model_construct(
        version=1, run_id=record.run_id, record_sha256=digest(record),
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **told,
    )  # fmt: skip
    return read_statement(made.line().encode())


def append(path: Path, statement: Statement) -> None:
    """Add a line to a file that only grows: the whole line, or nothing.

    Who else appends waits. A file that does not end with a new line gets one first.
    """
    line = statement.line().encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - 1))
            whole = line if handle.read(1) in (b"", b"\n") else b"\n" + line
            try:
                if handle.write(whole) != len(whole):
                    raise OSError(0, "only a part was written")
                os.fsync(handle.fileno())
            except OSError:
                handle.truncate(size)
                raise
    except OSError as error:
        raise StoreReadOnly(
            f"{path}: cannot be written ({error.strerror}); name another place"
        ) from error
