import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tokonomy.measure.cpu import CpuTelemetry, Load, load
from tokonomy.measure.disturbances import Asleep, asleep
from tokonomy.measure.protocol import OTHERS_CPUS, OTHERS_LOOK_S
from tokonomy.measure.reasons import REASONS
from tokonomy.store.fields import Missing
from tokonomy.store.record import Machine

CPUS = frozenset({0, 1})
TICKS = os.sysconf("SC_CLK_TCK")


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def stat(root: Path, *rows: tuple[int, ...]) -> None:
    """``/proc/stat`` of: user, nice, system, idle, iowait, irq, softirq and steal."""
    lines = [f"cpu{place} {' '.join(map(str, row))} 0 0" for place, row in enumerate(rows)]
    put(root, "proc/stat", "\n".join(["cpu  1 2 3 4 5 6 7 8 0 0", *lines, "intr 5", ""]))


def throttle(root: Path, count: int, cpu: int = 0, kind: str = "core") -> None:
    name = f"cpu{cpu}/thermal_throttle/{kind}_throttle_count"
    put(root, f"sys/devices/system/cpu/{name}", f"{count}\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with everything there is to look at, at rest."""
    stat(tmp_path, (100, 0, 50, 900, 5, 0, 2, 3), (10, 0, 5, 900, 5, 0, 2, 3))
    throttle(tmp_path, 7)
    throttle(tmp_path, 9, cpu=1, kind="package")
    put(tmp_path, "sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n")
    put(tmp_path, "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "3000000\n")
    put(tmp_path, "sys/devices/system/cpu/cpufreq/boost", "1\n")
    put(tmp_path, "proc/self/cgroup", "0::/jobs/ours\n")
    put(tmp_path, "sys/fs/cgroup/cpu.stat", "usage_usec 5\n")
    put(tmp_path, "sys/fs/cgroup/jobs/cpu.stat", "usage_usec 5\nnr_throttled 4\n")
    put(tmp_path, "sys/fs/cgroup/jobs/ours/cpu.stat", "nr_periods 9\nnr_throttled 2\n")
    return tmp_path


class Machinery:
    """What is not in files, moved by hand."""

    def __init__(self) -> None:
        self.cpus, self.slept_ns, self.meanwhile = CPUS, 0, list[Callable[[], None]]()

    def open(self, root: Path) -> CpuTelemetry:
        return CpuTelemetry(root=root, affinity=self.affinity, slept=self.slept, wait=self.wait)

    def affinity(self) -> frozenset[int]:
        return self.cpus

    def slept(self) -> Asleep:
        return Asleep(least_ns=self.slept_ns, most_ns=self.slept_ns + 900)

    def wait(self, seconds: float) -> None:
        for happen in self.meanwhile:
            happen()


def found(telemetry: CpuTelemetry) -> dict[str, str | None]:
    flags = telemetry.causes()
    assert {flag.code for flag in flags} <= set(REASONS)
    return {flag.code: flag.detail for flag in flags}


def test_a_machine_at_rest_gives_no_cause(root: Path) -> None:
    telemetry = Machinery().open(root)
    assert [found(telemetry) for _ in range(3)] == [{}, {}, {}]


def test_each_cause_is_told_once(root: Path) -> None:
    telemetry = Machinery().open(root)
    throttle(root, 9)
    throttle(root, 10, cpu=1, kind="package")
    assert found(telemetry) == {"throttled": "3 thermal throttling events"}
    assert found(telemetry) == {}


@pytest.mark.parametrize("group", ["jobs", "jobs/ours"])
def test_a_used_up_quota_of_this_group_or_one_above_is_a_cause(root: Path, group: str) -> None:
    telemetry = Machinery().open(root)
    put(root, f"sys/fs/cgroup/{group}/cpu.stat", "nr_throttled 6\nthrottled_usec 81\n")
    assert list(found(telemetry)) == ["cpu-throttled"]


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
def test_quotas_of_version_1_count_too(root: Path, mount: str) -> None:
    put(root, "proc/self/cgroup", "4:memory:/m\n2:cpu,cpuacct:/docker/ab\n0::/\n")
    put(root, f"sys/fs/cgroup/{mount}/docker/ab/cpu.stat", "nr_throttled 0\nthrottled_time 0\n")
    telemetry = Machinery().open(root)
    put(root, f"sys/fs/cgroup/{mount}/docker/ab/cpu.stat", "nr_throttled 3\nthrottled_time 9\n")
    assert found(telemetry) == {
        "cpu-throttled": "the control group's quota was used up in 3 periods"
    }


def test_another_groups_quota_is_no_cause(root: Path) -> None:
    put(root, "sys/fs/cgroup/others/cpu.stat", "nr_throttled 0\n")
    telemetry = Machinery().open(root)
    put(root, "sys/fs/cgroup/others/cpu.stat", "nr_throttled 50\n")
    assert found(telemetry) == {}


def test_a_path_of_the_host_inside_a_container_leaves_what_is_mounted(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/../../somewhere/else\n")
    put(root, "sys/fs/cgroup/cpu.stat", "nr_throttled 1\n")
    telemetry = Machinery().open(root)
    put(root, "sys/fs/cgroup/cpu.stat", "nr_throttled 2\n")
    assert list(found(telemetry)) == ["cpu-throttled"]


def test_a_machine_that_slept_says_how_long(root: Path) -> None:
    machine = Machinery()
    telemetry = machine.open(root)
    machine.slept_ns += 900  # within what reading three clocks leaves open
    assert found(telemetry) == {}
    machine.slept_ns += 90_000_000_000
    assert found(telemetry) == {"suspended": "the machine slept for 90 s"}


def test_other_processors_are_a_cause(root: Path) -> None:
    machine = Machinery()
    telemetry = machine.open(root)
    machine.cpus = frozenset({1})
    assert found(telemetry) == {"affinity-changed": "processors 0,1 before and 1 now"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cpufreq/policy0/scaling_governor", "powersave"),
        ("cpufreq/policy0/scaling_max_freq", "1200000"),
        ("cpufreq/boost", "0"),
    ],
)
def test_another_governor_or_clock_limit_is_a_cause(root: Path, name: str, text: str) -> None:
    telemetry = Machinery().open(root)
    put(root, f"sys/devices/system/cpu/{name}", text)
    flags = found(telemetry)
    assert list(flags) == ["limits-changed"]
    assert flags["limits-changed"] is not None
    assert flags["limits-changed"].endswith(f"{text} now")


def test_several_causes_are_told_together(root: Path) -> None:
    machine = Machinery()
    telemetry = machine.open(root)
    machine.slept_ns, machine.cpus = 10**9, frozenset({0})
    throttle(root, 8)
    assert list(found(telemetry)) == ["suspended", "throttled", "affinity-changed"]


@pytest.mark.parametrize("text", ["", "many", "-3", "9" * 40, "\x00", "7 8"])
def test_a_count_that_is_none_is_no_cause(root: Path, text: str) -> None:
    telemetry = Machinery().open(root)
    put(root, "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", text)
    put(root, "sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", text)
    put(root, "sys/fs/cgroup/jobs/cpu.stat", f"nr_throttled {text}")
    put(root, "sys/fs/cgroup/jobs/ours/cpu.stat", f"nr_throttled {text}")
    assert found(telemetry) == {}
    state = telemetry.state()
    assert (state["thermal_throttles"], state["quota_throttles"]) == (None, None)


def test_a_count_that_begins_again_is_no_cause(root: Path) -> None:
    telemetry = Machinery().open(root)
    throttle(root, 0)
    assert found(telemetry) == {}


def test_an_empty_machine_has_nulls_and_no_zeros(tmp_path: Path) -> None:
    telemetry = Machinery().open(tmp_path)
    state = telemetry.state()
    for name in ("busy_s", "steal_s", "thermal_throttles", "quota_throttles"):
        assert state[name] is None
    assert telemetry.causes() == []
    assert not telemetry.exclusivity().proven
    counter = telemetry.counter()
    assert isinstance(counter, Missing)
    assert counter.reason == "rapl-absent"


def test_load_counts_work_and_steal_but_not_waiting(root: Path) -> None:
    text = (root / "proc/stat").read_text()
    assert load(text, CPUS) == Load(busy_s=175 / TICKS, steal_s=6 / TICKS)
    assert load(text, frozenset({1})) == Load(busy_s=20 / TICKS, steal_s=3 / TICKS)
    assert load(text, frozenset({5})) is None
    assert load("nonsense\ncpu0 x", CPUS) == Load(busy_s=0.0, steal_s=0.0)


def busier(root: Path, ticks: int, place: int = 0) -> Callable[[], None]:
    rows = [[100, 0, 50, 900, 5, 0, 2, 3], [10, 0, 5, 900, 5, 0, 2, 3], [0] * 8]
    rows[2][0] = ticks * 50  # a processor that is not ours
    rows[0][place] += ticks
    return lambda: stat(root, *map(tuple, rows))


@pytest.mark.parametrize("place", [0, 1, 2, 5, 6, 7])
def test_others_work_and_stolen_time_leave_exclusivity_unverified(root: Path, place: int) -> None:
    machine = Machinery()
    machine.meanwhile.append(busier(root, int(OTHERS_LOOK_S * TICKS), place))
    seen = machine.open(root).exclusivity()
    assert not seen.proven
    assert seen.foreign is None
    assert seen.detail is not None  # what the test itself keeps busy is not others'
    assert re.fullmatch(r"others kept (0\.9|1\.0)\d of 2 processors busy", seen.detail)


@pytest.mark.parametrize("place", [0, 3, 4])
def test_a_quiet_machine_is_ours(root: Path, place: int) -> None:
    machine = Machinery()
    little = int(OTHERS_CPUS * OTHERS_LOOK_S * TICKS) if place == 0 else 10
    machine.meanwhile.append(busier(root, little, place))
    assert machine.open(root).exclusivity().proven


def test_the_real_machine_answers_everything() -> None:
    with CpuTelemetry() as telemetry:
        machine = Machine(
            software={}, hardware=telemetry.facts(), before=telemetry.state(), after={}
        )
        assert machine.hardware["cpus"]
        assert isinstance(machine.before["busy_s"], float)
        assert machine.before["busy_s"] > 0
        assert "processors busy" in telemetry.exclusivity().detail
        assert {flag.code for flag in telemetry.causes()} <= {"cpu-throttled", "throttled"}
        assert telemetry.temperature_c() is None or -50 < (telemetry.temperature_c() or 0) < 150
        assert telemetry.used_bytes().reason == "no-device-memory"
        counter = telemetry.counter()
        assert not isinstance(counter, Missing) or counter.reason in REASONS


def test_real_clocks_bound_the_time_asleep() -> None:
    one, other = asleep(), asleep()
    assert one.least_ns <= one.most_ns
    assert max(one.least_ns, other.least_ns) <= min(one.most_ns, other.most_ns)
