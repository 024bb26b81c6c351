"""Derived figures, worked out again from the raw samples in the plainest way."""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

import pytest
from scipy import stats

from records import make_gpu_record, make_language_record, make_record
from tokonomy.measure.reasons import REASONS
from tokonomy.store.derive import derive
from tokonomy.store.fields import Missing
from tokonomy.store.joules import ENERGY
from tokonomy.store.metrics import METRICS, WITH_INTERVAL, Metric
from tokonomy.store.observed import Decoding, Energy, Memory, Quality, Timing, Work
from tokonomy.store.record import Record, parse

TINY = {"queries": 1.0, "keys": 1.0, "mlp": 5e-324, "masked": 0.0}


def figures(record: Record) -> dict[str, Metric]:
    return {metric.name: metric for metric in derive(record)}


def with_part(name: str, **changes: Any) -> Record:
    record = make_record()
    part = getattr(record, name).model_dump() | changes
    scores = part["scores"]["method"] if name == "quality" else None
    return make_record(**{name: part}, samples=len(scores) if scores else None)


@pytest.mark.parametrize("status", ["ok", "crash"])
def test_every_figure_in_the_order_of_the_table(status: str) -> None:
    assert [metric.name for metric in derive(make_record(status=status))] == list(METRICS)


def test_quality_by_hand() -> None:
    record = make_record(method="tome", keep=0.4)
    quality, found = record.quality, figures(record)
    assert isinstance(quality, Quality)
    ours, theirs, coarse = (quality.scores[arm] for arm in ("method", "reference", "coarse"))
    n = len(ours)
    rows = list(zip(ours, theirs, coarse, strict=True))
    easy = [row for row in rows if row[2] == 1]
    hard = [row for row in rows if row[1] == 1 and row[2] == 0]
    same = [a == b for a, b in zip(quality.outputs["method"], quality.outputs["reference"],
                                   strict=True)]  # fmt: skip
    expected = {
        "accuracy": (sum(ours) / n, n),
        "reference_accuracy": (sum(theirs) / n, n),
        "retained": (sum(ours) / sum(theirs), n),
        "accuracy_drop": ((sum(theirs) - sum(ours)) / n, n),
        "agreement": (sum(same) / n, n),
        "accuracy_easy": (sum(row[0] for row in easy) / len(easy), len(easy)),
        "accuracy_hard": (sum(row[0] for row in hard) / len(hard), len(hard)),
    }
    for name, (value, count) in expected.items():
        assert found[name].value == pytest.approx(value), name
        assert found[name].n == count, name
        assert found[name].low <= value <= found[name].high, name
        assert found[name].high - found[name].low > 0.001, name
    assert len(easy) != len(hard) != 0


