"""Epochs, over a made-up history of the reference."""

import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from records import make_record
from tokonomy.cli import cli
from tokonomy.store.database import open_store
from tokonomy.store.epochs import (
    Device,
    Sentinel,
    across,
    by_device,
    device,
    epoch,
    sentinel,
    starts,
)
from tokonomy.store.record import Record

FIRST = datetime(2026, 3, 1, 8, tzinfo=UTC)
DAYS = 12


def at(days: float) -> str:
    return (FIRST + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def reference(
    days: float,
    speed: float = 1.0,
    task: str = "digits",
    kind: str = "A",
    hardware: dict[str, Any] | None = None,
) -> Record:
    """The reference's run on a day, its calls ``speed`` times as long as usual."""
    record = make_record(
        method="reference", task=task, seed=round(100 * days), started=at(days),
        cell={"device_class": f"cpu: {kind}"},
    )  # fmt: skip
    document = record.model_dump()
    document["machine"]["hardware"] |= hardware or {}
    usual = np.median([pair["reference_ns"] for pair in document["timing"]["pairs"]])
    noise = np.random.default_rng(round(1000 * days)).normal(1.0, 0.004)
    scale = speed * noise * {"digits": 2e6, "textures": 7e6}[task] / usual
    for pair in document["timing"]["pairs"]:
        pair["reference_ns"] = round(pair["reference_ns"] * scale)
    return Record.model_validate(document)


def history(
    shifted: float = 1.0, since: int = 6, tasks: tuple[str, ...] = ("digits", "textures")
) -> list[Record]:
    """A run of each task on each day, the tasks a minute apart."""
    return [
        reference(day + number / 1440, shifted if day >= since else 1.0, task)
        for day in range(DAYS)
        for number, task in enumerate(tasks)
    ]


def seen(records: list[Record]) -> list[Sentinel]:
    found = [sentinel(record) for record in records]
    assert None not in found
    return [each for each in found if each is not None]


def test_a_steady_machine_has_one_epoch() -> None:
    assert starts(seen(history())) == []
    assert starts([]) == []


@pytest.mark.parametrize("shifted", [1.1, 0.85])
def test_a_shift_that_lasts_opens_an_epoch(shifted: float) -> None:
    (begun,) = starts(seen(history(shifted)))
    assert begun == at(6)
    assert [epoch(at(day), [begun]) for day in (0, 5.9, 6, 11)] == [1, 1, 2, 2]


def test_order_of_the_rows_does_not_matter() -> None:
    sentinels = seen(history(1.1))
    for order in ([*sentinels[::-1]], sentinels[5:] + sentinels[:5]):
        assert starts(order) == [at(6)]


def test_many_sentinels_share_one_level_of_chance() -> None:
    """Forty steady sentinels would otherwise show a shift in one history of three."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(25):
        quiet = [
            Sentinel(started=at(day), device=Device("A", ""), work=(work,), latency_ns=float(noise))
            for work in range(40)
            for day, noise in enumerate(2e6 * np.exp(rng.normal(0, 0.05, DAYS)))
        ]
        found += bool(starts(quiet))
    assert found <= 2


def test_shifts_of_two_sentinels_that_may_be_one_are_one() -> None:
    late = [*history(1.1, 6, ("digits",)), *history(1.1, 7, ("textures",))]
    assert starts(seen(late)) == [at(6), at(7)]
    gap = [record for record in late if not at(5.5) < record.started < at(7.5)]
    assert starts(seen(gap)) == [at(8)]


def test_what_passes_within_a_sitting_is_no_epoch() -> None:
    """Forty runs a minute apart, the later half slower, as on a machine that warms up."""
    runs = [reference(minute / 1440, 1.0 if minute < 20 else 1.1) for minute in range(40)]
    assert starts(seen(runs)) == []


def test_every_device_class_has_its_own_epochs() -> None:
    other = [reference(day, kind="B") for day in range(DAYS)]
    found = by_device(seen([*history(1.1), *other]))
    assert {one.device_class: begun for one, begun in found.items()} == {
        "cpu: A": [at(6)], "cpu: B": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"gpu_uuid": "GPU-1"}, {"gpu_uuid": "GPU-2"}),
        ({}, {"cpu": "another CPU"}),
        ({}, {"memory_bytes": 50_000_000_000}),
    ],
    ids=["GPU", "processor", "memory"],
)
def test_two_machines_of_one_class_are_no_shift(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The second machine is a tenth slower, and takes over half way."""
    runs = [reference(day, hardware=one) for day in range(6)]
    runs += [reference(day, 1.1, hardware=other) for day in range(6, DAYS)]
    found = by_device(seen(runs))
    assert len(found) == 2
    assert set(map(tuple, found.values())) == {()}
    assert across(runs[0], runs[-1], found) is None


def test_a_machine_stays_itself_through_what_changes_on_it() -> None:
    plain = device(reference(0))
    for change in ({"governor": "powersave"}, {"affinity": "0"}, {"memory_bytes": 25_000_300_000}):
        assert device(reference(0, hardware=change)) == plain
    card = {"gpu_uuid": "GPU-1"}
    there = device(reference(0, hardware=card))
    assert there == device(reference(0, hardware={**card, "cpu": "another CPU"})) != plain


@pytest.mark.parametrize(
    "record", [make_record(method="tome"), make_record(method="reference", status="oom")]
)
def test_only_a_timed_reference_is_a_sentinel(record: Record) -> None:
    assert sentinel(record) is None


def test_runs_across_a_shift_are_told_apart_and_those_within_are_not() -> None:
    begun = by_device(seen(history(1.1)))
    early, later, last = (reference(day + 0.3) for day in (2, 8, 9))
    for first, second in permutations((early, later)):
        said = across(first, second, begun)
        assert said is not None
        assert said.startswith("across epochs: ")
        assert at(6) in said
    assert across(later, last, begun) is None
    assert across(early, reference(8.3, kind="B"), begun) is None
    assert across(early, later, {}) is None


def test_compare_says_so(tmp_path: Path) -> None:
    place = str(tmp_path / "store.sqlite")
    runs = {day: make_record(method="tome", seed=day, started=at(day + 0.3),
                             cell={"device_class": "cpu: A"}) for day in (2, 8, 9)}  # fmt: skip
    with open_store(place) as store:
        store.add_all([*history(1.1), *runs.values()])

    def said(first: int, second: int, *more: str) -> str:
        words = ["compare", runs[first].run_id, runs[second].run_id, "--db", place, *more]
        return CliRunner().invoke(cli, words, catch_exceptions=False).output

    assert "across epochs: the first run is of epoch 1, the second of epoch 2" in said(2, 8)
    assert "across epochs" not in said(8, 9)
    assert json.loads(said(8, 2, "--json"))["across_epochs"].startswith("across epochs")
    assert json.loads(said(8, 9, "--json"))["across_epochs"] is None
