"""Pareto fronts against the definition, and under uncertainty against drawn truths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomy.errors import BadParameter
from tokonomy.stats.fronts import front, places

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


BOX = st.tuples(POINT, POINT).map(lambda ends: [sorted(axis) for axis in zip(*ends, strict=True)])


@settings(deadline=None)
@given(st.lists(BOX, max_size=7), st.integers(0, 2**32 - 1))
def test_certain_places_hold_wherever_the_truth_lies(
    boxes: list[list[list[int]]], seed: int
) -> None:
    cost, quality = [box[0] for box in boxes], [box[1] for box in boxes]
    found = places(cost, quality)
    rng = np.random.default_rng(seed)
    for _ in range(50):
        leads = front(*([rng.integers(low, high + 1) for low, high in axis]
                        for axis in (cost, quality)))  # fmt: skip
        for place, on in zip(found, leads, strict=True):
            assert place == "possibly" or on == (place == "on")


@settings(deadline=None, max_examples=60)
@given(st.lists(BOX, max_size=4))
def test_places_are_those_of_every_corner(boxes: list[list[list[int]]]) -> None:
    cost, quality = [box[0] for box in boxes], [box[1] for box in boxes]
    leads = [
        front([corner[0] for corner in corners], [corner[1] for corner in corners])
        for corners in itertools.product(*(itertools.product(*box) for box in boxes))
    ]
    expected = [
        "on" if all(ever) else "possibly" if any(ever) else "beaten"
        for ever in zip(*leads, strict=True)
    ]
    assert places(cost, quality) == expected


def test_without_uncertainty_places_are_the_front() -> None:
    rng = np.random.default_rng(0)
    cost, quality = rng.random((2, 40))
    found = places(np.stack([cost, cost], axis=1), np.stack([quality, quality], axis=1))
    assert [place == "on" for place in found] == front(cost, quality).tolist()
    assert "possibly" not in found


@pytest.mark.parametrize(
    ("cost", "quality", "message"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]], "as many costs as qualities; got 1, 2"),
        ([[2.0, 1.0]], [[1.0, 2.0]], "ends of cost that are finite and in order"),
        ([[1.0, 2.0]], [[1.0, float("inf")]], "ends of quality that are finite"),
        ([[float("nan"), 2.0]], [[1.0, 2.0]], "ends of cost that are finite"),
        ([1.0, 2.0], [[1.0, 2.0]], "cost of shape"),
        ([[[1.0, 2.0]]], [[1.0, 2.0]], "cost of shape"),
    ],
)
def test_places_refuse(cost: list[object], quality: list[object], message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        places(cost, quality)
