"""Limits, ranks, ways between classes, and what a reader takes from a leaderboard."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from experts import KEEPS, METHODS
from records import make_record
from tokonomy.stats import fronts
from tokonomy.store.database import open_store
from tokonomy_site.build import build
from tokonomy_site.ranks import ranges

Visit = Callable[..., Any]
BOARD = "leaderboard/vision.html"
ROWS = METHODS * len(KEEPS) + 2


def numbers(site: Path) -> dict[str, dict[str, float | None]]:
    """Figures of each row, read from the page's source without a browser."""
    text = (site / BOARD).read_text(encoding="utf-8")
    found = re.search(r'data-figures="([^"]*)"', text)
    assert found
    names = [each[0] for each in json.loads(unescape(found[1]))]
    made: dict[str, dict[str, float | None]] = {}
    for tag in re.findall(r"<tr id=[^>]*>", text):
        row = re.search(r'id="(r\d+)"', tag)
        data = re.search(r'data-f="([^"]*)"', tag)
        assert row
        values = data[1].split(";") if data else [""] * len(names)
        firsts = [float(v.split(",")[0]) if v else None for v in values]
        made[row[1]] = dict(zip(names, firsts, strict=True))
    return made


def shown(page: Any) -> set[str]:
    """Ids of the rows that the table shows."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.live tbody tr')].map((row) => row.id)"
    )
    return set(found)


def test_numbers_of_rows_are_those_of_the_database(expert: Path) -> None:
    with open_store(expert / "data/tokonomy.sqlite", create=False) as store:
        runs = {run.run_id: run for run in store.runs()}
    text = (expert / BOARD).read_text(encoding="utf-8")
    compared = 0
    for row, found in numbers(expert).items():
        body = text.split(f'id="{row}"')[1].split("</tr>")[0]
        run = runs[re.findall(r"run/([0-9a-f]{32})\.html", body)[-1]]
        for name, factor in (("latency_p50_ms", 1.0), ("accuracy", 100.0), ("energy_j", 1.0),
                             ("peak_memory_bytes", 2.0**-20)):  # fmt: skip
            stored = run.metrics[name].value if name in run.metrics else None
            if run.status != "ok" or stored is None:
                assert found[name] is None
                continue
            assert found[name] == pytest.approx(factor * stored, rel=1e-5)
            compared += 1
    assert compared > 4 * (ROWS - 3)


@pytest.mark.parametrize(
    ("limit", "figure", "most"),
    [("max-latency", "latency_p50_ms", 4.5), ("max-drop", "accuracy_drop", 3.0),
     ("max-joules", "energy_j", 0.7), ("max-peak", "peak_memory_bytes", 450.0)],
)  # fmt: skip
def test_a_limit_leaves_the_rows_that_keep_it_and_says_how_many_lack_the_figure(
    expert: Path, visit: Visit, limit: str, figure: str, most: float
) -> None:
    found = numbers(expert)
    kept = {row for row, of in found.items() if (v := of[figure]) is not None and v <= most}
    lacking = sum(of[figure] is None for of in found.values())
    assert 0 < len(kept) < ROWS - lacking
    page = visit().go(expert / BOARD)
    cells = page.locator("#r3 td").all_inner_texts()
    page.locator(f"input[name={limit}]").fill(str(most))
    assert shown(page) == kept
    line = page.locator(".state").inner_text()
    assert f"{len(kept)} of {ROWS} shown" in line
    assert f"{lacking} {'row is' if lacking == 1 else 'rows are'} out for want" in line
    assert "about the value itself, not its interval" in line
    assert f"{limit}={most:g}" in page.evaluate("location.hash")
    page.get_by_role("button", name="remove filter").click()
    assert len(shown(page)) == ROWS
    assert page.locator("#r3 td").all_inner_texts() == cells  # no number has changed


@pytest.mark.parametrize(
    ("typed", "most"),
    [("1,200", 1200.0), ("4,5", 4.5), ("0,004", 0.004), ("1,200.5", 1200.5), (" 4.5 ", 4.5)],
)
def test_a_comma_parts_thousands_or_is_a_decimal_mark(
    expert: Path, visit: Visit, typed: str, most: float
) -> None:
    found = numbers(expert)
    kept = {
        row for row, of in found.items() if (v := of["latency_p50_ms"]) is not None and v <= most
    }
    page = visit().go(expert / BOARD)
    page.locator("input[name=max-latency]").fill(typed)
    assert shown(page) == kept
    assert page.locator("input[name=max-latency]").get_attribute("aria-invalid") is None


def test_what_a_limit_leaves_is_said_in_a_region_that_was_there_before(
    expert: Path, visit: Visit
) -> None:
    page = visit().go(expert / BOARD)
    region = page.locator(".state [role=status]")
    region.evaluate("(node) => { node.kept = true; }")
    page.locator("input[name=max-latency]").fill("4.5")
    assert region.evaluate("(node) => node.kept")
    assert "rows are left" in region.inner_text()


def test_the_front_of_what_is_left_is_drawn_and_named(expert: Path, visit: Visit) -> None:
    page = visit().go(expert / BOARD, "#max-latency=5.5&max-drop=12")
    left = shown(page)
    found = numbers(expert)
    stale = set(page.evaluate("[...document.querySelectorAll('.stale')].map((row) => row.id)"))
    ranked = [row for row in sorted(left - stale) if found[row]["latency_ratio"] is not None]
    marked = fronts.front(
        [found[row]["latency_ratio"] for row in ranked], [found[row]["accuracy"] for row in ranked]
    )
    best = {row for row, kept in zip(ranked, marked, strict=True) if kept}
    assert 1 < len(best) < len(ranked)
    said = page.locator(".state p", has_text="accuracy and time").locator("a")
    assert {a.get_attribute("href")[1:] for a in said.all()} == best
    chart = page.locator("figure[data-x=latency_ratio]")
    path = chart.locator(".front.left").get_attribute("d")
    at = {
        tuple(map(float, point))
        for point in chart.locator("svg").evaluate(
            "(svg, ids) => ids.map((id) => ['x', 'y'].map((a) =>"
            " svg.querySelector(`a[href='#${id}'] .mk`).getAttribute(a)))",
            sorted(best),
        )
    }
    corners = (map(float, re.findall(axis, path)) for axis in (r"[MH]([\d.]+)", r"V([\d.]+)"))
    drawn = set(zip(*corners, strict=False))  # the path ends at the right edge, below no mark
    assert drawn == at
    assert chart.locator(".front.faint").count() == 1
    assert chart.locator("a:not(.off)").count() == len(left)
    page.get_by_role("button", name="reset").click()
    assert page.locator(".front.left, .front.faint").count() == 0


def test_limits_ticks_and_axes_come_back_from_the_address(expert: Path, visit: Visit) -> None:
    page = visit().go(expert / BOARD)
    page.locator("input[name=max-latency]").fill("5.5")
    for box in page.locator(".live .pick").all()[:2]:
        box.check()
    page.locator("select[name=y]").select_option("retained")
    fragment = page.evaluate("location.hash")
    again = visit().go(expert / BOARD, fragment)
    again.locator(".redrawn svg").wait_for()
    assert again.locator("input[name=max-latency]").input_value() == "5.5"
    assert again.locator(".live .pick:checked").count() == 2
    assert again.locator("select[name=y]").input_value() == "retained"
    assert shown(again) == shown(page)


def test_nonsense_after_the_hash_hides_nothing_and_adds_nothing(expert: Path, visit: Visit) -> None:
    visitor = visit()
    page = visitor.go(expert / BOARD, "#max-latency=<img src=x>&x=%22%5D&y=nope&pick=zz,,&scale=1")
    page.locator(".redrawn svg").wait_for()
    assert len(shown(page)) == ROWS  # what is no number limits nothing
    assert "is no number, so no limit" in page.locator(".state").inner_text()
    assert page.locator("input[name=max-latency]").get_attribute("aria-invalid") == "true"
    assert page.locator("main img").count() == 0
    page.get_by_role("button", name="reset").click()
    assert len(shown(page)) == ROWS
    assert visitor.said == []


def test_two_to_four_ticked_rows_lead_to_their_comparison(expert: Path, visit: Visit) -> None:
    page = visit().go(expert / BOARD)
    boxes = page.locator(".live .pick")
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    assert boxes.nth(0).evaluate("(box) => box === document.activeElement && box.checked")
    assert page.get_by_role("link", name="compare").count() == 0
    for index in (1, 2, 3):
        boxes.nth(index).check()
    assert boxes.nth(4).is_disabled()
    ids = [
        row.locator("td a").last.get_attribute("href").split("/")[-1].removesuffix(".html")
        for row in page.locator(".live tbody tr").all()[:4]
    ]
    page.get_by_role("link", name="compare 4 runs").click()
    assert page.url.endswith("compare.html#ids=" + ",".join(ids))
    page.locator(".sides").wait_for()
    assert page.locator(".sides thead th").count() == 4


def test_a_link_names_the_snapshot(expert: Path, visit: Visit) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.go(expert / BOARD, "#max-latency=5")
    page.get_by_role("button", name="copy link").click()
    page.get_by_role("button", name="copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    digest = page.evaluate("document.documentElement.dataset.snapshot")
    assert link.endswith(f"#max-latency=5&snapshot={digest}")
    other = visit().go(expert / BOARD, "#max-latency=5&snapshot=0123456789ab")
    assert "0123456789ab" in other.locator(".elsewhere").inner_text()
    assert len(shown(other)) < ROWS


def test_the_csv_of_a_view_has_its_rows_and_raw_numbers(tmp_path: Path, visit: Visit) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        for keep in (0.9, 0.6, 0.3):
            store.add(make_record(method="=1+1", params={"keep": keep}, keep=keep, samples=60))
            store.add(make_record(method="@plain", params={"keep": keep}, keep=keep, samples=60))
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    page = visit(accept_downloads=True).go(tmp_path / "dist" / BOARD, "#method==1%2B1")
    with page.expect_download() as waited:
        page.get_by_role("button", name="CSV of this view").click()
    waited.value.save_as(tmp_path / "view.csv")
    assert re.fullmatch(r"tokonomy-[0-9a-f]{12}\.csv", waited.value.suggested_filename)
    rows = list(csv.reader(io.StringIO((tmp_path / "view.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 4
    assert len({len(row) for row in rows}) == 1
    assert all(row[1].startswith("'=1+1") for row in rows[1:])
    risky = [c for row in rows for c in row if c.startswith(("=", "+", "@", "\t"))]
    assert risky == []
    found = numbers(tmp_path / "dist")
    column = rows[0].index("latency_p50_ms (ms)")
    assert {float(row[column]) for row in rows[1:]} <= {
        of["latency_p50_ms"] for of in found.values()
    }


def test_rows_that_are_not_in_the_page_are_written_as_those_that_are(
    tmp_path: Path, visit: Visit
) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        for number in range(118):
            store.add(make_record(method="m", params={"keep": 0.4, "n": number}, keep=0.4,
                                  samples=40))  # fmt: skip
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    page = visit(accept_downloads=True).go(tmp_path / "dist" / BOARD)
    assert len(shown(page)) == 100
    with page.expect_download() as waited:
        page.get_by_role("button", name="CSV of this view").click()
    rows = list(csv.reader(io.StringIO(Path(waited.value.path()).read_text(encoding="utf-8"))))
    assert len(rows) == 1 + 118
    at = next(i for i, head in enumerate(rows[0]) if head.startswith("Accuracy"))
    shape = re.compile(r"[\d.]+ [\d.]+\u2013[\d.]+")  # value and interval, apart
    assert {bool(shape.fullmatch(row[at])) for row in rows[1:]} == {True}
    assert all(re.fullmatch(r"m n \d+", row[1]) for row in rows[1:])
    values = [cell for row in rows[1:] for cell in row[len(rows[0]) // 2 :]]
    assert not [cell for cell in values if "\u2212" in cell]


def test_ranks_are_ranges() -> None:
    intervals = [(1.0, 2.0), (1.5, 3.0), (2.5, 4.0), (9.0, 9.0), (9.0, 9.0)]
    found = ranges(intervals)
    for mine, (low, high) in zip(intervals, found, strict=True):
        better = sum(other[1] < mine[0] for other in intervals)
        worse = sum(other[0] > mine[1] for other in intervals)
        assert (low, high) == (1 + better, len(intervals) - worse)
    assert ranges([]) == []


def test_a_rank_of_the_page_follows_from_the_intervals_of_the_class(expert: Path) -> None:
    with open_store(expert / "data/tokonomy.sqlite", create=False) as store:
        runs = {run.run_id: run for run in store.runs()}
    text = (expert / BOARD).read_text(encoding="utf-8")
    rows = [
        (re.findall(r"run/([0-9a-f]{32})\.html", body)[-1], re.sub(r"<[^>]*>", "|", body))
        for body in re.findall(r'<tr id="r\d+".*?</tr>', text, flags=re.DOTALL)
    ]
    fresh = [runs[run] for run, body in rows if "stale" not in body and "OOM" not in body]
    ends = {run.run_id: run.metrics["accuracy"] for run in fresh}
    compared = 0
    for run, body in rows:
        if run not in ends:
            continue
        better = sum(other.low > ends[run].high for other in ends.values())
        worse = sum(other.high < ends[run].low for other in ends.values())
        low, high = 1 + better, len(ends) - worse
        said = f"|{low}\u2013{high}|" if low < high else f"|{low}|"
        assert said in body
        compared += 1
    assert compared == ROWS - 2


def test_neighbouring_classes_are_one_click_away(expert: Path, visit: Visit) -> None:
    page = visit(java_script_enabled=False).go(expert / BOARD)
    ways = page.get_by_role("navigation", name="Neighbouring classes")
    assert "cuda Example GPU" in ways.locator("b").all_inner_texts()
    ways.get_by_role("link", name="cpu made-up CPU").click()
    assert "cpu made-up CPU" in page.locator("p.soft").first.inner_text()
    assert "textures" in page.locator("p.soft").first.inner_text()  # the nearest, task and all


def test_a_cell_without_a_number_leads_to_its_run(expert: Path, visit: Visit) -> None:
    page = visit().go(expert / BOARD, "#search=method-5")
    cells = page.locator(".live tbody td a", has_text="OOM")
    assert cells.count() > 5
    assert all("/run/" in str(cell.get_attribute("href")) for cell in cells.all())
