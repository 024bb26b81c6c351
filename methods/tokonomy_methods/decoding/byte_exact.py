"""Exact byte-level probabilities: the likeliest byte each time, whichever tokens may bring it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict, Reader
from tokonomy_methods.decoding.alone import alone, can_forget
from tokonomy_methods.decoding.canonical import Canonical
from tokonomy_methods.decoding.covers import END, Bytes, Text
from tokonomy_methods.decoding.parameters import whole
from tokonomy_methods.decoding.token_alignment import held, shortened
from tokonomy_methods.decoding.verify import ended
from tokonomy_methods.decoding.words import Words, words_of

CARD = MethodCard(
    id="byte-exact",
    title="Exact byte-level probabilities",
    families=("decoding",),
    summary="The next byte's law is the sum over all canonical tokens that may bring it; the "
    "likeliest byte is taken, and bytes are put out as tokens.",
    kind="training-free",
    lossless="lossy",
    effect="none",
    alters=("last tokens of the prompt", "choice of tokens"),
    needs=("batch 1", "a byte-level tokenizer"),
    paper="2410.09303",
    code="facebookresearch/Exact-Byte-Level-Probabilities-from-Tokenized-LMs",
    code_licence="CC-BY-NC-4.0",
    differences=(
        "Written from the formula. The reference samples, from SentencePiece vocabularies; here "
        "the vocabulary is byte-level and the likeliest byte is taken, which is another rule than "
        "taking the likeliest token.",
        "A sequence counts as canonical if the tokenizer gives back each pair of neighbours, tried "
        "by itself; pairs that are not whole characters, and those of the prompt, always count, as "
        "do pairs that no merge could join and no rule for words could cut otherwise. What the "
        "model gives to others is spread over those that count, after each sequence.",
        "The prompt is opened up only over its last tokens; all before them are taken as given.",
        "Answers are token ids: bytes are cut into the longest tokens that fit, so ids may be "
        "others than the tokenizer would give; the text is what counts. An end is put out as the "
        "first of the tokens that end a text.",
        "Costs a pass of the model and more for each byte: the method is about what is said, not "
        "about speed.",
    ),
    atlas=("S008",),
    sweep=({"back": 0}, {"back": 1}, {"back": 2}, {"back": 4}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ByteExact:
    """Go by bytes.

    Attributes:
        back: Tokens of the prompt that may be covered otherwise; 0 for none.
    """

    back: int = 2
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("back", self.back, 0, 16)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model as one of bytes."""
        can_forget(model)
        words = words_of(model.tokenizer, model.vocabulary)

        def answer(batch: Batch) -> Sequence[int]:
            prompt = batch.prompt[0].tolist()
            kept = held(words, prompt, self.back)
            ends = [token for token in batch.ends if words.said[token] is None]
            reader = model.read(batch)
            path = Path(
                reader=reader,
                first=reader.prompt(shortened(batch, kept))[0],
                last=prompt[kept - 1],
                canonical=Canonical(model.tokenizer, words, prompt[kept - 1 :]),
                silent=torch.tensor(silent(words, ends), dtype=torch.int64),
            )
            by_bytes = Bytes(words=words, ends=ends, law=path.law)
            text = by_bytes.begun()
            for byte in words.text(prompt[kept:]):
                text = path.settled(by_bytes.longer(text, byte))
            return said(by_bytes, text, path, batch)

        return alone(model, answer)


@dataclass(slots=True, kw_only=True)
class Path:
    """A model that is asked what it says after sequences which soon have a beginning in common.

    Attributes:
        reader: The model, after the tokens that are given and those that are settled.
        first: What it says after those given, [V].
        last: The last of those given.
        canonical: Which token may follow which.
        silent: Tokens that can never follow.
        common: Tokens that all sequences asked for from now on begin with.
        read: How many of them the reader has kept.
    """

    reader: Reader
    first: Tensor
    last: int
    canonical: Canonical
    silent: Tensor
    common: int = 0
    read: int = 0

    def law(self, tokens: tuple[int, ...]) -> Tensor:
        """Probabilities of canonical tokens after a sequence, float64 [V]."""
        logits = self._logits(tokens[self.read :]) if tokens else self.first
        allowed = self.canonical.after(tokens[-1] if tokens else self.last).clone()
        allowed[self.silent] = False
        return logits.double().cpu().masked_fill(~allowed, -torch.inf).softmax(-1)

    def _logits(self, tokens: Sequence[int]) -> Tensor:
        row = torch.tensor([tokens], device=self.first.device)
        logits = self.reader.next(row)[0, -1]
        stays = self.common - self.read
        self.reader.keep(range(stays), of=len(tokens))
        self.read += stays
        return logits

    def settled(self, text: Text) -> Text:
        """Note what all starts of a text begin with."""
        first, last = (pick(start.tokens for start in text.starts) for pick in (min, max))
        pairs = list(zip(first, last, strict=False))  # sorted, the others lie between these two
        self.common = next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
        return text


def silent(words: Words, ends: Sequence[int]) -> list[int]:
    """Tokens that stand for no text and do not end one."""
    return [token for token, said in enumerate(words.said) if said is None and token not in ends]


def said(by_bytes: Bytes, text: Text, path: Path, batch: Batch) -> list[int]:
    """The likeliest bytes, as tokens; each is put out once no longer one can stand for it."""
    words, pending, out = by_bytes.words, b"", list[int]()
    while len(out) < batch.length and not set(out) & set(batch.ends):
        byte = int(text.following.argmax())
        if byte == END:
            out += [*words.cut(pending), by_bytes.ends[0]]
            break
        pending += bytes([byte])
        while pending and not words.extends(pending):
            token = words.within(pending)[-1]
            out.append(token)
            pending = pending[len(words.text([token])) :]
        text = path.settled(by_bytes.longer(text, byte))
    return ended(out, batch.ends)
