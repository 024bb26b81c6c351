"""LagKV: rows that stand out beside the chunk that comes next stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="lagkv",
    title="LagKV",
    families=("kv",),
    summary="After the prompt, chunk by chunk, each head keeps the rows whose keys and values "
    "spread most over their channels, in units of the range of the chunk that follows.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt",),
    needs=("prompts of one length in a batch",),
    paper="2504.04704",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "The score is that of kvpress: ranks within chunks of the mean of the keys' and the "
        "values' score, sinks and the last whole chunk and what follows above all.",
        "kvpress leaves it to chance which rows go where a budget is too small for the sinks and "
        "that end; here the later of them stay, and the sinks always do.",
        "The default lag is kvpress' 128, for long prompts. The default sweep has 16: most "
        "prompts of the embedded tasks are shorter than two chunks of 128.",
    ),
    sweep=(
        {"keep": 0.75, "question": 1, "lag": 16},
        {"keep": 0.5, "question": 1, "lag": 16},
        {"keep": 0.25, "question": 1, "lag": 16},
        {"keep": 0.1, "question": 1, "lag": 16},
        {"keep": 0.5, "question": 16, "lag": 16},
        {"keep": 0.25, "question": 16, "lag": 16},
        {"keep": 0.1, "question": 16, "lag": 16},
        {"keep": 0.25, "lag": 16},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class LagKV(Eviction):
    """Keep what the next chunk does not resemble.

    Attributes:
        lag: Rows of a chunk.
        sinks: First rows that always stay and are in no chunk.
    """

    lag: int = 128
    sinks: int = 4
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("lag", self.lag, 2)
        check_whole("sinks", self.sinks)
        Eviction.__post_init__(self)

    def pins(self, room: int) -> tuple[int, int]:
        """The sinks stay."""
        return self.sinks, 0

    def score(self, seen: Seen) -> Tensor:
        """Ranks within chunks."""
        return scores.lag(seen.keys, seen.values, self.sinks, self.lag)
