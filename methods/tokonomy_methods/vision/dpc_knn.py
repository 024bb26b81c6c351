"""DPC-KNN: cluster patches around peaks of density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens.cluster import peaks
from tokonomy_methods.tokens.match import behind
from tokonomy_methods.tokens.merge import mean
from tokonomy_methods.tokens.schedule import check_rate, stages

CARD = MethodCard(
    id="dpc-knn",
    title="DPC-KNN",
    families=("vision",),
    summary="Before three blocks, patches gather around density peaks of their hidden states, and"
    " each cluster becomes its mean.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens before a block",),
    needs=("hidden states",),
    paper="2204.08680",
    code="JoakimHaurum/TokenReduction",
    code_licence="MIT",
    differences=(
        "The equal-weight form of 'Which tokens to use?' (arXiv 2308.04657), without fine-tuning;"
        " the paper weighs tokens by a learned score.",
        "No noise on the densities: the reference adds up to 1e-6 to break ties; here the earlier"
        " of two equally dense tokens counts as denser, so the result does not depend on chance.",
        "The mean divides by the number of tokens; the reference adds 1e-6 to it.",
        "A distillation token is kept apart, as the class token is.",
    ),
    atlas=("S275",),
    sweep=({"keep": 0.9}, {"keep": 0.7}, {"keep": 0.5}, {"keep": 0.35}, {"keep": 0.2}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DpcKnn:
    """Density-peak clustering with nearest neighbours, equal weights.

    Attributes:
        keep: Clusters after stage i are ``keep ** i`` of the patches at first, floored. Smaller
            is cheaper.
        neighbours: Tokens that make up a density, the token itself among them.
    """

    keep: float = 0.7
    neighbours: int = 5
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)
        if not isinstance(self.neighbours, int) or self.neighbours < 1:
            raise BadParameter(f"neighbours must be an int of at least 1; got {self.neighbours!r}")

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Cluster before three blocks."""
        if self.neighbours > model.patches:
            raise BadParameter(
                f"neighbours must be at most the model's {model.patches} patches;"
                f" got {self.neighbours}"
            )
        counts = stages(self.keep, model.patches, len(model.layers))

        def before(index: int, tokens: Tokens) -> Tokens:
            count = counts.get(index, tokens.patches)
            if count >= tokens.patches:
                return tokens
            groups = peaks(tokens.x[:, tokens.specials :], count, self.neighbours)
            return mean(tokens, behind(groups, tokens.specials))

        return context.enter(model.patched(before=before))
