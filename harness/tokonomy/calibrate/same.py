"""What sessions of the reference against itself say: its interval must cover 1, and not always."""

from __future__ import annotations

from collections.abc import Sequence

from tokonomy.calibrate.figures import Runs, by_place, failed, middle, ok, ratios, share
from tokonomy.run.job import Job
from tokonomy.store.calibration import Finding

EVERYWHERE = "reference against itself"

LEAST, MOST = 0.90, 0.99
"""Asked of the share of 95 % intervals that cover 1: below, noise is called a difference; above,
the intervals are wider than they need be."""

ENOUGH = 99
"""Sessions from which ``MOST`` is asked. Sound intervals cover in up to 97 % of them; then all of
98 or fewer cover 1 by chance more often than once in twenty."""


def coverage(setting: str, jobs: Sequence[Job], runs: Runs) -> list[Finding]:
    """How many intervals cover 1, which is judged; the rest call a difference that is none.

    The middle of the ratios is where several sessions agree: what they are all off by, and so what
    none of them sees, such as which instance of the model lies where in memory.
    """
    found = ratios(jobs, runs)
    n, hits = len(found), sum(each.covers(1.0) for each in found)
    enough = n >= ENOUGH
    return [
        *share("coverage", setting, hits, n, least=LEAST, most=MOST if enough else None),
        *share("false-alarms", setting, n - hits, n),
        *middle("same-ratio", setting, "ratio", [each.value for each in found]),
    ]


def same(jobs: Sequence[Job], runs: Runs) -> list[Finding]:
    """Findings over all places, and of each."""
    found = [*coverage(EVERYWHERE, jobs, runs), *failed(EVERYWHERE, jobs, runs)]
    places = by_place(jobs)
    if len(places) > 1:
        for name, here in places.items():
            found += coverage(f"{EVERYWHERE}, {name}", here, runs)
    return found


def sentinels(jobs: Sequence[Job], runs: Runs) -> list[Finding]:
    """Latency of each sentinel in its newest run."""
    found = []
    for name, here in by_place(jobs).items():
        for run in ok(here, runs):
            latency = run.metrics["reference_latency_p50_ms"]
            if latency.value is not None and latency.n:
                found.append(
                    Finding(name="sentinel-latency", setting=name, unit="ms", value=latency.value,
                            low=latency.low, high=latency.high, n=latency.n)
                )  # fmt: skip
    return found
