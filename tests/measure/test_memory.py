import mmap
from collections.abc import Callable
from pathlib import Path

import pytest

from tokonomy.measure.devices import open_telemetry
from tokonomy.measure.memory import Baseline, Resident, baseline, measure_peak, read_status
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Memory, Peak

MIB = 1 << 20
BEFORE = Baseline(process=Resident(total=1, files=0))


def peak(
    work: Callable[[], object],
    before: Baseline | None = None,
    process: Path = Path("/proc/self"),
) -> Memory:
    with open_telemetry("cpu") as telemetry:
        before = before or baseline("cpu", telemetry)
        return measure_peak(work, before, "cpu", telemetry, process)


def taken(mib: int) -> None:
    """Memory of its own, whatever gaps earlier tests have left in the heap."""
    with mmap.mmap(-1, mib * MIB) as memory:
        for page in range(0, mib * MIB, mmap.PAGESIZE):
            memory[page] = 1


@pytest.mark.parametrize("mib", [32, 96])
def test_a_planted_footprint_is_found(mib: int) -> None:
    taken(200)  # an earlier, higher peak that must not count
    found = peak(lambda: taken(mib)).process
    assert isinstance(found, Peak)
    assert (mib - 1) * MIB <= found.peak_bytes - found.baseline_bytes <= (mib + 8) * MIB


def test_a_peak_that_cannot_be_reset_is_missing(tmp_path: Path) -> None:
    ran = []
    found = peak(lambda: ran.append(1), BEFORE, tmp_path / "none").process
    assert isinstance(found, Missing)
    assert found.reason == "peak-not-resettable"
    assert ran == [1]


def test_a_peak_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmRSS:\t 10 kB\nVmHWM:\t ten kB\n")
    found = peak(lambda: None, BEFORE, tmp_path).process
    assert isinstance(found, Missing)
    assert found.reason == "peak-unreadable"
    assert read_status("VmRSS", tmp_path) == 10240


def test_pages_of_files_are_not_laid_at_the_works_door(tmp_path: Path) -> None:
    """As the first call of a library's code does: file pages come in and stay."""
    path = tmp_path / "code"
    path.write_bytes(bytes(48 * MIB))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as code:
        found = peak(lambda: code.rfind(b"x")).process
    assert isinstance(found, Peak)
    assert found.peak_bytes - found.baseline_bytes < 4 * MIB


def test_a_processor_has_no_memory_of_its_own() -> None:
    found = peak(lambda: None)
    for part in (found.allocated, found.reserved, found.device):
        assert isinstance(part, Missing)
        assert part.reason == "no-device-memory"
