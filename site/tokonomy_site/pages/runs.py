"""Every run in one table that sorts and filters in the browser, and the way from an id to a run.

DataTables was to do this and does not: codes of ``encoded`` sort and filter faster than any table
of texts, and the page that uses them is smaller by an order of magnitude.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tokonomy_site.figures import count
from tokonomy_site.links import slug
from tokonomy_site.page import Page, families
from tokonomy_site.snapshot import Snapshot

SECTION = "runs.html"


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """The table, and the page that finds a run."""
    known = families(snapshot)
    board = f"leaderboard/{slug(known[0])}.html" if known else "index.html"
    yield Page(
        path=SECTION,
        title="All runs",
        template="runs.html",
        section=SECTION,
        scripts=("data/runs.js", "static/runs.js", "static/explorer.js"),
        values={"lead": _lead(snapshot), "board": board},
    )
    yield Page(
        path="run.html",
        title="Find a run",
        template="find.html",
        section=SECTION,
        scripts=("static/find.js",),
    )


def _lead(snapshot: Snapshot) -> str:
    total = len(snapshot.runs)
    good = sum(run.status == "ok" for run in snapshot.runs)
    return (
        f"Every run of this snapshot, newest first: {count(total)}, of which {count(good)} are ok. "
        "Failed, superseded and stale ones and those that are no results are among them."
    )


def ids(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Ids of all runs as scripts, by their first digit: path and text."""
    found: dict[str, list[str]] = defaultdict(list)
    for run in snapshot.runs:
        found[run.id[0]].append(run.id)
    for digit, some in sorted(found.items()):
        yield (
            f"run/ids-{digit}.js",
            (f'(globalThis.tokonomyIds ??= {{}})["{digit}"] = "{"".join(sorted(some))}";\n'),
        )
