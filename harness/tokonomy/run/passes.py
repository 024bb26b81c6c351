"""The passes of a run: what each of them feeds, and to whom."""

from __future__ import annotations

import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tokonomy.catalog.registry import catalogue
from tokonomy.families.contract import Family, Outputs, Reading
from tokonomy.measure import ledger
from tokonomy.measure.arms import Predict, Seen
from tokonomy.measure.clock import clock_for
from tokonomy.measure.crosscheck import disagreement
from tokonomy.measure.energy import measure_energy
from tokonomy.measure.inputs import copied, equal, shape
from tokonomy.measure.latency import measure_pairs
from tokonomy.measure.protocol import (
    DIFFERING,
    DIFFERING_LEAST,
    FRESH_CALLS,
    LEDGER_SAMPLES,
    REFERENCE_SAMPLES,
    TIMED_SAMPLES,
)
from tokonomy.run.bench import Bench
from tokonomy.run.ending import Ended
from tokonomy.run.guards import Careful, agree
from tokonomy.store.cell import Cell
from tokonomy.store.fields import Arm, Missing
from tokonomy.store.observed import (
    ONE_PASS,
    TOKENS_MADE,
    UNSCORED,
    Decoded,
    Decoding,
    Energy,
    Flag,
    Quality,
    Timing,
    Work,
)

