"""Which of the drafted tokens stand: pure functions over logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tokonomy_methods.decoding.drafts import Draft


def greedy(draft: Draft, logits: Tensor) -> tuple[list[int], list[int]]:
    """Go down the tree as long as a child is what the model itself says.

    Args:
        draft: What was guessed after the last token.
        logits: After the last token and after each node, [1 + n, V].

    Returns:
        Nodes that stand, from the root down; and the tokens that the text grows by, the model's
        own next one included, so at least one.
    """
    said = likeliest(logits)
    children: dict[tuple[int, int], int] = {}
    for node, (token, parent) in enumerate(zip(draft.tokens, draft.parents, strict=True)):
        children.setdefault((parent, token), node)
    nodes, grown = list[int](), [said[0]]
    at = children.get((-1, grown[-1]))
    while at is not None:
        nodes.append(at)
        grown.append(said[1 + at])
        at = children.get((at, grown[-1]))
    return nodes, grown


def likeliest(logits: Tensor) -> list[int]:
    """The likeliest token of each row, [n, V]; of equals the first."""
    quick = logits.device.type == "cpu" and logits.dtype == torch.float32
    rows: Any = logits.detach().numpy() if quick else logits  # quicker on a CPU, many times
    found: list[int] = rows.argmax(-1).tolist()
    return found


def ended(tokens: Sequence[int], ends: Sequence[int]) -> list[int]:
    """Tokens up to the first that ends a text, that one included."""
    stop = next((place for place, token in enumerate(tokens) if token in ends), None)
    return list(tokens if stop is None else tokens[: stop + 1])
