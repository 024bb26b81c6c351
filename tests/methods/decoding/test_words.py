"""What tokens say, and how the end of a prompt is said anew."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from languages import make_tokenizer
from prompts import TEXTS, asked, scored, tiny, written
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy_methods.decoding.token_alignment import TokenAlignment, held
from tokonomy_methods.decoding.words import ALPHABET, Words, words_of

WORDS = Words((None, b"a", b"b", b"ab", b"aba", b"abb", b"b", b"aba"))
TEXT = words_of(make_tokenizer(), 512)


def test_the_alphabet_has_each_byte_once() -> None:
    assert sorted(ALPHABET.values()) == list(range(256))
    assert set(ALPHABET) == set(pre_tokenizers.ByteLevel.alphabet())
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ((written_, _),) = pieces.pre_tokenize_str("\x00 ~\x7f\xadé→😀")
    assert bytes(ALPHABET[character] for character in written_) == "\x00 ~\x7f\xadé→😀".encode()


def test_tokens_by_what_they_say() -> None:
    for start in (bytes(each) for n in range(4) for each in product(b"abc", repeat=n)):
        begin = {t for t, said in enumerate(WORDS.said) if said and said.startswith(start)}
        longer = {t for t in begin if len(WORDS.said[t] or b"") > len(start)}
        tokens, following = WORDS.extending(start)
        assert set(WORDS.beginning(start)) == begin
        assert dict(zip(tokens.tolist(), following.tolist(), strict=True)) == {
            t: (WORDS.said[t] or b"")[len(start)] for t in longer
        }
        assert WORDS.extends(start) == bool(longer)
        assert set(WORDS.saying(start)) == (begin - longer if start else set())
        assert set(WORDS.within(start)) == {
            t for t, said in enumerate(WORDS.said) if said and start.startswith(said)
        }


def test_a_text_is_cut_into_the_longest_tokens_that_fit() -> None:
    assert [WORDS.said[token] for token in WORDS.cut(b"ababba")] == [b"aba", b"b", b"b", b"a"]
    assert WORDS.cut(b"") == []
    assert TEXT.text(TEXT.cut("né object\n→".encode())) == "né object\n→".encode()


def test_a_vocabulary_says_what_its_tokenizer_decodes() -> None:
    tokenizer = make_tokenizer()
    for text in (*TEXTS, "a\tb\n\n  c", "né → 😀"):
        assert TEXT.text(tokenizer.encode(text)) == text.encode()
    assert [TEXT.said[token] for token in (0, 1)] == [None, None]
    assert words_of(tokenizer, 520).said[512:] == (None,) * 8


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (None, "no-tokenizer"),
        (PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0}, []))), "255 of"),
        (PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"▁": 0}, []))), "'▁'"),
    ],
)
def test_other_vocabularies_are_refused(tokenizer: Any, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        words_of(tokenizer, 4)


def test_a_tokenizer_that_puts_a_space_first_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    with pytest.raises(Unsupported, match="changes the text"):
        words_of(tokenizer, 512)


def test_tokens_without_text_and_the_first_one_are_not_taken_back() -> None:
    assert [held(WORDS, [1, 2, 3, 4], back) for back in (0, 1, 3, 9)] == [4, 3, 1, 1]
    assert held(WORDS, [1, 0, 3], 3) == 2
    assert held(WORDS, [1, 3, 0], 3) == 3


@torch.inference_mode()
def said(batch: Batch, back: int) -> Tensor:
    with Context() as context:
        return TokenAlignment(back=back).prepare(tiny(), context)(batch)


def plainly(prompt: list[int], back: int, steps: int) -> bytes:
    """Text after a prompt, by rule: each token must agree with what was taken back, as far as both
    go, and is the likeliest such after the tokens chosen so far, read from scratch."""
    kept, taken = prompt[: len(prompt) - back], TEXT.text(prompt[len(prompt) - back :])
    grown = b""
    for _ in range(steps):
        logits = tiny().module(torch.tensor([kept])).logits[0, -1]
        left = taken[len(grown) :]
        for token in logits.argsort(descending=True).tolist():
            own = TEXT.said[token]
            if not left or (own and (own.startswith(left) or left.startswith(own))):
                break
        kept, grown = [*kept, token], grown + (TEXT.said[token] or b"")
    return grown[len(taken) :]


@torch.inference_mode()
@pytest.mark.parametrize("back", [1, 2, 4])
@pytest.mark.parametrize("text", TEXTS)
def test_the_text_goes_on_from_the_prompts_text(text: str, back: int) -> None:
    batch = written(text, length=16, ends=())
    prompt = batch.prompt[0].tolist()
    output = said(batch, back)[0]
    found = TEXT.text([token for token in output.tolist() if token >= 0])
    plain = plainly(prompt, back, 40)
    assert len(found) >= 16
    assert plain.startswith(found)


def test_going_back_by_nothing_is_the_model_itself() -> None:
    for text in TEXTS:
        batch = written(text, length=20)
        with torch.inference_mode():
            wanted = tiny()(batch)
        assert torch.equal(said(batch, 0), wanted)


def test_a_token_over_the_seam_is_put_out_without_what_the_prompt_has() -> None:
    """Where the prompt stops inside of a token, its last bytes are said again within a longer."""
    seams = 0
    for text in TEXTS:
        for stop in range(8, len(text)):
            prompt = tiny().tokenizer.encode(text[:stop])
            with torch.inference_mode():
                shorter = tiny().module(torch.tensor([prompt[:-1]])).logits[0, -1]
            ends = TEXT.beginning(taken := TEXT.text(prompt[-1:]))
            over = TEXT.said[ends[int(shorter[ends].argmax())]] or b""
            output = said(asked([prompt], 3), 1)[0].tolist()
            if shorter[ends].max() > shorter[TEXT.within(taken)].max():
                beyond = TEXT.cut(over[len(taken) :])
                assert output[: len(beyond)] == beyond[:3]
                seams += len(beyond) > 0
    assert seams > 10


def test_the_first_token_does_not_depend_on_the_length() -> None:
    one, many = (said(written(TEXTS[1], length=length), 3) for length in (1, 9))
    assert one[0, 0] == many[0, 0]


def test_an_end_beyond_the_seam_ends_the_answer() -> None:
    whole = said(written(TEXTS[1], length=12), 3)[0].tolist()
    for end in sorted(set(whole)):
        stop = whole.index(end) + 1
        cut = said(written(TEXTS[1], length=12, ends=(end,)), 3)[0].tolist()
        assert cut == whole[:stop] + [-1] * (12 - stop)


def test_scores_are_left_to_the_model() -> None:
    with torch.inference_mode():
        wanted = tiny()(scored())
    assert torch.equal(said(scored(), 2), wanted)


@pytest.mark.parametrize("value", [-1, 65, 1.0, True])
def test_impossible_settings_are_refused(value: Any) -> None:
    with pytest.raises(BadParameter, match="back"):
        TokenAlignment(back=value)
