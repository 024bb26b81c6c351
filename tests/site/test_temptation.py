"""Nothing invalid, simulated, planted or of another class reaches a table, a chart or a front."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from records import make_gpu_record, make_record
from temptations import (
    HONEST,
    LABELLED,
    NO_RESULT,
    NOT_OK,
    OTHER_CLASS,
    OTHER_KIND,
    SESSIONS,
    installed,
    paced,
    records,
)
from tokonomy.catalog.registry import catalogue
from tokonomy.store.database import open_store
from tokonomy_site.build import build


class Seen(HTMLParser):
    """A page as rows of texts, items of lists, marks of charts, and everything else.

    Marks go by their labels; ``signed`` are those with a sign beside them.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.items: list[str] = []
        self.marks: list[str] = []
        self.signed: list[str] = []
        self.words: list[str] = []
        self._cell = False
        self._svg = 0
        self._mark = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._svg += tag == "svg"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self._cell = True
            self.rows[-1].append("")
        if tag == "li":
            self.items.append("")
        if tag == "a" and self._svg:
            self.marks.append(str(named.get("aria-label")))
        self._mark = self._mark or (tag == "a" and self._svg > 0)
        if tag == "text" and self._mark:
            self.signed.append(self.marks[-1])

    def handle_endtag(self, tag: str) -> None:
        self._svg -= tag == "svg"
        self._cell = self._cell and tag not in ("td", "th")
        self._mark = self._mark and tag != "a"

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.items:
            self.items[-1] = f"{self.items[-1]} {data}"
        if self._cell:
            self.rows[-1][-1] += f" {data.strip()}"

    @property
    def heads(self) -> set[str]:
        """First words of the heads of all rows; methods here are one word each."""
        found = {row[0].split()[0] for row in self.rows if row and row[0].strip()}
        return found - {"Method"}

    def rows_of(self, method: str) -> list[list[str]]:
        """Rows whose head names the method."""
        return [row for row in self.rows if row and row[0].split()[:1] == [method]]


@pytest.fixture(scope="module")
def tempted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site made from the store."""
    folder = tmp_path_factory.mktemp("tempted")
    with installed(folder / "plugin"):
        with open_store(folder / "a.sqlite") as store:
            store.add_all(records())
        build(str(folder / "a.sqlite"), None, folder / "dist")
    return folder / "dist"


@pytest.fixture(scope="module")
def boards(tempted: Path) -> dict[str, Seen]:
    """Every leaderboard by file name."""
    return {
        path.name: Seen(path.read_text(encoding="utf-8"))
        for path in (tempted / "leaderboard").glob("*.html")
    }


@pytest.fixture(scope="module")
def honest(boards: dict[str, Seen]) -> Seen:
    """The leaderboard of the honest rows."""
    (found,) = (seen for seen in boards.values() if seen.rows_of(HONEST[0]))
    return found


def run_page(site: Path, method: str) -> str:
    """The page of a method's only run."""
    pages = (page.read_text(encoding="utf-8") for page in (site / "run").glob("*.html"))
    (found,) = (text for text in pages if f"--method {method} " in text)
    return found


