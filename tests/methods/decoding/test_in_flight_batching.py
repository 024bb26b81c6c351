"""Requests that join and leave while others are decoded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from prompts import TEXTS, asked, scored, tiny, written
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.contract import Reading
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel, Reader
from tokonomy_methods.decoding.alone import one_of
from tokonomy_methods.decoding.fusion import fused, remaining, shown
from tokonomy_methods.decoding.in_flight_batching import InFlightBatching

PROMPTS = [tiny().tokenizer.encode(text)[cut:] for text in TEXTS for cut in (0, 3)]


@torch.inference_mode()
def said(
    batch: Batch, model: LanguageModel | None = None, **params: Any
) -> tuple[Tensor, list[Reading]]:
    model = model or tiny()
    with Context() as context, Decoding().reading(model) as passes:
        output = InFlightBatching(**params).prepare(model, context)(batch)
        return output, passes()


def ends() -> tuple[int, ...]:
    """Ends that answers come upon at different places."""
    with torch.inference_mode():
        whole = tiny()(asked(PROMPTS, 24))
    return (1, int(whole[0, 5]), int(whole[3, 14]))


@pytest.mark.parametrize("slots", [1, 2, 5, 8])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_answers_are_the_models_own(architecture: str, slots: int) -> None:
    model = tiny(architecture)
    for length in (1, 2, 24):
        for batch in (asked(PROMPTS, length, ends()), asked(PROMPTS[:1], length)):
            with torch.inference_mode():
                wanted = model(batch)
            assert torch.equal(said(batch, model, slots=slots)[0], wanted)


def test_padding_is_never_read_and_the_finished_leave_at_once() -> None:
    """Prompts cost their own tokens; each later pass reads a token for each request that goes on.

    A request takes a pass for each of its tokens but the last, which is not read.
    """
    batch = asked(PROMPTS, 24, ends())
    output, passes = said(batch, slots=8)
    counts = (output >= 0).sum(1)
    assert len(set(counts.tolist())) > 2
    prompts, fused_ = passes[: len(PROMPTS)], passes[len(PROMPTS) :]
    assert [each.read for each in prompts] == [len(prompt) for prompt in PROMPTS]
    steps = [int((counts - 1 > step).sum()) for step in range(int(counts.max()) - 1)]
    assert [each.read for each in fused_] == steps


def test_no_more_than_the_slots_are_decoded_together_and_free_ones_are_taken() -> None:
    batch = asked(PROMPTS, 24, ends())
    output, passes = said(batch, slots=2)
    steps = [each.read for each in passes if each.cached and each.read <= 2]
    assert max(steps) == 2
    assert sum(steps) == int(((output >= 0).sum(1) - 1).sum())
    assert steps[: len(steps) // 2] == [2] * (len(steps) // 2)


def test_the_cache_shrinks_to_what_the_longest_left_needs() -> None:
    short, long = PROMPTS[1][:4], PROMPTS[4]
    with torch.inference_mode():
        first = int(tiny()(asked([long], 3))[0, 2])
    batch = asked([short, long], 12, (first,))
    output, passes = said(batch)
    assert (output[0] >= 0).sum() > 4
    assert output[1].tolist()[2:4] == [first, -1]
    alone = [each.cached for each in passes[2:] if each.read == 1]
    assert alone[0] == len(short) + 2


@torch.inference_mode()
def test_joined_readers_go_on_as_each_would_alone() -> None:
    """In any order, and after one has left, with another that joins later."""
    model = tiny()
    batch = asked(PROMPTS[:4], 8)
    tokens = torch.tensor([[4], [90], [301], [17]])

    def begun(row: int) -> Reader:
        reader = model.read(one_of(batch, row))
        reader.prompt(one_of(batch, row))
        return reader

    def plain(row: int, *more: int) -> Tensor:
        text = torch.tensor([[*PROMPTS[row], *more]])
        found: Tensor = model.module(text).logits[0, -1]
        return found

    together = fused([begun(0), begun(1), begun(2)])
    logits = together.next(tokens[:3])[:, 0]
    for row in range(3):
        wanted = plain(row, int(tokens[row]))
        torch.testing.assert_close(logits[row], wanted, rtol=1e-4, atol=1e-4)
    together = fused([remaining(together, [2, 0]), begun(3)])
    logits = together.next(tokens[:3])[:, 0]
    for place, texts in enumerate([(2, 301, 4), (0, 4, 90), (3, 301)]):
        wanted = plain(*texts)
        torch.testing.assert_close(logits[place], wanted, rtol=1e-4, atol=1e-4)
    assert shown(together).sum(1).tolist() == [
        len(PROMPTS[2]) + 2, len(PROMPTS[0]) + 2, len(PROMPTS[3]) + 1
    ]  # fmt: skip


@torch.inference_mode()
def test_rows_of_equal_length_need_no_mask() -> None:
    batch = asked([PROMPTS[0], PROMPTS[0], PROMPTS[1]], 4)
    readers = [tiny().read(one_of(batch, row)) for row in range(3)]
    for row, reader in enumerate(readers):
        reader.prompt(one_of(batch, row))
    every = fused(readers)
    assert every.present is not None
    assert remaining(every, [2]).present is None
    assert fused(readers[:2]).present is None


def test_scores_are_left_to_the_model() -> None:
    with torch.inference_mode():
        wanted = tiny()(scored())
    assert torch.equal(said(scored())[0], wanted)


def test_a_cache_of_a_window_is_refused() -> None:
    with pytest.raises(Unsupported, match="cache-not-plain"):
        said(written(TEXTS[0], length=2), tiny("mistral"))


@pytest.mark.parametrize("value", [0, 1.0, True, "all"])
def test_impossible_settings_are_refused(value: Any) -> None:
    with pytest.raises(BadParameter, match="slots"):
        InFlightBatching(slots=value)
