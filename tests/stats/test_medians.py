"""The interval of a median against scipy, and its widening against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tokonomy.stats.medians import interval, variance_inflation


def remembered(rng: np.random.Generator, phi: float, shape: tuple[int, int]) -> np.ndarray:
    """Stationary Gaussian AR(1) series, one a row."""
    series = rng.standard_normal(shape)
    for at in range(1, shape[1]):
        series[:, at] = phi * series[:, at - 1] + np.sqrt(1 - phi**2) * series[:, at]
    return series


def alternating(values: np.ndarray) -> np.ndarray:
    """The same values, large and small in turn, so that no neighbours are alike."""
    ordered = np.sort(values)
    half = -(-values.size // 2)
    mixed = np.empty_like(ordered)
    mixed[::2], mixed[1::2] = ordered[:half], ordered[half:]
    return mixed


@settings(deadline=None)
@given(n=st.integers(8, 120), seed=st.integers(0, 2**32 - 1), level=st.sampled_from([0.9, 0.95]))
def test_interval_is_that_of_scipy(n: int, seed: int, level: float) -> None:
    values = alternating(np.random.default_rng(seed).standard_cauchy(n))
    expected = stats.mstats.median_cihs(values, alpha=1 - level)
    assert interval(values, level) == pytest.approx(expected, rel=1e-9)


def test_interval_is_about_that_of_the_bootstrap() -> None:
    values = alternating(np.random.default_rng(1).normal(10, 1, 301))
    found = stats.bootstrap(
        [values], np.median, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert interval(values, 0.95) == pytest.approx((found.low, found.high), abs=0.05)


@pytest.mark.parametrize("n", [8, 15, 60])
@pytest.mark.parametrize("law", ["normal", "exponential", "standard_cauchy", "uniform"])
def test_interval_keeps_its_level_whatever_the_law(law: str, n: int) -> None:
    rng = np.random.default_rng([3, n])
    truth = {"exponential": np.log(2), "uniform": 0.5}.get(law, 0.0)
    ends = [interval(getattr(rng, law)(size=n), 0.95) for _ in range(2000)]
    hits = sum(each is None or each[0] <= truth <= each[1] for each in ends)
    # neighbours seem alike in 5 % of quiet series, which widens; interpolation costs half a point
    assert stats.binom.ppf(0.001, 2000, 0.945) <= hits <= stats.binom.ppf(0.999, 2000, 0.96)


def test_too_few_values_for_the_level_have_no_interval() -> None:
    values = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])
    assert interval(values[:5], 0.95) is None  # from least to greatest, 5 cover 93.75 %
    low, high = interval(values, 0.95)
    assert 1 <= low < 2 < 5 < high <= 6
    assert interval(np.ones(30), 0.95) == (1.0, 1.0)


def test_widening_that_asks_for_more_values_than_there_are_leaves_none() -> None:
    blocks = np.repeat([1.0, 2.0, 3.0, 4.0], 4) + np.arange(16) / 1000
    assert interval(blocks, 0.95) is None
    assert interval(alternating(blocks), 0.95) is not None
    assert interval(np.repeat(blocks, 4), 0.5) is not None


def test_interval_turns_with_the_sign() -> None:
    values = np.random.default_rng(4).normal(size=41)
    low, high = interval(values, 0.95)
    assert interval(-values, 0.95) == pytest.approx((-high, -low))


@pytest.mark.parametrize("phi", [0.5, 0.8])
def test_variance_inflation_is_how_much_further_counts_of_signs_spread(phi: float) -> None:
    rng = np.random.default_rng(5)
    series = remembered(rng, phi, (800, 1000))
    spread = (series > 0).sum(axis=1).var() / (1000 / 4)
    assert np.median([variance_inflation(each) for each in series[:200]]) == pytest.approx(
        spread, rel=0.15
    )


def test_inflation_of_quiet_series_is_seldom_found() -> None:
    rng = np.random.default_rng(6)
    found = np.array([variance_inflation(rng.normal(size=50)) for _ in range(2000)])
    assert (found >= 1).all()
    assert np.mean(found > 1) == pytest.approx(0.05, abs=0.02)
    assert variance_inflation(alternating(rng.normal(size=50))) == 1.0
    assert variance_inflation(np.ones(50)) == 1.0
    assert (
        variance_inflation(np.repeat([1.0, 2.0, 1.0], [40, 4, 40])) == 1.0
    )  # one burst is no memory


def test_widening_mends_what_memory_takes_away() -> None:
    series = remembered(np.random.default_rng(7), 0.5, (500, 100))
    ends = np.array([interval(each, 0.95) for each in series])
    blind = np.array([stats.mstats.median_cihs(each, alpha=0.05) for each in series])
    hits, before = (np.mean((each[:, 0] <= 0) & (0 <= each[:, 1])) for each in (ends, blind))
    assert before < 0.83
    assert hits > 0.89
