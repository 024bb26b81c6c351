"""The record a run leaves: the validated, versioned document that travels as one JSON line.

It holds what was observed and nothing derived from it. What could not be observed is null, with a
reason code beside it; never zero. Strings are untrusted wherever a record came from elsewhere.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from tokonomy.store.cell import Cell
from tokonomy.store.fields import Log, Missing, Part, Scalar, Status, Text, Utc
from tokonomy.store.lines import validated
from tokonomy.store.observed import (
    ONE_PASS,
    UNSCORED,
    Costs,
    Decoding,
    Energy,
    Flag,
    Memory,
    Quality,
    Timing,
    Work,
)

SCHEMA_VERSION = 3
"""Earlier versions lack the fields that came later, and are read as a version 3 without them."""


class Harness(Part):
    """Which code measured it, and how it was called."""

    version: Text
    commit: Text | None
    dirty: bool | None
    protocol: Annotated[int, Field(ge=1, lt=2**31)]
    argv: list[Text]


class Machine(Part):
    """Where it was measured. Keys are stable names; a value that cannot be read is null."""

    software: dict[Text, Text | None]
    hardware: dict[Text, Scalar]
    before: dict[Text, Scalar]
    after: dict[Text, Scalar]


class Record(Part):
    """One attempt at one cell."""

    schema_version: Literal[3]
    run_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    started: Utc
    suite: Text | None
    status: Status
    reason: Text | None
    detail: Text | None
    log: Log
    cell: Cell
    harness: Harness
    machine: Machine
    costs: Costs | Missing
    timing: Timing | Missing
    first_token: Timing | Missing = ONE_PASS
    memory: Memory | Missing
    work: Work | Missing
    decoding: Decoding | Missing = ONE_PASS
    energy: Energy | Missing
    quality: Quality | Missing
    flags: list[Flag]

    @model_validator(mode="after")
    def _reasoned(self) -> Record:
        if (self.status == "ok") != (self.reason is None):
            raise ValueError("a run that is not ok has a reason, and one that is ok has none")
        none = isinstance(self.quality, Missing) and self.quality.reason != UNSCORED
        if self.status == "ok" and none:
            raise ValueError("a run that is ok has its quality")
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_earlier(cls, fields: Any) -> Any:
        version = fields.get("schema_version") if isinstance(fields, dict) else None
        if version not in (1, 2):
            return fields
        memory = fields.get("memory")
        if version == 1 and isinstance(memory, dict) and "peak_bytes" in memory:
            fields = fields | {"memory": {"process": memory}}
        return fields | {"schema_version": SCHEMA_VERSION}

    @model_validator(mode="after")
    def _counted(self) -> Record:
        if isinstance(self.quality, Quality):
            samples, scored = self.cell.task.samples, len(self.quality.scores["method"])
            if scored != samples - len(self.quality.unreadable):
                raise ValueError(
                    f"every readable sample has a score: of {samples} samples "
                    f"{len(self.quality.unreadable)} are unreadable, and {scored} have one"
                )
        return self

    def line(self) -> str:
        """The record as one canonical JSON line, without the line break."""
        return json.dumps(
            self.model_dump(mode="json"),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )


def parse(line: str) -> Record:
    """Read one JSON line; raises ``BadRecord`` with the first thing that is wrong."""
    return validated(Record, line, "record")
