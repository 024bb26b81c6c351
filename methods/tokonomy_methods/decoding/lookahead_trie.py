"""Lookahead with a trie: branches of the prompt and of earlier answers, merged into one tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.drafts import NOTHING, Draft
from tokonomy_methods.decoding.parameters import real, whole
from tokonomy_methods.decoding.speculate import speculative
from tokonomy_methods.decoding.trie import Below, Store, heaviest, insert
from tokonomy_methods.decoding.warm import texts

CARD = MethodCard(
    id="lookahead-trie",
    title="Lookahead (trie)",
    families=("decoding",),
    summary="What followed the last two tokens, or the last one, in the prompt and in answers is "
    "drafted as one tree.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1",),
    paper="2312.12728",
    code="alipay/PainlessInferenceAcceleration",
    code_licence="MIT",
    differences=(
        "Every request starts with an empty trie or, if warm, with the trie after the model's "
        "answers to so many training prompts; the reference keeps one trie for all requests and "
        "is warmed on the train split in its published figures.",
        "Where more nodes follow than fit, the heaviest are drafted; the reference walks depth "
        "first past thresholds from quotas (32 output nodes by default), whose book-keeping "
        "depends on the order of insertion.",
        "Counts of the prompt are kept apart from those of earlier answers and dropped with the "
        "request, branches of a first token being made when it is first looked for; the reference "
        "keeps them in one trie under the number of the request and sets them to zero at its end.",
        "Pruning follows the reference (above 512 nodes below a first token, once 1,024 of these "
        "were met, counts are halved and what was said once is dropped). Its other bound, of "
        "65,536 nodes with those of prompts, cannot be reached here.",
        "Prompts are not cut at a token that ends an answer.",
        "The mode with one merged tree and greedy decoding only; the sampled one, and the modes "
        "with separate branches, are left out.",
    ),
    claims=(
        Claim(
            model="Llama2-7B-chat",
            dataset="Dolly-15k",
            setting="trie warmed on the train split",
            metric="speed-up",
            value=2.06,
            unit="x",
            hardware="A100",
            source="README of the repository",
        ),
        Claim(
            model="Llama2-7B-chat",
            dataset="GSM8k",
            setting="trie warmed on the train split",
            metric="speed-up",
            value=2.69,
            unit="x",
            hardware="A100",
            source="README of the repository",
        ),
    ),
    atlas=("S090",),
    sweep=(
        {"tokens": 8},
        {"tokens": 16},
        {"tokens": 32},
        {"tokens": 64},
        {"tokens": 16, "warm": 24},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class LookaheadTrie:
    """Draft what followed the last tokens.

    Attributes:
        tokens: Tokens read in a pass at most, the last one of the text among them.
        branch: Levels of a draft at most.
        query: Last tokens that are looked for, at most.
        weight: Of a time in an answer, beside 1 minus that for a time in the prompt.
        warm: Training prompts whose answers are in the trie before the first request.
    """

    tokens: int = 64
    branch: int = 12
    query: int = 2
    weight: float = 1e-4
    warm: int = 0
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("tokens", self.tokens, 2, 1024)
        whole("branch", self.branch, 1, 256)
        whole("query", self.query, 1, 8)
        real("weight", self.weight, 0, 1)
        whole("warm", self.warm, 0, 1_000_000)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts from its own words."""
        store = Store(self.branch + 1)
        for _, said in texts(model, context, self.warm):
            store.add(said)
        return speculative(model, lambda: Lookup(self, store))


@dataclass(slots=True)
class Lookup:
    """One request's branches, over those of a store that stays as it is."""

    method: LookaheadTrie
    store: Store
    _prompt: list[int] = field(default_factory=list)
    _places: dict[int, list[int]] = field(default_factory=dict)
    _own: dict[int, Below] = field(default_factory=dict)
    _streamed: int = 0  # places of the answer whose branches are in

    def propose(self, tokens: Sequence[int]) -> Draft:
        """What followed the last tokens, of fewer of them if that is little."""
        method, draft = self.method, NOTHING
        self._read(tokens)
        for size in range(min(method.query, len(tokens)), 0, -1):
            found = self._after(tokens[len(tokens) - size :])
            draft = heaviest(found, method.tokens - 1, method.branch, method.weight)
            if 1 + len(draft) >= method.branch:
                break
        return draft

    def observe(self, fed: Sequence[int], logits: Tensor, accepted: Sequence[int]) -> None:
        """Nothing is kept: the next text holds it."""

    def _read(self, tokens: Sequence[int]) -> None:
        """Take in the prompt, at first, and the branches of the answer that are whole by now."""
        if not self._prompt:
            self._prompt = list(tokens[:-1])
            for place, token in enumerate(self._prompt[:-1]):
                self._places.setdefault(token, []).append(place)
        long = self.store.branch
        begin = len(self._prompt)
        for place in range(begin + self._streamed, len(tokens) - long):
            branch = tokens[place + 1 : place + 1 + long]
            insert(self._following(tokens[place]), branch, said=1)
            self._streamed += 1

    def _following(self, first: int) -> Below:
        """This request's branches after a token, made when first asked for."""
        below = self._own.get(first)
        if below is None:
            below = self._own[first] = {}
            for place in self._places.get(first, ()):
                branch = self._prompt[place + 1 : place + 1 + self.store.branch]
                insert(below, branch, asked=1)
        return below

    def _after(self, suffix: Sequence[int]) -> list[Below]:
        first, *rest = suffix
        found = [self._following(first), self.store.trees.get(first, {})]
        for token in rest:
            found = [below[token].below for below in found if token in below]
        return found
