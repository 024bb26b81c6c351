"""Trees of tokens that are read in one pass: who follows whom, and so who sees whom."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor


class Tree(tuple[int, ...]):
    """The parent of each node, -1 for none, parents before children.

    What follows from that is made when first asked for, and kept: a method whose trees are always
    of one shape makes the shape once.

    >>> Tree((-1, 0, 0, 1)).depths
    [0, 1, 1, 2]
    """

    @cached_property
    def depths(self) -> list[int]:
        """How far each node lies below the first ones."""
        depths: list[int] = []
        for parent in self:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        return depths

    @cached_property
    def straight(self) -> bool:
        """Whether each node follows the one before it."""
        return self == tuple(range(-1, len(self) - 1))

    @cached_property
    def rooted(self) -> Tree:
        """The same tree below one node more, which comes first."""
        return Tree((-1, *(parent + 1 for parent in self)))

    @cached_property
    def _sees(self) -> Tensor:
        sees = np.eye(len(self), dtype=np.bool_)
        for node, parent in enumerate(self):
            if parent >= 0:
                sees[node] |= sees[parent]
        return torch.from_numpy(sees)

    @cached_property
    def _masks(self) -> dict[tuple[torch.dtype, torch.device], Tensor]:
        return {}

    def mask(self, like: Tensor) -> Tensor:
        """What is added to attention logits, [n, n], of the type and on the device of ``like``.

        It is 0 from a node to its ancestors and itself, and the lowest number elsewhere.
        """
        key = (like.dtype, like.device)
        if key not in self._masks:
            mask = torch.zeros(self._sees.shape, dtype=like.dtype)
            mask.masked_fill_(~self._sees, torch.finfo(like.dtype).min)
            self._masks[key] = mask.to(like.device)
        return self._masks[key]
