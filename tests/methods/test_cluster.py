"""Clustering, on cases small enough to work by hand."""

from __future__ import annotations

import pytest
import torch

from merging import circle
from tokonomy_methods.tokens.cluster import Cost, Linkage, agglomerate, medoids, peaks
from tokonomy_methods.tokens.merge import heads


def together(slot: list[int]) -> set[frozenset[int]]:
    return {frozenset(i for i, s in enumerate(slot) if s == own) for own in slot}


@pytest.mark.parametrize(
    ("linkage", "first"),
    [
        ("single", {0, 1, 2, 3}),  # the gaps are 15, 18, 30 and 32 degrees
        ("average", {0, 1, 2}),  # 55 is nearer to 22 and 37 (0.105) than to 85 (0.134)
        ("complete", {0, 1}),  # 55 is nearer to 85 (30) than to 22 (33), and so is 117 (62)
    ],
)
def test_linkages_differ(linkage: Linkage, first: set[int]) -> None:
    groups = agglomerate(circle(22, 37, 55, 85, 117), 2, linkage)
    clusters = together(groups.slot[0].tolist())
    assert clusters == {frozenset(first), frozenset({0, 1, 2, 3, 4} - first)}


def test_clusters_are_told_apart() -> None:
    groups = agglomerate(circle(40, 0, 1, 41, 90), 3, "average")
    assert together(groups.slot[0].tolist()) == {frozenset(s) for s in ({0, 3}, {1, 2}, {4})}
    assert groups.count == 3


LINE = torch.tensor([[[0.0], [1.0], [2.0], [10.0], [11.0]]])
WEIGHT = torch.tensor([[5.0, 1.0, 1.0, 4.0, 1.0]])


@pytest.mark.parametrize(
    ("cost", "kept"),
    [
        # starts at 0 and 3; costs of 0 1 2 | 3 4 are 3 6 11 | 1 4
        ("cluster", [0, 3]),
        # weight times distance to all: 120 21 20 | 112 31
        ("whole", [2, 4]),
    ],
)
def test_medoids_by_hand(cost: Cost, kept: list[int]) -> None:
    groups = medoids(LINE, WEIGHT, 2, cost=cost)
    assert groups.slot.tolist() == [[0, 0, 0, 1, 1]]
    assert heads(groups).tolist() == [kept]


def test_medoids_move_step_by_step() -> None:
    x = torch.tensor([[[0.0], [4.0], [5.0], [6.0], [7.0]]])
    weight = torch.tensor([[2.0, 3.0, 1.0, 1.0, 1.0]])
    # starts at 1 and 0: {1 2 3 4} {0}; costs 6 6 8 .. keep the first
    assert heads(medoids(x, weight, 2, cost="cluster", iterations=1)).tolist() == [[1, 0]]
    # starts at 0 and 1: {0} {1 2 3 4}; costs 6 5 6 .. move to 2
    other = torch.tensor([[3.0, 2.0, 1.0, 1.0, 1.0]])
    assert heads(medoids(x, other, 2, cost="cluster", iterations=1)).tolist() == [[0, 2]]


def test_twins_do_not_empty_a_cluster() -> None:
    groups = medoids(torch.ones(1, 4, 2), torch.tensor([[1.0, 4.0, 3.0, 2.0]]), 3)
    assert groups.count == 3
    assert sorted(set(groups.slot[0].tolist())) == [0, 1, 2]
    assert groups.head is not None
    assert groups.head.sum() == 3


def test_peaks_by_hand() -> None:
    # nearest neighbour at .1 .1 .2 | .4 .4: densities fall in that order, twins by position;
    # distance to a denser one: 5.4 (the farthest of all) .1 .2 | 4.7 .4
    x = torch.tensor([[[0.0], [0.1], [0.3], [5.0], [5.4]]], dtype=torch.float64)
    groups = peaks(x, 2, neighbours=2)
    assert heads(groups).tolist() == [[0, 3]]
    assert groups.slot.tolist() == [[0, 0, 0, 1, 1]]


def test_peaks_of_identical_tokens() -> None:
    groups = peaks(torch.ones(1, 6, 3), 2)
    assert sorted(set(groups.slot[0].tolist())) == [0, 1]


def test_peaks_with_few_tokens_use_what_there_is() -> None:
    assert peaks(torch.eye(3)[None], 3).slot.unique().tolist() == [0, 1, 2]
