"""One request at a time, each with randomness of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from tokonomy.errors import Unsupported
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict

Answer = Callable[[Batch], Sequence[int]]
"""From a batch of one request to the tokens that follow its prompt."""


def alone(model: LanguageModel, answer: Answer) -> Predict:
    """Answer batches of one request; a continuation that is only scored is left to the model."""

    def predict(batch: Batch) -> Tensor:
        if batch.scores:
            return model(batch)
        if len(batch) > 1:
            raise Unsupported("batch-1-only: the method decodes one request at a time")
        return padded(answer(one_of(batch, 0))[: batch.length], batch)

    return predict


def one_of(batch: Batch, row: int) -> Batch:
    """One request of a batch, without padding."""
    if len(batch) == 1 and not batch.padded:
        return batch
    one, present = slice(row, row + 1), batch.present[row]
    return replace(
        batch,
        ids=batch.ids[one],
        prompt=batch.prompt[one][:, present],
        present=batch.present[one][:, present],
        given=batch.given[one][:, batch.given[row] >= 0],
    )


def padded(tokens: Sequence[int], batch: Batch) -> Tensor:
    """An answer as the one row of an output, int64 [1, length]."""
    out = torch.full((1, batch.length), -1, dtype=torch.int64, device=batch.prompt.device)
    out[0, : len(tokens)] = torch.tensor(tokens, device=out.device)
    return out


def can_forget(model: LanguageModel) -> None:
    """Raise ``Unsupported`` unless tokens can be taken out of the model's cache again."""
    layers: list[Any] = DynamicCache(config=model.module.config).layers
    other = {type(layer).__name__ for layer in layers if type(layer) is not DynamicLayer}
    if other:
        raise Unsupported(
            f"cache-not-plain: expected blocks that attend to the whole text; their cache is of "
            f"{', '.join(sorted(other))}"
        )


def generator(seed: int, request: int) -> torch.Generator:
    """Random numbers of one request: the same each time it is asked, unlike any other's."""
    digest = hashlib.sha256(f"{seed} {request}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)
