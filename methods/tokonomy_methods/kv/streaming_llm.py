"""StreamingLLM: the first rows, on which attention rests, and the last ones stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy_methods.kv.budget import check_whole
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.rotation import moved
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="streaming-llm",
    title="StreamingLLM",
    families=("kv",),
    summary="The first few rows and the most recent ones stay, after the prompt and after every "
    "token.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt and after each token", "positions of the sinks"),
    needs=("prompts of one length in a batch", "rotary positions, with rerotate"),
    paper="2309.17453",
    code="mit-han-lab/streaming-llm",
    code_licence="MIT",
    differences=(
        "The prompt is read in one pass, every token seeing all before it, and the cache is cut "
        "afterwards; the original's evaluation reads texts token by token and cuts all the way.",
        "With rerotate positions are those in the cache, as in the original, which keeps keys "
        "unturned and turns them all at every step. Attention depends on distances only, so here "
        "the recent keys stay as they are and the few sinks are turned until they stand right "
        "before them; from their first keys each time, so that rounding does not add up.",
        "Without rerotate keys stay where they were, as in kvpress without its re-rotating "
        "wrapper. kvpress also stops evicting after the prompt; this does not.",
        "The budget is a share of the prompt or a number, sinks included; the original's defaults "
        "are 4 sinks and 512 recent rows, of its evaluation script 1 and 255.",
    ),
    claims=(
        Claim(
            model="not stated there",
            dataset="streams of text",
            setting="against recomputing a sliding window",
            metric="speed-up",
            value=22.2,
            unit="x",
            source="abstract, as in the README of the repository: up to",
        ),
    ),
    sweep=(
        {"keep": 0.75, "question": 1},
        {"keep": 0.5, "question": 1},
        {"keep": 0.25, "question": 1},
        {"keep": 0.1, "question": 1},
        {"keep": 0.5, "question": 16},
        {"keep": 0.25, "question": 16},
        {"keep": 0.1, "question": 16},
        {"keep": 0.25},
        {"keep": 0.5, "question": 1, "rerotate": False},
        {"keep": 0.25, "question": 1, "rerotate": False},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingLLM(Eviction):
    """Keep both ends.

    Attributes:
        sinks: First rows that always stay.
        rerotate: Whether sinks stand right before the recent rows, or where they were read.
    """

    sinks: int = 4
    rerotate: bool = True
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_whole("sinks", self.sinks)
        if type(self.rerotate) is not bool:
            raise BadParameter(f"rerotate must be true or false; got {self.rerotate!r}")
        Eviction.__post_init__(self)

    @property
    def steps(self) -> bool:
        """After every token."""
        return True

    def pins(self, room: int) -> tuple[int, int]:
        """Both ends fill the budget; one recent row at least."""
        return self.sinks, max(1, room - self.sinks)

    def after(self, seen: Seen) -> None:
        """Drop what is between, and move the sinks up."""
        room, held, notes = self.room(seen.state), seen.held, seen.state.notes
        if room >= held:
            return
        sinks, gone = notes.setdefault("sinks", seen.keys[:, :, : self.sinks].clone()), held - room
        notes["gone"] = notes.get("gone", 0) + gone
        place = torch.arange(room, device=sinks.device)
        seen.drop((place + gone * (place >= self.sinks))[None, None])
        if self.rerotate:
            by = torch.full((self.sinks,), notes["gone"], device=sinks.device)
            seen.keys[:, :, : self.sinks] = moved(seen.block, seen.rotary, sinks, by)

    def score(self, seen: Seen) -> Tensor:
        """Every row that is not pinned is worth the same."""
        return torch.zeros(1, 1, seen.held, device=seen.keys.device)
