"""Where an instance of the model comes to lie in the processor's memory.

Two instances of one model differ by some tenths of a per cent in speed if one of them lies in the
gaps that earlier work has left in the heap and the other does not. As every run begins as a copy of
one process, the gaps are always the same, and so is the favour: it does not average out. Both
instances are therefore loaded while the gaps are taken. What place in memory can do to a
measurement: Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!",
ASPLOS 2009.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_SIZES = (65536, 32768, 16384, 8192, *range(4096, 16, -16))
"""Bytes of the blocks that are taken, largest first: small tensors are as small as the last."""

_AT_ONCE = 24
"""Blocks taken between two looks: more than the allocator keeps of a size out of its account, 7 by
default or, from version 2.42 on, 16."""


class _Account(ctypes.Structure):
    """What ``mallinfo2`` of the GNU C library (2.33 and later) gives."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                     "uordblks", "fordblks", "keepcost")
    )  # fmt: skip


def accounted() -> bool:
    """Whether the C library gives account of its heap, so that gaps can be found."""
    return hasattr(ctypes.CDLL(None), "mallinfo2")


@contextmanager
def unbroken() -> Iterator[None]:
    """Keep what is allocated inside out of the gaps that were there before.

    Free blocks are taken meanwhile and given back at the end: those of the gaps, which are memory
    that the process has already, and some 16 MB of the heap's end. Does nothing where the C
    library gives no account of its heap.
    """
    library = ctypes.CDLL(None)
    if not accounted():
        yield
        return
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    library.free.restype, library.free.argtypes = None, (ctypes.c_void_p,)
    library.mallinfo2.restype = _Account
    taken = list(_gaps(library))
    try:
        yield
    finally:
        for block in taken:
            library.free(block)


def _gaps(library: ctypes.CDLL) -> Iterator[int]:
    """Take blocks of each size as long as they come from gaps; gives their addresses."""
    for size in _SIZES:
        before, left = size, 0
        while before - left >= size:
            before = _free_bytes(library)
            yield from (library.malloc(size) for _ in range(_AT_ONCE))
            left = _free_bytes(library)


def _free_bytes(library: ctypes.CDLL) -> int:
    """Free bytes of the heap but for those at its end."""
    account = library.mallinfo2()
    return int(account.fordblks - account.keepcost)
