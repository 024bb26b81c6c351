"""``compare``: a run without figures is told so, in words and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from records import make_gpu_record, make_record
from tokonomy.cli.compare import compare
from tokonomy.store.database import open_store
from tokonomy.store.record import Record

GOOD = make_record(method="tome")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (GOOD.model_copy(update={"status": "invalid", "reason": "thr\x1b[31mottled",
                                 "run_id": "f" * 32}), "thr[31mottled"),
        (make_gpu_record(cell={"device_class": "cuda: scripted GPU"}), "scripted-device"),
    ],
)  # fmt: skip
def test_a_run_without_figures_is_named(tmp_path: Path, bad: Record, why: str) -> None:
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all([GOOD, bad])
    words = [GOOD.run_id, bad.run_id, "--db", str(tmp_path / "a.sqlite")]
    said = CliRunner().invoke(compare, words).stdout
    assert f"the second run has no figures: {why}\n" in said
    assert said.count(f"not comparable ({why})") == 2
    assert "\x1b" not in said
    found = json.loads(CliRunner().invoke(compare, [*words, "--json"]).stdout)
    assert found["withheld"] == [None, bad.reason or "scripted-device"]
    assert (found["difference"]["value"], found["latency_ratio"]["value"]) == (None, None)
