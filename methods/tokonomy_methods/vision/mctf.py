"""MCTF: fuse tokens that are alike, unattended and small, on the attention one step ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens, pick
from tokonomy_methods.tokens.match import both_ways, shield, unit
from tokonomy_methods.tokens.merge import by_weight, weighted
from tokonomy_methods.tokens.schedule import capped, check_removal, count_of, exact
from tokonomy_methods.tokens.score import received

CARD = MethodCard(
    id="mctf",
    title="MCTF",
    families=("vision",),
    summary="Before attention, tokens that are alike, receive little attention and are small fuse"
    " in both directions; the attention map is computed once, ahead of the fusion.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens before attention", "attention map (rows and columns fused)"),
    needs=("attention weights",),
    paper="2403.10030",
    code="mlvlab/MCTF",
    code_licence="MIT",
    differences=(
        "The rule without the fine-tuning that the published accuracies come from.",
        "One-step-ahead attention and pooling by attention times size, the reference's defaults;"
        " its other modes are not here.",
        "The fused map times the values is computed as the full map times the fused values at"
        " each token's place, whose rows are then fused: the same sums in another order.",
        "A distillation token is protected; the reference protects the class token alone.",
    ),
    claims=(
        Claim(
            model="DeiT-T",
            dataset="ImageNet-1k val",
            setting="r=16 in blocks 1-11, fine-tuned",
            metric="top-1 accuracy",
            value=72.7,
            unit="%",
            reference=72.2,
            source="README of mlvlab/MCTF",
        ),
        Claim(
            model="DeiT-T",
            dataset="ImageNet-1k val",
            setting="r=16 in blocks 1-11, fine-tuned",
            metric="compute",
            value=0.71,
            unit="GFLOPs",
            reference=1.26,
            source="README of mlvlab/MCTF",
        ),
        Claim(
            model="DeiT-T",
            dataset="ImageNet-1k val",
            setting="r=16 in blocks 1-11, fine-tuned",
            metric="throughput",
            value=4639,
            unit="images/s",
            hardware="RTX 3090",
            source="README of mlvlab/MCTF",
        ),
        Claim(
            model="DeiT-S",
            dataset="ImageNet-1k val",
            setting="r=16 in blocks 1-11, fine-tuned",
            metric="top-1 accuracy",
            value=80.1,
            unit="%",
            reference=79.8,
            source="README of mlvlab/MCTF",
        ),
        Claim(
            model="DeiT-S",
            dataset="ImageNet-1k val",
            setting="r=16 in blocks 1-11, fine-tuned",
            metric="compute",
            value=2.60,
            unit="GFLOPs",
            reference=4.61,
            source="README of mlvlab/MCTF",
        ),
        Claim(
            model="DeiT-S",
            dataset="ImageNet-1k val",
            setting="r=16 in blocks 1-11, fine-tuned",
            metric="throughput",
            value=2302,
            unit="images/s",
            hardware="RTX 3090",
            source="README of mlvlab/MCTF",
        ),
        Claim(
            model="DeiT-S",
            dataset="ImageNet-1k val",
            setting="Fast: r=0.35 in blocks 3, 6, 9, fine-tuned",
            metric="top-1 accuracy",
            value=80.1,
            unit="%",
            reference=79.8,
            source="README of mlvlab/MCTF",
        ),
    ),
    atlas=("S057",),
    sweep=(
        {"r": 0.03},
        {"r": 0.06},
        {"r": 0.09},
        {"r": 0.12},
        {"r": 0.16},
        {"r": 0.25},
        {"r": 0.4},
    ),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class Mctf:
    """Multi-criteria token fusion.

    Attributes:
        r: Tokens to remove in each block: a count, or a share of the patches that the block
            gets. At most half of them, and never below 10 tokens by a count. Larger is cheaper.
        blocks: Where to fuse; None is every block but the first.
        tau_sim: Temperature of similarity: larger counts less; 0 leaves it out.
        tau_info: Temperature of attention received.
        tau_size: Temperature of size.
        proportional: Whether a fused token draws attention in proportion to its size.
    """

    r: int | float = 0.09
    blocks: tuple[int, ...] | None = None
    tau_sim: float = 1.0
    tau_info: float = 20.0
    tau_size: float = 40.0
    proportional: bool = True
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        if not isinstance(self.r, (int, float)):
            raise BadParameter(f"r must be a count (int) or a share (float); got {self.r!r}")
        check_removal(self.r)
        for name in ("tau_sim", "tau_info", "tau_size"):
            if not getattr(self, name) >= 0:
                raise BadParameter(f"{name} must be at least 0; got {getattr(self, name)!r}")

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Fuse before attention, on the attention map of the same block."""
        depth = len(model.layers)
        count_of(self.r, model.patches)
        active = tuple(range(1, depth)) if self.blocks is None else tuple(self.blocks)
        if any(not 0 <= index < depth for index in active):
            raise BadParameter(f"blocks must lie between 0 and {depth - 1}; got {self.blocks!r}")

        schedule, length = [0] * depth, model.patches + model.specials
        for index in sorted(set(active)):
            schedule[index] = budget(self.r, length, model.specials)
            length -= schedule[index]

        def attend(index: int, attention: Attention) -> Tokens:
            r = schedule[index]
            return fused(self, attention, r) if r else attention.attended()

        return context.enter(model.patched(attend=attend, proportional=self.proportional))


