"""Nothing invalid, simulated, planted or of another class reaches a table, a chart or a front.

A small store of honest rows, and beside it every kind of run that must not stand among them, each
with figures that would lead everywhere. What it would win is then looked for in the built pages.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from records import UNSCORED, make_energy, make_gpu_record, make_record
from tokonomy.store.database import open_store
from tokonomy.store.record import Record
from tokonomy_site.build import build

HONEST = ("honest-a", "honest-b")
BEST: dict[str, Any] = {
    "accuracy": 0.95, "latency_ratio": 0.05, "keep": 0.1,
    "energy": make_energy(0.01), "params": {"keep": 0.1},
}  # fmt: skip
MODEL = {"id": "m", "ref": "hf:m", "embedded": False, "weights_hash": "5" * 64}
#: What must not be among the honest rows though it is ok: fields of its cell.
OTHER_CLASS: dict[str, dict[str, Any]] = {
    "other-device": {"device_class": "cuda: Other GPU"},
    "other-precision": {"precision": "bf16"},
    "other-mode": {"mode": "cuda-graphs"},
    "other-protocol": {"protocol": 2},
    "other-threads": {"threads": 2},
    "other-checkpoint": {"model": MODEL},
}
#: What must be in no ranking at all.
NO_RESULT: dict[str, dict[str, Any]] = {
    "scripted-class": {"cell": {"device_class": "cuda: Scripted GPU"}},
    "scripted-hardware": {"machine": {"software": {}, "hardware": {"gpu_name": "scripted fast GPU"},
                                      "before": {}, "after": {}}},
    "scripted-meter": {"energy": make_energy(0.01, meter="scripted-total-energy")},
    "planted-slow": {},
    "planted-of-another": {},
    "in-calibration": {"suite": "calibration"},
}  # fmt: skip
NOT_OK = ("invalid", "oom", "timeout", "crash", "unsupported")


def best(method: str, **changes: Any) -> Record:
    """A run with figures that would lead everywhere."""
    return make_gpu_record(method=method, **(BEST | changes))


def ended(status: str) -> Record:
    """A run that is not ok and yet holds every part."""
    fields = best(f"ended-{status}").model_dump(mode="json")
    return Record.model_validate(fields | {"status": status, "reason": "throttled", "detail": None})


def records() -> Iterator[Record]:
    """The honest rows and every temptation."""
    yield make_gpu_record(method="reference")
    for method in HONEST:
        yield make_gpu_record(method=method, params={"keep": 0.8}, keep=0.8, accuracy=1.2)
        yield make_gpu_record(method=method, params={"keep": 0.5}, keep=0.5)
    yield from (ended(status) for status in NOT_OK)
    yield from (best(name, cell=cell) for name, cell in OTHER_CLASS.items())
    yield from (best(name, **fields) for name, fields in NO_RESULT.items())
    yield best("other-boundary", energy=make_energy(0.01, boundary="module"))
    yield best("without-quality", quality=UNSCORED)
    yield best("run-again")
    yield make_gpu_record(method="run-again", params={"keep": 0.1}, keep=0.6, attempt=60)
    yield best("tome")  # is installed, and of another source
    yield best("capped", timing=_capped(), cell=_asked(0.5))
    yield make_gpu_record(method="wide", keep=0.5)  # timing says that it converged
    yield make_gpu_record(method="narrow", keep=0.5, cell=_asked(0.5))
    yield make_gpu_record(method="doubtful", flags=[{"code": "power-disagrees", "detail": None}])
    yield from (
        make_gpu_record(method="reference", seed=seed, suite="calibration", attempt=60)
        for seed in range(12)
    )


def _asked(half_width: float) -> dict[str, Any]:
    """Fields of a cell whose interval was to be so narrow."""
    return {"measuring": {"threads": 1, "half_width": half_width}}


def _capped() -> dict[str, Any]:
    """Timing that stopped at a cap, though no flag says so."""
    timing = best("capped").model_dump(mode="json")["timing"]
    return timing | {"stop": "pair-cap", "device_ns": {}}


class Seen(HTMLParser):
    """A page as rows of texts, labels of marks in charts, the legend, and everything else."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.marks: list[str] = []
        self.words: list[str] = []
        self._cell = False
        self._svg = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._svg += tag == "svg"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self._cell = True
            self.rows[-1].append("")
        if tag == "a" and self._svg:
            self.marks.append(str(named.get("aria-label")))

    def handle_endtag(self, tag: str) -> None:
        self._svg -= tag == "svg"
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += f" {data.strip()}"

    def rows_of(self, method: str) -> list[list[str]]:
        """Rows whose head names the method."""
        return [row for row in self.rows if row and row[0].split()[:1] == [method]]


