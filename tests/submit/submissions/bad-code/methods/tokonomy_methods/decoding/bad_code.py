"""Bad code: say in a sentence how it works."""

from __future__ import annotations

import pickle
import socket
import subprocess as sub
from time import perf_counter

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.drafts import Draft, chain
from tokonomy_methods.decoding.parameters import whole
from tokonomy_methods.decoding.speculate import speculative

CARD = MethodCard(
    id="bad-code",
    title="Bad code",
    families=("decoding",),
    summary="Drafts the last tokens of the text once more; the model checks them in one pass.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1",),
    differences=("none: it has no reference implementation",),
    sweep=({"tokens": 2}, {"tokens": 4}, {"tokens": 8}, {"tokens": 16}),
)


def guess(text: Sequence[int], tokens: int) -> Sequence[int]:
    """What may follow a text; a wrong guess costs time and changes no answer.

    Args:
        text: Token ids, prompt included.
        tokens: How many are wanted at most.
    """
    return text[-tokens:]  # replace this line


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class BadCode:
    """Draft a chain of tokens.

    Attributes:
        tokens: Tokens of a draft, at most.
    """

    tokens: int = 8
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("tokens", self.tokens, 1, 1024)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts from the text itself."""
        return speculative(model, lambda: self)

    def propose(self, tokens: Sequence[int]) -> Draft:
        """Guess what follows."""
        return chain(list(guess(tokens, self.tokens)))

    def observe(self, fed: Sequence[int], logits: Tensor, accepted: Sequence[int]) -> None:
        """Nothing is learnt; a drafter that learns is made anew for each request."""


STATE = eval("1")
WEIGHTS = torch.load("weights.bin")
MODEL = AutoModel.from_pretrained("a/b", trust_remote_code=True)
BACK = ().__class__.__subclasses__()
