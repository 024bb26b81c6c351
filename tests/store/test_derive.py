"""Derived figures, worked out again from the raw samples in the plainest way."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

from records import make_record
from tokonomy.store.derive import derive
from tokonomy.store.metrics import METRICS, WITH_INTERVAL, Metric
from tokonomy.store.record import Missing, Quality, Record, Timing, Work

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
        assert metric.reason == ("no-meter" if metric.name == "energy_j" else status)


def test_energy_is_missing_with_its_reason() -> None:
    found = figures(make_record())["energy_j"]
    assert (found.value, found.reason, found.unit) == (None, "no-meter", "J")


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


def with_pairs(record: Record, pairs: list[dict[str, Any]]) -> Record:
    assert isinstance(record.timing, Timing)
    timing = Timing.model_validate(record.timing.model_dump() | {"pairs": pairs})
    return record.model_copy(update={"timing": timing})


def test_intervals_are_where_the_table_says() -> None:
    found = figures(make_record(pairs=400))
    with_interval = {name for name, metric in found.items() if metric.low is not None}
    assert with_interval == WITH_INTERVAL


def test_the_table_is_complete() -> None:
    for name, meaning in METRICS.items():
        assert name == name.lower()
        assert meaning.title
        assert meaning.doc.endswith(".")
        assert "\n" not in meaning.doc
        assert meaning.better in ("higher", "lower", None)
