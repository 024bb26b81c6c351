"""Take the README's picture from the built site: ``python ci/picture.py``."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "site" / "dist" / "leaderboard" / "vision.html"
PICTURE = ROOT / "site" / "leaderboard.png"


def main() -> None:
    """Write ``site/leaderboard.png``, 1200 x 900."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(PAGE.as_uri())
        page.screenshot(path=PICTURE)
        browser.close()
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
