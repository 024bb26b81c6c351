"""CacheBlend: keys and values of pieces read apart, with the worst of them computed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from transformers import DynamicCache

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.language.batch import Batch
from tokonomy.families.language.model import LanguageModel, Predict, Reader
from tokonomy_methods.kv.blend import Blending
from tokonomy_methods.kv.budget import check_share, check_whole
from tokonomy_methods.kv.reader import check_prompts

CARD = MethodCard(
    id="cacheblend",
    title="CacheBlend",
    families=("kv",),
    summary="Caches of pieces of the prompt that were read apart are put together; from the third "
    "block on only the question and the rows with the most wrong values are computed again.",
    kind="training-free",
    lossless="lossy",
    effect="none",
    alters=("keys and values of the prompt", "tokens computed in the prompt"),
    needs=("prompts of one length in a batch", "rotary positions"),
    paper="2405.16444",
    code="YaoJiayi/CacheBlend",
    code_licence="none at its root; the vLLM in it is Apache-2.0",
    differences=(
        "Cold: a request's pieces are read within the call, where the original takes them from a "
        "store that earlier requests filled. The time to the first token here therefore includes "
        "what the original saves; it is a bound, and what counts is how well blending answers.",
        "Pieces are so many tokens each; the original's are passages of a retrieval.",
        "question is the number of tokens at the end that are in no piece and always computed; 0 "
        "means the last one, which the original's scripts for two data sets do by a slip.",
        "Keys are turned on to their new places; the original stores them unturned and turns them "
        "anew.",
        "Runs the model's own blocks on the rows that are left, with a mask by position; the "
        "original is a patched vLLM. In the second block, where it looks for the worst rows, all "
        "fresh keys and values stay, as they are there anyway.",
        "No memory is saved: every row of the prompt stays in the cache.",
    ),
    atlas=("S076",),
    sweep=(
        {"ratio": 0.6, "question": 16, "chunk": 64},
        {"ratio": 0.3, "question": 16, "chunk": 64},
        {"ratio": 0.16, "question": 16, "chunk": 64},
        {"ratio": 0.05, "question": 16, "chunk": 64},
        {"ratio": 0.0, "question": 16, "chunk": 64},
    ),
)


@dataclass(frozen=True, kw_only=True)
class _Blended(LanguageModel):
    """A model that reads prompts by blending."""

    ratio: float
    question: int
    chunk: int

    def read(self, batch: Batch, *, cache: DynamicCache | None = None) -> Reader:
        """Begin with the prompts of a batch; raises ``Unsupported``."""
        check_prompts(self, batch, self.question)
        reader = super().read(batch, cache=DynamicCache() if cache is None else cache)
        return Blending(
            model=self,
            cache=reader.cache,
            ratio=self.ratio,
            suffix=max(1, self.question),
            chunk=self.chunk,
        )


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBlend:
    """Blend caches.

    Attributes:
        ratio: Share of the tokens in pieces that is computed again, from the third block on.
        question: Tokens at the end that are in no piece.
        chunk: Tokens of a piece.
    """

    ratio: float = 0.16
    question: int = 0
    chunk: int = 256
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_share("ratio", self.ratio)
        check_whole("question", self.question)
        check_whole("chunk", self.chunk, 1)

    def prepare(self, model: LanguageModel, context: Context) -> Predict:
        """The model with prompts read in pieces; nothing of it is patched."""
        return _Blended(
            module=model.module,
            tokenizer=model.tokenizer,
            ratio=self.ratio,
            question=self.question,
            chunk=self.chunk,
        )
