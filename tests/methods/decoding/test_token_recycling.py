"""Token Recycling: its tree and matrix worked by hand, and the whole rule written out."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

import numpy as np
import pytest
import torch

from cycles import circle, training, turns
from prompts import asked, tiny
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding.recycling import Path, Template, learn, template
from tokonomy_methods.decoding.token_recycling import TokenRecycling


def test_the_template_has_the_widths_of_the_reference() -> None:
    paths = template(80, 8)
    assert len(set(paths)) == 80
    levels = Counter(map(len, paths))
    assert [levels[depth] for depth in range(1, 7)] == [8, 21, 25, 15, 8, 3]
    assert {path for path in paths if len(path) == 1} == {(rank,) for rank in range(8)}
    assert {path for path in paths if len(path) == 6} == {
        (0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1), (0, 0, 0, 0, 1, 0)
    }  # fmt: skip


@pytest.mark.parametrize("nodes", [1, 2, 5, 13, 40, 79, 80])
@pytest.mark.parametrize("ranks", [1, 2, 8])
def test_a_template_holds_parents_and_likelier_siblings(nodes: int, ranks: int) -> None:
    paths = template(nodes, ranks)
    assert len(paths) == min(nodes, {1: 6, 2: 2 + 4 + 8 + 15 + 8 + 3, 8: 80}[ranks])
    for place, path in enumerate(paths):
        assert path[:-1] == () or path[:-1] in paths[:place]
        assert all((*path[:-1], rank) in paths[:place] for rank in range(path[-1]))
        assert place == 0 or len(path) >= len(paths[place - 1])  # the nearer place is the earlier
        assert max(path) < ranks


def test_smaller_trees_are_the_likeliest_nodes_of_the_largest() -> None:
    def unlikely(path: Path) -> int:
        return 2 ** len(path) * prod(rank + 1 for rank in path)

    whole = template(80, 8)
    for nodes in (4, 8, 16, 32):
        part = template(nodes, 8)
        assert set(part) <= set(whole)
        rest = set(whole) - set(part)
        assert max(map(unlikely, part)) <= min(map(unlikely, rest))
    assert template(6, 8) == [(0,), (1,), (2,), (3,), (0, 0), (0, 1)]


def test_a_node_is_the_successor_of_its_parent() -> None:
    matrix = np.array([[1, 2], [2, 3], [3, 0], [0, 1]], dtype=np.int32)
    shape = Template([(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 1, 1)])
    assert shape.tree == (-1, -1, 0, 0, 1, 3)
    # after 0: 1 or 2; after 1: 2 or 3; after 2: 3; after 3, second: 1
    assert shape.filled(matrix, 0) == [1, 2, 2, 3, 3, 1]


def test_the_place_nearest_to_the_text_decides_what_follows() -> None:
    matrix = np.zeros((5, 2), dtype=np.int32)
    learn(matrix, [3, 1, 3, 1], np.array([[1, 2], [2, 3], [4, 4], [0, 4]]))
    assert matrix.tolist() == [[0, 0], [2, 3], [0, 0], [1, 2], [0, 0]]


@torch.inference_mode()
def straight(
    model: LanguageModel, prompt: list[int], length: int, nodes: int, matrix: dict[int, list[int]]
) -> tuple[list[int], list[int]]:
    """Answer and tokens that each pass after the prompt stood for, each text read anew."""

    def likeliest(text: list[int]) -> list[int]:
        logits = model.module(input_ids=torch.tensor([text]), use_cache=False).logits[0, -1]
        return sorted(range(len(logits)), key=lambda token: -float(logits[token]))[:8]

    said, grew = [likeliest(prompt)[0]], list[int]()
    while len(said) < length:
        text, most = [*prompt, *said], length - len(said) - 1
        drafted: dict[Path, list[int]] = {(): []}
        for path in template(nodes, 8):
            if len(path) <= most:
                parent = drafted[path[:-1]]
                last = parent[-1] if parent else said[-1]
                drafted[path] = [*parent, matrix.get(last, [0] * 8)[path[-1]]]
        after = {path: likeliest([*text, *tokens]) for path, tokens in drafted.items()}
        at, new = (), [after[()][0]]
        while below := [p for p in after if p[:-1] == at and p and drafted[p][-1] == new[-1]]:
            at = below[0]
            new.append(after[at][0])
        for path in reversed(after):
            matrix[drafted[path][-1] if path else said[-1]] = after[path]
        said += new
        grew.append(len(new))
    return said, grew


@pytest.mark.parametrize("nodes", [3, 12])
def test_it_goes_as_the_rule_written_out(nodes: int) -> None:
    prompt = [5, 90, 311, 7, 7, 205, 64]
    for seed in (0, 3):
        model, batch = tiny(seed=seed), asked([prompt], 24, ends=())
        wanted, grew = straight(model, prompt, 24, nodes, {})
        with torch.inference_mode(), Context() as context, Decoding().reading(model) as passes:
            predict = TokenRecycling(nodes=nodes).prepare(model, context)
            assert predict(batch)[0].tolist() == wanted
            cached = [each.cached for each in passes()]
        assert np.diff([*cached[1:], len(prompt) + 23]).tolist() == grew


def read(method: TokenRecycling, batch: Batch, prompts: list[list[int]]) -> list[int]:
    with (
        torch.inference_mode(),
        Context(calibration=training(*prompts)) as context,
        Decoding().reading(circle()) as passes,
    ):
        predict = method.prepare(circle(), context)
        passes()
        predict(batch)
        return [each.cached for each in passes()]


def test_a_warm_matrix_knows_what_training_prompts_were_answered() -> None:
    batch = asked([turns(8)], 13)
    cold = read(TokenRecycling(nodes=3), batch, [turns(4)])
    warm = read(TokenRecycling(nodes=3, warm=1), batch, [turns(4), turns(4, start=1)])
    none = read(TokenRecycling(nodes=3, warm=1), batch, [[300]])
    assert np.diff(warm).tolist() == [8, 3, 3, 3]
    assert np.diff(none)[1:].tolist() == np.diff(warm)[1:].tolist()  # 100 follows, then the circle
    assert len(cold) > len(warm)


def test_all_training_prompts_are_used_where_there_are_fewer_than_asked_for() -> None:
    batch, prompts = asked([turns(8)], 13), [[300], turns(4)]
    two = read(TokenRecycling(nodes=3, warm=2), batch, prompts)
    many = read(TokenRecycling(nodes=3, warm=999), batch, prompts)
    assert two == many


@pytest.mark.parametrize(
    "bad", [{"nodes": 0}, {"nodes": 81}, {"successors": 0}, {"successors": 65}, {"warm": -1}]
)
def test_impossible_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match=next(iter(bad))):
        TokenRecycling(**bad)


def test_many_successors_are_kept_where_asked_for() -> None:
    with torch.inference_mode(), Context() as context:
        predict = TokenRecycling(nodes=80, successors=64).prepare(tiny(), context)
        batch = asked([[5, 90, 311]], 9)
        assert torch.equal(predict(batch), tiny()(batch))
