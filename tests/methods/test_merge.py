"""What groups become, by hand; padding; nothing lost or made."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.tokens import merge
from tokonomy_methods.tokens.match import Groups, alternate, each

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


def test_mean_ignores_sizes_but_counts_them() -> None:
    out = merge.mean(tokens(), GROUPS)
    assert out.x.tolist() == [[[1, 1], [1, 1]]]
    assert out.size is not None
    assert out.size.tolist() == [[7, 4]]


def test_first_merge_makes_sizes() -> None:
    for merger in (merge.mean, merge.by_size, merge.heads_only):
        size = merger(tokens(size=None), GROUPS).size
        assert size is not None
        assert size.tolist() == [[1, 3]]


def test_by_weight() -> None:
    weight = torch.tensor([[2.0, 9.0, 1.0, 1.0]])
    out = merge.by_weight(tokens(), GROUPS, weight)
    assert out.x.tolist() == [[[1, 1], [1.5, 1.75]]]  # (6, 8 + 5 - 6) / 4
    assert out.size is not None
    assert out.size.tolist() == [[7, 4]]


def test_heads_stay_as_they_are() -> None:
    assert merge.heads(GROUPS).tolist() == [[1, 2]]
    kept, left = merge.heads_only(tokens(), GROUPS), merge.dropped(tokens(), GROUPS)
    assert kept.x.tolist() == left.x.tolist() == [[[1, 1], [0, 5]]]
    assert kept.size is not None
    assert left.size is not None
    assert kept.size.tolist() == [[7, 4]]
    assert left.size.tolist() == [[7, 2]]


def test_dropping_leaves_sizes_implicit() -> None:
    assert merge.dropped(tokens(size=None), GROUPS).size is None


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


def _by_own_norm(of: Tokens, groups: Groups) -> Tokens:
    return merge.by_norm(of, groups, unmerged=True)


@pytest.mark.parametrize(
    "merger", [merge.by_size, merge.mean, merge.heads_only, merge.dropped, _by_own_norm]
)
def test_padding_changes_nothing(merger: object) -> None:
    assert callable(merger)
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(3, 14, 5, generator=generator)
    size = torch.randint(1, 4, (3, 14), generator=generator).float()
    mask = torch.arange(14) < torch.tensor([[14], [5], [9]])
    padded, alone = (
        tokens(x, size, mask),
        [tokens(x[i, r][None], size[i, r][None]) for i, r in enumerate(mask)],
    )
    for _ in range(2):
        groups = each(lambda m: alternate(m, 3, 1), padded.mask, padded.x)
        padded = merger(padded, groups)
        alone = [merger(one, alternate(one.x, 3, 1)) for one in alone]
    assert padded.mask is not None
    assert padded.x.isfinite().all()
    for i, one in enumerate(alone):
        assert padded.mask[i].sum() == one.length
        torch.testing.assert_close(padded.x[i, : one.length], one.x[0])
        torch.testing.assert_close(padded.sizes()[i, : one.length], one.sizes()[0])
