"""Every error that Tokonomy raises on purpose.

TokonomyError
├── UsageError             what was asked for cannot be done as asked (exit code 2)
│   ├── UnknownId          no method, task, model or suite of that name
│   ├── BadParameter       a hyper-parameter or option out of its range
│   ├── BadCard            a card that cannot be read or breaks a rule
│   ├── BadSuite           a suite file that cannot be read
│   ├── BadData            a data set that cannot be opened
│   ├── BadCheckpoint      a checkpoint that cannot be loaded
│   ├── BadRecord          a record that breaks the schema
│   └── BadDevice          a device that is not there, or that cannot be told from another
├── Unsupported            a combination that makes no sense (a run's status, not a failure)
├── InvalidOutput          a method returned something that is not an output
├── UnreadableSample       one sample of a data set cannot be decoded
├── TelemetryError         a device or its driver did not tell; ``reason`` says why
│   └── DeviceLost         the device is gone, and so is what was being measured on it
└── StoreError             the database refused (exit code 2)
    ├── StoreBusy          locked by another writer
    ├── StoreReadOnly      no permission, or a full disk
    ├── StoreCorrupt       not a database, or a damaged one
    └── StoreTooNew        written by a newer version

A message states what was expected, what came and what to do, in one line.
"""

from __future__ import annotations

import re

_NO_MEMORY = re.compile(
    r"allocate memory|out of memory|not enough memory|_STATUS_ALLOC_FAILED", re.IGNORECASE
)  # of Python, torch's allocators, and CUDA's libraries


class TokonomyError(Exception):
    """Base of the tree; its text is one line, fit for a terminal."""


class UsageError(TokonomyError):
    """What was asked for cannot be done as asked."""


class UnknownId(UsageError):
    """No method, task, model or suite of that name."""


class BadParameter(UsageError):
    """A hyper-parameter or option out of its range."""


class BadCard(UsageError):
    """A card that cannot be read or breaks a rule."""


class BadSuite(UsageError):
    """A suite file that cannot be read."""


class BadData(UsageError):
    """A data set that cannot be opened."""


class BadCheckpoint(UsageError):
    """A checkpoint that cannot be loaded."""


class BadRecord(UsageError):
    """A record that breaks the schema."""


class BadDevice(UsageError):
    """A device that is not there, or that cannot be told from another."""


class Unsupported(TokonomyError):
    """A combination that makes no sense; the run is recorded as ``unsupported``."""


class InvalidOutput(TokonomyError):
    """A method returned something that is not an output of its family."""


class UnreadableSample(TokonomyError):
    """One sample of a data set cannot be decoded."""


class TelemetryError(TokonomyError):
    """A device or its driver did not tell.

    Attributes:
        reason: Code of ``tokonomy.measure.reasons``.
        detail: What was asked and what came.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class DeviceLost(TelemetryError):
    """The device is gone, and so is what was being measured on it."""


class StoreError(TokonomyError):
    """The database refused."""


class StoreBusy(StoreError):
    """The database is locked by another writer."""


class StoreReadOnly(StoreError):
    """No permission to write, or no room left."""


class StoreCorrupt(StoreError):
    """Not a database, or a damaged one."""


class StoreTooNew(StoreError):
    """The database was written by a newer version."""


def lacks_memory(error: BaseException) -> bool:
    """Whether an exception says that an allocation failed."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))