Answers = dict[int, Tensor]  # the row of output of each row of the batches, as first given


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
    timed = max(4, min(cell.measuring.batches, TIMED_SAMPLES // size))
    unmet = min(FRESH_CALLS, timed + 1)
    places = spread(len(bench.data), size, timed + unmet)
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
    fresh = batches[0::2][:unmet]
    seen = [batch for batch in batches if not any(batch is other for other in fresh)]
    return Batches(timed=seen[:timed], fresh=fresh)


def latency(
    bench: Bench, method: Predict, reference: Predict, batches: list[Any]
) -> tuple[Timing, Answers]:
    """The timed pass, and what the method answered in it, by sample."""
    answers: Answers = {}
    return _timed(bench, method, reference, batches, answers), answers


def first_token(
    bench: Bench, method: Predict, reference: Predict, batches: list[Any], whole: Answers
) -> Timing | Missing:
    """The timed pass over calls that ask for the first token only: what reading a prompt takes.

    The token must be the one that ``whole`` answers begin with.
    """
    asked = [first for first in map(bench.family.first, batches) if first is not None]
    if not asked:
        return ONE_PASS
    answers: Answers = {}
    timing = _timed(bench, method, reference, asked, answers)
    if any(row[0] != whole[sample][0] for sample, row in answers.items()):
        raise Ended("invalid", "not-deterministic", "the first token alone is another one")
    return timing


def _timed(
    bench: Bench, method: Predict, reference: Predict, batches: list[Any], answers: Answers
) -> Timing:
    """Both arms in turn; what the method answers goes to ``answers``."""
    kept = [copied(batch) for batch in batches]
    timing = measure_pairs(
        method,
        reference,
        batches,
        clock=clock_for(bench.job.cell.device),
        measuring=bench.job.cell.measuring,
        rng=random.Random(bench.job.cell.key),
        seen=_looking(bench, batches, answers),
        watch=bench.telemetry.causes,
    )
    _untouched(batches, kept)
    return timing


def _looking(bench: Bench, batches: list[Any], answers: Answers) -> Seen:
    """Looks at what the method gave and left behind; it must answer as it did before."""

    def seen(arm: Arm, index: int, output: object) -> None:
        if arm == "method":
            bench.around.check()
            logits = bench.family.validate(output, batches[index], bench.model)
            _note(answers, batches[index], logits)

    return seen


def _untouched(batches: list[Any], kept: list[Any]) -> None:
    if not all(equal(batch, copy) for batch, copy in zip(batches, kept, strict=True)):
        raise Ended("invalid", "input-mutated")


def energy(
    bench: Bench,
    method: Predict,
    reference: Predict,
    batches: list[Any],
    timing: Timing,
    answers: Answers,
) -> Energy | Missing:
    """The energy pass; its calls must take as long and answer the same as in the timed pass."""
    cell, kept = bench.job.cell, [copied(batch) for batch in batches]
    if cell.measuring.energy is None:
        return Missing(reason="not-asked", detail="the suite does not ask for energy")
    with bench.around.ours():  # a thread that hangs in the driver is not the method's
        found = measure_energy(
            {"method": method, "reference": reference},
            batches,
            batch_size=cell.batch_size,
            telemetry=bench.telemetry,
            clock=clock_for(cell.device),
            plan=cell.measuring.energy,
            rng=random.Random(f"energy {cell.key}"),
            seen=_looking(bench, batches, answers),
        )
        bench.around.check()
    _untouched(batches, kept)
    if isinstance(found, Missing):
        return found
    return disagreement(found, timing) or found


def _note(answers: Answers, batch: Any, logits: Tensor) -> None:
    """Keep what was first answered for each sample; later the same batch must give the same."""
    samples = batch.ids.tolist()
    first = torch.stack([answers.setdefault(*pair) for pair in zip(samples, logits, strict=True)])
    if not all(agree(logits, first)):
        raise Ended("invalid", "not-deterministic", "a timed batch was answered in two ways")


def count_decoding(
    bench: Bench, method: Predict, reference: Any, timed: list[Any]
) -> tuple[Decoding | Missing, Answers]:
    """Passes of the model on the way to each answer, of both arms; what the method answered.

    Requests that were timed alone are those that are counted.
    """
    family, answers = bench.family, Answers()
    alone = bench.job.cell.batch_size == 1
    singles = timed if alone else _singles(bench, bench.job.cell.measuring.batches)
    ours, theirs, apart = list[Decoded](), list[Decoded](), list[float | None]()
    for batch in singles:
        output, passes, said = _watched(family, bench.model, method, batch)
        _note(answers, batch, output.clone())
        ours.append(_decoded(output, passes))
        output, passes, wanted = _watched(family, reference, reference, batch)
        theirs.append(_decoded(output, passes))
        apart.append(None if said is None or wanted is None else _kl(wanted, said))
    bench.around.check()
    if not any(each.read for each in theirs):
        return ONE_PASS, Answers()
    if not all(each.read for each in ours):
        detail = "the method does not call the model's own blocks"
        return Missing(reason="unseen-passes", detail=detail), answers
    made = any(family.first(batch) is not None for batch in singles)
    nats = [each for each in apart if each is not None]
    unheard = TOKENS_MADE if made else Missing(reason="logits-not-seen")
    kl = nats if len(nats) == len(apart) else unheard
    return Decoding(method=ours, reference=theirs, kl_nats=kl), answers


def _watched(
    family: Family, model: Any, predict: Predict, batch: Any
) -> tuple[Tensor, list[Reading], Tensor | None]:
    """What is answered, in which passes, and what the model thought before each given token."""
    with family.reading(model) as passes, family.heard(model, batch) as heard:
        output = family.validate(predict(batch), batch, model)
        return output, passes(), heard(output)


def _kl(wanted: Tensor, said: Tensor) -> float:
    """Mean divergence of the laws of two sets of logits [..., V], in nats."""
    p, q = (each.double().log_softmax(-1) for each in (wanted, said))
    return max(0.0, float((p.exp() * (p - q)).sum(-1).mean()))


def _decoded(output: Tensor, passes: list[Reading]) -> Decoded:
    """One answer and how it came about; token ids end with -1 where an answer is short."""
    tokens = output.shape[1] if output.is_floating_point() else int((output >= 0).sum())
    columns = [list(column) for column in zip(*passes, strict=True)] or [[]] * 4
    return Decoded(tokens=tokens, **dict(zip(Reading._fields, columns, strict=True)))


def _singles(bench: Bench, wanted: int) -> list[Any]:
    """Batches of one sample each, spread over the split."""
    indices = [place.start for place in spread(len(bench.data), 1, wanted)]
    return list(bench.family.batches(bench.model, bench.data, 1, indices=indices))


def count_work(bench: Bench, method: Predict, reference: Any) -> tuple[Work | Missing, Answers]:
    """Tokens and arithmetic of both arms, sample by sample, and what the method answered."""
    family = bench.family
    singles = _singles(bench, min(LEDGER_SAMPLES, 2 * bench.job.cell.measuring.batches))
    inside: set[str] = set()
    look = bench.around.changed
    ours = ledger.count(method, singles, family.layers(bench.model), lambda: inside.update(look()))
    if inside:
        raise Ended("invalid", "settings-changed", f"{', '.join(sorted(inside))}, inside of calls")
    plain = ledger.count(reference, singles[:REFERENCE_SAMPLES], family.layers(reference))
    if not plain.steady() or len({shape(batch) for batch in singles}) > 1:
        same = singles[: len(ours.flops)]
        plain = ledger.count(reference, same, family.layers(reference))
    bench.around.check()
    answers: Answers = {}
    for batch, output in zip(singles, ours.outputs, strict=False):
        _note(answers, batch, family.validate(output, batch, bench.model))
    return ledger.work(ours, plain), answers


def undercounted(work: Work | Missing) -> list[Flag]:
    """A flag if weights other than the model's did part of the work."""
    if isinstance(work, Missing) or not ledger.undercounted(work):
        return []
    return [Flag(code="tokens-undercounted")]


def judge(
    bench: Bench, method: Predict, reference: Any, passes: Mapping[str, Answers]
) -> tuple[Quality | Missing, list[Flag]]:
    """The whole split through every arm; flags where answers in other passes were not the same.

    Where answers mean nothing, they are only held against each other.

    The method's arm runs here and the others beside it: on small models two arms with a core each
    are quicker than one arm with two, and far quicker on a machine with other work to do.
    """
    family, data = bench.family, bench.data
    careful = Careful(method, bench.around)
    with ThreadPoolExecutor(1) as beside:
        others = beside.submit(_plain, bench, reference, torch.get_num_threads())
        arms = {"method": family.evaluate(careful, bench.model, data)}
        arms |= others.result()
    if len({outputs.inputs_hash for outputs in arms.values()}) > 1:
        raise Ended("invalid", "inputs-differ")
    said = arms["method"].raw
    scored = meaningful(bench.job.cell)
    flags = [
        flag
        for name, answers in passes.items()
        for flag in _compare(name, said, answers, family if scored else None)
    ]
    if not scored:
        return Missing(reason=UNSCORED, detail="the task or the weights are for costs only"), flags
    quality = Quality(
        metric=family.metric,
        outputs={arm: outputs.predictions for arm, outputs in arms.items()},
        scores={arm: outputs.scores for arm, outputs in arms.items()},
        outputs_hash={arm: outputs.logits_hash for arm, outputs in arms.items()},
        unreadable=arms["method"].unreadable,
        groups=arms["method"].groups,
        shared=_shared(said, arms["reference"].raw, len(data)),
    )
    return quality, flags


def _shared(ours: Answers, theirs: Answers, samples: int) -> list[int]:
    """Tokens that answers begin with alike; nothing where rows are no answers made of tokens."""
    rows = [(ours[row], theirs[row]) for row in sorted(ours)]
    if len(rows) != samples or any(left.is_floating_point() for left, _ in rows):
        return []
    alike = [(left == right) & (left >= 0) for left, right in rows]
    return [int(each.int().cumprod(0).sum()) for each in alike]


def _plain(bench: Bench, reference: Any, threads: int) -> dict[str, Outputs]:
    """The arms of the unmodified model, in a thread of their own."""
    family, data = bench.family, bench.data
    torch.set_num_threads(threads)
    with torch.inference_mode():
        arms = {"reference": family.evaluate(reference, reference, data)}
        smaller = family.coarse(reference) if meaningful(bench.job.cell) else None
        if smaller is not None:
            with smaller as coarse:
                arms["coarse"] = family.evaluate(coarse, reference, data)
    return arms


def meaningful(cell: Cell) -> bool:
    """Whether answers mean anything: to the task, and to the one that embedded weights are for."""
    tasks, names = catalogue("task").cards, [cell.task.id]
    if cell.model.embedded:
        names.append(catalogue("model").card(cell.model.id).task)
    return all(tasks[name].scored for name in names if name in tasks)


def _compare(name: str, said: Answers, answers: Answers, family: Family | None) -> list[Flag]:
    """Compare a pass's outputs with those of the quality pass; raise if too many differ.

    Without a family what they say means nothing.
    """
    rows = [
        (row.cpu()[: len(said[sample])], said[sample].to(row.dtype))  # a batch may pad it
        for sample, row in answers.items()
    ]
    differing = [agree(ours[None], other[None])[0] for ours, other in rows].count(False)
    if differing >= DIFFERING_LEAST and differing > DIFFERING * len(rows):
        detail = f"{differing} of {len(rows)} samples in the {name} pass"
        raise Ended("invalid", "outputs-differ", detail)
    flips = sum(family.answer(a) != family.answer(b) for a, b in rows) if family else 0
    if not differing and not flips:
        return []
    detail = f"{name} pass: {flips} answers and {differing} outputs differ, of {len(rows)}"
    return [Flag(code="answers-flipped", detail=detail)]
