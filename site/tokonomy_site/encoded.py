"""All runs in one classic script, column by column, for the page that looks at every run.

``data/runs.js`` sets ``globalThis.tokonomyRuns``, one object::

    {"snapshot": "9f…", "count": 10000, "id": {"width": 7, "text": "…"},
     "columns": [{"name": "accuracy", "title": "Accuracy", "unit": "%", "kind": "figure",
                  "numbers": 801, "values": ["0.0", "0.1", …, "OOM"], "codes": "…"}, …]}

Runs are in the order of time. A column has its different ``values`` once, as pages write them and
in the order they sort in: numbers by size, the first ``numbers`` of them, then words. ``codes``
holds for every run the place of its value among them, in base 91: first the lowest digit of every
run, then the next, as many as it takes (``len(codes) / count``; none where all runs are alike). A
digit is a printable character: 0 to 56 are those from ``#``, 57 to 90 those from ``]``, so that
none needs an escape. ``id.text`` has the first ``width`` digits of every run's id, no more than
tell the runs of this snapshot apart; ``run.html#`` followed by them leads to the run. Sorting by a
column compares codes, a filter looks at its values alone. ``static/runs.js`` decodes it.

Numbers are rounded as pages round them, so that no page shows another, and end with the sign that
pages have beside them: what is to be computed with, and intervals, are in ``runs.csv`` and the
database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from tokonomy.store.metrics import METRICS
from tokonomy_site.cells import CAPPED, DOUBTED, absent, mark
from tokonomy_site.environment import clean
from tokonomy_site.figures import form_of, number
from tokonomy_site.meanings import STATUS
from tokonomy_site.snapshot import Run, Snapshot, setting

BASE = 91
LEAST_WIDTH = 6  # digits of an id, also where fewer would do
FIRST = 3  # columns of words before the figures
LONGEST = 80  # characters of a word

#: Figures that every run is looked through by; those of one family are short in all others.
FIGURES = (
    "accuracy", "retained", "agreement", "speed_up", "latency_p50_ms", "peak_memory_bytes",
    "energy_j", "energy_ratio", "tokens_kept", "acceptance_length", "kv_physical_ratio",
)  # fmt: skip
_TITLES = {"peak_memory_bytes": "Peak memory", "energy_j": "Energy", "latency_p50_ms": "Latency",
           "retained": "Retained"}  # fmt: skip

Words = Callable[[Run], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What a column is called, and its kind.

    Attributes:
        name: Its key.
        title: Head of the column.
        unit: Of a figure.
        kind: ``figure`` or ``word``.
    """

    name: str
    title: str
    unit: str = ""
    kind: Literal["figure", "word"] = "word"


def runs_js(snapshot: Snapshot) -> str:
    """The script with every run."""
    found = [column(field, map(text, snapshot.runs)) for field, text in _words(snapshot)]
    found[FIRST:FIRST] = [
        column(_field(name), (shown(run, name) for run in snapshot.runs)) for name in FIGURES
    ]
    ids = [run.id for run in snapshot.runs]
    wide = width(ids)
    document = {
        "snapshot": snapshot.digest,
        "count": len(ids),
        "id": {"width": wide, "text": "".join(each[:wide] for each in ids)},
        "columns": found,
    }
    return f"globalThis.tokonomyRuns = {json.dumps(document, separators=(',', ':'))};\n"


def width(ids: Sequence[str]) -> int:
    """Digits that tell all ids apart.

    >>> width(["ab12345678", "ab12345900"])
    8
    """
    alike = (_shared(left, right) for left, right in pairwise(sorted(ids)))
    return max(LEAST_WIDTH, 1 + max(alike, default=0))


def _shared(left: str, right: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), 0)


def column(field: Field, texts: Iterable[str]) -> dict[str, Any]:
    """A column of texts."""
    every = list(texts)
    figure = field.kind == "figure"
    order = sorted(set(every), key=_by_size if figure else natural)
    numbers = sum(_size(text) is not None for text in order) if figure else 0
    places = {text: at for at, text in enumerate(order)}
    return {
        "name": field.name, "title": field.title, "unit": field.unit, "kind": field.kind,
        "numbers": numbers, "values": order, "codes": codes([places[text] for text in every],
                                                            len(order)),
    }  # fmt: skip


