"""What a run brings to a comparison with a baseline that spends as much; see ``verdict``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokonomy.catalog.registry import catalogue
from tokonomy.stats.paired import binary
from tokonomy.store.cell import MethodRef
from tokonomy.store.decoding import cached
from tokonomy.store.derive import tokens_kept, withheld
from tokonomy.store.observed import Quality, Work
from tokonomy.store.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What a family's methods are held against, and on which terms.

    Attributes:
        baselines: Methods without an idea.
        share: What a run spends of what the reference does; None where it was not counted.
        terms: Parameters that say what is asked rather than how it is answered: equal on both
            sides.
        slack: Shares that differ by this much, relative, count as equal.
        most: Share from which on nothing is saved, so that there is nothing to compare.
    """

    baselines: tuple[str, ...]
    share: Callable[[Record], float | None]
    terms: tuple[str, ...] = ()
    slack: float = 0.0
    most: float = math.inf


def _tokens(record: Record) -> float | None:
    return tokens_kept(record.work) if isinstance(record.work, Work) else None


def _cache(record: Record) -> float | None:
    return cached(record.decoding)


CONTESTS: Mapping[str, Contest] = {
    "vision": Contest(baselines=("random-drop", "downsample"), share=_tokens),
    "kv": Contest(
        baselines=("random-cache",), share=_cache, terms=("question",), slack=0.01, most=0.98
    ),
}
_NONE = Contest(baselines=(), share=_tokens)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """What a verdict needs of a run.

    Attributes:
        run_id: The run.
        method: Its method.
        group: Must be equal for a comparison: family, task, split, model, precision and the terms.
        data: Must be equal too, so that sample i is the same sample: hashes of data and
            weights, number of samples, which of them were unreadable.
        setup: Decides between baseline runs of equal shares: class of device, which tells two
            kinds of GPU apart where ``cuda:0`` does not, scenario, batch size, ….
        variant: Its parameters but for the dial; empty for a method without a card here.
        share: Of what the reference spends; None where it was not counted.
        scores: 0/1 per sample in the order of the split, shape [n]; None where not binary.
    """

    run_id: str
    method: str
    group: tuple[str, ...]
    data: tuple[object, ...]
    setup: tuple[object, ...]
    variant: tuple[tuple[str, str], ...]
    share: float | None
    scores: NDArray[np.bool_] | None


def arm(record: Record) -> Arm | None:
    """What a verdict needs of a run; None where it has no figures."""
    quality, cell = record.quality, record.cell
    contest = CONTESTS.get(cell.family, _NONE)
    if withheld(record) or not isinstance(quality, Quality):
        return None
    scores = quality.scores["method"]
    return Arm(
        run_id=record.run_id,
        method=cell.method.id,
        group=(
            cell.family,
            cell.task.id,
            cell.task.split,
            cell.model.id,
            cell.precision,
            *(json.dumps(cell.method.params.get(name, 0)) for name in contest.terms),
        ),
        data=(
            cell.task.data_hash,
            cell.model.weights_hash,
            len(scores),
            *sorted(quality.unreadable),
        ),
        setup=(
            cell.device_class,
            cell.scenario,
            cell.batch_size,
            cell.mode,
            cell.threads,
            cell.seed,
        ),
        variant=_variant(cell.method),
        share=contest.share(record),
        scores=np.array(scores, dtype=np.bool_) if binary(scores) else None,
    )


def _variant(method: MethodRef) -> tuple[tuple[str, str], ...]:
    card = catalogue("method").cards.get(method.id)
    if card is None:
        return ()
    return tuple(
        (name, json.dumps(value, sort_keys=True))
        for name, value in sorted(method.params.items())
        if name != card.dial
    )
