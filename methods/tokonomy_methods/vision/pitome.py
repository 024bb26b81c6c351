"""PiToMe: merge where tokens are redundant, leave what stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens.match import (
    Groups,
    behind,
    check_half,
    mergeable,
    ordered,
    unit,
)
from tokonomy_methods.tokens.merge import by_size
from tokonomy_methods.tokens.schedule import compounding

CARD = MethodCard(
    id="pitome",
    title="PiToMe",
    families=("vision",),
    summary="Tokens in dense groups (high energy) merge into one another; isolated ones are kept.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens between attention and MLP",),
    needs=("keys",),
    paper="2405.16148",
    code="hchautran/PiToMe",
    code_licence="CC-BY-NC-4.0",
    differences=(
        "Follows the reference's patch for DeiT: margin 0.75 (1 - i/L), sorting before matching"
        " in the first ceil(L/2) blocks and protection of low energies in the rest; its patch for"
        " MAE has the two halves the other way round.",
        "A distillation token is protected; the reference may merge it.",
        "In the first half, tokens that stay are in order of energy where the reference has them"
        " in order of similarity; as every block sorts anew, this changes nothing else.",
    ),
    claims=(
        Claim(
            model="ViT-MAE-H",
            dataset="ImageNet-1k val",
            setting="off the shelf",
            metric="average drop in top-1 accuracy",
            value=0.5,
            unit="%",
            source="abstract of arXiv 2405.16148",
        ),
        Claim(
            model="CLIP",
            dataset="Flickr30k",
            setting="off the shelf",
            metric="average drop in retrieval",
            value=0.3,
            unit="%",
            source="abstract of arXiv 2405.16148",
        ),
        Claim(
            model="base models, not named in the abstract",
            dataset="not named in the abstract",
            setting="not stated; the source gives the range 40-60 %",
            metric="FLOPs saved (lower end of the stated range)",
            value=40,
            unit="%",
            source="abstract of arXiv 2405.16148",
        ),
    ),
    atlas=("S083",),
    sweep=(
        {"ratio": 0.975},
        {"ratio": 0.95},
        {"ratio": 0.925},
        {"ratio": 0.9},
        {"ratio": 0.85},
        {"ratio": 0.75},
        {"ratio": 0.6},
    ),
)


def energy(metric: Tensor, margin: float) -> Tensor:
    """How crowded it is around each token: mean of ``ELU(cosine - margin)``, itself included.

    Args:
        metric: [B, N, D].
        margin: Cosine above which a neighbour counts fully.

    Returns:
        [B, N]; higher is more redundant.
    """
    rows = unit(metric)
    return F.elu(rows @ rows.transpose(1, 2) - margin).mean(-1)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class PiToMe:
    """Spectrum-preserving token merging.

    Attributes:
        ratio: Share of its patches that every block keeps, 0.5 to 1. Smaller is cheaper.
    """

    ratio: float = 0.925
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_half(self.ratio)

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Merge after attention, before the MLP, in every block."""
        depth = len(model.layers)
        schedule = compounding(self.ratio, model.patches, depth)

        def groups(keys: Tensor, index: int, specials: int) -> Groups:
            keys = keys[:, specials:]
            order = energy(keys, 0.75 * (1 - index / depth)).argsort(descending=True)
            match = ordered if index < (depth + 1) // 2 else mergeable
            return behind(match(keys, order, schedule[index]), specials)

        def after(index: int, tokens: Tokens, attention: Attention) -> Tokens:
            if not schedule[index]:
                return tokens
            return by_size(tokens, groups(attention.key_mean, index, tokens.specials))

        return context.enter(model.patched(after=after))
