"""REST: the suffix array and the tree of frequent prefixes, against counting by hand."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from cycles import circle, training, turns
from prompts import asked
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.family import Decoding
from tokonomy_methods.decoding.drafts import Draft
from tokonomy_methods.decoding.rest import Rest, Retrieval
from tokonomy_methods.decoding.suffixes import Suffixes, frequent, sort_suffixes

CASES = [
    (seed, vocabulary, size)
    for seed, (vocabulary, size) in enumerate(
        [(2, 1), (2, 40), (3, 60), (5, 200), (2048, 300), (200_000, 50), (2**31, 30), (2, 2)]
    )
]


def paths(draft: Draft) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for token, parent in zip(draft.tokens, draft.parents, strict=True):
        found.append((*(found[parent] if parent >= 0 else ()), token))
    return found


@pytest.mark.parametrize(("seed", "vocabulary", "size"), CASES)
def test_suffixes_are_sorted_as_deep_as_asked(seed: int, vocabulary: int, size: int) -> None:
    rng = random.Random(seed)
    stream = [rng.randrange(vocabulary) for _ in range(size)]
    for depth in (1, 2, 3, 7, 26):
        order = sort_suffixes(np.array(stream), depth).tolist()
        assert sorted(order) == list(range(size))
        heads = [stream[place : place + depth] for place in order]
        assert heads == sorted(heads)
    whole = sort_suffixes(np.array(stream), size).tolist()
    assert whole == sorted(range(size), key=lambda place: stream[place:])


def test_equal_suffixes_are_in_the_order_of_the_stream() -> None:
    stream = np.array([1, 2, 1, 2, 1, 2])
    assert sort_suffixes(stream, 1).tolist() == [4, 2, 0, 5, 3, 1]  # as deep as a number holds
    wide = np.array([2**31, 5, 2**31, 5])  # of which a number holds one
    assert sort_suffixes(wide, 1).tolist() == [1, 3, 0, 2]
    assert sort_suffixes(wide, 2).tolist() == [3, 1, 0, 2]
    assert sort_suffixes(wide, 3).tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize(("seed", "vocabulary", "size"), [case for case in CASES if case[1] < 9])
def test_the_longest_run_that_is_there_is_found(seed: int, vocabulary: int, size: int) -> None:
    rng = random.Random(seed)
    stream = [rng.randrange(vocabulary) for _ in range(size)]
    store = Suffixes.of(stream, 40)
    for _ in range(60):
        text = [rng.randrange(vocabulary + 1) for _ in range(rng.randrange(1, 12))]
        low = rng.randrange(1, 4)
        high = low + rng.randrange(6)
        hits: list[int] = []
        length = 0
        for long in range(min(high, len(text)), low - 1, -1):
            ends = range(long, size + 1)
            hits = [end for end in ends if stream[end - long : end] == text[-long:]]
            if hits:
                length = long
                break
        places, found = store.longest(text, low, high, 1000)
        assert found == length
        assert sorted(places.tolist()) == hits
        rows = store.following(places, 4).tolist()
        assert rows == sorted(rows)
        padded = [*stream, -1, -1, -1, -1]
        assert rows == [padded[place : place + 4] for place in places.tolist()]
        few, _ = store.longest(text, low, high, 2)
        assert few.tolist() == places.tolist()[:2]


def test_a_text_shorter_than_the_shortest_run_finds_nothing() -> None:
    store = Suffixes.of([1, 2, 1, 2], 8)
    assert store.longest([2], 2, 16, 10)[1] == 0
    assert Suffixes.of([], 8).longest([1, 2, 3], 2, 16, 10)[1] == 0


def test_the_most_frequent_prefixes_are_drafted() -> None:
    rows = np.array([[1, 2, 3], [1, 2, 4], [1, 5, 5], [7, 8, -1], [7, 9, 9]])
    draft = frequent(rows, 4)
    assert paths(draft) == [(1,), (7,), (1, 2), (1, 5)]
    assert draft.parents == [-1, -1, 0, 0]
    everything = paths(frequent(rows, 99))
    assert everything[4:] == [(7, 8), (7, 9), (1, 2, 3), (1, 2, 4), (1, 5, 5), (7, 9, 9)]


@pytest.mark.parametrize("seed", range(8))
def test_prefixes_are_ranked_by_count_then_length_then_tokens(seed: int) -> None:
    rng = random.Random(seed)
    width = rng.randrange(1, 6)
    rows = sorted([rng.randrange(3) for _ in range(width)] for _ in range(rng.randrange(1, 40)))
    counted = Counter(tuple(row[:end]) for row in rows for end in range(1, width + 1))
    ranked = sorted(counted, key=lambda path: (-counted[path], len(path), path))
    for most in (1, 5, 64):
        assert paths(frequent(np.array(rows), most)) == ranked[:most]


def test_the_draft_follows_the_longest_run() -> None:
    store = Suffixes.of([1, 2, 3, 4, 9, 2, 3, 5, 9, 2, 3, 5, 8], 26)
    retrieval = Retrieval(Rest(tokens=2), store)
    assert paths(retrieval.propose([1, 2, 3])) == [(4,), (4, 9)]
    assert paths(retrieval.propose([7, 2, 3])) == [(5,), (4,), (4, 9), (5, 8), (5, 9)]
    assert paths(retrieval.propose([7, 7, 3])) == []  # one token is too short a run
    assert paths(retrieval.propose([3, 5, 8])) == []  # nothing follows
    few = Retrieval(Rest(tokens=2, hits=1), store)
    assert paths(few.propose([7, 2, 3])) == [(4,), (4, 9)]


@torch.inference_mode()
def test_the_store_is_of_training_prompts_and_their_answers() -> None:
    reads = {}
    for prompt, length in (([300], 16), (turns(16), 1), ([300], 1)):
        calibration = training(prompt, length=length)
        with Context(calibration=calibration) as context, Decoding().reading(circle()) as passes:
            predict = Rest(warm=1).prepare(circle(), context)
            passes()
            assert predict(asked([turns(2)], 13))[0].tolist() == turns(13, start=2)
            reads[len(prompt), length] = len(passes())
    assert reads[1, 16] <= 4  # known from the answer to another prompt
    assert reads[16, 1] <= 4  # known from a prompt
    assert reads[1, 1] == 13


def test_a_task_without_a_train_split_is_refused() -> None:
    with Context() as context, pytest.raises(Unsupported, match="train split"):
        Rest().prepare(circle(), context)


@pytest.mark.parametrize(
    "bad",
    [{"nodes": 0}, {"longest": 0}, {"shortest": 17}, {"tokens": 0}, {"hits": 0}, {"warm": 0}],
)
def test_impossible_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match=next(iter(bad))):
        Rest(**bad)
