"""What is loaded lies beyond the gaps of the heap, in real processes."""

from __future__ import annotations

import ctypes
from multiprocessing import get_context
from multiprocessing.connection import Connection

import pytest

from tokonomy.measure.heap import accounted, unbroken

SIZE = 1000
MANY = 2000

pytestmark = pytest.mark.skipif(
    not accounted(), reason="the C library gives no account of its heap: no mallinfo2"
)


def _in_gaps(kept: bool, answer: Connection) -> None:
    """Send how many of some blocks lie in gaps that were made before."""
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    library.free.argtypes = (ctypes.c_void_p,)
    blocks = [library.malloc(SIZE) for _ in range(2 * MANY)]
    gaps = set(blocks[::2])
    for block in gaps:
        library.free(block)
    if kept:
        with unbroken():
            found = {library.malloc(SIZE) for _ in range(MANY // 2)}
        after = library.malloc(SIZE)
    else:
        found, after = {library.malloc(SIZE) for _ in range(MANY // 2)}, 0
    answer.send((len(found & gaps), after in gaps))


def looked(kept: bool) -> tuple[int, bool]:
    here, there = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_in_gaps, args=(kept, there))
    process.start()
    try:
        assert here.poll(60)
        found: tuple[int, bool] = here.recv()
        return found
    finally:
        process.join()


def test_gaps_are_filled_first_unless_they_are_taken() -> None:
    assert looked(kept=False)[0] > MANY // 4
    assert looked(kept=True)[0] < 20  # the interpreter frees a block of its own now and then


def test_gaps_are_free_again_afterwards() -> None:
    assert looked(kept=True)[1]
