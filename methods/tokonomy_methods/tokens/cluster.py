"""Which tokens go together: clustering, as pure functions over patches.

Each function gives ``Groups`` of patches, without specials (``match.behind`` puts them in front).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from sklearn.cluster import AgglomerativeClustering
from torch import Tensor

from tokonomy.families.vision.tokens import pick
from tokonomy_methods.tokens.match import Groups, unit

Linkage = Literal["single", "average", "complete"]
Cost = Literal["whole", "cluster"]


def agglomerate(metric: Tensor, count: int, linkage: Linkage) -> Groups:
    """Bottom-up clustering on cosine distance (ATC, 2409.11923), one sample at a time, on the CPU.

    Output: clusters in the order of scikit-learn's labels; none of their tokens leads.

    Args:
        metric: [B, N, D].
        count: Clusters, at most N.
        linkage: Distance of two clusters: their nearest, mean or farthest pair.
    """
    rows = unit(metric)
    distance = (1 - rows @ rows.transpose(1, 2)).cpu().numpy()
    model = AgglomerativeClustering(n_clusters=count, metric="precomputed", linkage=linkage)
    labels = np.stack([model.fit(sample).labels_ for sample in distance])
    return Groups(slot=torch.from_numpy(labels).to(metric.device, torch.int64), count=count)


def _nearest(distance: Tensor, centres: Tensor) -> Tensor:
    """Which centre each token is nearest to; a centre to itself. [B, N, N], [B, K] to [B, N]."""
    own = torch.arange(centres.shape[1], device=centres.device).expand_as(centres)
    return pick(distance, centres).argmin(1).scatter_(1, centres, own)


def _headed(slot: Tensor, centres: Tensor) -> Groups:
    head = torch.zeros_like(slot, dtype=torch.bool).scatter_(1, centres, True)
    return Groups(slot=slot, count=centres.shape[1], head=head)


def _medians(cost: Tensor, slot: Tensor, count: int) -> Tensor:
    """The cheapest token of each cluster, the first among equals: [B, N] twice to [B, K]."""
    least = torch.full((len(cost), count), torch.inf, dtype=cost.dtype, device=cost.device)
    least = least.scatter_reduce_(1, slot, cost, "amin")
    position = torch.arange(cost.shape[1], device=cost.device)
    position = torch.where(cost == least.gather(1, slot), position, cost.shape[1])
    first = torch.full((len(cost), count), cost.shape[1], device=cost.device)
    return first.scatter_reduce_(1, slot, position, "amin")


def medoids(
    x: Tensor, weight: Tensor, count: int, *, cost: Cost = "whole", iterations: int = 3
) -> Groups:
    """Weighted K-medoids (Token Pooling, 2110.03860), leading tokens being the medoids.

    Begins at the ``count`` heaviest tokens. Output: clusters by falling weight of their first
    medoid.

    Args:
        x: [B, N, C].
        weight: How much a token matters, [B, N].
        count: Clusters, at most N.
        cost: What a medoid has least of: ``cluster``, the weighted sum of its distances to the
            members of its cluster; ``whole``, its own weight times the sum of its distances to
            all tokens, as "Which tokens to use?" (2308.04657) computes it.
        iterations: Rounds of assigning and choosing anew.
    """
    distance = torch.cdist(x.float(), x.float())
    centres = weight.topk(count).indices
    slot = _nearest(distance, centres)
    price = weight * distance.sum(-1) if cost == "whole" else weight
    for _ in range(iterations):
        if cost == "cluster":
            together = slot[:, :, None] == slot[:, None, :]
            price = (distance * weight[:, None] * together).sum(-1)
        centres = _medians(price, slot, count)
        slot = _nearest(distance, centres)
    return _headed(slot, centres)


def peaks(x: Tensor, count: int, neighbours: int = 5) -> Groups:
    """Density-peak clustering on nearest neighbours (DPC-KNN).

    Density is ``exp(-mean(d^2))`` over the nearest tokens, the token itself among them, with
    ``d`` the distance over ``sqrt(C)``; a centre has a high product of density and distance to
    the nearest denser token. Output: clusters by falling product. Among equally dense tokens the
    earlier one counts as denser.

    Args:
        x: [B, N, C].
        count: Clusters, at most N.
        neighbours: Tokens that make the density, at most N of them.
    """
    length, width = x.shape[1:]
    distance = torch.cdist(x.float(), x.float()) / width**0.5
    near = distance.topk(min(neighbours, length), largest=False, sorted=False).values
    density = near.square().mean(-1).neg().exp()
    ahead, own = density[:, None, :], density[:, :, None]
    earlier = torch.ones(length, length, dtype=torch.bool, device=x.device).tril(-1)
    denser = (ahead > own) | ((ahead == own) & earlier)
    farthest = distance.amax((1, 2), keepdim=True)
    gap = torch.where(denser, distance, farthest).amin(-1)
    centres = (gap * density).topk(count).indices
    return _headed(_nearest(distance, centres), centres)
