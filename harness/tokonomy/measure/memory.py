"""Peak memory of this process, from the kernel's own high-water mark.

``VmHWM`` counts resident pages, shared libraries included, so the figure to compare is the rise
over the baseline. The kernel settles its counts in batches of some dozen pages on each processor,
so a rise is good to a few hundred KiB. ``ru_maxrss`` is never used: a child inherits its parent's
peak there.
"""

from __future__ import annotations

from collections.abc import Callable
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


def reset_peak(process: Path = Path("/proc/self")) -> bool:
    """Make the high-water mark start from what is resident now; False where that is refused."""
    try:
        (process / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def measure_peak(
    work: Callable[[], object], process: Path = Path("/proc/self")
) -> Memory | Missing:
    """Run ``work`` once and give the high-water mark it left, in bytes.

    Args:
        work: What to run.
        process: The process's folder under ``/proc``.
    """
    if not reset_peak(process):
        work()
        return Missing(reason="peak-not-resettable", detail="clear_refs cannot be written")
    baseline = read_status("VmRSS", process)
    work()
    peak = read_status("VmHWM", process)
    if baseline is None or peak is None:
        return Missing(reason="peak-unreadable", detail="VmHWM or VmRSS is not in status")
    return Memory(peak_bytes=peak, baseline_bytes=baseline, source=SOURCE)
