"""What a run is refused for, seen from how a method takes inputs that it did or did not meet."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from tokonomy.families.contract import Family
from tokonomy.measure.arms import Predict
from tokonomy.measure.inputs import altered, shape
from tokonomy.measure.protocol import (
    FRESH_LEAST,
    FRESH_RATIO,
    FRESH_SLOWER,
    PLAIN_CALLS,
    PLAIN_S,
)
from tokonomy.run.ending import Ended
from tokonomy.run.passes import Batches
from tokonomy.store.fields import Mode
from tokonomy.store.observed import Flag


def check_fresh(predict: Predict, reference: Predict, batches: Batches, mode: Mode) -> list[Flag]:
    """Compare inputs met before with fresh ones; raise if those run much faster: answers are kept.

    Three calls in four must be slower by a ratio than the slower of two beside them: a lookup is,
    noise is not. Where shapes differ, the reference says how much longer a fresh input takes.
    """
    shapes = {shape(batch) for batch in batches.timed}  # another may have to be compiled first
    unmet = [batch for batch in batches.fresh if mode == "eager" or shape(batch) in shapes]
    if len(unmet) < FRESH_LEAST:
        return [Flag(code="fresh-not-checked", detail=f"{len(unmet)} fresh inputs")]
    ratios = []
    for number, fresh in enumerate(unmet):
        met = batches.timed[number % len(batches.timed)]
        before, taken, after = (_seconds(predict, batch) for batch in (met, fresh, met))
        longer = 1.0
        if shape(met) != shape(fresh):
            longer = max(1.0, _seconds(reference, fresh) / _seconds(reference, met))
        ratios.append(taken / max(before, after) / longer)
    low = sorted(ratios)[len(ratios) // 4]
    detail = f"fresh inputs take {statistics.median(ratios):.1f} times as long"
    if low > FRESH_RATIO:
        raise Ended("invalid", "faster-on-seen", detail)
    return [Flag(code="slower-on-fresh", detail=detail)] if low > FRESH_SLOWER else []


def check_memory(family: Family, model: Any, predict: Predict, batches: list[Any]) -> None:
    """Raise if a request that comes again takes other passes: something was learnt from it.

    Contents are altered, so that none was met before. No clock is looked at.
    """
    for batch in map(altered, batches):
        with family.reading(model) as passes:
            predict(batch)
            first = [each.read for each in passes()]
            predict(batch)
            again = [each.read for each in passes()]
        if first != again:
            detail = f"{len(first)} passes when first met, {len(again)} when met again"
            raise Ended("invalid", "learns-from-requests", detail)


def check_input(method: Predict, reference: Predict, batch: Any) -> None:
    """Raise if the same samples with other contents get the very same outputs, bit for bit.

    Contents that the reference itself cannot tell apart are no proof.
    """
    other = altered(batch)
    if torch.equal(reference(other), reference(batch)):
        return
    if torch.equal(method(other), method(batch)):
        raise Ended("invalid", "ignores-input")


def seconds(predict: Predict, batch: object) -> list[float]:
    """How long each of a few calls took."""
    taken: list[float] = []
    while len(taken) < 3 or (len(taken) < PLAIN_CALLS and sum(taken) < PLAIN_S):
        taken.append(_seconds(predict, batch))
    return taken


def _seconds(predict: Predict, batch: object) -> float:
    _settle()
    begun = time.perf_counter()
    predict(batch)
    _settle()
    return time.perf_counter() - begun


def _settle() -> None:
    """Wait until a GPU is idle, where one is in use."""
    cuda: Any = torch.cuda
    if cuda.is_initialized():
        cuda.synchronize()
