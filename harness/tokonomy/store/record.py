"""The record a run leaves: the validated, versioned document that travels as one JSON line.

It holds what was observed and nothing derived from it. What could not be observed is null, with a
reason code beside it; never zero. Strings are untrusted wherever a record came from elsewhere.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from tokonomy.errors import BadRecord
from tokonomy.store.cell import Cell
from tokonomy.store.fields import Log, Missing, Part, Scalar, Status, Text, Utc
from tokonomy.store.observed import UNSCORED, Costs, Energy, Flag, Memory, Quality, Timing, Work

SCHEMA_VERSION = 2
"""Version 1 lacks the fields that came with 2, and is read as a version 2 without them."""


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

    schema_version: Literal[2]
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
    memory: Memory | Missing
    work: Work | Missing
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
    def _from_version_1(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or fields.get("schema_version") != 1:
            return fields
        memory = fields.get("memory")
        if isinstance(memory, dict) and "peak_bytes" in memory:
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
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        got = repr(first["input"])[:80]
        raise BadRecord(f"record: {where}: {first['msg']}; got {got}") from None
