"""The data page: what can be downloaded, what its columns mean, how to cite it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokonomy.store.exports.columns import columns
from tokonomy.store.metrics import METRICS
from tokonomy_site.downloads import Download
from tokonomy_site.page import Page
from tokonomy_site.snapshot import Snapshot
from tokonomy_site.tables import Cell, text_table


def pages(snapshot: Snapshot, downloads: Sequence[Download]) -> Iterator[Page]:
    """The one page."""
    files: list[tuple[str | Cell, ...]] = [
        (Cell(text=f.name, href=f.path), f.about, f.size, Cell(text=f.sha256, kind="mono"))
        for f in downloads
    ]
    meanings: list[tuple[str | Cell, ...]] = [
        (
            Cell(text=each.name, kind="mono"),
            each.unit or _KINDS[each.kind],
            _better(each.name),
            each.doc,
        )
        for each in columns()
        if not each.name.endswith(_BESIDE)
    ]
    heads = ("Column", "Unit or kind", "Better", "What it is")
    yield Page(
        path="data.html",
        title="Data",
        template="data.html",
        section="data.html",
        values={
            "files": text_table("Files", ("File", "What it holds", "Size", "SHA-256"), files),
            "meanings": text_table("Columns of runs.csv; shares and ratios have unit 1", heads,
                                   meanings, 3),
            "citation": citation(snapshot),
        },
    )  # fmt: skip


_KINDS = {"text": "text", "whole": "whole number", "number": "number", "truth": "True or False"}
_BESIDE = ("_low", "_high", "_reason")  # said once, in the page's words


def _better(name: str) -> str:
    return (METRICS[name].better or "neither") if name in METRICS else ""


def citation(snapshot: Snapshot) -> str:
    """A BibTeX entry that names the snapshot; its year is that of the newest result."""
    year = snapshot.newest[:4] or "n.d."
    versions = ", ".join(sorted({run.version for run in snapshot.runs})) or "none"
    return (
        "@misc{tokonomy,\n"
        "  title = {Tokonomy: measured costs of token-efficient transformers},\n"
        f"  year = {{{year}}},\n"
        f"  note = {{Harness {versions}, snapshot {snapshot.digest[:12]}}}\n"
        "}"
    )
