"""The energy counter of a real GPU, idle and busy."""

import time

import pytest
import torch

from tokonomy.measure.devices import open_telemetry
from tokonomy.store.fields import Missing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICE = "cuda:0"
SECONDS = 3.0


def busy() -> None:
    one = torch.randn(4096, 4096, device=DEVICE)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for _ in range(10):
            _ = one @ one
        torch.cuda.synchronize(DEVICE)


def idle() -> None:
    torch.cuda.synchronize(DEVICE)
    time.sleep(SECONDS)


def test_work_takes_more_energy_than_none() -> None:
    with open_telemetry(DEVICE) as telemetry:
        counter = telemetry.counter()
        if isinstance(counter, Missing):
            pytest.skip(f"no energy counter: {counter.reason}")
        joules = {}
        for work in (busy, idle):
            before = counter.read()
            work()
            joules[work.__name__] = (counter.read() - before) * 1e-6
    assert joules["busy"] > 1.5 * joules["idle"] > 0
    assert 5 < joules["idle"] / SECONDS < 1000  # watts


def test_the_device_tells_its_identity_and_its_memory() -> None:
    held = torch.ones(256 << 20, dtype=torch.int8, device=DEVICE)
    with open_telemetry(DEVICE) as telemetry:
        assert telemetry.facts()
        used = telemetry.used_bytes()
    assert isinstance(used, Missing) or used >= held.numel()
