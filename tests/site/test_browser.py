"""The site in a real browser, from files, offline: accessible, quiet, sortable, readable bare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from records import make_record
from sitepages import KINDS, LAB_KINDS, lab_page, page_of
from tokonomy.store.database import open_store
from tokonomy_site.build import build

Visit = Callable[..., Any]


def column(page: Any, index: int) -> list[str]:
    """First lines of a column's cells, from the top."""
    script = "(i) => [...document.querySelectorAll('.live tbody tr')].map(r => r.cells[i]"
    found: list[str] = page.evaluate(f"{script}.firstChild.textContent.trim())", index)
    return found


def test_every_kind_of_page_is_accessible_and_asks_for_nothing_outside(
    site: Path, lab: Path, visit: Visit
) -> None:
    visitor = visit(bypass_csp=True)
    files = {kind: page_of(kind, site) for kind in KINDS}
    files |= {f"lab {kind}": lab_page(kind, lab) for kind in LAB_KINDS}
    found = {kind: visitor.faults(file) for kind, file in files.items()}
    assert found == {kind: [] for kind in files}
    assert [url for url in visitor.asked if not url.startswith(("file:", "data:"))] == []


def test_the_power_trace_can_be_seen_in_either_scheme(lab: Path, visit: Visit) -> None:
    fills = set()
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme).go(lab_page("energy-run", lab))
        band = page.locator("svg .band")
        assert band.bounding_box()["height"] > 50
        assert page.get_by_role("img", name="Power of the device").count() == 1
        fills.add(band.evaluate("(path) => getComputedStyle(path).fill"))
    assert len(fills) == 2


def test_no_page_complains_under_its_own_policy(site: Path, visit: Visit) -> None:
    visitor = visit()
    for kind in KINDS:
        page = visitor.go(page_of(kind, site))
        assert page.evaluate("getComputedStyle(document.body).fontVariantNumeric") == "tabular-nums"
    assert visitor.said == []


def test_a_click_sorts_numbers_before_words_both_ways(site: Path, visit: Visit) -> None:
    page = visit().go(page_of("leaderboard", site))
    before = column(page, 1)
    words = [text for text in before if not text[0].isdigit()]
    assert words  # failed runs say why in place of a number
    head = page.locator(".live thead th", has_text="Accuracy")
    assert head.get_attribute("aria-sort") is None
    for direction, reverse in (("descending", True), ("ascending", False)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == direction
        after = column(page, 1)
        numbers = [float(text) for text in after[: -len(words)]]
        assert numbers == sorted(numbers, reverse=reverse)
        assert sorted(after[-len(words) :]) == sorted(words)


def test_a_filter_hides_rows_dims_points_and_can_be_taken_back(site: Path, visit: Visit) -> None:
    page = visit().go(page_of("leaderboard", site))
    total = len(column(page, 1))
    page.locator("select[name=method]").select_option("ToMe")
    rows = page.locator(".live tbody tr")
    assert 0 < rows.count() < total
    assert {row.strip().startswith("ToMe") for row in rows.all_inner_texts()} == {True}
    assert page.get_by_role("status").inner_text() == f"{rows.count()} of {total} shown"
    off = page.locator("svg a.off").count()
    assert 0 < off < page.locator("svg a").count()
    page.get_by_role("button", name="remove filter method: ToMe").click()
    assert rows.count() == total
    assert page.locator("svg a.off").count() == 0


def test_the_address_restores_the_view(site: Path, visit: Visit) -> None:
    first = visit().go(page_of("leaderboard", site))
    first.locator("select[name=method]").select_option("EViT")
    first.locator(".live thead th", has_text="Speed-up").get_by_role("button").click()
    shown = column(first, 6)
    fragment = "#" + first.evaluate("location.hash.slice(1)")
    assert "method=EViT" in fragment
    second = visit().go(page_of("leaderboard", site), fragment)
    assert column(second, 6) == shown
    assert second.locator("[aria-sort=descending]").inner_text().startswith("Speed-up")
    assert second.locator("select[name=method]").input_value() == "EViT"


def test_a_point_leads_to_its_row_and_the_row_to_its_run(site: Path, visit: Visit) -> None:
    page = visit().go(page_of("leaderboard", site))
    point = page.locator("svg a").nth(5)
    label, target = point.get_attribute("aria-label"), point.get_attribute("href")
    point.focus()
    page.keyboard.press("Enter")
    row = page.locator(f"tr{target}")
    assert label.split(" ")[0] in row.inner_text()
    assert row.evaluate("(row) => row.matches(':target')")
    row.locator("td a").last.click()
    assert "/run/" in page.url
    assert page.get_by_role("heading", name="Figures").count() == 1


def test_search_reads_what_is_typed_as_text(site: Path, visit: Visit) -> None:
    page = visit().go(page_of("leaderboard", site))
    page.get_by_label("Search").fill("<img src=x>")
    assert page.locator(".live tbody tr").count() == 0
    assert page.locator("main img").count() == 0
    page.get_by_role("button", name="reset").click()
    assert page.locator(".live tbody tr").count() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_without_scripts_everything_can_still_be_read(site: Path, visit: Visit, kind: str) -> None:
    page = visit(java_script_enabled=False).go(page_of(kind, site))
    assert page.locator("h1").is_visible()
    for summary in page.locator("summary").all():
        summary.click()
    for table in page.locator("table").all():
        assert table.locator("tbody tr").last.is_visible()
    assert not any(form.is_visible() for form in page.locator(".controls").all())


def test_a_long_table_shows_a_hundred_rows_and_the_rest_on_request(
    tmp_path: Path, visit: Visit
) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(
            make_record(method=f"method-{m}", params={"keep": k}, keep=k / 10, samples=40)
            for m in range(13)
            for k in range(1, 10)
        )
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    board = tmp_path / "dist/leaderboard/vision.html"
    page = visit().go(board)
    rows = page.locator(".live tbody tr")
    assert rows.count() == 100
    page.get_by_role("button", name="show all 117").click()
    assert rows.count() == 117
    linked = visit().go(board, "#r117")  # a row beyond the first hundred is still found
    assert linked.locator("#r117").is_visible()
