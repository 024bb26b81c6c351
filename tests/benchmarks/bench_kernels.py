"""Kernels of token reduction: matching, clustering, merging and selecting, alone.

Sequences of 197 and 577 tokens (224 and 384 pixels cut into 16), 384 wide, 6 heads, as in DeiT-S;
one image and 64. One thread, so that figures compare between machines with different core counts.
Matching removes a tenth of the tokens, clustering and selecting keep half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.tokens import cluster, match, merge, score, select
from tokonomy_methods.vision import diffrate, mctf, pitome

WIDTH, HEADS = 384, 6
NO_BATCH = Batch(ids=torch.zeros(1), pixels=torch.zeros(1))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Random inputs of one size."""

    x: Tensor
    keys: Tensor
    weights: Tensor
    scores: Tensor

    @property
    def tokens(self) -> Tokens:
        size = torch.ones(self.x.shape[:2])
        return Tokens(x=self.x, specials=1, batch=NO_BATCH, size=size)

    @property
    def tenth(self) -> int:
        return self.x.shape[1] // 10

    @property
    def half(self) -> int:
        return self.x.shape[1] // 2

    @property
    def order(self) -> Tensor:
        return self.scores.argsort(descending=True)


@pytest.fixture(
    scope="module",
    params=[(1, 197), (64, 197), (1, 577), (64, 577)],
    ids=lambda size: f"batch{size[0]}-tokens{size[1]}",
)
def case(request: pytest.FixtureRequest) -> Case:
    batch, length = request.param
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return Case(
        x=normal(batch, length, WIDTH),
        keys=normal(batch, length, WIDTH // HEADS),
        weights=normal(batch, HEADS, length, length).softmax(-1),
        scores=normal(batch, length - 1).softmax(-1),
    )


def two_way(case: Case) -> match.Groups:
    fit = mctf.score(
        mctf.Mctf(), case.x, score.received(case.weights), case.tokens.sizes(), specials=1
    )
    return match.both_ways(fit, case.tenth, 1)


MATCH: dict[str, Callable[[Case], match.Groups]] = {
    "alternate": lambda c: match.alternate(c.keys, c.tenth, 1),
    "ordered": lambda c: match.ordered(c.keys[:, 1:], c.order, c.tenth),
    "mergeable": lambda c: match.mergeable(c.keys[:, 1:], c.order, c.tenth),
    "both-ways": two_way,
}
CLUSTER: dict[str, Callable[[Case], match.Groups]] = {
    "agglomerate": lambda c: cluster.agglomerate(c.keys[:, 1:], c.half, "average"),
    "medoids": lambda c: cluster.medoids(c.x[:, 1:], c.scores, c.half),
    "medoids-cluster": lambda c: cluster.medoids(c.x[:, 1:], c.scores, c.half, cost="cluster"),
    "peaks": lambda c: cluster.peaks(c.x[:, 1:], c.half),
}
MERGE: dict[str, Callable[[Tokens, match.Groups], Tokens]] = {
    "by-size": merge.by_size,
    "mean": merge.mean,
    "by-norm": merge.by_norm,
    "heads-only": merge.heads_only,
}
SELECT: dict[str, Callable[[Case], Any]] = {
    "top-raster": lambda c: select.top(c.scores, c.half, "raster"),
    "top-score": lambda c: select.top(c.scores, c.half, "score"),
    "class-attention": lambda c: score.class_attention(c.weights[:, :, 0], 1),
    "received": lambda c: score.received(c.weights),
    "energy": lambda c: pitome.energy(c.keys[:, 1:], 0.5),
}


@pytest.mark.parametrize("kernel", sorted(MATCH))
def test_match(benchmark: BenchmarkFixture, case: Case, kernel: str) -> None:
    groups = benchmark(MATCH[kernel], case)
    assert int(groups.slot.max()) == groups.count - 1


@pytest.mark.parametrize("kernel", sorted(CLUSTER))
def test_cluster(benchmark: BenchmarkFixture, case: Case, kernel: str) -> None:
    groups = benchmark(CLUSTER[kernel], case)
    assert groups.count == case.half


@pytest.mark.parametrize("kernel", sorted(MERGE))
def test_merge(benchmark: BenchmarkFixture, case: Case, kernel: str) -> None:
    groups = match.alternate(case.keys, case.tenth, 1)
    assert benchmark(MERGE[kernel], case.tokens, groups).length == groups.count


@pytest.mark.parametrize("kernel", sorted(SELECT))
def test_select(benchmark: BenchmarkFixture, case: Case, kernel: str) -> None:
    assert benchmark(SELECT[kernel], case).numel() > 0


def test_absorb(benchmark: BenchmarkFixture, case: Case) -> None:
    left = case.tokens.patches - case.tenth
    assert benchmark(diffrate.absorb, case.tokens, left).patches == left


def test_keep(benchmark: BenchmarkFixture, case: Case) -> None:
    index = select.top(case.scores, case.half, "raster")
    assert benchmark(select.keep, case.tokens, index).length == case.half + 1
