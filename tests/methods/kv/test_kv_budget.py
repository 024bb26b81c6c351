"""Numbers of rows, by hand."""

from typing import Any

import pytest

from tokonomy.errors import BadParameter
from tokonomy_methods.kv.budget import check_share, check_whole, pyramid, share


@pytest.mark.parametrize(
    ("keep", "length", "rows"),
    [(0.5, 201, 100), (0.29, 100, 29), (0.1, 9, 1), (0.001, 5, 1), (1, 7, 7), (0.7, 10, 7)],
)
def test_a_share_is_of_the_decimal_rounded_down_and_never_none(
    keep: float, length: int, rows: int
) -> None:
    assert share(keep, length) == rows


def test_the_pyramid_of_the_golden_toy() -> None:
    assert pyramid(100, 200, 8, 20, 4) == [192, 131, 69, 8]


def test_a_pyramid_whose_first_block_fits_has_the_steps_of_its_formula() -> None:
    # last = 40 / 4 = 10, first = 80 - 10 = 70, below 1000 - 8; steps of (70 - 10) / 3 = 20
    assert pyramid(40, 1000, 8, 4, 4) == [70, 50, 30, 10]


def test_a_pyramid_that_would_end_below_the_window_is_flat() -> None:
    # last = 40 / 20 = 2 < 8
    assert pyramid(40, 1000, 8, 20, 4) == [40] * 4
    assert pyramid(40, 1000, 8, 4, 1) == [40]


@pytest.mark.parametrize(("mean", "beta"), [(60.0, 2), (100.0, 5), (33.3, 3)])
def test_a_pyramid_has_the_mean_that_was_asked_for(mean: float, beta: int) -> None:
    rows = pyramid(mean, 400, 4, beta, 6)
    assert rows == sorted(rows, reverse=True)
    assert rows[0] > rows[-1]
    assert sum(rows) / 6 == pytest.approx(mean, abs=0.5)


@pytest.mark.parametrize("value", [-1, 1.0, True, "2", None])
def test_whole_numbers_are_checked(value: Any) -> None:
    with pytest.raises(BadParameter, match="window must be a whole number from 0 on; got"):
        check_whole("window", value)


@pytest.mark.parametrize("value", [-0.1, 1.1, True, "half", None, float("nan")])
def test_shares_are_checked(value: Any) -> None:
    with pytest.raises(BadParameter, match="first must be a number from 0 to 1; got"):
        check_share("first", value)
