"""Rows of token ids as batches on a model's device, and answers as text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tokonomy.errors import BadData
from tokonomy.families.language.adapter import Row
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel


def batch(model: LanguageModel, asked: Sequence[Row]) -> Batch:
    """Rows of one kind as a batch, on the model's device."""
    for row in asked:
        fits(model, row)
    device = next(model.module.parameters()).device
    longest = max(len(row.prompt) for row in asked)
    wide = max(len(row.given) for row in asked)
    prompts = [F.pad(torch.tensor(r.prompt), (longest - len(r.prompt), 0)) for r in asked]
    present = [torch.arange(longest) >= longest - len(row.prompt) for row in asked]
    given = [
        F.pad(torch.tensor(row.given, dtype=torch.int64), (0, wide - len(row.given)), value=-1)
        for row in asked
    ]
    return Batch(
        ids=torch.tensor([row.id for row in asked], device=device),
        prompt=torch.stack(prompts).to(device),
        present=torch.stack(present).to(device),
        given=torch.stack(given).to(device),
        length=asked[0].length,
        ends=_ends(model, asked[0].until),
    )


def _ends(model: LanguageModel, until: Sequence[str]) -> tuple[int, ...]:
    """Tokens that end an answer: the model's own, and all that hold a stop string."""
    own = model.module.generation_config.eos_token_id
    ends = {model.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
    for stop in filter(None, until):
        ends |= _holding(model.tokenizer, stop)
    return tuple(sorted(ends))


@lru_cache(maxsize=4)
def _texts(tokenizer: Any) -> list[str]:
    """The text of each token alone."""
    found: list[str] = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return found


@lru_cache(maxsize=64)
def _holding(tokenizer: Any, stop: str) -> frozenset[int]:
    """Tokens whose text holds a stop string; after one of them nothing of an answer is kept."""
    return frozenset(token for token, text in enumerate(_texts(tokenizer)) if stop in text)


def fits(model: LanguageModel, row: Row) -> None:
    """Raise ``BadData`` where a model cannot read a row to its end."""
    more = row.length + max(0, len(row.given) - 1)  # the last token given is not read
    if not row.prompt:
        raise BadData("a prompt has no tokens; expected at least one")
    if len(row.prompt) + more > model.positions:
        raise BadData(
            f"a prompt of {len(row.prompt)} tokens and {more} more do not fit the model's "
            f"{model.positions} positions"
        )


def text_of(model: LanguageModel, tokens: Tensor) -> str:
    """The text of an answer, without what stands for nothing."""
    text: str = model.tokenizer.decode(tokens[tokens >= 0], skip_special_tokens=True)
    return text
