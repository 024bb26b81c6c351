"""K-medoids: keep the tokens that stand best for all others (Token Pooling)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens.cluster import Cost, medoids
from tokonomy_methods.tokens.match import behind
from tokonomy_methods.tokens.merge import heads_only
from tokonomy_methods.tokens.schedule import check_rate, stages
from tokonomy_methods.tokens.score import received

CARD = MethodCard(
    id="k-medoids",
    title="K-Medoids (Token Pooling)",
    families=("vision",),
    summary="Before three blocks, patches are clustered around medoids that begin at the most"
    " attended ones; the medoids stay.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens before a block",),
    needs=("attention weights",),
    paper="2110.03860",
    code="JoakimHaurum/TokenReduction",
    code_licence="MIT",
    differences=(
        "The code of Token Pooling was not at hand; the rule is that of 'Which tokens to use?'"
        " (arXiv 2308.04657), applied without fine-tuning.",
        "cost='whole', the default, computes a medoid's cost as that code does: over all tokens"
        " and weighted by the candidate's own attention, so that well-attended candidates cost"
        " more. cost='cluster' is weighted K-medoids as Token Pooling states it.",
        "A medoid always belongs to its own cluster; in the reference a cluster left empty by"
        " identical tokens takes the first token.",
        "A distillation token is kept apart, as the class token is.",
    ),
    claims=(
        Claim(
            model="DeiT",
            dataset="ImageNet-1k val",
            setting="at equal accuracy, trained",
            metric="FLOPs saved",
            value=42,
            unit="%",
            source="abstract of arXiv 2110.03860",
        ),
    ),
    atlas=("S258", "S275"),
    sweep=(
        {"keep": 0.9},
        {"keep": 0.7},
        {"keep": 0.7, "cost": "cluster"},
        {"keep": 0.5},
        {"keep": 0.5, "cost": "cluster"},
        {"keep": 0.35},
        {"keep": 0.2},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class KMedoids:
    """Clustering around medoids.

    Attributes:
        keep: Patches after stage i are ``keep ** i`` of those at first, floored. Smaller is
            cheaper.
        cost: What a medoid has least of; see ``cluster.medoids``.
        iterations: Rounds of clustering.
    """

    keep: float = 0.7
    cost: Cost = "whole"
    iterations: int = 3
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)
        if self.cost not in get_args(Cost):
            raise BadParameter(
                f"cost must be one of {', '.join(get_args(Cost))}; got {self.cost!r}"
            )
        if not isinstance(self.iterations, int) or self.iterations < 1:
            raise BadParameter(f"iterations must be an int of at least 1; got {self.iterations!r}")

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Cluster before three blocks, by the attention of the block before each."""
        counts = stages(self.keep, model.patches, len(model.layers))
        heard: list[Tensor] = []

        def after(index: int, tokens: Tokens, attention: Attention) -> Tokens:
            if index + 1 in counts:
                heard[:] = [received(attention.weights)]
            return tokens

        def before(index: int, tokens: Tokens) -> Tokens:
            count, front = counts.get(index, tokens.patches), tokens.specials
            if count >= tokens.patches:
                return tokens
            x, weight = tokens.x[:, front:], heard.pop()[:, front:]
            found = medoids(x, weight, count, cost=self.cost, iterations=self.iterations)
            return heads_only(tokens, behind(found, front))

        eager = tuple(index - 1 for index in counts)
        return context.enter(model.patched(before=before, after=after, eager=eager))
