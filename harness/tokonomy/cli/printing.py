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
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tokonomy.plain import ACTING, plain

#: A pipe or a file has no width of its own.
WIDTH_OFF_TERMINAL = 160
_ONE_LINE = 10_000

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout.")


def print_json(value: Any) -> None:
    """One JSON document on stdout; what acts on a terminal is escaped, so nothing is lost."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo("".join(map(_escaped, text)) if not text.isascii() or "\x7f" in text else text)


def _escaped(char: str) -> str:
    acts = char != "\n" and unicodedata.category(char) in ACTING
    return json.dumps(char)[1:-1].replace("\x7f", "\\u007f") if acts else char


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    elastic: Collection[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """A table on stdout; columns whose name starts with ``>`` are aligned to the right.

    With ``elastic`` columns only these run over lines, and off a terminal a row is one line however
    long. ``optional`` ones are left out, the first first, where a terminal is too narrow for all.
    """
    console, kept = Console(highlight=False), [list(map(plain, row)) for row in rows]
    if not console.is_terminal:
        console.width = _ONE_LINE if elastic else WIDTH_OFF_TERMINAL
    table, left_out = _table(columns, kept, elastic, ()), 0
    while left_out < len(optional) and _least(table, console) > console.width:
        left_out += 1
        table = _table(columns, kept, elastic, optional[:left_out])
    console.print(table)


def _table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    elastic: Collection[str],
    without: Collection[str],
) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    shown = [place for place, name in enumerate(columns) if name.removeprefix(">") not in without]
    for name in (columns[place] for place in shown):
        side: JustifyMethod = "right" if name.startswith(">") else "left"
        firm = bool(elastic) and name not in elastic
        table.add_column(name.removeprefix(">"), justify=side, no_wrap=firm, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[place]) for place in shown))
    return table


def _least(table: Table, console: Console) -> int:
    options = console.options.update(max_width=_ONE_LINE)  # not cut to what there is
    return Measurement.get(console, options, table).minimum


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
