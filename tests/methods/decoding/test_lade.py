"""Lookahead decoding as a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from prompts import TEXTS, scored, tiny, written
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.contract import Reading
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.family import Decoding
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding.jacobi import Pool
from tokonomy_methods.decoding.lade import Lade

SETTINGS = [
    {},
    {"window": 1, "guesses": 1},
    {"window": 3, "ngram": 2},
    {"ngram": 3, "guesses": 2},
    {"from_prompt": True},
    {"window": 15, "ngram": 7},
]


@torch.inference_mode()
def said(
    model: LanguageModel, batch: Batch, seed: int = 0, **params: Any
) -> tuple[torch.Tensor, list[Reading]]:
    with Context(seed=seed) as context, Decoding().reading(model) as passes:
        output = Lade(**params).prepare(model, context)(batch)
        return output, passes()


@pytest.mark.parametrize("params", SETTINGS, ids=str)
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_the_answer_is_the_models_own(architecture: str, params: Mapping[str, Any]) -> None:
    model = tiny(architecture)
    for text in TEXTS:
        for length in (1, 2, 33):
            batch = written(text, length=length)
            with torch.inference_mode():
                wanted = model(batch)
            assert torch.equal(said(model, batch, **params)[0], wanted)


def test_it_stops_at_an_end_inside_of_an_ngram() -> None:
    model = tiny()
    with torch.inference_mode():
        whole = model(written(TEXTS[0], length=40))[0].tolist()
    for end in sorted(set(whole)):
        batch = written(TEXTS[0], length=40, ends=(1, end))
        output, _ = said(model, batch, from_prompt=True)
        stop = whole.index(end) + 1
        assert output[0].tolist() == whole[:stop] + [-1] * (40 - stop)


def test_a_pass_gives_more_than_one_token_where_the_text_repeats_itself() -> None:
    """A tiny random model soon runs in circles, which the window learns."""
    output, passes = said(tiny(), written(TEXTS[0], length=120))
    assert len(passes) - 1 < 0.9 * (output >= 0).sum()


def test_passes_are_as_large_as_window_and_guesses() -> None:
    _, passes = said(tiny(), written(TEXTS[0], length=60), window=5, ngram=4, guesses=3)
    read = [each.read for each in passes[1:]]
    assert read[:2] == [7, 2 * 6]  # row 0 is 2 longer than the window, and shrinks as rows come
    assert min(read[2:]) == 3 * 5
    assert set(read[2:]) <= {3 * 5 + grams * 3 for grams in range(4)}
    assert max(read) > 15


def test_ngrams_of_the_text_are_kept_if_wanted() -> None:
    text = [5, 6, 7, 5, 8, 9]
    wanted, unwanted = Pool(7), Pool(7)
    Lade(ngram=3, from_prompt=True)._learn(wanted, text[:5], 0)
    assert [wanted.after(token) for token in (5, 6, 7, 8)] == [[(6, 7)], [(7, 5)], [(5, 8)], []]
    Lade(ngram=3, from_prompt=True)._learn(wanted, text, 5)
    assert wanted.after(5) == [(6, 7), (8, 9)]
    Lade(ngram=3)._learn(unwanted, text, 0)
    assert unwanted.after(5) == []


def test_the_same_seed_reads_the_same() -> None:
    batch = written(TEXTS[0], length=120)
    cached = [[each.cached for each in said(tiny(), batch, seed)[1]] for seed in (3, 3, 4)]
    assert cached[0] == cached[1]
    assert cached[0] != cached[2]


def test_scores_are_left_to_the_model() -> None:
    with torch.inference_mode():
        wanted = tiny()(scored())
    assert torch.equal(said(tiny(), scored())[0], wanted)


def test_two_requests_at_once_are_refused() -> None:
    with pytest.raises(Unsupported, match="batch-1-only"):
        said(tiny(), written(*TEXTS[:2], length=4))


def test_a_cache_of_a_window_is_refused() -> None:
    with pytest.raises(Unsupported, match="cache-not-plain"):
        said(tiny("mistral"), written(TEXTS[0], length=4))


@pytest.mark.parametrize(
    ("name", "value"),
    [("window", 0), ("ngram", 1), ("guesses", 0), ("window", 2.0), ("from_prompt", 1)],
)
def test_impossible_settings_are_refused(name: str, value: Any) -> None:
    with pytest.raises(BadParameter, match=name):
        Lade(**{name: value})
