"""Figures of answers made token by token: the first token, those after it, passes and cache.

Times are of whole calls, and of calls that ask for the first token only, on the same prompts.
Tokens, passes and bytes were counted apart, untimed, one request at a time. Requests that were
timed one at a time are those that were counted, in the same order; of larger batches what joins
both takes the mean tokens counted for those timed. So does the time per further token always; that
is exact where every answer has one length, as in tasks that make a fixed number of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean, median

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokonomy.stats.estimate import Estimate, missing
from tokonomy.stats.latency import percentile, ratio
from tokonomy.stats.means import mean, mean_ratio
from tokonomy.store.answers import alike, first_tokens, most, whole_prompts
from tokonomy.store.fields import Missing
from tokonomy.store.lengths import Length, by_length, faster_from
from tokonomy.store.metrics import Metric, absent, estimated, present
from tokonomy.store.observed import Decoded, Decoding, Pair, Timing
from tokonomy.store.record import Record

FIRST = ("ttft_ms", "reference_ttft_ms", "ttft_ratio")
REST = ("tpot_ms", "reference_tpot_ms", "tpot_ratio")
RATES = ("tokens_per_s", "reference_tokens_per_s", "speed_up_total", "speed_up_mean")
LENGTHS = ("answer_tokens", "reference_answer_tokens")
PASSES = ("target_calls", "acceptance_length", "acceptance_rate")
CACHE = ("kv_logical_bytes", "kv_physical_bytes", "kv_logical_ratio", "kv_physical_ratio")

APART = ("kl_nats",)
LONGER = ("faster_from_tokens",)

GIVEN = Missing(reason="tokens-given")

_MS = 1e-6  # milliseconds in a nanosecond


def decoded(record: Record) -> Iterator[Metric]:
    """Every figure of the groups above, in their order; where a part is missing, its reason."""
    whole, counted, size = record.timing, whole_prompts(record.decoding), record.cell.batch_size
    first = GIVEN if given(record) else record.first_token
    yield from _where(FIRST, _first, first)
    yield from _where(REST, partial(_rest, size), whole, first, counted)
    yield from _where(RATES, partial(_rates, size), whole, first, counted)
    yield from _where(LENGTHS, _lengths, first, counted)
    yield from _where(PASSES, _passes, first, counted)
    yield from _where(CACHE, _cache, counted)
    yield from _where(APART, _apart, counted if isinstance(counted, Missing) else counted.kl_nats)
    yield from _where(LONGER, _longer, by_length(record))


def given(record: Record) -> bool:
    """Whether tokens were given to be scored, so that no answer is made of tokens."""
    return isinstance(record.first_token, Missing) and isinstance(record.decoding, Decoding)


def _where(
    names: Iterable[str], make: Callable[..., Iterable[Metric]], *parts: object
) -> Iterable[Metric]:
    """What ``make`` derives from all parts; the first that is missing says why there is nothing."""
    gone = next((part for part in parts if isinstance(part, Missing)), None)
    return [absent(name, gone.reason) for name in names] if gone else make(*parts)


def _first(first: Timing) -> Iterator[Metric]:
    rows = [(pair.method_ns, pair.reference_ns, pair.block) for pair in first.pairs]
    method, reference, block = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    yield estimated("ttft_ms", percentile(method, 0.5), _MS)
    yield estimated("reference_ttft_ms", percentile(reference, 0.5), _MS)
    yield estimated("ttft_ratio", ratio(method, reference, block) if rows else missing("no-pairs"))


def _rest(size: int, whole: Timing, first: Timing, counted: Decoding) -> Iterable[Metric]:
    """Time after the first token over tokens after the first, prompt by prompt."""
    ours, theirs = (further(arm, size) for arm in (counted.method, counted.reference))
    if isinstance(ours, Missing):
        return [absent(name, ours.reason) for name in REST]
    if isinstance(theirs, Missing):
        return [absent(name, theirs.reason) for name in REST]
    calls, firsts = by_batch(whole.pairs), by_batch(first.pairs)
    both = sorted(calls.keys() & firsts.keys())
    method, reference = (
        np.array([_median(calls[at], arm) - _median(firsts[at], arm) for at in both])
        for arm in ("method_ns", "reference_ns")
    )
    return [
        _per_token("tpot_ms", method, ours),
        _per_token("reference_tpot_ms", reference, theirs),
        estimated("tpot_ratio", mean_ratio(method, reference), theirs / ours)
        if both
        else absent("tpot_ratio", "no-pairs"),
    ]


def further(samples: Sequence[Decoded], size: int) -> float | Missing:
    """Mean tokens after the first.

    A call of several requests takes as long as its longest answer, so lengths must then be equal.
    """
    if size > 1 and len({sample.tokens for sample in samples}) > 1:
        return Missing(reason="lengths-differ")
    rest = mean_tokens(samples) - 1
    return rest if rest > 0 else Missing(reason="one-token")


def mean_tokens(samples: Sequence[Decoded]) -> float:
    """Tokens of an answer."""
    return fmean(sample.tokens for sample in samples)


def _per_token(name: str, rest_ns: NDArray[np.float64], tokens: float) -> Metric:
    if not rest_ns.size:
        return absent(name, "no-pairs")
    found = mean(rest_ns)
    if found.value is None or found.value <= 0:  # noise, or a first token that costs it all
        return absent(name, "not-computable")
    return estimated(name, not_below_zero(found), _MS / tokens)


def by_batch(pairs: Iterable[Pair]) -> dict[int, list[Pair]]:
    """Pairs of each timed batch."""
    found: dict[int, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.batch, []).append(pair)
    return dict(sorted(found.items()))


def _median(pairs: Sequence[Pair], arm: str) -> float:
    return float(median(getattr(pair, arm) for pair in pairs))


def _rates(size: int, whole: Timing, _: Timing, counted: Decoding) -> Iterator[Metric]:
    """Tokens over time, and the two speed-ups of the field, in tokens per second."""
    batches, calls = by_batch(whole.pairs), len(whole.pairs)
    many = np.array([len(pairs) for pairs in batches.values()])
    ours, theirs = (
        _tokens(arm, list(batches), size) for arm in (counted.method, counted.reference)
    )
    totals = [
        np.array([sum(getattr(pair, arm) for pair in each) for each in batches.values()], float)
        for arm in ("method_ns", "reference_ns")
    ]
    for name, made, spent in zip(RATES, (ours, theirs), totals, strict=False):
        tokens = float((made * many).sum())
        yield present(name, tokens / float(spent.sum()) * 1e9 if tokens else None, calls)
    if not calls or not ours.all() or not theirs.all():
        why = "not-computable" if calls else "no-pairs"
        yield from (absent(name, why) for name in RATES[2:])
        return
    longer = float((ours * many).sum() / (theirs * many).sum())
    yield estimated("speed_up_total", ratio_of_totals(totals[1], totals[0]), longer)
    faster = np.array([_faster(pairs) for pairs in batches.values()]) * ours / theirs
    yield estimated("speed_up_mean", not_below_zero(mean(faster)))


def _tokens(samples: Sequence[Decoded], batches: Sequence[int], size: int) -> NDArray[np.float64]:
    """Tokens of a call on each timed batch: those of its request, where it is of one."""
    if size == 1 and max(batches, default=0) < len(samples):
        return np.array([samples[at].tokens for at in batches], dtype=np.float64)
    return np.full(len(batches), size * mean_tokens(samples))


def _faster(pairs: Sequence[Pair]) -> float:
    """Reference over method on one prompt: geometric mean over calls next to each other."""
    logs = [np.log(pair.reference_ns / pair.method_ns) for pair in pairs]
    return float(np.exp(np.mean(logs)))


def _lengths(_: Timing, counted: Decoding) -> Iterator[Metric]:
    for name, arm in zip(LENGTHS, (counted.method, counted.reference), strict=True):
        yield present(name, mean_tokens(arm), len(arm))


def _passes(_: Timing, counted: Decoding) -> Iterator[Metric]:
    """What the method's passes of the model after the prompt's gave."""
    samples = counted.method
    calls = [max(0, len(sample.read) - 1) for sample in samples]
    made = [max(0, sample.tokens - first_tokens(sample)) for sample in samples]
    drafted = [sum(sample.read[1:]) - each for sample, each in zip(samples, calls, strict=True)]
    if any(each > sum(sample.read[1:]) for each, sample in zip(made, samples, strict=True)):
        yield from (absent(name, "unseen-passes") for name in PASSES)  # a pass says no more
        return
    yield present("target_calls", fmean(calls), len(samples))
    if not sum(calls):
        yield absent("acceptance_length", "no-later-pass")
        yield absent("acceptance_rate", "no-later-pass")
        return
    yield estimated("acceptance_length", ratio_of_totals(made, calls))
    stood = np.subtract(made, calls)
    if not sum(drafted):
        yield absent("acceptance_rate", "no-drafts")
    elif stood.sum() < 0:  # more passes than tokens: what was read was no draft
        yield absent("acceptance_rate", "not-computable")
    else:
        yield estimated("acceptance_rate", _share(ratio_of_totals(stood, drafted)))


def _share(estimate: Estimate) -> Estimate:
    """An interval of a share, which is 1 at most."""
    return replace(estimate, high=None if estimate.high is None else min(1.0, estimate.high))


def _cache(counted: Decoding) -> Iterable[Metric]:
    """What the cache held when it was largest, before any pass after the prompt's."""
    both = _both(counted)
    if not both:
        return [absent(name, "no-later-pass") for name in CACHE]
    values = [sum(kind) / len(both) for kind in zip(*(most(ours) for ours, _ in both), strict=True)]
    shares = _shares(both)
    return [
        present(name, value, len(both))
        for name, value in zip(CACHE, [*values, *shares], strict=True)
    ]


