"""Zero-TPrune: PageRank on the attention graph says what matters, keys say what is said twice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate, exact, stages
from tokonomy_methods.tokens.score import emphasise, propagate, telling_heads

CARD = MethodCard(
    id="zero-tprune",
    title="Zero-TPrune",
    families=("vision",),
    summary="Three times, patches similar to more important ones go first, then those that a "
    "PageRank on the attention graph finds least important.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens after attention",),
    needs=("cls token", "attention weights", "keys"),
    paper="2305.17328",
    differences=(
        "No official code exists; implemented from the paper's formulas and third-party "
        "descriptions of them, and checked only against the same rule written out in loops.",
        "Stages lie at a quarter, a half and three quarters of the depth, between attention and "
        "MLP, with the counts of Top-K; the paper prunes between blocks, at places and counts "
        "tuned per model.",
        "The share of removals made by similarity is a parameter (a quarter by default); the paper "
        "sets a number per layer.",
        "The variance limits 0.01 and 0.7 are applied to scores scaled to mean 1: the scale is not "
        "given in the descriptions, and on scores that sum to 1 no head would ever pass.",
        "Where no head passes the variance limits, all heads are used.",
        "Votes: 50 at the first stage (shallow), 10 at the second, 1 at the third (deep); the "
        "paper gives ranges (30-50, 5-10, 1).",
        "A head's variance is taken over all tokens that vote, specials among them. The class "
        "token's greater start is spent in the first vote and is no part of it: what is counted "
        "is what each token receives.",
        "After similarity pruning the graph is cut down to the tokens left, without making its "
        "rows sum to 1 again; scores are rescaled after each vote.",
        "Similarity is the cosine of keys with all heads side by side.",
        "Kept patches stay in raster order; the paper's order is not known. Specials vote and are "
        "voted for but are never removed; only the class token starts with more weight.",
        "In the three blocks that prune, the whole attention map is computed and mixed with; the "
        "other blocks use the model's kernel.",
        "At least one patch is always kept.",
    ),
    claims=(
        Claim(
            model="DeiT-S",
            dataset="ImageNet-1k val",
            setting="no fine-tuning",
            metric="FLOPs saved",
            value=34.7,
            unit="%",
            source="abstract of arXiv 2305.17328",
        ),
        Claim(
            model="DeiT-S",
            dataset="ImageNet-1k val",
            setting="no fine-tuning, FLOPs -34.7 %",
            metric="throughput gained",
            value=45.3,
            unit="%",
            source="abstract of arXiv 2305.17328",
        ),
        Claim(
            model="DeiT-S",
            dataset="ImageNet-1k val",
            setting="no fine-tuning, FLOPs -34.7 %",
            metric="top-1 accuracy lost",
            value=0.4,
            unit="percentage points",
            source="abstract of arXiv 2305.17328",
        ),
    ),
    atlas=("S283",),
    sweep=(
        {"keep": 0.95},
        {"keep": 0.9},
        {"keep": 0.8},
        {"keep": 0.7, "similar": 0.0},
        {"keep": 0.7},
        {"keep": 0.7, "start": "uniform"},
        {"keep": 0.5},
        {"keep": 0.35},
    ),
)
LEAST, MOST = 0.01, 0.7


def votes(block: int, blocks: int) -> int:
    """Iterations of PageRank: many in shallow blocks, one in deep ones.

    The first place of pruning, a quarter down, is still shallow.

    >>> votes(3, 12), votes(6, 12), votes(9, 12)
    (50, 10, 1)
    """
    if block <= 0.25 * blocks:
        return 50
    return 10 if block < 0.75 * blocks else 1


def importance(weights: Tensor, start: Tensor, steps: int, index: Tensor) -> Tensor:
    """WPR per head among some tokens, then VHF and EIR over heads.

    Args:
        weights: Attention maps, [B, h, T, T].
        start: Weights that tokens begin with, [T].
        steps: Number of votes.
        index: Tokens that take part, [B, K].

    Returns:
        Their importance, [B, K].
    """
    among = torch.zeros_like(weights[:, 0, 0], dtype=torch.bool).scatter(1, index, True)
    scores = propagate(weights, start, steps, among)
    scores = scores.gather(2, index[:, None].expand(-1, scores.shape[1], -1))
    return emphasise(scores, telling_heads(scores, LEAST, MOST))


def unlike(keys: Tensor, scores: Tensor, count: int) -> Tensor:
    """What is left when ``count`` patches that repeat a more important one are dropped.

    Sequential-U: the less important half is compared with the more important half, and those
    nearest to some patch of it go.

    Args:
        keys: [B, N, C].
        scores: Importance, [B, N].
        count: How many go, at most half of N.

    Returns:
        Indices into N in raster order, [B, N - count].
    """
    patches = scores.shape[1]
    order = select.top(scores, patches, "score")
    strong, weak = order[:, : patches - patches // 2], order[:, patches - patches // 2 :]
    unit = F.normalize(keys, dim=-1)

    def rows(index: Tensor) -> Tensor:
        return unit.gather(1, index[..., None].expand(-1, -1, unit.shape[2]))

    nearest = (rows(weak) @ rows(strong).transpose(1, 2)).amax(-1)
    spared = weak.gather(1, select.top(-nearest, patches // 2 - count, "score"))
    return torch.cat([strong, spared], 1).sort(-1).values


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroTPrune:
    """I'-stage (one vote, nothing goes), S-stage (similar ones go), I-stage (unimportant ones go).

    Attributes:
        keep: Share of patches kept at each stage, of what the stage before kept.
        similar: Share of each stage's removals made by similarity; the rest is by importance.
        start: ``"class"`` lets the class token begin with sqrt(T) times the weight of the others,
            ``"uniform"`` gives all the same ("Zero-TPrune-uni").
    """

    keep: float = 0.7
    similar: float = 0.25
    start: Literal["class", "uniform"] = "class"
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        check_rate("keep", self.keep)
        if not isinstance(self.similar, (int, float)) or not 0 <= self.similar <= 1:
            raise BadParameter(f"similar must be a share from 0 to 1; got {self.similar!r}")
        if self.start not in ("class", "uniform"):
            raise BadParameter(f"start must be 'class' or 'uniform'; got {self.start!r}")

    def first(self, index: Tensor, length: int) -> Tensor:
        """Weights that all ``length`` tokens begin with when those at ``index`` [B, K] vote."""
        weight = torch.ones(length, device=index.device)
        if self.start == "class":
            weight[0] = index.shape[1] ** 0.5
        return weight

    def scores(self, weights: Tensor, index: Tensor, steps: int, specials: int) -> Tensor:
        """Importance of the patches at ``index`` [B, N'] among themselves and the specials."""
        voters = select.positions(index, specials)
        start = self.first(voters, weights.shape[3])
        return importance(weights, start, steps, voters)[:, specials:]

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Patch the model between attention and MLP of three blocks."""
        depth = len(model.layers)
        counts = stages(self.keep, model.patches, depth) if self.keep < 1 else {}
        left = (model.patches, *counts.values())
        gone = [int(exact(self.similar) * (old - new)) for old, new in pairwise(left)]
        similar = dict(zip(counts, gone, strict=True))

        def after(block: int, tokens: Tokens, attention: Attention) -> Tokens:
            count, front = counts.get(block, tokens.patches), tokens.specials
            if count >= tokens.patches:
                return tokens
            weights = attention.weights
            keys = attention.k.transpose(1, 2).flatten(2)[:, front:]
            every = torch.arange(tokens.patches, device=weights.device).expand(len(weights), -1)
            once = self.scores(weights, every, 1, front)
            left = unlike(keys, once, min(similar[block], tokens.patches // 2))
            scores = self.scores(weights, left, votes(block, depth), front)
            return select.keep(tokens, left.gather(1, select.top(scores, count, "raster")))

        return context.enter(model.patched(after=after, eager=counts))
