"""The lookahead branch of Jacobi decoding: a window of guesses that moves along with the text.

A window is rows of equal width. Row r, column c is a guess of what stands c + r tokens after the
last token of the text, which itself is row 0, column 0. Each column, read downwards and on to what
the model says after its foot, is an n-gram.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Window = list[list[int]]
Gram = tuple[int, ...]


def layout(rows: int, width: int, grams: int, size: int) -> tuple[Tensor, Tensor]:
    """What each token of a pass sees of the others, and how far ahead it stands.

    A guess of the window sees row 0 up to its column and its column down to itself. A token of an
    n-gram to be verified sees the last token of the text and its own n-gram up to itself.

    Args:
        rows: Rows of the window.
        width: Its columns.
        grams: Number of n-grams after it.
        size: Tokens of each, without the one that they follow.

    Returns:
        Bool [n, n] and int64 [n], n = rows * width + grams * size. The first part of both holds
        for fewer n-grams.
    """
    row = torch.arange(rows).repeat_interleave(width)
    column = torch.arange(width).repeat(rows)
    above = (row[None] == 0) & (column[None] <= column[:, None])
    inside = above | ((column[None] == column[:, None]) & (row[None] <= row[:, None]))
    gram = torch.arange(grams).repeat_interleave(size)
    place = torch.arange(size).repeat(grams)
    chain = (gram[None] == gram[:, None]) & (place[None] <= place[:, None])
    sees = F.pad(inside, (0, len(chain), 0, len(chain)))
    sees[rows * width :, rows * width :] = chain
    sees[:, 0] = True
    return sees, torch.cat([row + column, place + 1])


def moved(window: Window, said: Sequence[int], last: int, rows: int) -> Window:
    """The window one token on.

    Args:
        window: As it was read.
        said: What the model said after its lowest row.
        last: The text's new last token.
        rows: Rows of a full window. One that is not full loses its first column and gains a row.
    """
    if len(window) < rows:
        new = [row[1:] for row in (*window, said)]
    else:
        new = [*window[1:], said]
    rest = [list(row) for row in new[1:]]
    return [[last, *new[0][1:]], *rest]


def columns(window: Window, said: Sequence[int]) -> list[Gram]:
    """The n-grams of a full window."""
    grams: list[Gram] = list(zip(*window, said, strict=True))
    return grams


class Pool:
    """N-grams by their first token; of those of one token, the latest stay."""

    def __init__(self, room: int) -> None:
        """Keep up to ``room`` n-grams for each first token."""
        self._room = room
        self._grams: dict[int, dict[Gram, None]] = {}  # in order of use

    def add(self, gram: Gram) -> None:
        """Put an n-gram in, or bring it up to date."""
        of = self._grams.setdefault(gram[0], {})
        of.pop(gram[1:], None)
        of[gram[1:]] = None
        if len(of) > self._room:
            del of[next(iter(of))]

    def after(self, token: int) -> list[Gram]:
        """What may follow a token, oldest first."""
        return list(self._grams.get(token, ()))


def longest(grams: Sequence[Gram], said: int, after: Sequence[int]) -> tuple[list[int], list[int]]:
    """The n-gram of which most is what the model itself says.

    Args:
        grams: N-grams without the token that they follow, all of one size.
        said: What the model says after that token.
        after: What it says after each token of each n-gram.

    Returns:
        Places of the tokens that stand, among all tokens of all n-grams; and the tokens that the
        text grows by, at least one: the model's own after the last that stands included.
    """
    best: tuple[list[int], list[int]] = [], [said]
    for number, gram in enumerate(grams):
        start = number * len(gram)
        own = [said, *after[start : start + len(gram)]]
        hits = next((at for at, token in enumerate(gram) if token != own[at]), len(gram))
        if hits > len(best[0]):
            best = list(range(start, start + hits)), own[: hits + 1]
    return best
