"""Synthetic sessions with a planted ratio, through the code that measures real ones.

Only time is simulated: ``measure_pairs`` draws the order, looks at the interval and decides when to
stop, by a clock that the arms move. With noise that both arms share, coverage at a fixed number of
blocks is exact by design; what is tested there is the stopping and the widening: see ``noise``.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokonomy.calibrate.energy_trials import Outcome, trials
from tokonomy.calibrate.figures import middle, share
from tokonomy.calibrate.noise import (
    BEYOND,
    HELD_OUT,
    LATENCY_NS,
    TUNED,
    WANDERING,
    Model,
    Noise,
)
from tokonomy.calibrate.resampled import fitted, labelled
from tokonomy.measure.arms import Predict
from tokonomy.measure.clock import FakeClock
from tokonomy.measure.collecting import spared
from tokonomy.measure.latency import measure_pairs
from tokonomy.stats.estimate import Estimate
from tokonomy.stats.latency import autocorrelated, block_ratios, ratio
from tokonomy.store.calibration import UNPROMISED, Finding
from tokonomy.store.cell import Measuring
from tokonomy.store.fields import Arm
from tokonomy.store.observed import Timing

MEASURING = Measuring(warmup_calls=1, warmup_s=1e-9)
"""As by default, but for the warm-up, which a clock that only arms move has no need of."""

SAME, SLOWER, FASTER = 1.0, 1.02, 0.8
"""True ratios: the same thing twice, a slow-down of 2 %, a gain of 20 %."""

ENERGY_TRIALS = 100
"""Most simulated energy windows for each scripted profile: each takes some 10 ms."""

LEAST, MOST = 0.93, 0.97
"""Asked of the share of intervals that cover a planted difference, both together: times scale with
the ratio, so what the noise is decides, and not which ratio."""

FALSE_ALARMS = 0.05
"""At most so many sessions of the same thing twice find a difference."""

FOUND = 0.95
"""At least so many sessions find the 2 %, in noise fitted to real sessions."""

FITTED = "fitted to real sessions, arms drawn anew (real noise)"
LABELLED = "fitted to real sessions, arms and offsets kept (real noise; chance counts twice)"
"""Names of the two models of real sessions; of the second see ``labelled``."""

CAPPED: Mapping[str, Model] = {
    name: TUNED[name]
    for name in ("white, 3 %", "random walk, 1 % a call", "heavy tails, contaminated")
}
"""Noise under which calls are also so slow that the cap on time ends sessions."""

SLOW_MS = (5, 50, 500)
"""Such calls: time for 285 pairs, 30, and the fewest that there may be, 20."""

BETWEEN_NS = 500_000
"""Time between two pairs that is in neither, in those sessions: what a pair costs around its calls
on one core, with a look at the interval now and then."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Nothing: a simulated call looks at the clock only."""


class Session(NamedTuple):
    """What is kept of one: its interval, why it ended, how long it was, whether it was flagged."""

    found: Estimate
    converged: bool
    pairs: int
    flagged: bool


def _quiet(_: str) -> None:
    pass


def simulated(
    noise: Noise, truth: float, seed: int, *, latency_ns: int = LATENCY_NS, between_ns: int = 0
) -> Timing:
    """One session under this noise, of arms whose true ratio is ``truth``.

    Args:
        noise: Of every call.
        truth: Of the method over the reference.
        seed: Of the order of the arms.
        latency_ns: A call of the reference without noise.
        between_ns: Time after each pair that is not part of it.
    """
    clock, turns = FakeClock(), itertools.count(-2 * MEASURING.warmup_calls)

    def arm(times: Sequence[int]) -> Predict:
        return lambda _: clock.advance(times[next(turns)])

    def seen(arm: Arm, _: int, __: object) -> None:
        clock.advance(between_ns if arm == "method" else 0)

    method, reference = (times.tolist() for times in _times(noise, truth, latency_ns))
    return measure_pairs(
        arm(method),
        arm(reference),
        [_Batch()],
        clock=clock,
        measuring=MEASURING,
        rng=random.Random(seed),
        seen=seen,
    )


def _times(noise: Noise, truth: float, latency_ns: int) -> list[NDArray[np.int64]]:
    """What each call would take, ns, were it the method's, and were it the reference's."""
    logs = noise.calls + noise.first * np.array([1, 0, 1, 0])
    times = (truth * np.exp(logs + noise.method), np.exp(logs))
    return [(latency_ns * each).round().astype(np.int64).ravel() for each in times]


def summary(timing: Timing) -> Session:
    """The interval of a session, as it is derived from a record, and its flag."""
    times = np.array([(pair.method_ns, pair.reference_ns, pair.block) for pair in timing.pairs]).T
    return Session(
        found=ratio(*times),
        converged=timing.stop == "converged",
        pairs=len(timing.pairs),
        flagged=autocorrelated(block_ratios(*times)),
    )


def repeated(
    model: Model, truth: float, experiments: int, seed: Sequence[int], **pace: int
) -> list[Session]:
    """So many sessions, each with noise of its own; ``pace`` is that of ``simulated``."""
    rng = np.random.default_rng(seed)
    blocks = MEASURING.max_pairs // 2
    return [
        summary(simulated(model(rng, blocks), truth, int(rng.integers(2**32)), **pace))
        for _ in range(experiments)
    ]


