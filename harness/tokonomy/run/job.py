"""What goes into the process of a run and what comes out: two JSON files in the run's folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from tokonomy.catalog.suites import Limits
from tokonomy.errors import BadRecord
from tokonomy.store.cell import Cell
from tokonomy.store.fields import Missing, Part, Scalar, Status, Text
from tokonomy.store.observed import (
    Costs,
    Decoding,
    Energy,
    Flag,
    Memory,
    Quality,
    Timing,
    Work,
)

JOB, OUTCOME, LOG = "job.json", "outcome.json", "log"
FORKED = "forked"  # left by a copy of the process that came back from the method
_LARGEST = 256 << 20  # bytes of an outcome; a million timed pairs take a third of it
NOT_RUN = Missing(reason="run-failed")


class Job(Part):
    """One run to make."""

    cell: Cell
    suite: Text | None
    limits: Limits


class Outcome(Part):
    """What the process of a run saw. Everything else of the record is known outside it."""

    status: Status
    reason: Text | None = None
    detail: Text | None = None
    costs: Costs | Missing = NOT_RUN
    timing: Timing | Missing = NOT_RUN
    first_token: Timing | Missing = NOT_RUN
    memory: Memory | Missing = NOT_RUN
    work: Work | Missing = NOT_RUN
    decoding: Decoding | Missing = NOT_RUN
    energy: Energy | Missing = NOT_RUN
    quality: Quality | Missing = NOT_RUN
    flags: list[Flag] = Field(default_factory=list)
    before: dict[Text, Scalar] = Field(default_factory=dict)
    after: dict[Text, Scalar] = Field(default_factory=dict)
    device: dict[Text, Scalar] = Field(default_factory=dict)
    software: dict[Text, Text | None] = Field(default_factory=dict)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Put the outcome in place in one step, so that half of one is never read."""
    part = folder / f"{OUTCOME}.part"
    part.write_text(outcome.model_dump_json(), encoding="utf-8")
    part.rename(folder / OUTCOME)


def read_outcome(folder: Path) -> Outcome | None:
    """The outcome a run left, or None; raises ``BadRecord`` where it is none of ours."""
    path = folder / OUTCOME
    try:
        if path.stat().st_size > _LARGEST:
            raise BadRecord(
                f"outcome: expected at most {_LARGEST} bytes; got {path.stat().st_size}"
            )
        return Outcome.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise BadRecord(f"outcome: {str(error).splitlines()[0]}") from None
