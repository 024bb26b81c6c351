"""Geometric augmentation of image batches."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def warp(
    images: Tensor,
    generator: torch.Generator,
    *,
    degrees: float,
    shift: float,
    scale: float,
    bend: float = 0.0,
    padding: str = "zeros",
) -> Tensor:
    """Move each image by its own random rotation, shift, scale and smooth bend.

    Args:
        images: Pixels, shape [batch, channels, height, width].
        generator: Source of every draw, on the CPU.
        degrees: Largest rotation either way.
        shift: Largest shift either way, as a share of half the image.
        scale: Largest relative change of size either way.
        bend: Largest local displacement, as a share of half the image.
        padding: What lies outside: ``"zeros"`` or ``"reflection"``.

    Returns:
        Images of the same shape; only pixels of the image itself are used.
    """

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) * 2 - 1

    count = len(images)
    angle, zoom = draw(count) * math.radians(degrees), 1 + scale * draw(count)
    cos, sin, move = zoom * angle.cos(), zoom * angle.sin(), shift * draw(2, count)
    matrix = torch.stack((cos, -sin, move[0], sin, cos, move[1]), dim=1).view(count, 2, 3)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    if bend:
        size = (images.shape[2], images.shape[3])
        bumps = functional.interpolate(bend * draw(count, 2, 4, 4), size=size, mode="bicubic")
        grid = grid + bumps.permute(0, 2, 3, 1)
    return functional.grid_sample(
        images, grid.to(images.device), padding_mode=padding, align_corners=False
    )
