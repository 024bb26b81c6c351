"""DiffRate: prune the least, merge the next, as many of each as a given schedule says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import Claim, MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.vision.attention import Attention
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.diffrate_schedules import PUBLISHED
from tokonomy_methods.tokens.match import Groups, unit
from tokonomy_methods.tokens.merge import mean, sums
from tokonomy_methods.tokens.score import class_attention

CARD = MethodCard(
    id="diffrate",
    title="DiffRate",
    families=("vision",),
    summary="In every block but the first, the patches with the least class attention are dropped "
    "and the next ones merged, by a schedule that was learned once.",
    kind="training-free",
    lossless="lossy",
    effect="removed",
    alters=("tokens after attention", "attention logits"),
    needs=("cls token", "class attention", "bias on attention logits"),
    paper="2305.17997",
    code="OpenGVLab/DiffRate",
    code_licence="none",
    differences=(
        "Schedules are not searched here: the published ones are used, or counts given by hand.",
        "A published schedule is exact only for its own depth and number of patches; for any other "
        "model it is interpolated linearly over depth and scaled by the number of patches (nearest "
        "count, halves up, at least one patch), which its authors never proposed.",
        "The class token's attention is computed as one extra row beside the block's own kernel; "
        "the source computes the whole map and mixes with it, so results agree to rounding only.",
        "Where a block removes nothing, patches are not re-sorted; the order changes no output.",
        "A merged patch adds its size times its similarity, and a negative similarity counts as 0; "
        "the source lets sizes fall, at worst below 0, where their logarithm is undefined.",
        "A distillation token is kept in place and takes no part in merging; the source has no "
        "distilled model. Published counts then hold without it.",
        "Among equal scores the earlier patch ranks first; the source leaves ties to torch.sort.",
        "The schedules for the hierarchical CAFormer are left out.",
        "The repository carries no licence: rule and figures only, no code.",
    ),
    claims=(
        Claim(
            model="DeiT-S, off the shelf",
            dataset="ImageNet-1k val",
            setting="deit-s-2.9 (2.905 GFLOPs)",
            metric="top-1 accuracy",
            value=79.538,
            unit="%",
            source="README of OpenGVLab/DiffRate",
        ),
        Claim(
            model="DeiT-B, off the shelf",
            dataset="ImageNet-1k val",
            setting="deit-b-11.5 (11.517 GFLOPs)",
            metric="top-1 accuracy",
            value=81.498,
            unit="%",
            source="README of OpenGVLab/DiffRate",
        ),
        Claim(
            model="ViT-B (MAE), off the shelf",
            dataset="ImageNet-1k val",
            setting="mae-b-11.5 (11.517 GFLOPs)",
            metric="top-1 accuracy",
            value=82.864,
            unit="%",
            source="README of OpenGVLab/DiffRate",
        ),
        Claim(
            model="ViT-L (MAE), off the shelf",
            dataset="ImageNet-1k val",
            setting="mae-l-42.3 (42.290 GFLOPs)",
            metric="top-1 accuracy",
            value=85.658,
            unit="%",
            source="README of OpenGVLab/DiffRate",
        ),
        Claim(
            model="ViT-H (MAE), off the shelf",
            dataset="ImageNet-1k val",
            setting="mae-h-103.4 (103.337 GFLOPs)",
            metric="top-1 accuracy",
            value=86.664,
            unit="%",
            source="README of OpenGVLab/DiffRate",
        ),
    ),
    atlas=("S325",),
    sweep=(
        {"schedule": "deit-t-1.0"},
        {"schedule": "deit-b-12.5"},
        {"schedule": "deit-s-3.1"},
        {"schedule": "deit-s-2.9"},
        {"schedule": "deit-s-2.7"},
        {"schedule": "deit-s-2.5"},
        {"schedule": "deit-s-2.3"},
    ),
)


def resample(counts: Sequence[int], blocks: int, patches: int) -> tuple[int, ...]:
    """Patches kept in each block by a published list of counts (class token included).

    >>> resample((197, 99, 50), 3, 196), resample((197, 99, 50), 5, 64)
    ((196, 98, 49), (64, 48, 32, 24, 16))
    """
    shares = [Fraction(count - 1, counts[0] - 1) for count in counts]
    kept = []
    for block in range(blocks):
        at = Fraction(block * (len(shares) - 1), max(1, blocks - 1))
        low, high = shares[floor(at)], shares[min(floor(at) + 1, len(shares) - 1)]
        share = low + (high - low) * (at - floor(at))
        kept.append(max(1, floor(share * patches + Fraction(1, 2))))
    return tuple(kept)


def absorb(tokens: Tokens, count: int) -> Tokens:
    """Merge all patches but the first ``count`` into the most similar of these.

    The new hidden state is the plain mean; the new size adds each source's size times its cosine
    similarity, negative ones as 0.

    Args:
        tokens: T tokens with sizes; patches in order of importance.
        count: Patches that remain.

    Returns:
        specials + count tokens.
    """
    cut, size = tokens.specials + count, tokens.sizes()
    rows = unit(tokens.x[:, tokens.specials :])
    nearest, into = (rows[:, count:] @ rows[:, :count].transpose(1, 2)).max(-1)
    places = torch.arange(cut, device=into.device).expand(len(into), -1)
    groups = Groups(slot=torch.cat([places, into + tokens.specials], 1), count=cut)
    size = torch.cat([size[:, :cut], size[:, cut:] * nearest.clamp(min=0)], 1)
    return mean(tokens, groups).but(size=sums(size, groups))


def compress(tokens: Tokens, row: Tensor, pruned: int, merged: int) -> Tokens:
    """Sort patches by class attention ``row`` [B, h, T], drop down to ``pruned``, then merge."""
    scores = class_attention(row, tokens.specials)
    kept = select.keep(tokens.but(size=tokens.sizes()), select.top(scores, pruned, "score"))
    return absorb(kept, merged) if merged < pruned else kept


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRate:
    """Drop, then merge, in every block but the first.

    Attributes:
        schedule: Name of a published schedule.
        prune: Tokens kept by dropping in each block, class token included; takes the schedule's
            place where given. A short list leaves the other blocks alone.
        merge: Tokens kept by merging in each block, likewise.
    """

    schedule: str = "deit-s-2.9"
    prune: Sequence[int] | None = None
    merge: Sequence[int] | None = None
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        if self.schedule not in PUBLISHED:
            raise BadParameter(
                f"schedule must be one of {', '.join(PUBLISHED)}; got {self.schedule!r}"
            )
        for name, counts in (("prune", self.prune), ("merge", self.merge)):
            if counts is not None and any(type(n) is not int or n < 2 for n in counts):
                raise BadParameter(
                    f"{name} holds one count of at least 2 tokens per block; got {counts!r}"
                )

    def counts(self, blocks: int, patches: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Patches kept in each block by dropping and by merging."""
        if self.prune is None and self.merge is None:
            prune, merge = PUBLISHED[self.schedule]
            return resample(prune, blocks, patches), resample(merge, blocks, patches)
        return self._given("prune", blocks, patches), self._given("merge", blocks, patches)

    def _given(self, name: str, blocks: int, patches: int) -> tuple[int, ...]:
        counts = tuple(getattr(self, name) or ())
        if len(counts) > blocks or any(n > patches + 1 for n in counts):
            raise BadParameter(
                f"{name} holds at most {blocks} counts of at most {patches + 1} tokens for this "
                f"model; got {counts!r}"
            )
        if counts and counts[0] != patches + 1:
            raise BadParameter(
                f"{name} leaves the first block alone, so its first count is {patches + 1} for "
                f"this model; got {counts[0]}"
            )
        return tuple(n - 1 for n in counts) + (patches,) * (blocks - len(counts))

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Patch the model between attention and MLP of each block; keys are weighted by size."""
        prune, merge = self.counts(len(model.layers), model.patches)

        def after(block: int, tokens: Tokens, attention: Attention) -> Tokens:
            pruned = min(prune[block], tokens.patches)
            merged = min(merge[block], pruned)
            if block == 0 or merged >= tokens.patches:
                return tokens
            return compress(tokens, attention.cls_row, pruned, merged)

        return context.enter(model.patched(after=after, proportional=True))
