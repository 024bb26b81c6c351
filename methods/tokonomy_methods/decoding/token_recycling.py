"""Token Recycling: the model's own second guesses, kept per token, are the next drafts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.drafts import Draft
from tokonomy_methods.decoding.parameters import whole
from tokonomy_methods.decoding.recycling import WIDTHS, Matrix, Template, learn, template
from tokonomy_methods.decoding.speculate import speculative
from tokonomy_methods.decoding.warm import watched

CARD = MethodCard(
    id="token-recycling",
    title="Token Recycling",
    families=("decoding",),
    summary="A matrix keeps the likeliest successors of every token that was read, wanted or not; "
    "a static tree of them is the draft.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1",),
    paper="2408.08696",
    code="Luowaterbi/TokenRecycling",
    code_licence="none",
    differences=(
        "Every request starts with a matrix of zeros or, if warm, with the matrix after so many "
        "training prompts; the reference keeps one matrix for all the requests that it ever gets.",
        "The tree has the reference's widths per level (8, 21, 25, 15, 8, 3; 80 nodes), but its "
        "nodes are chosen by a rule, the smallest products of ranks, and not copied.",
        "Smaller trees, for models so small that 80 nodes more cost several passes, hold the "
        "likeliest nodes of that tree.",
        "Where a token is in a pass twice, its place nearest to the text decides what follows it; "
        "in the reference either may win.",
        "Greedy only, as the reference. As there, the prompt itself teaches nothing, and the first "
        "drafts are made of token 0.",
    ),
    claims=(
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="80 nodes, 8 successors, greedy, fp16",
            metric="speed-up",
            value=2.22,
            unit="x",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="80 nodes, 8 successors, greedy, fp16",
            metric="acceptance length",
            value=2.73,
            unit="tokens",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="80 nodes, 8 successors, greedy, fp16",
            metric="speed-up",
            value=1.40,
            unit="x",
            hardware="RTX 3090",
            source="Spec-Bench leaderboard",
        ),
    ),
    atlas=("S042",),
    sweep=(
        {"nodes": 4},
        {"nodes": 8},
        {"nodes": 16},
        {"nodes": 32},
        {"nodes": 80},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecycling:
    """Draft a tree of successors from an adjacency matrix.

    Attributes:
        nodes: Nodes of the tree, at most.
        successors: Successors kept for each token.
        warm: Training prompts that fill the matrix before the first request.
    """

    nodes: int = 80
    successors: int = 8
    warm: int = 0
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("nodes", self.nodes, 1, sum(WIDTHS))
        whole("successors", self.successors, 1, 64)
        whole("warm", self.warm, 0, 1_000_000)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts from a matrix of each request's own."""
        tree = Template(template(self.nodes, self.successors))
        start = np.zeros((model.vocabulary, self.successors), dtype=np.int32)
        watched(model, context, self.warm, lambda: Recycler(start, tree))
        return speculative(model, lambda: Recycler(start.copy(), tree))


@dataclass(frozen=True, slots=True)
class Recycler:
    """The matrix of one request, int32 [V, k], and the tree that it fills."""

    matrix: Matrix
    template: Template

    def propose(self, tokens: Sequence[int]) -> Draft:
        """Successors of the last token, their successors, and so on."""
        filled = self.template.filled(self.matrix, tokens[-1])
        return Draft(tokens=filled, parents=self.template.tree)

    def observe(self, fed: Sequence[int], logits: Tensor, accepted: Sequence[int]) -> None:
        """Keep the likeliest tokens after each that was read, accepted or not."""
        likeliest = logits.topk(min(self.matrix.shape[1], logits.shape[-1]), -1).indices
        learn(self.matrix, fed, likeliest.cpu().numpy())
