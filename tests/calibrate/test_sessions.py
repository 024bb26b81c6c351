"""Which runs are made, and what is found in their rows. No run is made here."""

from pathlib import Path
from typing import Any

import pytest

from records import make_record
from tokonomy.calibrate import planted, report, same
from tokonomy.calibrate.figures import FAILED
from tokonomy.calibrate.sessions import SENTINEL, Sessions, due, sessions, suite
from tokonomy.run.job import Job
from tokonomy.store.calibration import SUITE, Finding
from tokonomy.store.cell import Measuring
from tokonomy.store.database import open_store
from tokonomy.store.metrics import Metric
from tokonomy.store.record import Record
from tokonomy.store.rows import COLUMNS, Run, row

COUNT, PLANTED = 10, 4


@pytest.fixture(scope="module")
def asked() -> Sessions:
    return sessions(suite(["digits", "textures"], [], "cpu"), COUNT, PLANTED)


def made(
    job: Job,
    ratio: tuple[float, float, float] | None = (1.0, 0.99, 1.01),
    rise: float = 1e6,
    status: str = "ok",
) -> Run:
    """A run of a session with a given ratio (value, low, high) and rise of memory."""
    value, low, high = ratio or (None, None, None)
    metrics = {
        "latency_ratio": Metric("latency_ratio", value, low, high, "1", 20),
        "memory_over_baseline_bytes": Metric("memory_over_baseline_bytes", rise),
        "reference_latency_p50_ms": Metric("reference_latency_p50_ms", 2.0, 1.9, 2.1, "ms", 20),
    }
    values = {name: row(make_record(status=status), [])[name] for name in COLUMNS}
    return Run(**(values | {"cell_key": job.cell.key, "params": {}, "metrics": metrics}))


def rows(*runs: Run) -> dict[str, Run]:
    return {run.cell_key: run for run in runs}


def named(found: list[Finding], name: str, setting: str = "") -> Finding:
    (one,) = [each for each in found if each.name == name and each.setting.startswith(setting)]
    return one


