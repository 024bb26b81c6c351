"""A page in the browser, and everything it said or asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

#: What axe is asked for; a scheme changes colours and nothing else.
ASKED = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "dark": ["cat.color"],
}
WIDTHS = (1200, 360)
#: Unfold everything, and of rows that are built alike leave three in each table.
UNFOLDED = """() => {
  document.querySelectorAll('details').forEach((each) => (each.open = true));
  for (const body of document.querySelectorAll('tbody')) {
    const seen = {};
    for (const row of [...body.rows]) {
      const all = [...row.querySelectorAll('*')];
      const built = row.className + all.map((each) => each.tagName + each.className).join();
      seen[built] = (seen[built] || 0) + 1;
      if (seen[built] > 3) row.remove();
    }
  }
}"""


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

    def faults(
        self, file: Path, fragment: str = "", prepare: Callable[[Page], object] | None = None
    ) -> list[tuple[str, ...]]:
        """What axe finds wrong with a page, and where it is too wide, in every look.

        Both widths and both schemes, with all that can be unfolded unfolded, and three of the rows
        of a table that are built alike. The browser's context has to bypass the policy of the page,
        which lets no other script in.
        """
        found: list[tuple[str, ...]] = []
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            page = self.go(file, fragment)
            if prepare:
                prepare(page)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found += [(f"{wide} pixels too wide", str(width))] if wide > 0 else []
            page.evaluate(UNFOLDED)
            for scheme, tags in ASKED.items():
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                options = {"runOnly": {"type": "tag", "values": tags},
                           "resultTypes": ["violations"]}  # fmt: skip
                answer = Axe().run(page, options=options).response
                assert answer["passes"], "axe has looked at nothing"
                found += [(scheme, str(width), each["id"], each["nodes"][0]["html"])
                          for each in answer["violations"]]  # fmt: skip
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found += [(f"{wide} pixels too wide, unfolded", str(width))] if wide > 0 else []
        return found
