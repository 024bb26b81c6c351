"""Does a method beat a baseline that spends as much?

What is spent is the share of the reference's tokens or, where caches are made smaller, of the bytes
that it caches, give or take one in a hundred: caches of one budget differ by a few rows. What holds
as much as the reference spends nothing less, and is not compared. A method wins where it scores
significantly better than the baseline's next larger setting, which spends at least as much, and
loses where it scores significantly worse than the next smaller one, which spends at most as much.
Settings never match exactly; this way what is left between them works against either verdict.
Anything else is no (detectable) difference.

A baseline that can be had in several ways is as good as its best: its settings that differ in more
than the dial of its card are variants, each with a next larger and a next smaller setting. A win is
one over every variant, so the test that says least for the method decides; a loss is one to any of
them, at a p multiplied by their number.

A method with many settings has many chances to win. So p is corrected after Holm over its settings
against one baseline in one class: same task, model, precision, class of device, scenario, batch
size and threads, whatever the seed. The tests that can be won and those that can be lost are
corrected apart: each counts in one direction only, at half the two-sided level, so the chance of
any wrong verdict in a class is at most ``ALPHA``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from tokonomy.stats.estimate import Estimate
from tokonomy.stats.paired import gap, holm, mcnemar
from tokonomy.store.contests import CONTESTS, Arm, Contest

Outcome = Literal["beats", "loses", "no difference", "not comparable"]

ALPHA = 0.05
"""Chance of any wrong verdict on one method against one baseline in one class."""

T = TypeVar("T")

_SAME = 1e-9  # shares closer than this are equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A method against one run of the baseline.

    Attributes:
        run_id: The baseline's run.
        share: What it spends.
        p: ``p_alone`` corrected after Holm over ``tests``; decides.
        p_alone: Exact two-sided McNemar p, for a loss times the number of variants.
        tests: How many settings it was corrected over.
        wins: Samples only the method has right.
        losses: Samples only the baseline has right.
        difference: Accuracy of the method minus the baseline's; its ``n`` counts samples.
    """

    run_id: str
    share: float
    p: float
    p_alone: float
    tests: int
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
        share: What the method spends.
        upper: Against the baseline's run that spends the least of those that spend at least as
            much, of that variant which it is hardest to beat.
        lower: Against the one that spends the most of those that spend at most as much, of that
            variant which it is easiest to lose to.
    """

    outcome: Outcome
    baseline: str
    reason: str | None = None
    share: float | None = None
    upper: Match | None = None
    lower: Match | None = None

    @property
    def match(self) -> Match | None:
        """The test that decided: against ``lower`` for a loss, against ``upper`` otherwise."""
        return self.lower if self.outcome == "loses" else self.upper


def verdicts(arms: Iterable[Arm | None]) -> dict[str, dict[str, Verdict]]:
    """Verdicts by run id and baseline of its family; a baseline's own runs have none against it.

    Args:
        arms: ``arm`` of each result's newest record; None is left out.
    """
    present = [each for each in arms if each is not None]
    found: dict[str, dict[str, Verdict]] = {each.run_id: {} for each in present}
    for family, contest in CONTESTS.items():
        mine = [each for each in present if each.group[0] == family]
        for name in contest.baselines:
            runs = pool(each for each in mine if each.method == name)
            for group in _classes(each for each in mine if each.method != name):
                bare = [verdict(each, runs, name, contest) for each in group]
                for each, judged in zip(group, corrected(bare), strict=True):
                    found[each.run_id][name] = judged
    return found


def _classes(arms: Iterable[Arm]) -> list[list[Arm]]:
    """Arms whose tests are corrected together: alike in all but the method's setting and seed."""
    found: dict[object, list[Arm]] = {}
    for each in arms:
        found.setdefault((each.method, each.group, each.data, each.setup[:-1]), []).append(each)
    return list(found.values())


