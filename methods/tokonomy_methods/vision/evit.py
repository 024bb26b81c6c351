"""EViT: keep the patches that the class token looks at most, fuse the others into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel, every
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import ceil_of_current, check_rate
from tokonomy_methods.tokens.score import class_attention

CARD = MethodCard(
    id="evit",
    title="EViT",
    families=("vision",),
    summary="Three times, the patches with the most class attention are kept and the rest fused.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens after attention",),
    needs=("cls token", "class attention"),
    paper="2202.07800",
    code="youweiliang/evit",
    code_licence="Apache-2.0",
    differences=(
        "Used without the training of the source, which warms the keep rate down over epochs; its "
        "published accuracies are of trained models.",
        "Stages lie at a quarter, a half and three quarters of the depth (blocks 3, 6 and 9 of 12, "
        "as in the source).",
        "The class token's attention is computed as one extra row beside the block's own kernel; "
        "the source computes the whole map and mixes with it, so results agree to rounding only.",
        "A distillation token is kept in place; the source treats it as a patch that can be "
        "dropped.",
        "Among equal scores the earlier patch is kept; the source leaves ties to torch.topk.",
        "keep times count is taken in decimals before rounding up, not in binary floating point.",
    ),
    claims=(
        Claim(
            model="DeiT-S, trained with EViT",
            dataset="ImageNet-1k val",
            setting="keep 0.9, fused token",
            metric="top-1 accuracy",
            value=79.8,
            unit="%",
            source="README of youweiliang/evit at 0999f09",
        ),
        Claim(
            model="DeiT-S, trained with EViT",
            dataset="ImageNet-1k val",
            setting="keep 0.7, fused token",
            metric="top-1 accuracy",
            value=79.5,
            unit="%",
            source="README of youweiliang/evit at 0999f09",
        ),
        Claim(
            model="DeiT-S, trained with EViT",
            dataset="ImageNet-1k",
            setting="not stated in the abstract",
            metric="inference speed gained, at 0.3 % less accuracy",
            value=50,
            unit="%",
            source="abstract of arXiv 2202.07800",
        ),
        Claim(
            model="DeiT-S, trained with EViT",
            dataset="ImageNet-1k val",
            setting="keep 0.5, fused token",
            metric="top-1 accuracy",
            value=78.5,
            unit="%",
            source="README of youweiliang/evit at 0999f09",
        ),
        Claim(
            model="DeiT-S, trained with EViT",
            dataset="ImageNet-1k val",
            setting="keep 0.7, no fused token",
            metric="top-1 accuracy",
            value=79.4,
            unit="%",
            source="README of youweiliang/evit at 0999f09",
        ),
    ),
    atlas=("S275",),
    sweep=(
        {"keep": 0.9},
        {"keep": 0.8},
        {"keep": 0.7},
        {"keep": 0.6},
        {"keep": 0.5},
        {"keep": 0.35},
    ),
)


def fuse(x: Tensor, scores: Tensor, dropped: Tensor) -> Tensor:
    """Sum of the dropped patches, each times its class attention, not normalised.

    Args:
        x: Hidden states of the patches, [B, N, C].
        scores: Their class attention, [B, N].
        dropped: Indices into N, [B, D].

    Returns:
        [B, 1, C].
    """
    index = dropped[..., None].expand(-1, -1, x.shape[2])
    return scores.gather(1, dropped)[:, None].to(x.dtype) @ x.gather(1, index)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class EViT:
    """Keep ``ceil(keep * count)`` of the patches there are, the fused one among them.

    Attributes:
        keep: Share of patches kept at each stage.
        fused: Whether the dropped ones live on as one token at the end of the sequence.
    """

    keep: float = 0.7
    fused: bool = True
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)
        if not isinstance(self.fused, bool):
            raise BadParameter(f"fused must be true or false; got {self.fused!r}")

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Patch the model between attention and MLP of three blocks."""
        at = every(len(model.layers))
        kept = ceil_of_current(self.keep, model.patches, len(at), fused=self.fused)
        counts = dict(zip(at, kept, strict=True))

        def after(block: int, tokens: Tokens, attention: Attention) -> Tokens:
            count = counts.get(block, tokens.patches)
            if count >= tokens.patches:
                return tokens
            scores = class_attention(attention.cls_row, tokens.specials)
            order = select.top(scores, tokens.patches, "score")
            left = select.keep(tokens, order[:, :count])
            if not self.fused:
                return left
            extra = fuse(tokens.x[:, tokens.specials :], scores, order[:, count:])
            return left.but(x=torch.cat([left.x, extra], 1))

        return context.enter(model.patched(after=after))