def method_page(site: Path, method: str) -> Seen:
    """The page of a method."""
    return Seen((site / f"method/{method}.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def index(tempted: Path) -> Seen:
    """The first page."""
    return Seen((tempted / "index.html").read_text(encoding="utf-8"))


def numbers(row: list[str]) -> list[float]:
    """Every number in a row's cells, but for the head's setting and the run's date."""
    return [float(n) for cell in row[1:-1] for n in re.findall(r"\d+(?:\.\d+)?", cell)]


def named(seen: Seen) -> set[str]:
    """Methods that marks of a page name."""
    return {first(label) for label in seen.marks}


def first(label: str) -> str:
    """The method that a mark's label begins with; all here are one word."""
    return re.split("[ :]", label)[0]


def leaders(seen: Seen) -> set[str]:
    """Methods of which a mark is, or may be, on a front."""
    return {first(label) for label in seen.marks if "on the front" in label}


def test_the_honest_rows_are_ranked(honest: Seen, index: Seen) -> None:
    assert honest.heads == {"Reference", "ToMe", *HONEST, *LABELLED}
    for seen in (honest, index):
        assert {"Reference", *HONEST} <= named(seen)
        assert {*HONEST} & leaders(seen)
    for method in HONEST:
        assert len(honest.rows_of(method)) == 2
        assert all(len(numbers(row)) > 15 for row in honest.rows_of(method))


@pytest.mark.parametrize("status", NOT_OK)
def test_a_run_that_is_not_ok_has_a_word_and_no_number(
    status: str, honest: Seen, index: Seen
) -> None:
    (row,) = honest.rows_of(f"ended-{status}")
    assert numbers(row) == []
    word = {"oom": "OOM", "crash": "failed"}.get(status, status)
    assert row[1].strip() == word
    assert f"ended-{status}" not in named(honest) | named(index)


@pytest.mark.parametrize("name", [*OTHER_CLASS, *OTHER_KIND])
def test_a_run_of_another_class_stands_apart(
    name: str, boards: dict[str, Seen], index: Seen
) -> None:
    (own,) = (seen for seen in boards.values() if seen.rows_of(name))
    beside = {"Reference"} if name in OTHER_KIND else set()
    assert own.heads == {name} | beside
    assert name not in named(index)
    assert all(name not in named(seen) for seen in boards.values() if seen is not own)


def test_every_class_has_a_page_and_says_what_it_is(boards: dict[str, Seen]) -> None:
    assert len(boards) == 1 + len(OTHER_CLASS) + len(OTHER_KIND)
    for name, said in (
        ("is-trained", "methods trained for their task"),
        ("not-installed", "whether they were trained is not known"),
        ("other-power-limit", "limited to 250 W"),
        ("other-split", "textures/train"),
    ):
        (own,) = (seen for seen in boards.values() if seen.rows_of(name))
        assert said in " ".join(own.words)


@pytest.mark.parametrize("name", NO_RESULT)
def test_what_is_no_result_is_in_no_table_chart_or_count(
    name: str, tempted: Path, boards: dict[str, Seen], index: Seen
) -> None:
    for seen in (*boards.values(), index):
        assert not seen.rows_of(name)
        assert name not in named(seen)
    for seen in boards.values():
        assert name not in " ".join(seen.words)
    own = run_page(tempted, name)
    assert "Not a result: " in own
    assert ("Raw samples of a simulation" in own) == name.startswith("scripted")
    assert ('<p class="verdict">Simulated. ' in own) == name.startswith("scripted")
    if name == "in-calibration":
        page = method_page(tempted, name)
        assert page.marks == []
        assert "calibration" in " ".join(page.rows[-1])
        return
    assert name not in " ".join(index.words)
    assert not (tempted / f"method/{name}.html").exists()
    assert name in (tempted / "methodology.html").read_text(encoding="utf-8")


def test_the_counts_leave_out_what_is_no_result(index: Seen) -> None:
    said = " ".join(" ".join(index.words).split())
    results = sum(1 for _ in records()) - SESSIONS - len(NO_RESULT)
    assert f"{results} runs" in said
    assert "13 runs made to test the ruler" in said
    assert "2 runs planted" in said
    assert "3 runs simulated" in said


def test_a_run_that_is_not_ok_has_its_samples_captioned_so(tempted: Path) -> None:
    said = "Raw samples of a run that is not ok"
    assert run_page(tempted, "ended-invalid").count(said) == 4  # times, tokens, memory, energy
    assert said not in run_page(tempted, "capped")


def test_sessions_of_calibration_do_not_flood_the_reference_s_row(honest: Seen) -> None:
    (row,) = honest.rows_of("Reference")
    assert "seed" not in row[0]


def test_joules_of_another_boundary_are_in_no_column_and_no_chart(
    honest: Seen, tempted: Path
) -> None:
    (row,) = honest.rows_of("other-boundary")
    assert [cell.strip() for cell in row].count("other boundary") == 2
    assert 0.01 not in numbers(row)
    labels = [label for label in honest.marks if first(label) == "other-boundary"]
    assert labels
    assert not any("joules" in label for label in labels)
    assert any("joules" in label for label in honest.marks)
    for page in (tempted / "method").glob("honest-*.html"):
        joules = [m for m in Seen(page.read_text("utf-8")).marks if "joules" in m]
        assert not any(first(label) == "other-boundary" for label in joules)


def test_a_run_without_quality_is_in_no_chart(honest: Seen) -> None:
    (row,) = honest.rows_of("without-quality")
    assert row[1].strip() == "not applicable"
    assert "without-quality" not in named(honest)


def test_a_run_that_was_made_again_counts_only_as_it_is_now(honest: Seen) -> None:
    (row,) = honest.rows_of("run-again")
    speed = float(row[6].split()[0])
    assert 1 < speed < 3  # 20 before
    assert not any(first(label) == "run-again" and "at 0.05" in label for label in honest.marks)


def test_a_stale_row_is_labelled_and_on_no_front(honest: Seen, index: Seen) -> None:
    (row,) = honest.rows_of("ToMe")
    assert "stale" in row[0]
    labels = [label for label in honest.marks if first(label) == "ToMe"]
    assert labels
    assert all(label.endswith(", stale") for label in labels)
    assert "ToMe" not in leaders(honest) | leaders(index)


def test_a_class_whose_rows_are_stale_does_not_come_first(tmp_path: Path) -> None:
    source = catalogue("method").source_hash("tome")
    known = {"id": "tome", "params": {"r": 2}, "source_hash": source}
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(make_record(method=name) for name in ("tome", "evit"))  # of other sources
        store.add(make_record(method="tome", task="digits", cell={"method": known}))
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    first = (tmp_path / "dist/leaderboard/vision.html").read_text(encoding="utf-8")
    assert "digits-vit" in first
    assert "stale" not in " ".join(cell for row in Seen(first).rows_of("ToMe") for cell in row)


def timed(seen: Seen, method: str) -> list[str]:
    """Marks of a method in the charts of time."""
    return [m for m in seen.marks if first(m) == method and "reference's time" in m]


@pytest.mark.parametrize(
    ("method", "marked"),
    [("capped", True), ("wide", True), ("narrow", True), ("withheld", True), ("tight", False)],
)
def test_what_is_unconverged_has_its_dagger_in_tables_and_charts(
    method: str, marked: bool, honest: Seen, tempted: Path
) -> None:
    (row,) = honest.rows_of(method)
    assert sum(cell.endswith("\u2020") for cell in row) == marked
    assert timed(honest, method)
    for label in timed(honest, method):
        assert ("\u2020, unconverged" in label) == marked
        assert (label in honest.signed) == marked
    own = method_page(tempted, method)
    assert any(cell.endswith("\u2020") for each in own.rows for cell in each) == marked
    assert ("unconverged: The ratio" in run_page(tempted, method)) == marked


def test_every_mark_that_needs_a_sign_has_it_beside_it_and_no_other(
    honest: Seen, index: Seen, tempted: Path
) -> None:
    for seen in (honest, index, *(method_page(tempted, name) for name in HONEST)):
        assert seen.signed
        doubted = [m for m in seen.marks if "unconverged" in m or "flagged" in m]
        assert sorted(seen.signed) == sorted(doubted)


QUOTED = re.compile(r"latency ratio [\d.]+(?: \[[\d.\u2013]+\])?(.)")


@pytest.mark.parametrize(("method", "marked"), [("wide", True), ("narrow", True), ("tight", False)])
def test_a_sentence_that_quotes_a_ratio_has_the_dagger_too(
    method: str, marked: bool, honest: Seen, tempted: Path
) -> None:
    (reason,) = (item for item in honest.items if item.split()[:3] == [method, ":", "not"])
    sentences = " ".join(method_page(tempted, method).items)
    for text in (reason, sentences, run_page(tempted, method)):
        assert QUOTED.findall(text)
        assert {sign == "\u2020" for sign in QUOTED.findall(text)} == {marked}
    speed = re.search(r"at ([^,]*) times the reference", run_page(tempted, method))
    assert speed is not None
    assert speed[1].endswith("\u2020") == marked


def test_the_reference_against_itself_has_its_dagger_where_it_is_quoted(tempted: Path) -> None:
    said = [item for item in method_page(tempted, "reference").items if "against itself" in item]
    assert len(said) == 1 + len(OTHER_KIND)  # a class each
    assert {sign for item in said for sign in QUOTED.findall(item)} == {"\u2020"}
    rows = Seen((tempted / "methodology.html").read_text(encoding="utf-8")).rows
    words = ("covers 1", "misses 1", "no interval")
    controls = [row for row in rows if row and row[-1].strip() in words]
    assert len(controls) == 1 + SESSIONS
    marked = sum(row[3].endswith("\u2020") for row in controls)
    table = csv.DictReader(io.StringIO((tempted / "data/runs.csv").read_text(encoding="utf-8")))
    assert marked == sum("unconverged" in row["flags"] and row["method"] == "reference"
                         for row in table) > 0  # fmt: skip


def test_an_interval_that_is_withheld_is_certain_of_nothing(honest: Seen, index: Seen) -> None:
    for seen in (honest, index):
        (label,) = timed(seen, "withheld")
        assert "[interval withheld] of the reference's time" in label
        assert "; may be on the front" in label
        assert any("; on the front throughout" in each for each in seen.marks)
    (front,) = (i for i in index.items if i.split()[:1] == ["withheld"] and len(i.split()) > 1)
    assert front.split() == ["withheld", "\u2020"]
    assert any("(throughout)" in item for item in index.items)


@pytest.mark.parametrize("method", ["doubtful", "hasty"])
def test_energy_that_carries_a_flag_is_marked(method: str, honest: Seen, tempted: Path) -> None:
    (row,) = honest.rows_of(method)
    assert sum(cell.endswith("\u2021") for cell in row) == 2
    said = re.search(r"for ([^,]*) of the reference&#39;s joules", run_page(tempted, method))
    assert said is not None
    assert said[1].endswith("\u2021")
    assert not any(
        cell.endswith("\u2021") for method in HONEST for each in honest.rows_of(method)
        for cell in each
    )  # fmt: skip


def test_spoiled_pairs_move_no_figure(tmp_path: Path) -> None:
    speed = []
    for spoiled in (0, 12):
        with open_store(tmp_path / f"{spoiled}.sqlite") as store:
            store.add(make_gpu_record(method="reference"))
            store.add(make_gpu_record(method="honest-a", keep=0.5, spoiled=spoiled))
        build(str(tmp_path / f"{spoiled}.sqlite"), None, tmp_path / f"dist{spoiled}")
        board = tmp_path / f"dist{spoiled}/leaderboard/vision.html"
        (row,) = Seen(board.read_text(encoding="utf-8")).rows_of("honest-a")
        speed.append(row)
    assert speed[0] == speed[1]


def test_the_table_to_take_home_says_what_each_run_is_for(tempted: Path) -> None:
    text = (tempted / "data/runs.csv").read_text(encoding="utf-8")
    by_method: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        by_method.setdefault(row["method"], []).append(row)
    roles = {name: by_method[name][0]["role"] for name in NO_RESULT}
    assert roles == {
        "scripted-class": "scripted", "scripted-hardware": "scripted",
        "scripted-meter": "scripted", "planted-slow": "control",
        "planted-of-another": "control", "in-calibration": "calibration",
    }  # fmt: skip
    assert {row["role"] for name in HONEST for row in by_method[name]} == {"result"}
    numbers = ("accuracy", "latency_ratio", "energy_j", "effect")
    for status in NOT_OK:
        (row,) = by_method[f"ended-{status}"]
        assert {row[name] for name in (*numbers, "energy_boundary")} == {""}
        assert {row[f"{name}_reason"] for name in numbers} == {"throttled"}
    (row,) = by_method["withheld"]
    assert row["latency_ratio"]
    assert (row["latency_ratio_low"], row["latency_ratio_reason"]) == ("", "blocks-alike")
    assert (row["flags"], row["energy_boundary"]) == ('["unconverged"]', "board")
    assert by_method["other-boundary"][0]["energy_boundary"] == "module"
    assert by_method["hasty"][0]["flags"] == '["unconverged", "short-windows"]'
    assert by_method["other-device"][0]["device_class"] == "cuda: Other GPU"


def test_a_part_of_a_long_class_has_the_front_of_the_whole(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(paced(make_record(method="aaa-first", keep=0.01, accuracy=0.99), 0.01))
        store.add_all(
            paced(make_record(method=f"method-{m:02}", params={"keep": k}, keep=k / 20), k / 20)
            for m in range(20)
            for k in range(1, 11)
        )
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    boards = sorted((tmp_path / "dist/leaderboard").glob("vision*.html"))
    assert len(boards) == 2
    found = [leaders(Seen(board.read_text(encoding="utf-8"))) for board in boards]
    assert sorted(found, key=len) == [set(), {"aaa-first"}]
