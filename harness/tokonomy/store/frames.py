"""Runs as a data frame: columns are filled straight from the tables, without a ``Run`` per row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection, Select, select

from tokonomy.store.metrics import METRICS, WITH_INTERVAL
from tokonomy.store.queries import latest, rows
from tokonomy.store.rows import COLUMNS
from tokonomy.store.schema import metric

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 20_000
"""Figures fetched at a time: a few MB."""

WORDS = {"effect": "effect", "energy_j": "energy_boundary"}
"""Figures with a word that has a column, and its name."""


def frame(connection: Connection, role: str | None) -> pd.DataFrame:
    """The runs of a role, or of all, that stand for their cells; see ``tokonomy.results.frame``."""
    import pandas as pd

    chosen = latest({"role": role})
    found = rows(connection, chosen)
    place = {row["id"]: at for at, row in enumerate(found)}
    table: dict[str, object] = {name: [row[name] for row in found] for name in (*COLUMNS, "trust")}
    table["params"] = [json.loads(row["params"]) for row in found]
    table["flags"] = [tuple(json.loads(row["flags"])) for row in found]
    table["started"] = pd.to_datetime(table["started"], utc=True, format="ISO8601")
    return pd.DataFrame(table | _figures(connection, chosen, place))


def _figures(
    connection: Connection, chosen: Select[int], place: dict[int, int]
) -> dict[str, object]:
    """Columns of the figures: value, both ends where it comes with an interval, words."""
    numbers = np.full((len(METRICS), 3, len(place)), np.nan)
    texts = {name: np.full(len(place), None, dtype=object) for name in WORDS}
    line = {name: at for at, name in enumerate(METRICS)}
    told = metric.c.value.is_not(None) | metric.c.text.is_not(None)
    query = select(metric.c.run, metric.c.name, metric.c.value, metric.c.low, metric.c.high,
                   metric.c.text).where(metric.c.run.in_(chosen), told)  # fmt: skip
    found = connection.execution_options(yield_per=CHUNK).execute(query)
    for chunk in found.partitions():
        runs, names, values, lows, highs, words = zip(*chunk, strict=True)
        at = [place[number] for number in runs]
        lines = [line[name] for name in names]
        for part, column in enumerate((values, lows, highs)):
            numbers[lines, part, at] = column  # None becomes NaN
        for index, what, word in zip(at, names, words, strict=True):
            if word is not None and what in texts:
                texts[what][index] = word
    table: dict[str, object] = {}
    for name, (value, low, high) in zip(METRICS, numbers, strict=True):
        table[name] = value
        if name in WITH_INTERVAL:
            table |= {f"{name}_low": low, f"{name}_high": high}
    return table | {WORDS[name]: words for name, words in texts.items()}
