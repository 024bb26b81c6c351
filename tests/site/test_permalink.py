"""Links that name the snapshot: made by copying, and honest when opened on another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sitepages import page_of

Visit = Callable[..., Any]
PAGES = ("index", "method", "run", "runs", "history", "leaderboard", "data", "find")
OTHER = "0123456789ab"


def digest(site: Path) -> str:
    """The first digits of this site's snapshot, from its records."""
    sums = (site / "data/SHA256SUMS").read_text(encoding="ascii").splitlines()
    return next(line[:12] for line in sums if line.endswith("records.jsonl"))


@pytest.mark.parametrize("kind", PAGES)
def test_a_link_of_another_snapshot_says_so_and_leads_on(
    site: Path, visit: Visit, kind: str
) -> None:
    page = visit().go(page_of(kind, site), f"#snapshot={OTHER}")
    line = page.locator(".elsewhere")
    assert line.is_visible()
    assert line.inner_text().startswith(
        f"This link was made on snapshot {OTHER}; this is {digest(site)}. Numbers may have changed."
    )
    line.locator("a").click()
    assert page.url.endswith("/data.html#snapshots")
    assert "sha256sum" in page.locator("main").inner_text()


@pytest.mark.parametrize("kind", PAGES)
def test_a_link_of_this_snapshot_says_nothing(site: Path, visit: Visit, kind: str) -> None:
    visitor = visit()
    page = visitor.go(page_of(kind, site), f"#snapshot={digest(site)}")
    assert page.locator(".elsewhere").count() == 0
    assert visitor.said == []


@pytest.mark.parametrize("kind", ["histories", "atlas", "method"])
def test_a_snapshot_in_a_link_is_no_filter(site: Path, visit: Visit, kind: str) -> None:
    page = visit().go(page_of(kind, site))
    page.get_by_role("link", name="permalink").click()
    assert page.url.endswith(f"#snapshot={digest(site)}")
    assert page.get_by_role("button", name="remove filter").count() == 0


def test_a_link_with_the_whole_digest_is_of_this_snapshot(site: Path, visit: Visit) -> None:
    full = (site / "data.html").read_text(encoding="utf-8").partition("this one is <code>")[2][:64]
    assert full.startswith(digest(site))
    page = visit().go(page_of("data", site), f"#snapshot={full}")
    assert page.locator(".elsewhere").count() == 0


def test_the_permalink_of_a_page_names_the_snapshot(site: Path, visit: Visit) -> None:
    page = visit(java_script_enabled=False).go(page_of("run", site))
    page.get_by_role("link", name="permalink").click()
    assert page.url.endswith(f"#snapshot={digest(site)}")


def test_a_copied_link_restores_the_view_and_names_the_snapshot(site: Path, visit: Visit) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.go(page_of("runs", site), f"#snapshot={OTHER}&task=digits&sort=accuracy-d")
    shown = page.locator(".explorer tbody tr").all_inner_texts()
    page.get_by_role("button", name="copy link").click()
    page.get_by_role("button", name="copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.endswith(f"snapshot={digest(site)}")
    assert OTHER not in link
    second = visit().page
    second.goto(link)
    assert second.locator(".explorer tbody tr").all_inner_texts() == shown
    assert second.locator(".elsewhere").count() == 0


def test_where_nothing_can_be_copied_the_link_is_shown(site: Path, visit: Visit) -> None:
    visitor = visit()
    visitor.page.add_init_script("delete Navigator.prototype.clipboard")
    page = visitor.go(page_of("runs", site), "#task=digits")
    page.get_by_role("button", name="copy link").click()
    shown = page.get_by_label("Link to this view").input_value()
    assert shown.endswith(f"runs.html#task=digits&snapshot={digest(site)}")


def test_a_snapshot_in_a_link_is_text(site: Path, visit: Visit) -> None:
    visitor = visit()
    page = visitor.go(page_of("method", site), "#snapshot=%3Cimg src=x%3E")
    assert page.locator(".elsewhere code").first.inner_text() == "<img src=x>"
    assert page.locator(".elsewhere img").count() == 0
    assert visitor.said == []


def test_the_data_page_names_the_snapshot_in_full_and_in_its_citation(site: Path) -> None:
    text = (site / "data.html").read_text(encoding="utf-8")
    sums = (site / "data/SHA256SUMS").read_text(encoding="ascii")
    full = next(line[:64] for line in sums.splitlines() if line.endswith("records.jsonl"))
    assert f"<code>{full}</code>" in text
    assert f"snapshot {full[:12]}}}" in text
