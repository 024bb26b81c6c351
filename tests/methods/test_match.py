"""Pairing, on angles whose neighbours are plain to see, and against loops."""

from __future__ import annotations

import pytest
import torch

from merging import circle, evens_then_odds, partners
from tokonomy.errors import BadParameter
from tokonomy_methods.tokens.match import (
    alternate,
    behind,
    both_ways,
    check_half,
    mergeable,
    ordered,
    still,
    strongest,
)


@pytest.mark.parametrize(
    ("r", "slot", "head"),
    [
        (1, [0, 2, 1, 3, 3, 4], [1, 1, 1, 1, 0, 1]),  # 85 degrees into 90
        (2, [0, 1, 1, 2, 2, 3], [1, 1, 0, 1, 0, 1]),  # and 10 into 0
        (9, [0, 1, 1, 2, 2, 3], [1, 1, 0, 1, 0, 1]),  # never the class token, nor more than half
    ],
)
def test_alternate_by_hand(r: int, slot: list[int], head: list[int]) -> None:
    groups = alternate(circle(0, 0, 10, 90, 85, 50), r, 1)
    assert groups.slot.tolist() == [slot]
    assert groups.head.int().tolist() == [head]
    assert groups.count == 6 - min(r, 2)


def test_nothing_enters_or_leaves_a_distillation_token() -> None:
    angles = circle(0, 10, 10, 90, 85, 50)  # token 2 is the twin of token 1
    assert alternate(angles, 1, 2).slot.tolist() == [[0, 1, 2, 3, 3, 4]]
    assert alternate(angles, 2, 2).slot.tolist() == [[0, 1, 3, 2, 2, 3]]


def test_several_tokens_may_share_a_receiver() -> None:
    assert alternate(circle(1, 0, -1, 90), 2).slot.tolist() == [[0, 0, 0, 1]]


@pytest.mark.parametrize("specials", [0, 1, 2])
@pytest.mark.parametrize("length", [2, 5, 18, 31])
def test_alternate_against_a_loop(length: int, specials: int) -> None:
    metric = torch.randn(3, length, 4, generator=torch.Generator().manual_seed(length))
    for r in (0, 1, length // 3, length):
        groups = alternate(metric, r, specials)
        for sample, slot in zip(metric, groups.slot.tolist(), strict=True):
            goes = partners(sample, r, specials)
            order = evens_then_odds(length, goes, specials) if goes else [*range(length)]
            assert [slot[i] for i in order] == list(range(groups.count))
            assert {i: order[slot[i]] for i in goes} == goes


@pytest.mark.parametrize(
    ("blocks", "length", "r", "left"),
    [(12, 197, 13, 41), (12, 197, 16, 11), (24, 197, 8, 7), (24, 577, 23, 25)],  # [calc]
)
def test_lengths_of_tome(blocks: int, length: int, r: int, left: int) -> None:
    for _ in range(blocks):
        length = alternate(torch.ones(1, length, 1), r, 1).count
    assert length == left


def test_strongest() -> None:
    score = torch.tensor([[[0.1, 0.4], [0.9, 0.2], [0.3, 0.5]]])
    goes, best = strongest(score, 2)
    assert goes.tolist() == [[False, True, True]]
    assert best.tolist() == [[1, 0, 1]]


ANGLES = circle(50, 0, 85, 90, 10, 200)
ENERGY_ORDER = torch.tensor([[3, 2, 1, 4, 0, 5]])  # 90, 85, 0, 10, 50, 200 degrees


def test_ordered_splits_by_rank() -> None:
    # even ranks: tokens 3, 1, 0; odd ranks: 2, 4, 5; the best pair is 3 with 2
    groups = ordered(ANGLES, ENERGY_ORDER, 1)
    assert groups.slot.tolist() == [[1, 0, 2, 2, 3, 4]]
    assert groups.head.int().tolist() == [[1, 1, 1, 0, 1, 1]]
    assert groups.count == 5


def test_mergeable_leaves_the_rest_alone() -> None:
    # of 3, 2, 1, 4: 3 goes into 2, 1 into 4; 0 and 5 are safe
    groups = mergeable(ANGLES, ENERGY_ORDER, 2)
    assert groups.slot.tolist() == [[0, 3, 2, 2, 3, 1]]
    assert groups.head.int().tolist() == [[1, 0, 1, 0, 1, 1]]
    assert groups.count == 4


def test_both_ways_by_hand() -> None:
    score = torch.tensor([[[0.1, 0.2, 0.3], [0.9, 0.1, 0.2], [0.4, 0.8, 0.6]]])
    # tokens 0 2 4 (even) and 1 3 5 (odd): 2 into 1; then, 2 being gone, 3 into 4
    groups = both_ways(score, 2)
    assert groups.slot.tolist() == [[0, 3, 3, 1, 1, 2]]
    assert groups.head.int().tolist() == [[1, 1, 0, 0, 1, 1]]
    assert groups.count == 4


def test_a_token_that_received_may_move_on() -> None:
    score = torch.tensor([[[0.1, 0.2], [0.9, 0.3], [0.8, 0.1]]])
    # 2 into 1, then 1 into 4 with what it holds
    assert both_ways(score, 2).slot.tolist() == [[0, 1, 1, 2, 1]]


def test_both_ways_keeps_specials() -> None:
    score = torch.tensor([[[0.1, 0.9, 0.9], [0.9, 0.1, 0.2], [0.9, 0.3, 0.6]]])
    score[:, 0], score[:, :, 0] = -torch.inf, -torch.inf
    # class token 0, distillation token 1; 4 into 5, then 5 with it into 2
    assert both_ways(score, 2, 2).slot.tolist() == [[0, 1, 2, 3, 2, 2]]


def test_behind_puts_specials_in_front() -> None:
    groups = behind(alternate(circle(1, 0, 90), 1), 2)
    assert groups.slot.tolist() == [[0, 1, 3, 3, 2]]
    assert groups.head.int().tolist() == [[1, 1, 0, 1, 1]]
    assert groups.count == 4


@pytest.mark.parametrize("r", [0, 3])
def test_one_token_stays_one(r: int) -> None:
    one, order = torch.ones(2, 1, 3), torch.zeros(2, 1, dtype=torch.int64)
    for groups in (still(one), alternate(one, r), mergeable(one, order, r)):
        assert groups.slot.tolist() == [[0], [0]]
        assert groups.count == 1


def test_half_precision_is_matched_as_the_same_numbers_in_full() -> None:
    metric = torch.randn(4, 96, 16, generator=torch.Generator().manual_seed(3)).bfloat16()
    order = torch.rand(4, 96, generator=torch.Generator().manual_seed(4)).argsort(-1)
    for match in (
        lambda m: alternate(m, 20, 1),
        lambda m: ordered(m, order, 20),
        lambda m: mergeable(m, order, 20),
    ):
        assert torch.equal(match(metric).slot, match(metric.float()).slot)


@pytest.mark.parametrize("ratio", [0.49, 1.01, "0.9", True])
def test_pairs_halve_at_most(ratio: float) -> None:
    with pytest.raises(BadParameter, match=r"from 0\.5"):
        check_half(ratio)
