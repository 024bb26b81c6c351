"""One file of each kind of page, and pages as tests read them."""

from __future__ import annotations

import hashlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tokonomy_site.build import STATIC

KINDS = ("index", "atlas", "leaderboard", "method", "task", "run", "failed-run", "methodology",
         "data", "runs", "find", "history", "histories", "compare", "submissions")  # fmt: skip
#: Scripts that pages may run.
SCRIPTS = {*(f"static/{name}" for name in STATIC if name.endswith(".js")), "data/runs.js"}
#: Kinds of page that only a site with a GPU, calibration and runs that are no results has.
LAB_KINDS = ("gpu-board", "unscored-board", "energy-run", "scripted-run", "calibrated", "index")


def page_of(kind: str, site: Path) -> Path:
    """A page of this kind."""
    if kind in ("run", "failed-run"):
        timed = kind == "run"
        runs = sorted((site / "run").glob("*.html"))
        return next(p for p in runs if ("Raw pairs" in p.read_text(encoding="utf-8")) == timed)
    paths = {
        "leaderboard": "leaderboard/vision.html",
        "method": "method/tome.html",
        "task": "task/textures.html",
        "calibrated": "methodology.html",
        "find": "run.html",
        "history": "history/tome.html",
        "histories": "history.html",
    }
    return site / paths.get(kind, f"{kind}.html")


_SIGNS = {
    "gpu-board": ("leaderboard", "J/sample, board"),
    "unscored-board": ("leaderboard", "only costs are compared"),
    "energy-run": ("run", "Power trace"),
    "scripted-run": ("run", "Simulated. "),
}


def lab_page(kind: str, site: Path) -> Path:
    """A page of one of ``LAB_KINDS``."""
    if kind not in _SIGNS:
        return page_of(kind, site)
    folder, sign = _SIGNS[kind]
    pages = sorted((site / folder).glob("*.html"))
    return next(page for page in pages if sign in page.read_text(encoding="utf-8"))


class Reader(HTMLParser):
    """Addresses, anchors and elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        self.addresses += [v for k, v in attrs if k in ("href", "src") and v]
        self.ids += [v for k, v in attrs if k == "id" and v]


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def links(site: Path, read: dict[Path, Reader]) -> tuple[list[tuple[str, str]], int]:
    """Links that lead nowhere, and how many were followed."""
    broken, followed = [], 0
    for path, page in read.items():
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            followed += 1
            if not target.is_file() or not target.is_relative_to(site.resolve()):
                broken.append((path.name, address))
            elif "=" in parts.fragment:
                continue  # a view, which scripts read
            elif parts.fragment and parts.fragment not in read[target].ids:
                broken.append((path.name, address))
    return broken, followed


def reached(site: Path, read: dict[Path, Reader]) -> set[Path]:
    """Pages that links lead to from the first."""
    seen: set[Path] = set()
    waiting = [site / "index.html"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".html":
            continue
        seen.add(path)
        for address in read[path].addresses:
            parts = urlsplit(address)
            if not parts.scheme and parts.path:
                waiting.append((path.parent / parts.path).resolve())
    return seen
