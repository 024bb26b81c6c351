"""Which token may follow which, if a text is written as its tokenizer writes it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from tokonomy_methods.decoding.words import Words

_MARK = b"'"


class Canonical:
    """Pairs of tokens that the tokenizer itself makes of their text.

    A pair whose text, or part of it, is no whole characters cannot be tried and is let through, as
    is any that stands in the prompt. What is found is kept as long as this object.
    """

    def __init__(self, tokenizer: Any, words: Words, prompt: Sequence[int]) -> None:
        """Nothing is tried yet."""
        self._encode = tokenizer.backend_tokenizer.encode
        self._texts = [_characters(said) for said in words.said]
        self._words, self._given = words, set(pairwise(prompt))
        self._found: dict[int, Tensor] = {}

    def after(self, last: int) -> Tensor:
        """The tokens that may follow a token, bool [V] on the CPU."""
        if last not in self._found:
            allowed = torch.ones(len(self._words.said), dtype=torch.bool)
            refused = [
                token for token in doubtful(self._words, last) if not self._fits(last, token)
            ]
            allowed[refused] = False
            self._found[last] = allowed
        return self._found[last]

    def _fits(self, last: int, token: int) -> bool:
        one, other = self._texts[last], self._texts[token]
        if one is None or other is None or (last, token) in self._given:
            return True
        ids: list[int] = self._encode(one + other, add_special_tokens=False).ids
        return ids == [last, token]


def _characters(said: bytes | None) -> str | None:
    try:
        return None if said is None else said.decode()
    except UnicodeDecodeError:
        return None


def doubtful(words: Words, last: int) -> set[int]:
    """Tokens that may not stay as they are after a token; all others do.

    Byte pairs are merged across a seam only if the vocabulary has a token for the bytes on its two
    sides, each a token too. Text is cut into words before, at the same places whatever stands on
    the other side of the seam, but for white space before it and apostrophes on either side.
    """
    said = words.text([last])
    if not said:
        return set()
    if said[-1:].isspace() or said.endswith(_MARK):
        return set(words.beginning(b""))
    found = set(words.beginning(_MARK))
    for side in (said[at:] for at in range(len(said))):
        for whole in words.beginning(side) if words.saying(side) else ():
            other = words.text([whole])[len(side) :]
            if words.saying(other):
                found.update(words.beginning(other))
    return found
