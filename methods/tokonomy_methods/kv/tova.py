"""TOVA: the row that the last query attends to least goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="tova",
    title="TOVA",
    families=("kv",),
    summary="Rows that the last query attends to least, on average over heads, are dropped.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    paper="2401.06104",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "With variant='prompt' the score is kvpress': attention of the prompt's last query, mean "
        "over all heads of a block, so that all heads keep the same rows; the last row stays, "
        "which the paper's code (schwartz-lab-NLP/TOVA) does not ask for.",
        "With variant='decode' the same rule is applied after every token of the answer too, as in "
        "the paper, so that the cache does not grow. kvpress has no such variant.",
    ),
    sweep=(
        {"keep": 0.75, "question": 1},
        {"keep": 0.5, "question": 1},
        {"keep": 0.25, "question": 1},
        {"keep": 0.1, "question": 1},
        {"keep": 0.5, "question": 16},
        {"keep": 0.25, "question": 16},
        {"keep": 0.1, "question": 16},
        {"keep": 0.25},
        {"keep": 0.5, "question": 1, "variant": "decode"},
        {"keep": 0.25, "question": 1, "variant": "decode"},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Tova(Eviction):
    """Ask the last query.

    Attributes:
        variant: ``"prompt"`` evicts once, after the prompt; ``"decode"`` after each token as well.
    """

    variant: Literal["prompt", "decode"] = "prompt"
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        if self.variant not in ("prompt", "decode"):
            raise BadParameter(f"variant must be 'prompt' or 'decode'; got {self.variant!r}")
        Eviction.__post_init__(self)

    @property
    def steps(self) -> bool:
        """As the variant says."""
        return self.variant == "decode"

    def pins(self, room: int) -> tuple[int, int]:
        """The last row stays."""
        return 0, 1

    def score(self, seen: Seen) -> Tensor:
        """Attention of the last query."""
        return scores.last(seen.queries(1), seen.keys, seen.scale)
