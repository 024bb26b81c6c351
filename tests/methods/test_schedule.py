"""Counts marked [calc] were computed from the papers' own integer arithmetic, independently."""

import math

import pytest

from tokonomy.errors import BadParameter, Unsupported
from tokonomy_methods.tokens.schedule import (
    capped,
    ceil_of_current,
    check_rate,
    compounding,
    count_of,
    exact,
    floor_of_original,
    lengths,
    per_block,
    stages,
)


@pytest.mark.parametrize(
    ("keep", "counts"),
    [  # [calc]
        (1.0, (196, 196, 196)),
        (0.9, (176, 158, 142)),
        (0.7, (137, 96, 67)),
        (0.5, (98, 49, 24)),
        (0.25, (49, 12, 3)),
    ],
)
def test_floor_of_original(keep: float, counts: tuple[int, ...]) -> None:
    assert floor_of_original(keep, 196) == counts


def test_floor_leaves_at_least_one_patch() -> None:
    assert floor_of_original(0.2, 64) == (12, 2, 1)


def test_rates_are_decimals_not_binary_fractions() -> None:
    assert math.floor(0.29 * 100) == 28  # what a float would say
    assert floor_of_original(0.29, 100, 1) == (29,)
    assert compounding(0.9, 100, 1) == (10,)
    assert ceil_of_current(0.07, 100, 1) == (7,)
    assert math.ceil(0.07 * 100) == 8  # what a float would say


@pytest.mark.parametrize(
    ("keep", "fused", "counts"),
    [  # [calc]
        (0.7, True, (138, 98, 70)),  # 139, 99 and 71 with the fused token
        (0.7, False, (138, 97, 68)),
        (1.0, True, (196, 196, 196)),
    ],
)
def test_ceil_of_current(keep: float, fused: bool, counts: tuple[int, ...]) -> None:
    assert ceil_of_current(keep, 196, fused=fused) == counts


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_three_stages_need_four_blocks(blocks: int) -> None:
    with pytest.raises(Unsupported, match=f"at least 4 blocks; this one has {blocks}"):
        stages(0.5, 64, blocks)
    assert stages(0.5, 64, 4) == {1: 32, 2: 16, 3: 8}


def test_compounding() -> None:
    removed = compounding(0.95, 196, 12)
    left = [196]
    for r in removed:
        left.append(left[-1] - r)
    # [calc]
    assert left == [196, 187, 178, 170, 162, 154, 147, 140, 133, 127, 121, 115, 110]
    assert 196 - sum(compounding(0.9, 196, 12)) == 59  # [calc]
    assert compounding(1.0, 196, 3) == (0, 0, 0)


def test_r_falls_with_inflection() -> None:
    # [calc]
    assert per_block(13, 12, 196, -1) == (26, 23, 21, 18, 16, 14, 11, 9, 7, 4, 2, 0)
    assert per_block(13, 12, 196, 1)[::11] == (0, 26)
    assert per_block(13, 12, 196) == (13,) * 12


def test_r_as_a_list_is_padded_with_zeros() -> None:
    assert per_block([5, 3], 4, 64) == (5, 3, 0, 0)
    with pytest.raises(BadParameter, match="one count per block, 2 here; got 3"):
        per_block([1, 1, 1], 2, 64)


def test_r_as_a_share_is_rounded_half_up() -> None:
    assert count_of(0.0625, 64) == 4
    assert count_of(0.0625, 256) == 16
    assert count_of(0.0625, 196) == 12  # 12.25
    assert count_of(0.125, 100) == 13  # 12.5
    assert per_block(0.25, 3, 64) == (16, 16, 16)


@pytest.mark.parametrize(
    ("blocks", "tokens", "r", "last"),
    [(12, 197, 13, 41), (12, 197, 16, 11), (24, 197, 8, 7), (24, 577, 23, 25)],  # [calc]
)
def test_lengths_under_the_cap(blocks: int, tokens: int, r: int, last: int) -> None:
    assert lengths(per_block(r, blocks, tokens - 1), tokens)[-1] == last


def test_cap() -> None:
    assert capped(16, 21) == 10
    assert capped(16, 22, protected=2) == 10
    assert capped(3, 21) == 3
    assert capped(5, 1) == 0


@pytest.mark.parametrize("r", [-1, 65, 1.0, 1.5, -0.5, True, "8", None, [1, -1], [1.5], [True]])
def test_impossible_r_is_refused(r: object) -> None:
    with pytest.raises(BadParameter, match="r "):
        per_block(r, 12, 64)  # type: ignore[arg-type]


@pytest.mark.parametrize("inflection", [1.5, -2, "up"])
def test_impossible_inflection_is_refused(inflection: object) -> None:
    with pytest.raises(BadParameter, match="inflection"):
        per_block(8, 12, 64, inflection)  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="inflection"):
        per_block([8], 12, 64, 0.5)


@pytest.mark.parametrize("value", [0, 1.3, -0.1, True, "0.5", None, float("nan")])
def test_impossible_rate_is_refused(value: object) -> None:
    with pytest.raises(BadParameter, match="keep must be"):
        check_rate("keep", value)  # type: ignore[arg-type]


def test_exact() -> None:
    assert exact(1) == 1
    assert exact(0.1) * 3 == exact(0.3)
