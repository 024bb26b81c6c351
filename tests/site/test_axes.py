"""Charts with chosen axes: what is drawn, that it can be read by everyone, and what it costs."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from records import make_gpu_record
from sitepages import Reader
from tokonomy.store.database import open_store
from tokonomy_site.page import html, navigation
from tokonomy_site.pages import leaderboard
from tokonomy_site.reading import snapshot

Visit = Callable[..., Any]
BOARD = "leaderboard/vision.html"
KIB = 1024


def drawn(page: Any) -> Any:
    """The chart that was drawn."""
    chart = page.locator(".redrawn svg")
    chart.wait_for()
    return chart


def test_the_library_is_loaded_when_axes_are_changed_and_not_before(
    expert: Path, visit: Visit
) -> None:
    visitor = visit()
    page = visitor.go(expert / BOARD)
    assert not [url for url in visitor.asked if url.endswith("plot.js")]
    assert page.locator(".charts").is_visible()
    page.locator("select[name=x]").select_option("joules")
    drawn(page)
    assert len([url for url in visitor.asked if url.endswith("static/vendor/plot.js")]) == 1
    assert not page.locator(".charts").is_visible()
    page.get_by_role("button", name="back to the standard charts").click()
    assert page.locator(".charts").is_visible()
    assert page.locator(".redrawn").count() == 0
    assert page.evaluate("document.activeElement.name") == "x"
    assert visitor.said == []  # under the page's own policy
    assert [url for url in visitor.asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("across", ["latency", "throughput", "peak", "device", "joules", "flops",
                                    "kept"])  # fmt: skip
@pytest.mark.parametrize(
    "view", ["of=reference&scale=linear&y=quality", "of=own&scale=log&y=retained"]
)
def test_every_axis_draws_each_row_that_has_it_as_a_labelled_link(
    expert: Path, visit: Visit, across: str, view: str
) -> None:
    visitor = visit()
    page = visitor.go(expert / BOARD, f"#x={across}&{view}")
    chart = drawn(page)
    links = chart.locator("a")
    note = page.locator(".redrawn figcaption").inner_text()
    out = re.search(r"(\d+) of 22 rows are not drawn", note)
    assert links.count() == 22 - int(out[1] if out else 0)
    assert links.count() >= 19
    for link in links.all():
        row = page.locator(f"tr{link.get_attribute('href')} th a").inner_text()
        label = str(link.get_attribute("aria-label"))
        assert label.startswith(row)
        assert link.locator("title").text_content() == label
        assert re.search(r"\d", label.split(":")[1])
    size = {"x": 760.0, "y": 470.0}
    for mark in chart.locator("a .mk").all():
        for axis, most in size.items():
            assert 0 < float(str(mark.get_attribute(axis))) < most
    assert chart.get_attribute("role") == "group"
    assert visitor.said == []


def test_marks_have_shape_and_colour_intervals_cautions_and_the_reference(
    expert: Path, visit: Visit
) -> None:
    page = visit().go(expert / BOARD, "#x=latency&of=reference")
    chart = drawn(page)
    static = page.locator("figure[data-x=latency_ratio] svg")
    for link in chart.locator("a").all():
        same = static.locator(f'a[href="{link.get_attribute("href")}"]')
        assert link.locator("use").last.get_attribute("href") == same.locator(
            "use.mk"
        ).get_attribute("href")
        group, twin = (each.locator("xpath=..").get_attribute("class") for each in (link, same))
        assert group == twin
        signs = [each.locator("text").all_text_contents() for each in (link, same)]
        assert signs[0] == signs[1]
        caution = "unconverged" in str(same.get_attribute("aria-label"))
        assert caution == ("unconverged" in str(link.get_attribute("aria-label")))
        assert ("stale" in str(same.get_attribute("aria-label"))) == (
            "stale" in str(link.get_attribute("aria-label"))
        )
    assert all(str(bar.get_attribute("d")) for bar in chart.locator(".bar").all())
    star = float(str(chart.locator(".kr .mk").get_attribute("x")))
    dashes = chart.locator("line[stroke-dasharray], [stroke-dasharray] line").first
    assert float(str(dashes.get_attribute("x1"))) == pytest.approx(star)


def test_a_scale_across_is_linear_or_logarithmic(expert: Path, visit: Visit) -> None:
    places = {}
    for scale in ("linear", "log"):
        page = visit().go(expert / BOARD, f"#x=latency&of=own&scale={scale}")
        marks = drawn(page).locator("a")
        places[scale] = {
            str(a.get_attribute("href")): float(str(a.locator(".mk").get_attribute("x")))
            for a in marks.all()
        }
    values = {
        f"#{row}": float(text.split(",")[0])
        for row, text in page.evaluate(
            "[...document.querySelectorAll('tr[data-f]')].map((row) => [row.id, row.dataset.f])"
        )
    }
    low, *_, high = sorted(places["linear"], key=lambda href: values[href])
    middle = min(values, key=lambda href: abs(values[href] - (values[low] * values[high]) ** 0.5))
    share = {name: (at[middle] - at[low]) / (at[high] - at[low]) for name, at in places.items()}
    part = (values[middle] - values[low]) / (values[high] - values[low])
    assert share["linear"] == pytest.approx(part, abs=0.01)
    assert share["log"] > share["linear"] + 0.05


def test_limits_dim_what_is_drawn_and_move_its_front(expert: Path, visit: Visit) -> None:
    page = visit().go(expert / BOARD, "#x=throughput&of=own")
    before = drawn(page).locator("g[fill=none] path, path[fill=none]").last.get_attribute("d")
    page.locator("input[name=max-drop]").fill("4")
    left = page.locator(".live tbody tr").count()
    page.wait_for_function("document.querySelector('.redrawn a.off')")
    chart = drawn(page)
    assert chart.locator("a:not(.off)").count() <= left < chart.locator("a").count()
    assert "Right and up are better" in page.locator(".redrawn figcaption").inner_text()
    after = chart.locator("g[fill=none] path, path[fill=none]").last.get_attribute("d")
    assert after
    assert before


def test_drawn_limited_and_ticked_it_is_still_accessible(expert: Path, visit: Visit) -> None:
    def prepare(page: Any) -> None:
        drawn(page)
        for box in page.locator(".live .pick").all()[:2]:
            box.check()

    visitor = visit(bypass_csp=True)
    fragment = "#x=peak&y=retained&max-drop=6&max-latency=6"
    assert visitor.faults(expert / BOARD, fragment, prepare) == []


def test_axes_can_be_changed_by_keyboard_alone(expert: Path, visit: Visit) -> None:
    page = visit().go(expert / BOARD)
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "x":
            break
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    page.keyboard.press("ArrowDown")
    chart = drawn(page)
    assert page.evaluate("document.activeElement.name") == "x"
    chart.locator("a").first.focus()
    page.keyboard.press("Enter")
    target = chart.locator("a").first.get_attribute("href")
    assert page.locator(f"tr{target}").evaluate("(row) => row.matches(':target')")


def test_without_the_library_or_scripts_the_static_charts_stay(
    expert: Path, tmp_path: Path, visit: Visit
) -> None:
    context = visit()
    context.page.route("**/plot.js", lambda route: route.abort())
    page = context.go(expert / BOARD, "#x=joules")
    page.get_by_text("the chart library could not be loaded").wait_for()
    assert page.locator(".charts").is_visible()
    bare = visit(java_script_enabled=False).go(expert / BOARD)
    assert bare.locator(".charts svg a").count() > 40
    assert not bare.locator("form.axes").is_visible()


def test_the_first_load_is_small(expert: Path) -> None:
    path = expert / BOARD
    page = Reader(path.read_text(encoding="utf-8"))
    sources = [str(a["src"]) for tag, a in page.tags if tag == "script"]
    assert "../static/tables.js" in sources
    assert not [source for source in sources if "vendor" in source]
    files = [path, path.parent / "../static/site.css", *(path.parent / s for s in sources)]
    contents = [file.read_bytes() for file in files]
    assert sum(map(len, contents)) <= 300 * KIB
    assert sum(len(gzip.compress(content)) for content in contents) <= 80 * KIB


def test_the_widest_board_of_a_gpu_stays_within_its_budget(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(
            make_gpu_record(
                method=f"method-{m}", params={"keep": k}, keep=1 - k / 40, samples=40, pairs=12,
                latency_ratio=1.05 - k / 17 - m / 97,
            )
            for m in range(12)
            for k in range(1, 12)
        )  # fmt: skip
    with open_store(tmp_path / "a.sqlite", create=False) as store:
        shot = snapshot(store, "9f" * 32)
    entries = navigation(shot)
    made = [html(page, shot, entries).encode() for page in leaderboard.pages(shot)]
    assert len(made) == 2  # 132 rows
    for raw in made:
        assert len(raw) <= 250 * KIB
        assert len(gzip.compress(raw)) <= 40 * KIB
