"""What follows from a record: every figure of ``METRICS``, recomputed, never written back to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tokonomy.stats.estimate import Estimate, inverse, missing
from tokonomy.stats.latency import (
    autocorrelated,
    autocorrelation,
    bimodal,
    block_ratios,
    percentile,
    ratio,
    separation,
)
from tokonomy.stats.means import mean
from tokonomy.stats.paired import average, binary, difference, mcnemar, retained, wilson
from tokonomy.store.decoding import decoded, given, not_below_zero
from tokonomy.store.fields import Arm, Missing, Mode
from tokonomy.store.joules import ENERGY, joules
from tokonomy.store.metrics import METRICS, Metric, absent, estimated, figure, present
from tokonomy.store.observed import (
    Costs,
    Energy,
    Layer,
    Memory,
    Peak,
    Quality,
    Timing,
    Work,
)
from tokonomy.store.record import Record
from tokonomy.store.scripted import scripted

DERIVATION = 8
"""Raised with every change to what is derived; a store then recomputes all of its figures."""

QUALITY = (
    "accuracy",
    "reference_accuracy",
    "retained",
    "accuracy_drop",
    "accuracy_drop_p",
    "agreement",
    "shared_tokens",
    "accuracy_easy",
    "accuracy_hard",
)
TIMING = (
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_p99_ms",
    "reference_latency_p50_ms",
    "latency_ratio",
    "speed_up",
    "throughput",
    "reference_throughput",
    "ratio_autocorrelation",
    "latency_separation",
    "device_latency_p50_ms",
    "launch_gap_ms",
    "pairs_spoiled",
)
MEMORY = (
    "peak_memory_bytes",
    "memory_over_baseline_bytes",
    "allocated_peak_bytes",
    "allocated_over_baseline_bytes",
    "reserved_peak_bytes",
    "device_peak_bytes",
)
WORK = ("tokens_kept", "tokens_mean", "flops", "flops_ratio", "effect")
COSTS = ("load_s", "prepare_s", "wall_s")

_SCRIPTED = "scripted-device"
_REPLAYED = Missing(reason="graph-replayed")
_MS = 1e-6  # milliseconds in a nanosecond
_SAME = 1e-6  # tokens; mean counts closer than this are equal

P = TypeVar("P", Quality, Timing, Memory, Work, Energy, Costs)


def derive(record: Record) -> list[Metric]:
    """Every figure of ``METRICS``, in its order; a missing one has its reason.

    Where they are withheld none has a value, whatever stands in the record, so that nothing that
    reads figures can take it for a result.
    """
    why = withheld(record)
    if why is not None:
        return [absent(name, why) for name in METRICS]
    return [
        *_group(record.quality, QUALITY, lambda quality: _quality(quality, given(record))),
        *_group(record.timing, TIMING, lambda timing: _timing(timing, record.cell.batch_size)),
        *_group(record.memory, MEMORY, lambda memory: _memory(memory, record.cell.mode)),
        *_group(record.work, WORK, _work),
        *decoded(record),
        *_group(record.energy, ENERGY, joules),
        *_group(record.costs, COSTS, _costs),
    ]


def withheld(record: Record) -> str | None:
    """Why a run has no figures: it is not ok, or its device is scripted; None where it has them."""
    return _SCRIPTED if scripted(record) else record.reason


def _group(
    part: P | Missing, names: Iterable[str], make: Callable[[P], Iterable[Metric]]
) -> Iterable[Metric]:
    if isinstance(part, Missing):
        return [absent(name, part.reason) for name in names]
    return make(part)


def _quality(quality: Quality, scored: bool) -> Iterator[Metric]:
    scores = {arm: np.array(values) for arm, values in quality.scores.items()}
    method, reference = scores["method"], scores["reference"]
    yield estimated("accuracy", average(method))
    yield estimated("reference_accuracy", average(reference))
    with np.errstate(all="ignore"):  # graded scores next to 0; what overflows is withheld
        kept = retained(method, reference)
    yield estimated("retained", kept)
    if binary(method) and binary(reference):
        yield estimated("accuracy_drop", difference(reference, method))
        yield present("accuracy_drop_p", mcnemar(method, reference).p, method.size)
    else:
        yield absent("accuracy_drop", "scores-not-binary")
        yield absent("accuracy_drop_p", "scores-not-binary")
    yield _agreement(quality, scored)
    if quality.shared:
        yield estimated("shared_tokens", not_below_zero(mean(quality.shared)))
    else:
        yield absent("shared_tokens", "no-tokens-made")
    yield from _strata(scores)


def _agreement(quality: Quality, scored: bool) -> Metric:
    ours, theirs = quality.outputs.get("method"), quality.outputs.get("reference")
    if ours is None or theirs is None:
        return absent("agreement", "no-outputs")
    if scored and any(isinstance(each, str) for each in theirs):
        return absent("agreement", "tokens-given")  # a likelihood is no answer; see kl_nats
    same = sum(left == right for left, right in zip(ours, theirs, strict=True))
    return estimated("agreement", wilson(same, len(ours)))


def by_group(record: Record, arm: Arm = "method") -> dict[str, Estimate]:
    """An arm's mean score in each group of samples, as they come; none where withheld."""
    quality = record.quality
    if withheld(record) or isinstance(quality, Missing):
        return {}
    found: dict[str, list[float]] = {}
    for group, score in zip(quality.groups, quality.scores[arm], strict=False):
        found.setdefault(group, []).append(score)
    return {group: average(scores) for group, scores in found.items()}


