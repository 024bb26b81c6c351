"""The Atom feed: valid, the same for the same data, and text whatever is put into it."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from histories import shifted
from records import make_record
from sitepages import Reader
from tokonomy.errors import UsageError
from tokonomy.store.database import open_store
from tokonomy_site.build import build
from tokonomy_site.feed import NEWEST, base

ATOM = "{http://www.w3.org/2005/Atom}"
EVIL = "<script>alert(1)</script>]]>&amp;\x1b[31m\ufffe\u202e"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a method that got worse and a few runs of hostile names."""
    folder = tmp_path_factory.mktemp("feed")
    with open_store(folder / "a.sqlite") as store:
        store.add_all(shifted())
        task = make_record().cell.task.model_dump() | {"ref": EVIL}
        store.add(make_record(samples=40, attempt=300, cell={"task": task | {"samples": 40}}))
    build(str(folder / "a.sqlite"), None, folder / "dist")
    return folder / "dist"


def entries(root: Xml.Element) -> list[Xml.Element]:
    """Entries as they stand."""
    return root.findall(f"{ATOM}entry")


def said(entry: Xml.Element, name: str) -> str:
    """The text of an element that must be there once."""
    (found,) = entry.findall(ATOM + name)
    return found.text or ""


def test_it_has_what_the_standard_asks_for(place: Path) -> None:
    root = Xml.fromstring((place / "feed.xml").read_bytes())
    assert root.tag == f"{ATOM}feed"
    assert said(root, "title")
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    assert {link.get("rel") for link in root.findall(f"{ATOM}link")} == {"self", "alternate"}
    some = entries(root)
    assert 2 <= len(some) <= NEWEST
    for each in [root, *some]:
        assert uuid.UUID(said(each, "id")).version == 5
        assert said(each, "id").startswith("urn:uuid:")
        assert datetime.fromisoformat(said(each, "updated")).tzinfo is not None
    ids = [said(each, "id") for each in some]
    assert len(set(ids)) == len(ids)
    for each in some:
        assert said(each, "title")
        assert each.find(f"{ATOM}summary") is not None or each.find(f"{ATOM}content") is not None
    times = [said(each, "updated") for each in some]
    assert times == sorted(times, reverse=True)
    assert said(root, "updated") == times[0]


def test_a_change_for_the_worse_is_said_in_words_and_leads_to_its_history(place: Path) -> None:
    root = Xml.fromstring((place / "feed.xml").read_bytes())
    (worse,) = [each for each in entries(root) if "Worse" in said(each, "title")]
    assert "speed-up fell from" in said(worse, "title")
    assert "code" in said(worse, "summary").lower()
    file, _, anchor = worse.find(f"{ATOM}link").get("href").partition("#")  # type: ignore[union-attr]
    assert anchor in Reader((place / file).read_text(encoding="utf-8")).ids


def test_every_link_of_the_feed_resolves(place: Path) -> None:
    root = Xml.fromstring((place / "feed.xml").read_bytes())
    hrefs = [str(link.get("href")) for link in root.iter(f"{ATOM}link")]
    assert len(hrefs) > 4
    for href in hrefs:
        file, _, anchor = href.partition("#")
        assert (place / file).is_file(), href
        if anchor:
            assert anchor in Reader((place / file).read_text(encoding="utf-8")).ids


def test_hostile_names_are_text(place: Path) -> None:
    raw = (place / "feed.xml").read_text(encoding="utf-8")
    assert "<script" not in raw
    assert "\x1b" not in raw
    titles = [said(each, "title") for each in entries(Xml.fromstring(raw))]
    assert [title for title in titles if "<script>alert(1)</script>]]>&amp;" in title]


def test_its_time_is_that_of_the_data_and_an_empty_store_has_a_feed_too(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    build(str(tmp_path / "no.sqlite"), tmp_path / "records", tmp_path / "dist")
    root = Xml.fromstring((tmp_path / "dist/feed.xml").read_bytes())
    assert said(root, "updated") == "1970-01-01T00:00:00Z"
    assert entries(root) == []


def test_with_an_address_links_are_absolute_and_ids_stay(place: Path, tmp_path: Path) -> None:
    build(str(place.parent / "a.sqlite"), None, tmp_path / "dist", address="https://host.example/x")
    here = Xml.fromstring((place / "feed.xml").read_bytes())
    there = Xml.fromstring((tmp_path / "dist/feed.xml").read_bytes())
    assert [said(e, "id") for e in entries(here)] == [said(e, "id") for e in entries(there)]
    for link in there.iter(f"{ATOM}link"):
        assert str(link.get("href")).startswith("https://host.example/x/")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "host", "https://a b", "https://h/?q"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="--base-url"):
        base(address)
