"""The GPU's clock, with a device that only writes down what is asked of it."""

from dataclasses import dataclass, field

from tokonomy.measure.clock import Clock, CudaClock, FakeClock, MonotonicClock
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

    def call(self, batch: object) -> object:
        self.asked.append("call")
        return batch

    def clock(self) -> CudaClock:
        return CudaClock(sync=self.sync, start=self, end=self, hold=self.hold)


def test_the_hosts_time_is_from_an_idle_device_to_an_idle_device() -> None:
    device = Device()
    taken = device.clock().timed(device.call, "batch")
    assert device.asked == ["sync", "call", "sync"]
    assert taken.output == "batch"
    assert 0 < taken.asking_ns <= taken.host_ns


def test_the_devices_time_is_taken_from_a_call_that_is_queued_whole() -> None:
    device = Device()
    queued = device.clock().queued(device.call, "batch", 1000)
    assert device.asked == ["sync", "hold", "event", "call", "event", "sync"]
    assert (queued.device_ns, queued.output) == (250_000, "batch")
    assert device.cycles == [1000 * HOLD_CYCLES]


def test_a_processor_has_no_time_of_its_own() -> None:
    device = Device()
    clocks: tuple[Clock, ...] = (MonotonicClock(), FakeClock())
    assert [clock.queued(device.call, "batch", 1000) for clock in clocks] == [None, None]
    assert device.asked == []