def _strata(scores: dict[str, NDArray[np.float64]]) -> Iterator[Metric]:
    """Easy: right on coarse inputs too. Hard: right at full size, wrong on coarse inputs."""
    coarse = scores.get("coarse")
    known = coarse is not None and binary(coarse) and binary(scores["reference"])
    for name in ("accuracy_easy", "accuracy_hard"):
        if coarse is None or not known:
            yield absent(name, "no-coarse-arm" if coarse is None else "scores-not-binary")
            continue
        easy = name == "accuracy_easy"
        chosen = coarse == 1 if easy else (coarse == 0) & (scores["reference"] == 1)
        yield estimated(name, average(scores["method"][chosen]))


def _timing(timing: Timing, batch_size: int) -> Iterator[Metric]:
    rows = [(pair.method_ns, pair.reference_ns, pair.block) for pair in timing.pairs]
    method, reference, block = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    for name, share in (("latency_p50_ms", 0.5), ("latency_p90_ms", 0.9), ("latency_p99_ms", 0.99)):
        yield estimated(name, percentile(method, share), _MS)
    yield estimated("reference_latency_p50_ms", percentile(reference, 0.5), _MS)
    latency = ratio(method, reference, block) if rows else missing("no-pairs")
    yield estimated("latency_ratio", latency)
    yield estimated("speed_up", inverse(latency))
    for name, arm in (("throughput", method), ("reference_throughput", reference)):
        rate = batch_size * arm.size / float(arm.sum(dtype=np.float64)) * 1e9 if rows else None
        yield present(name, rate, arm.size)
    ratios = block_ratios(method, reference, block)
    lag = present("ratio_autocorrelation", autocorrelation(ratios), ratios.size)
    yield lag._replace(text="autocorrelated" if autocorrelated(ratios) else None)
    modes = present("latency_separation", separation(method), method.size)
    yield modes._replace(text="bimodal" if bimodal(method) else None)
    yield from _device(timing, method)
    yield present("pairs_spoiled", sum(len(spoiled.pairs) for spoiled in timing.spoiled))


def _device(timing: Timing, method: NDArray[np.int64]) -> Iterator[Metric]:
    """Time on the device, and what of a call's time is not; of a batch of one shape each."""
    device = np.array(timing.device_ns.get("method", []), dtype=np.int64)
    if not device.size:
        yield absent("device_latency_p50_ms", "no-device-events")
        yield absent("launch_gap_ms", "no-device-events")
        return
    yield estimated("device_latency_p50_ms", percentile(device, 0.5), _MS)
    yield present("launch_gap_ms", float(np.median(method - device)) * _MS, device.size)


def _memory(memory: Memory, mode: Mode) -> Iterator[Metric]:
    """Every peak; a replay allocates next to nothing, so that what tensors hold tells nothing."""
    allocated = _REPLAYED if mode == "cuda-graphs" else memory.allocated
    yield _peak("peak_memory_bytes", memory.process)
    yield _peak("memory_over_baseline_bytes", memory.process, over=True)
    yield _peak("allocated_peak_bytes", allocated)
    yield _peak("allocated_over_baseline_bytes", allocated, over=True)
    yield _peak("reserved_peak_bytes", memory.reserved)
    yield _peak("device_peak_bytes", memory.device)


def _peak(name: str, peak: Peak | Missing, *, over: bool = False) -> Metric:
    """A peak, or its rise over the baseline."""
    if isinstance(peak, Missing):
        return absent(name, peak.reason)
    return present(name, peak.peak_bytes - (peak.baseline_bytes if over else 0))


def tokens_kept(work: Work) -> float | None:
    """Tokens in all blocks' MLPs over those of the reference; None where either has no blocks."""
    whole = sum(layer.mlp for layer in work.reference_layers)
    share = sum(layer.mlp for layer in work.layers) / whole if whole and work.layers else None
    return share if share is not None and math.isfinite(share) else None


def _work(work: Work) -> Iterator[Metric]:
    tokens, layers = sum(layer.mlp for layer in work.layers), len(work.layers)
    yield present("tokens_kept", tokens_kept(work), work.samples)
    yield present("tokens_mean", tokens / layers if layers else None, work.samples)
    flops, reference = work.flops, work.reference_flops
    yield present("flops", flops or None, work.samples)
    yield present("flops_ratio", flops / reference if flops and reference else None, work.samples)
    if layers and work.reference_layers:
        yield figure("effect", n=work.samples, text=effect(work))
    else:
        yield absent("effect", "not-computable")


def effect(work: Work) -> str:
    """What happened to tokens, from the counts alone: none, removed, masked or kv-only."""
    if len(work.layers) != len(work.reference_layers):
        return "removed"
    pairs = list(zip(work.layers, work.reference_layers, strict=True))
    if any(layer.mlp < reference.mlp - _SAME for layer, reference in pairs):
        return "removed"
    if any(layer.masked > reference.masked + _SAME for layer, reference in pairs):
        return "masked"
    return "kv-only" if any(_narrower(*pair) for pair in pairs) else "none"


def _narrower(layer: Layer, reference: Layer) -> bool:
    return layer.keys < min(layer.queries, reference.keys) - _SAME


def _costs(costs: Costs) -> Iterator[Metric]:
    for name in COSTS:
        yield present(name, getattr(costs, name))
