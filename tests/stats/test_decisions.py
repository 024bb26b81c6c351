"""Decisions: few alarms where nothing changed, also between sittings, and power where it did."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from tokonomy.stats.binomial import cdf
from tokonomy.stats.decisions import (
    LEVEL,
    Between,
    Change,
    adjusted,
    between,
    change,
    decide,
    tail,
)
from tokonomy.stats.estimate import Estimate, Z, missing
from tokonomy.stats.means import student


def most(trials: int, share: float = LEVEL) -> float:
    """A share of false alarms that a rate of ``share`` passes once in a thousand times."""
    return float(np.searchsorted(cdf(trials, share), 0.999)) / trials


def measured(value: float, error: float) -> Estimate:
    return Estimate(value=value, low=value - Z * error, high=value + Z * error, n=20)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 30, 400, 9_999, 10_000, 10**6])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 2.0, 5.0, 12.0])
def test_the_tail_is_students(t: float, freedom: int) -> None:
    assert tail(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=2e-2, abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 5, 40, 5_000, 20_000])
def test_the_interval_reaches_as_far_as_the_tail_says(freedom: int) -> None:
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 9, 200])
def test_adjusted_is_benjamini_and_hochbergs(count: int) -> None:
    p = np.random.default_rng(count).random(count) ** 3
    assert adjusted(p.tolist()) == pytest.approx(stats.false_discovery_control(p).tolist())


def test_no_figure_has_nothing_to_adjust() -> None:
    assert adjusted([]) == []


def apart(*groups: tuple[object, object]) -> Between | None:
    """Of groups of runs whose sittings are all different."""
    count = itertools.count()
    return between([(values, within, list(itertools.islice(count, len(values))))  # type: ignore[arg-type]
                     for values, within in groups])  # fmt: skip


def test_between_sittings_by_hand() -> None:
    exact = apart(([1.0, 2.0, 3.0], [0.0] * 3), ([5.0], [0.0]), ([7.0, 7.0], [0.0] * 2))
    assert exact == Between(variance=2 / 3, freedom=3, sittings=5, apart=True)
    # Equal variances: the sample variance less what is uncertain within, and never below 0.
    known = apart(([1.0, 2.0, 3.0], [0.25] * 3))
    assert known is not None
    assert known.variance == pytest.approx(0.75)
    quiet = apart(([1.0, 2.0, 3.0], [4.0] * 3))
    assert quiet is not None
    assert (quiet.variance, quiet.apart) == (0.0, True)
    alike = apart(([2.0, 2.0], [0.0, 0.0]))
    assert alike is not None
    assert not alike.apart
    assert apart(([1.0], [0.1]), ([], [])) is None


@pytest.mark.parametrize(
    ("places", "freedom", "sittings"),
    [
        ([[0, 1, 2]] * 33, 2, 3),  # every cell in all of three
        ([[0, 1], [1, 2], [0, 2]] * 9, 2, 3),  # linked through one another
        ([[0, 1], [2, 3]] * 9, 2, 4),  # not linked: a level of its own for each two
        ([[0, 1], [2, 3], [1, 2]], 3, 4),
        ([[0, 0, 1, 1]], 1, 2),
    ],
)
def test_cells_of_one_sitting_add_no_freedom(
    places: list[list[int]], freedom: int, sittings: int
) -> None:
    found = between([(np.arange(len(each)), [0.0] * len(each), each) for each in places])
    assert found is not None
    assert (found.freedom, found.sittings) == (freedom, sittings)


def test_of_a_sitting_its_newest_run_counts() -> None:
    found = between([([1.0, 5.0, 2.0, 7.0], [0.0] * 4, [0, 0, 1, 1])])
    assert found == between([([5.0, 7.0], [0.0] * 2, [0, 1])])


def test_between_sittings_is_dersimonian_and_lairds() -> None:
    rng = np.random.default_rng(1)
    values, within = rng.normal(0, 1, 8), rng.uniform(0.1, 0.6, 8)
    found = apart((values, within))
    weights = 1 / within
    centre = np.average(values, weights=weights)
    excess = (weights * (values - centre) ** 2).sum() - 7
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    assert found is not None
    assert found.variance == pytest.approx(excess / scale)


def test_a_change_by_hand() -> None:
    between = Between(variance=0.02, freedom=4, sittings=5, apart=True)
    found = change(measured(0.5, 0.1), between)
    assert found is not None
    error = math.sqrt(0.1**2 + 2 * 0.02)
    assert found.p == pytest.approx(2 * stats.t.sf(0.5 / error, 4), rel=1e-3)
    reach = stats.t.ppf(0.975, 4) * error
    assert (found.low, found.high) == pytest.approx((0.5 - reach, 0.5 + reach), rel=1e-3)


def test_without_a_history_the_interval_is_that_of_the_runs() -> None:
    lopsided = Estimate(value=1.0, low=0.2, high=3.0, n=9)
    found = change(lopsided, None)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.2, 3.0))
    assert found.p == pytest.approx(2 * stats.norm.sf(1.0 / (0.8 / Z)), rel=1e-4)


def test_what_has_no_interval_is_not_tested() -> None:
    assert change(missing("no-timing"), None) is None
    assert change(Estimate(value=1.0, low=None, high=None, n=3, reason="x"), None) is None


@pytest.mark.parametrize(
    ("value", "low", "high", "p", "better", "decision"),
    [
        (0.1, 0.01, 0.2, 0.02, "higher", "improved"),
        (0.1, 0.01, 0.2, 0.02, "lower", "regressed"),
        (-0.1, -0.2, -0.01, 0.02, "higher", "regressed"),
        (-0.1, -0.2, -0.01, 0.02, "lower", "improved"),
        (0.1, 0.01, 0.2, 0.06, "lower", "no detectable difference"),
        (0.1, -0.01, 0.2, 0.02, "lower", "no detectable difference"),
    ],
)  # fmt: skip
def test_decisions(
    value: float, low: float, high: float, p: float, better: str, decision: str
) -> None:
    found = Change(value=value, low=low, high=high, p=p)
    assert decide(found, p, "higher" if better == "higher" else "lower") == decision


def cell(
    rng: np.random.Generator, *, runs: int, error: float, tau: float, shift: float = 0.0
) -> tuple[Estimate, Between | None]:
    """The newest two of a cell's runs and its history: log ratios of ``runs`` sittings and one."""
    values = rng.normal(0, tau, runs + 1) + rng.normal(0, error, runs + 1)
    history = apart((values[:runs], [error**2] * runs))
    return measured(float(values[runs] + shift - values[runs - 1]), math.sqrt(2) * error), history


