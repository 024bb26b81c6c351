"""The scripted library in C: compiled, opened in this process, or lent to another one."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tokonomy.measure.clock import Clock, MonotonicClock
from tokonomy.measure.scripted.passing import waiter
from tokonomy.measure.scripted.profile import Profile
from tokonomy.measure.scripted.script import render

SOURCE = Path(__file__).with_name("nvml.c")
#: What ``pynvml`` asks the loader for.
NAME = "libnvidia-ml.so.1"
#: Names the script in another process.
VARIABLE = "TOKONOMY_SCRIPTED_NVML"
#: Products and sums stay apart, so that the doubles are those of Python.
FLAGS = ("-std=gnu11", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-fvisibility=hidden")


class Library:
    """The opened library as ``pynvml`` sees it: without the functions that the driver lacks.

    Attributes:
        kept: What the library calls back, held as long as the library.
    """

    def __init__(self, loaded: ctypes.CDLL, missing: tuple[str, ...], *kept: object) -> None:
        self._loaded, self._missing, self._kept = loaded, frozenset(missing), kept

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name in self._missing:
            raise AttributeError(name)
        function: Callable[..., int] = getattr(self._loaded, name)
        return function


def compiler() -> str | None:
    """The C compiler of this machine, if any."""
    return shutil.which("cc") or shutil.which("gcc")


def build(folder: Path, missing: tuple[str, ...] = ()) -> Path:
    """Compile the library into a folder, under the name by which NVML is looked for.

    Args:
        folder: Where it goes.
        missing: Functions that it is not to have.

    Raises ``RuntimeError`` where there is no compiler, or where it fails.
    """
    program = compiler()
    if program is None:
        raise RuntimeError("expected a C compiler (cc), found none; use the one in Python")
    target = folder / NAME
    command = [program, *FLAGS, str(SOURCE), "-lm", "-o", str(target)]
    if missing:
        hidden = folder / "hidden.map"
        names = "".join(f"{name};" for name in missing)
        hidden.write_text(f"{{ global: nvml*; scripted*; local: {names} }};\n")
        command.append(f"-Wl,--version-script={hidden}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"expected {program} to compile {SOURCE.name}, got: {done.stderr}")
    return target


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tokonomy-scripted-")


@functools.cache
def built() -> Path:
    """The library, compiled once in a process; its folder goes when the process ends."""
    return build(Path(_folder().name))


def opened(path: Path, profile: Profile, clock: Clock, start_ns: int) -> Library:
    """The library in this process, playing a profile on a clock."""
    loaded = ctypes.CDLL(str(path))
    with tempfile.NamedTemporaryFile("w", suffix=".script") as script:
        script.write(render(profile, start_ns))
        script.flush()
        if loaded.scripted_load(script.name.encode()):
            raise RuntimeError(f"expected the library to read its script, got {path}")
    if isinstance(clock, MonotonicClock):  # the library counts on the same one by itself
        return Library(loaded, profile.missing)
    now = ctypes.CFUNCTYPE(ctypes.c_longlong)(clock.now)
    wait = ctypes.CFUNCTYPE(None, ctypes.c_longlong)(waiter(clock))
    loaded.scripted_clock(now, wait)
    return Library(loaded, profile.missing, now, wait)


def lent(profile: Profile, folder: Path, start_ns: int | None = None) -> dict[str, str]:
    """Environment under which another process finds the library in C and this profile.

    Args:
        profile: What it plays.
        folder: Where both are put.
        start_ns: Time of the monotonic clock that is second 0; None lets each process begin with
            its own ``nvmlInit``.
    """
    script = folder / "profile.script"
    script.write_text(render(profile, start_ns))
    if profile.absent:  # found in front of any real one, and not a library
        (folder / NAME).write_text("")
    else:
        build(folder, profile.missing)
    folders = filter(None, (str(folder), os.environ.get("LD_LIBRARY_PATH")))
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders), VARIABLE: str(script)}
