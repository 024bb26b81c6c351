"""Who else is on a GPU, as far as that can be told from inside this process.

NVML lists host process ids: in a container they are not ours, and may be hidden altogether. So the
lists prove nothing alone; memory in use and utilisation are of the whole device and count everyone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tokonomy.measure import nvml
from tokonomy.measure.protocol import IDLE_BYTES
from tokonomy.measure.telemetry import Exclusivity, tried
from tokonomy.store.fields import Missing, Scalar
from tokonomy.store.observed import Flag

_HOST_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel's proc_ns.h
_LISTS = {
    "compute": "nvmlDeviceGetComputeRunningProcesses",
    "graphics": "nvmlDeviceGetGraphicsRunningProcesses",
    "MPS": "nvmlDeviceGetMPSComputeRunningProcesses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Self:
    """This process as NVML may call it.

    Attributes:
        pids: Its ids in the namespaces that can be seen from here.
        known: One of them is the host's, which is the one that NVML uses.
        before: What was listed before this process touched any GPU; None where nobody looked.
    """

    pids: frozenset[int]
    known: bool
    before: frozenset[int] | None = None

    def among(self, listed: Collection[int]) -> set[int]:
        """Which listed ids are this process's.

        In a container, where that cannot be known, it is the one that came since ``before``; two
        cannot be told apart.
        """
        own = self.pids & set(listed)
        if own or self.known or self.before is None:
            return set(own)
        came = set(listed) - self.before
        return came if len(came) == 1 else set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is on the device.

    Attributes:
        pids: Host process ids with the bytes of each; None where the driver does not tell.
        untold: Lists that could not be read, with the reason.
        used_bytes: Device memory in use, the driver's reserve left out where that can be told.
        utilisation: Share of the last sampling period (up to a second) with a kernel running.
    """

    pids: dict[int, int | None]
    untold: dict[str, str]
    used_bytes: int | None
    utilisation: float | None


def myself(before: Collection[int] | None = None, proc: Path = Path("/proc/self")) -> Self:
    """This process's ids, from ``NSpid`` of its status, one for each namespace seen from here."""
    met = None if before is None else frozenset(before)
    pids = {os.getpid()}
    try:
        status = (proc / "status").read_text(encoding="utf-8", errors="replace")
        known = str((proc / "ns/pid").readlink()) == _HOST_NAMESPACE
    except OSError:
        return Self(pids=frozenset(pids), known=False, before=met)
    for line in status.splitlines():
        name, _, ids = line.partition(":")
        if name == "NSpid":
            pids.update(int(word) for word in ids.split() if word.isdecimal())
    return Self(pids=frozenset(pids), known=known, before=met)


def touched() -> bool:
    """Whether this process holds memory of a GPU, and so is one of those that are listed."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    return any(torch.cuda.memory_reserved(at) > 0 for at in range(torch.cuda.device_count()))


def processes(handle: object) -> tuple[dict[int, int | None], dict[str, str]]:
    """Ids of all processes on a device with their memory, and the lists that cannot be read."""
    found: dict[int, int | None] = {}
    untold = {}
    for kind, name in _LISTS.items():
        listed = tried(nvml.newest, (f"{name}_v3", f"{name}_v2"), handle)
        if isinstance(listed, Missing):
            untold[kind] = listed.reason
            continue
        for process in listed:
            found[int(process.pid)] = process.usedGpuMemory
    return found, untold


def used_bytes(handle: object) -> int:
    """Device memory in use; an older driver counts its own reserve in."""
    return nvml.either(
        lambda: int(nvml.ask("nvmlDeviceGetMemoryInfo", handle, nvml.MEMORY_V2).used),
        lambda: int(nvml.ask("nvmlDeviceGetMemoryInfo", handle).used),
    )


def utilisation(handle: object) -> float:
    """Share of the last sampling period with a kernel running, 0 to 1."""
    return min(1.0, float(nvml.ask("nvmlDeviceGetUtilizationRates", handle).gpu) / 100)


def look(handle: object) -> Seen:
    """What is on the device now."""
    pids, untold = processes(handle)
    return Seen(
        pids=pids,
        untold=untold,
        used_bytes=nvml.told(used_bytes, handle),
        utilisation=nvml.told(utilisation, handle),
    )


def foreign(pids: Iterable[int]) -> Flag:
    """The flag of other processes on the device."""
    ids = ", ".join(str(pid) for pid in sorted(pids)[:10])
    return Flag(code="foreign-process", detail=f"other processes on the device, host ids: {ids}")


def hidden(state: Mapping[str, Scalar]) -> Flag | None:
    """The flag of a device that hides processes: whoever came during the run was hidden too."""
    if state.get("gpu_hides_processes") is not True:
        return None
    detail = "this process was on the device and not listed, so others that came are not seen"
    return Flag(code="exclusivity-unverified", detail=detail)


def judge(seen: Seen, own: Self) -> Exclusivity:
    """Whether this process is alone: no other id listed, and no memory or work of anyone else's.

    Both signs are needed. A context of CUDA takes more memory than ``IDLE_BYTES``, so that memory
    in use shows a process whose id is hidden.
    """
    mine = own.among(seen.pids)
    others = set(seen.pids) - mine
    if others:
        return Exclusivity(proven=False, foreign=foreign(others), detail=_told(seen))
    doubt = _doubt(seen, [seen.pids[pid] for pid in mine])
    return Exclusivity(proven=not doubt, detail=f"{doubt}; {_told(seen)}" if doubt else _told(seen))


def _doubt(seen: Seen, mine: list[int | None]) -> str:
    """Why it cannot be told that nobody else is there; empty where it can."""
    why = ", ".join(f"{kind} ({reason})" for kind, reason in seen.untold.items() if kind != "MPS")
    if why:  # the server of MPS is listed with the others, so its own list may be missing
        return f"lists of processes that cannot be read: {why}"
    if seen.used_bytes is None or None in mine:
        return "the driver does not tell whose memory is in use"
    unexplained = seen.used_bytes - sum(size or 0 for size in mine)
    if unexplained > IDLE_BYTES:
        return f"{unexplained} bytes are in use by no process that is listed"
    if mine:
        return ""  # our own work may keep it busy
    if seen.utilisation is None:
        return "utilisation cannot be read"
    return "no process is listed, yet the device is busy" if seen.utilisation > 0 else ""


def _told(seen: Seen) -> str:
    busy = "unknown" if seen.utilisation is None else f"{seen.utilisation:.0%}"
    used = "unknown" if seen.used_bytes is None else f"{seen.used_bytes / 2**20:.0f} MiB"
    return f"{len(seen.pids)} processes listed, {used} in use, utilisation {busy}"
