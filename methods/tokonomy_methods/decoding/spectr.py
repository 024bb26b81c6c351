"""SpecTr: several drafts of a small model, one of them chosen token by token by K-SEQ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict, Reader
from tokonomy_methods.decoding.alone import alone, can_forget, generator
from tokonomy_methods.decoding.branches import Branches, branched, merged, rewound, verified
from tokonomy_methods.decoding.draft_model import draft_model
from tokonomy_methods.decoding.laws import Uniform, drawn, law, uniforms
from tokonomy_methods.decoding.parameters import real, whole
from tokonomy_methods.decoding.verify import ended

CARD = MethodCard(
    id="spectr",
    title="SpecTr (K-SEQ)",
    families=("decoding",),
    summary="A small model draws several drafts; K-SEQ takes tokens of them so that the answer "
    "follows the large model's law.",
    kind="training-free",
    lossless="distribution",
    effect="none",
    alters=("order of decoding", "choice of tokens"),
    needs=("batch 1", "a draft model of the same vocabulary"),
    paper="2310.15141",
    differences=(
        "No code of the authors was found. K-SEQ is written from its formulas, whose law is "
        "checked by enumeration; how it is carried from tokens to sequences, by going on with the "
        "drafts that begin alike, is as we understand the method.",
        "rho is found anew for each token by bisection, as the least that keeps the law, for the "
        "number of drafts that are still alive.",
        "Drafts that begin alike are read once by the large model, as a tree.",
        "Both models sample at the same temperature; at 0 drafts are all alike.",
    ),
    claims=(
        Claim(
            model="not named in the abstract",
            dataset="standard benchmarks",
            setting="K-SEQ, against one token at a time",
            metric="speed-up",
            value=2.13,
            unit="x",
            source="abstract of arXiv 2310.15141",
        ),
        Claim(
            model="not named in the abstract",
            dataset="standard benchmarks",
            setting="K-SEQ, against speculative decoding with one draft",
            metric="speed-up",
            value=1.37,
            unit="x",
            source="abstract of arXiv 2310.15141",
        ),
    ),
    atlas=("S157",),
    sweep=(
        {"drafts": 1},
        {"drafts": 2},
        {"drafts": 4},
        {"drafts": 8},
        {"drafts": 4, "tokens": 8},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class SpecTr:
    """Draft with a small model, choose with K-SEQ.

    Attributes:
        drafts: Sequences drawn at once; 1 is speculative sampling.
        tokens: Length of each.
        temperature: At which both models are sampled; 0 takes their likeliest tokens.
        draft: The small model, an embedded id or ``hf:<repository or folder>``.
    """

    drafts: int = 4
    tokens: int = 4
    temperature: float = 1.0
    draft: str = "docs-draft"
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("drafts", self.drafts, 1, 64)
        whole("tokens", self.tokens, 1, 64)
        real("temperature", self.temperature, 0, 100)
        if not isinstance(self.draft, str) or not self.draft:
            raise BadParameter(f"draft must name a model; got {self.draft!r}")

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts of the small one, which is loaded now."""
        small = draft_model(self.draft, model)
        can_forget(model)
        can_forget(small)

        def answer(batch: Batch) -> Sequence[int]:
            uniform = uniforms(generator(context.seed, int(batch.ids[0])))
            target, drafter = model.read(batch), small.read(batch)
            drafter.prompt(batch)
            first = law(target.prompt(batch)[0], self.temperature)
            grown = [int(drawn(first, uniform(1)[0]))]
            unread = grown[:]
            while len(grown) < batch.length and grown[-1] not in batch.ends:
                length = min(self.tokens, batch.length - len(grown))
                shape = self.drafts, length
                found = branched(drafter, unread, shape, self.temperature, uniform)
                new, branch = self._chosen(target, grown[-1], found, uniform)
                right = min(len(new), length) - 1
                rewound(drafter, branch, right, of=length - 1)
                unread = new[right:]
                grown += ended(new, batch.ends)
            return grown

        return alone(model, answer)

    def _chosen(
        self, target: Reader, last: int, found: Branches, uniform: Uniform
    ) -> tuple[list[int], int]:
        """What the text grows by, and a branch that begins with it; the target keeps that much."""
        tree, places = merged(found.tokens)
        tokens = torch.tensor([[last, *tree.tokens]], device=found.laws.device)
        laws = law(target.tree(tokens, tree.tree.rooted)[0], self.temperature)
        paths = [[0, *(node + 1 for node in nodes)] for nodes in places]
        new, branch = verified(found, [laws[path] for path in paths], uniform)
        target.keep(paths[branch][: len(new)], of=tokens.shape[1])
        return new, branch
