"""NAtS: each token gets a role that says how long it is seen; what gives roles is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.kv import roles
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.reader import Forgetful
from tokonomy_methods.kv.role_training import texts_of, trained
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="nats",
    title="NAtS: neural attention search (simulated)",
    families=("kv",),
    summary="A linear layer in each block makes every token global, local or sliding in each head, "
    "which says how long later queries see it; rows out of sight are hidden, not dropped.",
    kind="trained",
    lossless="lossy",
    effect="masked",
    alters=("attention in the prompt and after it",),
    needs=(
        "prompts of one length in a batch",
        "an attention kernel that takes a mask per head",
        "a train split",
    ),
    paper="2502.13251",
    code="automl/NeuralAttentionSearch",
    code_licence="not seen",
    differences=(
        "No trained weights are public that were found: the layers are trained in preparation, on "
        "prompts of the train split and the model's own answers to them, 100 texts by default "
        "where the original takes 7000 steps on a model of 8B parameters.",
        "Simulated: the original drops rows with kernels and a cache of its own; here attention "
        "gets a mask, and no memory is saved.",
        "As in the original the model itself is frozen, roles are drawn by a straight-through "
        "Gumbel-softmax of temperature 1 in training and are the likeliest ones after it, and the "
        "first and the last token of a text are global in training. Here the first stays global "
        "after it.",
        "A local row is seen by all queries up to the next global one, that one included, and a "
        "sliding one by the next window rows, as in the original's kernels for whole texts; its "
        "kernel for single queries was not checked.",
        "The penalty is the mean share of visible pairs times sparsity. The original's, of weight "
        "5e-7, is of another scale.",
        "Layers begin at zero, where every token is global, so that with steps=0 nothing is "
        "hidden; Adam, learning rate 2e-3 as in the original, without a schedule.",
    ),
    atlas=("S242",),
    sweep=(
        {"sparsity": 0.1, "window": 32},
        {"sparsity": 0.3, "window": 32},
        {"sparsity": 1.0, "window": 32},
        {"sparsity": 3.0, "window": 32},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Nats:
    """Learn how long tokens are seen.

    Attributes:
        sparsity: Weight of the penalty on what is seen.
        window: How many rows after it see a sliding row.
        steps: Texts to train on, one a step.
        rate: Learning rate.
    """

    sparsity: float = 1.0
    window: int = 256
    steps: int = 100
    rate: float = 2e-3
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("window", self.window, 1)
        check_whole("steps", self.steps)
        for name in ("sparsity", "rate"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value <= 1000:
                raise BadParameter(f"{name} must be a number from 0 to 1000; got {value!r}")

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """Train the layers that give roles; the model with attention masked by them."""
        found = texts_of(model, context, self.steps)
        if self.steps and not found:
            raise Unsupported("no texts: the train split has no prompt of two tokens to learn from")
        texts = list(islice(cycle(found), self.steps))
        with torch.inference_mode(False), torch.enable_grad():
            scorers = trained(
                model,
                [text.clone() for text in texts],
                window=self.window,
                sparsity=self.sparsity,
                rate=self.rate,
                seed=context.seed,
            )
        return Forgetful(
            module=model.module,
            tokenizer=model.tokenizer,
            policy=Roles(scorers=scorers, window=self.window),
            seed=context.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The policy after training.

    Attributes:
        scorers: Weights for each block.
        window: How many rows after it see a sliding row.
    """

    scorers: Sequence[Tensor]
    window: int
    question: int = 0
    steps: bool = False
    masks: bool = True

    def after(self, seen: Seen) -> None:
        """Nothing goes for good."""

    def mask(self, seen: Seen) -> Tensor | None:
        """What the roles of all rows so far let new queries see."""
        new = roles.hard(roles.logits(self.scorers[seen.state.layer], seen.hidden))
        before = seen.state.notes.get("roles")
        known = roles.fixed(new, [0]) if before is None else torch.cat([before, new], 2)
        seen.state.notes["roles"] = known
        shown = roles.visible(known, new.shape[2], self.window) > 0
        return shown.repeat_interleave(seen.block.num_key_value_groups, 1)
