"""Prompt lookup decoding: what followed these tokens before may follow again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.drafts import NOTHING, Draft, chain
from tokonomy_methods.decoding.speculate import speculative

CARD = MethodCard(
    id="prompt-lookup",
    title="Prompt lookup decoding",
    families=("decoding",),
    summary="The tokens that followed an earlier occurrence of the last few are the draft.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1",),
    code="apoorvumang/prompt-lookup-decoding",
    code_licence="none",
    differences=(
        "Written anew from the rule: for n from the longest down, the first earlier occurrence of "
        "the last n tokens whose whole continuation exists is drafted. The original runs inside "
        "assisted generation of transformers; here the draft is read by the project's own loop.",
        "The rule that transformers uses under the same name is another one; see hf-prompt-lookup.",
    ),
    claims=(
        Claim(
            model="Mistral-7B-Instruct-v0.1",
            dataset="CNN/DailyMail and HAGRID",
            setting="n = 3, 10 tokens, greedy",
            metric="speed-up",
            value=2.4,
            unit="x",
            hardware="A100 40 GB",
            source="README of the repository",
        ),
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="n = 3, 10 tokens, greedy, fp16",
            metric="speed-up",
            value=1.66,
            unit="x",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
    ),
    sweep=({"tokens": 4}, {"tokens": 10}, {"tokens": 20}, {"tokens": 10, "longest": 2}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLookup:
    """Look for the last tokens earlier in the text.

    Attributes:
        tokens: Length of a draft.
        longest: Most tokens that are looked for, tried first.
    """

    tokens: int = 10
    longest: int = 3
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        for name in ("tokens", "longest"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 1024:
                raise BadParameter(f"{name} must be a whole number from 1 to 1024; got {value!r}")

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts from its own text."""
        return speculative(model, lambda: self)

    def propose(self, tokens: Sequence[int]) -> Draft:
        """The continuation of the first earlier occurrence, if it is there in full."""
        text = list(tokens)
        for size in range(min(self.longest, len(text) - 1), 0, -1):
            last = text[-size:]
            for start in range(len(text) - size - self.tokens + 1):
                begin = start + size
                if text[start] == last[0] and text[start:begin] == last:
                    return chain(text[begin : begin + self.tokens])
        return NOTHING

    def observe(self, fed: Sequence[int], logits: Tensor, accepted: Sequence[int]) -> None:
        """Nothing is kept: the text itself is the memory."""
