"""ToMe: merge the most similar tokens, a few in every block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens.match import alternate
from tokonomy_methods.tokens.merge import by_size
from tokonomy_methods.tokens.schedule import capped, check_removal, per_block

CARD = MethodCard(
    id="tome",
    title="ToMe",
    families=("vision",),
    summary="In every block, r tokens merge into the one most like them, by the cosine of keys.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens between attention and MLP", "attention logits (log of token sizes)"),
    needs=("keys",),
    paper="2210.09461",
    code="facebookresearch/ToMe",
    code_licence="CC-BY-NC-4.0",
    differences=(
        "r may be a share of the model's patches, rounded to the nearest count, so that one"
        " setting suits models of different sizes; the reference takes counts only.",
        "No mean-pooled heads and no source tracking; the heads here read the special tokens.",
        "Which of several equally similar tokens merges may differ from the reference.",
    ),
    claims=(
        Claim(
            model="ViT-S/16 (AugReg, 224)",
            dataset="ImageNet-1k val",
            setting="r=13",
            metric="top-1 accuracy",
            value=79.30,
            unit="%",
            reference=81.41,
            source="README of facebookresearch/ToMe",
        ),
        Claim(
            model="ViT-S/16 (AugReg, 224)",
            dataset="ImageNet-1k val",
            setting="r=13",
            metric="throughput",
            value=1564,
            unit="images/s",
            reference=953,
            hardware="V100",
            source="README of facebookresearch/ToMe",
        ),
        Claim(
            model="ViT-B/16 (AugReg, 224)",
            dataset="ImageNet-1k val",
            setting="r=13",
            metric="top-1 accuracy",
            value=82.60,
            unit="%",
            reference=84.57,
            source="README of facebookresearch/ToMe",
        ),
        Claim(
            model="ViT-B/16 (AugReg, 224)",
            dataset="ImageNet-1k val",
            setting="r=13",
            metric="throughput",
            value=511,
            unit="images/s",
            reference=309,
            hardware="V100",
            source="README of facebookresearch/ToMe",
        ),
        Claim(
            model="ViT-L/16 (AugReg, 224)",
            dataset="ImageNet-1k val",
            setting="r=7",
            metric="top-1 accuracy",
            value=84.26,
            unit="%",
            reference=85.82,
            source="README of facebookresearch/ToMe",
        ),
        Claim(
            model="ViT-L/16 (AugReg, 224)",
            dataset="ImageNet-1k val",
            setting="r=7",
            metric="throughput",
            value=167,
            unit="images/s",
            reference=95,
            hardware="V100",
            source="README of facebookresearch/ToMe",
        ),
        Claim(
            model="ViT-L/16 (AugReg, 384)",
            dataset="ImageNet-1k val",
            setting="r=23",
            metric="top-1 accuracy",
            value=86.14,
            unit="%",
            reference=86.92,
            source="README of facebookresearch/ToMe",
        ),
        Claim(
            model="ViT-L/16 (AugReg, 384)",
            dataset="ImageNet-1k val",
            setting="r=23",
            metric="throughput",
            value=56,
            unit="images/s",
            reference=28,
            hardware="V100",
            source="README of facebookresearch/ToMe",
        ),
    ),
    atlas=("S275",),
    sweep=({"r": 0.02}, {"r": 0.04}, {"r": 0.06}, {"r": 0.08}, {"r": 0.1}, {"r": 0.15}, {"r": 0.2}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ToMe:
    """Token merging by bipartite soft matching.

    Attributes:
        r: Tokens to remove in each block: a count, or a share of the model's patches. At most
            half of the patches that are left can go in one block. Larger is cheaper.
        inflection: Slope of r over depth: 0 constant, -1 falling from 2r to 0, 1 rising.
        proportional: Whether a merged token draws attention in proportion to its size.
    """

    r: int | float = 0.06
    inflection: float = 0.0
    proportional: bool = True
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_removal(self.r, self.inflection)

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Merge after attention, before the MLP, in every block."""
        schedule = per_block(self.r, len(model.layers), model.patches, self.inflection)

        def after(index: int, tokens: Tokens, attention: Attention) -> Tokens:
            r = capped(schedule[index], tokens.length, tokens.specials)
            if not r:
                return tokens
            groups = alternate(attention.key_mean, r, tokens.specials)
            return by_size(tokens, groups)

        return context.enter(model.patched(after=after, proportional=self.proportional))
