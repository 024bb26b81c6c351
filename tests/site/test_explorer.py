"""Every run in one table: what the data file says, and what a reader can do with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyruns import build_many
from records import make_record
from tokonomy.store.database import open_store
from tokonomy_site.build import build
from tokonomy_site.encoded import BASE, FIGURES, Field, codes, column
from tokonomy_site.figures import number

Visit = Callable[..., Any]
RUNS = 640


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of several hundred varied runs."""
    folder = tmp_path_factory.mktemp("explorer")
    build(str(build_many(folder / "a.sqlite", RUNS)), None, folder / "dist")
    return folder / "dist"


def read(place: Path, name: str = "runs") -> dict[str, Any]:
    """The object that a script sets."""
    text = (place / f"data/{name}.js").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text.partition(" = ")[2].removesuffix(";\n"))
    return found


def texts(data: dict[str, Any], name: str) -> list[str]:
    """A column, decoded as its description says."""
    found = next(each for each in data["columns"] if each["name"] == name)
    places = [0] * data["count"]
    for at, code in enumerate(found["codes"]):
        digit = ord(code) - 35 - (ord(code) > 92)
        places[at % data["count"]] += digit * BASE ** (at // data["count"])
    return [found["values"][place] for place in places]


def table(place: Path) -> list[dict[str, str]]:
    """The same runs from the download."""
    return list(csv.DictReader(io.StringIO((place / "data/runs.csv").read_text(encoding="utf-8"))))


def test_the_data_file_holds_every_run_as_the_download_does(place: Path) -> None:
    data, rows = read(place), table(place)
    assert data["count"] == len(rows) == RUNS
    wide = data["id"]["width"]
    ids = [data["id"]["text"][at : at + wide] for at in range(0, wide * RUNS, wide)]
    assert ids == [row["run_id"][:wide] for row in rows]
    assert len(set(ids)) == RUNS
    for mine, theirs in (("task", "task_ref"), ("precision", "precision"), ("seed", "seed"),
                         ("mode", "mode"), ("device", "device_class"),
                         ("trust", "trust")):  # fmt: skip
        assert texts(data, mine) == [row[theirs] for row in rows]
    assert texts(data, "started") == [row["started"][:10] for row in rows]


def test_figures_are_rounded_as_pages_round_them_and_missing_ones_are_words(place: Path) -> None:
    data, rows = read(place), table(place)
    seen = {"number": 0, "word": 0}
    for name, scale, digits in (("accuracy", 100, 0.0501), ("speed_up", 1, 0.00501),
                                ("peak_memory_bytes", 2**-20, 0.501)):  # fmt: skip
        for text, row in zip(texts(data, name), rows, strict=True):
            shown = number(text.rstrip("\u2020\u2021"))
            assert (shown is None) == (row[name] == "")
            seen["word" if shown is None else "number"] += 1
            if shown is not None:
                assert shown == pytest.approx(float(row[name]) * scale, abs=digits)
    assert all(seen.values())


def test_values_are_in_the_order_they_sort_in() -> None:
    made = column(Field(name="x", title="X", kind="figure"), ["OOM", "9.0", "1,200", "\u22123.0"])
    assert made["values"] == ["\u22123.0", "9.0", "1,200", "OOM"]
    assert made["numbers"] == 3
    words = column(Field(name="s", title="S"), ["r 10", "r 9", "", "keep 0.5"])
    assert words["values"] == ["", "keep 0.5", "r 9", "r 10"]
    assert words["numbers"] == 0


def test_codes_need_no_escape_however_many_values_there_are() -> None:
    everything = codes(range(BASE**2), BASE**2)
    assert len(everything) == 2 * BASE**2
    assert len(set(everything)) == BASE
    assert json.dumps(everything) == f'"{everything}"'


def rows_of(page: Any) -> list[str]:
    """Texts of the rows."""
    found: list[str] = page.locator(".explorer tbody tr").all_inner_texts()
    return found


def cells(page: Any, name: str) -> list[str]:
    """A column of the page, by the name of its head."""
    found: list[str] = page.evaluate(
        """(name) => {
          const heads = [...document.querySelectorAll(".explorer thead th")];
          const at = heads.findIndex((head) => head.querySelector("button").dataset.name === name);
          return [...document.querySelectorAll(".explorer tbody tr")]
            .map((row) => row.cells[at].textContent);
        }""",
        name,
    )
    return found


def test_a_hundred_rows_newest_first_and_the_rest_page_by_page(place: Path, visit: Visit) -> None:
    page = visit().go(place / "runs.html")
    started = texts(read(place), "started")[::-1]
    assert cells(page, "started") == started[:100]
    assert page.get_by_role("status").inner_text() == f"{RUNS} of {RUNS} runs, rows 1\u2013100"
    page.get_by_role("button", name="next").click()
    assert cells(page, "started") == started[100:200]
    assert page.evaluate("document.activeElement.name") == "next"
    page.get_by_role("button", name="last").click()
    assert cells(page, "started") == started[600:]
    page.get_by_label("Rows").select_option("500")
    assert len(rows_of(page)) == 500


def test_every_run_is_reached_over_the_pages(place: Path, visit: Visit) -> None:
    page = visit().go(place / "runs.html", "#size=500")
    found: list[str] = []
    for _ in range(2):
        links = page.locator(".explorer tbody th a")
        found += links.evaluate_all("(all) => all.map((a) => a.getAttribute('href'))")
        page.get_by_role("button", name="next").click(force=True)
    starts = {href.removeprefix("run.html#") for href in found}
    ids = {path.stem for path in (place / "run").glob("*.html")}
    assert len(starts) == RUNS
    assert {start for start in starts if any(each.startswith(start) for each in ids)} == starts


def test_a_row_leads_to_its_run(place: Path, visit: Visit) -> None:
    page = visit().go(place / "runs.html", "#sort=speed_up-d")
    link = page.locator(".explorer tbody th a").nth(3)
    start, name = link.get_attribute("href").partition("#")[2], link.inner_text()
    link.click()
    page.wait_for_url(f"**/run/{start}*.html")
    assert name in page.locator("h1").inner_text()


def test_the_beginning_of_an_id_finds_its_run_and_anything_else_says_so(
    place: Path, visit: Visit
) -> None:
    some = sorted(path.stem for path in (place / "run").glob("*.html"))
    page = visit().go(place / "run.html")
    page.get_by_label("Beginning").fill(some[0][0])
    page.get_by_role("button", name="Go").click()
    page.locator(".found a").first.wait_for()
    alike = [each for each in some if each[0] == some[0][0]]
    assert page.locator(".found a").all_inner_texts() == alike[:100]
    page.get_by_label("Beginning").fill("<img src=x>")
    page.get_by_role("button", name="Go").click()
    assert "digits 0 to 9" in page.locator(".found").inner_text()
    assert page.locator(".found img").count() == 0
    page.goto(page.url.partition("#")[0] + "#%")
    page.reload()
    assert "digits 0 to 9" in page.locator(".found").inner_text()
    page.get_by_label("Beginning").fill(some[-1].upper())
    page.get_by_role("button", name="Go").click()
    page.wait_for_url(f"**/run/{some[-1]}.html")


def test_sorting_puts_numbers_before_words_both_ways(place: Path, visit: Visit) -> None:
    page = visit().go(place / "runs.html", "#size=500")
    head = page.locator("thead th", has_text="Accuracy")
    for way, reverse in (("descending", True), ("ascending", False)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == way
        known = [
            value for text in texts(read(place), "accuracy") if (value := number(text)) is not None
        ]
        shown = [number(text) for text in cells(page, "accuracy")]
        assert shown == sorted(known, reverse=reverse)[:500]
    page.goto(page.url.partition("#")[0] + "#sort=accuracy-u&page=7")
    assert number(cells(page, "accuracy")[-1]) is None


def test_signs_stand_beside_figures_as_on_other_pages(place: Path) -> None:
    data, rows = read(place), table(place)
    signed = [text.endswith("\u2020") for text in texts(data, "speed_up")]
    assert signed == ["unconverged" in row["flags"] and row["speed_up"] != "" for row in rows]
    made = column(Field(name="x", title="X", kind="figure"), ["OOM", "9.0", "10.0\u2020", "9.5"])
    assert made["values"] == ["9.0", "9.5", "10.0\u2020", "OOM"]
    assert made["numbers"] == 3


def test_a_whole_id_finds_its_run(place: Path, visit: Visit) -> None:
    wanted = table(place)[7]
    page = visit().go(place / "runs.html", f"#search={wanted['run_id']}")
    (start,) = page.locator(".explorer tbody th a").evaluate_all(
        "(all) => all.map((a) => a.getAttribute('href').split('#')[1])"
    )
    assert wanted["run_id"].startswith(start)


def test_filters_and_search_narrow_and_can_be_taken_back(place: Path, visit: Visit) -> None:
    page = visit().go(place / "runs.html", "#size=500")
    data = read(place)
    every = zip(*(texts(data, name) for name in ("method", "task", "setting")), strict=True)
    wanted = [each for each in every if each[0] == "ToMe" and each[1] == "digits"]
    assert len(wanted) > 3
    page.get_by_label("Method").select_option("ToMe")
    page.get_by_label("Task").select_option("digits")
    assert page.get_by_role("status").inner_text().startswith(f"{len(wanted)} of {RUNS} runs")
    assert "task digits" in page.locator(".explorer > .soft").inner_text()
    last = wanted[0][2].split()[-1]
    page.get_by_label("Search").fill(f"TOME {last}")
    assert {each[2] for each in wanted if last in each[2]} <= set(cells(page, "setting"))
    assert {last in text for text in rows_of(page)} == {True}
    assert {text.split("\t")[0] for text in rows_of(page)} == {"ToMe"}
    page.get_by_role("button", name="remove filter Task: digits").click()
    page.get_by_role("button", name="reset").click()
    assert page.get_by_role("status").inner_text().startswith(f"{RUNS} of {RUNS} runs")
    assert "#" not in page.url


def test_the_address_restores_the_view_and_nonsense_in_it_does_no_harm(
    place: Path, visit: Visit
) -> None:
    first = visit().go(place / "runs.html")
    word = first.get_by_label("Status").locator("option").nth(1).inner_text()
    first.get_by_label("Status").select_option(word)
    first.locator("thead th", has_text="Setting").get_by_role("button").click()
    shown, fragment = rows_of(first), "#" + first.url.partition("#")[2]
    assert shown
    second = visit().go(place / "runs.html", fragment)
    assert rows_of(second) == shown
    assert second.locator("select[name=status]").input_value() == word != "ok"
    visitor = visit()
    third = visitor.go(place / "runs.html", "#sort=__proto__-d&page=-7&size=x&task=%3Cb%3E&a=b")
    assert rows_of(third) == []
    assert third.get_by_role("button", name="remove filter Task: <b>").count() == 1
    assert visitor.said == []


def test_what_is_downloaded_is_the_view_and_no_spreadsheet_runs_it(
    tmp_path: Path, visit: Visit
) -> None:
    evil = "=cmd|' /C calc'!A0"
    task = make_record().cell.task.model_dump() | {"ref": evil}
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(make_record(seed=seed, samples=40, cell={"task": task | {"samples": 40}})
                      for seed in range(3))  # fmt: skip
        store.add(make_record(samples=40))
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    page = visit(accept_downloads=True).go(tmp_path / "dist/runs.html", "#sort=seed-u&search=calc")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8"))))
    assert waiting.value.suggested_filename.startswith("tokonomy-runs-")
    assert len(rows) == 4
    assert [row[rows[0].index("Seed")] for row in rows[1:]] == ["0", "1", "2"]
    assert {row[rows[0].index("Trust")] for row in rows[1:]} == {"self-reported"}
    assert {row[rows[0].index("Status")] for row in rows[1:]} == {"ok"}
    assert {row[rows[0].index("Speed-up sign")] for row in rows[1:]} <= {"", "\u2020"}
    at = rows[0].index("Speed-up sign") - 1
    assert all(float(row[at]) > 0 for row in rows[1:])
    cells = {cell for row in rows for cell in row}
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert page.locator(".explorer tbody").inner_text().count("ToMe") == 0


def test_the_explorer_is_accessible(place: Path, visit: Visit) -> None:
    visitor = visit(bypass_csp=True)
    for fragment in ("#size=50", "#sort=accuracy-d&task=digits&search=to&snapshot=0123456789ab"):
        assert visitor.faults(place / "runs.html", fragment) == []


def test_the_keyboard_is_enough(place: Path, visit: Visit) -> None:
    page = visit().go(place / "runs.html")
    page.get_by_role("button", name="Accuracy").focus()
    page.keyboard.press("Enter")
    assert page.locator("[aria-sort=descending]").inner_text().startswith("Accuracy")
    assert page.evaluate("document.activeElement.dataset.name") == "accuracy"
    page.keyboard.press("Enter")
    assert page.locator("[aria-sort=ascending]").count() == 1


def test_without_scripts_the_page_says_where_the_runs_are(place: Path, visit: Visit) -> None:
    page = visit(java_script_enabled=False).go(place / "runs.html")
    note = page.locator("noscript .alert, .alert")
    assert "needs JavaScript" in note.first.inner_text()
    hrefs = [link.get_attribute("href") for link in note.locator("a").all()]
    assert {"data/runs.csv", "data/tokonomy.sqlite"} <= set(hrefs)


def test_every_figure_has_a_place_in_the_table(place: Path, visit: Visit) -> None:
    page = visit().go(place / "runs.html")
    heads = page.locator("thead button").evaluate_all("(all) => all.map((b) => b.dataset.name)")
    data = read(place)
    known = [each["name"] for each in data["columns"] if each["numbers"]]
    assert set(known) <= set(FIGURES)
    assert set(known) <= set(heads)
