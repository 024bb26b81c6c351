"""Probabilities of bytes against sums over all token sequences, and the method on top of them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, product
from typing import Any

import pytest
import torch
from torch import Tensor

from languages import make_tokenizer
from prompts import TEXTS, asked, scored, tiny, written
from tokonomy.errors import BadData, BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding.byte_exact import ByteExact, silent
from tokonomy_methods.decoding.canonical import Canonical
from tokonomy_methods.decoding.covers import END, Bytes, Law
from tokonomy_methods.decoding.token_alignment import held
from tokonomy_methods.decoding.words import Words, words_of

WORDS = Words((None, b"a", b"b", b"ab", b"ba", b"aab", b"a"))
TEXT = words_of(make_tokenizer(), 512)


def table(size: int, allowed: Callable[[tuple[int, ...]], Tensor] | None = None) -> Law:
    """A law of random numbers for each sequence, over what is allowed after it."""

    def law(tokens: tuple[int, ...]) -> Tensor:
        draw = torch.Generator().manual_seed(random.Random(repr(tokens)).randrange(2**31))
        logits = torch.randn(size, generator=draw, dtype=torch.float64) * 2
        if allowed is not None:
            logits = logits.masked_fill(~allowed(tokens), -torch.inf)
        return logits.softmax(-1)

    return law


def never_twice(tokens: tuple[int, ...]) -> Tensor:
    """A rule that forbids some sequences: no token twice in a row."""
    allowed = torch.ones(len(WORDS.said), dtype=torch.bool)
    allowed[list(tokens[-1:])] = False
    return allowed


def likely(tokens: Sequence[int], law: Law) -> float:
    """Probability of a sequence of tokens."""
    found = 1.0
    for at, token in enumerate(tokens):
        found *= float(law(tuple(tokens[:at]))[token])
    return found


def covers(text: bytes, words: Words) -> Iterator[tuple[int, ...]]:
    """All sequences of tokens whose last one reaches the end of a text or goes beyond it."""
    saying = [token for token, said in enumerate(words.said) if said]
    for count in range(len(text) + 1):
        for tokens in product(saying, repeat=count):
            whole, before = words.text(tokens), words.text(tokens[:-1])
            if whole.startswith(text) and (len(before) < len(text) or not tokens):
                yield tokens


@pytest.mark.parametrize("allowed", [None, never_twice])
@pytest.mark.parametrize("text", [b"", b"a", b"ba", b"aab", b"abab", b"baaa"])
def test_the_chain_of_bytes_is_the_sum_over_all_covers(
    text: bytes, allowed: Callable[[tuple[int, ...]], Tensor] | None
) -> None:
    law = table(len(WORDS.said), allowed)
    by_bytes = Bytes(words=WORDS, ends=[0], law=law)
    state, chained = by_bytes.begun(), 1.0
    for byte in text:
        assert float(state.following.sum()) == pytest.approx(1, abs=1e-12)
        chained *= float(state.following[byte])
        state = by_bytes.longer(state, byte)
    wanted = sum(likely(tokens, law) for tokens in covers(text, WORDS))
    assert chained == pytest.approx(wanted, rel=1e-9)
    for byte in b"ab":
        longer = sum(likely(tokens, law) for tokens in covers(text + bytes([byte]), WORDS))
        assert float(state.following[byte]) == pytest.approx(longer / wanted, rel=1e-9)
    exactly = [tokens for tokens in covers(text, WORDS) if WORDS.text(tokens) == text]
    over = sum(likely((*tokens, 0), law) for tokens in exactly)
    assert float(state.following[END]) == pytest.approx(over / wanted, rel=1e-9)
    assert float(state.following.sum()) == pytest.approx(1, abs=1e-12)


def test_each_sequence_is_asked_for_once() -> None:
    asked_for: list[tuple[int, ...]] = []
    law = table(len(WORDS.said))

    def noted(tokens: tuple[int, ...]) -> Tensor:
        asked_for.append(tokens)
        return law(tokens)

    by_bytes = Bytes(words=WORDS, ends=[0], law=noted)
    state = by_bytes.begun()
    for byte in b"ababab":
        state = by_bytes.longer(state, byte)
    assert len(asked_for) == len(set(asked_for))
    exactly = [t for n in range(7) for t in product(range(1, 7), repeat=n)]
    assert set(asked_for) == {t for t in exactly if b"ababab".startswith(WORDS.text(t))}


def test_a_text_that_no_tokens_say_is_refused() -> None:
    by_bytes = Bytes(words=WORDS, ends=[0], law=table(len(WORDS.said)))
    with pytest.raises(BadData, match="bytes"):
        by_bytes.longer(by_bytes.begun(), ord("c"))


def test_canonical_pairs_are_those_the_tokenizer_gives_back() -> None:
    tokenizer = make_tokenizer()
    canonical = Canonical(tokenizer, TEXT, [])
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert all(bool(canonical.after(one)[other]) for one, other in pairwise(ids))
    (the,) = tokenizer.encode(" the")
    (of,) = tokenizer.encode(" of")
    split = TEXT.cut(b" th") + TEXT.cut(b"e")
    assert TEXT.text(split) == TEXT.text([the])
    assert not canonical.after(split[0])[split[1]]
    assert canonical.after(the)[of]
    assert canonical.after(1).all()  # nothing stands before
    given = Canonical(tokenizer, TEXT, split)
    assert given.after(split[0])[split[1]]
    (half,) = TEXT.saying(b"\xc3")
    assert canonical.after(half).all()  # no whole character: cannot be tried


def test_pairs_that_are_not_tried_would_have_been_given_back() -> None:
    """Each token after each other, tried by the tokenizer itself."""
    tokenizer = make_tokenizer()
    texts = [(said or b"\xff").decode(errors="ignore") for said in TEXT.said]
    whole = [bool(text) and text.encode() == TEXT.said[at] for at, text in enumerate(texts)]
    canonical = Canonical(tokenizer, TEXT, [])
    refused = 0
    for last in (token for token in range(512) if whole[token]):
        allowed = canonical.after(last).tolist()
        for token in (token for token in range(512) if whole[token]):
            ids = tokenizer.backend_tokenizer.encode(texts[last] + texts[token]).ids
            assert allowed[token] == (ids == [last, token])
            refused += not allowed[token]
    assert refused > 1000


@pytest.mark.parametrize("text", ["the object", "a\n  name is", "né, the", "function (of the)"])
def test_a_whole_text_is_as_likely_by_bytes_as_by_its_canonical_tokens(text: str) -> None:
    tokenizer = make_tokenizer()
    canonical = Canonical(tokenizer, TEXT, [])

    def allowed(tokens: tuple[int, ...]) -> Tensor:
        found = canonical.after(tokens[-1] if tokens else 1).clone()
        found[0] = False
        return found

    law = table(512, allowed)
    by_bytes = Bytes(words=TEXT, ends=[1], law=law)
    state, chained = by_bytes.begun(), 1.0
    for byte in text.encode():
        chained *= float(state.following[byte])
        state = by_bytes.longer(state, byte)
    chained *= float(state.following[END])
    ids = tokenizer.encode(text)
    assert chained == pytest.approx(likely([*ids, 1], law), rel=1e-9)


@torch.inference_mode()
def said(batch: Batch, back: int, model: LanguageModel | None = None) -> Tensor:
    with Context() as context:
        return ByteExact(back=back).prepare(model or tiny(), context)(batch)


def plainly(batch: Batch, back: int) -> Iterator[int]:
    """The likeliest bytes after a prompt, the model read from scratch for each sequence."""
    prompt = batch.prompt[0].tolist()
    kept = held(TEXT, prompt, back)
    canonical = Canonical(tiny().tokenizer, TEXT, prompt[kept - 1 :])
    ends = [token for token in batch.ends if TEXT.said[token] is None]

    def law(tokens: tuple[int, ...]) -> Tensor:
        text = [*prompt[:kept], *tokens]
        logits = tiny().module(torch.tensor([text])).logits[0, -1].double()
        allowed = canonical.after(text[-1]).clone()
        allowed[silent(TEXT, ends)] = False
        return logits.masked_fill(~allowed, -torch.inf).softmax(-1)

    by_bytes = Bytes(words=TEXT, ends=ends, law=law)
    state = by_bytes.begun()
    for byte in TEXT.text(prompt[kept:]):
        state = by_bytes.longer(state, byte)
    while True:
        byte = int(state.following.argmax())
        yield byte
        if byte == END:
            return
        state = by_bytes.longer(state, byte)


@torch.inference_mode()
@pytest.mark.parametrize("back", [0, 1, 3])
@pytest.mark.parametrize("text", TEXTS)
def test_answers_are_the_likeliest_bytes(text: str, back: int) -> None:
    batch = written(text, length=8)
    output = [token for token in said(batch, back)[0].tolist() if token >= 0]
    wanted = plainly(batch, back)
    for byte in TEXT.text(output):
        assert next(wanted) == byte
    if len(output) < 8:
        assert output[-1] == 1
        assert next(wanted) == END


@torch.inference_mode()
def test_the_end_of_a_text_is_put_out() -> None:
    """With weights that make the end likely, a text ends, and the token that ends it comes last."""
    module = copy.deepcopy(tiny().module)
    head = module.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.clone())
    batch = written(TEXTS[0], length=12)
    state = module.base_model(batch.prompt).last_hidden_state[0, -1]
    head.weight[1] = state / state.norm() * 10
    output = said(batch, 0, LanguageModel(module=module, tokenizer=tiny().tokenizer))
    assert output[0].tolist() == [1] + [-1] * 11


def test_the_first_token_does_not_depend_on_the_length() -> None:
    one, many = (said(written(TEXTS[1], length=length), 2) for length in (1, 9))
    assert one[0, 0] == many[0, 0]


def test_an_end_that_is_text_ends_the_answer() -> None:
    whole = said(written(TEXTS[0], length=10), 1)[0].tolist()
    end = whole[4]
    stop = whole.index(end) + 1
    cut = said(written(TEXTS[0], length=10, ends=(1, end)), 1)[0].tolist()
    assert cut == whole[:stop] + [-1] * (10 - stop)


def test_prompts_that_no_tokenizer_writes_are_answered() -> None:
    """Tokens in any order, an end among them."""
    draw = torch.Generator().manual_seed(0)
    for _ in range(3):
        prompt = torch.randint(2, 512, (12,), generator=draw).tolist()
        prompt[9] = 1
        output = said(asked([prompt], 4), 4)[0]
        assert bool((output >= 0).all()) or 1 in output.tolist()


def test_scores_are_left_to_the_model() -> None:
    with torch.inference_mode():
        wanted = tiny()(scored())
    assert torch.equal(said(scored(), 2), wanted)


def test_models_without_a_byte_level_vocabulary_are_refused() -> None:
    with pytest.raises(Unsupported, match="no-tokenizer"):
        said(written(TEXTS[0], length=4), 1, LanguageModel(module=tiny().module))


@pytest.mark.parametrize("value", [-1, 17, 1.0, True])
def test_impossible_settings_are_refused(value: Any) -> None:
    with pytest.raises(BadParameter, match="back"):
        ByteExact(back=value)