def test_sessions_are_spread_evenly_and_each_is_a_cell_of_its_own(asked: Sessions) -> None:
    assert [job.cell.task.id for job in asked.same] == ["digits", "textures"] * (COUNT // 2)
    assert {job.cell.method.id for job in asked.same} == {"reference"}
    assert [job.cell.method.params["extra"] for job in asked.slow[:3]] == [0.01, 0.02, 0.05]
    assert len(asked.slow) == 3 * PLANTED
    assert len(asked.heavy) == PLANTED
    assert len({job.cell.key for job in asked.jobs}) == len(asked.jobs) == 28
    assert {job.suite for job in asked.jobs} == {SUITE}
    assert {job.cell.scenario for job in asked.jobs} == {"stream"}


def test_sessions_are_measured_as_any_run_is_and_under_seeds_of_their_own(asked: Sessions) -> None:
    assert {repr(job.cell.measuring) for job in asked.jobs} == {repr(Measuring())}
    assert min(job.cell.seed for job in asked.jobs) == SENTINEL
    assert {job.cell.seed for job in asked.sentinels} == {SENTINEL}
    assert SENTINEL not in {job.cell.seed for job in asked.same}


def test_what_is_done_is_skipped_but_for_the_sentinels(asked: Sessions) -> None:
    statuses = {job.cell.key: ("a" * 32, "ok", None) for job in asked.jobs}
    assert due(asked, statuses) == asked.sentinels
    assert due(asked, statuses, fresh=True) == asked.jobs
    lost = asked.same[3]
    del statuses[lost.cell.key]
    assert due(asked, statuses) == (*asked.sentinels, lost)


def test_more_sessions_keep_those_already_made(asked: Sessions) -> None:
    more = sessions(suite(["digits", "textures"], [], "cpu"), 2 * COUNT, PLANTED)
    assert more.same[:COUNT] == asked.same
    assert more.sentinels == asked.sentinels


def test_coverage_counts_intervals_that_hold_one(asked: Sessions) -> None:
    off = {0: (1.05, 1.01, 1.09), 3: (0.95, 0.9, 0.99)}
    found = same.same(asked.same, rows(*(
        made(job, off.get(number, (1.0, 0.99, 1.01))) for number, job in enumerate(asked.same)
    )))  # fmt: skip
    whole = found[0]
    assert {each.met for each in found if each.name == "false-alarms"} == {None}
    assert (whole.name, whole.setting) == ("coverage", same.EVERYWHERE)
    assert (whole.value, whole.n, whole.met) == (0.8, 10, False)
    assert whole.low is not None
    assert whole.low < 0.8
    assert {each.unit for each in found if each.name == "same-ratio"} == {"ratio"}
    digits = [each for each in found if "digits" in each.setting]
    assert [(each.name, each.value, each.n) for each in digits] == [
        ("coverage", 0.8, 5), ("false-alarms", 0.2, 5), ("same-ratio", 1.0, 5),
    ]  # fmt: skip


def test_an_interval_that_always_covers_is_too_wide_once_there_are_enough(asked: Sessions) -> None:
    few = same.coverage("few", asked.same, rows(*map(made, asked.same)))[0]
    assert 0.97**same.ENOUGH < 0.05 < 0.97 ** (same.ENOUGH - 1)
    many = sessions(suite(["digits"], [], "cpu"), same.ENOUGH, 0).same
    all_cover = same.coverage("many", many, rows(*map(made, many)))[0]
    assert (few.value, few.met) == (1, True)
    assert (all_cover.value, all_cover.met) == (1, False)


def test_sessions_that_fail_are_counted_and_not_left_out_silently(asked: Sessions) -> None:
    runs = [made(job, status="invalid") for job in asked.same[:2]]
    runs += [made(job, None) for job in asked.same[2:3]] + [made(job) for job in asked.same[3:]]
    found = same.same(asked.same, rows(*runs))
    assert named(found, "failed").value == 0.3 > FAILED
    assert named(found, "failed").met is False
    assert found[0].n == 7


def test_nothing_is_found_in_no_sessions(asked: Sessions) -> None:
    assert report.findings(asked, {}) == []


def test_planted_slow_downs_are_held_against_their_truth(asked: Sessions) -> None:
    runs = [made(job, (1.02, 1.012, 1.028)) for job in asked.slow]
    found = planted.slow(asked.slow, rows(*runs))
    figures = {
        (each.setting.removeprefix("planted slow-down of "), each.name): each.value
        for each in found
    }
    assert figures["1 %", "coverage"] == 0
    assert figures["2 %", "coverage"] == 1
    assert figures["5 %", "coverage"] == 0
    assert {figures[name, "power"] for name in ("1 %", "2 %", "5 %")} == {1}
    assert figures["2 %", "planted-ratio"] == 1.02
    assert all(each.n == PLANTED for each in found)


def test_a_ratio_below_one_is_no_slow_down_found(asked: Sessions) -> None:
    runs = [made(job, (0.9, 0.85, 0.95)) for job in asked.slow]
    assert {
        each.value for each in planted.slow(asked.slow, rows(*runs)) if each.name == "power"
    } == {0}


@pytest.mark.parametrize(("slip", "met"), [(0, True), (300_000, True), (-5_000_000, False)])
def test_planted_memory_is_what_lies_above_the_models_own(
    asked: Sessions, slip: int, met: bool
) -> None:
    own = {"digits": 2e6, "textures": 9e6}
    plain = [made(job, rise=own[job.cell.task.id]) for job in asked.same]
    heavy = [made(job, rise=own[job.cell.task.id] + 64 * 2**20 + slip) for job in asked.heavy]
    found = planted.heavy(asked.heavy, asked.same, rows(*plain, *heavy))
    error = named(found, "memory-error")
    assert (error.value, error.unit, error.n, error.met) == (slip, "B", PLANTED, met)
    within = named(found, "memory-within-slip")
    assert (within.value, within.n, within.met) == (float(met), PLANTED, None)


def test_memory_is_not_judged_without_the_models_own(asked: Sessions) -> None:
    found = planted.heavy(asked.heavy, asked.same, rows(*map(made, asked.heavy)))
    assert [each.name for each in found] == ["failed"]


def test_sessions_that_were_made_again_are_visible(asked: Sessions, tmp_path: Path) -> None:
    first, second = asked.same[:2]
    records = [session(first, 0), session(first, 1), session(second, 0)]
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(records)
        found = report.measured(asked, store, {"sessions": COUNT})
    assert len(found.runs) == 2
    assert found.settings == {
        "sessions": COUNT, "cells_made": 2, "sessions_ever_made": 3, "commits": {"0" * 40: 2},
    }  # fmt: skip


def session(job: Job, attempt: int) -> Record:
    """A record of a session, later by so many days."""
    samples = job.cell.task.samples
    record = make_record(method="reference", seed=attempt, attempt=attempt, samples=samples)
    document = record.model_dump()
    return Record.model_validate(document | {"cell": job.cell.model_dump()})


def test_the_epoch_is_that_of_the_machine_that_was_measured_last(
    asked: Sessions, tmp_path: Path
) -> None:
    def on(cpu: str, day: int, speed: float = 1.0) -> Record:
        document = session(asked.same[0], day).model_dump()
        document |= {"run_id": f"{len(cpu):016x}{day:016x}",
                     "started": f"2026-03-{day + 1:02}T00:00:00Z"}  # fmt: skip
        document["machine"]["hardware"]["cpu"] = cpu
        for pair in document["timing"]["pairs"]:
            pair["reference_ns"] = round(2e6 * speed) + 1000 * (day % 3)
        return Record.model_validate(document)

    shifted = [on("A", day, 1.0 if day < 8 else 1.2) for day in range(16)]
    steady = [on("another", day) for day in range(15)]
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all([*shifted, *steady])
        (here,), (there,) = (report.epochs(store, each[-1]) for each in (shifted, steady))
        assert report.epochs(store, on("a third", 1)) == []
    assert (here.value, here.n, here.unit, here.is_share) == (2, 16, "", False)
    assert (there.value, there.n) == (1, 15)


@pytest.mark.parametrize(
    ("name", "unit", "share"),
    [
        ("coverage", "1", True),
        ("planted-ratio", "ratio", False),
        ("energy-error-of-bound", "ratio", False),
        ("epoch", "", False),
    ],
)
def test_older_findings_with_the_unit_of_shares_are_told_apart(
    name: str, unit: str, share: bool
) -> None:
    fields = {"setting": "x", "value": 1.0, "low": None, "high": None, "n": 1}
    found = Finding.model_validate({"name": name, "unit": "1", **fields})
    assert (found.unit, found.is_share) == (unit, share)
    assert Finding.model_validate(found.model_dump()) == found


def test_noise_is_fitted_to_one_device_class_and_to_none_that_is_scripted(tmp_path: Path) -> None:
    def made_on(device: str, count: int, **fields: Any) -> list[Record]:
        cell = {"device_class": device}
        return [make_record(method="reference", seed=seed, cell=cell, **fields)
                for seed in range(count)]  # fmt: skip

    hardware = {"software": {}, "hardware": {"gpu_name": "scripted GPU"}, "before": {}, "after": {}}
    with open_store(tmp_path / "a.sqlite") as store:
        assert report.reference_timings(store, []) == (None, [])
        store.add_all(
            [
                *made_on("cpu: A", 2),
                *made_on("cpu: B", 3),
                make_record(method="tome"),
                *made_on("cuda: Scripted GPU", 5),
                *made_on("cuda: C", 5, machine=hardware),
            ]
        )
        name, timings = report.reference_timings(store, [])
    assert (name, len(timings)) == ("cpu: B", 3)


def test_sentinels_show_their_latency(asked: Sessions) -> None:
    found = same.sentinels(asked.sentinels, rows(*map(made, asked.sentinels)))
    assert [(each.name, each.value, each.unit, each.met) for each in found] == [
        ("sentinel-latency", 2.0, "ms", None),
    ] * 2  # fmt: skip
