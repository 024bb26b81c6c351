"""What became better and what worse between two sets of records, cell by cell.

A cell is what ``rows.IDENTITY`` says; of each set its newest run that stands is taken. How a figure
is compared follows from what it is:

- shares of samples (quality) by the samples that both runs answered, pair by pair;
- ratios taken within a run (latency, energy) and amounts of one machine (latency in ms, peak
  memory), on the log scale. What the machine's mood adds is in no interval of theirs, so without a
  history nothing is decided, and neither is it across epochs. Ratios feel it less, but they do:
  where a host slows interpreter and kernels unequally, a method's ratio moves with it. Between two
  sittings of a suite, the second with a reference 1.2 to 1.6 times as slow, ratios moved by 7 % in
  the median (results/records/vision-cpu-2 and -3);
- counts (tokens, passes, bytes of a cache, the status itself) exactly: nothing but a change of the
  work changes them.

Variation between sessions comes from the cell's own history: from how runs of the same source and
machine in the same epoch differ from one sitting to another. Where these are fewer than three, the
histories of all cells of that machine stand in for it, and where its sittings are fewer than three
as well, quality is compared by its samples alone and the rest not at all. Where answers are the
same in every sitting, quality is uncertain by its samples alone, and an amount that is the same in
every sitting is compared exactly.
See ``stats.decisions``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from tokonomy.stats.decisions import (
    Change,
    Outcome,
    adjusted,
    change,
    decide,
)
from tokonomy.stats.estimate import Estimate, Z, missing
from tokonomy.stats.means import mean
from tokonomy.stats.paired import Comparison, difference, mcnemar
from tokonomy.store.comparison import RunComparison, compare
from tokonomy.store.history import ALIKE, History, Kind, additive, variance
from tokonomy.store.metrics import METRICS
from tokonomy.store.observed import Energy, Quality
from tokonomy.store.record import Record
from tokonomy.store.sources import LOOSE, Entry, Key, Pool

_ALWAYS: tuple[tuple[str, Kind], ...] = (
    ("accuracy", "share"),
    ("latency_ratio", "ratio"),
    ("energy_ratio", "ratio"),
    ("latency_p50_ms", "amount"),
)
_OF: Mapping[str, tuple[tuple[str, Kind], ...]] = {
    "vision": (("tokens_kept", "count"),),
    "decoding": (("agreement", "share"), ("target_calls", "count")),
    "kv": (("kv_logical_bytes", "count"), ("kv_physical_bytes", "count")),
}
_UNLIKE = dict(zip(LOOSE, ("other-samples", "other-weights", "other-device", "other-protocol"),
                   strict=True))  # fmt: skip
_SAME = 1e-9  # relative; means of the same counts in another order differ by less


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of one cell, in both sets.

    Attributes:
        cell: What it is, by name of ``IDENTITY``.
        figure: A key of ``METRICS``, ``status``, or empty where the whole cell is meant.
        runs: Ids of both runs.
        a: Value in the first.
        b: Value in the second.
        scale: What the difference is: ``difference`` (second minus first) or ``ratio`` (second over
            first); empty for counts and where there is none.
        difference: As ``scale`` says.
        low: Lower end of its 95 % interval, which holds both uncertainties; None where nothing is
            known of one of them.
        high: Upper end.
        p: That nothing changed; None where nothing was tested.
        p_adjusted: The same for the whole table.
        basis: Which history the variation between sessions comes from.
        decision: What became of it.
        reason: Code of why it is not comparable.
    """

    cell: Mapping[str, object]
    figure: str
    runs: tuple[str, str]
    a: float | str | None = None
    b: float | str | None = None
    scale: Literal["", "ratio", "difference"] = ""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    basis: str = ""
    decision: Outcome = "not comparable"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Every figure of every cell that both sets have.

    Attributes:
        rows: By cell.
        compared: Cells whose newest runs differ.
        same: Cells whose newest run is one and the same, so that nothing new was measured.
        only_a: Cells of the first set alone.
        only_b: Cells of the second alone.
    """

    rows: tuple[Row, ...]
    compared: int
    same: int
    only_a: int
    only_b: int

    @property
    def tested(self) -> bool:
        """Whether any figure of any cell could be compared."""
        return any(row.decision != "not comparable" for row in self.rows)

    def of(self, decision: Outcome) -> list[Row]:
        """Rows with this decision."""
        return [row for row in self.rows if row.decision == decision]


def table(first: Pool, second: Pool, more: Iterable[Pool] = ()) -> Table:
    """Compare the newest results of two sets.

    Args:
        first: The older set.
        second: The newer one.
        more: Further history.
    """
    ours, theirs = newest(first.values()), newest(second.values())
    history = History((first, second, *more), ours)
    both = [cell for cell in ours if cell in theirs]
    pairs = [(ours[cell], theirs[cell]) for cell in both if ours[cell].line != theirs[cell].line]
    rows = [row for pair in pairs for row in _rows(*pair, history)]
    unlike = list(_unlike(ours, theirs))
    return Table(
        rows=tuple(_decided([*rows, *unlike])),
        compared=len(pairs),
        same=len(both) - len(pairs),
        only_a=len(ours) - len(both) - len(unlike),
        only_b=len(theirs) - len(both) - len(unlike),
    )


def newest(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """The newest result of each cell, failed or not, that nobody doubts; a doubted one for want."""
    found: dict[Key, Entry] = {}
    for each in entries:
        if dict(each.cell)["role"] == "result":
            found[each.cell] = max(
                each, found.get(each.cell, each), key=lambda one: (one.trust.stands, one.order)
            )
    return found


def _unlike(
    ours: Mapping[Key, Entry],
    theirs: Mapping[Key, Entry],
) -> Iterator[Row]:
    """Cells that a person would call the same, and that nevertheless do not compare."""
    others = {each.place: each for cell, each in theirs.items() if cell not in ours}
    for cell, each in ours.items():
        other = others.pop(each.place, None) if cell not in theirs else None
        if other is not None:
            there = dict(other.cell)
            why = next(_UNLIKE[name] for name in LOOSE if there[name] != dict(cell)[name])
            yield Row(cell=dict(cell), figure="", runs=(each.run_id, other.run_id), reason=why)


class _Pair(NamedTuple):
    """Two runs of a cell, with what their comparison needs."""

    entries: tuple[Entry, Entry]
    records: tuple[Record, Record]
    compared: RunComparison
    epochs: tuple[int, int]


def _rows(first: Entry, second: Entry, history: History) -> Iterator[Row]:
    cell, runs = dict(first.cell), (first.run_id, second.run_id)
    if not (first.trust.stands and second.trust.stands):
        yield Row(cell=cell, figure="", runs=runs, reason="disputed")
        return
    if "ok" in (first.status, second.status) and first.status != second.status:
        worse: Outcome = "regressed" if first.status == "ok" else "improved"
        yield Row(cell=cell, figure="status", runs=runs, a=first.status, b=second.status,
                  basis="exact", decision=worse)  # fmt: skip
    records = first.record, second.record
    compared = compare(*records)
    why = compared.withheld[0] or compared.withheld[1]
    if why:
        yield Row(cell=cell, figure="", runs=runs, reason=why)
        return
    pair = _Pair((first, second), records, compared,
                 (history.epoch(first), history.epoch(second)))  # fmt: skip
    memory = "peak_memory_bytes" if str(cell["device"]) == "cpu" else "allocated_peak_bytes"
    figures = (*_ALWAYS, (memory, "amount"), *_OF.get(str(cell["family"]), ()))
    for name, kind in figures:
        a, b = (each.figures.get(name) for each in pair.entries)
        if all(each is None or each.value is None for each in (a, b)):
            continue  # nothing that either run measured
        row = Row(cell=cell, figure=name, runs=runs, a=a.value if a else None,
                  b=b.value if b else None)  # fmt: skip
        yield _compared(row, name, kind, pair, history)


def _compared(row: Row, name: str, kind: Kind, pair: _Pair, history: History) -> Row:
    if kind == "count":
        return _exact(row)
    found, test = _difference(name, kind, pair)
    if found.value is None:
        return replace(row, reason=found.reason)
    if kind != "share" and pair.epochs[0] != pair.epochs[1]:
        return replace(row, reason="across-epochs")
    basis, between = history.sessions(name, kind, pair.entries[0])
    if kind == "amount" and basis.endswith(ALIKE):
        return replace(_exact(row), basis=basis)
    changed = change(found, between)
    if changed is None:
        return replace(row, reason=found.reason or "no-interval")
    told = _told(row, changed, kind, basis, test)
    if kind != "share" and between is None:
        return replace(told, low=None, high=None, p=None, basis="", reason="no-history")
    return told


def _exact(row: Row) -> Row:
    if not isinstance(row.a, float | int) or not isinstance(row.b, float | int):
        return replace(row, reason="not-recorded")
    if math.isclose(row.a, row.b, rel_tol=_SAME):
        return replace(row, basis="exact", decision="no detectable difference")
    better = (row.b > row.a) == (METRICS[row.figure].better == "higher")
    return replace(row, basis="exact", decision="improved" if better else "regressed")


def _told(row: Row, found: Change, kind: Kind, basis: str, test: Comparison | None) -> Row:
    """With its difference as a reader has it; p is that of the test that says least."""
    share = kind == "share"
    value, low, high = (
        part if share else math.exp(min(part, 700.0))
        for part in (found.value, found.low, found.high)
    )
    p = max(found.p, test.p) if test else found.p
    return replace(row, scale="difference" if share else "ratio", difference=value, low=low,
                   high=high, p=p, basis=basis)  # fmt: skip


def _decided(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows with their p adjusted over the table, and what that decides."""
    tested = [row.p for row in rows if row.p is not None]
    ps = iter(adjusted(tested))
    for row in rows:
        if row.p is None or row.low is None or row.high is None or row.difference is None:
            yield row
            continue
        level = 0.0 if row.scale == "difference" else 1.0
        found = Change(value=row.difference - level, low=row.low - level, high=row.high - level,
                       p=row.p)  # fmt: skip
        p, better = next(ps), METRICS[row.figure].better or "lower"
        yield replace(row, p_adjusted=p, decision=decide(found, p, better))


