"""Where a measurement was taken: software, hardware, and the state before and after.

Names are stable; a value that cannot be read is null. Nothing here imports torch.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import tokonomy
from tokonomy.measure.protocol import PROTOCOL
from tokonomy.store.fields import Scalar
from tokonomy.store.record import Harness

_PACKAGES = ("torch", "transformers", "numpy", "safetensors", "pillow", "tokonomy")
_CPU = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")
#: Types of thermal zones, and names of sensors, that are a processor's and not a board's.
_ZONES = ("x86_pkg_temp", "cpu-thermal", "cpu_thermal")
_SENSORS = ("coretemp", "k10temp", "zenpower")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _number(text: str | None, scale: float = 1.0) -> float | None:
    try:
        return None if text is None else float(text) * scale
    except ValueError:
        return None


def _package(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpuinfo(key: str) -> str | None:
    """The first value of a key in ``/proc/cpuinfo``."""
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def cores() -> int:
    """Logical processors this process may use."""
    return len(os.sched_getaffinity(0))


def processors() -> str:
    """What the processors are as a device: their model, and how many this process may use."""
    return f"{_cpuinfo('model name') or platform.machine()} x{cores()}"


@cache
def software() -> dict[str, str | None]:
    """Versions of what computes."""
    packages = {name: _package(name) for name in _PACKAGES}
    system = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "os": (platform.freedesktop_os_release() if _read(Path("/etc/os-release")) else {}).get(
            "PRETTY_NAME"
        ),
        "libc": " ".join(platform.libc_ver()).strip() or None,
    }
    return packages | system


def _turbo() -> bool | None:
    """Whether the processor may exceed its base clock."""
    off, boost = _read(_CPU / "intel_pstate/no_turbo"), _read(_CPU / "cpufreq/boost")
    if off is not None:
        return off == "0"
    return None if boost is None else boost == "1"


def _container() -> bool:
    marks = (Path("/.dockerenv"), Path("/run/.containerenv"))
    control = _read(Path("/proc/1/cgroup")) or ""
    return any(mark.exists() for mark in marks) or any(
        word in control for word in ("docker", "kubepods", "lxc", "containerd")
    )


@cache
def hardware() -> dict[str, Scalar]:
    """What computes, and what it may use."""
    smt = _read(_CPU / "smt/active")
    return {
        "cpu": _cpuinfo("model name"),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "affinity": ",".join(map(str, sorted(os.sched_getaffinity(0)))),
        "governor": _read(_CPU / "cpu0/cpufreq/scaling_governor"),
        "turbo": _turbo(),
        "smt": None if smt is None else smt == "1",
        "memory_bytes": psutil.virtual_memory().total,
        "cgroup_cpu": _read(_CGROUP / "cpu.max"),
        "cgroup_memory": _read(_CGROUP / "memory.max"),
        "container": _container(),
        "virtual": "hypervisor" in (_cpuinfo("flags") or "").split(),
    }


def state() -> dict[str, Scalar]:
    """What moves from one minute to the next; taken before and after."""
    frequency = _number(_read(_CPU / "cpu0/cpufreq/scaling_cur_freq"), 1e-3)
    return {
        "load_1min": os.getloadavg()[0],
        "available_bytes": psutil.virtual_memory().available,
        "frequency_mhz": frequency if frequency is not None else _number(_cpuinfo("cpu MHz")),
        "temperature_c": temperature_c(),
    }


def temperature_c(root: Path = Path("/sys/class")) -> float | None:
    """Of the first processor package, degrees Celsius; None where no sensor says it is of one."""
    for path in sorted(root.glob("thermal/thermal_zone*/type")):
        if _read(path) in _ZONES:
            return _number(_read(path.with_name("temp")), 1e-3)
    for path in sorted(root.glob("hwmon/hwmon*/name")):
        if _read(path) in _SENSORS:
            return _number(_read(path.with_name("temp1_input")), 1e-3)
    return None


def _git(*words: str) -> str | None:
    folder = Path(tokonomy.__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def _revision() -> tuple[str | None, bool | None]:
    """Commit of the checkout the harness runs from and whether the harness was changed since."""
    inside = _git("ls-files", "--error-unmatch", "__init__.py")
    changes = _git("status", "--porcelain", "--", ".") if inside else None
    commit = _git("rev-parse", "HEAD") if inside else None
    return commit, None if changes is None else bool(changes)


def _public(word: str) -> str:
    """A word of the command line, relative to here or to home where it is below them."""
    here, home = f"{Path.cwd()}/", f"{Path.home()}/"
    for folder, short in ((here, ""), (home, "~/")):
        word = word.replace(folder, short) if len(folder) > 2 else word
    return word


def harness(argv: Sequence[str] | None = None) -> Harness:
    """Which code measures, and how it was called; private folders are left out."""
    commit, dirty = _revision()
    words = list(sys.argv if argv is None else argv)
    words[:1] = [Path(word).name for word in words[:1]]
    return Harness(
        version=_package("tokonomy") or "unknown",
        commit=commit,
        dirty=dirty,
        protocol=PROTOCOL,
        argv=[_public(word)[:500] for word in words],
    )
