"""What is loaded lies beyond the gaps of the heap, in real processes."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tokonomy.measure.heap import accounted
from tokonomy.measure.settings import software

SIZE = 1000
MANY = 2000

_NAME, _VERSION = platform.libc_ver()
pytestmark = pytest.mark.skipif(
    _NAME != "glibc" or tuple(map(int, _VERSION.split("."))) < (2, 33),
    reason="only the GNU C library from 2.33 on gives account of its heap",
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


def test_a_record_says_that_gaps_were_held() -> None:
    assert accounted()
    assert software("cpu") == {"heap gaps": "held while models are loaded"}


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
