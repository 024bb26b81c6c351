"""ADED: the table, the search and the draft, on cases worked by hand."""

from __future__ import annotations

import random
from math import log, sqrt
from typing import Any

import pytest
import torch

from cycles import circle, training, turns
from prompts import asked
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.family import Decoding
from tokonomy_methods.decoding.aded import Aded
from tokonomy_methods.decoding.drafts import Draft
from tokonomy_methods.decoding.trigrams import (
    Pair,
    Prefix,
    Scores,
    Table,
    counted,
    rollout,
    search,
    visited,
)

BASE: dict[Pair, Scores] = {
    (1, 2): {3: 0.75, 4: 0.25},
    (2, 3): {5: 1.0},
    (2, 4): {6: 0.5, 7: 0.5},
    (3, 5): {1: 1.0},
}


def paths(draft: Draft) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for token, parent in zip(draft.tokens, draft.parents, strict=True):
        found.append((*(found[parent] if parent >= 0 else ()), token))
    return found


def test_probabilities_are_shares_of_what_followed_a_pair() -> None:
    found = counted([[1, 2, 3, 1, 2, 4], [1, 2, 3], [9]], 12)
    assert found[1, 2] == {3: 2 / 3, 4: 1 / 3}
    assert found[2, 3] == {1: 1.0}
    assert (3, 9) not in found
    assert counted([[1, 2, 3, 1, 2, 4, 1, 2, 4]], 1)[1, 2] == {4: 2 / 3}


def test_trigrams_of_the_text_are_raised_up_to_a_limit() -> None:
    table = Table(BASE)
    table.adapt([1, 2, 4, 8], 0.04, 3.0)
    assert list(table.after((1, 2)).tokens) == [3, 4]
    assert table.after((1, 2)).scores == pytest.approx([0.75, 0.29])
    assert table.after((2, 4)).scores == pytest.approx([0.5, 0.5, 0.04])
    for _ in range(20):
        table.adapt([1, 2, 4], 0.04, 3.0)
    assert list(table.after((1, 2)).tokens) == [4, 3]
    assert table.after((1, 2)).scores == pytest.approx([1.09, 0.75])
    table.adapt([1, 2, 4], 9.0, 3.0)
    assert table.after((1, 2)).scores == pytest.approx([3.0, 0.75])
    assert BASE[1, 2] == {3: 0.75, 4: 0.25}
    assert list(Table(BASE).after((1, 2)).tokens) == [3, 4]


def test_selection_follows_puct() -> None:
    root = Prefix((1, 2), 0)
    root.expand(Table(BASE))
    likely, other = root.below

    def worth(child: Prefix, score: float) -> float:
        bold = (32 + log((root.visits + 8 + 1) / 8)) * sqrt(root.visits)
        return child.gains / max(1, child.visits) + bold * score / (1 + child.visits)

    for visits in ((0, 0, 0), (3, 2, 1), (9, 8, 1), (40, 30, 10), (12, 9, 3)):
        root.visits, likely.visits, other.visits = visits
        likely.gains, other.gains = 2.0 * likely.visits, 1.5 * other.visits
        wanted = max((likely, 0.75), (other, 0.25), key=lambda each: worth(*each))
        assert root.best(32, 8) == wanted
    root.visits, likely.visits, other.visits = 9, 8, 1
    assert root.best(32, 8)[0] is other  # its own share of visits is a quarter


def test_what_a_visit_is_worth_is_one_and_the_scores_on_its_way() -> None:
    table = Table({(1, 2): {3: 0.5}, (2, 3): {4: 0.25}, (3, 4): {5: 0.125}})
    root = search(table, (1, 2), random.Random(0), iterations=3, depth=3, width=32, scale=8)
    assert (root.visits, root.gains) == (3, 3 * 1.875)
    (first,) = root.below
    (second,) = first.below
    assert (first.visits, second.visits) == (2, 1)
    assert second.gains == 1.875
    assert rollout(table, (1, 2), 2, random.Random(0)) == 0.75
    assert rollout(table, (8, 9), 2, random.Random(0)) == 0


def test_a_search_goes_no_deeper_than_asked_and_counts_every_visit() -> None:
    root = search(Table(BASE), (1, 2), random.Random(0), iterations=60, depth=2, width=32, scale=8)

    def check(node: Prefix) -> None:
        assert node.depth <= 2
        assert sum(child.visits for child in node.below) <= node.visits
        for child in node.below:
            check(child)

    check(root)
    assert root.visits == 60
    assert sum(child.visits for child in root.below) == 59  # the first visit opens the root
    shares = [child.visits / 59 for child in root.below]
    assert shares == pytest.approx([0.75, 0.25], abs=0.05)
    assert all(not child.below for each in root.below for child in each.below)


def test_rollouts_draw_in_proportion_to_scores() -> None:
    draw = random.Random(3)
    values = [rollout(Table(BASE), (1, 2), 1, draw) for _ in range(2000)]
    assert values.count(0.75) / 2000 == pytest.approx(0.75, abs=0.03)


def test_the_most_visited_prefixes_are_drafted_with_what_is_likeliest_after() -> None:
    table = Table(BASE)
    root = search(table, (1, 2), random.Random(0), iterations=40, depth=2, width=32, scale=8)
    assert paths(visited(root, table, 1)) == [(3,), (3, 5)]
    assert paths(visited(root, table, 2)) == [(3,), (3, 5), (3, 5, 1)]
    few = paths(visited(root, table, 3))
    assert few == [(3,), (3, 5), (4,), (3, 5, 1), (4, 6)]
    everything = paths(visited(root, table, 24))
    assert set(everything) == {(3,), (4,), (3, 5), (4, 6), (4, 7), (3, 5, 1)}


def test_where_nothing_is_known_nothing_is_drafted() -> None:
    table = Table(BASE)
    root = search(table, (8, 9), random.Random(0), iterations=9, depth=4, width=32, scale=8)
    assert len(visited(root, table, 24)) == 0


@torch.inference_mode()
def test_the_table_is_of_training_prompts_and_their_answers() -> None:
    reads = {}
    for warm, prompt in ((0, [300]), (1, [300]), (1, [301, 302])):
        calibration = training(prompt, length=16 if prompt == [300] else 1)
        with Context(calibration=calibration) as context, Decoding().reading(circle()) as passes:
            predict = Aded(warm=warm).prepare(circle(), context)
            passes()
            assert predict(asked([[300]], 17))[0].tolist() == turns(17)
            reads[warm, len(prompt)] = len(passes())
    assert reads[1, 1] == 4  # the prompt, twice five drafted tokens and one more, the rest
    assert reads[0, 1] == reads[1, 2] > 8  # it has to see one turn first


@pytest.mark.parametrize(
    "bad",
    [
        {"iterations": 0},
        {"prefixes": 0},
        {"depth": 0},
        {"window": -1},
        {"more": -0.1},
        {"most": float("nan")},
        {"width": -1},
        {"scale": 0},
        {"warm": -1},
    ],
)
def test_impossible_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match=next(iter(bad))):
        Aded(**bad)
