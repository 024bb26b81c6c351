"""How roles are learnt: layers trained with the model frozen, roles drawn at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import DynamicCache

from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel
from tokonomy_methods.kv import roles
from tokonomy_methods.kv.seen import Seen, State, patched

_LENGTH = 512  # tokens of a text that are trained on, the last ones


def trained(
    model: LanguageModel,
    texts: Sequence[Tensor],
    *,
    window: int,
    sparsity: float,
    rate: float,
    seed: int,
) -> list[Tensor]:
    """Weights of one layer for each block, [3 * H, C], after a step on each text [1, n].

    The loss is the mean negative log-likelihood of the text and ``sparsity`` times the mean share
    of pairs of rows that are visible. What of the model is needed is copied: weights made in
    inference mode take no part in gradients.
    """
    tensors = {name: each.detach().clone() for name, each in _tensors(model.module)}
    scorers = [_blank(layer.self_attn) for layer in model.layers]
    optimiser = torch.optim.Adam(scorers, lr=rate)
    generator = torch.Generator().manual_seed(seed % 2**63)
    for text in texts:
        learner = Learner(scorers=scorers, window=window, generator=generator)
        loss = unlikelihood(model, tensors, text, learner)
        loss = loss + sparsity * torch.stack(learner.shares).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch
        optimiser.step()
    return [scorer.detach() for scorer in scorers]


def texts_of(model: LanguageModel, context: Context, wanted: int) -> list[Tensor]:
    """Prompts of the train split with the model's own answers, int64 [1, n] each."""
    found: list[Tensor] = []
    for batch in context.calibration() if wanted else ():
        for prompt, present, said in zip(
            batch.prompt, batch.present, _said(model, batch), strict=True
        ):
            text = torch.cat([prompt[present], said[said >= 0]])
            found += [text[None, -_LENGTH:]] if len(text) > 1 else []
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


def unlikelihood(
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
        logits = roles.logits(self.scorers[seen.state.layer], seen.hidden)
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
