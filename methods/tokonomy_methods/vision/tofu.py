"""ToFu: drop tokens in the first half of the network, merge them in the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens.match import alternate, check_half
from tokonomy_methods.tokens.merge import by_norm, heads_only
from tokonomy_methods.tokens.schedule import capped, compounding

Base = Literal["unmerged", "mean"]

CARD = MethodCard(
    id="tofu",
    title="ToFu",
    families=("vision",),
    summary="Tokens much like another are dropped in the first half of the network and merged,"
    " keeping their norm, in the second.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens between attention and MLP",),
    needs=("keys",),
    paper="2312.01026",
    code="hchautran/PiToMe",
    code_licence="CC-BY-NC-4.0",
    differences=(
        "The code is a port by the authors of PiToMe, and its patch for DeiT is followed: blocks"
        " 0 to L//2 drop, later ones merge; r is floor(T - ratio * T), T counting the special"
        " tokens. The paper chooses between the two by how linear a block is.",
        "The default divides the mean of a group by the norm of its receiver as it was before"
        " merging, as the port does; base='mean' divides by the mean's own norm, so that the"
        " merged token has exactly the largest norm in its group.",
        "The port turns proportional attention on but never updates the sizes it reads, so it"
        " has no effect there; here it is off.",
        "r is capped at half of the patches that are left, and a distillation token is"
        " protected; the port does neither.",
    ),
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


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ToFu:
    """Token fusion: the matching of ToMe, then dropping or norm-preserving merging.

    Attributes:
        ratio: Share of its tokens that every block keeps, 0.5 to 1. Smaller is cheaper.
        base: Norm that the mean of a group is divided by before it takes the largest norm.
    """

    ratio: float = 0.925
    base: Base = "unmerged"
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_half(self.ratio)
        if self.base not in ("unmerged", "mean"):
            raise BadParameter(f"base must be 'unmerged' or 'mean'; got {self.base!r}")

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Drop or merge after attention, before the MLP, in every block."""
        depth = len(model.layers)
        schedule = compounding(self.ratio, model.patches + model.specials, depth)

        def after(index: int, tokens: Tokens, attention: Attention) -> Tokens:
            r = capped(schedule[index], tokens.length, tokens.specials)
            if not r:
                return tokens
            groups = alternate(attention.key_mean, r, tokens.specials)
            if index <= depth // 2:
                return heads_only(tokens, groups)
            return by_norm(tokens, groups, unmerged=self.base == "unmerged")

        return context.enter(model.patched(after=after))
