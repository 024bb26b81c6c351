"""The unmodified model, slower by a known share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any, ClassVar

import torch
from torch import Tensor

from tokonomy.catalog.cards import MethodCard, implements
from tokonomy.errors import BadParameter
from tokonomy.families.context import Context
from tokonomy.families.contract import Predict

CARD = MethodCard(
    id="planted-slow",
    title="Planted slow-down",
    families=("vision", "decoding", "kv"),
    summary="The unmodified model, after which each call waits for a known share of its own time.",
    kind="control",
    lossless="exact",
    effect="none",
    alters=("time of a call",),
    needs=("eager mode: it reads the clock inside the call",),
    differences=(
        "The true latency ratio is 1 + extra in every call: the model's own call is timed inside "
        "it, and the wait is made as long as that share of it. Reading the clock and leaving the "
        "wait add less than a microsecond.",
        "On a GPU the call synchronises with the device once more than the model's own does, "
        "before the clock is read, and then keeps the host busy: the time added is end-to-end, "
        "that synchronisation comes on top of the share, and none of it is work of the device.",
        "It is a wait in proportion to the call, without noise of its own, and so the easiest "
        "slow-down to find: a method's varies with inputs, shapes and caches.",
    ),
    sweep=({"extra": 0.01}, {"extra": 0.02}, {"extra": 0.05}),
)


@implements(CARD)
@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedSlow:
    """Wait after each call.

    Attributes:
        extra: Time added to a call, as a share of the model's own time in it.
    """

    extra: float = 0.02
    card: ClassVar[MethodCard] = CARD

    def __post_init__(self) -> None:
        number = isinstance(self.extra, int | float) and not isinstance(self.extra, bool)
        if not number or not 0 <= self.extra <= 10:
            raise BadParameter(f"extra must be a share from 0 to 10; got {self.extra!r}")

    def prepare(self, model: Any, context: Context) -> Predict:
        """The model with its wait."""
        wait = _waiter(next(model.module.parameters()).device)
        share = float(self.extra)

        def predict(batch: Any) -> Tensor:
            begun = perf_counter_ns()
            logits: Tensor = model(batch)
            wait()
            now = perf_counter_ns()
            until = now + math.floor(share * (now - begun))
            while now < until:
                now = perf_counter_ns()
            return logits

        return predict


def _waiter(device: torch.device) -> Callable[[], None]:
    """What waits until the device is idle; a CPU's call has ended when it returns."""
    return partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None
