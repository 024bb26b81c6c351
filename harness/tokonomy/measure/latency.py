"""Latency of two arms in pairs: ABBA blocks, so that drift of the machine cancels in each pair.

Invariants: both arms get the same calls on the same batches, and no batch twice in a row where
there are two or more; nothing but the call and the device's wait stands between two readings of the
clock; no sample is ever deleted: pairs that an observed cause spoils are kept apart and made again.

Where the device has a time of its own, each pair is followed by a call of each arm for that, on
another batch of the same shape, so that it tells nothing of an arm that keeps its last answer. Its
output is looked at as that of a pair is.
"""

from __future__ import annotations

import gc
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tokonomy.errors import TelemetryError
from tokonomy.measure.arms import Predict, Seen
from tokonomy.measure.clock import Clock, Queued, Taken
from tokonomy.measure.inputs import Shape, kept, shape
from tokonomy.measure.protocol import CHECK_EVERY, LOOKS, SPOILED_LOOKS, SPOILED_SHARE
from tokonomy.stats import latency
from tokonomy.store.cell import Measuring
from tokonomy.store.fields import Arm
from tokonomy.store.observed import Flag, Pair, Spoiled, Timing

Watch = Callable[[], list[Flag]]
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


def _unwatched() -> list[Flag]:
    return []


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
    """Call both arms equally often, in whole rounds of the batches.

    There are as many rounds as give every shape so many calls and take so many seconds.
    """
    begun, rounds = clock.now(), 0
    until = begun + int(measuring.warmup_s * _SECOND)
    each = min(Counter(map(shape, batches)).values())
    while rounds * each < measuring.warmup_calls or clock.now() < until:
        for batch in batches:
            for predict in arms.values():
                predict(batch)
            clock.sync()
        rounds += 1
    return Warmup(calls=rounds * len(batches), seconds=(clock.now() - begun) / _SECOND)


def _timed(predict: Predict, batch: Any, clock: Clock) -> Taken:
    taken = clock.timed(predict, batch)
    return taken._replace(output=kept(taken.output))  # as it is now, before the other arm can run


def _queue(
    arms: dict[Arm, Predict], taken: dict[Arm, Taken], batch: Any, clock: Clock
) -> dict[Arm, Queued]:
    """Both arms in the order of the pair before; none where the device has no time of its own."""
    found: dict[Arm, Queued] = {}
    for arm, each in taken.items():
        queued = clock.queued(arms[arm], batch, each.asking_ns)
        if queued is not None:
            found[arm] = queued._replace(output=kept(queued.output))
    return found


def others(batches: Sequence[Any]) -> list[int]:
    """For each batch the place of another of its shape, half a round away.

    There are none where a shape has fewer than three: of two, the other is timed next.
    """
    same: dict[Shape, list[int]] = {}
    for place, batch in enumerate(batches):
        same.setdefault(shape(batch), []).append(place)
    found: dict[int, int] = {}
    for places in same.values():
        half = (len(places) + 1) // 2
        found |= zip(places, places[half:] + places[:half], strict=True)
    return [found[place] for place in sorted(found)] if min(map(len, same.values())) > 2 else []


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
    if len(pairs) % CHECK_EVERY == 0 and _narrow(pairs, LOOKS, measuring):
        return "converged"
    cap: Stop | None = "pair-cap" if len(pairs) >= measuring.max_pairs else None
    if cap is None and elapsed_ns >= measuring.max_s * _SECOND:
        cap = "time-cap"
    return "converged" if cap is not None and _narrow(pairs, 1, measuring) else cap


def _narrow(pairs: Sequence[Pair], looks: int, measuring: Measuring) -> bool:
    """Whether the interval is as narrow as asked now, and was so at the looks before."""
    ends = [len(pairs) - back * CHECK_EVERY for back in range(looks)]
    if ends[-1] < measuring.min_pairs:
        return False
    widths = (spread(pairs[:end]) for end in ends)
    return all(width is not None and width <= measuring.half_width for width in widths)


def spread(pairs: Sequence[Pair]) -> float | None:
    """Half-width of the 95 % interval of the ratio, relative to it."""
    return latency.spread(
        [pair.method_ns for pair in pairs],
        [pair.reference_ns for pair in pairs],
        [pair.block for pair in pairs],
    )