def _difference(name: str, kind: Kind, pair: _Pair) -> tuple[Estimate, Comparison | None]:
    """Second minus first on the additive scale, from what is uncertain within the runs."""
    if kind == "share":
        return _quality(name, pair)
    if name == "latency_ratio":
        found = pair.compared.latency_ratio
        return _logged(found), None
    ours, theirs = (additive(each.figures.get(name), kind) for each in pair.entries)
    why = _apart(name, kind, pair)
    if why or ours.value is None or theirs.value is None:
        return missing(why or ours.reason or theirs.reason or "not-recorded"), None
    value = theirs.value - ours.value
    reach = Z * math.sqrt(variance(ours) + variance(theirs))
    if kind == "ratio" and (ours.low is None or theirs.low is None):
        return missing(ours.reason or theirs.reason or "no-interval"), None
    return Estimate(value=value, low=value - reach, high=value + reach, n=0), None


def _apart(name: str, kind: Kind, pair: _Pair) -> str | None:
    """Why two figures that are no samples' are not held against each other."""
    ours, theirs = pair.entries
    if ours.device != theirs.device:
        return "other-machine"
    if name == "energy_ratio":
        energy = [each.energy for each in pair.records]
        if len({each.boundary for each in energy if isinstance(each, Energy)}) > 1:
            return "other-boundary"
    return None


