"""Runs in the forms of other tools, read back by those tools."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lm_eval.loggers import EvaluationTracker
from lm_eval.utils import make_table
from pytest_benchmark.stats import Stats

from records import (
    language_records,
    make_gpu_record,
    make_language_record,
    make_record,
    make_records,
)
from tokonomy.errors import StoreReadOnly, UsageError
from tokonomy.store.database import Store, open_store
from tokonomy.store.exports import FORMS, benchmarks, datasette, lm_eval, lm_results, write
from tokonomy.store.exports.columns import columns
from tokonomy.store.exports.tables import as_parquet
from tokonomy.store.metrics import METRICS, WITH_INTERVAL
from tokonomy.store.standing import role
from tokonomy.store.statements import Statement, digest


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with runs of all families, some failed."""
    path = tmp_path_factory.mktemp("exports") / "tokonomy.sqlite"
    with open_store(path) as store:
        store.add_all(make_records(60, samples=12, pairs=10))
        store.add_all(language_records())
        store.add(make_gpu_record(samples=12))
    return path


@pytest.fixture
def store(place: Path) -> Any:
    """The same, open for reading."""
    with open_store(place, create=False) as opened:
        yield opened


@pytest.mark.parametrize("form", FORMS)
def test_the_same_runs_make_the_same_bytes(store: Store, tmp_path: Path, form: str) -> None:
    counts = [write(store, tmp_path / name, form) for name in ("one", "two")]
    assert counts[0] == counts[1] > 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_parquet_has_types_units_and_every_figure(store: Store, tmp_path: Path) -> None:
    write(store, tmp_path / "runs.parquet", "parquet")
    table = pq.read_table(tmp_path / "runs.parquet")
    assert table.num_rows == store.count()
    runs = {run.run_id: run for run in store.runs()}
    for row in table.to_pylist():
        run = runs[row["run_id"]]
        assert json.loads(row["params"]) == run.params
        assert tuple(json.loads(row["flags"])) == run.flags
        for name, metric in run.metrics.items():
            if METRICS[name].unit:
                assert row[name] == metric.value
            if name in WITH_INTERVAL:
                assert (row[f"{name}_low"], row[f"{name}_high"]) == (metric.low, metric.high)
            assert row[f"{name}_reason"] == metric.reason
    for name, meaning in METRICS.items():
        if meaning.unit:
            told = table.schema.field(name).metadata
            assert told[b"unit"].decode() == meaning.unit
            assert meaning.title in told[b"description"].decode()
    assert all(field.metadata[b"description"] for field in table.schema)


def test_types_do_not_follow_the_rows() -> None:
    empty = pq.read_schema(io.BytesIO(as_parquet([])))
    kinds = {"text": pa.string(), "whole": pa.int64(), "number": pa.float64(), "truth": pa.bool_()}
    assert {field.name: field.type for field in empty} == {c.name: kinds[c.kind] for c in columns()}


def test_a_table_of_failures_alone_keeps_its_types(store: Store, tmp_path: Path) -> None:
    write(store, tmp_path / "bad.parquet", "parquet", status="oom")
    schema = pq.read_schema(tmp_path / "bad.parquet")
    assert schema.field("accuracy").type == pa.float64()
    assert schema.field("suite").type == pa.string()


def test_csv_and_json_say_the_same(store: Store, tmp_path: Path) -> None:
    write(store, tmp_path / "runs.csv", "csv")
    write(store, tmp_path / "runs.json", "json")
    text = (tmp_path / "runs.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    document = json.loads((tmp_path / "runs.json").read_text(encoding="utf-8"))
    assert len(rows) == len(document["runs"]) == store.count()
    assert set(document["figures"]) == set(METRICS)
    for row, run in zip(rows, document["runs"], strict=True):
        assert row["run_id"] == run["run_id"]
        value = run["metrics"].get("accuracy", {}).get("value")
        assert row["accuracy"] == ("" if value is None else repr(value))


def test_a_place_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreReadOnly, match="cannot be written"):
        write(store, tmp_path / "file" / "runs.csv", "csv")
    with pytest.raises(UsageError, match="filter 'colour'"):
        write(store, tmp_path / "runs.csv", "csv", colour="red")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def _shape(value: Any) -> Any:
    return {key: type(each).__name__ for key, each in value.items()}


