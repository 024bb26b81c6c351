"""One built site for all tests of it, and a real browser that is kept off the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from records import build_store, make_lab
from tokonomy_site.build import build

CHROMIUM = Path("/usr/bin/chromium")
RUNS = 220


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of made-up runs."""
    return build_store(tmp_path_factory.mktemp("store") / "tokonomy.sqlite", RUNS)


@pytest.fixture(scope="session")
def site(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site made from it."""
    out = tmp_path_factory.mktemp("site") / "dist"
    build(str(database), None, out)
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; missing, the test is skipped on a laptop and fails in CI."""
    if not CHROMIUM.exists():
        reason = f"needs a browser at {CHROMIUM} (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a made-up GPU, calibration records, and runs that are no results."""
    folder = tmp_path_factory.mktemp("lab")
    calibrated = make_lab(folder)
    build(str(folder / "tokonomy.sqlite"), None, folder / "dist", calibrated)
    return folder / "dist"


class Visitor:
    """A page in the browser, and everything it said or asked for."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        context.set_default_timeout(10_000)
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def go(self, file: Path, fragment: str = "") -> Page:
        """Open a file."""
        self.page.goto(file.as_uri() + fragment)
        return self.page


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Make visitors: ``visit(**options of a browser context)``."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> Visitor:
        contexts.append(browser.new_context(offline=True, **options))
        return Visitor(contexts[-1])

    yield make
    for context in contexts:
        context.close()
