"""Lookahead decoding (LADE): n-grams from Jacobi iterations, verified in the same pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import torch

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict, Reader
from tokonomy_methods.decoding.alone import alone, can_forget, generator
from tokonomy_methods.decoding.jacobi import (
    Gram,
    Pool,
    Window,
    columns,
    layout,
    longest,
    moved,
)
from tokonomy_methods.decoding.parameters import whole
from tokonomy_methods.decoding.verify import ended

CARD = MethodCard(
    id="lade",
    title="Lookahead decoding",
    families=("decoding",),
    summary="A window of guesses is iterated ahead of the text; n-grams that it leaves are drafts.",
    kind="training-free",
    lossless="exact",
    effect="none",
    alters=("order of decoding", "attention mask of the tokens read ahead"),
    needs=("batch 1",),
    paper="2402.02057",
    code="hao-ai-lab/LookaheadDecoding",
    code_licence="Apache-2.0",
    differences=(
        "An n-gram that matches in full yields the model's next token too, N tokens in one pass; "
        "the reference compares one token too few there and yields N - 1.",
        "The prompt is read by itself; the reference fills the window's second row in that pass, "
        "so it is ahead by one pass a request.",
        "The first row is drawn from the prompt by a generator seeded from the cell and the "
        "request; the reference draws it from Python's global one.",
        "With from_prompt, n-grams of the answer are its own tokens; the reference repeats the "
        "last one where several were accepted.",
        "Greedy only. The mask goes to the model's attention as it is; there is no kernel for it.",
        "As in the reference by default, the window moves by one token a pass however many were "
        "accepted, and n-grams are kept for one request only.",
    ),
    claims=(
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="N = 5, W = 7, G = 7, greedy, fp16",
            metric="speed-up",
            value=1.34,
            unit="x",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
        Claim(
            model="Vicuna-7B-v1.3",
            dataset="Spec-Bench",
            setting="N = 5, W = 7, G = 7, greedy, fp16",
            metric="acceptance length",
            value=1.64,
            unit="tokens",
            hardware="A100 80 GB",
            source="Spec-Bench leaderboard",
        ),
    ),
    sweep=(
        {"window": 3},
        {"window": 5},
        {"window": 7},
        {"window": 15},
        {"window": 7, "from_prompt": True},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Lade:
    """Read a window of guesses and the n-grams that may follow in one pass.

    Attributes:
        window: Columns of the window, W.
        ngram: Tokens of an n-gram, N, the one that it follows included.
        guesses: N-grams kept for each first token and verified at once, G.
        from_prompt: Whether n-grams of the prompt and of the answer are kept as well.
    """

    window: int = 7
    ngram: int = 5
    guesses: int = 7
    from_prompt: bool = False
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        whole("window", self.window, 1, 256)
        whole("ngram", self.ngram, 2, 32)
        whole("guesses", self.guesses, 1, 256)
        if type(self.from_prompt) is not bool:
            raise BadParameter(f"from_prompt must be true or false; got {self.from_prompt!r}")

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with its window, whose layout differs with the rows that are filled."""
        can_forget(model)
        rows = self.ngram - 1
        device = next(model.module.parameters()).device
        layouts = [
            [part.to(device) for part in layout(full, self.window + rows - full, *self._branch)]
            for full in range(1, rows + 1)
        ]

        def read(reader: Reader, window: Window, grams: Sequence[Gram]) -> list[int]:
            fed = [*chain(*window), *chain(*grams)]
            count = len(fed)
            sees, depth = layouts[len(window) - 1]
            tokens = torch.tensor([fed], device=device)
            logits = reader.graph(tokens, sees[:count, :count], depth[:count])[0]
            said: list[int] = logits.argmax(-1).tolist()
            return said

        def answer(batch: Batch) -> Sequence[int]:
            text: list[int] = batch.prompt[0].tolist()
            guesses = self._guesses(text, generator(context.seed, int(batch.ids[0])))
            pool, reader, begun = Pool(self.guesses), model.read(batch), len(text)
            self._learn(pool, text, 0)
            text.append(int(reader.prompt(batch).argmax()))
            window = [[text[-1], *guesses]]
            while len(text) < begun + batch.length and text[-1] not in batch.ends:
                full = len(window) == rows
                grams = pool.after(text[-1]) if full else []
                said = read(reader, window, grams)
                base = len(window) * len(window[0])
                foot = said[base - len(window[0]) : base]
                stand, new = longest(grams, said[0], said[base:])
                reader.keep([0, *(base + place for place in stand)], of=len(said))
                for gram in columns(window, foot) if full else ():
                    pool.add(gram)
                text += ended(new, batch.ends)
                self._learn(pool, text, len(text) - len(new))
                window = moved(window, foot, text[-1], rows)
            return text[begun:]

        return alone(model, answer)

    @property
    def _branch(self) -> tuple[int, int]:
        """Number of n-grams verified at most, and tokens read of each."""
        return self.guesses, self.ngram - 1

    def _guesses(self, prompt: Sequence[int], draw: torch.Generator) -> list[int]:
        """The first row: tokens of the prompt, one for each column that is still to be lost too."""
        count = self.window + self.ngram - 3
        return [prompt[at] for at in torch.randint(len(prompt), (count,), generator=draw).tolist()]

    def _learn(self, pool: Pool, text: Sequence[int], known: int) -> None:
        """Keep the n-grams that end past the first ``known`` tokens, if they are wanted."""
        if self.from_prompt:
            for end in range(max(self.ngram, known + 1), len(text) + 1):
                pool.add(tuple(text[end - self.ngram : end]))
