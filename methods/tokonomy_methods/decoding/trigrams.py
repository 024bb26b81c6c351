"""Trigrams as a small model of a large one, and a tree search through them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import accumulate, pairwise
from math import log, sqrt

from tokonomy_methods.decoding.drafts import Draft

Pair = tuple[int, int]
Scores = dict[int, float]


def counted(texts: Iterable[Sequence[int]], most: int) -> dict[Pair, Scores]:
    """Probability of the ``most`` likeliest successors of each pair of tokens."""
    counts: dict[Pair, Counter[int]] = {}
    for text in texts:
        for pair, token in zip(pairwise(text), text[2:], strict=False):
            counts.setdefault(pair, Counter())[token] += 1
    return {
        pair: {token: times / found.total() for token, times in found.most_common(most)}
        for pair, found in counts.items()
    }


@dataclass(frozen=True, slots=True)
class Successors:
    """What may follow a pair of tokens, likeliest first, with sums of scores to draw by."""

    tokens: Sequence[int]
    scores: Sequence[float]
    sums: Sequence[float]


@dataclass(slots=True)
class Table:
    """Scores of one request, over those of a table that stays as it is."""

    base: Mapping[Pair, Scores]
    _own: dict[Pair, Scores] = field(default_factory=dict)
    _ready: dict[Pair, Successors] = field(default_factory=dict)

    def adapt(self, text: Sequence[int], more: float, most: float) -> None:
        """Raise the scores of a text's trigrams, each up to ``most``."""
        for pair, token in zip(pairwise(text), text[2:], strict=False):
            own = self._own.get(pair)
            if own is None:
                own = self._own[pair] = dict(self.base.get(pair, {}))
            own[token] = min(most, own.get(token, 0.0) + more)
            self._ready.pop(pair, None)

    def after(self, pair: Pair) -> Successors:
        """What may follow."""
        ready = self._ready.get(pair)
        if ready is None:
            scores = self._own.get(pair) or self.base.get(pair, {})
            ranked = sorted(scores.items(), key=lambda each: -each[1])
            tokens, values = [each[0] for each in ranked], [each[1] for each in ranked]
            ready = self._ready[pair] = Successors(tokens, values, list(accumulate(values)))
        return ready


class Prefix:
    """A node of the search: some tokens that may follow."""

    __slots__ = ("below", "depth", "gains", "pair", "successors", "visits")

    def __init__(self, pair: Pair, depth: int) -> None:
        """A prefix that ends in a pair of tokens, never visited."""
        self.pair, self.depth = pair, depth
        self.visits, self.gains = 0, 0.0
        self.successors: Successors | None = None  # until it is expanded
        self.below: list[Prefix] = []

    def expand(self, table: Table) -> None:
        """Add all that may follow."""
        self.successors = table.after(self.pair)
        last = self.pair[1]
        self.below = [Prefix((last, token), self.depth + 1) for token in self.successors.tokens]

    def best(self, width: float, scale: float) -> tuple[Prefix, float]:
        """What is worth most or was tried least, by PUCT, and its score."""
        assert self.successors is not None
        bold = (width + log((self.visits + scale + 1) / scale)) * sqrt(self.visits)
        chosen, high, own = self.below[0], -1.0, 0.0
        for child, score in zip(self.below, self.successors.scores, strict=True):
            visits = child.visits
            worth = bold * score / (1 + visits)
            if visits:
                worth += child.gains / visits
            if worth > high:
                chosen, high, own = child, worth, score
        return chosen, own


def search(
    table: Table,
    pair: Pair,
    draw: random.Random,
    *,
    iterations: int,
    depth: int,
    width: float,
    scale: float,
) -> Prefix:
    """Monte Carlo tree search from the last two tokens; the root of what was visited."""
    root = Prefix(pair, 0)
    for _ in range(iterations):
        node, path, value = root, [root], 1.0
        while node.below and node.depth < depth:
            node, score = node.best(width, scale)
            path.append(node)
            value += score
        if node.successors is None and node.depth < depth:
            node.expand(table)
        value += rollout(table, node.pair, depth - node.depth, draw)
        for seen in path:
            seen.visits += 1
            seen.gains += value
    return root


def rollout(table: Table, pair: Pair, steps: int, draw: random.Random) -> float:
    """Scores along a way drawn in proportion to them."""
    value = 0.0
    for _ in range(steps):
        successors = table.after(pair)
        if not successors.tokens:
            break
        place = draw.choices(range(len(successors.tokens)), cum_weights=successors.sums)[0]
        value += successors.scores[place]
        pair = (pair[1], successors.tokens[place])
    return value


def visited(root: Prefix, table: Table, most: int) -> Draft:
    """The most visited prefixes, each with the likeliest token after it.

    A prefix is visited at least as often as what it is a prefix of, so its parents are in too.
    """
    nodes, tokens, parents = list[Prefix](), list[int](), list[int]()
    heap = [(-child.visits, place, child, -1) for place, child in enumerate(root.below)]
    order = len(heap)
    heapify(heap)
    while heap and heap[0][0] < 0 and len(nodes) < most:
        _, _, node, parent = heappop(heap)
        for child in node.below:
            heappush(heap, (-child.visits, order, child, len(nodes)))
            order += 1
        nodes.append(node)
        tokens.append(node.pair[1])
        parents.append(parent)
    there = set(zip(parents, tokens, strict=True))
    for place, node in enumerate(nodes):
        likeliest = table.after(node.pair).tokens[:1]
        if likeliest and (place, likeliest[0]) not in there:
            tokens += likeliest
            parents.append(place)
    return Draft(tokens=tokens, parents=parents)
