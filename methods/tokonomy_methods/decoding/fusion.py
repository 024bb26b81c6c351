"""Requests that are decoded together: caches joined by rows, and rows taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import DynamicCache

from tokonomy.families.language.model import Reader


def held(reader: Reader) -> list[Any]:
    """The layers of a reader's cache."""
    return list(reader.cache.layers)


def shown(reader: Reader) -> Tensor:
    """Which of what each row's cache holds is text and not padding, bool [B, seen]."""
    if reader.present is not None:
        return reader.present
    keys = held(reader)[0].keys
    return torch.ones(len(keys), reader.seen, dtype=torch.bool, device=keys.device)


def fused(readers: Sequence[Reader]) -> Reader:
    """One reader with all rows; caches of shorter texts are padded on the left and masked."""
    if len(readers) == 1:
        return readers[0]
    seen = max(reader.seen for reader in readers)
    before = [seen - reader.seen for reader in readers]
    model, cache = readers[0].model, DynamicCache(config=readers[0].model.module.config)
    for number, parts in enumerate(zip(*map(held, readers), strict=True)):
        pairs = list(zip(parts, before, strict=True))
        keys = [F.pad(part.keys, (0, 0, lack, 0)) for part, lack in pairs]
        values = [F.pad(part.values, (0, 0, lack, 0)) for part, lack in pairs]
        cache.update(torch.cat(keys), torch.cat(values), number)
    texts = zip(readers, before, strict=True)
    present = torch.cat([F.pad(shown(reader), (lack, 0)) for reader, lack in texts])
    return Reader(model=model, cache=cache, present=_needed(present), seen=seen)


def remaining(reader: Reader, rows: Sequence[int]) -> Reader:
    """The reader with these rows only, without padding that all of them have."""
    if len(rows) == len(shown(reader)):
        return reader
    every = shown(reader)
    kept = torch.tensor(rows, device=every.device)
    present = every[kept]
    first = int(present.any(0).int().argmax())
    for layer in held(reader):
        layer.keys = layer.keys[kept, :, first:]
        layer.values = layer.values[kept, :, first:]
    return Reader(
        model=reader.model,
        cache=reader.cache,
        present=_needed(present[:, first:]),
        seen=reader.seen - first,
    )


def _needed(present: Tensor) -> Tensor | None:
    return None if bool(present.all()) else present
