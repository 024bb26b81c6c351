"""How a run ended: from an exception or an exit code to a status and a reason code."""

from __future__ import annotations

import re
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import gettempdir

import tokonomy
from tokonomy.errors import (
    BadCard,
    BadCheckpoint,
    BadData,
    BadDevice,
    BadParameter,
    DeviceLost,
    InvalidOutput,
    TelemetryError,
    UnknownId,
    Unsupported,
    lacks_memory,
)
from tokonomy.measure.reasons import REASONS
from tokonomy.store.fields import Status

_HEAD, _TAIL = 3000, 4800
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Ended(Exception):
    """A run cannot go on; carries its status, a reason code and a line of detail."""

    def __init__(self, status: Status, reason: str, detail: str | None = None) -> None:
        super().__init__(reason if detail is None else f"{reason}: {detail}")
        self.status, self.reason = status, reason
        self.detail = None if detail is None else clean(detail)[:500]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the process of a run ended, as its supervisor saw it.

    Attributes:
        code: Exit code; negative for a signal, as in ``subprocess``; None if nobody saw it.
        limit: The limit it was killed for: ``"time"``, ``"memory"`` or None.
        left: Names of processes that were still running when it had ended.
        wall_s: Seconds from its start to its end.
    """

    code: int | None
    limit: str | None = None
    left: tuple[str, ...] = ()
    wall_s: float = 0.0


@cache
def _folders() -> tuple[str, ...]:
    """Folders of this machine that say nothing to a reader elsewhere, longest first."""
    code = Path(tokonomy.__file__).parents[2]
    known = (code, Path(sys.prefix), Path(sys.base_prefix), Path.home(), Path(gettempdir()))
    return tuple(sorted((f"{folder}/" for folder in known), key=len, reverse=True))


def clean(text: str) -> str:
    """Text without terminal escapes, control characters and private folders, fit for a page."""
    text = _CONTROL.sub("", text).encode("utf-8", "replace").decode()
    for folder in _folders():
        text = text.replace(folder, "")
    return text


def excerpt(path: Path) -> str:
    """Head and tail of a log, at most 8000 characters, whatever its size."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= _HEAD + _TAIL:
                return clean(file.read().decode("utf-8", "replace"))
            head = file.read(_HEAD)
            file.seek(size - _TAIL)
            tail = file.read()
    except OSError:
        return ""
    middle = f"\n[... {size - _HEAD - _TAIL} bytes left out ...]\n"
    return clean(head.decode("utf-8", "replace") + middle + tail.decode("utf-8", "replace"))


def ended(error: BaseException, raised: str) -> Ended:
    """The ending that an exception means; ``raised`` is the code where it means nothing else.

    The traceback of what nobody foresaw goes to the log.
    """
    foreseen = (Ended, Unsupported, BadParameter, InvalidOutput, TelemetryError)
    if not isinstance(error, foreseen):
        traceback.print_exception(error)
    line = (str(error).strip().splitlines() or [""])[0]
    match error:
        case Ended():
            return error
        case _ if lacks_memory(error):
            return Ended("oom", "out-of-memory", line)
        case SystemExit():
            return Ended("crash", "exited", f"sys.exit({error.code!r})")
        case BadParameter():
            return Ended("unsupported", "impossible-parameter", line)
        case Unsupported():
            code, _, detail = line.partition(": ")
            known = code in REASONS
            return Ended(
                "unsupported", code if known else "not-supported", detail if known else line
            )
        case InvalidOutput():
            code, _, detail = line.partition(": ")
            known = code in REASONS
            return Ended("invalid", code if known else "invalid-output", detail if known else line)
        case BadCard() | UnknownId():
            return Ended("crash", "raise-at-import", line)
        case DeviceLost():
            return Ended("crash", "device-lost", error.detail or error.reason)
        case TelemetryError():
            return Ended("invalid", error.reason, error.detail)
        case BadDevice():
            return Ended("crash", "bad-device", line)
        case BadData():
            return Ended("crash", "bad-task", line)
        case BadCheckpoint():
            return Ended("crash", "bad-model", line)
        case _:
            return Ended("crash", raised, f"{type(error).__name__}: {line}")


@contextmanager
def stage(raised: str) -> Iterator[None]:
    """Turn whatever is raised inside into an ending."""
    try:
        yield
    except BaseException as error:
        raise ended(error, raised) from None


def fatal(exit_: Exit) -> Ended | None:
    """The ending that a process's exit means by itself; None where its outcome decides."""
    if exit_.limit is not None:
        status: Status = "timeout" if exit_.limit == "time" else "oom"
        return Ended(status, f"{exit_.limit}-limit", f"killed after {exit_.wall_s:.1f} s")
    if exit_.code is None:
        return Ended("crash", "supervisor-lost")
    if exit_.code < 0:
        return Ended("crash", _signal_code(-exit_.code))
    return Ended("crash", "exited", f"exit code {exit_.code}") if exit_.code else None


def _signal_code(number: int) -> str:
    try:
        return f"signal-{signal.Signals(number).name}"
    except ValueError:
        return "signal-other"
