"""Latency, memory and modes on a real GPU, against amounts of work and of memory that are known."""

import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from tokonomy.errors import TelemetryError, Unsupported
from tokonomy.measure import settings
from tokonomy.measure.clock import Clock, CudaClock, clock_for, l2_cold
from tokonomy.measure.compiling import unasked
from tokonomy.measure.devices import open_telemetry
from tokonomy.measure.graphs import capture
from tokonomy.measure.latency import measure_pairs
from tokonomy.measure.memory import baseline, measure_peak
from tokonomy.measure.modes import executed
from tokonomy.store.cell import Measuring
from tokonomy.store.observed import Peak

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("default::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores:UserWarning"),  # we want it off
]
DEVICE = "cuda:0"
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    ids: Tensor
    pixels: Tensor


def inputs(rows: int, seed: int = 0, width: int = 2048) -> Inputs:
    drawn = torch.Generator(DEVICE).manual_seed(seed)
    pixels = torch.randn(rows, width, generator=drawn, device=DEVICE)
    return Inputs(ids=torch.arange(rows, device=DEVICE), pixels=pixels)


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    settings.declare(DEVICE)
    with torch.inference_mode():
        yield


def work(times: int) -> Any:
    """So many products of one size."""
    weight = torch.randn(2048, 2048, device=DEVICE) / 45

    def call(batch: Inputs) -> Tensor:
        x = batch.pixels
        for _ in range(times):
            x = (x @ weight).tanh()
        return x

    return call


@pytest.mark.parametrize(
    ("times", "rows", "low", "high"),
    [(50, 2048, 0.8, 1.02), (300, 1, 0.0, 0.7)],
    ids=["work fills the time", "launching does"],
)
def test_the_devices_time_is_that_of_its_work(
    times: int, rows: int, low: float, high: float
) -> None:
    clock, batch = clock_for(DEVICE), inputs(rows)
    call = work(times) if rows > 1 else small(times)
    shares = [device_share(clock, call, batch) for _ in range(20)]
    assert low < statistics.median(shares[5:]) < high


def device_share(clock: Clock, call: Any, batch: Inputs) -> float:
    """Of a call's time by the host, what its work takes on the device."""
    taken = clock.timed(call, batch)
    queued = clock.queued(call, batch, taken.asking_ns)
    assert queued is not None
    return queued.device_ns / taken.host_ns


def small(times: int) -> Any:
    """So many kernels that take less than starting them does."""

    def call(batch: Inputs) -> Tensor:
        x = batch.pixels
        for _ in range(times):
            x = x + 1
        return x

    return call


def test_a_planted_slow_down_is_found_by_both_clocks() -> None:
    timing = measure_pairs(
        work(40),
        work(20),
        [inputs(2048, seed) for seed in range(4)],
        clock=clock_for(DEVICE),
        measuring=Measuring(min_pairs=40, max_pairs=40, max_s=10.0),
        rng=random.Random(0),
    )
    ratio = statistics.median(pair.method_ns / pair.reference_ns for pair in timing.pairs)
    pairs = zip(timing.device_ns["method"], timing.device_ns["reference"], strict=True)
    assert 1.8 < ratio < 2.2
    assert 1.8 < statistics.median(one / other for one, other in pairs) < 2.2


def test_an_answer_that_is_kept_takes_the_device_as_long() -> None:
    call, last = work(40), list[tuple[Inputs, Tensor]]()

    def keeping(batch: Inputs) -> Tensor:
        if not last or last[0][0] is not batch:
            last[:] = [(batch, call(batch))]
        return last[0][1]

    timing = measure_pairs(
        keeping,
        call,
        [inputs(2048, seed) for seed in range(4)],
        clock=clock_for(DEVICE),
        measuring=Measuring(min_pairs=20, max_pairs=20, max_s=10.0),
        rng=random.Random(0),
    )
    pairs = zip(timing.device_ns["method"], timing.device_ns["reference"], strict=True)
    assert 0.9 < statistics.median(one / other for one, other in pairs) < 1.1


