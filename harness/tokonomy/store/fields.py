"""What every part of a record is built from: bounded values, strict parts, and their hash."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Status = Literal["ok", "invalid", "oom", "timeout", "crash", "unsupported"]
Scenario = Literal["stream", "offline"]
Mode = Literal["eager", "compile", "cuda-graphs"]
Arm = Literal["method", "reference"]
Boundary = Literal["board", "module", "package"]
Text = Annotated[str, StringConstraints(max_length=500)]
Log = Annotated[str, StringConstraints(max_length=8000)]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _on_the_calendar(text: str) -> str:
    datetime.fromisoformat(text)  # no 31st of February
    return text


Utc = Annotated[
    str,
    AfterValidator(_on_the_calendar),
    StringConstraints(
        pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,6})?Z$"
    ),
]
# Whole numbers stay below 2^53, so that every reader of JSON sees the same one.
Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
# Amounts have bounds far beyond any machine, so that sums and ratios of them stay finite.
Nanoseconds = Annotated[int, Field(gt=0, lt=2**53)]
Bytes = Annotated[int, Field(ge=0, lt=2**53)]
Amount = Annotated[float, Field(ge=0, lt=1e18)]
Seconds = Annotated[float, Field(ge=0, lt=1e9)]
Score = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1, lt=2**31)]
Duration = Annotated[float, Field(gt=0, strict=False)]
Scalar = bool | int | float | Text | None
Parameters = dict[Text, Scalar | list[Any] | dict[Text, Any]]


class Part(BaseModel):
    """Base of every part: immutable, strict, finite numbers only, no unknown fields."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="strings"
    )


class Missing(Part):
    """Why something has no value."""

    reason: Text
    detail: Text | None = None


def content_hash(content: object) -> str:
    """SHA-256 of a JSON value's canonical form, in hex."""
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()
