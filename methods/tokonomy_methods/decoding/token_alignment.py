"""Token alignment: say the end of the prompt again, in tokens that may go beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict, Reader
from tokonomy_methods.decoding.alone import alone
from tokonomy_methods.decoding.parameters import whole
from tokonomy_methods.decoding.verify import ended
from tokonomy_methods.decoding.words import Words, words_of

CARD = MethodCard(
    id="token-alignment",
    title="Token alignment",
    families=("decoding",),
    summary="The prompt's last tokens are taken back and said anew, in tokens whose text begins "
    "with theirs or is a part of it.",
    kind="training-free",
    lossless="lossy",
    effect="none",
    alters=("last tokens of the prompt", "choice of the first tokens"),
    needs=("batch 1", "a byte-level tokenizer"),
    paper="2403.08688",
    differences=(
        "Written from the abstract and summaries of the paper: go back some tokens, then allow "
        "only tokens that begin with the text taken back or that it begins with.",
        "Tokens that fit are looked up in a sorted list of their bytes; the paper's byte trie and "
        "its cache of masks serve the same end.",
        "The answer is put out as tokens after the prompt: of the last token that covers the "
        "prompt's end, what lies beyond it, cut into the longest tokens that fit, then the tokens "
        "as the model said them. So the ids at the seam may be others than the model said; the "
        "text is not.",
        "Always the likeliest token of those that fit. Tokens that stand for no text are not taken "
        "back, nor is the prompt's first token.",
    ),
    atlas=("S184",),
    sweep=({"back": 1}, {"back": 2}, {"back": 3}, {"back": 5}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAlignment:
    """Go back some tokens and let the model find its own way over the prompt's end.

    Attributes:
        back: Tokens of the prompt that are said anew; 0 for none, as the model itself.
    """

    back: int = 3
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("back", self.back, 0, 64)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model on shortened prompts."""
        words = words_of(model.tokenizer, model.vocabulary)

        def answer(batch: Batch) -> Sequence[int]:
            prompt = batch.prompt[0].tolist()
            kept = held(words, prompt, self.back)
            reader, shorter = model.read(batch), shortened(batch, kept)
            logits = reader.prompt(shorter)[0]
            token, beyond = aligned(reader, words, words.text(prompt[kept:]), logits)
            grown = ended(words.cut(beyond), batch.ends) if kept < len(prompt) else [token]
            while len(grown) < batch.length and not set(grown[-1:]) & set(batch.ends):
                token = int(reader.next(_row(token, batch.prompt))[0, -1].argmax())
                grown.append(token)
            return grown

        return alone(model, answer)


def held(words: Words, prompt: Sequence[int], back: int) -> int:
    """Tokens of a prompt that are left, at least one, where up to ``back`` are taken back."""
    kept = len(prompt)
    while kept > max(1, len(prompt) - back) and words.said[prompt[kept - 1]] is not None:
        kept -= 1
    return kept


def shortened(batch: Batch, kept: int) -> Batch:
    """A batch with only the first tokens of its prompt."""
    return replace(batch, prompt=batch.prompt[:, :kept], present=batch.present[:, :kept])


def aligned(reader: Reader, words: Words, text: bytes, logits: Tensor) -> tuple[int, bytes]:
    """Say a text in the likeliest tokens; the last of them, unread, and its bytes beyond the text.

    Args:
        reader: The model, before the text.
        words: Its vocabulary.
        text: What is to be said, empty for nothing but the likeliest token.
        logits: What the model says before the text, [V].
    """
    if not text:
        return int(logits.argmax()), b""
    while True:
        fit = sorted({*words.within(text), *words.beginning(text)})
        token = fit[int(logits[fit].argmax())]
        said = words.text([token])
        if len(said) >= len(text):
            return token, said[len(text) :]
        text = text[len(said) :]
        logits = reader.next(_row(token, logits))[0, -1]


def _row(token: int, like: Tensor) -> Tensor:
    return torch.tensor([[token]], device=like.device)
