"""The map of the field: its data, and a page that cannot claim what is not there."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from records import make_record
from tokonomy.catalog.registry import catalogue
from tokonomy.store.database import open_store
from tokonomy_site.atlas import FAMILIES, here, state, works
from tokonomy_site.build import build


def test_the_map_is_whole() -> None:
    ids = [work.id for work in works()]
    assert ids == [f"S{number:03d}" for number in range(330)]
    assert {work.entry for work in works()} == {
        "method", "checkpoint", "metric", "task", "reference"
    }  # fmt: skip
    assert {work.family for work in works()} == set(FAMILIES)
    assert all(40 <= len(work.idea) <= 140 for work in works())
    assert len({work.idea for work in works()}) == len(works())


def test_cards_name_works_that_are_on_it() -> None:
    cards = catalogue("method").cards.values()
    named = here(cards)
    assert set(named) <= {work.id for work in works()}
    assert named["S042"] == ["token-recycling"]


def test_a_state_follows_from_cards_and_runs() -> None:
    assert state([], ["tome"]) == "not here yet"
    assert state(["tome"], []) == "not measured yet"
    assert state(["tome", "pitome"], ["pitome"]) == "measured"


def test_the_page_counts_what_stands_in_its_rows(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all([make_record(method="pitome"), make_record(method="dpc-knn", status="crash")])
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    html = (tmp_path / "dist" / "atlas.html").read_text()
    rows = re.findall(r'<tr id="s\d{3}">.*?</tr>', html, re.DOTALL)
    assert len(rows) == 330
    states = [word for word in ("measured", "not measured yet", "not here yet")]
    counts = {word: sum(f">{word}<" in row or f">{word}</td>" in row for row in rows)
              for word in states}  # fmt: skip
    named = here(catalogue("method").cards.values())
    measured = {work for work, names in named.items() if "pitome" in names}
    assert counts["measured"] == len(measured)
    assert counts["not measured yet"] == len(named) - len(measured)
    said = " ".join(unescape(html).split())
    for word, many in counts.items():
        assert f"{many} {word}" in said
    assert "atlas.html" in (tmp_path / "dist" / "index.html").read_text()
