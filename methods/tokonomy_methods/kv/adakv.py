"""AdaKV: heads that spread their attention get more rows, those that gather it fewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy_methods.kv import select
from tokonomy_methods.kv.budget import check_share
from tokonomy_methods.kv.seen import Seen, causal
from tokonomy_methods.kv.snapkv import SnapKV

CARD = MethodCard(
    id="adakv",
    title="AdaKV (simulated)",
    families=("kv",),
    summary="The budget of a block goes to the rows with SnapKV's highest scores in all heads "
    "together; the others are hidden from attention, and no memory is saved.",
    kind="training-free",
    lossless="lossy",
    effect="masked",
    alters=("attention after the prompt",),
    needs=("prompts of one length in a batch", "an attention kernel that takes a mask per head"),
    paper="2407.11550",
    code="NVIDIA/kvpress",
    code_licence="Apache-2.0",
    differences=(
        "Simulated, as in kvpress: heads that keep unequal numbers of rows need a cache of another "
        "layout to save memory. kvpress hides a row by a key that no query attends to; here "
        "attention gets a mask.",
        "The rule is kvpress' wrapper, around SnapKV: the rows with the lowest scores of all heads "
        "go, but each head keeps its best safeguard * budget. Scores are those of snapkv, with "
        "its differences; the window is pinned in every head.",
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
class AdaKV(SnapKV):
    """Share the budget among heads.

    Attributes:
        safeguard: Share of the budget that every head gets in any case.
    """

    safeguard: float = 0.2
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_share("safeguard", self.safeguard)
        SnapKV.__post_init__(self)

    @property
    def masks(self) -> bool:
        """Rows are hidden, not dropped."""
        return True

    def after(self, seen: Seen) -> None:
        """Note which rows stay visible, bool [B, H, L]."""
        room = self.room(seen.state)
        if room < seen.held:
            scores = select.pinned(self.score(seen), *self.pins(room))
            kept = select.headwise(scores, room, int(self.safeguard * room))
            seen.state.notes["kept"] = kept

    def mask(self, seen: Seen) -> Tensor | None:
        """Those rows and all that came later."""
        kept = seen.state.notes.get("kept")
        if kept is None:
            return None
        new, held = seen.hidden.shape[1], seen.held
        shown = F.pad(kept, (0, held + new - kept.shape[-1]), value=True)
        shown = shown.repeat_interleave(seen.block.num_key_value_groups, 1)
        return shown[:, :, None] & causal(new, held, kept.device)
