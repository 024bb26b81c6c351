"""Training prompts, for methods that may start a request with what earlier ones have taught them.

State that grows over requests would answer a repeated request from memory. So a method is cold, and
every request starts from nothing, or warm, and every request starts from the same state: that after
so many prompts of the task's train split, with the model's own answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import torch

from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.decoding.alone import one_of
from tokonomy_methods.decoding.drafts import Drafter
from tokonomy_methods.decoding.speculate import answer


def training(context: Context, count: int) -> Iterator[Batch]:
    """The first ``count`` training prompts, or all if there are fewer, one to a batch."""
    if not count:
        return iter(())
    rows = (one_of(batch, row) for batch in context.calibration() for row in range(len(batch)))
    return islice(rows, count)


def texts(
    model: LanguageModel, context: Context, count: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Training prompts and the model's own answers; given continuations where there are any."""
    for batch in training(context, count):
        with torch.inference_mode():
            said = batch.given[0] if batch.scores else model(batch)[0]
        yield batch.prompt[0].tolist(), said[said >= 0].tolist()


def watched(
    model: LanguageModel, context: Context, count: int, drafter: Callable[[], Drafter]
) -> None:
    """Answer training prompts with drafters that leave behind what they learn from the passes."""
    for batch in training(context, count):
        if not batch.scores:
            with torch.inference_mode():
                answer(model, batch, batch.prompt[0].tolist(), drafter())
