"""Trees of tokens: their shape, reading them at once, keeping one branch; and what stands."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from prompts import asked, tiny
from tokonomy.errors import Unsupported
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy.families.language.tree import Tree
from tokonomy_methods.decoding.drafts import NOTHING, Draft, chain
from tokonomy_methods.decoding.speculate import answer, speculative
from tokonomy_methods.decoding.verify import ended, greedy, likeliest

PROMPT = [5, 90, 311, 7, 7, 205, 64]


def bushy(count: int, seed: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(-1, node) for node in range(count)]


def path(parents: list[int], node: int) -> list[int]:
    return [*path(parents, parents[node]), node] if node >= 0 else []


def test_depths_shape_and_root_of_a_tree() -> None:
    tree = Tree((-1, 0, 0, 1, -1))
    assert tree.depths == [0, 1, 1, 2, 0]
    assert tree.rooted == (-1, 0, 1, 1, 2, 0)
    assert not tree.straight
    assert Tree(range(-1, 4)).straight
    assert Tree().straight
    assert Tree().rooted == (-1,)


def test_a_node_sees_its_ancestors_and_itself() -> None:
    for seed in range(5):
        parents = bushy(20, seed)
        like = torch.zeros(1, dtype=torch.float32)
        seen = Tree(parents).mask(like) == 0
        assert [row.nonzero()[:, 0].tolist() for row in seen] == [
            path(parents, node) for node in range(20)
        ]


def test_what_follows_from_a_tree_is_made_once_for_each_type() -> None:
    tree, like = Tree((-1, 0, 0)), torch.zeros(1)
    assert tree.mask(like) is tree.mask(like)
    assert tree.mask(like.bfloat16()).dtype == torch.bfloat16
    assert tree.rooted is tree.rooted


def test_a_draft_is_cut_by_depth() -> None:
    draft = Draft(tokens=[10, 11, 12, 13, 14], parents=[-1, 0, -1, 1, 2])
    assert draft.until(2) == Draft(tokens=[10, 11, 12, 14], parents=Tree((-1, 0, -1, 2)))
    assert draft.until(1) == Draft(tokens=[10, 12], parents=Tree((-1, -1)))
    assert draft.until(0) == Draft(tokens=[], parents=Tree())
    whole = draft.until(3)
    assert whole == Draft(tokens=[10, 11, 12, 13, 14], parents=Tree((-1, 0, -1, 1, 2)))
    assert whole.until(9) is whole
    assert len(NOTHING.until(0)) == 0


def test_a_chain_keeps_its_beginning() -> None:
    assert chain([4, 5, 6]).until(2) == Draft(tokens=[4, 5], parents=Tree((-1, 0)))


@torch.inference_mode()
def after(model: LanguageModel, tokens: list[int]) -> Tensor:
    """Logits after a text that is read in one go, without a cache."""
    return model.module(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("parents", [bushy(9, 1), bushy(17, 2), list(range(-1, 6)), [-1] * 5])
@torch.inference_mode()
def test_a_tree_is_read_as_if_each_branch_were_read_alone(
    architecture: str, parents: list[int]
) -> None:
    model = tiny(architecture)
    tokens = random.Random(0).sample(range(2, 500), len(parents))
    for given in (parents, Tree(parents)):
        reader = model.read(asked([PROMPT], 40))
        reader.prompt(asked([PROMPT], 40))
        logits = reader.tree(torch.tensor([tokens]), given)[0]
        for node in range(len(parents)):
            text = PROMPT + [tokens[each] for each in path(parents, node)]
            torch.testing.assert_close(logits[node], after(model, text), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [[0, 2, 5], [0], [], [0, 1], [0, 1, 4], [3, 1]])
@torch.inference_mode()
def test_what_is_kept_is_as_if_it_alone_had_been_read(rows: list[int]) -> None:
    parents, tokens = [-1, 0, 0, -1, 1, 2, 2], [40, 41, 42, 43, 44, 45, 46]
    if rows == [3, 1]:  # no branch, but what is kept is moved all the same
        parents = [-1] * 7
    model = tiny()
    reader = model.read(asked([PROMPT], 40))
    reader.prompt(asked([PROMPT], 40))
    before = [(layer.keys, layer.keys.clone()) for layer in reader.cache.layers]
    reader.tree(torch.tensor([tokens]), parents)
    read = [layer.keys.clone() for layer in reader.cache.layers]
    reader.keep(rows, of=7)
    wanted = [*range(7), *(7 + row for row in rows)]
    for layer, whole in zip(reader.cache.layers, read, strict=True):
        assert torch.equal(layer.keys, whole[..., wanted, :])
    assert reader.seen == 7 + len(rows)
    assert all(torch.equal(own, copy) for own, copy in before)
    if rows != [3, 1]:
        text = PROMPT + [tokens[row] for row in rows]
        logits = reader.next(torch.tensor([[77]]))[0, -1]
        torch.testing.assert_close(logits, after(model, [*text, 77]), rtol=1e-4, atol=1e-4)


def says(*tokens: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(tokens), 50).float()


def test_the_walk_down_the_tree_ends_where_no_child_is_what_the_model_says() -> None:
    draft = Draft(tokens=[7, 8, 9, 9, 4], parents=[-1, -1, 1, 0, 2])
    # after the text 8; after 7: 1; after 8: 9; after 9 below 8: 4; after 9 below 7: 2; after 4: 30
    assert greedy(draft, says(8, 1, 9, 4, 2, 30)) == ([1, 2, 4], [8, 9, 4, 30])
    assert greedy(draft, says(8, 1, 9, 5, 2, 30)) == ([1, 2], [8, 9, 5])
    assert greedy(draft, says(3, 1, 9, 5, 2, 30)) == ([], [3])
    assert greedy(NOTHING, says(3)) == ([], [3])


def test_of_two_children_with_one_token_the_first_stands() -> None:
    draft = Draft(tokens=[7, 7, 8], parents=[-1, -1, 1])
    assert greedy(draft, says(7, 8, 8, 8)) == ([0], [7, 8])


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_of_equally_likely_tokens_the_first_is_said(kind: torch.dtype) -> None:
    rows = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]], dtype=kind)
    assert likeliest(rows) == [1, 0]


def test_an_answer_ends_with_its_first_end() -> None:
    assert ended([4, 5, 6, 5], (5,)) == [4, 5]
    assert ended([4, 6], (5,)) == [4, 6]
    assert ended([4, 6], ()) == [4, 6]


class Oracle:
    """Drafts the right answer in a bush of wrong ones, and notes what it is told."""

    def __init__(self, right: list[int]) -> None:
        self.right, self.told = right, list[tuple[list[int], int, list[int]]]()

    def propose(self, tokens: list[int]) -> Draft:
        said = len(tokens) - len(PROMPT)
        a, b, c = (*self.right[said : said + 3], 3, 3, 3)[:3]
        return Draft(tokens=[2, a, 2, b, b, c], parents=[-1, -1, 1, 1, 0, 3])

    def observe(self, fed: list[int], logits: Tensor, accepted: list[int]) -> None:
        self.told.append((fed, len(logits), accepted))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 9, 12])
@torch.inference_mode()
def test_a_drafter_is_told_what_was_read_and_what_stood(length: int) -> None:
    batch = asked([PROMPT], length, ends=())
    right = tiny()(batch)[0].tolist()
    oracle = Oracle(right)
    assert answer(tiny(), batch, PROMPT, oracle) == right
    grown = right[:1]
    for fed, rows, accepted in oracle.told:
        assert fed[0] == grown[-1]
        assert len(fed) == rows
        assert len(accepted) == min(4, length - len(grown))
        grown += accepted
    assert grown == right


@torch.inference_mode()
def test_padding_before_one_prompt_changes_nothing() -> None:
    batch = asked([PROMPT, [9, *PROMPT, 3]], 9)
    one = Batch(
        ids=batch.ids[:1],
        prompt=batch.prompt[:1],
        present=batch.present[:1],
        given=batch.given[:1],
        length=9,
        ends=(1,),
    )
    assert one.padded
    right = tiny()(asked([PROMPT], 9))
    predict = speculative(tiny(), lambda: Oracle(right[0].tolist()))
    assert torch.equal(predict(one), right)


def test_a_cache_that_forgets_by_itself_is_refused() -> None:
    with pytest.raises(Unsupported, match="cache-not-plain"):
        speculative(tiny("mistral"), lambda: Oracle([]))