def _logged(found: Estimate) -> Estimate:
    parts = (None if part is None else math.log(part)
             for part in (found.value, found.low, found.high))  # fmt: skip
    value, low, high = parts
    return Estimate(value=value, low=low, high=high, n=found.n, reason=found.reason)


def _quality(name: str, pair: _Pair) -> tuple[Estimate, Comparison | None]:
    """Paired by sample; graded scores by the mean of their differences."""
    found, test = pair.compared.difference, pair.compared.test
    if found.value is None and found.reason != "scores-not-binary":
        return found, None
    if name == "accuracy" and test is not None:
        return found, test
    ours, theirs = (_each(record, name) for record in pair.records)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return missing("other-samples"), None
    if name == "agreement":
        return difference(theirs, ours), mcnemar(theirs, ours)
    return mean(theirs - ours), None


def _each(record: Record, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """A quality figure sample by sample, shape [n]."""
    quality = record.quality
    if not isinstance(quality, Quality):
        return None
    if name == "accuracy":
        return np.array(quality.scores["method"], dtype=np.float64)
    pairs = zip(quality.outputs["method"], quality.outputs["reference"], strict=True)
    return np.array([ours == theirs for ours, theirs in pairs], dtype=np.float64)


def named(cell: Mapping[str, object]) -> str:
    """A cell in a few words: family, method, setting, task and calls."""
    params = json.loads(str(cell["params"]))
    setting = " ".join(f"{name}={json.dumps(value)}" for name, value in sorted(params.items()))
    calls = str(cell["scenario"])
    if cell["scenario"] != "stream":
        calls += f":{cell['batch_size']}"
    words = (cell["method"], setting, "on", cell["task_ref"], cell["model_ref"], calls,
             cell["precision"], cell["mode"], cell["device"])  # fmt: skip
    return " ".join(str(word) for word in words if word)


def sentence(row: Row) -> str:
    """What was decided of a row, in words."""
    head = f"{named(row.cell)}: {row.figure} {row.decision}"
    if row.difference is None or row.low is None or row.high is None:
        return f"{head}, from {row.a} to {row.b}"
    by = f"{row.difference:.4g} times" if row.scale == "ratio" else f"{row.difference:+.4g}"
    return f"{head}, {by} [{row.low:.4g}, {row.high:.4g}]"
