"""A calibration record: how straight the ruler was found to be, and by which experiments.

One JSON document. The methodology page shows it; nothing is computed from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from tokonomy.catalog import strict
from tokonomy.errors import BadRecord
from tokonomy.store.fields import Parameters, Part, Text, Utc
from tokonomy.store.lines import looked_at, validated
from tokonomy.store.record import Harness, Machine

SUITE = "calibration"
"""Suite of the runs behind one that is measured; they are no results."""

UNPROMISED = "nothing promised"
"""In the setting of findings that show where the interval fails."""

_WERE_ONE = {  # units of findings that had unit 1 in older records, when not only shares had it
    "same-ratio": "ratio",
    "planted-ratio": "ratio",
    "energy-error-of-bound": "ratio",
    "epoch": "",
}

Amount = Annotated[float, Field(gt=-1e18, lt=1e18)]


class Finding(Part):
    """One figure.

    Attributes:
        name: What was found: ``coverage``, ``power``, ``energy-error-of-bound``, ….
        setting: Under what: a noise model, a scripted profile, a cell.
        unit: ``1`` for a share, ``ratio`` for a ratio, empty for a plain number.
        value: The figure; ``low`` and ``high`` are its 95 % interval where it has one.
        n: Experiments or sessions behind it.
        least, most: What was asked of it; null where nothing was.
    """

    name: Text
    setting: Text
    unit: Text
    value: Amount
    low: Amount | None
    high: Amount | None
    n: Annotated[int, Field(ge=1, lt=2**53)]
    least: Amount | None = None
    most: Amount | None = None

    @model_validator(mode="before")
    @classmethod
    def _told_apart(cls, fields: Any) -> Any:
        old = isinstance(fields, dict) and fields.get("unit") == "1"
        return fields | {"unit": _WERE_ONE.get(fields.get("name"), "1")} if old else fields

    @property
    def is_share(self) -> bool:
        """Whether the figure is a share, which reads best as per cent."""
        return self.unit == "1"

    @property
    def met(self) -> bool | None:
        """Whether the value is within what was asked; None where nothing was."""
        if self.least is None and self.most is None:
            return None
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)


class Calibration(Part):
    """What one ``tokonomy calibrate`` found.

    Attributes:
        kind: ``simulated`` for synthetic experiments, ``measured`` for sessions on a machine.
        runs: Ids of the runs behind it, in order; none for synthetic experiments.
        settings: How it was called: numbers of experiments or sessions, seeds, caps.
    """

    schema_version: Literal[1]
    kind: Literal["simulated", "measured"]
    made: Utc
    device_class: Text | None
    harness: Harness
    machine: Machine | None
    settings: Parameters
    findings: list[Finding]
    runs: list[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]]


def read(path: Path) -> Calibration:
    """Read a calibration record; raises ``BadRecord``."""
    noun = f"calibration {path.name}"
    try:
        with path.open("rb") as file:
            text, _ = looked_at(file.read(strict.MAX_BYTES + 1), noun)
    except OSError as error:
        raise BadRecord(f"{noun}: cannot be read: {error.strerror}") from None
    return validated(Calibration, text, noun)


def write(path: Path, calibration: Calibration) -> None:
    """Put a calibration record in place in one step."""
    part = path.with_name(f".{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    part.replace(path)
