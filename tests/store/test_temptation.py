"""Nothing but results reaches the view, the frame or the table, and each with what it lacks.

A small store of an honest run, and beside it every kind of run that must not stand among results or
must stand apart, each with figures that would lead everywhere.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from records import make_energy, make_gpu_record
from tokonomy.cli.results import results
from tokonomy.results import frame
from tokonomy.store.database import open_store
from tokonomy.store.record import Record

Rows = list[dict[str, Any]]

BEST: dict[str, Any] = {
    "accuracy": 0.95, "latency_ratio": 0.05, "keep": 0.1, "params": {"keep": 0.1}, "pairs": 300,
}  # fmt: skip
NOT_OK = ("invalid", "oom", "timeout", "crash", "unsupported")
SCRIPTED = {"software": {}, "hardware": {"gpu_name": "scripted fast GPU"}, "before": {},
            "after": {}}  # fmt: skip
#: What must be in no table of results, and what it is for.
NO_RESULT: dict[str, tuple[str, dict[str, Any]]] = {
    "scripted-class": ("scripted", {"cell": {"device_class": "cuda: Scripted GPU"}}),
    "scripted-hardware": ("scripted", {"machine": SCRIPTED}),
    "scripted-meter": ("scripted", {"energy": make_energy(0.01, meter="scripted-energy")}),
    "planted-slow": ("control", {}),
    "planted-of-another": ("control", {}),
    "in-calibration": ("calibration", {"suite": "calibration"}),
}
CLASSES = ("cuda: Example GPU", "cuda: Other GPU")
AGAIN = make_gpu_record(
    method="again", keep=0.6, attempt=60,
    cell={"method": {"id": "again", "params": {"keep": 0.1}, "source_hash": "1" * 64}},
)  # fmt: skip
SHORT = {"measuring": {"energy": {"window_s": 1.0}}}
FIGURES = ("accuracy", "latency_ratio", "speed_up", "energy_j", "energy_ratio", "effect",
           "energy_boundary")  # fmt: skip


def best(method: str, **changes: Any) -> Record:
    """A run with figures that would lead everywhere."""
    return make_gpu_record(**({"method": method} | BEST | {"energy": make_energy(0.01)} | changes))


def ended(status: str) -> Record:
    """A run that is not ok and yet holds every part."""
    fields = best(f"ended-{status}").model_dump(mode="json")
    return Record.model_validate(fields | {"status": status, "reason": "throttled", "detail": None})


def records() -> Iterator[Record]:
    """The honest run and every temptation."""
    yield best("honest", keep=0.5)
    yield from (ended(status) for status in NOT_OK)
    yield from (best(name, **fields) for name, (_, fields) in NO_RESULT.items())
    yield from (best("two-classes", cell={"device_class": name}) for name in CLASSES)
    yield from (best("again"), AGAIN)
    yield best("capped", timing=_capped())
    yield best("wide", pairs=24, cell={"measuring": {"half_width": 0.5}})
    yield best("short", cell=SHORT)
    yield best("other-boundary", energy=make_energy(0.01, boundary="module"))


def _capped() -> dict[str, Any]:
    """Timing that stopped at a cap, though no flag says so."""
    timing = best("capped").model_dump(mode="json")["timing"]
    return timing | {"stop": "pair-cap", "device_ns": {}}


def of_view(place: Path, everything: bool) -> Rows:
    """Rows of the view ``leaderboard``, or of ``runs``."""
    with closing(sqlite3.connect(place)) as connection:
        connection.row_factory = sqlite3.Row
        name = "runs" if everything else "leaderboard"
        rows = [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
    return [row | {"flags": json.loads(row["flags"])} for row in rows]


def of_frame(place: Path, everything: bool) -> Rows:
    """Rows of the data frame."""
    table = frame(place, role=None) if everything else frame(place)
    return [
        {name: None if isinstance(value, float) and math.isnan(value) else value
         for name, value in row.items()} | {"flags": list(row["flags"])}
        for row in table.to_dict("records")
    ]  # fmt: skip


def of_command(place: Path, everything: bool) -> Rows:
    """What ``results show --json`` prints, its figures beside the configuration."""
    words = ["show", "--db", str(place), "--json", *(["--all"] if everything else [])]
    outcome = CliRunner().invoke(results, words)
    assert outcome.exit_code == 0, outcome.output
    return [_flat(facts) for facts in json.loads(outcome.stdout)]


def _flat(facts: dict[str, Any]) -> dict[str, Any]:
    metrics = facts.pop("metrics")
    words = {"effect": metrics["effect"]["text"], "energy_boundary": metrics["energy_j"]["text"]}
    return facts | {name: metric["value"] for name, metric in metrics.items()} | words


READERS: dict[str, Callable[[Path, bool], Rows]] = {
    "view": of_view, "frame": of_frame, "command": of_command
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store."""
    found = tmp_path_factory.mktemp("tempted") / "a.sqlite"
    with open_store(found) as store:
        store.add_all(records())
    return found


