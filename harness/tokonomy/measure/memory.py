"""Peak memory while one call runs: of this process, and on a GPU of torch and of the whole device.

The process's peak is the kernel's own high-water mark.

``VmHWM`` counts resident pages, shared libraries included, so the figure to compare is the rise
over the baseline. The kernel settles its counts in batches of some dozen pages on each processor,
so a rise is good to a few hundred KiB. ``ru_maxrss`` is never used: a child inherits its parent's
peak there.

The baseline is taken by the caller, before what is to be measured has allocated anything and after
whatever any first call would bring in. Pages of files, which are code of libraries that this
process had not run yet, count as if they had been there before. Free heap goes back to the kernel
before each reading, so that neither side hides behind pages that were freed and kept.

On a GPU the same holds of torch's allocator: what it keeps free goes back to the driver before
each reading. ``allocated`` is what tensors held, ``reserved`` what the allocator took from the
driver for them, and ``device`` what the driver counts as used on the whole device, by everyone:
contexts, libraries' workspaces and code included. That is read right after the call, and so a lower
bound of its peak: other libraries may have given back what they took, and so does the allocator
where the device is full. A call that tells the allocator to, or that resets its marks, is refused.
One that resets the process's mark itself is not noticed. What a captured CUDA graph works on stays
reserved and is not allocated, so that no figure is derived from ``allocated`` in that mode.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokonomy.errors import TelemetryError
from tokonomy.measure import noting
from tokonomy.measure.telemetry import Telemetry
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Memory, Peak

SOURCE = "VmHWM of /proc/self/status, reset through /proc/self/clear_refs"
ALLOCATED = "torch.cuda.max_memory_allocated, reset before the call"
RESERVED = "torch.cuda.max_memory_reserved, reset before the call"
DEVICE = "used memory of the whole device by the driver, right after the call; a lower bound"


def read_status(field: str, process: Path = Path("/proc/self")) -> int | None:
    """A size in ``/proc/self/status``, in bytes; None where it cannot be read."""
    try:
        text = (process / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        size, _, unit = value.strip().partition(" ")
        if name == field and size.isdigit() and unit == "kB":
            return int(size) * 1024
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """Resident bytes of a process, and those of them that are pages of files."""

    total: int
    files: int


def resident(process: Path = Path("/proc/self")) -> Resident | None:
    """What is resident once garbage is collected and free heap given back; None if unreadable."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
    total, files = read_status("VmRSS", process), read_status("RssFile", process)
    return None if total is None or files is None else Resident(total=total, files=files)


def reset_peak(process: Path = Path("/proc/self")) -> bool:
    """Make the high-water mark start from what is resident now; False where that is refused."""
    try:
        (process / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDevice:
    """Device memory at one moment, bytes: of tensors, of torch's allocator, of the whole device."""

    allocated: int
    reserved: int
    used: int | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was there before a method was prepared; ``device`` is None on a processor."""

    process: Resident | None
    device: OnDevice | None = None


def baseline(device: str, telemetry: Telemetry, process: Path = Path("/proc/self")) -> Baseline:
    """What is there now, once everything that is free has been given back."""
    return Baseline(process=resident(process), device=_on_device(device, telemetry))


def _on_device(device: str, telemetry: Telemetry) -> OnDevice | None:
    """Device memory now; the allocator's high-water marks start from here."""
    if not device.startswith("cuda"):
        return None
    import torch  # slow to import, and loaded by now

    gc.collect()
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return OnDevice(
        allocated=torch.cuda.memory_allocated(device),
        reserved=torch.cuda.memory_reserved(device),
        used=telemetry.used_bytes(),
    )


#: What torch's functions that reset high-water marks or give memory back call in the end.
_UNDOING = (
    "_cuda_resetPeakMemoryStats",
    "_cuda_emptyCache",
    "_accelerator_resetPeakStats",
    "_accelerator_emptyCache",
)


def measure_peak(
    work: Callable[[], object],
    before: Baseline,
    device: str,
    telemetry: Telemetry,
    process: Path = Path("/proc/self"),
) -> Memory:
    """Run ``work`` once and give the high-water marks it left.

    Args:
        work: What to run.
        before: What was there before; file pages that came in since are added to it.
        device: Where it runs.
        telemetry: The device.
        process: The process's folder under ``/proc``.

    Raises:
        TelemetryError: The work reset the marks of device memory.
    """
    _on_device(device, telemetry)
    resident(process)
    reset = reset_peak(process)
    _kept(work, on_device=before.device is not None)
    peaks = _peaks(before.device, device, telemetry)
    return Memory(process=_mark(before.process, process, reset=reset), **peaks)


def _kept(work: Callable[[], object], *, on_device: bool) -> None:
    """Run ``work``; raise where it undid what device memory is read from."""
    if not on_device:
        work()
        return
    import torch  # as above

    with noting.calls(torch._C, _UNDOING) as undone:
        work()
    if undone:
        raise TelemetryError("settings-changed", f"{', '.join(undone)} while memory was measured")


def _mark(before: Resident | None, process: Path, *, reset: bool) -> Peak | Missing:
    """The process's own high-water mark."""
    if not reset:
        return Missing(reason="peak-not-resettable", detail="clear_refs cannot be written")
    peak, files = read_status("VmHWM", process), read_status("RssFile", process)
    if before is None or peak is None or files is None:
        return Missing(reason="peak-unreadable", detail="a size is not in the process's status")
    start = before.total + max(0, files - before.files)
    return Peak(peak_bytes=peak, baseline_bytes=min(start, peak), source=SOURCE)


def _peaks(before: OnDevice | None, device: str, telemetry: Telemetry) -> dict[str, Peak | Missing]:
    """The three peaks of a GPU by name; none on a processor."""
    if before is None:
        return {}
    import torch  # as above

    torch.cuda.synchronize(device)
    used = telemetry.used_bytes()
    return {
        "allocated": _peak(torch.cuda.max_memory_allocated(device), before.allocated, ALLOCATED),
        "reserved": _peak(torch.cuda.max_memory_reserved(device), before.reserved, RESERVED),
        "device": _peak(used, before.used, DEVICE),
    }


def _peak(peak: int | Missing, before: int | Missing, source: str) -> Peak | Missing:
    if isinstance(peak, Missing):
        return peak
    if isinstance(before, Missing):
        return before
    return Peak(peak_bytes=peak, baseline_bytes=min(before, peak), source=source)
