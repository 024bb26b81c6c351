from pathlib import Path

import pytest

from tokonomy.measure.memory import measure_peak, read_status
from tokonomy.store.record import Memory, Missing

MIB = 1 << 20


@pytest.mark.parametrize("mib", [32, 96])
def test_a_planted_footprint_is_found(mib: int) -> None:
    bytearray(200 * MIB)  # an earlier, higher peak that must not count
    found = measure_peak(lambda: bytearray(mib * MIB))
    assert isinstance(found, Memory)
    assert (mib - 1) * MIB <= found.peak_bytes - found.baseline_bytes <= (mib + 8) * MIB


def test_a_peak_that_cannot_be_reset_is_missing(tmp_path: Path) -> None:
    ran = []
    found = measure_peak(lambda: ran.append(1), tmp_path / "none")
    assert isinstance(found, Missing)
    assert found.reason == "peak-not-resettable"
    assert ran == [1]


def test_a_peak_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmRSS:\t 10 kB\nVmHWM:\t ten kB\n")
    found = measure_peak(lambda: None, tmp_path)
    assert isinstance(found, Missing)
    assert found.reason == "peak-unreadable"
    assert read_status("VmRSS", tmp_path) == 10240
