"""The GPU's clock, with a device that only writes down what is asked of it."""

from dataclasses import dataclass, field

from tokonomy.measure.clock import CudaClock
from tokonomy.measure.protocol import HOLD_CYCLES


@dataclass
class Device:
    """Events, a kernel that waits, and a function to call."""

    asked: list[str] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)

    def record(self) -> None:
        self.asked.append("event")

    def elapsed_time(self, other: object) -> float:
        return 0.25  # milliseconds

    def sync(self) -> None:
        self.asked.append("sync")

    def hold(self, cycles: int) -> None:
        self.asked.append("hold")
        self.cycles.append(cycles)

    def call(self, argument: object) -> object:
        self.asked.append("call")
        return argument


def test_the_devices_time_is_taken_from_a_call_that_is_queued_whole() -> None:
    device = Device()
    clock = CudaClock(sync=device.sync, start=device, end=device, hold=device.hold)
    taken = clock.timed(device.call, "batch")
    by_host, queued = ["sync", "call", "sync"], ["sync", "hold", "event", "call", "event", "sync"]
    assert device.asked == by_host + queued
    assert (taken.device_ns, taken.output) == (250_000, "batch")
    assert 0 < device.cycles[0] <= taken.host_ns * HOLD_CYCLES
