"""Latencies as pytest-benchmark stores them: a benchmark for each arm of each timed result.

Statistics are computed here from the raw calls that the record holds, in seconds. Calls of both
arms were made in turn, so compare the arms of one run by its latency ratio, which knows of pairs.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tokonomy.store.derive import derive, withheld
from tokonomy.store.observed import Timing
from tokonomy.store.record import Record
from tokonomy.store.standing import flags, role

SHAPE = "5.0.0"  # version of pytest-benchmark whose files these are like
_PASSES = {"timing": "call", "first_token": "first token"}


def document(records: Iterable[Record]) -> dict[str, Any]:
    """Every timed result; the machine and the commit are those of the newest, each has its own."""
    known = [record for record in records if not withheld(record) and role(record) == "result"]
    newest = max(known, key=lambda each: (each.started, each.run_id), default=None)
    return {
        "machine_info": _machine(newest),
        "commit_info": _commit(newest),
        "benchmarks": [made for record in known for made in _benchmarks(record)],
        "datetime": newest.started if newest else "",
        "version": SHAPE,
    }


def _machine(record: Record | None) -> dict[str, Any]:
    software = record.machine.software if record else {}
    hardware = record.machine.hardware if record else {}
    return {
        "node": "",
        "system": _said(software.get("os")),
        "release": _said(software.get("kernel")),
        "machine": _said(hardware.get("machine")),
        "python_version": _said(software.get("python")),
        "cpu": {"brand_raw": _said(hardware.get("cpu")), "count": hardware.get("cpus")},
    }


def _commit(record: Record | None) -> dict[str, Any]:
    return {
        "id": _said(record.harness.commit if record else None) or "unversioned",
        "time": None,
        "author_time": None,
        "dirty": bool(record and record.harness.dirty),
        "project": "tokonomy",
        "branch": "(unknown)",
    }


def _benchmarks(record: Record) -> Iterator[dict[str, Any]]:
    cell, flagged = record.cell, list(flags(record, derive(record)))
    setting = " ".join(f"{name}={value}" for name, value in sorted(cell.method.params.items()))
    for part, called in _PASSES.items():
        timing = getattr(record, part)
        if not isinstance(timing, Timing) or not timing.pairs:
            continue
        for arm in ("method", "reference"):
            name = _said(f"{cell.method.id}[{setting}] {called}, {arm}")
            batch = f"{cell.scenario}:{cell.batch_size}"
            yield {
                "group": _said(f"{cell.task.ref} {cell.model.ref} {batch} {cell.device_class}"),
                "name": name,
                "fullname": f"{record.run_id}::{name}",
                "params": {_said(key): value for key, value in cell.method.params.items()} or None,
                "param": None,
                "extra_info": {
                    "run_id": record.run_id, "arm": arm, "pass": called, "clock": timing.clock,
                    "cell_key": cell.key, "warmup_calls": timing.warmup_calls,
                    "samples_in_a_call": cell.batch_size, "role": role(record),
                    "flags": flagged,
                },
                "options": {"disable_gc": False, "timer": _said(timing.clock), "min_rounds": 0,
                            "max_time": 0, "min_time": 0, "warmup": timing.warmup_calls > 0},
                "stats": stats([getattr(pair, f"{arm}_ns") / 1e9 for pair in timing.pairs]),
            }  # fmt: skip


def stats(seconds: Sequence[float]) -> dict[str, Any]:
    """What pytest-benchmark tells of a list of times, computed from them, in seconds."""
    data = sorted(seconds)
    mean = statistics.fmean(data)
    spread = statistics.stdev(data) if len(data) > 1 else 0.0
    q1, _, q3 = statistics.quantiles(data, n=4, method="inclusive") if len(data) > 1 else data * 3
    far, most = 1.5 * (q3 - q1), len(data) - 1
    outliers = sum(abs(each - mean) > spread for each in data)
    beyond = sum(each < q1 - far or each > q3 + far for each in data)
    return {
        "min": data[0], "max": data[-1], "mean": mean, "stddev": spread, "rounds": len(data),
        "median": statistics.median(data), "iqr": q3 - q1, "q1": q1, "q3": q3,
        "iqr_outliers": beyond, "stddev_outliers": outliers, "outliers": f"{outliers};{beyond}",
        "ld15iqr": data[min(most, bisect_left(data, q1 - far))],
        "hd15iqr": data[max(0, bisect_right(data, q3 + far) - 1)],
        "ops": 1 / mean, "total": sum(data), "data": list(seconds), "iterations": 1,
    }  # fmt: skip


def _said(text: object) -> str:
    """Printable text: this goes to terminals."""
    return "".join(each for each in str(text or "") if each.isprintable())
