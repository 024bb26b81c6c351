"""Runs as one table: CSV, JSON and Parquet.

A row is a run; figures, their intervals and the reasons of missing ones are columns. Raw samples
are left out: they are in the records (``--format jsonl``), which alone can be imported again. The
same runs make the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tokonomy.store.exports.columns import by_column, columns, values
from tokonomy.store.metrics import METRICS
from tokonomy.store.rows import COLUMNS, Run

if TYPE_CHECKING:
    import pyarrow as pa

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")


def plain(text: object) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> plain("=1+1"), plain("top-k"), plain(None)
    ("'=1+1", 'top-k', '')
    """
    written = "" if text is None else str(text)
    risky = written.lstrip(" \0\ufeff").startswith(_RISKY)  # spaces before it hide nothing
    return f"'{written}" if risky else written


def facts(run: Run) -> dict[str, Any]:
    """A run with its figures, as JSON has them."""
    figures = {
        name: {part: value for part, value in metric._asdict().items() if part != "name"}
        for name, metric in run.metrics.items()
    }
    return {name: getattr(run, name) for name in COLUMNS} | {
        "params": dict(run.params),
        "trust": run.trust,
        "current": run.current,
        "metrics": figures,
    }


def as_json(runs: Sequence[Run]) -> bytes:
    """One document: what the figures mean, and the runs, oldest first."""
    meanings = {
        name: {"title": each.title, "unit": each.unit, "better": each.better, "doc": each.doc}
        for name, each in METRICS.items()
    }
    document = {"figures": meanings, "runs": [facts(run) for run in runs]}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def as_csv(runs: Sequence[Run]) -> bytes:
    """A line per run; numbers as they are, texts so that no spreadsheet runs one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # ends lines as RFC 4180, so that a text with a break is quoted
    shown = columns()
    writer.writerow([each.name for each in shown])
    for run in runs:
        row = values(run)
        writer.writerow([
            plain(row.get(each.name)) if each.kind == "text" else _number(row.get(each.name))
            for each in shown
        ])  # fmt: skip
    return buffer.getvalue().encode()


def _number(value: object) -> str:
    return "" if value is None else repr(value)


def schema() -> pa.Schema:
    """Types of the columns, whatever the rows hold; each says its unit and what it is."""
    import pyarrow as pa

    kinds = {"text": pa.string(), "whole": pa.int64(), "number": pa.float64(), "truth": pa.bool_()}
    return pa.schema([
        pa.field(each.name, kinds[each.kind], metadata={"unit": each.unit, "description": each.doc})
        for each in columns()
    ])  # fmt: skip


def as_parquet(runs: Sequence[Run]) -> bytes:
    """The same as a Parquet file with types, units and descriptions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(by_column(runs), schema=schema()), buffer, compression="zstd")
    return buffer.getvalue()
