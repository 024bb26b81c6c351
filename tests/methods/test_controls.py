"""Planted truths are as large as they say."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import pytest
from torch import nn

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import BadCard
from tokonomy.families.context import Context
from tokonomy.measure.clock import FakeClock
from tokonomy_methods.controls import planted_slow


@dataclass
class Model:
    """A model of one weight whose call does one thing."""

    work: Callable[[], object]
    module: nn.Module = field(default_factory=lambda: nn.Linear(1, 1))

    def __call__(self, _: object) -> object:
        return self.work()


@pytest.mark.parametrize(("extra", "nanoseconds"), [(0.01, 10_100), (0.05, 10_500), (0, 10_000)])
def test_a_call_takes_its_share_longer(
    extra: float, nanoseconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()

    def read() -> int:
        clock.advance(10)  # a look at the clock takes time too
        return clock.time_ns

    monkeypatch.setattr(planted_slow, "perf_counter_ns", read)
    method = catalogue("method").build("planted-slow", {"extra": extra})
    predict = method.prepare(Model(lambda: clock.advance(10_000)), Context())
    predict(None)
    assert nanoseconds <= clock.time_ns <= nanoseconds + 40


HOLDS = """
import torch
from torch import nn
from tokonomy.catalog.registry import catalogue
from tokonomy.families.context import Context
from tokonomy.measure.memory import read_status

class Model:
    module = nn.Linear(1, 1)

    def __call__(self, batch):
        seen.append(read_status("VmRSS"))
        return torch.zeros(1)

predict = catalogue("method").build("planted-memory", {"mebibytes": 48}).prepare(Model(), Context())
seen = []
with torch.inference_mode():
    predict(None)  # a first call brings in more than the memory
    before = read_status("VmRSS")
    predict(None)
print(before, seen[-1], read_status("VmRSS"))
"""


def test_the_memory_is_resident_in_the_call_and_gone_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", HOLDS], capture_output=True, text=True, check=True)
    before, inside, after = map(int, done.stdout.split())
    assert inside - before == pytest.approx(48 * 2**20, abs=2**20)
    assert after - before < 2**20


@pytest.mark.parametrize("kind", ["control", "training-free"])
def test_only_a_control_may_have_few_settings(kind: str) -> None:
    card = catalogue("method").card("planted-memory")
    if kind == "control":
        assert len(replace(card, kind=kind).sweep) == 1
    else:
        with pytest.raises(BadCard, match="at least four settings"):
            replace(card, kind=kind)


@pytest.mark.parametrize(
    ("kind", "name", "good"),
    [
        ("control", "planted-noise", True),
        ("control", "noise", False),
        ("control", "not-planted-noise", False),
        ("training-free", "noise", True),
        ("training-free", "planted-noise", False),
        ("reference", "planted-noise", False),
    ],
)
def test_the_id_of_a_control_tells_that_it_is_one(kind: str, name: str, good: bool) -> None:
    card = catalogue("method").card("planted-memory")
    expected = nullcontext() if good else pytest.raises(BadCard, match="begins with 'planted-'")
    with expected:
        replace(card, id=name, kind=kind, sweep=card.sweep * 4)
