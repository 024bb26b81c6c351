"""What groups become, by hand; padding refused; nothing lost or made."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tokonomy.errors import Unsupported
from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.tokens import merge
from tokonomy_methods.tokens.match import Groups, alternate

NO_BATCH = Batch(ids=torch.zeros(1), pixels=torch.zeros(1))
GROUPS = Groups(
    slot=torch.tensor([[1, 0, 1, 1]]),
    count=2,
    head=torch.tensor([[False, True, True, False]]),
)
X = torch.tensor([[[3.0, 4.0], [1.0, 1.0], [0.0, 5.0], [0.0, -6.0]]])
SIZE = torch.tensor([[1.0, 7.0, 2.0, 1.0]])


def tokens(x: Tensor = X, size: Tensor | None = SIZE, mask: Tensor | None = None) -> Tokens:
    return Tokens(x=x, specials=1, batch=NO_BATCH, size=size, mask=mask)


def test_sums_of_any_shape() -> None:
    assert merge.sums(SIZE, GROUPS).tolist() == [[7, 4]]
    assert merge.sums(X, GROUPS).tolist() == [[[1, 1], [3, 3]]]
    assert merge.sums(X[..., None, None], GROUPS).shape == (1, 2, 2, 1, 1)


def test_by_size() -> None:
    out = merge.by_size(tokens(), GROUPS)
    assert out.x.tolist() == [[[1, 1], [0.75, 2]]]  # (3 + 0 + 0, 4 + 10 - 6) / 4
    assert out.size is not None
    assert out.size.tolist() == [[7, 4]]


def test_mean_ignores_sizes_and_leaves_none() -> None:
    out = merge.mean(tokens(), GROUPS)
    assert out.x.tolist() == [[[1, 1], [1, 1]]]
    assert out.size is None


def test_first_merge_makes_sizes() -> None:
    by_one = merge.by_weight(tokens(size=None), GROUPS, torch.ones(1, 4))
    for size in (merge.by_size(tokens(size=None), GROUPS).size, by_one.size):
        assert size is not None
        assert size.tolist() == [[1, 3]]


def test_sizes_are_counted_in_full_precision() -> None:
    """Half precision knows no 257; 300 tokens in two groups, the second of 299."""
    x = torch.ones(1, 300, 2, dtype=torch.bfloat16)
    slot = torch.ones(1, 300, dtype=torch.int64)
    slot[0, 0] = 0
    out = merge.by_size(tokens(x, size=None), Groups(slot=slot, count=2))
    assert out.x.dtype == torch.bfloat16
    assert out.sizes().dtype == torch.float32
    assert out.sizes().tolist() == [[1, 299]]
    again = merge.by_size(out, Groups(slot=torch.zeros(1, 2, dtype=torch.int64), count=1))
    assert again.x.dtype == torch.bfloat16
    assert again.sizes().tolist() == [[300]]


def test_by_weight() -> None:
    weight = torch.tensor([[2.0, 9.0, 1.0, 1.0]])
    out = merge.by_weight(tokens(), GROUPS, weight)
    assert out.x.tolist() == [[[1, 1], [1.5, 1.75]]]  # (6, 8 + 5 - 6) / 4
    assert out.size is not None
    assert out.size.tolist() == [[7, 4]]


def test_heads_stay_as_they_are() -> None:
    assert merge.heads(GROUPS).tolist() == [[1, 2]]
    kept = merge.heads_only(tokens(), GROUPS)
    assert kept.x.tolist() == [[[1, 1], [0, 5]]]
    assert kept.size is None


def test_groups_without_leading_tokens_have_no_heads() -> None:
    with pytest.raises(ValueError, match="no leading tokens"):
        merge.heads(Groups(slot=GROUPS.slot, count=2))


@pytest.mark.parametrize(("unmerged", "factor"), [(True, 6 / 5), (False, 6 / 2**0.5)])
def test_by_norm(unmerged: bool, factor: float) -> None:
    # the mean is (1, 1); norms in the group are 5, 5 (the head) and 6
    out = merge.by_norm(tokens(), GROUPS, unmerged=unmerged)
    assert out.x[0, 0].tolist() == pytest.approx([1, 1])
    assert out.x[0, 1].tolist() == pytest.approx([factor, factor])


def test_nothing_is_lost_over_many_merges() -> None:
    x = torch.randn(2, 65, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    now = tokens(x, size=None)
    for _ in range(6):
        now = merge.by_size(now, alternate(now.x, 9, 1))
    assert now.size is not None
    assert now.length == 65 - 6 * 9
    assert now.size.sum(1).tolist() == [65, 65]
    torch.testing.assert_close((now.x * now.size[..., None]).sum(1), x.sum(1))
    torch.testing.assert_close(now.x[:, 0], x[:, 0])


def _by_weight(of: Tokens, groups: Groups) -> Tokens:
    return merge.by_weight(of, groups, of.sizes())


@pytest.mark.parametrize(
    "merger", [merge.by_size, merge.mean, merge.heads_only, merge.by_norm, _by_weight]
)
@pytest.mark.parametrize("size", [SIZE, None])
def test_padded_tokens_are_not_merged(
    merger: Callable[[Tokens, Groups], Tokens], size: Tensor | None
) -> None:
    mask = torch.tensor([[True, True, True, False]])
    with pytest.raises(Unsupported, match="padded tokens cannot be merged"):
        merger(tokens(size=size, mask=mask), GROUPS)
