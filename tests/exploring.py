"""The page of all runs alone, and what readers do with it, timed in the browser."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from tokonomy_site import encoded
from tokonomy_site.build import STATIC
from tokonomy_site.page import html, navigation
from tokonomy_site.pages import runs
from tokonomy_site.snapshot import Snapshot
from tokonomy_site.writer import write

INTERACTIONS = ("sort", "filter", "search")
_ACTS = {
    "sort": "() => document.querySelector('[data-name=accuracy]').click()",
    "filter": """(turn) => {
      const field = document.querySelector("select[name=task]");
      field.value = field.options[1 + turn % 2].value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }""",
    "search": """(turn) => {
      const field = document.querySelector("input[name=search]");
      field.value = ["to", "keep 0.5", "fp32"][turn % 3];
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }""",
}
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def write_explorer(shot: Snapshot, folder: Path) -> Path:
    """What the page of all runs needs, and no other page."""
    for name in STATIC:
        write(
            folder, f"static/{name}", files("tokonomy_site").joinpath("static", name).read_bytes()
        )
    write(folder, "data/runs.js", encoded.runs_js(shot))
    for page in runs.pages(shot):
        write(folder, page.path, html(page, shot, navigation(shot)))
    return folder


def interact(page: Any, name: str, turn: int) -> int:
    """Do it, wait until it is painted, and count the rows there are then."""
    page.evaluate(_ACTS[name], turn)
    page.evaluate(_PAINTED)
    rows: int = page.evaluate("document.querySelectorAll('.explorer tbody tr').length")
    return rows


def renderer(page: Any) -> Callable[[], float]:
    """A clock of the time that the page's own thread has worked, in milliseconds."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(each["value"] for each in found if each["name"] == "TaskDuration"))

    return spent