def test_latency_by_hand() -> None:
    record = make_record(scenario="offline", pairs=40)
    assert isinstance(record.timing, Timing)
    pairs, found = record.timing.pairs, figures(record)
    assert found["latency_p50_ms"].value == pytest.approx(
        statistics.median(pair.method_ns for pair in pairs) / 1e6
    )
    assert found["reference_latency_p50_ms"].value == pytest.approx(
        statistics.median(pair.reference_ns for pair in pairs) / 1e6
    )
    assert found["throughput"].value == pytest.approx(
        32 * 40 / (sum(pair.method_ns for pair in pairs) / 1e9)
    )
    blocks = [
        ((a.method_ns / a.reference_ns) * (b.method_ns / b.reference_ns)) ** 0.5
        for a, b in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    assert found["latency_ratio"].value == pytest.approx(statistics.median(blocks), rel=1e-4)
    assert found["latency_ratio"].n == 20
    assert found["speed_up"].value == pytest.approx(1 / found["latency_ratio"].value)
    assert found["latency_p90_ms"].value is not None
    assert found["latency_p99_ms"].value is None
    assert found["latency_p99_ms"].reason == "too-few-samples"


def test_work_by_hand() -> None:
    record = make_record(task="textures", keep=0.5)
    found = figures(record)
    # two blocks see all of 257 tokens, four see 1 + 128
    assert found["tokens_kept"].value == pytest.approx((2 * 257 + 4 * 129) / (6 * 257))
    assert found["tokens_mean"].value == pytest.approx((2 * 257 + 4 * 129) / 6)
    assert found["flops_ratio"].value == pytest.approx(found["tokens_kept"].value)
    assert found["memory_over_baseline_bytes"].value == 14_000_000 + int(9e7 * 0.5)


@pytest.mark.parametrize("effect", ["removed", "masked", "kv-only", "none"])
def test_effect_is_told_from_the_counts(effect: str) -> None:
    assert figures(make_record(effect=effect))["effect"].text == effect


def test_masking_spends_every_token() -> None:
    found = figures(make_record(effect="masked", keep=0.3))
    assert found["tokens_kept"].value == 1.0


def test_fewer_blocks_are_fewer_tokens() -> None:
    record = make_record(effect="none")
    assert isinstance(record.work, Work)
    shallow = with_part("work", layers=[layer.model_dump() for layer in record.work.layers[:4]])
    found = figures(shallow)
    assert found["tokens_kept"].value < 0.7
    assert found["effect"].text == "removed"


@pytest.mark.parametrize("status", ["oom", "timeout", "crash", "unsupported", "invalid"])
def test_what_failed_has_reasons_and_no_numbers(status: str) -> None:
    for metric in derive(make_record(status=status)):
        assert (metric.value, metric.low, metric.high, metric.text) == (None, None, None, None)
        assert metric.reason == make_record(status=status).reason


def test_a_run_that_is_not_ok_has_no_figures_whatever_it_holds() -> None:
    document = make_record().model_dump(mode="json") | {"status": "invalid", "reason": "recompiled"}
    record = parse(json.dumps(document))
    assert record.timing == make_record().timing
    assert {(metric.value, metric.reason) for metric in derive(record)} == {(None, "recompiled")}


def test_a_scripted_device_has_no_figures() -> None:
    record = make_gpu_record(cell={"device_class": "cuda: Scripted GPU"})
    assert isinstance(record.energy, Energy)
    assert {(metric.value, metric.reason) for metric in derive(record)} == {
        (None, "scripted-device")
    }


def test_energy_is_missing_with_its_reason() -> None:
    found = figures(make_record())
    assert (found["energy_j"].value, found["energy_j"].unit) == (None, "J")
    assert {found[name].reason for name in ENERGY} == {"no-meter"}


def trial(arm: str, energy_uj: int, calls: float = 100.0, **changes: Any) -> dict[str, Any]:
    """A window of 5 s."""
    return {
        "arm": arm,
        "calls": calls,
        "span_ns": 5_000_000_000,
        "energy_uj": energy_uj,
        "ticks": 50,
        "bound": 0.004,
        "integrated_uj": energy_uj + 10_000_000,
        "temperature_c": (60.0, 61.0),
    } | changes


OURS = [1_000_000_000, 1_020_000_000, 1_040_000_000, 1_010_000_000, 1_030_000_000]
THEIRS = [2_000_000_000, 2_100_000_000, 2_050_000_000, 2_000_000_000, 2_100_000_000]


def energy(**changes: Any) -> dict[str, Any]:
    both = [[trial("method", ours), trial("reference", theirs, bound=0.006)]
            for ours, theirs in zip(OURS, THEIRS, strict=True)]  # fmt: skip
    return {
        "meter": "made up",
        "boundary": "board",
        "device": "GPU-0",
        "batch_size": 8,
        "tick_ms": 100.0,
        "read_us": 20.0,
        "trials": [one for two in both for one in two],
        "spoiled": [],
        "idle_before": {"seconds": 10.0, "power_w": 60.0},
        "idle_after": {"seconds": 10.0, "power_w": 80.0},
        "trace": None,
    } | changes


def test_energy_by_hand() -> None:
    found = figures(make_record(energy=energy()))
    each = [uj / 1e6 / 100 / 8 for uj in OURS]
    t = stats.t.ppf(0.975, 4)
    reach = t * statistics.stdev(each) / 5**0.5
    assert found["energy_j"].value == pytest.approx(statistics.mean(each))
    assert found["energy_j"].high == pytest.approx(statistics.mean(each) + reach, rel=1e-6)
    assert found["energy_j"].n == 5
    assert found["reference_energy_j"].value == pytest.approx(2050 / 800)
    logs = [math.log(a / b) for a, b in zip(OURS, THEIRS, strict=True)]
    reach = t * statistics.stdev(logs) / 5**0.5
    assert found["energy_ratio"].value == pytest.approx(math.exp(statistics.mean(logs)))
    assert found["energy_ratio"].low == pytest.approx(math.exp(statistics.mean(logs) - reach))
    # 70 W idle for 5 s are 350 J of each window
    assert found["energy_net_j"].value == pytest.approx((1020 - 350) / 800)
    assert found["power_w"].value == pytest.approx(1020 / 5)
    assert found["energy_bound"].value == 0.006
    assert found["energy_residual"].value == pytest.approx(10 / 1535)
    labels = {name: found[name].text for name in ENERGY}
    board = {"energy_j", "reference_energy_j", "energy_net_j", "power_w"}
    assert {name for name, text in labels.items() if text == "board"} == board


def test_idle_that_moved_widens_what_is_above_it() -> None:
    still = {"seconds": 10.0, "power_w": 70.0}
    steady = figures(make_record(energy=energy(idle_before=still, idle_after=still)))
    moved = figures(make_record(energy=energy()))["energy_net_j"]  # 60 W before, 80 W after
    narrow = steady["energy_net_j"]
    assert moved.value == pytest.approx(narrow.value)
    # 10 W more or less for 5 s, over 100 calls of 8 samples
    assert narrow.low - moved.low == pytest.approx(50 / 800)
    assert moved.high - narrow.high == pytest.approx(50 / 800)


@pytest.mark.parametrize("arm", ["method", "reference"])
def test_joules_that_ticks_leave_open_are_withheld(arm: str) -> None:
    def wide(bound: float) -> dict[str, Any]:
        made = energy()
        ours = [each for each in made["trials"] if each["arm"] == arm]
        ours[0]["bound"] = bound
        return made

    joules = ("energy_j", "reference_energy_j", "energy_ratio", "energy_net_j")
    accepted, withheld = (figures(make_record(energy=wide(bound))) for bound in (0.4, 0.6))
    assert all(accepted[name].low is not None for name in joules)
    for name in joules:
        assert (withheld[name].value, withheld[name].reason) == (None, "bound-too-wide")
    assert withheld["energy_bound"].value == 0.6
    assert withheld["power_w"].value is not None


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"idle_after": {"reason": "too-few-ticks"}}, "energy_net_j", "too-few-ticks"),
        ({"idle_after": {"seconds": 9.0, "power_w": 900.0}}, "energy_net_j", "idle-above-work"),
        ({"trials": [trial("method", 5, integrated_uj=None)]}, "energy_residual", "no-power-field"),
        ({"trials": [trial("method", 5)]}, "reference_energy_j", "no-trials"),
        ({"trials": [trial("method", 5)]}, "energy_ratio", "no-trials"),
        ({"trials": [trial("method", 5)]}, "energy_j", "too-few-trials"),
        ({"trials": [trial("reference", 5)]}, "power_w", "not-computable"),
        (
            {"trials": [trial("method", 0), trial("reference", 5)]},
            "energy_ratio",
            "not-computable",
        ),
        (
            {"trials": [trial("method", 0, integrated_uj=0)]},
            "energy_residual",
            "no-power-field",
        ),
    ],
)
def test_energy_that_cannot_be_told_has_a_reason(
    changes: dict[str, Any], name: str, reason: str
) -> None:
    found = figures(make_record(energy=energy(**changes)))[name]
    assert found.reason == reason
    assert found.low is None
    assert found.value is None or name == "energy_j"


