"""A page in the browser, and everything it said or asked for."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import BrowserContext, Page


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
