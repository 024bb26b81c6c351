"""A trie of branches: what followed each token, how often in prompts and how often in answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from tokonomy_methods.decoding.drafts import Draft


class Node:
    """A token of a branch.

    Attributes:
        asked: How often it stood there in the prompt.
        said: How often it stood there in answers; halved when the trie is pruned.
        below: What followed.
    """

    __slots__ = ("asked", "below", "said")

    def __init__(self) -> None:
        """A node that was never met."""
        self.asked: int = 0
        self.said: float = 0  # whole until it is halved: such numbers are shared
        self.below: Below = {}


Below = dict[int, Node]


def insert(below: Below, branch: Iterable[int], *, asked: int = 0, said: int = 0) -> int:
    """Count a branch; the nodes that are new."""
    new = 0
    for token in branch:
        node = below.get(token)
        if node is None:
            node = below[token] = Node()
            new += 1
        node.asked += asked
        node.said += said
        below = node.below
    return new


def heaviest(tries: Sequence[Below], count: int, depth: int, weight: float) -> Draft:
    """The nodes of greatest weight, a tree since none is heavier than its parent.

    Args:
        tries: Counts of one and the same text in several places; they add up.
        count: Nodes at most.
        depth: Their levels at most.
        weight: Of a time in an answer; one in the prompt weighs 1 minus that. Of equals the deepest
            comes first, so that one branch is whole before the next begins.
    """
    tokens, parents = list[int](), list[int]()
    heap: list[tuple[float, int, int, int, int, list[Node]]] = []
    order = 0

    def offer(level: Sequence[Below], parent: int, deep: int) -> None:
        nonlocal order
        found: dict[int, list[Node]] = {}
        for below in level:
            for token, node in below.items():
                found.setdefault(token, []).append(node)
        for token, nodes in found.items():
            order += 1
            times = sum((1 - weight) * node.asked + weight * node.said for node in nodes)
            heappush(heap, (-times, -deep, order, token, parent, nodes))

    offer(tries, -1, 1)
    while heap and len(tokens) < count:
        _, deep, _, token, parent, nodes = heappop(heap)
        tokens.append(token)
        parents.append(parent)
        if -deep < depth:
            offer([node.below for node in nodes], len(tokens) - 1, 1 - deep)
    return Draft(tokens=tokens, parents=parents)


@dataclass(slots=True)
class Store:
    """Branches of answers, by their first token, pruned as they grow.

    Once so many first tokens were met, the trees below them that have grown too large are pruned.

    Attributes:
        branch: Tokens of a branch after its first.
        bound: Nodes below one first token that are not pruned.
        patience: First tokens to be met between two times of pruning.
        trees: What followed, by first token.
    """

    branch: int
    bound: int = 512
    patience: int = 1024
    trees: dict[int, Below] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)
    _met: set[int] = field(default_factory=set)

    @property
    def nodes(self) -> int:
        """Nodes of all trees."""
        return sum(self._sizes.values())

    def add(self, answer: Sequence[int]) -> None:
        """Count the branches of an answer."""
        for place, first in enumerate(answer[:-1]):
            branch = answer[place + 1 : place + 1 + self.branch]
            new = insert(self.trees.setdefault(first, {}), branch, said=1)
            self._sizes[first] = self._sizes.get(first, 0) + new
            self._met.add(first)
        if len(self._met) >= self.patience:
            for first in self._met:
                if self._sizes[first] > self.bound:
                    self._sizes[first] = prune(self.trees[first])
            self._met.clear()


def prune(below: Below) -> int:
    """Halve counts and drop what was said once; the nodes that are left."""
    left = 0
    for token, node in list(below.items()):
        if node.said > 1:
            node.said *= 0.5
            left += 1 + prune(node.below)
        else:
            del below[token]
    return left