@pytest.fixture(scope="module", params=READERS)
def read(request: pytest.FixtureRequest, place: Path) -> Callable[..., Rows]:
    """Rows of a method, of all results or of everything, as one of the readers has them."""
    reader = READERS[request.param]
    seen = {everything: reader(place, everything) for everything in (False, True)}

    def rows(method: str | None = None, everything: bool = False) -> Rows:
        return [row for row in seen[everything] if method in (None, row["method"])]

    return rows


def test_results_are_all_that_is_read(read: Callable[..., Rows]) -> None:
    expected = ["honest", *(f"ended-{status}" for status in NOT_OK), "two-classes", "two-classes",
                "again", "capped", "wide", "short", "other-boundary"]  # fmt: skip
    assert sorted(row["method"] for row in read()) == sorted(expected)


def test_an_honest_run_has_its_figures_and_no_flag(read: Callable[..., Rows]) -> None:
    (row,) = read("honest")
    assert all(row[name] is not None for name in FIGURES)
    assert (row["status"], row["flags"], row["energy_boundary"]) == ("ok", [], "board")
    assert (row["device_class"], row["protocol"]) == (CLASSES[0], 1)


@pytest.mark.parametrize("status", NOT_OK)
def test_a_run_that_is_not_ok_has_a_word_and_no_number(
    read: Callable[..., Rows], status: str
) -> None:
    (row,) = read(f"ended-{status}")
    assert (row["status"], row["reason"]) == (status, "throttled")
    assert {name: row[name] for name in FIGURES} == dict.fromkeys(FIGURES)


@pytest.mark.parametrize("name", NO_RESULT)
def test_what_is_no_result_is_labelled_where_everything_is_read(
    read: Callable[..., Rows], name: str
) -> None:
    (row,) = read(name, everything=True)
    expected, _ = NO_RESULT[name]
    assert row["role"] == expected
    simulated = {row[figure] for figure in FIGURES if figure in row}
    assert expected != "scripted" or simulated <= {None}


def test_runs_of_two_classes_stand_side_by_side(read: Callable[..., Rows]) -> None:
    assert sorted(row["device_class"] for row in read("two-classes")) == sorted(CLASSES)


def test_a_run_made_again_with_other_code_counts_as_it_is_now(read: Callable[..., Rows]) -> None:
    (row,) = read("again")
    assert row["run_id"] == AGAIN.run_id
    assert row["speed_up"] < 3  # 20 before


@pytest.mark.parametrize(
    ("method", "flag"),
    [("capped", "unconverged"), ("wide", "unconverged"), ("short", "short-windows")],
)
def test_what_a_reader_must_know_is_told(read: Callable[..., Rows], method: str, flag: str) -> None:
    (row,) = read(method)
    assert row["flags"] == [flag]


def test_joules_say_of_what_they_are(read: Callable[..., Rows]) -> None:
    (row,) = read("other-boundary")
    assert (row["energy_boundary"], row["energy_j"]) == ("module", pytest.approx(0.01, rel=0.02))


@pytest.mark.parametrize(("name", "role"), [(n, role) for n, (role, _) in NO_RESULT.items()])
def test_the_table_labels_what_is_no_result(place: Path, name: str, role: str) -> None:
    shown = CliRunner().invoke(results, ["show", "--db", str(place), "--all"])
    (line,) = (each for each in shown.stdout.splitlines() if f" {name} " in each)
    assert line.strip().split("  ")[-1].strip().startswith(f"{role}, ok")
