"""Change points against the definition, scipy, and chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tokonomy.errors import BadParameter
from tokonomy.stats.changes import (
    LEAST_VALUES,
    LEVEL,
    change,
    critical_values,
    epochs,
    numbers,
    ranks,
    split,
    winsorised,
)

SERIES = st.lists(st.integers(-20, 20), min_size=2 * LEAST_VALUES, max_size=30)


@settings(deadline=None)
@given(SERIES)
def test_split_is_the_definition(values: list[int]) -> None:
    series = np.array(values, dtype=np.float64)
    total = ((series - series.mean()) ** 2).sum()
    explained = []
    for at in range(LEAST_VALUES, series.size - LEAST_VALUES + 1):
        parts = series[:at], series[at:]
        inside = sum(((part - part.mean()) ** 2).sum() for part in parts)
        explained.append(1 - inside / total if total else 0.0)
    share, place = split(series[None])
    assert share[0] == pytest.approx(max(explained), abs=1e-9)
    assert explained[place[0] - LEAST_VALUES] == pytest.approx(max(explained), abs=1e-9)


def test_share_of_a_split_is_the_t_statistic_of_scipy() -> None:
    series = np.concatenate([np.random.default_rng(1).normal(size=9), [4.0, 5.0, 6.0, 4.5]])
    share, place = split(series[None])
    t = stats.ttest_ind(series[: place[0]], series[place[0] :]).statistic
    assert share[0] == pytest.approx(t**2 / (t**2 + series.size - 2))


@settings(deadline=None)
@given(SERIES)
def test_ranks_are_those_of_scipy(values: list[int]) -> None:
    found = ranks(np.array(values, dtype=np.float64))
    assert found.tolist() == (stats.rankdata(values) - 1).tolist()


@pytest.mark.parametrize("n", [6, 12, 40])
@pytest.mark.parametrize("law", ["lognormal", "exponential", "cauchy", "contaminated"])
def test_unchanged_series_seldom_have_a_change(law: str, n: int) -> None:
    rng = np.random.default_rng([2, n])
    draws = {
        "lognormal": lambda: rng.normal(size=n),
        "exponential": lambda: rng.exponential(size=n),
        "cauchy": lambda: rng.standard_cauchy(n),
        "contaminated": lambda: rng.normal(size=n) * np.where(rng.random(n) < 0.1, 20, 1),
    }
    hits = sum(change(draws[law]()) is not None for _ in range(2000))
    # at most 1 % where values are lognormal, twice that elsewhere, and three standard errors of it
    most = LEVEL if law == "lognormal" else 2 * LEVEL
    assert hits <= stats.binom.ppf(0.9985, 2000, most)


def test_far_values_are_winsorised_and_no_others() -> None:
    series = np.random.default_rng(9).normal(size=(1, 50))
    series[0, 7] = 100.0
    far = 4 * stats.median_abs_deviation(series[0], scale="normal")
    found = winsorised(series)[0]
    assert found[7] == pytest.approx(np.median(series) + far)
    assert np.delete(found, 7).tolist() == np.delete(series[0], 7).tolist()
    assert winsorised(np.array([[1.0, 1.0, 1.0, 9.0]])).tolist() == [[1.0, 1.0, 1.0, 9.0]]


@pytest.mark.parametrize("parts", [1, 5])
def test_critical_values_are_passed_as_often_as_stated(parts: int) -> None:
    rng = np.random.default_rng(3)
    plain, ranked = critical_values(20, LEVEL / parts)
    series = rng.standard_normal((20_000, 20))
    orders = np.argsort(rng.random((20_000, 20)), axis=1).astype(np.float64)
    for rows, critical in ((winsorised(series), plain), (orders, ranked)):
        share = LEVEL / 2 / parts
        assert np.mean(split(rows)[0] > critical) == pytest.approx(
            share, abs=3 * np.sqrt(2 * share / 20_000)
        )


def test_the_level_is_no_higher_than_what_was_simulated_for() -> None:
    with pytest.raises(BadParameter, match=r"at most 0\.01; got 0\.05"):
        epochs([1.0, 2.0], level=0.05)
    tiny = critical_values(12, 1e-9)
    assert all(low >= high for low, high in zip(tiny, critical_values(12), strict=True))


@pytest.mark.parametrize(("before", "after", "shift"), [(3, 3, 0.5), (10, 5, 0.1), (20, 20, 0.05)])
def test_a_shift_is_found_where_it_is(before: int, after: int, shift: float) -> None:
    rng = np.random.default_rng(4)
    exact = 0
    for _ in range(100):
        values = 5 * np.exp(rng.normal(0, 0.02, before + after))
        values[before:] *= 1 + shift
        found = epochs(values)
        assert (found[0].start, found[-1].end) == (0, before + after)
        exact += [epoch.end for epoch in found[:-1]] == [before]
    assert exact >= 75


def test_an_outlier_neither_makes_an_epoch_nor_hides_one() -> None:
    rng = np.random.default_rng(5)
    values = np.exp(rng.normal(0, 0.01, 24))
    values[7] *= 30
    assert len(epochs(values)) == 1
    values[12:] *= 1.2
    assert numbers(values) == [0] * 12 + [1] * 12


def test_several_shifts_are_all_found() -> None:
    values = np.exp(np.random.default_rng(6).normal(0, 0.01, 30))
    values[10:] *= 1.5
    values[20:] *= 0.5
    found = epochs(values)
    assert [(epoch.start, epoch.end) for epoch in found] == [(0, 10), (10, 20), (20, 30)]
    assert [epoch.level for epoch in found] == pytest.approx([1, 1.5, 0.75], rel=0.01)


@pytest.mark.parametrize(("lengths", "away"), [((40, 30, 40), 1.2), ((30, 20, 30), 0.9)])
def test_a_level_that_comes_back_is_three_epochs(
    lengths: tuple[int, int, int], away: float
) -> None:
    """The best split in two leaves medians alike on both sides."""
    rng = np.random.default_rng(10)
    exact = 0
    for _ in range(20):
        values = np.exp(rng.normal(0, 0.01, sum(lengths))) * np.repeat([1.0, away, 1.0], lengths)
        exact += [epoch.start for epoch in epochs(values)] == [0, lengths[0], sum(lengths[:2])]
    assert exact >= 15


def test_six_values_of_two_states_can_pass_for_epochs() -> None:
    assert numbers([1.0, 1.01, 1.005, 1.5, 1.51, 1.49]) == [0, 0, 0, 1, 1, 1]
    assert numbers([1.0, 1.5, 1.005, 1.01, 1.51, 1.49]) == [0] * 6


def test_a_shift_too_small_to_matter_is_none() -> None:
    values = np.exp(np.random.default_rng(7).normal(0, 1e-4, 20))
    values[10:] *= 1.01
    assert len(epochs(values)) == 1
    assert [epoch.end for epoch in epochs(values, least_shift=0.005)] == [10, 20]


def test_unit_and_repetition_change_nothing() -> None:
    values = np.exp(np.random.default_rng(8).normal(0, 0.05, 16)) * np.repeat([1, 2], 8)
    assert numbers(values) == numbers(values * 1e6) == numbers(values)


def test_short_and_constant_series_are_one_epoch() -> None:
    assert epochs([]) == []
    assert numbers([1.0, 9.0, 1.0, 9.0, 9.0]) == [0] * 5
    assert numbers([3.0] * 40) == [0] * 40


@pytest.mark.parametrize("values", [[1.0, 0.0], [1.0, float("nan")], [float("inf")], [[1.0, 2.0]]])
def test_epochs_refuse(values: list[float]) -> None:
    with pytest.raises(BadParameter, match="finite numbers above 0"):
        epochs(values)
