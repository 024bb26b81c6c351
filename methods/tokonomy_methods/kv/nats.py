"""NAtS: each token gets a role that says how long it is seen; what gives roles is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import DynamicCache

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict
from tokonomy_methods.kv import roles
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.reader import Forgetful
from tokonomy_methods.kv.seen import Seen, State, patched

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
        "A local row is read as seen by all queries up to the next global row, that one included, "
        "within the window; whether the original includes that one was not checked.",
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
_LENGTH = 512  # tokens of a text that are trained on, the last ones


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Nats:
    """Learn how long tokens are seen.

    Attributes:
        sparsity: Weight of the penalty on what is seen.
        window: How far back sliding and local rows are seen.
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
        texts = list(islice(cycle(_texts(model, context, self.steps)), self.steps))
        with torch.inference_mode(False), torch.enable_grad():
            scorers = self.trained(model, [text.clone() for text in texts], context.seed)
        return Forgetful(
            module=model.module,
            tokenizer=model.tokenizer,
            policy=Roles(scorers=scorers, window=self.window),
            seed=context.seed,
        )

    def trained(self, model: LanguageModel, texts: Sequence[Tensor], seed: int) -> list[Tensor]:
        """Weights of one layer for each block, [3 * H, C], after a step on each text [1, n]."""
        tensors = {name: each.detach().clone() for name, each in _tensors(model.module)}
        scorers = [_blank(layer.self_attn) for layer in model.layers]
        optimiser = torch.optim.Adam(scorers, lr=self.rate)
        generator = torch.Generator().manual_seed(seed % 2**63)
        for text in texts:
            learner = Learner(scorers=scorers, window=self.window, generator=generator)
            loss = _likelihood(model, tensors, text, learner)
            loss = loss + self.sparsity * torch.stack(learner.shares).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # torch
            optimiser.step()
        return [scorer.detach() for scorer in scorers]


def _texts(model: LanguageModel, context: Context, wanted: int) -> list[Tensor]:
    """Prompts of the train split with the model's own answers, int64 [1, n] each."""
    found: list[Tensor] = []
    for batch in context.calibration() if wanted else ():
        for prompt, present, said in zip(
            batch.prompt, batch.present, _said(model, batch), strict=True
        ):
            text = torch.cat([prompt[present], said[said >= 0]])
            found.append(text[None, -_LENGTH:])
            if len(found) == wanted:
                return found
    return found


def _said(model: LanguageModel, batch: Batch) -> Tensor:
    return batch.given if batch.scores else model(batch)


def _tensors(module: Any) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _blank(block: Any) -> Tensor:
    heads = block.k_proj.out_features // block.head_dim
    weight = block.q_proj.weight
    shape = (3 * heads, block.q_proj.in_features)
    return torch.zeros(shape, dtype=torch.float32, device=weight.device, requires_grad=True)


def _likelihood(
    model: LanguageModel, tensors: dict[str, Tensor], text: Tensor, learner: Learner
) -> Tensor:
    """Mean negative log-likelihood of a text under drawn roles."""
    layers = len(model.layers)
    states = [
        State(layer=layer, layers=layers, ids=text, seed=0, prompt=text.shape[1])
        for layer in range(layers)
    ]
    asked = {"input_ids": text, "past_key_values": DynamicCache(), "use_cache": True}
    with patched(model, states, after=learner):
        logits = torch.func.functional_call(model.module, tensors, kwargs=asked).logits
    return F.cross_entropy(logits[0, :-1].float(), text[0, 1:])


def logits_of(scorer: Tensor, hidden: Tensor) -> Tensor:
    """Logits of the roles, float32 [B, H, n, 3]."""
    found = F.linear(hidden.float(), scorer)
    return found.view(*hidden.shape[:2], -1, 3).transpose(1, 2)


@dataclass(slots=True, kw_only=True)
class Learner:
    """Takes the place of attention in training.

    Attributes:
        scorers: Weights for each block.
        window: How far back sliding and local rows are seen.
        generator: Draws roles.
        shares: Mean share of visible pairs in each block of the last pass.
    """

    scorers: Sequence[Tensor]
    window: int
    generator: torch.Generator
    shares: list[Tensor] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Tensor:
        """What the block's attention gives under drawn roles, [B, n, C]."""
        logits = logits_of(self.scorers[seen.state.layer], seen.hidden)
        uniform = torch.rand(logits.shape, generator=self.generator).to(logits.device)
        drawn = roles.fixed(roles.sampled(logits, uniform), [0, -1])
        shown = roles.visible(drawn, seen.held, self.window)
        self.shares.append(shown.sum((-1, -2)).mean() / (seen.held * (seen.held + 1) / 2))
        found = roles.attended(
            seen.queries().float(), seen.keys.float(), seen.values.float(), seen.scale, shown
        )
        mixed = found.transpose(1, 2).flatten(2).to(seen.hidden.dtype)
        given: Tensor = seen.block.o_proj(mixed)
        return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The policy after training.

    Attributes:
        scorers: Weights for each block.
        window: How far back sliding and local rows are seen.
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
        new = roles.hard(logits_of(self.scorers[seen.state.layer], seen.hidden))
        before = seen.state.notes.get("roles")
        known = roles.fixed(new, [0]) if before is None else torch.cat([before, new], 2)
        seen.state.notes["roles"] = known
        shown = roles.visible(known, new.shape[2], self.window) > 0
        return shown.repeat_interleave(seen.block.num_key_value_groups, 1)
