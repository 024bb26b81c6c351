"""Pareto fronts against the definition."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomy.errors import BadParameter
from tokonomy.stats.fronts import front

POINT = st.tuples(st.integers(0, 6), st.integers(0, 6))


@settings(deadline=None)
@given(st.lists(POINT, max_size=25))
def test_front_is_the_definition(points: list[tuple[int, int]]) -> None:
    def beaten(cost: int, quality: int) -> bool:
        return any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in points)

    costs, qualities = [cost for cost, _ in points], [quality for _, quality in points]
    assert front(costs, qualities).tolist() == [not beaten(*point) for point in points]


@pytest.mark.parametrize(
    ("cost", "quality"), [([1.0], [1.0, 2.0]), ([float("nan")], [1.0]), ([1.0], [float("inf")])]
)
def test_front_refuses_what_has_no_place(cost: list[float], quality: list[float]) -> None:
    with pytest.raises(BadParameter, match="finite numbers of one length"):
        front(cost, quality)
