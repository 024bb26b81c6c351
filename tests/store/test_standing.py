"""What a run is for, and what a reader must know of it, from the record alone."""

from __future__ import annotations

from typing import Any

import pytest

from records import make_energy, make_gpu_record, make_record
from tokonomy.measure.reasons import REASONS
from tokonomy.store.cell import EnergyPlan, Measuring
from tokonomy.store.derive import derive
from tokonomy.store.migrations.versions import r0004_standing
from tokonomy.store.rows import IDENTITY
from tokonomy.store.standing import flags, role

USUAL = EnergyPlan()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({}, "result"),
        ({"suite": None}, "result"),
        ({"method": "reference", "suite": "calibration"}, "calibration"),
        ({"method": "planted-slow"}, "control"),
        ({"method": "planted-of-another", "suite": "calibration"}, "control"),
        ({"method": "not-planted"}, "result"),
        ({"cell": {"device_class": "cuda: Scripted GPU"}}, "scripted"),
        ({"method": "planted-slow", "cell": {"device_class": "cuda: scripted GPU"}}, "scripted"),
        ({"energy": make_energy(meter="scripted-total-energy")}, "scripted"),
        ({"status": "crash"}, "result"),
    ],
)
def test_the_record_tells_what_a_run_is_for(made: dict[str, Any], expected: str) -> None:
    assert role(make_gpu_record(**made)) == expected


def told(**made: Any) -> tuple[str, ...]:
    """Flags of a record with its figures."""
    record = make_gpu_record(**made)
    return flags(record, derive(record))


def asked(half_width: float) -> dict[str, Any]:
    """Fields of a cell whose interval was to be so narrow."""
    return {"measuring": {"half_width": half_width}}


LONG, SHORT = 300, 24  # pairs whose interval is narrower, and wider, than usual


@pytest.mark.parametrize(
    ("pairs", "half_width", "marked"),
    [
        (LONG, Measuring().half_width, False),
        (SHORT, Measuring().half_width, True),
        (SHORT, 0.5, True),  # asking for little does not make it narrow
        (LONG, 0.5, False),
        (LONG, 1e-4, True),
        (4, 0.5, True),  # so few blocks have no interval
    ],
)
def test_an_interval_wider_than_asked_or_usual_is_told(
    pairs: int, half_width: float, marked: bool
) -> None:
    assert ("unconverged" in told(pairs=pairs, cell=asked(half_width))) == marked


def test_a_cap_is_told_however_narrow_the_interval() -> None:
    timing = make_record(pairs=LONG).timing
    capped = timing.model_copy(update={"stop": "time-cap"})
    assert told(timing=timing) == ()
    assert told(timing=capped) == ("unconverged",)


@pytest.mark.parametrize(
    ("plan", "marked"),
    [
        (None, False),
        ({}, False),
        ({"window_s": USUAL.window_s / 2}, True),
        ({"min_ticks": USUAL.min_ticks - 1}, True),
        ({"trials": USUAL.trials + 1, "window_s": 2 * USUAL.window_s}, False),
    ],
)
def test_fewer_or_shorter_windows_than_usual_are_told(
    plan: dict[str, Any] | None, marked: bool
) -> None:
    cell = {"measuring": {"energy": plan}}
    assert ("short-windows" in told(pairs=LONG, cell=cell)) == marked
    without = make_record(pairs=LONG, cell=cell)
    assert flags(without, derive(without)) == ()


def test_its_own_flags_come_first_and_once() -> None:
    own = [{"code": code, "detail": None} for code in ("unconverged", "graph-breaks", "any code")]
    found = told(flags=own, pairs=SHORT, cell={"measuring": {"energy": {"window_s": 1.0}}})
    assert found == ("unconverged", "graph-breaks", "any code", "short-windows")
    assert {"unconverged", "short-windows"} <= set(REASONS)


def test_the_view_counts_as_newest_what_the_store_does() -> None:
    listed = (*r0004_standing.IDENTITY.replace(",", "").split(), "role")
    assert listed == IDENTITY