@pytest.mark.parametrize("mib", [64, 512])
def test_a_planted_footprint_is_found(mib: int) -> None:
    with open_telemetry(DEVICE) as telemetry:
        before = baseline(DEVICE, telemetry)
        found = measure_peak(
            lambda: torch.empty(mib * MIB, dtype=torch.int8, device=DEVICE),
            before,
            DEVICE,
            telemetry,
        )
    for part in (found.allocated, found.reserved):
        assert isinstance(part, Peak)
        assert mib * MIB <= part.peak_bytes - part.baseline_bytes <= (mib + 32) * MIB
    if isinstance(found.device, Peak):
        assert found.device.peak_bytes - found.device.baseline_bytes >= mib * MIB


@pytest.mark.parametrize("undo", [torch.cuda.empty_cache, torch.cuda.reset_peak_memory_stats])
def test_a_call_that_undoes_its_peak_is_refused(undo: Any) -> None:
    with open_telemetry(DEVICE) as telemetry:
        before = baseline(DEVICE, telemetry)
        with pytest.raises(TelemetryError, match=r"^settings-changed: _cuda_"):
            measure_peak(undo, before, DEVICE, telemetry)


def test_a_capture_that_nobody_asked_for_is_noticed() -> None:
    batch = inputs(1)
    with unasked("eager") as found:
        assert found() == []
        capture(lambda batch: batch.pixels + 1, batch, DEVICE)
        assert found() == ["graphs captured: 1"]


def test_tf32_is_off() -> None:
    one, other = (torch.randn(1024, 1024, device=DEVICE) for _ in range(2))
    exact = (one.double() @ other.double()).float()
    assert float(((one @ other) - exact).abs().max() / exact.abs().max()) < 1e-5
    told = settings.software(DEVICE)
    assert told["cuda"] is not None
    assert "tf32" not in str(told["shortcuts"])


@pytest.mark.parametrize("mode", ["cuda-graphs", "compile"])
def test_a_mode_says_what_the_function_says(mode: Any) -> None:
    call = work(5)
    batches = [inputs(rows, seed) for rows in (1, 8) for seed in range(3)]
    with executed(call, batches, mode, DEVICE) as found:
        outputs = [found.predict(batch) for batch in batches]
        for output, batch in zip(outputs, batches, strict=True):
            assert torch.allclose(output, call(batch), atol=1e-4)
        assert found.compile_s is not None
        assert found.compile_s > 0
        assert found.recompiles() == 0


def test_a_graph_launches_faster_than_the_function() -> None:
    call, batch, clock = work(200), inputs(1), clock_for(DEVICE)
    with executed(call, [batch], "cuda-graphs", DEVICE) as found:
        times = {
            name: statistics.median(clock.timed(one, batch).host_ns for _ in range(30))
            for name, one in (("graph", found.predict), ("eager", call))
        }
    assert times["graph"] < times["eager"]


def by_value(batch: Inputs) -> Tensor:
    return batch.pixels * int((batch.pixels > 0).sum())


def by_number(batch: Inputs) -> Tensor:
    return batch.pixels + DRAWN.random()


DRAWN = random.Random(0)


@pytest.mark.parametrize("predict", [by_value, by_number], ids=["waits", "is baked in"])
def test_what_cannot_be_captured_is_told(predict: Any) -> None:
    with pytest.raises(Unsupported, match=r"^mode-impossible: "):
        executed(predict, [inputs(2), inputs(2, 1)], "cuda-graphs", DEVICE).__enter__()


def test_a_cold_cache_is_slower() -> None:
    clock, batch = clock_for(DEVICE), inputs(1024)
    assert isinstance(clock, CudaClock)
    flush = l2_cold(DEVICE)

    def kernel(batch: Inputs) -> Tensor:
        return batch.pixels + 1

    def once(cold: bool) -> int:
        if cold:
            flush()
        return clock.queued(kernel, batch, 100_000).device_ns

    warm = statistics.median(once(False) for _ in range(50))
    assert statistics.median(once(True) for _ in range(50)) > warm
