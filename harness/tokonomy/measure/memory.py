"""Peak memory of this process while one call runs, from the kernel's own high-water mark.

``VmHWM`` counts resident pages, shared libraries included, so the figure to compare is the rise
over the baseline. The kernel settles its counts in batches of some dozen pages on each processor,
so a rise is good to a few hundred KiB. ``ru_maxrss`` is never used: a child inherits its parent's
peak there.

The baseline is taken by the caller, before what is to be measured has allocated anything and after
whatever any first call would bring in. Pages of files, which are code of libraries that this
process had not run yet, count as if they had been there before. Free heap goes back to the kernel
before each reading, so that neither side hides behind pages that were freed and kept.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokonomy.store.record import Memory, Missing

SOURCE = "VmHWM of /proc/self/status, reset through /proc/self/clear_refs"


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


def measure_peak(
    work: Callable[[], object], baseline: Resident | None, process: Path = Path("/proc/self")
) -> Memory | Missing:
    """Run ``work`` once and give the high-water mark it left, in bytes.

    Args:
        work: What to run.
        baseline: What was resident before; file pages that came in since are added to it.
        process: The process's folder under ``/proc``.
    """
    resident(process)
    if not reset_peak(process):
        work()
        return Missing(reason="peak-not-resettable", detail="clear_refs cannot be written")
    work()
    peak, files = read_status("VmHWM", process), read_status("RssFile", process)
    if baseline is None or peak is None or files is None:
        return Missing(reason="peak-unreadable", detail="a size is not in the process's status")
    before = baseline.total + max(0, files - baseline.files)
    return Memory(peak_bytes=peak, baseline_bytes=min(before, peak), source=SOURCE)
