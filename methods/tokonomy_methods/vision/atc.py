"""ATC: cluster the tokens bottom-up at a few blocks, keep one token per cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens.cluster import Linkage, agglomerate
from tokonomy_methods.tokens.match import behind
from tokonomy_methods.tokens.merge import by_size, mean
from tokonomy_methods.tokens.schedule import check_rate, stages

CARD = MethodCard(
    id="atc",
    title="ATC",
    families=("vision",),
    summary="At a quarter, half and three quarters of the depth, patches are clustered bottom-up"
    " by the cosine of their keys, and each cluster becomes its mean.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens between attention and MLP", "attention logits, with proportional attention"),
    needs=("keys",),
    paper="2409.11923",
    code="JoakimHaurum/ATC",
    code_licence="MIT",
    differences=(
        "This is the three-stage variant (for DeiT), applied without the fine-tuning that its"
        " published results have. The source's variant for models off the shelf takes r tokens"
        " away in every block, with proportional attention on by default, and is not here.",
        "proportional=True adds that proportional attention to the three stages; it is swept at"
        " two settings and off in the others, as in the three-stage variant.",
        "A distillation token is kept out of the clusters; the reference strips only the first"
        " token.",
        "Clustering runs on the CPU, one image after another, as in the reference.",
    ),
    atlas=("S277",),
    sweep=(
        {"keep": 0.9, "linkage": "average"},
        {"keep": 0.7, "linkage": "average"},
        {"keep": 0.7, "linkage": "complete"},
        {"keep": 0.7, "linkage": "single"},
        {"keep": 0.5, "linkage": "average"},
        {"keep": 0.5, "linkage": "complete"},
        {"keep": 0.5, "linkage": "single"},
        {"keep": 0.7, "proportional": True},
        {"keep": 0.5, "proportional": True},
        {"keep": 0.35, "linkage": "average"},
        {"keep": 0.2, "linkage": "average"},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Atc:
    """Agglomerative token clustering.

    Attributes:
        keep: Clusters after stage i are ``keep ** i`` of the patches at first, floored.
            Smaller is cheaper.
        linkage: Distance of two clusters: ``single`` (nearest pair), ``average`` or
            ``complete`` (farthest pair).
        proportional: Whether sizes weigh on attention and carry over to the next merge; without
            it every merge is a plain mean.
    """

    keep: float = 0.7
    linkage: Linkage = "average"
    proportional: bool = False
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)
        if self.linkage not in get_args(Linkage):
            raise BadParameter(
                f"linkage must be one of {', '.join(get_args(Linkage))}; got {self.linkage!r}"
            )

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Cluster after attention, before the MLP, at three blocks."""
        counts = stages(self.keep, model.patches, len(model.layers))
        merge = by_size if self.proportional else mean

        def after(index: int, tokens: Tokens, attention: Attention) -> Tokens:
            count = counts.get(index, tokens.patches)
            if count >= tokens.patches:
                return tokens
            patches = attention.key_mean[:, tokens.specials :]
            groups = agglomerate(patches, count, self.linkage)
            return merge(tokens, behind(groups, tokens.specials))

        return context.enter(model.patched(after=after, proportional=self.proportional))
