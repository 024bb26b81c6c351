"""Options that several verbs share: the database, and which runs are meant."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from tokonomy.errors import UsageError
from tokonomy.store.database import DEFAULT

database_option = click.option(
    "--db",
    "database",
    default=str(DEFAULT),
    show_default=True,
    help="Database file, or a URL of SQLAlchemy's.",
)
only_option = click.option(
    "--only",
    multiple=True,
    metavar="KEY=VALUE,...",
    help="Only these, e.g. method=tome,task=digits; a key given again adds a value.",
)


def chosen(only: Iterable[str]) -> dict[str, list[str]]:
    """``method=a,task=b`` and the like as values by key; raises ``UsageError``.

    >>> chosen(["method=a,task=b", "method=c"])
    {'method': ['a', 'c'], 'task': ['b']}
    """
    values: dict[str, list[str]] = {}
    for part in (part for text in only for part in text.split(",")):
        key, found, value = part.partition("=")
        if not found or not key or not value:
            raise UsageError(f"--only takes key=value pairs such as method=tome; got {part!r}")
        values.setdefault(key.strip(), []).append(value.strip())
    return values


def new_file(path: Path) -> Path:
    """A path that is no folder; raises ``UsageError`` in one line."""
    if path.is_dir():
        raise UsageError(f"expected a file to write; {str(path)!r} is a folder")
    return path
