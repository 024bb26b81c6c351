"""Batches of a tiny language model, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch

from languages import make_module, make_tokenizer
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel

TEXTS = (
    "the value of an object is a function that takes the value of an object is a",
    "An exception is raised if the name is not found in the mod",
    "for each of the items in the list a function is called with the item as its argument, and th",
)


@cache
def tiny(architecture: str = "llama", seed: int = 0) -> LanguageModel:
    """Two blocks of random weights and a byte-level vocabulary of 512 tokens."""
    return LanguageModel(
        module=make_module(architecture, seed=seed), tokenizer=make_tokenizer(architecture)
    )


def asked(
    prompts: Sequence[Sequence[int]], length: int, ends: tuple[int, ...] = (1,), first: int = 7
) -> Batch:
    """A batch of prompts, padded on the left; its requests are numbered from ``first``."""
    longest = max(map(len, prompts))
    lacks = [longest - len(prompt) for prompt in prompts]
    return Batch(
        ids=torch.arange(first, first + len(prompts)),
        prompt=torch.tensor([[0] * n + list(p) for n, p in zip(lacks, prompts, strict=True)]),
        present=torch.tensor([[False] * n + [True] * (longest - n) for n in lacks]),
        given=torch.empty(len(prompts), 0, dtype=torch.int64),
        length=length,
        ends=ends,
    )


def written(*texts: str, length: int, ends: tuple[int, ...] = (1,)) -> Batch:
    """A batch of texts, in the tokens of ``tiny``."""
    return asked([make_tokenizer().encode(text) for text in texts], length, ends)


def scored() -> Batch:
    """Two prompts with continuations to be scored."""
    prompts = [make_tokenizer().encode(text)[:9] for text in TEXTS[:2]]
    batch = asked(prompts, 0)
    given = torch.tensor([[5, 90, 17], [300, 4, -1]])
    return Batch(ids=batch.ids, prompt=batch.prompt, present=batch.present, given=given)
