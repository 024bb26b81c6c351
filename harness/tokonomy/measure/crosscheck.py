"""Whether an energy pass can be believed: against the latency pass, and against itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tokonomy.measure.protocol import RESIDUAL, STEADY_C, THROUGHPUT, THROUGHPUT_NS
from tokonomy.stats.estimate import Estimate, half_width
from tokonomy.stats.means import mean
from tokonomy.store.fields import Arm, Missing
from tokonomy.store.joules import ARMS, of, residual
from tokonomy.store.observed import Energy, Flag, Timing


def disagreement(energy: Energy, timing: Timing) -> Missing | None:
    """Why the joules are of other work than the milliseconds; None where the calls took as long.

    Mean time of a call in the windows against that of the latency pass, whose interval is over its
    ABBA blocks.
    """
    for arm in ARMS:
        here, there = _call_ms(energy, arm), _latency_ms(timing, arm)
        if here is None or there.value is None:
            return Missing(reason="throughput-disagrees", detail=f"{arm}: not in both passes")
        least = THROUGHPUT_NS * 1e-6 / there.value
        allowed = max(THROUGHPUT, half_width(there) or 0.0, least)
        if abs(here / there.value - 1) > allowed:
            detail = (
                f"{arm}: {here:.4g} ms a call while energy was measured, {there.value:.4g} ms "
                f"in the latency pass; {allowed:.1%} apart is allowed"
            )
            return Missing(reason="throughput-disagrees", detail=detail)
    return None


def _call_ms(energy: Energy, arm: Arm) -> float | None:
    ours = of(energy, arm)
    if not ours:
        return None
    return sum(trial.span_ns for trial in ours) / sum(trial.calls for trial in ours) * 1e-6


def _latency_ms(timing: Timing, arm: Arm) -> Estimate:
    """Mean time of a call, with the interval of its blocks' means."""
    blocks = itertools.groupby(timing.pairs, key=lambda pair: pair.block)
    times = [
        [pair.method_ns if arm == "method" else pair.reference_ns for pair in pairs]
        for _, pairs in blocks
    ]
    return mean([float(np.mean(block)) * 1e-6 for block in times])


def flags(energy: Energy) -> list[Flag]:
    """What a reader of the joules must know; follows from the record alone."""
    return [*_residual(energy), *_temperature(energy)]


def _residual(energy: Energy) -> Iterator[Flag]:
    apart = residual(energy)
    if apart is not None and abs(apart) > RESIDUAL:
        yield Flag(code="power-disagrees", detail=f"integrated power is {apart:+.1%} off")


def _temperature(energy: Energy) -> Iterator[Flag]:
    starts = [trial.temperature_c[0] for trial in energy.trials]
    known = [start for start in starts if start is not None]
    if len(known) < len(starts):
        yield Flag(code="no-steady-temperature", detail="the temperature cannot be read")
    elif max(known) - min(known) > STEADY_C:
        detail = f"windows began at {min(known):.0f} to {max(known):.0f} degrees"
        yield Flag(code="no-steady-temperature", detail=detail)
