"""Training prompts as methods get them."""

from __future__ import annotations

import pytest
import torch

from cycles import circle, training, turns
from prompts import asked, scored
from tokonomy.errors import Unsupported
from tokonomy.families.context import Context
from tokonomy_methods.decoding import warm

PROMPTS = [[300, 301, 302], turns(5), [44], [7, 8]]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 99])
def test_prompts_come_one_by_one_without_padding(count: int) -> None:
    with Context(calibration=training(*PROMPTS, length=9)) as context:
        found = list(warm.training(context, count))
    assert [batch.prompt.tolist() for batch in found] == [[each] for each in PROMPTS[:count]]
    assert all(not batch.padded for batch in found)
    assert all(batch.length == 9 for batch in found)


def test_no_prompt_needs_no_train_split() -> None:
    with Context() as context:
        assert list(warm.training(context, 0)) == []
        with pytest.raises(Unsupported, match="train split"):
            list(warm.training(context, 1))


def test_a_text_is_a_prompt_and_what_the_model_answers() -> None:
    with Context(calibration=training(*PROMPTS[1:], length=4)) as context:
        found = list(warm.texts(circle(), context, 2))
    assert found == [(turns(5), turns(4, start=5)), ([44], turns(4))]


def test_an_answer_goes_up_to_its_end() -> None:
    ending = asked([[44]], 9, ends=(102,))
    with Context(calibration=lambda: iter([ending])) as context:
        assert list(warm.texts(circle(), context, 1)) == [([44], [100, 101, 102])]


def test_where_a_continuation_is_given_it_is_the_answer() -> None:
    batch = scored()
    with Context(calibration=lambda: iter([batch])) as context:
        found = list(warm.texts(circle(), context, 9))
    assert [said for _, said in found] == [[5, 90, 17], [300, 4]]
    assert [prompt for prompt, _ in found] == [
        batch.prompt[row][batch.present[row]].tolist() for row in range(2)
    ]


def test_a_watched_prompt_is_answered_with_one_drafter_each() -> None:
    from tokonomy_methods.decoding.drafts import NOTHING, Draft

    class Note:
        def __init__(self) -> None:
            self.grown = list[int]()
            notes.append(self)

        def propose(self, tokens: list[int]) -> Draft:
            return NOTHING

        def observe(self, fed: list[int], logits: torch.Tensor, accepted: list[int]) -> None:
            self.grown += accepted

    notes = list[Note]()
    with Context(calibration=training(turns(3), turns(4), [44], length=4)) as context:
        warm.watched(circle(), context, 2, Note)
    assert [note.grown for note in notes] == [turns(3, start=4), turns(3, start=5)]
