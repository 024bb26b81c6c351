"""Building the whole site: time and peak memory for 1,000 and 10,000 runs.

Recorded, not asserted: the figures are to be at most 60 s and 1 GB for 10,000 runs. Each build is
a process of its own, so its peak is its own too; starting Python and imports are in the time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from records import build_store

BUILD = """
import sys
from pathlib import Path
from tokonomy_site.build import build
build(sys.argv[1], None, Path(sys.argv[2]))
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("runs", [1_000, 10_000])
def test_build(benchmark: BenchmarkFixture, tmp_path: Path, runs: int) -> None:
    database = build_store(tmp_path / "tokonomy.sqlite", runs)

    def work() -> int:
        command = [sys.executable, "-c", BUILD, str(database), str(tmp_path / "dist")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout.split()[-1])

    peak_kib = benchmark.pedantic(work, rounds=1, iterations=1)
    files = [path for path in (tmp_path / "dist").rglob("*") if path.is_file()]
    benchmark.extra_info["peak_mib"] = peak_kib // 1024
    benchmark.extra_info["files"] = len(files)
    benchmark.extra_info["site_mib"] = sum(path.stat().st_size for path in files) >> 20
    assert len(files) > 2 * runs  # a page and a record for each
