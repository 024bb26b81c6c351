"""Settings for every test: nothing is fetched, torch keeps to one thread; a browser on request."""

from __future__ import annotations

import gc
import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub's client

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")

FIRST = (
    "test_contributing.py", "test_pull_request.py", "test_misbehaviour.py", "test_faults.py",
    "test_run.py", "test_modes.py", "test_energy.py", "test_nightly.py", "test_browser.py",
    "test_budgets.py", "test_calibrate.py", "test_resume.py", "test_language_pages.py",
)  # fmt: skip
"""Files that take about a minute or more: begun first, so that none is left to one worker alone."""


collect_ignore = ["submit/submissions"]  # their tests are part of what is submitted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all others keep their order."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(FIRST)))


@pytest.fixture(autouse=True, scope="session")
def _like_a_run() -> None:
    """One thread, and all that was imported kept from the collector, as a run's process begins."""
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; missing, the test is skipped on a laptop and fails in CI."""
    if not CHROMIUM.exists():
        reason = f"needs a browser at {CHROMIUM} (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Make visitors: ``visit(**options of a browser context)``."""
    from browsing import Visitor

    contexts: list[Any] = []

    def make(**options: Any) -> Any:
        contexts.append(browser.new_context(offline=True, **options))
        return Visitor(contexts[-1])

    yield make
    for context in contexts:
        context.close()
