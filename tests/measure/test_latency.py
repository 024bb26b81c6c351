import gc
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from tokonomy.errors import TelemetryError
from tokonomy.measure.clock import FakeClock, MonotonicClock, Queued, clock_for
from tokonomy.measure.latency import measure_pairs, others
from tokonomy.measure.protocol import CHECK_EVERY, LOOKS, SPOILED_LOOKS
from tokonomy.store.cell import Measuring
from tokonomy.store.observed import Flag, Pair, Timing


@dataclass(frozen=True)
class Inputs:
    x: Tensor


BATCHES = [Inputs(torch.full((1, 2), float(i))) for i in range(4)] + [Inputs(torch.zeros(3, 2))]
MEASURING = Measuring(
    warmup_calls=3, warmup_s=1e-6, min_pairs=10, max_pairs=40, max_s=100.0, half_width=0.01
)


#: Pairs after which the narrowest interval is believed.
LEAST = MEASURING.min_pairs + (LOOKS - 1) * CHECK_EVERY


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
    assert (timing.stop, timing.half_width, len(timing.pairs)) == ("converged", 0.0, LEAST)


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


HOT = Flag(code="throttled", detail="3 events")
MOVED = Flag(code="limits-changed", detail="120 W now")


def watched(*looks: list[Flag], method: Callable[[], int] = lambda: 1000, **changes: Any) -> Timing:
    """A measurement whose looks see these causes, in turn, and nothing from then on."""
    clock, seen = FakeClock(), iter(looks)
    return measure_pairs(
        taking(clock, method, []), taking(clock, lambda: 1000, []), BATCHES, clock=clock,
        measuring=MEASURING.model_copy(update=changes), rng=random.Random(0),
        watch=lambda: next(seen, []),
    )  # fmt: skip


def numbers(pairs: list[Pair]) -> list[int]:
    return [pair.block for pair in pairs[::2]]


def test_exactly_the_pairs_since_the_last_quiet_look_are_made_again() -> None:
    timing = watched([], [], [HOT, MOVED], [])
    (spoiled,) = timing.spoiled
    assert (spoiled.cause, spoiled.detail) == (
        "throttled",
        "3 events; limits-changed: 120 W now",
    )
    assert numbers(spoiled.pairs) == [5, 6, 7, 8, 9]
    assert numbers(timing.pairs) == [0, 1, 2, 3, 4, *range(10, 20)]
    assert (timing.stop, len(timing.pairs)) == ("converged", LEAST)


def test_only_whole_blocks_remain_and_both_orders_in_each() -> None:
    timing = watched([], [HOT], [], [HOT])
    for pairs in (timing.pairs, *(each.pairs for each in timing.spoiled)):
        assert len(pairs) % 2 == 0
        for one, other in zip(pairs[::2], pairs[1::2], strict=True):
            assert one.block == other.block
            assert {one.first, other.first} == {"method", "reference"}