@pytest.fixture(scope="module")
def tempted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site made from the store."""
    folder = tmp_path_factory.mktemp("tempted")
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


def test_the_honest_rows_are_ranked(honest: Seen) -> None:
    assert {"Reference", *HONEST} <= named(honest)
    assert {*HONEST} & leaders(honest)
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


@pytest.mark.parametrize("name", OTHER_CLASS)
def test_a_run_of_another_class_stands_apart(
    name: str, boards: dict[str, Seen], index: Seen
) -> None:
    (own,) = (seen for seen in boards.values() if seen.rows_of(name))
    assert {row[0].split()[0] for row in own.rows if row and row[0].split()[1:2] == ["keep"]} <= {
        name
    }
    assert not any(own.rows_of(method) for method in HONEST)
    assert name not in named(index)


@pytest.mark.parametrize("name", NO_RESULT)
def test_what_is_no_result_is_in_no_table_chart_or_count(
    name: str, tempted: Path, boards: dict[str, Seen], index: Seen
) -> None:
    for seen in (*boards.values(), index):
        assert not seen.rows_of(name)
        assert name not in named(seen)
    for seen in boards.values():
        assert name not in " ".join(seen.words)
    pages = [page.read_text(encoding="utf-8") for page in (tempted / "run").glob("*.html")]
    (own,) = (text for text in pages if f"--method {name} " in text)
    assert "Not a result: " in own
    assert ('<p class="verdict">Simulated. ' in own) == name.startswith("scripted")
    if name == "in-calibration":
        page = Seen((tempted / f"method/{name}.html").read_text(encoding="utf-8"))
        assert page.marks == []
        assert "calibration" in " ".join(page.rows[-1])
        return
    assert name not in " ".join(index.words)
    assert not (tempted / f"method/{name}.html").exists()
    assert name in (tempted / "methodology.html").read_text(encoding="utf-8")


def test_the_counts_leave_out_what_is_no_result(index: Seen) -> None:
    said = " ".join(" ".join(index.words).split())
    results = 5 + len(NOT_OK) + len(OTHER_CLASS) + 9
    assert f"{results} runs" in said
    assert "13 runs made to test the ruler" in said
    assert "2 runs planted" in said
    assert "3 runs simulated" in said


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


def test_timing_that_stopped_at_a_cap_has_its_dagger_everywhere(
    honest: Seen, tempted: Path
) -> None:
    (row,) = honest.rows_of("capped")
    assert sum(cell.endswith("\u2020") for cell in row) == 1
    timed = [m for m in honest.marks if first(m) == "capped" and "reference's time" in m]
    assert timed
    assert all("\u2020, unconverged" in label for label in timed)
    own = Seen((tempted / "method/capped.html").read_text(encoding="utf-8"))
    assert any(cell.endswith("\u2020") for each in own.rows for cell in each)


@pytest.mark.parametrize(("method", "marked"), [("wide", True), ("narrow", False)])
def test_an_interval_that_is_wider_than_asked_has_its_dagger_everywhere(
    method: str, marked: bool, honest: Seen, tempted: Path
) -> None:
    (row,) = honest.rows_of(method)
    assert sum(cell.endswith("\u2020") for cell in row) == marked
    timed = [m for m in honest.marks if first(m) == method and "reference's time" in m]
    assert timed
    assert all(("\u2020, unconverged" in label) == marked for label in timed)
    (page,) = (
        text for each in (tempted / "run").glob("*.html")
        if f"--method {method} " in (text := each.read_text(encoding="utf-8"))
    )  # fmt: skip
    assert ("unconverged: The ratio" in page) == marked


def test_energy_that_carries_a_flag_is_marked(honest: Seen) -> None:
    (row,) = honest.rows_of("doubtful")
    assert sum(cell.endswith("\u2021") for cell in row) == 2
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
    for status in NOT_OK:
        (row,) = by_method[f"ended-{status}"]
        assert {row[name] for name in ("accuracy", "latency_ratio", "energy_j", "effect")} == {""}


def test_a_part_of_a_long_class_has_the_front_of_the_whole(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add(
            make_record(method="aaa-first", params={}, keep=0.01, accuracy=0.99, latency_ratio=0.01)
        )
        store.add_all(
            make_record(method=f"method-{m:02}", params={"keep": k}, keep=k / 20, samples=620)
            for m in range(20)
            for k in range(1, 11)
        )
    build(str(tmp_path / "a.sqlite"), None, tmp_path / "dist")
    boards = sorted((tmp_path / "dist/leaderboard").glob("vision*.html"))
    assert len(boards) == 2
    found = [leaders(Seen(board.read_text(encoding="utf-8"))) for board in boards]
    assert sorted(found, key=len) == [set(), {"aaa-first"}]
