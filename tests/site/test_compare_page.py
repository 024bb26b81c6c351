"""Runs side by side: distances and their intervals, what may not be compared, hostile addresses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from records import make_record
from tokonomy.store.database import open_store
from tokonomy.store.metrics import Metric
from tokonomy.store.rows import Run
from tokonomy.store.statements import Statement, digest
from tokonomy_site.build import build

Visit = Callable[..., Any]


def runs(site: Path) -> dict[tuple[str, Any, str, str], Run]:
    """Runs by method, keep, task and device."""
    with open_store(site / "data/tokonomy.sqlite", create=False) as store:
        return {(r.method, r.params.get("keep"), r.task, r.device): r for r in store.runs()}


def side_by_side(visit: Visit, site: Path, *chosen: Run, more: str = "") -> Any:
    """The page that compares them."""
    ids = ",".join(run.run_id for run in chosen)
    page = visit().go(site / "compare.html", f"#ids={ids}{more}")
    page.locator(".sides").wait_for()
    return page


def cell(page: Any, title: str, column: int) -> str:
    """Text of a figure's cell."""
    row = page.locator(".sides tr").filter(
        has=page.get_by_role("rowheader", name=title, exact=True)
    )
    found: str = row.locator("td").nth(column).inner_text()
    return found.replace("\u2212", "-")


def mover(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, float, float]:
    """First less second with its interval, written anew from the paper's formula."""
    return (
        a[0] - b[0],
        a[0] - b[0] - ((a[0] - a[1]) ** 2 + (b[2] - b[0]) ** 2) ** 0.5,
        a[0] - b[0] + ((a[2] - a[0]) ** 2 + (b[0] - b[1]) ** 2) ** 0.5,
    )


def ends(figure: Metric, scale: Callable[[float], float]) -> tuple[float, ...]:
    """Value and ends on a scale."""
    return tuple(
        scale(part) for part in (figure.value, figure.low, figure.high) if part is not None
    )


def told(text: str) -> tuple[float, ...]:
    """Numbers of a distance: value, low and high."""
    found = re.search(r"([+-]?[\d.]+) (?:points|times) \[([+-]?[\d.]+) to ([+-]?[\d.]+)\]", text)
    assert found, text
    return tuple(map(float, found.groups()))


@pytest.mark.parametrize(("first", "second"), [(0.9, 0.3), (0.7, 0.9), (0.9, 0.7)])
def test_distances_have_the_interval_that_both_runs_give(
    expert: Path, visit: Visit, first: float, second: float
) -> None:
    known = runs(expert)
    base = known["method-1", first, "textures", "cuda:0"]
    other = known["method-2", second, "textures", "cuda:0"]
    page = side_by_side(visit, expert, base, other)
    points = mover(*(ends(run.metrics["accuracy"], lambda v: 100 * v) for run in (other, base)))
    said = cell(page, "Accuracy", 1)
    assert told(said) == pytest.approx(points, abs=0.06)
    word = ("no detectable difference" if points[1] <= 0 <= points[2]
            else "better" if points[0] > 0 else "worse")  # fmt: skip
    assert word in said
    half = re.search(r"; half the interval's width is ([0-9.]+) points", said)
    assert (half is not None) == (word == "no detectable difference")
    assert half is None or float(half[1]) == pytest.approx((points[2] - points[1]) / 2, rel=0.06)
    logs = mover(*(ends(run.metrics["speed_up"], math.log) for run in (other, base)))
    times = told(cell(page, "Speed-up", 1))
    assert times == pytest.approx(tuple(map(math.exp, logs)), abs=0.006)
    speed = cell(page, "Speed-up", 1)
    assert "within the runs only" in speed  # sittings differ by more, so no verdict
    assert not re.search("better|worse|no detectable", speed)
    assert "points" not in cell(page, "Accuracy", 0)  # the baseline has no distance
    assert "tokonomy compare" in page.locator(".compare").inner_text()


def test_no_interval_is_made_up(expert: Path, visit: Visit) -> None:
    known = runs(expert)
    base = known["method-1", 0.9, "textures", "cuda:0"]
    other = known["method-2", 0.3, "textures", "cuda:0"]
    page = side_by_side(visit, expert, base, other)
    memory = cell(page, "Peak memory", 1)
    assert "times" in memory
    assert "[" not in memory
    assert "no interval, so nothing is said" in memory
    tokens = cell(page, "Tokens kept", 1)
    assert "points" in tokens
    assert "better" in tokens  # counted, so exact
    assert "times" not in cell(page, "Latency, median", 1)  # taken at different moments


def test_another_baseline_turns_distances_around_and_is_in_the_address(
    expert: Path, visit: Visit
) -> None:
    known = runs(expert)
    chosen = [known["method-1", keep, "textures", "cuda:0"] for keep in (0.9, 0.7, 0.3)]
    page = side_by_side(visit, expert, *chosen)
    forth = told(cell(page, "Accuracy", 2))
    page.locator(".compare select").select_option(chosen[2].run_id)
    page.locator("caption", has_text="keep 0.3").wait_for()
    back = told(cell(page, "Accuracy", 0))
    assert back == pytest.approx((-forth[0], -forth[2], -forth[1]))
    assert f"base={chosen[2].run_id}" in page.evaluate("location.hash")
    page.get_by_role("button", name=re.compile("take out .*0.7")).click()
    page.locator("caption", has_text="2 runs").wait_for()
    assert chosen[1].run_id not in page.evaluate("location.hash")