def test_lm_eval_reads_its_results(store: Store, tmp_path: Path) -> None:
    count = lm_eval(store, tmp_path)
    files = sorted(tmp_path.glob("*/results_*.json"))
    assert count == len(files) > 10
    for file in files:
        document = json.loads(file.read_text(encoding="utf-8"))
        record = store.run(file.parent.name)
        assert not isinstance(record.quality, dict)
        scores = record.quality.scores["method"]  # type: ignore[union-attr]
        (found,) = document["results"].values()
        assert found["score,none"] == pytest.approx(statistics.fmean(scores))
        assert found["score_stderr,none"] == pytest.approx(
            statistics.stdev(scores) / len(scores) ** 0.5
        )
        table = make_table(document)
        (line,) = (each for each in table.splitlines() if "score" in each)
        assert record.cell.task.ref in line
        assert f"|{statistics.fmean(scores):.4f}".rstrip("0") in line
        assert "↑" in line


def test_the_shape_is_that_of_lm_eval(store: Store, tmp_path: Path) -> None:
    (file, document), *_ = lm_results.files(store.records(family="decoding"))
    tracker = EvaluationTracker(output_path=str(tmp_path))
    tracker.general_config_tracker.log_experiment_args("hf", "pretrained=docs-lm", "", "", False)
    results = {key: document[key] for key in (
        "results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better",
        "n-samples", "config", "git_hash", "date")}  # fmt: skip
    tracker.save_results_aggregated(results, samples={})
    (written,) = tmp_path.rglob("results_*.json")
    theirs = json.loads(written.read_text(encoding="utf-8"))
    shared = set(theirs) & set(document)
    assert {"results", "configs", "versions", "config", "task_hashes", "model_name"} <= shared
    assert set(theirs) - set(document) <= {
        "start_time", "end_time", "system_instruction", "system_instruction_sha",
        "fewshot_as_multiturn", "chat_template", "chat_template_sha",
    }  # fmt: skip
    assert file.split("/")[1].startswith("results_20")
    assert ":" not in file


def test_names_of_lm_eval_are_for_its_tasks_alone() -> None:
    own = make_language_record(family="kv")
    ref = own.cell.task.model_copy(update={"ref": "lm_eval:arc_easy"})
    theirs = own.model_copy(update={"cell": own.cell.model_copy(update={"task": ref})})
    names = []
    for record in (own, theirs):
        ((_, document),) = lm_results.files([record])
        (name,) = document["results"]
        names.append(name)
        said = document["configs"][name]["metadata"]["score"]
        assert ("lm-eval's own scoring" in said) == (record is theirs)
        assert document["config"]["role"] == "result"
        assert isinstance(document["config"]["flags"], list)
    assert names == [f"tokonomy:{own.cell.task.ref}", "arc_easy"]


def test_only_results_are_told_to_other_tools() -> None:
    good = make_gpu_record(samples=12)
    scripted = make_gpu_record(samples=12, cell={"device_class": "cuda: scripted GPU"})
    control = make_record(method="planted-slow", samples=12)
    invalid = good.model_copy(update={"status": "invalid", "reason": "throttled"})
    assert role(control) == "control"
    document = benchmarks.document([good, scripted, control, invalid])
    told = {each["extra_info"]["run_id"] for each in document["benchmarks"]}
    assert told == {good.run_id}
    assert {each["extra_info"]["role"] for each in document["benchmarks"]} == {"result"}
    language = make_language_record(family="kv")
    suite = language.model_copy(update={"suite": "calibration"})
    assert list(lm_results.files([suite])) == []


def test_trust_is_told_in_every_table(tmp_path: Path) -> None:
    old, new = (make_record(attempt=at, samples=12) for at in range(2))
    doubt = Statement(run_id=new.run_id, record_sha256=digest(new), says="withdrawn", by="someone",
                      at="2026-03-01T00:00:00Z", reason="because")  # fmt: skip
    with open_store(tmp_path / "a.sqlite") as opened:
        opened.add_all([old, new])
        assert [run.trust for run in opened.runs()] == ["superseded", "self-reported"]
        opened.say(doubt)
        for form in ("parquet", "csv", "json"):
            write(opened, tmp_path / form, form)
        assert [run.run_id for run in opened.latest()] == [old.run_id]
    levels = ["self-reported", "withdrawn"]
    assert pq.read_table(tmp_path / "parquet")["trust"].to_pylist() == levels
    text = (tmp_path / "csv").read_text(encoding="utf-8")
    assert [row["trust"] for row in csv.DictReader(io.StringIO(text))] == levels
    runs = json.loads((tmp_path / "json").read_text(encoding="utf-8"))["runs"]
    assert [run["trust"] for run in runs] == levels


