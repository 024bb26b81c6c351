"""``tokonomy calibrate`` on a tiny checkpoint, and with synthetic experiments."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checkpoints import write_checkpoint
from images import write_images
from tokonomy.cli import main
from tokonomy.store.calibration import read
from tokonomy.store.database import open_store

HERE = ("--task", "imagefolder:images", "--model", "hf:vit", "--sessions", "2", "--planted", "1")
RECORD = Path("results/calibration/measured-cpu.json")


def calibrate(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from tokonomy.cli import main; main()", "calibrate", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a few sessions have been made; what was printed is in ``printed.json``."""
    place = tmp_path_factory.mktemp("calibrated")
    write_checkpoint(place / "vit", "vit")
    write_images(place / "images", each=8)
    done = calibrate(place, *HERE, "--json")
    assert done.returncode in (0, 1), done.stderr
    assert "7 of 7 runs to make" in done.stderr
    assert "7 runs, 0 failed" in done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == any(finding["met"] is False for finding in found["findings"])
    (place / "printed.json").write_text(done.stdout)
    return place


@pytest.fixture
def found(folder: Path) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads((folder / "printed.json").read_text())
    return printed


def test_what_is_printed_is_what_is_written(folder: Path, found: dict[str, Any]) -> None:
    for finding in found["findings"]:
        del finding["met"]
    assert read(folder / RECORD).model_dump(mode="json") == found


def test_every_kind_of_session_has_its_finding(found: dict[str, Any]) -> None:
    names = {(finding["name"], finding["setting"].partition(" of ")[0].partition(",")[0])
             for finding in found["findings"]}  # fmt: skip
    assert {("coverage", "reference against itself"), ("power", "planted slow-down"),
            ("planted-ratio", "planted slow-down"), ("memory-error", "planted memory"),
            ("failed", "reference against itself")} <= names  # fmt: skip
    assert {"sentinel-latency", "epoch"} <= {name for name, _ in names}
    assert found["kind"] == "measured"
    assert found["settings"]["sessions"] == 2
    assert found["settings"]["cells_made"] == found["settings"]["sessions_ever_made"] == 7


def test_planted_truths_are_near_what_was_planted(found: dict[str, Any]) -> None:
    (error,) = (each for each in found["findings"] if each["name"] == "memory-error")
    assert abs(error["value"]) < 8 * 2**20  # of 64 MiB
    ratios = [each["value"] for each in found["findings"] if each["name"] == "planted-ratio"]
    assert len(ratios) == 3


def test_its_runs_are_in_the_database_as_calibration(folder: Path, found: dict[str, Any]) -> None:
    with open_store(folder / "results" / "tokonomy.sqlite", create=False) as store:
        runs = {run.run_id: run for run in store.runs(suite="calibration")}
    assert set(found["runs"]) == set(runs)
    assert {run.status for run in runs.values()} == {"ok"}
    assert sorted(run.method for run in runs.values()) == [
        "planted-memory", *["planted-slow"] * 3, *["reference"] * 3,
    ]  # fmt: skip


def test_the_same_call_makes_only_the_sentinel_again(folder: Path) -> None:
    done = calibrate(folder, *HERE, "--out", "again.json")
    assert "1 of 7 runs to make" in done.stderr
    again, before = read(folder / "again.json"), read(folder / RECORD)
    assert len(set(again.runs) - set(before.runs)) == 1
    assert again.settings["sessions_ever_made"] == 8
    assert "reference against itself" in done.stdout


def test_synthetic_experiments_need_no_database(tmp_path: Path) -> None:
    done = calibrate(tmp_path, "--simulate", "--experiments", "2", "--seed", "3")
    found = read(tmp_path / "results" / "calibration" / "simulated.json")
    assert done.returncode == 1
    assert "no real session of the reference to fit noise to" in done.stderr
    assert (found.kind, found.runs, found.device_class) == ("simulated", [], None)
    assert found.settings == {"experiments": 2, "seed": 3, "sessions": 0, "fitted_to": None}
    assert {"coverage", "false-alarms"} <= {finding.name for finding in found.findings}
    assert not (tmp_path / "results" / "tokonomy.sqlite").exists()


def test_synthetic_experiments_take_their_noise_from_sessions(folder: Path) -> None:
    done = calibrate(folder, "--simulate", "--experiments", "2", "--out", "fitted.json")
    found = read(folder / "fitted.json")
    assert found.settings["sessions"] == 4
    assert found.settings["seed"] == 2026
    assert str(found.settings["fitted_to"]).startswith("cpu: ")
    assert "no real session" not in done.stderr
    assert sum("fitted to real sessions" in each.setting for each in found.findings) > 10


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--simulate", "--sessions", "3"), "--sessions is for sessions on a machine"),
        (("--simulate", "--fresh"), "--fresh is for sessions on a machine"),
        (("--experiments", "3"), "--experiments is for synthetic experiments"),
        (("--sessions", "0"), "--sessions"),
        (("--simulate", "--seed", "-1"), "--seed"),
        (("--task", "nowhere"), "no task 'nowhere'"),
        (("--device", "tpu"), "tpu"),
        (("--out", "."), "expected a file to write"),
        (("--out", "/dev/null/record.json"), "cannot be written below /dev/null"),
    ],
)
def test_bad_usage_is_one_line(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tokonomy", "calibrate", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
