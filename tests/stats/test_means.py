"""Means with Student's interval, against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tokonomy.errors import BadParameter
from tokonomy.stats.means import mean, mean_ratio


@pytest.mark.parametrize("n", [2, 5, 40])
def test_mean_is_that_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(10, 2, n)
    found = mean(values)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert (found.value, found.n) == (pytest.approx(values.mean()), n)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_ratio_is_paired() -> None:
    rng = np.random.default_rng(0)
    warmth = np.exp(rng.normal(0, 0.3, 8))
    noise = np.exp(rng.normal(0, 0.01, 8))
    found = mean_ratio(0.5 * warmth * noise, warmth)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < 0.02
    logs = np.log(0.5 * noise)
    assert found.value == pytest.approx(math.exp(logs.mean()))


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(1)
    found = [mean_ratio(rng.lognormal(0.1, 0.2, 5), np.ones(5)) for _ in range(2000)]
    covered = sum(each.low <= math.exp(0.1) <= each.high for each in found)
    assert 0.935 < covered / 2000 < 0.965


@pytest.mark.parametrize(
    ("values", "reason"), [([], "no-trials"), ([3.0], "too-few-trials"), ([0.0], "not-computable")]
)
def test_too_little_to_tell(values: list[float], reason: str) -> None:
    assert mean_ratio(values, [1.0] * len(values)).reason == reason
    assert mean_ratio(values, [1.0] * len(values)).low is None


def test_arms_of_different_lengths_do_not_pair() -> None:
    with pytest.raises(BadParameter):
        mean_ratio([1.0], [1.0, 2.0])
