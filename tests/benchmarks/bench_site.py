"""Building the whole site, and using the page of all runs, at 1,000, 10,000 and 100,000 runs.

Recorded, not asserted: a build is to take at most 60 s and 1 GB for 10,000 runs, sorting or
filtering as many 150 ms. The largest takes the better part of an hour and 7 GB of disk, so it is
made only where ``TOKONOMY_BENCH_LARGE`` is set. Each build is a process of its own, so its peak is
its own too, that of the largest of its forks beside it; starting Python and imports are timed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from pytest_benchmark.fixture import BenchmarkFixture

from exploring import INTERACTIONS, interact, renderer, write_explorer
from manyruns import build_many
from tokonomy.store.database import open_store
from tokonomy_site.reading import snapshot

CHROMIUM = Path("/usr/bin/chromium")
LARGE = pytest.mark.skipif(
    "TOKONOMY_BENCH_LARGE" not in os.environ, reason="takes long; set TOKONOMY_BENCH_LARGE"
)
SIZES = [1_000, 10_000, pytest.param(100_000, marks=LARGE)]
BUILD = """
import resource, sys
from pathlib import Path
from tokonomy_site.build import build
build(sys.argv[1], None, Path(sys.argv[2]))
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(resource.getrusage(who).ru_maxrss // 1024)
"""


@pytest.mark.parametrize("runs", SIZES)
def test_build(benchmark: BenchmarkFixture, tmp_path: Path, runs: int) -> None:
    database = build_many(tmp_path / "tokonomy.sqlite", runs)

    def work() -> list[str]:
        command = [sys.executable, "-c", BUILD, str(database), str(tmp_path / "dist")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.split()[-2:]

    peaks = benchmark.pedantic(work, rounds=1, iterations=1)
    files = [path for path in (tmp_path / "dist").rglob("*") if path.is_file()]
    benchmark.extra_info["peak_mib"], benchmark.extra_info["fork_peak_mib"] = map(int, peaks)
    benchmark.extra_info["files"] = len(files)
    benchmark.extra_info["site_mib"] = sum(path.stat().st_size for path in files) >> 20
    assert len(files) > 2 * runs  # a page and a record for each


@pytest.fixture(scope="module", params=[10_000, pytest.param(100_000, marks=LARGE)])
def explorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all runs, of so many."""
    folder = tmp_path_factory.mktemp("explorer")
    with open_store(build_many(folder / "a.sqlite", request.param), create=False) as store:
        return write_explorer(snapshot(store, "9f" * 32), folder / "dist")


@pytest.fixture(scope="module")
def page(explorer: Path) -> Iterator[Page]:
    """That page in the browser, 200 rows at a time."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser at {CHROMIUM} (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True)
        opened = browser.new_context(offline=True).new_page()
        opened.goto((explorer / "runs.html").as_uri() + "#size=200")
        yield opened
        browser.close()


@pytest.mark.parametrize("name", INTERACTIONS)
def test_explorer(benchmark: BenchmarkFixture, page: Page, name: str) -> None:
    turns, spent = iter(range(1_000)), renderer(page)
    start = spent()
    rows = benchmark.pedantic(
        lambda: interact(page, name, next(turns)), rounds=15, warmup_rounds=1, iterations=1
    )
    benchmark.extra_info["renderer_ms"] = round((spent() - start) / 16, 1)
    assert 0 < rows <= 200