def test_extreme_windows_stay_finite() -> None:
    wide = [trial(arm, 2**53 - 1, calls=5e-324, span_ns=1, integrated_uj=0)
            for arm in ("method", "reference") * 3]  # fmt: skip
    for metric in derive(make_record(energy=energy(trials=wide))):
        parts = [part for part in (metric.value, metric.low, metric.high) if part is not None]
        assert all(math.isfinite(part) for part in parts), metric


def peak(top: int) -> dict[str, Any]:
    return {"peak_bytes": top, "baseline_bytes": 1000, "source": "made up"}


def test_memory_of_a_device() -> None:
    found = figures(with_part("memory", allocated=peak(5000), reserved=peak(7000)))
    assert found["allocated_peak_bytes"].value == 5000
    assert found["allocated_over_baseline_bytes"].value == 4000
    assert found["reserved_peak_bytes"].value == 7000
    assert (found["device_peak_bytes"].value, found["device_peak_bytes"].reason) == (
        None,
        "no-device-memory",
    )


def test_what_tensors_hold_tells_nothing_of_a_replayed_graph() -> None:
    parts = {"allocated": peak(5000), "reserved": peak(7000), "device": peak(9000)}
    record = make_record(cell={"mode": "cuda-graphs"})
    memory = Memory.model_validate(record.memory.model_dump() | parts)
    found = figures(record.model_copy(update={"memory": memory}))
    for name in ("allocated_peak_bytes", "allocated_over_baseline_bytes"):
        assert (found[name].value, found[name].reason) == (None, "graph-replayed")
    assert found["reserved_peak_bytes"].value == 7000
    assert found["device_peak_bytes"].value == 9000
    assert "graph-replayed" in REASONS


