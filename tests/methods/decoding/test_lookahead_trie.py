"""The trie: what it counts, drafts and forgets, against counting by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from cycles import circle, training, turns
from prompts import asked
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.family import Decoding
from tokonomy_methods.decoding.drafts import Draft
from tokonomy_methods.decoding.lookahead_trie import LookaheadTrie, Lookup
from tokonomy_methods.decoding.trie import Below, Store, heaviest, insert, prune

Path = tuple[int, ...]


def paths(draft: Draft) -> list[Path]:
    found: list[Path] = []
    for token, parent in zip(draft.tokens, draft.parents, strict=True):
        found.append((*(found[parent] if parent >= 0 else ()), token))
    return found


def counts(below: Below, path: Path = ()) -> dict[Path, tuple[int, float]]:
    found: dict[Path, tuple[int, float]] = {}
    for token, node in below.items():
        found[(*path, token)] = (node.asked, node.said)
        found |= counts(node.below, (*path, token))
    return found


def lookup(method: LookaheadTrie, *answers: list[int]) -> Lookup:
    store = Store(method.branch + 1)
    for said in answers:
        store.add(said)
    return Lookup(method, store)


def test_branches_share_their_beginnings() -> None:
    below: Below = {}
    assert insert(below, [1, 2, 3], asked=1) == 3
    assert insert(below, [1, 2, 4], said=1) == 1
    assert insert(below, [1, 2], said=1) == 0
    assert counts(below) == {
        (1,): (1, 2), (1, 2): (1, 2), (1, 2, 3): (1, 0), (1, 2, 4): (0, 1)
    }  # fmt: skip


def test_a_time_in_the_prompt_outweighs_many_in_answers() -> None:
    below: Below = {}
    insert(below, [1], asked=1)
    for _ in range(9):
        insert(below, [2], said=1)
        insert(below, [3, 4], said=1)
    insert(below, [3, 4], said=1)
    assert paths(heaviest([below], 9, 9, 1e-4)) == [(1,), (3,), (3, 4), (2,)]
    assert paths(heaviest([below], 9, 9, 0.9)) == [(3,), (3, 4), (2,), (1,)]
    assert paths(heaviest([below], 2, 9, 0.9)) == [(3,), (3, 4)]
    assert paths(heaviest([below], 9, 1, 0.9)) == [(3,), (2,), (1,)]


def test_counts_of_several_tries_add_up() -> None:
    one: Below = {}
    other: Below = {}
    insert(one, [1, 2], asked=1)
    insert(one, [5], asked=2)
    insert(other, [1, 3], said=1)
    insert(other, [1, 3], said=1)
    found = heaviest([one, other], 9, 9, 0.5)
    assert paths(found) == [(1,), (1, 3), (5,), (1, 2)]


def test_of_equals_one_branch_is_whole_before_the_next_begins() -> None:
    below: Below = {}
    insert(below, [1, 2, 3], asked=1)
    insert(below, [4, 5], asked=1)
    assert paths(heaviest([below], 4, 9, 1e-4)) == [(1,), (1, 2), (1, 2, 3), (4,)]


def wanted(
    prompt: list[int], said: list[int], method: LookaheadTrie, earlier: list[list[int]]
) -> dict[Path, float]:
    """Weight of every prefix that followed the last tokens, by looking at all places."""
    text, long = [*prompt, *said], method.branch + 1
    places = [(prompt[at : at + 1 + long], 1 - method.weight) for at in range(len(prompt) - 1)]
    places += [(said[at : at + 1 + long], method.weight) for at in range(len(said) - long)]
    for answer in earlier:
        every = range(len(answer) - 1)
        places += [(answer[at : at + 1 + long], method.weight) for at in every]
    found: dict[Path, float] = {}
    for size in (2, 1):
        found = {}
        for branch, weight in places:
            rest = tuple(branch[size:]) if branch[:size] == text[-size:] else ()
            for end in range(1, min(len(rest), method.branch) + 1):
                found[rest[:end]] = found.get(rest[:end], 0) + weight
        if 1 + min(len(found), method.tokens - 1) >= method.branch:
            break
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_draft_is_what_followed_most(seed: int) -> None:
    rng = random.Random(seed)
    method = LookaheadTrie(tokens=rng.choice([4, 12, 64]), branch=rng.choice([2, 3, 5]), weight=0.3)
    earlier = [[rng.randrange(4) for _ in range(20)] for _ in range(2)]
    prompt = [rng.randrange(4) for _ in range(30)]
    drafter = lookup(method, *earlier)
    said = [rng.randrange(4)]
    for _ in range(12):
        draft = drafter.propose([*prompt, *said])
        weights = wanted(prompt, said, method, earlier)
        found = paths(draft)
        assert len(found) == len(set(found)) == min(len(weights), method.tokens - 1)
        least = min((weights[path] for path in found), default=0)
        left = [weight for path, weight in weights.items() if path not in found]
        assert max(left, default=0) <= least + 1e-9
        assert all(path[:-1] in ((), *found) for path in found)
        said += [rng.randrange(4) for _ in range(rng.randrange(1, 4))]


def test_a_first_token_that_was_never_met_drafts_nothing() -> None:
    drafter = lookup(LookaheadTrie())
    assert len(drafter.propose([1, 2, 3])) == 0
    assert len(lookup(LookaheadTrie()).propose([7])) == 0


def test_an_answers_branch_is_in_once_it_is_whole() -> None:
    drafter = lookup(LookaheadTrie(branch=2))
    assert paths(drafter.propose([9, 5])) == []
    assert paths(drafter.propose([9, 5, 6, 5])) == []  # 5 6 5 wants one token more
    assert paths(drafter.propose([9, 5, 6, 5, 6])) == [(5,), (5, 6)]
    assert paths(drafter.propose([9, 5, 6, 5, 6, 5])) == [(6,), (6, 5)]


def test_requests_share_the_store_and_nothing_else() -> None:
    method = LookaheadTrie(branch=2)
    store = Store(3)
    store.add([1, 2, 3])
    before = {first: counts(below) for first, below in store.trees.items()}
    for prompt in ([4, 5, 6, 4], [7, 8, 9, 7, 1]):
        drafter = Lookup(method, store)
        assert len(drafter.propose(prompt)) in (2, 3)
        drafter.propose([*prompt, 1, 2, 3, 1, 2, 3, 1])
    assert {first: counts(below) for first, below in store.trees.items()} == before


def test_pruning_halves_and_drops_what_was_said_once() -> None:
    below: Below = {}
    for branch in ([1, 2], [1, 2], [1, 3], [4]):
        insert(below, branch, said=1)
    assert prune(below) == 2
    assert counts(below) == {(1,): (0, 1.5), (1, 2): (0, 1)}
    assert prune(below) == 1
    assert counts(below) == {(1,): (0, 0.75)}


def test_a_store_is_pruned_once_enough_first_tokens_were_met() -> None:
    store, whole = Store(branch=4, bound=10, patience=8), Store(branch=4, bound=10, patience=9)
    rng, sizes = random.Random(0), list[int]()
    for _ in range(300):
        said = [rng.randrange(8) for _ in range(30)]
        store.add(said)
        whole.add(said)  # there are no nine first tokens: it is never pruned
        sizes.append(store.nodes)
        assert store.nodes == sum(len(counts(below)) for below in store.trees.values())
    assert max(sizes) < 8 * (10 + 30 * 4)
    assert whole.nodes > 8 * max(sizes)


@torch.inference_mode()
def test_a_warm_trie_knows_what_training_prompts_were_answered() -> None:
    batch = asked([[300]], 22)
    reads = {}
    for warm in (0, 1):
        calibration = training(turns(3), length=20)
        with Context(calibration=calibration) as context, Decoding().reading(circle()) as passes:
            predict = LookaheadTrie(tokens=16, warm=warm).prepare(circle(), context)
            passes()
            assert predict(batch)[0].tolist() == turns(22)
            reads[warm] = len(passes())
    assert reads[1] == 3  # the prompt, a branch of twelve tokens, what is left
    assert reads[0] > 10


@pytest.mark.parametrize(
    "bad",
    [{"tokens": 1}, {"branch": 0}, {"query": 0}, {"weight": 1.5}, {"weight": True}, {"warm": -1}],
)
def test_impossible_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match=next(iter(bad))):
        LookaheadTrie(**bad)
