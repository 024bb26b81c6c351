"""A command in a process with limits: time, memory, sizes of files, no network where possible.

Run as a script it is the last step before the command: it cuts the network off, sets what the
kernel enforces, says through a pipe which of it held, and becomes the command. Python looks for
what it imports beside itself alone, so that no code of the command's takes its place. What is asked
for:

- a network namespace of its own, without a single device that is up; where the system refuses
  that (containers often do), the network stays, and ``Ended.network`` says so;
- an environment of a few named variables, so that nothing secret is in it, and an empty home;
- the memory of the process and all its children, looked at every tenth of a second.

It is no sandbox: files that the user may read can be read.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_PASSED = (
    "PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
)  # fmt: skip
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_CHILD_SUBREAPER = 36
_LARGEST_FILE = 1 << 30
_LOOK_S = 0.1
_MOST_SAID = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a command may take: wall time in seconds, memory in bytes."""

    time_s: float = 600.0
    memory_bytes: int = 6 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Exit status; negative for a signal.
        broken: ``"time"`` or ``"memory"`` where it was ended for that, else None.
        network: ``"cut off"``, or why it was not.
        said: The end of what it printed.
    """

    code: int
    broken: str | None
    network: str
    said: str


def run(
    command: Sequence[str],
    folder: Path,
    limits: Limits,
    log: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command and all it starts, and end them together.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        limits: What it may take.
        log: Where it is written what the command prints, while it runs.
        more: Variables of its environment besides the few that are passed on.
    """
    with tempfile.TemporaryDirectory(prefix="tokonomy-limited-") as home:
        log = log or Path(home, "log")
        env = {name: os.environ[name] for name in _PASSED if name in os.environ}
        env |= {"HOME": home, "TMPDIR": home, "HF_HUB_OFFLINE": "1", **(more or {})}
        before = _descendants()
        _adopt()
        ours, theirs = os.pipe()
        launcher = [sys.executable, "-I", __file__, str(theirs), "--", *command]
        with log.open("w+b") as out, os.fdopen(ours, "rb") as pipe:
            process = subprocess.Popen(
                launcher, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, pass_fds=[theirs],
            )  # fmt: skip
            os.close(theirs)
            try:
                network = pipe.read(500).decode(errors="replace") or "the process did not begin"
                broken = _watch(process, limits, before)
            finally:
                _end(process, before)
            out.seek(max(0, out.seek(0, os.SEEK_END) - _MOST_SAID))
            said = out.read().decode(errors="replace")
        return Ended(code=process.returncode, broken=broken, network=network, said=said)


def _adopt() -> None:
    """Become the parent of whatever loses its own, so that nothing that was begun is lost sight of.

    Undone by nobody: it changes nothing for a process whose children end before it.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descendants() -> set[int]:
    return {each.pid for each in psutil.Process().children(recursive=True)}


def _watch(process: subprocess.Popen[bytes], limits: Limits, before: set[int]) -> str | None:
    """Wait for the end; gives which limit was broken before it."""
    until = time.monotonic() + limits.time_s
    while process.poll() is None:
        if time.monotonic() > until:
            return "time"
        if _resident(before) > limits.memory_bytes:
            return "memory"
        time.sleep(_LOOK_S)
    return None


def _resident(before: set[int]) -> int:
    """Bytes that all that came from the command holds, as far as it can be seen."""
    total = 0
    for pid in _descendants() - before:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue  # it has just ended
    return total


def _end(process: subprocess.Popen[bytes], before: set[int]) -> None:
    """End the command and all that came from it, also what moved to a session of its own.

    Args:
        process: The command.
        before: Processes that were ours before it began.
    """
    for _ in range(_ROUNDS):
        left = [pid for pid in _descendants() - before if _alive(pid)]
        if not left:
            break
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_S / 10)
        _reap(process.pid, before)
    process.wait()


_ROUNDS = 100  # what begins new processes while it is ended is outrun in the end


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _reap(but: int, before: set[int]) -> None:
    """Take leave of adopted children; the command's own end is for its ``wait``."""
    for pid in _descendants() - before - {but}:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _cut() -> str:
    """Leave the network of the system; gives ``"cut off"``, or why it was not."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        return f"the system does not let it be cut off ({os.strerror(ctypes.get_errno())})"
    for name, text in (
        ("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")
    ):  # fmt: skip
        try:
            Path("/proc/self", name).write_text(text)
        except OSError:
            break  # it then goes on as nobody, which can do less
    return "cut off"


def main() -> None:
    """Set the limits that the kernel enforces, and become the command."""
    told, command = int(sys.argv[1]), sys.argv[3:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    os.write(told, _cut().encode())
    os.close(told)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
