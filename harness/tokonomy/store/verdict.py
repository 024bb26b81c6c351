"""Does a method beat a baseline at equal tokens?

A method wins where it scores significantly better than the baseline's next larger setting, which
spends at least as many tokens, and loses where it scores significantly worse than the next smaller
one, which spends at most as many. Settings never match exactly; this way what is left between them
works against either verdict. Anything else is no (detectable) difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from tokonomy.stats.estimate import Estimate
from tokonomy.stats.paired import binary, gap, mcnemar
from tokonomy.store.derive import tokens_kept
from tokonomy.store.record import Quality, Record, Work

Outcome = Literal["beats", "loses", "no difference", "not comparable"]

BASELINES = ("random-drop", "downsample")

ALPHA = 0.05
"""Two-sided level of each test; for one row, not corrected for the number of rows on a page."""

T = TypeVar("T")

_SAME = 1e-9  # shares of tokens closer than this are equal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """What a verdict needs of a run.

    Attributes:
        run_id: The run.
        method: Its method.
        group: Must be equal for a comparison: family, task, split, model and precision.
        data: Must be equal too, so that sample i is the same sample: hashes of data and
            weights, number of samples.
        setup: Decides between baseline runs of equal tokens: device, scenario, batch size, ….
        tokens_kept: Share of the reference's tokens; None where it was not counted.
        scores: 0/1 per sample in the order of the split, shape [n]; None where not binary.
    """

    run_id: str
    method: str
    group: tuple[str, ...]
    data: tuple[object, ...]
    setup: tuple[object, ...]
    tokens_kept: float | None
    scores: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A method against one run of the baseline.

    Attributes:
        run_id: The baseline's run.
        tokens_kept: Its share of tokens.
        p: Exact two-sided McNemar p.
        wins: Samples only the method has right.
        losses: Samples only the baseline has right.
        difference: Accuracy of the method minus the baseline's; its ``n`` counts samples.
    """

    run_id: str
    tokens_kept: float
    p: float
    wins: int
    losses: int
    difference: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome, and the tests behind it.

    Attributes:
        outcome: ``no difference`` says that none was detected, not that there is none.
        baseline: Id of the baseline's method.
        reason: Code of why it is not comparable.
        tokens_kept: Of the method.
        upper: Against the baseline's run with the fewest tokens of those with at least as many.
        lower: Against the one with the most tokens of those with at most as many.
    """

    outcome: Outcome
    baseline: str
    reason: str | None = None
    tokens_kept: float | None = None
    upper: Match | None = None
    lower: Match | None = None

    @property
    def match(self) -> Match | None:
        """The test that decided: against ``lower`` for a loss, against ``upper`` otherwise."""
        return self.lower if self.outcome == "loses" else self.upper


def arm(record: Record) -> Arm | None:
    """What a verdict needs of a run; None unless it is ok."""
    quality, cell = record.quality, record.cell
    if record.status != "ok" or not isinstance(quality, Quality):
        return None
    scores = quality.scores["method"]
    return Arm(
        run_id=record.run_id,
        method=cell.method.id,
        group=(cell.family, cell.task.id, cell.task.split, cell.model.id, cell.precision),
        data=(cell.task.data_hash, cell.model.weights_hash, len(scores)),
        setup=(cell.device, cell.scenario, cell.batch_size, cell.mode, cell.threads, cell.seed),
        tokens_kept=tokens_kept(record.work) if isinstance(record.work, Work) else None,
        scores=np.array(scores, dtype=np.bool_) if binary(scores) else None,
    )


def verdicts(
    arms: Iterable[Arm | None], baselines: Sequence[str] = BASELINES
) -> dict[str, dict[str, Verdict]]:
    """Verdicts by run id and baseline; a baseline's own runs have none against it.

    Args:
        arms: ``arm`` of one record per cell, such as ``Store.latest_records()`` gives; None is
            left out.
        baselines: Methods to compare with.
    """
    present = [each for each in arms if each is not None]
    pools = {name: pool(each for each in present if each.method == name) for name in baselines}
    return {
        each.run_id: {
            name: verdict(each, pools[name], name) for name in baselines if name != each.method
        }
        for each in present
    }


Level = int  # tokens kept in steps of _SAME
Pool = dict[tuple[str, ...], dict[tuple[object, ...], dict[Level, dict[tuple[object, ...], Arm]]]]


def pool(arms: Iterable[Arm]) -> Pool:
    """A baseline's runs by group, data, tokens and setup; of equals the first by run id stays."""
    found: Pool = {}
    for each in sorted(arms, key=lambda each: each.run_id):
        levels = found.setdefault(each.group, {}).setdefault(each.data, {})
        if each.tokens_kept is not None and each.scores is not None:
            levels.setdefault(_level(each.tokens_kept), {}).setdefault(each.setup, each)
    return found


def _level(tokens: float) -> Level:
    return round(tokens / _SAME)


def verdict(method: Arm, runs: Pool, baseline: str) -> Verdict:
    """A method's run against a baseline's runs."""
    tokens, group = method.tokens_kept, runs.get(method.group)
    levels = (group or {}).get(method.data)
    reason = (
        "tokens-not-counted" if tokens is None
        else "scores-not-binary" if method.scores is None
        else "no-baseline-run" if group is None
        else "baseline-on-other-samples" if not levels
        else None
    )  # fmt: skip
    if tokens is None or not levels or reason:
        return Verdict(outcome="not comparable", baseline=baseline, reason=reason,
                       tokens_kept=tokens)  # fmt: skip
    above = [level for level in levels if level >= _level(tokens)]
    below = [level for level in levels if level <= _level(tokens)]
    upper = _match(method, levels[min(above)]) if above else None
    lower = _match(method, levels[max(below)]) if below else None
    outcome, reason = _decide(upper, lower)
    return Verdict(outcome=outcome, baseline=baseline, reason=reason, tokens_kept=tokens,
                   upper=upper, lower=lower)  # fmt: skip


def _match(method: Arm, equals: Mapping[tuple[object, ...], Arm]) -> Match:
    """Against the one of several runs with equal tokens whose setup is most alike."""
    other = equals.get(method.setup) or min(
        equals.values(), key=lambda each: (_unlike(method, each), each.run_id)
    )
    found = mcnemar(_known(method.scores), _known(other.scores))
    return Match(
        run_id=other.run_id, tokens_kept=_known(other.tokens_kept), p=found.p, wins=found.wins,
        losses=found.losses, difference=gap(found),
    )  # fmt: skip


def _unlike(method: Arm, other: Arm) -> int:
    return sum(a != b for a, b in zip(method.setup, other.setup, strict=True))


def _known(value: T | None) -> T:
    """What ``verdict`` and ``pool`` have made sure of."""
    if value is None:
        raise TypeError("expected an arm with scores and tokens")
    return value


def _decide(upper: Match | None, lower: Match | None) -> tuple[Outcome, str | None]:
    better = upper is not None and upper.p < ALPHA and upper.wins > upper.losses
    worse = lower is not None and lower.p < ALPHA and lower.wins < lower.losses
    if better and worse:
        return "not comparable", "baseline-worse-with-more-tokens"
    if better or worse:
        return ("beats" if better else "loses"), None
    if upper is None:
        return "not comparable", "no-baseline-with-as-many-tokens"
    if lower is None:
        return "not comparable", "no-baseline-with-as-few-tokens"
    return "no difference", None
