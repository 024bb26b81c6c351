"""The tree of Token Recycling, and the matrix that fills it: pure functions over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from tokonomy.families.language.tree import Tree

WIDTHS = (8, 21, 25, 15, 8, 3)
"""Nodes of each level of the reference's tree of 80."""

Path = tuple[int, ...]
Matrix = NDArray[np.int32]


def template(nodes: int, ranks: int) -> list[Path]:
    """Nodes of the static tree as paths of ranks, level by level.

    Rank 0 is the likeliest successor of the parent. A level holds as many nodes as the reference's,
    or all that there are, those first whose ranks, counted from 1, have the smallest product: ranks
    are as likely as Zipf's law says. A tree of fewer nodes holds the likeliest of those, a level
    more counting as much as twice the rank; of equals the shortest come first.

    >>> template(4, 8)
    [(0,), (1,), (2,), (0, 0)]

    Args:
        nodes: How many, at most.
        ranks: Successors that a token has.
    """
    found: list[Path] = []
    level: list[Path] = [()]
    for width in WIDTHS:
        below = [(*path, rank) for path, rank in product(level, range(ranks))]
        level = sorted(below, key=_unlikely)[:width]
        found += level
    return sorted(sorted(found, key=_unlikely)[:nodes], key=len)


def _unlikely(path: Path) -> tuple[int, int, Path]:
    return 2 ** len(path) * prod(rank + 1 for rank in path), len(path), path


@dataclass(frozen=True)
class Template:
    """A static tree of successors.

    Attributes:
        paths: Its nodes, parents before children.
    """

    paths: Sequence[Path]

    @cached_property
    def tree(self) -> Tree:
        """The shape of every draft."""
        place = {path: node for node, path in enumerate(self.paths)}
        return Tree(place.get(path[:-1], -1) for path in self.paths)

    @cached_property
    def _levels(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """For each level its nodes, their parents counted from 1, and their ranks."""
        levels = []
        for depth in range(1, 1 + max(map(len, self.paths))):
            nodes = [node for node, path in enumerate(self.paths) if len(path) == depth]
            parents = [self.tree[node] + 1 for node in nodes]
            ranks = [self.paths[node][-1] for node in nodes]
            levels.append((np.array(nodes) + 1, np.array(parents), np.array(ranks)))
        return levels

    def filled(self, matrix: Matrix, last: int) -> list[int]:
        """Tokens of the nodes: each is a successor, by its rank, of its parent's token.

        Args:
            matrix: Successors of each token, likeliest first, [V, k].
            last: The last token of the text, parent of the first level.
        """
        tokens = np.empty(1 + len(self.paths), dtype=np.int64)
        tokens[0] = last
        for nodes, parents, ranks in self._levels:
            tokens[nodes] = matrix[tokens[parents], ranks]
        filled: list[int] = tokens[1:].tolist()
        return filled


def learn(matrix: Matrix, fed: Sequence[int], after: NDArray[np.int64]) -> None:
    """Overwrite the successors of every token that was fed, in place.

    Args:
        matrix: Successors of each token, [V, k].
        fed: Tokens of a pass, those nearer to the text first; where one is there twice its first
            place counts.
        after: Likeliest tokens after each, [n, k].
    """
    matrix[np.asarray(fed)[::-1]] = after[::-1]
