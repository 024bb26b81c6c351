"""A class of made-up rows with everything that limits, axes and comparisons turn on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from records import make_gpu_record, make_record
from tokonomy.store.record import Record

KEEPS = (0.9, 0.7, 0.5, 0.3)
METHODS = 5
SAMPLES = 200


def expert_records() -> Iterator[Record]:
    """A GPU's class of 22 rows, one failed and one without memory, and a class of a CPU."""
    yield make_gpu_record(method="reference", samples=SAMPLES)
    for number in range(METHODS):
        for keep in KEEPS:
            given: dict[str, Any] = {
                "method": f"method-{number}", "keep": keep, "samples": SAMPLES,
                "params": {"keep": keep}, "latency_ratio": 0.2 + (0.6 + 0.08 * number) * keep,
                "accuracy": 0.86 - 0.25 * (1 - keep) ** 2 - 0.01 * (number % 3),
            }  # fmt: skip
            if number == 4 and keep == 0.3:
                given["memory"] = {"reason": "not-asked", "detail": None}
                yield make_record(cell={"device": "cuda:0", "device_class": "cuda: Example GPU"},
                                  **given)  # fmt: skip
            else:
                yield make_gpu_record(**given)
    yield make_gpu_record(method="method-5", params={"keep": 0.5}, status="oom", samples=SAMPLES)
    for keep in KEEPS:
        yield make_record(method="method-0", keep=keep, params={"keep": keep}, samples=SAMPLES)
    yield make_record(method="method-0", keep=0.5, params={"keep": 0.5}, task="digits")
