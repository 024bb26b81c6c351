"""Scores against cases worked by hand."""

import pytest
import torch

from tokonomy_methods.tokens.score import (
    class_attention,
    emphasise,
    flat_patches,
    pixel_variance,
    propagate,
    received,
    telling_heads,
)


def test_class_attention_is_the_head_mean_over_patches() -> None:
    row = torch.tensor([[[0.5, 0.1, 0.3, 0.1], [0.1, 0.3, 0.1, 0.5]]])
    assert class_attention(row, 1).tolist() == [pytest.approx([0.2, 0.2, 0.3])]
    assert class_attention(row, 2).tolist() == [pytest.approx([0.2, 0.3])]


def test_received_is_the_mean_over_heads_and_queries() -> None:
    weights = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]], [[0.2, 0.8], [0.3, 0.7]]]])
    assert received(weights).tolist() == [pytest.approx([0.5, 0.5])]
    assert received(weights[:, :1]).tolist() == [pytest.approx([0.75, 0.25])]


def test_one_vote_by_hand() -> None:
    weights = torch.tensor([[[[0.5, 0.5], [0.0, 1.0]]]])
    # A^T (1, 1) = (0.5, 1.5); a second vote gives (0.25, 1.75)
    assert propagate(weights, torch.ones(2), 1).tolist() == [[pytest.approx([0.5, 1.5])]]
    assert propagate(weights, torch.ones(2), 2).tolist() == [[pytest.approx([0.25, 1.75])]]
    # (3, 1) votes (1.5, 2.5), scaled to mean 1
    start = torch.tensor([3.0, 1.0])
    assert propagate(weights, start, 1).tolist() == [[pytest.approx([0.75, 1.25])]]


def test_votes_converge_to_the_eigenvector() -> None:
    weights = torch.rand(1, 2, 5, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)
    scores = propagate(weights, torch.ones(5), 60)
    voted = (weights.transpose(-1, -2) @ scores[..., None])[..., 0]
    torch.testing.assert_close(voted, scores)
    torch.testing.assert_close(scores.mean(-1), torch.ones(1, 2))


def test_voting_among_some_is_voting_on_the_graph_cut_down_to_them() -> None:
    weights = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1)).softmax(-1)
    among = torch.tensor([[True, True, False, True, False, True], [True, False, True] * 2])
    scores = propagate(weights, torch.ones(6), 3, among)
    for sample, chosen in enumerate(among):
        inside = weights[sample][:, chosen][:, :, chosen][None]
        wanted = propagate(inside, torch.ones(4), 3)[0]
        torch.testing.assert_close(scores[sample][:, chosen], wanted)
        assert (scores[sample][:, ~chosen] == 0).all()


def test_heads_are_filtered_by_variance() -> None:
    even, middling, peaked = [1.0, 1.0], [0.5, 1.5], [0.0, 2.0]  # variances 0, 0.25, 1
    scores = torch.tensor([[even, middling, peaked], [even, even, peaked]])
    heads = telling_heads(scores, 0.01, 0.7)
    assert heads.tolist() == [[False, True, False], [True, True, True]]


def test_emphasis_is_a_root_mean_square_over_chosen_heads() -> None:
    scores = torch.tensor([[[3.0, 0.0], [4.0, 2.0], [100.0, 100.0]]])
    heads = torch.tensor([[True, True, False]])
    assert emphasise(scores, heads).tolist() == [pytest.approx([12.5**0.5, 2**0.5])]


def test_patches_are_cut_in_raster_order() -> None:
    pixels = torch.arange(32.0).reshape(1, 2, 4, 4)
    patches = flat_patches(pixels, (2, 2))
    assert patches.shape == (1, 4, 8)
    assert patches[0, 1].tolist() == [2, 3, 6, 7, 18, 19, 22, 23]
    assert patches[0, 2].tolist() == [8, 9, 12, 13, 24, 25, 28, 29]


def test_patches_may_be_oblong() -> None:
    assert flat_patches(torch.zeros(2, 3, 4, 12), (2, 3)).shape == (2, 6, 3 * 2 * 4)


def test_pixel_variance_by_hand() -> None:
    pixels = torch.tensor([[[[1.0, 3.0, 5.0, 5.0]]]])
    assert pixel_variance(pixels, (1, 2)).tolist() == [[2.0, 0.0]]
