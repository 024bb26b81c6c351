"""VWT, intra-image: keep the patches whose pixels vary most, before the first block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import Unsupported
from tokonomy.families.context import Context
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate, floor_of_original
from tokonomy_methods.tokens.score import pixel_variance

CARD = MethodCard(
    id="vwt-intra",
    title="VWT (intra-image)",
    families=("vision",),
    summary="Once, before the first block, the patches whose pixel values vary most are kept.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens before the first block",),
    needs=("patches of more than one pixel",),
    paper="2411.15397",
    code="wearepal/visual-word-tokenizer",
    code_licence="GPL-3.0",
    differences=(
        "The number kept is a share of the model's patches, floored; the source takes a count "
        "(98 of 196 in its example, keep = 0.5 here).",
        "As in the source, variance is that of the pixels the model is fed, normalised by its "
        "processor: a processor that scales channels differently weighs them differently.",
        "Among equal variances (flat patches) the earlier patch is kept; the source leaves ties to "
        "torch.topk.",
        "A distillation token is kept in place; the source strips the first token only.",
        "Applied to classifiers; the source evaluates image-text models.",
        "Where a patch is one pixel there is nothing to choose by: unsupported.",
    ),
    claims=(
        Claim(
            model="not stated in the abstract",
            dataset="not stated in the abstract",
            setting="best of intra-image and inter-image, online inference",
            metric="energy saved, at most",
            value=47,
            unit="%",
            source="README of wearepal/visual-word-tokenizer, branch tmlr2025",
        ),
    ),
    atlas=("S206",),
    sweep=(
        {"keep": 0.9},
        {"keep": 0.75},
        {"keep": 0.6},
        {"keep": 0.5},
        {"keep": 0.35},
        {"keep": 0.25},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class VwtIntra:
    """Drop the flattest patches.

    Attributes:
        keep: Share of patches kept, in raster order.
    """

    keep: float = 0.5
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Patch the input of the first block."""
        if model.encoder.embeddings.patch_embeddings.patch_size == (1, 1):
            raise Unsupported(
                "vwt-intra needs patches of more than one pixel; this model's are 1x1"
            )
        (count,) = floor_of_original(self.keep, model.patches, 1)

        def before(block: int, tokens: Tokens) -> Tokens:
            if block or count >= tokens.patches:
                return tokens
            scores = pixel_variance(tokens.batch.pixels, model.grid)
            return select.keep(tokens, select.top(scores, count, "raster"))

        return context.enter(model.patched(before=before))
