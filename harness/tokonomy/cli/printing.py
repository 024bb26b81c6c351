"""How verbs print: JSON or a table to stdout, everything else to stderr."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

#: A pipe or a file has no width of its own.
WIDTH_OFF_TERMINAL = 160

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout.")


def plain(value: object) -> str:
    """Text fit for a terminal: control and direction characters are taken out."""
    text = "" if value is None else str(value)
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf"}
    )


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], elastic: Collection[str] = ()
) -> None:
    """A table on stdout; columns whose name starts with ``>`` are aligned to the right.

    With ``elastic`` columns a row is one line: they give way, with an ellipsis, before any other.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in columns:
        side: JustifyMethod = "right" if name.startswith(">") else "left"
        firm = bool(elastic) and name not in elastic
        table.add_column(name.removeprefix(">"), justify=side, no_wrap=firm)
    for row in rows:
        table.add_row(*(_cell(value, bool(elastic)) for value in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_OFF_TERMINAL
    console.print(table)


def _cell(value: object, one_line: bool) -> Text:
    if one_line:
        return Text(plain(value), no_wrap=True, overflow="ellipsis")
    return Text(plain(value))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values below each other; empty values are left out."""
    for name, value in facts:
        lines = value if isinstance(value, list | tuple) else [value]
        lines = [plain(line) for line in lines if line not in (None, "", ())]
        for line in lines[:1]:
            click.echo(f"{name:<14} {line}")
        for line in lines[1:]:
            click.echo(f"{'':<14} {line}")


def warn(text: str) -> None:
    """One warning line on stderr."""
    click.echo(f"warning: {' '.join(plain(text).split())}", err=True)
