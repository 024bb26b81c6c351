"""Which symbol and colour stand for which method: shape and colour both, the same on every page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Paths around the origin, about 10 pixels wide.
SYMBOLS = {
    "mr": "M0-7L1.7-2.3L6.7-2.2L2.7.9L4.1 5.7L0 2.8L-4.1 5.7L-2.7.9L-6.7-2.2L-1.7-2.3Z",
    "mx": "M-3.4-4.5L0-1.1L3.4-4.5L4.5-3.4L1.1 0L4.5 3.4L3.4 4.5L0 1.1L-3.4 4.5L-4.5 3.4L-1.1 0"
    "L-4.5-3.4Z",
    "mp": "M-.8-5H.8V-.8H5V.8H.8V5H-.8V.8H-5V-.8H-.8Z",
    "m0": "M4.2 0A4.2 4.2 0 1 1-4.2 0A4.2 4.2 0 1 1 4.2 0Z",
    "m1": "M-3.7-3.7H3.7V3.7H-3.7Z",
    "m2": "M0-4.8L4.8 3.6H-4.8Z",
    "m3": "M0-5.2L5.2 0L0 5.2L-5.2 0Z",
    "m4": "M0 4.8L4.8-3.6H-4.8Z",
    "m5": "M-4-4.2H4L-4 4.2H4Z",
    "ron": "M8 0A8 8 0 1 1-8 0A8 8 0 1 1 8 0Z",
    "rmay": "M8 0A8 8 0 0 1 0 8M-8 0A8 8 0 0 1 0-8",
}
#: The arms that others are held against stand apart: no colour, a symbol of their own.
_FIXED = {"reference": ("kr", "mr"), "random-drop": ("k6", "mx"), "downsample": ("k6", "mp")}
_HUES, _SHAPES = 6, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Class of the colour and id of the symbol."""

    style: str
    shape: str


def signs(methods: Iterable[str]) -> dict[str, Sign]:
    """A sign per method; distinct for the first 36 besides the fixed ones.

    >>> signs(["tome", "evit"])["tome"]
    Sign(style='k1', shape='m1')
    """
    found = {}
    for index, name in enumerate(sorted(set(methods) - set(_FIXED))):
        shape = (index + index // _HUES) % _SHAPES
        found[name] = Sign(style=f"k{index % _HUES}", shape=f"m{shape}")
    return found | {name: Sign(style=s, shape=m) for name, (s, m) in _FIXED.items()}
