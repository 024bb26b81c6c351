"""What the energy counter and the power sensor show of a device's true power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from tokonomy.measure.scripted.course import Course, exact, integral, scaled, value
from tokonomy.measure.scripted.profile import Gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """The numbers of a counter and a sensor; times in nanoseconds, power in milliwatts."""

    power_mw: Course
    tick_ns: int
    phase_ns: int
    start_mj: int
    resets_ns: tuple[int, ...]
    sensor_ns: int
    seen_ns: int
    average_ns: int
    usage_ns: int
    scale: float


def nanoseconds(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(seconds * 1e9)


def meter(gpu: Gpu, power: Course) -> Meter:
    """The meter of a device, for the power of its board or of its module."""
    return Meter(
        power_mw=scaled(power, 1000.0),
        tick_ns=nanoseconds(gpu.tick_ms / 1e3),
        phase_ns=nanoseconds(gpu.phase_ms / 1e3),
        start_mj=gpu.counter_start_mj,
        resets_ns=tuple(sorted(map(nanoseconds, gpu.resets))),
        sensor_ns=nanoseconds(gpu.sensor_ms / 1e3),
        seen_ns=nanoseconds(gpu.seen_ms / 1e3),
        average_ns=nanoseconds(gpu.average_ms / 1e3),
        usage_ns=nanoseconds(gpu.usage_ms / 1e3),
        scale=gpu.power_scale,
    )


def counter_mj(meter: Meter, now_ns: int) -> int:
    """What the counter shows: energy until its last tick, whole millijoules."""
    tick = 0
    if now_ns >= meter.phase_ns:
        tick = meter.phase_ns + (now_ns - meter.phase_ns) // meter.tick_ns * meter.tick_ns
    start, since = float(meter.start_mj), 0
    for reset in meter.resets_ns:
        if reset <= now_ns:
            start, since = 0.0, reset
    if tick <= since:
        return math.floor(start)
    whole = integral(meter.power_mw, tick / 1e9) - integral(meter.power_mw, since / 1e9)
    return math.floor(start + whole)


def power_mw(meter: Meter, now_ns: int, window_ns: int) -> int:
    """What the sensor shows: mean over the window before its last sample, milliwatts."""
    until = now_ns // meter.sensor_ns * meter.sensor_ns
    since = max(0, until - window_ns)
    if since == until:
        mean = value(meter.power_mw, until / 1e9)
    else:
        whole = integral(meter.power_mw, until / 1e9) - integral(meter.power_mw, since / 1e9)
        mean = whole / ((until - since) / 1e9)
    return math.floor(mean * meter.scale + 0.5)


def true_energy_uj(gpu: Gpu, since_ns: int, until_ns: int) -> int:
    """True energy of a device between two times of the script, microjoules, without rounding.

    Whatever the counter, its ticks and its resets do.
    """
    ends = (Fraction(until_ns, 10**9), Fraction(since_ns, 10**9))
    joules = exact(gpu.power, ends[0]) - exact(gpu.power, ends[1])
    return round(joules * 10**6)