class Asked(NamedTuple):
    """What is asked under one noise model.

    Attributes:
        model: The noise.
        coverage: Whether intervals are to cover as often as they say.
        alarms: Whether false alarms are to be few.
        found: Whether the slow-down is to be found.
        slow_ms: Time of a call where the cap on time is to be met; 0 for calls as fast as usual.
    """

    model: Model
    coverage: bool = True
    alarms: bool = True
    found: bool = False
    slow_ms: int = 0

    @property
    def pace(self) -> dict[str, int]:
        """As in ``simulated``."""
        if not self.slow_ms:
            return {}
        return {"latency_ns": self.slow_ms * 1_000_000, "between_ns": BETWEEN_NS}


def asked(sessions: Sequence[Timing]) -> dict[str, Asked]:
    """Every setting in words, and what is asked there."""
    found = {f"{name} (tuned on)": Asked(model) for name, model in TUNED.items()}
    found |= {f"{name} (held out)": Asked(model) for name, model in HELD_OUT.items()}
    for name, model in CAPPED.items():
        for slow in SLOW_MS:
            setting = f"{name}, {slow} ms a call (tuned on at {LATENCY_NS // 1_000_000} ms)"
            found[setting] = Asked(model, alarms=False, slow_ms=slow)
    if sessions:
        found |= {
            FITTED: Asked(fitted(sessions), found=True),
            LABELLED: Asked(labelled(sessions), coverage=False, alarms=False, found=True),
        }
    for origin, models in (("tuned on", WANDERING), ("held out", BEYOND)):
        for name, model in models.items():
            setting = f"{name} ({origin}; {UNPROMISED})"
            found[setting] = Asked(model, coverage=False, alarms=False)
    return found


def findings(
    experiments: int = 2000,
    *,
    seed: int = 0,
    sessions: Sequence[Timing] = (),
    tell: Callable[[str], None] = _quiet,
) -> list[Finding]:
    """What synthetic experiments say of intervals of the ratio and of energy.

    Args:
        experiments: Sessions for each noise model and planted ratio.
        seed: Of everything drawn.
        sessions: Real sessions of a model against itself, to which two noise models are fitted;
            without them there are none.
        tell: Is told which model is next.
    """
    found: list[Finding] = []
    for number, (setting, what) in enumerate(asked(sessions).items()):
        tell(setting)
        found += under(setting, what, experiments, (seed, number))
    tell("energy")
    return found + energy(trials(min(experiments, ENERGY_TRIALS), seed))


def under(setting: str, what: Asked, experiments: int, seed: Sequence[int]) -> list[Finding]:
    """Findings under one noise model."""
    with spared():
        runs = {
            truth: repeated(what.model, truth, experiments, (*seed, number), **what.pace)
            for number, truth in enumerate((SAME, SLOWER, FASTER))
        }
    same = runs[SAME]
    held = {truth: [each for each in made if each.found.low is not None]
            for truth, made in runs.items()}  # fmt: skip
    hits = {truth: covering(made, truth) for truth, made in held.items()}
    apart = (SLOWER, FASTER)
    return [
        *share("coverage", setting, sum(hits[truth] for truth in apart),
               sum(len(held[truth]) for truth in apart),
               least=LEAST if what.coverage else None, most=MOST if what.coverage else None),
        *(
            each
            for truth, covered in hits.items()
            for each in share(f"coverage-of-{truth:g}", setting, covered, len(held[truth]))
        ),
        *share("false-alarms", setting, len(held[SAME]) - hits[SAME], experiments,
               most=FALSE_ALARMS if what.alarms else None),
        *share("found-2-percent", setting, sum(_low(each) > 1 for each in runs[SLOWER]),
               experiments, least=FOUND if what.found else None),
        *share("failed", setting, len(runs) * experiments - sum(map(len, held.values())),
               len(runs) * experiments),
        *share("converged", setting, sum(each.converged for each in same), experiments),
        *share("autocorrelation-flagged", setting, sum(each.flagged for each in same), experiments),
        *middle("pairs", setting, "pairs", [each.pairs for each in same]),
    ]  # fmt: skip


def covering(made: Sequence[Session], truth: float) -> int:
    """How many intervals hold the truth; one that was withheld does not."""
    return sum(_low(each) <= truth <= (each.found.high or 0.0) for each in made)


def _low(session: Session) -> float:
    return session.found.low or 0.0


def energy(outcomes: Iterable[tuple[str, Outcome]]) -> list[Finding]:
    """By scripted profile: windows within their stated bound, and the largest share of it used."""
    by_name: dict[str, list[Outcome]] = {}
    for name, outcome in outcomes:
        by_name.setdefault(name, []).append(outcome)
    found = []
    for name, each in by_name.items():
        worst, within = max(one.used for one in each), sum(one.used <= 1 for one in each)
        found += share("energy-within-bound", name, within, len(each), least=1.0)
        found.append(
            Finding(name="energy-error-of-bound", setting=name, unit="ratio", value=worst, low=None,
                    high=None, n=len(each))
        )  # fmt: skip
    return found
