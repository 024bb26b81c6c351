"""The passes of a run: what each of them feeds, and to whom."""

from __future__ import annotations

import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tokonomy.families.contract import Outputs
from tokonomy.measure import ledger
from tokonomy.measure.clock import clock_for
from tokonomy.measure.inputs import copied, equal
from tokonomy.measure.latency import Arm, measure_pairs
from tokonomy.measure.protocol import (
    FLIPS,
    FRESH_CALLS,
    FRESH_LEAST,
    FRESH_RATIO,
    LEDGER_SAMPLES,
    REFERENCE_SAMPLES,
    TIMED_BATCHES,
    TIMED_SAMPLES,
)
from tokonomy.run.bench import Bench
from tokonomy.run.ending import Ended
from tokonomy.run.guards import Careful, Predict
from tokonomy.store.record import Flag, Missing, Quality, Timing, Work

Answers = dict[int, list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Batches of the cell's size: those that are timed, and others never shown before."""

    timed: list[Any]
    fresh: list[Any]


def spread(count: int, size: int, wanted: int) -> list[range]:
    """Up to ``wanted`` runs of ``size`` neighbours, spread evenly over ``count`` samples.

    >>> spread(10, 2, 3)
    [range(0, 2), range(2, 4), range(6, 8)]
    """
    whole = count // size
    number = min(whole, wanted)
    return [
        range(start * size, start * size + size)
        for start in (place * whole // number for place in range(number))
    ]


def choose(bench: Bench) -> Batches:
    """Batches of exactly the cell's size; unreadable samples thin them out."""
    cell, family = bench.job.cell, bench.family
    size = cell.batch_size
    timed = max(4, min(TIMED_BATCHES, TIMED_SAMPLES // size))
    places = spread(len(bench.data), size, timed + FRESH_CALLS)
    batches = [
        batch
        for place in places
        for batch in family.batches(bench.model, bench.data, size, indices=place)
        if len(batch) == size
    ]
    if not batches:
        raise Ended(
            "unsupported",
            "split-too-small",
            f"no {size} readable samples in a row among {len(bench.data)}",
        )
    fresh = batches[1::2][:FRESH_CALLS]
    seen = [batch for batch in batches if not any(batch is other for other in fresh)]
    return Batches(timed=seen[:timed], fresh=fresh)


def latency(
    bench: Bench, method: Predict, reference: Predict, batches: list[Any]
) -> tuple[Timing, Answers]:
    """The timed pass, and what the method answered in it, by sample."""
    answers: Answers = {}
    kept = [copied(batch) for batch in batches]

    def seen(arm: Arm, index: int, output: object) -> None:
        if arm == "method":
            bench.around.check()
            logits = bench.family.validate(output, batches[index], bench.model)
            _note(answers, batches[index], logits)

    timing = measure_pairs(
        method,
        reference,
        batches,
        clock=clock_for(bench.job.cell.device),
        measuring=bench.job.measuring,
        rng=random.Random(bench.job.cell.key),
        seen=seen,
    )
    if not all(equal(batch, copy) for batch, copy in zip(batches, kept, strict=True)):
        raise Ended("invalid", "input-mutated")
    return timing, answers


def _note(answers: Answers, batch: Any, logits: Tensor) -> None:
    """Keep what was answered for each sample."""
    for sample, answer in zip(batch.ids.tolist(), logits.argmax(1).tolist(), strict=True):
        answers.setdefault(sample, []).append(answer)


def check_fresh(predict: Predict, batches: Batches) -> None:
    """Raise if the method is much faster on inputs it met before: it keeps answers.

    Three calls in four must be slower by ``FRESH_RATIO``: a lookup is, noise is not.
    """
    if len(batches.fresh) < FRESH_LEAST:
        return
    ratios = []
    for number, fresh in enumerate(batches.fresh):
        seen_s = _seconds(predict, batches.timed[number % len(batches.timed)])
        ratios.append(_seconds(predict, fresh) / seen_s)
    if sorted(ratios)[len(ratios) // 4] > FRESH_RATIO:
        raise Ended(
            "invalid",
            "faster-on-seen",
            f"fresh inputs take {statistics.median(ratios):.1f} times as long",
        )


def _seconds(predict: Predict, batch: object) -> float:
    begun = time.perf_counter()
    predict(batch)
    return time.perf_counter() - begun


def count_work(bench: Bench, method: Predict, reference: Any) -> Work | Missing:
    """Tokens and arithmetic of both arms, sample by sample."""
    family = bench.family
    indices = [place.start for place in spread(len(bench.data), 1, LEDGER_SAMPLES)]
    singles = list(family.batches(bench.model, bench.data, 1, indices=indices))
    ours = ledger.count(method, singles, family.layers(bench.model))
    plain = ledger.count(reference, singles[:REFERENCE_SAMPLES], family.layers(reference))
    bench.around.check()
    return ledger.work(ours, plain)


def judge(
    bench: Bench, method: Predict, reference: Any, answers: Answers
) -> tuple[Quality, list[Flag]]:
    """The whole split through every arm; a flag if answers while timed were not quite the same.

    The method's arm runs here and the others beside it: on small models two arms with a core each
    are quicker than one arm with two, and far quicker on a machine with other work to do.
    """
    family, data = bench.family, bench.data
    careful = Careful(method, bench.around)
    with ThreadPoolExecutor(1) as beside:
        others = beside.submit(_plain, bench, reference, torch.get_num_threads())
        arms = {"method": family.evaluate(careful, bench.model, data)}
        arms |= others.result()
    flags = _flips(dict(zip(careful.ids, arms["method"].predictions, strict=True)), answers)
    quality = Quality(
        metric=family.metric,
        outputs={arm: outputs.predictions for arm, outputs in arms.items()},
        scores={arm: family.score(outputs, data) for arm, outputs in arms.items()},
        outputs_hash={arm: outputs.logits_hash for arm, outputs in arms.items()},
        unreadable=arms["method"].unreadable,
    )
    return quality, flags


def _plain(bench: Bench, reference: Any, threads: int) -> dict[str, Outputs]:
    """The arms of the unmodified model, in a thread of their own."""
    family, data = bench.family, bench.data
    torch.set_num_threads(threads)
    with torch.inference_mode():
        return {
            "reference": family.evaluate(reference, reference, data),
            "coarse": family.evaluate(family.coarse(reference), reference, data),
        }


def _flips(said: dict[int, int], answers: Answers) -> list[Flag]:
    """Compare answers while timed with those of the quality pass; raise if too many differ."""
    times = [(said[sample], answer) for sample, given in answers.items() for answer in given]
    flips = sum(one != other for one, other in times)
    detail = f"{flips} of {len(times)}"
    if flips > FLIPS * len(times):
        raise Ended("invalid", "outputs-differ", detail)
    return [Flag(code="answers-flipped", detail=detail)] if flips else []
