"""The workflow end to end on a checkpoint and images on disk: run, resume, show, compare, move."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoints import write_checkpoint
from images import write_images
from tokonomy import results

SUITE = """id = "small"
title = "Small"
family = "vision"
[measuring]
max_s = 0.1
max_pairs = 10
warmup_s = 0.01
[[select]]
tasks = ["imagefolder:images"]
models = ["hf:vit", "hf:deit"]
methods = ["random-drop", "tome"]
params = { random-drop = [{ keep = 0.5 }], tome = [{ r = 3 }] }
scenarios = ["stream", "offline:4"]
"""


def tokonomy(folder: Path, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-c", "from tokonomy.cli import main; main()", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small suite has been run."""
    place = tmp_path_factory.mktemp("work")
    write_checkpoint(place / "vit", "vit")
    write_checkpoint(place / "deit", "deit")
    write_images(place / "images", each=8)
    (place / "images" / "class-0" / "0.png").write_bytes(b"damaged")
    (place / "small.toml").write_text(SUITE)
    planned = json.loads(
        tokonomy(place, "run", "--suite", "small.toml", "--dry-run", "--json").stdout
    )
    assert len(planned) == 12
    assert all(row["due"] for row in planned)
    assert not (place / "results").exists()
    done = tokonomy(place, "run", "--suite", "small.toml", "--json")
    assert json.loads(done.stdout) == {"made": 12, "skipped": 0, "failed": 0}
    return place


def test_every_cell_has_its_row(folder: Path) -> None:
    runs = json.loads(tokonomy(folder, "results", "show", "--json").stdout)
    assert len(runs) == 12
    assert {run["status"] for run in runs} == {"ok"}
    for run in runs:
        figures = run["metrics"]
        assert figures["accuracy"]["n"] == 23  # one of 24 images is damaged
        assert figures["latency_p50_ms"]["value"] > 0
        assert figures["peak_memory_bytes"]["value"] > 0
        assert figures["energy_j"]["value"] is None
        assert figures["energy_j"]["reason"]
    kept = {(run["method"], run["model"]): run["metrics"]["tokens_kept"]["value"] for run in runs}
    assert kept["reference", "vit"] == kept["reference", "deit"] == 1
    assert 0 < kept["random-drop", "vit"] < 1
    assert 0 < kept["tome", "deit"] < 1
    record = json.loads(tokonomy(folder, "results", "show", runs[0]["run_id"][:10]).stdout)
    assert "class-0/0.png" in record["quality"]["unreadable"][0]


def test_the_same_command_makes_nothing_again(folder: Path) -> None:
    done = tokonomy(folder, "run", "--suite", "small.toml", "--json")
    assert json.loads(done.stdout) == {"made": 0, "skipped": 12, "failed": 0}


def test_fresh_runs_again_what_is_asked_for(folder: Path) -> None:
    words = ("run", "--suite", "small.toml", "--json", "--fresh", "--only",
             "method=tome,model=vit,scenario=stream")  # fmt: skip
    done = tokonomy(folder, *words)
    assert json.loads(done.stdout)["made"] == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("1/1 "))
    assert re.fullmatch(r"1/1 tome .* imagefolder:images stream: ok; [0-9.]+ min left", line)
    everything = json.loads(tokonomy(folder, "results", "show", "--all", "--json").stdout)
    newest = json.loads(tokonomy(folder, "results", "show", "--json").stdout)
    assert (len(everything), len(newest)) == (13, 12)


def test_the_table_has_a_line_for_each_run(folder: Path) -> None:
    out = tokonomy(folder, "results", "show", "--only", "method=tome").stdout
    assert out.count(" tome ") == 4
    assert "random-drop" not in out


def test_two_runs_compare(folder: Path) -> None:
    runs = json.loads(tokonomy(folder, "results", "show", "--json").stdout)
    first, second = (
        run["run_id"] for run in runs
        if run["model"] == "vit" and run["scenario"] == "stream" and run["method"] != "reference"
    )  # fmt: skip
    found = json.loads(tokonomy(folder, "compare", first, second, "--json").stdout)
    assert "method.id" in {name for name, *_ in found["fields"]}
    assert found["difference"]["n"] == 23
    assert found["latency_ratio"]["value"] > 0
    assert "McNemar" in tokonomy(folder, "compare", first[:8], second[:8]).stdout


def test_records_move_to_another_database(folder: Path, tmp_path: Path) -> None:
    tokonomy(folder, "results", "export", str(tmp_path / "all.jsonl"))
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert len(lines) == len({json.loads(line)["run_id"] for line in lines}) == 13
    for _ in range(2):  # importing again changes nothing
        tokonomy(tmp_path, "results", "import", "all.jsonl")
        tokonomy(tmp_path, "results", "export", "again.jsonl")
        assert (tmp_path / "again.jsonl").read_text().splitlines() == lines


def test_the_frame_has_a_row_for_each_cell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    frame = results.frame()
    assert len(frame) == 12
    assert set(frame["method"]) == {"reference", "random-drop", "tome"}
    assert (frame["accuracy"] >= 0).all()


def test_the_database_reads_in_any_browser(folder: Path) -> None:
    with sqlite3.connect(folder / "results" / "tokonomy.sqlite") as database:
        (count,) = database.execute("select count(*) from leaderboard").fetchone()
        names = [row[1] for row in database.execute("pragma table_info(leaderboard)")]
    assert count == 12
    assert {"method", "task", "accuracy", "speed_up", "tokens_kept", "status"} <= set(names)


def test_a_failed_run_exits_with_1_and_stays_until_asked_for(folder: Path, tmp_path: Path) -> None:
    suite = SUITE.replace("[[select]]", "[limits]\nmemory_mib = 1\n[[select]]", 1)
    suite = suite.replace('["stream", "offline:4"]', '["stream"]').replace(', "hf:deit"', "")
    (folder / "tight.toml").write_text(suite)
    words = ("run", "--suite", "tight.toml", "--db", str(tmp_path / "t.sqlite"), "--json",
             "--only", "method=tome")  # fmt: skip
    done = tokonomy(folder, *words, code=1)
    assert json.loads(done.stdout)["failed"] == 1
    assert "\n  1 x oom: " in done.stderr
    assert json.loads(tokonomy(folder, *words).stdout)["made"] == 0
    assert json.loads(tokonomy(folder, *words, "--retry-failed", code=1).stdout)["made"] == 1
    shown = tokonomy(folder, "results", "show", "--db", str(tmp_path / "t.sqlite")).stdout
    assert "oom" in shown
