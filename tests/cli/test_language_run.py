"""Both language families end to end on the embedded model: run and look at what a run left."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tokonomy.store.database import open_store
from tokonomy.store.observed import Decoding, Quality, Timing
from tokonomy.store.record import Record

SUITE = """id = "small"
title = "Small"
[measuring]
max_s = 0.1
min_pairs = 10
max_pairs = 10
warmup_s = 0.01
warmup_calls = 1
batches = 4
[[select]]
family = "decoding"
tasks = ["sums"]
methods = ["prompt-lookup"]
params = { prompt-lookup = [{ tokens = 4 }] }
[[select]]
family = "kv"
tasks = ["recall"]
methods = ["knorm"]
params = { knorm = [{ keep = 0.5 }] }
"""


def tokonomy(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from tokonomy.cli import main; main()", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Record]:
    """What one suite over both families left, by family and method."""
    place = tmp_path_factory.mktemp("work")
    (place / "small.toml").write_text(SUITE)
    done = tokonomy(place, "run", "--suite", "small.toml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"made": 4, "skipped": 0, "failed": 0}
    assert "it/s" not in done.stderr
    assert "Custom kwargs" not in done.stderr
    with open_store(place / "results" / "tokonomy.sqlite") as store:
        return {(each.cell.family, each.cell.method.id): each for each in store.records()}


def test_each_selection_is_run_with_the_reference_of_its_family(
    records: dict[tuple[str, str], Record],
) -> None:
    assert set(records) == {
        ("decoding", "reference"), ("decoding", "prompt-lookup"),
        ("kv", "reference"), ("kv", "knorm"),
    }  # fmt: skip
    assert {record.status for record in records.values()} == {"ok"}


def test_an_exact_method_answers_as_the_reference_in_fewer_passes(
    records: dict[tuple[str, str], Record],
) -> None:
    record = records["decoding", "prompt-lookup"]
    assert isinstance(record.quality, Quality)
    assert record.quality.outputs["method"] == record.quality.outputs["reference"]
    assert all(isinstance(text, str) for text in record.quality.outputs["method"])
    assert isinstance(record.decoding, Decoding)
    pairs = list(zip(record.decoding.method, record.decoding.reference, strict=True))
    assert all(ours.tokens == theirs.tokens for ours, theirs in pairs)
    assert sum(len(ours.read) for ours, _ in pairs) <= sum(len(theirs.read) for _, theirs in pairs)
    assert all(len(theirs.read) == theirs.tokens for _, theirs in pairs)


def test_the_first_token_is_timed_apart(records: dict[tuple[str, str], Record]) -> None:
    record = records["decoding", "reference"]
    assert isinstance(record.timing, Timing)
    assert isinstance(record.first_token, Timing)
    whole = sum(pair.reference_ns for pair in record.timing.pairs)
    first = sum(pair.reference_ns for pair in record.first_token.pairs)
    assert first / len(record.first_token.pairs) < whole / len(record.timing.pairs)


def test_a_smaller_cache_holds_fewer_bytes_of_memory(
    records: dict[tuple[str, str], Record],
) -> None:
    decoding = records["kv", "knorm"].decoding
    assert isinstance(decoding, Decoding)
    for ours, theirs in zip(decoding.method, decoding.reference, strict=True):
        assert ours.logical_bytes == ours.physical_bytes
        assert 0.4 < ours.physical_bytes[1] / theirs.physical_bytes[1] < 0.6
        assert ours.cached[1] < theirs.cached[1]


def test_what_a_family_lacks_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = tokonomy(tmp_path, "run", "--method", "knorm", "--task", "digits")
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert "no family in common" in done.stderr
    done = tokonomy(tmp_path, "run", "--method", "reference", "--task", "sums")
    assert done.returncode == 2
    assert "--family" in done.stderr
