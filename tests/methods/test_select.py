"""Selection against cases worked by hand."""

import pytest
import torch
from torch import Tensor

from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.tokens import select


def tokens(x: Tensor, specials: int = 1) -> Tokens:
    return Tokens(x=x, specials=specials, batch=Batch(ids=torch.arange(len(x)), pixels=x))


def test_order_of_kept_patches_is_explicit() -> None:
    scores = torch.tensor([[0.1, 0.9, 0.4, 0.7]])
    assert select.top(scores, 3, "score").tolist() == [[1, 3, 2]]
    assert select.top(scores, 3, "raster").tolist() == [[1, 2, 3]]


def test_among_equals_the_earlier_wins() -> None:
    assert select.top(torch.zeros(1, 5), 3, "score").tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("specials", [1, 2])
def test_specials_stay_in_front(specials: int) -> None:
    x = torch.arange(6.0).reshape(1, 6, 1)
    state = tokens(x, specials).but(size=torch.arange(6.0)[None])
    kept = select.keep(state, torch.tensor([[3, 0]]))
    wanted = [*range(specials), specials + 3, specials]
    assert kept.x[0, :, 0].tolist() == wanted
    assert kept.size is not None
    assert kept.size[0].tolist() == wanted


ALL = torch.ones(1, 4, dtype=torch.bool)


@pytest.mark.parametrize(
    ("scores", "points", "hit"),
    [
        # cumulative 0.1 0.2 0.9 1.0; points 1/8 3/8 5/8 -> 0.1, 0.2, 0.9
        ([0.1, 0.1, 0.7, 0.1], 3, [True, True, True, False]),
        # points 1/4 (nearest 0.2), end-exclusive: 3/4 is not drawn
        ([0.1, 0.1, 0.7, 0.1], 1, [False, True, False, False]),
        # cumulative 0.97 0.98 0.99 1.0; all three points are nearest the first
        ([0.97, 0.01, 0.01, 0.01], 3, [True, False, False, False]),
        # scores are normalised first
        ([1.0, 1.0, 7.0, 1.0], 3, [True, True, True, False]),
        # point 3/8 is as near 0.25 as 0.5: the earlier one
        ([0.25, 0.25, 0.25, 0.25], 3, [True, True, False, False]),
    ],
)
def test_inverse_cdf(scores: list[float], points: int, hit: list[bool]) -> None:
    assert select.sample(torch.tensor([scores]), points, ALL).tolist() == [hit]


def test_inverse_cdf_never_hits_padding() -> None:
    scores = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.1, 0.1, 0.1, 0.7]])
    present = torch.tensor([[True, True, False, False], [True, True, True, False]])
    chosen = select.sample(scores, 9, present)
    assert chosen.tolist() == [[True, True, False, False], [True, True, True, False]]


def test_inverse_cdf_equals_a_plain_search() -> None:
    scores = torch.rand(16, 40, generator=torch.Generator().manual_seed(1)) ** 3
    chosen = select.sample(scores, 12, torch.ones(16, 40, dtype=torch.bool))
    share = scores.cumsum(1) / scores.sum(1, keepdim=True)
    for sample in range(16):
        nearest = {int((share[sample] - (2 * i + 1) / 26).abs().argmin()) for i in range(12)}
        assert set(chosen[sample].nonzero()[:, 0].tolist()) == nearest


def test_ragged_samples_are_padded_at_the_end() -> None:
    x = torch.arange(10.0).reshape(2, 5, 1)
    chosen = torch.tensor([[False, True, False, True], [False, False, True, False]])
    index, mask = select.gather_ragged(chosen, 1)
    kept = tokens(x).take(index)
    assert kept.x[0, :, 0].tolist() == [0, 2, 4]
    assert kept.x[1, :2, 0].tolist() == [5, 8]
    assert mask is not None
    assert mask.tolist() == [[True, True, True], [True, True, False]]


def test_equal_lengths_need_no_mask() -> None:
    chosen = torch.tensor([[True, False], [False, True]])
    index, mask = select.gather_ragged(chosen, 1)
    assert mask is None
    assert index.tolist() == [[0, 1], [0, 2]]
