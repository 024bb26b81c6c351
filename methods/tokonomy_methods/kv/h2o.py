"""H2O: a few rows gather most of the attention; they stay, and so do the recent ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy_methods.kv import scores
from tokonomy_methods.kv.budget import check_share
from tokonomy_methods.kv.eviction import Eviction
from tokonomy_methods.kv.seen import Seen

CARD = MethodCard(
    id="h2o",
    title="H2O: heavy hitters",
    families=("kv",),
    summary="Each head keeps its recent rows and those that have gathered most attention so far.",
    kind="training-free",
    lossless="lossy",
    effect="kv-only",
    alters=("keys and values after the prompt and after each token",),
    needs=("prompts of one length in a batch", "all queries of the prompt once more"),
    paper="2306.14048",
    code="FMInference/H2O",
    code_licence="MIT, says its README; no licence file",
    differences=(
        "Several rules go by this name. variant='decode' is the one of the repository's masking "
        "code (utils_hh): attention is summed over all queries so far, half of the budget is for "
        "the heaviest rows and half for recent ones, both fixed by the prompt's length, and after "
        "each token the lightest of the others goes for good. There rows are masked and batches "
        "are of 1; here they are dropped. There the budget counts the token that is being read, so "
        "here one row more is seen; and a row that has left the recent ones is hidden for a step, "
        "keeps its sum and may come back.",
        "variant='prompt' evicts once, after the prompt, as KVCache-Factory does under this name.",
        "Two more are not offered: the repository's scoring code (utils_lm_eval), which lets later "
        "queries decide what earlier ones see, and its real dropping (utils_real_drop), with 4 "
        "heavy and 512 recent rows in every block.",
        "Rows are chosen per head of keys, by the mean over the queries that share it; the "
        "original has one head of keys for each of queries. The sum is over one request's own "
        "queries; the original's is over a batch, of which there is one.",
        "keep is both shares together: the original's heavy 0.1 and recent 0.1 are keep 0.2.",
        "Attention is computed once more from queries and keys, so that the model keeps its fast "
        "kernel.",
    ),
    claims=(
        Claim(
            model="OPT-6.7B and OPT-30B",
            dataset="not stated there",
            setting="heavy hitters 20 %, against DeepSpeed Zero-Inference",
            metric="throughput",
            value=29.0,
            unit="x",
            source="README of the repository: up to",
        ),
        Claim(
            model="OPT-6.7B and OPT-30B",
            dataset="not stated there",
            setting="heavy hitters 20 %, against FlexGen",
            metric="throughput",
            value=3.0,
            unit="x",
            source="README of the repository: up to",
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
        {"keep": 0.5, "question": 1, "variant": "prompt"},
        {"keep": 0.25, "question": 1, "variant": "prompt"},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class H2O(Eviction):
    """Keep heavy hitters and recent rows.

    Attributes:
        variant: ``"decode"`` evicts after each token as well; ``"prompt"`` once, after the prompt.
        recent: Share of the budget that is for recent rows.
    """

    variant: Literal["decode", "prompt"] = "decode"
    recent: float = 0.5
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        if self.variant not in ("decode", "prompt"):
            raise BadParameter(f"variant must be 'decode' or 'prompt'; got {self.variant!r}")
        check_share("recent", self.recent)
        Eviction.__post_init__(self)

    @property
    def steps(self) -> bool:
        """As the variant says."""
        return self.variant == "decode"

    def pins(self, room: int) -> tuple[int, int]:
        """Recent rows stay."""
        return 0, int(self.recent * room)

    def score(self, seen: Seen) -> Tensor:
        """Attention received by the rows that are left, from all queries so far."""
        new = scores.received(seen.queries(), seen.keys, seen.scale)
        before = seen.state.notes.get("received")
        return new if before is None else new + F.pad(before, (0, new.shape[-1] - before.shape[-1]))

    def after(self, seen: Seen) -> None:
        """Drop rows, and remember what those that stay have received."""
        received, room = self.score(seen), self.room(seen.state)
        if room < seen.held:
            rows = self.chosen(received, room)
            received = received.gather(-1, rows)
            seen.drop(rows)
        seen.state.notes["received"] = received
