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
SHORTER = 0.02
"""Answers shorter than the reference's by more than this share take less time by that alone."""

UNTOLD = Missing(reason="lengths-not-told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Prompts whose numbers of tokens lie between the same two powers of two.

    Attributes:
        shortest, longest: Their tokens.
        prompts: How many were timed.
        method_ms, reference_ms: Median time of a whole call.
        ratio: Of the times.
        tokens, beside_tokens: Of an answer, mean, of method and reference.
        cached, beside: Bytes of keys and values, mean, of method and reference, at most and with as
            many tokens made; None where no pass followed a prompt's.
    """

    shortest: int
    longest: int
    prompts: int
    method_ms: float
    reference_ms: float
    ratio: Estimate
    tokens: float
    beside_tokens: float
    cached: float | None
    beside: float | None


def by_length(record: Record) -> tuple[Length, ...] | Missing:
    """Timed calls by the length of their prompt, the shortest first.

    A block's two pairs are on two prompts, mostly of two lengths, so that the cost of being called
    first does not cancel inside what is left of it; as the first arm is drawn for each block, it
    widens the interval and favours neither arm.

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


def faster_from(lengths: Sequence[Length]) -> int | Missing:
    """Tokens of prompts from which on, longer ones included, it is faster.

    That is where the 95 % interval of the latency ratio lies below 1 as a whole. Told is the
    longest of the shortest class in which it does: its prompts were looked at together. Missing
    where it is not on the longest prompts, where there are too few calls to tell, and where it is
    so by saying less.
    """
    found: int | Missing = Missing(reason="not-faster-on-long")
    for each in reversed(lengths):
        if each.ratio.high is None:
            unsure = Missing(reason=each.ratio.reason or "no-pairs")
            return unsure if isinstance(found, Missing) else found
        if each.ratio.high >= 1:
            return found
        if each.tokens < (1 - SHORTER) * each.beside_tokens:
            return Missing(reason="answers-shorter") if isinstance(found, Missing) else found
        found = each.longest
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
        tokens=fmean(both[at][0].tokens for at in places),
        beside_tokens=fmean(both[at][1].tokens for at in places),
        cached=fmean(mine[0] for mine, _ in held) if held else None,
        beside=fmean(other[0] for _, other in held) if held else None,
    )
