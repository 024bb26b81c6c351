"""Early exit: the first blocks draft, the whole model verifies."""

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
from tokonomy_methods.decoding.alone import alone, can_forget
from tokonomy_methods.decoding.drafts import Draft, chain
from tokonomy_methods.decoding.early import early, forget
from tokonomy_methods.decoding.parameters import whole
from tokonomy_methods.decoding.verify import ended, greedy

CARD = MethodCard(
    id="early-exit",
    title="Self-speculation by early exit",
    families=("decoding",),
    summary="The first blocks with the final norm and head draft tokens; the whole model verifies.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding",),
    needs=("batch 1", "weights trained to speak after early blocks, to be of use"),
    paper="2404.16710",
    differences=(
        "Written from the idea as the abstract of LayerSkip states it. Training with layer "
        "dropout and a loss at early exits is no part of the method here; weights without it "
        "draft badly.",
        "Keys and values that drafting leaves in the first blocks' layers of the cache are taken "
        "out again, and the verifying pass reads all tokens with all blocks; LayerSkip shares "
        "compute and activations between the two.",
        "A draft has a fixed number of tokens.",
        "S2D's sorted drafts (arXiv 2407.01955), where exits of one separate draft model serve "
        "several models and confidence chooses among them, are not part of it.",
    ),
    claims=(
        Claim(
            model="Llama trained with LayerSkip",
            dataset="CNN/DailyMail",
            setting="best, summarisation",
            metric="speed-up",
            value=2.16,
            unit="x",
            source="abstract of arXiv 2404.16710",
        ),
        Claim(
            model="Llama trained with LayerSkip",
            dataset="coding",
            setting="best",
            metric="speed-up",
            value=1.82,
            unit="x",
            source="abstract of arXiv 2404.16710",
        ),
        Claim(
            model="Llama trained with LayerSkip",
            dataset="TOPv2",
            setting="best, semantic parsing",
            metric="speed-up",
            value=2.0,
            unit="x",
            source="abstract of arXiv 2404.16710",
        ),
    ),
    sweep=({"tokens": 1}, {"tokens": 2}, {"tokens": 4}, {"tokens": 8}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyExit:
    """Draft with the first blocks.

    Attributes:
        tokens: Length of a draft.
        exit: Blocks that draft.
    """

    tokens: int = 4
    exit: int = 2
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("tokens", self.tokens, 1, 64)
        whole("exit", self.exit, 1, 1024)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with drafts of its own first blocks."""
        can_forget(model)
        if self.exit > len(model.layers):
            raise BadParameter(
                f"exit must be at most the model's {len(model.layers)} blocks; got {self.exit}"
            )

        def answer(batch: Batch) -> Sequence[int]:
            reader = model.read(batch)
            grown = [int(reader.prompt(batch).argmax())]
            while len(grown) < batch.length and grown[-1] not in batch.ends:
                draft = self._draft(reader, grown[-1], batch.length - len(grown) - 1)
                fed = torch.tensor([[grown[-1], *draft.tokens]], device=batch.prompt.device)
                nodes, new = greedy(draft, reader.tree(fed, draft.tree.rooted)[0])
                reader.keep(range(len(nodes) + 1), of=fed.shape[1])
                grown += ended(new, batch.ends)
            return grown

        return alone(model, answer)

    def _draft(self, reader: Reader, last: int, most: int) -> Draft:
        """What the first blocks say after the last token, up to ``most`` tokens."""
        tokens = [last]
        for ahead in range(min(self.tokens, most)):
            tokens.append(int(early(reader, tokens[-1], ahead, self.exit).argmax()))
        forget(reader, len(tokens) - 1, self.exit)
        return chain(tokens[1:])
