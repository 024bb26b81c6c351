"""ADED: a tree search through trigrams, which adapt to the text, makes the draft."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.drafts import NOTHING, Draft
from tokonomy_methods.decoding.parameters import real, whole
from tokonomy_methods.decoding.speculate import speculative
from tokonomy_methods.decoding.trigrams import Table, counted, search, visited
from tokonomy_methods.decoding.warm import texts

SUCCESSORS = 12
"""Likeliest successors of a pair of tokens that the table keeps."""

CARD = MethodCard(
    id="aded",
    title="ADED (Adaptix)",
    families=("decoding",),
    summary="A Monte Carlo tree search through a table of trigrams, raised where they stand in the "
    "text, drafts what it visits most.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1", "a train split"),
    paper="2407.12021",
    code="liuxukun2000/Adaptix",
    code_licence="Apache-2.0",
    differences=(
        "The table is counted over training prompts of the task and the model's own answers to "
        "them; the published one is of a corpus of 253 MB.",
        "What a request raises is its own: the next starts from the same table. In the reference "
        "scores stay raised for all requests.",
        "Draws are of a generator that starts each request alike; the reference draws from an "
        "unseeded one in each thread.",
        "The value of a visit is 1 plus the scores of the trigrams on its way; the reference takes "
        "them by another index of the same pair.",
        "Nothing is drafted where the last two tokens are unknown; the reference drafts the token "
        "100.",
        "The search runs in Python, one visit after the other, where the reference is compiled: "
        "its time is part of what is measured.",
        "Greedy only.",
    ),
    atlas=("S055",),
    sweep=(
        {"iterations": 10},
        {"iterations": 30},
        {"iterations": 75},
        {"iterations": 150},
        {"iterations": 30, "prefixes": 8},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Aded:
    """Search through trigrams.

    Attributes:
        iterations: Visits of a search.
        prefixes: Prefixes drafted at most, each with one token more.
        depth: Levels of the search.
        window: Last tokens whose trigrams are raised before each draft.
        more: What their scores are raised by.
        most: What they are raised to at most.
        width: How much likely but little tried tokens are favoured.
        scale: Visits after which they are favoured more.
        warm: Training prompts in the table, at most, each with its answer.
    """

    iterations: int = 150
    prefixes: int = 24
    depth: int = 4
    window: int = 16
    more: float = 0.04
    most: float = 3.0
    width: float = 32.0
    scale: float = 8.0
    warm: int = 64
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("iterations", self.iterations, 1, 100_000)
        whole("prefixes", self.prefixes, 1, 1024)
        whole("depth", self.depth, 1, 64)
        whole("window", self.window, 0, 4096)
        real("more", self.more, 0, 1000)
        real("most", self.most, 0, 1000)
        real("width", self.width, 0, 1_000_000)
        real("scale", self.scale, 1e-3, 1_000_000)
        whole("warm", self.warm, 0, 1_000_000)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts from a table of each request's own."""
        found = ([*prompt, *said] for prompt, said in texts(model, context, self.warm))
        table = counted(found, SUCCESSORS)
        return speculative(model, lambda: Search(self, Table(table), random.Random(context.seed)))


@dataclass(frozen=True, slots=True)
class Search:
    """The table of one request, and its draws."""

    method: Aded
    table: Table
    draw: random.Random

    def propose(self, tokens: Sequence[int]) -> Draft:
        """What a search from the last two tokens visits most."""
        if len(tokens) < 2:
            return NOTHING
        method = self.method
        recent = tokens[max(0, len(tokens) - method.window) :]
        self.table.adapt(recent, method.more, method.most)
        root = search(
            self.table,
            (tokens[-2], tokens[-1]),
            self.draw,
            iterations=method.iterations,
            depth=method.depth,
            width=method.width,
            scale=method.scale,
        )
        return visited(root, self.table, method.prefixes)

    def observe(self, fed: Sequence[int], logits: Tensor, accepted: Sequence[int]) -> None:
        """Nothing is kept: the next text holds it."""
