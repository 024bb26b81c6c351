"""Noise of real sessions of a model against itself, resampled in runs of whole blocks.

Each simulated session draws one real one, and from it chunks of consecutive blocks, circular
(Politis and Romano 1992).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tokonomy.calibrate.noise import CALLS, LATENCY_NS, Floats, Model, Noise
from tokonomy.store.observed import Pair, Timing

CHUNK = 5
"""Consecutive blocks that are drawn together from a real session, so that what lasts for up to 20
calls stays as it was."""


def fitted(sessions: Sequence[Timing]) -> Model:
    """Noise of real sessions, symmetric: the true ratio is 1.

    A block keeps its four calls in order of time; which of them are the method's is drawn anew,
    which the arms being the same allows. Whatever one arm had over the other in a real session is
    lost; ``labelled`` keeps it.
    """
    pools = [_calls(timing.pairs) for timing in sessions]

    def draw(rng: Generator, blocks: int) -> Noise:
        pool = pools[rng.integers(len(pools))]
        return Noise(pool[_chunks(rng, len(pool), blocks)])

    return draw


def labelled(sessions: Sequence[Timing]) -> Model:
    """Noise of real sessions, each arm with its own times.

    So the median of a real session's log ratios stays as an offset in every session drawn from it.
    Part of that offset is real, part the chance that the real session's own interval is there for:
    chance then enters twice, and the true ratio of 1 is covered less often than by real sessions.
    A pair keeps its two times; which of them comes first is drawn anew.
    """
    pools = [_arms(timing.pairs) for timing in sessions]

    def draw(rng: Generator, blocks: int) -> Noise:
        method, reference = pools[rng.integers(len(pools))]
        places = _chunks(rng, len(method), blocks)
        return Noise(reference[places], method=method[places] - reference[places])

    return draw


def _chunks(rng: Generator, n: int, blocks: int) -> NDArray[np.int64]:
    """Places of so many blocks among ``n``, in runs of ``CHUNK``."""
    starts = rng.integers(n, size=-(-blocks // CHUNK))
    places: NDArray[np.int64] = (starts[:, None] + np.arange(CHUNK)).ravel()[:blocks] % n
    return places


def _arms(pairs: Sequence[Pair]) -> tuple[Floats, Floats]:
    """Log time of both arms over ``LATENCY_NS``, at either call of a pair, shape [blocks, 4]."""
    whole = pairs[: len(pairs) // 2 * 2]
    times = np.array([(pair.method_ns, pair.reference_ns) for pair in whole], dtype=np.float64)
    method, reference = np.log(times / LATENCY_NS).T.reshape(2, -1, 2).repeat(2, axis=2)
    return method, reference


def _calls(pairs: Sequence[Pair]) -> Floats:
    """Log time of each call over ``LATENCY_NS`` in order, shape [blocks, 4]; whole blocks only."""
    times = [
        (pair.method_ns, pair.reference_ns)
        if pair.first == "method"
        else (pair.reference_ns, pair.method_ns)
        for pair in pairs[: len(pairs) // 2 * 2]
    ]
    return np.log(np.array(times, dtype=np.float64).reshape(-1, CALLS) / LATENCY_NS)
