"""SnapKV: what the end of the prompt looks at is what the answer will look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter, Unsupported
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="snapkv",
    title="SnapKV",
    families=("kv",),
    summary="After the prompt, each head keeps the last rows and those that the last queries "
    "attend to most, smoothed over neighbours.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    paper="2404.14469",
    code="FasterDecoding/SnapKV",
    code_licence="Apache-2.0",
    differences=(
        "Rows are chosen per head of keys, by the mean over the queries that share it, as in "
        "kvpress; the original repeats keys for every head of queries first, and so stores as "
        "many copies and saves nothing through sharing.",
        "The budget is a share of the prompt, as in kvpress (there the share removed), or a "
        "number of rows with the window among them; the original keeps a number, and compresses "
        "only where the prompt is longer.",
        "The mean over the window stands where the original sums: the order is the same.",
        "Softmax stays in float32; the original goes back to the model's precision.",
        "The last window queries are computed once more, from the block's own input, so that "
        "attention keeps its fast kernel.",
        "Defaults are kvpress' (window 64, kernel 5); the original's differ between its files "
        "(windows of 32 and 64, kernels of 5 and 7). The default sweep has a window of 4: a tenth "
        "of most prompts of the embedded tasks is less than 64 rows.",
    ),
    sweep=(
        {"keep": 0.75, "question": 1, "window": 4},
        {"keep": 0.5, "question": 1, "window": 4},
        {"keep": 0.25, "question": 1, "window": 4},
        {"keep": 0.1, "question": 1, "window": 4},
        {"keep": 0.5, "question": 16, "window": 4},
        {"keep": 0.25, "question": 16, "window": 4},
        {"keep": 0.1, "question": 16, "window": 4},
        {"keep": 0.25, "window": 4},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class SnapKV(Eviction):
    """Keep what the window at the end attends to.

    Attributes:
        window: Queries at the end that vote, and rows that always stay.
        kernel: Neighbours over which votes are smoothed, odd.
        pool: Smoothing by ``"average"`` or ``"max"``.
    """

    window: int = 64
    kernel: int = 5
    pool: scores.Pool = "average"
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("window", self.window, 1)
        check_whole("kernel", self.kernel, 1)
        if self.kernel % 2 == 0:
            raise BadParameter(f"kernel must be odd, so that it has a middle; got {self.kernel}")
        if self.pool not in get_args(scores.Pool):
            raise BadParameter(f"pool must be 'average' or 'max'; got {self.pool!r}")
        Eviction.__post_init__(self)

    def pins(self, room: int) -> tuple[int, int]:
        """The window stays."""
        return 0, self.window

    def score(self, seen: Seen) -> Tensor:
        """Attention from the window; raises ``Unsupported`` where there is nothing before it."""
        if seen.held <= self.window:
            raise Unsupported(
                f"short prompt: expected more than the {self.window} rows of the window; "
                f"got {seen.held}"
            )
        return scores.window(
            seen.queries(self.window), seen.keys, seen.scale, self.kernel, self.pool
        )
