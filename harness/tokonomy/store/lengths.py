"""Time and cache on short and on long prompts, and from which length on a method is faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from tokonomy.stats.estimate import Estimate
from tokonomy.stats.latency import ratio
from tokonomy.store.answers import alike, whole_prompts
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Decoded, Pair
from tokonomy.store.record import Record

BATCHES = Missing(reason="requests-in-batches")
UNTOLD = Missing(reason="lengths-not-told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Prompts whose numbers of tokens lie between the same two powers of two.

    Attributes:
        shortest, longest: Their tokens.
        prompts: How many were timed.
        method_ms, reference_ms: Median time of a whole call.
        ratio: Of the times.
        cached, beside: Bytes of keys and values, mean, of method and reference, at most and with as
            many tokens made; None where no pass followed a prompt's.
    """

    shortest: int
    longest: int
    prompts: int
    method_ms: float
    reference_ms: float
    ratio: Estimate
    cached: float | None
    beside: float | None


def by_length(record: Record) -> tuple[Length, ...] | Missing:
    """Timed calls by the length of their prompt, the shortest first.

    Requests timed one at a time are those whose passes were counted, in the same order, and the
    reference reads a prompt in its first pass.
    """
    timing, counted = record.timing, whole_prompts(record.decoding)
    if isinstance(timing, Missing):
        return timing
    if isinstance(counted, Missing):
        return counted
    if record.cell.batch_size > 1:
        return BATCHES
    both = list(zip(counted.method, counted.reference, strict=False))
    if not timing.pairs or max(pair.batch for pair in timing.pairs) >= len(both):
        return UNTOLD
    classes: dict[int, list[int]] = {}
    for at in sorted({pair.batch for pair in timing.pairs}):
        classes.setdefault(_prompt(both[at][1]).bit_length(), []).append(at)
    return tuple(_length(classes[each], timing.pairs, both) for each in sorted(classes))


def faster_from(lengths: Sequence[Length]) -> int | None:
    """Tokens of the shortest prompts from which on it is surely faster; None where it never is."""
    found = None
    for each in reversed(lengths):
        if each.ratio.high is None or each.ratio.high >= 1:
            break
        found = each.shortest
    return found


def _prompt(sample: Decoded) -> int:
    return sum(sample.read[:1])


def _length(
    places: Sequence[int], pairs: Sequence[Pair], both: Sequence[tuple[Decoded, Decoded]]
) -> Length:
    mine = [pair for pair in pairs if pair.batch in places]
    rows = [(pair.method_ns, pair.reference_ns, pair.block) for pair in mine]
    ours, theirs, block = np.array(rows, dtype=np.int64).T
    sizes = [_prompt(both[at][1]) for at in places]
    seen = [both[at] for at in places if all(each.read[1:] for each in both[at])]
    held = [alike(*each) for each in seen]
    return Length(
        shortest=min(sizes),
        longest=max(sizes),
        prompts=len(places),
        method_ms=median(ours) / 1e6,
        reference_ms=median(theirs) / 1e6,
        ratio=ratio(ours, theirs, block),
        cached=fmean(mine[0] for mine, _ in held) if held else None,
        beside=fmean(other[0] for _, other in held) if held else None,
    )
