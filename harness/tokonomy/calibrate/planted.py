"""What sessions of planted truths say: is a known slow-down found, and a known number of bytes?

The slow-down is a wait in proportion to each call: it has no noise of its own and shifts every
block alike, so it is the easiest of its size to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tokonomy.calibrate.figures import Runs, by_place, failed, middle, ok, ratios, share
from tokonomy.run.job import Job
from tokonomy.store.calibration import Finding

SLIP = 2**20
"""Bytes by which planted memory may be mistaken: the kernel adds up resident pages core by core
and only every few dozen of them, and a heap is given back in its own steps."""


def slow(jobs: Sequence[Job], runs: Runs) -> list[Finding]:
    """Of each planted slow-down: the ratio measured, and how often its interval was right."""
    found = []
    for extra in sorted({float(str(job.cell.method.params["extra"])) for job in jobs}):
        here = [job for job in jobs if job.cell.method.params["extra"] == extra]
        setting = f"planted slow-down of {100 * extra:g} %"
        measured = ratios(here, runs)
        n, truth = len(measured), 1 + extra
        found += [
            *middle("planted-ratio", setting, "ratio", [each.value for each in measured]),
            *share("coverage", setting, sum(each.covers(truth) for each in measured), n),
            *share("power", setting, sum(each.low > 1 for each in measured), n),
            *failed(setting, here, runs),
        ]
    return found


def heavy(jobs: Sequence[Job], same: Sequence[Job], runs: Runs) -> list[Finding]:
    """How far measured memory is from what was planted, beyond what the model takes by itself.

    Args:
        jobs: Sessions with planted memory.
        same: Those of the reference against itself, in the same places.
        runs: Runs by cell key.
    """
    alone = {name: median(rises) for name, here in by_place(same).items()
             if (rises := _rises(here, runs))}  # fmt: skip
    errors: list[float] = []
    for name, here in by_place(jobs).items():
        planted = float(str(here[0].cell.method.params["mebibytes"])) * 2**20
        if name in alone:
            errors += [rise - alone[name] - planted for rise in _rises(here, runs)]
    setting = "planted memory"
    within = sum(abs(error) <= SLIP for error in errors)
    return [
        *middle("memory-error", setting, "B", errors, least=-SLIP, most=SLIP),
        *share("memory-within-slip", setting, within, len(errors)),
        *failed(setting, jobs, runs),
    ]


def _rises(jobs: Sequence[Job], runs: Runs) -> list[float]:
    """Peak over baseline, bytes, on the device where it has memory of its own."""
    found = []
    for run in ok(jobs, runs):
        device = run.metrics.get("allocated_over_baseline_bytes")
        process = run.metrics.get("memory_over_baseline_bytes")
        value = next((each.value for each in (device, process)
                      if each is not None and each.value is not None), None)  # fmt: skip
        if value is not None:
            found.append(value)
    return found
