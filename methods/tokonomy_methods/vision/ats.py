"""ATS: patches are sampled from the cumulative significance, so that each image keeps its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate, stages

CARD = MethodCard(
    id="ats",
    title="ATS",
    families=("vision",),
    summary="Inside attention, evenly spaced points of the cumulative significance pick the "
    "patches; an image with few significant patches keeps fewer.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("queries inside attention", "tokens after attention"),
    needs=("cls token", "class attention", "padding mask"),
    paper="2111.15667",
    code="JoakimHaurum/TokenReduction",
    code_licence="MIT",
    differences=(
        "Follows the port in the named repository, without its fine-tuning; the authors' own code "
        "was not read.",
        "Stages lie at a quarter, a half and three quarters of the depth (blocks 3, 6 and 9 of 12, "
        "as in the port); the paper puts it into many more blocks.",
        "Only the rows of the attention map that are kept are computed; the port computes the "
        "whole map and then selects rows, so results agree to rounding only.",
        "keep = 1 switches a stage off; in the port even that setting drops patches.",
        "Cumulative scores are divided by their last value, without the port's small constant; the "
        "nearest one is found by bisection on absolute differences, not by a distance matrix.",
        "Padding is masked as a key only; the port masks it as a query too, which changes nothing "
        "that is read.",
        "A distillation token is kept in place; the port has no distilled model.",
        "At least one point is drawn.",
    ),
    claims=(
        Claim(
            model="several vision transformers",
            dataset="ImageNet-1k",
            setting="as in the paper",
            metric="GFLOPs saved at preserved accuracy",
            value=37,
            unit="%",
            source="abstract of arXiv 2111.15667v1",
        ),
    ),
    atlas=("S275",),
    sweep=(
        {"keep": 0.95},
        {"keep": 0.9},
        {"keep": 0.8},
        {"keep": 0.7},
        {"keep": 0.5},
        {"keep": 0.35},
        {"keep": 0.25},
    ),
)


def significance(attention: Attention) -> Tensor:
    """Class attention times the norm of the value, summed over heads, [B, N]."""
    front = attention.tokens.specials
    scores: Tensor = attention.cls_row[..., front:] * attention.v[:, :, front:].norm(dim=-1)
    return scores.sum(1)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ATS:
    """Sample with ``int(keep ** i * N)`` points at stage i; patches hit twice count once.

    Attributes:
        keep: Greatest share of patches kept at each stage, of the share of the stage before.
    """

    keep: float = 0.7
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Replace the attention of three blocks."""
        counts = stages(self.keep, model.patches, len(model.layers)) if self.keep < 1 else {}

        def attend(block: int, attention: Attention) -> Tokens:
            if block not in counts:
                return attention.attended()
            tokens = attention.tokens
            present = tokens.present()[:, tokens.specials :]
            chosen = select.sample(significance(attention), counts[block], present)
            index, mask = select.gather_ragged(chosen, tokens.specials)
            rows = index[:, None, :, None].expand(
                -1, attention.q.shape[1], -1, attention.q.shape[3]
            )
            kept = tokens.take(index).but(mask=mask)
            return kept.but(x=kept.x + attention.output(attention.mix(attention.q.gather(2, rows))))

        return context.enter(model.patched(attend=attend))