def test_what_may_not_be_compared_says_why(expert: Path, visit: Visit) -> None:
    known = runs(expert)
    base = known["method-0", 0.5, "textures", "cuda:0"]
    elsewhere = known["method-0", 0.5, "textures", "cpu"]
    digits = known["method-0", 0.5, "digits", "cpu"]
    failed = known["method-5", 0.5, "textures", "cuda:0"]
    page = side_by_side(visit, expert, base, elsewhere, digits, failed)
    assert "points" in cell(page, "Accuracy", 1)  # the same samples
    assert "not comparable: other device" in cell(page, "Speed-up", 1)
    assert "not comparable: other task data" in cell(page, "Accuracy", 2)
    assert "not comparable" in cell(page, "Tokens kept", 2)
    assert cell(page, "Accuracy", 3) == "OOM"
    marked = page.locator(".sides tr.differs th").all_inner_texts()
    assert {"Task", "Task data", "Device"} <= {text.split("\n")[0] for text in marked}
    assert all("differs" in text for text in marked)
    assert "Split" not in {text.split("\n")[0] for text in marked}


def test_doubted_runs_are_held_against_none(tmp_path: Path, visit: Visit) -> None:
    made = [make_record(seed=seed, samples=40) for seed in (0, 1)]
    withdrawn = Statement(run_id=made[1].run_id, record_sha256=digest(made[1]), says="withdrawn",
                          by="someone", at="2026-03-01T00:00:00Z", reason="wrong")  # fmt: skip
    (tmp_path / "said.jsonl").write_text(withdrawn.line() + "\n")
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(made)
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist",
          statements=tmp_path / "said.jsonl")  # fmt: skip
    for first, second in (made, made[::-1]):
        page = visit().go(tmp_path / "dist/compare.html", f"#ids={first.run_id},{second.run_id}")
        page.locator(".sides").wait_for()
        for title in ("Accuracy", "Speed-up", "Tokens kept"):
            said = cell(page, title, 1)
            assert "not held against: withdrawn" in said
            assert not re.search("points|better|worse|no detectable", said)
        assert "tokonomy compare" not in page.locator(".compare").inner_text()


HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("", "At least two runs are needed; this address names 0"),
        ("ids=" + quote(HOSTILE), "is no id of a run"),
        (f"ids={HOSTILE}", "is no id of a run"),
        ("ids=__proto__,constructor", "is no id of a run"),
        ("ids=../../../etc/passwd", "is no id of a run"),
        ("ids=ffffffffffffffffffffffffffffffff", "No run of this snapshot begins with"),
        ("ids=ff", "expected 8 to 32 digits"),
        ("ids=%E0%A4%A", "is no id of a run"),
        ("base=" + quote(HOSTILE), "At least two runs"),
    ],
)
def test_addresses_that_name_no_run_are_answered_in_words(
    expert: Path, visit: Visit, fragment: str, said: str
) -> None:
    visitor = visit()
    visitor.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page = visitor.go(expert / "compare.html", f"#{fragment}")
    page.locator(".compare .alert").first.wait_for()
    assert said in page.locator(".compare").inner_text()
    assert page.locator(".compare img").count() == 0
    assert visitor.said == []
    assert [url for url in visitor.asked if "/compare/" in url and "passwd" in url] == []


def test_hostile_records_are_shown_as_text(tmp_path: Path, visit: Visit) -> None:
    evil = f"</script><script>alert(1)</script>{HOSTILE}\u2028'\"\\"
    method = {"id": evil, "params": {evil: evil}, "source_hash": "0" * 64}
    with open_store(tmp_path / "a.sqlite") as store:
        made = [make_record(seed=seed, cell={"method": method}, samples=40) for seed in (0, 1)]
        store.add_all(made)
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    visitor = visit()
    visitor.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    ids = ",".join(record.run_id[:12] for record in made)
    page = visitor.go(tmp_path / "dist/compare.html", f"#ids={ids}")
    page.locator(".sides").wait_for()
    assert HOSTILE in page.locator(".sides").inner_text()
    assert page.locator(".compare img, .compare script").count() == 0
    assert visitor.said == []


def test_every_run_lies_where_its_id_says(expert: Path) -> None:
    found = {}
    for path in (expert / "compare").iterdir():
        text = path.read_text(encoding="ascii")
        head, _, body = text.partition(" = ")
        assert json.dumps(path.stem) in head
        entries = json.loads(body.rstrip().removesuffix(";"))
        assert all(run.startswith(path.stem) for run in entries)
        found |= entries
    assert set(found) == {path.stem for path in (expert / "run").glob("*.html")}


def test_runs_side_by_side_are_accessible(expert: Path, visit: Visit) -> None:
    known = runs(expert)
    chosen = [known["method-1", keep, "textures", "cuda:0"].run_id for keep in (0.9, 0.7, 0.3)]
    fragment = "#ids=" + ",".join([*chosen, "zz"])
    ready = lambda page: page.locator(".sides").wait_for()  # noqa: E731
    assert visit(bypass_csp=True).faults(expert / "compare.html", fragment, ready) == []


def test_without_scripts_the_page_names_the_command(expert: Path, visit: Visit) -> None:
    page = visit(java_script_enabled=False).go(expert / "compare.html")
    assert "tokonomy compare RUN RUN" in page.locator("noscript").inner_text()
    assert page.locator("h1").is_visible()
