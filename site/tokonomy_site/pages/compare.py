"""The page on which two to four runs stand side by side; which ones, the address says."""

from __future__ import annotations

from collections.abc import Iterator

from tokonomy_site.cells import SIGNS
from tokonomy_site.comparing import described, digits
from tokonomy_site.page import Page
from tokonomy_site.snapshot import Snapshot


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """The one page."""
    yield Page(
        path="compare.html",
        title="Compare runs",
        template="compare.html",
        section="runs.html",
        scripts=("static/compare.js",),
        values={
            "described": described(),
            "digits": digits(len(snapshot.runs)),
            "signs": list(SIGNS.values()),
        },
    )
