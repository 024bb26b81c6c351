"""The first blocks as a drafter for the whole model."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from prompts import TEXTS, scored, tiny, written
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.contract import Reading
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding.early import early, forget
from tokonomy_methods.decoding.early_exit import EarlyExit


@torch.inference_mode()
def said(
    batch: Batch, model: LanguageModel | None = None, **params: Any
) -> tuple[Tensor, list[Reading]]:
    model = model or tiny()
    with Context() as context, Decoding().reading(model) as passes:
        output = EarlyExit(**params).prepare(model, context)(batch)
        return output, passes()


@torch.inference_mode()
@pytest.mark.parametrize("exit", [1, 2])
def test_the_first_blocks_speak_as_a_model_cut_short_would(exit: int) -> None:
    model, batch = tiny(), written(TEXTS[0], length=8)
    shorter = copy.deepcopy(model.module)
    shorter.base_model.layers = shorter.base_model.layers[:exit]
    shorter.config.num_hidden_layers = exit
    reader = model.read(batch)
    reader.prompt(batch)
    lengths = [layer.keys.shape[-2] for layer in reader.cache.layers]
    fed = [9, 301, 44]
    for ahead, token in enumerate(fed):
        logits = early(reader, token, ahead, exit)
        text = torch.cat([batch.prompt[0], torch.tensor(fed[: ahead + 1])])
        plain = shorter(text[None]).logits[0, -1]
        torch.testing.assert_close(logits, plain, rtol=1e-4, atol=1e-4)
    forget(reader, 3, exit)
    assert [layer.keys.shape[-2] for layer in reader.cache.layers] == lengths
    after = reader.next(torch.tensor([fed]))[0, -1]
    text = torch.cat([batch.prompt[0], torch.tensor(fed)])
    plain = model.module(text[None]).logits[0, -1]
    torch.testing.assert_close(after, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("params", [{"exit": 1}, {"tokens": 1}, {"exit": 1, "tokens": 9}, {}])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_the_answer_is_the_models_own(architecture: str, params: dict[str, int]) -> None:
    model = tiny(architecture)
    for text in TEXTS:
        for length in (1, 2, 33):
            batch = written(text, length=length)
            with torch.inference_mode():
                wanted = model(batch)
            assert torch.equal(said(batch, model, **params)[0], wanted)


def test_it_stops_at_an_end_inside_of_a_draft() -> None:
    with torch.inference_mode():
        whole = tiny()(written(TEXTS[0], length=20))[0].tolist()
    for end in sorted(set(whole)):
        output, _ = said(written(TEXTS[0], length=20, ends=(end,)), tokens=4)
        stop = whole.index(end) + 1
        assert output[0].tolist() == whole[:stop] + [-1] * (20 - stop)


def test_drafts_of_all_blocks_all_stand() -> None:
    """A pass of the whole model for each five tokens; drafting reads one token at a time."""
    _, passes = said(written(TEXTS[0], length=41, ends=()), exit=2, tokens=4)
    assert [each.read for each in passes[1:]] == [1, 1, 1, 1, 5] * 8


def test_a_draft_is_no_longer_than_what_is_asked_for() -> None:
    _, passes = said(written(TEXTS[0], length=4, ends=()), exit=2, tokens=8)
    assert [each.read for each in passes[1:]] == [1, 1, 3]


def test_scores_are_left_to_the_model() -> None:
    with torch.inference_mode():
        wanted = tiny()(scored())
    assert torch.equal(said(scored())[0], wanted)


def test_more_blocks_than_there_are_are_refused() -> None:
    with pytest.raises(BadParameter, match="exit must be at most the model's 2 blocks; got 3"):
        said(written(TEXTS[0], length=2), exit=3)


def test_a_cache_of_a_window_is_refused() -> None:
    with pytest.raises(Unsupported, match="cache-not-plain"):
        said(written(TEXTS[0], length=2), tiny("mistral"))


@pytest.mark.parametrize(("name", "value"), [("exit", 0), ("tokens", 0), ("tokens", 1.5)])
def test_impossible_settings_are_refused(name: str, value: Any) -> None:
    with pytest.raises(BadParameter, match=name):
        EarlyExit(**{name: value})
