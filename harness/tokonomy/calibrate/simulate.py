"""Synthetic sessions with a planted ratio, through the code that measures real ones.

Only time is simulated: ``measure_pairs`` draws the order, looks at the interval and decides when to
stop, by a clock that the arms move.
"""

from __future__ import annotations

import gc
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokonomy.calibrate.energy_trials import Outcome, trials
from tokonomy.calibrate.figures import middle, share
from tokonomy.calibrate.noise import FITTED, LATENCY_NS, MODELS, WANDERING, Model, Noise, fitted
from tokonomy.measure.clock import FakeClock
from tokonomy.measure.latency import Predict, measure_pairs
from tokonomy.stats.estimate import Estimate
from tokonomy.stats.latency import autocorrelated, block_ratios, ratio
from tokonomy.store.calibration import Finding
from tokonomy.store.record import Measuring, Timing

MEASURING = Measuring(warmup_calls=1, warmup_s=1e-9)
"""As by default, but for the warm-up, which a clock that only arms move has no need of."""

SAME, SLOWER, FASTER = 1.0, 1.02, 0.8
"""True ratios: the same thing twice, a slow-down of 2 %, a gain of 20 %."""

ENERGY_TRIALS = 100
"""Most simulated energy windows for each scripted profile: each takes some 10 ms."""

LEAST, MOST = 0.93, 0.97
"""Asked of the share of intervals that cover the truth, over all planted ratios: times scale with
the ratio, so what the noise is decides, and not which ratio."""

FALSE_ALARMS = 0.05
"""At most so many sessions of the same thing twice find a difference."""

FOUND = 0.95
"""At least so many sessions find the 2 %, in noise fitted to real sessions."""


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


@contextmanager
def _settled() -> Iterator[None]:
    """Spare the collector, which ``measure_pairs`` calls first, all that is there already."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def simulated(noise: Noise, truth: float, seed: int) -> Timing:
    """One session under this noise, of arms whose true ratio is ``truth``."""
    clock, turns = FakeClock(), itertools.count(-2 * MEASURING.warmup_calls)

    def arm(times: Sequence[int]) -> Predict:
        return lambda _: clock.advance(times[next(turns)])

    method, reference = (times.tolist() for times in _times(noise, truth))
    return measure_pairs(
        arm(method),
        arm(reference),
        [_Batch()],
        clock=clock,
        measuring=MEASURING,
        rng=random.Random(seed),
    )


def _times(noise: Noise, truth: float) -> list[NDArray[np.int64]]:
    """What each call would take, ns, were it the method's, and were it the reference's."""
    logs = noise.calls + noise.first * np.array([1, 0, 1, 0])
    ours = logs if noise.ratio is None else logs + noise.ratio[:, None]
    times = (truth * np.exp(ours), np.exp(logs))
    return [(LATENCY_NS * each).round().astype(np.int64).ravel() for each in times]


def summary(timing: Timing) -> Session:
    """The interval of a session, as it is derived from a record, and its flag."""
    times = np.array([(pair.method_ns, pair.reference_ns, pair.block) for pair in timing.pairs]).T
    return Session(
        found=ratio(*times),
        converged=timing.stop == "converged",
        pairs=len(timing.pairs),
        flagged=autocorrelated(block_ratios(*times)),
    )


def repeated(model: Model, truth: float, experiments: int, seed: Sequence[int]) -> list[Session]:
    """So many sessions, each with noise of its own."""
    rng = np.random.default_rng(seed)
    blocks = MEASURING.max_pairs // 2
    return [
        summary(simulated(model(rng, blocks), truth, int(rng.integers(2**32))))
        for _ in range(experiments)
    ]


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
        sessions: Real sessions of a model against itself, to which a noise model is fitted; without
            them there is none.
        tell: Is told which model is next.
    """
    real = {FITTED: fitted(sessions)} if sessions else {}
    found: list[Finding] = []
    for number, (name, model) in enumerate({**MODELS, **WANDERING, **real}.items()):
        tell(name)
        found += under(name, model, experiments, (seed, number))
    tell("energy")
    return found + energy(trials(min(experiments, ENERGY_TRIALS), seed))


def under(name: str, model: Model, experiments: int, seed: Sequence[int]) -> list[Finding]:
    """Findings under one noise model."""
    with _settled():
        runs = {
            truth: repeated(model, truth, experiments, (*seed, number))
            for number, truth in enumerate((SAME, SLOWER, FASTER))
        }
    same, promised = runs[SAME], name not in WANDERING
    hits = {truth: covering(made, truth) for truth, made in runs.items()}
    detected = sum(_low(each) > 1 for each in runs[SLOWER])
    return [
        *share("coverage", name, sum(hits.values()), len(hits) * experiments,
               least=LEAST if promised else None, most=MOST if promised else None),
        *(
            each
            for truth, covered in hits.items()
            for each in share(f"coverage-of-{truth:g}", name, covered, experiments)
        ),
        *share("false-alarms", name, experiments - hits[SAME], experiments,
               most=FALSE_ALARMS if promised else None),
        *share("found-2-percent", name, detected, experiments,
               least=FOUND if name == FITTED else None),
        *share("converged", name, sum(each.converged for each in same), experiments),
        *share("autocorrelation-flagged", name, sum(each.flagged for each in same), experiments),
        *middle("pairs", name, "pairs", [each.pairs for each in same]),
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
            Finding(name="energy-error-of-bound", setting=name, unit="1", value=worst, low=None,
                    high=None, n=len(each), most=1.0)
        )  # fmt: skip
    return found
