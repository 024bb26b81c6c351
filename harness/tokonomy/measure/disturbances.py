"""What spoils a measurement on a processor, as the kernel's own counters and settings tell it.

Only what is counted or set counts: other work on the machine and a hypervisor's steal are always
there to some degree, meet both arms alike, and are recorded as state instead.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tokonomy.store.observed import Flag

_SETTINGS = (
    "cpufreq/policy*/scaling_governor",
    "cpufreq/policy*/scaling_min_freq",
    "cpufreq/policy*/scaling_max_freq",
    "cpufreq/boost",
    "intel_pstate/no_turbo",
)
_LONGEST = 64 << 10  # characters of a file; a cgroup's cpu.stat has some hundred


def read(path: Path) -> str | None:
    """A short file of the kernel's; None where it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST).strip()
    except OSError:
        return None


def number(text: str | None) -> int | None:
    """A whole number of at most eighteen digits; None for anything else.

    >>> number("12"), number("-1"), number(None)
    (12, None, None)
    """
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asleep:
    """Bounds of the nanoseconds that the machine has spent suspended since it started."""

    least_ns: int
    most_ns: int


def asleep() -> Asleep:
    """CLOCK_BOOTTIME less CLOCK_MONOTONIC, which stands still in suspend."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return Asleep(least_ns=boot - after, most_ns=boot - before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where to look, found once: a look must not search.

    Attributes:
        throttles: Counts of thermal throttling, per core and per package.
        quotas: ``cpu.stat`` of this process's control group and of every group above it.
        settings: What bounds the clock.
    """

    throttles: tuple[Path, ...]
    quotas: tuple[Path, ...]
    settings: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Everything that is compared between two looks; counts are null where nothing counts."""

    asleep: Asleep
    throttles: int | None
    quotas: int | None
    settings: dict[str, str | None]
    affinity: frozenset[int]


def find(root: Path) -> Files:
    """The files of a machine; ``root`` holds ``proc`` and ``sys``."""
    cpus = root / "sys/devices/system/cpu"
    return Files(
        throttles=tuple(sorted(cpus.glob("cpu[0-9]*/thermal_throttle/*_throttle_count"))),
        quotas=tuple(path / "cpu.stat" for path in _groups(root) if (path / "cpu.stat").is_file()),
        settings=tuple(sorted(path for name in _SETTINGS for path in cpus.glob(name))),
    )


def _groups(root: Path) -> Iterator[Path]:
    """This process's control groups that may bound its processor time, with those above them.

    A line is ``number:controllers:path``; version 2 has no controllers. Inside a container the
    path may be one of the host's: then what is mounted is as near as can be seen.
    """
    mount = root / "sys/fs/cgroup"
    for line in (read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = f"{line}::".split(":", 2)
        parts = [part for part in path.rstrip(":").split("/") if part not in ("", ".", "..")]
        if controllers == "":
            bases = [mount, mount / "unified"]
        elif "cpu" in controllers.split(","):
            bases = [mount / controllers, mount / "cpu"][: 1 + (controllers != "cpu")]
        else:
            continue
        base = next((each for each in bases if each.is_dir()), mount)
        for depth in range(len(parts) + 1):
            yield base.joinpath(*parts[:depth])


def take(files: Files, affinity: frozenset[int], slept: Asleep) -> Marks:
    """What stands in the files now."""
    return Marks(
        asleep=slept,
        throttles=_total([number(read(path)) for path in files.throttles]),
        quotas=_total([_periods(path) for path in files.quotas]),
        settings={f"{path.parent.name}/{path.name}": read(path) for path in files.settings},
        affinity=affinity,
    )


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _periods(path: Path) -> int | None:
    """Periods in which a control group had used up its processor time, of both versions."""
    lines = (line.partition(" ") for line in (read(path) or "").splitlines())
    return next((number(count) for name, _, count in lines if name == "nr_throttled"), None)


def compare(was: Marks, now: Marks) -> list[Flag]:
    """What happened between two looks."""
    found = []
    if now.asleep.least_ns > was.asleep.most_ns:
        seconds = (now.asleep.least_ns - was.asleep.most_ns) / 1e9
        found.append(Flag(code="suspended", detail=f"the machine slept for {seconds:.3g} s"))
    if events := _risen(was.throttles, now.throttles):
        found.append(Flag(code="throttled", detail=f"{events} thermal throttling events"))
    if periods := _risen(was.quotas, now.quotas):
        detail = f"the control group's quota was used up in {periods} periods"
        found.append(Flag(code="cpu-throttled", detail=detail))
    if was.affinity != now.affinity:
        detail = f"processors {_listed(was.affinity)} before and {_listed(now.affinity)} now"
        found.append(Flag(code="affinity-changed", detail=detail[:500]))
    changed = [name for name in was.settings if was.settings[name] != now.settings.get(name)]
    if changed:
        first = changed[0]
        detail = f"{first}: {was.settings[first]} before and {now.settings.get(first)} now"
        found.append(Flag(code="limits-changed", detail=detail[:500]))
    return found


def _risen(was: int | None, now: int | None) -> int:
    return 0 if was is None or now is None else max(0, now - was)


def _listed(cpus: frozenset[int]) -> str:
    return ",".join(map(str, sorted(cpus)))