def alarms(trials: int, seed: int, **how: float) -> float:
    """Share of p below ``LEVEL``."""
    rng = np.random.default_rng(seed)
    found = (change(*cell(rng, runs=int(how["runs"]), error=how["error"], tau=how["tau"],
                          shift=how.get("shift", 0.0))) for _ in range(trials))  # fmt: skip
    return sum(each is not None and each.p < LEVEL for each in found) / trials


@pytest.mark.parametrize("runs", [3, 4, 6, 12, 40])
@pytest.mark.parametrize("tau", [0.0, 0.005, 0.01, 0.03])
def test_alarms_where_nothing_changed_are_as_rare_as_asked(runs: int, tau: float) -> None:
    """Within-run error 0.01: sittings that differ less, as much, and more."""
    assert alarms(3000, 17 * runs, runs=runs, error=0.01, tau=tau) <= most(3000)


def test_intervals_from_within_alone_cry_wolf() -> None:
    """Sittings that differ by three times the error within a run: two thirds of alarms are none."""
    rng = np.random.default_rng(3)
    naive, told, trials = 0, 0, 2000
    for _ in range(trials):
        difference, history = cell(rng, runs=5, error=0.01, tau=0.03)
        alone, both = change(difference, None), change(difference, history)
        assert alone is not None
        assert both is not None
        naive, told = naive + (alone.p < LEVEL), told + (both.p < LEVEL)
    assert naive / trials > 0.4
    assert told / trials <= most(trials)


@pytest.mark.parametrize(
    ("shift", "tau", "runs", "least"),
    [(0.1, 0.0, 6, 0.95), (0.1, 0.01, 12, 0.95), (-0.1, 0.01, 12, 0.95), (0.3, 0.03, 8, 0.95)],
)
def test_planted_shifts_are_found(shift: float, tau: float, runs: int, least: float) -> None:
    assert alarms(1000, 5, runs=runs, error=0.01, tau=tau, shift=shift) >= least


