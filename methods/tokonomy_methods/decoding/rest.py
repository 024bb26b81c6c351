"""REST: what followed the longest run of last tokens in a store of text is the draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.drafts import NOTHING, Draft
from tokonomy_methods.decoding.parameters import whole
from tokonomy_methods.decoding.speculate import speculative
from tokonomy_methods.decoding.suffixes import Suffixes, frequent
from tokonomy_methods.decoding.warm import texts

CARD = MethodCard(
    id="rest",
    title="REST",
    families=("decoding",),
    summary="The most frequent continuations, in a store of text, of the longest run of last "
    "tokens that it holds are drafted as a tree.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1", "a train split"),
    paper="2311.08252",
    code="FasterDecoding/REST",
    code_licence="Apache-2.0",
    differences=(
        "The store is of training prompts of the task and the model's own answers to them; the "
        "published figures use gigabytes of chats or code.",
        "One suffix array, sorted only as deep as a query and what follows it reach; the reference "
        "sorts whole suffixes, in chunks, and takes its 5,000 hits from each.",
        "The draft is exactly the most frequent prefixes; of equals the shorter comes first, then "
        "the one of lower tokens. In the reference a hash table's order decides, paths of many "
        "different tokens are dropped until the tree fits, and it can fail to.",
        "Nothing is drafted where nothing is found; the reference drafts the token 100.",
        "Greedy only.",
    ),
    claims=(
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="UltraChat store of 12 GB, greedy, fp16",
            metric="speed-up",
            value=1.48,
            unit="x",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="UltraChat store of 12 GB, greedy, fp16",
            metric="acceptance length",
            value=1.82,
            unit="tokens",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
    ),
    sweep=(
        {"nodes": 4},
        {"nodes": 8},
        {"nodes": 16},
        {"nodes": 64},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Draft what followed in a store.

    Attributes:
        nodes: Nodes of a draft at most.
        longest: Most last tokens that are looked for.
        shortest: Fewest.
        tokens: Length of a continuation.
        hits: Places that are looked at, at most.
        warm: Training prompts in the store, at most, each with its answer.
    """

    nodes: int = 64
    longest: int = 16
    shortest: int = 2
    tokens: int = 10
    hits: int = 5000
    warm: int = 64
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("nodes", self.nodes, 1, 1024)
        whole("longest", self.longest, 1, 256)
        whole("shortest", self.shortest, 1, 256)
        whole("tokens", self.tokens, 1, 256)
        whole("hits", self.hits, 1, 1_000_000)
        whole("warm", self.warm, 1, 1_000_000)
        if self.shortest > self.longest:
            raise BadParameter(
                f"shortest must be at most longest, {self.longest}; got {self.shortest}"
            )

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts from a store of training text."""
        stream = list(chain(*chain(*texts(model, context, self.warm))))
        store = Suffixes.of(stream, self.longest + self.tokens)
        return speculative(model, lambda: Retrieval(self, store))


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A store that requests only read."""

    method: Rest
    store: Suffixes

    def propose(self, tokens: Sequence[int]) -> Draft:
        """The most frequent continuations of the last tokens."""
        method = self.method
        places, size = self.store.longest(tokens, method.shortest, method.longest, method.hits)
        if not size:
            return NOTHING
        return frequent(self.store.following(places, method.tokens), method.nodes)

    def observe(self, fed: Sequence[int], logits: Tensor, accepted: Sequence[int]) -> None:
        """Nothing is learnt: the store stays as it is."""
