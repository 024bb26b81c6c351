"""Real processes of methods that misbehave: each leaves the right row, and the next one runs."""

from collections.abc import Iterator

import pytest

from tinyruns import Tiny, altered, in_mode
from tokonomy.catalog.suites import Limits
from tokonomy.measure.reasons import REASONS
from tokonomy.run.executor import run
from tokonomy.run.supervisor import Supervisor, Warm
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Peak
from tokonomy.store.record import Record, parse

SHORT = Limits(time_s=3, memory_mib=8192)
SMALL = Limits(time_s=120, memory_mib=900)

#: act -> status, reason, limits
ROWS: dict[str, tuple[str, str | None, Limits | None]] = {
    "good": ("ok", None, None),
    "hang": ("timeout", "time-limit", SHORT),
    "busy": ("timeout", "time-limit", SHORT),
    "deaf": ("timeout", "time-limit", SHORT),
    "stop": ("timeout", "time-limit", SHORT),
    "return_twice": ("invalid", "forked", None),
    "fork_and_stay": ("invalid", "left-processes", None),
    "fork_away": ("invalid", "left-processes", None),
    "segfault": ("crash", "signal-SIGSEGV", None),
    "kill_self": ("crash", "signal-SIGKILL", None),
    "abort": ("crash", "signal-SIGABRT", None),
    "kill_supervisor": ("crash", "supervisor-lost", None),
    "exit": ("crash", "exited", None),
    "exit_at_once": ("crash", "exited", None),
    "exit_badly": ("crash", "exited", None),
    "raise_in_prepare": ("crash", "raise-in-prepare", None),
    "raise_in_predict": ("crash", "raise-in-predict", None),
    "raise_in_close": ("crash", "raise-in-close", None),
    "interrupt": ("crash", "raise-in-predict", None),
    "impossible": ("unsupported", "impossible-parameter", None),
    "unsupported": ("unsupported", "not-supported", None),
    "calibrate": ("unsupported", "not-supported", None),
    "leak": ("oom", None, SMALL),
    "leak_tensors": ("oom", None, SMALL),
    "ask_for_too_much": ("oom", "out-of-memory", None),
    "print_much": ("ok", None, None),
    "close_stdout": ("ok", None, None),
    "change_directory": ("ok", None, None),
    "forge": ("crash", "no-result", None),
    "nan": ("invalid", "not-finite", None),
    "inf": ("invalid", "not-finite", None),
    "wrong_shape": ("invalid", "wrong-shape", None),
    "wrong_batch": ("invalid", "wrong-shape", None),
    "wrong_dtype": ("invalid", "wrong-dtype", None),
    "not_a_tensor": ("invalid", "not-a-tensor", None),
    "nothing": ("invalid", "not-a-tensor", None),
    "mutate": ("invalid", "input-mutated", None),
    "torch_random": ("invalid", "rng-changed", None),
    "numpy_random": ("invalid", "rng-changed", None),
    "python_random": ("invalid", "rng-changed", None),
    "set_threads": ("invalid", "settings-changed", None),
    "start_thread": ("invalid", "left-threads", None),
    "leave_patched": ("invalid", "not-restored", None),
    "leave_hook": ("invalid", "not-restored", None),
    "change_weights": ("invalid", "weights-changed", None),
    "noisy": ("invalid", "not-deterministic", None),
    "remember": ("invalid", "faster-on-seen", None),
    "reuse_output": ("invalid", "aliased-output", None),
    "cheat_when_single": ("invalid", "outputs-differ", None),
    "cheat_when_counted": ("invalid", "outputs-differ", None),
    "change_reference": ("invalid", "reference-changed", None),
    "slow_reference": ("invalid", "reference-slowed", None),
    "answer_by_name": ("invalid", "ignores-input", None),
    "lazy": ("invalid", "not-a-tensor", None),
    "change_kernel": ("invalid", "settings-changed", None),
    "switch_inside": ("invalid", "settings-changed", None),
    "mix_settings": ("invalid", "settings-changed", None),
    "compile_itself": ("invalid", "compiled-itself", None),
}


@pytest.fixture(scope="module")
def supervisor(naughty: str, tiny: Tiny) -> Iterator[Supervisor]:
    warm = Warm(family="vision", task=tiny.task.ref, model=tiny.model.ref)
    with Supervisor(warm=[warm]) as opened:
        yield opened


def check(record: Record) -> None:
    """What holds for every row, however it came about."""
    assert parse(record.line()) == record
    assert record.reason is None or record.reason in REASONS
    assert len(record.log) <= 8000
    assert record.machine.before
    assert record.machine.after
    if record.status != "ok":
        for part in (record.timing, record.memory, record.work, record.quality, record.costs):
            assert isinstance(part, Missing)


@pytest.mark.parametrize("act", ROWS)
def test_each_act_leaves_its_row(act: str, supervisor: Supervisor, tiny: Tiny) -> None:
    status, reason, limits = ROWS[act]
    record = run(tiny.job(act=act, limits=limits), supervisor)
    check(record)
    assert record.status == status, (record.reason, record.detail, record.log)
    if status == "oom":
        assert record.reason in ("memory-limit", "out-of-memory")
    else:
        assert record.reason == reason, (record.detail, record.log)


