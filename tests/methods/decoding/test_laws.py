"""Laws and draws, and the sampling decoder, against what follows from them in closed form."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from prompts import TEXTS, asked, scored, tiny, written
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding.alone import generator
from tokonomy_methods.decoding.laws import drawn, law, uniforms
from tokonomy_methods.decoding.sampling import Sampling, sampled

LOGITS = torch.tensor([[0.5, -1.0, 2.0, 0.0], [3.0, 3.0, -torch.inf, 1.0]])


@torch.inference_mode()
def said(batch: Batch, temperature: float, seed: int = 0) -> Tensor:
    with Context(seed=seed) as context:
        return Sampling(temperature=temperature).prepare(tiny(), context)(batch)


@pytest.mark.parametrize("temperature", [0.25, 1, 3.0])
def test_a_law_is_the_softmax_at_its_temperature(temperature: float) -> None:
    weights = (LOGITS.double() / temperature).exp()
    wanted = weights / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(law(LOGITS, temperature), wanted, rtol=1e-12, atol=0)


def test_at_temperature_zero_the_first_of_the_likeliest_has_it_all() -> None:
    assert law(LOGITS, 0).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_draws_of_evenly_spread_numbers_follow_the_law() -> None:
    """In the middle of each of n equal parts of [0, 1): counts are n p where those are whole."""
    law_ = torch.tensor([0.125, 0, 0.5, 0.25, 0.0625, 0.0625, 0], dtype=torch.float64)
    spread = (torch.arange(1600, dtype=torch.float64) + 0.5) / 1600
    counts = torch.bincount(drawn(law_.expand(1600, -1), spread), minlength=7)
    assert counts.tolist() == [200, 0, 800, 400, 100, 100, 0]
    assert torch.equal(drawn(3 * law_.expand(1600, -1), spread).bincount(minlength=7), counts)


def test_the_bounds_of_draws_are_the_running_sums() -> None:
    law_ = torch.tensor([0.0, 0.25, 0.0, 0.5, 0.25], dtype=torch.float64)
    numbers = torch.tensor([0, 0.25, 0.75], dtype=torch.float64)
    tokens = drawn(law_.expand(3, -1), numbers)
    before = drawn(law_.expand(3, -1), numbers - 1e-12)
    assert tokens.tolist() == [1, 3, 4]
    assert before.tolist()[1:] == [1, 3]


@torch.inference_mode()
def test_the_law_of_two_tokens_is_the_models() -> None:
    """Over a grid of numbers, each pair comes as often as the chain rule says, to the grid."""
    model = LanguageModel(module=_small())
    batch, parts = asked([[2, 3, 1]], 2, ends=(9,)), 60
    grid = (torch.arange(parts, dtype=torch.float64) + 0.5) / parts
    counts = torch.zeros(6, 6)
    for pair in product(grid, grid):
        numbers = iter(pair)
        output = sampled(model, batch, 0.7, [lambda _, numbers=numbers: next(numbers)[None]])
        counts[tuple(output[0])] += 1
    first = law(model.module(batch.prompt).logits[0, -1], 0.7)
    for token in range(6):
        text = torch.cat([batch.prompt[0], torch.tensor([token])])
        wanted = first[token] * law(model.module(text[None]).logits[0, -1], 0.7)
        assert (counts[token] / parts**2 - wanted).abs().max() <= 2 / parts


def _small() -> object:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        config = LlamaConfig(
            vocab_size=6,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            initializer_range=0.5,
            bos_token_id=None,
            eos_token_id=None,
        )
        return LlamaForCausalLM(config).eval()


def test_temperature_zero_is_the_model_itself() -> None:
    batch = written(*TEXTS, length=20)
    with torch.inference_mode():
        wanted = tiny()(batch)
    assert torch.equal(said(batch, 0), wanted)


def test_a_request_is_answered_alike_in_any_batch_and_otherwise_by_another_seed() -> None:
    together = said(written(*TEXTS, length=25), 1.0)
    for place, text in enumerate(TEXTS):
        batch = asked([tiny().tokenizer.encode(text)], 25, first=7 + place)
        assert torch.equal(said(batch, 1.0)[0], together[place])
        assert not torch.equal(said(batch, 1.0, seed=1)[0], together[place])


def test_the_first_token_does_not_depend_on_the_length() -> None:
    one, many = (said(written(TEXTS[0], length=length), 1.0) for length in (1, 9))
    assert one[0, 0] == many[0, 0]


def test_an_answer_ends_at_an_end() -> None:
    whole = said(written(TEXTS[0], length=30), 1.0)[0].tolist()
    end = whole[12]
    stop = whole.index(end) + 1
    cut = said(written(TEXTS[0], length=30, ends=(end,)), 1.0)[0].tolist()
    assert cut == whole[:stop] + [-1] * (30 - stop)


def test_scores_are_left_to_the_model() -> None:
    with torch.inference_mode():
        wanted = tiny()(scored())
    assert torch.equal(said(scored(), 1.0), wanted)


def test_requests_have_numbers_of_their_own() -> None:
    firsts = {float(uniforms(generator(s, r))(1)) for s in range(20) for r in range(20)}
    assert len(firsts) == 400
    assert abs(sum(firsts) / 400 - 0.5) < 0.05


@pytest.mark.parametrize("value", [-0.1, float("nan"), True, "warm", 101])
def test_impossible_temperatures_are_refused(value: object) -> None:
    with pytest.raises(BadParameter, match="temperature"):
        Sampling(temperature=value)  # type: ignore[arg-type]
