"""A cell that is run again and again, and changes on the way."""

from __future__ import annotations

from collections.abc import Iterator

from records import make_record
from tokonomy.store.fields import content_hash
from tokonomy.store.record import Record

NIGHTS = 24


def shifted(nights: int = NIGHTS, ratios: tuple[float, float] = (0.7, 0.84)) -> Iterator[Record]:
    """One run a night; at half of them the method's code changes, and with it its time.

    Every eighth run fails.
    """
    for night in range(nights):
        late = night >= nights // 2
        method = {"id": "tome", "params": {"r": 8}, "source_hash": content_hash(["tome", late])}
        yield make_record(
            method="tome", keep=0.7, task="digits", samples=40, attempt=night,
            latency_ratio=ratios[late], cell={"method": method},
            status="timeout" if night % 8 == 5 else "ok",
        )  # fmt: skip