def test_a_module_that_cannot_be_imported_is_named(supervisor: Supervisor, tiny: Tiny) -> None:
    record = run(tiny.job("unimportable"), supervisor)
    check(record)
    assert (record.status, record.reason) == ("crash", "raise-at-import")
    assert "this module is broken" in (record.detail or "")


def test_a_good_run_holds_every_part(supervisor: Supervisor, tiny: Tiny) -> None:
    record = run(tiny.job(act="good"), supervisor)
    assert record.status == "ok", (record.detail, record.log)
    assert not isinstance(record.timing, Missing)
    assert not isinstance(record.memory, Missing)
    assert not isinstance(record.work, Missing)
    assert not isinstance(record.quality, Missing)
    assert len(record.timing.pairs) == 10
    assert isinstance(record.memory.process, Peak)
    assert record.memory.process.peak_bytes >= record.memory.process.baseline_bytes > 0
    assert [layer.mlp for layer in record.work.layers] == [17.0] * 4
    assert record.work.layers == record.work.reference_layers
    assert record.quality.outputs["method"] == record.quality.outputs["reference"]
    assert len(record.quality.outputs["coarse"]) == tiny.task.samples
    assert record.energy.reason == "not-asked"


def test_a_device_that_is_no_longer_what_was_planned_on_is_refused(
    supervisor: Supervisor, tiny: Tiny
) -> None:
    job = tiny.job(act="good")
    record = run(altered(job, device_class="cpu: another x64"), supervisor)
    check(record)
    assert (record.status, record.reason) == ("invalid", "device-changed"), record.log
    assert record.detail == f"planned on cpu: another x64, now {job.cell.device_class}"
    assert record.machine.hardware["cpus"]
    assert record.machine.after["busy_s"]


def test_memory_is_what_the_method_takes(supervisor: Supervisor, tiny: Tiny) -> None:
    """Neither library pages of a first call, nor less because it was taken in ``prepare``."""
    rise = {}
    for act in ("good", "hoard"):
        memory = run(tiny.job(act=act), supervisor).memory
        assert not isinstance(memory, Missing)
        assert isinstance(memory.process, Peak)
        rise[act] = (memory.process.peak_bytes - memory.process.baseline_bytes) / 2**20
    assert rise["good"] < 4
    assert 62 < rise["hoard"] < 70


def test_answers_kept_in_one_mode_only_are_found_in_it(supervisor: Supervisor, tiny: Tiny) -> None:
    record = run(in_mode(tiny.job(act="remember_compiled"), "compile"), supervisor)
    check(record)
    assert (record.status, record.reason) == ("invalid", "faster-on-seen"), record.log


def test_weights_of_its_own_are_not_few_tokens(supervisor: Supervisor, tiny: Tiny) -> None:
    whole, half = (run(tiny.job(act=act), supervisor) for act in ("copied_weights", "half_copied"))
    assert (whole.status, half.status) == ("ok", "ok"), (whole.detail, half.detail, half.log)
    assert isinstance(whole.work, Missing)
    assert whole.work.reason == "uncounted-method"
    assert "tokens-undercounted" in [flag.code for flag in half.flags]


def test_a_long_log_is_cut_in_the_middle_and_stripped(supervisor: Supervisor, tiny: Tiny) -> None:
    log = run(tiny.job(act="print_much"), supervisor).log
    assert "bytes left out" in log
    assert log.startswith("xxx")
    assert "\x1b" not in log


def test_a_hang_leaves_the_place_where_it_hung(supervisor: Supervisor, tiny: Tiny) -> None:
    log = run(tiny.job(act="hang", limits=Limits(time_s=4, memory_mib=8192)), supervisor).log
    assert "sleep_forever" in log


def test_another_directory_is_flagged(supervisor: Supervisor, tiny: Tiny) -> None:
    flags = run(tiny.job(act="change_directory"), supervisor).flags
    assert "directory-changed" in [flag.code for flag in flags]


@pytest.mark.parametrize("act", ["fork_and_stay", "fork_away", "deaf", "return_twice"])
def test_nothing_of_a_run_survives_it(act: str, supervisor: Supervisor, tiny: Tiny) -> None:
    run(tiny.job(act=act, limits=SHORT), supervisor)
    run(tiny.job(act="good"), supervisor)
    assert supervisor.descendants() == 0


@pytest.mark.parametrize("act", ["good", "segfault", "hang"])
def test_spawned_runs_leave_the_same_rows(act: str, naughty: str, tiny: Tiny) -> None:
    status, reason, limits = ROWS[act]
    with Supervisor(start="spawn") as spawning:
        record = run(tiny.job(act=act, limits=limits), spawning)
    check(record)
    assert (record.status, record.reason) == (status, reason), (record.detail, record.log)
