"""The garbage collector, kept from looking at what is not a measurement's."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def spared() -> Iterator[None]:
    """Leave the collector nothing to look at but what is made from here on.

    So it costs next to nothing, and still frees what calls leave behind in cycles. Where the
    process was begun with something kept from the collector, as runs are, that is never given back:
    the next look at all libraries would cost as much as many calls.
    """
    kept = gc.get_freeze_count()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not kept:
            gc.unfreeze()
