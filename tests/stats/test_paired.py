"""Shares and paired scores against scipy, brute force, and the truth of planted populations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tokonomy.errors import BadParameter
from tokonomy.stats.paired import (
    average,
    bootstrap,
    difference,
    holm,
    mcnemar,
    retained,
    wilson,
)


def scores(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Two arms with so many samples right in both, one, the other, neither."""
    counts = (both, first, second, neither)
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


@settings(deadline=None)
@given(n=st.integers(1, 3000), data=st.data())
def test_wilson_is_that_of_scipy(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    found = wilson(successes, n)
    assert (found.value, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_missing_not_zero() -> None:
    found = wilson(0, 0)
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason == "no-samples"


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(BadParameter, match="expected 0 to 5 successes; got"):
        wilson(successes, n)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_sign_test_of_scipy(wins: int, losses: int) -> None:
    found = mcnemar(*scores(7, wins, losses, 3))
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert (found.wins, found.losses, found.n) == (wins, losses, wins + losses + 10)
    assert found.p == pytest.approx(expected, rel=1e-9)


def test_mcnemar_worked_by_hand() -> None:
    # 1 of 8 disagreements: p = 2 (C(8,0) + C(8,1)) / 2^8 = 18 / 256
    assert mcnemar(*scores(5, 1, 7, 5)).p == pytest.approx(18 / 256)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [([0, 1], [1], "one length"), ([0.5, 1], [1, 1], "scores of 0 and 1")],
)
def test_mcnemar_refuses(first: list[float], second: list[float], message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        mcnemar(first, second)


@pytest.mark.parametrize("n", [100, 536])
@pytest.mark.parametrize(
    ("reference", "lost", "gained"), [(0.97, 0.01, 0.005), (0.85, 0.03, 0.01), (0.85, 0.3, 0.02)]
)
def test_intervals_cover_the_truth(n: int, reference: float, lost: float, gained: float) -> None:
    rng = np.random.default_rng(5)
    shares = [reference - lost, gained, lost, 1 - reference - gained]
    truth = (reference - lost + gained) / reference, gained - lost
    hits = np.zeros(2)
    trials = 1000
    for counts in rng.multinomial(n, shares, trials):
        pair = scores(*counts)
        for at, found in enumerate((retained(*pair), difference(*pair))):
            assert found.low is not None
            assert found.high is not None
            hits[at] += found.low <= truth[at] <= found.high
    assert (hits / trials > 0.93).all()  # 95 % less three standard errors


def test_retained_agrees_with_the_bootstrap_where_much_differs() -> None:
    pair = scores(600, 60, 150, 190)
    exact, resampled = retained(*pair), bootstrap(*pair)
    assert exact.value == resampled.value == pytest.approx(660 / 750)
    assert (exact.low, exact.high) == pytest.approx((resampled.low, resampled.high), rel=0.01)


def test_paired_bootstraps_are_those_of_scipy() -> None:
    rng = np.random.default_rng(6)
    reference = rng.random(150)
    method = np.clip(reference + rng.normal(-0.05, 0.1, 150), 0, 1)
    graded, whole = retained(method, reference), average(method)
    for found, parts, statistic in (
        (graded, (method, reference), lambda one, two, axis: one.mean(axis) / two.mean(axis)),
        (whole, (method,), lambda one, axis: one.mean(axis)),
    ):
        expected = stats.bootstrap(
            parts, statistic, paired=True, n_resamples=9999, method="percentile", rng=rng
        ).confidence_interval
        width = expected.high - expected.low
        assert found.low == pytest.approx(expected.low, abs=0.1 * width)
        assert found.high == pytest.approx(expected.high, abs=0.1 * width)


def test_difference_is_that_of_scipy_where_much_differs() -> None:
    one, two = scores(600, 60, 150, 190)
    found, expected = difference(one, two), stats.ttest_rel(one, two).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.002)


def test_retained_of_equal_arms_has_a_width() -> None:
    found = retained(*scores(500, 0, 0, 36))
    assert found.value == 1.0
    assert found.low < 1.0 < found.high


def test_retained_of_nothing() -> None:
    assert retained(*scores(0, 3, 0, 5)).reason == "reference-scores-nothing"
    assert retained([], []).reason == "no-samples"


def test_bootstrap_equals_resampling_sample_by_sample() -> None:
    rng = np.random.default_rng(3)
    method, reference = rng.random(80), rng.random(80)
    draws = rng.integers(0, 80, (20_000, 80))
    brute = np.quantile(method[draws].sum(1) / reference[draws].sum(1), [0.025, 0.975])
    found = bootstrap(method, reference)
    assert (found.low, found.high) == pytest.approx(tuple(brute), abs=0.02)
    assert found == bootstrap(method, reference)


def test_bootstrap_withholds_what_has_no_end() -> None:
    found = bootstrap([1, 0, 0], [1, 0, 0])  # some resamples hold no right answer of the reference
    assert (found.value, found.low, found.reason) == (1.0, None, "unbounded")


def test_average_of_graded_scores_covers_its_mean() -> None:
    rng = np.random.default_rng(4)
    hits = sum(
        found.low <= 0.5 <= found.high for found in (average(rng.random(60)) for _ in range(300))
    )
    assert hits / 300 > 0.9


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_the_definition(p_values: list[float]) -> None:
    found = holm(p_values)
    ranked = sorted(p_values)
    for p, adjusted in zip(p_values, found, strict=True):
        upto = [(len(ranked) - at) * value for at, value in enumerate(ranked) if value <= p]
        assert adjusted == pytest.approx(min(1.0, max(upto)))