def codes(places: Sequence[int], count: int) -> str:
    """Whole numbers below ``count`` as text: a plane of digits after the other, lowest first.

    >>> codes([0, 1, 90], 91), codes([0, 92], 93), codes([0, 0], 1)
    ('#$~', '#$#$', '')
    """
    planes = []
    while count > 1:
        planes.append("".join(_DIGITS[place % BASE] for place in places))
        places, count = [place // BASE for place in places], -(-count // BASE)
    return "".join(planes)


_DIGITS = "".join(chr(35 + at + (at >= 57)) for at in range(BASE))  # without the backslash


def _by_size(text: str) -> tuple[bool, float, str]:
    value = _size(text)
    return value is None, value or 0.0, text


def _size(text: str) -> float | None:
    """The number that a text shows, whatever sign stands beside it; None for a word."""
    return number(text.rstrip(CAPPED + DOUBTED))


def natural(text: str) -> tuple[tuple[bool, float, str], ...]:
    """A key by which numbers within words sort by size.

    >>> sorted(["r 10", "r 9", "keep 0.5"], key=natural)
    ['keep 0.5', 'r 9', 'r 10']
    """
    parts = re.split(r"(\d{1,15}(?:\.\d{1,15})?)", text.lower())
    key = [(at % 2 == 0, float(part) if at % 2 else 0.0, "" if at % 2 else part)
           for at, part in enumerate(parts)]  # fmt: skip
    return (*key, (True, 0.0, text))


def shown(run: Run, name: str) -> str:
    """A figure as pages write it with its sign, or a word or two for why there is none."""
    figure = run.figure(name)
    if run.status != "ok" or figure.value is None:
        return STATUS[run.status] if run.status != "ok" else absent(figure)
    return form_of(name)[0](figure.value) + mark(run, name)


def _given(run: Run) -> str:
    """A setting without parameters that say nothing."""
    return setting({name: value for name, value in run.params.items() if value is not None})


def _field(name: str) -> Field:
    title = _TITLES.get(name, METRICS[name].title)
    return Field(name=name, title=title, unit=form_of(name)[1], kind="figure")


def state(run: Run, snapshot: Snapshot) -> str:
    """Whether a run counts, or why it does not; of what is no result, what it is."""
    if not run.trust.stands:
        return run.trust.level
    if run.role != "result":
        return run.role
    if not run.current:
        return "superseded"
    return "stale" if snapshot.stale(run) else "current"


def _words(snapshot: Snapshot) -> list[tuple[Field, Words]]:
    return [
        (Field(name="method", title="Method"), lambda run: _short(snapshot.title(run.method))),
        (Field(name="setting", title="Setting"),
         lambda run: _short(_given(run)) or "as it is"),
        (Field(name="task", title="Task"), lambda run: _short(run.task_ref)),
        (Field(name="family", title="Family"), lambda run: _short(run.family)),
        (Field(name="model", title="Model"),
         lambda run: _short(snapshot.model_title(run.model_ref))),
        (Field(name="weights", title="Weights"),
         lambda run: "embedded" if run.embedded else "checkpoint"),
        (Field(name="device", title="Device"), lambda run: _short(run.device_class)),
        (Field(name="calls", title="Calls"), lambda run: f"{run.scenario}, batch {run.batch_size}"),
        (Field(name="precision", title="Precision"), lambda run: run.precision),
        (Field(name="mode", title="Mode"), lambda run: run.mode),
        (Field(name="seed", title="Seed"), lambda run: str(run.seed)),
        (Field(name="boundary", title="Joules of"), lambda run: run.boundary),
        (Field(name="started", title="Started"), lambda run: run.started[:10]),
        (Field(name="status", title="Status"), lambda run: STATUS[run.status]),
        (Field(name="state", title="State"), lambda run: state(run, snapshot)),
        (Field(name="trust", title="Trust"), lambda run: run.trust.level),
    ]  # fmt: skip


def _short(text: str) -> str:
    plain = clean(text)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "\u2026"
