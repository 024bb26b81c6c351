"""Choices of rows, by hand."""

import torch

from tokonomy_methods.kv import select

SCORES = torch.tensor([[[0.3, 0.9, 0.1, 0.8, 0.2, 0.7], [0.6, 0.1, 0.5, 0.2, 0.4, 0.3]]])


def test_the_best_stay_in_the_order_they_stand_in() -> None:
    assert select.top(SCORES, 3).tolist() == [[[1, 3, 5], [0, 2, 4]]]
    assert select.top(SCORES, 6).tolist() == [[[0, 1, 2, 3, 4, 5]] * 2]


def test_pinned_rows_are_above_all_others_and_nothing_else_changes() -> None:
    found = select.pinned(SCORES, 1, 2)
    assert select.top(found, 4).tolist() == [[[0, 1, 4, 5], [0, 2, 4, 5]]]
    assert torch.equal(found[..., 1:4], SCORES[..., 1:4])
    assert torch.equal(select.pinned(SCORES, 0, 0), SCORES)
    assert torch.equal(SCORES[0, 0, :1], torch.tensor([0.3]))


def test_chunks_are_chosen_for_all_heads_by_the_mean_of_their_sum() -> None:
    # sums over heads: 0.9 1.0 | 0.6 1.0 | 0.6 1.0; with a row more, that one is unfinished
    more = torch.cat([SCORES, torch.zeros(1, 2, 1)], -1)
    assert select.chunks(more, 3, 2).tolist() == [[[0, 1, 6]]]
    sums = torch.tensor([[[1.0, 1, 9, 9, 2, 2, 5, 5]]])
    assert select.chunks(sums, 5, 2).tolist() == [[[2, 3, 6, 7]]]
    assert select.chunks(sums, 8, 2).tolist() == [[list(range(8))]]


def test_heads_share_a_budget_and_each_keeps_its_best() -> None:
    # the best of all: 0.9 0.8 0.7 0.6 in head 0 and 1; 2 a head on average, 1 at least
    kept = select.headwise(SCORES, 2, 1)
    assert kept.tolist() == [
        [[False, True, False, True, False, True], [True, False, False, False, False, False]]
    ]
    low = torch.stack([SCORES[:, 0], SCORES[:, 1] / 10], 1)
    assert select.headwise(low, 2, 0)[0].sum(-1).tolist() == [4, 0]
    assert select.headwise(low, 2, 1)[0].sum(-1).tolist() == [3, 1]
    assert select.headwise(low, 2, 2)[0].sum(-1).tolist() == [2, 2]