def test_vision_and_failed_runs_are_no_language_results(store: Store) -> None:
    assert list(lm_results.files(store.records(family="vision"))) == []
    assert list(lm_results.files(store.records(status="oom"))) == []


def test_statistics_are_those_of_pytest_benchmark() -> None:
    for count in (2, 3, 7, 10, 24, 25):
        times = [1e-3 * (7 * at % 11 + 1) for at in range(count)]
        ours, theirs = benchmarks.stats(times), Stats()
        for each in times:
            theirs.update(each)
        for name in ("min", "max", "mean", "stddev", "rounds", "median", "total", "ops"):
            assert ours[name] == pytest.approx(getattr(theirs, name))
        assert set(theirs.fields) <= set(ours)
        assert ours["q1"] <= ours["median"] <= ours["q3"]


def test_pytest_benchmark_compares_it(store: Store, tmp_path: Path) -> None:
    write(store, tmp_path / "0001_runs.json", "pytest-benchmark", method="made-exact")
    document = json.loads((tmp_path / "0001_runs.json").read_text(encoding="utf-8"))
    runs = {each["extra_info"]["run_id"] for each in document["benchmarks"]}
    assert len(document["benchmarks"]) == 4 * len(runs) == 4 * store.count(method="made-exact")
    for each in document["benchmarks"]:
        record = store.run(each["extra_info"]["run_id"])
        part = record.timing if each["extra_info"]["pass"] == "call" else record.first_token
        pairs = part.pairs  # type: ignore[union-attr]
        ours = [getattr(pair, f"{each['extra_info']['arm']}_ns") / 1e9 for pair in pairs]
        assert each["stats"]["data"] == ours
        assert each["stats"]["median"] == statistics.median(ours)
    said = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(tmp_path / "0001_runs.json"),
         "--columns=min,median,max,rounds", "--group-by=group"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("made-exact[tokens=") == len(document["benchmarks"])
    assert "Failed to load" not in said.stderr


def test_every_column_of_the_metadata_is_there_and_every_figure_told(place: Path) -> None:
    tables = datasette.metadata()["databases"]["tokonomy"]["tables"]
    with sqlite3.connect(place) as connection:
        listed = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        assert set(tables) <= {name for (name,) in connection.execute(listed)}
        for name in datasette.TABLES:
            found = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            told = tables[name]
            assert sorted(told["columns"]) == sorted(found)
            assert all(told["columns"].values())
            assert set(told["units"]) <= set(found)
            assert {told.get("label_column", found[0]), *told.get("facets", [])} <= set(found)
    connection.close()
    board = tables["leaderboard"]
    for name, meaning in METRICS.items():
        assert meaning.title in board["columns"][name]
        assert board["units"].get(name, "") == ("" if meaning.unit == "1" else meaning.unit)
    assert json.loads(datasette.text()) == datasette.metadata()


def test_the_view_has_every_figure_of_every_family(place: Path, store: Store) -> None:
    with sqlite3.connect(place) as connection:
        connection.row_factory = sqlite3.Row
        rows = {row["run_id"]: row for row in connection.execute("SELECT * FROM leaderboard")}
    connection.close()
    latest = store.latest(role="result")
    assert set(rows) == {run.run_id for run in latest}
    seen = set()
    for run in latest:
        for name, metric in run.metrics.items():
            value = metric.text if name == "effect" else metric.value
            assert rows[run.run_id][name] == value
            seen |= {name} if value is not None else set()
            if name in WITH_INTERVAL:
                ends = (rows[run.run_id][f"{name}_low"], rows[run.run_id][f"{name}_high"])
                assert ends == (metric.low, metric.high)
        assert rows[run.run_id]["energy_boundary"] == run.metrics["energy_j"].text
    assert {"acceptance_length", "kv_physical_ratio", "agreement", "energy_j"} <= seen


DATASETTE = shutil.which("datasette")


@pytest.mark.skipif(DATASETTE is None, reason="needs datasette, which is no dependency")
def test_datasette_shows_titles_and_units(place: Path, tmp_path: Path) -> None:
    (tmp_path / "datasette.json").write_text(datasette.text())
    said = subprocess.run(
        [str(DATASETTE), str(place), "-m", "datasette.json", "--setting", "suggest_facets", "off",
         "--get", "/tokonomy/leaderboard?_size=5"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "Of each cell the newest result of the highest standing" in said.stdout
    assert "Apache-2.0" in said.stdout
    assert 'data-column-description="Accuracy. ' in said.stdout
    assert "&nbsp;ms</td>" in said.stdout
