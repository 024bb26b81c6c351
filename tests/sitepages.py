"""One file of each kind of page."""

from __future__ import annotations

from pathlib import Path

KINDS = ("index", "leaderboard", "method", "task", "run", "failed-run", "methodology", "data")


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
    }
    return site / paths.get(kind, f"{kind}.html")
