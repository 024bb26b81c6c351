"""How likely each byte is to come next, summed over all tokens that may bring it.

A text of bytes is covered by a sequence of tokens if the last of them reaches its end or goes
beyond, and those before do not. The probability that the model's text begins so is the sum over
its covers, and that of the next byte follows from the covers of the longer text. Nothing here runs
a model: what it says after a sequence is asked for through ``Law``.

Covers share their beginnings. What is kept of a text is its ``Start``s: sequences that it begins
with and that some token carries beyond its end, with what the model says after them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tokonomy.errors import BadData
from tokonomy_methods.decoding.words import Words

END = 256
"""Stands for the end of the text among the bytes."""

Law = Callable[[tuple[int, ...]], Tensor]
"""What the model says after tokens: probabilities, float64 [V] on the CPU.

Nothing for tokens that stand for no text, but for those that end it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Tokens that a text begins with.

    Attributes:
        tokens: The tokens.
        rest: What of the text lies beyond them.
        weight: Their probability, over that of the text.
        law: What the model says after them, float64 [V].
    """

    tokens: tuple[int, ...]
    rest: bytes
    weight: float
    law: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of bytes and what may follow.

    Attributes:
        starts: Its starts.
        following: Probability of each next byte and of the end, float64 [257]; sums to 1.
    """

    starts: tuple[Start, ...]
    following: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """A model of tokens as a model of bytes.

    Attributes:
        words: Its vocabulary.
        ends: Tokens without text that end a text.
        law: What it says.
    """

    words: Words
    ends: Sequence[int]
    law: Law

    def begun(self) -> Text:
        """The empty text."""
        return self._text([Start(tokens=(), rest=b"", weight=1.0, law=self.law(()))])

    def longer(self, text: Text, byte: int) -> Text:
        """A text with one byte more; raises ``BadData`` where no tokens say it."""
        starts: list[Start] = []
        for start in text.starts:
            rest = start.rest + bytes([byte])
            starts.append(Start(tokens=start.tokens, rest=rest, weight=start.weight, law=start.law))
            for token in self.words.saying(rest):
                likely, tokens = start.weight * float(start.law[token]), (*start.tokens, token)
                if likely > 0:
                    law = self.law(tokens)
                    starts.append(Start(tokens=tokens, rest=b"", weight=likely, law=law))
        return self._text(starts)

    def _text(self, starts: Sequence[Start]) -> Text:
        """Those starts that lead on, with weights over the probability of the text."""
        ahead = [self._ahead(start) for start in starts]
        total = sum(float(each.sum()) for each in ahead)
        if not total > 0:
            raise BadData("expected bytes that tokens of the model can say; got others")
        kept = [
            Start(tokens=s.tokens, rest=s.rest, weight=s.weight / total, law=s.law)
            for s, each in zip(starts, ahead, strict=True)
            if each.any()
        ]
        return Text(starts=tuple(kept), following=torch.stack(ahead).sum(0) / total)

    def _ahead(self, start: Start) -> Tensor:
        """What a start adds to the probability of each next byte and of the end, [257]."""
        found = torch.zeros(END + 1, dtype=torch.float64)
        tokens, following = self.words.extending(start.rest)
        found.index_add_(0, following, start.law[tokens])
        if not start.rest:
            found[END] = start.law[list(self.ends)].sum()
        return found * start.weight
