"""ChunkKV: rows mean something together, so whole chunks of them stay or go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter, Unsupported
from tokonomy_methods.kv import select
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.snapkv import SnapKV

CARD = MethodCard(
    id="chunkkv",
    title="ChunkKV",
    families=("kv",),
    summary="After the prompt, each block keeps the chunks of rows with the highest mean of "
    "SnapKV's score over all heads.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    paper="2502.00299",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "The rule is kvpress' wrapper around SnapKV: scores summed over heads, mean over a chunk, "
        "the same chunks for every head. Scores are those of snapkv, with its differences.",
        "As many whole chunks stay as fit in the budget beside the last, unfinished one, which "
        "always stays; kvpress keeps that share of the number of chunks, the unfinished one "
        "among them, so that its count of rows wavers.",
        "The window is not pinned but scores highest, as in kvpress.",
    ),
    sweep=(
        {"keep": 0.75, "question": 1, "window": 4, "chunk": 4},
        {"keep": 0.5, "question": 1, "window": 4, "chunk": 4},
        {"keep": 0.25, "question": 1, "window": 4, "chunk": 4},
        {"keep": 0.1, "question": 1, "window": 4, "chunk": 4},
        {"keep": 0.5, "question": 16, "window": 4, "chunk": 4},
        {"keep": 0.25, "question": 16, "window": 4, "chunk": 4},
        {"keep": 0.1, "question": 16, "window": 4, "chunk": 4},
        {"keep": 0.25, "window": 4, "chunk": 4},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkKV(SnapKV):
    """Keep whole chunks.

    Attributes:
        chunk: Rows of a chunk.
    """

    chunk: int = 20
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("chunk", self.chunk, 1)
        SnapKV.__post_init__(self)
        if self.budget is not None and self.budget < 2 * self.chunk - 1:
            raise BadParameter(
                f"budget must hold a chunk of {self.chunk} rows and an unfinished one; "
                f"got {self.budget}"
            )

    def pins(self, room: int) -> tuple[int, int]:
        """No row by itself."""
        return 0, 0

    def chosen(self, scores: Tensor, room: int) -> Tensor:
        """Rows of the best chunks; raises ``Unsupported`` where not one fits."""
        if room - scores.shape[-1] % self.chunk < self.chunk:
            raise Unsupported(
                f"budget below a chunk: the share must hold {self.chunk} rows and the "
                f"{scores.shape[-1] % self.chunk} at the end; got {room}"
            )
        return select.chunks(scores, room, self.chunk)
