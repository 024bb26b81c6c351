"""The state of a scripted driver and what every one of its functions asks first.

The pure-Python twin of the same part of ``nvml.c``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from tokonomy.measure.clock import Clock
from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.course import Course, whole
from tokonomy.measure.scripted.meter import nanoseconds
from tokonomy.measure.scripted.passing import waiter
from tokonomy.measure.scripted.profile import Process, Profile
from tokonomy.measure.scripted.script import Device, devices


@dataclass(slots=True)
class Watch:
    """A set of events: what is registered with it, and how far it was read.

    Attributes:
        since: When each device was registered, and for which kinds: (device, kinds, ns).
        told: Number of events behind it, in the order of all events.
    """

    since: list[tuple[int, int, int]] = field(default_factory=list)
    told: int = 0


@dataclass(slots=True)
class Player:
    """A profile being played.

    Attributes:
        start_ns: Time of the clock that is second 0.
        users: Calls of ``nvmlInit`` without their ``nvmlShutdown``.
        watches: Sets of events by handle.
    """

    profile: Profile
    clock: Clock
    start_ns: int
    users: int = 0
    devices: tuple[Device, ...] = ()
    watches: dict[int, Watch] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.devices = devices(self.profile)

    def now(self) -> int:
        """Nanoseconds since the script began."""
        return self.clock.now() - self.start_ns

    def wait(self, nanoseconds: int) -> None:
        """Let time pass."""
        if nanoseconds > 0:
            waiter(self.clock)(nanoseconds)

    def device(self, handle: int) -> Device | None:
        """The device behind a handle."""
        number = handle - names.FIRST_DEVICE
        return self.devices[number] if 0 <= number < len(self.devices) else None


def fault(player: Player, function: str, device: Device | None) -> int:
    """The error that the script wants of this call, or success."""
    now = player.now()
    for one in player.profile.faults:
        named = one.function == function or (one.function == "*" and device is not None)
        here = one.gpu is None or (device is not None and one.gpu == device.gpu)
        over = one.until_s is not None and now >= nanoseconds(one.until_s)
        if named and here and now >= nanoseconds(one.from_s) and not over:
            return one.code
    return names.SUCCESS


def enter(player: Player, function: str, device: Device | None, *, needs: bool = True) -> int:
    """What comes before every answer: an error, or success and the time that it takes.

    ``needs`` tells whether the function takes a device.
    """
    if player.users == 0:
        return names.UNINITIALIZED
    if not needs:
        return fault(player, function, device)
    if device is None:
        return names.INVALID_ARGUMENT
    if function in names.COSTLY:
        player.wait(device.cost_ns)
    if lost(player, device):
        return names.GPU_IS_LOST
    return fault(player, function, device)


def lost(player: Player, device: Device) -> bool:
    """Whether a device is gone."""
    return device.lost_ns is not None and player.now() >= device.lost_ns


def answer(player: Player, device: Device, function: str, inputs: int, slot: int) -> int | None:
    """A number from the device's table; None where it is not supported."""
    course: Course | None = device.values.get((function, inputs, slot))
    return None if course is None else whole(course, player.now() / 1e9)


def running(player: Player, device: Device, kind: str) -> list[Process]:
    """The processes of a kind that are on a device now."""
    now = player.now()
    return [
        one
        for one in device.processes
        if one.kind == kind
        and nanoseconds(one.from_s) <= now
        and (one.until_s is None or now < nanoseconds(one.until_s))
    ]


def pid(process: Process) -> int:
    """Its number; that of the asking process where the script names none."""
    return os.getpid() if process.pid is None else process.pid


def happened(player: Player) -> list[tuple[int, int, int, int]]:
    """All events of the script in order: (ns, device, kind, data)."""
    events = [
        (nanoseconds(event.at_s), number, event.kind, event.data)
        for number, device in enumerate(player.devices)
        for event in device.events
    ]
    return sorted(events, key=lambda event: event[:2])