def budget(r: int | float, length: int, specials: int) -> int:
    """Tokens to remove from a sequence of ``length``, specials included.

    A count leaves at least 10 tokens; a share is taken of the patches, floored; both are capped
    at half of the patches.
    """
    r = r if length - r >= 10 else length - 10
    count = math.floor(exact(r) * (length - specials)) if 0 < r < 1 else int(r)
    return capped(count, length, specials)


def score(method: Mctf, x: Tensor, heard: Tensor, size: Tensor, specials: int) -> Tensor:
    """How well even [a] and odd [b] tokens would fuse, in (0, 1], -inf for specials: [B, a, b].

    Args:
        method: The temperatures.
        x: Hidden states, [B, T, C].
        heard: Mean attention that each token gets, [B, T].
        size: Patches that each token stands for, [B, T].
        specials: Leading tokens that take no part.
    """
    rows = unit(x)
    near = (rows[:, ::2] @ rows[:, 1::2].transpose(1, 2) + 1) / 2
    total = near.clamp(min=0) ** (1 / method.tau_sim) if method.tau_sim else torch.ones_like(near)
    for amount, tau in ((heard, method.tau_info), (size, method.tau_size)):
        if tau:
            small = (amount.amin(1, keepdim=True) / amount) ** (1 / tau)
            total = total * small[:, ::2, None] * small[:, None, 1::2]
    return shield(total, specials)


def fused(method: Mctf, attention: Attention, r: int) -> Tokens:
    """The block's attention sub-layer with tokens fused ahead of it, ``r`` fewer.

    The map is that of the tokens before fusion: columns of fused keys add up, rows of fused
    queries average with the weights of the tokens. Values come from the fused tokens.
    """
    tokens, block, size = attention.tokens, attention.block, attention.tokens.sizes()
    heard = received(attention.weights)
    heard = heard.clamp(min=torch.finfo(heard.dtype).tiny)  # a token that nobody looks at
    fit = score(method, tokens.x, heard, size, tokens.specials)
    groups = both_ways(fit, r, tokens.specials)
    weight = heard * size
    merged = by_weight(tokens, groups, weight)
    values = attention.values(block.layernorm_before(merged.x))
    spread = pick(values.transpose(1, 2), groups.slot)
    mixed = (attention.weights @ spread.transpose(1, 2)).transpose(1, 2)
    rows = weighted(mixed.flatten(2), weight, groups).view(-1, groups.count, *mixed.shape[2:])
    return merged.but(x=merged.x + attention.output(rows.transpose(1, 2)))
