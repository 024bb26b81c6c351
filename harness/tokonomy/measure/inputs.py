"""What a batch of any family is made of: a frozen dataclass that holds tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tokonomy.errors import BadData

Shape = tuple[tuple[int, ...], ...]


def tensors(batch: object) -> Iterator[tuple[str, Tensor]]:
    """Each tensor of a batch, with the name of its field."""
    if not is_dataclass(batch):
        raise BadData(f"a batch is a dataclass that holds tensors; got {type(batch).__name__}")
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor):
            yield field.name, value


def shape(batch: object) -> Shape:
    """Shapes of a batch's tensors; two batches of one shape cost a plain model the same."""
    return tuple(tuple(value.shape) for _, value in tensors(batch))


def copied(batch: Any) -> Any:
    """A batch with tensors of its own."""
    return replace(batch, **{name: value.clone() for name, value in tensors(batch)})


def kept(output: object) -> object:
    """A copy of a plain tensor; anything else as it is."""
    return output.clone() if type(output) is Tensor else output


def altered(batch: Any) -> Any:
    """The same samples by name with other contents, numbers or token ids: mirrored, and moved."""
    changes = {
        name: value.flip(-1).roll(max(1, value.shape[-1] // 3), -1)
        for name, value in tensors(batch)
        if value.is_floating_point() or (value.ndim > 1 and value.dtype == torch.int64)
    }
    return replace(batch, **changes)


def equal(one: object, other: object) -> bool:
    """Whether two batches hold the same numbers, bit for bit."""
    pairs = zip(tensors(one), tensors(other), strict=True)
    return all(torch.equal(a, b) for (_, a), (_, b) in pairs)
