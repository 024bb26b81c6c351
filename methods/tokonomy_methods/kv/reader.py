"""A language model that forgets: it reads the prompt, compresses what it read, and goes on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor
from transformers import DynamicCache

from tokonomy.errors import Unsupported
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Reader
from tokonomy_methods.kv.seen import Seen, State, patched


class Policy(Protocol):
    """Decides what is forgotten."""

    @property
    def question(self) -> int:
        """Tokens at the end of a prompt that are read only after it was compressed."""

    @property
    def steps(self) -> bool:
        """Whether ``after`` is called after every later pass as well."""

    @property
    def masks(self) -> bool:
        """Whether ``mask`` is called before every pass."""

    def after(self, seen: Seen) -> None:
        """Look at one block's attention after a pass, and drop rows of its cache."""

    def mask(self, seen: Seen) -> Tensor | None:
        """What new queries may look at, bool [B, Q, n, held + n]; None for all before them."""


@dataclass(frozen=True, kw_only=True)
class Forgetful(LanguageModel):
    """A model whose answers come from a cache under a policy.

    Attributes:
        policy: What is forgotten, and when.
        seed: Of the cell.
    """

    policy: Policy
    seed: int = 0

    def read(self, batch: Batch, *, cache: DynamicCache | None = None) -> Reader:
        """Begin with the prompts of a batch, unread as yet; raises ``Unsupported``."""
        check_prompts(self, batch, self.policy.question)
        reader = super().read(batch, cache=DynamicCache() if cache is None else cache)
        layers = len(self.layers)
        states = [
            State(
                layer=layer,
                layers=layers,
                ids=batch.ids,
                seed=self.seed,
                prompt=batch.prompt.shape[1] - self.policy.question,
            )
            for layer in range(layers)
        ]
        return Forgetting(model=self, cache=reader.cache, policy=self.policy, states=states)


def check_prompts(model: LanguageModel, batch: Batch, question: int) -> None:
    """Raise ``Unsupported`` where rows of a cache cannot be told apart by place alone."""
    length = batch.prompt.shape[1]
    if batch.padded:
        raise Unsupported("padded prompts: rows of a batch must have prompts of one length")
    if length <= question:
        raise Unsupported(
            f"short prompt: its last {question} tokens are the question, and it has {length} in all"
        )
    needed = length + max(batch.length, batch.given.shape[1] - 1)
    sight = getattr(model.module.config, "sliding_window", None)
    if sight is not None and needed >= sight:
        raise Unsupported(
            f"sliding window: the model looks back {sight} tokens only; "
            f"prompt and answer must be shorter, and have {needed}"
        )


@dataclass(slots=True, kw_only=True)
class Forgetting(Reader):
    """A reader under a policy; positions go on as if nothing had been forgotten."""

    policy: Policy
    states: list[State]

    def prompt(self, batch: Batch) -> Tensor:
        """Read the prompts but for the question, compress, read the question; logits, [B, V]."""
        asked = batch.prompt.shape[1] - self.policy.question
        with self._under_policy(after=True):
            context = replace(
                batch, prompt=batch.prompt[:, :asked], present=batch.present[:, :asked]
            )
            logits = Reader.prompt(self, context)
        return self.next(batch.prompt[:, asked:])[:, -1] if self.policy.question else logits

    def next(self, tokens: Tensor) -> Tensor:
        """Read tokens [B, n]; in one pass where one mask fits all blocks and nothing goes between.

        Returns:
            Logits after each, [B, n, V].
        """
        lengths = {self.cache.get_seq_length(state.layer) for state in self.states}
        single = self.policy.steps or (len(lengths) > 1 and not self.policy.masks)
        with self._under_policy(after=self.policy.steps):
            parts = [
                Reader.next(self, part)
                for part in torch.split(tokens, 1 if single else tokens.shape[1], 1)
            ]
        return torch.cat(parts, 1)

    def _under_policy(self, *, after: bool) -> AbstractContextManager[None]:
        if not after and not self.policy.masks:
            return nullcontext()
        return patched(
            self.model,
            self.states,
            after=self.policy.after if after else None,
            mask=self.policy.mask if self.policy.masks else None,
        )