def test_what_happened_before_the_first_pair_spoils_none() -> None:
    timing = watched([HOT])
    assert timing.spoiled == []
    assert numbers(timing.pairs) == list(range(LEAST // 2))


def test_a_cause_at_the_last_look_is_not_let_through() -> None:
    timing = watched([], [], [], [HOT])
    assert numbers(timing.spoiled[0].pairs) == [10, 11, 12, 13, 14]
    assert len(timing.pairs) == LEAST


def test_spoiled_pairs_do_not_count_for_the_pair_cap_but_for_the_time_cap() -> None:
    noise = random.Random(1)
    timing = watched([], [], [HOT], method=lambda: noise.randint(500, 1500))
    assert (timing.stop, len(timing.pairs)) == ("pair-cap", MEASURING.max_pairs)
    noise, slow = random.Random(1), {"max_s": 40e-6}
    timing = watched([], [], [HOT], method=lambda: noise.randint(500, 1500), **slow)
    assert (timing.stop, len(timing.pairs)) == ("time-cap", 12)


def test_a_spoiled_pair_never_reaches_the_ratio() -> None:
    made = iter([1000] * 100)
    times = {number: 9000 for number in range(10)}
    timing = watched([], [HOT], method=lambda: times.pop(len(times) - 1, next(made)))
    assert timing.half_width == 0.0


@pytest.mark.parametrize("cause", [HOT, MOVED])
def test_a_measurement_that_is_spoiled_again_and_again_ends_with_the_cause(cause: Flag) -> None:
    with pytest.raises(TelemetryError) as raised:
        watched([], *[[cause]] * (SPOILED_LOOKS + 1))
    assert raised.value.reason == cause.code
    made = (SPOILED_LOOKS + 1) * CHECK_EVERY
    assert f"{made} of {made} pairs spoiled" in str(raised.value)


def test_a_few_accidents_do_not_end_it() -> None:
    timing = watched([], *[[HOT]] * SPOILED_LOOKS)
    assert [each.cause for each in timing.spoiled] == ["throttled"] * SPOILED_LOOKS
    assert len(timing.pairs) == LEAST


def test_a_machine_that_spoils_one_look_in_three_still_ends() -> None:
    noise = random.Random(1)
    looks = [[], *[[], [HOT], []] * 40]
    timing = watched(*looks, method=lambda: noise.randint(500, 1500))
    assert (timing.stop, len(timing.pairs)) == ("pair-cap", MEASURING.max_pairs)


def test_nothing_is_asked_while_a_pair_is_timed() -> None:
    clock, asked = FakeClock(), list[int]()

    def watch() -> list[Flag]:
        clock.advance(10**6)  # would show if it were inside
        asked.append(1)
        return []

    predict = taking(clock, lambda: 1000, [])
    timing = measure_pairs(
        predict, predict, BATCHES, clock=clock, measuring=MEASURING, rng=random.Random(0),
        watch=watch,
    )  # fmt: skip
    assert {(pair.method_ns, pair.reference_ns) for pair in timing.pairs} == {(1000, 1000)}
    assert len(asked) == 1 + len(timing.pairs) // CHECK_EVERY


class Events(FakeClock):
    """The clock of a device whose own time is all that a call takes."""

    def queued(self, call: Any, batch: Any, asking_ns: int) -> Queued:
        begun = self.time_ns
        output = call(batch)
        return Queued(self.time_ns - begun, output)


def alike(*numbers: int) -> list[Inputs]:
    """So many batches of each of some shapes, in turn where there are several."""
    rows = [row for turn in range(max(numbers)) for row, n in enumerate(numbers) if turn < n]
    return [Inputs(torch.full((1 + row, 2), float(at))) for at, row in enumerate(rows)]


@pytest.mark.parametrize("numbers", [(3,), (4,), (5,), (16,), (3, 3), (7, 4)])
def test_time_on_the_device_is_of_other_batches_of_the_same_shape(numbers: tuple[int, ...]) -> None:
    batches = alike(*numbers)
    other = others(batches)
    assert sorted(other) == list(range(len(batches)))
    assert all(
        one != place and batches[one].x.shape == batches[place].x.shape
        for place, one in enumerate(other)
    )


@pytest.mark.parametrize("numbers", [(3,), (4,), (5,), (16,), (3, 3), (7, 4)])
@pytest.mark.parametrize("warmup_s", [1e-6, 2.7e-5, 1.9e-5])
def test_no_arm_meets_a_batch_twice_in_a_row(numbers: tuple[int, ...], warmup_s: float) -> None:
    clock, ours, plain = Events(), list[Inputs](), list[Inputs]()
    timing = measure_pairs(
        taking(clock, lambda: 1000, ours), taking(clock, lambda: 1000, plain), alike(*numbers),
        clock=clock, measuring=MEASURING.model_copy(update={"warmup_s": warmup_s}),
        rng=random.Random(0),
    )  # fmt: skip
    for calls in (ours, plain):
        assert len(calls) == timing.warmup_calls + 2 * len(timing.pairs)
        assert all(one is not next_one for one, next_one in pairwise(calls))


def test_an_arm_that_keeps_its_last_answer_gains_nothing_by_it() -> None:
    clock, last = Events(), [0]

    def predict(batch: Inputs) -> Inputs:
        clock.advance(1 if last == [id(batch)] else 1500)
        last[:] = [id(batch)]
        return batch

    timing = measure_pairs(
        predict, taking(clock, lambda: 1000, []), alike(4), clock=clock, measuring=MEASURING,
        rng=random.Random(0),
    )  # fmt: skip
    assert {(pair.method_ns, pair.reference_ns) for pair in timing.pairs} == {(1500, 1000)}
    assert {arm: set(times) for arm, times in timing.device_ns.items()} == {
        "method": {1500}, "reference": {1000},
    }  # fmt: skip


@pytest.mark.parametrize("batches", [alike(1), alike(2), BATCHES], ids=["1", "2", "4 and 1"])
def test_too_few_batches_of_a_shape_leave_no_time_on_the_device(batches: list[Inputs]) -> None:
    clock, calls = Events(), list[Inputs]()
    timing = measure_pairs(
        taking(clock, lambda: 1000, calls), taking(clock, lambda: 1000, []), batches, clock=clock,
        measuring=MEASURING, rng=random.Random(0),
    )  # fmt: skip
    assert timing.device_ns == {}
    assert len(calls) == timing.warmup_calls + len(timing.pairs)


def test_outputs_of_both_kinds_of_call_are_seen_as_they_were() -> None:
    clock, batches, held = Events(), alike(4), torch.zeros(1, 2)
    looked: list[tuple[str, int]] = []

    def predict(batch: Inputs) -> Tensor:
        clock.advance(1000)
        return held.copy_(batch.x)  # which every later call overwrites

    def seen(arm: str, index: int, output: Tensor) -> None:
        assert torch.equal(output, batches[index].x)
        looked.append((arm, index))

    timing = measure_pairs(
        predict, predict, batches, clock=clock, measuring=MEASURING, rng=random.Random(0), seen=seen
    )
    timed = Counter((arm, pair.batch) for pair in timing.pairs for arm in ("method", "reference"))
    queued = Counter({(arm, others(batches)[at]): n for (arm, at), n in timed.items()})
    assert Counter(looked) == timed + queued


def test_times_on_the_device_go_with_their_pairs() -> None:
    class Numbered(FakeClock):
        number = 0

        def queued(self, call: Any, batch: Any, asking_ns: int) -> Queued:
            assert asking_ns == 1000
            self.number += 1
            return Queued(self.number, call(batch))

    clock, looks = Numbered(), iter([[], [], [HOT]])
    predict = taking(clock, lambda: 1000, [])
    timing = measure_pairs(
        predict, predict, alike(5), clock=clock, measuring=MEASURING, rng=random.Random(0),
        watch=lambda: next(looks, []),
    )  # fmt: skip
    kept = [*range(10), *range(20, LEAST + 10)]
    for times in timing.device_ns.values():
        assert [(number - 1) // 2 for number in times] == kept  # two for each pair
    firsts = [pair.first for pair in timing.pairs]
    drawn = zip(timing.device_ns["method"], timing.device_ns["reference"], strict=True)
    assert [("method", "reference")[ours > plain] for ours, plain in drawn] == firsts
