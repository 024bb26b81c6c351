"""How many rows of keys and values a block may keep: plain numbers, no tensors."""

from __future__ import annotations

import math
from fractions import Fraction

from tokonomy.errors import BadParameter


def check_whole(name: str, value: object, least: int = 0) -> None:
    """Raise ``BadParameter`` unless ``value`` is a whole number of at least ``least``."""
    if type(value) is not int or value < least:
        raise BadParameter(f"{name} must be a whole number from {least} on; got {value!r}")


def check_share(name: str, value: object, least: float = 0.0) -> None:
    """Raise ``BadParameter`` unless ``value`` is a number from ``least`` to 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= 1:  # type: ignore[operator] # it is a number
        raise BadParameter(f"{name} must be a number from {least:g} to 1; got {value!r}")


def share(keep: float, length: int) -> int:
    """Rows that are left of a prompt, at least one; ``keep`` is the decimal it was written as.

    >>> share(0.29, 100), share(0.5, 201), share(0.1, 5)
    (29, 100, 1)
    """
    return max(1, math.floor(Fraction(str(keep)) * length))


def pyramid(mean: float, length: int, window: int, beta: int, layers: int) -> list[int]:
    """Rows of each block, falling in even steps from the first to the last, with a given mean.

    The rule of PyramidKV (arXiv 2406.02069) as kvpress reads it: the mean counts the window, and
    where the last block would keep less than the window, every block keeps the same.

    Args:
        mean: Rows kept by a block on average, a fraction where it is a share of the prompt.
        length: Rows of the prompt.
        window: Rows at the end that every block keeps.
        beta: The last block aims at ``mean / beta`` rows.
        layers: Blocks of the model.

    >>> pyramid(100, 200, 8, 20, 4)
    [192, 131, 69, 8]
    """
    last, most = mean / beta, length - window
    first = 2 * mean - last
    if first >= most:
        first, last = most, 2 * mean - most
    if not length >= first >= last >= window or layers == 1:
        return [round(mean)] * layers
    step = (first - last) / (layers - 1)
    return [round(first - layer * step) for layer in range(layers)]
