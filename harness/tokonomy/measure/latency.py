"""Latency of two arms in pairs: ABBA blocks, so that drift of the machine cancels in each pair.

Invariants: both arms get the same calls on the same batches; nothing but the call and the device's
wait stands between two readings of the clock; no sample is ever deleted.
"""

from __future__ import annotations

import gc
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from tokonomy.measure.clock import Clock
from tokonomy.measure.inputs import Shape, kept, shape
from tokonomy.measure.protocol import CHECK_EVERY
from tokonomy.stats.estimate import half_width
from tokonomy.stats.latency import ratio
from tokonomy.store.record import Measuring, Pair, Timing

Predict = Callable[[Any], Any]
Arm = Literal["method", "reference"]
Seen = Callable[[Arm, int, Any], None]
Stop = Literal["converged", "pair-cap", "time-cap"]

_ORDER: dict[Arm, tuple[Arm, Arm]] = {
    "method": ("method", "reference"),
    "reference": ("reference", "method"),
}
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """Calls of each arm and seconds in all before the first pair."""

    calls: int
    seconds: float


def _unseen(_: Arm, __: int, ___: object) -> None:
    pass


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector out; it runs between pairs if it wants to."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def warm_up(
    arms: dict[Arm, Predict], batches: Sequence[Any], clock: Clock, measuring: Measuring
) -> Warmup:
    """Call both arms equally often: every batch, every shape so many times, and so many seconds."""
    shapes = [shape(batch) for batch in batches]
    met: Counter[Shape] = Counter()
    begun, calls = clock.now(), 0
    until = begun + int(measuring.warmup_s * _SECOND)
    least = dict.fromkeys(shapes, measuring.warmup_calls)
    while calls < len(batches) or not met >= Counter(least) or clock.now() < until:
        place = calls % len(batches)
        for predict in arms.values():
            predict(batches[place])
        clock.sync()
        met[shapes[place]] += 1
        calls += 1
    return Warmup(calls=calls, seconds=(clock.now() - begun) / _SECOND)


def _timed(predict: Predict, batch: object, clock: Clock) -> tuple[int, object]:
    clock.sync()
    start = clock.now()
    output = predict(batch)
    clock.sync()
    elapsed = clock.now() - start
    return elapsed, kept(output)  # as it is now, before the other arm can run


def _orders(rng: random.Random) -> Iterator[tuple[int, Arm]]:
    """Block number and first arm of each pair: ABBA or BAAB, drawn for each block."""
    for block in itertools.count():
        first: Arm = rng.choice(("method", "reference"))
        yield block, first
        yield block, _ORDER[first][1]


def _stop(pairs: Sequence[Pair], elapsed_ns: int, measuring: Measuring) -> Stop | None:
    """Why sampling ends here, if it does; only whole blocks are compared."""
    if len(pairs) % 2 or len(pairs) < measuring.min_pairs:
        return None
    if len(pairs) % CHECK_EVERY == 0:
        width = spread(pairs)
        if width is not None and width <= measuring.half_width:
            return "converged"
    if len(pairs) >= measuring.max_pairs:
        return "pair-cap"
    return "time-cap" if elapsed_ns >= measuring.max_s * _SECOND else None


def spread(pairs: Sequence[Pair]) -> float | None:
    """Half-width of the 95 % interval of the ratio, relative to it."""
    return half_width(
        ratio(
            [pair.method_ns for pair in pairs],
            [pair.reference_ns for pair in pairs],
            [pair.block for pair in pairs],
        )
    )


def measure_pairs(
    method: Predict,
    reference: Predict,
    batches: Sequence[Any],
    *,
    clock: Clock,
    measuring: Measuring,
    rng: random.Random,
    seen: Seen = _unseen,
) -> Timing:
    """Time both arms until the ratio is known well enough, or a cap is met.

    The interval is looked at every few pairs and sampling stops on its width, never on its place,
    so stopping does not favour either arm.

    Args:
        method: One arm.
        reference: The other, with the same inputs, mode and threads.
        batches: What to time them on, in turn.
        clock: Reads nanoseconds.
        measuring: Warm-up, caps and target.
        rng: Draws which arm a block starts with.
        seen: Gets arm, index of the batch and the output as it was when the clock was read, after
            each pair and outside the timed region.
    """
    arms: dict[Arm, Predict] = {"method": method, "reference": reference}
    gc.collect()
    warmup = warm_up(arms, batches, clock, measuring)
    pairs: list[Pair] = []
    orders, begun = _orders(rng), clock.now()
    while (stop := _stop(pairs, clock.now() - begun, measuring)) is None:
        block, first = next(orders)
        index = len(pairs) % len(batches)
        with _uncollected():
            results = {arm: _timed(arms[arm], batches[index], clock) for arm in _ORDER[first]}
        pairs.append(
            Pair(
                block=block,
                batch=index,
                first=first,
                method_ns=results["method"][0],
                reference_ns=results["reference"][0],
            )
        )
        for arm, (_, output) in results.items():
            seen(arm, index, output)
    return Timing(
        clock=clock.name,
        warmup_calls=warmup.calls,
        warmup_s=warmup.seconds,
        pairs=pairs,
        stop=stop,
        half_width=spread(pairs),
    )