@dataclass(slots=True)
class _Made:
    """Pairs made so far.

    Attributes:
        pairs: Those that stand.
        device_ns: Time on the device after each, by arm; empty where the clock has none.
        spoiled: Those that do not.
        quiet: How many stood at the last look that found nothing amiss; the rest is open.
    """

    pairs: list[Pair] = field(default_factory=list)
    device_ns: dict[Arm, list[int]] = field(default_factory=dict)
    spoiled: list[Spoiled] = field(default_factory=list)
    quiet: int = 0

    def count(self) -> int:
        """All of them."""
        return len(self.pairs) + sum(len(each.pairs) for each in self.spoiled)

    def add(
        self, block: int, batch: int, taken: dict[Arm, Taken], queued: dict[Arm, Queued]
    ) -> None:
        """Note a pair."""
        times = {f"{arm}_ns": each.host_ns for arm, each in taken.items()}
        self.pairs.append(Pair(block=block, batch=batch, first=next(iter(taken)), **times))
        for arm, each in queued.items():
            self.device_ns.setdefault(arm, []).append(each.device_ns)

    def due(self) -> bool:
        """Whether it is time to look for causes: at the end of a block, every few pairs."""
        return len(self.pairs) % 2 == 0 and len(self.pairs) - self.quiet >= CHECK_EVERY

    def spoiled_by(self, causes: Sequence[Flag]) -> bool:
        """Put the open pairs aside if something was observed; raise if that happens too often."""
        if causes:
            cause, others = causes[0], [f"{each.code}: {each.detail}" for each in causes[1:]]
            detail = "; ".join([cause.detail or "", *others])[:500]
            away = self.pairs[self.quiet :]
            self.spoiled.append(Spoiled(cause=cause.code, detail=detail, pairs=away))
            del self.pairs[self.quiet :]
            for times in self.device_ns.values():
                del times[self.quiet :]
            self._bear(cause.code, detail)
        self.quiet = len(self.pairs)
        return bool(causes)

    def _bear(self, cause: str, detail: str) -> None:
        away, count = self.count() - len(self.pairs), self.count()
        if len(self.spoiled) > SPOILED_LOOKS and away > SPOILED_SHARE * count:
            raise TelemetryError(cause, f"{away} of {count} pairs spoiled; last {detail}"[:500])


def measure_pairs(
    method: Predict,
    reference: Predict,
    batches: Sequence[Any],
    *,
    clock: Clock,
    measuring: Measuring,
    rng: random.Random,
    seen: Seen = _unseen,
    watch: Watch = _unwatched,
) -> Timing:
    """Time both arms until the ratio is known well enough, or a cap is met.

    The interval is looked at every few pairs and sampling stops on its width, never on its place,
    so stopping does not favour either arm; and only on several narrow looks in a row, or at a cap,
    so that one look that is narrow by luck does not end it.

    Args:
        method: One arm.
        reference: The other, with the same inputs, mode and threads.
        batches: What to time them on, in turn.
        clock: Reads nanoseconds.
        measuring: Warm-up, caps and target.
        rng: Draws which arm a block starts with.
        seen: Gets each output as it was when the clock was read, after each pair.
        watch: Gives what was observed since it was last asked that spoils measurements. It is
            asked between blocks only: every few pairs, and before the last one is accepted. All
            pairs since it last had nothing to say are then made again; time goes on for the cap.

    Raises:
        TelemetryError: Most pairs were spoiled; the reason is the last cause.
    """
    arms: dict[Arm, Predict] = {"method": method, "reference": reference}
    gc.collect()
    warmup = warm_up(arms, batches, clock, measuring)
    made, stop, other = _Made(), None, others(batches)
    watch()  # what was before the first pair does not concern it
    orders, begun = _orders(rng), clock.now()
    while stop is None:
        block, first = next(orders)
        index = made.count() % len(batches)
        with _uncollected():
            taken = {arm: _timed(arms[arm], batches[index], clock) for arm in _ORDER[first]}
            queued = _queue(arms, taken, batches[other[index]], clock) if other else {}
        made.add(block, index, taken, queued)
        for arm, each in taken.items():
            seen(arm, index, each.output)
        for arm, one in queued.items():
            seen(arm, other[index], one.output)
        stop = _stop(made.pairs, clock.now() - begun, measuring)
        if (stop is not None or made.due()) and made.spoiled_by(watch()):
            stop = None
    return Timing(
        clock=clock.name,
        warmup_calls=warmup.calls,
        warmup_s=warmup.seconds,
        pairs=made.pairs,
        stop=stop,
        half_width=spread(made.pairs),
        device_ns=made.device_ns,
        spoiled=made.spoiled,
    )
