"""Real runs in real processes on a scripted GPU: every fault leaves a row that says what it was.

Rows take the C library and the Python stand-in in turn; that both say the same under every fault,
``tests/measure/test_scripted.py`` shows call by call."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinyruns import MEASURING, Tiny
from tokonomy.measure.reasons import REASONS
from tokonomy.measure.scripted import build
from tokonomy.measure.scripted.faults import FAULTS
from tokonomy.measure.scripted.library import compiler
from tokonomy.run.executor import run
from tokonomy.run.supervisor import Supervisor, Warm
from tokonomy.store.cell import EnergyPlan, Measuring
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Energy, Timing
from tokonomy.store.record import Record, parse

PLUGINS = Path(__file__).parents[1] / "plugins"
WATTS = 300.0
PLAN = EnergyPlan(trials=5, window_s=0.1, min_ticks=10, idle_s=0.1, settle_s=0.1)
KINDS = ["python", "c"] if compiler() else ["python"]

#: fault and moment -> status, reason of the row, reason of missing energy (None: there is energy).
ROWS: dict[str, tuple[str, str | None, str | None]] = {
    "sound@start": ("ok", None, None),
    "quantised-ticks@start": ("ok", None, None),
    "field-codes@start": ("ok", None, None),
    "slow-reads@start": ("ok", None, None),
    "stopped-counter@start": ("ok", None, "too-few-ticks"),
    "counter-reset@energy": ("ok", None, None),
    "resets-again@energy": ("ok", None, "counter-reset"),
    "not-supported@start": ("ok", None, "no-energy-counter"),
    "symbol-missing@start": ("ok", None, "nvml-function-missing"),
    "no-permission@start": ("ok", None, "nvml-no-permission"),
    "none-memory@start": ("ok", None, None),
    "host-pids@start": ("invalid", "foreign-process", "run-failed"),
    "host-pids@opened": ("ok", None, None),
    "device-lost@latency": ("crash", "device-lost", "run-failed"),
    "device-lost@call": ("crash", "device-lost", "run-failed"),
    "device-lost@energy": ("crash", "device-lost", "run-failed"),
    "swapped-order@start": ("ok", None, None),
    "indistinct@start": ("crash", "bad-device", "run-failed"),
    "mig-slice@start": ("ok", None, "mig-slice"),
    "vgpu@start": ("ok", None, "vgpu"),
    "throttling@latency": ("invalid", "throttled", "run-failed"),
    "throttling@energy": ("ok", None, "throttled"),
    "throttled-once@latency": ("ok", None, None),
    "throttled-once@energy": ("ok", None, None),
    "foreign-process@start": ("invalid", "foreign-process", "run-failed"),
    "foreign-process@latency": ("invalid", "foreign-process", "run-failed"),
    "foreign-process@energy": ("ok", None, "foreign-process"),
    "limits-changed@latency": ("ok", None, None),
    "limits-changed@energy": ("ok", None, None),
    "ecc@latency": ("ok", None, None),
    "ecc@energy": ("ok", None, None),
    "xid@latency": ("ok", None, None),
    "xid@energy": ("ok", None, None),
    "driver-not-loaded@start": ("ok", None, "driver-not-loaded"),
    "version-mismatch@start": ("ok", None, "driver-version-mismatch"),
    "library-missing@start": ("ok", None, "nvml-library-missing"),
    "other-work@start": ("ok", None, "throughput-disagrees"),
}
#: What spoils pairs or windows that are made again, by run.
AGAIN = {
    "counter-reset@energy": "counter-reset",
    "throttled-once@latency": "throttled",
    "throttled-once@energy": "throttled",
    "limits-changed@latency": "limits-changed",
    "limits-changed@energy": "limits-changed",
    "ecc@latency": "ecc-error",
    "ecc@energy": "ecc-error",
    "xid@latency": "xid-error",
    "xid@energy": "xid-error",
}
SLICE = "MIG-5c000000-0000-0000-0000-000000000007"
#: Runs of which it cannot be told that nothing else was on the device.
UNVERIFIED = {
    "no-permission@start",
    "none-memory@start",
    "mig-slice@start",
    "driver-not-loaded@start",
    "version-mismatch@start",
    "library-missing@start",
}


@pytest.fixture(scope="module")
def supervisor(
    naughty: str, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervisor]:
    library = build(tmp_path_factory.mktemp("library")) if compiler() else ""
    warm = Warm(family="vision", task=tiny.task.ref, model=tiny.model.ref)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{PLUGINS}{os.pathsep}{naughty}")
        patch.setenv("TOKONOMY_TEST_LIBRARY", str(library))
        with Supervisor(worker="scripted_worker", warm=[warm]) as opened:
            yield opened


def made(name: str, supervisor: Supervisor, tiny: Tiny, measuring: Measuring) -> Record:
    job = tiny.job("reference", measuring=measuring)
    return run(job.model_copy(update={"suite": name}), supervisor)


def test_every_shipped_fault_has_a_row() -> None:
    assert set(FAULTS) <= {name.partition("@")[0] for name in ROWS}


MEASURED = MEASURING.model_copy(update={"min_pairs": 20, "max_pairs": 20, "energy": PLAN})


@pytest.mark.parametrize(
    ("name", "kind"), [(name, KINDS[at % len(KINDS)]) for at, name in enumerate(ROWS)]
)
def test_each_fault_leaves_its_row(
    name: str, kind: str, supervisor: Supervisor, tiny: Tiny
) -> None:
    status, reason, missing = ROWS[name]
    record = made(f"{name}/{kind}", supervisor, tiny, MEASURED)
    assert (record.status, record.reason) == (status, reason), (record.detail, record.log)
    assert parse(record.line()) == record
    check_codes(record)
    if missing is None:
        assert isinstance(record.energy, Energy), record.energy
        check_joules(record.energy)
    else:
        assert isinstance(record.energy, Missing)
        assert record.energy.reason == missing, record.energy.detail
    assert spoiled(record) == ([AGAIN[name]] if name in AGAIN else [])
    flags = {flag.code for flag in record.flags}
    assert ("exclusivity-unverified" in flags) == (name in UNVERIFIED), record.flags
    check_device(record, name)


def check_codes(record: Record) -> None:
    """Every reason, cause and flag is one that readers are told about."""
    codes = {flag.code for flag in record.flags} | set(spoiled(record))
    parts = (record.costs, record.timing, record.memory, record.work, record.energy, record.quality)
    codes |= {part.reason for part in parts if isinstance(part, Missing)}
    assert codes | ({record.reason} if record.reason else set()) <= set(REASONS)
    if record.status == "ok":
        assert isinstance(record.timing, Timing)
        assert len(record.timing.pairs) == MEASURED.max_pairs
    else:
        assert all(isinstance(part, Missing) for part in parts)


def check_joules(energy: Energy) -> None:
    """Every window is right but for a tick at either end, whatever came before or goes on."""
    assert len(energy.trials) == 2 * PLAN.trials
    for trial in energy.trials:
        true_uj = WATTS * trial.span_ns * 1e-3
        assert trial.ticks >= PLAN.min_ticks
        assert abs(trial.energy_uj / true_uj - 1) <= max(trial.bound, 2 / trial.ticks) < 0.5


def spoiled(record: Record) -> list[str]:
    """Causes of what was made again."""
    timing, energy = record.timing, record.energy
    causes = [each.cause for each in timing.spoiled] if isinstance(timing, Timing) else []
    return causes + ([flag.code for flag in energy.spoiled] if isinstance(energy, Energy) else [])


def check_device(record: Record, name: str) -> None:
    """The GPU of the record is the one that torch computes on."""
    facts = record.machine.hardware
    if record.reason == "bad-device":
        assert "gpu_uuid" not in facts
        return
    assert facts.get("gpu_slice") == (SLICE if name.startswith("mig-slice") else None)
    first, second = (f"GPU-5c00000{n}-0000-0000-0000-00000000000{n}" for n in (0, 1))
    right = second if name.startswith("swapped-order") else first
    assert facts["gpu_uuid"] == right
    assert str(facts["gpu_name"]).startswith("scripted")
    if isinstance(record.energy, Energy):
        assert record.energy.device == right
        assert record.energy.boundary == ("module" if name.startswith("field") else "board")


def test_what_a_device_does_not_tell_is_null(supervisor: Supervisor, tiny: Tiny) -> None:
    record = made(f"not-supported@start/{KINDS[-1]}", supervisor, tiny, MEASURED)
    facts, state = record.machine.hardware, record.machine.before
    assert [facts[name] for name in ("gpu_ecc", "gpu_memory_bytes")] == [None, 80 * 2**30]
    assert [state[name] for name in ("gpu_power_w", "gpu_temperature_c")] == [None, 40.0]
    assert "nvml-not-supported" in str(state["gpu_unwatched"])


def test_energy_that_nobody_asked_for_is_not_measured(supervisor: Supervisor, tiny: Tiny) -> None:
    record = made(f"sound@start/{KINDS[-1]}", supervisor, tiny, MEASURING)
    assert (record.status, isinstance(record.timing, Timing)) == ("ok", True)
    assert isinstance(record.energy, Missing)
    assert record.energy.reason == "not-asked"


def test_answers_kept_for_the_energy_pass_are_seen(supervisor: Supervisor, tiny: Tiny) -> None:
    job = tiny.job(act="cheat_when_metered", measuring=MEASURED)
    record = run(job.model_copy(update={"suite": f"sound@start/{KINDS[-1]}"}), supervisor)
    assert (record.status, record.reason) == ("invalid", "not-deterministic"), record.detail


def test_pairs_that_were_spoiled_stay_in_the_record(supervisor: Supervisor, tiny: Tiny) -> None:
    record = made(f"limits-changed@latency/{KINDS[-1]}", supervisor, tiny, MEASURED)
    assert isinstance(record.timing, Timing)
    (spoiled,) = record.timing.spoiled
    assert (spoiled.detail or "").startswith("power limit 700 W before, 400 W now")
    blocks = {pair.block for pair in record.timing.pairs}
    assert {pair.block for pair in spoiled.pairs} == set(range(5))
    assert blocks == set(range(5, 5 + MEASURED.max_pairs // 2))
