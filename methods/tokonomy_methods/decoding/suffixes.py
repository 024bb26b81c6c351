"""A suffix array over a stream of tokens: where a run of them stands, and what followed it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokonomy_methods.decoding.drafts import Draft

Numbers = NDArray[np.int64]

_BYTES = 4  # of a token, highest first, so that bytes sort as tokens do


def sort_suffixes(stream: Numbers, depth: int) -> Numbers:
    """Places of a stream, sorted by at least ``depth`` tokens from there on, then by place.

    Prefix doubling (Manber and Myers 1990): ranks by so many tokens give ranks by twice as many.
    """
    size = int(stream.max(initial=0)) + 2  # 0 stands for the end
    span, rank = 1, stream.astype(np.int64) + 1
    while size ** (2 * span) < 2**62:  # as many as fit into a number
        rank = rank * size**span + _ahead(rank, span)
        span *= 2
    while True:
        order = np.argsort(rank, kind="stable")
        if span >= depth:
            return order
        ranked = np.empty_like(rank)
        ranked[order] = np.cumsum(np.diff(rank[order], prepend=-1) != 0)
        rank = ranked * (len(stream) + 1) + _ahead(ranked, span)
        span *= 2


def _ahead(values: Numbers, by: int) -> Numbers:
    return np.concatenate([values[by:], np.zeros(min(by, len(values)), dtype=np.int64)])


@dataclass(frozen=True)
class Suffixes:
    """A stream of tokens with its sorted suffixes.

    Attributes:
        raw: The stream, four bytes a token.
        order: Places in the stream, sorted by what stands there.
    """

    raw: bytes
    order: NDArray[np.int32]

    @staticmethod
    def of(stream: Sequence[int], depth: int) -> Suffixes:
        """Sort the suffixes of a stream by ``depth`` tokens."""
        numbers = np.asarray(stream, dtype=np.int64)
        order = sort_suffixes(numbers, depth).astype(np.int32)
        return Suffixes(numbers.astype(f">u{_BYTES}").tobytes(), order)

    def longest(self, text: Sequence[int], low: int, high: int, most: int) -> tuple[Numbers, int]:
        """Where the longest run of last tokens stands, of ``low`` to ``high`` tokens.

        Every part of a run that is there is there too, so the length is found by halving.

        Returns:
            Up to ``most`` places right after it, in the order of what follows; and its length, 0
            for none.
        """
        query = np.array(text[len(text) - min(high, len(text)) :], dtype=f">u{_BYTES}").tobytes()
        lengths = range(low, 1 + len(query) // _BYTES)
        best = bisect_left(lengths, True, key=lambda size: self._first(query, size) is None)
        if not best:
            return np.empty(0, dtype=np.int64), 0
        size = lengths[best - 1]
        run = query[len(query) - size * _BYTES :]
        begin = self._first(query, size) or 0
        within = self.order[begin:].data
        count = bisect_right(within, run, key=lambda place: self._at(place, size))
        return self.order[begin : begin + min(count, most)].astype(np.int64) + size, size

    def _at(self, place: int, size: int) -> bytes:
        return self.raw[_BYTES * place : _BYTES * (place + size)]

    def _first(self, query: bytes, size: int) -> int | None:
        """Rank of the first suffix that begins with the last tokens of a query."""
        run = query[len(query) - size * _BYTES :]
        rank = bisect_left(self.order.data, run, key=lambda place: self._at(place, size))
        found = rank < len(self.order) and self._at(int(self.order[rank]), size) == run
        return rank if found else None

    def following(self, places: Numbers, length: int) -> Numbers:
        """Tokens from each place on, [n, length], -1 after the end of the stream."""
        stream = np.frombuffer(self.raw, dtype=f">u{_BYTES}")
        index = places[:, None] + np.arange(length)
        tokens = stream[np.minimum(index, len(stream) - 1)].astype(np.int64)
        return np.where(index < len(stream), tokens, -1)


def frequent(rows: Numbers, count: int) -> Draft:
    """The prefixes that most rows begin with, as a tree.

    A prefix is at least as frequent as what it is a prefix of, so its parents are in too. Of
    equals the shorter comes first, then the one of lower tokens.

    Args:
        rows: Continuations in sorted order, [m, n], -1 after an end.
        count: Prefixes at most.
    """
    number, length = rows.shape
    fresh = np.ones(rows.shape, dtype=np.bool_)
    fresh[1:] = np.logical_or.accumulate(rows[1:] != rows[:-1], axis=1)
    heads = np.maximum.accumulate(np.where(fresh, np.arange(number)[:, None], 0), axis=0)
    cells = heads * length + np.arange(length)  # each prefix by its first row and its depth
    times = np.bincount(cells.ravel(), minlength=rows.size)
    found = np.flatnonzero(fresh & (rows >= 0))
    ranked = found[np.lexsort((found // length, found % length, -times[found]))][:count]
    above = cells.ravel()[ranked - (ranked % length > 0)]
    place = {cell: node for node, cell in enumerate(ranked.tolist())}
    parents = [
        place[up] if cell % length else -1
        for cell, up in zip(ranked.tolist(), above.tolist(), strict=True)
    ]
    return Draft(tokens=rows.ravel()[ranked].tolist(), parents=parents)
