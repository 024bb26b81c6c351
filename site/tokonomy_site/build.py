"""The whole site: downloads first, then every page from the same snapshot of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from tokonomy.store.calibration import Calibration
from tokonomy.store.database import open_store
from tokonomy.store.exchange import export, export_statements
from tokonomy.store.exports import datasette
from tokonomy.store.exports.tables import as_csv, as_parquet
from tokonomy.store.published import SCHEMAS
from tokonomy.store.published import text as schema
from tokonomy_site import comparing, downloads, encoded
from tokonomy_site.feed import base, feed
from tokonomy_site.news import news
from tokonomy_site.page import Page, html, navigation
from tokonomy_site.pages import (
    atlas,
    compare,
    data,
    history,
    index,
    leaderboard,
    method,
    methodology,
    model,
    runs,
    submissions,
    task,
)
from tokonomy_site.reading import calibrations, gather, snapshot
from tokonomy_site.runpages import write_runs
from tokonomy_site.snapshot import Snapshot
from tokonomy_site.writer import replacing, write

STATIC = (
    "site.css", "view.js", "tables.js", "runs.js", "explorer.js", "find.js",
    "limits.js", "share.js", "axes.js", "compare.js",
    "vendor/plot.js", "vendor/LICENSES.txt", "vendor/VENDOR.json",
)  # fmt: skip
#: Builders that need nothing but the snapshot; a later kind of page adds itself here.
BUILDERS = (
    leaderboard.pages,
    method.pages,
    task.pages,
    model.pages,
    runs.pages,
    history.pages,
    compare.pages,
    atlas.pages,
    methodology.pages,
    submissions.pages,
)


def build(
    place: str,
    records: Path | None,
    out: Path,
    calibration: Path | None = None,
    statements: Path | None = None,
    address: str | None = None,
) -> Path:
    """Build the site and put it in place of the one before.

    Args:
        place: Path or URL of the database.
        records: File or folder of published records.
        out: The site's folder.
        calibration: Folder of calibration records; a missing one has none.
        statements: File or folder of statements; a missing one has none.
        address: Where the site will be on the web, for the feed's links; relative ones without.

    Returns:
        The first page.
    """
    calibrated, address = calibrations(calibration), base(address)
    with replacing(out) as folder:
        for path, found in calibrated.items():
            write(folder, path, found.model_dump_json(indent=1) + "\n")
        _fill(folder, place, (records, statements), calibrated, address)
    return out / "index.html"


def _fill(
    folder: Path,
    place: str,
    published: tuple[Path | None, Path | None],
    calibrated: Mapping[str, Calibration],
    address: str,
) -> None:
    for name in STATIC:
        content = files("tokonomy_site").joinpath("static", name).read_bytes()
        write(folder, f"static/{name}", content)
    shelf = folder / "data"
    shelf.mkdir()
    gather(place, *published, target=shelf / "tokonomy.sqlite")
    with open_store(shelf / "tokonomy.sqlite", create=False) as store:
        export(store, shelf / "records.jsonl")
        export_statements(store, shelf / "statements.jsonl")
        every = store.runs()
        write(folder, "data/runs.csv", as_csv(every))
        write(folder, "data/runs.parquet", as_parquet(every))
        shot = snapshot(store, downloads.digest(shelf), calibrated)
        write(folder, "feed.xml", feed(shot, news(shot), address))
        _write_all(folder, shot)


def _write_all(folder: Path, shot: Snapshot) -> None:
    write(folder, "data/datasette.json", datasette.text())
    write(folder, "data/runs.js", encoded.runs_js(shot))
    for name in SCHEMAS:
        write(folder, f"data/{name}", schema(name))
    shelf = downloads.describe(folder / "data")
    entries = navigation(shot)
    for page in pages(shot, shelf):
        write(folder, page.path, html(page, shot, entries))
    for path, text in (*runs.ids(shot), *comparing.scripts(shot)):
        write(folder, path, text)
    write_runs(folder, folder / "data/tokonomy.sqlite", shot, entries)


def pages(shot: Snapshot, shelf: Sequence[downloads.Download]) -> Iterator[Page]:
    """Every page but those of runs."""
    yield from index.pages(shot, shelf)
    yield from data.pages(shot, shelf)
    for builder in BUILDERS:
        yield from builder(shot)