def corrected(bare: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts of one method's settings, decided by p corrected after Holm, either side apart."""
    uppers = _holm([each.upper for each in bare])
    lowers = _holm([each.lower for each in bare])
    return [
        _decided(replace(each, upper=upper, lower=lower))
        for each, upper, lower in zip(bare, uppers, lowers, strict=True)
    ]


def _holm(matches: Sequence[Match | None]) -> list[Match | None]:
    tests = sum(match is not None for match in matches)
    adjusted = iter(holm([match.p_alone for match in matches if match is not None]))
    return [match and replace(match, p=next(adjusted), tests=tests) for match in matches]


def _decided(found: Verdict) -> Verdict:
    if found.upper is None and found.lower is None:
        return found
    outcome, reason = _decide(found.upper, found.lower)
    return replace(found, outcome=outcome, reason=reason)


Level = int  # share in steps of _SAME
Levels = dict[Level, dict[tuple[object, ...], Arm]]  # arms of each by setup
Pool = dict[tuple[str, ...], dict[tuple[object, ...], dict[object, Levels]]]


def pool(arms: Iterable[Arm]) -> Pool:
    """A baseline's runs by group, data, variant, share and setup; of equals the first id stays."""
    found: Pool = {}
    for each in sorted(arms, key=lambda each: each.run_id):
        variants = found.setdefault(each.group, {}).setdefault(each.data, {})
        if each.share is not None and each.scores is not None:
            levels = variants.setdefault(each.variant, {})
            levels.setdefault(_level(each.share), {}).setdefault(each.setup, each)
    return found


def _level(share: float) -> Level:
    return round(share / _SAME)


def verdict(method: Arm, runs: Pool, baseline: str, contest: Contest) -> Verdict:
    """A method's run against a baseline's runs, not corrected for its other settings."""
    share, group = method.share, runs.get(method.group)
    variants = (group or {}).get(method.data)
    reason = (
        "share-not-counted" if share is None
        else "nothing-saved" if share >= contest.most
        else "scores-not-binary" if method.scores is None
        else "no-baseline-run" if group is None
        else "baseline-on-other-samples" if not variants
        else None
    )  # fmt: skip
    if share is None or not variants or reason:
        return Verdict(outcome="not comparable", baseline=baseline, reason=reason, share=share)
    upper = _hardest(method, variants.values(), contest.slack)
    lower = _easiest(method, variants.values(), contest.slack)
    outcome, reason = _decide(upper, lower)
    return Verdict(outcome=outcome, baseline=baseline, reason=reason, share=share,
                   upper=upper, lower=lower)  # fmt: skip


def _hardest(method: Arm, variants: Iterable[Levels], slack: float) -> Match | None:
    """Of every variant's next larger setting that which speaks least for the method."""
    level = _level(_known(method.share) * (1 - slack))
    above = [{at: runs for at, runs in levels.items() if at >= level} for levels in variants]
    return max((_match(method, levels[min(levels)]) for levels in above if levels),
               key=_against, default=None)  # fmt: skip


def _easiest(method: Arm, variants: Iterable[Levels], slack: float) -> Match | None:
    """Of every variant's next smaller setting that which speaks most against the method."""
    level = _level(_known(method.share) * (1 + slack))
    below = [{at: runs for at, runs in levels.items() if at <= level} for levels in variants]
    found = [_match(method, levels[max(levels)]) for levels in below if levels]
    if not found:
        return None
    worst = max(found, key=_against)
    p = min(1.0, len(found) * worst.p_alone)
    return replace(worst, p=p, p_alone=p)


def _against(match: Match) -> tuple[float, str]:
    """How much a test speaks against the method: -1 where it wins beyond chance, 1 if it loses."""
    sign = np.sign(match.losses - match.wins)
    return float(sign * (1 - match.p)), match.run_id


def _match(method: Arm, equals: Mapping[tuple[object, ...], Arm]) -> Match:
    """Against the one of several runs of equal share whose setup is most alike."""
    other = equals.get(method.setup) or min(
        equals.values(), key=lambda each: (_unlike(method, each), each.run_id)
    )
    found = mcnemar(_known(method.scores), _known(other.scores))
    return Match(
        run_id=other.run_id, share=_known(other.share), p=found.p,
        p_alone=found.p, tests=1, wins=found.wins, losses=found.losses, difference=gap(found),
    )  # fmt: skip


def _unlike(method: Arm, other: Arm) -> int:
    return sum(a != b for a, b in zip(method.setup, other.setup, strict=True))


def _known(value: T | None) -> T:
    """What ``verdict`` and ``pool`` have made sure of."""
    if value is None:
        raise TypeError("expected an arm with scores and a share")
    return value


def _decide(upper: Match | None, lower: Match | None) -> tuple[Outcome, str | None]:
    better = upper is not None and upper.p < ALPHA and upper.wins > upper.losses
    worse = lower is not None and lower.p < ALPHA and lower.wins < lower.losses
    if better and worse:
        return "not comparable", "wins-and-loses"
    if better or worse:
        return ("beats" if better else "loses"), None
    if upper is None:
        return "not comparable", "no-baseline-as-large"
    if lower is None:
        return "not comparable", "no-baseline-as-small"
    return "no difference", None
