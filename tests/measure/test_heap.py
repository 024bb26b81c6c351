"""What is loaded lies beyond the gaps of the heap, in real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tokonomy.measure.heap import accounted

SIZE = 1000
MANY = 2000

pytestmark = pytest.mark.skipif(
    not accounted(), reason="the C library gives no account of its heap: no mallinfo2"
)


IN_GAPS = f"""
import ctypes, sys
from contextlib import nullcontext
from tokonomy.measure.heap import unbroken

library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
library.free.argtypes = (ctypes.c_void_p,)
blocks = [library.malloc({SIZE}) for _ in range({2 * MANY})]
gaps = set(blocks[::2])
for block in gaps:
    library.free(block)
with unbroken() if sys.argv[1] == "held" else nullcontext():
    inside = {{library.malloc({SIZE}) for _ in range({MANY // 2})}}
after = {{library.malloc({SIZE}) for _ in range({MANY // 2})}}
print(len(inside & gaps), len(after & gaps))
"""


def looked(how: str) -> tuple[int, int]:
    """How many of a thousand blocks lie in gaps that were made before, and of those after them."""
    done = subprocess.run(
        [sys.executable, "-c", IN_GAPS, how], capture_output=True, text=True, check=True
    )
    inside, after = map(int, done.stdout.split())
    return inside, after


def test_gaps_are_filled_first_unless_they_are_held() -> None:
    assert looked("free")[0] > MANY // 4
    assert looked("held")[0] < 20  # the interpreter frees a block of its own now and then


def test_gaps_are_free_again_afterwards() -> None:
    assert looked("held")[1] > MANY // 4
