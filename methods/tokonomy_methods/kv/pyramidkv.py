"""PyramidKV: attention gathers on few rows in late blocks, so early blocks keep more."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv.budget import check_whole, pyramid
from tokonomy_methods.kv.seen import State
from tokonomy_methods.kv.snapkv import SnapKV

CARD = MethodCard(
    id="pyramidkv",
    title="PyramidKV",
    families=("kv",),
    summary="SnapKV with more rows for early blocks than for late ones, at the same mean.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    paper="2406.02069",
    code="Zefan-Cai/KVCache-Factory",
    code_licence="MIT",
    differences=(
        "The numbers per block are kvpress': always a pyramid, in steps that are not rounded "
        "before they are added up, the window counted in, and the same number for every block "
        "where the last would keep less than the window. The original adds the window on top, "
        "rounds its steps down, and builds no pyramid for prompts below twice the budget.",
        "That is often so on short prompts: with a window of 4 and beta 20 there is a pyramid only "
        "where keep times the prompt is at least 80, below it is snapkv's budget.",
        "Scores and choice are those of snapkv, with its differences.",
    ),
    sweep=(
        {"keep": 0.75, "question": 1, "window": 4},
        {"keep": 0.5, "question": 1, "window": 4},
        {"keep": 0.25, "question": 1, "window": 4},
        {"keep": 0.1, "question": 1, "window": 4},
        {"keep": 0.5, "question": 16, "window": 4},
        {"keep": 0.25, "question": 16, "window": 4},
        {"keep": 0.1, "question": 16, "window": 4},
        {"keep": 0.25, "window": 4},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidKV(SnapKV):
    """Keep less in later blocks.

    Attributes:
        beta: The last block aims at the mean number of rows over this.
    """

    beta: int = 20
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("beta", self.beta, 1)
        SnapKV.__post_init__(self)

    def room(self, state: State) -> int:
        """Rows of one block of the pyramid."""
        if self.budget is None and self.ratio == 1:
            return sys.maxsize
        mean = self.budget or self.ratio * state.prompt
        if mean >= state.prompt:
            return sys.maxsize
        rooms = pyramid(mean, state.prompt, self.window, self.beta, state.layers)
        return self.fitting(rooms[state.layer])
