"""What became better and what worse between two sets of records, cell by cell.

A cell is what ``rows.IDENTITY`` says; of each set its newest run that nobody doubts is taken,
also before a verified one: the question is what was measured last, which module ``current`` does
not ask. How a figure is compared follows from what it is:

- shares of samples (quality) by the samples that both runs answered, pair by pair;
- ratios taken within a run (latency, energy) and amounts of one machine (latency in ms, peak
  memory), on the log scale. What the machine's mood adds is in no interval of theirs, so without a
  history nothing is decided, and neither is it across epochs. Ratios feel it less, but they do:
  where a host slows interpreter and kernels unequally, a method's ratio moves with it. Between two
  sittings of a suite, the second with a reference 1.2 to 1.6 times as slow, ratios moved by 7 % in
  the median (results/records/vision-cpu-2 and -3);
- counts (tokens, passes, bytes of a cache, the status itself) exactly: nothing but a change of the
  work changes them.

Variation between sittings comes from the cell's own history: from how runs of the same source and
machine in the same epoch differ from one sitting to another. Where these are fewer than three, the
histories of all cells of that machine stand in for it, and where its sittings are fewer than three
as well, quality is compared by its samples alone and the rest not at all. Where answers are the
same in every sitting, quality is uncertain by its samples alone, and an amount that is the same in
every sitting is compared exactly. That a few sittings show no difference is weak evidence that none
would, so the basis says how many may differ; and a figure without a detectable difference comes
with half the width of its interval, which is of that figure alone and not adjusted over the table.
See ``stats.decisions``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tokonomy.stats.decisions import (
    Change,
    Outcome,
    adjusted,
    change,
    decide,
)
from tokonomy.stats.paired import Comparison
from tokonomy.store.comparison import compare
from tokonomy.store.differences import Pair, difference
from tokonomy.store.history import SAME, History, Kind
from tokonomy.store.metrics import METRICS
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
        half_width: Half the interval's width, as ``scale`` says (of a ratio a factor); None without
            an interval.
        p: That nothing changed; None where nothing was tested.
        p_adjusted: The same for the whole table.
        basis: Which history the variation between sittings comes from.
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
    half_width: float | None = None
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
    pair = Pair((first, second), records, compared,
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


def _compared(row: Row, name: str, kind: Kind, pair: Pair, history: History) -> Row:
    if kind == "count":
        return _exact(row)
    found, test = difference(name, kind, pair)
    if found.value is None:
        return replace(row, reason=found.reason)
    if kind != "share" and pair.epochs[0] != pair.epochs[1]:
        return replace(row, reason="across-epochs")
    basis, between = history.between(name, kind, pair.entries[0])
    if kind == "amount" and SAME in basis:
        return replace(_exact(row), basis=basis)
    changed = change(found, between)
    if changed is None:
        return replace(row, reason=found.reason or "no-interval")
    told = _told(row, changed, kind, basis, test)
    if kind != "share" and between is None:
        return replace(told, low=None, high=None, half_width=None, p=None, basis="",
                       reason="no-history")  # fmt: skip
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
    half = (found.high - found.low) / 2
    return replace(row, scale="difference" if share else "ratio", difference=value, low=low,
                   high=high, half_width=half if share else math.exp(min(half, 700.0)), p=p,
                   basis=basis)  # fmt: skip


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