def _apart(nats: Sequence[float]) -> Iterator[Metric]:
    """Mean over samples, of which none is below zero."""
    yield estimated("kl_nats", not_below_zero(mean(nats)))


def _longer(lengths: Sequence[Length]) -> Iterator[Metric]:
    found, prompts = faster_from(lengths), sum(each.prompts for each in lengths)
    if isinstance(found, Missing):
        yield absent("faster_from_tokens", found.reason)
    else:
        yield present("faster_from_tokens", found, prompts)


def _shares(both: Sequence[tuple[Decoded, Decoded]]) -> list[float | None]:
    """Logical and physical bytes over the reference's; there must be a sample."""
    held, beside = zip(*(alike(*each) for each in both), strict=True)
    sums = [[sum(kind) for kind in zip(*each, strict=True)] for each in (held, beside)]
    return [ours / theirs if theirs else None for ours, theirs in zip(*sums, strict=True)]


def cached(counted: Decoding | Missing) -> float | None:
    """Bytes in a cache over those of the reference's; None where that was not seen."""
    whole = whole_prompts(counted)
    both = [] if isinstance(whole, Missing) else _both(whole)
    return _shares(both)[0] if both else None


def _both(counted: Decoding) -> list[tuple[Decoded, Decoded]]:
    """Samples whose cache was seen in either arm."""
    pairs = zip(counted.method, counted.reference, strict=False)
    return [(ours, theirs) for ours, theirs in pairs if ours.read[1:] and theirs.read[1:]]


def ratio_of_totals(above: ArrayLike, below: ArrayLike) -> Estimate:
    """Sum over sum, paired in order, with Student's interval over the pairs by the delta method.

    What remains of each pair when the ratio is taken out has mean zero; the interval is that of
    this mean. Neither sum is below zero, nor is the interval.
    """
    top, bottom = (np.asarray(each, dtype=np.float64) for each in (above, below))
    if not bottom.sum() > 0:
        return missing("not-computable", int(top.size))
    value = float(top.sum() / bottom.sum())
    rest = mean((top - value * bottom) / bottom.mean())
    ends = (None if end is None else value + end for end in (rest.low, rest.high))
    low, high = ends
    return not_below_zero(replace(rest, value=value, low=low, high=high))


def not_below_zero(estimate: Estimate) -> Estimate:
    """An interval of what cannot be below zero."""
    return replace(estimate, low=None if estimate.low is None else max(0.0, estimate.low))
