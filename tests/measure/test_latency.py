import gc
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tokonomy.measure.clock import FakeClock, MonotonicClock, clock_for
from tokonomy.measure.latency import measure_pairs
from tokonomy.store.record import Measuring, Timing


@dataclass(frozen=True)
class Inputs:
    x: Tensor


BATCHES = [Inputs(torch.full((1, 2), float(i))) for i in range(4)] + [Inputs(torch.zeros(3, 2))]
MEASURING = Measuring(
    warmup_calls=3, warmup_s=1e-6, min_pairs=10, max_pairs=40, max_s=100.0, half_width=0.01
)


def taking(clock: FakeClock, nanoseconds: Callable[[], int], calls: list[Any]) -> Any:
    """An arm that takes so long by the clock and notes what it was called with."""

    def predict(batch: Inputs) -> Inputs:
        clock.advance(nanoseconds())
        calls.append(batch)
        return batch

    return predict


def measured(method: Callable[[], int], reference: Callable[[], int], **changes: Any) -> Timing:
    clock = FakeClock()
    return measure_pairs(
        taking(clock, method, []), taking(clock, reference, []), BATCHES, clock=clock,
        measuring=MEASURING.model_copy(update=changes), rng=random.Random(0),
    )  # fmt: skip


def test_a_planted_slow_down_is_found_to_the_nanosecond() -> None:
    timing = measured(lambda: 1500, lambda: 1000)
    assert {(pair.method_ns, pair.reference_ns) for pair in timing.pairs} == {(1500, 1000)}
    assert (timing.stop, timing.half_width, len(timing.pairs)) == ("converged", 0.0, 10)


def test_blocks_are_abba_and_start_at_random() -> None:
    noise = random.Random(1)
    pairs = measured(lambda: noise.randint(500, 1500), lambda: 1000).pairs
    firsts = [(pairs[i].first, pairs[i + 1].first) for i in range(0, len(pairs), 2)]
    assert all(one != other for one, other in firsts)
    assert len(set(firsts)) == 2
    assert [pair.block for pair in pairs] == [i // 2 for i in range(len(pairs))]


def test_batches_take_turns() -> None:
    noise = random.Random(1)
    pairs = measured(lambda: noise.randint(500, 1500), lambda: 1000).pairs
    assert [pair.batch for pair in pairs] == [i % len(BATCHES) for i in range(len(pairs))]


def test_noise_stops_at_the_pair_cap_and_says_so() -> None:
    noise = random.Random(1)
    timing = measured(lambda: noise.randint(500, 1500), lambda: 1000)
    assert (timing.stop, len(timing.pairs)) == ("pair-cap", 40)
    assert timing.half_width is not None
    assert timing.half_width > 0.01


def test_slow_calls_stop_at_the_time_cap_but_never_below_the_least_pairs() -> None:
    noise = random.Random(1)
    timing = measured(lambda: noise.randint(1, 3) * 10**9, lambda: 10**9, max_s=5.0)
    assert (timing.stop, len(timing.pairs)) == ("time-cap", 10)


def test_warm_up_gives_every_batch_and_shape_to_both_arms_equally() -> None:
    clock, ours, plain = FakeClock(), list[Inputs](), list[Inputs]()
    timing = measure_pairs(
        taking(clock, lambda: 1000, ours), taking(clock, lambda: 1000, plain), BATCHES,
        clock=clock, measuring=MEASURING, rng=random.Random(0),
    )  # fmt: skip
    for calls in (ours, plain):
        warm = Counter(tuple(batch.x.shape) for batch in calls[: timing.warmup_calls])
        assert warm == {(1, 2): 12, (3, 2): 3}
        assert {id(batch) for batch in calls[: timing.warmup_calls]} == set(map(id, BATCHES))
    assert timing.warmup_s == 30 * 1000 / 1e9


def test_warm_up_lasts_a_least_time() -> None:
    timing = measured(lambda: 1000, lambda: 1000, warmup_s=1.0)
    assert timing.warmup_s >= 1.0
    assert timing.warmup_calls > 400


def test_outputs_are_seen_between_pairs_and_the_collector_stays_out_of_them() -> None:
    clock, log = FakeClock(), list[str]()

    def predict(batch: Inputs) -> Inputs:
        clock.advance(1000)
        log.append("off" if not gc.isenabled() else "on")
        return batch

    def seen(arm: str, index: int, output: object) -> None:
        clock.advance(10**6)  # would show if it were inside
        assert output is BATCHES[index]
        log.append(arm)

    timing = measure_pairs(
        predict, predict, BATCHES, clock=clock, measuring=MEASURING, rng=random.Random(0), seen=seen
    )
    timed = log[2 * timing.warmup_calls :]
    assert {(pair.method_ns, pair.reference_ns) for pair in timing.pairs} == {(1000, 1000)}
    assert timed[:2] == ["off", "off"]
    assert set(timed[2:4]) == {"method", "reference"}
    assert gc.isenabled()


def test_the_device_is_waited_for_on_both_sides_of_a_call() -> None:
    clock = FakeClock()
    predict = taking(clock, lambda: 1000, [])
    timing = measure_pairs(
        predict, predict, BATCHES, clock=clock, measuring=MEASURING, rng=random.Random(0)
    )
    assert len(clock.syncs) == timing.warmup_calls + 4 * len(timing.pairs)


def test_the_clock_of_the_cpu_never_goes_back() -> None:
    clock = clock_for("cpu")
    assert isinstance(clock, MonotonicClock)
    readings = [clock.now() for _ in range(100)]
    assert readings == sorted(readings)
