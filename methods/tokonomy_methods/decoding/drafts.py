"""What a drafter says and how it is asked: nothing here runs a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from tokonomy.families.language.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A tree of tokens that may follow, parents before children.

    Attributes:
        tokens: Token of each node.
        parents: Place of each node's parent, -1 where it follows the text so far; a ``Tree`` where
            the shape is made once for all drafts.
    """

    tokens: Sequence[int]
    parents: Sequence[int]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def tree(self) -> Tree:
        """The parents, with what follows from them."""
        return self.parents if isinstance(self.parents, Tree) else Tree(self.parents)

    def until(self, depth: int) -> Draft:
        """The nodes at most so deep; 1 is right after the text."""
        tree = self.tree
        kept = [node for node, above in enumerate(tree.depths) if above < depth]
        if len(kept) == len(tree):
            return self if tree is self.parents else Draft(tokens=self.tokens, parents=tree)
        place = {node: at for at, node in enumerate(kept)} | {-1: -1}
        return Draft(
            tokens=[self.tokens[node] for node in kept],
            parents=Tree(place[tree[node]] for node in kept),
        )


NOTHING = Draft(tokens=(), parents=Tree())


def chain(tokens: Sequence[int]) -> Draft:
    """A draft without branches."""
    return Draft(tokens=tokens, parents=Tree(range(-1, len(tokens) - 1)))


class Drafter(Protocol):
    """Guesses what follows; has the state of one request."""

    def propose(self, tokens: Sequence[int]) -> Draft:
        """Guess what follows a text, prompt included."""

    def observe(self, fed: Sequence[int], logits: Tensor, accepted: Sequence[int]) -> None:
        """Learn from a pass of the model.

        Args:
            fed: What it was given: the last token of the text, then the nodes of the draft.
            logits: After each of them, [n, V].
            accepted: Tokens that the text has grown by.
        """
