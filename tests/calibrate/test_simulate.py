"""Synthetic sessions: the truth is planted as said, and the intervals keep their promise."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import signal, stats

from tokonomy.calibrate import simulate
from tokonomy.calibrate.energy_trials import Outcome
from tokonomy.calibrate.noise import (
    BEYOND,
    HELD_OUT,
    LATENCY_NS,
    TUNED,
    WANDERING,
    Noise,
    autoregressive,
    bursts,
)
from tokonomy.calibrate.resampled import fitted, labelled
from tokonomy.calibrate.simulate import (
    BETWEEN_NS,
    FITTED,
    LABELLED,
    SLOW_MS,
    Asked,
    asked,
    energy,
    findings,
    repeated,
    simulated,
    under,
)
from tokonomy.stats.latency import block_ratios
from tokonomy.store.calibration import UNPROMISED, Finding
from tokonomy.store.observed import Pair, Timing

ALL = {**TUNED, **HELD_OUT, **WANDERING, **BEYOND}


def real(blocks: int, seed: int = 0) -> Timing:
    """A session of a model against itself, whose machine wanders between calls."""
    rng = np.random.default_rng(seed)
    times = 3e6 * np.exp(np.cumsum(rng.normal(0, 0.01, 4 * blocks))).reshape(-1, 2)
    pairs = [
        Pair(block=at // 2, batch=0, first=("method", "reference")[at % 2],
             method_ns=int(both[at % 2]), reference_ns=int(both[1 - at % 2]))
        for at, both in enumerate(times)
    ]  # fmt: skip
    return Timing(clock="fake", warmup_calls=1, warmup_s=0.0, pairs=pairs, stop="pair-cap",
                  half_width=None)  # fmt: skip


def in_time(timing: Timing) -> list[int]:
    """Every call of a session in order of time."""
    return [
        nanoseconds
        for pair in timing.pairs
        for nanoseconds in (
            (pair.method_ns, pair.reference_ns)
            if pair.first == "method"
            else (pair.reference_ns, pair.method_ns)
        )
    ]


@pytest.mark.parametrize("name", ALL)
def test_models_draw_every_call(name: str) -> None:
    noise = ALL[name](np.random.default_rng(0), 200)
    assert noise.calls.shape == (200, 4)
    assert np.isfinite(noise.calls).all()
    assert noise.calls.std() > 0
    again = ALL[name](np.random.default_rng(0), 200)
    assert np.array_equal(again.calls, noise.calls)


def test_autoregression_is_that_of_the_recursion() -> None:
    rng = np.random.default_rng(1)
    fresh = math.sqrt(1 - 0.9**2) * rng.standard_normal(5000)
    start = 0.9 * rng.standard_normal()
    expected, _ = signal.lfilter([1], [1, -0.9], fresh, zi=[start])
    found = autoregressive(np.random.default_rng(1), 5000, 0.9)
    np.testing.assert_allclose(found, expected)
    assert stats.pearsonr(found[1:], found[:-1]).statistic == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("truth", [1.0, 1.02, 0.8])
def test_the_ratio_is_planted_exactly(truth: float) -> None:
    timing = simulated(Noise(np.zeros((200, 4))), truth, seed=3)
    times = {(pair.method_ns, pair.reference_ns) for pair in timing.pairs}
    assert times == {(round(truth * LATENCY_NS), LATENCY_NS)}
    assert (timing.stop, len(timing.pairs)) == ("converged", 40)


def test_noise_falls_on_calls_in_order_of_time() -> None:
    calls = np.arange(800.0).reshape(200, 4) / 1000
    timing = simulated(Noise(calls), 1.0, seed=4)
    expected = np.exp(calls.ravel()[: 2 * len(timing.pairs)]) * LATENCY_NS
    assert in_time(timing) == expected.round().astype(int).tolist()
    assert {pair.first for pair in timing.pairs} == {"method", "reference"}


def test_going_first_costs_and_the_ratio_of_a_block_is_the_methods() -> None:
    quiet = np.zeros((200, 4))
    leading = simulated(Noise(quiet, first=0.05), 1.0, seed=5)
    assert in_time(leading)[:2] == [round(LATENCY_NS * math.exp(0.05)), LATENCY_NS]
    apart = simulated(Noise(quiet, method=np.full((200, 1), 0.1)), 1.0, seed=5)
    slow = round(LATENCY_NS * math.exp(0.1))
    assert {(pair.method_ns, pair.reference_ns) for pair in apart.pairs} == {(slow, LATENCY_NS)}


def test_fitted_noise_is_runs_of_real_blocks() -> None:
    session = real(30)
    source = [tuple(in_time(session)[at : at + 4]) for at in range(0, 120, 4)]
    noise = fitted([session])(np.random.default_rng(2), 100)
    drawn = [tuple(block) for block in (LATENCY_NS * np.exp(noise.calls)).round().astype(int)]
    places = [source.index(block) for block in drawn]
    assert len(places) == 100
    steps = [(b - a) % 30 for a, b in pairwise(places)]
    assert sum(step == 1 for step in steps) >= 80  # four of five within a chunk of five
    assert len(set(places)) > 20


def test_fitted_noise_draws_from_every_session() -> None:
    model = fitted([real(20, seed) for seed in range(3)])
    rng = np.random.default_rng(3)
    starts = {round(float(model(rng, 50).calls.min()), 6) for _ in range(60)}
    assert len(starts) >= 3


def test_the_median_of_one_arm_s_noise_is_the_planted_truth() -> None:
    for name in ("skewed tails of one arm", "one arm reacts to a clock state, fast"):
        rng = np.random.default_rng(7)
        noise = HELD_OUT[name](rng, 100_000)
        ours = np.array([True, False, False, True]) ^ (rng.random((100_000, 1)) < 0.5)
        logs = np.where(ours, noise.calls + noise.method, -noise.calls)
        blocks = logs.sum(axis=1) / 2
        off = abs(np.median(blocks))
        assert off < 4 * 1.25 * blocks.std() / math.sqrt(len(blocks))
        assert noise.method.std() > 0.01


def test_bursts_last_and_double() -> None:
    calls = bursts(np.random.default_rng(8), 50_000).calls.ravel()
    slow = calls > math.log(1.3)
    assert 0.1 < slow.mean() < 0.2
    assert np.median(np.exp(calls[slow])) == pytest.approx(2, abs=0.15)
    assert slow[1:][slow[:-1]].mean() > 0.7


def test_labelled_noise_keeps_arms_and_offsets() -> None:
    session = real(40)
    slower = session.model_copy(update={"pairs": [
        pair.model_copy(update={"method_ns": round(1.01 * pair.method_ns)})
        for pair in session.pairs
    ]})  # fmt: skip
    before, after = (labelled([each])(np.random.default_rng(2), 100) for each in (session, slower))
    assert np.array_equal(before.calls, after.calls)
    np.testing.assert_allclose(after.method - before.method, math.log(1.01), atol=1e-6)
    times = np.array([(pair.method_ns, pair.reference_ns) for pair in session.pairs]).T
    real_blocks = set(np.round(block_ratios(*times), 9))
    assert set(np.round(before.method.mean(axis=1), 9)) <= real_blocks
    assert np.array_equal(before.calls[:, ::2], before.calls[:, 1::2])


def test_slow_calls_meet_the_cap_on_time() -> None:
    noise = TUNED["white, 3 %"]
    for slow, pairs in zip(SLOW_MS, (286, 30, 20), strict=True):
        rng = np.random.default_rng(6)
        timing = simulated(noise(rng, 200), 1.0, 6, latency_ns=slow * 10**6, between_ns=BETWEEN_NS)
        assert timing.stop in ("time-cap", "converged")
        assert len(timing.pairs) <= pairs + 2
        if timing.stop == "time-cap":
            assert len(timing.pairs) == pytest.approx(pairs, abs=2)
    assert timing.stop == "time-cap"


@pytest.mark.parametrize("name", ["random walk, 1 % a call", "common to a block, 3 %"])
def test_intervals_cover_and_the_slow_down_is_found(name: str) -> None:
    found = {each.name: each for each in under(name, Asked(TUNED[name]), 120, (9,))}
    cover = found["coverage"]
    apart = [found[f"coverage-of-{truth}"] for truth in ("1", "1.02", "0.8")]
    assert (cover.least, cover.most) == (0.93, 0.97)
    assert cover.n == apart[1].n + apart[2].n > 230
    assert 0.91 <= cover.value <= 0.99  # 95.5 % and three standard errors of 240 sessions
    assert all(each.met is None for each in apart)
    assert found["false-alarms"].n == 120
    assert found["false-alarms"].most == 0.05
    assert found["false-alarms"].value == pytest.approx((1 - apart[0].value) * apart[0].n / 120)
    assert found["failed"].value == 1 - sum(each.n for each in apart) / 360
    assert found["found-2-percent"].value >= 0.95
    assert found["converged"].value >= 0.98
    assert 40 < found["pairs"].value < 400


def test_a_wandering_ratio_is_flagged_and_promises_nothing() -> None:
    name = "the ratio wanders, 0.6"
    (what,) = (what for setting, what in asked([]).items() if setting.startswith(name))
    found = {each.name: each for each in under(name, what, 40, (10,))}
    assert all(each.least is None and each.most is None for each in found.values())
    assert found["autocorrelation-flagged"].value > 0.7
    assert found["coverage"].value > 0.75  # 0.68 without the widening


@pytest.fixture
def one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "TUNED", {"white, 3 %": TUNED["white, 3 %"]})
    for name in ("HELD_OUT", "WANDERING", "BEYOND", "CAPPED"):
        monkeypatch.setattr(simulate, name, {})


def test_every_model_says_where_it_stands() -> None:
    found = asked([real(20)])
    for models, origin in ((TUNED, "(tuned on)"), (HELD_OUT, "(held out)")):
        for name in models:
            assert found[f"{name} {origin}"].coverage
    exempt = {setting for setting, what in found.items() if not what.coverage}
    beyond = {setting for setting in exempt if UNPROMISED in setting}
    assert exempt - beyond == {LABELLED}
    assert len(beyond) == len(WANDERING) + len(BEYOND)
    assert {setting for setting, what in found.items() if what.found} == {FITTED, LABELLED}
    assert all("tuned on" in each or "held out" in each or "real noise" in each for each in found)


def test_findings_of_one_experiment_are_complete() -> None:
    told: list[str] = []
    first = findings(1, seed=1, sessions=[real(20)], tell=told.append)
    settings = list(asked([real(20)]))
    assert told == [*settings, "energy"]
    assert {each.setting for each in first if each.name == "false-alarms"} == set(settings)
    powers = [each for each in first if each.name == "found-2-percent" and each.least is not None]
    assert [each.setting for each in powers] == [FITTED, LABELLED]
    assert any(each.name == "energy-within-bound" for each in first)


@pytest.mark.usefixtures("one_model")
def test_findings_repeat_with_their_seed() -> None:
    first = findings(2, seed=1, sessions=[real(20)])
    assert first == findings(2, seed=1, sessions=[real(20)])
    assert first != findings(2, seed=2, sessions=[real(20)])


@pytest.mark.usefixtures("one_model")
def test_without_real_sessions_nothing_is_fitted() -> None:
    assert not any("fitted" in each.setting for each in findings(1))


def test_energy_beyond_its_bound_is_told() -> None:
    inside, outside = Outcome(100.0, 100.5, 0.01), Outcome(100.0, 103.0, 0.01)
    found = energy([("ramp", inside), ("ramp", outside), ("step", inside)])
    value: dict[tuple[str, str], Finding] = {(each.name, each.setting): each for each in found}
    assert value["energy-within-bound", "ramp"].value == 0.5
    assert value["energy-within-bound", "ramp"].met is False
    assert value["energy-error-of-bound", "ramp"].value == pytest.approx(3.0)
    assert value["energy-error-of-bound", "ramp"].met is None  # the same fact, judged once
    assert value["energy-within-bound", "step"].met is True


def test_sessions_are_independent() -> None:
    made = repeated(TUNED["white, 3 %"], 1.0, 3, (1, 2))
    assert len({each.found.value for each in made}) == 3
