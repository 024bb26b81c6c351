"""Prompt lookup as transformers does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.alone import alone
from tokonomy_methods.decoding.generation import generate, plain
from tokonomy_methods.decoding.parameters import whole

CARD = MethodCard(
    id="hf-prompt-lookup",
    title="Prompt lookup (transformers)",
    families=("decoding",),
    summary="transformers' own assisted generation, with drafts from the text so far.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1",),
    code="huggingface/transformers",
    code_licence="Apache-2.0",
    differences=(
        "None in the rule: generate() of the installed transformers is called. Its loop around the "
        "model is part of what is measured, and heavier than the project's own.",
        "Against the original rule, see prompt-lookup: two tokens are looked for at most instead "
        "of three, a continuation may be shorter than asked for and may run into the tokens looked "
        "for, and it stops before a token that ends the answer.",
        "Generation settings that come with a checkpoint, such as sampling or penalties, are laid "
        "aside.",
    ),
    sweep=({"tokens": 4}, {"tokens": 10}, {"tokens": 20}, {"tokens": 10, "longest": 3}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class HfPromptLookup:
    """Ask transformers to look up the last tokens earlier in the text.

    Attributes:
        tokens: Length of a draft at most.
        longest: Most tokens that are looked for, tried first.
    """

    tokens: int = 10
    longest: int = 2
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("tokens", self.tokens, 1, 1024)
        whole("longest", self.longest, 1, 1024)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model as transformers drives it."""
        context.enter(plain(model))
        settings = {
            "prompt_lookup_num_tokens": self.tokens,
            "max_matching_ngram_size": self.longest,
        }
        return alone(model, lambda batch: generate(model, batch, settings))
