"""The nightly sentinels: a first night on a new device, and one in which something regressed."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from checkouts import PACKAGES, ROOT, call
from tokonomy.store.fields import content_hash
from tokonomy.store.record import parse

METHOD = "methods/tokonomy_methods/vision/random_drop.py"
SUITE = """\
id = "small"
title = "One method on the digits"
family = "vision"
[measuring]
warmup_calls = 1
warmup_s = 0.01
min_pairs = 20
max_pairs = 40
max_s = 0.3
half_width = 0.05
[[select]]
tasks = ["digits"]
methods = ["random-drop"]
params.random-drop = [{ keep = 0.5 }]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout without published records."""
    root = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite*", "dist", "records")
    for name in (*PACKAGES[:4], "results", "ci", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    (root / "results/records").mkdir()
    (root / "results/suites/tokonomy_suites/small.toml").write_text(SUITE)
    return root


def dated(shelf: Path, days: int) -> None:
    """Records of a shelf as if measured so many days ago: runs of one sitting are no history."""
    records = [parse(line) for line in shelf.read_text(encoding="utf-8").splitlines()]
    told = [
        each.model_copy(update={
            "run_id": content_hash([each.run_id, days])[:32],
            "started": (datetime.fromisoformat(each.started) - timedelta(days=days)).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
        })
        for each in records
    ]  # fmt: skip
    shelf.write_text("".join(each.line() + "\n" for each in told), encoding="utf-8")


def test_a_first_night_and_one_in_which_a_method_became_slow(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "night"
    first = call(place, "ci/nightly.py", "--suite", "small", "--out", str(out))
    assert first.returncode == 1
    assert "nothing published could be compared with" in first.stdout
    nights = [(out / "records.jsonl").read_text(encoding="utf-8")]
    first = call(place, "ci/nightly.py", "--suite", "small", "--out", str(out), "--new-device")
    assert first.returncode == 0, first.stdout + first.stderr
    assert (out / "report.md").read_text() == first.stdout

    nights.append((out / "records.jsonl").read_text(encoding="utf-8"))
    for night, records in enumerate((*nights, nights[0])):
        shelf = place / f"results/records/{night}.jsonl"
        shelf.write_text(records, encoding="utf-8")
        dated(shelf, 3 - night)
    text = (place / METHOD).read_text()
    slow = text.replace(
        "            count = ", "            sum(range(1_000_000))\n            count = ", 1
    )
    assert slow != text
    (place / METHOD).write_text(slow)
    later = call(place, "ci/nightly.py", "--suite", "small", "--out", str(out))
    assert later.returncode == 1, later.stdout
    words = later.stdout.replace("\\", "")  # escaped for Markdown
    told = [line for line in words.splitlines() if line.startswith("- regressed: ")]
    assert any("random" in line and "latency" in line for line in told), later.stdout
