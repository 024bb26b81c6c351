"""VWT, inter-image: patches near the same word of a vocabulary are averaged into one token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch.nn import functional as F

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter, Unsupported
from tokonomy.families.context import Context
from tokonomy.families.vision.model import Predict, VisionModel
from tokonomy.families.vision.tokens import Batch, Tokens
from tokonomy_methods.tokens import select
from tokonomy_methods.tokens.schedule import check_rate
from tokonomy_methods.tokens.score import flat_patches

CARD = MethodCard(
    id="vwt-inter",
    title="VWT (inter-image)",
    families=("vision",),
    summary="Once, before the first block, patches whose pixels are near the same word of a "
    "learned vocabulary are averaged into one token.",
    kind="offline-calibrated",
    lossless="lossy",
    effect="removed",
    alters=("tokens before the first block",),
    needs=("patches of more than one pixel", "padding mask", "training images"),
    paper="2411.15397",
    code="wearepal/visual-word-tokenizer",
    code_licence="GPL-3.0",
    differences=(
        "The vocabulary is learned on the task's own train split, one pass in its order; the "
        "source offers vocabularies learned on ImageNet.",
        "A clustering step gets at least as many patches as there are words, whatever the batch.",
        "As in the source, distances are between pixels as the model is fed them, normalised by "
        "its processor; the cosine depends on where that puts zero.",
        "Patches far from every word are numbered after the last word; the source numbers them "
        "after the patch dimension, so that with more words than values in a patch one of them can "
        "coincide with a word.",
        "threshold = 0 switches the method off; in the source, patches equal to a word still join.",
        "Within a batch all samples are padded to the longest and the padding masked, as in the "
        "source; a large batch is then about as long as its least repetitive image.",
        "A distillation token is kept in place; the source strips the first token only.",
        "Applied to classifiers; the source evaluates image-text models.",
        "Where a patch is one pixel, all of one sign point the same way: unsupported.",
    ),
    atlas=("S206",),
    sweep=(
        {"threshold": 0.01},
        {"threshold": 0.1},
        {"threshold": 0.3},
        {"threshold": 0.01, "vocabulary": 100},
        {"threshold": 0.03, "vocabulary": 100},
        {"threshold": 0.1, "vocabulary": 100},
        {"threshold": 0.3, "vocabulary": 100},
    ),
)


def learn(patches: Iterable[Tensor], words: int, seed: int) -> Tensor:
    """Cluster centres of flattened patches.

    Args:
        patches: Chunks of [n, D].
        words: Number of centres.
        seed: Decides the initial centres and which poor ones are replaced.

    Returns:
        float32 [words, D].
    """
    kmeans = MiniBatchKMeans(n_clusters=words, n_init=1, random_state=seed % 2**32)
    waiting: list[Tensor] = []
    fitted = False
    for chunk in patches:
        waiting.append(chunk)
        if sum(map(len, waiting)) >= words:
            kmeans.partial_fit(torch.cat(waiting).cpu().numpy())
            waiting, fitted = [], True
    if not fitted:
        raise BadParameter(
            f"vocabulary must be at most the {sum(map(len, waiting))} patches of the train split; "
            f"got {words}"
        )
    return torch.from_numpy(kmeans.cluster_centers_).float()


def label(patches: Tensor, words: Tensor, threshold: float) -> Tensor:
    """Which token each patch goes into, numbered from 0 within each sample.

    Tokens made of words come first, in the vocabulary's order; then the patches that are further
    than ``threshold`` from every word, in raster order.

    Args:
        patches: Flattened pixels, [B, N, D].
        words: Unit vectors, [V, D].
        threshold: Greatest cosine distance to a word.

    Returns:
        int64 [B, N].
    """
    nearest, word = (F.normalize(patches, dim=-1) @ words.T).max(-1)
    alone = len(words) + torch.arange(patches.shape[1], device=patches.device)
    names, order = torch.where(1 - nearest > threshold, alone, word).sort(dim=-1, stable=True)
    fresh = F.pad(names[:, 1:] != names[:, :-1], (1, 0), value=False)
    return torch.zeros_like(order).scatter(1, order, fresh.cumsum(-1))


def average(tokens: Tokens, labels: Tensor) -> Tokens:
    """Mean of the patches of each label, after the specials; shorter samples padded and masked."""
    front = tokens.specials
    width, mask = select.extent(labels.amax(-1, keepdim=True) + 1 + front)
    width -= front
    x = tokens.x[:, front:]
    ones = torch.ones_like(labels, dtype=torch.float32)
    number = ones.new_ones(len(x), width).scatter_reduce(1, labels, ones, "sum", include_self=False)
    total = x.new_zeros(len(x), width, x.shape[2])
    total = total.scatter_add(1, labels[..., None].expand_as(x), x)
    means = (total / number[..., None]).to(x.dtype)
    return tokens.but(x=torch.cat([tokens.x[:, :front], means], 1), mask=mask)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class VwtInter:
    """Patches that say the same word become one token.

    Attributes:
        threshold: Greatest cosine distance at which a patch counts as a word; 0 is off.
        vocabulary: Number of words.
    """

    threshold: float = 0.1
    vocabulary: int = 1000
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        if self.threshold != 0:
            check_rate("threshold", self.threshold)
        if type(self.vocabulary) is not int or self.vocabulary < 1:
            raise BadParameter(f"vocabulary must be a count of words; got {self.vocabulary!r}")

    def prepare(self, model: VisionModel, context: Context) -> Predict:
        """Learn the vocabulary, then patch the input of the first block."""
        if model.encoder.embeddings.patch_embeddings.patch_size == (1, 1):
            raise Unsupported(
                "vwt-inter needs patches of more than one pixel; this model's are 1x1"
            )
        if self.threshold == 0:
            return model

        def patches(batch: Batch) -> Tensor:
            return flat_patches(batch.pixels.float(), model.grid)

        chunks = (patches(batch).flatten(0, 1) for batch in context.calibration())
        device = next(model.module.parameters()).device
        words = F.normalize(learn(chunks, self.vocabulary, context.seed), dim=-1).to(device)

        def before(block: int, tokens: Tokens) -> Tokens:
            if block:
                return tokens
            return average(tokens, label(patches(tokens.batch), words, self.threshold))

        return context.enter(model.patched(before=before))
