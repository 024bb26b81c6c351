"""Windows between ticks: by hand, and against simulated meters whose truth is exact."""

from __future__ import annotations

import math
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomy.calibrate import energy_trials
from tokonomy.calibrate.energy_trials import (
    POWERS,
    SHAPES,
    Setting,
    alike,
    energy_uj,
    experiment,
    trials,
)
from tokonomy.errors import TelemetryError
from tokonomy.measure.protocol import LEAST_CALLS, LEAST_TICKS, WINDOW_LATE
from tokonomy.measure.sampling import Pace, Search, lengths
from tokonomy.measure.scripted import flat, ramps
from tokonomy.measure.trace import Bins
from tokonomy.measure.windows import Reading, Tick, count, integral_uj, measure, tick

MS = 1_000_000


def even(number: int, step_uj: int = 1000, width: int = MS) -> list[Tick]:
    """A tick every 100 ms, known to ``width``, from 100 ms on."""
    return [Tick(at * 100 * MS, at * 100 * MS + width, at * step_uj) for at in range(1, number + 1)]


def test_a_tick_is_between_the_reads_around_it() -> None:
    before, now = Reading(10 * MS, 11 * MS, 5), Reading(20 * MS, 21 * MS, 9)
    assert tick(before, now) == Tick(10 * MS, 21 * MS, 9)
    assert tick(before, now._replace(energy_uj=5)) is None


@pytest.mark.parametrize(("at", "calls"), [(0, 0), (5, 0.5), (10, 1), (25, 1.75), (30, 2)])
def test_a_call_counts_by_the_share_of_its_time(at: int, calls: float) -> None:
    assert count([0, 10, 30], at) == calls


def test_a_window_by_hand() -> None:
    edges = [at * 10 * MS for at in range(321)]  # calls of 10 ms
    found = measure(even(31), edges, quantum_uj=10)
    assert (found.energy_uj, found.ticks, found.span_ns) == (30_000, 30, 3_000 * MS)
    assert found.calls == pytest.approx(300)
    # both ticks lie anywhere in a tenth of a call, and a call is open at either end
    assert found.bound == pytest.approx((30_010 / 30_000) / (299 / 300) - 1, abs=1e-6)


def test_bounds_are_as_wide_as_what_is_not_known() -> None:
    edges = [at * MS for at in range(3201)]
    sharp, coarse, late = (
        measure(seen, edges, quantum_uj=quantum).bound
        for seen, quantum in ((even(31), 1), (even(31), 300), (even(31, width=50 * MS), 1))
    )
    assert coarse - sharp == pytest.approx(0.01, rel=0.02)  # 299 of 30,000 uJ
    assert late - sharp == pytest.approx(50 / 3000, rel=0.1)


def test_long_calls_are_bound_by_ticks() -> None:
    edges = [at * 1000 * MS + 7 * MS for at in range(12)]
    found = measure(even(105), edges, quantum_uj=1)
    assert found.calls > 8.5
    assert found.bound < 0.03  # one call at either end would leave a quarter open


def test_ticks_outside_the_loop_do_not_count() -> None:
    edges = [at * 10 * MS + 350 * MS for at in range(260)]
    found = measure(even(40), edges, quantum_uj=1)
    assert found.first.energy_uj == 4000
    assert found.last.high_ns <= edges[-1]


@pytest.mark.parametrize(("number", "reason"), [(0, "too-few-ticks"), (20, "too-few-ticks")])
def test_too_few_ticks_give_nothing(number: int, reason: str) -> None:
    with pytest.raises(TelemetryError) as caught:
        measure(even(number), [0, 10_000 * MS], quantum_uj=1)
    assert caught.value.reason == reason


def test_a_last_tick_that_did_not_come_gives_nothing() -> None:
    edges = [at * 10 * MS for at in range(321)]
    assert measure(even(31), edges, quantum_uj=1, least_ns=3_000 * MS).ticks == 30
    with pytest.raises(TelemetryError) as caught:
        measure(even(30), edges, quantum_uj=1, least_ns=3_000 * MS)
    assert caught.value.reason == "too-few-ticks"


