"""K-SEQ keeps the law: shown by going through all drafts of small vocabularies."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from tokonomy_methods.decoding.kseq import (
    _agreements,
    agreement,
    best_rho,
    kseq,
    residual,
    taken,
)

SIZES = [(2, 1), (2, 8), (3, 4), (5, 2), (6, 3), (6, 4)]


def laws(size: int, seed: int, sharp: float = 1.0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    both = torch.randn(2, size, generator=draw, dtype=torch.float64) * sharp
    p, q = both.softmax(-1)
    return p, q


def outcomes(p: Tensor, q: Tensor, drafts: tuple[int, ...], rho: float) -> Tensor:
    """Law of the token for given drafts, by the rule written out: float64 [V]."""
    found, left = torch.zeros_like(p), 1.0
    for token in drafts:
        share = min(1.0, float(p[token] / (rho * q[token])))
        found[token] += left * share
        left *= 1 - share
    rest = residual(p, q, len(drafts), rho)
    return found + left * rest / rest.sum() if left > 0 else found


@pytest.mark.parametrize(("size", "count"), SIZES)
@pytest.mark.parametrize("sharp", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("slack", [0.0, 0.5])
def test_the_token_follows_p(size: int, count: int, sharp: float, slack: float) -> None:
    """The sum over all drafts, each as likely as q has it, is p; for rho beyond the best too."""
    p, q = laws(size, seed=size * 10 + count, sharp=sharp)
    rho = best_rho(p, q, count)
    rho += slack * (count - rho)
    total = torch.zeros_like(p)
    for drafts in product(range(size), repeat=count):
        total += q[list(drafts)].prod() * outcomes(p, q, drafts, rho)
    torch.testing.assert_close(total, p, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("size", "count"), [(2, 1), (3, 3), (5, 2), (6, 3)])
def test_the_function_does_what_the_rule_says(size: int, count: int) -> None:
    """Just below and above each bound, and at the middle of each part of the residual law."""
    p, q = laws(size, seed=size + count)
    rho = best_rho(p, q, count)
    rest = residual(p, q, count, rho)
    middles = (rest.cumsum(0) - rest / 2) / rest.sum()
    seen = {True: 0, False: 0}
    for drafts in product(range(size), repeat=count):
        bounds = [float(p[token] / (rho * q[token])) for token in drafts]
        for place, bound in enumerate(bounds):
            if all(before < 1 for before in bounds[:place]):
                numbers = [before + 1e-9 for before in bounds[:place]] + [min(bound, 1) - 1e-9]
                uniform = torch.tensor(numbers + [0.0] * (count - place), dtype=torch.float64)
                assert kseq(p, q, drafts, rho, uniform) == (drafts[place], True)
                seen[True] += 1
        for token in range(size):
            if all(bound < 1 for bound in bounds) and rest[token] > 1e-9:
                numbers = [bound + 1e-9 for bound in bounds] + [float(middles[token])]
                uniform = torch.tensor(numbers, dtype=torch.float64)
                assert kseq(p, q, drafts, rho, uniform) == (token, False)
                seen[False] += 1
    assert min(seen.values()) > 0


@pytest.mark.parametrize(("size", "count"), [*SIZES, (50, 4), (50, 8)])
def test_the_residual_is_what_none_taken_leaves(size: int, count: int) -> None:
    """It is p less what drafts bring, q times the sum over their places; nowhere below nothing."""
    p, q = laws(size, seed=size + 7 * count, sharp=2.0)
    rho = best_rho(p, q, count)
    share = torch.minimum(q, p / rho)
    beta = share.sum()
    brought = sum(share * (1 - beta) ** place for place in range(count))
    torch.testing.assert_close(residual(p, q, count, rho), p - brought, rtol=0, atol=1e-12)
    assert (p - brought).min() > -1e-12
    assert float(residual(p, q, count, rho).sum()) == pytest.approx(1 - taken(p, q, count, rho))


@pytest.mark.parametrize(("size", "count"), [*SIZES, (50, 8)])
def test_the_best_rho_solves_its_equation_and_takes_most(size: int, count: int) -> None:
    p, q = laws(size, seed=size + 3 * count, sharp=2.0)
    rho = best_rho(p, q, count)
    assert 1 <= rho <= count
    assert taken(p, q, count, rho) == pytest.approx(rho * agreement(p, q, rho), abs=1e-12)
    worse = [rho + (count - rho) * part for part in (0.1, 0.5, 1.0)]
    assert all(taken(p, q, count, other) <= taken(p, q, count, rho) for other in worse)
    assert taken(p, q, count, rho) >= (1 - (1 - 1 / count) ** count) * taken(p, q, 1, 1.0)


def test_one_draft_is_speculative_sampling() -> None:
    p, q = laws(6, seed=1)
    assert best_rho(p, q, 1) == 1
    torch.testing.assert_close(residual(p, q, 1, 1.0), (p - q).clamp(min=0))


def test_more_drafts_are_taken_more_often() -> None:
    p, q = laws(6, seed=2, sharp=2.0)
    shares = [taken(p, q, count, best_rho(p, q, count)) for count in (1, 2, 4, 8)]
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] + 0.05


@pytest.mark.parametrize("count", [1, 3])
def test_equal_laws_always_take_and_foreign_ones_never(count: int) -> None:
    p = torch.tensor([0.5, 0.5, 0, 0], dtype=torch.float64)
    q = torch.tensor([0, 0, 0.25, 0.75], dtype=torch.float64)
    late = torch.tensor([1 - 1e-6] * count + [0.6], dtype=torch.float64)
    assert kseq(p, p, [1] * count, best_rho(p, p, count), late) == (1, True)
    early = torch.tensor([0.0] * count + [0.6], dtype=torch.float64)
    assert kseq(p, q, [3] * count, best_rho(p, q, count), early) == (1, False)


@pytest.mark.parametrize("count", [2, 5])
def test_agreement_is_the_same_whichever_way_it_is_summed(count: int) -> None:
    p, q = laws(40, seed=9, sharp=2.0)
    p[3], q[4], p[5], q[5] = 0, 0, 0, 0
    share = _agreements(p, q, count)
    bounds = [float(r) for r in p / q if 1 <= r <= count]
    for rho in [1.0, float(count), *bounds, *torch.linspace(1, count, 37).tolist()]:
        assert share(rho) == pytest.approx(agreement(p, q, rho), rel=1e-12)