def test_time_on_the_device() -> None:
    record = make_record(pairs=20)
    assert isinstance(record.timing, Timing)
    times = [pair.method_ns for pair in record.timing.pairs]
    device = {"method": [each - 1000 * (at + 1) for at, each in enumerate(times)]}
    found = figures(with_pairs(record, record.timing.pairs, device_ns=device))
    median = statistics.median(device["method"])
    assert found["device_latency_p50_ms"].value == pytest.approx(median / 1e6)
    assert found["launch_gap_ms"].value == pytest.approx(0.0105)
    for name in ("device_latency_p50_ms", "launch_gap_ms"):
        assert figures(record)[name].reason == "no-device-events"
        assert figures(record)[name].value is None


def test_spoiled_pairs_are_counted() -> None:
    record = make_record()
    assert isinstance(record.timing, Timing)
    pairs = [pair.model_dump() for pair in record.timing.pairs]
    spoiled = [{"cause": "throttled", "detail": None, "pairs": pairs[:n]} for n in (2, 4)]
    assert figures(record)["pairs_spoiled"].value == 0
    assert figures(with_part("timing", spoiled=spoiled))["pairs_spoiled"].value == 6


def test_version_1_derives_as_before() -> None:
    record = make_record()
    old = json.loads(record.line())
    old["schema_version"] = 1
    for name in ("device_ns", "spoiled"):
        del old["timing"][name]
    for name in ("allocated", "reserved", "device"):
        del old["memory"][name]
    del old["costs"]["compile_s"]
    assert derive(parse(json.dumps(old))) == derive(record)


@pytest.mark.parametrize(
    ("record", "name", "reason"),
    [
        (make_record(pairs=0), "latency_ratio", "no-pairs"),
        (make_record(pairs=0), "throughput", "not-computable"),
        (make_record(pairs=4), "speed_up", "too-few-blocks"),
        (with_part("quality", outputs={}), "agreement", "no-outputs"),
        (with_part("work", flops=0.0), "flops_ratio", "not-computable"),
        (with_part("work", reference_layers=[]), "tokens_kept", "not-computable"),
        (with_part("work", layers=[]), "tokens_kept", "not-computable"),
        (with_part("work", layers=[]), "effect", "not-computable"),
        (with_part("work", reference_flops=5e-324), "flops_ratio", "not-computable"),
        (with_part("work", reference_layers=[TINY]), "tokens_kept", "not-computable"),
        (
            with_part("quality", outputs={}, scores={"method": [1.0], "reference": [5e-324]}),
            "retained",
            "not-computable",
        ),
        (
            with_part("quality", outputs={}, scores={"method": [1.0], "reference": [0.0]}),
            "retained",
            "reference-scores-nothing",
        ),
        (
            with_part("quality", outputs={}, scores={"method": [1.0], "reference": [1.0]}),
            "accuracy_hard",
            "no-coarse-arm",
        ),
        (
            with_part("quality", outputs={}, scores={"method": [0.5], "reference": [0.4]}),
            "accuracy_drop_p",
            "scores-not-binary",
        ),
        (make_record(memory=Missing(reason="no-proc")), "peak_memory_bytes", "no-proc"),
    ],
)
def test_what_cannot_be_told_has_a_reason(record: Record, name: str, reason: str) -> None:
    found = figures(record)[name]
    assert found.reason == reason
    assert None in (found.value, found.low)
    assert found.value != 0


