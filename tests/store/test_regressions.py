"""Sets of records against each other: what changed, what did not, and what does not compare."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from records import make_gpu_record, make_language_record, make_record
from tokonomy.errors import BadRecord
from tokonomy.stats.decisions import LEVEL
from tokonomy.store.database import open_store
from tokonomy.store.observed import Peak
from tokonomy.store.record import Record
from tokonomy.store.regressions import Row, Table, named, sentence, table
from tokonomy.store.sources import Pool, from_database, from_files, pool
from tokonomy.store.statements import Said, Statement, digest

SMALL = {"samples": 200, "pairs": 40}


def made(attempt: int = 0, **how: Any) -> Record:
    return make_record(**(SMALL | {"attempt": attempt} | how))


def of(*records: Record) -> Pool:
    return pool(("here", each) for each in records)


def said(record: Record, what: Said) -> Statement:
    return Statement(run_id=record.run_id, record_sha256=digest(record), says=what, by="someone",
                     at="2026-03-01T00:00:00Z", reason="because",
                     link="https://example.org/1")  # fmt: skip


def row(found: Table, figure: str) -> Row:
    (only,) = [each for each in found.rows if each.figure == figure]
    return only


def resized(record: Record, peak: int) -> Record:
    """The same with another peak of memory."""
    process = record.memory.process  # type: ignore[union-attr]
    assert isinstance(process, Peak)
    memory = {"process": process.model_copy(update={"peak_bytes": peak})}
    return record.model_copy(update={"memory": record.memory.model_copy(update=memory)})  # type: ignore[union-attr]


def history(ratio: float = 0.7, wander: Iterable[float] = (0, 0, 0, 0), **how: Any) -> list[Record]:
    """Runs of one cell whose sittings differ by these relative steps."""
    return [made(at, latency_ratio=ratio * (1 + step), **how) for at, step in enumerate(wander)]


@pytest.mark.parametrize(("ratio", "decision"), [(0.9, "regressed"), (0.5, "improved")])
def test_a_planted_shift_of_latency_is_found(ratio: float, decision: str) -> None:
    old = history()
    found = row(table(of(*old), of(made(9, latency_ratio=ratio))), "latency_ratio")
    assert found.decision == decision
    assert (found.scale, found.basis) == ("ratio", "own history of 4 sittings")
    assert found.low is not None
    assert found.high is not None
    assert found.low < ratio / 0.7 < found.high
    assert found.p is not None
    assert found.p_adjusted is not None
    assert found.p <= found.p_adjusted <= LEVEL
    assert (found.runs[0], found.a) == (old[-1].run_id, pytest.approx(0.7, rel=0.05))


def test_sittings_that_wander_do_not_cry_wolf_and_without_them_nothing_is_decided() -> None:
    old = history(wander=(0.0, 0.1, -0.08, 0.05, -0.1, 0.0))
    new = made(9, latency_ratio=0.7 * 1.1)
    alone = row(table(of(old[-1]), of(new)), "latency_ratio")
    assert (alone.decision, alone.reason) == ("not comparable", "no-history")
    assert alone.difference == pytest.approx(1.1, rel=0.05)
    assert (alone.low, alone.high, alone.p) == (None, None, None)
    known = row(table(of(*old), of(new)), "latency_ratio")
    assert (known.decision, known.basis) == (
        "no detectable difference",
        "own history of 6 sittings",
    )
    more = row(table(of(old[-1]), of(new), [of(*old)]), "latency_ratio")
    assert (more.decision, more.basis) == (known.decision, known.basis)


def test_a_short_history_borrows_from_cells_of_the_same_machine() -> None:
    old = history(wander=(0.0, 0.1))
    others = [each for seed in range(1, 5) for each in history(wander=(0.06, -0.06), seed=seed)]
    new = made(9, latency_ratio=0.7 * 1.15)
    found = row(table(of(*old, *others), of(new)), "latency_ratio")
    assert found.basis == "pooled history of 10 sittings of 5 cells"
    assert found.decision == "no detectable difference"
    machine = others[0].machine.model_copy(update={"hardware": {"cpu": "another"}})
    moved = [each.model_copy(update={"machine": machine}) for each in others]
    elsewhere = row(table(of(*old, *moved), of(new)), "latency_ratio")
    assert (elsewhere.basis, elsewhere.reason) == ("", "no-history")


def test_a_change_does_not_hide_itself_in_the_history() -> None:
    """Runs after the one compared are alike among themselves, and no variation of sittings."""
    old, new = history(), [made(at, latency_ratio=1.0) for at in (7, 8, 9)]
    found = row(table(of(*old), of(*old, *new)), "latency_ratio")
    assert (found.decision, found.basis) == ("regressed", "own history of 7 sittings")
    assert found.runs == (old[-1].run_id, new[-1].run_id)


def test_a_change_of_the_source_is_no_variation_of_sittings() -> None:
    """Runs of either source are alike among themselves; what lies between them is a change."""
    old = history()
    other = {"id": "top-k", "params": dict(old[0].cell.method.params), "source_hash": "0" * 64}
    last = made(100, latency_ratio=1.2, cell={"method": other})
    found = row(table(of(*old, last), of(made(200, latency_ratio=0.9))), "latency_ratio")
    assert (found.basis, found.runs[0]) == ("own history of 4 sittings", last.run_id)
    assert found.decision == "improved"


@pytest.mark.parametrize(
    ("accuracy", "decision"), [(0.55, "regressed"), (None, "no detectable difference")]
)
def test_quality_is_held_against_each_other_sample_by_sample(
    accuracy: float | None, decision: str
) -> None:
    old, new = made(), made(1, accuracy=accuracy)
    found = row(table(of(old), of(new)), "accuracy")
    assert (found.decision, found.scale) == (decision, "difference")
    assert found.p is not None


def test_graded_scores_are_compared_by_their_mean() -> None:
    old = made()
    quality = old.quality.model_copy(  # type: ignore[union-attr]
        update={"scores": {arm: [0.8 - 0.3 * (at % 2) for at in range(200)]
                           for arm in ("method", "reference")}}
    )  # fmt: skip
    lower = {arm: [0.7 - 0.3 * (at % 2) + 0.001 * (at % 3) for at in range(200)]
             for arm in quality.scores}  # fmt: skip
    first = old.model_copy(update={"quality": quality})
    second = made(1).model_copy(update={"quality": quality.model_copy(update={"scores": lower})})
    found = row(table(of(first), of(second)), "accuracy")
    assert (found.decision, found.difference) == ("regressed", pytest.approx(-0.099, abs=1e-3))


def test_counts_are_compared_exactly() -> None:
    params = {"keep_ratio": 0.7}
    old = made(params=params)
    assert row(table(of(old), of(made(1, params=params))), "tokens_kept").p is None
    for keep, decision in ((0.71, "regressed"), (0.69, "improved"), (0.7, None)):
        found = row(table(of(old), of(made(1, params=params, keep=keep))), "tokens_kept")
        assert (found.decision, found.basis) == (decision or "no detectable difference", "exact")


def test_amounts_need_a_history_and_one_epoch() -> None:
    old = [resized(made(at), 400_000_000 + 10_000 * at) for at in range(4)]
    new = resized(made(9), 600_000_000)
    assert row(table(of(old[-1]), of(new)), "peak_memory_bytes").reason == "no-history"
    found = table(of(*old), of(new))
    assert row(found, "peak_memory_bytes").decision == "regressed"
    assert row(found, "latency_p50_ms").decision == "no detectable difference"


def test_amounts_that_are_the_same_in_every_sitting_are_compared_exactly() -> None:
    old = [resized(made(at), 400_000_000) for at in range(4)]
    for peak, decision in ((400_000_001, "regressed"), (399_999_999, "improved"),
                           (400_000_000, "no detectable difference")):  # fmt: skip
        found = row(table(of(*old), of(resized(made(9), peak))), "peak_memory_bytes")
        assert (found.decision, found.p) == (decision, None)
        assert found.basis == (
            "own history of 4 sittings, no two of which differ (up to 63% of others may)"
        )
    few = row(table(of(*old[:2]), of(resized(made(9), 1))), "peak_memory_bytes")
    assert few.reason == "no-history"


def moments(record: Record, minutes: float) -> Record:
    """The same, so many minutes after a fixed day."""
    started = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return record.model_copy(update={"started": started.strftime("%Y-%m-%dT%H:%M:%SZ")})


def test_sittings_count_as_alike_only_with_another_to_be_like() -> None:
    """Two cells in two sittings each: two that could have differed, not three."""
    old = [resized(moments(made(at, seed=seed), 1440 * (2 * seed + at)), 400_000_000)
           for seed in (1, 2) for at in range(2)]  # fmt: skip
    first, new = (resized(made(at), 400_000_000 + at) for at in range(2))
    found = row(table(of(*old, first), of(new)), "peak_memory_bytes")
    assert found.basis == (
        "pooled history of 4 sittings of 2 cells, no two of which differ (up to 78% of others may)"
    )


def test_runs_of_one_sitting_are_one() -> None:
    runs = [made(at, latency_ratio=0.7 * (1 + 0.002 * at)) for at in range(4)]
    new = moments(made(9, latency_ratio=0.8), 100_000)
    together = [moments(each, 29 * at) for at, each in enumerate(runs)]
    found = row(table(of(*together), of(new)), "latency_ratio")
    assert (found.decision, found.reason) == ("not comparable", "no-history")
    apart = [moments(each, 31 * at) for at, each in enumerate(runs)]
    found = row(table(of(*apart), of(new)), "latency_ratio")
    assert (found.decision, found.basis) == ("regressed", "own history of 4 sittings")


def test_cells_of_one_sitting_share_it() -> None:
    """Five cells in two sittings of the machine tell no more than two sittings do."""

    def sitting(days: int) -> list[Record]:
        return [moments(made(days, seed=seed, latency_ratio=0.7), 1440 * days + 20 * seed)
                for seed in range(5)]  # fmt: skip

    old = [each for day in range(2) for each in sitting(day)]
    new = moments(made(9, latency_ratio=0.8), 100_000)
    assert row(table(of(*old), of(new)), "latency_ratio").reason == "no-history"
    third = of(*old, *sitting(2)[1:])
    found = row(table(third, of(new)), "latency_ratio")
    assert found.basis == "pooled history of 3 sittings of 5 cells"


def references(day: int, slower: int) -> list[Record]:
    """Sittings of the unmodified model on six days, so many times slower than usual."""
    runs = []
    for at in range(6):
        each = make_record(method="reference", attempt=day + at, **SMALL)
        pairs = [pair.model_copy(update={"reference_ns": pair.reference_ns * slower})
                 for pair in each.timing.pairs]  # type: ignore[union-attr]  # fmt: skip
        timing = each.timing.model_copy(update={"pairs": pairs})  # type: ignore[union-attr]
        runs.append(each.model_copy(update={"timing": timing}))
    return runs


def test_what_was_measured_last_is_compared_also_where_a_verified_run_stands() -> None:
    old, verified, new = made(), made(1), made(2)
    second = pool(("here", each) for each in (verified, new, said(verified, "verified")))
    (runs,) = {each.runs for each in table(of(old), second).rows}
    assert runs == (old.run_id, new.run_id)


def test_times_and_amounts_do_not_compare_across_epochs() -> None:
    old = [resized(made(at), 400_000_000 + 10_000 * at) for at in range(4)]
    sentinels = [*references(0, 1), *references(20, 3)]
    found = table(of(*old, *sentinels), of(made(30, latency_ratio=0.9)))
    rows = {each.figure: each for each in found.rows}
    names = ("latency_p50_ms", "peak_memory_bytes", "latency_ratio")
    assert {rows[name].reason for name in names} == {"across-epochs"}
    assert rows["accuracy"].decision == "no detectable difference"


def test_energy_compares_by_ratio_on_one_device_only() -> None:
    old = [make_gpu_record(attempt=at) for at in range(4)]
    found = row(table(of(*old[:3]), of(old[3])), "energy_ratio")
    assert (found.decision, found.scale) == ("no detectable difference", "ratio")
    machine = old[1].machine
    hardware = {**machine.hardware, "gpu_uuid": "GPU-another"}
    moved = old[3].model_copy(update={"machine": machine.model_copy(update={"hardware": hardware})})
    found_ = table(of(*old[:3]), of(moved))
    assert row(found_, "energy_ratio").reason == "other-machine"
    assert row(found_, "latency_ratio").reason == "other-machine"


def test_energy_of_another_boundary_does_not_compare() -> None:
    old, new = (make_gpu_record(attempt=at) for at in range(2))
    energy = new.energy.model_copy(update={"boundary": "module"})
    found = table(of(old), of(new.model_copy(update={"energy": energy})))
    assert row(found, "energy_ratio").reason == "other-boundary"


@pytest.mark.parametrize("family", ["decoding", "kv"])
def test_families_of_language_models_add_their_figures(family: str) -> None:
    old, new = (make_language_record(family=family, attempt=at) for at in range(2))
    figures = {each.figure for each in table(of(old), of(new)).rows}
    own = {"decoding": {"agreement", "target_calls"},
           "kv": {"kv_logical_bytes", "kv_physical_bytes"}}  # fmt: skip
    assert {"accuracy", "latency_ratio"} | own[family] <= figures
    assert row(table(of(old), of(new)), max(own[family])).basis == "exact"


def test_a_run_that_fails_now_regressed_and_the_other_way_round_improved() -> None:
    good, bad = made(), made(1, status="crash")
    found = table(of(good), of(bad))
    assert [(each.figure, each.decision, each.reason) for each in found.rows] == [
        ("status", "regressed", None), ("", "not comparable", "crash-made-up"),
    ]  # fmt: skip
    assert table(of(bad), of(made(2))).rows[0].decision == "improved"
    both = table(of(bad), of(made(2, status="oom")))
    assert [each.decision for each in both.rows] == ["not comparable"]
    assert not both.tested


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task": {"data_hash": "0" * 64}}, "other-samples"),
        ({"model": {"weights_hash": "0" * 64}}, "other-weights"),
        ({"device_class": "cpu: another"}, "other-device"),
        ({"protocol": 2}, "other-protocol"),
    ],
)
def test_cells_that_only_look_the_same_say_why_they_do_not_compare(
    change: dict[str, Any], reason: str
) -> None:
    old = made()
    fields = {name: {**getattr(old.cell, name).model_dump(), **part}
              if isinstance(part, dict) else part for name, part in change.items()}  # fmt: skip
    found = table(of(old), of(made(1, cell=fields)))
    (only,) = found.rows
    assert (only.decision, only.reason, only.figure) == ("not comparable", reason, "")
    assert (found.compared, found.only_a, found.only_b) == (0, 0, 0)


def test_cells_without_a_counterpart_or_a_new_run_are_counted() -> None:
    one, two, three = made(), made(seed=1), made(seed=2)
    found = table(of(one, two), of(two, three))
    assert (found.rows, found.compared, found.same) == ((), 0, 1)
    assert (found.only_a, found.only_b, found.tested) == (1, 1, False)


def test_only_results_are_compared() -> None:
    sets = [of(make_record(method="reference", suite="calibration", attempt=at, **SMALL))
            for at in range(2)]  # fmt: skip
    assert table(*sets) == Table(rows=(), compared=0, same=0, only_a=0, only_b=0)


def test_many_cells_that_did_not_change_are_told_as_unchanged() -> None:
    old = [made(at, seed=seed, latency_ratio=0.7) for seed in range(12) for at in range(3)]
    new = [made(9, seed=seed, latency_ratio=0.7) for seed in range(12)]
    found = table(of(*old), of(*new))
    assert found.compared == 12
    timed = [each for each in found.rows if each.figure == "latency_ratio"]
    assert {each.decision for each in timed} == {"no detectable difference"}
    assert all(each.p_adjusted >= each.p for each in timed)  # type: ignore[operator]


def test_what_was_withdrawn_is_not_there() -> None:
    old, wrong = made(latency_ratio=0.7), made(1, latency_ratio=0.4)
    items: list[Record | Statement] = [old, wrong, said(wrong, "withdrawn")]
    kept = pool(("here", each) for each in items)
    assert set(kept) == {old.run_id}
    other = said(wrong.model_copy(update={"suite": "else"}), "withdrawn")
    items[-1] = other.model_copy(update={"run_id": wrong.run_id})
    assert set(pool(("here", each) for each in items)) == {old.run_id, wrong.run_id}


def test_what_is_disputed_counts_where_nothing_else_does_and_is_no_history() -> None:
    old, good, doubted = history(), made(8, latency_ratio=0.9), made(9, latency_ratio=0.4)

    def with_doubt(*records: Record, doubt: Record) -> Pool:
        items: list[Record | Statement] = [*records, said(doubt, "disputed")]
        return pool(("here", each) for each in items)

    found = row(table(of(*old), with_doubt(good, doubted, doubt=doubted)), "latency_ratio")
    assert (found.decision, found.runs[1]) == ("regressed", good.run_id)
    (only,) = table(of(*old), with_doubt(doubted, doubt=doubted)).rows
    assert (only.figure, only.reason, only.decision) == ("", "disputed", "not comparable")
    less = table(with_doubt(*old, doubt=old[1]), of(good))
    assert row(less, "latency_ratio").basis == "own history of 3 sittings"


def test_sources_give_the_same_runs(tmp_path: Path) -> None:
    records = [made(at) for at in range(3)]
    (tmp_path / "shelf").mkdir()
    for at, each in enumerate(records):
        (tmp_path / f"shelf/{at}.jsonl").write_text(each.line() + "\n")
    with open_store(tmp_path / "a.sqlite") as store:
        store.add_all(records)
    assert from_database(str(tmp_path / "a.sqlite")) == from_files(tmp_path / "shelf")
    changed = records[0].model_copy(update={"suite": "changed"})
    (tmp_path / "shelf/9.jsonl").write_text(changed.line())
    with pytest.raises(BadRecord, match=r"9\.jsonl:1: another record has the id"):
        from_files(tmp_path / "shelf")


def test_a_row_in_words() -> None:
    found = table(of(made()), of(made(1, accuracy=0.4)))
    words = sentence(row(found, "accuracy"))
    assert words.startswith(named(row(found, "accuracy").cell) + ": accuracy regressed, -0.")
    assert sentence(row(table(of(made()), of(made(1, status="oom"))), "status")).endswith(
        "status regressed, from ok to oom"
    )