@pytest.mark.parametrize("cells", [10, 60])
def test_a_pooled_history_keeps_the_level_where_cells_are_alike(cells: int) -> None:
    """Two runs each; their own history would be too little for any of them."""
    rng, hits, trials = np.random.default_rng(cells), 0, 1500
    for _ in range(trials):
        levels, error = rng.normal(0, 1, cells), rng.uniform(0.005, 0.02, cells)
        runs = levels + rng.normal(0, 0.02, (3, cells)) + rng.normal(0, 1, (3, cells)) * error
        groups = [(runs[:2, at], [error[at] ** 2] * 2) for at in range(cells)]
        found = change(measured(runs[2, 0] - runs[1, 0], math.sqrt(2) * error[0]), apart(*groups))
        hits += found is not None and found.p < LEVEL
    assert hits / trials <= most(trials)


CELLS, RUN = 33, 0.01
"""Cells of a suite, and how runs of one sitting differ."""

SHARED = [list(range(3))] * CELLS, [[at % 3, (at + 1) % 3] for at in range(CELLS)]
"""Of each cell the sittings it was run in, of three: all, as a history of its own; two, pooled."""


@pytest.mark.parametrize("places", SHARED, ids=["own", "pooled"])
@pytest.mark.parametrize("tau", [0.0, 0.01, 0.05])
def test_a_mood_that_all_cells_share_is_no_change(places: list[list[int]], tau: float) -> None:
    """Tables of cells that are run again once more, after three sittings."""
    rng, trials, told = np.random.default_rng(33), 300, 0
    for _ in range(trials):
        mood = rng.normal(0, tau, 4)
        runs = mood[:, None] + rng.normal(0, RUN, (4, CELLS))
        groups = [(runs[each, at], [0.0] * len(each), each) for at, each in enumerate(places)]
        pooled = between(groups)
        ps = []
        for at, group in enumerate(groups):
            known = between([group]) if len(group[2]) == 3 else pooled
            exact = measured(float(runs[3, at] - runs[group[2][-1], at]), 0.0)
            found = change(exact, known)
            assert found is not None
            ps.append(found.p)
        told += min(adjusted(ps)) <= LEVEL
    assert told / trials <= most(trials)


@pytest.mark.parametrize("tau", [0.0, 0.05])
@pytest.mark.parametrize("again", [1, 2, 5])
def test_runs_of_one_sitting_are_no_history_of_their_own(tau: float, again: int) -> None:
    """Four sittings of some runs each, after which nothing changed: 1 % apart within a sitting."""
    rng, trials, told = np.random.default_rng(again), 2000, 0
    for _ in range(trials):
        mood = np.repeat(rng.normal(0, tau, 5), again)
        runs = mood + rng.normal(0, RUN, 5 * again)
        old = runs[: 4 * again]
        numbers = [at // again for at in range(4 * again)]
        known = between([(old, np.zeros_like(old), numbers)])
        found = change(measured(float(runs[-1] - old[-1]), 0.0), known)
        assert found is not None
        told += found.p <= LEVEL
    assert told / trials <= most(trials)


def test_a_table_without_a_change_is_silent_and_one_with_some_tells_few_others() -> None:
    rng, trials, cells, planted = np.random.default_rng(11), 150, 40, 8
    silent = 0
    false, told = 0.0, 0
    for _ in range(trials):
        for shift in (0.0, 0.2):
            rows = [cell(rng, runs=8, error=0.01, tau=0.01, shift=shift if at < planted else 0.0)
                    for at in range(cells)]  # fmt: skip
            ps = [found.p for each in rows if (found := change(*each))]
            hits = [at for at, p in enumerate(adjusted(ps)) if p <= LEVEL]
            if not shift:
                silent += not hits
                continue
            told += sum(at < planted for at in hits)
            false += sum(at >= planted for at in hits) / max(1, len(hits))
    assert 1 - silent / trials <= most(trials)
    assert false / trials <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / trials)
    assert told / trials / planted > 0.9
