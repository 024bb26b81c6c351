"""The embedded language models: what is committed, what they are good for, that the recipe runs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, LlamaForCausalLM

from tokonomy_tasks.language import generated, text
from tokonomy_tasks.models import language_figures as figures
from tokonomy_tasks.models.docs_draft import DocsDraft
from tokonomy_tasks.models.docs_lm import DocsLm
from tokonomy_tasks.models.language_recipe import LanguageRecipe, Mixture, fit, tokenizer
from tokonomy_tasks.models.llama import VOCABULARY, build, start_copying

MODELS = [DocsLm, DocsDraft]
RECIPE = LanguageRecipe(steps=3, tokens=128, context=64, exits=(1,))


@pytest.fixture(params=MODELS, ids=lambda model: model.card.id)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param().folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def words() -> Tokenizer:
    return Tokenizer.from_file(str(DocsLm().folder / "tokenizer.json"))


@cache
def loaded() -> Any:
    return LlamaForCausalLM.from_pretrained(DocsLm().folder).eval()


def committed(folder: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / "figures.json").read_text())
    return found


def test_a_folder_is_small_and_self_contained(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "figures.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 12_000_000
    for name in ("config.json", "tokenizer_config.json"):
        assert "/" not in (folder / name).read_text()


def test_both_have_one_tokenizer_which_is_the_recipes() -> None:
    ours, theirs = ((model().folder / "tokenizer.json").read_bytes() for model in MODELS)
    assert ours == theirs
    made = json.loads(tokenizer().to_str())
    saved = json.loads(words().to_str())
    assert all(saved[part] == made[part] for part in ("model", "pre_tokenizer", "decoder"))
    assert words().get_vocab_size() == VOCABULARY


def test_every_name_and_code_is_one_token_and_digits_stand_alone() -> None:
    for word in (*generated.NAMES, *generated.CODES):
        assert len(words().encode(f" {word}").ids) == 1
    assert len(words().encode("2048").ids) == 4


def test_texts_come_back_byte_for_byte() -> None:
    fast = AutoTokenizer.from_pretrained(DocsLm().folder)
    for each in ("def f(x):\n\treturn  x\r\n", "größer · 漢字 \x00", *text.sources("test")[:2]):
        assert fast.decode(fast.encode(each)) == each


def test_codes_are_recalled_in_512_tokens_as_the_figures_say() -> None:
    share = figures.recalled(loaded(), words(), 512)
    assert share >= 0.95
    assert share == pytest.approx(
        committed(DocsLm().folder)["codes recalled in 512 tokens"], abs=0.02
    )


def test_held_out_text_takes_clearly_fewer_bits_than_by_an_n_gram_model() -> None:
    ours = figures.bits_per_byte(loaded(), words(), text.reference("test"))
    theirs = figures.ngram_bits_per_byte(text.reference("train"), text.reference("test"))
    assert ours < 0.95 * theirs
    said = committed(DocsLm().folder)
    assert ours == pytest.approx(said["bits per byte of held-out reference text"], abs=0.002)
    assert theirs == pytest.approx(
        said["the same of reference text by a 5-gram model of bytes"], abs=0.002
    )


def test_the_n_gram_model_gives_chances_that_sum_to_one() -> None:
    train = ["abracadabra"]
    total = 0.0
    for byte in range(128):
        bits = figures.ngram_bits_per_byte(train, [f"abr{chr(byte)}"])
        before = figures.ngram_bits_per_byte(train, ["abr"])
        total += 2 ** -(4 * bits - 3 * before)
    assert total == pytest.approx(1, abs=0.05)  # bytes from 128 on have the rest
    assert total < 1


def test_heads_laid_out_to_copy_do_so_before_any_training() -> None:
    plain, laid = build(width=128, layers=4, seed=1), build(width=128, layers=4, seed=1)
    start_copying(laid, 1)
    once = torch.randint(1, VOCABULARY, (1, 40), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        chances = [
            model(once.repeat(1, 2)).logits[0, 40:-1].softmax(-1).gather(1, once[0, 1:, None])
            for model in (plain, laid)
        ]
    assert chances[1].mean() > 10 * chances[0].mean()


def test_answers_are_where_the_recall_prompts_say() -> None:
    mixture = Mixture(words(), "test")
    for seed in range(5):
        ids, places = mixture.recall(random.Random(seed), 300)
        for place in places:
            asked, code = words().decode(ids[:place]), words().decode([ids[place]])
            name = asked.split()[-2]
            assert name in generated.NAMES
            assert asked.endswith(f"\n{generated.ask(name)}")
            assert generated.needle(name, code.strip()) in asked


def test_a_recipe_writes_a_folder_with_its_figures(tmp_path: Path) -> None:
    DocsDraft(steps=1).train(tmp_path, seed=3, device="cpu", progress=lambda _: None)
    assert set(committed(tmp_path)) == set(committed(DocsLm().folder))
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in DocsDraft().folder.iterdir()
    }
    assert LlamaForCausalLM.from_pretrained(tmp_path).config.vocab_size == VOCABULARY


def test_training_repeats_itself_and_leaves_the_global_random_state_alone() -> None:
    before, mixture = torch.get_rng_state(), Mixture(words())
    weights = []
    for seed in (3, 3, 4):
        model = build(width=64, layers=2, seed=seed)
        fit(model, mixture, RECIPE, seed=seed, device="cpu", progress=lambda _: None)
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])
    assert torch.equal(torch.get_rng_state(), before)