def test_one_endless_call_gives_nothing() -> None:
    with pytest.raises(TelemetryError) as caught:
        measure(even(31), [0, 10_000 * MS], quantum_uj=1)
    assert caught.value.reason == "too-few-calls"


@pytest.mark.parametrize("name", [*POWERS, *SHAPES])
def test_truth_is_within_the_bound(name: str) -> None:
    for seed in range(60):
        chosen = Setting(0.01, 1e-4, (3e-4, 3e-3, 0.03)[seed % 3], 0.1, 0.3, seed, LEAST_TICKS)
        found = experiment(POWERS[name], chosen) if name in POWERS else alike(SHAPES[name], chosen)
        assert found.used <= 1, (name, seed, found)
        assert 0 < found.bound < 1


@pytest.mark.parametrize(
    ("call_ms", "least_ms", "search_ms"),
    [
        (1, 500, 500),
        (10, 500, 500),  # a call is no longer than a tick
        (20, 500, 540),  # two calls of room
        (400, 500, LEAST_CALLS * 400 + 800),
    ],
)
def test_a_window_holds_its_ticks_and_whole_calls(
    call_ms: int, least_ms: int, search_ms: int
) -> None:
    pace = Pace(tick_ns=10 * MS, read_ns=1000)
    found = lengths(pace, 0.3, 50, call_ms * MS)
    assert (found.least_ns, found.search_ns) == (least_ms * MS, search_ms * MS)
    assert found.late_ns == WINDOW_LATE * search_ms * MS + 1000 * MS
    assert lengths(pace, 0.7, 50).least_ns == 700 * MS


def test_a_window_waits_for_ticks_that_are_seen_seldom() -> None:
    dear = Pace(tick_ns=MS, read_ns=5 * MS)
    assert dear.sparse_ns == 500 * MS
    assert lengths(dear, 0.3, 2).late_ns == WINDOW_LATE * LEAST_TICKS * 500 * MS + 1000 * MS


@pytest.mark.parametrize("min_ticks", [LEAST_TICKS, 50])
def test_simulated_windows_are_as_long_as_those_of_a_device(min_ticks: int) -> None:
    setting = Setting(0.1, 1e-5, 0.01, 0.0, 0.3, 1, min_ticks)
    found, _ = energy_trials._Bench(setting).run(partial(energy_uj, flat(100)))
    assert found.span_ns >= min_ticks * 100 * MS


watts = st.floats(0.5, 900)
seconds = st.floats(0.001, 3)


@settings(max_examples=400, deadline=None)
@given(
    pieces=st.lists(st.tuples(seconds, watts, watts), min_size=1, max_size=6),
    tick_s=st.sampled_from([0.002, 0.01, 0.03]),
    call_s=st.sampled_from([4e-4, 3e-3, 0.04, 0.2]),
    read_s=st.sampled_from([1e-5, 5e-4, 3e-3]),
    jitter=st.sampled_from([0.0, 0.1, 0.5]),
    seed=st.integers(0, 2**32),
)
def test_truth_is_within_the_bound_under_any_power(
    pieces: list[tuple[float, float, float]],
    tick_s: float,
    call_s: float,
    read_s: float,
    jitter: float,
    seed: int,
) -> None:
    knots, at = [], 0.0
    for length, low, high in pieces:
        knots += [(at, low), (at + length, high)]
        at += length
    setting = Setting(tick_s, read_s, call_s, jitter, 0.3, seed, LEAST_TICKS)
    found = experiment(ramps(*knots, repeat_s=at), setting)
    assert found.used <= 1 + 1e-9


def test_the_experiment_can_fail() -> None:
    """What is told is off by about what the bound says: it is no bound of convenience."""
    used = [outcome.used for _, outcome in trials(repeats=3, seed=5)]
    assert max(used) > 0.2
    assert min(used) < 0.05


