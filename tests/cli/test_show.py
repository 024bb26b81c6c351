"""The table of ``results show``: one line per run, and only what tells the runs apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from records import make_gpu_record, make_record
from tokonomy.cli.results import results
from tokonomy.measure.reasons import REASONS
from tokonomy.store.database import open_store


def shown(place: Path, *more: str) -> list[str]:
    """The table's lines, without head and blank lines."""
    outcome = CliRunner().invoke(results, ["show", "--db", str(place), *more])
    assert outcome.exit_code == 0, outcome.output
    return [line for line in outcome.stdout.splitlines() if line.strip()][2:]


def test_one_line_per_run_with_what_varies(tmp_path: Path) -> None:
    fixed = {f"a_rather_long_name_{at}": "a rather long value" for at in range(9)}
    records = [
        make_record(method="tome", params=fixed | {"r": r, "start": None}, samples=8, pairs=10)
        for r in (2, 4)
    ]
    records.append(make_record(method="evit", params={"keep": 0.5, "start": None}, status="oom"))
    with open_store(tmp_path / "store.sqlite") as store:
        store.add_all(records)
    lines = shown(tmp_path / "store.sqlite")
    assert len(lines) == len(records)
    for record, said in zip(records, ("r=2", "r=4", "keep=0.5"), strict=True):
        (line,) = (each for each in lines if record.run_id[:8] in each)
        assert said in line.split()
        assert "rather_long" not in line
        assert "start" not in line
    assert any("oom" in line for line in lines)


def test_a_lone_setting_is_shown_whole_on_one_line(tmp_path: Path) -> None:
    params = {f"name_{at}": "value" for at in range(30)}
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(make_record(method="tome", params=params, samples=8, pairs=10))
    (line,) = shown(tmp_path / "store.sqlite")
    assert all(f"name_{at}=value" in line for at in range(30))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A store with a result and a run of each other kind."""
    small: dict[str, Any] = {"samples": 8, "pairs": 10}
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(make_record(method="tome", **small))
        store.add(make_record(method="reference", suite="calibration", **small))
        store.add(make_record(method="planted-slow", **small))
        store.add(make_gpu_record(method="evit", cell={"device_class": "cuda: scripted GPU"}))
    return tmp_path / "store.sqlite"


@pytest.mark.parametrize(
    ("words", "methods"),
    [
        ((), {"tome"}),
        (("--only", "method=planted-slow"), set()),
        (("--suite", "calibration"), {"reference"}),
        (("--only", "suite=calibration"), {"reference"}),
        (("--only", "role=control"), {"planted-slow"}),
        (("--suite", "made-up"), {"tome", "planted-slow", "evit"}),
        (("--all",), {"tome", "reference", "planted-slow", "evit"}),
    ],
)
def test_what_is_no_result_is_shown_where_it_is_asked_for(
    mixed: Path, words: tuple[str, ...], methods: set[str]
) -> None:
    assert {line.split()[1] for line in shown(mixed, *words)} == methods


def test_what_is_no_result_is_labelled(mixed: Path) -> None:
    said = {line.split()[1]: line for line in shown(mixed, "--all")}
    assert "calibration, ok" in said["reference"]
    assert "control, ok" in said["planted-slow"]
    assert "scripted, ok" in said["evit"]
    assert not any(role in said["tome"] for role in ("calibration", "control", "scripted"))


def test_that_nothing_matches_says_where_more_is(mixed: Path) -> None:
    outcome = CliRunner().invoke(
        results, ["show", "--db", str(mixed), "--only", "method=planted-slow"]
    )
    assert "no run matches; --all shows runs that are no results, too" in outcome.stderr
    outcome = CliRunner().invoke(results, ["show", "--db", str(mixed), "--only", "method=tomee"])
    assert outcome.stderr == "warning: no run matches\n"


def test_a_narrow_terminal_keeps_what_tells_runs_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path / "store.sqlite") as store:
        record = make_record(method="tome", params={"r": 2}, samples=8, pairs=10)
        store.add_all([record, make_record(method="tome", params={"r": 4}, samples=8, pairs=10)])
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    for width, there in ((80, False), (250, True)):
        monkeypatch.setenv("COLUMNS", str(width))
        text = "\n".join(shown(tmp_path / "store.sqlite"))
        assert all(word in text for word in (record.run_id[:8], "r=2", "unconverged"))
        assert max(map(len, text.splitlines())) <= width
        assert (".." in text) == there  # intervals


@pytest.mark.parametrize("key", ["task", "model"])
def test_tasks_and_models_are_found_by_what_was_given(tmp_path: Path, key: str) -> None:
    plain = make_record(method="tome", pairs=10).cell
    cell = {
        "model": plain.model.model_dump() | {"ref": "hf:/some/where"},
        "task": plain.task.model_dump() | {"ref": "imagefolder:/there"},
    }
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(make_record(method="tome", pairs=10, cell=cell))
    ref = cell[key]["ref"]
    assert len(shown(tmp_path / "store.sqlite", "--only", f"{key}={ref}")) == 1


def test_what_a_reader_must_know_is_in_the_table_and_in_json(tmp_path: Path) -> None:
    cell = {"measuring": {"energy": {"window_s": 1.0}}}
    record = make_gpu_record(method="tome", params={}, pairs=10, cell=cell)
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(record)
    (line,) = shown(tmp_path / "store.sqlite")
    assert line.split("  ")[-1].strip() == "ok, unconverged, short-windows"
    outcome = CliRunner().invoke(results, ["show", "--db", str(tmp_path / "store.sqlite")])
    assert outcome.stderr.splitlines() == [
        f"{code} (1): {REASONS[code]}" for code in ("short-windows", "unconverged")
    ]
    outcome = CliRunner().invoke(
        results, ["show", "--db", str(tmp_path / "store.sqlite"), "--json"]
    )
    (facts,) = json.loads(outcome.output)
    assert facts["flags"] == ["unconverged", "short-windows"]
    assert (facts["role"], facts["device_class"]) == ("result", "cuda: Example GPU")
    assert facts["metrics"]["energy_j"]["text"] == "board"
    assert facts["metrics"]["effect"]["text"] == "removed"
