"""Results in pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from records import build_store, make_record
from tokonomy.errors import StoreError
from tokonomy.results import frame
from tokonomy.store.database import open_store
from tokonomy.store.metrics import METRICS, WITH_INTERVAL
from tokonomy.store.rows import COLUMNS


def test_frame_is_the_newest_run_of_each_cell(tmp_path: Path) -> None:
    place = build_store(tmp_path / "store.sqlite", 120, samples=40, pairs=10)
    table = frame(place)
    with open_store(place, create=False) as store:
        runs = store.latest()
    assert table["run_id"].tolist() == [run.run_id for run in runs]
    for run, (_, row) in zip(runs, table.iterrows(), strict=True):
        assert row["params"] == run.params
        for name, metric in run.metrics.items():
            expected = metric.text if name == "effect" else metric.value
            assert (expected is None and pd.isna(row[name])) or row[name] == expected
        low = run.metrics["speed_up"].low
        assert (low is None and pd.isna(row["speed_up_low"])) or row["speed_up_low"] == low


def test_missing_is_nan_and_never_zero(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.sqlite") as store:
        store.add(make_record(status="oom"))
    table = frame(tmp_path / "store.sqlite")
    assert table[["accuracy", "speed_up", "flops", "effect", "energy_j"]].isna().all(axis=None)


def test_columns_do_not_depend_on_the_runs(tmp_path: Path) -> None:
    open_store(tmp_path / "store.sqlite").close()
    table = frame(tmp_path / "store.sqlite")
    assert len(table) == 0
    ends = {f"{name}_{end}" for name in WITH_INTERVAL for end in ("low", "high")}
    assert set(table.columns) == {*COLUMNS, "trust", *METRICS, *ends, "energy_boundary"}


def test_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_store(tmp_path / "results" / "tokonomy.sqlite", 3, samples=8, pairs=10)
    monkeypatch.chdir(tmp_path)
    assert len(frame()) == 3
    monkeypatch.chdir(tmp_path / "results")
    with pytest.raises(StoreError, match="no such database"):
        frame()