def test_the_largest_amounts_stay_finite() -> None:
    layer = dict.fromkeys(("queries", "keys", "mlp", "masked"), 9.9e17)
    pair = {"batch": 0, "first": "method", "method_ns": 2**53 - 1, "reference_ns": 2**53 - 1}
    record = make_record()
    found = derive(record.model_copy(update={
        "work": Work.model_validate(record.work.model_dump() | {
            "layers": [layer] * 50, "reference_layers": [layer] * 50, "flops": 9.9e17}),
        "timing": Timing.model_validate(record.timing.model_dump() | {
            "pairs": [pair | {"block": at // 2} for at in range(1200)]}),
    }))  # fmt: skip
    for metric in found:
        parts = [part for part in (metric.value, metric.low, metric.high) if part is not None]
        assert all(math.isfinite(part) and part >= 0 for part in parts) or "drop" in metric.name
    assert {metric.name: metric.value for metric in found}["tokens_kept"] == 1.0


def test_signs_of_trouble_are_marked() -> None:
    record = make_record(pairs=80)
    assert isinstance(record.timing, Timing)
    quiet = figures(record)
    assert quiet["latency_separation"].text is None
    pairs = [pair.model_dump() for pair in record.timing.pairs]
    two = [pair | {"method_ns": 3 * pair["method_ns"]} if at % 5 == 0 else pair
           for at, pair in enumerate(pairs)]  # fmt: skip
    assert figures(with_pairs(record, two))["latency_separation"].text == "bimodal"
    slow = [pair | {"method_ns": 2 * pair["method_ns"]} if at < 40 else pair
            for at, pair in enumerate(pairs)]  # fmt: skip
    assert figures(with_pairs(record, slow))["ratio_autocorrelation"].text == "autocorrelated"
    assert quiet["ratio_autocorrelation"].text is None


def with_pairs(record: Record, pairs: list[Any], **changes: Any) -> Record:
    assert isinstance(record.timing, Timing)
    timing = Timing.model_validate(record.timing.model_dump() | {"pairs": pairs} | changes)
    return record.model_copy(update={"timing": timing})


def test_intervals_are_where_the_table_says() -> None:
    record = make_record(pairs=400, energy=energy())
    assert isinstance(record.timing, Timing)
    device = {"method": [pair.method_ns // 2 for pair in record.timing.pairs]}
    whole = with_pairs(record, record.timing.pairs, device_ns=device)
    drafted = make_language_record(accept=2.0, drafts=4)
    assert isinstance(drafted.quality, Quality)
    assert isinstance(drafted.decoding, Decoding)
    shared = [at % 5 for at in range(len(drafted.quality.scores["method"]))]
    apart = drafted.model_copy(
        update={
            "quality": drafted.quality.model_copy(update={"shared": shared}),
            "decoding": drafted.decoding.model_copy(update={"kl_nats": [0.1, 0.3]}),
        }
    )
    both = [*derive(whole), *derive(apart)]
    with_interval = {metric.name for metric in both if metric.low is not None}
    assert with_interval == WITH_INTERVAL


def test_the_table_is_complete() -> None:
    for name, meaning in METRICS.items():
        assert name == name.lower()
        assert meaning.title
        assert meaning.doc.endswith(".")
        assert "\n" not in meaning.doc
        assert meaning.better in ("higher", "lower", None)