def test_reads_are_dense_only_at_the_ends() -> None:
    pace = Pace(tick_ns=100 * MS, read_ns=10_000)
    search = Search(pace, least_ns=3_000 * MS)
    waits, now = [], 0
    while not search.complete:
        waits.append(search.take(Reading(now, now + 10_000, now // (100 * MS))))
        now += waits[-1]
    assert set(waits) == {pace.dense_ns, pace.sparse_ns}
    assert waits[0] == waits[-2] == pace.dense_ns
    dense = sum(wait for wait in waits if wait == pace.dense_ns)
    assert dense < 250 * MS
    ends = search.ticks[0], search.ticks[-1]
    assert all(each.high_ns - each.low_ns <= pace.dense_ns + 10_000 for each in ends)
    assert ends[1].low_ns - ends[0].high_ns >= 3_000 * MS


def test_dear_reads_make_no_longer_windows() -> None:
    """Ticks go by unseen between reads of 3 ms; 50 of them are counted by time, 20 are seen."""
    pace = Pace(tick_ns=100 * MS, read_ns=2 * MS, power_ns=MS)
    assert pace.sparse_ns == 300 * MS
    search, now = Search(pace, least_ns=5_000 * MS), 0
    while not search.complete:
        now += 2 * MS + search.take(Reading(now, now + 2 * MS, now // (100 * MS)))
    assert len(search.ticks) > 20
    span_ns = search.ticks[-1].at_ns - search.ticks[0].at_ns
    assert 5_000 * MS <= span_ns < 7_000 * MS


def test_a_tick_that_came_while_the_reader_was_held_up_is_no_end() -> None:
    pace = Pace(tick_ns=100 * MS, read_ns=10_000)
    search = Search(pace, least_ns=1)
    for start, value in ((0, 1), (90 * MS, 2), (92 * MS, 2), (94 * MS, 3)):
        search.take(Reading(start, start + 10_000, value))
    assert search.ticks == [Tick(92 * MS, 94 * MS + 10_000, 3)]


@pytest.mark.parametrize("read_us", [1, 50, 2000])
def test_reading_takes_at_most_a_hundredth(read_us: int) -> None:
    pace = Pace(tick_ns=100 * MS, read_ns=read_us * 1000, power_ns=read_us * 1000)
    assert 2 * read_us * 1000 / pace.sparse_ns <= 0.01


def test_power_is_integrated_between_two_moments() -> None:
    powers = [(0, 100.0), (10 * MS, 300.0), (30 * MS, 300.0), (40 * MS, 0.0)]
    # from 5 to 10 ms 200 to 300 W, then 300 W, the last 5 ms 300 to 150 W
    joules = 0.005 * 250 + 0.020 * 300 + 0.005 * 225
    assert integral_uj(powers, 5 * MS, 35 * MS) == pytest.approx(joules * 1e6, abs=1)
    assert integral_uj(powers, 5 * MS, 41 * MS) is None
    assert integral_uj([], 0, MS) is None


def test_a_trace_keeps_every_peak_in_bounded_bins() -> None:
    bins = Bins(begun_ns=0, most=50, step_ns=MS)
    for at in range(10_000):
        bins.add(at * MS, 100.0 + 50 * math.sin(at / 300) + (700 if at == 7777 else 0))
    bins.add(9_999 * MS, 1.0)
    trace = bins.trace("made up")
    assert trace is not None
    assert trace.samples == 10_001
    assert 25 <= len(trace.at_ms) <= 50
    assert max(trace.high_w) > 800
    assert min(trace.low_w) == 1.0
    assert trace.at_ms == sorted(trace.at_ms)
    at = trace.high_w.index(max(trace.high_w))
    assert trace.at_ms[at] <= 7777 < trace.at_ms[at + 1]
    assert all(low <= high for low, high in zip(trace.low_w, trace.high_w, strict=True))


def test_no_samples_no_trace() -> None:
    assert Bins(begun_ns=0).trace("made up") is None
