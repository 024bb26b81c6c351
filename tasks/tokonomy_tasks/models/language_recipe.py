"""How the embedded language models are trained: one plain loop over a mixture, seeded.

Nothing here knows about decoding or caches. What is special is written down where it is done:
heads that copy are laid out before training, and the middle of the model is trained to speak too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from tokonomy_tasks.language import generated, text
from tokonomy_tasks.models.llama import learn_tokenizer
from tokonomy_tasks.models.recipe import Progress, share

Ids = NDArray[np.int64]
Sample = tuple[Ids, NDArray[np.float32]]  # tokens [T + 1]; weights of the loss [T]

_SOURCE_CHARACTERS = 4000  # of each module, for the tokenizer
_ASKED = 4.0  # weight of a token that answers
_AROUND = 0.1  # and of the text around it


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageRecipe:
    """Settings of a training.

    Attributes:
        steps: Optimiser steps.
        tokens: Tokens of a step.
        context: Tokens of a sequence.
        longer: Share of the steps, at the end, in which sequences are twice as long.
        rate: Peak learning rate of AdamW.
        decay: Weight decay.
        warmup: Share of the steps over which the rate rises; it then falls as a cosine.
        exits: Blocks after which the model is trained to speak as well.
        exit_weight: Weight of the loss of each.
    """

    steps: int
    tokens: int = 2048
    context: int = 512
    longer: float = 0.1
    rate: float = 2e-3
    decay: float = 0.1
    warmup: float = 0.02
    exits: tuple[int, ...] = ()
    exit_weight: float = 0.25


def tokenizer() -> Tokenizer:
    """The tokenizer of all embedded language models; takes a second."""
    passages = [*text.reference("train")] * 4
    modules = [module[:_SOURCE_CHARACTERS] for module in text.sources("train")]
    return learn_tokenizer([*passages, *modules], [*generated.NAMES, *generated.CODES])


class Mixture:
    """Training sequences: passages, modules, repetitions, codes to be recalled and sums."""

    def __init__(self, tokenizer: Tokenizer, split: str = "train") -> None:
        """Tokenize a split."""
        self._tokenizer = tokenizer
        self._passages = self._joined(text.reference(split))
        self._modules = self._joined(text.sources(split))
        self._kinds: tuple[tuple[float, Callable[[random.Random, int], Sample]], ...] = (
            (0.10, self._passage),
            (0.40, self._module),
            (0.10, self._repeated_text),
            (0.05, self._repeated_noise),
            (0.28, self._recalled),
            (0.07, self._sums),
        )

    def draw(self, rng: random.Random, length: int) -> Sample:
        """One sequence of ``length`` tokens and one more, with the weight of each prediction."""
        kinds = [kind for _, kind in self._kinds]
        return rng.choices(kinds, [weight for weight, _ in self._kinds])[0](rng, length)

    def _encode(self, string: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(string).ids
        return ids

    def _joined(self, texts: Sequence[str]) -> Ids:
        encoded = self._tokenizer.encode_batch(list(texts))
        return np.array([token for each in encoded for token in [*each.ids, 0]], dtype=np.int64)

    def _window(self, rng: random.Random, of: Ids, length: int) -> Ids:
        start = rng.randrange(len(of) - length)
        return of[start : start + length]

    def _hay(self, rng: random.Random, length: int) -> list[int]:
        of = self._passages if rng.random() < 0.5 else self._modules
        found: list[int] = self._window(rng, of, length).tolist()
        return found

    def _passage(self, rng: random.Random, length: int) -> Sample:
        return self._window(rng, self._passages, length + 1), np.ones(length, np.float32)

    def _module(self, rng: random.Random, length: int) -> Sample:
        return self._window(rng, self._modules, length + 1), np.ones(length, np.float32)

    def _repeated_text(self, rng: random.Random, length: int) -> Sample:
        ids, weights = list[int](), list[float]()
        again = self._encode(generated.AGAIN)
        while len(ids) <= length:
            once = self._hay(rng, rng.randint(20, length // 2))
            ids += [*once, *again, *once, 0]
            weights += [_AROUND] * (len(once) + len(again)) + [1.0] * len(once) + [_AROUND]
        return _cut(ids, weights, length)

    def _repeated_noise(self, rng: random.Random, length: int) -> Sample:
        size = rng.randint(8, length // 2)
        once = [rng.randrange(1, self._tokenizer.get_vocab_size()) for _ in range(size)]
        ids = once * (length // size + 2)
        return _cut(ids, [0.0] * size + [0.5] * len(ids), length)

    def _recalled(self, rng: random.Random, length: int) -> Sample:
        ids, weights = list[int](), list[float]()
        while len(ids) <= length:
            size = rng.randint(min(80, length), length)
            prompt, answers = self.recall(rng, size)
            ids += [*prompt, 0]
            weights += [_ASKED if place in answers else _AROUND for place in range(len(prompt))]
            weights += [_AROUND]
        return _cut(ids, weights, length)

    def recall(self, rng: random.Random, length: int) -> tuple[list[int], set[int]]:
        """Codes hidden in text and asked for at its end: tokens, and the places of the answers."""
        count = rng.randint(1, max(1, min(6, length // 40)))
        pairs = generated.codes(rng, count)
        asked = rng.sample(pairs, rng.randint(1, min(3, count)))
        needles = [self._encode(generated.needle(*pair)) for pair in pairs]
        questions = [self._encode(f"\n{generated.ask(name)}") for name, _ in asked]
        answers = [self._encode(f" {code}") for _, code in asked]
        used = sum(map(len, (*needles, *questions, *answers)))
        hay = self._hay(rng, max(1, length - used))
        ids = list[int]()
        begun = 0
        for place, found in zip(
            sorted(rng.randrange(len(hay) + 1) for _ in needles), needles, strict=True
        ):
            ids += [*hay[begun:place], *found]
            begun = place
        ids += hay[begun:]
        places = set[int]()
        for question, answer in zip(questions, answers, strict=True):
            ids += question
            places |= set(range(len(ids), len(ids) + len(answer)))
            ids += answer
        return ids, places

    def _sums(self, rng: random.Random, length: int) -> Sample:
        ids, weights = list[int](), list[float]()
        while len(ids) <= length:
            question, answer = (self._encode(part) for part in generated.sum_of(rng))
            end = self._encode("\n")
            ids += [*question, *answer, *end]
            weights += [_AROUND] * len(question) + [1.0] * len(answer) + [_AROUND] * len(end)
        return _cut(ids, weights, length)


def _cut(ids: Sequence[int], weights: Sequence[float], length: int) -> Sample:
    """Tokens, and the weight of predicting each but the first."""
    return np.array(ids[: length + 1], np.int64), np.array(weights[1 : length + 1], np.float32)


@dataclass(slots=True)
class _Batches:
    mixture: Mixture
    recipe: LanguageRecipe
    rng: random.Random

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        recipe = self.recipe
        for step in range(recipe.steps):
            late = step >= (1 - recipe.longer) * recipe.steps
            length = recipe.context * (2 if late else 1)
            rows = [self.mixture.draw(self.rng, length) for _ in range(recipe.tokens // length)]
            yield (
                torch.from_numpy(np.stack([ids for ids, _ in rows])),
                torch.from_numpy(np.stack([weights for _, weights in rows])),
            )


def _loss(model: Any, ids: Tensor, weights: Tensor, recipe: LanguageRecipe) -> Tensor:
    inner = model.model(ids[:, :-1], output_hidden_states=bool(recipe.exits))
    states = [(1.0, inner.last_hidden_state)]
    for block in recipe.exits:
        states.append((recipe.exit_weight, model.model.norm(inner.hidden_states[block])))
    total = torch.zeros((), device=ids.device)
    for weight, state in states:
        each = functional.cross_entropy(
            model.lm_head(state).flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        total = total + weight * (each * weights.flatten()).sum() / weights.sum()
    return total


def fit(
    model: Any,
    mixture: Mixture,
    recipe: LanguageRecipe,
    *,
    seed: int,
    device: str,
    progress: Progress,
) -> Any:
    """Train a causal language model in place; it comes back in evaluation mode, on the CPU.

    Args:
        model: A Llama.
        mixture: What it is trained on.
        recipe: Settings.
        seed: Fixes what is drawn.
        device: Where to train.
        progress: Gets a line every 100 steps, with the loss of the step.
    """
    model.to(device).train()
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    optimiser = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.rate,
        betas=(0.9, 0.95),
    )
    for step, (ids, weights) in enumerate(_Batches(mixture, recipe, random.Random(seed))):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * max(0.02, share(step, recipe.steps, recipe.warmup))
        loss = _loss(model, ids.to(device), weights.to(device), recipe)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % 100 == 0:
            progress(f"step {step + 1}/{recipe.steps}: loss {loss.item():.3f}")
    return model.eval().cpu()
