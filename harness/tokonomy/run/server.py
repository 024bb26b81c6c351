"""The process that starts runs: imports what they need once, then forks one child for each.

Reads one request per line from its standard input and answers with one line each. It never
computes, so a fork of it is a fresh process. When the pipe to it closes, by whatever death of the
executor, it kills the run in flight, removes the folder of the runs and ends. What a run leaves
behind falls to it as the nearest living ancestor and is killed too.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil

from tokonomy.measure.memory import read_status
from tokonomy.measure.protocol import POLL_S
from tokonomy.run.ending import Exit
from tokonomy.run.job import LOG

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LARGEST_FILE = 512 << 20  # bytes that a run may write into one file, its log included
_PATIENCE_S = 5.0  # for a kill to work; only a process stuck in the kernel needs it all
_GRACE_S = 0.2  # for stack dumps before a kill, and for helpers that are about to end


def _prctl(option: int, value: int) -> None:
    """Set a process attribute of Linux; elsewhere the pipe alone must do."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _limit_self(memory_bytes: int) -> None:
    """Make the kernel refuse what polling would see too late, and choose this process first."""
    used = read_status("VmData") or 0
    resource.setrlimit(resource.RLIMIT_DATA, (used + memory_bytes, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def become(folder: Path, memory_bytes: int) -> None:
    """Turn this fresh process into that of a run: own session, own log, limits."""
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    faulthandler.enable(file=log)
    faulthandler.register(signal.SIGUSR1, file=log)
    _limit_self(memory_bytes)


def run_and_exit(worker: str, folder: Path) -> NoReturn:
    """Run the worker and end without waiting for anything that a method left."""
    code = 1
    try:
        importlib.import_module(worker).main(folder)
        code = 0
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
            sys.stdout.flush()
        os._exit(code)


def _fork(worker: str, request: dict[str, Any], inherited: tuple[int, ...]) -> int:
    pid = os.fork()
    if pid == 0:
        for descriptor in inherited:
            os.close(descriptor)
        become(Path(request["folder"]), request["memory_bytes"])
        run_and_exit(worker, Path(request["folder"]))
    return pid


def _spawn(worker: str, request: dict[str, Any]) -> int:
    words = ["-P", "-m", "tokonomy.run.server", "child", worker, json.dumps(request)]
    return os.posix_spawn(sys.executable, [sys.executable, *words], os.environ)


def _family(pid: int) -> Iterator[psutil.Process]:
    """A process and everything below it that is alive."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)


def _resident(pid: int) -> int:
    """Resident bytes of a run; what several processes share is counted once among them."""
    processes = list(_family(pid))
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            alone = len(processes) == 1
            total += process.memory_info().rss if alone else process.memory_full_info().pss
    return total


def _kill(pid: int) -> None:
    """Ask for the stacks, then kill the run's processes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGUSR1)
        time.sleep(_GRACE_S)
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            process.kill()


def _leftovers() -> list[psutil.Process]:
    """Living processes below this one; after a run there should be none."""
    alive = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


def _names(processes: list[psutil.Process]) -> tuple[str, ...]:
    names = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            names.append(process.name())
    return tuple(names)


def _sweep() -> tuple[str, ...]:
    """Kill and reap whatever a run left; gives the names of what was still alive."""
    left = _leftovers()
    if left:
        time.sleep(_GRACE_S)
        left = _leftovers()
    names = _names(left)
    patience = time.monotonic() + _PATIENCE_S
    while left and time.monotonic() < patience:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.01)
        left = _leftovers()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return names


def watch(pid: int, time_s: float, memory_bytes: int, requests: int) -> Exit:
    """Wait for a run, within its limits; ends this process if the executor is gone."""
    begun, limit = time.monotonic(), None
    handle = os.pidfd_open(pid)
    while True:
        left_s = begun + time_s - time.monotonic()
        ready, _, _ = select.select([handle, requests], [], [], max(0.0, min(POLL_S, left_s)))
        if handle in ready:
            break
        if requests in ready:
            raise EOFError
        if left_s <= 0:
            limit = "time"
        elif _resident(pid) > memory_bytes:
            limit = "memory"
        if limit:
            _kill(pid)
            select.select([handle], [], [])
            break
    os.close(handle)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    wall_s = time.monotonic() - begun
    return Exit(code=code, limit=limit, left=_sweep(), wall_s=wall_s)


def serve(config: dict[str, Any], requests: IO[str], replies: IO[str]) -> None:
    """Answer requests until the pipe closes."""
    worker, fork = config["worker"], config["start"] == "fork"
    if fork:
        importlib.import_module(worker).warm(config["warm"])
        gc.collect()
        gc.freeze()
    print("ready", file=replies, flush=True)
    inherited = (requests.fileno(), replies.fileno())
    while line := requests.readline():
        request = json.loads(line)
        pid = _fork(worker, request, inherited) if fork else _spawn(worker, request)
        ended = watch(pid, request["time_s"], request["memory_bytes"], requests.fileno())
        print(json.dumps(asdict(ended)), file=replies, flush=True)


def _private(descriptor: int, mode: str) -> IO[str]:
    """A copy of a standard stream that no child inherits."""
    return os.fdopen(os.dup(descriptor), mode, encoding="utf-8")


def main(config: dict[str, Any]) -> None:
    """Serve, and leave nothing behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    requests, replies = _private(0, "r"), _private(1, "w")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    try:
        with contextlib.suppress(EOFError, BrokenPipeError):
            serve(config, requests, replies)
    finally:
        _sweep()
        if not sys.exc_info()[0]:  # else the executor reads the log first
            shutil.rmtree(config["root"], ignore_errors=True)


def child(worker: str, request: dict[str, Any]) -> NoReturn:
    """The whole life of a spawned run."""
    become(Path(request["folder"]), request["memory_bytes"])
    run_and_exit(worker, Path(request["folder"]))


if __name__ == "__main__":
    if sys.argv[1] == "child":
        child(sys.argv[2], json.loads(sys.argv[3]))
    main(json.loads(sys.argv[2]))
