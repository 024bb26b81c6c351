"""Traces of a run, placed: latency pair by pair, power over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tokonomy.store.observed import Timing, Trace
from tokonomy_site import words
from tokonomy_site.figures import count, seconds, significant
from tokonomy_site.scales import Scale, scale

WIDTH, HEIGHT = 900, 260
MOST_PAIRS = 1500  # drawn and listed; about 60 KiB
MOST_BINS = 800  # about one for each pixel across
SHORTEST_S = 0.001  # a trace of less time, or of none, shows nothing

_STOPS = {
    "converged": "the interval was narrow enough",
    "pair-cap": "the cap on pairs was reached",
    "time-cap": "the cap on time was reached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A trace.

    Attributes:
        title: Read out in place of the picture.
        note: What is seen.
        x: Axis across.
        y: Axis up.
        x_title: Its words.
        y_title: Its words.
        paths: Each path by the class it is drawn in, the lowest first.
    """

    title: str
    note: str
    x: Scale
    y: Scale
    x_title: str
    y_title: str
    paths: dict[str, str]
    width: int = WIDTH
    height: int = HEIGHT


def latency(timing: Timing) -> Drawn:
    """Milliseconds of every call, method and reference."""
    pairs = timing.pairs[:MOST_PAIRS]
    method, reference = [p.method_ns / 1e6 for p in pairs], [p.reference_ns / 1e6 for p in pairs]
    ends = (0.5, len(pairs) + 0.5)
    x = scale([1.0, float(len(pairs))], start=52, end=WIDTH - 10, form=count, bounds=ends)
    y = scale(method + reference, start=HEIGHT - 38, end=12, form=significant, logs=True)
    return Drawn(
        title=f"Milliseconds per call of {words.plural(len(pairs), 'pair')}, method and reference",
        note=_timed(timing),
        x=x,
        y=y,
        x_title="pair, in the order of time",
        y_title="ms per call",
        paths={"dots square k1": _dots(reference, x, y), "dots k0": _dots(method, x, y)},
    )


def _timed(timing: Timing) -> str:
    """What the trace shows, how timing ended and what came before it."""
    every = len(timing.pairs)
    first = sum(pair.first == "method" for pair in timing.pairs)
    cut = f"; only the first {count(MOST_PAIRS)} are drawn and listed" if every > MOST_PAIRS else ""
    return (
        f"Round, blue: the method; square, orange: the reference. {words.plural(every, 'pair')}"
        f"{cut}; the method went first in {count(first)}. Timing ended: {_STOPS[timing.stop]}. "
        f"Before it, {words.plural(timing.warmup_calls, 'warm-up call')} of each arm "
        f"({seconds(timing.warmup_s)})."
    )


def _dots(values: Sequence[float], x: Scale, y: Scale) -> str:
    return "".join(f"M{x.place(i):g} {y.place(v):g}h0" for i, v in enumerate(values, 1))


def power(trace: Trace) -> Drawn | None:
    """Watts over time as a band from the lowest to the highest sample.

    None where the trace is too short or its times do not rise.
    """
    bins = merged(trace)
    times = [at / 1e3 for at, _, _ in bins]
    rising = all(earlier < later for earlier, later in pairwise(times))
    if not rising or not times or times[-1] - times[0] < SHORTEST_S:
        return None
    low, high = min(b[1] for b in bins), max(b[2] for b in bins)
    x = scale([0.0, times[-1]], start=52, end=WIDTH - 10, form=significant, bounds=(0, times[-1]))
    y = scale([0.0, high], start=HEIGHT - 38, end=12, form=significant, bounds=(0, 2 * high + 1))
    said = f"between {significant(low)} and {significant(high)} W in {seconds(times[-1])}"
    return Drawn(
        title=f"Power of the device, {said}",
        note=f"The band runs from the lowest to the highest of {count(trace.samples)} samples in "
        f"each of {words.plural(len(bins), 'bin')}: {said}. Source: {trace.source}. Idle power "
        "before and after is part of it.",
        x=x,
        y=y,
        x_title="seconds from the start of the energy pass",
        y_title="W",
        paths={"band k0": _band(bins, x, y)},
    )


def merged(trace: Trace) -> list[tuple[float, float, float]]:
    """Bins as time in ms, lowest and highest, so many at a time that the picture can hold them."""
    rows = list(zip(trace.at_ms, trace.low_w, trace.high_w, strict=True))
    together = -(-len(rows) // MOST_BINS) or 1
    groups = (rows[start : start + together] for start in range(0, len(rows), together))
    return [(g[0][0], min(r[1] for r in g), max(r[2] for r in g)) for g in groups]


def _band(bins: Sequence[tuple[float, float, float]], x: Scale, y: Scale) -> str:
    across = [x.place(at / 1e3) for at, _, _ in bins]
    tops = [f"{at:g} {y.place(b[2]):g}" for at, b in zip(across, bins, strict=True)]
    feet = [f"{at:g} {y.place(b[1]):g}" for at, b in zip(across, bins, strict=True)]
    return "M" + "L".join((*tops, *reversed(feet))) + "Z"
