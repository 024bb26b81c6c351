"""Two runs side by side."""

from __future__ import annotations

import pytest

from records import make_gpu_record, make_record
from tokonomy.store.comparison import compare
from tokonomy.store.fields import Missing
from tokonomy.store.record import Record


def test_what_differs_is_named() -> None:
    first = make_record(method="tome", keep=0.7)
    second = make_record(method="evit", keep=0.5, seed=2)
    fields = {name: (a, b) for name, a, b in compare(first, second).fields}
    assert fields["method.id"] == ("tome", "evit")
    assert fields["seed"] == (0, 2)
    assert fields["method.params.r"] == (7, None)
    assert fields["method.params.keep_ratio"] == (None, 0.5)
    assert "task.id" not in fields


def test_quality_and_latency_have_a_direction() -> None:
    slow = make_record(method="tome", keep=0.9, latency_ratio=0.8, accuracy=0.8, pairs=80)
    fast = make_record(method="tome", keep=0.5, latency_ratio=0.4, accuracy=0.6, pairs=80)
    found = compare(slow, fast)
    assert found.difference.value == pytest.approx(-0.2, abs=0.05)
    assert found.difference.high < 0
    assert found.test.p < 1e-6
    assert found.test.losses > found.test.wins
    assert found.latency_ratio.value == pytest.approx(0.5, rel=0.03)
    assert found.latency_ratio.low < 0.5 < found.latency_ratio.high


def test_a_run_against_itself() -> None:
    record = make_record()
    found = compare(record, record)
    assert found.withheld == (None, None)
    assert found.fields == ()
    assert (found.difference.value, found.test.p, found.latency_ratio.value) == (0, 1, 1)


@pytest.mark.parametrize(
    ("changes", "quality", "latency"),
    [
        ({"task": "digits"}, "other-samples", "other-reference-or-setup"),
        ({"scenario": "offline"}, None, "other-reference-or-setup"),
        ({"cell": {"threads": 2}}, None, "other-reference-or-setup"),
        ({"timing": Missing(reason="skipped")}, None, "no-timing"),
    ],
)
def test_what_cannot_be_compared_says_why(
    changes: dict[str, object], quality: str | None, latency: str
) -> None:
    found = compare(make_record(), make_record(keep=0.5, **changes))
    assert found.difference.reason == quality
    assert (found.test is None) == (quality is not None)
    assert (found.latency_ratio.value, found.latency_ratio.reason) == (None, latency)


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (make_record(status="oom"), "oom-made-up"),
        (make_record().model_copy(update={"status": "invalid", "reason": "throttled"}),
         "throttled"),
        (make_gpu_record(cell={"device_class": "cuda: Scripted GPU"}), "scripted-device"),
    ],
)  # fmt: skip
def test_a_run_without_figures_is_not_compared_as_good(bad: Record, why: str, turn: int) -> None:
    found = compare(*(make_record(keep=0.5), bad)[::turn])
    assert found.withheld[::turn] == (None, why)
    assert (found.difference.value, found.difference.reason, found.test) == (None, why, None)
    assert (found.latency_ratio.value, found.latency_ratio.reason) == (None, why)


def test_a_run_of_another_class_or_protocol_was_timed_with_another_reference() -> None:
    first = make_gpu_record()
    for changes in ({"device_class": "cuda: Other GPU"}, {"protocol": 2}):
        found = compare(first, make_gpu_record(cell=changes))
        assert found.latency_ratio.reason == "other-reference-or-setup"


def test_another_machine_is_another_clock() -> None:
    record = make_record()
    machine = record.machine.model_copy(update={"hardware": {"cpu": "another"}})
    found = compare(record, record.model_copy(update={"machine": machine}))
    assert found.latency_ratio.reason == "other-machine"
    assert found.difference.value == 0
