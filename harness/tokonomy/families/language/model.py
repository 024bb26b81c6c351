"""A causal language model as methods see it.

Works on the models of transformers whose blocks hold ``self_attn`` and ``mlp`` as in Llama, Qwen
and Mistral.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache

from tokonomy.errors import BadCheckpoint, BadData
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.tree import Tree

Predict = Callable[[Batch], Tensor]


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """Weights with what is needed to feed them.

    Attributes:
        module: A transformers causal language model in eval mode.
        tokenizer: Its tokenizer, or None where batches are made by hand.
    """

    module: Any
    tokenizer: Any = None

    @property
    def layers(self) -> Sequence[Any]:
        """Transformer blocks, first to last."""
        layers = getattr(self.module.base_model, "layers", None)
        if not isinstance(layers, nn.ModuleList) or not hasattr(layers[0], "self_attn"):
            raise BadCheckpoint(
                f"expected a decoder with a list of layers as in Llama; "
                f"got {type(self.module.base_model).__name__}"
            )
        return list(layers)

    @property
    def vocabulary(self) -> int:
        """Tokens it can say."""
        size: int = self.module.config.vocab_size
        return size

    @property
    def positions(self) -> int:
        """Tokens it can read at most."""
        count: int = self.module.config.max_position_embeddings
        return count

    def read(self, batch: Batch, *, cache: DynamicCache | None = None) -> Reader:
        """Begin with the prompts of a batch, unread as yet."""
        needed = batch.prompt.shape[1] + max(batch.length, batch.given.shape[1] - 1)
        if needed > self.positions:
            raise BadData(
                f"a prompt of {batch.prompt.shape[1]} tokens and {needed - batch.prompt.shape[1]} "
                f"more do not fit the model's {self.positions} positions"
            )
        held = cache if cache is not None else DynamicCache(config=self.module.config)
        return Reader(model=self, cache=held, present=batch.present if batch.padded else None)

    def __call__(self, batch: Batch) -> Tensor:
        """What the model as it stands answers, token by token, always the likeliest."""
        return scored(self, batch) if batch.scores else continued(self, batch)


@dataclass(slots=True, kw_only=True)
class Reader:
    """A model in the midst of reading: its cache, and where the next tokens stand.

    Attributes:
        model: The model.
        cache: Keys and values of what was read; may hold less than that.
        present: False where padding was read, bool [B, seen]; None while there is none.
        seen: Tokens read so far, padding and forgotten ones included.
    """

    model: LanguageModel
    cache: DynamicCache
    present: Tensor | None = None
    seen: int = 0

    def prompt(self, batch: Batch) -> Tensor:
        """Read the prompts; logits after them, [B, V]."""
        positions = (batch.present.cumsum(1) - 1).clamp(min=0) if batch.padded else None
        self.seen = batch.prompt.shape[1]
        return self._forward(batch.prompt, positions, self.present, last=True)[:, -1]

    def next(self, tokens: Tensor) -> Tensor:
        """Read tokens [B, n] that follow each other; logits after each, [B, n, V]."""
        count = tokens.shape[1]
        positions = self.positions(torch.arange(count, device=tokens.device))
        if self.present is not None:
            self.present = F.pad(self.present, (0, count), value=True)
        self.seen += count
        return self._forward(tokens, positions, self.present)

    def positions(self, depth: Tensor) -> Tensor:
        """Positions of the next tokens, by how far they lie ahead [n], as [B, n]."""
        if self.present is None:
            return self.seen + depth[None]
        return self.present.sum(1, keepdim=True) + depth[None]

    def tree(self, tokens: Tensor, parents: Sequence[int]) -> Tensor:
        """Read a tree of tokens [1, n], each seeing what was read before and its ancestors.

        Args:
            tokens: The nodes, parents before children.
            parents: Place of each node's parent among them, -1 for none; a ``Tree`` where it is at
                hand already.

        Returns:
            Logits after each node, [1, n, V]. All nodes stay in the cache until ``keep``.
        """
        tree = parents if isinstance(parents, Tree) else Tree(parents)
        positions = self.positions(torch.tensor(tree.depths, device=tokens.device))
        mask = None  # a chain needs none of its own
        if not tree.straight:
            first: Any = self.cache.layers[0]
            mask = F.pad(tree.mask(first.keys), (first.get_seq_length(), 0))[None, None]
        self.seen += len(tree)
        return self._forward(tokens, positions, mask)

    def graph(self, tokens: Tensor, sees: Tensor, depth: Tensor) -> Tensor:
        """Read tokens [1, n], each seeing what was read before and those of the new it names.

        Args:
            tokens: The new tokens.
            sees: Which of them each one sees, itself included, bool [n, n].
            depth: How far each lies ahead of what was read, int64 [n].

        Returns:
            Logits after each, [1, n, V]. All tokens stay in the cache until ``keep``.
        """
        weight, positions = next(self.model.module.parameters()), self.positions(depth)
        mask = torch.zeros(sees.shape, dtype=weight.dtype, device=weight.device)
        mask.masked_fill_(~sees, torch.finfo(weight.dtype).min)
        held = self.cache.get_seq_length()
        self.seen += len(depth)
        return self._forward(tokens, positions, F.pad(mask, (held, 0))[None, None])

    def keep(self, rows: Sequence[int], of: int) -> None:
        """Keep these of the ``of`` tokens that were read last, in this order, forget the others."""
        if len(rows) == of:
            return
        self.seen -= of - len(rows)
        straight = list(rows) == list(range(len(rows)))
        layers: list[Any] = self.cache.layers
        chosen = torch.tensor(rows, dtype=torch.int64, device=layers[0].keys.device)
        for layer in layers:
            for name in ("keys", "values"):
                held = getattr(layer, name)
                last = held[..., held.shape[-2] - of :, :]  # read just now: memory of its own
                if not straight:
                    last[..., : len(rows), :] = last[..., chosen, :]
                setattr(layer, name, held[..., : held.shape[-2] - of + len(rows), :])

    def _forward(
        self, tokens: Tensor, positions: Tensor | None, mask: Tensor | None, *, last: bool = False
    ) -> Tensor:
        logits: Tensor = self.model.module(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1 if last else 0,
        ).logits
        return logits


def continued(model: LanguageModel, batch: Batch) -> Tensor:
    """The likeliest tokens, one after the other; int64 [B, length], -1 after the end."""
    reader = model.read(batch)
    token = reader.prompt(batch).argmax(-1)
    out = torch.full((len(batch), batch.length), -1, device=token.device)
    ends = torch.tensor(batch.ends, device=token.device)
    going = torch.ones(len(batch), dtype=torch.bool, device=token.device)
    for place in range(batch.length):
        out[going, place] = token[going]
        going = going & ~torch.isin(token, ends)
        if place + 1 == batch.length or not bool(going.any()):
            break
        token = reader.next(token[:, None])[:, 0].argmax(-1)
    return out


def scored(model: LanguageModel, batch: Batch) -> Tensor:
    """Log-probability of each given token and whether it is the likeliest; float32 [B, F, 2]."""
    reader = model.read(batch)
    after = [reader.prompt(batch)[:, None]]
    if batch.given.shape[1] > 1:
        after.append(reader.next(batch.given[:, :-1].clamp(min=0)))
    return judged(torch.cat(after, 1), batch.given)


def judged(logits: Tensor, given: Tensor) -> Tensor:
    """Log-probabilities of tokens under the logits before them.

    Args:
        logits: Before each token, [B, F, V].
        given: The tokens, int64 [B, F], -1 where there is none.

    Returns:
        Log-probability and whether the token is the likeliest, float32 [B, F, 2]; zeros for none.
    """
    there = given >= 0
    chosen = given.clamp(min=0)
    each = logits.float().log_softmax(-1).gather(-1, chosen[..., None])[..., 0]
    greedy = logits.argmax(-1) == chosen
    return torch.stack([each * there, (greedy & there).float()], -1)
