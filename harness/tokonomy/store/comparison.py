"""What sets two runs apart: configuration, quality, latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tokonomy.stats.estimate import Estimate, missing
from tokonomy.stats.latency import ratio_of_ratios
from tokonomy.stats.paired import Comparison, binary, difference, mcnemar
from tokonomy.store.derive import withheld
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Timing
from tokonomy.store.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Two runs, the second against the first.

    Attributes:
        withheld: Why the first and why the second has no figures: it is not ok, or its device is
            scripted. Then nothing is compared.
        fields: Configuration that differs: name, in the first, in the second.
        difference: Accuracy of the second minus the first's, paired by sample.
        test: Exact McNemar test (wins are the second's); None where ``difference`` has no value.
        latency_ratio: Latency of the second over the first's. Each is taken relative to the
            reference it was timed with, which the machine's mood moves too, if not quite alike. The
            interval knows what is uncertain within the runs only; sittings may differ by more.
    """

    withheld: tuple[str | None, str | None]
    fields: tuple[tuple[str, Any, Any], ...]
    difference: Estimate
    test: Comparison | None
    latency_ratio: Estimate


def compare(first: Record, second: Record) -> RunComparison:
    """Compare two runs; what cannot be compared carries its reason."""
    gone = withheld(first), withheld(second)
    why = gone[0] or gone[1]
    change, test = (missing(why), None) if why else _quality(first, second)
    return RunComparison(
        withheld=gone,
        fields=_fields(first, second),
        difference=change,
        test=test,
        latency_ratio=missing(why) if why else _latency(first, second),
    )


def _fields(first: Record, second: Record) -> tuple[tuple[str, Any, Any], ...]:
    left, right = _configuration(first), _configuration(second)
    names = [*left, *(name for name in right if name not in left)]
    return tuple(
        (name, left.get(name), right.get(name))
        for name in names
        if left.get(name) != right.get(name)
    )


def _configuration(record: Record) -> dict[str, Any]:
    parts = {
        "cell": record.cell.model_dump(exclude={"key"}),
        "harness": record.harness.model_dump(exclude={"argv"}),
        "software": record.machine.software,
        "hardware": record.machine.hardware,
    }
    flat: dict[str, Any] = {}
    for name, part in parts.items():
        _flatten("" if name == "cell" else name, part, flat)
    return flat


def _flatten(prefix: str, part: Any, into: dict[str, Any]) -> None:
    if not isinstance(part, dict):
        into[prefix] = part
        return
    for name, value in part.items():
        _flatten(f"{prefix}.{name}" if prefix else name, value, into)


def _quality(first: Record, second: Record) -> tuple[Estimate, Comparison | None]:
    if isinstance(first.quality, Missing) or isinstance(second.quality, Missing):
        return missing("no-quality"), None
    if first.cell.task.data_hash != second.cell.task.data_hash:
        return missing("other-samples"), None
    ours, theirs = second.quality.scores["method"], first.quality.scores["method"]
    if len(ours) != len(theirs) or first.quality.unreadable != second.quality.unreadable:
        return missing("other-samples"), None
    if not (binary(ours) and binary(theirs)):
        return missing("scores-not-binary"), None
    return difference(ours, theirs), mcnemar(ours, theirs)


def _latency(first: Record, second: Record) -> Estimate:
    if isinstance(first.timing, Missing) or isinstance(second.timing, Missing):
        return missing("no-timing")
    if _setup(first) != _setup(second):
        return missing("other-reference-or-setup")
    if first.machine.hardware != second.machine.hardware:
        return missing("other-machine")
    return ratio_of_ratios(_arrays(second.timing), _arrays(first.timing))


def _setup(record: Record) -> tuple[object, ...]:
    """What must be equal for both references to be the same work."""
    cell = record.cell
    return (cell.family, cell.task.data_hash, cell.model.weights_hash, cell.device,
            cell.device_class, cell.precision, cell.scenario, cell.batch_size, cell.mode,
            cell.threads, cell.protocol)  # fmt: skip


def _arrays(timing: Timing) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Latencies of method and reference, in ns, and the block; shape [3, pairs]."""
    rows = [(pair.method_ns, pair.reference_ns, pair.block) for pair in timing.pairs]
    table: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    table = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return table
