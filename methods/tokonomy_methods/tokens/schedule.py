"""How many tokens stay or go at which block: plain integers, no tensors.

Rates are read as the decimals they were written as, so that 0.29 of 100 is 29 and not 28.
Counts are patches unless a name says otherwise; nothing here ever leaves fewer than one patch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tokonomy.errors import BadParameter
from tokonomy.families.vision.model import every

Removal = int | float | Sequence[int]


def exact(rate: float) -> Fraction:
    """The decimal that ``rate`` was written as.

    >>> exact(0.7) * 10
    Fraction(7, 1)
    """
    return Fraction(str(rate))


def check_rate(name: str, value: float) -> None:
    """Raise ``BadParameter`` unless ``value`` is a number in (0, 1]."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= 1:
        raise BadParameter(f"{name} must be a number above 0 and at most 1; got {value!r}")


def floor_of_original(keep: float, patches: int, stages: int = 3) -> tuple[int, ...]:
    """Patches left after each stage: ``keep ** i`` of the original number, floored.

    The rule of "Which tokens to use?" (arXiv 2308.04657) and DynamicViT.

    >>> floor_of_original(0.7, 196)
    (137, 96, 67)
    """
    return tuple(max(1, math.floor(exact(keep) ** i * patches)) for i in range(1, stages + 1))


def stages(keep: float, patches: int, blocks: int) -> dict[int, int]:
    """Patches left at a quarter, a half and three quarters of the depth, by block.

    >>> stages(0.7, 196, 12)
    {3: 137, 6: 96, 9: 67}
    """
    return dict(zip(every(blocks), floor_of_original(keep, patches), strict=True))


def ceil_of_current(
    keep: float, patches: int, stages: int = 3, *, fused: bool = False
) -> tuple[int, ...]:
    """Patches kept at each stage: ``keep`` of the tokens there are, rounded up.

    The rule of EViT (arXiv 2202.07800). With ``fused``, a stage that drops something adds one
    token made of what it dropped, which counts as a patch from there on.

    >>> ceil_of_current(0.7, 196, fused=True)
    (138, 98, 70)
    """
    counts = []
    for _ in range(stages):
        kept = math.ceil(exact(keep) * patches)
        patches = kept + (fused and kept < patches)
        counts.append(kept)
    return tuple(counts)


def compounding(ratio: float, patches: int, blocks: int) -> tuple[int, ...]:
    """Patches removed in each block when each keeps ``ratio`` of what it gets.

    The rule of PiToMe: ``r = floor(T - T * ratio)``, T without the class token.

    >>> compounding(0.95, 196, 4)
    (9, 9, 8, 8)
    """
    removed = []
    for _ in range(blocks):
        removed.append(math.floor(patches - exact(ratio) * patches))
        patches -= removed[-1]
    return tuple(removed)


def count_of(r: int | float, patches: int) -> int:
    """Tokens meant by ``r``: an int is a count, a float below 1 a share of the patches.

    A share is rounded to the nearest count, halves up; ``patches`` is the number at the model's
    own resolution, so that a share means the same for 64, 196 and 576 patches.

    >>> count_of(0.0625, 196), count_of(13, 196)
    (12, 13)
    """
    if isinstance(r, bool) or not isinstance(r, (int, float)):
        raise BadParameter(f"r must be a count (int) or a share of the patches (float); got {r!r}")
    if isinstance(r, float) and not 0 <= r < 1:
        raise BadParameter(f"r as a share must be at least 0 and below 1; got {r!r}")
    count = r if isinstance(r, int) else math.floor(exact(r) * patches + Fraction(1, 2))
    if not 0 <= count <= patches:
        raise BadParameter(f"r must be between 0 and the model's {patches} patches; got {r!r}")
    return count


def check_removal(r: Removal, inflection: float = 0.0) -> None:
    """Raise ``BadParameter`` unless ``r`` and ``inflection`` mean something for some model."""
    if not isinstance(inflection, (int, float)) or not -1 <= inflection <= 1:
        raise BadParameter(f"inflection must lie between -1 and 1; got {inflection!r}")
    if isinstance(r, (list, tuple)):
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in r):
            raise BadParameter(
                f"r as a list holds one count (int, at least 0) per block; got {r!r}"
            )
        if inflection:
            raise BadParameter("inflection bends a single r; it means nothing for a list of counts")
    elif not isinstance(r, (int, float)) or isinstance(r, bool):
        raise BadParameter(f"r must be a count, a share or a list of counts; got {r!r}")
    elif r < 0 or (isinstance(r, float) and r >= 1):
        raise BadParameter(f"r must be a count of at least 0 or a share below 1; got {r!r}")


def per_block(r: Removal, blocks: int, patches: int, inflection: float = 0.0) -> tuple[int, ...]:
    """Tokens that each block is asked to remove, before any cap.

    Args:
        r: A count or a share of ``patches`` for every block, or one count per block (padded with
            zeros).
        blocks: Depth of the model.
        patches: Patch tokens of the model.
        inflection: Slope of a single ``r``: 0 is constant; -1 falls from ``2r`` to 0; 1 rises
            from 0 to ``2r``; each value is truncated (ToMe, arXiv 2210.09461).

    >>> per_block(13, 12, 196, -1)
    (26, 23, 21, 18, 16, 14, 11, 9, 7, 4, 2, 0)
    """
    check_removal(r, inflection)
    if not isinstance(r, (int, float)):
        if len(r) > blocks:
            raise BadParameter(f"r holds one count per block, {blocks} here; got {len(r)}")
        return tuple(count_of(n, patches) for n in r) + (0,) * (blocks - len(r))
    count = count_of(r, patches)
    first = math.floor(count * (1 - exact(inflection)))
    step = Fraction(2 * count - 2 * first, max(1, blocks - 1))
    return tuple(math.floor(first + step * index) for index in range(blocks))


def capped(r: int, length: int, protected: int = 1) -> int:
    """ToMe's cap: pairs need two tokens, so at most half of what is not protected.

    Args:
        r: Tokens asked to go.
        length: Sequence length, specials included.
        protected: Specials that take no part.
    """
    return max(0, min(r, (length - protected) // 2))


def lengths(removed: Sequence[int], length: int, protected: int = 1) -> tuple[int, ...]:
    """Sequence length, specials included, after each block of a capped schedule.

    >>> lengths((8,) * 24, 197)[-1]
    7
    """
    after = []
    for r in removed:
        length -= capped(r, length, protected)
        after.append(length)
    return tuple(after)
