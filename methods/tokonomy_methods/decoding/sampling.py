"""Sampling: the next token drawn from the model's own law, at a temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.decoding.alone import generator
from tokonomy_methods.decoding.laws import Uniform, drawn, law, uniforms
from tokonomy_methods.decoding.parameters import real

CARD = MethodCard(
    id="sampling",
    title="Sampling at a temperature",
    families=("decoding",),
    summary="Each token is drawn from the model's softmax at a temperature, one for each pass.",
    kind="training-free",
    lossless="distribution",
    effect="none",
    alters=("choice of tokens",),
    differences=(
        "There is no paper to follow: it is what other methods that sample are compared with.",
        "Draws invert the cumulated law in float64, with numbers from a generator for each "
        "request, seeded from the cell and the request, so that a request is always answered "
        "alike, whatever it is batched with.",
        "Temperature 0 stands for the likeliest token. There is no top-k and no top-p.",
    ),
    sweep=(
        {"temperature": 0.3},
        {"temperature": 0.6},
        {"temperature": 1.0},
        {"temperature": 1.5},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Draw instead of taking the likeliest.

    Attributes:
        temperature: Logits are divided by it; 0 takes the likeliest token.
    """

    temperature: float = 1.0
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        real("temperature", self.temperature, 0, 100)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model's loop with draws; a continuation that is only scored is left to the model."""

        def predict(batch: Batch) -> Tensor:
            if batch.scores:
                return model(batch)
            draws = [uniforms(generator(context.seed, request)) for request in batch.ids.tolist()]
            return sampled(model, batch, self.temperature, draws)

        return predict


def sampled(model: LanguageModel, batch: Batch, temperature: float, draws: list[Uniform]) -> Tensor:
    """Drawn tokens, one after the other; int64 [B, length], -1 after the end.

    Args:
        model: The model.
        batch: Prompts, padded or not.
        temperature: Of the law that is drawn from.
        draws: Random numbers of each request.
    """
    reader = model.read(batch)
    logits = reader.prompt(batch)
    out = torch.full((len(batch), batch.length), -1, device=logits.device)
    ends = torch.tensor(batch.ends, device=logits.device)
    going = torch.ones(len(batch), dtype=torch.bool, device=logits.device)
    for place in range(batch.length):
        token = drawn(law(logits, temperature), torch.cat([draw(1) for draw in draws]))
        out[going, place] = token[going]
        going = going & ~torch.isin(token, ends)
        if place + 1 == batch.length or not bool(going.any()):
            break
        logits = reader.next(token[:, None])[:, 0]
    return out
