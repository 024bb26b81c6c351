"""What each token of a byte-level vocabulary says, in bytes, and which tokens fit a text.

Byte-level tokenizers write bytes as printable characters: those that are printable in Latin-1 as
themselves, the others as characters from 256 on, in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any

import torch
from torch import Tensor

from tokonomy.errors import Unsupported

_PRINTABLE = (*range(33, 127), *range(161, 173), *range(174, 256))
_OTHERS = tuple(byte for byte in range(256) if byte not in _PRINTABLE)
ALPHABET = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(256 + place): byte for place, byte in enumerate(_OTHERS)
}
"""Byte of each character."""


@dataclass(frozen=True, slots=True)
class Words:
    """A vocabulary.

    Attributes:
        said: Bytes of each token, None for one that stands for no text.
    """

    said: tuple[bytes | None, ...]
    _order: list[tuple[bytes, int]] = field(init=False, repr=False)
    _tokens: dict[bytes, list[int]] = field(init=False, repr=False)
    _all: tuple[Tensor, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        order = sorted((said, token) for token, said in enumerate(self.said) if said)
        tokens: dict[bytes, list[int]] = {}
        for said, token in order:
            tokens.setdefault(said, []).append(token)
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_tokens", tokens)
        every = torch.tensor([(token, said[0]) for said, token in order], dtype=torch.int64)
        object.__setattr__(self, "_all", tuple(every.reshape(-1, 2).unbind(1)))

    def saying(self, text: bytes) -> list[int]:
        """Tokens that say just this."""
        return self._tokens.get(text, [])

    def beginning(self, start: bytes) -> list[int]:
        """Tokens whose bytes begin with these, in the order of their bytes."""
        return [token for _, token in self._from(start)]

    def extending(self, start: bytes) -> tuple[Tensor, Tensor]:
        """Tokens that say these bytes and more, and the next byte of each, both int64 [n]."""
        if not start:
            return self._all
        at = len(start)
        found = [(token, said[at]) for said, token in self._from(start) if len(said) > at]
        tokens, following = torch.tensor(found, dtype=torch.int64).reshape(-1, 2).unbind(1)
        return tokens, following

    def extends(self, start: bytes) -> bool:
        """Whether there is such a token."""
        return any(len(said) > len(start) for said, _ in self._from(start))

    def _from(self, start: bytes) -> Iterator[tuple[bytes, int]]:
        place = bisect_left(self._order, (start,))
        return takewhile(lambda each: each[0].startswith(start), islice(self._order, place, None))

    def within(self, text: bytes) -> list[int]:
        """Tokens whose bytes a text begins with, shortest first."""
        starts = (text[:end] for end in range(1, len(text) + 1))
        return [token for start in starts for token in self.saying(start)]

    def cut(self, text: bytes) -> list[int]:
        """A text as tokens, the longest that fits each time."""
        tokens = list[int]()
        while text:
            tokens.append(self.within(text)[-1])
            text = text[len(self.said[tokens[-1]] or b"") :]
        return tokens

    def text(self, tokens: Sequence[int]) -> bytes:
        """What tokens say together."""
        return b"".join(self.said[token] or b"" for token in tokens)


def words_of(tokenizer: Any, vocabulary: int) -> Words:
    """The vocabulary of a byte-level tokenizer; raises ``Unsupported`` for any other.

    Args:
        tokenizer: A transformers tokenizer, or None.
        vocabulary: Tokens that the model can say.
    """
    if tokenizer is None:
        raise Unsupported("no-tokenizer: the method needs to know what tokens say; got none")
    added = set(tokenizer.get_added_vocab().values()) | set(tokenizer.all_special_ids)
    said: list[bytes | None] = [None] * vocabulary
    for written, token in tokenizer.get_vocab().items():
        if token not in added and token < vocabulary:
            if not set(written) <= ALPHABET.keys():
                raise _foreign(f"a token {written!r}")
            said[token] = bytes(ALPHABET[character] for character in written)
    lacking = {bytes([byte]) for byte in range(256)} - set(said)
    if lacking:
        raise _foreign(f"no token for {len(lacking)} of the 256 bytes")
    if said[tokenizer.encode("a", add_special_tokens=False)[0]] != b"a":
        raise _foreign("one that changes the text")
    return Words(tuple(said))


def _foreign(got: str) -> Unsupported:
    return Unsupported(f"not-byte-level: expected a byte-level vocabulary as GPT-2's; got {got}")
