"""Prompt lookup: the original's rule and that of transformers, on texts that tell them apart."""

from __future__ import annotations

import pytest
import torch
from transformers.generation.candidate_generator import PromptLookupCandidateGenerator

from cycles import circle, turns
from prompts import asked, tiny
from tokonomy.families.context import Context
from tokonomy.families.language.family import Decoding
from tokonomy_methods.decoding.hf_prompt_lookup import HfPromptLookup
from tokonomy_methods.decoding.prompt_lookup import PromptLookup

NEAR_THE_END = [1, 2, 3, 4, 5, 6, 7, 2, 3]
ALL_ALIKE = [9, 9, 9, 9]


def theirs(text: list[int], longest: int) -> list[int]:
    """What transformers drafts."""
    generator = PromptLookupCandidateGenerator(
        num_output_tokens=10, max_matching_ngram_size=longest, max_length=100
    )
    return generator.get_candidates(torch.tensor([text]))[0][0, len(text) :].tolist()


def test_a_continuation_that_is_not_there_in_full_tells_the_rules_apart() -> None:
    assert list(PromptLookup(longest=3).propose(NEAR_THE_END).tokens) == []
    assert theirs(NEAR_THE_END, 3) == [4, 5, 6, 7, 2, 3]
    assert list(PromptLookup(longest=2).propose(ALL_ALIKE).tokens) == []
    assert theirs(ALL_ALIKE, 2) == [9, 9]


def test_the_first_occurrence_of_the_longest_run_is_drafted() -> None:
    text = [1, 2, 3, *range(10, 22), 8, 2, 3, *range(30, 42), 1, 2, 3]
    assert list(PromptLookup(longest=3).propose(text).tokens) == list(range(10, 20))
    other = [8, *text[1:]]  # where only the last two are there, and before that
    assert list(PromptLookup(longest=3).propose(other).tokens) == list(range(10, 20))
    assert list(PromptLookup(longest=1).propose([3, 4, 5, 3]).tokens) == []
    assert list(PromptLookup(longest=1, tokens=2).propose([3, 4, 5, 3]).tokens) == [4, 5]


def test_a_draft_may_reach_up_to_the_end_of_the_text() -> None:
    assert list(PromptLookup(tokens=3).propose([7, 1, 2, 7]).tokens) == [1, 2, 7]
    assert list(PromptLookup(tokens=4).propose([7, 1, 2, 7]).tokens) == []


@pytest.mark.parametrize("method", [HfPromptLookup, PromptLookup])
@torch.inference_mode()
def test_copies_take_few_passes(method: type) -> None:
    batch = asked([turns(20)], 34)
    with Context() as context, Decoding().reading(circle()) as passes:
        predict = method(tokens=10).prepare(circle(), context)
        assert predict(batch)[0].tolist() == turns(34, start=20)
        # transformers drafts before it reads the prompt, the project's loop only after
        first, *rest = [each.read for each in passes()]
    assert (first, rest) == ((30, [11, 11, 1]) if method is HfPromptLookup else (20, [11, 11, 11]))


@torch.inference_mode()
def test_a_checkpoints_own_settings_are_laid_aside() -> None:
    """Sampling, penalties and a minimum length would all change the answer."""
    batch = asked([[5, 90, 311, 7, 7, 205, 64]], 20)
    model = tiny()
    wanted, own = model(batch), model.module.generation_config
    model.module.generation_config = type(own)(
        do_sample=True, repetition_penalty=9.0, min_new_tokens=19, eos_token_id=int(wanted[0, 2])
    )
    try:
        with Context() as context:
            assert torch.equal(HfPromptLookup().prepare(model, context)(batch), wanted)
        assert model.module.generation_config.repetition_penalty == 9.0
    finally:
        model.module.generation_config = own
